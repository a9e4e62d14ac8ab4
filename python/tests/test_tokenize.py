"""Tokens: equal for equal values, different for different ones, the same in each process."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import functools
import os
import pathlib
import random
import subprocess
import sys
import textwrap
import threading
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samite import config
from samite.tokenize import TokenizationError, normalize_token, tokenize

np = pytest.importorskip("numpy")


def token(*args, **kwargs):
    return tokenize(*args, ensure_deterministic=True, **kwargs)


plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.binary(max_size=5),
)
values = st.recursive(
    plain,
    lambda below: st.one_of(
        st.lists(below, max_size=4),
        st.lists(below, max_size=4).map(tuple),
        st.dictionaries(st.one_of(st.integers(), st.text(max_size=3)), below, max_size=4),
        st.frozensets(plain, max_size=4),
    ),
    max_leaves=20,
)


def identical(a, b):
    """Equal in values and in types, at each depth; sets and dictionaries in any order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(identical, a, b))
    if isinstance(a, dict):
        typed = {(type(key), key): value for key, value in b.items()}
        return len(a) == len(b) and all(
            (type(key), key) in typed and identical(value, typed[type(key), key])
            for key, value in a.items()
        )
    if isinstance(a, frozenset):
        return {(type(x), repr(x)) for x in a} == {(type(x), repr(x)) for x in b}
    return repr(a) == repr(b)


def rebuilt(value):
    """An equal value of other objects, with another order of insertion, nothing shared."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(rebuilt, value))
    if isinstance(value, dict):
        return {key: rebuilt(each) for key, each in reversed(value.items())}
    if isinstance(value, frozenset):
        return frozenset(sorted(value, key=repr, reverse=True))
    return value


@given(values)
def test_equal_values_have_equal_tokens(value):
    assert token(value) == token(rebuilt(value))
    assert token(value, value) == token(value, rebuilt(value))


@given(values, values)
def test_tokens_are_equal_for_identical_values_only(one, two):
    assert (token(one) == token(two)) == identical(one, two)


def test_sharing_does_not_count():
    part = [1, [2]]
    assert token([part, part]) == token([[1, [2]], [1, [2]]])


def test_heavy_sharing_takes_linear_time():
    value: list = [1]
    for _ in range(150):
        value = [value, value, value]
    assert token(value) == token(value)


def test_integers_beyond_the_limit_of_decimal_text():
    assert token(10**6000) != token(10**6000 + 1)
    assert token([10**6000, {1: 10**6000}]) == token([10**6000, {1: 10**6000}])


@pytest.mark.parametrize("container", [list, dict])
def test_cycles(container):
    def make(value):
        made: list | dict = container()
        if container is list:
            made.extend([value, made])
        else:
            made.update(v=value, me=made)
        return made

    assert token(make(1)) == token(make(1)) != token(make(2))


def test_object_in_a_cycle():
    class Node:
        def __init__(self, value):
            self.value, self.me = value, self

    # The class is part of the cycle's content too.
    assert token(Node(1)) == token(Node(1)) != token(Node(2))


def test_state_is_clean_after_an_error():
    class Bad:
        def __dask_tokenize__(self):
            raise ZeroDivisionError

    clean = token([1, [2]])
    with pytest.raises(ZeroDivisionError):
        token([1, [Bad(), [2]]])
    assert token([1, [2]]) == clean
    with pytest.raises(LookupError):
        import samite.tokenize

        samite.tokenize._ENSURE_DETERMINISTIC.get()


# ---- what cannot have a token ----------------------------------------------------------------


@pytest.mark.parametrize("make", [object, threading.Lock, lambda: (i for i in [1])])
def test_objects_without_a_value(make):
    thing = make()
    with pytest.raises(TokenizationError, match="deterministic"):
        tokenize([thing], ensure_deterministic=True)
    with config.set({"tokenize.ensure-deterministic": True}):
        with pytest.raises(TokenizationError):
            tokenize({"x": thing})
        assert len(tokenize(thing, ensure_deterministic=False)) == 32
    assert tokenize(make()) != tokenize(make())


def test_inner_calls_inherit_what_the_outer_one_wants():
    class Outer:
        def __dask_tokenize__(self):
            return tokenize(threading.Lock())

    with pytest.raises(TokenizationError):
        tokenize(Outer(), ensure_deterministic=True)
    assert tokenize(Outer()) != tokenize(Outer())


def test_the_error_names_the_class():
    with pytest.raises(TokenizationError, match="lock"):
        token(functools.partial(print, threading.Lock()))


# ---- extension -------------------------------------------------------------------------------


def test_registered_functions_and_methods_may_return_anything():
    class Mine:
        def __init__(self, array):
            self.array = array

    normalize_token.register(Mine, lambda x: [x.array, {"a"}])
    try:
        # Long enough for repr to leave out the middle.
        one, two = np.zeros(5000), np.zeros(5000)
        two[2500] = 1
        assert token(Mine(one)) == token(Mine(one.copy())) != token(Mine(two))
    finally:
        del normalize_token._lookup[Mine]


def test_method_decides_for_its_class():
    class A:
        def __init__(self, name):
            self.name, self.lock = name, threading.Lock()

        def __dask_tokenize__(self):
            return ("A", self.name)

    assert token(A("x")) == token(A("x")) != token(A("y"))
    assert token(A("x").__init__) != token(A("y").__init__)


# ---- functions and classes -------------------------------------------------------------------


def closure(value):
    return lambda x: x + value


def test_closures_and_defaults():
    assert token(closure(1)) == token(closure(1)) != token(closure(2))
    assert token(lambda x, y=1: x) != token(lambda x, y=2: x)
    array = np.arange(5)
    assert token(closure(array)) == token(closure(array.copy())) != token(closure(array + 1))


def make_function(source, **variables):
    exec(textwrap.dedent(source), variables)
    return variables["f"]


def test_globals_that_are_used_count_and_others_do_not():
    source = "def f(x):\n    return x + used\n"
    first = make_function(source, used=1, unused=1)
    assert token(first) == token(make_function(source, used=1, unused=2))
    assert token(first) != token(make_function(source, used=2, unused=1))


def test_globals_of_inner_functions_count():
    source = "def f(x):\n    return [used for _ in x]\n"
    assert token(make_function(source, used=1)) != token(make_function(source, used=2))


def test_attribute_names_are_not_globals():
    source = "def f(x):\n    return x.name\n"
    assert token(make_function(source, name=1)) == token(make_function(source, name=2))


def test_recursive_function():
    source = "def f(n):\n    return f(n - 1) if n else {}\n"
    assert token(make_function(source.format(0))) != token(make_function(source.format(1)))


def test_importable_functions_are_their_names():
    assert normalize_token(os.path.join) == ("global", os.path.join.__module__, "join")
    assert token(functools.wraps(os.path.join)(lambda: 1)) != token(os.path.join)


def test_classes_by_value():
    def make(value, base=object):
        class Local(base):
            attribute = value

            def method(self):
                return self.attribute

        return Local

    assert token(make(1)) == token(make(1)) != token(make(2))
    assert token(make(1)()) == token(make(1)())
    assert token(make(1)) != token(make(1, base=dict))


def test_pickling_does_not_change_the_token_of_a_class():
    class Local:
        __slots__ = ("x",)

    before = token(Local)
    Local().__reduce_ex__(4)  # copyreg writes __slotnames__ on the class.
    assert token(Local) == before


@dataclasses.dataclass
class Point:
    x: object
    y: object = dataclasses.field(default_factory=list)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Pair(collections.namedtuple("Pair", "a b")):
    pass


class MyList(list):
    pass


DIFFERENT = [
    Point(1), Point(2), Point([1]), Color.RED, Color.BLUE, Color, Pair(1, 2), Pair(1, 3), (1, 2),
    MyList([1]), [1], {1}, frozenset({1}), collections.deque([1]), collections.deque([1], 3),
    collections.OrderedDict(a=1), {"a": 1}, collections.Counter("a"),
    collections.defaultdict(list, a=1), range(3), slice(3), slice(3, None), Ellipsis, None,
    0, 0.0, -0.0, False, "", b"", bytearray(), 1j, "1", 1, float("inf"),
    datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1), datetime.timedelta(1),
    datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
    datetime.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")),
    pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("a"), random.Random(1), random.Random(2),
    len, str.join, "x".join, "y".join, print, os, sys, functools.partial(int, base=2),
    functools.partial(int, base=3), Point, MyList, int, type, np.int8(1), np.int16(1),
    np.float64(1),
    np.array(1), np.array([1]), np.array([[1]]), np.array(["a"]), np.array(["a"], object),
    np.array(["2020"], "M8[D]"), np.array(["2020"], "M8[s]"), np.zeros(3), np.zeros((3, 1)),
    np.ma.array([1], mask=[True]), np.ma.array([1], mask=[False]), np.sum, np.add, np.sin,
    np.random.default_rng(1), np.random.default_rng(2), np.random.RandomState(1), np.dtype("i4"),
    np.dtype([("a", "i4")]), np.dtype([("b", "i4")]), np.array([(1,)], [("a", "i4")]),
]  # fmt: skip


def test_all_different():
    tokens = collections.defaultdict(list)
    for value in DIFFERENT:
        tokens[token(value)].append(value)
        assert token(value) == token(value)
    assert [same for same in tokens.values() if len(same) > 1] == []


def test_the_same_in_another_process():
    # Hashes of texts, and with them the order of sets, differ between these processes.
    code = """
    import sys, functools
    from samite.tokenize import tokenize
    class Local:
        names = {"a", "b", "c", "d"}
        def method(self, x): return x in {"one", "two", "three", "four"}
    def function(x): return [y for y in x if y in names]
    names = frozenset(["p", "q", "r"])
    print(tokenize(Local, Local(), Local().method, function, names, {"u": {"v", "w"}},
                   functools.partial(function, names), lambda: Local, ensure_deterministic=True))
    """
    found = set()
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = [sys.executable, "-c", textwrap.dedent(code)]
        found.add(subprocess.run(run, env=environment, capture_output=True, check=True).stdout)
    assert len(found) == 1


def test_a_class_of_the_program_may_use_normalize_token():
    # All that the process has registered is no part of the class, and may grow meanwhile.
    code = """
    from samite.tokenize import normalize_token, tokenize
    class Point:
        def __init__(self, x):
            self.x = x
        def __dask_tokenize__(self):
            return normalize_token(Point), self.x
    before = tokenize(Point(1))
    normalize_token.register(Point, lambda point: point.x)
    del normalize_token._lookup[Point]
    print(before == tokenize(Point(1)), before == tokenize(Point(2)))
    """
    run = [sys.executable, "-c", textwrap.dedent(code)]
    printed = subprocess.run(run, capture_output=True, check=True, text=True).stdout
    assert printed.split() == ["True", "False"]


# ---- NumPy, pandas, Arrow, SciPy -------------------------------------------------------------


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.sampled_from(["i1", "<i4", ">i4", "f8", "c16", "M8[ns]", "U3", "S2", "?", "O"]),
    st.randoms(use_true_random=False),
)
def test_layout_of_arrays_does_not_count(shape, dtype, generator):
    count = int(np.prod(shape))
    array = np.array([generator.randrange(2) for _ in range(count)]).astype(dtype).reshape(shape)
    padded = np.zeros([2 * length for length in shape], dtype)
    strided = padded[tuple(slice(None, None, 2) for _ in shape)]
    strided[...] = array
    reversed_ = np.ascontiguousarray(array[::-1])[::-1]
    same = [array, np.asfortranarray(array), strided, reversed_]
    assert len({token(each) for each in same}) == 1
    if count > 1 and dtype != "?":
        changed = array.copy()
        changed.flat[-1] = array.dtype.type(1) if dtype == "O" else np.array(7).astype(dtype)
        if (changed != array).any():
            assert token(changed) != token(array)


def test_large_arrays_that_are_not_contiguous(monkeypatch):
    from samite._tokens import arrays

    array = np.arange(24_000, dtype="f8").reshape(20, 30, 40)
    views = [array, array.transpose(2, 0, 1), array[:, ::2], array[::-1, :, 3]]
    whole = [token(np.ascontiguousarray(view)) for view in views]
    for size in (100, 1000, 10_000):
        monkeypatch.setattr(arrays, "_PIECE", size)
        assert [token(view) for view in views] == whole


def test_broadcast_and_empty_arrays():
    assert token(np.broadcast_to(1.0, (3, 3))) == token(np.ones((3, 3)))
    assert token(np.empty((0, 3))) != token(np.empty((3, 0)))


def test_memory_maps_are_their_content(tmp_path):
    array = np.arange(100)
    np.save(tmp_path / "a.npy", array)
    assert token(np.load(tmp_path / "a.npy", mmap_mode="r")) == token(array)


def test_ufunc_without_a_name():
    with pytest.raises(TokenizationError, match="ufunc"):
        token(np.frompyfunc(lambda x: x, 1, 1))


def frame(pd):
    return pd.DataFrame(
        {
            "int": [1, 2, 3],
            "text": ["a", None, "c"],
            "category": pd.Categorical(["x", "y", "x"]),
            "zoned": pd.date_range("2020", periods=3, tz="Europe/Paris"),
            "masked": pd.array([1, None, 3], dtype="Int64"),
            "object": [{"a", "b"}, [1], None],
            "period": pd.period_range("2020-01", periods=3, freq="M"),
            "interval": pd.arrays.IntervalArray.from_breaks([0, 1, 2, 3]),
        },
        index=pd.Index([3, 4, 5], name="row"),
    )


def test_pandas_frames():
    pd = pytest.importorskip("pandas")
    one = frame(pd)
    assert token(one) == token(frame(pd))
    tokens = {token(one), token(one.iloc[::-1]), token(one.rename_axis("other"))}
    for column in one:
        changed = frame(pd)
        changed[column] = changed[column].iloc[[1, 1, 2]].array
        tokens |= {token(changed), token(one.drop(columns=column)), token(one[column])}
    assert len(tokens) == 3 + 3 * one.shape[1]


def test_pandas_values_below_a_mask_do_not_count():
    pd = pytest.importorskip("pandas")
    one = pd.array([1, 2, 3], dtype="Int64")
    one[1] = pd.NA
    assert token(one) == token(pd.array([1, None, 3], dtype="Int64"))


def test_pandas_indexes():
    pd = pytest.importorskip("pandas")
    indexes = [
        pd.RangeIndex(4),
        pd.RangeIndex(0, 8, 2),
        pd.Index([0, 1, 2, 3]),
        pd.Index([0, 1, 2, 3], name="x"),
        pd.Index([0.0, 1, 2, 3]),
        pd.Index(list("abcd")),
        pd.MultiIndex.from_product([[0, 1], ["a", "b"]]),
        pd.MultiIndex.from_product([[0, 1], ["a", "b"]], names=["x", None]),
        pd.date_range("2020", periods=4),
        pd.date_range("2020", periods=4, tz="UTC"),
    ]
    assert len({token(index) for index in indexes}) == len(indexes)
    assert [token(index) for index in indexes] == [token(index.copy()) for index in indexes]


def test_arrow_chunks_and_slices_do_not_count():
    pa = pytest.importorskip("pyarrow")
    whole = pa.table({"a": [1, 2, None, 4], "b": ["x", None, "yy", "z"]})
    pieces = pa.concat_tables([whole.slice(0, 1), whole.slice(1, 3)])
    assert pieces.column("a").num_chunks == 2
    assert token(pieces) == token(whole)
    longer = pa.table({"a": [9, 1, 2, None, 4, 9], "b": ["-", "x", None, "yy", "z", "-"]})
    assert token(longer.slice(1, 4)) == token(whole) != token(longer)
    assert token(whole.schema) != token(whole.select(["a"]).schema)


@pytest.mark.parametrize("kind", ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"])
def test_sparse(kind):
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.arange(12.0).reshape(3, 4) * [[0, 1, 0, 1]]
    one, two = (sparse.coo_array(dense).asformat(kind) for _ in range(2))
    if kind in ("csr", "csc"):
        assert two.has_sorted_indices  # Looking sets a flag.
    assert token(one) == token(two)
    assert token(one) != token(sparse.coo_array(dense * 2).asformat(kind))


def test_threads_do_not_disturb_each_other():
    value = [[i, [i, {i: (i,)}]] for i in range(50)]
    wanted = token(value)
    wrong: list = []

    def work():
        wrong.extend(found for _ in range(30) if (found := token(value)) != wanted)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_numba():
    numba = pytest.importorskip("numba")

    def add(x, y):
        return x + y

    def subtract(x, y):
        return x - y

    for compile in (numba.njit, numba.vectorize, numba.njit("f8(f8, f8)")):
        one, same, other = compile(add), compile(add), compile(subtract)
        before = token(one)
        assert one(1.0, 2.0) == 3
        assert token(one) == before == token(same) != token(other)
    assert token(numba.njit(add)) != token(numba.njit("f8(f8, f8)")(add)) != token(add)

    def left(x):
        return x[-1] + x[0]

    def right(x):
        return x[1] + x[0]

    one, same, other = numba.stencil(left), numba.stencil(left), numba.stencil(right)
    edge = numba.stencil(left, cval=1.0)
    assert token(one) == token(same)
    assert len({token(one), token(other), token(edge), token(left)}) == 4
