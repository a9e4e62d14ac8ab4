"""Convolution and correlation in one dimension."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from samite.array.core import Array
from samite.array.differences import _long_enough, _with_neighbours
from samite.array.products import conjugated
from samite.array.storage import asanyarray
from samite.array.utils import meta_from_array

__all__ = ["convolve", "correlate"]


def convolve(a: Any, v: Any, mode: str = "full") -> Array:
    """The convolution of two arrays of one dimension.

    Parameters
    ----------
    a, v:
        The arrays; all of the shorter one is held in memory, and computed if it is lazy.
    mode:
        ``"full"``, ``"same"`` or ``"valid"``, as for :func:`numpy.convolve`.

    Raises
    ------
    ValueError
        If an array is empty or has other than one dimension, or the mode is unknown.
    """
    a, v = asanyarray(a), asanyarray(v)
    if a.ndim != 1 or v.ndim != 1:
        raise ValueError("convolve: object too deep for desired array; both need one dimension")
    if not len(a) or not len(v):
        raise ValueError(f"{'a' if len(v) else 'v'} cannot be empty")
    if mode not in ("full", "same", "valid"):
        raise ValueError("mode must be one of 'valid', 'same', or 'full'")
    if len(v) > len(a):
        a, v = v, a
    dtype = np.result_type(a.dtype, v.dtype)
    kernel = np.asarray(v.compute())
    width = len(kernel) - 1
    longer = a.astype(dtype)
    if mode != "valid" and width:
        from samite.array.padding import pad

        before = width if mode == "full" else width - width // 2
        behind = width if mode == "full" else width // 2
        longer = pad(longer, (before, behind))
    longer = _long_enough(longer, 0, width + 1, "convolve")
    sizes = (*longer.chunks[0][:-1], longer.chunks[0][-1] - width)
    return _with_neighbours(
        functools.partial(_convolve_block, kernel.astype(dtype)), longer, 0, 0, width, sizes,
        meta_from_array(longer._meta, dtype=dtype), "convolve",
    )  # fmt: skip


def _convolve_block(kernel: np.ndarray, block: Any, number: int) -> Any:
    return np.convolve(block, kernel, mode="valid")


def correlate(a: Any, v: Any, mode: str = "valid") -> Array:
    """The correlation of two arrays of one dimension. Takes the arguments of :func:`convolve`."""
    a, v = asanyarray(a), asanyarray(v)
    if a.ndim != 1 or v.ndim != 1:
        raise ValueError("correlate: object too deep for desired array; both need one dimension")
    if len(a) < len(v):
        return conjugated(correlate(v, a, mode))[::-1]
    return convolve(a, conjugated(v)[::-1], mode)
