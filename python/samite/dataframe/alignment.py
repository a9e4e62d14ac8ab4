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
    TypeError
        The values of the indexes cannot be compared.
    """
    from samite.dataframe.expressions.repartition import Repartition

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
    common = common_divisions(*(frame.divisions for frame in frames))
    return [
        frame if frame.divisions == common else Repartition(frame, None, common, True)
        for frame in frames
    ]


def common_divisions(*divisions: Any) -> tuple[Any, ...]:
    """The bounds of all, each once, in order; at least two.

    Raises
    ------
    TypeError
        They cannot be compared.
    """
    try:
        found = sorted(set().union(*divisions))
    except TypeError as error:
        kinds = sorted({type(bound).__name__ for bounds in divisions for bound in bounds})
        raise TypeError(
            f"Cannot align frames whose indexes have values that cannot be compared: {kinds}"
        ) from error
    return tuple(found) if len(found) > 1 else (found[0], found[0])
