"""Passes over the tuple notation keep the results, and do what they are for."""

from __future__ import annotations

from functools import partial
from operator import add

import numpy as np
from _graphs import graphs_with_keys, mix, twice, value_of
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
from samite import config
from samite._task_spec import Task, TaskRef, convert_legacy_graph, fuse_linear_task_spec
from samite._task_spec import cull as node_cull
from samite.core import get, get_dependencies
from samite.highlevelgraph import HighLevelGraph
from samite.optimization import cull, functions_of, fuse, fuse_linear, inline, inline_functions


def inc(x):
    return x + 1


def check(dsk, dependencies, keys, expected):
    """The graph gives the expected results, and the dependencies are its own."""
    assert get(dsk, keys) == expected
    assert {k: set(v) for k, v in dependencies.items()} == {
        k: get_dependencies(dsk, k) for k in dsk
    }


@given(graphs_with_keys(), st.sampled_from([1, 1.9, 2, 3.5, 8]), st.booleans())
def test_passes_keep_the_results(drawn, ave_width, rename):
    dsk, keys = drawn
    before = dict(dsk)
    expected = tuple(value_of(dsk, key) for key in keys)

    culled, dependencies = cull(dsk, keys)
    check(culled, dependencies, keys, expected)
    assert sorted(dependencies, key=str) == sorted(culled, key=str)

    for given_dependencies in (None, dependencies):
        check(*fuse_linear(culled, keys, given_dependencies, rename_keys=rename), keys, expected)
        check(
            *fuse(culled, keys, given_dependencies, ave_width=ave_width, rename_keys=rename),
            keys,
            expected,
        )
    assert get(inline(culled), keys) == expected
    assert get(inline(culled, keys[0], inline_constants=False), keys) == expected
    assert get(inline_functions(culled, keys, [twice]), keys) == expected
    assert (
        get(inline_functions(culled, keys, [twice, mix], inline_constants=True), keys) == expected
    )
    assert dsk == before


def test_fuse_joins_up_to_the_width():
    dsk = {"a": 1, **{f"b{i}": (inc, "a") for i in range(4)}}
    dsk |= {"c0": (add, "b0", "b1"), "c1": (add, "b2", "b3"), "d": (add, "c0", "c1")}
    assert len(fuse(dsk, "d", ave_width=1, rename_keys=False)[0]) == 8
    assert set(fuse(dsk, "d", ave_width=2, rename_keys=False)[0]) == {"a", "c0", "c1", "d"}
    assert set(fuse(dsk, "d", ave_width=3, rename_keys=False)[0]) == {"a", "d"}
    assert set(fuse(dsk, ["c1", "d"], ave_width=9, rename_keys=False)[0]) == {"a", "c1", "d"}


def test_fuse_options_come_from_the_configuration():
    dsk = {"a": 1, "b": (inc, "a"), "c": (inc, "a"), "d": (add, "b", "c")}
    assert len(fuse(dsk, "d")[0]) == 4
    with config.set({"optimization.fuse.ave-width": 2, "optimization.fuse.rename-keys": False}):
        assert set(fuse(dsk, "d")[0]) == {"a", "d"}
    with config.set({"optimization.fuse.active": False}):
        assert fuse(dsk, "d", ave_width=5)[0] is dsk


def test_data_and_nodes_are_not_joined():
    data = {"x": np.arange(3), "y": (np.sum, "x")}
    assert fuse(data, "y", ave_width=5)[0] is data
    nodes = {"x": Task("x", inc, 1), "y": (inc, "x"), "z": Task("z", inc, TaskRef("y"))}
    assert fuse(nodes, "z", ave_width=5)[0] == nodes
    assert fuse_linear(nodes, "z", rename_keys=False)[0] == nodes


def test_joined_tasks_do_not_nest_without_end():
    n = 5_000
    dsk = {f"x{i}": (inc, f"x{i - 1}") for i in range(1, n)} | {"x0": 0}
    for joined, _ in (
        fuse(dsk, f"x{n - 1}", rename_keys=False),
        fuse_linear(dsk, f"x{n - 1}", rename_keys=False),
    ):
        assert len(joined) <= n // 50
        assert get(joined, f"x{n - 1}") == n - 1


def test_a_long_chain_overflows_no_stack():
    n = 100_000
    dsk = {f"x{i}": (inc, f"x{i - 1}") for i in range(1, n)} | {"x0": 0}
    assert len(cull(dsk, f"x{n - 1}")[0]) == n
    assert len(fuse(dsk, f"x{n - 1}", rename_keys=False)[0]) <= n // 50


def test_inline_functions_keeps_outputs_and_unhashable_functions():
    class Unhashable:
        __hash__ = None

        def __call__(self, x):
            return x

    dsk = {"x": (inc, 1), "y": (Unhashable(), "x"), "z": (inc, "y")}
    inlined = inline_functions(dsk, ["z"], [inc])
    assert set(inlined) == {"y", "z"}
    assert set(inline_functions(dsk, ["x", "z"], [inc])) == {"x", "y", "z"}
    assert inline_functions(dsk, ["z"], None) is dsk


def test_functions_of():
    assert functions_of((partial(partial(add, 1), 2), [(inc, (mix, "x"))])) == {add, inc, mix}
    assert functions_of([1, inc]) == set()


@settings(max_examples=40, deadline=None)
@given(graphs_with_keys())
def test_the_engine_runs_every_form_of_a_graph(drawn):
    dsk, keys = drawn
    expected = tuple(value_of(dsk, key) for key in keys)
    nodes = convert_legacy_graph(dsk)
    fused = fuse_linear_task_spec(node_cull(nodes, keys), set(keys))
    joined, _ = fuse(cull(dsk, keys)[0], keys, ave_width=3)
    for graph in (dsk, nodes, fused, joined, HighLevelGraph.merge(nodes)):
        assert samite.get(graph, keys, num_workers=2) == expected
