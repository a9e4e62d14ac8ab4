"""Clusters that are told which workers there should be, and see to it."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import inspect
import logging
import math
from collections.abc import Generator, Iterable
from typing import Any

from samite.distributed.core import Status
from samite.distributed.deploy.cluster import Cluster

logger = logging.getLogger("samite.distributed.deploy")

__all__ = ["NoOpAwaitable", "ProcessInterface", "SpecCluster", "run_spec"]


class ProcessInterface:
    """What a :class:`SpecCluster` starts and ends; subclasses run jobs, containers, processes.

    Attributes
    ----------
    status:
        Where it is in its life.
    address:
        Set when it is known.
    """

    def __init__(self, scheduler: Any = None, name: Any = None) -> None:
        self.address = getattr(self, "address", None)
        self.external_address = None
        self.lock = asyncio.Lock()
        self.status = Status.created
        self.scheduler = scheduler
        self.name = name
        self._event_finished = asyncio.Event()

    async def start(self) -> None:
        """Start it."""
        self.status = Status.running

    async def close(self, *args: Any, **kwargs: Any) -> None:
        """End it."""
        self.status = Status.closed
        self._event_finished.set()

    async def finished(self) -> None:
        """Wait until it has ended."""
        await self._event_finished.wait()

    def __await__(self) -> Generator[Any, Any, Any]:
        async def started() -> Any:
            async with self.lock:
                if self.status is Status.created:
                    await self.start()
                    assert self.status is Status.running
            return self

        return started().__await__()

    async def __aenter__(self) -> Any:
        await self
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: status={self.status.name}>"


class NoOpAwaitable:
    """Something to await that is there already."""

    def __await__(self) -> Generator[Any, Any, Any]:
        async def itself() -> Any:
            return self

        return itself().__await__()


class SpecCluster(Cluster):
    """A cluster of a scheduler and workers that are given as classes and options.

    Parameters
    ----------
    workers:
        By name, ``{"cls": class, "options": {...}}``. A class is made with the scheduler's address
        and ``name``; it is awaited to start it, and has ``async def close()``. With ``"group"``,
        one object makes several workers, whose names have these suffixes.
    scheduler:
        The same for the scheduler, whose object has ``address``.
    worker:
        The same for the workers that :meth:`scale` adds.
    """

    def __init__(
        self,
        workers: dict[Any, dict[str, Any]] | None = None,
        scheduler: dict[str, Any] | None = None,
        worker: dict[str, Any] | None = None,
        asynchronous: bool = False,
        loop: Any = None,
        security: Any = None,
        silence_logs: Any = False,
        name: str | None = None,
        shutdown_on_close: bool = True,
        scheduler_sync_interval: float = 1,
        shutdown_scheduler: bool = True,
    ) -> None:
        if loop is None and asynchronous:
            with contextlib.suppress(RuntimeError):
                loop = asyncio.get_running_loop()
        self.security = security
        super().__init__(
            asynchronous=asynchronous,
            name=name,
            scheduler_sync_interval=scheduler_sync_interval,
            shutdown_on_close=shutdown_on_close,
        )
        self.scheduler_spec = copy.copy(scheduler)
        self.worker_spec = dict(workers or {})
        self.new_spec = copy.copy(worker)
        self.scheduler: Any = None
        self.workers: dict[Any, Any] = {}
        self.shutdown_scheduler = shutdown_scheduler
        self._next_name = 0
        self._lock: asyncio.Lock | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._watchers: dict[Any, asyncio.Task[Any]] = {}
        if not self._asynchronous:
            try:
                self._wait_for(self._start())
            except BaseException:
                with contextlib.suppress(Exception):
                    self._wait_for(self._close(), 10)
                raise

    # ---- life -----------------------------------------------------------------------------------

    async def _start(self) -> Any:
        if self.status is Status.running:
            return self
        if self.status is Status.closed:
            raise ValueError("the cluster is closed")
        self._own_loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()
        self.status = Status.starting
        if self.scheduler_spec is None:
            from samite.distributed.scheduler import Scheduler

            options: dict[str, Any] = {"security": self.security}
            self.scheduler_spec = {"cls": Scheduler, "options": options}
        cls = _class_of(self.scheduler_spec["cls"])
        self.scheduler = cls(**self.scheduler_spec.get("options", {}))
        try:
            self.scheduler = await self.scheduler
            self._address = self.scheduler.address
            if self.security is None:
                self.security = getattr(self.scheduler, "security", None)
            self.status = Status.running
            await self._correct_state()
        except BaseException:
            await self._close()
            raise
        return self

    async def _close(self) -> None:
        if self.status in (Status.closed, Status.closing):
            while self.status is Status.closing:
                await asyncio.sleep(0.01)
            return
        if self.status is Status.created:
            self.status = Status.closed
            return
        self.status = Status.closing
        try:
            if self._adaptive is not None:
                self._adaptive.stop()
            for task in [*self._tasks, *self._watchers.values()]:
                task.cancel()
            workers, self.worker_spec = dict(self.workers), {}
            self.workers.clear()
            await asyncio.gather(
                *(worker.close() for worker in workers.values()), return_exceptions=True
            )
            if self._control is not None:
                from samite.distributed._servers import in_executor

                control, self._control = self._control, None
                await in_executor(lambda: control.close(2.0))
            if self.scheduler is not None and self.shutdown_scheduler:
                await self.scheduler.close()
        finally:
            self.status = Status.closed

    # ---- workers --------------------------------------------------------------------------------

    def _begin_correcting(self) -> Any:
        """Correct the state in the background; to be awaited where that is possible."""
        if self._asynchronous or self.called_from_running_loop:
            task = asyncio.get_running_loop().create_task(self._correct_state())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return task
        return asyncio.run_coroutine_threadsafe(self._correct_state(), self.loop)

    async def _correct_state(self) -> None:
        """End workers that should not be there, start those that should."""
        assert self._lock is not None
        async with self._lock:
            if self.status is not Status.running:
                return
            surplus = [name for name in self.workers if name not in self.worker_spec]
            if surplus:
                await self._retire([self.workers[name] for name in surplus])
                ending = [self.workers.pop(name) for name in surplus]
                for name in surplus:
                    watcher = self._watchers.pop(name, None)
                    if watcher is not None:
                        watcher.cancel()
                await asyncio.gather(*(worker.close() for worker in ending), return_exceptions=True)
            missing = [name for name in self.worker_spec if name not in self.workers]
            made = {}
            for name in missing:
                spec = self.worker_spec[name]
                options = dict(spec.get("options", {}))
                if "name" not in options:
                    options["name"] = name
                made[name] = _class_of(spec["cls"])(self._worker_address(), **options)
            self.workers.update(made)
            if made:
                outcomes = await asyncio.gather(
                    *(_started(worker) for worker in made.values()), return_exceptions=True
                )
                for name, outcome in zip(made, outcomes, strict=True):
                    if isinstance(outcome, BaseException):
                        self.workers.pop(name, None)
                        self.worker_spec.pop(name, None)
                for outcome in outcomes:
                    if isinstance(outcome, BaseException):
                        raise outcome
                for name, worker in made.items():
                    if hasattr(worker, "finished"):
                        self._watchers[name] = asyncio.get_running_loop().create_task(
                            self._watch(name, worker)
                        )

    def _worker_address(self) -> str:
        """Where workers find the scheduler."""
        return getattr(self.scheduler, "contact_address", None) or self.scheduler.address

    async def _watch(self, name: Any, worker: Any) -> None:
        """Notice when a worker ends by itself."""
        await worker.finished()
        if self.status is Status.running and self.workers.get(name) is worker:
            self.workers.pop(name, None)
            self.worker_spec.pop(name, None)
            self._watchers.pop(name, None)

    async def _retire(self, workers: Iterable[Any]) -> None:
        names = [
            str(worker.name) for worker in workers if getattr(worker, "name", None) is not None
        ]
        if not names:
            return
        try:
            await self._ask("retire_workers", {"names": names, "close_workers": False})
        except (OSError, RuntimeError, TimeoutError, ValueError, KeyError) as error:
            logger.warning("The results of workers %s may be lost: %s", ", ".join(names), error)

    def new_worker_spec(self) -> dict[Any, dict[str, Any]]:
        """The name and the specification of one more worker."""
        if self.new_spec is None:
            raise ValueError("to scale by number of workers there must be a worker= specification")
        number = self._next_name
        while (name := self._new_worker_name(number)) in self.worker_spec or (
            str(name) in self.worker_spec
        ):
            number += 1
        self._next_name = number + 1
        return {name: self.new_spec}

    def _new_worker_name(self, worker_number: int) -> Any:
        """What the worker of this number is called; for subclasses to override."""
        return worker_number

    def _names_of(self, name: Any, spec: dict[str, Any]) -> list[Any]:
        return [f"{name}{suffix}" for suffix in spec["group"]] if "group" in spec else [name]

    @property
    def plan(self) -> set[Any]:
        """The names of the workers that there should be."""
        return {
            one for name, spec in self.worker_spec.items() for one in self._names_of(name, spec)
        }

    @property
    def observed(self) -> set[Any]:
        """The names of the workers that the scheduler knows, as they are in the specifications."""
        # Names travel as text.
        names = {str(name): name for name in self.plan | self.requested}
        return {names.get(name, name) for name in super().observed}

    @property
    def requested(self) -> set[Any]:
        """The names of the workers that were started."""
        return {
            one
            for name in self.workers
            for one in self._names_of(name, self.worker_spec.get(name, {}))
        }

    def scale(self, n: int = 0, memory: Any = None, cores: int | None = None) -> Any:
        """Have so many workers; or so much memory, or so many threads.

        Returns at once; workers come and go in the background.

        Raises
        ------
        ValueError
            If there is no specification for more workers.
        """
        if memory is not None:
            n = max(n, math.ceil(_bytes(memory) / self._memory_per_worker()))
        if cores is not None:
            n = max(n, math.ceil(cores / self._threads_per_worker()))
        surplus = len(self.worker_spec) - n
        if surplus > 0:
            # First those that were not started yet, then the last ones.
            waiting = [name for name in self.worker_spec if name not in self.workers]
            chosen = [
                *waiting,
                *reversed([name for name in self.worker_spec if name in self.workers]),
            ]
            for name in chosen[:surplus]:
                del self.worker_spec[name]
        while len(self.worker_spec) < n:
            self.worker_spec.update(self.new_worker_spec())
        started = self._begin_correcting()
        return started if self._asynchronous else None

    def adapt(
        self,
        Adaptive: Any = None,
        minimum: int | None = None,
        maximum: float | None = None,
        minimum_cores: int | None = None,
        maximum_cores: int | None = None,
        minimum_memory: Any = None,
        maximum_memory: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Let the number of workers follow the work.

        Parameters
        ----------
        minimum, maximum:
            Of workers.
        minimum_cores, maximum_cores:
            Of threads in all workers together.
        minimum_memory, maximum_memory:
            Of the memory limits of all workers together; bytes, or text such as ``"100 GB"``.
        interval, wait_count, target_duration:
            As of :class:`Adaptive`.

        Raises
        ------
        ValueError
            If a minimum is above a maximum, or workers have no known memory limit or number of
            threads that cores and memory could be divided by.
        """
        lowest = [minimum] if minimum is not None else []
        highest = [maximum] if maximum is not None else []
        if minimum_cores is not None:
            lowest.append(math.ceil(minimum_cores / self._threads_per_worker()))
        if minimum_memory is not None:
            lowest.append(math.ceil(_bytes(minimum_memory) / self._memory_per_worker()))
        if maximum_cores is not None:
            highest.append(maximum_cores // self._threads_per_worker())
        if maximum_memory is not None:
            highest.append(_bytes(maximum_memory) // self._memory_per_worker())
        given = {"minimum": max(lowest, default=None), "maximum": min(highest, default=None)}
        kwargs.update((name, value) for name, value in given.items() if value is not None)
        return super().adapt(Adaptive, **kwargs)

    def _memory_per_worker(self) -> int:
        options = (self.new_spec or {}).get("options", {})
        limit = options.get("memory_limit") or options.get("memory")
        if not limit:
            raise ValueError(
                f"{type(self).__name__}: workers have no memory_limit that memory= could be "
                "divided by; give worker= one, or say how many workers there should be"
            )
        from samite.distributed.worker import parse_memory_limit

        return max(1, parse_memory_limit(limit, options.get("nthreads") or 1) or 1)

    def _threads_per_worker(self) -> int:
        options = (self.new_spec or {}).get("options", {})
        names = ("nthreads", "ncores", "threads", "cores")
        threads = next((options[name] for name in names if options.get(name)), None)
        if not threads:
            raise ValueError(
                f"{type(self).__name__}: workers have no nthreads that cores= could be divided by; "
                "give worker= a number, or say how many workers there should be"
            )
        return int(threads)

    async def scale_up(self, n: int = 0, memory: Any = None, cores: int | None = None) -> None:
        """Have at least so many workers."""
        if memory is not None or cores is not None or n > len(self.worker_spec):
            scaled = self.scale(n, **_given(memory=memory, cores=cores))
            if inspect.isawaitable(scaled):
                await scaled

    async def scale_down(self, workers: Iterable[Any]) -> None:
        """End these workers, given by name."""
        wanted = {str(worker) for worker in workers}
        by_address = {
            getattr(worker, "worker_address", None) or getattr(worker, "address", None): name
            for name, worker in self.workers.items()
        }
        for name, spec in list(self.worker_spec.items()):
            names = {str(name), *map(str, self._names_of(name, spec))}
            addresses = {str(address) for address, one in by_address.items() if one == name}
            if (names | addresses) & wanted:
                del self.worker_spec[name]
        await self._correct_state()

    def __await__(self) -> Generator[Any, Any, Any]:
        async def started() -> Any:
            if self.status is Status.created:
                await self._start()
            elif self._lock is not None and self.status is Status.running:
                await self._correct_state()
            return self

        return started().__await__()


async def _started(worker: Any) -> Any:
    return await worker


def made_of_spec(spec: dict[Any, dict[str, Any]], *args: Any) -> dict[Any, Any]:
    """The schedulers and workers that a specification describes, by name, not yet started."""
    return {
        name: _class_of(entry["cls"])(*args, **entry.get("opts", {}))
        for name, entry in spec.items()
    }


async def run_spec(spec: dict[Any, dict[str, Any]], *args: Any) -> dict[Any, Any]:
    """Make and start what a specification describes.

    Parameters
    ----------
    spec:
        For each name a mapping with ``"cls"``, a class or its name, and maybe ``"opts"``, its
        keyword arguments.
    *args:
        The first arguments of each, such as the scheduler's address.

    Returns
    -------
    dict
        What was started, by name.
    """
    made = made_of_spec(spec, *args)
    await asyncio.gather(*map(_started, made.values()))
    return made


def _class_of(cls: Any) -> Any:
    from samite.distributed._worker_main import class_named

    return class_named(cls)


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given; subclasses may know only some of them."""
    return {name: value for name, value in options.items() if value is not None}


def _bytes(size: Any) -> int:
    from samite.utils import parse_bytes

    return int(parse_bytes(size) if isinstance(size, str) else size)
