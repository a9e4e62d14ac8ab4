"""Arrays as sets: the different elements, and which are in others too.

How many there are is not known before computing.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from samite.array.assembly import join
from samite.array.blockwise import blockwise
from samite.array.chunks import has_unknown
from samite.array.concatenation import concatenate
from samite.array.core import Array
from samite.array.flat_trees import flat_tree
from samite.array.storage import asanyarray
from samite.array.utils import meta_from_array, normalize_axis
from samite.layers import ArraySliceDep

__all__ = [
    "in1d", "intersect1d", "isin", "setdiff1d", "setxor1d", "union1d", "unique", "unique_all",
    "unique_counts", "unique_inverse", "unique_values",
]  # fmt: skip

_UNKNOWN = float("nan")


class UniqueAllResult(NamedTuple):
    """What :func:`unique_all` gives."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCountsResult(NamedTuple):
    """What :func:`unique_counts` gives."""

    values: Array
    counts: Array


class UniqueInverseResult(NamedTuple):
    """What :func:`unique_inverse` gives."""

    values: Array
    inverse_indices: Array


def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """The different elements, in ascending order.

    Parameters
    ----------
    return_index:
        Give also the first position of each, in the flat array.
    return_inverse:
        Give also the position among the different elements of each element of the array.
    return_counts:
        Give also how often each is there.
    axis:
        Take the parts along an axis as elements.
    equal_nan:
        Whether all NaN are one element.
    sorted:
        The elements are always in order here.

    Returns
    -------
    The elements, or a tuple of them and what is to be returned besides.

    Raises
    ------
    NotImplementedError
        If the inverse is wanted of parts along an axis.
    ValueError
        If positions are wanted and the shape is not known.
    """
    ar = asanyarray(ar)
    if axis is not None:
        axis = normalize_axis(axis, ar.ndim)
        if return_inverse:
            raise NotImplementedError("unique: return_inverse is not possible with an axis")
        ar = ar.rechunk({n: -1 for n in range(ar.ndim) if n != axis})
    if return_index and any(has_unknown(sizes) for sizes in ar.chunks):
        raise ValueError(
            "unique: positions need a known shape; x.compute_chunk_sizes() finds it"
        )  # fmt: skip
    places = ArraySliceDep(ar.chunks) if return_index else None
    shape = ar.shape if return_index else None
    options = _Uniques(axis, equal_nan, return_index, return_counts, shape)
    parts = flat_tree(
        [ar], options.of_chunk, options.combine, places=places, name="unique",
        chunks=((_UNKNOWN,),), meta=np.empty(0, dtype=object),
    )  # fmt: skip
    if axis is None:
        values = _part(parts, "values", ((_UNKNOWN,),), meta_from_array(ar._meta, ndim=1))
    else:
        chunks = tuple((_UNKNOWN,) if n == axis else s for n, s in enumerate(ar.chunks))
        values = _part(parts, "values", chunks, meta_from_array(ar._meta))
    results = [values]
    positions = np.empty(0, dtype=np.intp)
    if return_index:
        results.append(_part(parts, "index", ((_UNKNOWN,),), positions))
    if return_inverse:
        axes = tuple(range(ar.ndim))
        results.append(
            blockwise(
                functools.partial(_inverse_block, equal_nan=equal_nan), axes,
                ar, axes, values, ("values",), concatenate=True, dtype=np.intp, token="inverse",
                meta=np.empty((0,) * ar.ndim, dtype=np.intp),
            )
        )  # fmt: skip
    if return_counts:
        results.append(_part(parts, "counts", ((_UNKNOWN,),), positions))
    return values if len(results) == 1 else tuple(results)


def _part(parts: Array, which: str, chunks: Any, meta: Any) -> Array:
    axes = tuple(range(len(chunks)))
    new = {n: chunks[n] for n in axes[1:]}
    # The one chunk of ``parts`` is a dict; each part is an array of its own.
    return blockwise(
        _get_part, axes, parts, axes[:1], which=which, new_axes=new, dtype=meta.dtype, meta=meta,
        adjust_chunks=dict(zip(axes, chunks)), token=f"unique-{which}",
    )  # fmt: skip


def _get_part(parts: dict[str, Any], which: str) -> Any:
    return parts[which]


class _Uniques:
    """The different elements of a chunk, and of several such results together."""

    def __init__(
        self, axis: int | None, equal_nan: bool, index: bool, counts: bool, shape: Any
    ) -> None:
        self.axis, self.equal_nan, self.index, self.counts = axis, equal_nan, index, counts
        self.shape = shape

    def _key(self) -> tuple[Any, ...]:
        return (self.axis, self.equal_nan, self.index, self.counts, self.shape)

    def __dask_tokenize__(self) -> Any:
        return ("uniques", self._key())

    def _unique(self, block: Any, **kwargs: Any) -> Any:
        if block.dtype.names is None and block.dtype.kind != "O":
            kwargs["equal_nan"] = self.equal_nan
        return np.unique(block, axis=self.axis, **kwargs)

    def of_chunk(self, *args: Any) -> dict[str, Any]:
        block = np.asanyarray(args[-1])
        if not self.index and not self.counts:
            return {"values": self._unique(block)}
        values, index, counts = self._unique(block, return_index=True, return_counts=True)
        parts = {"values": values, "counts": counts}
        if self.index:
            place = args[0]
            if self.axis is not None:
                parts["index"] = index + place[self.axis].start
            else:
                inner: Any = [index] * block.ndim
                if block.size and block.ndim:
                    inner = np.unravel_index(index, block.shape)
                flat = np.zeros(len(index), dtype=np.intp)
                for part, length, at in zip(place, self.shape, inner):
                    flat = flat * length + part.start + at
                parts["index"] = flat
        return parts

    def combine(self, parts: list[dict[str, Any]]) -> dict[str, Any]:
        if len(parts) == 1:
            return parts[0]
        values = join([part["values"] for part in parts], self.axis or 0)
        if not self.index and not self.counts:
            return {"values": self._unique(values)}
        values, inverse = self._unique(values, return_inverse=True)
        inverse = inverse.reshape(-1)
        number = values.shape[self.axis or 0]
        result = {"values": values, "counts": np.zeros(number, dtype=np.intp)}
        np.add.at(result["counts"], inverse, np.concatenate([part["counts"] for part in parts]))
        if self.index:
            result["index"] = np.full(number, np.iinfo(np.intp).max, dtype=np.intp)
            found = np.concatenate([part["index"] for part in parts])
            np.minimum.at(result["index"], inverse, found)
        return result


def _inverse_block(block: Any, values: Any, equal_nan: bool) -> np.ndarray:
    block = np.asanyarray(block)
    if not equal_nan and block.dtype.kind in "fc" and np.isnan(block).any():
        raise ValueError(
            "unique: the inverse is not found where every NaN counts as different; "
            "equal_nan=True takes them as one"
        )
    if block.dtype.names is not None:
        # Records cannot be searched for; among themselves they can be ordered.
        joined = np.concatenate([values, block.reshape(-1)])
        return np.unique(joined, return_inverse=True)[1][len(values) :].reshape(block.shape)
    return np.asarray(np.searchsorted(values, block), dtype=np.intp)


def unique_values(x: Any, /) -> Array:
    """The different elements; every NaN counts as different."""
    return unique(x, equal_nan=False)


def unique_counts(x: Any, /) -> UniqueCountsResult:
    """The different elements, and how often each is there."""
    return UniqueCountsResult(*unique(x, return_counts=True, equal_nan=False))


def unique_inverse(x: Any, /) -> UniqueInverseResult:
    """The different elements, and the position among them of each element."""
    return UniqueInverseResult(*unique(x, return_inverse=True, equal_nan=False))


def unique_all(x: Any, /) -> UniqueAllResult:
    """The different elements, with first positions, the inverse and counts."""
    results = unique(
        x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )  # fmt: skip
    return UniqueAllResult(*results)


def isin(
    element: Any,
    test_elements: Any,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    kind: str | None = None,
) -> Array:
    """Whether each element of an array is among others.

    Parameters
    ----------
    test_elements:
        The others; their shape has no meaning.
    invert:
        Whether each is not among them.
    assume_unique, kind:
        As for :func:`numpy.isin`.
    """
    element, others = asanyarray(element), asanyarray(test_elements)
    axes = tuple(("element", n) for n in range(element.ndim))
    tested = tuple(("test", n) for n in range(others.ndim))
    found = blockwise(
        functools.partial(_isin_block, others.ndim, assume_unique, kind),
        axes + tested, element, axes, others, tested,
        adjust_chunks=dict.fromkeys(tested, 1), dtype=bool, token="isin",
        meta=np.empty((0,) * (element.ndim + others.ndim), dtype=bool),
    )  # fmt: skip
    result = found.any(axis=tuple(range(element.ndim, found.ndim))) if tested else found
    return ~result if invert else result


def _isin_block(
    axes: int, assume_unique: bool, kind: str | None, element: Any, others: Any
) -> np.ndarray:
    found = np.isin(element, others, assume_unique=assume_unique, kind=kind)
    return found.reshape(found.shape + (1,) * axes)


def in1d(ar1: Any, ar2: Any, assume_unique: bool = False, invert: bool = False) -> Array:
    """:func:`isin` for the elements of an array in one dimension."""
    return isin(asanyarray(ar1).ravel(), ar2, assume_unique, invert)


def _both(ar1: Any, ar2: Any) -> Array:
    return concatenate([asanyarray(ar1).ravel(), asanyarray(ar2).ravel()])


def union1d(ar1: Any, ar2: Any) -> Array:
    """The different elements of two arrays, in ascending order."""
    return unique(_both(ar1, ar2))


def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    """The different elements that are in both of two arrays, in ascending order.

    Parameters
    ----------
    return_indices:
        Give also the first positions in both arrays, taken as flat.
    """
    ar1, ar2 = asanyarray(ar1), asanyarray(ar2)
    if not return_indices:
        values = unique(ar1)
        return values[isin(values, ar2)].astype(np.result_type(ar1.dtype, ar2.dtype))
    values, first = unique(ar1, return_index=True)
    others, second = unique(ar2, return_index=True)
    here, there = isin(values, others), isin(others, values)
    common = values[here].astype(np.result_type(ar1.dtype, ar2.dtype))
    return common, first[here], second[there]


def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Array:
    """The different elements of one array that are not in another.

    They are in ascending order, unless they are said to be different already.
    """
    ar1 = asanyarray(ar1)
    values = ar1.ravel() if assume_unique else unique(ar1)
    return values[isin(values, ar2, invert=True)]


def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Array:
    """The different elements that are in one of two arrays only, in ascending order."""
    first, second = unique(ar1), unique(ar2)
    apart = [first[isin(first, second, invert=True)], second[isin(second, first, invert=True)]]
    return unique(concatenate(apart))
