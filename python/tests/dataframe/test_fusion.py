"""Chains of functions of partitions are one task a partition, and have the same results."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pandas as pd
import pytest

import samite
import samite.dataframe as dd

FRAME = pd.DataFrame({"x": np.arange(40.0), "y": range(40), "k": [0, 1, 2, 3] * 10})
PARTS = 8
CALLS: Counter[str] = Counter()


def counted(frame, name):
    CALLS[name] += 1
    return frame.assign(n=1)


def source(i):
    CALLS["source"] += 1
    return FRAME.iloc[i * 5 : i * 5 + 5]


@pytest.fixture(autouse=True)
def without_the_engine():
    CALLS.clear()
    with samite.config.set({"dataframe.native": False}):
        yield


def lazy():
    return dd.from_map(source, range(PARTS), meta=FRAME.iloc[:0])


def tasks(collection):
    return dict(collection.optimize().__dask_graph__())


CHAINS = {
    "x + 1": lambda d: d.x + 1,
    "filter": lambda d: d[d.x > 7],
    "assign": lambda d: d.assign(z=d.x + d.y)[["z", "k"]],
    "long": lambda d: (lambda e: e[e.w > 3].assign(v=e.w * 2)[["w", "v"]].fillna(0) + 1)(
        d.assign(w=d.x + d.y)
    ),
    "function": lambda d: d.map_partitions(lambda f: f.assign(q=1), meta=FRAME.assign(q=1)[:0]).q,
    "strings": lambda d: d.k.astype("str").str.upper(),
}


def pandas_of(chain):
    class Rows(pd.DataFrame):
        @property
        def _constructor(self):
            return Rows

        def map_partitions(self, function, meta):
            return function(self)

    return chain(Rows(FRAME))


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_is_one_task_a_partition(name):
    chain = CHAINS[name](lazy())
    assert len(tasks(chain)) == PARTS
    found, expected = chain.compute(), pandas_of(CHAINS[name])
    pd.testing.assert_frame_equal(
        pd.DataFrame(found), pd.DataFrame(expected), check_column_type=False
    )
    assert CALLS["source"] == PARTS


def test_reductions_and_groups_read_chains_as_one_task():
    assert len(tasks((lazy().x + 1).sum())) == PARTS + 1
    counts = Counter(key[0] for key in tasks(lazy().assign(z=1).groupby("k", sort=False).z.sum()))
    assert sorted(counts.values()) == [1, PARTS]
    assert (lazy().x + 1).sum().compute() == (FRAME.x + 1).sum()
    expected = FRAME.assign(z=FRAME.y * 2).groupby("k").z.sum()
    d = lazy()
    pd.testing.assert_series_equal(d.assign(z=d.y * 2).groupby("k").z.sum().compute(), expected)


def test_what_several_read_is_computed_once():
    d = lazy().map_partitions(counted, "shared", meta=FRAME.assign(n=1)[:0])
    a, b = d.x + 1, d.y.sum()
    one, two = samite.compute(a, b, scheduler="sync")
    assert CALLS == {"shared": PARTS, "source": PARTS}
    pd.testing.assert_series_equal(one, FRAME.x + 1)
    assert two == FRAME.y.sum()
    CALLS.clear()
    # The mean is of all partitions, so that the chain is read twice.
    found = (d.x - d.x.mean()).compute(scheduler="sync")
    pd.testing.assert_series_equal(found, FRAME.x - FRAME.x.mean())
    assert CALLS == {"shared": PARTS, "source": PARTS}


def test_results_that_are_asked_for_are_kept():
    d = lazy().map_partitions(counted, "inner", meta=FRAME.assign(n=1)[:0])
    inner, outer = samite.persist(d, d.x * 2, scheduler="sync")
    assert CALLS["inner"] == PARTS
    pd.testing.assert_frame_equal(inner.compute(), FRAME.assign(n=1))
    pd.testing.assert_series_equal(outer.compute(), FRAME.x * 2)


def test_functions_that_know_their_place_and_one_partition_for_all():
    small = dd.from_pandas(pd.DataFrame({"k": [0, 1, 2, 3], "v": list("abcd")}), npartitions=1)
    merged = (lazy().merge(small, on="k").v + "!").compute()
    assert sorted(merged) == sorted(FRAME.k.map(dict(enumerate("abcd"))) + "!")

    def place(frame, partition_info=None):
        return frame.assign(p=partition_info["number"])

    found = (lazy().map_partitions(place, meta=FRAME.assign(p=1)[:0]).p + 1).compute()
    assert list(found) == [i + 1 for i in range(PARTS) for _ in range(5)]


def test_fused_graphs_are_pickled_and_run_in_processes():
    d = lazy()
    chain = d[d.x > 3].assign(z=d.y + 1).z
    found = pickle.loads(pickle.dumps(chain.optimize()))
    pd.testing.assert_series_equal(found.compute(), (FRAME.y + 1)[FRAME.x > 3].rename("z"))
    result = chain.compute(scheduler="processes")
    pd.testing.assert_series_equal(result, (FRAME.y + 1)[FRAME.x > 3].rename("z"))


def test_what_fails_in_a_chain_names_the_task():
    def broken(frame):
        raise ZeroDivisionError("of no use")

    chain = (lazy().map_partitions(broken, meta=FRAME[:0]).x + 1).sum()
    with pytest.raises(ZeroDivisionError, match="of no use") as caught:
        chain.compute(scheduler="sync")
    assert "Raised by task" in str(getattr(caught.value, "__notes__", caught.value))


def test_a_chain_over_a_chain_that_was_optimized_before():
    first = (lazy().x + 1).optimize()
    pd.testing.assert_series_equal((first * 2).compute(), (FRAME.x + 1) * 2)
    assert len(tasks(first * 2)) == PARTS
    # Without optimization too, the graph is complete.
    graph = (first * 2).expr.__dask_graph__()
    assert all(task.dependencies <= graph.keys() for task in graph.values())


def test_the_graph_of_a_long_chain_of_many_partitions():
    d = dd.from_map(source, range(2000), meta=FRAME.iloc[:0]).x
    for _ in range(50):
        d = d + 1
    assert len(tasks(d)) == 2000
