"""The questions of h2o's benchmark of groups and joins, and rows for them.

Groups are ten questions over one table (G1 with 100 groups in id1, id2, id4 and id5, and a
hundredth of the rows in id3 and id6); joins are five of a table with one of a millionth, of a
thousandth, and of as many of its rows. Of a join the sums of its numbers are asked for, so that no
library has to keep all of its rows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

GROUPS = {
    "q1": "select id1, sum(v1) as v1 from t group by id1",
    "q2": "select id1, id2, sum(v1) as v1 from t group by id1, id2",
    "q3": "select id3, sum(v1) as v1, avg(v3) as v3 from t group by id3",
    "q4": "select id4, avg(v1) as v1, avg(v2) as v2, avg(v3) as v3 from t group by id4",
    "q5": "select id6, sum(v1) as v1, sum(v2) as v2, sum(v3) as v3 from t group by id6",
    "q6": "select id4, id5, median(v3) as m, stddev(v3) as s from t group by id4, id5",
    "q7": "select id3, max(v1) - min(v2) as d from t group by id3",
    "q8": (
        "select id6, v3 from (select id6, v3, row_number() over "
        "(partition by id6 order by v3 desc) as place from t) where place <= 2"
    ),
    "q9": "select id2, id4, power(corr(v1, v2), 2) as r2 from t group by id2, id4",
    "q10": (
        "select id1, id2, id3, id4, id5, id6, sum(v3) as v3, count(*) as n from t "
        "group by id1, id2, id3, id4, id5, id6"
    ),
}


def groups_table(folder: Path, size: int) -> Path:
    """h2o's table G1 in a Parquet file."""
    import pandas as pd

    path = folder / f"groups-{size}.parquet"
    if path.exists():
        return path
    random = np.random.default_rng(42)
    many = max(size // 100, 1)
    frame = pd.DataFrame(
        {
            "id1": named("id", random.integers(1, 101, size), 3),
            "id2": named("id", random.integers(1, 101, size), 3),
            "id3": named("id", random.integers(1, many + 1, size), 10),
            "id4": random.integers(1, 101, size),
            "id5": random.integers(1, 101, size),
            "id6": random.integers(1, many + 1, size),
            "v1": random.integers(1, 6, size),
            "v2": random.integers(1, 16, size),
            "v3": np.round(random.random(size) * 100, 6),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path, index=False, row_group_size=1_000_000)
    return path


def named(word: str, numbers: Any, digits: int) -> Any:
    """Texts of a word and a number; each text is made once."""
    import pandas as pd

    texts = np.array([f"{word}{number:0{digits}}" for number in range(int(numbers.max()) + 1)])
    return pd.Series(texts[numbers], dtype="str")


def frame_groups(read: Callable[[], Any], sql: Callable[[str, Any], Any] | None) -> dict[str, Any]:
    """The questions in the pandas-style API; those that it has no words for in SQL, or by a
    function of pandas where there is no SQL."""

    def squares(rows: Any) -> Any:
        rows = rows.assign(xx=rows.v1 * rows.v1, yy=rows.v2 * rows.v2, xy=rows.v1 * rows.v2)
        sums = rows.groupby(["id2", "id4"]).agg(
            n=("v1", "count"),
            x=("v1", "sum"),
            y=("v2", "sum"),
            xx=("xx", "sum"),
            yy=("yy", "sum"),
            xy=("xy", "sum"),
        )
        upper = (sums.n * sums.xy - sums.x * sums.y) ** 2
        lower = (sums.n * sums.xx - sums.x**2) * (sums.n * sums.yy - sums.y**2)
        return (upper / lower).to_frame("r2")

    def largest(rows: Any) -> Any:
        if sql is not None:
            return sql(GROUPS["q8"], rows)
        meta = rows._meta[["v3"]]
        return rows[["id6", "v3"]].groupby("id6").apply(lambda g: g.nlargest(2, "v3"), meta=meta)

    def spread(rows: Any) -> Any:
        if sql is not None:
            return sql(GROUPS["q6"], rows)
        groups = rows.groupby(["id4", "id5"]).v3
        return groups.median().to_frame("m").assign(s=groups.std())

    def between(rows: Any) -> Any:
        ends = rows.groupby("id3").agg({"v1": "max", "v2": "min"})
        return (ends.v1 - ends.v2).to_frame("d")

    every = ["id1", "id2", "id3", "id4", "id5", "id6"]
    return {
        "q1": lambda: read().groupby("id1").agg({"v1": "sum"}),
        "q2": lambda: read().groupby(["id1", "id2"]).agg({"v1": "sum"}),
        "q3": lambda: read().groupby("id3").agg({"v1": "sum", "v3": "mean"}),
        "q4": lambda: read().groupby("id4").agg({"v1": "mean", "v2": "mean", "v3": "mean"}),
        "q5": lambda: read().groupby("id6").agg({"v1": "sum", "v2": "sum", "v3": "sum"}),
        "q6": lambda: spread(read()),
        "q7": lambda: between(read()),
        "q8": lambda: largest(read()),
        "q9": lambda: squares(read()),
        "q10": lambda: read().groupby(every).agg(v3=("v3", "sum"), n=("v3", "size")),
    }


def polars_groups(lazy: Any) -> dict[str, Any]:
    """The questions as lazy frames of Polars."""
    import polars as pl

    c = pl.col
    every = ["id1", "id2", "id3", "id4", "id5", "id6"]
    return {
        "q1": lazy.group_by("id1").agg(c("v1").sum()),
        "q2": lazy.group_by("id1", "id2").agg(c("v1").sum()),
        "q3": lazy.group_by("id3").agg(c("v1").sum(), c("v3").mean()),
        "q4": lazy.group_by("id4").agg(c("v1", "v2", "v3").mean()),
        "q5": lazy.group_by("id6").agg(c("v1", "v2", "v3").sum()),
        "q6": lazy.group_by("id4", "id5").agg(m=c("v3").median(), s=c("v3").std()),
        "q7": lazy.group_by("id3").agg(d=c("v1").max() - c("v2").min()),
        "q8": lazy.group_by("id6").agg(c("v3").top_k(2)).explode("v3"),
        "q9": lazy.group_by("id2", "id4").agg(r2=pl.corr("v1", "v2") ** 2),
        "q10": lazy.group_by(every).agg(c("v3").sum(), n=pl.len()),
    }


# ---- joins ------------------------------------------------------------------------------------

# The other table, how, and the key.
JOINS = {
    "q1": ("small", "inner", "id1"),
    "q2": ("medium", "inner", "id2"),
    "q3": ("medium", "left", "id2"),
    "q4": ("medium", "inner", "id5"),
    "q5": ("big", "inner", "id3"),
}


def join_tables(folder: Path, size: int) -> dict[str, Path]:
    """h2o's tables J1 in Parquet files: a tenth of the keys of each has no partner."""
    import pandas as pd

    paths = {
        name: folder / f"join-{size}-{name}.parquet" for name in ("x", "small", "medium", "big")
    }
    if all(path.exists() for path in paths.values()):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    counts = {"id1": max(size // 10**6, 10), "id2": max(size // 1000, 10), "id3": size}
    texts = {"id1": "id4", "id2": "id5", "id3": "id6"}

    def keys(level: str, rows: int, distinct: bool) -> Any:
        # Nine tenths of the keys are those of both sides.
        many = counts[level]
        known = random.permutation(many + many // 9)[:many]
        return (
            random.permutation(known)[:rows] if distinct else known[random.integers(0, many, rows)]
        )

    def table(levels: list[str], rows: int, value: str, distinct: str | None) -> Any:
        columns: dict[str, Any] = {}
        for level in levels:
            columns[level] = keys(level, rows, level == distinct)
            columns[texts[level]] = named("id", columns[level], 1)
        columns[value] = np.round(random.random(rows) * 100, 6)
        return pd.DataFrame(columns)

    made = {
        "x": table(["id1", "id2", "id3"], size, "v1", None),
        "small": table(["id1"], counts["id1"], "v2", "id1"),
        "medium": table(["id1", "id2"], counts["id2"], "v2", "id2"),
        "big": table(["id1", "id2", "id3"], size, "v2", "id3"),
    }
    for name, frame in made.items():
        frame.to_parquet(paths[name], index=False, row_group_size=1_000_000)
    return paths


def frame_join(read: Callable[[str], Any], other: str, how: str, key: str) -> Any:
    """The number of rows of a join and the sums of its values, in the pandas-style API."""
    left = read("x")[[key, "v1"]]
    joined = left.merge(read(other)[[key, "v2"]], on=key, how=how)
    return joined.assign(n=1)[["v1", "v2", "n"]].sum()


def sql_join(other: str, how: str, key: str) -> str:
    """The same in SQL."""
    return (
        f"select sum(v1) as v1, sum(v2) as v2, count(*) as n "
        f"from x {how} join {other} on x.{key} = {other}.{key}"
    )
