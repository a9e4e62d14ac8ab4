"""How many elements are in each of some intervals."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from samite.array import kernels
from samite.array.blockwise import blockwise
from samite.array.chunks import is_unknown
from samite.array.core import Array
from samite.array.flat_trees import flat_tree
from samite.array.storage import asanyarray
from samite.base import is_dask_collection

__all__ = [
    "bincount", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd",
]  # fmt: skip


def histogram(
    a: Any,
    bins: Any = None,
    range: Any = None,
    normed: bool = False,
    weights: Any = None,
    density: bool | None = None,
) -> tuple[Array, Any]:
    """How many elements are in each bin.

    Parameters
    ----------
    a:
        The array; its shape has no meaning.
    bins:
        The edges of the bins, or their number, which needs ``range``. May be lazy.
    range:
        The first and last edge, which may be lazy.
    weights:
        What each element counts, in the shape of ``a``.
    density:
        Divide by the sum and by the widths of the bins.

    Returns
    -------
    The counts, and the edges: lazy if what they are made of is.

    Raises
    ------
    ValueError
        If bins and range do not tell the edges, or the weights do not fit.
    NotImplementedError
        If a density is wanted for a lazy number of bins.
    """
    if normed:
        raise ValueError(
            "The normed= keyword argument has been deprecated. Please use density instead."
        )
    a = asanyarray(a)
    weights = _fitting(weights, a)
    edges, lazy_count = _edges(a, bins, range)
    if density and lazy_count:
        raise NotImplementedError(
            "When `density` is True, `bins` cannot be a scalar Dask object. It must be a concrete "
            "number or a (possibly-delayed) array/sequence of bin edges."
        )
    counts = _counts(a, weights, edges, bins, range)
    if not density:
        return counts, edges
    widths = np.diff(edges) if not isinstance(edges, Array) else _widths(edges)
    return counts / widths.astype(float) / counts.sum(), edges


def _widths(edges: Array) -> Array:
    from samite.array.differences import diff

    return diff(edges.rechunk(-1))


def _fitting(weights: Any, a: Array) -> Array | None:
    if weights is None:
        return None
    weights = asanyarray(weights)
    if not _cut_alike(weights, a):
        if weights.shape != a.shape:
            raise ValueError(
                f"histogram: weights of shape {weights.shape} do not fit the array of shape "
                f"{a.shape}; both must have the same shape and chunks"
            )
        weights = weights.rechunk(a.chunks)
    return weights


def _same_sizes(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Whether blocks are of the same lengths; those that are not known are believed to be."""
    return len(first) == len(second) and all(
        m == n or (is_unknown(m) and is_unknown(n)) for m, n in zip(first, second)
    )


def _cut_alike(first: Array, second: Array) -> bool:
    return first.ndim == second.ndim and all(map(_same_sizes, first.chunks, second.chunks))


def _is_scalar(bins: Any) -> bool:
    if isinstance(bins, Array):
        return bins.ndim == 0
    return is_dask_collection(bins) or np.ndim(bins) == 0


def _edges(a: Array, bins: Any, range: Any) -> tuple[Any, bool]:
    """The edges of bins, and whether their number is lazy."""
    if isinstance(bins, str):
        raise ValueError(f"histogram: bins={bins!r} would need the whole array; give their edges")
    if bins is None or (_is_scalar(bins) and range is None):
        raise ValueError(
            "dask.array.histogram requires either specifying bins as an iterable or specifying "
            "both a range and the number of bins"
        )
    if range is not None:
        try:
            number = len(range)
        except TypeError:
            raise TypeError(f"Expected a sequence or array for range, not {range!r}") from None
        if number != 2:
            raise ValueError(
                f"range must be a sequence or array of length 2, but got {number} items"
            )
        if any(not is_dask_collection(end) and np.ndim(end) for end in range) or any(
            isinstance(end, Array) and end.ndim for end in range
        ):
            raise ValueError(f"the two ends of range must be scalars, not {range!r}")
    if not _is_scalar(bins):
        if isinstance(bins, Array):
            if bins.ndim != 1:
                raise ValueError(f"bins must be a 1-dimensional array or sequence, not {bins!r}")
            return bins, False
        edges = np.asarray(bins)
        if edges.ndim != 1:
            raise ValueError(
                f"bins must be a 1-dimensional array or sequence, got the shape {edges.shape}"
            )
        if (edges[:-1] > edges[1:]).any():
            raise ValueError("`bins` must increase monotonically, when an array")
        return edges, False
    lazy_count = is_dask_collection(bins)
    if not lazy_count:
        count = int(bins)
        if count != bins or count < 1:
            raise ValueError("`bins` must be a positive integer, a string, or an array")
    if not lazy_count and not any(is_dask_collection(end) for end in range):
        empty = np.empty(0, dtype=a.dtype)
        return np.histogram_bin_edges(empty, int(bins), tuple(range)), False
    ends = [_lazy_scalar(end, float) for end in range]
    length = float("nan") if lazy_count else int(bins) + 1
    pairs = [part for end in ends for part in _as_pair(end)]
    edges = blockwise(
        _edges_block, ("edge",), *pairs, *_as_pair(_lazy_scalar(bins, int)),
        new_axes={"edge": length}, dtype=float, meta=np.empty(0), token="histogram-edges",
    )  # fmt: skip
    return edges, lazy_count


def _lazy_scalar(value: Any, dtype: Any) -> Any:
    if is_dask_collection(value) and not isinstance(value, Array):
        from samite.array.storage import from_delayed

        return from_delayed(value, shape=(), dtype=dtype)
    return value


def _as_pair(value: Any) -> tuple[Any, Any]:
    return value, (() if isinstance(value, Array) else None)


def _edges_block(start: Any, stop: Any, count: Any) -> np.ndarray:
    ends = (np.asarray(start)[()], np.asarray(stop)[()])
    return np.histogram_bin_edges(np.empty(0), int(count), ends)


def _counts(a: Array, weights: Array | None, edges: Any, bins: Any, range: Any) -> Array:
    axes = tuple(("axis", n) for n in np.arange(a.ndim).tolist())
    pairs: list[Any] = [a, axes]
    if weights is not None:
        pairs += [weights, axes]
    dtype = np.dtype(np.intp) if weights is None else weights.dtype
    lazy = isinstance(edges, Array)
    if lazy:
        pairs += [edges, ("edge",)]
        number = edges.shape[0] - 1
        given: Any = None
    else:
        number = len(edges) - 1
        # NumPy is faster where it knows that all bins have the same width.
        given = (edges, None) if not _is_scalar(bins) else (int(bins), tuple(range))
    parts = blockwise(
        functools.partial(_histogram_block, given=given, weighted=weights is not None),
        (*axes, "bin"), *pairs,
        new_axes={"bin": number}, adjust_chunks=dict.fromkeys(axes, 1), concatenate=True,
        dtype=dtype, meta=np.empty((0,) * (a.ndim + 1), dtype=dtype), token="histogram",
    )  # fmt: skip
    if not axes:
        return parts
    return parts.sum(axis=tuple(np.arange(a.ndim).tolist()), dtype=dtype)


def _histogram_block(block: Any, *rest: Any, given: Any, weighted: bool) -> np.ndarray:
    weights = rest[0] if weighted else None
    bins, ends = given if given is not None else (rest[-1], None)
    # A block without axes is counted as one of one element.
    flat = block if np.ndim(block) else np.reshape(block, 1)
    if weighted and not np.ndim(weights):
        weights = np.reshape(weights, 1)
    counts = kernels.histogram(flat, bins, range=ends, weights=weights)[0]
    return counts.reshape((1,) * np.ndim(block) + counts.shape)


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """The edges that :func:`histogram` would use; without a range those of the array, computed."""
    a = asanyarray(a)
    if range is None and _is_scalar(bins) and not isinstance(bins, str):
        from samite.base import compute

        range = compute(a.min(), a.max())
    return _edges(a, bins, range)[0]


def histogram2d(
    x: Any,
    y: Any,
    bins: Any = 10,
    range: Any = None,
    normed: bool | None = None,
    weights: Any = None,
    density: bool | None = None,
) -> tuple[Array, Array, Array]:
    """How many pairs of elements are in each rectangle.

    Takes the arguments of :func:`histogramdd`; ``bins`` can also be the edges for both axes.

    Returns
    -------
    The counts, and the edges along both axes.
    """
    if isinstance(bins, Iterable):
        bins = list(bins)
        if len(bins) == 1 or (len(bins) != 2 and np.ndim(bins) == 1):
            bins = [bins[0] if len(bins) == 1 else np.asarray(bins)] * 2
    counts, edges = histogramdd((x, y), bins, range, normed, weights, density)
    return counts, edges[0], edges[1]


def histogramdd(
    sample: Any,
    bins: Any,
    range: Any = None,
    normed: bool | None = None,
    weights: Any = None,
    density: bool | None = None,
) -> tuple[Array, list[Array]]:
    """How many points are in each cell of a grid.

    Parameters
    ----------
    sample:
        An array of the shape (points, dimensions), cut along the first axis only, or an array of
        coordinates for each dimension, all cut alike.
    bins:
        For each dimension the edges, or their number; or one number for all.
    range:
        For each dimension the first and last edge; needed where bins are numbers.
    normed:
        Dask's old name of ``density``.
    weights:
        What each point counts, cut as the sample is.
    density:
        Divide by the sum and by the volumes of the cells.

    Returns
    -------
    The counts, and a list of the edges along each dimension.

    Raises
    ------
    ValueError
        If the sample, the weights, the bins and the range do not fit each other.
    TypeError
        If both ``normed`` and ``density`` are given.
    """
    if normed is not None:
        if density is not None:
            raise TypeError("Cannot specify both 'normed' and 'density'")
        density = normed
    columns, axes = _columns(sample)
    dimensions = len(columns) if len(axes) == 1 else columns[0].shape[1]
    if weights is not None:
        weights = _point_weights(asanyarray(weights), columns, len(axes) == 2)
    bins, range = _checked_bins(bins, range, dimensions)
    edges = np.histogramdd(np.empty((0, dimensions)), bins=bins, range=range)[1]
    index = tuple(("bin", n) for n in np.arange(dimensions).tolist())
    pairs: list[Any] = []
    for column in columns:
        pairs += [column, axes]
    if weights is not None:
        pairs += [weights, axes[:1]]
    parts = blockwise(
        functools.partial(_cells_block, edges=edges, weighted=weights is not None),
        ("point", *index), *pairs, concatenate=True,
        new_axes={i: len(e) - 1 for i, e in zip(index, edges)}, adjust_chunks={"point": 1},
        dtype=float, meta=np.empty((0,) * (dimensions + 1)), token="histogramdd",
    )  # fmt: skip
    counts = parts.sum(axis=0)
    if density:
        for n, edge in enumerate(edges):
            shape = tuple(-1 if m == n else 1 for m in np.arange(dimensions))
            counts = counts / np.diff(edge).reshape(shape)
        counts = counts / parts.sum()
    return counts, [asanyarray(edge) for edge in edges]


def _columns(sample: Any) -> tuple[list[Array], tuple[str, ...]]:
    """The arrays of coordinates, and the indices of their axes."""
    if isinstance(sample, (Array, np.ndarray)) or hasattr(sample, "shape"):
        sample = asanyarray(sample)
        if sample.ndim != 2:
            raise ValueError("Single array input to histogramdd should be columnar")
        if sample.numblocks[1] > 1:
            raise ValueError(
                "Input array can only be chunked along the 0th axis; rechunk({1: -1}) does that"
            )
        return [sample], ("point", "dimension")
    columns = [asanyarray(column) for column in sample]
    if any(column.ndim != 1 for column in columns):
        raise ValueError("histogramdd: the coordinates must be arrays of one dimension")
    if not all(_cut_alike(column, columns[0]) for column in columns):
        raise ValueError("All coordinate arrays must be chunked identically.")
    return columns, ("point",)


def _point_weights(weights: Array, columns: list[Array], columnar: bool) -> Array:
    if weights.ndim != 1 or not _same_sizes(weights.chunks[0], columns[0].chunks[0]):
        if columnar:
            raise ValueError(
                "Input array and weights must have the same shape and chunk structure along the "
                "first dimension."
            )
        raise ValueError(
            "Input arrays and weights must have the same shape and chunk structure."
        )  # fmt: skip
    return weights


def _checked_bins(bins: Any, range: Any, dimensions: int) -> tuple[Any, Any]:
    if isinstance(bins, (int, np.integer)):
        bins = (int(bins),) * dimensions
    bins = list(bins)
    if len(bins) != dimensions:
        raise ValueError(
            "The dimension of bins must be equal to the dimension of the sample."
        )  # fmt: skip
    if range is not None:
        if len(range) != dimensions:
            raise ValueError(
                "range argument requires one entry, a min max pair, per dimension."
            )  # fmt: skip
        if not all(isinstance(pair, (Sequence, np.ndarray)) and len(pair) == 2 for pair in range):
            raise ValueError("range argument should be a sequence of pairs")
    elif any(np.ndim(part) == 0 for part in bins):
        raise ValueError("histogramdd: a number of bins needs a range; give it, or the edges")
    return [part if np.ndim(part) == 0 else np.asarray(part) for part in bins], range


def _cells_block(*blocks: Any, edges: Any, weighted: bool) -> np.ndarray:
    columns = blocks[:-1] if weighted else blocks
    sample = columns[0] if columns[0].ndim == 2 else list(columns)
    weights = blocks[-1] if weighted else None
    return np.histogramdd(sample, bins=edges, weights=weights)[0][None]


def bincount(
    x: Any, weights: Any = None, minlength: int = 0, split_every: int | None = None
) -> Array:  # fmt: skip
    """How often each number from zero up is in an array.

    Parameters
    ----------
    weights:
        What each element counts.
    minlength:
        The least length of the result. Without it the length is not known before computing.
    split_every:
        How many results of chunks are put together at a time.

    Raises
    ------
    ValueError
        If the array has other than one dimension, or the weights do not fit.
    TypeError
        If the elements are not integers.
    """
    x = asanyarray(x)
    if x.ndim != 1:
        raise ValueError(f"bincount: the array must have one dimension, not {x.ndim}")
    if x.dtype.kind not in "iub":
        raise TypeError(f"bincount: the elements must be integers, not {x.dtype}")
    if minlength < 0:
        raise ValueError("'minlength' must not be negative")
    arrays = [x]
    if weights is not None:
        weights = asanyarray(weights)
        if not _cut_alike(weights, x):
            if weights.shape != x.shape:
                raise ValueError(
                    f"The weights and list don't have the same length: {weights.shape}, {x.shape}"
                )
            weights = weights.rechunk(x.chunks)
        arrays.append(weights)
    # NumPy's result for a chunk without elements is of integers even if there are weights.
    dtype = np.dtype(np.intp if weights is None else float)
    return flat_tree(
        arrays, functools.partial(_bincount_block, int(minlength), dtype), _added,
        name="bincount", chunks=((int(minlength) or float("nan"),),), meta=np.empty(0, dtype=dtype),
        split_every=split_every,
    )  # fmt: skip


def _bincount_block(
    minlength: int, dtype: np.dtype, block: Any, weights: Any = None
) -> np.ndarray:  # fmt: skip
    return np.bincount(block, weights, minlength=minlength).astype(dtype, copy=False)


def _added(counts: list[np.ndarray]) -> np.ndarray:
    """The sum of arrays of different lengths."""
    result = np.zeros(max(map(len, counts)), dtype=counts[0].dtype)
    for part in counts:
        result[: len(part)] += part
    return result
