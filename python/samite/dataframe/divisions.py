"""Finding the divisions that partitions have."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import pandas as pd

from samite.dataframe.collections.frame_base import new_collection
from samite.dataframe.expressions.bounds import JoinOverlaps, ResolveDivisions
from samite.dataframe.partitioning import bounds_of_values


def partition_bounds(values: Any) -> Any:
    """By partition the least and the greatest of ``values``, how many there are, and how many
    are not missing, computed."""
    from samite.dataframe.map_partitions import map_partitions

    described = map_partitions(
        bounds_of_values,
        values,
        meta=pd.DataFrame({"least": [], "greatest": [], "rows": [], "filled": []}).astype(
            {"least": object, "greatest": object, "rows": "int64", "filled": "int64"}
        ),
        enforce_metadata=False,
        clear_divisions=True,
    ).compute()
    return described.reset_index(drop=True)


def current_divisions(frame: Any, col: Any, set_divisions: bool) -> Any:
    """See :meth:`DataFrame.compute_current_divisions`."""
    if col is None and set_divisions and frame.known_divisions:
        return frame
    if col is None:
        values = frame if isinstance(frame._meta, pd.Index) else frame.index
    else:
        if set_divisions:
            raise ValueError(
                "set_divisions is for the index; use `set_index(col, divisions=...)` for a column"
            )
        values = frame[col]
    bounds = partition_bounds(values)
    chosen = [i for i, filled in enumerate(bounds["filled"]) if filled]
    if not chosen:
        raise ValueError("There are no values to compute divisions of: all partitions are empty")
    least = [bounds["least"][i] for i in chosen]
    greatest = [bounds["greatest"][i] for i in chosen]
    _check_order(least, greatest)
    if any(low <= high for low, high in zip(least[1:], greatest, strict=False)):
        warnings.warn(
            "Partitions have overlapping values, so divisions are non-unique. Use "
            "`set_index(sorted=True)` with no `divisions` to have the overlap put right.",
            UserWarning,
            stacklevel=3,
        )
    divisions = (*least, greatest[-1])
    if not set_divisions:
        return divisions
    expr = frame.expr
    if len(chosen) < expr.npartitions:
        from samite.dataframe.expressions.selection import Partitions

        # Partitions without rows have no place between divisions.
        expr = Partitions(expr, chosen)
    return new_collection(ResolveDivisions(expr, divisions))


def _check_order(least: list[Any], greatest: list[Any]) -> None:
    for values in (least, greatest):
        if any(a > b for a, b in itertools.pairwise(values)):
            raise ValueError(
                "Partitions must be sorted ascending with the index; their least values are "
                f"{least!r} and their greatest {greatest!r}"
            )


def sorted_partitions(indexed: Any, values: Any) -> Any:
    """``indexed``, an expression whose index is ``values`` and ascends through its partitions,
    with known divisions.

    Raises
    ------
    ValueError
        The partitions are not in order.
    """
    from samite.dataframe.expressions.repartition import RepartitionToFewer
    from samite.dataframe.expressions.selection import Partitions

    bounds = partition_bounds(new_collection(values))
    chosen = [i for i, filled in enumerate(bounds["filled"]) if filled]
    if not chosen:
        return indexed if indexed.npartitions == 1 else RepartitionToFewer(indexed, 1)
    least = tuple(bounds["least"][i] for i in chosen)
    greatest = tuple(bounds["greatest"][i] for i in chosen)
    _check_order(list(least), list(greatest))
    if int(bounds["rows"].sum()) != int(bounds["rows"][chosen].sum()):
        raise ValueError("set_index(sorted=True): a partition has no values but missing ones")
    if len(chosen) < indexed.npartitions:
        indexed = Partitions(indexed, chosen)
    if all(high < low for low, high in zip(least[1:], greatest, strict=False)):
        return ResolveDivisions(indexed, (*least, greatest[-1]))
    return JoinOverlaps(indexed, least, greatest)
