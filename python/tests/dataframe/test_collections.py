"""Collections of data frames: their partitions, their optimization, and what they refuse."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import samite
import samite.dataframe as dd
from samite.dataframe.expressions.selection import Projection
from samite.dataframe.expressions.sources import FromPandas


@pytest.fixture
def rows():
    return pd.DataFrame({"x": range(20), "y": np.arange(20) / 2, "z": list("abcd") * 5})


@pytest.fixture
def frame(rows):
    return dd.from_pandas(rows, npartitions=4)


def sources(collection):
    return list(collection.simplify().find_operations(FromPandas))


def test_only_columns_that_are_read_are_taken_from_the_source(frame):
    query = frame.assign(w=frame.x * 2)[frame.y > 3][["w"]]
    assert {tuple(s.columns) for s in sources(query)} == {("x", "y")}


def test_columns_are_pushed_through_what_keeps_them_apart(frame, rows):
    for found, expected in [
        (frame.rename(columns={"x": "a"})[["a"]], rows.rename(columns={"x": "a"})[["a"]]),
        (frame.fillna({"x": 1, "y": 2})["y"], rows.fillna({"x": 1, "y": 2})["y"]),
        (frame.astype({"x": "float64"})["x"], rows.astype({"x": "float64"})["x"]),
        (frame.isin({"x": [1], "y": [2]})[["x"]], rows.isin({"x": [1], "y": [2]})[["x"]]),
        (frame.dropna()["x"], rows.dropna()["x"]),
        (frame.assign(v=frame.x)[["z", "v"]], rows.assign(v=rows.x)[["z", "v"]]),
    ]:
        simpler = found.simplify()
        left, right = found.compute(), simpler.compute()
        check = (
            pd.testing.assert_frame_equal if expected.ndim == 2 else pd.testing.assert_series_equal
        )
        check(left, expected)
        check(right, expected)
    (source,) = sources(frame.fillna({"x": 1, "y": 2})["y"])
    assert source.columns == ["y"]


def test_a_source_is_read_once_for_several_readers(frame):
    query = frame[frame.x > 2]["y"] + frame[frame.x > 2]["x"]
    assert len({s._name for s in sources(query)}) == 1


def test_equal_expressions_are_one(frame, rows):
    assert (frame.x + 1).expr is (frame.x + 1).expr
    again = dd.from_pandas(rows, npartitions=4)
    assert again._name == frame._name
    assert (frame.x + 1)._name != (frame.x + 2)._name


def test_head_computes_one_partition(frame, rows):
    pd.testing.assert_frame_equal(frame.head(3), rows.head(3))
    small = (frame.x + frame.y).head(2, compute=False).optimize()
    assert small.npartitions == 1
    with pytest.warns(UserWarning, match="only 5 elements"):
        assert len(frame.head(7)) == 5
    assert len(frame.head(7, npartitions=2)) == 7
    assert len(frame.head(7, npartitions=-1)) == 7
    pd.testing.assert_frame_equal(frame.tail(2), rows.tail(2))
    with pytest.raises(ValueError, match="only 4 partitions"):
        frame.head(2, npartitions=5)


def test_partitions_by_position(frame, rows):
    assert frame.partitions[1].divisions == (5, 10)
    assert frame.partitions[[0, 3]].compute().x.tolist() == [*range(5), *range(15, 20)]
    assert frame.partitions[-1].compute().x.tolist() == list(range(15, 20))
    assert not frame.partitions[[3, 0]].known_divisions
    pd.testing.assert_frame_equal(frame.get_partition(0).compute(), rows[:5])
    with pytest.raises(ValueError, match="0 <= n < 4"):
        frame.get_partition(4)


def test_functions_of_partitions(frame, rows):
    found = frame.map_partitions(lambda part: part.assign(w=part.x + 1))
    pd.testing.assert_frame_equal(found.compute(), rows.assign(w=rows.x + 1))
    assert frame.map_partitions(len, meta=("n", "int64")).compute().tolist() == [5] * 4

    def placed(part, partition_info=None):
        return part.assign(number=partition_info["number"])

    meta = rows.iloc[:0].assign(number=pd.Series(dtype="int64"))
    numbers = frame.map_partitions(placed, meta=meta).number.compute()
    assert numbers.tolist() == [i for i in range(4) for _ in range(5)]
    # Chosen partitions keep their numbers.
    second = frame.map_partitions(placed, meta=meta).partitions[[1]].number
    assert second.simplify().compute().tolist() == [1] * 5


def test_what_a_function_returns_is_compared_with_what_was_promised(frame):
    promised = frame.map_partitions(lambda part: part[["x"]], meta={"x": "int64", "q": "int64"})
    with pytest.raises(ValueError, match="do not match the columns in the provided metadata"):
        promised.compute()
    with pytest.raises(ValueError, match="Metadata inference failed"):
        frame.map_partitions(lambda part: part.nothing)
    with pytest.raises(TypeError, match="callable"):
        frame.map_partitions(3)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_every_scheduler_gives_the_same(frame, rows, scheduler):
    query = frame[frame.x > 3].assign(w=frame.y * 2)
    expected = rows[rows.x > 3].assign(w=rows.y * 2)
    pd.testing.assert_frame_equal(query.compute(scheduler=scheduler), expected)


def test_persist_and_pickle(frame, rows):
    query = frame.assign(w=frame.x + 1)
    kept = query.persist()
    assert kept.divisions == query.divisions
    assert len(kept.dask) == 4
    pd.testing.assert_frame_equal(kept.compute(), rows.assign(w=rows.x + 1))
    pd.testing.assert_frame_equal(
        pickle.loads(pickle.dumps(query)).compute(), rows.assign(w=rows.x + 1)
    )
    together = samite.compute(query.x, kept.w, 3)
    assert together[0].tolist() == rows.x.tolist() and together[2] == 3
    left, right = samite.persist(query.x, query.w)
    assert left.compute().tolist() == rows.x.tolist()
    assert right.compute().tolist() == (rows.x + 1).tolist()


def test_looking_inside(frame, capsys):
    query = frame[frame.x > 3]["y"]
    query.explain()
    shown = capsys.readouterr().out
    assert "-- as written" in shown and "FromPandas" in shown
    query.analyze()
    shown = capsys.readouterr().out
    assert "16 rows" in shown and "4 tasks" in shown
    groups = frame.groupby("y").x.sum()
    groups.explain()
    shown = capsys.readouterr().out
    assert "-- native" in shown and "Aggregate: by" in shown and "AggregateExec" in shown
    groups.analyze()
    shown = capsys.readouterr().out
    assert "NativeRows" in shown and "AggregateExec" in shown and "1 tasks" in shown
    with samite.config.set({"dataframe.native": False}):
        groups.explain()
        groups.analyze()
    assert "Exec" not in capsys.readouterr().out
    with pytest.raises(ValueError, match="stage must be one of"):
        query.explain(stage="nonsense")
    assert isinstance(query.expr, Projection)


def test_scalars_take_part(frame, rows):
    total = frame.x.sum()
    assert (total + 1).compute() == rows.x.sum() + 1
    pd.testing.assert_series_equal((frame.x / total).compute(), rows.x / rows.x.sum())
    with pytest.raises(TypeError, match="boolean"):
        bool(total > 3)


def test_columns_that_are_not_there_are_answered_with_the_nearest_names():
    lazy = dd.from_pandas(pd.DataFrame({"number": [1], "word": ["a"]}), npartitions=1)
    for key in ("nmber", ["word", "nmber"]):
        with pytest.raises(KeyError, match="nmber") as caught:
            lazy[key]
        assert "did you mean 'number'?" in caught.value.__notes__[0]
    with pytest.raises(KeyError) as caught:
        lazy[7]
    assert caught.value.__notes__ == ["df[...]: the columns are 'number', 'word'"]


def test_frames_and_collections_of_other_kinds_are_computed_at_once(scheduler):
    import samite
    import samite.array as da

    rows = pd.DataFrame({"k": range(10), "v": range(10, 20), "w": 1.5})
    frame = dd.from_pandas(rows, npartitions=3)
    lazy = [frame.k.sum(), samite.delayed(abs)(-4), da.ones(4, chunks=2).sum(), frame.v + frame.w]
    with pytest.warns(UserWarning, match="mixed collections"):
        total, absolute, ones, column = samite.compute(*lazy, scheduler=scheduler)
    assert (total, absolute, ones) == (45, 4, 4.0)
    pd.testing.assert_series_equal(column, rows.v + rows.w)
