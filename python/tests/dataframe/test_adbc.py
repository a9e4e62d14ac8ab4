"""Rows of data bases by ADBC's drivers: what comes is what comes through SQLAlchemy."""

from __future__ import annotations

import functools
import pickle

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

import samite.dataframe as dd

dbapi = pytest.importorskip("adbc_driver_sqlite.dbapi")

SIZE = 400


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "key": random.integers(-100, 100, SIZE),
            "part": random.normal(size=SIZE),
            "text": [f'it\'s "{n}" – ö' for n in range(SIZE)],
            "some": pd.Series(random.normal(size=SIZE)).mask(random.random(SIZE) < 0.3),
            "odd name": random.integers(0, 9, SIZE),
            "row": range(SIZE),
        }
    )
    path = tmp_path_factory.mktemp("adbc") / "rows.db"
    frame.to_sql("t", f"sqlite:///{path}", index=False)
    gaps = frame.assign(key=frame["key"].astype("Int64").mask(frame["key"] % 7 == 0))
    gaps.to_sql("gaps", f"sqlite:///{path}", index=False)
    frame.iloc[:0].to_sql("empty", f"sqlite:///{path}", index=False)
    return str(path)


def both(place):
    return f"sqlite:///{place}", functools.partial(dbapi.connect, place)


def check(read, place, columns=None):
    alchemy, adbc = (read(con) for con in both(place))
    assert adbc.divisions == alchemy.divisions
    expected, found = alchemy.compute(), adbc.compute()
    pd.testing.assert_frame_equal(adbc._meta, alchemy._meta)
    order = ["row"] if "row" in expected else list(expected.columns)
    pd.testing.assert_frame_equal(
        found.sort_values(order, kind="stable"), expected.sort_values(order, kind="stable")
    )
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"npartitions": 7},
        {"divisions": [-100, 0, 5, 100]},
        {"npartitions": 3, "columns": ["odd name", "row", "text"]},
        {"npartitions": 3, "limits": (-50, 50)},
        {"bytes_per_chunk": 4000},
        {"npartitions": 4, "head_rows": 1, "columns": ["row", "some"]},
    ],
)
def test_tables(place, arguments):
    found = check(lambda con: dd.read_sql_table("t", con, "key", **arguments), place)
    assert len(found) == SIZE or arguments.get("limits")


def test_other_indexes(place):
    check(lambda con: dd.read_sql_table("t", con, "part", npartitions=5), place)
    bounds = ["a", "it's \"2", 'it\'s "5"', "z"]
    check(lambda con: dd.read_sql_table("t", con, "text", divisions=bounds), place)


def test_rows_without_an_index_value_are_there(place):
    found = check(lambda con: dd.read_sql_table("gaps", con, "key", npartitions=5), place)
    assert sorted(found["row"]) == list(range(SIZE)) and found.index.isna().any()


def test_queries(place):
    columns = sa.select(sa.column("row"), (sa.column("part") * 2).label("double"))
    table = columns.select_from(sa.table("t"))
    query = table.where(sa.column("text").like("%it's%1%"), sa.column("row") < 300)
    found = check(lambda con: dd.read_sql(query, con, "row", npartitions=3), place)
    assert 0 < len(found) < 300


def test_no_rows(place):
    lazy = dd.read_sql_table("empty", both(place)[1], "key")
    assert len(lazy) == 0 and lazy.index.name == "key"
    assert list(lazy.columns) == ["part", "text", "some", "odd name", "row"]


def test_workers_open_connections_of_their_own(place):
    lazy = dd.read_sql_table("t", both(place)[1], "key", npartitions=3)
    again = pickle.loads(pickle.dumps(lazy))
    assert len(again.compute(scheduler="processes", num_workers=2)) == SIZE


def test_what_is_no_connection(place):
    connection = dbapi.connect(place)
    with connection, pytest.raises(TypeError, match="a function that opens"):
        dd.read_sql_table("t", connection, "key")
    with pytest.raises(TypeError, match="it gave <class 'str'>"):
        dd.read_sql_table("t", lambda: "rows.db", "key")
    with pytest.raises(TypeError, match="engine_kwargs are for SQLAlchemy"):
        dd.read_sql_table("t", both(place)[1], "key", engine_kwargs={"echo": True})
    with pytest.raises(ValueError, match="not texts"):
        dd.read_sql_query("select * from t", both(place)[1], "key")
    with pytest.raises(dbapi.Error, match="absent"):
        dd.read_sql_table("absent", both(place)[1], "key")
