"""Assignment to elements of lazy arrays: a new array, some of whose blocks are changed copies.

Every axis is planned on its own, as for indexing: for each block along it, which of the block's
positions are assigned to, and by which positions of the value. The value is cut so that what a
block needs is in one chunk of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import Alias, List, Task, TaskRef
from samite.array.blockwise import blockwise
from samite.array.chunks import boundaries, has_unknown, is_unknown
from samite.array.core import Array, make_array
from samite.array.utils import meta_from_array
from samite.base import is_dask_collection, tokenize

__all__ = ["assigned"]

_ALL = slice(None)


def assigned(x: Array, index: Any, value: Any) -> Array:
    """The array with other elements at an index.

    Parameters
    ----------
    x:
        The array.
    index:
        Integers, slices and ``...``, with one list, array or lazy array of integers or truth
        values along one axis; or a mask of all axes; or the name of a field.
    value:
        A scalar, ``numpy.ma.masked``, or an array (lazy or not) that broadcasts to what is
        indexed.

    Raises
    ------
    IndexError
        If the index does not fit the array.
    ValueError
        If the values do not fit what is indexed, or cannot be converted.
    NotImplementedError
        If several axes are indexed by lists or arrays.
    """
    value = _as_value(value)
    if isinstance(index, str):
        return _with_field(x, index, value)
    parts = index if isinstance(index, tuple) else (index,)
    if len(parts) == 1 and isinstance(parts[0], Array) and parts[0].dtype.kind == "f" and (
        parts[0].ndim == x.ndim
    ):  # fmt: skip
        # Numbers are a mask here, as they are for da.where.
        parts = (parts[0].astype(bool),)
    parts = tuple(_plain(part) for part in parts)
    if len(parts) == 1 and _is_mask(parts[0]) and parts[0].ndim and (
        parts[0].ndim == x.ndim and (x.ndim > 1 or isinstance(parts[0], Array))
    ):  # fmt: skip
        return _by_mask(x, parts[0], value)
    _check_scalar(x, value)
    axes = [_Axis.of(part, length, sizes, n) for n, (part, length, sizes)
            in enumerate(zip(_complete(x, parts), x.shape, x.chunks))]  # fmt: skip
    if sum(axis.is_list for axis in axes) > 1:
        raise NotImplementedError(
            "Assignment with more than one list or array as indices is not supported: "
            "only one axis can have one"
        )
    order = _value_order(axes)
    value = _fitted(value, [axes[n].length for n in order], [axes[n].size for n in order])
    if not all(axis.plan for axis in axes):
        return x
    return _assigned_blocks(x, axes, order, value)


# -- what is given -----------------------------------------------------------------------


def _as_value(value: Any) -> Any:
    """A value without axes, or a lazy array with some."""
    if value is np.ma.masked or isinstance(value, Array):
        return value
    if is_dask_collection(value):
        from samite.array.conversion import asanyarray

        return asanyarray(value)
    if isinstance(value, (str, bytes)) or np.isscalar(value) or value is None:
        return value
    if not hasattr(value, "shape"):
        value = np.asanyarray(list(value) if isinstance(value, range) else value)
    return value


def _plain(part: Any) -> Any:
    """One part of an index: Ellipsis, int, slice, NumPy array or lazy array of one axis."""
    if part is Ellipsis or isinstance(part, slice):
        return part
    if part is None:
        raise NotImplementedError("an axis cannot be added in an assignment")
    if isinstance(part, (bool, np.bool_)):
        raise NotImplementedError("assignment by a single truth value is not supported")
    if isinstance(part, (int, np.integer)):
        return int(part)
    if isinstance(part, Array):
        if not part.ndim:
            if part.dtype.kind == "b":
                raise NotImplementedError("assignment by a single truth value is not supported")
            if part.dtype.kind in "iu":
                # Which block is changed has to be known, so the number is computed now.
                return int(part)
        if part.dtype.kind not in "iub":
            raise IndexError(f"arrays used as indices must be of integer (or boolean) type, "
                             f"not {part.dtype}")  # fmt: skip
        return part
    values = np.asarray(part)
    if not values.size and values.dtype.kind == "f":
        values = values.astype(np.intp)
    if values.dtype.kind not in "iub":
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), and integer or boolean arrays are "
            f"valid indices, not {part!r}"
        )
    if not values.ndim:
        if values.dtype.kind == "b":
            raise NotImplementedError("assignment by a single truth value is not supported")
        return int(values)
    return values


def _is_mask(part: Any) -> bool:
    return isinstance(part, (np.ndarray, Array)) and part.dtype.kind == "b"


def _complete(x: Array, parts: tuple[Any, ...]) -> tuple[Any, ...]:
    used = sum(part is not Ellipsis for part in parts)
    if used > x.ndim:
        raise IndexError(
            f"too many indices for array: array is {x.ndim}-dimensional, but {used} were indexed"
        )
    at = [n for n, part in enumerate(parts) if part is Ellipsis]
    if len(at) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    missing = (_ALL,) * (x.ndim - used)
    if at:
        return parts[: at[0]] + missing + parts[at[0] + 1 :]
    return parts + missing


def _check_scalar(x: Array, value: Any) -> None:
    """Raise at once what NumPy would when a block is changed."""
    if isinstance(value, Array) or value is np.ma.masked or np.ndim(value):
        return
    if x.dtype.kind in "iu" and isinstance(value, (float, np.floating)):
        if math.isnan(value):
            raise ValueError("cannot convert float NaN to integer")
        if math.isinf(value):
            raise ValueError("cannot convert float infinity to integer")
    if type(x._meta) is np.ndarray and not isinstance(value, np.ndarray):
        np.empty((1,), dtype=x.dtype)[0] = value


# -- plans of axes -----------------------------------------------------------------------


@dataclass
class _Axis:
    """What is assigned to along one axis."""

    #: The part of the index: an int, a range, an array of positions, a lazy array or None for all.
    index: Any
    #: How many positions there are; ``nan`` if that is known later. None for an int.
    length: Any
    #: The length of the axis.
    size: Any
    #: For each block that is changed: the index into it and the positions of the value.
    plan: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    #: Where a block's part of the value begins and ends, in the order of the value.
    pieces: list[tuple[int, int]] | None = None

    @property
    def is_list(self) -> bool:
        return isinstance(self.index, (np.ndarray, Array))

    @classmethod
    def of(cls, part: Any, size: Any, sizes: tuple[int, ...], number: int) -> _Axis:
        if isinstance(part, slice) and part == _ALL and (has_unknown(sizes) or is_unknown(size)):
            axis = cls(None, size, size)
            axis.plan = {n: (_ALL, n) for n in range(len(sizes))}
            return axis
        if has_unknown(sizes) or is_unknown(size):
            raise ValueError(
                f"Arrays chunk sizes are unknown along axis {number}, so blocks to assign to "
                "cannot be found. x.compute_chunk_sizes() finds them by computing the array"
            )
        edges = boundaries(sizes)
        if isinstance(part, int):
            return cls._of_int(part, size, edges, number)
        if isinstance(part, slice):
            return cls._of_range(range(size)[part], size, edges)
        if part.ndim != 1:
            raise IndexError(
                f"axis {number} is indexed by an array of {part.ndim} dimensions: only arrays of "
                "one dimension, or masks of all axes, are possible in an assignment"
            )
        if _is_mask(part) and part.shape[0] != size and not is_unknown(part.shape[0]):
            raise IndexError(
                f"boolean index did not match indexed array along axis {number}; size of axis is "
                f"{size} but size of corresponding boolean axis is {part.shape[0]}"
            )
        if isinstance(part, Array):
            length = float("nan") if _is_mask(part) else part.shape[0]
            axis = cls(part, length, size)
            axis.plan = {n: ((edges[n], edges[n + 1]), None) for n in range(len(sizes))}
            return axis
        return cls._of_list(part, size, edges, number)

    @classmethod
    def _of_int(cls, part: int, size: int, edges: list[int], number: int) -> _Axis:
        if not -size <= part < size:
            raise IndexError(f"index {part} is out of bounds for axis {number} with size {size}")
        part %= size
        axis = cls(part, None, size)
        block = int(np.searchsorted(edges, part, side="right")) - 1
        axis.plan = {block: (part - edges[block], None)}
        return axis

    @classmethod
    def _of_range(cls, wanted: range, size: int, edges: list[int]) -> _Axis:
        axis = cls(wanted, len(wanted), size)
        step = wanted.step
        found = []
        for block in range(len(edges) - 1):
            low, high = edges[block], edges[block + 1]
            # The positions within the range whose elements are in this block.
            if step > 0:
                first = max(0, -(-(low - wanted.start) // step))
                last = min(len(wanted), -(-(high - wanted.start) // step))
            else:
                first = max(0, -(-(wanted.start - (high - 1)) // -step))
                last = min(len(wanted), (wanted.start - low) // -step + 1)
            if first >= last:
                continue
            start, end = wanted[first] - low, wanted[last - 1] - low
            stop: int | None = end + (1 if step > 0 else -1)
            if stop is not None and stop < 0:
                stop = None
            found.append((first, last, block, slice(start, stop, step)))
        found.sort()
        axis.pieces = [(first, last) for first, last, _, _ in found]
        axis.plan = {block: (local, n) for n, (_, _, block, local) in enumerate(found)}
        return axis

    @classmethod
    def _of_list(cls, part: np.ndarray, size: int, edges: list[int], number: int) -> _Axis:
        positions = np.flatnonzero(part) if _is_mask(part) else part.astype(np.intp)
        if len(positions) and (positions.min() < -size or positions.max() >= size):
            raise IndexError(f"an index is out of bounds for axis {number} with size {size}")
        positions = np.where(positions < 0, positions + size, positions)
        axis = cls(positions, len(positions), size)
        blocks = np.searchsorted(edges, positions, side="right") - 1
        for block in np.unique(blocks).tolist():
            these = np.flatnonzero(blocks == block)
            axis.plan[block] = (positions[these] - edges[block], these)
        return axis


def _value_order(axes: list[_Axis]) -> list[int]:
    """The axes in the order in which the value has them, by NumPy's rule.

    An integer beside a list counts as a list. Where such axes are not next to one another, what
    they have together comes first.
    """
    rest = [n for n, axis in enumerate(axes) if axis.length is not None and not axis.is_list]
    lists = [n for n, axis in enumerate(axes) if axis.is_list]
    if not lists:
        return rest
    together = [n for n, axis in enumerate(axes) if axis.is_list or axis.length is None]
    if together != list(range(together[0], together[-1] + 1)):
        return lists + rest
    return sorted(lists + rest, key=lambda n: together[0] if n in lists else n)


def _fitted(value: Any, lengths: list[Any], sizes: list[Any]) -> Any:
    """The value, lazy if it has axes, without more axes than what is indexed.

    Raises
    ------
    ValueError
        If it does not broadcast to it.
    """
    if value is np.ma.masked or not np.ndim(value) and not isinstance(value, Array):
        return value
    shape = value.shape
    surplus = len(shape) - len(lengths)
    if surplus > 0:
        if any(length != 1 for length in shape[:surplus]):
            raise ValueError(
                f"could not broadcast input array from shape {shape} into shape {tuple(lengths)}"
            )
        value = value[(0,) * surplus]
    for own, length, size in zip(reversed(value.shape), reversed(lengths), reversed(sizes)):
        if own == 1 or is_unknown(own) or own == length:
            continue
        if is_unknown(length) and (is_unknown(size) or own <= size):
            # Whether a lazy index asks for that many is seen when it is computed.
            continue
        raise ValueError(
            f"could not broadcast input array from shape {shape} into shape {tuple(lengths)}"
        )
    if isinstance(value, Array) or not value.ndim:
        return value
    from samite.array.conversion import from_array

    return from_array(value, chunks=-1)


# -- blocks ------------------------------------------------------------------------------


def _assigned_blocks(x: Array, axes: list[_Axis], order: list[int], value: Any) -> Array:
    dependencies: list[Any] = [x]
    lazy_value = isinstance(value, Array)
    # Which axis of the value, if any, belongs to an axis of the array and is longer than one.
    value_axis: dict[int, int] = {}
    if lazy_value:
        value, value_axis = _cut_value(value, axes, order)
        dependencies.append(value)
    lazy = [n for n, axis in enumerate(axes) if isinstance(axis.index, Array)]
    for n in lazy:
        dependencies.append(axes[n].index)
    name = f"setitem-{tokenize(x, [axis.index for axis in axes], order, value)}"
    masked = value is np.ma.masked or isinstance(getattr(value, "_meta", value), np.ma.MaskedArray)
    layer: dict[Any, Any] = {}
    for position in product(*map(range, x.numblocks)):
        key, source = (name, *position), (x.name, *position)
        if not all(n in axis.plan for n, axis in zip(position, axes)):
            layer[key] = Alias(key, source)
            continue
        entries = [axis.plan[n] for n, axis in zip(position, axes)]
        local = tuple(entry[0] for entry in entries)
        piece: Any = value
        picked: Any = None
        if lazy_value:
            place = [0] * value.ndim
            picks: list[Any] = [_ALL] * value.ndim
            for n, at in value_axis.items():
                if isinstance(entries[n][1], np.ndarray):
                    picks[at] = entries[n][1]
                elif entries[n][1] is not None:
                    place[at] = entries[n][1]
            piece = TaskRef((value.name, *place))
            picked = tuple(picks) if any(part is not _ALL for part in picks) else None
        if lazy:
            (n,) = lazy
            index = axes[n].index
            blocks = List(*(TaskRef((index.name, i)) for i in range(index.numblocks[0])))
            layer[key] = Task(
                key, _assign_lazily, TaskRef(source), piece, local, blocks, n,
                axes[n].size, value_axis.get(n), masked,
            )  # fmt: skip
            continue
        layer[key] = Task(key, _assign, TaskRef(source), piece, local, picked, masked)
    meta = x._meta
    if masked and type(meta) is np.ndarray:
        meta = np.ma.asarray(meta)
    return make_array(name, layer, x.chunks, meta_from_array(meta, ndim=x.ndim), dependencies)


def _cut_value(value: Array, axes: list[_Axis], order: list[int]) -> tuple[Array, dict[int, int]]:
    """The value, cut as the blocks that are changed ask for, and which axis is which of it."""
    value_axis: dict[int, int] = {}
    chunks: list[Any] = list(value.chunks)
    for at, n in zip(reversed(range(value.ndim)), reversed(order)):
        axis = axes[n]
        own = value.shape[at]
        if axis.index is None:
            # Along an axis of unknown length, blocks of the value belong to blocks of the array.
            if own == 1:
                continue
            if len(value.chunks[at]) != len(axis.plan):
                raise ValueError(
                    f"the chunks {value.chunks[at]} of the value cannot be compared with those of "
                    f"axis {n}, whose sizes are unknown"
                )
            value_axis[n] = at
            continue
        if own == 1 and axis.length != 1 and not is_unknown(axis.length):
            chunks[at] = (1,)
            continue
        if has_unknown(value.chunks[at]):
            if len(value.chunks[at]) > 1:
                raise ValueError(
                    f"Arrays chunk sizes are unknown: those of the value along axis {at}. "
                    "value.compute_chunk_sizes() finds them by computing it"
                )
            if axis.pieces is not None and len(axis.pieces) > 1:
                raise ValueError(
                    f"the length of the value along axis {at} is unknown, but it has to be cut. "
                    "value.compute_chunk_sizes() finds it by computing the value"
                )
            value_axis[n] = at
            continue
        value_axis[n] = at
        if axis.pieces is not None:
            chunks[at] = tuple(last - first for first, last in axis.pieces) or (own,)
        else:
            chunks[at] = (own,)
    wanted = tuple(tuple(sizes) for sizes in chunks)
    return (value if wanted == value.chunks else value.rechunk(wanted)), value_axis


def _changeable(block: Any, masked: bool) -> Any:
    """A copy that can be written to; results of reductions are scalars, which cannot."""
    if isinstance(block, (np.generic, bool, int, float, complex, str, bytes)):
        block = np.asarray(block)
    block = block.copy()
    return np.ma.asarray(block) if masked and type(block) is np.ndarray else block


def _assign(block: Any, value: Any, index: Any, picked: Any, masked: bool) -> Any:
    """A copy of a block with other elements."""
    result = _changeable(block, masked)
    if picked is not None:
        value = value[picked]
    result[index] = value
    return result


def _assign_lazily(
    block: Any,
    value: Any,
    index: Any,
    blocks: list[Any],
    axis: int,
    size: int,
    value_axis: int | None,
    masked: bool,
) -> Any:
    """As :func:`_assign`, by positions or truth values along one axis that were not known."""
    positions = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    if positions.dtype.kind == "b":
        if len(positions) != size:
            raise IndexError(
                f"boolean index did not match indexed array along axis {axis}; size of axis is "
                f"{size} but size of corresponding boolean axis is {len(positions)}"
            )
        positions = np.flatnonzero(positions)
    if len(positions) and (positions.min() < -size or positions.max() >= size):
        raise IndexError(f"an index is out of bounds for axis {axis} with size {size}")
    positions = np.where(positions < 0, positions + size, positions)
    low, high = index[axis]
    these = np.flatnonzero((positions >= low) & (positions < high))
    if value_axis is not None and np.shape(value)[value_axis] != 1:
        own = np.shape(value)[value_axis]
        if own != len(positions):
            raise ValueError(
                f"shape mismatch: {own} values along an axis cannot be assigned to "
                f"{len(positions)} positions"
            )
        value = value[(_ALL,) * value_axis + (these,)]
    if not len(these):
        return block
    local = (*index[:axis], positions[these] - low, *index[axis + 1 :])
    return _assign(block, value, local, None, masked)


# -- masks and fields --------------------------------------------------------------------


def _by_mask(x: Array, mask: Any, value: Any) -> Array:
    """Assignment of one value wherever a mask of all axes holds."""
    from samite.array.conversion import from_array

    _check_scalar(x, value)
    if any(m != n and not is_unknown(m) and not is_unknown(n) for m, n in zip(mask.shape, x.shape)):
        raise IndexError(
            f"boolean index of shape {mask.shape} did not match indexed array of shape {x.shape}"
        )
    if value is not np.ma.masked and (np.ndim(value) if not isinstance(value, Array)
                                      else value.ndim):  # fmt: skip
        if math.prod(value.shape) != 1:
            raise ValueError(
                "boolean index assignment with a mask of all axes is only possible for one "
                f"value, not for an array of shape {value.shape}; da.where picks from arrays"
            )
        value = value[(0,) * len(value.shape)]
    if not isinstance(mask, Array):
        mask = from_array(mask, chunks=x.chunks)
    axes = tuple(range(x.ndim))
    meta = x._meta
    masked = value is np.ma.masked
    if masked and type(meta) is np.ndarray:
        meta = np.ma.asarray(meta)
    return blockwise(
        _fill, axes, x, axes, mask, axes, value, () if isinstance(value, Array) else None,
        masked, None, token="setitem", dtype=x.dtype, meta=meta,
    )  # fmt: skip


def _fill(block: Any, mask: Any, value: Any, masked: bool) -> Any:
    result = _changeable(block, masked)
    # A chunk need not have the dtype that its array was said to have.
    result[mask if mask.dtype == bool else mask.astype(bool)] = value
    return result


def _with_field(x: Array, name: str, value: Any) -> Array:
    from samite.array.broadcasting import broadcast_to

    if x.dtype.names is None or name not in x.dtype.names:
        raise IndexError(f"no field of name {name}: only structured arrays have fields")
    if x.dtype[name].shape:
        raise NotImplementedError("a field that is an array itself cannot be assigned to")
    axes = tuple(range(x.ndim))
    ind: Any = None
    if isinstance(value, Array) or np.ndim(value):
        value = broadcast_to(value, x.shape)
        ind = axes
    return blockwise(
        _fill_field, axes, x, axes, value, ind, name, None, token="setitem", dtype=x.dtype,
        meta=x._meta,
    )  # fmt: skip


def _fill_field(block: Any, value: Any, name: str) -> Any:
    result = _changeable(block, False)
    result[name] = value
    return result
