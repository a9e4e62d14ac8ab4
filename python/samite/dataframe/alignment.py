"""Frames that are to be combined row by row, cut at the same divisions."""

from __future__ import annotations

from typing import Any


def align_partitions(*frames: Any) -> list[Any]:
    """Expressions with the rows of ``frames``, repartitioned to common divisions.

    Frames without known divisions are taken as they are if their numbers of partitions agree;
    one partition is given to all others.

    Raises
    ------
    ValueError
        The divisions are not known, and the numbers of partitions differ.
    """
    divisions = {frame.divisions for frame in frames}
    if len(divisions) == 1:
        return list(frames)
    several = [frame for frame in frames if frame.npartitions > 1]
    if not all(frame.known_divisions for frame in frames):
        if len({frame.npartitions for frame in several}) <= 1:
            return list(frames)
        raise ValueError(
            "Not all divisions are known, can't align partitions. Please use `set_index` to set "
            f"the index; the frames have {[frame.npartitions for frame in frames]} partitions."
        )
    raise NotImplementedError("alignment by divisions")
