#!/usr/bin/env python3
"""Are the answers to the queries of TPC-H those of DuckDB, within a limit of memory?

    python benchmarks/tpch_answers.py                            scale 1
    python benchmarks/tpch_answers.py --size 10000 --limit 4GiB  scale 10, both within 4 GiB
    python benchmarks/tpch_answers.py --frames                   the pandas-style queries

Every row and column of each answer is compared, numbers to nine digits; rows without an order of
their own are sorted first. The program ends with status 1 if one differs. It prints the seconds of
both and the most memory that this process, which runs both, has had after each query.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
from frame import tpch
from measure import memory
from tpch_frames import FRAME_QUERIES
from tpch_queries import QUERIES, TABLES


def plain(frame: Any) -> pd.DataFrame:
    """An answer with plain dtypes, sorted by all columns, numbers last as they are rounded."""
    if not isinstance(frame, pd.DataFrame):
        frame = pd.DataFrame({"value": [float(frame)]})
    frame = frame.reset_index(drop=True)
    columns = {}
    for position, label in enumerate(frame.columns):
        values = frame[label]
        if values.dtype.kind in "iufb":
            columns[position] = values.astype(float)
        elif values.dtype.kind == "M":
            columns[position] = values.astype("M8[us]").astype(str)
        else:
            columns[position] = values.astype(object).where(values.notna(), None).astype(str)
    found = pd.DataFrame(columns)
    order = sorted(found.columns, key=lambda column: found[column].dtype.kind == "f")
    keys = [
        found[column].round(2) if found[column].dtype.kind == "f" else found[column]
        for column in order
    ]
    places = np.lexsort([pd.factorize(key, sort=True)[0] for key in reversed(keys)])
    return found.iloc[places].reset_index(drop=True)


def difference(found: Any, expected: Any) -> str | None:
    """What is other in two answers."""
    if isinstance(found, pd.DataFrame):
        # Columns of other names are those that are left, in their order.
        left = [label for label in found.columns if label not in expected.columns]
        names = [label if label in found.columns else None for label in expected.columns]
        if len(left) == names.count(None):
            found = found[[left.pop(0) if label is None else label for label in names]]
    found, expected = plain(found), plain(expected)
    if found.shape != expected.shape:
        return f"{found.shape} rows and columns for {expected.shape}"
    for column in expected.columns:
        mine, theirs = found[column], expected[column]
        if mine.dtype.kind != theirs.dtype.kind:
            return f"column {column}: {mine.dtype} for {theirs.dtype}"
        if theirs.dtype.kind == "f":
            good = np.isclose(mine, theirs, rtol=1e-9, atol=1e-6, equal_nan=True)
        else:
            good = (mine == theirs).to_numpy()
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            return f"column {column}, row {row}: {mine[row]!r} for {theirs[row]!r}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=1000, help="thousandths of the scale factor")
    parser.add_argument("--limit", help="memory for each of both, such as 4GiB")
    parser.add_argument("--frames", action="store_true", help="the pandas-style queries")
    parser.add_argument("queries", nargs="*", type=int)
    given = parser.parse_args()
    import duckdb

    import samite
    import samite.dataframe as dd

    folder = tpch(given.size)
    connection = duckdb.connect()
    if given.limit:
        connection.execute(f"set memory_limit = '{given.limit}'")
    for name in TABLES:
        path = folder / f"{name}.parquet"
        connection.execute(f"create view {name} as select * from read_parquet('{path}')")

    def read(name: str) -> Any:
        return dd.read_parquet(str(folder / f"{name}.parquet"))

    def ask(number: int) -> Any:
        if given.frames:
            return FRAME_QUERIES[number](read)
        text = QUERIES[number]
        return dd.sql(text, **{name: read(name) for name in TABLES if name in text})

    options = {"memory_limit": given.limit} if given.limit else {}
    wrong = 0
    for number in given.queries or QUERIES:
        began = time.perf_counter()
        (found,) = samite.compute(ask(number), **options)
        between = time.perf_counter()
        most = memory("VmHWM") / 1e6
        expected = connection.execute(QUERIES[number]).df()
        ended = time.perf_counter()
        apart = difference(found, expected)
        wrong += apart is not None
        print(
            f"q{number:<2} samite {between - began:8.3f} s  duckdb {ended - between:8.3f} s  "
            f"{most:7.0f} MB  {apart or 'equal'}",
            flush=True,
        )
    print("all answers are equal" if not wrong else f"{wrong} answers differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
