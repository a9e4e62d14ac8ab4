"""Keys, dependencies, cycles and the simple way to run a graph."""

from __future__ import annotations

import pickle
from operator import add

import pytest
from _graphs import graphs, graphs_with_keys, mix, value_of
from hypothesis import given

from samite.core import (
    flatten,
    get,
    get_dependencies,
    get_deps,
    getcycle,
    isdag,
    iskey,
    istask,
    literal,
    quote,
    reshapelist,
    reverse_dict,
    subs,
    toposort,
    validate_key,
)


def inc(x):
    return x + 1


class Text(str):
    pass


@pytest.mark.parametrize("key", ["x", 1, 2.5, (), ("x", 0), ("x", (1, "y"), 2.0)])
def test_keys(key):
    assert iskey(key)
    validate_key(key)


@pytest.mark.parametrize(
    "key", [b"x", True, None, ["x"], ("x", None), ("x", ["y"]), Text("x"), {1}]
)
def test_what_is_no_key(key):
    assert not iskey(key)
    with pytest.raises(TypeError):
        validate_key(key)


def test_validate_key_names_the_position():
    with pytest.raises(TypeError, match="index=2"):
        validate_key(("x", 1, {"y"}))


def test_istask():
    assert istask((inc, 1))
    assert not istask(())
    assert not istask((1, inc))
    assert not istask([inc, 1])


def test_flatten():
    assert list(flatten([1, [2, [[3]], []], (4, [5])])) == [1, 2, 3, (4, [5])]
    assert list(flatten([(1, [2])], container=(list, tuple))) == [1, 2]
    deep = [1]
    for _ in range(50_000):
        deep = [deep]
    assert list(flatten(deep)) == [1]


def test_dependencies_look_everywhere_a_reference_can_be():
    dsk = {"x": 1, "y": 2, ("z", 0): 3}
    task = (add, ["x", [(inc, ("z", 0))]], {"a": "y"})
    assert get_dependencies(dsk, task=task) == {"x", "y", ("z", 0)}
    assert sorted(get_dependencies(dsk, task=(add, "x", "x"), as_list=True)) == ["x", "x"]
    with pytest.raises(ValueError, match="key or task"):
        get_dependencies(dsk)


def test_get_deps_and_reverse_dict():
    dependencies, dependents = get_deps({"a": 1, "b": (inc, "a"), "c": "b"})
    assert dependencies == {"a": set(), "b": {"a"}, "c": {"b"}}
    assert dependents == {"a": {"b"}, "b": {"c"}, "c": set()} == reverse_dict(dependencies)


@pytest.mark.parametrize(
    "dsk, length",
    [
        ({"a": "a"}, 2),
        ({"a": (inc, "b"), "b": (inc, "a")}, 3),
        ({"a": (add, "b", "c"), "b": "c", "c": "d", "d": "b", "e": 1}, 4),
    ],
)
def test_cycles(dsk, length):
    cycle = getcycle(dsk, None)
    assert len(cycle) == length
    assert cycle[0] == cycle[-1]
    for key, following in zip(cycle, cycle[1:]):
        assert following in get_dependencies(dsk, key)
    assert not isdag(dsk, list(dsk))
    with pytest.raises(RuntimeError, match="Cycle detected"):
        toposort(dsk)


def test_cycle_out_of_reach():
    dsk = {"a": "b", "b": "a", "c": (inc, "d"), "d": 1}
    assert isdag(dsk, "c")
    assert getcycle(dsk, ["c", "d"]) == []


def test_get_names_missing_keys_and_cycles():
    with pytest.raises(KeyError, match="nowhere"):
        get({"x": 1}, ["x", "nowhere"])
    with pytest.raises(RuntimeError, match="Cycle detected"):
        get({"x": "y", "y": "z", "z": "x"}, "x")


def test_get_runs_only_what_is_needed():
    assert get({"x": 1, "bad": (divmod, 1, 0), "y": (inc, "x")}, "y") == 2


def test_get_with_known_results():
    assert get({"y": (inc, "x")}, ["y", ["x"]], cache={"x": 10}) == (11, (10,))


def test_a_long_chain_overflows_no_stack():
    n = 100_000
    dsk = {i: (inc, i - 1) for i in range(1, n)}
    dsk[0] = (inc, -1)
    assert get(dsk, n - 1) == n - 1
    assert toposort(dsk)[0] == 0
    assert isdag(dsk, n - 1)
    dsk[0] = (inc, n - 1)
    cycle = getcycle(dsk, n - 1)
    assert len(cycle) == n + 1


@given(graphs())
def test_toposort_puts_dependencies_first(dsk):
    position = {key: i for i, key in enumerate(toposort(dsk))}
    assert position.keys() == dsk.keys()
    for key in dsk:
        assert all(position[d] < position[key] for d in get_dependencies(dsk, key))


@given(graphs_with_keys())
def test_get_is_what_the_notation_means(drawn):
    dsk, keys = drawn
    assert get(dsk, keys) == tuple(value_of(dsk, key) for key in keys)


def test_subs_compares_only_equal_types():
    assert subs((add, 1, [1, (inc, 1)]), 1, 2) == (add, 2, [2, (inc, 2)])
    assert subs((add, 1.0, True), 1, 2) == (add, 1.0, True)
    assert subs("x", "x", 5) == 5


@pytest.mark.parametrize("value", [[1, "x"], (mix, 1), {"x": "x"}, [(inc, "x")]])
def test_quoted_values_stay_as_they_are(value):
    assert get({"x": 1, "y": quote(value)}, "y") == value


def test_literal_pickles():
    assert pickle.loads(pickle.dumps(literal((add, 1))))() == (add, 1)


def test_reshapelist():
    assert reshapelist((2, 1, 2), range(4)) == [[[0, 1]], [[2, 3]]]
