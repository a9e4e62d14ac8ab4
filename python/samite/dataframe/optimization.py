"""Optimizing collections of data frames."""

from __future__ import annotations

from typing import Any


def optimize(collection: Any, fuse: bool = True) -> Any:
    """The same collection over a better expression; see :meth:`DataFrame.optimize`."""
    return collection.optimize(fuse=fuse)
