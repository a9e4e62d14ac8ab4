"""Matrices that are made, and what lies on, above and below their diagonals."""

from __future__ import annotations

import functools
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import Task, TaskRef
from samite.array.chunks import boundaries, has_unknown, locate, normalize_chunks
from samite.array.core import Array, make_array
from samite.array.sources import like_block, source_layer
from samite.array.storage import asanyarray
from samite.array.utils import meta_from_array, normalize_axis
from samite.base import tokenize
from samite.layers import ArraySliceDep

__all__ = [
    "diag", "diag_indices", "diag_indices_from", "diagflat", "diagonal", "eye", "identity", "tri",
    "tril", "tril_indices", "tril_indices_from", "triu", "triu_indices", "triu_indices_from",
]  # fmt: skip


def eye(
    N: int, chunks: Any = "auto", M: int | None = None, k: int = 0, dtype: Any = float
) -> Array:
    """A matrix with ones on a diagonal.

    Parameters
    ----------
    N, M:
        The number of rows, and of columns (by default as many).
    chunks:
        How to cut it; see :func:`~samite.array.chunks.normalize_chunks`.
    k:
        Which diagonal; 0 is the main one, positive ones are above it.
    """
    M = N if M is None else M
    return _by_place(_eye_block, "eye", (int(N), int(M)), chunks, np.dtype(dtype or float), k)


def identity(n: int, dtype: Any = None, *, chunks: Any = "auto") -> Array:
    """A square matrix with ones on its main diagonal."""
    return eye(n, chunks=chunks, dtype=dtype or float)


def tri(
    N: int,
    M: int | None = None,
    k: int = 0,
    dtype: Any = float,
    chunks: Any = "auto",
    *,
    like: Any = None,
) -> Array:
    """A matrix with ones on a diagonal and below it. Takes the arguments of :func:`eye`.

    Parameters
    ----------
    like:
        An array of the kind that the chunks will be of.
    """
    M = N if M is None else M
    shape = (int(N), int(M))
    return _by_place(_tri_block, "tri", shape, chunks, np.dtype(dtype or float), k, like)


def _by_place(
    func: Any, name: str, shape: tuple, chunks: Any, dtype: np.dtype, k: int, like: Any = None
) -> Array:
    """A matrix whose blocks are made of the place that they have in it."""
    chunks = normalize_chunks(chunks, shape, dtype=dtype)
    meta = meta_from_array(like, ndim=2, dtype=dtype)
    name = f"{name}-{tokenize(shape, chunks, k, dtype, type(meta))}"
    make = functools.partial(func, k, dtype)
    if type(meta) is not np.ndarray:
        make = functools.partial(like_block, make, meta)
    return Array(source_layer(name, make, ArraySliceDep(chunks)), name, chunks, meta=meta)


def _eye_block(k: int, dtype: np.dtype, place: tuple[slice, slice]) -> np.ndarray:
    rows, columns = place
    height, width = rows.stop - rows.start, columns.stop - columns.start
    return np.eye(height, width, k=k + rows.start - columns.start, dtype=dtype)


def _tri_block(k: int, dtype: np.dtype, place: tuple[slice, slice]) -> np.ndarray:
    rows, columns = place
    height, width = rows.stop - rows.start, columns.stop - columns.start
    return np.tri(height, width, k=k + rows.start - columns.start, dtype=dtype)


def _lower(m: Array, k: int) -> Array:
    rows, columns = m.shape[-2:]
    return tri(rows, columns, k=k, dtype=bool, chunks=m.chunks[-2:])


def _matrix(m: Any, name: str) -> Array:
    m = asanyarray(m)
    if m.ndim == 1:
        # As in NumPy, the rows are all the same then.
        from samite.array.broadcasting import broadcast_to

        m = broadcast_to(m, (len(m), len(m)))
    if m.ndim < 2:
        raise ValueError(f"{name} takes at least one dimension")
    if any(has_unknown(sizes) for sizes in m.chunks[-2:]):
        raise ValueError(f"{name}: the lengths of the last two axes have to be known")
    return m


def tril(m: Any, k: int = 0) -> Array:
    """The array with zeros above a diagonal of its last two axes."""
    from samite.array.elementwise import where

    m = _matrix(m, "tril")
    return where(_lower(m, k), m, np.zeros_like(m._meta, shape=(1,)))


def triu(m: Any, k: int = 0) -> Array:
    """The array with zeros below a diagonal of its last two axes."""
    from samite.array.elementwise import where

    m = _matrix(m, "triu")
    return where(_lower(m, k - 1), np.zeros_like(m._meta, shape=(1,)), m)


def tril_indices(n: int, k: int = 0, m: int | None = None, chunks: Any = "auto") -> tuple:
    """The positions on a diagonal of a matrix of ``n`` rows and below it; of unknown number."""
    from samite.array.conditions import nonzero

    return nonzero(tri(n, m, k=k, dtype=bool, chunks=chunks))


def triu_indices(n: int, k: int = 0, m: int | None = None, chunks: Any = "auto") -> tuple:
    """The positions on a diagonal of a matrix of ``n`` rows and above it; of unknown number."""
    from samite.array.conditions import nonzero

    return nonzero(~tri(n, m, k=k - 1, dtype=bool, chunks=chunks))


def tril_indices_from(arr: Any, k: int = 0) -> tuple:
    """:func:`tril_indices` for the shape and chunks of a matrix.

    Raises
    ------
    ValueError
        If the array has not two dimensions.
    """
    if arr.ndim != 2:
        raise ValueError("input array must be 2-d")
    return tril_indices(arr.shape[-2], k=k, m=arr.shape[-1], chunks=asanyarray(arr).chunks)


def triu_indices_from(arr: Any, k: int = 0) -> tuple:
    """:func:`triu_indices` for the shape and chunks of a matrix. Raises as the other."""
    if arr.ndim != 2:
        raise ValueError("input array must be 2-d")
    return triu_indices(arr.shape[-2], k=k, m=arr.shape[-1], chunks=asanyarray(arr).chunks)


def diag(v: Any, k: int = 0) -> Array:
    """The matrix with these elements on a diagonal, or the diagonal of a matrix.

    Raises
    ------
    TypeError
        If it is no array.
    ValueError
        If it has other than one or two dimensions.
    """
    if not isinstance(v, (Array, np.ndarray)) and not hasattr(v, "__array_function__"):
        raise TypeError(f"v must be a dask array or numpy array, got {type(v)}")
    v = asanyarray(v)
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError("Array must be 1d or 2d only")
    # One block stands alone on the diagonal, and nothing beside it has to be as long as it is.
    if has_unknown(v.chunks[0]) and (len(v.chunks[0]) > 1 or k):
        raise ValueError("diag: the length has to be known; x.compute_chunk_sizes() finds it")
    offset = abs(k)
    sizes = v.chunks[0]
    beside = (offset,) if offset else ()
    rows, columns = (sizes + beside, beside + sizes) if k > 0 else (beside + sizes, sizes + beside)
    meta = meta_from_array(v._meta, ndim=2)
    name = f"diag-{tokenize(v, k)}"
    row_shift, column_shift = (0, len(beside)) if k > 0 else (len(beside), 0)
    layer = {}
    for i, height in enumerate(rows):
        for j, width in enumerate(columns):
            key = (name, i, j)
            n = i - row_shift
            if n == j - column_shift and 0 <= n < len(sizes):
                layer[key] = Task(key, np.diag, TaskRef((v.name, n)))
            else:
                layer[key] = Task(key, _zeros, meta, (height, width))
    return make_array(name, layer, (rows, columns), meta, [v])


def _zeros(meta: Any, shape: tuple[int, int]) -> Any:
    return np.zeros_like(meta, shape=shape)


def diagflat(v: Any, k: int = 0) -> Array:
    """The matrix with the elements of an array, taken as flat, on a diagonal."""
    return diag(asanyarray(v).ravel(), k)


def diag_indices(n: int, ndim: int = 2, *, chunks: Any = "auto") -> tuple[Array, ...]:
    """The positions on the main diagonal of an array of length ``n`` along every axis."""
    from samite.array.creation import arange

    return (arange(n, chunks=chunks),) * ndim


def diag_indices_from(arr: Any) -> tuple[Array, ...]:
    """:func:`diag_indices` for an array.

    Raises
    ------
    ValueError
        If it has less than two dimensions, or its lengths differ.
    """
    arr = asanyarray(arr)
    if arr.ndim < 2:
        raise ValueError("input array must be at least 2-d")
    if len(set(arr.shape)) > 1:
        raise ValueError("All dimensions of input must be of equal length")
    return diag_indices(arr.shape[0], arr.ndim, chunks=(arr.chunks[0],))


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The elements on a diagonal of two axes, in a new last axis.

    Raises
    ------
    ValueError
        If there are less than two axes, or both are the same.
    numpy.exceptions.AxisError
        If there is no such axis.
    """
    a = asanyarray(a)
    if a.ndim < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    axis1, axis2 = normalize_axis(axis1, a.ndim), normalize_axis(axis2, a.ndim)
    if axis1 == axis2:
        raise ValueError("axis1 and axis2 cannot be the same")
    if has_unknown(a.chunks[axis1]) or has_unknown(a.chunks[axis2]):
        raise ValueError("diagonal: the lengths of both axes have to be known")
    segments = _segments(a, offset, axis1, axis2)
    kept = [axis for axis in range(a.ndim) if axis not in (axis1, axis2)]
    name = f"diagonal-{tokenize(a, offset, axis1, axis2)}"
    take = functools.partial(_diagonal_block, axis1=axis1, axis2=axis2)
    layer = {}
    for place in product(*(range(a.numblocks[axis]) for axis in kept)):
        for n, (i, j, local, _) in enumerate(segments):
            source = dict(zip(kept, place))
            source[axis1], source[axis2] = i, j
            key = (name, *place, n)
            ref = TaskRef((a.name, *(source[axis] for axis in range(a.ndim))))
            layer[key] = Task(key, take, ref, local)
    chunks = (*(a.chunks[axis] for axis in kept), tuple(length for *_, length in segments))
    return make_array(name, layer, chunks, meta_from_array(a._meta, ndim=a.ndim - 1), [a])


def _segments(a: Array, offset: int, axis1: int, axis2: int) -> list[tuple[int, int, Any, int]]:
    """The blocks that the diagonal goes through: their places, its offset in them, its length."""
    rows, columns = boundaries(a.chunks[axis1]), boundaries(a.chunks[axis2])
    row, column = max(0, -offset), max(0, offset)
    length = min(rows[-1] - row, columns[-1] - column)
    if length <= 0:
        return [(0, 0, None, 0)]
    edges = {edge - row for edge in rows} | {edge - column for edge in columns}
    cuts = sorted({0, length, *(edge for edge in edges if 0 < edge < length)})
    result = []
    for start, stop in zip(cuts, cuts[1:]):
        i, j = locate(rows, row + start), locate(columns, column + start)
        local = (column + start - columns[j]) - (row + start - rows[i])
        result.append((i, j, local, stop - start))
    return result


def _diagonal_block(block: Any, offset: int | None, axis1: int, axis2: int) -> Any:
    if offset is None:
        # Beside the block there is nothing.
        offset = block.shape[axis2]
    return np.diagonal(block, offset, axis1, axis2)
