"""Plugins, events and logging of a client's cluster."""

from __future__ import annotations

import logging
import uuid
import warnings
from collections.abc import Callable
from typing import Any

from samite.distributed import _nanny_calls as nannies
from samite.distributed._client_base import ClientBase
from samite.distributed._steps import in_thread

logger = logging.getLogger("samite.distributed")


class ExtensionsMixin(ClientBase):
    """The part of `Client` that extends workers, and hears of events."""

    # ---- plugins --------------------------------------------------------------------------------

    def register_plugin(self, plugin: Any, name: str | None = None) -> Any:
        """Set up a plugin on all workers, also those that come later; for a scheduler plugin, on
        the scheduler.

        Parameters
        ----------
        plugin:
            A :class:`WorkerPlugin`, :class:`NannyPlugin` or :class:`SchedulerPlugin`.
        name:
            A plugin of the same name is replaced.

        Raises
        ------
        TypeError
            If it is none of these.
        """
        from samite.distributed.diagnostics import plugin as plugins

        kind = plugins.kind_of(plugin)
        if kind == "worker" and plugins.hears_transitions(plugin):
            warnings.warn(
                f"the plugin {type(plugin).__name__} has a method 'transition', which is never "
                "called: the states of tasks are the engine's. Client.story and "
                "SchedulerPlugin.transition tell of them",
                UserWarning,
                stacklevel=2,
            )
        name = name or plugins.name_of(plugin)
        if kind == "scheduler":
            return self._run(self._scheduler_plugin(plugin, name))
        return self._run(self._plugin_set_up(plugin, name, kind))

    async def _plugin_set_up(self, plugin: Any, name: str, kind: str) -> dict[str, Any]:
        from samite.distributed._calls import answer_of, request_bytes
        from samite.distributed._client_cluster import _unwrapped
        from samite.distributed.diagnostics import plugin as plugins

        there = len(await self._request("nthreads", {}))
        if kind == "nanny":
            arguments = (plugin, name, uuid.uuid4().hex)
            request = request_bytes(nannies.add_plugin, arguments, {})
            payload = request_bytes(nannies.set_up_on_nanny, (request,), {})
        else:
            payload = request_bytes(plugins.set_up, (plugin, name), {})
        answers = await self._request(
            "register_plugin", {"kind": kind, "name": name, "data": payload}
        )
        results: dict[str, Any] = {}
        restarted: dict[str, bool] = {}
        for address, (status, data) in (answers or {}).items():
            if status != "ok":
                raise OSError(
                    f"the worker {address} could not set up the plugin {name!r}: {data!r}"
                )
            outcome, value = answer_of(_unwrapped(data))
            if outcome == "ok" and kind == "nanny":
                answer, restarted[address] = value
                if answer is None:  # a worker without a nanny
                    continue
                outcome, value = answer_of(answer)
            if outcome == "error":
                raise value
            results[address] = {"status": "OK"}
        if any(restarted.values()):
            await self._replaced(restarted, there, 30.0)
        elif kind == "worker" and getattr(plugin, "restart_workers", False):
            # Those that start again set the plugin up once more, and stay.
            await self._replaced(await self._restarted_there(None), there, 30.0)
        return results

    async def _scheduler_plugin(self, plugin: Any, name: str) -> None:
        from samite.distributed.scheduler import local_scheduler

        scheduler = local_scheduler(self.scheduler_address)
        if scheduler is None:
            await self._run_on_scheduler(_register, (plugin, name), {})
            return
        await in_thread(lambda: scheduler.register_plugin(plugin, name))

    def unregister_worker_plugin(self, name: str, nanny: bool | None = None) -> Any:
        """Take a plugin away from all workers.

        Raises
        ------
        ValueError
            If there is none of this name.
        """

        async def unregistered() -> dict[str, Any]:
            from samite.distributed._calls import answer_of, request_bytes
            from samite.distributed._client_cluster import _unwrapped
            from samite.distributed.diagnostics import plugin as plugins

            payload = request_bytes(plugins.tear_down, (name,), {})
            if nanny:
                request = request_bytes(nannies.remove_plugin, (name,), {})
                payload = request_bytes(nannies.tear_down_on_nanny, (request,), {})
            kind = "nanny" if nanny else "worker"
            answers = await self._request(
                "unregister_plugin", {"kind": kind, "name": name, "data": payload}
            )
            if answers is False or answers is None:
                raise ValueError(
                    f"The nanny plugin {name} does not exist"
                    if nanny
                    else f"The worker plugin {name} does not exist"
                )
            results = {}
            for address, (status, data) in answers.items():
                outcome, value = answer_of(_unwrapped(data)) if status == "ok" else ("ok", None)
                if nanny and outcome == "ok" and value is not None and value[0] is not None:
                    outcome, value = answer_of(value[0])
                if outcome == "error":
                    raise value
                results[address] = {"status": "OK"}
            return results

        return self._run(unregistered())

    def unregister_scheduler_plugin(self, name: str) -> Any:
        """Take a plugin away from the scheduler.

        Raises
        ------
        ValueError
            If there is none of this name.
        """

        async def unregistered() -> None:
            from samite.distributed.scheduler import local_scheduler

            scheduler = local_scheduler(self.scheduler_address)
            if scheduler is None:
                await self._run_on_scheduler(_unregister, (name,), {})
                return
            if name not in scheduler.plugins:
                raise ValueError(
                    f"Could not find plugin {name!r} among the current scheduler plugins"
                )
            await in_thread(lambda: scheduler.unregister_plugin(name))

        return self._run(unregistered())

    def register_worker_callbacks(self, setup: Callable[..., Any] | None = None) -> Any:
        """Call a function on all workers, also those that come later."""
        from samite.distributed.diagnostics.plugin import SetupCallback

        return self.register_plugin(SetupCallback(setup))

    # ---- events ---------------------------------------------------------------------------------

    def log_event(self, topic: Any, msg: Any) -> Any:
        """Record an event under a topic or several; subscribers hear of it.

        Parameters
        ----------
        msg:
            Anything that can be pickled.
        """
        topics = [topic] if isinstance(topic, str) else list(topic)

        async def logged() -> None:
            from samite.distributed._calls import dump_bytes

            message = dump_bytes(msg)
            for one in topics:
                await self._request("log_event", {"topic": one, "message": message})

        return self._run(logged())

    def get_events(self, topic: str | None = None) -> Any:
        """The events of a topic as ``(time, message)``; of all topics, a dict of those."""

        async def got() -> Any:
            found = await self._request("get_events", {} if topic is None else {"topic": topic})
            return events_of(found, topic)

        return self._run(got())

    def subscribe_topic(self, topic: str, handler: Callable[[Any], Any]) -> Any:
        """Call a function with ``(time, message)`` of each event of a topic.

        One handler a topic; another one replaces it. It may be ``async`` on an asynchronous client.
        """

        async def subscribed() -> None:
            known = topic in self._topics
            self._topics[topic] = _handler(self, handler)
            if not known:
                engine = self._connected()
                await in_thread(
                    lambda: engine.subscribe(topic, lambda event: self._event_came(topic, event))
                )

        return self._run(subscribed())

    def _hear_tasks(self) -> None:
        """Show what tasks print and warn of."""
        engine = self._connected()
        for topic, show in (("print", _printed), ("warn", _warned)):
            engine.subscribe(topic, lambda entry, show=show: show(_event(entry)[1]))

    def _event_came(self, topic: str, entry: Any) -> None:
        handler = self._topics.get(topic)
        if handler is not None:
            handler(_event(entry))

    def unsubscribe_topic(self, topic: str) -> Any:
        """Hear no more of a topic.

        Raises
        ------
        ValueError
            If it was not subscribed to.
        """

        if self._topics.pop(topic, None) is None:
            raise ValueError(f"No event handler known for topic {topic}.")

        async def unsubscribed() -> None:
            engine = self._connected()
            await in_thread(lambda: engine.unsubscribe(topic))

        return self._run(unsubscribed())

    def forward_logging(self, logger_name: str | None = None, level: int = logging.NOTSET) -> Any:
        """Let what tasks log be logged here too."""
        from samite.distributed.diagnostics.plugin import ForwardLogging, log_topic

        name = logger_name or "root"

        def handle(event: Any) -> None:
            record = logging.makeLogRecord(event[1])
            target = logging.getLogger(record.name)
            if target.isEnabledFor(record.levelno):
                target.handle(record)

        async def forwarded() -> None:
            await _awaited(self.subscribe_topic(log_topic(name), handle))
            plugin = ForwardLogging(logger_name, level)
            await self._plugin_set_up(plugin, f"forward-logging-{name}", "worker")

        return self._run(forwarded())

    def unforward_logging(self, logger_name: str | None = None) -> Any:
        """Undo :meth:`forward_logging`."""
        from samite.distributed.diagnostics.plugin import log_topic

        name = logger_name or "root"

        async def unforwarded() -> None:
            await _awaited(self.unregister_worker_plugin(f"forward-logging-{name}"))
            await _awaited(self.unsubscribe_topic(log_topic(name)))

        return self._run(unforwarded())


def _register(plugin: Any, name: str, dask_scheduler: Any) -> None:
    """Add a plugin to the scheduler of this process."""
    dask_scheduler.register_plugin(plugin, name)


def _unregister(name: str, dask_scheduler: Any) -> None:
    """Take a plugin away from the scheduler of this process."""
    dask_scheduler.unregister_plugin(name)


def _printed(said: Any) -> None:
    """Print what a task printed, unless it is in this process and has done so."""
    import os
    import sys

    try:
        said = dict(said)
        if said.pop("pid", None) == os.getpid():
            return
        args = said.pop("args")
        if not isinstance(args, tuple):
            raise TypeError(f"print: args is a tuple, not {type(args).__name__}")
        file = sys.stderr if said.pop("file", 1) in (2, "stderr") else sys.stdout
        print(*args, file=file, **said)
    except Exception:
        logger.exception("An event of the topic 'print' is none that can be printed: %r", said)


def _warned(said: Any) -> None:
    """Warn of what a task warned of, unless it is in this process and has done so."""
    import os
    import warnings

    try:
        said = dict(said)
        if said.pop("pid", None) == os.getpid():
            return
        warnings.warn(said["message"], said.get("category", UserWarning), stacklevel=1)
    except Exception:
        logger.exception("An event of the topic 'warn' is none to warn of: %r", said)


def events_of(found: Any, topic: str | None) -> Any:
    """The events of a topic, or of all topics by name, as the scheduler keeps them."""
    if topic is not None:
        return tuple(_event(entry) for entry in found or ())
    return {
        name: tuple(_event(entry) for entry in entries) for name, entries in (found or {}).items()
    }


def _event(entry: Any) -> tuple[float, Any]:
    from samite.distributed._calls import load_bytes

    time, message = entry
    # The scheduler's own are plain; those of users are pickled.
    return time, load_bytes(message) if isinstance(message, bytes) else message


def _handler(client: Any, handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The handler on the thread, or in the loop, where the client calls back."""
    import inspect

    if not inspect.iscoroutinefunction(handler):
        return lambda event: client._callbacks.put(lambda: handler(event))
    import asyncio

    loop = asyncio.get_running_loop()
    return lambda event: asyncio.run_coroutine_threadsafe(handler(event), loop)


async def _awaited(value: Any) -> Any:
    return await value if hasattr(value, "__await__") else value
