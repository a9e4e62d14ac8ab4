"""Helpers: formats and their inverses, names, dispatch, locks, temporary files, processors."""

from __future__ import annotations

import copy
import datetime
import functools
import gc
import io
import operator
import os
import pickle
import subprocess
import sys
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from samite import backends, config, context, hashing, system, utils
from samite.typing import NoDefault, no_default

# ---- formats ---------------------------------------------------------------------------------


@given(st.integers(0, 2**60))
def test_format_bytes_is_undone_by_parse_bytes(n):
    assert utils.parse_bytes(utils.format_bytes(n)) == pytest.approx(n, rel=0.01)


@pytest.mark.parametrize("text", ["5 foos", "1.2.3 kB", "--1", "1e", "k1B"])
def test_parse_bytes_of_nonsense(text):
    with pytest.raises(ValueError, match="interpret"):
        utils.parse_bytes(text)


@given(st.floats(1e-6, 1e6))
def test_format_time_is_undone_by_parse_timedelta(seconds):
    words = utils.format_time(seconds).replace("hr", "h").split()
    parts = [words] if words[-1] in ("s", "ms", "us") else [[word] for word in words]
    total = sum(utils.parse_timedelta("".join(part)) for part in parts)
    # The second unit that is shown may be cut off below.
    assert total == pytest.approx(seconds, rel=0.02, abs=6e-9)


def test_parse_timedelta_of_other_types():
    assert utils.parse_timedelta(None) is None
    assert utils.parse_timedelta(datetime.timedelta(minutes=1.5)) == 90
    assert utils.parse_timedelta(250, default="ms") == 0.25
    assert isinstance(utils.parse_timedelta("3 s"), int)


def test_format_time_ago():
    now = datetime.datetime.now()
    assert utils.format_time_ago(now) == "Just now"
    assert utils.format_time_ago(now - datetime.timedelta(hours=1, minutes=1)) == "1 hour ago"
    assert utils.format_time_ago(now - datetime.timedelta(days=65)) == "2 months ago"


def test_natural_sort_key():
    names = ["part-10.csv", "part-9.csv", "part-1.csv", "a"]
    assert sorted(names, key=utils.natural_sort_key) == [
        "a", "part-1.csv", "part-9.csv", "part-10.csv"
    ]  # fmt: skip


def test_tables_and_lines():
    assert utils.asciitable(["a"], []).count("\n") == 3
    buffer = io.StringIO()
    utils.put_lines(buffer, ["x", 1])
    assert buffer.getvalue() == "x\n1\n"
    assert utils.maybe_pluralize(1, "entry") == "1 entry"
    assert utils.maybe_pluralize(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("x", "x"),
        (("sum-aggregate-0123456789abcdef0123456789abcdef", 0, 1), "sum-aggregate"),
        ("('x-2', 1)", "x"),
        (b"hello-world-1", "hello-world"),
        ("add-abcdefab", "add"),
        ("<module.submodule.myclass object at 0xdaf372>", "myclass"),
        ("", "Other"),
        ((), "Other"),
        (5, "Other"),
        (b"\xff\xfe", "��"),
    ],
)
def test_key_split(key, name):
    assert utils.key_split(key) == name


@given(st.one_of(st.text(), st.binary(), st.tuples(st.text(), st.integers())))
@example("<")
@example("< >-1")
def test_key_split_takes_anything(key):
    assert isinstance(utils.key_split(key), str)


@pytest.mark.parametrize("convert", [utils.ensure_bytes, utils.ensure_unicode])
def test_ensure_text_of_other_objects(convert):
    with pytest.raises(TypeError, match="5"):
        convert(5)


# ---- names and arguments ---------------------------------------------------------------------


class Callable:
    def __call__(self, x):
        return x

    def method(self, a, b):
        return a


@pytest.mark.parametrize(
    ("func", "name"),
    [
        (len, "len"),
        (lambda x: x, "lambda"),
        (functools.partial(functools.partial(operator.add, 1), 2), "add"),
        (Callable, "Callable"),
        (Callable().method, "method"),
        (utils.M.sum, "sum"),
    ],
)
def test_funcname(func, name):
    assert utils.funcname(func) == name


def test_funcname_is_short():
    assert "Callable object" in utils.funcname(Callable())
    assert len(utils.funcname(Callable())) <= 50


def test_typename():
    assert utils.typename(utils.Dispatch) == "samite._utils.dispatch.Dispatch"
    assert utils.typename(utils.Dispatch, short=True) == "samite.Dispatch"
    assert utils.typename(1) == "int"


def test_has_keyword():
    assert utils.has_keyword(lambda a, *, b: 1, "b")
    assert utils.has_keyword(functools.partial(lambda a, b: 1, 1), "b")
    assert not utils.has_keyword(lambda a: 1, "b")
    assert not utils.has_keyword(5, "b")


def test_takes_multiple_arguments():
    assert utils.takes_multiple_arguments(lambda a, b: 1)
    assert not utils.takes_multiple_arguments(lambda a, b=1: 1)
    assert utils.takes_multiple_arguments(Callable().method)
    assert not utils.takes_multiple_arguments(Callable)
    assert not utils.takes_multiple_arguments(str.upper)


def test_get_named_args():
    def f(a, b=1, *args, c, **kwargs):
        inner = a + b
        return inner * 2

    assert utils.get_named_args(f) == ["a", "b", "c"]
    assert utils.get_named_args(functools.wraps(f)(lambda *args: 1)) == ["a", "b", "c"]


def test_duck_types():
    np = pytest.importorskip("numpy")
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1]})
    things = [frame, frame.a, frame.index, np.ones(2), np.float64(1), [1], pd.DataFrame, None]
    assert [utils.is_dataframe_like(x) for x in things] == [True] + [False] * 7
    assert [utils.is_series_like(x) for x in things] == [False, True] + [False] * 6
    assert [utils.is_index_like(x) for x in things] == [False] * 2 + [True] + [False] * 5
    assert [utils.is_arraylike(x) for x in things[3:]] == [True, False, False, False, False]
    assert [utils.is_integer(x) for x in (1, np.int8(1), 1.0, 1.5, "1")] == [True] * 3 + [False] * 2


def test_import_required():
    with pytest.raises(RuntimeError, match="get it"):
        utils.import_required("no_such_module_here", "get it")
    assert utils.import_required("os", "") is os


# ---- containers ------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 20)), st.integers(20, 60))
def test_iter_chunks(sizes, limit):
    chunks = list(utils.iter_chunks(sizes, limit))
    assert [size for chunk in chunks for size in chunk] == sizes
    assert all(chunk and sum(chunk) <= limit for chunk in chunks)
    # No chunk could have taken the next one's first size.
    assert all(sum(one) + two[0] > limit for one, two in zip(chunks, chunks[1:]))


def test_iter_chunks_of_a_size_beyond_the_limit():
    with pytest.raises(ValueError, match="50"):
        list(utils.iter_chunks([1, 50], 10))


@given(st.lists(st.integers()))
def test_cached_cumsum(numbers):
    expected = tuple(sum(numbers[: n + 1]) for n in range(len(numbers)))
    for seq in (numbers, tuple(numbers)):
        for _ in range(2):
            assert utils.cached_cumsum(seq) == expected
            assert utils.cached_cumsum(seq, initial_zero=True) == (0, *expected)


def test_cached_cumsum_of_equal_numbers_of_other_types():
    assert repr(utils.cached_cumsum((1, 2))) == "(1, 3)"
    assert repr(utils.cached_cumsum((1.0, 2.0))) == "(1.0, 3.0)"


def test_nested_lists():
    assert utils.ndimlist([]) == 1
    assert utils.ndimlist(5) == 0
    assert utils.deepmap(operator.add, [[1], [2, 3]], [[10], [20, 30]]) == [[11], [22, 33]]
    assert utils.homogeneous_deepmap(str, [[1], [2]]) == [["1"], ["2"]]
    assert utils.unzip([], 2) == [(), ()]
    assert utils.concrete(iter([iter([1]), (2,)])) == [[1], [2]]
    assert [utils.digit(1234, place, 10) for place in range(4)] == [4, 3, 2, 1]


def test_random_numbers():
    np = pytest.importorskip("numpy")
    drawn = utils.pseudorandom(10_000, [0.5, 0.2, 0.3], random_state=1)
    assert drawn.dtype == "i1"
    assert np.bincount(drawn) / 10_000 == pytest.approx([0.5, 0.2, 0.3], abs=0.03)
    assert (drawn == utils.pseudorandom(10_000, [0.5, 0.2, 0.3], random_state=1)).all()
    with pytest.raises(ValueError, match="add up"):
        utils.pseudorandom(5, [0.5, 0.2])
    states = utils.random_state_data(3, 1)
    assert len({np.random.RandomState(state).randint(1 << 30) for state in states}) == 3


# ---- dispatch and callables ------------------------------------------------------------------


def test_dispatch_prefers_the_nearest_class_and_notices_later_registrations():
    class A: ...

    class B(A): ...

    which = utils.Dispatch("which")
    with pytest.raises(TypeError, match="B"):
        which(B())
    which.register(object, lambda x: "object")
    assert which(B()) == "object"
    which.register(A, lambda x: "A")
    assert which(B()) == "A"
    which.register((B, int), lambda x: "B")
    assert (which(B()), which(A()), which(True)) == ("B", "A", "B")
    del which._lookup[B]
    assert which(B()) == "A"
    assert which.__name__ == "which"


def test_dispatch_travels_by_name_and_otherwise_with_its_functions():
    import cloudpickle

    from samite.array.dispatch import concatenate_lookup
    from samite.tokenize import normalize_token, tokenize

    for of_a_module in (normalize_token, concatenate_lookup):
        assert pickle.loads(pickle.dumps(of_a_module)) is of_a_module
        assert tokenize(of_a_module) == tokenize(of_a_module)
    which = utils.Dispatch("which")
    which.register(int, lambda x: x + 1)
    which.register_lazy("fractions", lambda: which.register(object, lambda x: "fraction"))
    again = cloudpickle.loads(cloudpickle.dumps(which))
    assert again is not which and again.__name__ == "which"
    assert (again(1), again(True)) == (2, 2)
    again.register(bool, lambda x: "bool")
    assert (again(True), which(True)) == ("bool", 2)


def test_lazy_registration_that_fails_is_tried_again():
    attempts = []
    which = utils.Dispatch()
    which.register(object, lambda x: "object")

    @which.register_lazy("fractions")
    def load():
        attempts.append(1)
        if len(attempts) == 1:
            raise ImportError("not yet")
        import fractions

        which.register(fractions.Fraction, lambda x: "fraction")

    from fractions import Fraction

    with pytest.raises(ImportError):
        which(Fraction(1))
    assert which(Fraction(1)) == "fraction"
    assert which(Fraction(1)) == "fraction"
    assert len(attempts) == 2


def test_method_callers():
    assert utils.M.split("a b") == ["a", "b"]
    assert utils.M.split is utils.methodcaller("split") is pickle.loads(pickle.dumps(utils.M.split))
    assert copy.deepcopy(utils.M).upper("a") == "A"
    assert utils.M.__getitem__([5], 0) == 5
    assert not hasattr(utils.M, "__wrapped__")


def test_operators():
    class Symbol(utils.OperatorMethodMixin):
        @classmethod
        def _get_unary_operator(cls, op):
            return lambda self: (op.__name__,)

        @classmethod
        def _get_binary_operator(cls, op, inv=False):
            return lambda self, other: (op.__name__, inv)

    operators = ("add", "and_", "lt", "eq", "neg", "abs", "invert", "pow", "getitem", "matmul")
    for name in operators:
        Symbol._bind_operator(getattr(operator, name))
    x = Symbol()
    assert (x + 1, 1 + x, x & 1, 1 & x) == (
        ("add", False), ("add", True), ("and_", False), ("and_", True)
    )  # fmt: skip
    assert (-x, abs(x), ~x, x[0], x < 1) == (
        ("neg",), ("abs",), ("invert",), ("getitem", False), ("lt", False)
    )  # fmt: skip
    assert not hasattr(Symbol, "__rlt__") and not hasattr(Symbol, "__rneg__")


def test_cached_property_cannot_be_set():
    class A:
        @utils.cached_property
        def x(self):
            return object()

    a = A()
    assert a.x is a.x
    with pytest.raises(AttributeError, match="x"):
        a.x = 1


# ---- documentation ---------------------------------------------------------------------------


class Original:
    def f(self, a, b):
        """Do it.

        Parameters
        ----------
        a : int
        b : int

        Examples
        --------
        >>> f(1, 2)
        3
        """


def test_derived_from():
    class Imitation:
        @utils.derived_from(Original)
        def f(self, a):
            """Lazily."""

        @utils.derived_from(Original, version="9.9")
        def new(self):
            """Something that the original will have one day."""

    doc = Imitation.f.__doc__
    assert doc.startswith("Do it.") and f"{Original.__module__}.Original.f" in doc
    assert "Lazily." in doc and ">>> f(1, 2)  # doctest: +SKIP" in doc
    assert [line for line in doc.split("\n") if "ot supported" in line] == [
        "        b : int  (Not supported in Samite)"
    ]
    with pytest.raises(NotImplementedError, match=r"9\.9"):
        Imitation().new()


def test_deprecated_keyword():
    @utils._deprecated_kwarg("old", "new", {"a": "b"})
    def f(new=None):
        return new

    with pytest.warns(FutureWarning, match="old='a'.*new='b'"):
        assert f(old="a") == "b"
    with pytest.raises(TypeError, match="not both"), pytest.warns(FutureWarning):
        f(old="a", new="b")
    assert f(new="a") == "a"


def test_shorten_traceback():
    def frames(error):
        found, current = [], error.__traceback__
        while current:
            found.append(current.tb_frame.f_code.co_name)
            current = current.tb_next
        return found

    def run(patterns):
        hidden = {"operator": operator}
        exec(compile("def call(f):\n    f()\n", "/x/hidden_module.py", "exec"), hidden)

        def outer():
            with utils.shorten_traceback():
                hidden["call"](lambda: hidden["call"](fail))

        def fail():
            raise ZeroDivisionError

        with config.set({"admin.traceback.shorten": patterns}):
            with pytest.raises(ZeroDivisionError) as info:
                outer()
        return frames(info.value)

    assert run([]).count("call") == 2
    shortened = run([r"hidden_module\.py"])
    assert "call" not in shortened and shortened[-1] == "fail" and "outer" in shortened


# ---- locks, files ----------------------------------------------------------------------------


def test_serializable_lock_is_one_lock_in_a_process():
    lock = utils.SerializableLock()
    twin = pickle.loads(pickle.dumps(lock))
    with lock:
        assert twin.locked() and not twin.acquire(blocking=False)
        assert utils.SerializableLock().acquire(timeout=1)
    assert not twin.locked()


def test_serializable_locks_made_at_once_are_the_same():
    made: list = []
    barrier = threading.Barrier(8)

    def make():
        barrier.wait()
        made.append(utils.SerializableLock("made at once"))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(lock.lock) for lock in made}) == 1


def test_lock_for_a_scheduler():
    import samite

    value = samite.delayed(1)
    assert isinstance(utils.get_scheduler_lock(), utils.SerializableLock)
    assert isinstance(utils.get_scheduler_lock(value), utils.SerializableLock)
    # Passed between processes, it still locks.
    between = utils.get_scheduler_lock(value, scheduler="processes")
    with between:
        assert not between.acquire(False)


def test_disable_gc():
    with utils.disable_gc():
        assert not gc.isenabled()
    assert gc.isenabled()

    @utils.disable_gc(collect=True)
    def inner():
        return gc.isenabled()

    assert inner() is False and gc.isenabled()


def test_temporary_files_are_gone_afterwards():
    here = os.getcwd()
    with utils.tmpfile(".txt") as path, utils.tmpdir() as folder:
        assert not os.path.exists(path) and path.endswith(".txt")
        os.makedirs(path)
        open(os.path.join(folder, "x"), "w").close()
    assert not os.path.exists(path) and not os.path.exists(folder)
    with utils.filetexts({"a/b.txt": "text"}) as names:
        assert names == ["a/b.txt"] and open("a/b.txt").read() == "text"
        assert os.getcwd() != here
    assert os.getcwd() == here
    with pytest.raises(ZeroDivisionError), utils.filetext("x") as path:
        raise ZeroDivisionError
    assert not os.path.exists(path)


# ---- context, hashing, system, typing, backends ----------------------------------------------


def test_globalmethod():
    class A:
        @context.globalmethod(key="test_method", falsey=lambda: "off")
        def f():
            return "default"

    assert A.f() == "default"
    with config.set(test_method=lambda: "set"):
        assert A().f() == "set"
    with config.set(test_method=False):
        assert A.f() == "off"


def test_hashes_do_not_change():
    # Tokens of different versions and machines meet in caches and clusters.
    assert hashing.hash_buffer_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223"
    assert hashing.hash_buffer_hex(memoryview(b"axbxcx")[::2]) == hashing.hash_buffer_hex(b"abc")
    with pytest.raises(TypeError):
        hashing.hash_buffer("text")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 64),
        ({"/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1"}, 64),
        (
            {
                "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "250000\n",
                "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        (
            {
                "/proc/self/cgroup": "0::/a/b\n",
                "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
                "/sys/fs/cgroup/a/cpu.max": "50000 100000\n",
            },
            1,
        ),
        ({"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "garbage"}, 64),
    ],
)
def test_cpu_count(monkeypatch, files, expected):
    monkeypatch.setattr(system, "_read", files.get)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert system.cpu_count() == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 2**30),
        ({"/sys/fs/cgroup/memory/memory.limit_in_bytes": "1000\n"}, 1000),
        ({"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max": "max\n"}, 2**30),
        ({"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/memory.max": "2000\n"}, 2000),
        ({"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "garbage"}, 2**30),
    ],
)
def test_total_memory(monkeypatch, files, expected):
    monkeypatch.setattr(system, "_read", files.get)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 2**12, "SC_PHYS_PAGES": 2**18}.get)
    assert system.total_memory() == expected


def test_no_default_is_one_object():
    assert pickle.loads(pickle.dumps(no_default)) is copy.deepcopy(no_default) is no_default
    assert NoDefault() is no_default


def test_creation_dispatch():
    class Library(backends.DaskBackendEntrypoint):
        pass

    creation = backends.CreationDispatch("test_module", "one", Library)
    for name in ("one", "two"):
        creation.register_backend(name, Library())

    @creation.register_inplace("one")
    def make(x):
        return ("one", x)

    creation.register_inplace("two", name="make")(lambda x: 1 / x)
    assert make(5) == ("one", 5)
    with config.set({"test_module.backend": "two"}):
        assert make(2) == 0.5
        with pytest.raises(ZeroDivisionError, match="two backend"):
            make(0)
    with pytest.raises(ValueError, match="three"):
        creation.dispatch("three")
    with pytest.raises(ValueError, match="instance"):
        creation.register_backend("three", object())


def test_importing_helpers_is_light(tmp_path):
    heavy = "numpy pandas yaml dask distributed cloudpickle toolz fsspec".split()
    code = (
        "import sys; before = set(sys.modules)\n"
        "import samite.config, samite.utils, samite.tokenize, samite.sizeof, samite.context\n"
        f"print(sorted(set({heavy}) & set(sys.modules) - before))"
    )
    environment = {key: value for key, value in os.environ.items() if "_CONFIG" not in key}
    environment["HOME"] = str(tmp_path)  # Settings there would have to be parsed.
    run = [sys.executable, "-c", code]
    result = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_datasets_say_what_is_missing():
    from importlib.util import find_spec

    from samite import datasets

    frame = datasets.timeseries(end="2000-01-02", freq="1h", partition_freq="12h", seed=1)
    assert frame.npartitions == 2 and len(frame.compute()) == 24
    if find_spec("mimesis") is None:
        with pytest.raises(RuntimeError, match="pip install mimesis"):
            datasets.make_people()
    else:
        people = datasets._make_people_partition("en", 3, 5)
        assert len(people) == 3 and people == datasets._make_people_partition("en", 3, 5)
