"""Graphs of layers: the mapping of tasks, culling, merging, cloning and display."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from operator import add

import pytest

from samite import annotate, delayed
from samite._task_spec import Task, TaskRef
from samite.blockwise import Blockwise, blockwise
from samite.core import get
from samite.highlevelgraph import (
    HighLevelGraph,
    Layer,
    MaterializedLayer,
    compute_layer_dependencies,
)


def inc(x):
    return x + 1


@pytest.fixture
def graph():
    layers = {
        "src": {("src", 0): 1, ("src", 1): 2},
        "inc": {("inc", i): Task(("inc", i), inc, TaskRef(("src", i))) for i in range(2)},
        "sum": {"sum": (add, ("inc", 0), ("inc", 1))},
        "other": {"other": 5},
    }
    dependencies = {"src": set(), "inc": {"src"}, "sum": {"inc"}, "other": set()}
    return HighLevelGraph(layers, dependencies)


def test_mapping(graph):
    tasks = graph.to_dict()
    assert len(graph) == len(tasks) == 6
    assert dict(graph) == tasks == graph
    assert list(graph.keys()) == list(graph)
    assert graph["sum"] is tasks["sum"] and graph["src", 1] == 2
    assert ("inc", 1) in graph and ("inc", 2) not in graph
    for key in ("nowhere", ("src", 5), (), 1):
        with pytest.raises(KeyError):
            graph[key]
    with pytest.raises(TypeError):
        graph[[1]]
    with pytest.raises(TypeError):
        hash(graph)
    assert get(graph, "sum") == 5


def test_keys_are_found_in_layers_of_other_names():
    graph = HighLevelGraph({"a": {"b": 1}, "b": {"a": 2}}, {"a": set(), "b": set()})
    assert graph["a"] == 2 and graph["b"] == 1


def test_dependencies(graph):
    assert graph.dependents == {"src": {"inc"}, "inc": {"sum"}, "sum": set(), "other": set()}
    assert graph.get_all_dependencies()["sum"] == {("inc", 0), ("inc", 1)}
    assert graph.key_dependencies[("inc", 0)] == {("src", 0)}
    assert graph.get_all_external_keys() == set(graph)
    order = graph._toposort_layers()
    assert sorted(order) == sorted(graph.layers)
    assert order.index("src") < order.index("inc") < order.index("sum")
    assert compute_layer_dependencies(graph.layers) == graph.dependencies


def test_validate(graph):
    graph.validate()
    layers = graph.layers
    for wrong, match in [
        ({**graph.dependencies, "more": set()}, "not found in layers"),
        ({**graph.dependencies, "src": {"nowhere"}}, "not found in dependencies"),
        ({**graph.dependencies, "inc": set()}, "incorrect HLG dependencies"),
        ({k: v for k, v in graph.dependencies.items() if k != "other"}, "without dependencies"),
    ]:
        with pytest.raises(ValueError, match=match):
            HighLevelGraph(layers, wrong).validate()


def test_a_key_may_be_in_several_layers():
    source, both = {"x": 1}, {"x": 1, "y": Task("y", inc, TaskRef("x"))}
    last = {"z": Task("z", add, TaskRef("x"), TaskRef("y"))}
    layers = {"source": source, "both": both, "last": last}
    HighLevelGraph(layers, {"source": set(), "both": set(), "last": {"both"}}).validate()
    HighLevelGraph(layers, {"source": set(), "both": set(), "last": {"source", "both"}}).validate()
    HighLevelGraph(layers, {"source": set(), "both": {"source"}, "last": {"both"}}).validate()
    for wrong in ({"source"}, set()):
        dependencies = {"source": set(), "both": set(), "last": wrong}
        with pytest.raises(ValueError, match="incorrect HLG dependencies"):
            HighLevelGraph(layers, dependencies).validate()
    more = {**layers, "more": {"m": 1}}
    dependencies = {"source": set(), "both": set(), "last": {"both", "more"}, "more": set()}
    with pytest.raises(ValueError, match="incorrect HLG dependencies"):
        HighLevelGraph(more, dependencies).validate()


def test_cull(graph):
    culled = graph.cull([["sum"]])
    assert set(culled) == set(graph) - {"other"}
    culled.validate()
    assert get(culled, "sum") == 5

    small = graph.cull([("inc", 1)])
    assert set(small) == {("inc", 1), ("src", 1)}
    small.validate()
    assert not set(small.layers) & set(graph.layers)
    assert set(graph.cull([("inc", 1)]).layers) == set(small.layers)
    assert not graph.cull(["nowhere"])

    # Culled graphs of one graph can be merged.
    merged = HighLevelGraph.merge(small, graph.cull([("inc", 0)]))
    assert set(merged) == {("inc", 0), ("inc", 1), ("src", 0), ("src", 1)}


def test_cull_layers(graph):
    culled = graph.cull_layers(["inc"])
    assert set(culled.layers) == {"inc", "src"}
    assert culled.layers["inc"] is graph.layers["inc"]
    culled.validate()


def test_from_collections_and_merge(graph):
    x = delayed(inc)(1)
    new = HighLevelGraph.from_collections("new", {"new": (inc, x.key)}, [x])
    assert get(new, "new") == 3
    assert new.dependencies["new"] == set(x.__dask_layers__())
    with pytest.raises(TypeError):
        HighLevelGraph.from_collections("new", {}, [5])
    merged = HighLevelGraph.merge(graph, new, {"plain": 1})
    assert set(merged) == {*graph, *new, "plain"}
    assert merged.dependencies.keys() == merged.layers.keys()
    with pytest.raises(TypeError):
        HighLevelGraph.merge([1])


def test_copy_is_independent(graph):
    copy = graph.copy()
    copy.layers["more"] = MaterializedLayer({"more": 1})
    copy.dependencies["more"] = set()
    assert "more" not in graph.layers and "more" not in graph.dependencies


def test_annotations_are_those_that_are_active():
    with annotate(priority=2):
        layer = MaterializedLayer({"a": 1, "b": 2})
    assert layer.annotations == {"priority": 2}
    assert MaterializedLayer({}).annotations is None
    with annotate(priority=3):
        culled, _ = layer.cull({"a"}, ["a", "b"])
        assert culled.annotations == {"priority": 2}
        culled, _ = MaterializedLayer({"a": 1, "b": 2}, annotations={}).cull({"a"}, ["a", "b"])
        assert culled.annotations is None


def test_layers_by_rule_stay_unmade():
    layer = blockwise(inc, "inc", "i", "src", "i", numblocks={"src": (1000,)})
    source = {("src", i): i for i in range(1000)}
    graph = HighLevelGraph({"src": source, "inc": layer}, {"src": set(), "inc": {"src"}})
    assert len(graph) == 2000 and ("inc", 999) in graph and ("inc", 1000) not in graph
    culled = graph.cull([("inc", 7)])
    small = next(each for each in culled.layers.values() if isinstance(each, Blockwise))
    assert small.get_output_keys() == {("inc", 7)} and len(small) == 1
    assert not layer.is_materialized() and not small.is_materialized()
    assert set(culled) == {("inc", 7), ("src", 7)}
    assert get(culled, ("inc", 7)) == 8


def test_has_legacy_tasks(graph):
    assert graph.layers["src"].has_legacy_tasks
    assert not graph.layers["inc"].has_legacy_tasks


def test_a_long_chain_of_layers_overflows_no_stack():
    n = 20_000
    layers = {f"x{i}": {f"x{i}": (inc, f"x{i - 1}")} for i in range(1, n)} | {"x0": {"x0": 0}}
    dependencies = {f"x{i}": {f"x{i - 1}"} for i in range(1, n)} | {"x0": set()}
    graph = HighLevelGraph(layers, dependencies)
    assert graph._toposort_layers()[-1] == f"x{n - 1}"
    assert len(graph.cull([f"x{n - 1}"]).layers) == n


def test_display(graph, tmp_path):
    graph.layers["src"].collection_annotations = {"chunks": ((1, 1),), "dtype": "<f8>"}
    document = ElementTree.fromstring(graph._repr_html_())
    text = "".join(document.itertext())
    assert all(name in text for name in graph.layers)
    assert "<f8>" in text
    for layer in graph.layers.values():
        assert isinstance(layer, Layer)
        assert ElementTree.fromstring(layer._repr_html_()) is not None
    assert repr(graph).startswith("HighLevelGraph with 4 layers")
    graph.visualize(str(tmp_path / "layers.svg"))
    assert "svg" in (tmp_path / "layers.svg").read_text()
