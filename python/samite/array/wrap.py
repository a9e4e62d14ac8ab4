"""The creation functions at the place where Dask has them."""

from __future__ import annotations

from samite.array.creation import (
    empty,
    empty_like,
    full,
    full_like,
    ones,
    ones_like,
    zeros,
    zeros_like,
)

__all__ = [
    "empty", "empty_like", "full", "full_like", "ones", "ones_like", "zeros", "zeros_like",
]  # fmt: skip
