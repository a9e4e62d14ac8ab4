"""What policies of the memory manager look at: workers and results as they were at one time."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from samite.distributed.core import Status

__all__ = ["ClusterView", "MemoryState", "ResultView", "Waiter", "WorkerOfView"]


class MemoryState:
    """The bytes of a worker's memory, or of several workers' together.

    Attributes
    ----------
    process:
        What the system says that the process takes.
    managed, spilled, managed_total:
        Results in memory, on disk, and all.
    unmanaged:
        What the process takes besides results in memory.
    unmanaged_old, unmanaged_recent:
        How much of that was there all through the last
        ``distributed.worker.memory.recent-to-old-time``, and the rest.
    optimistic:
        Results in memory and `unmanaged_old`.
    """

    __slots__ = ("managed", "process", "spilled", "unmanaged_old")

    def __init__(self, *, process: int, unmanaged_old: int, managed: int, spilled: int) -> None:
        self.process = process
        self.managed = min(managed, process)
        self.spilled = spilled
        self.unmanaged_old = min(unmanaged_old, process - self.managed)

    @classmethod
    def _of(cls, told: dict[str, int]) -> MemoryState:
        names = ("process", "unmanaged_old", "managed", "spilled")
        return cls(**{name: told.get(name, 0) for name in names})

    @staticmethod
    def sum(*infos: MemoryState) -> MemoryState:
        """All together."""
        return MemoryState(
            process=sum(info.process for info in infos),
            unmanaged_old=sum(info.unmanaged_old for info in infos),
            managed=sum(info.managed for info in infos),
            spilled=sum(info.spilled for info in infos),
        )

    @property
    def managed_total(self) -> int:
        """Results in memory and on disk."""
        return self.managed + self.spilled

    @property
    def unmanaged(self) -> int:
        """What the process takes besides results in memory."""
        return self.process - self.managed

    @property
    def unmanaged_recent(self) -> int:
        """What of that was not there all the last while."""
        return self.unmanaged - self.unmanaged_old

    @property
    def optimistic(self) -> int:
        """What stays when a passing peak is over."""
        return self.managed + self.unmanaged_old

    def __repr__(self) -> str:
        from samite.utils import format_bytes

        return (
            f"Process memory (RSS): {format_bytes(self.process)}, of which results "
            f"{format_bytes(self.managed)}, other for a while {format_bytes(self.unmanaged_old)}, "
            f"other {format_bytes(self.unmanaged_recent)}; on disk {format_bytes(self.spilled)}"
        )


class WorkerOfView:
    """A worker.

    Attributes
    ----------
    has_what:
        The results that it holds.
    memory:
        The bytes of its memory.
    """

    def __init__(self, number: int, info: dict[str, Any]) -> None:
        self.id = number
        self.address: str = info["address"]
        self.name: Any = info["name"]
        self.host: str = info["host"]
        self.nthreads: int = info["nthreads"]
        self.memory_limit: int = info["memory_limit"]
        self.metrics: dict[str, Any] = info["metrics"]
        self.resources: dict[str, float] = info["resources"]
        self.status = Status(info["status"])
        self.memory = MemoryState._of(info.get("memory") or {})
        self.has_what: dict[ResultView, None] = {}
        self.processing: dict[Waiter, None] = {}

    @property
    def nbytes(self) -> int:
        """The bytes of the results that it holds."""
        return sum(result.nbytes for result in self.has_what)

    def __repr__(self) -> str:
        return f"<WorkerState {self.address!r}, name: {self.name}, status: {self.status.name}>"


class Waiter:
    """An unfinished task that reads a result.

    Attributes
    ----------
    processing_on:
        The worker that it was given to; None where it was given to nobody yet.
    """

    def __init__(self, key: str, processing_on: WorkerOfView | None) -> None:
        self.key = key
        self.processing_on = processing_on
        self.state = "waiting" if processing_on is None else "processing"

    def __repr__(self) -> str:
        return f"<TaskState {self.key!r} {self.state}>"


class ResultView:
    """A task whose result exists.

    Attributes
    ----------
    key:
        Its key; of a task in the midst of a graph, the name of its layer and a number.
    nbytes:
        The size of the result.
    who_has:
        The workers that hold it.
    waiters:
        The unfinished tasks that read it.
    """

    state = "memory"
    actor = False

    def __init__(self, number: tuple[int, int], key: str, nbytes: int) -> None:
        self.id = number
        self.key = key
        self.nbytes = nbytes
        self.who_has: set[WorkerOfView] = set()
        self.waiters: set[Waiter] = set()

    def __repr__(self) -> str:
        return f"<TaskState {self.key!r} {self.state}>"


class ClusterView:
    """All workers and results.

    Attributes
    ----------
    workers:
        The workers, by address.
    tasks:
        The results, by key.
    running:
        The workers that take tasks and copies.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        by_number = {
            entry["id"]: WorkerOfView(entry["id"], entry["info"]) for entry in state["workers"]
        }
        self.workers: dict[str, WorkerOfView] = {one.address: one for one in by_number.values()}
        self.running: set[WorkerOfView] = {
            one for one in by_number.values() if one.status is Status.running
        }
        self.tasks: dict[str, ResultView] = {}
        waiters: dict[tuple[int, int], Waiter] = {}
        for number, key, nbytes, holders, readers in state["tasks"]:
            result = self.tasks[key] = ResultView(tuple(number), key, nbytes)
            for holder in holders:
                if holder in by_number:
                    result.who_has.add(by_number[holder])
                    by_number[holder].has_what[result] = None
            for reader, name, runner in readers:
                waiter = waiters.get(tuple(reader))
                if waiter is None:
                    waiter = waiters[tuple(reader)] = Waiter(name, by_number.get(runner))
                    if waiter.processing_on is not None:
                        waiter.processing_on.processing[waiter] = None
                result.waiters.add(waiter)

    @cached_property
    def replicated_tasks(self) -> set[ResultView]:
        """The results that are on several workers."""
        return {result for result in self.tasks.values() if len(result.who_has) > 1}

    @cached_property
    def memory(self) -> MemoryState:
        """The memory of all workers together."""
        return MemoryState.sum(*(one.memory for one in self.workers.values()))
