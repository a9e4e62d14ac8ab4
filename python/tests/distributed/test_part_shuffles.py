"""Shuffles on clusters, whose values are in parts: every row comes out once, whatever happens."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pandas as pd
import pytest
from cluster_patience import PATIENCE

import samite
import samite.bag as db
import samite.dataframe as dd
from samite._parts import Parts, Reader, dump
from samite._pickling import load
from samite.dataframe.expressions.shuffle import PartShuffle, TaskShuffle
from samite.distributed import Client, LocalCluster


def skewed(rows: int, seed: int = 0) -> pd.DataFrame:
    """Rows of which half have one key, and some none."""
    random = np.random.default_rng(seed)
    key = random.integers(0, 50, rows).astype(float)
    key[random.random(rows) < 0.5] = 7.0
    key[random.random(rows) < 0.1] = np.nan
    names = np.array(["straße", "ŷ", "", None, "x" * 50], dtype=object)
    return pd.DataFrame(
        {
            "key": key,
            "value": random.normal(size=rows),
            "name": pd.array(names[random.integers(0, 5, rows)], dtype="str"),
            "kind": pd.Categorical.from_codes(random.integers(-1, 3, rows), list("abc")),
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 99, rows), "D"),
        }
    )


def same_rows(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    order = ["value", "key"]
    pd.testing.assert_frame_equal(
        found.sort_values(order).reset_index(drop=True)[list(expected.columns)],
        expected.sort_values(order).reset_index(drop=True),
    )


def lowered_kinds(frame) -> set[type]:
    return {type(node) for node in frame.expr.lower_completely().walk()}


def test_the_method_follows_the_scheduler(local):
    frame = dd.from_pandas(skewed(100), npartitions=3)
    assert PartShuffle in lowered_kinds(frame.shuffle("key"))
    assert PartShuffle in lowered_kinds(frame.shuffle("key", shuffle_method="p2p"))
    assert TaskShuffle in lowered_kinds(frame.shuffle("key", shuffle_method="tasks"))
    with samite.config.set({"dataframe.shuffle.method": "tasks"}):
        assert TaskShuffle in lowered_kinds(frame.shuffle("key"))
    with samite.config.set(scheduler="threads"):
        assert TaskShuffle in lowered_kinds(frame.shuffle("key", shuffle_method="p2p"))


@pytest.mark.parametrize("count", [1, 4, 11])
def test_shuffles_keep_every_row(client, count):
    rows = skewed(3000)
    shuffled = dd.from_pandas(rows, npartitions=7).shuffle("key", npartitions=count)
    parts = client.gather(client.compute(list(shuffled.to_delayed())))
    assert len(parts) == count
    same_rows(pd.concat(parts), rows)
    keys = [set(part["key"].fillna(-1)) for part in parts]
    assert sum(map(len, keys)) == len(set().union(*keys))
    for part in parts:
        assert list(part.dtypes) == list(rows.dtypes)


def test_rows_of_a_partition_keep_their_order(local):
    rows = skewed(500)
    frame = dd.from_pandas(rows, npartitions=5)
    by_parts = frame.shuffle("key", npartitions=4).partitions[2].compute()
    by_tasks = frame.shuffle("key", npartitions=4, shuffle_method="tasks").partitions[2].compute()
    pd.testing.assert_frame_equal(by_parts, by_tasks)


def test_chosen_partitions_and_nothing_at_all(local):
    rows = skewed(400)
    frame = dd.from_pandas(rows, npartitions=4)
    shuffled = frame.shuffle("key", npartitions=6)
    all_parts = [shuffled.partitions[i].compute() for i in range(6)]
    picked = shuffled.partitions[[4, 1]].compute()
    pd.testing.assert_frame_equal(picked, pd.concat([all_parts[4], all_parts[1]]))
    none = frame[frame.value > 1e9].shuffle("key", npartitions=3).compute()
    assert len(none) == 0 and list(none.dtypes) == list(rows.dtypes)


@pytest.mark.parametrize("how", ["inner", "outer", "left"])
def test_merges(client, how):
    left, right = skewed(2000, 1), skewed(300, 2)[["key", "value"]]
    a, b = dd.from_pandas(left, npartitions=6), dd.from_pandas(right, npartitions=5)
    found = a.merge(b, on="key", how=how, broadcast=False, suffixes=("", "_right")).compute()
    expected = left.merge(right, on="key", how=how, suffixes=("", "_right"))
    assert len(found) == len(expected)
    np.testing.assert_allclose(found["value_right"].sum(), expected["value_right"].sum())
    np.testing.assert_allclose(found["value"].sum(), expected["value"].sum())


def test_orders_indices_and_groups(client):
    rows = skewed(2500, 3)
    frame = dd.from_pandas(rows, npartitions=6)
    ordered = frame.sort_values("key").compute()
    expected = rows.sort_values("key", kind="stable")
    np.testing.assert_array_equal(ordered["key"], expected["key"])
    np.testing.assert_allclose(ordered["value"].sum(), rows["value"].sum())
    indexed = frame.dropna(subset=["key"]).set_index("key").compute()
    assert indexed.index.is_monotonic_increasing and len(indexed) == rows["key"].notna().sum()
    groups = frame.groupby("key").value.sum(split_out=4).compute().sort_index()
    pd.testing.assert_series_equal(groups, rows.groupby("key").value.sum())
    applied = frame.groupby("key").value.apply(len, meta=("value", "i8")).compute().sort_index()
    pd.testing.assert_series_equal(applied, rows.groupby("key").value.apply(len))


def test_bags_are_grouped(client):
    bag = db.from_sequence(range(3000), npartitions=8)
    grouped = dict(bag.groupby(lambda x: (x % 37) // 2).compute())
    assert {key: sorted(found) for key, found in grouped.items()} == {
        key: [x for x in range(3000) if (x % 37) // 2 == key] for key in range(19)
    }
    few = bag.groupby(lambda x: x % 5, npartitions=3)
    assert few.npartitions == 3
    assert sorted(few.map(lambda group: len(group[1])).compute()) == [600] * 5


def test_killed_workers_cost_no_row():
    rows = skewed(20_000, 4)
    with LocalCluster(n_workers=3, threads_per_worker=1, processes=True) as cluster:
        with Client(cluster) as client:
            client.wait_for_workers(3, timeout=6 * PATIENCE)
            for round_ in range(3):
                frame = dd.from_pandas(rows, npartitions=12).map_partitions(slowly, meta=rows)
                shuffled = frame.assign(round=round_).shuffle("key", npartitions=10)
                future = client.compute(shuffled)
                time.sleep(0.1 + 0.15 * round_)
                pids = client.run(os.getpid)
                os.kill(next(iter(pids.values())), signal.SIGKILL)
                found = future.result(6 * PATIENCE)
                same_rows(found.drop(columns="round"), rows)
                client.wait_for_workers(3, timeout=6 * PATIENCE)


def slowly(part: pd.DataFrame) -> pd.DataFrame:
    time.sleep(0.03)
    return part


def test_more_than_the_memory_of_the_workers():
    limit = 64 << 20
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False}
    with LocalCluster(memory_limit=limit, **options) as cluster, Client(cluster):
        # 24 partitions of 16 MB.
        frame = dd.from_map(large, range(24), meta=large(0).iloc[:0])
        shuffled = frame.shuffle("key", npartitions=24)
        sums = shuffled.map_partitions(summary, meta=pd.DataFrame({"n": [0], "sum": [0]}))
        found = sums.compute()
        assert found["n"].sum() == 24 << 20
        assert found["sum"].sum() == sum(int(large(i)["value"].sum()) for i in range(24))


def large(number: int) -> pd.DataFrame:
    random = np.random.default_rng(number)
    return pd.DataFrame(
        {
            "key": random.integers(0, 1000, 1 << 20),
            "value": random.integers(0, 1 << 30, 1 << 20),
        }
    )


def summary(part: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"n": [len(part)], "sum": [int(part["value"].sum())]})


def make_parts(count):
    return Parts({number: np.full(1000, number) for number in range(0, count, 2)})


def total(pieces):
    return sum(0 if piece is None else int(piece.sum()) for piece in pieces)


def test_parts_of_plain_graphs(client):
    graph = {("make", i): (make_parts, 6) for i in range(4)}
    makers = list(graph)
    graph |= {("read", i): (Reader(i, total), makers) for i in range(6)}
    found = client.get(graph, [("read", i) for i in range(6)])
    assert found == [0, 0, 8000, 0, 16000, 0]
    whole = client.get(graph, ("make", 1))
    assert isinstance(whole, Parts) and sorted(whole) == [0, 2, 4]
    np.testing.assert_array_equal(whole[4], np.full(1000, 4))
    assert samite.get(graph, [("read", i) for i in range(6)]) == tuple(found)


def test_a_reader_of_several_parts_gets_them_all(client):
    graph = {("make", i): (make_parts, 6) for i in range(4)}
    makers = list(graph)
    graph["both"] = (add, (Reader(2, total), makers), (Reader(4, total), makers))
    assert client.get(graph, "both") == 24000


def add(one, other):
    return one + other


@pytest.mark.parametrize(
    "part",
    [
        skewed(10),
        skewed(10)["name"],
        pd.DataFrame({"x": [object, {"a": 1}, None]}),
        [1, "two"],
        np.arange(5),
    ],
    ids=["frame", "series", "objects", "list", "array"],
)
def test_a_part_is_pickled_and_read(part):
    again = load([bytes(frame) for frame in dump(part)])
    if hasattr(part, "equals"):
        assert again.equals(part)
    else:
        np.testing.assert_array_equal(again, part)
