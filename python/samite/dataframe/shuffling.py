"""What the tasks of a shuffle do: find the partition of each row, split, and join again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from samite._parts import Parts
from samite.dataframe.hashing import partition_numbers
from samite.dataframe.packing import Packed, dealt_out, join, pack, unpacked

# Partitions of fewer bytes than this are split into views of one copy.
_SMALL = 1 << 17


def targets(part: Any, keys: Any, how: Sequence[Any], count: int) -> np.ndarray:
    """For each row of ``part`` the number of the partition that it goes to.

    Parameters
    ----------
    keys:
        Rows that decide, one for each of ``part``; None if ``part`` does itself.
    how:
        ``("hash", labels)``: by the hash of these columns, or of all of ``keys``, or, with
        ``labels`` None and no keys, of the index. ``("number", label)``: the column says it.
        ``("range", label, divisions, ascending, nulls_first)``: by the bounds of partitions
        that the value in the column (or ``keys``) lies between. ``("range-index", None, ...)``:
        the same with the index.
    """
    kind = how[0]
    if kind == "hash":
        if keys is None:
            keys = index_of(part) if how[1] is None else keys_of(part, how[1])
        return partition_numbers(keys, count)
    if kind == "range-index":
        values = index_of(part)
    else:
        values = part[how[1]] if keys is None else keys
    if kind == "number":
        return np.asarray(values).astype(np.int64) % count
    _, _, divisions, ascending, nulls_first = how
    return range_targets(values, divisions, ascending, nulls_first)


def index_of(part: Any) -> Any:
    """The index of a partition, also if it is one."""
    return part if isinstance(part, pd.Index) else part.index


def keys_of(part: Any, labels: Sequence[Any]) -> Any:
    """The columns of these labels; one that is no column is the name of the index."""
    if all(label in part.columns for label in labels):
        return part[list(labels)]
    return pd.DataFrame(
        {
            position: (part[label] if label in part.columns else part.index).array
            for position, label in enumerate(labels)
        }
    )


def range_targets(
    values: Any, divisions: Sequence[Any], ascending: bool = True, nulls_first: bool = False
) -> np.ndarray:
    """For each value the partition between whose bounds it lies; what lies outside goes to the
    first or last one, as missing values do."""
    count = len(divisions) - 1
    array = getattr(values, "array", values)
    missing = np.asarray(pd.isna(array))
    bounds = list(divisions[1:-1])
    if not bounds or not len(array):
        places = np.zeros(len(array), dtype=np.int64)
    elif isinstance(array.dtype, pd.CategoricalDtype):
        codes = np.asarray(array.codes)
        bound_codes = array.categories.get_indexer(pd.Index(bounds, dtype=object))
        places = np.searchsorted(bound_codes, codes, side="right")
    else:
        places = _searched(array, bounds, missing)
    if not ascending:
        places = count - 1 - places
    places = places.astype(np.int64, copy=False)
    if missing.any():
        places[missing] = 0 if nulls_first else count - 1
    return places


def _searched(array: Any, bounds: list[Any], missing: np.ndarray) -> np.ndarray:
    some_missing = missing.any()
    filled = array[~missing] if some_missing else array
    kind = getattr(array.dtype, "kind", "O")
    if kind in "biufmM" and not isinstance(array.dtype, pd.ArrowDtype):
        values, index = pd.Index(filled), pd.Index(bounds)
        if isinstance(index.dtype, np.dtype) and index.dtype.kind in "iuf":
            from samite.array import kernels

            found = kernels.searchsorted(index.to_numpy(), np.asarray(values), "right")
        else:
            found = index.searchsorted(values, side="right")
    else:
        ordered = np.empty(len(bounds), dtype=object)
        ordered[:] = bounds
        found = np.searchsorted(ordered, np.asarray(filled, dtype=object), side="right")
    if not some_missing:
        return np.asarray(found)
    places = np.zeros(len(array), dtype=np.int64)
    places[~missing] = found
    return places


# -- splitting and joining ---------------------------------------------------------------


def split_first(
    part: Any, keys: Any, how: Sequence[Any], count: int, width: int, ignore_index: bool
) -> list[Any]:
    """A partition split by ranges of ``width`` targets; a piece has its rows, packed where that can
    be, and targets."""
    numbers = targets(part, keys, how, count)
    if ignore_index and not isinstance(part, pd.Index):
        part = part.reset_index(drop=True)
    return split_further((pack(part), numbers), 0, -(-count // width), width)


def split_parts(part: Any, keys: Any, how: Sequence[Any], count: int, ignore_index: bool) -> Parts:
    """The rows of a partition in parts by their targets; a part has at least one row."""
    numbers = targets(part, keys, how, count)
    if ignore_index and not isinstance(part, pd.Index):
        part = part.reset_index(drop=True)
    packed = pack(part)
    dealt = _dealt(packed, numbers, count)
    if dealt is not None:
        return Parts((number, rows) for number, rows in enumerate(dealt) if len(rows))
    order = _stable_order(numbers, count)
    ordered = numbers[order]
    begins = np.flatnonzero(np.diff(ordered, prepend=-1))
    rows = cut(packed, order, [*begins.tolist(), len(ordered)])
    return Parts(zip(ordered[begins].tolist(), rows, strict=True))


def split_further(held: tuple[Any, np.ndarray], first: int, pieces: int, width: int) -> list[Any]:
    """Rows and their targets split by ranges of ``width`` targets, beginning at ``first``."""
    part, numbers = held
    places = (numbers - first) // width if width > 1 or first else numbers
    if pieces == 1:
        return [held]
    dealt = _dealt(part, places, pieces)
    if dealt is not None:
        of_rows = dealt_out(numbers[np.newaxis], places, pieces)
        return [(rows, own[0]) for rows, own in zip(dealt, of_rows, strict=True)]
    order = _stable_order(places, pieces)
    bounds = np.searchsorted(places[order], np.arange(pieces + 1)).tolist()
    rows = cut(part, order, bounds)
    ordered = numbers[order]
    # A copy has memory of its own, and does not keep that of the other pieces.
    return [
        (piece, ordered[start:stop].copy())
        for piece, start, stop in zip(rows, bounds, bounds[1:], strict=False)
    ]


def _dealt(part: Any, numbers: np.ndarray, count: int) -> list[Packed] | None:
    """The rows by their numbers, as far as the engine does that for large parts."""
    if not isinstance(part, Packed) or part.nbytes < _SMALL:
        return None
    return part.deal(numbers, count)


def cut(part: Any, order: np.ndarray, bounds: list[int]) -> list[Any]:
    """The rows of ``part`` at the positions ``order``, cut at ``bounds``."""
    # Large pieces have memory of their own: one that has been used up is really gone.
    large = _size(part) >= _SMALL
    if isinstance(part, Packed):
        pieces = part.take(order).cut(bounds)
        return [piece.copy() for piece in pieces] if large else pieces
    if large:
        return [part.take(order[a:b]) for a, b in zip(bounds, bounds[1:], strict=False)]
    part = part.take(order)
    return [_rows(part, a, b) for a, b in zip(bounds, bounds[1:], strict=False)]


def _stable_order(numbers: np.ndarray, count: int) -> np.ndarray:
    """The order that sorts numbers below ``count``, those that are equal as they come. NumPy sorts
    short integers by their digits, in time that is proportional to their number."""
    if count <= 1 << 16:
        numbers = numbers.astype(np.uint8 if count <= 1 << 8 else np.uint16)
    return np.argsort(numbers, kind="stable")


def _size(part: Any) -> int:
    if isinstance(part, Packed):
        return part.nbytes
    columns = part.shape[1] if part.ndim == 2 else 1
    return len(part) * (columns + 1) * 8


def _rows(part: Any, start: int, stop: int) -> Any:
    return part[start:stop] if isinstance(part, pd.Index) else part.iloc[start:stop]


def join_held(pieces: list[Any], meta: Any) -> tuple[Any, np.ndarray]:
    """Pieces as one, with the targets of all rows."""
    return (
        join([part for part, _ in pieces], meta),
        np.concatenate([numbers for _, numbers in pieces]),
    )


def join_last(pieces: list[Any], meta: Any, ignore_index: bool) -> Any:
    """Pieces as one partition."""
    return joined([part for part, _ in pieces], meta, ignore_index)


def joined(pieces: list[Any], meta: Any, ignore_index: bool) -> Any:
    """Pieces, packed or not, as one partition."""
    whole = unpacked(join(pieces, meta))
    if ignore_index and not isinstance(whole, pd.Index):
        whole = whole.reset_index(drop=True)
    return whole


def join_present(pieces: list[Any], meta: Any, ignore_index: bool) -> Any:
    """The parts that there are as one partition."""
    present = [piece for piece in pieces if piece is not None]
    return joined(present or [meta], meta, ignore_index)
