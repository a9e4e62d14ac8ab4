"""Bad input and faults: each has a typed error or simply works."""

from __future__ import annotations

import contextlib
import errno
import operator
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback

import pytest

from samite import compute, delayed
from samite.exceptions import MemoryLimitError, SpillError

pytestmark = pytest.mark.timeout(60)

IN_PROCESS = ("synchronous", "threads")
NOTES = hasattr(BaseException, "add_note")


def run_program(program, *, env=None, timeout=40, **options):
    """Run a program in an interpreter of its own."""
    environment = {**os.environ, **(env or {})}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
        **options,
    )


class CustomError(Exception):
    def __init__(self, code, detail):
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class UnpicklableError(Exception):
    def __reduce__(self):
        raise TypeError("this exception stays here")


class NeedsMoreArguments(Exception):
    """Pickles, but cannot be made again from its pickle."""

    def __init__(self, one, two):
        super().__init__("only one argument is kept")


def inc(x):
    return x + 1


def raises_custom(x):
    def inner_frame():
        raise CustomError(x, {"why": "test"})

    return inner_frame()


# ---- exceptions of tasks -------------------------------------------------------------------------


def test_the_tasks_own_exception(scheduler):
    lazy = delayed(inc)(delayed(raises_custom)(7, dask_key_name="the-failing-task"))
    with pytest.raises(CustomError) as caught:
        lazy.compute(scheduler=scheduler)
    error = caught.value
    assert (error.code, error.detail) == (7, {"why": "test"})
    text = "".join(traceback.format_exception(error))
    assert "inner_frame" in text and "raises_custom" in text
    if NOTES:
        notes = "\n".join(error.__notes__)
        assert "the-failing-task" in notes


@pytest.mark.parametrize("scheduler", IN_PROCESS)
def test_the_traceback_is_that_of_the_function(scheduler):
    with pytest.raises(CustomError) as caught:
        delayed(raises_custom)(7).compute(scheduler=scheduler)
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert frames[-2:] == ["raises_custom", "inner_frame"]


@pytest.mark.parametrize("scheduler", IN_PROCESS)
def test_the_exception_is_the_very_object(scheduler):
    error = CustomError(1, 2)

    def fail():
        raise error

    for _ in range(3):
        with pytest.raises(CustomError) as caught:
            delayed(fail)().compute(scheduler=scheduler)
        assert caught.value is error
    if NOTES:
        assert len(error.__notes__) == 1


@pytest.mark.skipif(not NOTES, reason="this Python has no notes")
def test_the_note_names_who_needed_the_task():
    failing = delayed(raises_custom)(1, dask_key_name="failing")
    lazy = delayed(inc)(delayed(inc)(failing, dask_key_name="middle"), dask_key_name="last")
    with pytest.raises(CustomError) as caught:
        lazy.compute()
    (note,) = caught.value.__notes__
    assert "failing" in note and "middle" in note


def test_causes_and_contexts_are_kept(scheduler):
    def fail():
        try:
            raise KeyError("cause")
        except KeyError as error:
            raise ValueError("effect") from error

    with pytest.raises(ValueError, match="effect") as caught:
        delayed(fail)().compute(scheduler=scheduler)
    assert "cause" in "".join(traceback.format_exception(caught.value))


def test_what_is_left_does_not_start(scheduler, tmp_path):
    def fail():
        raise ValueError("stop here")

    def note(i, _):
        time.sleep(0.02)
        (tmp_path / str(i)).touch()

    first = delayed(fail)()
    rest = [delayed(note)(i, first) for i in range(20)]
    with pytest.raises(ValueError, match="stop here"):
        compute(*rest, scheduler=scheduler)
    assert list(tmp_path.iterdir()) == []


def test_others_are_cancelled_at_once(scheduler, tmp_path):
    def fail_soon():
        time.sleep(0.1)
        raise ValueError("stop here")

    def note(i):
        time.sleep(0.05)
        (tmp_path / str(i)).touch()

    # The failing task is needed first: it is in front in every order.
    lazy = [delayed(fail_soon)(), *(delayed(note)(i) for i in range(200))]
    start = time.monotonic()
    with pytest.raises(ValueError, match="stop here"):
        compute(*lazy, scheduler=scheduler, num_workers=2)
    assert time.monotonic() - start < 5
    done = len(list(tmp_path.iterdir()))
    time.sleep(0.3)
    assert len(list(tmp_path.iterdir())) <= done + 2
    assert done < 100


def test_the_session_is_usable_after_a_failure(scheduler):
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            delayed(operator.truediv)(1, 0).compute(scheduler=scheduler)
        assert delayed(inc)(1).compute(scheduler=scheduler) == 2


def test_exceptions_that_do_not_pickle():
    def fail():
        raise UnpicklableError("detail of the failure")

    with pytest.raises(Exception, match="detail of the failure") as caught:
        delayed(fail)().compute(scheduler="processes")
    assert "UnpicklableError" in repr(caught.value) + str(caught.value)

    def fail_worse():
        raise NeedsMoreArguments(1, 2)

    with pytest.raises(Exception, match="only one argument is kept") as caught:
        delayed(fail_worse, name="fail-worse")(dask_key_name="fail-worse").compute(
            scheduler="processes"
        )
    assert "NeedsMoreArguments" in repr(caught.value) + str(caught.value)
    assert delayed(inc)(1).compute(scheduler="processes") == 2


def test_results_that_do_not_pickle():
    with pytest.raises(TypeError, match="lock"):
        delayed(threading.Lock)().compute(scheduler="processes")
    assert delayed(inc)(1).compute(scheduler="processes") == 2


def test_results_that_do_not_unpickle():
    class Trap:
        def __reduce__(self):
            return operator.truediv, (1, 0)

    with pytest.raises(ZeroDivisionError):
        delayed(Trap)().compute(scheduler="processes")
    with pytest.raises(ZeroDivisionError):
        delayed(len)([delayed(Trap)()]).compute(scheduler="processes")
    assert delayed(inc)(1).compute(scheduler="processes") == 2


def test_unpicklable_function_and_argument_are_named():
    lock = threading.Lock()
    with pytest.raises(TypeError, match="lock") as caught:
        delayed(lambda: lock)().compute(scheduler="processes")
    if NOTES:
        assert "lambda" in "".join(caught.value.__notes__)
    with pytest.raises(TypeError) as caught:
        delayed(len)([1, {"key": lock}], dask_key_name="len-of-a-lock").compute(
            scheduler="processes"
        )
    if NOTES:
        notes = "\n".join(caught.value.__notes__)
        assert "len-of-a-lock" in notes and "lock" in notes
    assert delayed(inc)(1).compute(scheduler="processes") == 2


@pytest.mark.parametrize("code", [0, 3, "message"])
def test_exit_in_a_task(scheduler, code):
    with pytest.raises(SystemExit) as caught:
        delayed(sys.exit)(code).compute(scheduler=scheduler)
    assert caught.value.code == code
    assert delayed(inc)(1).compute(scheduler=scheduler) == 2


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit, StopIteration, MemoryError])
def test_unusual_exceptions(scheduler, kind):
    def fail():
        raise kind("unusual")

    with pytest.raises(kind):
        delayed(fail)().compute(scheduler=scheduler)
    assert delayed(inc)(1).compute(scheduler=scheduler) == 2


def test_a_task_without_end_of_recursion(scheduler):
    def deeper(n):
        return deeper(n + 1)

    with pytest.raises(RecursionError):
        delayed(deeper)(0).compute(scheduler=scheduler)
    assert delayed(inc)(1).compute(scheduler=scheduler) == 2


def test_wrong_call(scheduler):
    with pytest.raises(TypeError, match="argument"):
        delayed(inc)(1, 2, 3).compute(scheduler=scheduler)
    with pytest.raises(TypeError, match="not callable"):
        delayed(5)(1).compute(scheduler=scheduler)


def test_a_value_with_a_wrong_size(scheduler):
    class Liar:
        def __sizeof__(self):
            raise RuntimeError("no size")

        @property
        def nbytes(self):
            raise RuntimeError("no bytes")

    result = delayed(lambda liar: type(liar).__name__)(delayed(Liar)())
    assert result.compute(scheduler=scheduler) == "Liar"


@pytest.mark.parametrize("scheduler", IN_PROCESS)
def test_a_deeply_nested_result(scheduler, caplog):
    """Its size cannot be measured by recursion; that is no reason for pages of tracebacks."""

    def nest():
        nested = []
        for _ in range(50_000):
            nested = [nested]
        return nested

    nested, depth = delayed(nest)().compute(scheduler=scheduler), 0
    while nested:
        (nested,), depth = nested, depth + 1
    assert depth == 50_000
    assert len(caplog.records) <= 1
    assert len(caplog.text) < 10_000


def test_values_with_bad_finalizers():
    class Loud:
        def __del__(self):
            raise ValueError("in a finalizer")

    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    try:
        lazy = delayed(sum)([delayed(lambda loud: 1)(delayed(Loud)()) for _ in range(20)])
        for scheduler in IN_PROCESS:
            assert lazy.compute(scheduler=scheduler) == 20
    finally:
        sys.unraisablehook = hook


def test_a_finalizer_that_computes():
    results = []

    class Computing:
        def __del__(self):
            results.append(delayed(inc)(1).compute(scheduler="synchronous"))
            results.append(delayed(inc)(1).compute(scheduler="threads"))

    lazy = delayed(sum)([delayed(lambda value: 1)(delayed(Computing)()) for _ in range(5)])
    for scheduler in IN_PROCESS:
        assert lazy.compute(scheduler=scheduler) == 5
    deadline = time.monotonic() + 10
    while len(results) < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert results == [2] * 20


# ---- Ctrl-C --------------------------------------------------------------------------------------

INTERRUPTED = """
    import time, samite
    from samite import delayed

    def sleep(x):
        for _ in range(600):
            time.sleep(0.05)
        return x

    def spin(x):
        while True:
            x += 1

    def compute(function):
        lazy = delayed(sum)([delayed(function)(i) for i in range(4)])
        print("ready", flush=True)
        try:
            lazy.compute(scheduler={scheduler!r}, num_workers=2)
        except KeyboardInterrupt:
            print("interrupted", time.monotonic(), flush=True)

    samite.compute(delayed(1) + 1, scheduler={scheduler!r})
    compute({function})
    print("after", delayed(max)(1, 2).compute(scheduler={after!r}), flush=True)
"""


@pytest.mark.parametrize("function", ["sleep", "spin"])
def test_interrupt(scheduler, function):
    """Ctrl-C is answered within a second, and the session goes on."""
    # A thread that spins cannot be stopped, only left alone: later work goes to other threads.
    program = textwrap.dedent(INTERRUPTED).format(
        scheduler=scheduler, function=function, after=scheduler
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        sent = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        line = process.stdout.readline()
        assert line.startswith("interrupted"), process.stderr.read()
        assert float(line.split()[1]) - sent < 1
        assert process.stdout.readline() == "after 2\n"
        if scheduler != "threads":
            # Nothing is left running: the interpreter ends, and takes its processes with it.
            process.wait(10)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("seconds, interrupts, longest", [(1, 1, 8), (60, 2, 8)])
def test_the_end_of_the_interpreter_after_an_interrupt(seconds, interrupts, longest):
    """It waits for tasks that still run on threads, and says so; Ctrl-C ends that as well."""
    program = f"""
        import os, signal, threading, time
        from samite import delayed

        def interrupt():
            for _ in range({interrupts}):
                time.sleep(0.4)
                os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt, daemon=True).start()
        try:
            delayed(time.sleep)({seconds}).compute()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    start = time.monotonic()
    ended = run_program(program, timeout=30)
    assert time.monotonic() - start < longest
    assert ended.stdout == "interrupted\n", ended.stderr


# ---- memory and disk -----------------------------------------------------------------------------


def test_a_value_larger_than_the_limit(scheduler):
    with pytest.raises(MemoryLimitError, match="memory_limit") as caught:
        delayed(bytes)(3_000_000, dask_key_name="too-large").compute(
            scheduler=scheduler, memory_limit=1_000_000
        )
    assert "too-large" in str(caught.value) + "".join(getattr(caught.value, "__notes__", []))
    assert isinstance(caught.value, MemoryError)
    assert delayed(inc)(1).compute(scheduler=scheduler, memory_limit=1_000_000) == 2


def test_more_at_once_than_the_limit(scheduler):
    lazy = delayed(lambda *parts: sum(map(len, parts)))(
        *(delayed(bytes)(400_000) for _ in range(8))
    )
    with pytest.raises(MemoryLimitError):
        lazy.compute(scheduler=scheduler, memory_limit="1 MB")
    assert lazy.compute(scheduler=scheduler, memory_limit="40 MB") == 3_200_000


@pytest.mark.parametrize("limit", [0, -1, "0 B"])
def test_limits_that_make_no_sense(scheduler, limit):
    with pytest.raises(ValueError, match="memory_limit"):
        delayed(inc)(1).compute(scheduler=scheduler, memory_limit=limit)


def test_limit_by_setting(scheduler):
    from samite import config

    with config.set({"memory-limit": "1 MB"}):
        with pytest.raises(MemoryLimitError):
            delayed(bytes)(3_000_000).compute(scheduler=scheduler)
        assert len(delayed(bytes)(3_000_000).compute(scheduler=scheduler, memory_limit="9 MB"))


def test_limit_that_is_no_number():
    with pytest.raises(ValueError):
        delayed(inc)(1).compute(memory_limit="a lot")


FULL_DISK = """
    import os, resource, signal, sys
    import samite
    from samite import delayed
    from samite.exceptions import SpillError

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    samite.config.set({{"temporary-directory": {folder!r}}})
    def part(i):
        return os.urandom(1_000_000)
    def wide():
        shared = [delayed(part)(i) for i in range(12)]
        once = [delayed(len)(x) for x in shared]
        first = delayed(sum)(once)
        again = [delayed(lambda x, first: len(x) + 0 * first)(x, first) for x in shared]
        return delayed(sum)(again)
    # The spill files are what is larger than this.
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        print(wide().compute(scheduler={scheduler!r}, memory_limit="5 MB"))
    except SpillError as error:
        print("SpillError", isinstance(error, OSError), error.errno, error)
    print(delayed(len)("abc").compute(scheduler={scheduler!r}))
    print(wide().compute(scheduler={scheduler!r}, memory_limit="100 MB"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits here")
def test_full_disk(scheduler, tmp_path):
    ended = run_program(FULL_DISK.format(folder=str(tmp_path), scheduler=scheduler))
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stderr
    assert lines[0].startswith("SpillError True"), lines
    assert lines[1:] == ["3", "12000000"]
    assert not any(files for _, _, files in os.walk(tmp_path))


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system in memory")
def test_really_full_disk(scheduler, tmp_path):
    from samite import config

    mount = ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(tmp_path)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("may not mount file systems")
    try:
        parts = [delayed(os.urandom)(900_000) for _ in range(6)]
        first = delayed(sum)([delayed(len)(part) for part in parts])
        again = [delayed(lambda part, first: len(part))(part, first) for part in parts]
        with config.set({"temporary-directory": str(tmp_path)}):
            with pytest.raises(SpillError) as caught:
                delayed(sum)(again).compute(scheduler=scheduler, memory_limit="2 MB")
            assert caught.value.errno == errno.ENOSPC
            # What was written is gone, so a smaller run has the room.
            assert delayed(sum)(again[:1]).compute(scheduler=scheduler) == 900_000
            assert not any(files for _, _, files in os.walk(tmp_path))
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_spill_folder_that_cannot_be_written(scheduler, tmp_path):
    from samite import config

    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    parts = [delayed(bytes)(900_000) for _ in range(6)]
    first = delayed(sum)([delayed(len)(part) for part in parts])
    again = [delayed(lambda part, first: len(part))(part, first) for part in parts]
    with config.set({"temporary-directory": str(blocked / "inside")}):
        with pytest.raises(SpillError):
            delayed(sum)(again).compute(scheduler=scheduler, memory_limit="2 MB")
    assert delayed(sum)(again).compute(scheduler=scheduler, memory_limit="2 MB") == 5_400_000
