"""States of schedulers, workers and clusters, and connections to them."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from samite.distributed.exceptions import CommClosedError

if TYPE_CHECKING:
    from samite.distributed._rpc import connect, rpc

__all__ = ["CommClosedError", "Status", "connect", "rpc"]


def __getattr__(name: str) -> Any:
    if name in ("connect", "rpc"):
        from samite.distributed import _rpc

        return getattr(_rpc, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Status(Enum):
    """Where a server or a cluster is in its life."""

    undefined = "undefined"
    created = "created"
    init = "init"
    starting = "starting"
    running = "running"
    paused = "paused"
    stopping = "stopping"
    stopped = "stopped"
    closing = "closing"
    closing_gracefully = "closing_gracefully"
    closed = "closed"
    failed = "failed"
    dont_reply = "dont_reply"
