"""The exceptions of clusters, with the names and bases that Dask's have."""

from __future__ import annotations

from concurrent.futures import CancelledError
from typing import Any

__all__ = [
    "CancelledError",
    "ClosedClientError",
    "CommClosedError",
    "FutureCancelledError",
    "FuturesCancelledError",
    "KilledWorker",
    "NoWorkers",
    "NoValidWorkerError",
    "Reschedule",
    "SchedulerClosed",
    "TimeoutError",
    "WorkerStartTimeoutError",
]

TimeoutError = TimeoutError


class Reschedule(Exception):
    """Raised by a task that wants to run on another worker, or later."""


class ClosedClientError(Exception):
    """An operation needs a connection, and the client was closed."""


class CommClosedError(OSError):
    """A connection has ended while an answer was awaited: whether the request was carried out is
    not known."""


class NoWorkers(TimeoutError):
    """There is no worker, and none came while it was waited for one."""


class SchedulerClosed(IOError):
    """The connection to the scheduler ended."""


class NoValidWorkerError(Exception):
    """No worker of the cluster may run a task, or none came within the setting
    ``distributed.scheduler.no-workers-timeout``."""

    def __init__(
        self,
        task: Any,
        host_restrictions: Any = None,
        worker_restrictions: Any = None,
        resource_restrictions: Any = None,
        timeout: float | None = None,
    ) -> None:
        super().__init__(
            task, host_restrictions, worker_restrictions, resource_restrictions, timeout
        )
        self.task = task
        self.host_restrictions = host_restrictions
        self.worker_restrictions = worker_restrictions
        self.resource_restrictions = resource_restrictions
        self.timeout = timeout

    def __str__(self) -> str:
        named = [self.host_restrictions, self.worker_restrictions, self.resource_restrictions]
        asked = " and ".join(str(one) for one in named if one)
        waited = "" if self.timeout is None else f" within {self.timeout:g} s"
        return (
            f"no worker of the cluster may run task {self.task!r}{waited}"
            + (f"; it asks for {asked}" if asked else "")
            + ". Start workers with the names or resources that it asks for, or raise the setting "
            "distributed.scheduler.no-workers-timeout"
        )


class KilledWorker(Exception):
    """Workers died while they ran a task, more often than the setting
    ``distributed.scheduler.allowed-failures`` permits."""

    def __init__(self, task: Any, last_worker: Any = None, allowed_failures: int = 3) -> None:
        super().__init__(task, last_worker, allowed_failures)
        self.task = task
        self.last_worker = last_worker
        self.allowed_failures = allowed_failures

    def __str__(self) -> str:
        return (
            f"Attempted to run task {self.task!r} on {self.allowed_failures + 1} different "
            "workers, but all those workers died while running it. The last worker that attempted "
            f"to run the task was {self.last_worker}. Look into the workers' logs, and at the "
            "memory that the task needs."
        )


class FutureCancelledError(CancelledError):
    """A future was cancelled, so there is no result to wait for."""

    def __init__(self, key: Any, reason: Any = None, msg: str | None = None) -> None:
        super().__init__(key, reason, msg)
        self.key = key
        self.reason = reason
        self.msg = msg

    def __str__(self) -> str:
        text = f"{self.key} cancelled for reason: {self.reason or 'unknown'}."
        return f"{text}\n{self.msg}" if self.msg else text


class FuturesCancelledError(CancelledError):
    """Several futures were cancelled."""

    def __init__(self, error_groups: Any) -> None:
        super().__init__(error_groups)
        self.error_groups = error_groups

    def __str__(self) -> str:
        return f"{len(self.error_groups)} futures cancelled:\n" + "\n".join(
            f"{number}. {group}" for number, group in enumerate(self.error_groups, 1)
        )


class WorkerStartTimeoutError(TimeoutError):
    """Fewer workers than asked for came in time."""

    def __init__(self, available_workers: int, expected_workers: int, timeout: Any) -> None:
        super().__init__(available_workers, expected_workers, timeout)
        self.available_workers = available_workers
        self.expected_workers = expected_workers
        self.timeout = timeout

    def __str__(self) -> str:
        unit = "" if isinstance(self.timeout, str) else " s"
        return (
            f"Only {self.available_workers}/{self.expected_workers} workers arrived after "
            f"{self.timeout}{unit}"
        )
