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
        starts = _between_runs(run_starts(index), ideal, npartitions)
    # As a list they are Python's own scalars.
    divisions = index[[*starts, size - 1]].tolist()
    return divisions, [*starts, size]


def even_starts(size: int, parts: int) -> list[int]:
    """Where ``parts`` pieces begin whose sizes differ by one at most, and ``size``."""
    parts = max(min(parts, size), 1)
    small, larger = divmod(size, parts)
    return [part * small + min(part, larger) for part in range(parts + 1)]


def run_starts(index: Any) -> Any:
    """The positions at which a new value begins in sorted values."""
    return np.flatnonzero(~index.duplicated())


def _between_runs(runs: Any, ideal: list[int], parts: int) -> list[int]:
    """The starts of runs of equal values that are next to the ideal places, each once."""
    if len(runs) <= parts:
        return [int(start) for start in runs]
    chosen: list[int] = []
    for place in ideal:
        at = int(np.searchsorted(runs, place, side="right")) - 1
        if chosen and runs[at] <= chosen[-1]:
            at += 1
        if at < len(runs):
            chosen.append(int(runs[at]))
    return sorted(set(chosen))
