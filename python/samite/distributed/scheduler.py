"""The scheduler as a Python object: the engine's, which runs in this process on its own threads."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

from samite import _engine, config
from samite.distributed import _settings
from samite.distributed._current import close_task_clients
from samite.distributed._scheduler_hooks import Hooks
from samite.distributed._servers import Server, in_executor, listen_address, listening
from samite.distributed.exceptions import KilledWorker, NoValidWorkerError
from samite.distributed.security import (
    Security,
    as_security,
    forget,
    remember,
    security_of,
)

if TYPE_CHECKING:
    from samite.distributed._memory_views import MemoryState
    from samite.distributed._scheduler_views import TaskView, WorkerView

__all__ = ["KilledWorker", "NoValidWorkerError", "Scheduler", "local_scheduler"]

logger = logging.getLogger("samite.distributed.scheduler")

_local: weakref.WeakValueDictionary[str, Scheduler] = weakref.WeakValueDictionary()


def local_scheduler(address: str) -> Scheduler | None:
    """The scheduler of this process that listens at an address."""
    return _local.get(address)


class Scheduler(Server):
    """A scheduler in this process.

    Use it with ``async with`` or ``await``; a :class:`LocalCluster` makes one by itself.

    Parameters
    ----------
    host, port, protocol, interface:
        Where to listen; by default on a free port of this machine alone.
    security:
        Who may connect. By default those who know a token that is made now; clients and workers of
        this process find it by the address. ``False`` opens the cluster to everybody.
    allowed_failures:
        How many workers a task may take with it before it is given up.
    idle_timeout:
        Seconds without work after which the cluster ends.
    dashboard_address:
        Where to show what happens, such as ``":8787"``; without one, nothing is shown.
    scheduler_file:
        A file to write for those who shall find this scheduler.
    journal:
        A folder where to write down what it takes to go on after this process was killed: a
        scheduler that is started again with it, at the same address, is this one for workers and
        clients. Without one, nothing is written.
    """

    default_port = 8786

    def __init__(
        self,
        *,
        host: str | None = None,
        port: Any = 0,
        protocol: str | None = None,
        interface: str | None = None,
        security: Any = None,
        allowed_failures: int | None = None,
        idle_timeout: Any = None,
        dashboard_address: Any = None,
        dashboard: bool | None = None,
        scheduler_file: Any = None,
        journal: Any = None,
        plugins: Any = (),
        preload: Any = None,
        preload_argv: Any = (),
        **kwargs: Any,
    ) -> None:
        super().__init__()
        from samite.distributed import preloading

        preload = preload or config.get("distributed.scheduler.preload", None)
        if not preload_argv:
            preload_argv = config.get("distributed.scheduler.preload-argv", None)
        self.preloads = preloading.load(self, preload, preload_argv)
        self.security = as_security(security)
        self._listen = listen_address(protocol, host, port, interface, self.security)
        if self.security is None and security is None and not self._listen.startswith("inproc:"):
            self.security = Security._with_token()
        if allowed_failures is None:
            allowed_failures = config.get("distributed.scheduler.allowed-failures", 3)
        if idle_timeout is None:
            idle_timeout = config.get("distributed.scheduler.idle-timeout", None)
        self.allowed_failures = allowed_failures
        self.idle_timeout = _seconds(idle_timeout)
        self.scheduler_file = scheduler_file
        self.journal = None if journal is None else os.path.abspath(os.fspath(journal))
        self.plugins: dict[str, Any] = {}
        self._given_plugins = list(plugins)
        self._dashboard_address = dashboard_address
        self._dashboard = dashboard is not False
        self._engine: Any = None
        self._asker: Any = None
        self._asking = threading.Lock()
        self._watcher: asyncio.Task[None] | None = None
        self._hooks = Hooks(self, self._engine_client)
        self._memory_manager: Any = None
        self._host: Any = None
        self.address = self._near_address = self._listen
        self.id = ""

    async def _start(self) -> None:
        from samite.distributed.active_memory_manager import (
            ActiveMemoryManagerExtension,
            ReduceReplicas,
            policies_of_settings,
        )

        options: dict[str, Any] = {"allowed_failures": int(self.allowed_failures)}
        saturation = config.get("distributed.scheduler.worker-saturation", None)
        if saturation is not None:
            options["saturation"] = float(saturation)
        options["stealing"] = bool(config.get("distributed.scheduler.work-stealing", True))
        options |= _settings.assumptions()
        options["patiences"] = _settings.patiences()
        options["connections"] = _settings.connections()
        policies = policies_of_settings()
        native = all(type(policy) is ReduceReplicas for policy in policies)
        options["memory"] = {**_settings.memory_manager(), "reduce": native and bool(policies)}
        if self.journal is not None:
            options["journal"] = self.journal
        security = None if self.security is None else self.security._of_role("scheduler")
        near: list[str] = []
        # Clients of this process need no socket. With a journal they connect again to the address
        # that the scheduler has after it was killed.
        if self.journal is None and not self._listen.startswith("inproc:"):
            near.append("inproc://")
        self._engine = await in_executor(
            lambda: listening(
                self._listen,
                lambda listen: _engine.ClusterScheduler(
                    [listen, *near], security=security, options=options
                ),
            )
        )
        self.address, self._near_address = self._engine.addresses[0], self._engine.addresses[-1]
        self.id = self._engine.id
        if self._dashboard:
            await in_executor(self._show_pages)
        _local[self.address] = self
        remember(self.address, self.security)
        if self.scheduler_file:
            write_scheduler_file(self.scheduler_file, self.address, self.security, self.id)
        if self.preloads:
            from samite.distributed import preloading

            await in_executor(lambda: preloading.start(self.preloads))
        for plugin in self._given_plugins:
            self.register_plugin(plugin)
        if not native:
            self._memory_manager = await in_executor(
                lambda: ActiveMemoryManagerExtension(self, policies)
            )
        if self.idle_timeout is not None:
            self._watcher = asyncio.get_running_loop().create_task(self._end_when_idle())

    def _show_pages(self) -> None:
        """Serve the live pages; at a free port where the one that was asked for is taken."""
        import warnings

        how = {
            "token": None if self.security is None else self.security.token,
            "namespace": config.get("distributed.dashboard.prometheus.namespace", None),
        }
        if self._dashboard_address is not None:
            address = str(self._dashboard_address)
            host, _, port = address.rpartition(":")
            try:
                self._engine.show_pages(f"{host}:{port}", **how)
            except OSError as error:
                if "in use" not in str(error) or port in ("", "0"):
                    raise
                found = self._engine.show_pages(f"{host}:0", **how)
                warnings.warn(
                    f"Port {port} is already in use. Perhaps you already have a cluster running? "
                    f"The pages are at {found} instead",
                    stacklevel=2,
                )
            return
        for address in ("127.0.0.1:8787", "127.0.0.1:0"):
            try:
                self._engine.show_pages(address, **how)
            except OSError:
                continue
            return

    async def _end_when_idle(self) -> None:
        """Look now and then whether there is work; end after so long without any."""
        import time

        idle_since, finished = time.monotonic(), None
        asker = await in_executor(lambda: self._make_asker("idle"))
        try:
            while True:
                await asyncio.sleep(min(1.0, self.idle_timeout / 4))
                state = await in_executor(lambda: asker.request("dump_state", {}, 10.0))
                busy = any(
                    task["state"] not in ("memory", "erred", "released", "forgotten")
                    for task in state["tasks"].values()
                )
                if busy or state.get("finished") != finished:
                    idle_since, finished = time.monotonic(), state.get("finished")
                elif time.monotonic() - idle_since >= self.idle_timeout:
                    logger.info("No work for %s seconds: the scheduler ends", self.idle_timeout)
                    self._watcher = None
                    break
        finally:
            await in_executor(lambda: asker.close(1.0))
        await self.close()

    async def _close(self, *args: Any, **kwargs: Any) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        for plugin in list(self.plugins.values()):
            with contextlib.suppress(Exception):
                await _called(plugin.before_close)
        await in_executor(self._hooks.stop)
        if self._host is not None:
            await in_executor(self._host.close)
        if self._memory_manager is not None:
            await in_executor(self._memory_manager._close)
        for plugin in list(self.plugins.values()):
            with contextlib.suppress(Exception):
                await _called(plugin.close)
        if self.preloads:
            from samite.distributed import preloading

            await in_executor(lambda: preloading.tear_down(self.preloads))
        await in_executor(lambda: close_task_clients(self.address))
        forget(self.address)
        with self._asking:
            asker, self._asker = self._asker, None
        if asker is not None:
            await in_executor(lambda: asker.close(1.0))
        if self.scheduler_file:
            with contextlib.suppress(OSError):
                os.unlink(self.scheduler_file)
        engine, self._engine = self._engine, None
        await in_executor(lambda: engine.close(5.0))

    async def serve_calls(self) -> None:
        """Carry out from here on what clients of other processes want to run on the scheduler, such
        as :meth:`Client.run_on_scheduler` and its plugins."""
        from samite.distributed._scheduler_host import Host

        if self._host is None:
            self._host = await in_executor(lambda: Host(self))

    # ---- what it knows --------------------------------------------------------------------------

    def _ask(self, name: str, arguments: dict[str, Any]) -> Any:
        return self._engine_client().request(name, arguments, 30.0)

    def _engine_client(self) -> Any:
        if self._engine is None:
            raise RuntimeError(f"the scheduler {self.address} is not running")
        with self._asking:
            if self._asker is None:
                self._asker = self._make_asker("scheduler-object")
            return self._asker

    def _make_asker(self, name: str) -> Any:
        """An engine's client of this scheduler, for the caller to close."""
        security = security_of(self.security, self.address, "client")
        made = _engine.ClusterClient(self.address, name=name, security=security, timeout=30.0)
        if self.journal is not None:
            # The next scheduler need not wait for it.
            made.request("ends_with_scheduler", {}, 30.0)
        return made

    @property
    def workers(self) -> dict[str, WorkerView]:
        """What the scheduler knows of its workers, by address; made when it is asked for."""
        from samite.distributed._scheduler_views import workers_of

        return workers_of(self._ask)

    @property
    def tasks(self) -> dict[str, TaskView]:
        """What it knows of tasks with keys, by key; made when it is asked for."""
        from samite.distributed._scheduler_views import tasks_of

        return tasks_of(self._ask)

    @property
    def memory(self) -> MemoryState:
        """The memory of all workers together, as they told last."""
        from samite.distributed._memory_views import MemoryState

        return MemoryState.sum(*(worker.memory for worker in self.workers.values()))

    @property
    def services(self) -> dict[str, int]:
        """The ports of what it serves beside the cluster."""
        return dict(self._ask("scheduler_info", {})["services"])

    @property
    def total_nthreads(self) -> int:
        """The threads of all workers."""
        return sum(worker.nthreads for worker in self.workers.values())

    @property
    def total_memory(self) -> int:
        """The memory limits of all workers, in bytes."""
        return sum(worker.memory_limit for worker in self.workers.values())

    def identity(self) -> dict[str, Any]:
        """Its address, and what is known about each worker."""
        return dict(self._ask("scheduler_info", {}))

    def log_event(self, topic: Any, msg: Any) -> None:
        """Record an event under a topic or several; see :meth:`Client.log_event`."""
        from samite.distributed._calls import dump_bytes

        for one in [topic] if isinstance(topic, str) else topic:
            self._ask("log_event", {"topic": one, "message": dump_bytes(msg)})

    def get_events(self, topic: str | None = None) -> Any:
        """The events of a topic as ``(time, message)``; of all topics, a dict of those."""
        from samite.distributed._client_extensions import events_of

        return events_of(self._ask("get_events", {} if topic is None else {"topic": topic}), topic)

    @property
    def host(self) -> str:
        """The host of its address."""
        place = self.address.partition("://")[2].partition("/")[0]
        return place.rpartition(":")[0] or place

    @property
    def port(self) -> int:
        """Where it listens, of addresses that have ports.

        Raises
        ------
        ValueError
            If its address has none: it does not run yet, or in this process alone.
        """
        _, _, port = self.address.rpartition(":")
        if not port.isdigit():
            raise ValueError(f"the scheduler's address {self.address} has no port")
        return int(port)

    # ---- plugins --------------------------------------------------------------------------------

    def register_plugin(self, plugin: Any, name: str | None = None) -> None:
        """Add a plugin; its ``start`` is called with this scheduler."""
        import inspect

        from samite.distributed import _scheduler_hooks
        from samite.distributed.diagnostics.plugin import name_of

        name = name or name_of(plugin)
        if name in self.plugins and getattr(plugin, "idempotent", False):
            return
        _scheduler_hooks.warn_of_unheard(plugin)
        started = plugin.start(self)
        if inspect.iscoroutine(started):
            asyncio.run(started)
        self.plugins[name] = plugin
        self._hooks.follow(plugin)

    add_plugin = register_plugin

    def unregister_plugin(self, name: str) -> None:
        """Remove a plugin.

        Raises
        ------
        ValueError
            If there is none of this name.
        """
        if name not in self.plugins:
            raise ValueError(f"Could not find plugin {name!r} among the current scheduler plugins")
        plugin = self.plugins.pop(name)
        plugin.close()

    remove_plugin = unregister_plugin

    def __repr__(self) -> str:
        return f"<Scheduler {self.address!r}, status: {self.status.name}>"


async def _called(function: Any) -> Any:
    import inspect

    result = function()
    return await result if inspect.isawaitable(result) else result


def _seconds(timeout: Any) -> float | None:
    if timeout is None:
        return None
    from samite.utils import parse_timedelta

    return float(parse_timedelta(timeout, "s"))


def write_scheduler_file(path: Any, address: str, security: Security | None, id: str = "") -> None:
    """Write the file by which clients and workers find a scheduler; only its owner can read it."""
    content: dict[str, Any] = {"type": "Scheduler", "id": id, "address": address, "workers": {}}
    if security is not None:
        content["security"] = security._to_file()
    path = os.fspath(path)
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    temporary = f"{path}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=2)
    # Whoever waits for the file never sees a part of it.
    os.replace(temporary, path)
