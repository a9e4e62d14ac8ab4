"""The exceptions that Samite itself raises. A task's own exception is raised as it is."""

from samite._engine import (
    MemoryLimitError,
    RunCancelled,
    SpillError,
    TaskPanicked,
    WorkerProcessDied,
)

__all__ = [
    "MemoryLimitError",
    "RunCancelled",
    "SpillError",
    "TaskPanicked",
    "WorkerProcessDied",
]
