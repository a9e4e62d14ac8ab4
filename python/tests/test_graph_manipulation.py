"""Waiting for collections, and copies of them."""

from __future__ import annotations

import pytest

from samite import compute, delayed
from samite._task_spec import Task, TaskRef
from samite.base import DaskMethodsMixin, clone_key, replace_name_in_key
from samite.blockwise import Blockwise, blockwise
from samite.graph_manipulation import bind, checkpoint, chunks, clone, wait_on
from samite.highlevelgraph import HighLevelGraph
from samite.threaded import get


class Parts(DaskMethodsMixin):
    """A collection: a tuple of parts."""

    __dask_scheduler__ = staticmethod(get)
    __dask_optimize__ = None

    def __init__(self, dsk, keys):
        self._dsk = dsk
        self._keys = keys

    def __dask_tokenize__(self):
        return self._keys

    def __dask_graph__(self):
        return self._dsk

    def __dask_layers__(self):
        return tuple({key[0] if isinstance(key, tuple) else key for key in self._keys})

    def __dask_keys__(self):
        return self._keys

    def __dask_postcompute__(self):
        return tuple, ()

    def __dask_postpersist__(self):
        return Parts._rebuild, (self._keys,)

    @staticmethod
    def _rebuild(dsk, keys, *, rename=None):
        if rename:
            keys = [replace_name_in_key(key, rename) for key in keys]
        return Parts(dsk, keys)


class Blocks(Parts):
    """The same, with one part after the other."""

    @property
    def npartitions(self):
        return len(self._keys)


def log_of(events):
    def record(name, *values):
        events.append(name)
        return sum(values)

    return record


def layered(dsk):
    """One layer for each task, by name."""
    names = {key: key for key in dsk}
    layers = {name: {name: task} for name, task in dsk.items()}
    dependencies = {name: {names[d] for d in task.dependencies} for name, task in dsk.items()}
    return HighLevelGraph(layers, dependencies)


@pytest.fixture(params=["dict", "layers"])
def make(request):
    """Builds a graph of tasks, of one of the two kinds there are."""
    return dict if request.param == "dict" else layered


def chain(make, events, prefix, keys=None):
    record = log_of(events)
    first, second = f"{prefix}-first", f"{prefix}-second"
    dsk = make(
        {
            first: Task(first, record, first, 1),
            second: Task(second, record, second, TaskRef(first), 10),
        }
    )
    return Parts(dsk, keys or [second])


def test_checkpoint_runs_everything_and_gives_none(make):
    events = []
    both = checkpoint(chain(make, events, "a"), {"x": [chain(make, events, "b")]})
    assert both.compute() is None
    assert sorted(events) == ["a-first", "a-second", "b-first", "b-second"]


def test_bind_starts_children_after_parents(make):
    events = []
    parent, child = chain(make, events, "parent"), chain(make, events, "child")
    bound = bind(child, parent, assume_layers=make is layered, seed=1)
    assert bound.compute() == (11,)
    assert events == ["parent-first", "parent-second", "child-first", "child-second"]
    assert bound.__dask_keys__() == [clone_key("child-second", 1)]


def test_bind_omits(make):
    events = []
    child = chain(make, events, "child")
    graph = child.__dask_graph__()
    base = Parts(
        graph.cull_layers(["child-first"])
        if make is layered
        else {"child-first": graph["child-first"]},
        ["child-first"],
    )
    bound = bind(child, chain(make, events, "parent"), omit=base, assume_layers=make is layered)
    assert "child-first" in bound.__dask_graph__()
    assert "child-second" not in bound.__dask_graph__()
    assert compute(bound, base) == ((11,), (1,))
    assert events.count("child-first") == 1
    assert events.index("parent-second") < events.index("child-second")


def test_clone(make):
    events = []
    original = chain(make, events, "x")
    options = {"assume_layers": make is layered}
    one, same, other = (clone(original, seed=seed, **options) for seed in (1, 1, 2))
    unnamed = clone(original, **options)
    keys = [set(c.__dask_graph__()) for c in (original, one, other, unnamed)]
    assert keys[1] == set(same.__dask_graph__())
    assert len(set().union(*keys)) == sum(map(len, keys))
    assert compute(original, one, other, unnamed) == ((11,),) * 4
    assert compute(clone({"a": [original]}, **options)) == ({"a": [(11,)]},)
    assert len(clone(original, original, **options)) == 2


def test_clone_legacy_notation():
    dsk = {("a", 0): 1, ("a", 1): 2, "b": (sum, [("a", 0), ("a", 1), 5])}
    copy = clone(Parts(dsk, ["b"]), seed="s", assume_layers=False)
    assert copy.compute() == (8,)
    assert not copy.__dask_graph__().keys() & dsk.keys()


def test_bind_legacy_notation():
    dsk = {"a": (sum, [1, 2]), "b": (sum, ["a", 4])}
    bound = bind(Parts(dsk, ["b"]), delayed(5), seed=1, assume_layers=False)
    graph = bound.__dask_graph__()
    assert graph[clone_key("a", 1)][0] is chunks.bind
    assert graph[clone_key("b", 1)][0] is sum
    assert bound.compute() == (7,)


def test_wait_on(make):
    events = []
    a = chain(make, events, "a", ["a-first", "a-second"])
    b = chain(make, events, "b")
    waiting, nested = wait_on(a, {"b": [b]})
    seen = delayed(lambda *_: list(events))(TaskSource(waiting))
    assert compute(waiting, nested) == ((1, 11), {"b": [(11,)]})
    assert sorted(events) == ["a-first", "a-second", "b-first", "b-second"]
    events.clear()
    assert sorted(seen.compute()) == ["a-first", "a-second", "b-first", "b-second"]


class TaskSource(Parts):
    """The first part of a collection only."""

    def __init__(self, collection):
        super().__init__(collection.__dask_graph__(), collection.__dask_keys__()[:1])


@pytest.mark.parametrize(
    "split_every, reductions", [(2, 99), (3, 50), (None, 15), (8.1, 15), (1e9, 1), (False, 1)]
)
def test_split_every(split_every, reductions):
    dsk = {("a", i): i for i in range(100)}
    parts = Parts(dsk, list(dsk))
    waiting = checkpoint(parts, split_every=split_every)
    assert len(waiting.__dask_graph__()) == 200 + reductions
    assert waiting.compute() is None


@pytest.mark.parametrize(
    "split_every, error",
    [(1, ValueError), (0, ValueError), (1.9, ValueError), (-2, ValueError), ({0: 2}, TypeError)],
)
def test_split_every_is_checked(split_every, error):
    with pytest.raises(error):
        checkpoint(Parts({"a": 1}, ["a"]), split_every=split_every)


def test_blocks_are_handled_by_rule():
    source = {("src", i): i for i in range(4)}
    layer = blockwise(lambda x: x + 1, "inc", "i", "src", "i", numblocks={"src": (4,)})
    graph = HighLevelGraph({"src": source, "inc": layer}, {"src": set(), "inc": {"src"}})
    blocks = Blocks(graph, [("inc", i) for i in range(4)])

    copy = clone(blocks, seed=1)
    copied = copy.__dask_graph__().layers[clone_key("inc", 1)]
    assert isinstance(copied, Blockwise) and not copied.is_materialized()
    assert compute(blocks, copy) == ((1, 2, 3, 4),) * 2

    waiting = wait_on(blocks)
    made = waiting.__dask_graph__().layers.values()
    assert sum(isinstance(each, Blockwise) for each in made) == 3
    assert waiting.compute() == (1, 2, 3, 4)

    shared = {"omit": Parts(HighLevelGraph({"src": source}, {"src": set()}), list(source))}
    bound = bind(blocks, delayed(1), omit=shared, seed=1)
    inner = bound.__dask_graph__().layers[clone_key("inc", 1)]
    assert isinstance(inner, Blockwise) and not inner.is_materialized()
    assert bound.compute() == (1, 2, 3, 4)
    assert source.keys() <= bound.__dask_graph__().keys()
