"""What programs import of connections."""

from __future__ import annotations

from samite.distributed.exceptions import CommClosedError

__all__ = ["CommClosedError"]
