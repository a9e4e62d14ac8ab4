"""A worker in a process of its own, which is started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from samite import config
from samite.distributed._calls import finished
from samite.distributed._nanny_calls import messages, send
from samite.distributed._nanny_memory import keep_within
from samite.distributed._servers import Server, in_executor
from samite.distributed.core import Status
from samite.distributed.security import as_security, known_security
from samite.distributed.worker import WITHOUT_EFFECT, parse_memory_limit

__all__ = ["Nanny"]

logger = logging.getLogger("samite.distributed.nanny")

# A process that dies so soon after it was started is not started again at once.
_QUICK_DEATH = 1.0


class Nanny(Server):
    """Starts a worker in a process of its own, and again when it dies.

    A process that takes more memory than the setting ``distributed.worker.memory.terminate`` allows
    (a share of the worker's limit, 0.95; False for none) is killed, and replaced.

    Takes the arguments of :class:`Worker`, and these.

    Parameters
    ----------
    env:
        Environment variables for the worker's process.
    restart:
        Whether a worker that died is replaced.
    worker_class:
        A class of one's own in place of :class:`Worker`, or its name with its module's.
    preload_nanny, preload_nanny_argv:
        As ``preload`` of workers, for this process.
    """

    def __init__(
        self,
        scheduler_ip: Any = None,
        scheduler_port: int | None = None,
        scheduler_file: Any = None,
        worker_port: Any = 0,
        nthreads: int | None = None,
        local_directory: str | None = None,
        name: Any = None,
        memory_limit: Any = "auto",
        resources: dict[str, float] | None = None,
        death_timeout: Any = None,
        preload: Any = None,
        preload_argv: Any = None,
        security: Any = None,
        env: dict[str, str] | None = None,
        interface: str | None = None,
        host: str | None = None,
        port: Any = None,
        protocol: str | None = None,
        restart: bool = True,
        worker_class: Any = None,
        preload_nanny: Any = None,
        preload_nanny_argv: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        from samite.distributed import preloading
        from samite.distributed._addresses import normalize_address, read_scheduler_file
        from samite.system import CPU_COUNT

        # Reported when it starts, as what is wrong with workers is.
        self._wrong = _wrong_options(worker_class, kwargs)
        preload_nanny = preload_nanny or config.get("distributed.nanny.preload", None)
        if not preload_nanny_argv:
            preload_nanny_argv = config.get("distributed.nanny.preload-argv", None)
        # Their code may say where the scheduler is.
        self.preloads = preloading.load(self, preload_nanny, preload_nanny_argv)
        scheduler_ip = getattr(scheduler_ip, "address", scheduler_ip)
        if scheduler_ip is None and scheduler_file is None:
            scheduler_ip = config.get("scheduler-address", None)
        if scheduler_file is not None:
            scheduler_ip, from_file = read_scheduler_file(str(scheduler_file), 30.0)
            security = from_file if security is None else security
        elif scheduler_ip is None:
            raise ValueError("a nanny needs the scheduler's address, or a scheduler file")
        elif scheduler_port is not None:
            scheduler_ip = f"{scheduler_ip}:{scheduler_port}"
        self.scheduler_address = normalize_address(scheduler_ip)
        self.security = as_security(security) or known_security(self.scheduler_address)
        self._given_security = False if security is False else self.security
        self.name = name
        self.nthreads = nthreads or CPU_COUNT
        self.memory_limit = parse_memory_limit(memory_limit, self.nthreads)
        self.env = dict(env or {})
        self._restart = restart
        self._death_timeout = death_timeout
        self._options: dict[str, Any] = {
            "nthreads": self.nthreads,
            "local_directory": local_directory,
            "name": name,
            "memory_limit": self.memory_limit,
            "resources": resources,
            "preload": preload,
            "preload_argv": preload_argv,
            "interface": interface,
            "host": host,
            "port": worker_port or port,
            "protocol": protocol,
            "plugins": kwargs.pop("plugins", ()),
            "worker_class": worker_class,
        }
        # The worker refuses what it does not know.
        self._options.update(
            (name, value) for name, value in kwargs.items() if name not in WITHOUT_EFFECT
        )
        self.local_directory = local_directory or config.get("temporary-directory", None)
        self.plugins: dict[str, Any] = {}
        self._registrations: dict[str, str] = {}
        self._plugins_lock = threading.RLock()
        self.worker_address: str | None = None
        self._process: _Process | None = None
        self._guard = threading.Lock()
        self._ending = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def address(self) -> str | None:
        """The worker's address."""
        return self.worker_address

    @property
    def ip(self) -> str:
        """The host of the worker's address."""
        place = str(self.worker_address or "").partition("://")[2].partition("/")[0]
        return place.rpartition(":")[0] or place

    host = ip

    @property
    def worker_dir(self) -> str | None:
        """The folder that the worker was given for its files."""
        return self.local_directory

    def is_alive(self) -> bool:
        """Whether the worker's process runs."""
        process = self._process
        return process is not None and process.popen.poll() is None

    async def instantiate(self) -> Status:
        """Start the worker's process, where none runs."""
        if not self.is_alive():
            await in_executor(self._launch)
        return Status.running

    def log_event(self, topic: Any, msg: Any) -> None:
        """Record an event; see :meth:`Client.log_event`."""
        from samite import _engine
        from samite.distributed._calls import dump_bytes
        from samite.distributed.security import security_of

        security = security_of(self._given_security, self.scheduler_address, "client")
        asker = _engine.ClusterClient(
            self.scheduler_address, name="nanny-object", security=security, timeout=30.0
        )
        try:
            for one in [topic] if isinstance(topic, str) else topic:
                asker.request("log_event", {"topic": one, "message": dump_bytes(msg)}, 30.0)
        finally:
            asker.close(1.0)

    @property
    def pid(self) -> int | None:
        """The id of the worker's process."""
        process = self._process
        return None if process is None else process.popen.pid

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The worker's process."""
        process = self._process
        return None if process is None else process.popen

    async def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._wrong is not None:
            raise RuntimeError(f"Nanny failed to start: {self._wrong}") from self._wrong
        if self.preloads:
            from samite.distributed import preloading

            await in_executor(lambda: preloading.start(self.preloads))
        await in_executor(self._launch)

    def _launch(self) -> None:
        process = _Process(self._arguments(), self.env)
        timeout = _seconds(self._death_timeout) or 60.0
        try:
            address = process.wait_until_ready(timeout)
        except BaseException:
            process.kill()
            raise
        with self._guard:
            self._process, self.worker_address = process, address
        process.listen(self._carry_out)
        threading.Thread(
            target=self._watch, args=(process,), name="samite-nanny", daemon=True
        ).start()
        share = config.get("distributed.worker.memory.terminate", 0.95)
        if self.memory_limit and share:
            limit = int(self.memory_limit * float(share))
            arguments = (process.popen, limit, self.memory_limit)
            threading.Thread(
                target=keep_within, args=arguments, name="samite-nanny-memory", daemon=True
            ).start()

    def _arguments(self) -> dict[str, Any]:
        return {
            "scheduler": self.scheduler_address,
            "security": self._given_security,
            # Plugins are loaded once the modules of this process are found there.
            "options": _pickled(self._options),
            "path": sys.path,
            "config": {
                name: value
                for name, value in config.config.items()
                if name not in ("scheduler", "shuffle")
            },
            "folder": os.getcwd(),
        }

    def _watch(self, process: _Process) -> None:
        """Wait until the process ends; start another one where nobody wanted that."""
        import time

        code = process.popen.wait()
        process.release()
        lived = time.monotonic() - process.started
        with self._guard:
            if self._process is not process or self._ending:
                return
        if process.ended_in_order() or not self._restart:
            self._report_end()
            return
        logger.warning("Worker process %s died with %s; starting another", process.popen.pid, code)
        while not self._ending:
            if lived < _QUICK_DEATH:
                time.sleep(_QUICK_DEATH - lived)
            began = time.monotonic()
            try:
                self._launch()
                return
            except Exception:
                if self._ending:
                    return
                logger.exception("The worker could not be started again")
                lived = time.monotonic() - began
                if process.failures_in_a_row() > 5:
                    break
        self._report_end()

    def _report_end(self) -> None:
        """The worker left in order, so this has nothing to do any more."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return

        def ended() -> None:
            if self.status not in (Status.closing, Status.closed):
                self.status = Status.closed
                if self._ended is not None:
                    self._ended.set()

        loop.call_soon_threadsafe(ended)

    async def _close(self, timeout: Any = 5.0, *args: Any, **kwargs: Any) -> None:
        await in_executor(self._tear_down)
        await in_executor(lambda: self._end(_seconds(timeout) or 5.0))

    # ---- calls and plugins ----------------------------------------------------------------------

    def _carry_out(self, request: bytes) -> bytes:
        """A call that a client has sent here by way of the worker."""
        import inspect

        from samite.distributed._calls import carry_out, load_bytes

        def call() -> Any:
            function, args, kwargs = load_bytes(request)
            with contextlib.suppress(TypeError, ValueError):
                if "dask_worker" in inspect.signature(function).parameters:
                    kwargs = {"dask_worker": self, **kwargs}
            return finished(function(*args, **kwargs))

        return carry_out((call, (), {}))

    def add_plugin(self, plugin: Any, name: str, registration: str) -> bool:
        """Set up a plugin, once a registration; whether it wants the worker to be restarted."""
        with self._plugins_lock:
            if self._registrations.get(name) == registration:
                return False
            if getattr(plugin, "idempotent", False) and name in self.plugins:
                return False
            self.remove_plugin(name)
            setup = getattr(plugin, "setup", None)
            if setup is not None:
                try:
                    finished(setup(self))
                except Exception:
                    logger.exception("Nanny plugin %s failed to setup", name)
                    raise
            self.plugins[name], self._registrations[name] = plugin, registration
        return bool(getattr(plugin, "restart", False))

    def remove_plugin(self, name: str) -> None:
        """Tear down a plugin, where there is one of this name."""
        with self._plugins_lock:
            self._registrations.pop(name, None)
            plugin = self.plugins.pop(name, None)
        teardown = getattr(plugin, "teardown", None)
        if teardown is not None:
            try:
                finished(teardown(self))
            except Exception:
                logger.exception("Nanny plugin %s failed to teardown", name)
                raise

    def _tear_down(self) -> None:
        for name in list(self.plugins):
            with contextlib.suppress(Exception):  # it is logged
                self.remove_plugin(name)
        if self.preloads:
            from samite.distributed import preloading

            preloading.tear_down(self.preloads)

    def _end(self, timeout: float) -> None:
        with self._guard:
            self._ending = True
            process = self._process
        if process is not None:
            process.end(timeout)

    async def kill(self, timeout: Any = 5.0, reason: str = "nanny-kill") -> None:
        """End the worker's process and start no other one."""
        await in_executor(lambda: self._end(_seconds(timeout) or 5.0))

    async def restart(self, timeout: Any = 30.0, reason: str = "nanny-restart") -> str:
        """End the worker's process and start another one."""

        def again() -> None:
            with self._guard:
                process, self._process = self._process, None
            if process is not None:
                process.end(_seconds(timeout) or 30.0)
            self._launch()

        await in_executor(again)
        return "OK"

    def __repr__(self) -> str:
        return f"<Nanny: {self.worker_address}, threads: {self.nthreads}>"


def _wrong_options(worker_class: Any, options: dict[str, Any]) -> TypeError | None:
    """What is wrong with arguments that the workers of this package do not take."""
    import inspect

    from samite.distributed.worker import Worker

    if worker_class not in (None, Worker):
        return None
    known = {*inspect.signature(Worker.__init__).parameters, *WITHOUT_EFFECT}
    unknown = sorted(set(options) - known)
    if not unknown:
        return None
    return TypeError(f"Nanny got an unexpected keyword argument {unknown[0]!r}")


def _seconds(timeout: Any) -> float | None:
    if timeout is None:
        return None
    from samite.utils import parse_timedelta

    return float(parse_timedelta(timeout, "s"))


class _Process:
    """A worker's process, and the pipe that ties it to this one.

    What it needs to know, its secrets too, goes through the pipe and not through arguments or the
    environment, which others could read. The pipes stay open, for calls of clients that the worker
    hands on: a worker whose pipe is closed knows that its nanny is gone, and ends.
    """

    _failures = 0

    def __init__(self, arguments: dict[str, Any], env: dict[str, str]) -> None:
        import time

        data = _pickled(arguments)
        given_read, self.given = os.pipe()
        self.said, said_write = os.pipe()
        variables = {name: str(value) for name, value in _environment().items()}
        variables.update({name: str(value) for name, value in env.items()})
        try:
            self.popen = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "samite.distributed._worker_main",
                    str(given_read),
                    str(said_write),
                ],
                pass_fds=(given_read, said_write),
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                # Ctrl-C goes to the user's program, which then ends its workers in order.
                start_new_session=True,
            )
        except BaseException:
            os.close(self.given)
            os.close(self.said)
            raise
        finally:
            os.close(given_read)
            os.close(said_write)
        self.started = time.monotonic()
        self._open = True
        self._listening = False
        self._rest = b""
        self._order = False
        self._lock = threading.Lock()
        with contextlib.suppress(BrokenPipeError):
            os.set_blocking(self.given, True)
            _write(self.given, struct.pack("<Q", len(data)) + data)

    def wait_until_ready(self, timeout: float) -> str:
        """The worker's address.

        Raises
        ------
        TimeoutError
            If it takes too long.
        RuntimeError
            If the worker failed to start; says why.
        """
        import select
        import time

        deadline, text = time.monotonic() + timeout, b""
        while b"\n" not in text:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.said], [], [], max(0.0, left))
            if not ready:
                raise TimeoutError(
                    f"a worker process did not come up within {timeout:g} seconds (pid "
                    f"{self.popen.pid})"
                )
            read = os.read(self.said, 65536)
            if not read:
                code = self.popen.wait(5)
                raise RuntimeError(f"a worker process ended while it started, with code {code}")
            text += read
        text, _, self._rest = text.partition(b"\n")
        kind, _, rest = text.decode().partition(" ")
        if kind != "ready":
            text_there, chain = pickle.loads(bytes.fromhex(rest))
            for effect, cause in itertools.pairwise(chain):
                effect.__cause__ = cause
            raise RuntimeError(f"Nanny failed to start: {text_there}") from next(iter(chain), None)
        return rest

    def listen(self, carry_out: Callable[[bytes], bytes]) -> None:
        """Carry out, from now on, what clients ask of the nanny by way of the worker."""

        def handle(message: tuple[int, bytes]) -> None:
            # Each in a thread of its own: a call may take long, and must not hold up others.
            threading.Thread(
                target=answer, args=message, name="samite-nanny-call", daemon=True
            ).start()

        def answer(number: int, request: bytes) -> None:
            answered = carry_out(request)
            with self._lock, contextlib.suppress(BrokenPipeError):
                if self._open:
                    send(self.given, (number, answered))

        def hear() -> None:
            try:
                messages(self.said, self._rest, handle)
            finally:
                os.close(self.said)

        with self._lock:
            if not self._open:
                return
            self._listening = True
        threading.Thread(target=hear, name="samite-nanny-pipe", daemon=True).start()

    def ended_in_order(self) -> bool:
        """Whether it was told to end, by this process or by the scheduler."""
        return self._order or self.popen.returncode == 0

    def failures_in_a_row(self) -> int:
        """How often starting another one failed."""
        self._failures += 1
        return self._failures

    def end(self, timeout: float) -> None:
        """Let it end in order, and kill it where it does not."""
        self._order = True
        self.release()
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it now."""
        self._order = True
        self.release()
        with contextlib.suppress(ProcessLookupError):
            self.popen.kill()
        self.popen.wait()

    def release(self) -> None:
        """Close this end of the pipes; one that is listened to ends with the worker."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self.given)
                if not self._listening:
                    os.close(self.said)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _environment() -> dict[str, Any]:
    """Variables for workers' processes; those of libraries which start a thread a processor each,
    where tasks are parallel already, are set to one."""
    found = {
        "OMP_NUM_THREADS": 1,
        "MKL_NUM_THREADS": 1,
        "OPENBLAS_NUM_THREADS": 1,
    }
    configured = config.get("distributed.nanny.pre-spawn-environ", None)
    found = {name: os.environ.get(name, value) for name, value in found.items()}
    found.update(configured or {})
    found.update(config.get("distributed.nanny.environ", None) or {})
    return found


def _pickled(obj: Any) -> bytes:
    import cloudpickle

    return cloudpickle.dumps(obj, protocol=5)
