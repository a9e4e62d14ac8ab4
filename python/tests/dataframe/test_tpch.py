"""The 22 queries of TPC-H, in SQL and in the pandas-style API, have DuckDB's answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

import samite.dataframe as dd
from samite.dataframe._native import nativized
from samite.dataframe._native.node import NativeRows

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

import frame as benchmark
from tpch_frames import FRAME_QUERIES
from tpch_queries import QUERIES, TABLES

# The scale factor in thousandths: of the rows that the rarest conditions ask for, there are some.
SCALE = 50


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    before, benchmark.FOLDER = benchmark.FOLDER, tmp_path_factory.mktemp("tpch")
    yield benchmark.tpch(SCALE)
    benchmark.FOLDER = before


@pytest.fixture(scope="module")
def expected(folder: Path) -> Callable[[int], pd.DataFrame]:
    connection = duckdb.connect()
    for name in TABLES:
        path = folder / f"{name}.parquet"
        connection.execute(f"create view {name} as select * from read_parquet('{path}')")
    return lambda number: connection.execute(QUERIES[number]).df()


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert len(expected)
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True), expected, check_dtype=False, rtol=1e-9
    )


@pytest.mark.parametrize("number", QUERIES)
def test_sql(number: int, folder: Path, expected: Callable[[int], pd.DataFrame]) -> None:
    text = QUERIES[number]
    tables = {n: dd.read_parquet(str(folder / f"{n}.parquet")) for n in TABLES if n in text}
    same(dd.sql(text, **tables).compute(), expected(number))


@pytest.mark.parametrize("number", FRAME_QUERIES)
def test_frames(number: int, folder: Path, expected: Callable[[int], pd.DataFrame]) -> None:
    def read(name: str) -> Any:
        return dd.read_parquet(str(folder / f"{name}.parquet"))

    query = FRAME_QUERIES[number](read)
    assert isinstance(nativized(query.expr, final=True), NativeRows), query.explain()
    found, wanted = query.compute(), expected(number)
    if not isinstance(found, pd.DataFrame):
        assert np.isclose(found, wanted.iloc[0, 0], rtol=1e-9)
        return
    # Columns of counts and the like are named otherwise, and stand in another order where groups
    # come first.
    if set(found.columns) == set(wanted.columns):
        found = found[list(wanted.columns)]
    found.columns = wanted.columns
    same(found, wanted)
