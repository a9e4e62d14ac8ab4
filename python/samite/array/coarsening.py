"""Arrays made smaller: neighbouring elements become one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from samite.array import chunk
from samite.array.blockwise import blockwise
from samite.array.core import Array
from samite.array.storage import asanyarray
from samite.array.utils import normalize_axis

__all__ = ["aligned_coarsen_chunks", "coarsen"]


def coarsen(
    reduction: Callable, x: Any, axes: Mapping[int, int], trim_excess: bool = False, **kwargs: Any
) -> Array:
    """Reduce neighbouring elements, a number of them along each axis.

    Parameters
    ----------
    reduction:
        A reduction that takes ``axis``; one of this package's stands for NumPy's of that name.
    axes:
        How many elements along an axis become one.
    trim_excess:
        Leave out the last elements where there are too few.
    **kwargs:
        For the reduction.

    Raises
    ------
    ValueError
        If a length is not a multiple, and the excess is not to be left out.
    """
    x = asanyarray(x)
    factors = {normalize_axis(axis, x.ndim): int(factor) for axis, factor in axes.items()}
    if any(factor < 1 for factor in factors.values()):
        raise ValueError(f"coarsen: the numbers of elements must be positive, not {dict(axes)}")
    for axis, factor in factors.items():
        excess = x.shape[axis] % factor
        if excess != excess:
            raise ValueError(f"coarsen: the length of axis {axis} is not known")
        if excess and not trim_excess:
            raise ValueError(
                f"Coarsening factors {dict(axes)} do not align with the shape {x.shape}; "
                "trim_excess=True leaves out what is too much"
            )
        if excess:
            x = x[(slice(None),) * axis + (slice(0, x.shape[axis] - excess),)]
    if (getattr(reduction, "__module__", None) or "").startswith("samite."):
        reduction = getattr(np, reduction.__name__)
    x = x.rechunk({
        axis: aligned_coarsen_chunks(x.chunks[axis], factor) for axis, factor in factors.items()
    })  # fmt: skip
    index = tuple(range(x.ndim))
    sizes = {
        axis: tuple(size // factor for size in x.chunks[axis]) for axis, factor in factors.items()
    }
    return blockwise(
        functools.partial(chunk.coarsen, reduction, axes=factors, **kwargs), index, x, index,
        adjust_chunks=sizes, token="coarsen", dtype=_result_dtype(reduction, x, kwargs),
    )  # fmt: skip


def _result_dtype(reduction: Callable, x: Array, kwargs: dict[str, Any]) -> np.dtype:
    sample = np.ones_like(x._meta, shape=(1,) * max(1, x.ndim))
    return np.asanyarray(reduction(sample, axis=(0,), **kwargs)).dtype


def aligned_coarsen_chunks(chunks: Sequence[int], multiple: int) -> tuple[int, ...]:
    """Blocks like these whose lengths are multiples of a number, but for the last.

    Blocks that are multiples already stay as they are, and in their places.
    """
    sizes = [int(size) for size in chunks]
    odd = [n for n, size in enumerate(sizes) if size % multiple]
    whole, rest = divmod(sum(sizes[n] for n in odd), multiple)
    parts = {n: sizes[n] // multiple for n in odd}
    spare = whole - sum(parts.values())
    # Blocks that would vanish come first, then those that lose most.
    for n in sorted(odd, key=lambda n: (parts[n] > 0, -(sizes[n] % multiple)))[:spare]:
        parts[n] += 1
    result = [parts[n] * multiple if n in parts else size for n, size in enumerate(sizes)]
    result = [size for n, size in enumerate(result) if size or n not in parts]
    return tuple([*result, rest] if rest else result) or (0,)
