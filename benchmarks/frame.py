#!/usr/bin/env python3
"""What data frames cost: samite.dataframe beside Dask, DuckDB, Polars and DataFusion.

    python benchmarks/frame.py                       everything at scale 1
    python benchmarks/frame.py --small tpch-sql      a tenth of it, one topic

TPC-H: the tables are made once by tpchgen-cli (from PyPI), in the folder of TPCH_FOLDER or
/tmp/samite-tpch, with money as floats and days as moments, as pandas has them. `tpch-sql` runs the
22 queries as text, `tpch-frame` in the pandas-style API; both read Parquet files.
`groupby` and `join` are h2o's questions on rows in Parquet files, as many as H2O_ROWS says (10**7
by default; 10**8 take 9 GB of the disk), within H2O_MEMORY, such as 4GiB, for those who have
budgets (samite and DuckDB; none by default). `csv` reads text with days and
groups its rows. `plan` reads no rows: it is what comes before, for very many files and partitions.

The size is the scale factor in thousandths, or the number of rows. Every repetition runs in a
process of its own; `answer` is a sum over the results and has to agree.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from h2o_queries import (
    JOINS,
    frame_groups,
    frame_join,
    groups_in_sql,
    groups_table,
    join_tables,
    polars_groups,
    sql_join,
)
from measure import Contender, Facts, Topic, memory, run, start_of_peak
from tpch_frames import FRAME_QUERIES
from tpch_queries import QUERIES, TABLES

FOLDER = Path(os.environ.get("TPCH_FOLDER", "/tmp/samite-tpch"))
ROWS = int(os.environ.get("H2O_ROWS", "10000000"))
MEMORY = os.environ.get("H2O_MEMORY")


def tpch(size: int) -> Path:
    """The folder with the tables of a scale factor in thousandths."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = FOLDER / str(size)
    if folder.exists():
        return folder
    raw = FOLDER / f"raw-{size}"
    # It may stand beside the interpreter of an environment that is not on the path.
    beside = str(Path(sys.executable).parent)
    tool = shutil.which("tpchgen-cli", path=os.pathsep.join([beside, os.environ.get("PATH", "")]))
    if tool is None:
        raise SystemExit("tpchgen-cli is not installed: pip install tpchgen-cli")
    subprocess.run([tool, "parquet", "-s", str(size / 1000), "--output-dir", str(raw)], check=True)
    made = FOLDER / f"made-{size}"
    made.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        source = pq.ParquetFile(raw / f"{name}.parquet")
        schema = pa.schema([field.with_type(plain(field.type)) for field in source.schema_arrow])
        with pq.ParquetWriter(made / f"{name}.parquet", schema) as writer:
            for batch in source.iter_batches(batch_size=500_000):
                writer.write_table(pa.Table.from_batches([batch]).cast(schema))
    made.rename(folder)
    shutil.rmtree(raw)
    return folder


def plain(kind: Any) -> Any:
    """The type that pandas has for a type of the generator."""
    import pyarrow as pa

    if pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_date(kind):
        return pa.timestamp("us")
    return pa.string() if pa.types.is_string_view(kind) else kind


def answer(frame: Any) -> float:
    """A number that stands for a result: all its numbers added up."""
    numbers = frame.select_dtypes("number")
    return float(np.nansum(numbers.to_numpy(dtype="float64"))) + len(frame)


def all_queries(ask: Callable[[str], Any]) -> Facts:
    """Run the 22 queries, each once."""
    facts: Facts = {}
    answers = []
    total = 0.0
    for number, text in QUERIES.items():
        began = time.perf_counter()
        result = ask(text)
        taken = time.perf_counter() - began
        total += taken
        facts[f"q{number}"] = round(taken, 3)
        answers.append(answer(result))
    return {"seconds": total, "peak_mb": memory("VmHWM") // 10**6, **facts, "answer": answers}


def sql_samite(size: int) -> Facts:
    import samite.dataframe as dd

    folder = tpch(size)

    def ask(text: str) -> Any:
        tables = {name: dd.read_parquet(str(folder / f"{name}.parquet")) for name in TABLES}
        used = {name: table for name, table in tables.items() if name in text}
        return dd.sql(text, **used).compute()

    return all_queries(ask)


def sql_duckdb(size: int) -> Facts:
    import duckdb

    folder = tpch(size)
    connection = duckdb.connect()
    for name in TABLES:
        path = folder / f"{name}.parquet"
        connection.execute(f"create view {name} as select * from read_parquet('{path}')")
    return all_queries(lambda text: connection.execute(text).df())


def sql_datafusion(size: int) -> Facts:
    from datafusion import SessionContext

    folder = tpch(size)
    context = SessionContext()
    for name in TABLES:
        context.register_parquet(name, str(folder / f"{name}.parquet"))
    return all_queries(lambda text: context.sql(text).to_pandas())


def frames(package: str, size: int) -> Facts:
    import importlib

    dd = importlib.import_module(f"{package}.dataframe")
    folder = tpch(size)

    def read(name: str) -> Any:
        return dd.read_parquet(str(folder / f"{name}.parquet"))

    facts: Facts = {}
    answers, total = [], 0.0
    for number, query in FRAME_QUERIES.items():
        began = time.perf_counter()
        result = query(read).compute()
        taken = time.perf_counter() - began
        total += taken
        facts[f"q{number}"] = round(taken, 3)
        answers.append(answer(result) if hasattr(result, "columns") else float(result))
    return {"seconds": total, "peak_mb": memory("VmHWM") // 10**6, **facts, "answer": answers}


# ---- groups and joins -------------------------------------------------------------------------


def timed(questions: Iterable[tuple[str, Callable[[], Any]]]) -> Facts:
    """Answer questions, each once."""
    # The first run of all makes the tables, which is not to count as memory of its questions.
    start_of_peak()
    facts: Facts = {}
    answers, total = [], 0.0
    for name, ask in questions:
        began = time.perf_counter()
        result = ask()
        taken = time.perf_counter() - began
        total += taken
        facts[name] = round(taken, 3)
        answers.append(answer(result))
    return {"seconds": total, "peak_mb": memory("VmHWM") // 10**6, **facts, "answer": answers}


def values_only(frame: Any) -> Any:
    """A result without the keys of its groups, which may be columns or an index."""
    return frame[[label for label in frame.columns if not label.startswith("id")]]


def groups_of(package: str, size: int) -> Facts:
    import importlib

    dd = importlib.import_module(f"{package}.dataframe")
    path = str(groups_table(FOLDER, size))
    sql = (lambda text, rows: dd.sql(text, t=rows)) if package == "samite" else None
    asked = frame_groups(lambda: dd.read_parquet(path), sql, size)

    def answered(question: Callable[[], Any]) -> Any:
        found = question().compute(**budget(package))
        return values_only(found if hasattr(found, "columns") else found.to_frame().T)

    return timed((name, lambda q=q: answered(q)) for name, q in asked.items())


def budget(package: str) -> dict[str, Any]:
    """How a computation is told its budget."""
    return {"memory_limit": MEMORY} if MEMORY and package == "samite" else {}


def groups_polars(size: int) -> Facts:
    import polars as pl

    asked = polars_groups(pl.scan_parquet(str(groups_table(FOLDER, size))), size)
    return timed(
        (name, lambda q=q: values_only(q.collect(engine="streaming").to_pandas()))
        for name, q in asked.items()
    )


def groups_duckdb(size: int) -> Facts:
    import duckdb

    path = groups_table(FOLDER, size)
    limit(duckdb)
    duckdb.execute(f"create view t as select * from read_parquet('{path}')")
    return timed(
        (name, lambda text=text: values_only(duckdb.execute(text).df()))
        for name, text in groups_in_sql(size).items()
    )


def limit(duckdb: Any) -> None:
    """Give DuckDB the budget."""
    if MEMORY:
        duckdb.execute(f"set memory_limit = '{MEMORY}'")
        duckdb.execute(f"set temp_directory = '{FOLDER / 'duckdb'}'")


def joins_of(package: str, size: int) -> Facts:
    import importlib

    dd = importlib.import_module(f"{package}.dataframe")
    paths = join_tables(FOLDER, size)

    def ask(how: tuple[str, str, str]) -> Any:
        sums = frame_join(lambda name: dd.read_parquet(str(paths[name])), *how)
        return sums.compute(**budget(package)).to_frame().T

    return timed((name, lambda how=how: ask(how)) for name, how in JOINS.items())


def joins_polars(size: int) -> Facts:
    import polars as pl

    paths = join_tables(FOLDER, size)

    def ask(other: str, how: Any, key: str) -> Any:
        left, right = (pl.scan_parquet(str(paths[name])) for name in ("x", other))
        joined = left.select(key, "v1").join(right.select(key, "v2"), on=key, how=how)
        sums = joined.select(pl.col("v1").sum(), pl.col("v2").sum(), n=pl.len())
        return sums.collect(engine="streaming").to_pandas()

    return timed((name, lambda how=how: ask(*how)) for name, how in JOINS.items())


def joins_duckdb(size: int) -> Facts:
    import duckdb

    limit(duckdb)
    for name, path in join_tables(FOLDER, size).items():
        duckdb.execute(f"create view {name} as select * from read_parquet('{path}')")
    return timed(
        (name, lambda how=how: duckdb.execute(sql_join(*how)).df()) for name, how in JOINS.items()
    )


# ---- text -------------------------------------------------------------------------------------


def text_rows(size: int) -> Path:
    """Rows with days in a CSV file."""
    import pandas as pd

    path = FOLDER / f"days-{size}.csv"
    if path.exists():
        return path
    random = np.random.default_rng(0)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 1095, size), unit="D")
    frame = pd.DataFrame(
        {
            "when": days,
            "key": random.integers(0, 100, size),
            "word": random.choice(["alpha", "beta", "gamma", "delta"], size),
            "value": np.round(random.random(size) * 1000, 3),
            "other": random.random(size),
        }
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)
    return path


def text_of(package: str, size: int) -> Facts:
    import importlib

    dd = importlib.import_module(f"{package}.dataframe")
    path = str(text_rows(size))

    def ask() -> Any:
        rows = dd.read_csv(path, parse_dates=["when"])
        return rows.groupby("when").agg({"value": "sum", "key": "max"}).compute()

    return timed([("first", ask), ("again", ask)])


def text_polars(size: int) -> Facts:
    import polars as pl

    path = str(text_rows(size))

    def ask() -> Any:
        rows = pl.scan_csv(path, try_parse_dates=True)
        groups = rows.group_by("when").agg(pl.col("value").sum(), pl.col("key").max())
        return groups.collect(engine="streaming").to_pandas()

    return timed([("first", ask), ("again", ask)])


def text_duckdb(size: int) -> Facts:
    import duckdb

    text = f"select sum(value) as value, max(key) as key from '{text_rows(size)}' group by \"when\""
    return timed([(name, lambda: duckdb.execute(text).df()) for name in ("first", "again")])


# ---- planning ---------------------------------------------------------------------------------

ROW_GROUPS = 10


def many_files(size: int) -> Path:
    """A folder of Parquet files with ten row groups each, `size` row groups in all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = FOLDER / f"files-{size}"
    if folder.exists():
        return folder
    made = FOLDER / f"made-files-{size}"
    made.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    rows = 10 * ROW_GROUPS
    for number in range(size // ROW_GROUPS):
        moments = np.arange(number * rows, (number + 1) * rows).astype("M8[us]")
        columns = {
            "time": pa.array(moments),
            "id": random.integers(0, 50, rows),
            "x": random.random(rows),
            "y": random.random(rows),
        }
        path = made / f"part-{number:05d}.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=rows // ROW_GROUPS)
    made.rename(folder)
    return folder


def plans_of(package: str, size: int) -> Facts:
    """The time from files to a graph that can be run, without that of listing the files: of a first
    query (`seconds`), and of the same one again."""
    import importlib

    dd = importlib.import_module(f"{package}.dataframe")
    few, folder = many_files(20 * ROW_GROUPS), many_files(size)

    def planned(files: Path) -> int:
        rows = dd.read_parquet(str(files), split_row_groups=True)
        query = rows[rows.x > 0.5].groupby("id").y.sum()
        if package == "samite":
            from samite.base import _finalized

            _finalized([query], True)
        else:
            dict(query.optimize().__dask_graph__())
        return rows.npartitions

    def listed() -> float:
        began = time.perf_counter()
        for entry in os.scandir(folder):
            entry.stat()
        return time.perf_counter() - began

    # What is imported by a first query has nothing to do with the number of files.
    planned(few)
    taken = []
    for _ in range(2):
        listing = listed()
        began = time.perf_counter()
        partitions = planned(folder)
        taken.append(time.perf_counter() - began - listing)
    return {
        "seconds": taken[0],
        "peak_mb": memory("VmHWM") // 10**6,
        "again": round(taken[1], 3),
        "answer": [float(partitions)],
    }


TOPICS = {
    "tpch-sql": Topic(
        "The 22 queries of TPC-H in SQL",
        size=1000,
        quick=100,
        unit="thousandth of the scale",
        tolerance=1e-6,
        contenders={
            "samite": Contender(sql_samite),
            "duckdb": Contender(sql_duckdb, needs=("duckdb",)),
            "datafusion": Contender(sql_datafusion, needs=("datafusion",)),
        },
    ),
    "tpch-frame": Topic(
        "The 22 queries of TPC-H in the pandas-style API",
        size=1000,
        quick=100,
        unit="thousandth of the scale",
        tolerance=1e-6,
        contenders={
            "samite": Contender(lambda size: frames("samite", size)),
            "dask": Contender(lambda size: frames("dask", size), needs=("dask",), repeat=1),
        },
    ),
    "groupby": Topic(
        "Groups: h2o's ten questions over rows in a Parquet file",
        size=ROWS,
        quick=1_000_000,
        unit="row",
        tolerance=1e-6,
        contenders={
            "samite": Contender(lambda size: groups_of("samite", size)),
            "polars": Contender(groups_polars, needs=("polars",)),
            "duckdb": Contender(groups_duckdb, needs=("duckdb",)),
            "dask": Contender(
                lambda size: groups_of("dask", size),
                needs=("dask",),
                repeat=1,
                size=1_000_000,
                quick=100_000,
            ),
        },
    ),
    "join": Topic(
        "Joins: h2o's five questions over rows in Parquet files",
        size=ROWS,
        quick=1_000_000,
        unit="row",
        tolerance=1e-6,
        contenders={
            "samite": Contender(lambda size: joins_of("samite", size)),
            "polars": Contender(joins_polars, needs=("polars",)),
            "duckdb": Contender(joins_duckdb, needs=("duckdb",)),
            "dask": Contender(lambda size: joins_of("dask", size), needs=("dask",), repeat=1),
        },
    ),
    "csv": Topic(
        "Groups of days in a CSV file",
        size=2_000_000,
        quick=200_000,
        unit="row",
        tolerance=1e-6,
        contenders={
            "samite": Contender(lambda size: text_of("samite", size)),
            "dask": Contender(lambda size: text_of("dask", size), needs=("dask",)),
            "polars": Contender(text_polars, needs=("polars",)),
            "duckdb": Contender(text_duckdb, needs=("duckdb",)),
        },
    ),
    "plan": Topic(
        "Planning a query over files with ten row groups each, a partition for each row group",
        size=10_000,
        quick=1_000,
        unit="partition",
        contenders={
            "samite": Contender(lambda size: plans_of("samite", size)),
            "dask": Contender(lambda size: plans_of("dask", size), needs=("dask",), repeat=2),
        },
    ),
}

if __name__ == "__main__":
    sys.exit(run(__file__, TOPICS, __doc__ or ""))
