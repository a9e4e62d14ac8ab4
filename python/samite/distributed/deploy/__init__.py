"""Starting clusters."""

from __future__ import annotations

import importlib
from typing import Any

_LAZY = {
    "Adaptive": "samite.distributed.deploy.adaptive",
    "Cluster": "samite.distributed.deploy.cluster",
    "LocalCluster": "samite.distributed.deploy.local",
    "ProcessInterface": "samite.distributed.deploy.spec",
    "SSHCluster": "samite.distributed.deploy.ssh",
    "SubprocessCluster": "samite.distributed.deploy.subprocess",
    "SpecCluster": "samite.distributed.deploy.spec",
}
__all__ = [
    "Adaptive",
    "Cluster",
    "LocalCluster",
    "ProcessInterface",
    "SSHCluster",
    "SpecCluster",
    "SubprocessCluster",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
