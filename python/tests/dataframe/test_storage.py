"""ORC files, data bases, HDF5 files, and random time series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import samite
import samite.dataframe as dd

SMALL = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FRAME = pd.DataFrame(
    {
        "n": np.arange(12),
        "x": [None if i % 5 == 2 else i / 4 for i in range(12)],
        "s": [f"é{i % 4}" for i in range(12)],
    }
)


def failing(frame):
    if frame["n"].iloc[0] >= 6:
        raise RuntimeError("lost in the middle")
    return frame


# -- ORC ----------------------------------------------------------------------------------


@pytest.mark.parametrize("npartitions", [1, 4])
def test_orc_that_is_written_is_read_again(tmp_path, npartitions):
    lazy = dd.from_pandas(FRAME.set_index("n"), npartitions=npartitions)
    lazy.to_orc(tmp_path)
    result = dd.read_orc(tmp_path, index="n")
    assert result.npartitions == npartitions
    pd.testing.assert_frame_equal(result.compute(), FRAME.set_index("n"))
    pd.testing.assert_series_equal(result["s"].compute(), FRAME.set_index("n")["s"])
    joined = dd.read_orc(tmp_path, split_stripes=2, aggregate_files=True)
    assert joined.npartitions == (npartitions + 1) // 2
    assert len(joined) == 12
    with pytest.raises(ValueError, match="absent"):
        dd.read_orc(tmp_path, columns=["absent"])


def test_an_orc_write_that_fails_leaves_nothing(tmp_path):
    broken = dd.from_pandas(FRAME, npartitions=2).map_partitions(failing, meta=FRAME.iloc[:0])
    with pytest.raises(RuntimeError, match="lost in the middle"):
        broken.to_orc(tmp_path)
    assert not list(tmp_path.iterdir())


# -- data bases ---------------------------------------------------------------------------


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path / 'rows.db'}"


@SMALL
@given(
    st.lists(st.one_of(st.none(), st.integers(-50, 50)), min_size=1, max_size=30).filter(
        lambda values: any(v is not None for v in values)
    ),
    st.integers(1, 9),
)
def test_every_row_is_in_one_partition(tmp_path, values, npartitions):
    uri = f"sqlite:///{tmp_path / 'every.db'}"
    frame = pd.DataFrame({"key": pd.array(values, dtype="Int64"), "row": range(len(values))})
    frame.to_sql("t", uri, index=False, if_exists="replace")
    lazy = dd.read_sql_table("t", uri, "key", npartitions=npartitions)
    computed = lazy.compute()
    assert sorted(computed["row"]) == list(range(len(values)))
    if lazy.known_divisions:
        for position in range(lazy.npartitions):
            part = lazy.partitions[position].compute()
            assert len(part) == 0 or part.index.min() >= lazy.divisions[position]


def test_tables_and_queries(uri):
    lazy = dd.from_pandas(FRAME.set_index("n"), npartitions=3)
    lazy.to_sql("t", uri)
    result = dd.read_sql_table("t", uri, "n", npartitions=4)
    pd.testing.assert_frame_equal(result.compute(), FRAME.set_index("n"))
    times = FRAME.assign(t=pd.date_range("2024-01-01", periods=12, freq="h"))
    times.to_sql("times", uri, index=False)
    by_time = dd.read_sql_table("times", uri, "t", npartitions=5, columns=["n"])
    assert by_time.divisions[0] == times["t"].min()
    assert by_time["n"].compute().tolist() == list(range(12))
    columns = sa.select(sa.column("n"), (sa.column("x") * 2).label("double"))
    query = columns.select_from(sa.table("t")).where(sa.column("n") >= 6)
    doubled = dd.read_sql(query, uri, "n", npartitions=2)
    expected = FRAME.set_index("n")["x"].loc[6:] * 2
    pd.testing.assert_series_equal(doubled["double"].compute(), expected, check_names=False)
    named = dd.read_sql_table("t", uri, "s", divisions=["é0", "é2", "é9"])
    assert sorted(named["n"].compute()) == list(range(12))


def test_what_cannot_be_read_from_a_data_base(uri):
    FRAME.to_sql("t", uri, index=False)
    with pytest.raises(TypeError, match="must be numeric or datetime"):
        dd.read_sql_table("t", uri, "s")
    with pytest.raises(TypeError, match="not both"):
        dd.read_sql_table("t", uri, "n", npartitions=2, divisions=[0, 5, 12])
    with pytest.raises(ValueError, match="not texts"):
        dd.read_sql_query("select * from t", uri, "n")
    with pytest.raises(TypeError, match="'con' must be of type str"):
        dd.read_sql_table("t", sa.create_engine(uri), "n")
    with pytest.raises(ValueError, match="already exists"):
        dd.from_pandas(FRAME, npartitions=2).to_sql("t", uri)


# -- HDF5 ---------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["one.h5", "part-*.h5"])
def test_hdf_that_is_written_is_read_again(tmp_path, place):
    lazy = dd.from_pandas(FRAME, npartitions=3)
    paths = lazy.to_hdf(tmp_path / place, "/rows")
    assert len(set(paths)) == (3 if "*" in place else 1)
    result = dd.read_hdf(str(tmp_path / place), "/rows", chunksize=5, sorted_index=True)
    pd.testing.assert_frame_equal(result.compute(), FRAME)
    assert result.known_divisions
    assert result.divisions[-1] == 11
    with pytest.raises(OSError, match="not found"):
        dd.read_hdf(str(tmp_path / "absent.h5"), "/rows")
    with pytest.raises(ValueError, match="no file"):
        dd.read_hdf(str(tmp_path / place), "/absent")


# -- random time series -------------------------------------------------------------------


def test_a_column_is_the_same_whatever_else_is_made():
    lazy = samite.datasets.timeseries(end="2000-01-04", freq="1h", seed=7)
    whole = lazy.compute()
    assert lazy.npartitions == 3
    assert len(whole) == len(lazy) == 72
    for column in lazy.columns:
        pd.testing.assert_series_equal(lazy[column].compute(), whole[column])
    pd.testing.assert_frame_equal(lazy.partitions[1].compute(), whole.iloc[24:48])
    again = samite.datasets.timeseries(end="2000-01-04", freq="1h", seed=7)
    assert again._name == lazy._name
    assert list(lazy.divisions) == list(pd.date_range("2000-01-01", "2000-01-04"))
    assert lazy.dtypes.equals(whole.dtypes)


def test_columns_of_a_time_series_are_as_asked_for():
    lazy = samite.datasets.timeseries(
        end="2000-01-03",
        freq="1h",
        dtypes={"a": int, "a_b": "f4", "c": "category"},
        a_lam=3,
        seed=1,
    )
    computed = lazy.compute()
    assert computed["a"].max() < 30
    assert computed["a_b"].dtype == "float32"
    assert isinstance(computed["c"].dtype, pd.CategoricalDtype)
    with pytest.warns(UserWarning, match="no argument 'npartitions', which is ignored"):
        ignored = samite.datasets.timeseries(end="2000-01-03", freq="1h", npartitions=10)
    assert ignored.npartitions == 2
    with pytest.raises(TypeError, match="No random values"):
        samite.datasets.timeseries(dtypes={"a": "M8[ns]"})
    with pytest.raises(ValueError, match="no whole partition"):
        samite.datasets.timeseries(end="2000-01-01")
