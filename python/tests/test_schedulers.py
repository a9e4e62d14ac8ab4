"""Graphs given directly to the schedulers: what they may hold, and how they are run."""

from __future__ import annotations

import contextvars
import gc
import os
import sys
import threading
import time
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from operator import add, mul

import dask
import pytest
from _graphs import graphs, value_of
from hypothesis import given, settings

import samite
from samite import compute, config, delayed
from samite._task_spec import Alias, DataNode, Dict, List, Set, Task, TaskRef, Tuple
from samite.local import get_async, get_sync

pytestmark = pytest.mark.timeout(60)

GETS = {
    "synchronous": samite.local.get_sync,
    "threads": samite.threaded.get,
    "processes": samite.multiprocessing.get,
}


@pytest.fixture
def get(scheduler):
    return GETS[scheduler]


def inc(x):
    return x + 1


def total(*args):
    return sum(args)


def gather(*args, **kwargs):
    return list(args), kwargs


# ---- what a graph may hold -----------------------------------------------------------------------


def test_tuples_of_function_and_arguments(get):
    dsk = {"x": 1, "y": (inc, "x"), "z": (add, "x", (mul, "y", (inc, 3)))}
    assert get(dsk, "z") == 9
    assert get(dsk, ["z", "x", "y"]) == (9, 1, 2)
    assert get(dsk, [["z"], ["x", ["y"]], []]) == ((9,), (1, (2,)), ())


def test_keys_of_many_kinds(get):
    dsk = {
        ("x", 0, 1): 1,
        5: (inc, ("x", 0, 1)),
        2.5: (inc, 5),
        b"bytes": (inc, 2.5),
        ("nested", ("key", 1)): (inc, 2.5),
    }
    wanted = [("nested", ("key", 1)), b"bytes", 2.5, 5]
    assert get(dsk, wanted) == dask.local.get_sync(dsk, wanted)


def test_containers_in_tasks(get):
    dsk = {
        "a": 1,
        "b": (inc, "a"),
        "c": (gather, ["a", ["b", 7]], {"k": 1}, ("a", 0), "text", None),
        "d": ["a", "b", (inc, "b")],
    }
    assert get(dsk, ["c", "d"]) == dask.local.get_sync(dsk, ["c", "d"])


def test_data_is_returned_as_it_is():
    value = {"a": [1, "b"], "b": {"deep"}}
    for get in (samite.get, get_sync):
        assert get({"x": value}, "x") is value


def test_task_objects(get):
    dsk = {
        "a": DataNode("a", 1),
        "b": Task("b", inc, TaskRef("a")),
        "c": Alias("c", "b"),
        "d": Alias("d", "c"),
        "e": Task(
            "e",
            gather,
            List(TaskRef("b"), Task(None, inc, TaskRef("d"))),
            Tuple(TaskRef("a"), 5),
            Set(TaskRef("a"), 5),
            Dict({"k": TaskRef("c")}),
            keyword=TaskRef("d"),
        ),
        "f": List(TaskRef("a"), "a"),
    }
    assert get(dsk, "e") == ([[2, 3], (1, 5), {1, 5}, {"k": 2}], {"keyword": 2})
    assert get(dsk, ["a", "b", "c", "d", "f"]) == (1, 2, 2, 2, [1, "a"])


def test_dasks_task_objects(get):
    from dask import _task_spec as spec

    dsk = {
        "a": spec.DataNode("a", 1),
        "b": spec.Task("b", inc, spec.TaskRef("a")),
        "c": spec.Alias("c", "b"),
        "e": spec.Task(
            "e",
            gather,
            spec.List(spec.TaskRef("b"), spec.Task(None, inc, spec.TaskRef("c"))),
            spec.Dict({"k": spec.TaskRef("c")}),
            keyword=spec.Tuple(spec.TaskRef("a"), 5),
        ),
        "f": spec.Task.fuse(
            spec.Task("g", inc, spec.TaskRef("b")), spec.Task("f", inc, spec.TaskRef("g")), key="f"
        ),
    }
    wanted = ["a", "b", "c", "e", "f"]
    assert get(dsk, wanted) == dask.get(dsk, wanted)


def test_layers_and_expressions(get):
    x = delayed(inc)(1)
    assert get(x.dask, x.key) == 2
    from samite.base import collections_to_expr

    expr = collections_to_expr([x])
    assert get(expr, [x.key]) == (2,)


def test_only_what_is_needed_runs(get):
    def never():
        raise AssertionError("nobody needs this")

    dsk = {"a": 1, "b": (inc, "a"), "c": (never,), "d": (inc, "c")}
    assert get(dsk, "b") == 2


def test_the_graph_is_not_changed(get):
    dsk = {"x": [1, 2], "y": (sum, "x"), "z": "y"}
    before = dict(dsk)
    assert get(dsk, "z") == 3
    assert dsk == before and dsk["y"] is before["y"]


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_random_graphs(dsk):
    keys = list(dsk)
    expected = tuple(value_of(dsk, key) for key in keys)
    for name in ("synchronous", "threads"):
        assert GETS[name](dsk, keys) == expected
    assert dask.local.get_sync(dsk, keys) == expected


def test_cache_of_known_values():
    def never():
        raise AssertionError("the value is known")

    dsk = {"x": (never,), "y": (inc, "x")}
    for get in (samite.get, get_sync):
        cache = {"x": 5}
        assert get(dsk, "y", cache=cache) == 6
        assert cache["y"] == 6


# ---- aliases, cycles, missing keys ---------------------------------------------------------------


@pytest.mark.parametrize(
    "dsk",
    [
        {"a": (inc, "b"), "b": (inc, "a")},
        {"a": (inc, "a")},
        {"a": "b", "b": "a"},
        {"a": (inc, "b"), "b": "c", "c": (inc, ["a"])},
        {"a": Task("a", inc, TaskRef("b")), "b": Alias("b", "a")},
    ],
    ids=["two", "self", "aliases", "mixed", "objects"],
)
def test_cycles_are_named(get, dsk):
    with pytest.raises(RuntimeError, match="(?i)cycle") as caught:
        get(dsk, "a")
    assert "a" in str(caught.value)


def test_long_cycle(get):
    n = 50_000
    dsk = {i: Task(i, inc, TaskRef((i + 1) % n)) for i in range(n)}
    with pytest.raises(RuntimeError, match="(?i)cycle"):
        get(dsk, 0)


def test_a_cycle_that_nobody_needs(get):
    assert get({"a": (inc, "b"), "b": (inc, "a"), "c": (inc, 1)}, "c") == 2


def test_missing_key(get):
    with pytest.raises(KeyError) as caught:
        get({"x": 1}, "y")
    assert caught.value.args == ("y",)
    with pytest.raises(KeyError):
        get({"x": 1}, [["x"], ["y"]])
    with pytest.raises(KeyError):
        get({}, "x")


def test_missing_dependency(get):
    dsk = {"x": Task("x", inc, TaskRef("gone")), "y": (inc, "x")}
    with pytest.raises(ValueError, match="gone"):
        get(dsk, "y")


def test_unhashable_keys(get):
    with pytest.raises(TypeError, match="unhashable"):
        get({"x": 1}, {"not": "a key"})
    with pytest.raises(TypeError, match="unhashable"):
        get({"x": 1}, [("x", [])])
    # As arguments, things that cannot be keys are values.
    assert get({"x": (gather, ("a", [1]), {"b": []})}, "x") == ([("a", [1]), {"b": []}], {})


def test_what_is_no_graph(get):
    with pytest.raises((TypeError, AttributeError, ValueError)):
        get(5, "x")
    with pytest.raises((TypeError, AttributeError, ValueError)):
        get(None, "x")


# ---- shapes --------------------------------------------------------------------------------------


def test_long_chain(get):
    n = 2_000 if get is samite.multiprocessing.get else 100_000
    dsk = {("x", 0): 0}
    dsk.update({("x", i): (inc, ("x", i - 1)) for i in range(1, n + 1)})
    assert get(dsk, ("x", n)) == n


@pytest.mark.timeout(5)
def test_long_chain_of_aliases():
    n = 100_000
    dsk = {i: Alias(i, i - 1) for i in range(1, n + 1)}
    dsk[0] = Task(0, inc, 41)
    assert samite.get(dsk, n) == 42


def test_wide(get):
    n = 300 if get is samite.multiprocessing.get else 30_000
    dsk = {("x", i): (inc, i) for i in range(n)}
    dsk["sum"] = (sum, list(dsk))
    assert get(dsk, "sum") == sum(range(1, n + 1))


def test_deeply_nested_task_is_answered(get):
    """By a result or by RecursionError, never by a crash."""
    task = 1
    for _ in range(20_000):
        task = (inc, task)
    try:
        result = get({"x": task}, "x")
    except RecursionError:
        result = 20_001
    assert result == 20_001
    nested = "x"
    for _ in range(20_000):
        nested = [nested]
    with pytest.raises(RecursionError):
        get({"x": 1, "y": (len, nested)}, "y")
    while isinstance(nested, list):  # or dropping it would be the deepest recursion of all
        (nested,) = nested
    while isinstance(task, tuple):
        task = task[1]


# ---- threads -------------------------------------------------------------------------------------


def test_threads_run_at_the_same_time():
    barrier = threading.Barrier(3)
    lazy = [delayed(barrier.wait)(5) for _ in range(3)]
    assert sorted(compute(*lazy, num_workers=3)) == [0, 1, 2]


def test_number_of_threads_is_kept():
    running, most, lock = 0, 0, threading.Lock()

    def task(_):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1

    compute(*(delayed(task)(i) for i in range(40)), num_workers=2)
    assert most == 2
    most = 0
    with config.set(num_workers=1):
        compute(*(delayed(task)(i) for i in range(10)))
    assert most == 1
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="num_workers"):
            compute(delayed(1) + 1, num_workers=wrong)


def test_synchronous_stays_on_the_calling_thread():
    here = threading.get_ident()
    assert delayed(threading.get_ident)().compute(scheduler="synchronous") == here
    assert delayed(threading.get_ident)().compute(scheduler="threads") != here


@pytest.mark.parametrize("make", [ThreadPoolExecutor, ThreadPool])
def test_pools_that_the_user_brings(make):
    with make(2) as pool:
        names = delayed(lambda: threading.current_thread().name)
        seen = compute(*(names() for _ in range(20)), pool=pool)
        with config.set(pool=pool):
            assert (delayed(1) + 1).compute() == 2
    assert not any(name == threading.current_thread().name for name in seen)


def test_a_pool_of_the_wrong_type():
    with pytest.raises(TypeError, match="pool"):
        compute(delayed(1) + 1, pool=object())


def test_submitting_elsewhere():
    submitted = []

    def submit(function, *args):
        submitted.append(function)
        future = Future()
        future.set_result(function(*args))
        return future

    assert get_async(submit, 2, {"x": 1, "y": (inc, "x"), "z": (inc, "y")}, "z") == 3
    assert submitted


def test_many_threads_compute_at_once(scheduler):
    def program(i):
        return delayed(sum)([delayed(mul)(i, j) for j in range(20)]).compute(scheduler=scheduler)

    results = {}

    def run(i):
        for _ in range(2 if scheduler == "processes" else 10):
            results[i] = program(i)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert results == {i: i * 190 for i in range(8)}


# ---- computing inside a task ---------------------------------------------------------------------


def nested(depth, scheduler, workers):
    if depth == 0:
        return 0
    call = delayed(nested)(depth - 1, scheduler, workers)
    return call.compute(scheduler=scheduler, num_workers=workers) + 1


@pytest.mark.parametrize("workers", [1, 2])
def test_nested_thirty_deep_on_threads(workers):
    assert nested(30, "threads", workers) == 30


def test_nested_on_the_calling_thread():
    assert nested(30, "synchronous", 1) == 30


def test_nested_in_processes():
    assert nested(3, "processes", 2) == 3


def test_nested_on_every_pair_of_schedulers(scheduler):
    for inner in GETS:
        assert delayed(nested)(1, inner, 2).compute(scheduler=scheduler) == 1


def test_many_nested_at_once():
    def level(depth):
        if depth == 0:
            return 1
        return sum(compute(*(delayed(level)(depth - 1) for _ in range(4)), num_workers=2))

    assert level(4) == 4**4


# ---- what belongs to a thread --------------------------------------------------------------------

VARIABLE = contextvars.ContextVar("variable", default="default")


def test_context_variables_reach_tasks():
    def read():
        return VARIABLE.get()

    token = VARIABLE.set("mine")
    try:
        for scheduler in ("synchronous", "threads"):
            assert (
                compute(*(delayed(read)() for _ in range(10)), scheduler=scheduler)
                == ("mine",) * 10
            )
    finally:
        VARIABLE.reset(token)
    assert delayed(read)().compute(scheduler="threads") == "default"


def test_a_task_cannot_change_the_callers_context_on_threads():
    def change():
        VARIABLE.set("changed")
        return VARIABLE.get()

    assert delayed(change)().compute(scheduler="threads") == "changed"
    assert VARIABLE.get() == "default"


def test_thread_local_data_stays():
    local = threading.local()

    def count(_):
        local.count = getattr(local, "count", 0) + 1
        return local.count

    counts = compute(*(delayed(count)(i) for i in range(50)), num_workers=1)
    assert sorted(counts) == list(range(1, 51))


def test_annotations_and_configuration_inside_tasks():
    with config.set(my_setting=7):
        for scheduler in GETS:
            read = delayed(lambda: __import__("samite").config.get("my_setting", None))()
            assert read.compute(scheduler=scheduler) == 7


# ---- references ----------------------------------------------------------------------------------


class Value:
    def __init__(self, content=0):
        self.content = content


def soon(condition):
    """Whether something is true within a second: a thread lets go of the last task of a run a
    moment after the result is there."""
    gc.collect()
    deadline = time.monotonic() + 1
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_arguments_and_results_are_let_go(scheduler):
    argument = Value(1)
    seen_argument = weakref.ref(argument)
    result = delayed(lambda value: Value(value.content + 1))(argument).compute(scheduler=scheduler)
    seen_result = weakref.ref(result)
    assert result.content == 2
    del argument, result
    assert soon(lambda: seen_argument() is None and seen_result() is None)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_a_computed_value_is_not_kept_by_its_lazy_call(scheduler):
    lazy = delayed(Value)(3)
    seen = weakref.ref(lazy.compute(scheduler=scheduler))
    assert soon(lambda: seen() is None)
    assert lazy.compute(scheduler=scheduler).content == 3


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_results_are_let_go_during_the_run(scheduler):
    alive, most, lock = 0, 0, threading.Lock()

    class Counted:
        def __init__(self):
            nonlocal alive, most
            with lock:
                alive += 1
                most = max(most, alive)

        def __del__(self):
            nonlocal alive
            with lock:
                alive -= 1

    def make(i):
        return Counted()

    def use(counted):
        time.sleep(0.002)  # tasks that take no time at all are run in batches
        return 1

    lazy = delayed(sum)([delayed(use)(delayed(make)(i)) for i in range(200)])
    assert lazy.compute(scheduler=scheduler, num_workers=2) == 200
    assert soon(lambda: alive == 0)
    assert most <= 12


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_exceptions_are_let_go(scheduler):
    argument = Value()
    seen = weakref.ref(argument)

    def fail(value):
        raise ValueError("no")

    with pytest.raises(ValueError):
        delayed(fail)(argument).compute(scheduler=scheduler)
    del argument
    assert soon(lambda: seen() is None)


def test_no_references_are_leaked(scheduler):
    marker = Value()
    rounds = 40 if scheduler == "processes" else 200

    def program():
        items = [delayed(inc)(i) for i in range(10)]
        lazy = delayed(gather)(items, {"marker": [items[0], 5]}, last=items[-1] + 1)
        lazy.compute(scheduler=scheduler)

    def with_marker():
        delayed(lambda *args: 1)(marker, [marker, delayed(1)]).compute(scheduler="threads")

    def failing():
        with pytest.raises(ZeroDivisionError):
            delayed(lambda x: 1 / 0)(delayed(1)).compute(scheduler=scheduler)

    def growth():
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(rounds):
            program(), with_marker(), failing()
        gc.collect()
        return sys.getallocatedblocks() - before

    references = sys.getrefcount(marker)
    # Caches fill up for a while, those of pickling slowly; what leaks goes on leaking. A round
    # has some fifteen tasks.
    allowed = 3 * rounds if scheduler == "processes" else rounds / 2
    assert any(growth() < allowed for _ in range(6))
    assert soon(lambda: sys.getrefcount(marker) == references)


def test_cycles_through_lazy_calls_are_collected():
    value = Value()
    value.content = delayed(lambda x: x)([value, delayed(1)])
    seen = weakref.ref(value)
    del value
    gc.collect()
    assert seen() is None


# ---- fork ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_after_computing():
    program = delayed(sum)([delayed(inc)(i) for i in range(20)])
    for name in GETS:
        assert program.compute(scheduler=name) == 210
    assert in_a_fork(lambda: [program.compute(scheduler=name) for name in GETS] == [210] * 3)
    for name in GETS:
        assert program.compute(scheduler=name) == 210


def in_a_fork(function):
    """Whether a function is true in a fork of this process, in 20 seconds at most."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if function() else 1)
        except BaseException:
            os._exit(2)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return pytest.fail("the child of a fork hangs in compute")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_while_tasks_run(scheduler):
    """The child computes on all schedulers; the parent's run goes on."""
    program = delayed(sum)([delayed(inc)(i) for i in range(20)])
    slow = [delayed(lambda i: time.sleep(0.02) or i)(i) for i in range(40)]
    results = []
    thread = threading.Thread(
        target=lambda: results.append(compute(*slow, scheduler=scheduler, num_workers=2))
    )
    thread.start()
    time.sleep(0.1)
    for _ in range(1 if scheduler == "processes" else 2):
        assert in_a_fork(lambda: [program.compute(scheduler=name) for name in GETS] == [210] * 3)
    thread.join(30)
    assert results == [tuple(range(40))]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_task_that_forks(scheduler):
    def forks(x):
        child = os.fork()
        if child == 0:
            os._exit(x)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)

    lazy = [delayed(forks)(i) for i in range(5)]
    assert compute(*lazy, scheduler=scheduler) == (0, 1, 2, 3, 4)
