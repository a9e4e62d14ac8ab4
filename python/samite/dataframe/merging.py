"""What joining does with one partition of each side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def merge_partitions(
    left: Any, right: Any, left_key: Any, right_key: Any, keywords: Mapping[str, Any]
) -> Any:
    """``left.merge(right, **keywords)``; keys that are given take the place of labels.

    ``how`` may also be "leftsemi": the rows of ``left`` that have a match, once each.
    """
    keywords = dict(keywords)
    if left_key is not None:
        keywords["left_on"] = left_key.array if hasattr(left_key, "array") else left_key
    if right_key is not None:
        keywords["right_on"] = right_key.array if hasattr(right_key, "array") else right_key
    if keywords["how"] == "leftsemi":
        return _left_semi(left, right, keywords["left_on"], keywords["right_on"])
    left, right = _with_equal_categories(left, right, keywords)
    return left.merge(right, **keywords)


def _left_semi(left: Any, right: Any, left_on: Any, right_on: Any) -> Any:
    left_on, right_on = list(left_on), list(right_on)
    wanted = right[right_on].drop_duplicates().set_axis(left_on, axis=1)
    found = left[left_on].merge(wanted, on=left_on, how="left", indicator=True)["_merge"]
    return left[(found == "both").to_numpy()]


def _with_equal_categories(left: Any, right: Any, keywords: Mapping[str, Any]) -> tuple[Any, Any]:
    """The frames with key columns that are categorical on both sides over the same categories.

    Partitions can have different ones where they are not known; pandas would give objects for
    some of the partitions only.
    """
    left_on, right_on = keywords.get("left_on"), keywords.get("right_on")
    if not isinstance(left_on, list) or not isinstance(right_on, list):
        return left, right
    for mine, theirs in zip(left_on, right_on, strict=False):
        if not isinstance(left, pd.DataFrame) or not isinstance(right, pd.DataFrame):
            continue
        if mine not in left.columns or theirs not in right.columns:
            continue
        kinds = left[mine].dtype, right[theirs].dtype
        if all(isinstance(kind, pd.CategoricalDtype) for kind in kinds) and kinds[0] != kinds[1]:
            if kinds[0].ordered or kinds[1].ordered:
                continue
            if kinds[0].categories.dtype != kinds[1].categories.dtype:
                continue
            both = kinds[0].categories.union(kinds[1].categories, sort=False)
            left = left.assign(**{mine: left[mine].cat.set_categories(both)})
            right = right.assign(**{theirs: right[theirs].cat.set_categories(both)})
    return left, right
