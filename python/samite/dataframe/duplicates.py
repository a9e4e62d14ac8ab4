"""Rows and values without those that are there already."""

from __future__ import annotations

from typing import Any

import pandas as pd

from samite.dataframe.joining import concat_partitions


def drop_duplicates(part: Any, subset: Any, keep: str, ignore_index: bool) -> Any:
    """The rows whose values in ``subset`` are not there already."""
    if isinstance(part, pd.Index):
        return part.drop_duplicates(keep=keep)
    if isinstance(part, pd.Series):
        return part.drop_duplicates(keep=keep, ignore_index=ignore_index)
    return part.drop_duplicates(subset=subset, keep=keep, ignore_index=ignore_index)


def drop_duplicates_of_parts(parts: list[Any], **keywords: Any) -> Any:
    """:func:`drop_duplicates` of several partitions in order."""
    return drop_duplicates(concat_partitions(parts), **keywords)


def unique(part: Any) -> Any:
    """The different values of a series as a series, of an index as an index."""
    if isinstance(part, pd.Index):
        return part.unique()
    return pd.Series(part.unique(), name=part.name, dtype=part.dtype)


def unique_of_parts(parts: list[Any]) -> Any:
    """:func:`unique` of several partitions in order."""
    return unique(concat_partitions(parts))


def dropped(
    frame: Any,
    subset: Any,
    split_every: Any,
    split_out: Any,
    shuffle_method: Any,
    ignore_index: bool,
    keep: Any,
) -> Any:
    """See :meth:`DataFrame.drop_duplicates`."""
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.expressions.duplicates import DropDuplicates

    if keep is False:
        raise NotImplementedError(
            "drop_duplicates with keep=False: rows that occur more than once cannot be left out"
        )
    if keep not in ("first", "last"):
        raise ValueError(f"keep must be either 'first' or 'last', got {keep!r}")
    if subset is not None:
        several = isinstance(subset, (list, pd.Index)) or (
            isinstance(subset, tuple) and subset not in frame.columns
        )
        subset = list(subset) if several else [subset]
        missing = [label for label in subset if label not in frame.columns]
        if missing:
            raise KeyError(pd.Index(missing))
    count = _outputs(split_out)
    return new_collection(
        DropDuplicates(frame.expr, subset, keep, ignore_index, count, split_every, shuffle_method)
    )


def _outputs(split_out: Any) -> Any:
    if split_out is True:
        return True
    if split_out is False or split_out is None:
        return 1
    if split_out < 1:
        raise ValueError(f"split_out must be at least 1, got {split_out!r}")
    return int(split_out)


def unique_values(frame: Any, split_every: Any, split_out: Any, shuffle_method: Any) -> Any:
    """See :meth:`Series.unique`."""
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.expressions.duplicates import Unique, UniqueOfPartitions
    from samite.dataframe.expressions.shuffle import Shuffle

    expr = frame.expr
    count = _outputs(split_out)
    count = expr.npartitions if count is True else count
    if count == 1:
        return new_collection(Unique(expr, split_every))
    few = UniqueOfPartitions(expr)
    keys = None if isinstance(expr._meta, pd.Index) else few
    return new_collection(UniqueOfPartitions(Shuffle(few, keys, count, False, shuffle_method)))
