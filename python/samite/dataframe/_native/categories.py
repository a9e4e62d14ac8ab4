"""Categories as the plain values that groups and joins have them as."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd

from samite.dataframe._native.rows import Column, NotNative, Rows, engine
from samite.dataframe._native.types import is_text


def plain_key(key: Column, sort: bool, observed: bool) -> Column:
    """A key whose groups come in the order of its values; one of categories has these as values.

    Raises
    ------
    NotNative
        The order of the categories is another one, or those without rows are groups too.
    """
    dtype = key.dtype
    if not isinstance(dtype, pd.CategoricalDtype):
        return key
    if not observed:
        raise NotNative("groups of categories without rows")
    if sort and not dtype.categories.is_monotonic_increasing:
        raise NotNative("categories in an order of their own")
    if not is_text(dtype.categories.dtype):
        # The names of folders hold these, as they are.
        return key
    return dataclasses.replace(key, scalar=engine(key.scalar.cast, "Utf8View"))


def with_plain_keys(
    left: Rows, left_on: list[Any], right: Rows, right_on: list[Any]
) -> tuple[Rows, Rows]:
    """Two sides with categories as plain values where both have them as keys."""
    sides = [left, right]
    for labels in zip(left_on, right_on, strict=True):
        places = [
            [place for place, column in enumerate(side.columns) if column.label == label]
            for side, label in zip(sides, labels, strict=True)
        ]
        if any(len(found) != 1 for found in places):
            # A level of an index, or labels that are not unique, which are refused elsewhere.
            continue
        keys = [side.columns[found[0]] for side, found in zip(sides, places, strict=True)]
        categorical = [isinstance(key.dtype, pd.CategoricalDtype) for key in keys]
        if not any(categorical):
            continue
        if not all(categorical) or any(
            key.scalar is None or not is_text(key.dtype.categories.dtype) for key in keys
        ):
            raise NotNative("categories and other values as keys")
        for number, (side, found, key) in enumerate(zip(sides, places, keys, strict=True)):
            plain = dataclasses.replace(key, scalar=engine(key.scalar.cast, "Utf8View"))
            columns = list(side.columns)
            columns[found[0]] = plain
            sides[number] = side.with_columns(columns)
    return sides[0], sides[1]
