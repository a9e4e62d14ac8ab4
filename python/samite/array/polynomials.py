"""Polynomials: their values, and those that come closest to given points."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from samite.array.blockwise import blockwise
from samite.array.core import Array
from samite.array.elementwise import elemwise
from samite.array.storage import asanyarray

__all__ = ["polyfit", "polyval", "vander"]


def polyval(p: Any, x: Any) -> Array:
    """The values of a polynomial, whose coefficients begin with that of the highest power."""
    x = asanyarray(x)
    if isinstance(p, Array):
        result: Any = x * 0
        for n in range(len(p)):
            result = result * x + p[n]
        return result
    return elemwise(functools.partial(np.polyval, np.asarray(p)), x)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Array:
    """The matrix of powers of the elements, one in each column.

    Parameters
    ----------
    N:
        The number of columns; by default as many as rows.
    increasing:
        Whether powers go up from left to right.

    Raises
    ------
    ValueError
        If there is other than one dimension.
    """
    x = asanyarray(x)
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    N = len(x) if N is None else int(N)
    dtype = np.promote_types(x.dtype, int)
    return blockwise(
        np.vander, "ij", x, "i", N=N, increasing=increasing, new_axes={"j": N}, dtype=dtype,
        meta=np.empty((0, 0), dtype=dtype), token="vander",
    )  # fmt: skip


def polyfit(x: Any, y: Any, deg: int, rcond: float | None = None, w: Any = None) -> Array:
    """The coefficients of the polynomial that comes closest to points, the highest power first.

    Parameters
    ----------
    x, y:
        The points; ``y`` can have a column for each of several polynomials.
    deg:
        The highest power.
    rcond:
        Not possible here: small singular values are not left out.
    w:
        The weights of the points.

    Raises
    ------
    TypeError
        If the arrays have other dimensions, or lengths that differ.
    ValueError
        If ``deg`` is negative.
    NotImplementedError
        If ``rcond`` is given.
    """
    from samite.array.linalg import lstsq

    if rcond is not None:
        raise NotImplementedError("polyfit of lazy arrays does not take rcond")
    x, y = asanyarray(x), asanyarray(y)
    if deg < 0:
        raise ValueError("expected deg >= 0")
    if x.ndim != 1 or y.ndim not in (1, 2):
        raise TypeError(f"polyfit: expected 1D x and 1D or 2D y, not {x.shape} and {y.shape}")
    if x.shape[0] != y.shape[0]:
        raise TypeError("expected x and y to have same length")
    powers = vander(x.astype(np.promote_types(x.dtype, float)), deg + 1)
    y = y.astype(np.promote_types(y.dtype, float)).rechunk({0: x.chunks[0]})
    if w is not None:
        w = asanyarray(w)
        if w.shape != x.shape:
            raise TypeError("expected w and y to have the same length")
        powers = powers * w[:, None]
        y = y * (w[:, None] if y.ndim == 2 else w)
    # Columns of about the same length make the solution exacter.
    scale = np.sqrt((powers * powers).sum(axis=0))
    solution = lstsq(powers / scale, y)[0]
    return solution / (scale[:, None] if y.ndim == 2 else scale)
