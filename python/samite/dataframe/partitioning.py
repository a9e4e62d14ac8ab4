"""Where rows are cut into partitions, and how many there are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe.joining import concat_partitions


def check_divisions(divisions: Sequence[Any]) -> None:
    """Refuse bounds that do not ascend; the last two may be equal.

    Raises
    ------
    ValueError
        They do not ascend, or there are fewer than two.
    """
    divisions = list(divisions)
    if len(divisions) < 2:
        raise ValueError(
            f"New division must have at least two elements, a lower and an upper bound; got "
            f"{divisions!r}"
        )
    inner = divisions[:-1]
    ascend = all(a < b for a, b in itertools.pairwise(inner)) and inner[-1] <= divisions[-1]
    if not ascend:
        if sorted(divisions) != divisions:
            raise ValueError(f"New division must be sorted, got {divisions!r}")
        raise ValueError(
            f"New division must be unique, except for the last element; got {divisions!r}"
        )


def check_new_divisions(old: Sequence[Any], new: Sequence[Any], force: bool) -> None:
    """Refuse new bounds for a frame that they do not cover.

    Raises
    ------
    ValueError
        The divisions of the frame are not known, the new ones do not ascend, they leave rows
        out, or they reach further although ``force`` is not set.
    """
    if not old or old[0] is None:
        raise ValueError(
            "Cannot repartition on divisions with unknown divisions; set them with "
            "`set_index(..., sorted=True)` or give npartitions="
        )
    check_divisions(new)
    for side, mine, theirs, outside in (
        ("left", old[0], new[0], new[0] > old[0]),
        ("right", old[-1], new[-1], new[-1] < old[-1]),
    ):
        if outside:
            raise ValueError(
                f"{side} side of the new division must not leave rows out: the frame reaches to "
                f"{mine!r}, the new divisions to {theirs!r}"
            )
        if not force and mine != theirs:
            raise ValueError(
                f"{side} side of old and new divisions are different: {mine!r} and {theirs!r}; "
                "give force=True to expand divisions"
            )


def interpolated_divisions(divisions: Sequence[Any], count: int) -> tuple[Any, ...] | None:
    """Bounds of ``count`` partitions, spread evenly over the given ones; None where values have
    no distance, or where too few lie between them."""
    first = divisions[0]
    if isinstance(first, pd.Timestamp):
        unit = "ns"
        zone = first.tz
        values = [int(pd.Timestamp(d).as_unit(unit).value) for d in divisions]
        found = _spread(values, count, whole=True)
        return (
            None
            if found is None
            else tuple(
                pd.Timestamp(value, unit=unit, tz="UTC").tz_convert(zone)
                if zone is not None
                else pd.Timestamp(value, unit=unit)
                for value in found
            )
        )
    if isinstance(first, (bool, np.bool_)) or not isinstance(
        first, (int, float, np.integer, np.floating)
    ):
        return None
    whole = all(isinstance(d, (int, np.integer)) for d in divisions)
    found = _spread([d.item() if hasattr(d, "item") else d for d in divisions], count, whole)
    return None if found is None else tuple(found)


def _spread(values: list[Any], count: int, whole: bool) -> list[Any] | None:
    held = len(values) - 1
    found = []
    for index in range(count + 1):
        place, rest = divmod(index * held, count)
        low = values[place]
        if rest:
            step = values[place + 1] - low
            low += step * rest // count if whole else step * rest / count
        found.append(low)
    ascends = all(a < b for a, b in itertools.pairwise(found[:-1])) and found[-2] <= found[-1]
    return found if ascends and all(map(math.isfinite, found)) else None


def divisions_of_frequency(divisions: Sequence[Any], frequency: Any) -> tuple[Any, ...]:
    """Bounds at multiples of a span of time, beside the first and the last of ``divisions``.

    Raises
    ------
    TypeError
        The index is no time series.
    """
    start, end = divisions[0], divisions[-1]
    if not isinstance(start, pd.Timestamp):
        raise TypeError(
            "Can only repartition on frequency for timeseries; the index has values of type "
            f"{type(start).__name__}"
        )
    frequency = period_start(frequency)
    try:
        origin = start.floor(frequency)
    except ValueError:
        origin = start.normalize()
    between = pd.date_range(start=origin, end=end, freq=frequency)
    # What lies exactly on the last bound is a partition of its own.
    return (start, *(bound for bound in between if bound > start), end)


# The codes of frequencies that end a period, by the code of those that begin it.
_PERIOD_STARTS = {
    "ME": "MS",
    "QE": "QS",
    "YE": "YS",
    "SME": "SMS",
    "BME": "BMS",
    "BQE": "BQS",
    "BYE": "BYS",
    "CBME": "CBMS",
}


def period_start(frequency: Any) -> Any:
    """A frequency whose periods are those of ``frequency``, told by where they begin.

    Raises
    ------
    ValueError
        pandas has no such frequency.
    """
    if not isinstance(frequency, str):
        return frequency
    offset = pd.tseries.frequencies.to_offset(frequency)
    code, _, anchor = offset.rule_code.partition("-")
    if code not in _PERIOD_STARTS:
        return frequency
    number = str(offset.n) if offset.n != 1 else ""
    return f"{number}{_PERIOD_STARTS[code]}" + (f"-{anchor}" if anchor else "")


def groups_of_size(sizes: Sequence[int], limit: int) -> list[list[tuple[int, int, int]]]:
    """Pieces of partitions of the given sizes, in groups that are not larger than ``limit``.

    A piece is ``(partition, number, of how many)``. A single row that is larger stays whole.
    """
    pieces: list[tuple[tuple[int, int, int], int]] = []
    for partition, size in enumerate(sizes):
        of = 1 if size <= limit else size // limit + 1
        pieces += [((partition, number, of), -(-size // of)) for number in range(of)]
    groups: list[list[tuple[int, int, int]]] = []
    held = 0
    for piece, size in pieces:
        if groups and held + size <= limit:
            groups[-1].append(piece)
            held += size
        else:
            groups.append([piece])
            held = size
    return groups or [[(0, 0, 1)]]


def bytes_of_partition(part: Any) -> int:
    """The memory that a partition takes, with its strings and objects."""
    if isinstance(part, pd.DataFrame):
        return int(part.memory_usage(index=True, deep=True).sum())
    if isinstance(part, pd.Series):
        return int(part.memory_usage(index=True, deep=True))
    return int(part.memory_usage(deep=True))


# -- what tasks do -----------------------------------------------------------------------


def rows(part: Any, start: int, stop: int) -> Any:
    """The rows at positions from ``start`` up to ``stop``."""
    return part[start:stop] if isinstance(part, pd.Index) else part.iloc[start:stop]


def piece(part: Any, number: int, of: int) -> Any:
    """Piece ``number`` of a partition that is cut in ``of`` of about equal numbers of rows."""
    return rows(part, len(part) * number // of, len(part) * (number + 1) // of)


def joined_pieces(parts: list[Any], cuts: list[tuple[int, int]], meta: Any) -> Any:
    """Pieces of partitions, one of each, as one partition."""
    pieces = [
        part if of == 1 else piece(part, number, of)
        for part, (number, of) in zip(parts, cuts, strict=True)
    ]
    return concat_partitions(pieces, meta)


def joined_ranges(parts: list[Any], cuts: list[tuple[Any, Any]], meta: Any) -> Any:
    """Rows of partitions whose index lies between bounds, one pair for each, as one partition.

    None is no bound; the upper one is exclusive.
    """
    if cuts:
        parts = [
            between(part, lower, upper) for part, (lower, upper) in zip(parts, cuts, strict=True)
        ]
    return concat_partitions(parts, meta)


def between(part: Any, lower: Any, upper: Any) -> Any:
    """The rows with an index from ``lower`` up to, but not including, ``upper``."""
    if (lower is None and upper is None) or not len(part):
        return part
    index = part if isinstance(part, pd.Index) else part.index
    if index.is_monotonic_increasing and not index.hasnans:
        start = 0 if lower is None else index.searchsorted(lower, side="left")
        stop = len(index) if upper is None else index.searchsorted(upper, side="left")
        return rows(part, int(start), int(stop))
    # A missing value is neither below nor above a bound: it goes where there is no upper one.
    chosen = np.ones(len(index), dtype=bool)
    if lower is not None:
        chosen &= ~np.asarray(index < lower, dtype=bool)
    if upper is not None:
        chosen &= np.asarray(index < upper, dtype=bool)
    return part[chosen]


def check_bounds(part: Any, number: int, lower: Any, upper: Any, last: bool) -> Any:
    """The partition itself.

    Raises
    ------
    RuntimeError
        Its index has values outside of its bounds; the upper one belongs to the last partition.
    """
    index = part if isinstance(part, pd.Index) else part.index
    if isinstance(index, pd.MultiIndex):
        # Divisions are those of the first level.
        index = index.get_level_values(0)
    if len(index):
        least, greatest = index.min(), index.max()
        if least < lower or greatest > upper or (greatest == upper and not last):
            raise RuntimeError(
                f"`enforce_runtime_divisions` failed for partition {number}: its divisions are "
                f"{lower!r} to {upper!r}, its index has values from {least!r} to {greatest!r}. "
                "The divisions do not describe the data; use `clear_divisions` or `set_index`."
            )
    return part


def check_ends(part: Any, number: int, lower: Any, upper: Any, last: bool, source: str) -> Any:
    """The partition itself, if its first and its last index value lie in its divisions.

    Raises
    ------
    RuntimeError
        They do not.
    """
    index = part if isinstance(part, pd.Index) else part.index
    if not len(index) or isinstance(index, (pd.MultiIndex, pd.CategoricalIndex)):
        return part
    for value in (index[0], index[-1]):
        try:
            # Two equal divisions are the one value that a partition has.
            above = value > upper or (value == upper and not last and lower != upper)
            outside = value < lower or above
        except TypeError:
            outside = True
        if outside:
            raise RuntimeError(
                f"The divisions of partition {number} of {source} are not those of its rows: they "
                f"are {lower!r} to {upper!r}, and its index goes from {index[0]!r} to "
                f"{index[-1]!r}. Rows would be lost; give the right divisions, or find them by "
                "`clear_divisions().compute_current_divisions(set_divisions=True)`"
            )
    return part


def bounds_of_values(values: Any) -> pd.DataFrame:
    """The least and the greatest value, their number and how many values are not missing."""
    values = values if isinstance(values, pd.Series) else values.to_series()
    filled = values.dropna()
    extent = (filled.min(), filled.max()) if len(filled) else (None, None)
    return pd.DataFrame(
        {
            "least": pd.Series([extent[0]], dtype=object),
            "greatest": pd.Series([extent[1]], dtype=object),
            "rows": [len(values)],
            "filled": [len(filled)],
        }
    )
