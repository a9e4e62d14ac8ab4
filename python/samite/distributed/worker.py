"""The worker as a Python object: the engine's, which runs tasks in this process."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import uuid
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from samite import _engine, config
from samite.distributed import profile
from samite.distributed._calls import finished
from samite.distributed._current import close_task_clients, get_client, get_worker, rejoin, secede
from samite.distributed._lifetime import Alarm, lifetime_of
from samite.distributed._servers import Server, in_executor, listen_address, listening
from samite.distributed._settings import connections
from samite.distributed._worker_memory import memory_settings
from samite.distributed._worker_views import WorkerAttributes, remove_folders
from samite.distributed.exceptions import Reschedule
from samite.distributed.security import Security, as_security, known_security, security_of

if TYPE_CHECKING:
    from samite.distributed._worker_data import WorkerData

logger = logging.getLogger("samite.distributed.worker")

__all__ = [
    "Reschedule",
    "Worker",
    "get_client",
    "get_worker",
    "print",
    "rejoin",
    "secede",
    "warn",
]

# The workers of this process, by address.
_workers: weakref.WeakValueDictionary[str, Worker] = weakref.WeakValueDictionary()
_made_for_engine: dict[str, Worker] = {}
# Those whose address is not known yet, by the scheduler's address and their name.
_starting: dict[tuple[str, str], Worker] = {}
_making = threading.Lock()


class Worker(WorkerAttributes, Server):
    """A worker in this process.

    Use it with ``async with`` or ``await``; a :class:`LocalCluster` makes some by itself.

    Parameters
    ----------
    scheduler_ip:
        The scheduler's address.
    nthreads:
        How many tasks run at a time; by default as many as there are processors.
    name:
        How the cluster calls it.
    memory_limit:
        Bytes, or text such as ``"4 GB"``, or a share below 1 of the machine's memory. What is
        over goes to disk. ``"auto"`` divides the machine's memory by threads; ``None`` or 0 is no
        limit.
    resources:
        Amounts of things that tasks may ask for.
    local_directory:
        Where results go that do not fit in memory.
    security:
        As the scheduler's; found by the address where the scheduler is in this process.
    lifetime, lifetime_stagger:
        The time after which it gives its results to others and ends, and how much longer or shorter
        that may be by chance.
    lifetime_restart:
        Whether its nanny then starts it again.
    """

    def __init__(
        self,
        scheduler_ip: Any = None,
        scheduler_port: int | None = None,
        *,
        scheduler_file: Any = None,
        nthreads: int | None = None,
        local_directory: str | None = None,
        name: Any = None,
        resources: dict[str, float] | None = None,
        death_timeout: Any = None,
        preload: Any = None,
        preload_argv: Any = None,
        security: Any = None,
        contact_address: str | None = None,
        interface: str | None = None,
        host: str | None = None,
        port: Any = None,
        protocol: str | None = None,
        plugins: Any = (),
        memory_limit: Any = "auto",
        nanny: Any = None,
        dashboard_address: Any = None,
        dashboard: bool = False,
        lifetime: Any = None,
        lifetime_stagger: Any = None,
        lifetime_restart: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        from samite.distributed._addresses import normalize_address, read_scheduler_file
        from samite.system import CPU_COUNT

        unknown = sorted(set(kwargs) - WITHOUT_EFFECT)
        if unknown:
            raise TypeError(f"Worker got an unexpected keyword argument {unknown[0]!r}")

        from samite.distributed import preloading

        preload = preload or config.get("distributed.worker.preload", None)
        if not preload_argv:
            preload_argv = config.get("distributed.worker.preload-argv", None)
        # Their code may say where the scheduler is.
        self.preloads = preloading.load(self, preload, preload_argv)
        scheduler_ip = getattr(scheduler_ip, "address", scheduler_ip)
        if scheduler_ip is None and scheduler_file is None:
            scheduler_ip = config.get("scheduler-address", None)
        if scheduler_file is not None:
            scheduler_ip, from_file = read_scheduler_file(str(scheduler_file), 30.0)
            security = from_file if security is None else security
        elif scheduler_ip is None:
            raise ValueError(
                "a worker needs the scheduler's address, or a scheduler file: give scheduler_ip="
                " or scheduler_file="
            )
        elif scheduler_port is not None:
            scheduler_ip = f"{scheduler_ip}:{scheduler_port}"
        self.scheduler_address = normalize_address(scheduler_ip)
        self.security: Security | None = as_security(security) or known_security(
            self.scheduler_address
        )
        self._given_security = False if security is False else self.security
        self.nthreads = nthreads or CPU_COUNT
        if not isinstance(self.nthreads, int) or self.nthreads < 1:
            raise ValueError(f"nthreads is a positive number, not {nthreads!r}")
        self.name = name
        self.memory_limit = parse_memory_limit(memory_limit, self.nthreads)
        self._folder: str | None = local_directory or config.get("temporary-directory", None)
        self._pool = None
        if resources is None:
            resources = config.get("distributed.worker.resources", None) or {}
        self.resources = {str(one): float(amount) for one, amount in resources.items()}
        self.plugins: dict[str, Any] = {}
        self.nanny = nanny
        self._given_plugins = plugins
        self.death_timeout = death_timeout
        own = protocol or self.scheduler_address.partition("://")[0]
        self._listen = listen_address(own, host, port or 0, interface, self.security)
        self._engine: Any = None
        self._asker: Any = None
        self._asking = threading.Lock()
        self.address = self._listen
        self.id = ""
        self.scheduler = _SchedulerOfWorker(self)
        self.restarting = False
        self.lifetime = lifetime_of(lifetime, lifetime_stagger)
        if lifetime_restart is None:
            lifetime_restart = config.get("distributed.worker.lifetime.restart", False)
        self._lifetime_restart = bool(lifetime_restart)
        self._alarm: Alarm | None = None

    # Whether nothing but this worker is in its process, so that all memory there is its own.
    _owns_process = False

    async def _start(self) -> None:
        security = security_of(self._given_security, self.scheduler_address, "worker")
        if self.name is None:
            self.name = f"Worker-{uuid.uuid4().hex[:12]}"
        about: dict[str, Any] = {"pid": os.getpid(), "host": socket.gethostname()}
        if self._folder:
            self._folder = os.path.abspath(self._folder)
            os.makedirs(self._folder, exist_ok=True)
            about["local_directory"] = self._folder
        memory = memory_settings(self._owns_process)
        # The scheduler may ask for plugins before this process knows the worker's address.
        starting = self.scheduler_address, str(self.name)
        _starting[starting] = self
        try:
            self._engine = await in_executor(
                lambda: listening(
                    self._listen,
                    lambda listen: _engine.ClusterWorker(
                        self.scheduler_address,
                        name=str(self.name),
                        nthreads=self.nthreads,
                        memory_limit=self.memory_limit,
                        resources=self.resources,
                        local_directory=self._folder,
                        listen=listen,
                        security=security,
                        options={
                            "about": about,
                            "patience": _seconds_of(self.death_timeout) or 300.0,
                            "memory": memory,
                            "connections": connections(),
                            "await_plugins": not is_watched(),
                        },
                        timeout=_seconds_of(self.death_timeout) or 30.0,
                    ),
                )
            )
        finally:
            if _starting.get(starting) is self:
                del _starting[starting]
        self.address = self._engine.address
        self.id = self._engine.id
        _workers[self.address] = self
        profile.begin()
        if self.preloads:
            from samite.distributed import preloading

            await in_executor(lambda: preloading.start(self.preloads))
        for plugin in self._given_plugins:
            from samite.distributed.diagnostics.plugin import name_of

            await in_executor(lambda plugin=plugin: self._add_plugin(plugin, name_of(plugin)))

        if self.lifetime is not None:
            self._alarm = Alarm(self, self.lifetime, self._lifetime_restart)

    async def _close(self, timeout: Any = 5.0, *args: Any, **kwargs: Any) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        await in_executor(self._tear_down)
        with self._asking:
            asker, self._asker = self._asker, None
        if asker is not None:
            await in_executor(lambda: asker.close(1.0))
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._folder is not None:
            remove_folders(self._folder)
        # Nothing of the engine's is kept: what it holds would hold up the interpreter's end.
        engine, self._engine = self._engine, None
        await in_executor(lambda: engine.close(5.0))
        _workers.pop(self.address, None)

    def _tear_down(self) -> None:
        for name in list(self.plugins):
            with contextlib.suppress(Exception):  # it is logged
                self._remove_plugin(name)
        if self.preloads:
            from samite.distributed import preloading

            preloading.tear_down(self.preloads)
        if not any(
            other is not self and other.scheduler_address == self.scheduler_address
            for other in list(_workers.values())
        ):
            close_task_clients(self.scheduler_address)

    def _add_plugin(self, plugin: Any, name: str) -> None:
        if name in self.plugins:
            if getattr(plugin, "idempotent", False):
                return
            self._remove_plugin(name)
        self.plugins[name] = plugin
        setup = getattr(plugin, "setup", None)
        if setup is not None:
            try:
                finished(setup(self))
            except BaseException:
                self.plugins.pop(name, None)
                logger.exception("Worker plugin %s failed to setup", name)
                raise

    def _remove_plugin(self, name: str) -> None:
        plugin = self.plugins.pop(name, None)
        teardown = getattr(plugin, "teardown", None)
        if teardown is not None:
            try:
                finished(teardown(self))
            except Exception:
                logger.exception("Worker plugin %s failed to teardown", name)
                raise

    @property
    def data(self) -> WorkerData:
        """The results that it holds, by key."""
        from samite.distributed._worker_data import WorkerData

        return WorkerData(self.address, self._ask)

    def _ask(self) -> Any:
        """The engine's client with which this object asks the scheduler."""
        if self._engine is None:
            raise RuntimeError(f"the worker {self.address} is not running")
        with self._asking:
            if self._asker is None:
                given = self._given_security
                security = security_of(given, self.scheduler_address, "client")
                self._asker = _engine.ClusterClient(
                    self.scheduler_address, name="worker-object", security=security, timeout=30.0
                )
            return self._asker

    @property
    def client(self) -> Any:
        """A client of this worker's cluster."""
        return get_client(self.scheduler_address)

    def log_event(self, topic: Any, msg: Any) -> None:
        """Record an event; see :meth:`Client.log_event`."""
        self.client.log_event(topic, msg)

    def get_current_task(self) -> str:
        """The key of the task that runs on this thread.

        Raises
        ------
        ValueError
            If none does.
        """
        task = _engine.current_task()
        if task is None:
            raise ValueError("no task of a cluster runs on this thread")
        return str(task[1])

    def __repr__(self) -> str:
        return (
            f"<Worker {self.address!r}, name: {self.name}, status: {self.status.name}, "
            f"threads: {self.nthreads}>"
        )


class _SchedulerOfWorker:
    """What user code reads of ``worker.scheduler``."""

    def __init__(self, worker: Worker) -> None:
        self._worker = weakref.ref(worker)

    @property
    def address(self) -> str:
        """The scheduler's address."""
        worker = self._worker()
        return "" if worker is None else worker.scheduler_address


def worker_of(engine_worker: Any) -> Worker:
    """The object of the engine's worker that runs a task."""
    address = engine_worker.address
    worker = _workers.get(address)
    if worker is not None:
        return worker
    with _making:
        starting = _starting.get((engine_worker.scheduler, engine_worker.name))
        if starting is not None:
            if starting._engine is None:
                starting._engine = engine_worker
            starting.address, starting.id = address, engine_worker.id
            _workers[address] = starting
            return starting
        worker = _workers.get(address) or _made_for_engine.get(address)
        if worker is None:
            worker = _made_for_engine[address] = _object_for(engine_worker)
        return worker


def _object_for(engine_worker: Any) -> Worker:
    """An object for a worker that asks before whoever started it knows its id."""
    worker = Worker.__new__(Worker)
    Server.__init__(worker)
    worker._engine = engine_worker
    worker._asker, worker._asking = None, threading.Lock()
    worker.id, worker.address = engine_worker.id, engine_worker.address
    worker.scheduler_address = engine_worker.scheduler
    worker.security = worker._given_security = known_security(worker.scheduler_address)
    worker.name = getattr(engine_worker, "name", worker.address)
    worker.nthreads = getattr(engine_worker, "nthreads", 1)
    worker.memory_limit = getattr(engine_worker, "memory_limit", None)
    worker._folder, worker._pool = getattr(engine_worker, "local_directory", None), None
    worker.resources, worker.plugins, worker.nanny = {}, {}, None
    worker.preloads = []
    worker.restarting = False
    worker.lifetime, worker._lifetime_restart, worker._alarm = None, False, None
    worker.scheduler = _SchedulerOfWorker(worker)
    return worker


def _seconds_of(timeout: Any) -> float | None:
    from samite.distributed._named import seconds_of

    return seconds_of(timeout)


def parse_memory_limit(memory_limit: Any, nthreads: int, cores: int | None = None) -> int | None:
    """Bytes, from what users give for a memory limit; None is no limit.

    ``"auto"`` is a share of the machine's memory: that of the threads among all ``cores``, by
    default the machine's processors.

    Raises
    ------
    ValueError
        For negative numbers, and text that is no number of bytes.
    """
    if memory_limit is None or memory_limit == 0:
        return None
    from samite.system import CPU_COUNT, total_memory
    from samite.utils import parse_bytes

    if memory_limit == "auto":
        return int(total_memory() * min(1.0, nthreads / (cores or CPU_COUNT)))
    if isinstance(memory_limit, str):
        try:
            memory_limit = float(memory_limit)
        except ValueError:
            try:
                return parse_bytes(memory_limit)
            except ValueError as error:
                raise ValueError(
                    f"memory_limit={memory_limit!r} is no number of bytes: {error}"
                ) from None
        if memory_limit == 0:
            return None
    if memory_limit < 0:
        raise ValueError(f"memory_limit is a number of bytes, not {memory_limit!r}")
    if isinstance(memory_limit, float) and memory_limit <= 1.0:
        return int(memory_limit * total_memory())
    return int(memory_limit)


# Arguments of Dask's workers and nannies that mean nothing to these.
WITHOUT_EFFECT = frozenset(
    "WorkerStateClass blocked_handlers config connection_args connection_limit data deserialize "
    "deserializers executor extensions heartbeat_interval http_prefix "
    "listen_address loop low_level_profiler metrics ncores "
    "profile_cycle_interval quiet reconnect scheduler_sni serializers services "
    "service_kwargs service_ports silence_logs startup_information timeout transition_counter_max "
    "validate worker_kwargs".split()
)

# How a worker's process tells its nanny that it wants to be started again.
RESTART_CODE = 77

# Whether this process is a nanny's, which starts it again.
_watched = False


def watch_this_process() -> None:
    """Note that a nanny starts this process again."""
    global _watched
    _watched = True


def is_watched() -> bool:
    """Whether a nanny starts this process again."""
    return _watched


def restart_this_worker() -> bool:
    """End this process soon, for its nanny to start it again; whether there is a nanny."""
    if not _watched:
        return False
    restart(get_worker())
    return True


def restart(worker: Worker) -> None:
    """End the process of a worker soon, for its nanny to start it again."""
    from samite.distributed.diagnostics.plugin import remove_uploads

    worker.restarting = True

    def end() -> None:
        import time

        time.sleep(0.05)  # the answer has to get out
        try:
            worker._tear_down()
            worker._engine.close(2.0)
            remove_uploads()
            remove_folders()
        finally:
            os._exit(RESTART_CODE)

    threading.Thread(target=end, name="samite-restart", daemon=True).start()


# ---- what clients ask workers for ---------------------------------------------------------------


_FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"


class _RecentLogs(logging.Handler):
    """Keeps the last lines that were logged."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.lines: deque[tuple[str, str]] = deque(maxlen=length)
        self.setFormatter(logging.Formatter(config.get("distributed.admin.log-format", _FORMAT)))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append((record.levelname, self.format(record)))


_recent: _RecentLogs | None = None


def keep_logs() -> None:
    """Begin to keep what the package logs."""
    global _recent
    if _recent is None:
        _recent = _RecentLogs(int(config.get("distributed.admin.log-length", 10_000) or 10_000))
        logging.getLogger("samite.distributed").addHandler(_recent)
        logging.getLogger("distributed").addHandler(_recent)


def recent_logs(n: int | None = None) -> tuple[tuple[str, str], ...]:
    """The last lines, newest first."""
    lines = list(_recent.lines) if _recent is not None else []
    lines.reverse()
    return tuple(lines if n is None else lines[:n])


def stacks_of_tasks(keys: list[str] | None = None) -> dict[str, tuple[str, ...]]:
    """The tracebacks of the tasks that this worker runs, by key."""
    import sys
    import traceback

    found: dict[str, tuple[str, ...]] = {}
    worker = _engine.current_worker()
    frames = sys._current_frames()
    for thread, address, key in _engine.running_tasks():
        here = worker is not None and worker.address == address and thread in frames
        if here and (keys is None or key in keys):
            found[key] = tuple(traceback.format_stack(frames[thread]))
    return found


def print(
    *args: Any, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False
) -> None:
    """Print here and, inside of a task, at the clients that hear of the topic ``"print"``.

    Raises
    ------
    TypeError
        Inside of a task, for another ``file`` than standard output and standard error.
    """
    import builtins
    import sys

    if _engine.current_task() is not None and file not in (None, sys.stdout, sys.stderr):
        raise TypeError(
            "print: a task prints to None, sys.stdout or sys.stderr, which clients have too; "
            f"file= is {file!r}"
        )
    builtins.print(*args, sep=sep, end=end, file=file, flush=flush)
    if _engine.current_task() is None:
        return
    to = 2 if file is sys.stderr else 1
    said = {"args": tuple(map(str, args)), "sep": sep, "end": end, "file": to, "flush": flush}
    get_worker().log_event("print", {**said, "pid": os.getpid()})


def warn(message: Any, category: type[Warning] | None = UserWarning, **_: Any) -> None:
    """Warn here and, inside of a task, at the clients that hear of the topic ``"warn"``."""
    import warnings

    warnings.warn(message, category, stacklevel=2)
    if _engine.current_task() is not None:
        said = {"message": message, "category": category, "pid": os.getpid()}
        get_worker().log_event("warn", said)
