"""Groups of keys that lie beside each other, parts that are shared, and joins with groups."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import samite.dataframe as dd

ROWS = 150_000


def ascending(random: np.random.Generator) -> Any:
    return np.sort(random.integers(0, ROWS // 6, ROWS))


def descending(random: np.random.Generator) -> Any:
    return ascending(random)[::-1]


def first_half_ascending(random: np.random.Generator) -> Any:
    keys = ascending(random)
    random.shuffle(keys[ROWS // 2 :])
    return keys


def coming_back(random: np.random.Generator) -> Any:
    return np.repeat(random.integers(0, 7, ROWS // 8), 8)


def mixed(random: np.random.Generator) -> Any:
    return random.integers(-50, 50, ROWS)


def none(random: np.random.Generator) -> Any:
    return np.empty(0, dtype="int64")


KEYS: list[Callable[[np.random.Generator], Any]] = [
    ascending,
    descending,
    first_half_ascending,
    coming_back,
    mixed,
    none,
]


def rows(keys: Any) -> pd.DataFrame:
    random = np.random.default_rng(5)
    count = len(keys)
    value = random.normal(size=count)
    value[random.random(count) < 0.2] = np.nan
    return pd.DataFrame(
        {
            "key": keys,
            "value": value,
            "number": random.integers(-9, 9, count),
            "word": random.choice(["é", "long enough for a buffer", ""], count),
        }
    )


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("missing", [False, True])
def test_groups_are_those_of_pandas(
    tmp_path: Path, kind: Callable[[np.random.Generator], Any], missing: bool
) -> None:
    frame = rows(kind(np.random.default_rng(3)))
    if missing:
        frame["key"] = frame["key"].astype("float64").where(frame["number"] != 3)
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path, row_group_size=7_000)
    named = {
        "total": ("value", "sum"),
        "mean": ("value", "mean"),
        "count": ("value", "count"),
        "least": ("number", "min"),
        "most": ("number", "max"),
    }
    found = dd.read_parquet(path).groupby("key").agg(**named).compute().sort_index()
    expected = frame.groupby("key").agg(**named)
    pd.testing.assert_frame_equal(found, expected, check_index_type=False)


def test_readers_of_a_shared_part_get_their_own_columns(tmp_path: Path) -> None:
    left = rows(np.arange(5_000) // 3)
    right = pd.DataFrame({"other": np.arange(0, 2_000, 2), "weight": np.arange(1_000) / 7})
    left.to_parquet(tmp_path / "left.parquet")
    right.to_parquet(tmp_path / "right.parquet")

    def ask(left: Any, right: Any) -> Any:
        joined = left.merge(right, left_on="key", right_on="other")
        least = joined.groupby("key")["number"].min().reset_index()
        least = least.rename(columns={"key": "part", "number": "least"})
        both = joined.merge(least, left_on="key", right_on="part")
        both = both[both.number == both.least]
        return both[["key", "word", "weight", "least"]]

    found = ask(
        dd.read_parquet(tmp_path / "left.parquet"), dd.read_parquet(tmp_path / "right.parquet")
    ).compute()
    expected = ask(left, right)
    by = ["key", "word"]
    pd.testing.assert_frame_equal(
        found.sort_values(by, kind="stable").reset_index(drop=True),
        expected.sort_values(by, kind="stable").reset_index(drop=True),
        check_dtype=False,
    )


@pytest.mark.parametrize("wanted", [0, 3])
def test_groups_are_joined_with_few_rows(tmp_path: Path, wanted: int) -> None:
    many = rows(ascending(np.random.default_rng(8)))
    few = pd.DataFrame({"id": np.arange(10, 10 + wanted, dtype="int64")})
    many.to_parquet(tmp_path / "many.parquet")
    few.to_parquet(tmp_path / "few.parquet")

    def ask(many: Any, few: Any) -> Any:
        counts = many.groupby("key")["number"].nunique().reset_index()
        counts = counts[counts.number > 1].rename(columns={"number": "different"})
        return few.merge(counts, left_on="id", right_on="key")[["id", "different"]]

    found = ask(
        dd.read_parquet(tmp_path / "many.parquet"), dd.read_parquet(tmp_path / "few.parquet")
    ).compute()
    expected = ask(many, few)
    pd.testing.assert_frame_equal(
        found.sort_values("id").reset_index(drop=True), expected, check_dtype=False
    )
