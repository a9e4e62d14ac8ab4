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


# Of so many rows the groups of all keys are nearly as many, and are added up again: they would not
# fit into memory as a frame of pandas.
MANY_ROWS = 20_000_000
_TOTALS = "select sum(v3) as v3, sum(n) as n, count(*) as groups from ({})"


def groups_in_sql(size: int) -> dict[str, str]:
    """The questions of groups in SQL, over a table of so many rows."""
    return {**GROUPS, "q10": _TOTALS.format(GROUPS["q10"])} if size > MANY_ROWS else GROUPS


# Rows of a row group, and of what is in memory while tables are made.
ROW_GROUP = 1_000_000


def groups_table(folder: Path, size: int) -> Path:
    """h2o's table G1 in a Parquet file."""
    path = folder / f"groups-{size}.parquet"
    many = max(size // 100, 1)
    few_texts, many_texts = named("id", 101, 3), named("id", many + 1, 10)

    def rows(number: int, count: int) -> dict[str, Any]:
        random = np.random.default_rng((42, number))
        return {
            "id1": few_texts.take(random.integers(1, 101, count)),
            "id2": few_texts.take(random.integers(1, 101, count)),
            "id3": many_texts.take(random.integers(1, many + 1, count)),
            "id4": random.integers(1, 101, count),
            "id5": random.integers(1, 101, count),
            "id6": random.integers(1, many + 1, count),
            "v1": random.integers(1, 6, count),
            "v2": random.integers(1, 16, count),
            "v3": np.round(random.random(count) * 100, 6),
        }

    write(path, size, rows)
    return path


def write(path: Path, size: int, rows: Callable[[int, int], dict[str, Any]]) -> None:
    """Write a table row group by row group, unless it is there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    writer = None
    for number, start in enumerate(range(0, size, ROW_GROUP)):
        table = pa.table(rows(number, min(ROW_GROUP, size - start)))
        if writer is None:
            writer = pq.ParquetWriter(unfinished, table.schema)
        writer.write_table(table, row_group_size=ROW_GROUP)
    if writer is not None:
        writer.close()
    unfinished.rename(path)


def named(word: str, count: int, digits: int) -> Texts:
    """Texts of a word and a number below `count`; each text is made once."""
    return Texts([f"{word}{number:0{digits}}" for number in range(count)])


class Texts:
    """Texts by number."""

    def __init__(self, texts: list[str]) -> None:
        import pyarrow as pa

        self.texts = pa.array(texts, pa.large_string())

    def take(self, numbers: Any) -> Any:
        return self.texts.take(numbers)


def frame_groups(
    read: Callable[[], Any], sql: Callable[[str, Any], Any] | None, size: int
) -> dict[str, Any]:
    """The questions in the pandas-style API, over a table of so many rows; those that it has no
    words for in SQL, or by a function of pandas where there is no SQL."""

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

    def of_all_keys(rows: Any) -> Any:
        every = ["id1", "id2", "id3", "id4", "id5", "id6"]
        groups = rows.groupby(every).agg(v3=("v3", "sum"), n=("v3", "size"))
        return groups.assign(groups=1).sum() if size > MANY_ROWS else groups

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
        "q10": lambda: of_all_keys(read()),
    }


def polars_groups(lazy: Any, size: int) -> dict[str, Any]:
    """The questions as lazy frames of Polars, over a table of so many rows."""
    import polars as pl

    c = pl.col
    every = ["id1", "id2", "id3", "id4", "id5", "id6"]
    all_keys = lazy.group_by(every).agg(c("v3").sum(), n=pl.len())
    if size > MANY_ROWS:
        all_keys = all_keys.select(c("v3").sum(), c("n").sum(), groups=pl.len())
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
        "q10": all_keys,
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
    counts = {"id1": max(size // 10**6, 10), "id2": max(size // 1000, 10), "id3": size}
    texts = {"id1": "id4", "id2": "id5", "id3": "id6"}

    def table(
        seed: int, name: str, levels: list[str], size: int, value: str, distinct: str | None
    ) -> Path:
        path = folder / f"join-{size_of_all}-{name}.parquet"
        # Nine tenths of the keys are those of both sides.
        known = {
            level: Shuffled(counts[level] + counts[level] // 9, (seed, place))
            for place, level in enumerate(levels)
        }

        def rows(number: int, count: int) -> dict[str, Any]:
            random = np.random.default_rng((7, seed, number))
            columns: dict[str, Any] = {}
            for level in levels:
                first = number * ROW_GROUP
                places = (
                    np.arange(first, first + count)
                    if level == distinct
                    else random.integers(0, counts[level], count)
                )
                columns[level] = known[level][places]
                columns[texts[level]] = numbered("id", columns[level])
            columns[value] = np.round(random.random(count) * 100, 6)
            return columns

        write(path, size, rows)
        return path

    size_of_all = size
    return {
        "x": table(0, "x", ["id1", "id2", "id3"], size, "v1", None),
        "small": table(1, "small", ["id1"], counts["id1"], "v2", "id1"),
        "medium": table(2, "medium", ["id1", "id2"], counts["id2"], "v2", "id2"),
        "big": table(3, "big", ["id1", "id2", "id3"], size, "v2", "id3"),
    }


def numbered(word: str, numbers: Any) -> Any:
    """Texts of a word and a number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pa.large_string()
    scalar = [pa.scalar(value, text) for value in (word, "")]
    return pc.binary_join_element_wise(scalar[0], pa.array(numbers).cast(text), scalar[1])


class Shuffled:
    """A permutation of the numbers below a count that takes no memory: four rounds of a Feistel
    network over the next power of four, gone through again until the number is below the count."""

    def __init__(self, count: int, seed: tuple[int, ...]) -> None:
        self.count = count
        self.bits = max((count - 1).bit_length() + 1, 2) // 2
        random = np.random.default_rng(seed)
        self.factors = random.integers(1, 2**62, 4, dtype=np.uint64) | np.uint64(1)

    def __getitem__(self, numbers: Any) -> Any:
        found = self._once(np.asarray(numbers, dtype=np.uint64))
        while (outside := np.flatnonzero(found >= self.count)).size:
            found[outside] = self._once(found[outside])
        return found.astype(np.int64)

    def _once(self, numbers: Any) -> Any:
        bits, low = np.uint64(self.bits), np.uint64((1 << self.bits) - 1)
        left, right = numbers >> bits, numbers & low
        for factor in self.factors:
            mixed = (right + np.uint64(1)) * factor
            left, right = right, left ^ ((mixed >> np.uint64(32)) & low)
        return (left << bits) | right


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
