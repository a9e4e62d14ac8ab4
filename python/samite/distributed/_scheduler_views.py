"""What a scheduler in this process knows of its workers and tasks, as objects to look at.

They are made when they are asked for and do not change afterwards; nothing that is done to them has
an effect on the scheduler.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from samite.distributed._memory_views import MemoryState
from samite.distributed.core import Status

__all__ = ["TaskView", "WorkerView", "tasks_of", "workers_of"]

Ask = Callable[[str, dict[str, Any]], Any]


class WorkerView:
    """A worker, as the scheduler knows it."""

    def __init__(self, ask: Ask, info: dict[str, Any]) -> None:
        self._ask = ask
        self.address: str = info["address"]
        self.name: Any = info["name"]
        self.host: str = info["host"]
        self.pid: int = info.get("pid", 0)
        self.nthreads: int = info["nthreads"]
        self.memory_limit: int = info["memory_limit"]
        self.resources: dict[str, float] = info["resources"]
        self.metrics: dict[str, Any] = info["metrics"]
        self.occupancy: float = info["occupancy"]
        self.local_directory: str = info.get("local_directory", "")
        self.status = Status(info["status"])
        self.memory = MemoryState._of(info.get("memory") or {})
        self.last_seen: float = info["last_seen"]

    @property
    def has_what(self) -> dict[str, None]:
        """The keys of the results that it holds."""
        return dict.fromkeys(self._ask("has_what", {"workers": [self.address]})[self.address])

    @property
    def processing(self) -> dict[str, None]:
        """The keys of the tasks that it was given and has not finished."""
        return dict.fromkeys(self._ask("processing", {"workers": [self.address]})[self.address])

    @property
    def nbytes(self) -> int:
        """The bytes of the results that it holds."""
        keys = list(self.has_what)
        return sum(self._ask("nbytes", {"keys": keys}).values()) if keys else 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WorkerView) and other.address == self.address

    def __hash__(self) -> int:
        return hash(self.address)

    def __repr__(self) -> str:
        return f"<WorkerView {self.address!r}, name: {self.name}, status: {self.status.name}>"


class TaskView:
    """A task with a key, as the scheduler knows it."""

    def __init__(self, ask: Ask, key: str, info: dict[str, Any]) -> None:
        self._ask = ask
        self.key = key
        self.state: str = info["state"]
        self.nbytes: int = -1 if info["nbytes"] is None else info["nbytes"]

    @property
    def who_has(self) -> set[WorkerView]:
        """The workers that hold its result."""
        addresses = self._ask("who_has", {"keys": [self.key]}).get(self.key, ())
        workers = workers_of(self._ask)
        return {workers[address] for address in addresses if address in workers}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskView) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"<TaskView {self.key!r} {self.state}>"


def workers_of(ask: Ask) -> dict[str, WorkerView]:
    """The workers, by address."""
    found = ask("scheduler_info", {})["workers"]
    return {address: WorkerView(ask, info) for address, info in found.items()}


def tasks_of(ask: Ask) -> dict[str, TaskView]:
    """The tasks whose results somebody can ask for, by key."""
    found = ask("dump_state", {})["tasks"]
    return {key: TaskView(ask, key, info) for key, info in found.items()}
