"""Functions of Python's in native expressions: equal to Dask's results, whatever the blocks are."""

from __future__ import annotations

import functools
import pickle
import threading
from operator import add

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import samite
import samite.array as da
from samite import delayed

dda = pytest.importorskip("dask.array")

CHUNKS = ((3, 4, 2), (5, 1, 2))
VALUES = np.random.default_rng(3).normal(size=(9, 8))


def both(make, values=VALUES, chunks=CHUNKS, native=True):
    """What ``make`` gives for our array and Dask's; equal in values, dtype, shape and chunks."""
    ours, theirs = (
        make(da, da.from_array(values, chunks)),
        make(dda, dda.from_array(values, chunks)),
    )
    assert (ours._expr is not None) is native
    assert ours.dtype == theirs.dtype
    assert str(ours.chunks) == str(theirs.chunks)
    general = samite.get(ours.dask, ours.__dask_keys__())
    result, expected = ours.compute(), theirs.compute(scheduler="synchronous")
    assert type(result) is type(expected)
    assert getattr(result, "dtype", None) == getattr(expected, "dtype", None)
    assert_array_equal(result, expected)
    assert_array_equal(da.core.assemble(_lists(general), ours.ndim) if ours.ndim else general[0],
                       expected)  # fmt: skip
    return ours


def _lists(parts):
    return [_lists(part) for part in parts] if isinstance(parts, tuple) else parts


def double(block):
    return block * 2


def total(block, axis=None):
    return block.sum(axis=axis)


CASES = {
    "plain": lambda a, x: x.map_blocks(double),
    "chain": lambda a, x: ((x + 1).map_blocks(np.sqrt) * 3).map_blocks(np.floor) + 1,
    "dtype": lambda a, x: x.map_blocks(lambda b: b.astype("f4"), dtype="f4"),
    "bools": lambda a, x: x.map_blocks(np.isnan),
    "kwargs": lambda a, x: x.map_blocks(lambda b, k, m=0: b + k + m, 5, m=np.arange(1.0)[0]),
    "two arrays": lambda a, x: a.map_blocks(lambda p, q: p - q, x, x + 3),
    "broadcast": lambda a, x: a.map_blocks(add, x, x[0]),
    "broadcast one": lambda a, x: a.map_blocks(add, x, x[:1], dtype=float),
    "block_id": lambda a, x: x.map_blocks(
        lambda b, block_id: b + 10 * block_id[0] + block_id[1], dtype=float),
    "block_info": lambda a, x: x.map_blocks(
        lambda b, block_info: b + block_info[0]["array-location"][1][0] + sum(
            block_info[None]["chunk-shape"]), dtype=float),
    "drop_axis": lambda a, x: x.map_blocks(total, axis=1, drop_axis=1, dtype=float),
    "drop_axis first": lambda a, x: x.map_blocks(total, axis=0, drop_axis=0, dtype=float),
    "new_axis": lambda a, x: x.map_blocks(lambda b: b[None], new_axis=0, dtype=float),
    "new_axis sizes": lambda a, x: x.map_blocks(
        lambda b: np.stack([b, b]), new_axis=0, chunks=(2, *x.chunks), dtype=float),
    "chunks": lambda a, x: x.map_blocks(
        lambda b: b[:1, :2], chunks=((1, 1, 1), (2, 1, 2)), dtype=float),
    "no arrays": lambda a, x: a.map_blocks(
        lambda block_id: np.full((2, 3), block_id[0]), chunks=((2, 2), (3,)), dtype=int),
    "ndim": lambda a, x: x.map_blocks(double, enforce_ndim=True),
    "slice behind": lambda a, x: x.map_blocks(double)[2:7, ::-1],
    "slice in front": lambda a, x: x[2:7, ::2].map_blocks(double),
    "take": lambda a, x: x.map_blocks(double)[[4, 0, 8]],
    "sum": lambda a, x: x.map_blocks(np.round).sum(axis=0),
    "all sums": lambda a, x: x.map_blocks(np.round).sum(),
    "extremes": lambda a, x: x.map_blocks(double).max(axis=1) - x.map_blocks(double).min(),
    "argmax": lambda a, x: x.map_blocks(double).argmax(axis=1),
    "any": lambda a, x: (x.map_blocks(double) > 1).any(axis=1, keepdims=True),
    "cumsum": lambda a, x: x.map_blocks(np.round).cumsum(axis=0),
    "nancumsum": lambda a, x: a.nancumsum(x.map_blocks(np.round), axis=1),
    "nansum": lambda a, x: a.nansum(x.map_blocks(np.round), axis=1),
    "rechunk": lambda a, x: x.map_blocks(double).rechunk((2, 3)),
    "reshape": lambda a, x: x.map_blocks(double).reshape((72,)),
    "transpose": lambda a, x: x.map_blocks(double).T.map_blocks(double),
    "concatenate": lambda a, x: a.concatenate([x.map_blocks(double), x], axis=0),
    "stack": lambda a, x: a.stack([x.map_blocks(double), x.map_blocks(np.abs)]),
    "where": lambda a, x: a.where(x.map_blocks(double) > 0, x, -1.0),
    "astype": lambda a, x: x.map_blocks(double).astype("i4"),
    "broadcast_to": lambda a, x: a.broadcast_to(x.map_blocks(double), (3, 9, 8)),
    "blockwise": lambda a, x: a.blockwise(add, "ij", x, "ij", 1, None, dtype=float),
    "blockwise swapped": lambda a, x: a.blockwise(np.transpose, "ji", x, "ij", dtype=float),
    "blockwise joined": lambda a, x: a.blockwise(
        total, "i", x, "ij", axis=1, concatenate=True, dtype=float),
    "blockwise outer": lambda a, x: a.blockwise(
        np.multiply.outer, "ij", x[:, 0], "i", x[0], "j", dtype=float),
    "blockwise new": lambda a, x: a.blockwise(
        lambda b: b[..., None] + np.arange(3), "ijk", x, "ij", new_axes={"k": 3}, dtype=float),
    "blockwise adjusted": lambda a, x: a.blockwise(
        lambda b: np.repeat(b, 2, axis=0), "ij", x, "ij", adjust_chunks={"i": lambda n: 2 * n},
        dtype=float),
    "along axis": lambda a, x: a.apply_along_axis(np.ptp, 1, x),
    "gufunc": lambda a, x: a.apply_gufunc(
        lambda b: b.max(axis=-1), "(i)->()", x.rechunk((4, -1)), output_dtypes=float),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(CASES))
def test_functions_of_blocks(case):
    both(CASES[case])


@pytest.mark.parametrize("boundary", ["none", "reflect", "periodic", "nearest", 7.5])
@pytest.mark.parametrize("depth", [1, (2, 1), {0: 1}, 0])
@pytest.mark.parametrize("trim", [True, False])
def test_overlapping_blocks(boundary, depth, trim):
    def make(a, x):
        return a.map_overlap(
            lambda b: b + np.roll(b, 1, axis=0), x, depth=depth, boundary=boundary, trim=trim,
            dtype=float,
        )  # fmt: skip

    both(make, chunks=((3, 4, 2), (4, 2, 2)))


def test_overlap_of_different_boundaries():
    depth = {0: 2, 1: 3}
    for first, second in [("reflect", 1.5), (2.0, "periodic"), (3.0, 4.0), ("none", "nearest")]:
        both(lambda a, x: a.overlap.overlap(x, depth, {0: first, 1: second}), chunks=(4, 4))


def test_overlap_of_one_side():
    both(
        lambda a, x: a.map_overlap(
            lambda b: b * 1.0, x, depth={0: (2, 0), 1: (0, 1)}, boundary="none", dtype=float
        )
    )
    both(lambda a, x: a.lib.stride_tricks.sliding_window_view(x, (2, 2)).max(axis=(2, 3)),
         chunks=((3, 4, 2), (4, 4)))  # fmt: skip


UNEXPECTED = {
    "dtype": lambda a, x: x.map_blocks(lambda b: b.astype("f4"), dtype="f8"),
    "dtype, then more": lambda a, x: x.map_blocks(lambda b: b.astype("i4"), dtype="f8")[1:] + 1,
    "sum": lambda a, x: x.map_blocks(lambda b: b.astype("i4"), dtype="f8").sum(axis=0),
    "shape": lambda a, x: x.map_blocks(lambda b: b[::2], dtype="f8"),
    "masked": lambda a, x: a.ma.filled(
        x.map_blocks(lambda b: np.ma.masked_less(b, 0), dtype="f8", meta=np.zeros((0, 0))), 0.5),
    "objects": lambda a, x: x.map_blocks(lambda b: b.astype(object), dtype="f8"),
    "one block only": lambda a, x: x.map_blocks(
        lambda b, block_id: b if block_id != (2, 2) else b.astype("i4"), dtype="f8"),
    "a number": lambda a, x: x.map_blocks(lambda b: 3.0, chunks=(1, 1), dtype="f8").map_blocks(
        lambda b: np.full((1, 1), b), dtype="f8"),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(UNEXPECTED))
def test_blocks_that_are_not_what_was_said(case):
    make = UNEXPECTED[case]
    ours = make(da, da.from_array(VALUES, CHUNKS))
    theirs = make(dda, dda.from_array(VALUES, CHUNKS))
    assert ours._expr is not None or case == "masked"
    for _ in range(2):
        result, expected = ours.compute(), theirs.compute(scheduler="synchronous")
        assert type(result) is type(expected)
        assert result.dtype == expected.dtype
        assert_array_equal(result, expected)
    # From now on it is known that its blocks are something else.
    assert ours._expr is None


def test_unexpected_blocks_persist():
    x = da.from_array(VALUES, CHUNKS).map_blocks(lambda b: b.astype("f4"), dtype="f8")
    y = x.persist()
    assert y.compute().dtype == np.dtype("f4")
    assert_array_equal(y.compute(), VALUES.astype("f4"))


def test_errors_are_the_functions_own():
    class Wrong(Exception):
        pass

    def fail(block):
        if block.size:
            raise Wrong("no")
        return block

    with pytest.raises(Wrong, match="no"):
        (da.from_array(VALUES, CHUNKS).map_blocks(fail) + 1).sum().compute()


def test_names_are_those_of_the_graph():
    x = da.from_array(VALUES, CHUNKS)
    one, two = x.map_blocks(double), x.map_blocks(double)
    assert one.name == two.name
    assert one._expr is two._expr or one.name == two.name
    assert x.map_blocks(double, name="mine").name == "mine"
    assert x.map_blocks(double, token="mine").name.startswith("mine-")
    assert one.name.startswith("double-")
    y = (one + 1)[2:]
    assert (y.name, 0, 0) in dict(y.dask)
    assert set(y.dask.layers) >= {one.name, y.name}


def test_the_same_call_is_made_once():
    calls = []

    def count(block):
        calls.append(block.shape)
        return block + 1

    x = da.from_array(VALUES, CHUNKS)
    meta = np.empty((0, 0))
    y = x.map_blocks(count, meta=meta)
    one, two = samite.compute(y.sum(), x.map_blocks(count, meta=meta).max())
    assert len(calls) == 9
    assert one == pytest.approx((VALUES + 1).sum())
    assert two == (VALUES + 1).max()
    calls.clear()
    first, second = samite.compute(y, y)
    assert len(calls) == 9
    assert_array_equal(first, second)


def test_results_belong_to_the_caller():
    constant = np.arange(6.0).reshape(2, 3)
    x = da.zeros((2, 3), chunks=(2, 3))
    result = x.map_blocks(lambda b: constant, dtype=float).compute()
    result[:] = -1
    assert_array_equal(constant, np.arange(6.0).reshape(2, 3))
    identity = da.from_array(constant, chunks=(2, 3)).map_blocks(lambda b: b)
    result = identity.compute()
    result[:] = -1
    assert_array_equal(identity.compute(), constant)


def test_functions_may_write_to_their_argument():
    def change(block):
        block += 1
        return block

    for x in (da.from_array(VALUES, CHUNKS), da.from_array(VALUES, CHUNKS).persist(),
              da.from_array(VALUES, CHUNKS).map_blocks(double).persist()):  # fmt: skip
        expected = x.compute() + 1
        y = x.map_blocks(change, dtype=float)
        assert_array_equal(y.compute(), expected)
        assert_array_equal(y.compute(), expected)
        assert_array_equal(y.map_blocks(change, dtype=float).compute(), expected + 1)


def memory_of(block):
    """Where the memory begins that an array is a view of."""
    return block.__array_interface__["data"][0]


def test_blocks_that_are_read_again_are_passed_without_a_copy():
    places = []

    def total(block):
        assert not block.flags.writeable
        places.append((memory_of(block), block.shape))
        return block.sum(keepdims=True)

    for x in (da.from_array(VALUES, CHUNKS), (da.from_array(VALUES, CHUNKS) + 1).persist()):
        places.clear()
        expected = [[b.compute().sum() for b in row] for row in rows_of_blocks(x)]
        chunks = tuple((1,) * n for n in x.numblocks)
        y = x.map_blocks(total, chunks=chunks, meta=np.empty((0, 0)))
        for _ in range(2):
            assert np.allclose(y.compute(scheduler="synchronous"), expected)
        assert len(places) == 2 * x.npartitions
        assert places[: x.npartitions] == places[x.npartitions :]


def test_parts_of_a_file_are_copied_where_it_does_not_fit(tmp_path):
    """Pages of a file that were read stay in memory for as long as it is mapped."""
    file = np.memmap(tmp_path / "x.bin", dtype=float, mode="w+", shape=(1024, 1024))
    file[:] = np.arange(1024.0)
    in_file = []

    def total(block):
        in_file.append(np.shares_memory(block, file))
        return block.sum(keepdims=True)

    x = da.from_array(file, chunks=256)
    y = x.map_blocks(total, chunks=(1, 1), meta=np.empty((0, 0))).sum()
    for limit, expected in (("4 MB", [False] * 16), ("1 GB", [True] * 16)):
        assert y.compute(memory_limit=limit) == file.sum()
        assert in_file == expected
        in_file.clear()


def rows_of_blocks(x):
    return [[x.blocks[i, j] for j in range(x.numblocks[1])] for i in range(x.numblocks[0])]


def test_a_function_that_writes_is_called_again_with_a_copy():
    calls = []

    def clear(block):
        calls.append(block.flags.writeable)
        block[...] = 0
        return block

    x = da.from_array(VALUES, CHUNKS)
    y = x.map_blocks(clear, meta=np.empty((0, 0)))
    assert not y.compute(scheduler="synchronous").any()
    assert calls == [False] + [True] * x.npartitions
    calls.clear()
    assert not y.compute(scheduler="synchronous").any()
    assert calls == [True] * x.npartitions
    assert_array_equal(x.compute(), VALUES)


def test_nothing_has_changed_when_a_function_is_called_again():
    """It wrote to the block that is its own, and failed at the one that it shares."""

    def exchange(mine, shared):
        mine += shared
        shared[...] = 0
        return mine + shared

    x = da.from_array(VALUES, CHUNKS)
    own = x.map_blocks(double, dtype=float)
    y = da.map_blocks(exchange, own, x, dtype=float)
    assert_array_equal(y.compute(), 3 * VALUES)
    assert_array_equal(x.compute(), VALUES)


def test_results_that_are_views_of_what_was_lent():
    x = da.from_array(VALUES, CHUNKS)

    def change(block):
        assert block.flags.writeable
        block += 1
        return block

    for view in (lambda b: b, lambda b: b[::-1][::-1], lambda b: np.broadcast_to(b, b.shape)):
        y = x.map_blocks(view, dtype=float).map_blocks(change, dtype=float)
        assert_array_equal(y.compute(), VALUES + 1)
        assert y.compute().flags.writeable
    assert_array_equal(x.compute(), VALUES)


def test_other_errors_of_functions_that_read_are_not_tried_again():
    calls = []

    def fail(block):
        calls.append(1)
        raise ValueError("no such thing")

    y = da.from_array(VALUES, CHUNKS).map_blocks(fail, meta=np.empty((0, 0)))
    with pytest.raises(ValueError, match="no such thing"):
        y.compute(scheduler="synchronous")
    assert len(calls) == 1


def test_an_error_that_speaks_of_writing_is_raised_if_a_copy_does_not_help():
    def fail(block):
        raise ValueError("the device is read-only")

    y = da.from_array(VALUES, CHUNKS).map_blocks(fail, meta=np.empty((0, 0)))
    with pytest.raises(ValueError, match="the device is read-only"):
        y.compute()


def test_lazy_arguments_and_chunks_of_other_kinds_go_the_general_way():
    x = da.from_array(VALUES, CHUNKS)
    y = x.map_blocks(add, delayed(3), dtype=float)
    assert y._expr is None
    assert_array_equal(y.compute(), VALUES + 3)
    assert x.map_blocks(lambda b: b.astype(object), dtype=object)._expr is None
    unknown = x[x[:, 0] > 0]
    assert unknown.map_blocks(double)._expr is None
    with samite.annotate(retries=3):
        assert x.map_blocks(double).dask.layers[x.map_blocks(double).name].annotations


def test_functions_run_in_the_processes_that_were_asked_for():
    import os

    x = da.zeros(4, chunks=1).map_blocks(lambda b: b + os.getpid(), dtype=float)
    assert os.getpid() not in set(x.compute(scheduler="processes", num_workers=2))
    assert set(x.compute()) == {os.getpid()}


def test_schedulers_agree():
    y = (da.from_array(VALUES, CHUNKS).map_blocks(double) + 1)[2:]
    expected = (VALUES * 2 + 1)[2:]
    assert_array_equal(y.compute(scheduler="synchronous"), expected)
    assert_array_equal(y.compute(scheduler="processes", num_workers=2), expected)
    assert_array_equal(samite.compute(y, delayed(1))[0], expected)
    with samite.config.set(array_optimize=None):
        assert_array_equal(y.compute(), expected)


def test_pickles():
    y = (da.from_array(VALUES, CHUNKS).map_blocks(double) + 1)[2:]
    again = pickle.loads(pickle.dumps(y))
    assert again.name == y.name
    assert_array_equal(again.compute(), y.compute())


def test_persisted_results_go_on_natively():
    y = da.from_array(VALUES, CHUNKS).map_blocks(double)
    z = y.persist()
    assert z.name == y.name
    assert z._expr is not None
    assert_array_equal((z + 1).compute(), VALUES * 2 + 1)
    assert_array_equal(z.map_blocks(double).compute(), VALUES * 4)


def test_context_variables_and_threads():
    here = threading.get_ident()
    x = da.zeros(4, chunks=1)
    threads = x.map_blocks(lambda b: b + (threading.get_ident() == here), dtype=float)
    assert threads.compute().sum() == 0
    assert threads.compute(scheduler="synchronous").sum() == 4


# -- sources ---------------------------------------------------------------------------------


class Source:
    """An array that remembers what was read of it."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.ndim = values.ndim
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return self.values[index]


def test_sources_are_read_by_blocks():
    source = Source(VALUES)
    x = da.from_array(source, chunks=CHUNKS)
    assert x._expr is not None
    assert_array_equal(x.compute(), VALUES)
    assert len(source.read) == 9
    assert source.read.count((slice(0, 3, None), slice(0, 5, None))) == 1


def test_slices_read_no_more_than_they_need():
    source = Source(VALUES)
    x = da.from_array(source, chunks=CHUNKS)
    assert_array_equal(((x + 1)[4:6, 5:7] * 2).compute(), (VALUES[4:6, 5:7] + 1) * 2)
    assert sorted((i.start, i.stop, j.start, j.stop) for i, j in source.read) == [
        (4, 6, 5, 6),
        (4, 6, 6, 7),
    ]
    source.read.clear()
    assert_array_equal(x[4].compute(), VALUES[4])
    assert all(i == slice(4, 5, None) for i, _ in source.read)
    source.read.clear()
    assert_array_equal(x[::-1, ::3].compute(), VALUES[::-1, ::3])
    assert_array_equal(x[[8, 0, 4], 2:].compute(), VALUES[[8, 0, 4], 2:])
    assert_array_equal(x[3:8].rechunk((2, 5)).compute(), VALUES[3:8])
    assert all(part.step is None for index in source.read for part in index)


def test_sources_under_a_lock_and_readers_of_ones_own():
    lock = threading.Lock()
    held = []

    class Locked(Source):
        def __getitem__(self, index):
            held.append(lock.locked())
            return super().__getitem__(index)

    x = da.from_array(Locked(VALUES), chunks=CHUNKS, lock=lock)
    assert_array_equal(x[1:].sum(axis=0).compute(), da.from_array(VALUES, CHUNKS)[1:].sum(0))
    assert held and all(held)

    read = []

    def reader(source, index):
        read.append(index)
        return source.values[index] + 1

    x = da.from_array(Source(VALUES), chunks=CHUNKS, getitem=reader)
    assert_array_equal(x[4:6].compute(), VALUES[4:6] + 1)
    # Who reads in a way of their own is asked for blocks alone.
    assert all(i == slice(3, 7, None) for i, _ in read)


def test_sources_that_give_something_else():
    class Shorter(Source):
        def __getitem__(self, index):
            return super().__getitem__(index)[:1]

    with pytest.raises(ValueError, match="shape"):
        da.from_array(Shorter(VALUES), chunks=CHUNKS).compute()

    class Halves(Source):
        def __getitem__(self, index):
            return super().__getitem__(index).astype("f4")

    x = da.from_array(Halves(VALUES), chunks=CHUNKS)
    assert x.compute().dtype == np.dtype("f4")


def test_a_source_without_axes():
    x = da.from_array(Source(np.array(3.5)), chunks=())
    assert (x + 1).compute() == 4.5


def test_arrays_of_lazy_values():
    calls = []

    def load(n):
        calls.append(n)
        return np.full((2, 3), float(n))

    parts = [da.from_delayed(delayed(load)(n), (2, 3), float) for n in range(5)]
    x = da.concatenate(parts)
    assert x._expr is not None
    expected = np.repeat(np.arange(5.0), 2)[:, None] + np.zeros(3)
    assert_array_equal((x + 1).compute(), expected + 1)
    assert sorted(calls) == list(range(5))
    calls.clear()
    assert_array_equal(x[4:5].compute(), expected[4:5])
    assert calls == [2]
    assert_array_equal(x.compute(scheduler="synchronous"), expected)
    shared = delayed(load)(1)
    calls.clear()
    y = da.from_delayed(shared, (2, 3), float) + da.from_delayed(shared, (2, 3), float)
    assert_array_equal(y.compute(), np.full((2, 3), 2.0))
    assert calls == [1]
    both = delayed(lambda v: [v, v])(shared)
    z = da.from_delayed(both[0], (2, 3), float) + da.from_delayed(both[1], (2, 3), float)
    calls.clear()
    assert_array_equal(z.compute(), np.full((2, 3), 2.0))
    assert calls == [1]
    with pytest.raises(ValueError, match="shape"):
        da.from_delayed(delayed(load)(1), (3, 3), float).compute()
    assert da.from_delayed(delayed(load)(1), (2, 3), "i8").compute().dtype == np.dtype(float)


def test_partial_functions_and_methods():
    x = da.from_array(VALUES, CHUNKS)
    assert_array_equal(x.map_blocks(functools.partial(np.add, 1)).compute(), VALUES + 1)

    class Adder:
        def __call__(self, block):
            return block + 2

        def method(self, block):
            return block + 3

    assert_array_equal(x.map_blocks(Adder()).compute(), VALUES + 2)
    assert_array_equal(x.map_blocks(Adder().method).compute(), VALUES + 3)


def test_long_chains():
    x = da.from_array(VALUES, CHUNKS)
    for _ in range(300):
        x = x.map_blocks(double) / 2
    assert_array_equal(x.compute(), VALUES)
    assert len(x.name) > 10


def test_no_work_for_each_chunk_when_it_is_written():
    """Writing takes as long for many chunks as for few."""
    import time

    def seconds(n):
        x = da.zeros(n, chunks=1)
        began = time.perf_counter()
        y = (x.map_blocks(double, dtype=float) + 1).sum()
        assert y._expr is not None
        return time.perf_counter() - began

    seconds(10)
    few = min(seconds(10) for _ in range(5))
    many = min(seconds(100_000) for _ in range(5))
    # The lengths of the blocks are looked at, a hundred thousand of them.
    assert many < few + 0.5


def test_native_arrays_stay_native_beside_others(monkeypatch):
    from samite import _engine

    runs = []
    run = _engine.run_arrays
    monkeypatch.setattr(
        _engine, "run_arrays", lambda exprs, **kw: runs.append(len(exprs)) or run(exprs, **kw)
    )
    x = da.from_array(VALUES, CHUNKS)
    objects = da.from_array(VALUES.astype(object), CHUNKS)
    one, two, three = samite.compute(x + 1, objects + 1, x.sum())
    assert runs == [2]
    assert_array_equal(one, VALUES + 1)
    assert_array_equal(two, VALUES.astype(object) + 1)
    assert three == pytest.approx(VALUES.sum())
    # What is shared is computed once, so that these stay together.
    runs.clear()
    y = x + 1
    one, two = samite.compute(y, y.astype(object))
    assert runs == []
    assert_array_equal(one, VALUES + 1)
    assert_array_equal(two, (VALUES + 1).astype(object))


def test_annotations_are_kept():
    x = da.from_array(VALUES, CHUNKS).map_blocks(double)
    with samite.annotate(retries=2):
        y = x + 1
    assert dict(y.dask.layers[y.name].annotations) == {"retries": 2}
    assert not y.dask.layers[x.name].annotations
    assert_array_equal(y.compute(), VALUES * 2 + 1)


def test_results_without_axes_are_what_the_function_gives():
    x = da.from_array(np.arange(3.0), chunks=3)
    for function in (np.sum, lambda b: np.asarray(b.sum()), lambda b: b[2:].reshape(())):
        y = x.map_blocks(function, drop_axis=0, dtype=float)
        expected = function(np.arange(3.0))
        for result in (y.compute(), y.persist().compute()):
            assert type(result) is type(expected)
            assert result == expected


def test_lazy_arguments_of_functions_of_vectors_are_computed_once():
    x, by = da.arange(12.0, chunks=4).reshape(3, 4), da.arange(3.0, chunks=2)
    kinds = set()

    def scaled(vector, by, plus):
        kinds.update((type(by), type(plus)))
        return vector @ by + plus

    got = da.apply_along_axis(scaled, 0, x, by, plus=by.sum(), dtype=float, shape=())
    expected = np.arange(3.0) @ np.arange(12.0).reshape(3, 4) + 3
    np.testing.assert_allclose(got.compute(), expected)
    assert not any(issubclass(kind, da.Array) for kind in kinds)
