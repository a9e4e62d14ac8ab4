"""Arrays put together in the ways that have names of their own, and taken apart again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from samite.array.chunks import is_unknown
from samite.array.concatenation import concatenate
from samite.array.core import Array
from samite.array.storage import asanyarray
from samite.array.utils import normalize_axis

__all__ = [
    "append", "array_split", "atleast_1d", "atleast_2d", "atleast_3d", "column_stack", "concat",
    "dsplit", "dstack", "hsplit", "hstack", "split", "unstack", "vsplit", "vstack",
]  # fmt: skip


def _with_axes(arrays: tuple[Any, ...], deepen: Callable[[Array], Array]) -> Any:
    """One array for one, a tuple for several."""
    results = tuple(deepen(asanyarray(array)) for array in arrays)
    return results[0] if len(results) == 1 else results


def atleast_1d(*arys: Any) -> Any:
    """Arrays with at least one axis; one array for one argument, a tuple for several."""
    return _with_axes(arys, lambda x: x if x.ndim else x[None])


def atleast_2d(*arys: Any) -> Any:
    """Arrays with at least two axes; new ones come first."""

    def deepen(x: Array) -> Array:
        return x if x.ndim > 1 else x[(None,) * (2 - x.ndim)]

    return _with_axes(arys, deepen)


def atleast_3d(*arys: Any) -> Any:
    """Arrays with at least three axes; one dimension becomes ``(1, n, 1)``, two ``(m, n, 1)``."""

    def deepen(x: Array) -> Array:
        if x.ndim > 2:
            return x
        if x.ndim == 2:
            return x[:, :, None]
        return x[None, :, None] if x.ndim else x[None, None, None]

    return _with_axes(arys, deepen)


def _sequence(arrays: Any, name: str) -> list[Any]:
    if isinstance(arrays, (Array, np.ndarray)) or not isinstance(arrays, Sequence):
        # An array is a sequence to NumPy, but one that would be taken apart row by row here.
        kind = NotImplementedError if isinstance(arrays, (Array, np.ndarray)) else TypeError
        raise kind(
            f"{name} expects a sequence of arrays as the first argument, not "
            f"{type(arrays).__name__}"
        )
    return list(arrays)


def vstack(tup: Sequence[Any], allow_unknown_chunksizes: bool = False, *, dtype=None) -> Array:
    """Join arrays along the first axis, after giving them two.

    Raises
    ------
    TypeError
        If the arrays do not come in a sequence.
    ValueError
        If the shapes do not fit.
    """
    arrays = [atleast_2d(x) for x in _sequence(tup, "vstack")]
    return _as(concatenate(arrays, 0, allow_unknown_chunksizes), dtype)


def hstack(tup: Sequence[Any], allow_unknown_chunksizes: bool = False, *, dtype=None) -> Array:
    """Join arrays along the second axis, or along the only one. Raises as :func:`vstack`."""
    arrays = [atleast_1d(x) for x in _sequence(tup, "hstack")]
    axis = 0 if all(x.ndim == 1 for x in arrays) else 1
    return _as(concatenate(arrays, axis, allow_unknown_chunksizes), dtype)


def dstack(tup: Sequence[Any], allow_unknown_chunksizes: bool = False) -> Array:
    """Join arrays along the third axis, after giving them three. Raises as :func:`vstack`."""
    arrays = [atleast_3d(x) for x in _sequence(tup, "dstack")]
    return concatenate(arrays, 2, allow_unknown_chunksizes)


def column_stack(tup: Sequence[Any], allow_unknown_chunksizes: bool = False) -> Array:
    """Join arrays along the second axis; those of one dimension become columns.

    Raises as :func:`vstack`.
    """
    arrays = [asanyarray(x) for x in _sequence(tup, "column_stack")]
    arrays = [x if x.ndim > 1 else atleast_1d(x)[:, None] for x in arrays]
    return concatenate(arrays, 1, allow_unknown_chunksizes)


def _as(x: Array, dtype: Any) -> Array:
    return x if dtype is None else x.astype(dtype)


def concat(arrays: Sequence[Any], axis: int | None = 0) -> Array:
    """Join arrays along an axis; the array API's name of :func:`concatenate`."""
    return concatenate(arrays, axis=axis)


def append(arr: Any, values: Any, axis: int | None = None) -> Array:
    """Join values to the end of an array.

    Parameters
    ----------
    axis:
        The axis; None takes the elements of both in one dimension.

    Raises
    ------
    numpy.exceptions.AxisError
        If there is no such axis.
    ValueError
        If the shapes do not fit.
    """
    arr, values = asanyarray(arr), asanyarray(values)
    if axis is None:
        return concatenate([arr.ravel(), values.ravel()])
    return concatenate([arr, values], axis=normalize_axis(axis, arr.ndim))


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Parts of an array: cut at positions along an axis, or into a number of parts.

    Raises
    ------
    ValueError
        If the number is not positive, or the length is not known.
    """
    ary = asanyarray(ary)
    axis = normalize_axis(axis, ary.ndim)
    length = ary.shape[axis]
    try:
        cuts = [int(cut) for cut in indices_or_sections]
    except TypeError:
        count = int(indices_or_sections)
        if count <= 0:
            raise ValueError("number sections must be larger than 0.") from None
        if is_unknown(length):
            raise ValueError(
                f"the length of axis {axis} is not known; x.compute_chunk_sizes() finds it"
            ) from None
        small, longer = divmod(length, count)
        sizes = [small + 1] * longer + [small] * (count - longer)
        cuts = np.cumsum(sizes)[:-1].tolist()
    head = (slice(None),) * axis
    return [
        ary[head + (slice(start, stop),)] for start, stop in zip([0, *cuts], [*cuts, None])
    ]  # fmt: skip


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """As :func:`array_split`, for parts of equal length.

    Raises
    ------
    ValueError
        If the length is not a multiple of the number of parts.
    """
    ary = asanyarray(ary)
    if np.ndim(indices_or_sections) == 0:
        length = ary.shape[normalize_axis(axis, ary.ndim)]
        if length % int(indices_or_sections):
            raise ValueError(
                f"array split does not result in an equal division: the length {length} of axis "
                f"{axis} is not a multiple of {indices_or_sections}"
            )
    return array_split(ary, indices_or_sections, axis)


def hsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """:func:`split` along the second axis, or the only one."""
    ary = asanyarray(ary)
    if not ary.ndim:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


def vsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """:func:`split` along the first of at least two axes."""
    ary = asanyarray(ary)
    if ary.ndim < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return split(ary, indices_or_sections, 0)


def dsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """:func:`split` along the third axis."""
    ary = asanyarray(ary)
    if ary.ndim < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return split(ary, indices_or_sections, 2)


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The arrays at every position along an axis.

    Raises
    ------
    ValueError
        If there is no axis, or its length is not known.
    """
    x = asanyarray(x)
    if not x.ndim:
        raise ValueError("Input array must be at least 1-d.")
    axis = normalize_axis(axis, x.ndim)
    if x.shape[axis] != x.shape[axis]:
        raise ValueError(f"unstack: the length of axis {axis} is not known before computing")
    head = (slice(None),) * axis
    return tuple(x[head + (n,)] for n in range(x.shape[axis]))
