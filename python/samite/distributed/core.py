"""States of schedulers, workers and clusters."""

from __future__ import annotations

from enum import Enum

from samite.distributed.exceptions import CommClosedError

__all__ = ["CommClosedError", "Status"]


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
