"""Worker processes: how tasks travel, and what happens when a process dies."""

from __future__ import annotations

import contextlib
import functools
import gc
import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import samite
from samite import compute, config, delayed
from samite.exceptions import WorkerProcessDied
from samite.multiprocessing import RemoteException, get, get_context, remote_exception

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there are no such signals here"),
]

in_processes = functools.partial(compute, scheduler="processes")


def inc(x):
    return x + 1


def die_once(marker, x):
    try:
        descriptor = os.open(marker, os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return x
    os.close(descriptor)
    return os.kill(os.getpid(), signal.SIGKILL)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


# ---- where tasks run -----------------------------------------------------------------------------


def test_tasks_run_in_other_processes():
    (pids,) = in_processes([delayed(os.getpid)() for _ in range(10)], num_workers=2)
    assert os.getpid() not in pids
    assert 1 <= len(set(pids)) <= 2


def test_processes_run_at_the_same_time(tmp_path):
    def meet(mine, other):
        (tmp_path / mine).touch()
        deadline = time.monotonic() + 20
        while not (tmp_path / other).exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return mine

    assert in_processes(delayed(meet)("a", "b"), delayed(meet)("b", "a"), num_workers=2) == (
        "a",
        "b",
    )


def test_processes_are_used_again():
    def pids():
        return set(in_processes([delayed(os.getpid)() for _ in range(20)], num_workers=1)[0])

    assert pids() == pids()


def test_wrong_number_of_processes():
    with pytest.raises(ValueError, match="num_workers"):
        in_processes(delayed(1) + 1, num_workers=0)


# ---- what travels --------------------------------------------------------------------------------


def test_functions_of_all_kinds():
    factor = 3

    def closure(x):
        return x * factor

    class Local:
        def __init__(self, x):
            self.x = x

        def method(self):
            return self.x + factor

        @staticmethod
        def static(x):
            return x - factor

    made = delayed(Local)(4)
    assert in_processes(
        delayed(closure)(2),
        delayed(lambda x: x + factor)(1),
        delayed(functools.partial(operator.add, 5))(1),
        delayed(Local(1).method)(),
        delayed(Local.static)(5),
        made.method(),
        delayed(operator.methodcaller("upper"))("a"),
        delayed(inc)(1),
    ) == (6, 4, 6, 4, 2, 7, "A", 2)


def test_instances_of_local_classes_come_back():
    class Local:
        def __init__(self, x):
            self.x = x

    (value,) = in_processes(delayed(Local)(4))
    assert type(value) is Local and value.x == 4


def test_large_values_travel_both_ways():
    np = pytest.importorskip("numpy")
    array = np.arange(3_000_000, dtype="f8")
    shifted = delayed(operator.add)(array, 1)
    total, back = in_processes(delayed(np.sum)(shifted), shifted)
    assert total == array.sum() + len(array)
    assert np.array_equal(back, array + 1)
    back[0] = 7  # what comes back can be written to
    assert back[0] == 7


def test_a_task_may_write_to_its_input_without_others_seeing_it():
    np = pytest.importorskip("numpy")

    def clear(array):
        before = float(array.sum())
        array[:] = 0
        return before

    for size in (10, 1_000_000):
        array = np.ones(size)
        made = delayed(np.ones)(size)
        results = in_processes(*[delayed(clear)(made) for _ in range(4)], delayed(clear)(array))
        assert results == (size,) * 5
        assert array.sum() == size


def test_arrays_of_every_layout():
    np = pytest.importorskip("numpy")
    base = np.arange(24).reshape(2, 3, 4)
    arrays = [
        base, base.T, base[:, ::2], base[::-1], np.asfortranarray(base), base[:0], np.array(5),
        np.array(["a", None], dtype=object), base.astype("M8[s]"), np.zeros(3, "i4,f8"),
        np.ma.masked_array([1, 2], [True, False]),
    ]  # fmt: skip
    results = in_processes(*(delayed(operator.itemgetter(0))([array]) for array in arrays))
    for array, result in zip(arrays, results, strict=True):
        assert result.dtype == array.dtype and result.shape == array.shape
        assert repr(result) == repr(array)


def test_frames_travel():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": range(5), "b": list("vwxyz"), "c": pd.Categorical(list("aabbc"))})
    (same, longer) = in_processes(delayed(frame), delayed(pd.concat)([frame, delayed(frame)]))
    pd.testing.assert_frame_equal(same, frame)
    pd.testing.assert_frame_equal(longer, pd.concat([frame, frame]))


def test_many_buffers_in_one_value():
    np = pytest.importorskip("numpy")
    arrays = [np.full(140_000, i, "f8") for i in range(300)]
    (total,) = in_processes(delayed(lambda arrays: sum(a[-1] for a in arrays))(arrays))
    assert total == sum(range(300))
    (back,) = in_processes(
        delayed(lambda n: [__import__("numpy").full(140_000, i) for i in range(n)])(300)
    )
    assert [int(array[-1]) for array in back] == list(range(300))


def test_printing_in_a_task_does_no_harm(capfd):
    assert in_processes(delayed(print)("from a task"), delayed(inc)(1)) == (None, 2)
    time.sleep(0.1)


def test_reading_standard_input_in_a_task_does_not_hang():
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\n"
            "from samite import delayed\n"
            "print(repr(delayed(lambda: __import__('sys').stdin.read(5))()"
            ".compute(scheduler='processes')))\n",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
    )
    assert ended.stdout == "''\n", ended.stderr


def test_a_program_without_a_main_guard(tmp_path):
    """Workers do not run the main module again; what it defines travels with the task."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import dataclasses
        from samite import delayed

        print("started")

        @dataclasses.dataclass
        class Mine:
            x: int

        def double(mine):
            return Mine(mine.x * 2)

        result = delayed(double)(delayed(Mine)(4)).compute(scheduler="processes")
        print(result == Mine(8), type(result) is Mine)
        """)
    )
    ended = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=30
    )
    assert ended.stdout == "started\nTrue True\n", ended.stderr


def test_modules_next_to_the_program(tmp_path):
    (tmp_path / "beside.py").write_text("def triple(x):\n    return 3 * x\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import beside\n"
        "from samite import delayed\n"
        "print(delayed(beside.triple)(4).compute(scheduler='processes'))\n"
    )
    ended = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=30
    )
    assert ended.stdout == "12\n", ended.stderr


def test_initializer(tmp_path):
    def mark():
        os.environ["MARKED_BY_INITIALIZER"] = "yes"

    read = delayed(os.environ.get)
    assert in_processes(
        delayed(lambda: __import__("os").environ.get("MARKED_BY_INITIALIZER"))(),
        initializer=mark,
        num_workers=1,
    ) == ("yes",)
    with config.set({"multiprocessing.initializer": mark}):
        assert in_processes(
            delayed(lambda: __import__("os").environ.get("MARKED_BY_INITIALIZER"))()
        ) == ("yes",)
    assert read("MARKED_BY_INITIALIZER").compute() is None


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_start_methods(method):
    with config.set({"multiprocessing.context": method}):
        assert get_context().get_start_method() == method
        if method == "spawn":
            assert in_processes(delayed(inc)(1)) == (2,)


def test_fork_as_the_start_method():
    program = """
        from samite import config, delayed
        with config.set({"multiprocessing.context": "fork"}):
            print(delayed(max)(1, 2).compute(scheduler="processes"))
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=30
    )
    assert ended.stdout == "2\n", ended.stderr


def test_pools_that_the_user_brings():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pids = in_processes([delayed(os.getpid)() for _ in range(5)], pool=pool)[0]
        assert len(set(pids)) == 1 and os.getpid() not in pids
        with pytest.raises(ZeroDivisionError):
            in_processes(delayed(operator.truediv)(1, 0), pool=pool)


# ---- death ---------------------------------------------------------------------------------------


def test_a_task_whose_process_was_killed_is_tried_again(tmp_path):
    calls = [delayed(die_once)(str(tmp_path / str(i)), i) for i in range(4)]
    assert delayed(sum)(calls).compute(scheduler="processes") == 6


def test_results_survive_the_death_of_the_process_that_made_them(tmp_path):
    made = delayed(list)(range(1000))
    after = delayed(die_once)(str(tmp_path / "marker"), delayed(len)(made))
    assert in_processes(after, delayed(sum)(made), num_workers=1) == (1000, 499_500)


def test_a_task_that_always_kills_its_process():
    lazy = delayed(die)(dask_key_name="deadly-task")
    for _ in range(2):
        with pytest.raises(WorkerProcessDied, match="deadly-task"):
            lazy.compute(scheduler="processes")
        assert delayed(inc)(1).compute(scheduler="processes") == 2


def test_retries_are_counted(tmp_path):
    def die_counting():
        with open(tmp_path / "deaths", "a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)

    with config.set({"multiprocessing.retries": 1}):
        with pytest.raises(WorkerProcessDied):
            delayed(die_counting)().compute(scheduler="processes")
    assert (tmp_path / "deaths").read_text() == "xx"
    with config.set({"multiprocessing.retries": 0}):
        with pytest.raises(WorkerProcessDied):
            delayed(die_counting)().compute(scheduler="processes")
    assert (tmp_path / "deaths").read_text() == "xxx"


@pytest.mark.parametrize("way", ["os._exit(3)", "os.abort()", "os.kill(os.getpid(), 11)"])
def test_other_ways_to_die(way):
    source = f"import os\ndef crash():\n    {way}\n"
    namespace = {}
    exec(source, namespace)
    with pytest.raises(WorkerProcessDied):
        delayed(namespace["crash"])().compute(scheduler="processes")
    assert delayed(inc)(1).compute(scheduler="processes") == 2


def test_idle_processes_that_were_killed():
    for _ in range(3):
        (pids,) = in_processes([delayed(os.getpid)() for _ in range(8)], num_workers=2)
        for pid in set(pids):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
        assert in_processes(delayed(inc)(1), num_workers=2) == (2,)


def test_a_process_killed_from_outside_while_it_works(tmp_path):
    def slow(x):
        with open(tmp_path / "pids", "a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.3)
        return x

    killed = []

    def killer():
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            pids = (tmp_path / "pids").read_text().split() if (tmp_path / "pids").exists() else []
            if pids:
                killed.append(int(pids[0]))
                os.kill(killed[0], signal.SIGKILL)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=killer)
    thread.start()
    results = in_processes(*[delayed(slow)(i) for i in range(4)], num_workers=2)
    thread.join()
    assert killed and results == (0, 1, 2, 3)


def test_a_closed_socket_is_a_death():
    def close():
        for descriptor in range(3, 10):
            try:
                os.close(descriptor)
            except OSError:
                pass
        return 1

    with pytest.raises((WorkerProcessDied, OSError)):
        delayed(close)().compute(scheduler="processes")
    assert delayed(inc)(1).compute(scheduler="processes") == 2


def test_processes_end_with_their_parent():
    program = """
        import os, sys
        from samite import compute, delayed
        pids = compute([delayed(os.getpid)() for _ in range(8)], scheduler="processes")[0]
        print(*set(pids), flush=True)
        if sys.argv[1] == "killed":
            os.kill(os.getpid(), 9)
    """
    for how in ("normally", "killed"):
        ended = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program), how],
            capture_output=True,
            text=True,
            timeout=30,
        )
        pids = [int(pid) for pid in ended.stdout.split()]
        assert pids, ended.stderr
        deadline = time.monotonic() + 5
        while any(map(_runs, pids)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not any(map(_runs, pids)), how


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# ---- exceptions across processes -----------------------------------------------------------------


def test_remote_exception():
    error = remote_exception(ValueError("wrong"), "in worker.py")
    assert isinstance(error, ValueError) and isinstance(error, RemoteException)
    assert "wrong" in str(error) and "in worker.py" in str(error)
    assert error.args is not None


def test_exceptions_with_attributes():
    def fail():
        error = OSError(2, "No such file", "name.txt")
        error.extra = [1, 2]
        raise error

    with pytest.raises(FileNotFoundError) as caught:
        in_processes(delayed(fail)())
    assert caught.value.filename == "name.txt"
    assert caught.value.extra == [1, 2]


def test_exception_classes_of_the_program():
    class Mine(Exception):
        pass

    def fail():
        raise Mine("local")

    with pytest.raises(Mine, match="local"):
        in_processes(delayed(fail)())


def test_without_tblib_the_traceback_is_in_the_text():
    program = """
        import os, sys
        from samite import config, delayed
        def block():
            sys.modules["tblib"] = sys.modules["tblib.pickling_support"] = None
        def inner(x):
            raise ValueError("wrong")
        try:
            delayed(inner)(1).compute(scheduler="processes", initializer=block)
        except ValueError as error:
            print("ValueError", "in inner" in str(error))
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=30
    )
    assert ended.stdout == "ValueError True\n", ended.stderr


def test_get_takes_the_options_of_dasks():
    assert (
        get({"x": 1, "y": (inc, "x")}, "y", func_dumps=None, chunksize=3, optimize_graph=False) == 2
    )
    assert samite.multiprocessing.get({"x": (inc, 1)}, ["x", ["x"]]) == (2, (2,))


class Refused(Exception):
    def __init__(self, who, why):
        super().__init__(why)
        self.who = who


def raise_from():
    try:
        raise Refused("somebody", "inner")
    except Refused as inner:
        raise KeyError("outer") from inner


def raise_while_handling():
    try:
        raise_from()
    except KeyError:
        raise ValueError("last")


def raise_from_none():
    try:
        raise Refused("somebody", "inner")
    except Refused:
        raise KeyError("outer") from None


def raise_from_what_cannot_travel():
    try:
        error = OSError("inner")
        error.lock = threading.Lock()
        raise error
    except OSError as inner:
        raise KeyError("outer") from inner


def raise_in_a_circle():
    first, second = KeyError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


def chain(function):
    try:
        in_processes(delayed(function)())
    except Exception as raised:
        found, error = [], raised
        while error is not None:
            shown = error.__cause__ is None and not error.__suppress_context__
            found.append((type(error), error.args, shown))
            error = error.__context__
        return found
    return None


def test_what_an_exception_was_raised_from_travels_too():
    inner, outer = (Refused, ("inner",)), (KeyError, ("outer",))
    assert chain(raise_from) == [(*outer, False), (*inner, True)]
    assert chain(raise_while_handling)[0] == (ValueError, ("last",), True)
    assert chain(raise_while_handling)[1:] == chain(raise_from)
    assert chain(raise_from_none) == [(*outer, False), (*inner, True)]
    assert chain(raise_from_what_cannot_travel)[1][:2] == (OSError, ("inner",))
    assert [kind for kind, _, _ in chain(raise_in_a_circle)] == [KeyError, ValueError]
    with pytest.raises(KeyError) as raised:
        in_processes(delayed(raise_from)())
    assert raised.value.__cause__.who == "somebody"
    assert raised.value.__cause__.__traceback__ is not None


def test_nothing_stays_of_exceptions_that_were_raised_from_others():
    def once():
        with contextlib.suppress(ValueError):
            in_processes(delayed(raise_while_handling)())

    once()
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(one, (Refused, KeyError)) for one in gc.get_objects())
        for _ in range(5):
            once()
        assert sum(isinstance(one, (Refused, KeyError)) for one in gc.get_objects()) <= before
    finally:
        gc.enable()
