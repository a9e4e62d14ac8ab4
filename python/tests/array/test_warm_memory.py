"""Large arrays of tasks take their memory from the engine's pool, and give it back there."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import samite
import samite.array as da
from samite import _engine, delayed

handler_name = getattr(
    sys.modules.get("numpy._core.multiarray") or sys.modules["numpy.core.multiarray"],
    "get_handler_name",
)
LARGE = 1 << 20


def allocator_of_a_task(size: int = LARGE, **options) -> str:
    return delayed(lambda: handler_name(np.ones(size)))().compute(**options)


def test_arrays_of_tasks_are_of_the_pool_and_others_are_not():
    assert allocator_of_a_task() == "samite"
    assert allocator_of_a_task(scheduler="synchronous") == "default_allocator"
    assert handler_name(np.ones(LARGE)) == "default_allocator"


def test_threads_that_a_task_starts_are_left_alone():
    def task():
        found = []
        thread = threading.Thread(target=lambda: found.append(handler_name(np.ones(LARGE))))
        thread.start()
        thread.join()
        return found[0]

    assert delayed(task)().compute() == "default_allocator"


def test_large_arrays_are_aligned_and_their_memory_is_used_again():
    _engine.trim_memory()

    def task():
        first = np.full(LARGE, 7.0)
        address = first.ctypes.data
        del first
        kept = _engine.kept_memory()
        second = np.empty(LARGE)
        return address, kept, second.ctypes.data, second

    address, kept, again, array = delayed(task)().compute()
    assert address % 4096 == 0
    assert kept >= LARGE * 8
    assert again == address
    # The array outlives the run, and its memory is its own.
    array[:] = 3.0
    samite.compute([delayed(np.full)(LARGE, float(n)) for n in range(8)])
    assert (array == 3.0).all()
    before = _engine.kept_memory()
    del array
    gc.collect()
    assert _engine.kept_memory() >= before


def test_zeros_are_zero_in_memory_that_was_used():
    def task():
        for _ in range(4):
            np.full(LARGE, 255, "u1")
        return [np.zeros(LARGE - n, "u1").any() for n in range(4)]

    assert delayed(task)().compute() == [False] * 4


@pytest.mark.parametrize("old", [10, 1 << 14, 1 << 18, 1 << 20])
@pytest.mark.parametrize("new", [0, 5, 1 << 15, 1 << 18, (1 << 18) + 1, 3 << 20])
def test_arrays_are_resized(old, new):
    def task():
        array = np.arange(old)
        array.resize(new, refcheck=False)
        return array

    expected = np.zeros(new, dtype=np.arange(1).dtype)
    common = min(old, new)
    expected[:common] = np.arange(common)
    result = delayed(task)().compute()
    np.testing.assert_array_equal(result, expected)
    result.resize(2 * old, refcheck=False)
    np.testing.assert_array_equal(result[:common], expected[:common])


def test_arrays_that_grow_while_they_are_read():
    def task():
        return np.fromiter((n * 0.5 for n in range(300_000)), dtype=float)

    np.testing.assert_array_equal(delayed(task)().compute(), np.arange(300_000) * 0.5)


def test_many_arrays_at_once():
    def task(n):
        return [np.full(1 << 16, n * 100 + i) for i in range(50)]

    results = samite.compute(*[delayed(task)(n) for n in range(20)])
    for n, arrays in enumerate(results):
        assert all((array == n * 100 + i).all() for i, array in enumerate(arrays))


def test_what_is_too_much_is_a_memory_error():
    with pytest.raises(MemoryError):
        delayed(lambda: np.empty(1 << 58, "u1"))().compute()
    with pytest.raises((MemoryError, ValueError)):
        delayed(lambda: np.zeros((1 << 40, 1 << 40), "u1"))().compute()


def test_a_memory_limit_bounds_what_is_kept():
    _engine.trim_memory()
    limit = 64 << 20
    x = da.random.random((40, 1 << 18), chunks=(1, -1))
    total = x.map_blocks(lambda b: np.sqrt(b) + 1).sum()
    assert total.compute(memory_limit=limit) == pytest.approx(total.compute(), rel=1e-9)
    _engine.trim_memory()
    total.compute(memory_limit=limit)
    assert _engine.kept_memory() <= limit // 8


def test_memory_is_given_back():
    samite.compute([delayed(np.full)(LARGE, float(n)) for n in range(4)])
    gc.collect()
    assert _engine.kept_memory() > 0
    _engine.trim_memory(1 << 20)
    assert _engine.kept_memory() <= 1 << 20
    _engine.trim_memory()
    assert _engine.kept_memory() == 0


PROGRAMS = {
    "fork": """
        import os
        array = delayed(np.full)(LARGE, 2.0).compute()
        child = os.fork()
        if not child:
            ok = (array == 2.0).all()
            del array
            more = samite.compute([delayed(np.full)(LARGE, float(n)) for n in range(4)])[0]
            ok = ok and all((a == n).all() for n, a in enumerate(more))
            os._exit(0 if ok else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert (array == 2.0).all()
    """,
    "fork while tasks run": """
        import os, threading
        stop = threading.Event()
        def churn():
            while not stop.is_set():
                samite.compute([delayed(np.full)(1 << 16, float(n)) for n in range(8)])
        thread = threading.Thread(target=churn)
        thread.start()
        array = delayed(np.full)(LARGE, 2.0).compute()
        for _ in range(20):
            child = os.fork()
            if not child:
                array = array + 1
                del array
                ok = delayed(np.full)(LARGE, 5.0).compute().sum() == 5.0 * LARGE
                os._exit(0 if ok else 1)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        thread.join()
    """,
    "exit": """
        array = delayed(np.full)(LARGE, 2.0).compute()
        import atexit
        class Late:
            def __init__(self, array): self.array = array
            def __del__(self): assert (self.array == 2.0).all()
        late = Late(array)
        sys.late = late
    """,
    "a user's allocator": """
        import ctypes
        from numpy._core import multiarray
        table = multiarray._ARRAY_API
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        functions = ctypes.cast(pointer(table, None), ctypes.POINTER(ctypes.c_void_p))
        get = ctypes.PYFUNCTYPE(ctypes.py_object)(functions[305])
        set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(functions[304])
        size = 127 + 1 + 5 * 8
        copied = ctypes.create_string_buffer(ctypes.string_at(pointer(get(), b"mem_handler"), size))
        copied[0:6] = b"users\\0"
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        set_handler(new(ctypes.addressof(copied), b"mem_handler", None))
        assert multiarray.get_handler_name(np.ones(LARGE)) == "users"
        task = delayed(lambda: multiarray.get_handler_name(np.ones(LARGE)))
        assert task().compute() == "users"
    """,
}


@pytest.mark.parametrize("case", sorted(PROGRAMS))
def test_in_a_process_of_its_own(case):
    head = """
        import sys
        import numpy as np
        import samite
        from samite import delayed
        LARGE = 1 << 20
    """
    if case == "a user's allocator" and np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.skip("the test looks for NumPy's table where NumPy 2 has it")
    program = textwrap.dedent(head) + textwrap.dedent(PROGRAMS[case])
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120,
        env=environment, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "Exception ignored" not in ran.stderr
