"""The order of tasks: valid for every graph, and sparing with memory."""

from __future__ import annotations

from operator import add

import pytest
from _graphs import graphs
from hypothesis import given

from samite._task_spec import Task, convert_legacy_graph
from samite.core import get_dependencies, get_deps
from samite.order import diagnostics, ndependencies, order, sanitize_dsk


def inc(x):
    return x + 1


@given(graphs())
def test_order_is_a_valid_one(dsk):
    ranks = order(dsk)
    assert sorted(ranks.values()) == list(range(len(dsk)))
    for key in dsk:
        assert all(ranks[d] < ranks[key] for d in get_dependencies(dsk, key))
    assert order(convert_legacy_graph(dsk)) == ranks
    assert order(dict(reversed(dsk.items()))) == ranks


def test_order_of_nothing_and_of_cycles():
    assert order({}) == {}
    with pytest.raises(RuntimeError, match="Cycle detected"):
        order({"a": (inc, "b"), "b": (inc, "a")})


def test_keys_of_different_types():
    assert len(order({"x": 1, ("x", 0): (inc, "x"), 3: (inc, ("x", 0)), 2.5: 1})) == 4


def test_chains_are_finished_before_others_begin():
    width, length = 20, 10
    dsk = {(f"c{w}", i): (inc, (f"c{w}", i - 1)) for w in range(width) for i in range(1, length)}
    dsk |= {(f"c{w}", 0): w for w in range(width)}
    dsk["sum"] = (sum, [(f"c{w}", length - 1) for w in range(width)])
    _, pressure = diagnostics(dsk)
    assert max(pressure) <= width + 1


def test_tree_reduction_needs_memory_of_its_depth_only():
    dsk = {("x", 0, i): i for i in range(64)}
    for level in range(1, 7):
        for i in range(64 >> level):
            dsk[("x", level, i)] = (add, ("x", level - 1, 2 * i), ("x", level - 1, 2 * i + 1))
    _, pressure = diagnostics(dsk)
    assert max(pressure) <= 8


def test_diagnostics_of_a_given_order():
    dsk = {"a": 1, "b": (inc, "a"), "c": (inc, "a"), "d": (add, "b", "c")}
    info, pressure = diagnostics(dsk, o={"a": 0, "b": 1, "c": 2, "d": 3})
    assert pressure == [0, 1, 2, 2]
    assert info["a"] == (0, 2, 0, 2, 0)
    assert info["c"].num_dependencies_freed == 1
    assert info["d"] == (3, 0, 2, 2, 2)


def test_statistics():
    dsk = {"a": 1, "b": (inc, "a"), "c": (inc, "b"), "x": 1}
    stats = order(dsk, return_stats=True)
    assert {key: stat.critical_path for key, stat in stats.items()} == {
        "a": 3,
        "b": 3,
        "c": 3,
        "x": 1,
    }
    assert {key: stat.priority for key, stat in stats.items()} == order(dsk)


def test_ndependencies():
    dsk = {"a": 1, "b": (inc, "a"), "c": (add, "a", "b")}
    direct, total = ndependencies(*get_deps(dsk))
    assert direct == {"a": 0, "b": 1, "c": 2}
    assert total == {"a": 1, "b": 2, "c": 4}


def test_sanitized_graph_has_the_shape_only():
    dsk = {"a": b"secret", "b": (inc, "a"), "c": [(add, "a", "b")]}
    clean = sanitize_dsk(dsk)
    assert all(isinstance(task, Task) and not task.kwargs for task in clean.values())
    assert {key: task.dependencies for key, task in clean.items()} == {
        key: get_dependencies(dsk, key) for key in dsk
    }
    assert "secret" not in repr(clean)


def test_a_long_chain_overflows_no_stack():
    n = 100_000
    dsk = {f"x{i}": (inc, f"x{i - 1}") for i in range(1, n)} | {"x0": 0}
    assert order(dsk)[f"x{n - 1}"] == n - 1
