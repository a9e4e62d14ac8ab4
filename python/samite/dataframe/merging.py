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
    result = left.merge(right, **keywords)
    if keywords["left_index"] != keywords["right_index"]:
        # The index is that of the side whose index is no key; pandas forgets so without matches.
        kept = (left if keywords["right_index"] else right).index
        if not len(result):
            result.index = kept[:0]
        elif result.index.names != kept.names:
            result.index.names = kept.names
    return result


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
    pairs = zip(_keys(left, keywords, "left"), _keys(right, keywords, "right"), strict=False)
    for mine, theirs in pairs:
        kinds = _dtype_of(left, mine), _dtype_of(right, theirs)
        if not all(isinstance(kind, pd.CategoricalDtype) for kind in kinds):
            continue
        if kinds[0] == kinds[1] or kinds[0].ordered or kinds[1].ordered:
            continue
        if kinds[0].categories.dtype == kinds[1].categories.dtype:
            both = kinds[0].categories.union(kinds[1].categories, sort=False)
            left = _with_categories(left, mine, both)
            right = _with_categories(right, theirs, both)
    return left, right


_INDEX = object()


def _keys(frame: Any, keywords: Mapping[str, Any], side: str) -> list[Any]:
    """Labels of key columns, or what stands for the index."""
    if keywords[f"{side}_index"]:
        return [_INDEX]
    labels = keywords[f"{side}_on"]
    if not isinstance(labels, list):
        return []
    return [label if label in frame.columns else _INDEX for label in labels]


def _dtype_of(frame: Any, key: Any) -> Any:
    return frame.index.dtype if key is _INDEX else frame[key].dtype


def _with_categories(frame: Any, key: Any, categories: Any) -> Any:
    if key is _INDEX:
        return frame.set_axis(frame.index.set_categories(categories), axis=0)
    frame = frame.copy(deep=False)
    frame[key] = frame[key].cat.set_categories(categories)
    return frame
