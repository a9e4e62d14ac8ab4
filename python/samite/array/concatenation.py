"""Arrays side by side, along an axis that they have or along a new one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import Alias, Task, TaskRef
from samite.array.blockwise import unify_chunks
from samite.array.chunks import has_unknown, is_unknown
from samite.array.core import Array, make_array
from samite.array.storage import asanyarray
from samite.array.utils import meta_from_array, normalize_axis
from samite.base import tokenize

__all__ = ["concatenate", "stack"]


def concatenate(
    seq: Sequence[Any], axis: int | None = 0, allow_unknown_chunksizes: bool = False
) -> Array:
    """Join arrays along an axis that they have.

    Parameters
    ----------
    seq:
        Arrays whose shapes agree along all other axes.
    axis:
        The axis; None joins the arrays' elements in one dimension.
    allow_unknown_chunksizes:
        Believe that lengths agree where they are not known.

    Raises
    ------
    ValueError
        If there are no arrays, or their shapes do not agree.
    """
    from samite.array.elementwise import astype

    arrays = [asanyarray(a) for a in seq]
    if not arrays:
        raise ValueError("Need array(s) to concatenate")
    if axis is None:
        arrays = [a.ravel() for a in arrays]
        axis = 0
    ndim = arrays[0].ndim
    if any(a.ndim != ndim for a in arrays):
        raise ValueError(
            f"all the input arrays must have the same number of dimensions: "
            f"{[a.ndim for a in arrays]}"
        )
    axis = normalize_axis(axis, ndim)
    meta = np.concatenate([a._meta for a in arrays], axis=axis)
    # Arrays without elements join nothing, but their dtypes count.
    arrays = [a for a in arrays if is_unknown(a.shape[axis]) or a.shape[axis]] or arrays[:1]
    if len(arrays) == 1:
        return astype(arrays[0], meta.dtype)
    _check_shapes(arrays, axis, allow_unknown_chunksizes)
    arrays = _cut_alike([astype(a, meta.dtype) for a in arrays], axis)
    chunks = list(arrays[0].chunks)
    chunks[axis] = tuple(size for a in arrays for size in a.chunks[axis])
    name = f"concatenate-{tokenize(arrays, axis)}"
    layer: dict[Any, Any] = {}
    start = 0
    for a in arrays:
        for position in product(*map(range, a.numblocks)):
            key = (name, *(n + start if at == axis else n for at, n in enumerate(position)))
            layer[key] = Alias(key, (a.name, *position))
        start += a.numblocks[axis]
    return make_array(name, layer, tuple(chunks), meta, arrays)


def stack(seq: Sequence[Any], axis: int = 0, allow_unknown_chunksizes: bool = False) -> Array:
    """Join arrays of one shape along a new axis. Takes the arguments of :func:`concatenate`."""
    from samite.array.elementwise import astype

    arrays = [asanyarray(a) for a in seq]
    if not arrays:
        raise ValueError("Need array(s) to stack")
    ndim = arrays[0].ndim
    if any(a.ndim != ndim for a in arrays):
        raise ValueError("Stacked arrays must have the same shape. The shapes were "
                         f"{[a.shape for a in arrays]}")  # fmt: skip
    axis = normalize_axis(axis, ndim + 1)
    _check_shapes(arrays, None, allow_unknown_chunksizes)
    meta = np.stack([meta_from_array(a) for a in arrays], axis=axis)
    arrays = _cut_alike([astype(a, meta.dtype) for a in arrays], None)
    chunks = (*arrays[0].chunks[:axis], (1,) * len(arrays), *arrays[0].chunks[axis:])
    name = f"stack-{tokenize(arrays, axis)}"
    index = (slice(None),) * axis + (None,)
    layer: dict[Any, Any] = {}
    for n, a in enumerate(arrays):
        for position in product(*map(range, a.numblocks)):
            key = (name, *position[:axis], n, *position[axis:])
            layer[key] = Task(key, _indexed, TaskRef((a.name, *position)), index)
    return make_array(name, layer, chunks, meta_from_array(meta, ndim=ndim + 1), arrays)


def _indexed(block: Any, index: Any) -> Any:
    return np.asanyarray(block)[index]


def _check_shapes(arrays: list[Array], axis: int | None, allow_unknown: bool) -> None:
    for at in range(arrays[0].ndim):
        if at == axis:
            continue
        lengths = [a.shape[at] for a in arrays]
        known = {n for n in lengths if not is_unknown(n)}
        if len(known) > 1:
            raise ValueError(
                f"the shapes of arrays to be joined differ along axis {at}: "
                f"{[a.shape for a in arrays]}"
            )
        if any(map(is_unknown, lengths)) and not allow_unknown:
            raise ValueError(
                "Tried to join arrays with unknown shapes. To allow joining "
                "anyway pass allow_unknown_chunksizes=True"
            )


def _cut_alike(arrays: list[Array], axis: int | None) -> list[Array]:
    """Arrays with the same chunks along all axes but one."""
    if len({a.chunks[:axis] + a.chunks[axis + 1 :] if axis is not None else a.chunks
            for a in arrays}) == 1 and not any(map(has_unknown, arrays[0].chunks)):  # fmt: skip
        return arrays
    pairs: list[Any] = []
    for number, a in enumerate(arrays):
        pairs += [a, tuple(("own", number) if at == axis else at for at in range(a.ndim))]
    return unify_chunks(*pairs)[1]
