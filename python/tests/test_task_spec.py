"""Nodes: building, running, renaming, pickling, and the passes over graphs of them."""

from __future__ import annotations

import pickle
from collections import namedtuple
from operator import add

import cloudpickle
import numpy as np
import pytest
from _graphs import graphs, graphs_with_keys, mix, value_of
from hypothesis import given

from samite._task_spec import (
    Alias,
    DataNode,
    DependenciesMapping,
    Dict,
    GraphNode,
    List,
    Set,
    Task,
    TaskRef,
    Tuple,
    convert_legacy_graph,
    convert_legacy_task,
    cull,
    execute_graph,
    fuse_linear_task_spec,
    parse_input,
    resolve_aliases,
)
from samite.core import get, reverse_dict
from samite.tokenize import tokenize

Point = namedtuple("Point", "x y")


def inc(x):
    return x + 1


def collect(*args, **kwargs):
    return args, kwargs


# ---------------------------------------------------------------------------------------
# Single nodes


def test_task_resolves_references_and_nodes_but_no_containers():
    task = Task(
        "t", collect, TaskRef("a"), Task(None, add, TaskRef("b"), 1), [TaskRef("c")], k=Alias("a")
    )
    assert task.dependencies == {"a", "b"}
    assert task({"a": 10, "b": 20}) == ((10, 21, [TaskRef("c")]), {"k": 10})


@pytest.mark.parametrize("values", [(), {}, {"b": 1}])
def test_missing_dependency_is_named(values):
    with pytest.raises(RuntimeError, match="missing keys {'a'}"):
        Task("t", inc, TaskRef("a"))(values)


def test_an_error_inside_of_a_task_is_not_taken_for_a_missing_one():
    with pytest.raises(KeyError, match="inner"):
        Task("t", {}.__getitem__, "inner")({})


@pytest.mark.parametrize(
    "node, value",
    [
        (List(TaskRef("a"), 2), [1, 2]),
        (Tuple([TaskRef("a")], 2), ([TaskRef("a")], 2)),
        (Set(TaskRef("a"), TaskRef("a"), 3), {1, 3}),
        (Dict(x=TaskRef("a")), {"x": 1}),
        (Dict({("k", 1): List(TaskRef("a"))}), {("k", 1): [1]}),
        (Dict([("k", TaskRef("a"))]), {"k": 1}),
        (Dict("k", TaskRef("a"), "l", 2), {"k": 1, "l": 2}),
        (List([]), []),
        (List([[]]), [[]]),
        (List._of([[1]]), [[1]]),
    ],
)
def test_containers(node, value):
    assert node({"a": 1}) == value
    for dump in (pickle.dumps, cloudpickle.dumps):
        again = pickle.loads(dump(node))
        assert again == node
        assert again({"a": 1}) == value


def test_dict_refuses_an_odd_number_of_parts():
    with pytest.raises(ValueError, match="keys and values"):
        Dict(1, 2, 3)


def test_dict_is_a_mapping():
    node = Dict(a=1, b=TaskRef("x"))
    assert dict(node) == {"a": 1, "b": TaskRef("x")}
    assert collect(**node) == ((), {"a": 1, "b": TaskRef("x")})
    with pytest.raises(KeyError):
        node["c"]


def test_equal_nodes_have_equal_tokens_and_hashes():
    one = Task("a", mix, TaskRef("x"), np.arange(3), k=[1])
    same = Task("other name", mix, TaskRef("x"), np.arange(3), k=[1])
    other = Task("a", mix, TaskRef("x"), np.arange(4), k=[1])
    assert one == same and hash(one) == hash(same) and tokenize(one) == tokenize(same)
    assert one != other
    assert Dict(a=1, b=2) == Dict(b=2, a=1)
    assert Set(1, 2) == Set(2, 1)
    assert List(1, 2) != List(2, 1)
    assert List(1) != Tuple(1)
    assert DataNode("a", [1]) == DataNode("b", [1]) != DataNode("a", [2])
    assert Alias("a", "b") != Alias("a", "c")
    assert TaskRef("a") != Alias("a")


class Extended(Task):
    __slots__ = ("extra",)

    def __init__(self, key, func, /, *args, extra, **kwargs):
        self.extra = extra
        super().__init__(key, func, *args, **kwargs)


NODES = [
    DataNode("d", [1, 2]),
    Alias("a", "b"),
    Alias("a"),
    Task("t", inc, 1),
    Task("t", collect, TaskRef("x"), k=List(TaskRef("y"))),
    Task("t", inc, 1, _data_producer=True),
    Extended("t", inc, TaskRef("x"), extra={"more": 1}),
    Task.fuse(Task("a", inc, TaskRef("x")), Task("b", inc, TaskRef("a"))),
]


@pytest.mark.parametrize("node", NODES, ids=lambda node: type(node).__name__)
def test_pickle_and_copy(node):
    for again in (pickle.loads(pickle.dumps(node)), node.copy()):
        assert again is not node
        assert type(again) is type(node)
        assert again == node
        assert again.key == node.key
        assert again.dependencies == node.dependencies
        assert again.data_producer == node.data_producer
        assert not hasattr(again, "__dict__")
        if isinstance(node, Extended):
            assert again.extra == node.extra


def test_substitute():
    task = Task("t", collect, TaskRef("a"), List(Alias("b"), Dict(k=TaskRef("a"))), TaskRef("c"))
    assert task.substitute({"z": "y", "a": "a"}) is task
    # Renaming is simultaneous: what has been renamed is not renamed again.
    new = task.substitute({"a": "b", "b": "a", "c": DataNode(None, 7)}, key="new")
    assert new.key == "new"
    assert new.dependencies == {"a", "b"}
    assert new({"a": 1, "b": 2}) == task({"a": 2, "b": 1, "c": 7})
    assert task.dependencies == {"a", "b", "c"}
    assert Extended("t", inc, TaskRef("x"), extra=5).substitute({"x": "y"}).extra == 5


def test_substitute_alias():
    assert Alias("a", "b").substitute({"b": "c"}) == Alias("a", "c")
    assert Alias("a", "b").substitute({"b": "c"}, key="z") == Alias("z", "c")
    assert Alias("b").substitute({"b": "c"}) == Alias("c")
    assert Alias("a", "b").substitute({"b": DataNode("x", 1)}, key="z").key == "z"


# ---------------------------------------------------------------------------------------
# Fusing


def test_fuse_runs_each_task_once_in_any_order_of_arguments():
    calls = []

    def counted(*args):
        calls.append(args)
        return sum(args)

    a = Task("a", counted, TaskRef("in"), 1)
    b = Task("b", counted, TaskRef("a"), 10)
    c = Task("c", counted, TaskRef("a"), TaskRef("b"), TaskRef("in"))
    for tasks in ([a, b, c], [c, b, a], [b, c, a]):
        fused = Task.fuse(*tasks)
        assert fused.key == "c" and fused.dependencies == {"in"}
        calls.clear()
        assert fused({"in": 100}) == 101 + 111 + 100
        assert len(calls) == 3


def test_fuse_of_two_results_is_refused():
    with pytest.raises(ValueError, match="multiple outputs"):
        Task.fuse(Task("a", inc, 1), Task("b", inc, 2))


def test_fused_task_can_be_renamed_and_fused_again():
    inner = Task.fuse(Task("a", inc, TaskRef("x")), Task("b", inc, TaskRef("a")))
    renamed = inner.substitute({"x": "y"}, key="b2")
    outer = Task.fuse(renamed, Task("c", inc, TaskRef("b2")))
    assert outer.dependencies == {"y"}
    assert outer({"y": 0}) == 3


def test_fused_task_lets_results_go_when_they_are_no_longer_needed():
    alive = 0
    most = 0

    class Big:
        def __init__(self, *args):
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self):
            nonlocal alive
            alive -= 1

    tasks = [Task(0, Big)] + [Task(i, Big, TaskRef(i - 1)) for i in range(1, 20)]
    result = Task.fuse(*tasks)()
    assert isinstance(result, Big)
    assert most == 2


# ---------------------------------------------------------------------------------------
# From other notations


def test_parse_input():
    ref = TaskRef("a")
    for plain in ([1, [2]], (1,), {1}, {"k": [1]}, Point(1, 2), "a", None):
        assert parse_input(plain) is plain
    values = {"a": 5}
    assert parse_input([1, (ref, 2)])(values) == [1, (5, 2)]
    assert parse_input({"k": {ref}})(values) == {"k": {5}}
    assert parse_input(Point(ref, [ref]))(values) == Point(5, [5])
    assert parse_input(frozenset([ref]))(values) == frozenset([5])


class Future:
    __dask_future__ = True

    def __init__(self, key):
        self.key = key


def test_foreign_futures_are_references():
    assert Task("t", inc, Future("f")).dependencies == {"f"}
    assert Task("t", inc, Future("f"))({"f": 1}) == 2
    assert parse_input([Future("f")]).dependencies == {"f"}
    assert convert_legacy_task("t", (inc, Future("f")), ()).dependencies == {"f"}


def test_legacy_conversion_keeps_nodes_and_drops_self_references():
    task = Task("t", inc, 1)
    converted = convert_legacy_graph(
        {"t": task, "self": TaskRef("self"), "u": "t", "v": task, "n": None}
    )
    assert converted["t"] is task
    assert "self" not in converted
    assert converted["u"] == Alias("u", "t")
    assert converted["v"].key == "v" and converted["v"]() == 2
    assert converted["n"]() is None


def test_legacy_tuples_are_keys_first_and_data_second():
    dsk = {("x", 0): 5, "y": (inc, ("x", 0)), "z": (list, ("x", 1)), "w": ("q", ("x", 0))}
    converted = convert_legacy_graph(dsk)
    assert converted["y"].dependencies == {("x", 0)}
    assert not converted["z"].dependencies
    assert execute_graph(converted)["w"] == ("q", 5)


@given(graphs())
def test_legacy_conversion_keeps_the_meaning(dsk):
    nodes = convert_legacy_graph(dsk)
    assert all(isinstance(node, GraphNode) and node.key == key for key, node in nodes.items())
    assert execute_graph(nodes) == {key: value_of(dsk, key) for key in dsk}
    assert pickle.loads(pickle.dumps(nodes)) == nodes


# ---------------------------------------------------------------------------------------
# Passes


def results(nodes, keys):
    return {
        key: value for key, value in execute_graph(nodes, keys=set(keys)).items() if key in keys
    }


@given(graphs_with_keys())
def test_passes_keep_the_results(drawn):
    dsk, keys = drawn
    nodes = convert_legacy_graph(dsk)
    expected = {key: value_of(dsk, key) for key in keys}

    culled = cull(nodes, keys)
    assert results(culled, keys) == expected
    assert get(culled, keys) == tuple(expected.values())

    resolved = resolve_aliases(culled, set(keys), reverse_dict(DependenciesMapping(culled)))
    assert results(resolved, keys) == expected

    fused = fuse_linear_task_spec(resolved, set(keys))
    assert results(fused, keys) == expected
    assert sum(isinstance(node, Task) for node in fused.values()) <= sum(
        isinstance(node, Task) for node in resolved.values()
    )
    again = resolve_aliases(fused, set(keys), reverse_dict(DependenciesMapping(fused)))
    assert results(again, keys) == expected
    assert len(again) <= len(resolved)
    assert all(node.key == key for key, node in again.items())


def test_fusing_keeps_keys_and_tasks_that_ask_for_it():
    class Fixed(Task):
        @property
        def block_fusion(self):
            return True

    dsk = {
        "a": Task("a", inc, 1),
        "b": Task("b", inc, TaskRef("a")),
        "c": Fixed("c", inc, TaskRef("b")),
        "d": Task("d", inc, TaskRef("c")),
        "e": Task("e", inc, TaskRef("d")),
        "f": Task("f", inc, TaskRef("e")),
    }
    fused = fuse_linear_task_spec(dsk, {"e", "f"})
    assert set(fused) == {"a-b", "b", "c", "d-e", "e", "f"}
    assert isinstance(fused["c"], Fixed)
    assert isinstance(fused["f"], Task)


def test_names_of_fused_tasks_are_short():
    n = 200
    dsk = {f"step{i}": Task(f"step{i}", inc, TaskRef(f"step{i - 1}")) for i in range(1, n)}
    dsk["step0"] = DataNode("step0", 0)
    fused = fuse_linear_task_spec(dsk, {f"step{n - 1}"})
    assert len(fused) == 2
    assert max(map(len, fused)) <= 120


def test_a_long_chain_overflows_no_stack():
    n = 100_000
    dsk = {i: Task(i, inc, TaskRef(i - 1)) for i in range(1, n)}
    dsk[0] = DataNode(0, 0)
    assert len(cull(dsk, [n - 1])) == n
    fused = fuse_linear_task_spec(dsk, {n - 1})
    assert len(fused) == 1
    assert execute_graph(fused)[n - 1] == n - 1
    aliases = {i: Alias(i, i - 1) for i in range(1, n)}
    aliases[0] = DataNode(0, "end")
    resolved = resolve_aliases(aliases, {n - 1}, reverse_dict(DependenciesMapping(aliases)))
    assert {key: node() for key, node in resolved.items()} == {n - 1: "end"}


def test_execute_graph_forgets_what_is_not_asked_for():
    dsk = [DataNode("a", 1), Task("b", inc, TaskRef("a")), Task("c", inc, TaskRef("b"))]
    assert execute_graph(dsk) == {"a": 1, "b": 2, "c": 3}
    assert execute_graph(dsk, keys={"c"}) == {"c": 3}
    cache = {"a": 10}
    assert execute_graph(dsk[1:], cache=cache) is cache
    assert cache["c"] == 12


def test_dependencies_mapping_deletes_without_touching_the_tasks():
    dsk = {"a": DataNode("a", 1), "b": Task("b", add, TaskRef("a"), TaskRef("z"))}
    mapping = DependenciesMapping(dsk)
    assert dict(mapping) == {"a": frozenset(), "b": {"a", "z"}}
    del mapping["a"]
    assert dict(mapping) == {"b": {"z"}}
    assert "a" not in mapping and len(mapping) == 1
    with pytest.raises(KeyError):
        del mapping["a"]
    assert dsk["b"].dependencies == {"a", "z"}
