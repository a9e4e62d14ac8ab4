"""Lazy calls: what they make, what they compute, and how they are named."""

from __future__ import annotations

import copy
import dataclasses
import operator
import pickle
from collections import namedtuple
from typing import Any

import cloudpickle
import dask
import pytest
from dask.delayed import delayed as dask_delayed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import samite
from samite import annotate, compute, config, delayed, is_dask_collection
from samite.delayed import Delayed, DelayedAttr, DelayedLeaf, unpack_collections
from samite.highlevelgraph import HighLevelGraph

pytestmark = pytest.mark.timeout(60)

Point = namedtuple("Point", ["x", "y"])


@dataclasses.dataclass
class Pair:
    first: Any
    second: Any = 0

    def total(self, scale=1):
        return (self.first + self.second) * scale


class Matrix:
    """Knows `@`, and which side it was on."""

    def __matmul__(self, other):
        return "left"

    def __rmatmul__(self, other):
        return "right"


def inc(x):
    return x + 1


def add(x, y=0):
    return x + y


def keyword_only(*args, **kwargs):
    return args, kwargs


# ---- functions and values -----------------------------------------------------------------------


def test_a_call_of_a_lazy_function_runs_when_computed(scheduler):
    calls = []

    def note(x):
        calls.append(x)
        return x * 2

    lazy = delayed(note)(21)
    assert calls == []
    assert lazy.compute(scheduler=scheduler) == 42
    # A worker process has a list of its own.
    assert calls == ([] if scheduler == "processes" else [21])


def test_decorator_keeps_name_documentation_and_function():
    @delayed
    def documented(x):
        """Says what it does."""
        return x

    assert documented.__name__ == "documented"
    assert documented.__doc__ == "Says what it does."
    assert documented.__wrapped__(3) == 3
    assert documented(3).compute() == 3


def test_decorator_with_options():
    @delayed(pure=True, nout=2)
    def split(x):
        return x, -x

    assert split(1).key == split(1).key
    low, high = split(4)
    assert compute(low, high) == (4, -4)


def test_decorated_method():
    class Counter:
        step = 5

        @delayed
        def after(self, x):
            return x + self.step

    assert Counter().after(2).compute() == 7


@pytest.mark.parametrize(
    "value",
    [1, 2.5, "text", b"bytes", None, True, [1, 2], (3, 4), {"a": 1}, {5}, len, int, range(3)],
)
def test_values(value, scheduler):
    lazy = delayed(value)
    assert isinstance(lazy, DelayedLeaf)
    assert is_dask_collection(lazy)
    assert compute(lazy, scheduler=scheduler) == (value,)


def test_lazy_of_lazy_is_itself():
    lazy = delayed(1)
    assert delayed(lazy) is lazy
    assert delayed(lazy, name="other") is lazy


def test_keywords(scheduler):
    lazy = delayed(keyword_only)(1, delayed(2), three=delayed(3), four=[delayed(4), 4])
    assert lazy.compute(scheduler=scheduler) == ((1, 2), {"three": 3, "four": [4, 4]})


def test_a_keyword_named_like_one_of_ours_reaches_the_function():
    assert delayed(keyword_only)(name="n", nout=3, traverse=1, obj=2, key=7).compute() == (
        (),
        {"name": "n", "nout": 3, "traverse": 1, "obj": 2, "key": 7},
    )


def test_lazy_function_as_the_called(scheduler):
    chosen = delayed(operator.attrgetter("upper"))("abc")
    assert chosen().compute(scheduler=scheduler) == "ABC"


def test_classes_are_called(scheduler):
    pair = delayed(Pair)(delayed(inc)(1), second=3)
    assert pair.compute(scheduler=scheduler) == Pair(2, 3)


def test_partial_and_lambda_names():
    from functools import partial

    assert delayed(partial(add, 1))(2).key.startswith("add-")
    assert delayed(lambda x: x)(2).key.startswith("lambda-")
    assert delayed(lambda x: x)(2).compute() == 2


# ---- keys ---------------------------------------------------------------------------------------


def test_impure_calls_differ_and_pure_calls_agree():
    assert delayed(inc)(1).key != delayed(inc)(1).key
    assert delayed(inc, pure=True)(1).key == delayed(inc, pure=True)(1).key
    assert delayed(inc, pure=True)(1).key != delayed(inc, pure=True)(2).key
    assert delayed(inc, pure=True)(1).key != delayed(inc, pure=True)(1.0).key
    assert delayed(inc, pure=True)(1).key != delayed(inc, pure=True)(True).key
    assert delayed(inc)(1, pure=True).key == delayed(inc)(1, pure=True).key


def test_pure_values():
    assert delayed([1, 2], pure=True).key == delayed([1, 2], pure=True).key
    assert delayed([1, 2], pure=True).key != delayed([2, 1], pure=True).key
    assert delayed([1, 2]).key != delayed([1, 2]).key


def test_pure_by_setting():
    with config.set(delayed_pure=True):
        assert delayed(inc)(1).key == delayed(inc)(1).key
        assert delayed(inc, pure=False)(1).key != delayed(inc, pure=False)(1).key
    assert delayed(inc)(1).key != delayed(inc)(1).key


def test_pure_keyword_arguments_are_told_apart():
    pure = delayed(keyword_only, pure=True)
    keys = {
        pure(1, 2).key,
        pure((1, 2)).key,
        pure([1, 2]).key,
        pure(a=1, b=2).key,
        pure(a=2, b=1).key,
        pure({"a": 1, "b": 2}).key,
        pure("ab", "c").key,
        pure("a", "bc").key,
        pure().key,
    }
    assert len(keys) == 9


def test_pure_key_is_taken_when_the_call_is_made():
    values = [1, 2, 3]
    first = delayed(sum, pure=True)(values)
    values.append(4)
    second = delayed(sum, pure=True)(values)
    assert first.key != second.key


def test_pure_calls_of_one_key_run_once():
    calls = []

    def noted(x):
        calls.append(x)
        return x

    pure = delayed(noted, pure=True)
    assert compute(pure(1), pure(1), pure(2), scheduler="synchronous") == (1, 1, 2)
    assert sorted(calls) == [1, 2]


def test_pure_attributes_items_and_operators():
    x = delayed(Pair(1, 2), pure=True)
    assert x.first.key == x.first.key
    assert x.first.key != x.second.key
    assert x[0].key == x[0].key != x[1].key
    assert (x + 1).key == (x + 1).key != (1 + x).key


def test_name_of_a_value():
    lazy = delayed([1], name="mine")
    assert lazy.key == "mine"
    assert dict(lazy.dask).keys() == {"mine"}
    assert lazy.compute() == [1]


def test_dask_key_name(scheduler):
    lazy = delayed(inc)(1, dask_key_name="my-key")
    assert lazy.key == "my-key"
    assert lazy.compute(scheduler=scheduler) == 2
    in_tuple = delayed(inc)(lazy, dask_key_name=("mine", 0))
    assert in_tuple.key == ("mine", 0)
    assert in_tuple.compute(scheduler=scheduler) == 3
    method = delayed("a,b").split(",", dask_key_name="parts")
    assert method.key == "parts"
    assert method.compute(scheduler=scheduler) == ["a", "b"]


def test_one_name_for_different_calls_is_refused(scheduler):
    one = delayed(inc)(1, dask_key_name="mine")
    other = delayed(inc)(2, dask_key_name="mine")
    with pytest.raises(ValueError, match="mine"):
        compute(one, other, scheduler=scheduler)
    with pytest.raises(ValueError, match="mine"):
        delayed(add)(one, other).compute(scheduler=scheduler)


def test_one_name_for_the_same_call_twice(scheduler):
    one = delayed(inc)(1, dask_key_name="mine")
    same = delayed(inc)(1, dask_key_name="mine")
    assert delayed(add)(one, same).compute(scheduler=scheduler) == 4


def test_keys_are_named_after_what_runs():
    assert delayed(inc)(1).key.startswith("inc-")
    assert delayed("a,b").split(",").key.startswith("split-")
    assert delayed(1).real.key.startswith("getattr-")
    assert (delayed(1) + 1).key.startswith("add-")
    assert delayed(1).key.startswith("int-")


# ---- containers ---------------------------------------------------------------------------------


def test_every_container(scheduler):
    a, b = delayed(1), delayed(inc)(1)
    value = {
        "list": [a, [b]],
        "tuple": (a, (b, 3)),
        "set": {a, b},
        "dict": {a: b, "plain": {"deep": [b]}},
        "slice": slice(a, b, None),
        "point": Point(a, [b]),
        "pair": Pair(a, {"b": b}),
    }
    assert delayed(value).compute(scheduler=scheduler) == {
        "list": [1, [2]],
        "tuple": (1, (2, 3)),
        "set": {1, 2},
        "dict": {1: 2, "plain": {"deep": [2]}},
        "slice": slice(1, 2, None),
        "point": Point(1, [2]),
        "pair": Pair(1, {"b": 2}),
    }


@pytest.mark.parametrize("make", [list, tuple, set, lambda items: {0: items[0], 1: items[1]}])
def test_types_are_kept(make, scheduler):
    plain, lazy = make([1, 2]), make([delayed(1), delayed(2)])
    result = delayed(lambda x: (type(x), x))(lazy).compute(scheduler=scheduler)
    assert result == (type(plain), plain)


@pytest.mark.parametrize(
    "make, expected", [(list, [1, 2]), (tuple, (1, 2)), (set, {1, 2})], ids=["list", "tuple", "set"]
)
def test_iterators_become_containers(make, expected):
    assert delayed(iter(make([delayed(1), delayed(2)]))).compute() == expected


def test_traverse_false_leaves_containers_alone():
    inner = delayed(1)
    lazy = delayed([inner], traverse=False)
    assert lazy.compute()[0] is inner


def test_item_access_by_lazy_slice():
    data = delayed(list)(range(10))
    start = delayed(inc)(1)
    assert data[start : start + 3].compute() == [2, 3, 4]
    assert data[start].compute() == 2
    assert delayed({(1, 2): "found"})[1, delayed(2)].compute() == "found"


@dataclasses.dataclass
class NotGiven:
    given: Any
    derived: Any = dataclasses.field(init=False)


@dataclasses.dataclass(init=False)
class OwnConstructor:
    given: Any

    def __init__(self, number):
        self.given = number


def test_dataclass_with_an_unset_field(scheduler):
    assert delayed(lambda x: x.given)(NotGiven(delayed(1))).compute(scheduler=scheduler) == 1


def test_dataclass_that_cannot_be_rebuilt():
    made = NotGiven(delayed(1))
    made.derived = 2
    with pytest.raises(ValueError, match="derived"):
        delayed(made)
    with pytest.raises(TypeError, match="OwnConstructor"):
        delayed(OwnConstructor(delayed(1)))
    # Without anything lazy inside there is nothing to rebuild.
    plain = OwnConstructor(1)
    assert delayed(plain).compute() is plain


def test_huge_list_argument(scheduler):
    items = [delayed(inc, pure=True)(i) for i in range(20_000)]
    assert delayed(sum)(items).compute(scheduler="threads") == sum(range(1, 20_001))
    plain = list(range(300_000))
    assert delayed(sum)(plain).compute(scheduler=scheduler) == sum(plain)


def test_a_list_that_contains_itself():
    items: list[Any] = [1]
    items.append(items)
    with pytest.raises(RecursionError):
        delayed(items)
    with pytest.raises(RecursionError):
        delayed(len)(items)
    assert delayed(items, traverse=False).compute() is items


def test_deeply_nested_list_of_lazy_values():
    nested: Any = delayed(1)
    for _ in range(100):
        nested = [nested]
    result = delayed(nested).compute()
    for _ in range(100):
        (result,) = result
    assert result == 1


def test_a_list_changed_after_the_call_as_in_dask():
    def program(lazy, run):
        plain, mixed = [1, 2], [1, lazy(2)]
        calls = [lazy(list)(plain), lazy(list)(mixed)]
        plain.append(3)
        mixed.append(3)
        return run(*calls)

    expected = program(dask_delayed, lambda *calls: dask.compute(*calls, scheduler="sync"))
    assert program(delayed, lambda *calls: compute(*calls, scheduler="sync")) == expected


# ---- operators ----------------------------------------------------------------------------------

BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, operator.lshift, operator.rshift, operator.and_, operator.or_, operator.xor,
    divmod, operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
]  # fmt: skip


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
def test_binary_operators_on_both_sides(op, scheduler):
    values = [op(delayed(7), 2), op(7, delayed(2)), op(delayed(7), delayed(2))]
    assert all(isinstance(value, Delayed) for value in values)
    assert compute(*values, scheduler=scheduler) == (op(7, 2),) * 3


@pytest.mark.parametrize(
    "op", [operator.neg, operator.pos, operator.abs, operator.invert], ids=lambda op: op.__name__
)
def test_unary_operators(op, scheduler):
    assert op(delayed(-5)).compute(scheduler=scheduler) == op(-5)


def test_matrix_product():
    matrix = Matrix()
    assert (delayed(matrix) @ 1).compute() == "left"
    assert (1 @ delayed(matrix)).compute() == "right"


def test_in_place_operators_make_new_values():
    x = before = delayed(1)
    x += 2
    x *= 3
    assert (before.compute(), x.compute()) == (1, 9)


def test_array_on_the_left():
    np = pytest.importorskip("numpy")
    array = np.arange(3)
    lazy = delayed(array) + array
    assert lazy.compute().tolist() == [0, 2, 4]
    # NumPy handles its left operand itself: an array of lazy values, one for each item.
    rows = array + delayed(array)
    assert [row.tolist() for row in compute(*rows)] == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]


def test_what_a_lazy_value_cannot_do():
    lazy = delayed(1)
    with pytest.raises(TypeError, match="Truth"):
        bool(lazy)
    with pytest.raises(TypeError, match="immutable"):
        lazy.attribute = 1
    with pytest.raises(TypeError, match="immutable"):
        lazy[0] = 1
    with pytest.raises(TypeError):
        len(lazy)
    with pytest.raises(TypeError, match="not iterable"):
        iter(lazy)
    with pytest.raises(AttributeError):
        _ = lazy._private
    assert not hasattr(lazy, "__array__")
    assert isinstance(hash(lazy), int)


# ---- attributes and methods ---------------------------------------------------------------------


def test_attributes_and_methods(scheduler):
    pair = delayed(Pair)(1, 2)
    assert isinstance(pair.first, DelayedAttr)
    assert pair.first.compute(scheduler=scheduler) == 1
    assert pair.total().compute(scheduler=scheduler) == 3
    assert pair.total(scale=delayed(10)).compute(scheduler=scheduler) == 30
    assert pair.first.real.compute(scheduler=scheduler) == 1
    assert delayed("a b").upper().split().compute(scheduler=scheduler) == ["A", "B"]


def test_missing_attribute_is_the_tasks_error(scheduler):
    lazy = delayed(1).no_such_thing
    with pytest.raises(AttributeError, match="no_such_thing"):
        lazy.compute(scheduler=scheduler)
    with pytest.raises(AttributeError, match="no_such_thing"):
        delayed(1).no_such_thing(2).compute(scheduler=scheduler)


def test_misspelt_visualize_warns():
    with pytest.warns(UserWarning, match="visualize"):
        _ = delayed(1).visualise


# ---- several results ----------------------------------------------------------------------------


@pytest.mark.parametrize("nout", [0, 1, 3])
def test_nout(nout, scheduler):
    lazy = delayed(lambda: tuple(range(nout)), nout=nout)()
    parts = list(lazy)
    assert len(lazy) == len(parts) == nout
    assert compute(*parts, scheduler=scheduler) == tuple(range(nout))


@pytest.mark.parametrize("nout", [-1, True, 2.0, "2"])
def test_wrong_nout(nout):
    with pytest.raises(ValueError, match="nout"):
        delayed(inc, nout=nout)


def test_nout_with_containers():
    first, second = delayed([delayed(1), 2], nout=2)
    assert compute(first, second) == (1, 2)


# ---- copies, pickles, graphs --------------------------------------------------------------------


def _examples():
    x = delayed(inc)(1)
    return {
        "call": x,
        "value": delayed([1, 2]),
        "function": delayed(inc),
        "operator": x + 1,
        "attribute": x.real,
        "method": delayed("a").upper(),
        "container": delayed([x, {"a": x}]),
        "named": delayed(inc)(1, dask_key_name="mine"),
        "graph": Delayed("b", {"a": 1, "b": (inc, "a")}),
        "nout": delayed(divmod, nout=2)(7, 2),
    }


@pytest.mark.parametrize("name", sorted(_examples()))
@pytest.mark.parametrize("module", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])
def test_pickles(module, name):
    lazy = _examples()[name]
    again = module.loads(module.dumps(lazy))
    assert type(again) is type(lazy) or isinstance(again, Delayed)
    assert again.key == lazy.key
    assert again._length == lazy._length
    if name == "function":
        assert again(1).compute() == 2
    else:
        assert again.compute() == lazy.compute()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_copies(copied):
    x = delayed(inc)(1)
    again = copied(x)
    assert again.key == x.key
    assert again.compute() == 2


def test_pickles_of_lambdas():
    again = cloudpickle.loads(cloudpickle.dumps(delayed(lambda x: x + 1)(delayed(1))))
    assert again.compute() == 2


def test_given_graph(scheduler):
    lazy = Delayed("c", {"a": 1, "b": (inc, "a"), "c": (add, "a", "b")})
    assert lazy.compute(scheduler=scheduler) == 3
    assert delayed(inc)(lazy).compute(scheduler=scheduler) == 4
    assert compute(lazy, [lazy], delayed(add)(lazy, lazy), scheduler=scheduler) == (3, [3], 6)


def test_given_layers():
    x = delayed(inc)(1)
    again = Delayed(x.key, x.dask)
    assert again.compute() == 2
    assert again.dask == x.dask
    with pytest.raises(ValueError, match="no-such-layer"):
        Delayed("k", x.dask, layer="no-such-layer")


def test_graph_has_a_layer_for_each_call():
    a = delayed(inc)(1, dask_key_name="a")
    b = delayed(inc)(a, dask_key_name="b")
    c = delayed(add)([a, b], [b], dask_key_name="c")
    graph = c.dask
    assert isinstance(graph, HighLevelGraph)
    assert set(graph.layers) >= {"a", "b", "c"}
    assert graph.dependencies["c"] == {"a", "b"}
    assert graph.dependencies["b"] == {"a"}
    assert c.__dask_layers__() == ("c",)
    assert c.__dask_keys__() == ["c"]
    assert samite.get(dict(graph), "c") == [2, 3, 3]


def test_graph_of_a_pure_program_is_equal_to_itself():
    def program():
        x = delayed(inc, pure=True)(1)
        return delayed(add, pure=True)(x, x * 2)

    assert program().key == program().key
    assert dict(program().dask) == dict(program().dask)


def test_annotations_are_kept():
    with annotate(priority=3, span="outer"):
        a = delayed(inc)(1)
        with annotate(priority=5):
            b = delayed(inc)(a)
            attribute = b.real
    c = delayed(inc)(b)
    layers = c.dask.layers
    assert layers[a.key].annotations == {"priority": 3, "span": "outer"}
    assert layers[b.key].annotations == {"priority": 5, "span": "outer"}
    assert not layers[c.key].annotations
    assert attribute.dask.layers[attribute.key].annotations["priority"] == 5
    assert c.compute() == 4


def test_task_and_collections_of_a_value():
    x = delayed(1)
    task, collections = unpack_collections([x, 2])
    assert collections == (x,)
    assert unpack_collections(5) == (5, ())


# ---- long chains --------------------------------------------------------------------------------

LONG = 100_000


@pytest.mark.parametrize(
    "pure, length", [(False, LONG), (True, LONG // 20)], ids=["impure", "pure"]
)
def test_long_chain_of_calls(pure, length):
    step = delayed(inc, pure=pure)
    x = step(0)
    for _ in range(length - 1):
        x = step(x)
    assert isinstance(x.key, str)
    assert x.compute() == length
    assert x.compute(scheduler="synchronous") == length
    del x


def test_long_chain_of_operators():
    x = delayed(0)
    for _ in range(LONG):
        x = x + 1
    assert x.key.startswith("add-")
    assert x.compute() == LONG
    assert x.compute(scheduler="synchronous") == LONG
    del x


def test_long_chain_through_containers_and_keywords():
    x = delayed(0)
    for _ in range(LONG // 4):
        x = delayed(add)(y=x, x=1)
    assert x.compute() == LONG // 4
    x = delayed([0])
    for _ in range(LONG // 4):
        x = delayed(operator.getitem)([x], 0)
    assert x.compute() == [0]
    del x


def test_long_chain_is_collected_in_a_cycle():
    import gc
    import weakref

    class Holder:
        pass

    holder = Holder()
    x = delayed(holder, traverse=False)
    for _ in range(LONG):
        x = delayed(inc)(x)
    holder.lazy = x
    seen = weakref.ref(holder)
    del x, holder
    gc.collect()
    assert seen() is None


# ---- random programs ----------------------------------------------------------------------------

FUNCTIONS = {
    "mix": lambda *args, **kwargs: _fold((args, sorted(kwargs.items()))),
    "pair": lambda a=1, b=2: (a, b),
    "text": lambda *args: repr(args)[:60],
    "listed": lambda *args: list(args),
}


def _fold(value: Any) -> int:
    """A number that depends on all parts of nested containers and on their kinds."""
    if isinstance(value, dict):
        value = ("dict", *sorted(((_fold(k), _fold(v)) for k, v in value.items())))
    elif isinstance(value, (set, frozenset)):
        value = ("set", *sorted(map(_fold, value)))
    elif dataclasses.is_dataclass(value):
        value = (type(value).__name__, value.first, value.second)
    elif isinstance(value, slice):
        value = ("slice", value.start, value.stop, value.step)
    elif isinstance(value, str):
        value = tuple(value.encode())
    if isinstance(value, (list, tuple)):
        result = len(value) + (7 if isinstance(value, list) else 11)
        for item in value:
            result = (result * 1009 + _fold(item)) % 1_000_003
        return result
    return hash(value) % 1_000_003


@st.composite
def _programs(draw):
    """A list of steps; each calls a function on terms over the steps before."""

    def term(depth, count):
        kinds = ["number", "text"] + (["step"] * 4 if count else [])
        if depth < 3:
            kinds += ["list", "tuple", "dict", "set", "point", "pair", "slice"]
        kind = draw(st.sampled_from(kinds))
        if kind == "number":
            return kind, draw(st.integers(-5, 300))
        if kind == "text":
            return kind, draw(st.sampled_from(["", "a", "step", "0"]))
        if kind == "step":
            return kind, draw(st.integers(0, count - 1))
        if kind == "set":
            return kind, [("number", n) for n in draw(st.lists(st.integers(0, 5), max_size=3))]
        if kind == "dict":
            names = draw(st.lists(st.sampled_from("abc"), max_size=2, unique=True))
            return kind, [(name, term(depth + 1, count)) for name in names]
        size = {"point": 2, "pair": 2, "slice": 3}.get(kind) or draw(st.integers(0, 3))
        return kind, [term(depth + 1, count) for _ in range(size)]

    steps = []
    for position in range(draw(st.integers(1, 8))):
        name = draw(st.sampled_from(sorted(FUNCTIONS)))
        most = 2 if name == "pair" else 3
        args = [term(0, position) for _ in range(draw(st.integers(0, most)))]
        left = list(("a", "b")[len(args) :]) if name == "pair" else ["p", "q"]
        names = [] if name in ("text", "listed") else left
        kwargs = {n: term(0, position) for n in names if draw(st.booleans())}
        steps.append((name, args, kwargs, draw(st.booleans())))
    return steps


def _build(term, values):
    kind, content = term
    if kind in ("number", "text"):
        return content
    if kind == "step":
        return values[content]
    if kind == "dict":
        return {name: _build(item, values) for name, item in content}
    items = [_build(item, values) for item in content]
    make = {
        "list": list,
        "tuple": tuple,
        "set": set,
        "point": lambda items: Point(*items),
        "pair": lambda items: Pair(*items),
        "slice": lambda items: slice(*items),
    }
    return make[kind](items)


def _run_program(program, call):
    values: list[Any] = []
    for name, args, kwargs, pure in program:
        args = [_build(arg, values) for arg in args]
        kwargs = {key: _build(item, values) for key, item in kwargs.items()}
        values.append(call(FUNCTIONS[name], args, kwargs, pure))
    return values


def _directly(func, args, kwargs, pure):
    return func(*args, **kwargs)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(program=_programs())
def test_random_programs(program):
    expected = tuple(_run_program(program, _directly))

    def lazily(func, args, kwargs, pure):
        return delayed(func, pure=pure)(*args, **kwargs)

    lazy = _run_program(program, lazily)
    for name in ("synchronous", "threads"):
        assert compute(*lazy, scheduler=name) == expected
    # The same program written out as a graph, and through a pickle.
    assert samite.get(dict(lazy[-1].dask), lazy[-1].key) == expected[-1]
    assert cloudpickle.loads(cloudpickle.dumps(lazy[-1])).compute() == expected[-1]


@settings(max_examples=25, deadline=None)
@given(program=_programs())
def test_random_programs_in_processes(program):
    expected = tuple(_run_program(program, _directly))
    lazy = _run_program(
        program, lambda f, args, kwargs, pure: delayed(f, pure=pure)(*args, **kwargs)
    )
    assert compute(*lazy, scheduler="processes") == expected


@settings(max_examples=30, deadline=None)
@given(program=_programs())
def test_random_programs_equal_dask(program):
    theirs = _run_program(program, lambda f, args, kwargs, pure: dask_delayed(f)(*args, **kwargs))
    ours = _run_program(program, lambda f, args, kwargs, pure: delayed(f)(*args, **kwargs))
    assert compute(*ours) == dask.compute(*theirs, scheduler="sync")
