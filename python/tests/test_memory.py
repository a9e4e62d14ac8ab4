"""The memory budget: what does not fit goes to disk, and the disk is left clean."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samite import compute, config, delayed

np = pytest.importorskip("numpy")

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

# Twenty arrays that are all made before the first can be let go, and two passes over them. Random
# bytes, so that compression is of no help.
PROGRAM = """
    import resource
    import numpy as np
    import samite
    from samite import delayed

    COUNT, SIZE = 20, {size}

    def status(name):
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith(name + ":"):
                    return int(line.split()[1]) * 1024

    def make(i):
        return np.random.default_rng(i).integers(0, 1 << 60, SIZE // 8)

    def add(a, b, *order):
        return int(a) + int(b)

    def tree(values):
        values = list(values)
        while len(values) > 1:
            paired = [delayed(add)(a, b) for a, b in zip(values[::2], values[1::2])]
            values = paired + values[2 * len(paired):]
        return values[0]

    def program():
        arrays = [delayed(make)(i) for i in range(COUNT)]
        first = tree([delayed(np.sum)(array, dtype="i8") for array in arrays])
        # The second pass needs the end of the first, so all arrays have to be kept until then.
        second = tree([delayed(lambda array, _: array.sum(dtype="i8"))(array, first)
                       for array in arrays])
        return delayed(lambda a, b: (a, b))(first, second)

    # Everything that a run needs is loaded and started before the measurement.
    samite.compute(delayed(np.sum)(delayed(make)(0)), scheduler={scheduler!r}, num_workers=2)
    expected = sum(int(make(i).sum(dtype="i8")) for i in range(COUNT))
    samite.config.set({{"temporary-directory": {folder!r}}})
"""

MEASURED = """
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = status("VmRSS")
    results = program().compute(scheduler={scheduler!r}, num_workers=2, memory_limit={limit})
    assert results == (expected, expected), (results, expected)
    print(status("VmHWM") - before)
"""

LIMITED = """
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + int({limit} * 1.15) + {slack}, hard))
    results = program().compute(scheduler={scheduler!r}, num_workers=2, memory_limit={limit})
    assert results == (expected, expected), (results, expected)
    print("done")
"""

MB = 1 << 20


def run(program, **values):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program).format(**values)],
        capture_output=True,
        text=True,
        timeout=80,
        env={**os.environ, "MALLOC_ARENA_MAX": "2"},
    )


def test_five_times_the_budget(tmp_path):
    """Memory grows by no more than the budget and 15 %, whatever is alive.

    In addition to the budget there are only pieces that are on their way to or from the disk, and
    what the interpreter needs for a task: 8 MiB.
    """
    size, limit = 50 * MB, 200 * MB
    ended = run(
        PROGRAM + MEASURED, scheduler="threads", size=size, limit=limit, folder=str(tmp_path)
    )
    assert ended.returncode == 0, ended.stderr
    grown = int(ended.stdout)
    assert grown <= 1.15 * limit + 8 * MB, f"{grown / MB:.0f} MiB for a limit of {limit / MB:.0f}"
    assert not any(files for _, _, files in os.walk(tmp_path))


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_in_a_limited_address_space(scheduler, tmp_path):
    """The same under a limit that the system enforces.

    Address space is more than memory: 64 MiB are for the heap that an allocator reserves for a
    thread, and for the stacks of threads.
    """
    ended = run(
        PROGRAM + LIMITED,
        scheduler=scheduler,
        size=20 * MB,
        limit=80 * MB,
        slack=64 * MB,
        folder=str(tmp_path),
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "done\n"


def test_results_of_processes_are_in_the_budget(tmp_path):
    size, limit = 20 * MB, 80 * MB
    ended = run(
        PROGRAM + MEASURED, scheduler="processes", size=size, limit=limit, folder=str(tmp_path)
    )
    assert ended.returncode == 0, ended.stderr
    # Frames that are shared with a worker count for both while a task of its is running.
    assert int(ended.stdout) <= 1.15 * limit + 2 * size + 8 * MB


def combine(seed, *parts):
    """Bytes of some size that depend on everything given."""
    digest = hashlib.sha256(repr(seed).encode())
    for part in parts:
        digest.update(part)
    return digest.digest() * (10 + seed % 90)


def fold(seen, value):
    return hashlib.sha256(seen + value).digest()


@settings(max_examples=60, deadline=None)
@given(
    edges=st.lists(st.lists(st.integers(0, 1000), max_size=4), min_size=1, max_size=60),
    name=st.sampled_from(["synchronous", "threads", "threads", "processes"]),
)
def test_random_graphs_in_little_memory(edges, name):
    """A task needs 16 kB at most; the values that are alive may be many times the limit."""
    expected, values = b"", []
    lazy_expected, lazy = b"", []
    for position, needs in enumerate(edges):
        needs = [need % position for need in needs] if position else []
        values.append(combine(position, *(values[need] for need in needs)))
        lazy.append(delayed(combine)(position, *(lazy[need] for need in needs)))
    for value, lazy_value in zip(reversed(values), reversed(lazy), strict=True):
        expected = fold(expected, value)
        lazy_expected = delayed(fold)(lazy_expected, lazy_value)
    result = lazy_expected.compute(scheduler=name, memory_limit=36_000, num_workers=2)
    assert result == expected


# ---- spilled values ------------------------------------------------------------------------------


def spilled_and_back(values, folder, scheduler, limit):
    """Values after a stay on disk: tasks that fill the memory run in between."""

    def fill(*_):
        return bytes(2_500_000)

    def count_files(_):
        return sum(len(files) for _, _, files in os.walk(folder))

    made = [delayed(lambda value: value)(delayed(value, traverse=False)) for value in values]
    between = delayed(count_files)(delayed(fill)(made[0]))
    for _ in range(2):
        between = delayed(lambda *counts: max(counts))(
            between, delayed(count_files)(delayed(fill)(between))
        )
    back = [delayed(lambda value, _: value)(value, between) for value in made]
    with config.set({"temporary-directory": str(folder)}):
        *results, files = compute(*back, between, scheduler=scheduler, memory_limit=limit)
    assert files > 0
    return results


@pytest.mark.parametrize("name", ["synchronous", "threads", "processes"])
def test_values_come_back_from_disk_as_they_were(name, tmp_path):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.random(20_000), "b": ["text"] * 20_000})
    values = [
        rng.random(100_000), rng.random((300, 300)).T, list(range(20_000)), "x" * 300_000,
        {"k": [1, {2, 3}]}, b"y" * 500_000, np.array(["a", None], dtype=object), frame,
    ]  # fmt: skip
    back = spilled_and_back(values, tmp_path, name, "4 MB")
    for value, result in zip(values, back, strict=True):
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(result, value)
        elif isinstance(value, np.ndarray):
            assert result.dtype == value.dtype and result.tolist() == value.tolist()
            assert result.flags.writeable
        else:
            assert result == value


def test_values_that_do_not_pickle_stay_in_memory():
    import threading

    class Holder:
        def __init__(self):
            self.lock = threading.Lock()
            self.data = bytes(1_000_000)

        def __sizeof__(self):
            return 1_000_000

    holders = [delayed(Holder)() for _ in range(2)]
    filler = delayed(len)(delayed(bytes)(1_500_000))
    total = delayed(lambda holders, _: sum(len(holder.data) for holder in holders))(holders, filler)
    assert total.compute(memory_limit="4 MB") == 2_000_000


def test_spilling_is_into_the_configured_folder(tmp_path, scheduler):
    def look(_):
        return [
            os.path.join(folder, file) for folder, _, files in os.walk(tmp_path) for file in files
        ]

    parts = [delayed(os.urandom)(900_000) for _ in range(6)]
    first = delayed(look)([delayed(len)(part) for part in parts])
    again = delayed(sum)([delayed(lambda part, _: len(part))(part, first) for part in parts])
    with config.set({"temporary-directory": str(tmp_path)}):
        files, total = compute(first, again, scheduler=scheduler, memory_limit="2 MB")
    assert total == 5_400_000
    assert len(files) >= 3
    modes = {
        os.stat(folder).st_mode & 0o077
        for folder in {os.path.dirname(f) for f in files}
        if os.path.exists(folder)
    }
    assert modes <= {0}, "others may read what was spilled"
    assert not any(files for _, _, files in os.walk(tmp_path))


def test_nothing_is_written_where_everything_fits(tmp_path, scheduler):
    parts = [delayed(bytes)(100_000) for _ in range(10)]
    with config.set({"temporary-directory": str(tmp_path)}):
        assert delayed(sum)([delayed(len)(part) for part in parts]).compute(
            scheduler=scheduler, memory_limit="100 MB"
        )
    assert list(tmp_path.iterdir()) == [] or not any(files for *_, files in os.walk(tmp_path))


CLEANED = """
    import os, sys, time
    from samite import config, delayed
    config.set({{"temporary-directory": {folder!r}}})
    parts = [delayed(os.urandom)(900_000) for _ in range(6)]
    first = delayed(sum)([delayed(len)(part) for part in parts])
    def end(_):
        print(sum(len(files) for _, _, files in os.walk({folder!r})), flush=True)
        if sys.argv[1] == "killed":
            os.kill(os.getpid(), 9)
        if sys.argv[1] == "raised":
            raise ValueError("stop")
        if sys.argv[1] == "left":
            os._exit(0)
        return 0
    ended = delayed(end)(first)
    again = [delayed(lambda part, ended: len(part) + ended)(part, ended) for part in parts]
    delayed(sum)(again).compute(memory_limit="2 MB", num_workers=1)
"""


@pytest.mark.parametrize("how", ["normally", "raised", "killed", "left"])
def test_the_folder_is_removed(tmp_path, how):
    def program(how):
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(CLEANED).format(folder=str(tmp_path)), how],
            capture_output=True,
            text=True,
            timeout=60,
        )

    ended = program(how)
    assert int(ended.stdout) >= 3, ended.stderr
    assert (
        ended.returncode == {"normally": 0, "raised": 1, "killed": -signal.SIGKILL, "left": 0}[how]
    )
    if how in ("killed", "left"):
        # Nobody could clean up; the next process that spills does.
        assert program("normally").returncode == 0
    deadline = time.monotonic() + 5
    while list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list(tmp_path.iterdir()) == []


def test_a_running_process_keeps_its_folder(tmp_path):
    """Cleaning up after others leaves alone what a living process has spilled."""
    program = textwrap.dedent(CLEANED).format(folder=str(tmp_path))
    slow = program.replace("return 0", "time.sleep(3); return 0")
    first = subprocess.Popen(
        [sys.executable, "-c", slow, "normally"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert int(first.stdout.readline()) >= 3
    second = subprocess.run(
        [sys.executable, "-c", program, "normally"], capture_output=True, timeout=60
    )
    _, errors = first.communicate(timeout=60)
    assert second.returncode == 0, second.stderr
    assert first.returncode == 0, errors
