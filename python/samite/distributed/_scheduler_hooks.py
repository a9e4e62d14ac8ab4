"""What a scheduler's plugins hear of: workers that come and go, and tasks that ran."""

from __future__ import annotations

import contextlib
import inspect
import logging
import queue
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samite.distributed.scheduler import Scheduler

logger = logging.getLogger("samite.distributed.scheduler")

# How often it is asked which tasks ran, in seconds.
_INTERVAL = 0.05
# Methods of Dask's plugins that nobody calls: the scheduler is no Python program.
_NOT_CALLED = ("add_client", "remove_client", "update_graph", "log_event")
_HEARD = {"add-worker": "add_worker", "remove-worker": "remove_worker", "restart": "restart"}


def overrides(plugin: Any, method: str) -> bool:
    """Whether a plugin's class, and not only its base, has a method."""
    from samite.distributed.diagnostics.plugin import SchedulerPlugin

    found = getattr(type(plugin), method, None)
    return found is not None and found is not getattr(SchedulerPlugin, method, None)


def warn_of_unheard(plugin: Any, methods: tuple[str, ...] = _NOT_CALLED) -> None:
    """Warn of methods that a plugin has and nobody calls."""
    unheard = [name for name in methods if overrides(plugin, name)]
    if unheard:
        warnings.warn(
            f"the plugin {type(plugin).__name__} has methods that are never called, since the "
            f"scheduler is no Python program: {', '.join(unheard)}",
            UserWarning,
            stacklevel=4,
        )


class Hooks:
    """Calls the plugins of a scheduler in this process, on a thread of its own.

    Parameters
    ----------
    asker:
        Makes the engine's client that hears of what happens.
    """

    def __init__(self, scheduler: Scheduler, asker: Callable[[], Any]) -> None:
        self._scheduler = scheduler
        self._asker = asker
        self._lock = threading.Lock()
        self._subscribed = False
        self._thread: threading.Thread | None = None
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # The number of the run that is told of next, where anybody wants to hear of runs.
        self._next: int | None = None

    def follow(self, plugin: Any) -> None:
        """Begin to hear of what this plugin wants to know."""
        wants_workers = any(overrides(plugin, method) for method in _HEARD.values())
        wants_runs = overrides(plugin, "transition")
        with self._lock:
            if wants_workers and not self._subscribed:
                self._subscribed = True
                # Called on a thread of the engine's, on which nothing may be asked.
                self._asker().subscribe("all", self._events.put)
            if wants_runs and self._next is None:
                self._next = self._asker().request("runs", {}, 30.0)["next"]
            if self._thread is None and (wants_workers or wants_runs):
                self._thread = threading.Thread(
                    target=self._watch, name="samite-plugins", daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        """Tell of what happened last, and then of no more."""
        if self._thread is not None:
            self._events.put(None)
            self._thread.join(5.0)

    def _watch(self) -> None:
        while True:
            entry: Any = False
            with contextlib.suppress(queue.Empty):
                entry = self._events.get(timeout=_INTERVAL)
            if entry:
                self._tell_of_event(entry[1])
            told = self._next is None or self._tell_of_runs()
            if entry is None or not told:
                return

    def _tell_of_event(self, message: Any) -> None:
        if not isinstance(message, dict) or message.get("action") not in _HEARD:
            return
        method = _HEARD[message["action"]]
        if method == "restart":
            arguments: tuple[Any, ...] = (self._scheduler,)
        else:
            arguments = (self._scheduler, message["worker"])
        keywords = {"stimulus_id": message["action"]} if method == "remove_worker" else {}
        for plugin in list(self._scheduler.plugins.values()):
            if overrides(plugin, method):
                self._call(plugin, method, *arguments, **keywords)

    def _tell_of_runs(self) -> bool:
        """Tell plugins of the tasks that ran meanwhile; whether there is a scheduler to ask."""
        plugins = [
            plugin
            for plugin in list(self._scheduler.plugins.values())
            if overrides(plugin, "transition")
        ]
        try:
            found = self._asker().request("runs", {"since": self._next}, 30.0)
        except (OSError, RuntimeError, TimeoutError):
            return False
        missed = found["next"] - (self._next or 0) - len(found["runs"])
        if missed > 0:
            logger.warning("Plugins were not told of %s tasks: too many ran at once", missed)
        self._next = found["next"]
        for key, worker, succeeded, start, stop in found["runs"]:
            spans = [{"action": "compute", "start": start, "stop": stop}]
            end = "memory" if succeeded else "erred"
            for plugin in plugins:
                told = {"worker": worker, "stimulus_id": "task-finished"}
                self._call(plugin, "transition", key, "waiting", "processing", **told)
                told["startstops"] = spans
                self._call(plugin, "transition", key, "processing", end, **told)
        return True

    def _call(self, plugin: Any, method: str, *arguments: Any, **keywords: Any) -> None:
        try:
            result = getattr(plugin, method)(*arguments, **keywords)
            if inspect.isawaitable(result):
                _finish(result)
        except Exception:
            logger.exception("The plugin %r failed in %s", plugin, method)


def _finish(awaitable: Any) -> Any:
    import asyncio

    async def finished() -> Any:
        return await awaitable

    return asyncio.run(finished())
