"""Clusters: futures, and the collections of Samite, on many machines.

>>> from samite.distributed import Client
>>> with Client(processes=False) as client:  # doctest: +SKIP
...     client.submit(sum, [1, 2, 3]).result()
6
"""

from __future__ import annotations

import importlib
from typing import Any

from samite._engine import __version__
from samite.distributed.core import Status
from samite.distributed.exceptions import (
    CancelledError,
    KilledWorker,
    Reschedule,
    TimeoutError,
)

# Names that are imported when somebody asks for them.
_LAZY = {
    "Actor": "actor",
    "ActorFuture": "actor",
    "Adaptive": "deploy.adaptive",
    "BaseActorFuture": "actor",
    "Client": "client",
    "CondaInstall": "diagnostics.plugin",
    "Environ": "diagnostics.plugin",
    "Event": "event",
    "Future": "future",
    "InstallPlugin": "diagnostics.plugin",
    "LocalCluster": "deploy.local",
    "Lock": "lock",
    "MultiLock": "multi_lock",
    "Nanny": "nanny",
    "NannyPlugin": "diagnostics.plugin",
    "PipInstall": "diagnostics.plugin",
    "ProcessInterface": "deploy.spec",
    "Queue": "queues",
    "SSHCluster": "deploy.ssh",
    "Scheduler": "scheduler",
    "SchedulerPlugin": "diagnostics.plugin",
    "Security": "security",
    "Semaphore": "semaphore",
    "SpecCluster": "deploy.spec",
    "SubprocessCluster": "deploy.subprocess",
    "UploadDirectory": "diagnostics.plugin",
    "UploadFile": "diagnostics.plugin",
    "Variable": "variable",
    "Worker": "worker",
    "WorkerPlugin": "diagnostics.plugin",
    "as_completed": "_waiting",
    "connect": "_rpc",
    "default_client": "_current",
    "fire_and_forget": "_waiting",
    "futures_of": "_waiting",
    "get_client": "_current",
    "get_task_metadata": "_stream",
    "get_task_stream": "_stream",
    "get_worker": "_current",
    "local_client": "_current",
    "performance_report": "_stream",
    "print": "worker",
    "progress": "diagnostics.progressbar",
    "rejoin": "_current",
    "rpc": "_rpc",
    "secede": "_current",
    "span": "spans",
    "sync": "utils",
    "wait": "_waiting",
    "warn": "worker",
    "worker_client": "_current",
}
_SUBMODULES = frozenset(
    "active_memory_manager actor cfexecutor cli client cluster_dump comm core deploy "
    "diagnostics event exceptions future lock metrics multi_lock nanny preloading profile "
    "protocol queues scheduler security semaphore spans system threadpoolexecutor utils "
    "variable versions worker".split()
)

__all__ = ["CancelledError", "KilledWorker", "Reschedule", "Status", "TimeoutError", "__version__"]
__all__ += sorted(_LAZY)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"samite.distributed.{_LAZY[name]}"), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"samite.distributed.{name}")
    raise AttributeError(f"module 'samite.distributed' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_SUBMODULES})
