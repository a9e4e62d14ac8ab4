"""Collections on clusters of other makers: the answers are those of this machine's threads."""

from __future__ import annotations

import json
import operator
import pickle
import random

import distributed
import numpy as np
import pandas as pd
import pytest
from cluster_patience import PATIENCE

import samite
import samite.array as da
import samite.bag as db
import samite.dataframe as dd
from samite import _engine, delayed


@pytest.fixture(scope="module", params=["dask", "ray"])
def elsewhere(request):
    """Each kind of cluster, with two processes."""
    if request.param == "ray":
        ray = pytest.importorskip("ray", reason="Ray is not installed")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield "ray"
        ray.shutdown()
        return
    options = {"n_workers": 2, "threads_per_worker": 2, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        with distributed.Client(cluster, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
            yield client


def matrix(seed):
    """Numbers and NaN, of which no two rows lie side by side."""
    chance = np.random.default_rng(seed)
    whole = chance.standard_normal((60, 90))
    whole[chance.random(whole.shape) < 0.05] = np.nan
    return whole[::2, ::-1]


ARRAYS = {
    "elementwise": lambda x: da.sqrt(abs(x)) + x / 3,
    "reductions": lambda x: da.nanmean(x, axis=0),
    "deviation": lambda x: da.nanstd(x),
    "several": lambda x: (x - da.nanmin(x)) / (da.nanmax(x) - da.nanmin(x)),
    "place of the largest": lambda x: da.nanargmax(da.nan_to_num(x), axis=1),
    "selection": lambda x: x[::-2, [3, 1, 40]],
    "by mask": lambda x: x[x > 0],
    "other chunks": lambda x: x.rechunk((30, 7)).cumsum(axis=0),
    "matrix product": lambda x: da.nan_to_num(x) @ da.nan_to_num(x).T,
    "function of blocks": lambda x: x.map_blocks(lambda block: block * 2, dtype=float),
    "random numbers": lambda x: da.random.default_rng(3).random((40, 40), chunks=9).sum(axis=1),
    "numbers of words": lambda x: x.astype("S8"),
    "median": lambda x: da.median(da.nan_to_num(x), axis=1),
    "nothing": lambda x: x[:0].sum(axis=1),
    "singular values": lambda x: da.linalg.svd(da.nan_to_num(x).rechunk((10, 90)))[1],
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(elsewhere, name):
    lazy = ARRAYS[name](da.from_array(matrix(1), chunks=(10, 25)))
    expected = lazy.compute(scheduler="threads")
    found = lazy.compute(scheduler=elsewhere)
    assert type(found) is type(expected)
    assert found.dtype == expected.dtype
    if found.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    else:
        np.testing.assert_array_equal(found, expected)


def table(seed):
    chance = np.random.default_rng(seed)
    values = chance.standard_normal(500)
    values[::17] = np.nan
    return pd.DataFrame(
        {
            "k": chance.integers(0, 9, 500),
            "v": values,
            "s": chance.choice(["é", "straße", "", "東京"], 500),
            "t": pd.Timestamp("2026-01-01") + pd.to_timedelta(chance.integers(0, 500, 500), "D"),
        }
    )


FRAMES = {
    "rows": lambda f: f[f.v > 0],
    "columns": lambda f: f.assign(w=f.v * 2, year=f.t.dt.year),
    "groups": lambda f: f.groupby("s").v.sum(),
    "several of groups": lambda f: f.groupby(["k", "s"]).v.agg(["mean", "max", "count"]),
    "function of groups": lambda f: f.groupby("k").v.apply(len, meta=("v", "int64")),
    "joined": lambda f: f.merge(f.groupby("k").v.mean().rename("m").reset_index(), on="k"),
    "index": lambda f: f.set_index("t"),
    "shuffled": lambda f: f.shuffle("s"),
    "function of partitions": lambda f: f.map_partitions(lambda part: part.assign(w=1)),
    "counts": lambda f: f.s.value_counts(),
    "quantile": lambda f: f.v.quantile(0.5),
    "number": lambda f: f.v.mean(),
    "nothing": lambda f: f[f.k > 100],
}


def in_order(value):
    """Rows by what they are: some operations leave their order open."""
    if isinstance(value, pd.Series):
        value = value.reset_index()
    columns = [str(column) for column in value.columns]
    value = value.set_axis(columns, axis=1).reset_index(drop=True)
    return value.sort_values(columns).reset_index(drop=True)


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("native", [True, False], ids=["native", "pandas"])
def test_frames(elsewhere, name, native):
    with samite.config.set({"dataframe.native": native}):
        lazy = FRAMES[name](dd.from_pandas(table(2), npartitions=4))
        expected = lazy.compute(scheduler="threads")
        found = lazy.compute(scheduler=elsewhere)
    assert type(found) is type(expected)
    if isinstance(found, (pd.DataFrame, pd.Series)):
        pd.testing.assert_frame_equal(in_order(found), in_order(expected), check_exact=False)
    else:
        assert found == pytest.approx(expected, rel=1e-12)


BAGS = {
    "functions": lambda b, t: b.map(lambda x: x * 3).filter(lambda x: x % 2),
    "sum": lambda b, t: b.sum(),
    "deviation": lambda b, t: b.std(),
    "groups": lambda b, t: b.groupby(lambda x: x % 3).map(lambda pair: (pair[0], sorted(pair[1]))),
    "fold": lambda b, t: b.foldby(lambda x: x % 5, operator.add, 0),
    "records": lambda b, t: t.pluck("n").sum(),
    "words": lambda b, t: t.pluck("s").frequencies(),
    "functions of records": lambda b, t: t.map(lambda record: record["s"] + "!").distinct(),
    "nothing": lambda b, t: b.filter(lambda x: x < 0),
}


@pytest.mark.parametrize("name", BAGS)
def test_bags(elsewhere, name, tmp_path):
    chance = random.Random(4)
    for number in range(3):
        records = [{"n": chance.randrange(99), "s": chance.choice("aé東")} for _ in range(40)]
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (tmp_path / f"{number}.json").write_text(text, encoding="utf-8")
    text = db.read_text(str(tmp_path / "*.json"), encoding="utf-8").map(json.loads)
    lazy = BAGS[name](db.from_sequence(range(100), npartitions=4), text)
    expected = lazy.compute(scheduler="threads")
    found = lazy.compute(scheduler=elsewhere)
    if isinstance(expected, list):
        assert sorted(found) == sorted(expected)
    else:
        assert found == pytest.approx(expected, rel=1e-12)


def test_delayed_calls(elsewhere):
    class Adder:
        def __init__(self, amount):
            self.amount = amount

        def add(self, *values, **more):
            return self.amount + sum(values) + sum(more.values())

    adder = delayed(Adder)(10)
    values = [delayed(operator.mul)(number, 2) for number in range(5)]
    nested = delayed({"all": values, "pair": (values[0], [values[1]])})
    lazy = [adder.add(*values, last=values[-1]), nested, adder.amount, values[2] + 1]
    expected = samite.compute(*lazy, scheduler="threads")
    assert samite.compute(*lazy, scheduler=elsewhere) == expected == (38, expected[1], 10, 5)


def test_collections_of_several_kinds_at_once(elsewhere):
    x = da.from_array(matrix(5), chunks=15)
    frame = dd.from_pandas(table(6), npartitions=3)
    lazy = [da.nansum(x), frame.k.sum(), db.from_sequence([1, 2]).sum(), delayed(abs)(-4)]
    with pytest.warns(UserWarning, match="mixed collections"):
        expected = samite.compute(*lazy, scheduler="threads")
    with pytest.warns(UserWarning, match="mixed collections"):
        assert samite.compute(*lazy, scheduler=elsewhere) == pytest.approx(expected)


def test_data_and_functions_that_many_tasks_share_travel_once(elsewhere):
    data = np.arange(1 << 17, dtype=float)
    table_of_function = bytes(range(256)) * 64

    def look_up(number, array):
        return table_of_function[number] + array[number]

    calls = [delayed(look_up)(number, data) for number in range(100)]
    assert samite.compute(*calls, scheduler=elsewhere) == tuple(2.0 * n for n in range(100))


@pytest.mark.parametrize("kind", ["array", "frame", "bag", "delayed"])
def test_persisted_collections(elsewhere, kind):
    lazy, finish = {
        "array": (da.from_array(matrix(7), chunks=20) * 2, da.nansum),
        "frame": (dd.from_pandas(table(8), npartitions=3), lambda frame: frame.v.sum()),
        "bag": (db.from_sequence(range(20), npartitions=3).map(abs), lambda bag: bag.sum()),
        "delayed": (delayed(operator.add)(20, 22), lambda value: value + 1),
    }[kind]
    kept = lazy.persist(scheduler=elsewhere)
    assert type(kept) is type(lazy)
    found = finish(kept).compute(scheduler=elsewhere)
    assert found == pytest.approx(finish(lazy).compute(), rel=1e-12)


# ---- values of the engine ------------------------------------------------------------------------


def pickled(value):
    """A value that has been pickled, with its buffers beside the pickle."""
    buffers = []
    data = pickle.dumps(value, 5, buffer_callback=buffers.append)
    return pickle.loads(data, buffers=[bytes(buffer.raw()) for buffer in buffers])


EXPRESSIONS = {
    "a sum": lambda x: x.sum(axis=1),
    "states of several reductions": lambda x: x.mean(axis=0) + x.std(axis=0) * x.max(axis=0),
    "places": lambda x: da.argmin(x, axis=0),
    "other chunks": lambda x: x.rechunk((60, 11)) + 1,
    "a running total": lambda x: x.cumsum(axis=0),
}


@pytest.mark.parametrize("pieces", [False, True])
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_all_that_tasks_of_arrays_make_can_be_pickled(name, pieces):
    lazy = EXPRESSIONS[name](da.from_array(np.nan_to_num(matrix(9)), chunks=(10, 25)))
    rows = _engine.array_tasks(lazy._expr, None, None, pieces)
    values, blocks, native = [], {}, 0
    for block, task, needs in rows:
        made = pickle.loads(pickle.dumps(task))(*(values[need] for need in needs))
        native += isinstance(made, _engine.NativeValue)
        values.append(pickled(made))
        if block is not None:
            blocks[block] = values[-1]
    found = [np.asarray(blocks[place]).ravel() for place in sorted(blocks)]
    places = np.ndindex(*lazy.numblocks)
    expected = [np.asarray(lazy.blocks[place].compute()).ravel() for place in places]
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(expected), rtol=1e-12)
    assert native or name in ("a running total", "other chunks")


def test_a_value_of_the_engine_says_how_large_it_is():
    lazy = da.ones((1000, 1000), chunks=500).sum(axis=0)
    made = [task() for _, task, needs in _engine.array_tasks(lazy._expr) if not needs]
    partials = [value for value in made if isinstance(value, _engine.NativeValue)]
    assert partials
    assert all(value.__sizeof__() >= 500 * 8 for value in partials)


def test_what_is_no_pickle_of_a_value_is_refused():
    for kind, frames in ((0, [b"\x80\x05N."]), (2, [b"no partial"]), (1, []), (5, [b"\xff"])):
        with pytest.raises((RuntimeError, TypeError)):
            _engine.NativeValue._of(kind, frames)
