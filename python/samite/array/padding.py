"""Arrays with more elements before and behind those that they have.

One axis is done after the other, each on the result of those before, so that the corners are what
NumPy makes of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array.blockwise import blockwise
from samite.array.chunks import regular
from samite.array.concatenation import concatenate
from samite.array.core import Array
from samite.array.creation import empty_like, full_like
from samite.array.elementwise import where
from samite.array.storage import asanyarray

__all__ = ["pad"]

_OPTIONS: dict[str, dict[str, Any]] = {
    "constant": {"constant_values": 0},
    "edge": {},
    "empty": {},
    "linear_ramp": {"end_values": 0},
    "maximum": {"stat_length": None},
    "mean": {"stat_length": None},
    "median": {"stat_length": None},
    "minimum": {"stat_length": None},
    "reflect": {"reflect_type": "even"},
    "symmetric": {"reflect_type": "even"},
    "wrap": {},
}


def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Array:
    """Put elements before and behind those of an array, along every axis.

    Parameters
    ----------
    pad_width:
        How many: a number, a pair (before, behind), or a pair for each axis; or a dict of these
        by axis.
    mode:
        ``"constant"``, ``"edge"``, ``"empty"``, ``"linear_ramp"``, ``"maximum"``, ``"mean"``,
        ``"median"``, ``"minimum"``, ``"reflect"``, ``"symmetric"`` or ``"wrap"``; or a function
        of a padded vector, the widths, the axis and the keyword arguments, that changes the vector.
    **kwargs:
        The options of the mode, as for :func:`numpy.pad`.

    Raises
    ------
    ValueError
        If the mode or an option is unknown, a width is negative, or an empty axis is to be
        extended by what it has.
    """
    array = asanyarray(array)
    widths = _widths(pad_width, array.ndim)
    if callable(mode):
        return _by_function(array, widths, mode, kwargs)
    if mode not in _OPTIONS:
        raise ValueError(f"mode '{mode}' is not supported; there are {', '.join(_OPTIONS)}")
    unknown = set(kwargs) - set(_OPTIONS[mode])
    if unknown:
        raise ValueError(f"unsupported keyword arguments for mode '{mode}': {unknown}")
    if not any(width for pair in widths for width in pair):
        return array
    options = {**_OPTIONS[mode], **kwargs}
    for axis, pair in enumerate(widths):
        if pair == (0, 0):
            continue
        length = array.shape[axis]
        if length != length:
            raise ValueError(
                f"pad: the length of axis {axis} is not known; x.compute_chunk_sizes() finds it"
            )
        if not length and mode not in ("constant", "empty"):
            raise ValueError(
                f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'"
            )
        array = _padded(array, axis, pair, mode, options)
    return array


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, dict):
        given = pad_width
        pad_width = [(0, 0)] * ndim
        for axis, width in given.items():
            pad_width[axis] = tuple(np.broadcast_to(width, 2).tolist())
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu" and widths.size:
        raise TypeError("`pad_width` must be of integral type.")
    if (widths < 0).any():
        raise ValueError("index can't contain negative values")
    return [(int(before), int(behind)) for before, behind in _pairs(widths, ndim)]


def _pairs(values: Any, ndim: int) -> list[Any]:
    """A pair for each axis."""
    return list(np.broadcast_to(np.asarray(values), (ndim, 2)))


def _padded(
    x: Array, axis: int, pair: tuple[int, int], mode: str, options: dict[str, Any]
) -> Array:
    if mode in ("constant", "empty"):
        values = _pairs(options.get("constant_values", 0), x.ndim)[axis]
        parts = [_filled(x, axis, n, value, mode) for n, value in zip(pair, values)]
    elif mode == "edge":
        ends = (_slab(x, axis, slice(0, 1)), _slab(x, axis, slice(-1, None)))
        parts = [_repeated(end, x, axis, n) for n, end in zip(pair, ends)]
    elif mode == "linear_ramp":
        ends = (_slab(x, axis, slice(0, 1)), _slab(x, axis, slice(-1, None)))
        targets = _pairs(options["end_values"], x.ndim)[axis]
        parts = [
            _ramp(end, axis, n, target, backwards)
            for n, end, target, backwards in zip(pair, ends, targets, (False, True))
        ]
    elif mode in ("reflect", "symmetric", "wrap"):
        parts = _mirrored(x, axis, pair, mode, options.get("reflect_type", "even"))
    else:
        parts = _statistics(x, axis, pair, mode, options["stat_length"])
    around = [parts[0], x, parts[1]]
    return concatenate([part for part in around if part is not None], axis=axis)


def _slab(x: Array, axis: int, part: Any) -> Array:
    return x[(slice(None),) * axis + (part,)]


def _pieces(x: Array, axis: int, width: int) -> tuple[int, ...]:
    """Blocks for the elements that are added, no longer than the longest of the array."""
    return regular(width, max(1, *x.chunks[axis]))


def _filled(x: Array, axis: int, width: int, value: Any, mode: str) -> Array | None:
    if not width:
        return None
    shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
    chunks = (*x.chunks[:axis], _pieces(x, axis, width), *x.chunks[axis + 1 :])
    if mode == "empty":
        return empty_like(x, shape=shape, chunks=chunks)
    # Assigned to an array of the dtype, as NumPy does, which converts where it is possible.
    value = np.asarray(value).astype(x.dtype)[()]
    return full_like(x, value, shape=shape, chunks=chunks)


def _repeated(end: Array, x: Array, axis: int, width: int) -> Array | None:
    """A slab of one element along the axis, many times."""
    if not width:
        return None
    pieces = [_slab(end, axis, np.zeros(n, dtype=np.intp)) for n in _pieces(x, axis, width)]
    return concatenate(pieces, axis=axis)


def _ramp(end: Array, axis: int, width: int, target: Any, backwards: bool) -> Array | None:
    if not width:
        return None
    axes = tuple(range(end.ndim))
    return blockwise(
        functools.partial(_ramp_block, axis=axis, width=width, target=target, backwards=backwards),
        axes, end, axes,
        adjust_chunks={axis: width}, dtype=end.dtype, meta=end._meta, token="pad-ramp",
    )  # fmt: skip


def _ramp_block(block: Any, axis: int, width: int, target: Any, backwards: bool) -> Any:
    values = np.linspace(
        target, block.squeeze(axis), width, endpoint=False, dtype=block.dtype, axis=axis
    )
    return np.flip(values, axis) if backwards else values


def _mirrored(
    x: Array, axis: int, pair: tuple[int, int], mode: str, reflect_type: str
) -> list[Array | None]:
    if reflect_type not in ("even", "odd"):
        raise ValueError(f"reflect_type must be 'even' or 'odd', not {reflect_type!r}")
    length = x.shape[axis]
    parts: list[Array | None] = []
    for start, width in ((-pair[0], pair[0]), (length, pair[1])):
        pieces = []
        for size in _pieces(x, axis, width) if width else ():
            pieces.append(_reflection(x, axis, np.arange(start, start + size), mode, reflect_type))
            start += size
        parts.append(concatenate(pieces, axis=axis) if pieces else None)
    return parts


def _reflection(
    x: Array, axis: int, positions: np.ndarray, mode: str, reflect_type: str
) -> Array:  # fmt: skip
    """The elements that reflection or repetition puts at positions beyond the ends."""
    length = x.shape[axis]
    if mode == "wrap":
        return _slab(x, axis, positions % length)
    if mode == "reflect" and length == 1:
        return _slab(x, axis, np.zeros(len(positions), dtype=np.intp))
    period = 2 * length if mode == "symmetric" else 2 * (length - 1)
    last = period - 1 if mode == "symmetric" else period
    inside = positions % period
    turned = inside >= length
    source = np.where(turned, last - inside, inside)
    values = _slab(x, axis, source)
    if reflect_type == "even":
        return values
    # What is turned round is also turned round its value at the last element; and every whole
    # period goes up by twice the difference of both ends.
    rounds = positions // period
    shape = (len(positions),) + (1,) * (x.ndim - axis - 1)
    result = values * np.where(turned, -1, 1).reshape(shape).astype(x.dtype)
    for end, factors in ((slice(-1, None), 2 * turned + 2 * rounds), (slice(0, 1), -2 * rounds)):
        if factors.any():
            factors = factors.reshape(shape).astype(x.dtype)
            # NaN and infinity at an end count only where the end does.
            result = result + where(factors != 0, _slab(x, axis, end) * factors, factors)
    return result.astype(x.dtype)


def _statistics(
    x: Array, axis: int, pair: tuple[int, int], mode: str, stat_length: Any
) -> list[Array | None]:
    size = x.shape[axis]
    lengths = [None, None] if stat_length is None else _pairs(stat_length, x.ndim)[axis]
    whole = None
    parts: list[Array | None] = []
    for width, length, front in zip(pair, lengths, (True, False)):
        if not width:
            parts.append(None)
            continue
        taken = size if length is None else min(int(length), size)
        if taken < 0:
            raise ValueError("index can't contain negative values")
        if taken == 0 and mode in ("maximum", "minimum"):
            raise ValueError("stat_length of 0 yields no value for padding")
        if taken == size and whole is not None:
            value = whole
        else:
            value = _statistic(
                _slab(x, axis, slice(0, taken) if front else slice(size - taken, None)), axis, mode
            )
            whole = value if taken == size else None
        parts.append(_repeated(value, x, axis, width))
    return parts


def _statistic(x: Array, axis: int, mode: str) -> Array:
    from samite.array import reductions

    if mode in ("maximum", "minimum"):
        function = reductions.max if mode == "maximum" else reductions.min
        return function(x, axis=axis, keepdims=True)
    if mode == "mean":
        value = reductions.mean(x, axis=axis, keepdims=True)
    else:
        axes = tuple(range(x.ndim))
        value = blockwise(
            functools.partial(np.median, axis=axis, keepdims=True),
            axes, x.rechunk({axis: -1}), axes, adjust_chunks={axis: 1}, token="pad-median",
            dtype=np.median(np.ones(1, dtype=x.dtype)).dtype,
        )  # fmt: skip
    if x.dtype.kind in "iu":
        value = np.rint(value)
    return value.astype(x.dtype)


def _by_function(
    array: Array, widths: list[tuple[int, int]], function: Callable, kwargs: dict[str, Any]
) -> Array:
    array = pad(array, widths, "constant")
    for axis, pair in enumerate(widths):
        array = array.rechunk({axis: -1}).map_blocks(
            functools.partial(_apply_to_vectors, function, axis, pair, kwargs),
            dtype=array.dtype, meta=array._meta, token="pad",
        )  # fmt: skip
    return array


def _apply_to_vectors(
    function: Callable, axis: int, pair: tuple[int, int], kwargs: dict[str, Any], block: Any
) -> Any:
    block = np.array(block)
    vectors = np.moveaxis(block, axis, -1)
    for place in np.ndindex(*vectors.shape[:-1]):
        function(vectors[place], pair, axis, kwargs)
    return block
