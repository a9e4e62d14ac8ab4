#!/usr/bin/env python3
"""What data frames cost: samite.dataframe beside Dask, DuckDB, Polars and DataFusion.

    python benchmarks/frame.py                       everything at scale 1
    python benchmarks/frame.py --small tpch-sql      a tenth of it, one topic

TPC-H: the tables are made once by tpchgen-cli (from PyPI), in the folder of TPCH_FOLDER or
/tmp/samite-tpch, with money as floats and days as moments, as pandas has them. `tpch-sql` runs the
22 queries as text, `tpch-frame` in the pandas-style API; both read Parquet files.
`groupby` is h2o's questions 1 to 5 on rows in Parquet files.

The size is the scale factor in thousandths, or the number of rows. Every repetition runs in a
process of its own; `answer` is a sum over the results and has to agree.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measure import Contender, Facts, Topic, memory, run
from tpch_frames import FRAME_QUERIES
from tpch_queries import QUERIES, TABLES

FOLDER = Path(os.environ.get("TPCH_FOLDER", "/tmp/samite-tpch"))


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


# ---- groups -----------------------------------------------------------------------------------


def grouped_rows(size: int) -> Path:
    """h2o's table G1 with 100 groups in id1 to id3, in Parquet files."""
    import pandas as pd

    path = FOLDER / f"groups-{size}.parquet"
    if path.exists():
        return path
    random = np.random.default_rng(42)
    many = max(size // 100, 1)
    frame = pd.DataFrame(
        {
            "id1": pd.Series(np.char.add("id", random.integers(1, 101, size).astype(str))),
            "id2": pd.Series(np.char.add("id", random.integers(1, 101, size).astype(str))),
            "id3": pd.Series(np.char.add("id", random.integers(1, many + 1, size).astype(str))),
            "id4": random.integers(1, 101, size),
            "id5": random.integers(1, 101, size),
            "id6": random.integers(1, many + 1, size),
            "v1": random.integers(1, 6, size),
            "v2": random.integers(1, 16, size),
            "v3": np.round(random.random(size) * 100, 6),
        }
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path, index=False, row_group_size=1_000_000)
    return path


QUESTIONS: dict[str, tuple[list[str], dict[str, str]]] = {
    "q1": (["id1"], {"v1": "sum"}),
    "q2": (["id1", "id2"], {"v1": "sum"}),
    "q3": (["id3"], {"v1": "sum", "v3": "mean"}),
    "q4": (["id4"], {"v1": "mean", "v2": "mean", "v3": "mean"}),
    "q5": (["id6"], {"v1": "sum", "v2": "sum", "v3": "sum"}),
}


def questions(ask: Callable[[list[str], dict[str, str]], Any]) -> Facts:
    facts: Facts = {}
    answers, total = [], 0.0
    for name, (keys, values) in QUESTIONS.items():
        began = time.perf_counter()
        result = ask(keys, values)
        taken = time.perf_counter() - began
        total += taken
        facts[name] = round(taken, 3)
        answers.append(answer(result[list(values)]))
    return {"seconds": total, "peak_mb": memory("VmHWM") // 10**6, **facts, "answer": answers}


def groups_of(package: str, size: int) -> Facts:
    import importlib

    dd = importlib.import_module(f"{package}.dataframe")
    path = str(grouped_rows(size))
    return questions(lambda keys, values: dd.read_parquet(path).groupby(keys).agg(values).compute())


def groups_polars(size: int) -> Facts:
    import polars as pl

    path = str(grouped_rows(size))

    def ask(keys: list[str], values: dict[str, str]) -> Any:
        columns = [getattr(pl.col(name), how)() for name, how in values.items()]
        lazy = pl.scan_parquet(path).group_by(keys).agg(columns)
        return lazy.collect(engine="streaming").to_pandas()

    return questions(ask)


def groups_duckdb(size: int) -> Facts:
    import duckdb

    path = str(grouped_rows(size))
    names = {"sum": "sum", "mean": "avg"}

    def ask(keys: list[str], values: dict[str, str]) -> Any:
        columns = [f"{names[how]}({name}) as {name}" for name, how in values.items()]
        by = ", ".join(keys)
        text = f"select {by}, {', '.join(columns)} from read_parquet('{path}') group by {by}"
        return duckdb.execute(text).df()

    return questions(ask)


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
        "Groups of rows in Parquet files",
        size=10_000_000,
        quick=1_000_000,
        unit="row",
        tolerance=1e-6,
        contenders={
            "samite": Contender(lambda size: groups_of("samite", size)),
            "dask": Contender(lambda size: groups_of("dask", size), needs=("dask",), repeat=1),
            "polars": Contender(groups_polars, needs=("polars",)),
            "duckdb": Contender(groups_duckdb, needs=("duckdb",)),
        },
    ),
}

if __name__ == "__main__":
    sys.exit(run(__file__, TOPICS, __doc__ or ""))
