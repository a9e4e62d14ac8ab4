"""Functions of one chunk, that tasks call."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["coarsen", "getitem", "keepdims_wrapper", "trim"]


def getitem(block: Any, index: Any) -> Any:
    """The elements of a chunk that an index picks.

    A small part is copied, so that it does not keep the whole chunk in memory.
    """
    part = block[index]
    try:
        if not part.flags.owndata and block.size >= 2 * part.size:
            part = part.copy()
    except AttributeError:
        # Fields of records, scalars and arrays of other libraries do not say whom they belong to.
        pass
    return part


def keepdims_wrapper(function: Callable) -> Callable:
    """A reduction that takes ``keepdims``, made of one that does not."""

    @functools.wraps(function)
    def keeping(
        block: Any, *args: Any, axis: Any = None, keepdims: bool = False, **kwargs: Any
    ) -> Any:
        result = function(block, *args, axis=axis, **kwargs)
        if not keepdims:
            return result
        axes = range(block.ndim) if axis is None else np.atleast_1d(axis)
        reduced = {int(a) % block.ndim for a in axes}
        index = tuple(None if a in reduced else slice(None) for a in range(block.ndim))
        return np.asanyarray(result)[index]

    return keeping


def coarsen(
    reduction: Callable, x: Any, axes: Mapping[int, int], trim_excess: bool = False, **kwargs: Any
) -> Any:
    """Reduce neighbouring elements, a number of them along each axis.

    Parameters
    ----------
    reduction:
        A reduction that takes ``axis``.
    x:
        The array.
    axes:
        How many elements along an axis become one.
    trim_excess:
        Leave out the last elements where there are too few.

    Raises
    ------
    ValueError
        If a length is not a multiple, and the excess is not to be left out.
    """
    factors = [axes.get(axis, 1) for axis in range(x.ndim)]
    if trim_excess:
        x = x[tuple(slice(0, n - n % factor) for n, factor in zip(x.shape, factors))]
    elif any(n % factor for n, factor in zip(x.shape, factors)):
        raise ValueError(
            f"the shape {x.shape} cannot be coarsened by {dict(axes)}; trim_excess=True leaves "
            "out what is too much"
        )
    split = tuple(part for n, factor in zip(x.shape, factors) for part in (n // factor, factor))
    return reduction(x.reshape(split), axis=tuple(range(1, 2 * x.ndim, 2)), **kwargs)


def trim(x: Any, axes: Any = None) -> Any:
    """A chunk without some elements at both ends of its axes.

    Parameters
    ----------
    x:
        The chunk.
    axes:
        How many elements at each end: a number, or one for each axis, or a dict.
    """
    if isinstance(axes, (int, np.integer)):
        axes = [axes] * x.ndim
    if isinstance(axes, Mapping):
        axes = [axes.get(axis, 0) for axis in range(x.ndim)]
    return x[tuple(slice(depth, -depth if depth else None) for depth in axes)]
