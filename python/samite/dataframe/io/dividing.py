"""Where to cut sorted rows into partitions."""

from __future__ import annotations

from typing import Any

import numpy as np


def sorted_division_locations(
    seq: Any, npartitions: int | None = None, chunksize: int | None = None
) -> tuple[list[Any], list[int]]:
    """Divisions of sorted values, and the positions where the partitions begin.

    Equal values stay together, so that there can be fewer partitions than asked for.

    Parameters
    ----------
    seq:
        Sorted values: an index, a series or an array.
    npartitions:
        How many partitions to make, of about equal size.
    chunksize:
        The least number of values in a partition but the last, in place of ``npartitions``.

    Returns
    -------
    divisions, locations:
        Lists of equal length; the last location is the number of values.

    Raises
    ------
    ValueError
        Both or neither of ``npartitions`` and ``chunksize`` are given.
    """
    if (npartitions is None) == (chunksize is None):
        raise ValueError("Exactly one of npartitions and chunksize must be specified.")
    import pandas as pd

    index = seq if isinstance(seq, pd.Index) else pd.Index(seq)
    size = len(index)
    if npartitions is None:
        npartitions = -(-size // int(chunksize or 1))
        ideal = list(range(0, size, int(chunksize or 1)))
    else:
        npartitions = max(min(int(npartitions), size), 1)
        ideal = even_starts(size, npartitions)[:-1]
    if index.is_unique:
        starts = ideal
    else:
        starts = _between_runs(index, ideal, npartitions)
    # As a list they are Python's own scalars.
    divisions = index[[*starts, size - 1]].tolist()
    return divisions, [*starts, size]


def even_starts(size: int, parts: int) -> list[int]:
    """Where ``parts`` pieces begin whose sizes differ by one at most, and ``size``."""
    parts = max(min(parts, size), 1)
    small, larger = divmod(size, parts)
    return [part * small + min(part, larger) for part in range(parts + 1)]


def _between_runs(index: Any, ideal: list[int], parts: int) -> list[int]:
    """Starts of runs of equal values next to the ideal places; all runs, if they are no more than
    ``parts``."""
    size = len(index)
    ends = _Runs(index)
    starts = [0]
    while len(starts) <= parts and (following := ends.after(starts[-1])) < size:
        starts.append(following)
    if len(starts) <= parts:
        return starts
    chosen: list[int] = []
    for place in ideal:
        start = ends.start_of(place)
        if chosen and start <= chosen[-1]:
            start = ends.after(place)
        if start < size and (not chosen or start > chosen[-1]):
            chosen.append(start)
    return chosen


class _Runs:
    """Where runs of equal values begin and end in sorted values."""

    def __init__(self, index: Any) -> None:
        import pandas as pd

        self._values = index.codes if isinstance(index, pd.CategoricalIndex) else index
        try:
            self._values.searchsorted(self._values[0])
        except (TypeError, NotImplementedError, ValueError, AttributeError):
            # Some values have an order and no search, so their runs are numbered.
            self._values = np.cumsum(~index.duplicated())

    def start_of(self, place: int) -> int:
        return int(self._values.searchsorted(self._values[place], side="left"))

    def after(self, place: int) -> int:
        return int(self._values.searchsorted(self._values[place], side="right"))
