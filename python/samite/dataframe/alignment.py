"""Frames that are to be combined row by row, cut at the same divisions."""

from __future__ import annotations

from typing import Any


def align_partitions(*frames: Any) -> list[Any]:
    """Expressions with the rows of ``frames``, repartitioned to common divisions.

    Where divisions are not known, rows are shuffled by their index values, so that equal ones
    meet; their order is another then.

    Raises
    ------
    TypeError
        The values of the indexes cannot be compared.
    """
    from samite.dataframe.expressions.bounds import ResolveDivisions, checked
    from samite.dataframe.expressions.repartition import Repartition
    from samite.dataframe.expressions.shuffle import Shuffle

    known = all(frame.known_divisions for frame in frames)
    most = max(frame.npartitions for frame in frames)
    if known and len({frame.divisions for frame in frames}) == 1:
        return list(frames)
    if most == 1:
        if not known:
            return list(frames)
        common = common_divisions(*(frame.divisions for frame in frames))
        return [ResolveDivisions(frame, (common[0], common[-1])) for frame in frames]
    if not known:
        return [Shuffle(frame, None, most) for frame in frames]
    common = common_divisions(*(frame.divisions for frame in frames))
    return [
        frame if frame.divisions == common else Repartition(frame, None, common, True)
        for frame in map(checked, frames)
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
