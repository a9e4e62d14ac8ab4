"""Plugins, progress and reports."""

from __future__ import annotations

import importlib
from typing import Any

_LAZY = {
    "MemorySampler": "samite.distributed.diagnostics.memory_sampler",
    "SchedulerPlugin": "samite.distributed.diagnostics.plugin",
    "WorkerPlugin": "samite.distributed.diagnostics.plugin",
    "NannyPlugin": "samite.distributed.diagnostics.plugin",
    "progress": "samite.distributed.diagnostics.progressbar",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
