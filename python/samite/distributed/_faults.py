"""Exceptions for what the scheduler or the engine says went wrong."""

from __future__ import annotations

import builtins
from typing import Any


def killed(task: str, last_worker: Any, workers: int) -> BaseException:
    """The exception of a task that was on workers, one after the other, that were lost."""
    from samite.distributed.exceptions import KilledWorker

    return KilledWorker(task, last_worker, max(workers - 1, 0))


def no_worker(task: str, seconds: float) -> BaseException:
    """The exception of a task that no worker could run for so long."""
    from samite.distributed.exceptions import NoValidWorkerError

    return NoValidWorkerError(task, timeout=seconds)


def cancelled(key: str, reason: str, message: str | None) -> BaseException:
    """The exception of a result that there will not be."""
    from samite.distributed.exceptions import FutureCancelledError

    return FutureCancelledError(key, reason, message)


def fault(kind: str, message: str) -> BaseException:
    """The exception of a request that was not carried out."""
    from samite.distributed import exceptions

    found = getattr(exceptions, kind, None) or getattr(builtins, kind, None)
    if isinstance(found, type) and issubclass(found, Exception):
        try:
            return found(message)
        except TypeError:
            pass
    return RuntimeError(f"{kind}: {message}")
