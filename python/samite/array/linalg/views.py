"""Parts and other orders of the matrices in the last two axes of an array."""

from __future__ import annotations

from typing import Any

from samite.array import matrices
from samite.array.core import Array
from samite.array.storage import asanyarray

__all__ = ["diagonal", "matrix_transpose", "trace"]


def diagonal(x: Any, /, *, offset: int = 0) -> Array:
    """The elements on a diagonal of matrices in the last two axes."""
    return matrices.diagonal(x, offset, -2, -1)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """The sum of the elements on a diagonal of matrices in the last two axes."""
    return diagonal(x, offset=offset).sum(axis=-1, dtype=dtype)


def matrix_transpose(x: Any, /) -> Array:
    """The array with its last two axes exchanged.

    Raises
    ------
    ValueError
        If there are fewer than two axes.
    """
    x = asanyarray(x)
    if x.ndim < 2:
        raise ValueError(
            f"Input array must be at least 2-dimensional, but it is {x.ndim}, of shape {x.shape}"
        )
    return x.swapaxes(-1, -2)
