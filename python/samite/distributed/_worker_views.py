"""What programs for Dask's workers read of them, where the engine has something of the kind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from samite import _engine, config

if TYPE_CHECKING:
    import concurrent.futures

    from samite.distributed._worker_data import WorkerData


class WorkerAttributes:
    """The part of `Worker` that tells of itself."""

    address: str
    data: WorkerData
    memory_limit: int | None
    name: Any
    nthreads: int
    resources: dict[str, float]
    scheduler_address: str
    _ask: Any
    _folder: str | None
    _pool: concurrent.futures.ThreadPoolExecutor | None

    @property
    def worker_address(self) -> str:
        """The address."""
        return self.address

    contact_address = worker_address

    @property
    def ip(self) -> str:
        """The host of its address."""
        place = str(self.address).partition("://")[2].partition("/")[0]
        return place.rpartition(":")[0] or place

    host = ip

    @property
    def port(self) -> int:
        """Where it listens.

        Raises
        ------
        ValueError
            If its address has no port: it does not run yet, or in this process alone.
        """
        port = str(self.address).rpartition(":")[2]
        if not port.isdigit():
            raise ValueError(f"the worker's address {self.address} has no port")
        return int(port)

    @property
    def local_directory(self) -> str:
        """A folder for this worker's files: the one that it was given, or one that is made when it
        is first asked for and removed when the process ends."""
        if self._folder is None:
            import atexit
            import tempfile

            self._folder = tempfile.mkdtemp(prefix="samite-worker-")
            if not _made_folders:
                atexit.register(remove_folders)
            _made_folders.add((os.getpid(), self._folder))
        return self._folder

    @local_directory.setter
    def local_directory(self, folder: str | None) -> None:
        self._folder = folder

    @property
    def given_directory(self) -> str | None:
        """The folder that it was given; None where it was given none."""
        made = (os.getpid(), self._folder) in _made_folders
        return None if made else self._folder

    @property
    def executor(self) -> concurrent.futures.ThreadPoolExecutor:
        """A pool of threads for work beside tasks; the tasks run on threads of the engine's."""
        if self._pool is None:
            import concurrent.futures

            self._pool = concurrent.futures.ThreadPoolExecutor(
                self.nthreads, thread_name_prefix="samite-worker-pool"
            )
        return self._pool

    @property
    def loop(self) -> Any:
        """The event loop on which coroutines of tasks and plugins run, on a thread of its own:
        whoever is on another thread uses ``asyncio.run_coroutine_threadsafe`` and
        ``loop.call_soon_threadsafe``."""
        from samite.distributed._calls import loop_of_tasks

        return loop_of_tasks()

    io_loop = loop

    @property
    def active_threads(self) -> dict[int, str]:
        """The keys of the tasks that run, by the number of their thread."""
        return {
            thread: key
            for thread, address, key in _engine.running_tasks()
            if address == self.address
        }

    @property
    def active_keys(self) -> set[str]:
        """The keys of the tasks that run."""
        return set(self.active_threads.values())

    def keys(self) -> list[str]:
        """The keys of the results that it holds."""
        return list(self.data)

    @property
    def total_resources(self) -> dict[str, float]:
        """Amounts of things that tasks may ask for."""
        return dict(self.resources)

    @property
    def state(self) -> WorkerStateView:
        """What it is doing, at the time when it is looked at."""
        return WorkerStateView(self)

    @property
    def memory_manager(self) -> MemoryView:
        """Its memory limit, and from which shares of it on something is done."""
        return MemoryView(self)

    def get_logs(self, n: int | None = None) -> tuple[tuple[str, str], ...]:
        """The last lines that were logged in this process: ``(level, text)``, newest first."""
        from samite.distributed.worker import recent_logs

        return recent_logs(n)


class WorkerStateView:
    """What a worker is doing."""

    def __init__(self, worker: WorkerAttributes) -> None:
        self.address = worker.address
        self.nthreads = worker.nthreads
        self.total_resources = worker.total_resources
        self.data = worker.data
        self.executing = worker.active_keys

    @property
    def executing_count(self) -> int:
        """How many tasks run."""
        return len(self.executing)

    @property
    def in_memory(self) -> set[str]:
        """The keys of the results that it holds."""
        return set(self.data)

    def __repr__(self) -> str:
        return f"<WorkerStateView {self.address!r}, threads: {self.nthreads}>"


class MemoryView:
    """A worker's memory limit in bytes (None where there is none), and the shares of it from which
    on a nanny kills it."""

    def __init__(self, worker: WorkerAttributes) -> None:
        self.memory_limit = worker.memory_limit
        self.memory_terminate_fraction = config.get("distributed.worker.memory.terminate", 0.95)

    def __repr__(self) -> str:
        return f"<MemoryView limit: {self.memory_limit}>"


# Of which process, and where.
_made_folders: set[tuple[int, str]] = set()


def remove_folders(only: str | None = None) -> None:
    """Remove the folders that workers of this process asked for, or one of them."""
    import shutil

    for process, folder in list(_made_folders):
        if process == os.getpid() and only in (None, folder):
            _made_folders.discard((process, folder))
            shutil.rmtree(folder, ignore_errors=True)
