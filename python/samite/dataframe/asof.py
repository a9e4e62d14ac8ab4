"""Joining by the nearest key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from samite.dataframe.joining import concat_partitions


def last_rows(first: Any, second: Any, by: Any, keep: str) -> Any:
    """The last (or first) row of two pieces in order, or one for each group of the keys ``by``."""
    whole = concat_partitions([part for part in (first, second) if part is not None])
    if by is not None:
        return whole.drop_duplicates(subset=by, keep=keep)
    return whole.iloc[-1:] if keep == "last" else whole.iloc[:1]


def merge_between(left: Any, before: Any, piece: Any, after: Any, keywords: Any) -> Any:
    """``left`` joined with a piece and the rows that surround it."""
    parts = [part for part in (before, piece, after) if part is not None]
    return merge(left, concat_partitions(parts), None, None, keywords)


def merge(left: Any, right: Any, _left: Any, _right: Any, keywords: Mapping[str, Any]) -> Any:
    """:func:`pandas.merge_asof` by the indexes."""
    return pd.merge_asof(left, right, left_index=True, right_index=True, **keywords)


def merge_asof(
    left: Any,
    right: Any,
    on: Any = None,
    left_on: Any = None,
    right_on: Any = None,
    left_index: bool = False,
    right_index: bool = False,
    by: Any = None,
    left_by: Any = None,
    right_by: Any = None,
    suffixes: Any = ("_x", "_y"),
    tolerance: Any = None,
    allow_exact_matches: bool = True,
    direction: str = "backward",
) -> Any:
    """Each row of ``left`` with that row of ``right`` whose key is nearest, as
    :func:`pandas.merge_asof` does it.

    Both frames are sorted by the keys, which are columns (``on``, ``left_on``, ``right_on``) or
    indexes with known divisions. Where they are columns the result has a new index in each
    partition.

    Raises
    ------
    ValueError
        Keys are given twice, missing, not sorted, or an index without known divisions.
    """
    from samite.dataframe.collections.frame_base import FrameBase, new_collection
    from samite.dataframe.expressions.merge_asof import MergeAsofIndexed
    from samite.dataframe.io.from_pandas import from_pandas

    if direction not in ("backward", "forward", "nearest"):
        raise ValueError(f"direction invalid: {direction!r}")
    if on is not None:
        if left_on is not None or right_on is not None:
            raise ValueError(
                "Can only pass argument 'on' OR 'left_on' and 'right_on', not a "
                "combination of both."
            )
        left_on = right_on = on
    if by is not None:
        if left_by is not None or right_by is not None:
            raise ValueError(
                "Can only pass argument 'by' OR 'left_by' and 'right_by', not a "
                "combination of both."
            )
        left_by = right_by = by
    if not any(isinstance(side, FrameBase) for side in (left, right)):
        return pd.merge_asof(
            left,
            right,
            left_on=left_on,
            right_on=right_on,
            left_index=left_index,
            right_index=right_index,
            left_by=left_by,
            right_by=right_by,
            suffixes=suffixes,
            tolerance=tolerance,
            allow_exact_matches=allow_exact_matches,
            direction=direction,
        )
    keywords: dict[str, Any] = {
        "suffixes": suffixes,
        "tolerance": tolerance,
        "allow_exact_matches": allow_exact_matches,
        "direction": direction,
    }
    if left_by is not None:
        keywords |= {"left_by": left_by, "right_by": right_by}
    keeps_index = left_on is not None and right_index
    sides = []
    for name, side, key, by_index in (
        ("left", left, left_on, left_index),
        ("right", right, right_on, right_index),
    ):
        if not isinstance(side, FrameBase):
            side = from_pandas(side, npartitions=1)
        if key is not None and by_index:
            raise ValueError(f'Can only pass argument "{name}_on" OR "{name}_index".')
        if key is None and not by_index:
            raise ValueError(f'Must pass "on" OR "{name}_on" OR "{name}_index".')
        if name == "left" and keeps_index:
            side = side.map_partitions(_with_index_as_column, enforce_metadata=False)
        if key is not None:
            # The right key stays a column unless it is the left one.
            side = side.set_index(key, sorted=True, drop=name == "left" or key == left_on)
        sides.append(side)
    if sides[1].npartitions > 1 and sides[0].npartitions > 1:
        for name, side in zip(("left", "right"), sides, strict=True):
            if not side.known_divisions:
                raise ValueError(
                    f"merge_asof by the index needs known divisions, those of the {name} frame "
                    "are not; set them with `set_index(..., sorted=True)`"
                )
    result = new_collection(MergeAsofIndexed(sides[0].expr, sides[1].expr, keywords))
    if left_on is None:
        return result
    result = result.reset_index()
    columns = [c for c in result.columns if c != left_on]
    columns.insert(list(left.columns).index(left_on), left_on)
    result = result[columns]
    if keeps_index:
        name = left._meta.index.name if isinstance(left, FrameBase) else left.index.name
        result = result.map_partitions(
            _with_column_as_index, name, enforce_metadata=False, clear_divisions=True
        )
    return result


_KEPT_INDEX = "_samite_index"


def _with_index_as_column(part: Any) -> Any:
    return part.assign(**{_KEPT_INDEX: part.index})


def _with_column_as_index(part: Any, name: Any) -> Any:
    return part.set_index(_KEPT_INDEX).rename_axis(index=name)
