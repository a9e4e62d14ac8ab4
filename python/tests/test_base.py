"""What works on every collection, and how a scheduler is chosen."""

from __future__ import annotations

import ast
import asyncio
import inspect
import operator
from collections import OrderedDict
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import samite
from samite import (
    annotate,
    compute,
    config,
    delayed,
    get_annotations,
    is_dask_collection,
    optimize,
    persist,
    visualize,
)
from samite.base import (
    DaskMethodsMixin,
    clone_key,
    collections_to_expr,
    compute_as_if_collection,
    get_collection_names,
    get_name_from_key,
    get_scheduler,
    named_schedulers,
    replace_name_in_key,
    unpack_collections,
    wait,
)

pytestmark = pytest.mark.timeout(60)


def inc(x):
    return x + 1


class Parts(DaskMethodsMixin):
    """A collection of several parts, with a marker that shows what optimized and rebuilt it."""

    __dask_scheduler__ = staticmethod(samite.threaded.get)

    def __init__(self, dsk, keys, rebuilt=False):
        self.dsk, self.keys, self.rebuilt = dsk, keys, rebuilt

    @staticmethod
    def __dask_optimize__(dsk, keys, **kwargs):
        graph = dict(dsk)
        graph[("optimized", 0)] = len(graph)
        return graph

    def __dask_tokenize__(self):
        return self.keys

    def __dask_graph__(self):
        return self.dsk

    def __dask_layers__(self):
        return (self.keys[0][0],)

    def __dask_keys__(self):
        return self.keys

    def __dask_postcompute__(self):
        return tuple, ()

    def __dask_postpersist__(self):
        return Parts._rebuild, (self.keys,)

    @staticmethod
    def _rebuild(dsk, keys, rename=None):
        if rename:
            keys = [replace_name_in_key(key, rename) for key in keys]
        return Parts(dict(dsk), keys, rebuilt=True)


def parts(name="parts", n=3):
    keys = [(name, i) for i in range(n)]
    return Parts({key: (inc, i) for i, key in enumerate(keys)}, keys)


# ---- collections --------------------------------------------------------------------------------


def test_what_is_a_collection():
    assert is_dask_collection(delayed(1))
    assert is_dask_collection(delayed(1).real)
    assert is_dask_collection(parts())
    assert not is_dask_collection(Parts)
    assert not any(map(is_dask_collection, [1, "a", [delayed(1)], {}, object(), {"a": 1}]))

    class Empty:
        def __dask_graph__(self):
            return None

    class NotCallable:
        __dask_graph__ = 5

    assert not is_dask_collection(Empty())
    assert not is_dask_collection(NotCallable())


def test_object_that_has_every_attribute():
    class Anything:
        def __getattr__(self, name):
            if name.startswith("__dask"):
                raise AttributeError(name)
            return 1

    thing = Anything()
    assert not is_dask_collection(thing)
    assert delayed(thing).compute() is thing


# ---- compute ------------------------------------------------------------------------------------


def test_compute_keeps_what_is_not_lazy(scheduler):
    plain = object()
    result = compute(1, delayed(inc)(1), "a", plain, scheduler="synchronous")
    assert result[:3] == (1, 2, "a") and result[3] is plain
    assert compute(scheduler=scheduler) == ()
    assert compute(1, [2], {"a": (3,)}, scheduler=scheduler) == (1, [2], {"a": (3,)})


def test_compute_looks_into_containers(scheduler):
    a, b = delayed(inc)(1), delayed(inc)(2)
    value = ([a, (b, {"k": a})], OrderedDict([("x", b)]), {a: 1}, {b, 7}, slice(None))
    assert compute(*value, scheduler=scheduler) == (
        [2, (3, {"k": 2})],
        OrderedDict([("x", 3)]),
        {2: 1},
        {3, 7},
        slice(None),
    )


def test_compute_without_traverse():
    a = delayed(inc)(1)
    result = compute([a], a, traverse=False)
    assert result[0][0] is a and result[1] == 2


def test_compute_of_iterators():
    assert compute(iter([delayed(1), 2])) == ([1, 2],)


def test_shared_work_runs_once():
    calls = []

    @delayed
    def once(x):
        calls.append(x)
        return x

    shared = once(1)
    assert compute(shared + 1, shared + 2, [shared, shared], scheduler="synchronous") == (
        2,
        3,
        [1, 1],
    )
    assert calls == [1]


def test_collections_of_parts(scheduler):
    assert parts().compute(scheduler=scheduler) == (1, 2, 3)
    assert compute(parts(), [delayed(5)], scheduler=scheduler) == ((1, 2, 3), [5])


def test_collections_as_arguments_of_lazy_calls(scheduler):
    both = delayed(lambda *args, **kwargs: (args, kwargs))([parts(), 1], key={"a": parts()})
    assert both.compute(scheduler=scheduler) == (([(1, 2, 3), 1],), {"key": {"a": (1, 2, 3)}})
    assert delayed(parts()).compute(scheduler=scheduler) == (1, 2, 3)
    assert (delayed(sum)(parts()) + 1).compute(scheduler=scheduler) == 7


def test_a_collection_that_several_calls_take_runs_once():
    calls = []

    def noted(x):
        calls.append(x)
        return x

    shared = Parts({("noted", 0): (noted, 5)}, [("noted", 0)])
    several = delayed(sum)(shared), delayed(len)(shared), shared
    assert compute(*several, scheduler="synchronous") == (5, 1, (5,))
    assert calls == [5]


def test_optimization_of_a_collection_is_used_or_not():
    seen = []

    def get(dsk, keys, **kwargs):
        graph = dict(dsk.__dask_graph__())
        seen.append(set(graph))
        return samite.get(graph, keys)

    assert parts().compute(scheduler=get) == (1, 2, 3)
    assert ("optimized", 0) in seen[-1]
    assert parts().compute(scheduler=get, optimize_graph=False) == (1, 2, 3)
    assert ("optimized", 0) not in seen[-1]


def test_compute_as_if_collection():
    dsk = {("x", 0): 1, ("x", 1): (inc, ("x", 0))}
    assert compute_as_if_collection(Parts, dsk, [("x", 1)]) == (2,)


def test_wrong_keyword_of_dasks_past():
    with pytest.raises(TypeError, match="scheduler="):
        compute(delayed(1) + 1, get=samite.get)


def test_await():
    async def main():
        return await delayed(inc)(1)

    assert asyncio.run(main()).compute() == 2


# ---- persist, optimize --------------------------------------------------------------------------


def test_persist(scheduler):
    calls = []

    def noted(x):
        calls.append(x)
        return x * 2

    lazy = delayed(noted)(4)
    kept = lazy.persist(scheduler=scheduler)
    assert kept.key == lazy.key
    before = len(calls)
    assert kept.compute() == 8
    assert (kept + 1).compute(scheduler=scheduler) == 9
    assert len(calls) == before


@pytest.mark.parametrize(
    "value",
    [
        None, 0, "text", ("parts", 0), (len, "abc"), [1, (sum, [2])], {"a": (inc, 1)}, {1, 2},
        inc, samite.core.istask, float("inf"),
    ],
    ids=repr,
)  # fmt: skip
def test_persisted_values_are_taken_as_they_are(value):
    """Also where they look like a task or a key of a graph."""
    (kept,) = persist(delayed(lambda: value, name=None)())
    assert kept.compute() == value
    assert delayed(lambda x: [x])(kept).compute() == [value]
    assert samite.get(dict(kept.dask), kept.key) == value


def test_persist_of_parts(scheduler):
    kept, same = persist(parts(), [delayed(inc)(1)], scheduler=scheduler)
    assert kept.rebuilt
    assert kept.compute() == (1, 2, 3)
    assert set(kept.dsk) == {("parts", 0), ("parts", 1), ("parts", 2)}
    assert same[0].compute() == 2


def test_persist_keeps_length():
    kept = delayed(divmod, nout=2)(7, 2).persist()
    quotient, rest = kept
    assert compute(quotient, rest) == (3, 1)


def test_optimize():
    a = delayed(inc)(1)
    b, c = optimize(a + 1, a + 2)
    assert compute(b, c) == (3, 4)
    assert dict(b.dask) == dict(c.dask)
    assert optimize(1, [2]) == (1, [2])
    (optimized,) = optimize(parts())
    assert ("optimized", 0) in optimized.dsk


# ---- names --------------------------------------------------------------------------------------


def test_names():
    assert get_collection_names(parts()) == {"parts"}
    x = delayed(1, name="mine")
    assert get_collection_names(x) == {"mine"}
    with pytest.raises(TypeError):
        get_collection_names(1)
    assert get_name_from_key(("a", 1)) == get_name_from_key("a") == "a"
    for wrong in (1, (1, "a"), ()):
        with pytest.raises(TypeError):
            get_name_from_key(wrong)
        with pytest.raises(TypeError):
            replace_name_in_key(wrong, {})
        with pytest.raises(TypeError):
            clone_key(wrong, 1)
    assert replace_name_in_key(("a", 1), {"a": "b"}) == ("b", 1)
    assert clone_key(("inc-1", 3), 5)[1] == 3
    assert clone_key("inc-1", 5).startswith("inc-")


def test_unpack_and_repack():
    a, b = delayed(1), delayed(2)
    collections, repack = unpack_collections([a, {"k": (b, a)}], 5)
    assert len(collections) == 2
    assert repack(["A", "B"]) == (["A", {"k": ("B", "A")}], 5)


def test_expression_of_nothing():
    with pytest.raises(ValueError):
        collections_to_expr([])


def test_wait_for_local_results():
    kept = delayed(inc)(1).persist()
    assert wait(kept) is kept


# ---- schedulers ---------------------------------------------------------------------------------


def test_scheduler_by_name():
    assert get_scheduler(scheduler="sync") is samite.local.get_sync
    assert get_scheduler(scheduler="Threads") is samite.threaded.get
    assert get_scheduler(scheduler="processes") is samite.multiprocessing.get
    assert get_scheduler() is None
    assert get_scheduler(collections=[delayed(1)]) is samite.threaded.get
    with pytest.raises(ValueError, match="no-such"):
        get_scheduler(scheduler="no-such")
    with pytest.raises(ValueError, match="no-such"):
        compute(delayed(1) + 1, scheduler="no-such")
    with pytest.raises((TypeError, ValueError)):
        get_scheduler(scheduler=1.5)


def test_scheduler_by_setting():
    seen = []

    def mine(dsk, keys, **kwargs):
        seen.append(kwargs)
        return samite.local.get_sync(dsk, keys)

    lazy = delayed(inc)(1)
    with config.set(scheduler=mine):
        assert lazy.compute(option=5) == 2
        assert seen == [{"option": 5}]
        assert lazy.compute(scheduler="threads") == 2
    assert len(seen) == 1
    named_schedulers["mine"] = mine
    try:
        assert lazy.compute(scheduler="mine") == 2
    finally:
        del named_schedulers["mine"]
    assert len(seen) == 2


def test_collections_that_disagree():
    class Other(Parts):
        __dask_scheduler__ = staticmethod(samite.local.get_sync)

    other = Other({("o", 0): (inc, 1)}, [("o", 0)])
    with pytest.raises(ValueError, match="scheduler"):
        compute(delayed(1) + 1, other)
    assert compute(delayed(1) + 1, other, scheduler="threads") == (2, (2,))


def test_client_with_get():
    class MyClient:
        def get(self, dsk, keys, **kwargs):
            return samite.get(dsk, keys)

    class AsynchronousClient(MyClient):
        asynchronous = True

    assert delayed(inc)(1).compute(scheduler=MyClient()) == 2
    with pytest.raises(TypeError, match="asynchronous"):
        delayed(inc)(1).compute(scheduler=AsynchronousClient())


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_executors(kind):
    with kind(2) as pool:
        lazy = delayed(sum)([delayed(operator.add)(i, 1) for i in range(20)])
        assert lazy.compute(scheduler=pool) == 210
        assert lazy.compute(pool=pool) == 210
        with config.set(pool=pool):
            assert lazy.compute() == 210
        with pytest.raises(ZeroDivisionError):
            delayed(operator.truediv)(1, 0).compute(scheduler=pool)


# ---- annotations --------------------------------------------------------------------------------


def test_annotations_nest():
    assert get_annotations() == {}
    with annotate(priority=1, mine="a"):
        with annotate(priority=2):
            assert get_annotations() == {"priority": 2, "mine": "a"}
        assert get_annotations() == {"priority": 1, "mine": "a"}
        with pytest.raises(KeyError):
            with annotate(mine="b"):
                raise KeyError
        assert get_annotations()["mine"] == "a"
    assert get_annotations() == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"priority": "high"},
        {"retries": "often"},
        {"workers": 5},
        {"resources": ["gpu"]},
        {"allow_other_workers": "yes"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_wrong_annotations(wrong):
    with pytest.raises(TypeError, match=next(iter(wrong))):
        with annotate(**wrong):
            pass
    assert get_annotations() == {}


# ---- pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("optimized", [False, True])
def test_picture_as_svg(tmp_path, optimized):
    x = delayed(inc)(1, dask_key_name="first")
    y = delayed(sum)([x, x + 1], dask_key_name="last")
    path = tmp_path / "picture.svg"
    y.visualize(filename=str(path), optimize_graph=optimized)
    root = ElementTree.parse(path).getroot()
    assert root.tag.endswith("svg")
    text = "".join(root.itertext())
    assert "first" in text and "add" in text and "last" in text


def test_picture_of_several_and_of_dicts(tmp_path):
    path = tmp_path / "several"
    visualize(delayed(inc)(1), [parts()], {"a": (inc, 1)}, filename=str(path), format="svg")
    assert ElementTree.parse(path.with_suffix(".svg")).getroot().tag.endswith("svg")


def test_picture_without_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert visualize(delayed(inc)(1), filename=None, format="svg") is not None
    assert list(tmp_path.iterdir()) == []


# ---- the native module ---------------------------------------------------------------------------


def test_the_stub_describes_the_native_module():
    """Every name, and every parameter of its functions and methods, is in `_engine.pyi`."""
    from samite import _engine

    path = Path(samite.__file__).parent / "_engine.pyi"
    stub = {}
    for item in ast.parse(path.read_text()).body:
        if isinstance(item, (ast.FunctionDef, ast.ClassDef)):
            stub[item.name] = item
    public = {name for name in dir(_engine) if not name.startswith("_")}
    assert {name for name in stub if not name.startswith("_")} == public
    for name in public:
        real = getattr(_engine, name)
        if not isinstance(real, type):
            assert _parameters(stub[name]) == _text_parameters(real), name
            continue
        described = {item.name: item for item in stub[name].body if hasattr(item, "name")}
        members = {
            member
            for member in vars(real)
            if member not in ("__doc__", "__module__", "__weakref__")
        }
        assert set(described) == members, name
        for member in members - {"__new__", "__call__"}:
            if callable(vars(real)[member]):
                expected = _text_parameters(vars(real)[member])
                assert _parameters(described[member]) == expected, f"{name}.{member}"


def _parameters(function: ast.FunctionDef) -> list[str]:
    every = function.args
    names = [argument.arg for argument in every.posonlyargs + every.args]
    return names + [argument.arg for argument in (every.vararg, every.kwarg) if argument]


def _text_parameters(function) -> list[str]:
    # Python cannot read a signature with a parameter that is named by a word of its own.
    function = getattr(function, "__func__", function)  # of a static method
    text = function.__text_signature__.replace("$", "").replace("(class,", "(cls,")
    namespace: dict[str, Any] = {}
    exec(f"def function{text}: pass", namespace)
    return list(inspect.signature(namespace["function"]).parameters)
