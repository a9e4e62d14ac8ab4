"""Arrays written to targets and files, and read from them again."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest
from _oracle import chunk_lengths, same
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.array as da
from samite.array import PerformanceWarning


class Target:
    """What can be written to; without a shape or anything else."""

    def __init__(self, fail=None):
        self.written, self.fail = [], fail

    def __setitem__(self, place, value):
        if self.fail is not None and place[0].start >= self.fail:
            raise OSError("no space left on device")
        self.written.append((place, value))


# -- store -----------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=60)
def test_regions(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    region, whole = [], []
    for length in shape:
        start, step = data.draw(st.integers(0, 3)), data.draw(st.integers(1, 3))
        stop = start + (length - 1) * step + 1
        region.append(slice(start, stop, step))
        whole.append(stop + data.draw(st.integers(0, 2)))
    values = np.arange(1, np.prod(shape) + 1).reshape(shape)
    x = da.from_array(values, chunks=tuple(data.draw(chunk_lengths(n)) for n in shape))
    target, expected = np.zeros(whole, int), np.zeros(whole, int)
    da.store(x, target, regions=tuple(region))
    expected[tuple(region)] = values
    np.testing.assert_array_equal(target, expected)


def test_several_sources(scheduler):
    x = da.ones((4, 4), chunks=2)
    one, other = np.zeros((4, 4)), np.zeros((4, 4))
    assert da.store([x + 1, x + 2], [one, other], scheduler="threads") is None
    assert (one == 2).all() and (other == 3).all()


@pytest.mark.parametrize("return_stored", [False, True])
@pytest.mark.parametrize("compute", [False, True])
def test_what_is_returned(compute, return_stored):
    x = da.ones((4, 4), chunks=2) + 1
    target = np.zeros((4, 4))
    result = x.store(target, compute=compute, return_stored=return_stored)
    if compute and not return_stored:
        assert result is None
        return
    assert (target == 2).all() == compute
    values = result.compute()
    assert (target == 2).all()
    if return_stored:
        same(result, np.full((4, 4), 2.0))
    else:
        assert values.size == 0


def test_lazy_targets():
    made = []

    def make():
        made.append(np.zeros((4, 4)))
        return made[-1]

    x = da.ones((4, 4), chunks=2)
    da.store(x, samite.delayed(make, pure=False)(), scheduler="threads")
    assert len(made) == 1
    assert (made[0] == 1).all()


def test_tasks_are_shared():
    calls = []
    x = da.ones((4, 4), chunks=2).map_blocks(lambda b: calls.append(1) or b, meta=np.empty((0, 0)))
    stored = [da.store(x + n, np.zeros((4, 4)), compute=False) for n in (1, 2)]
    samite.compute(*stored, scheduler="sync")
    assert len(calls) == 4


def test_a_write_that_fails_raises(scheduler):
    x = da.ones((8, 8), chunks=2)
    with pytest.raises(OSError, match="no space left"):
        da.store(x, Target(fail=4), scheduler=scheduler)
    lazy = da.store(x, Target(fail=4), compute=False)
    with pytest.raises(OSError, match="no space left"):
        lazy.compute(scheduler=scheduler)


def test_a_lock_is_held_and_let_go():
    class Lock:
        def __init__(self):
            self.inner, self.taken, self.given = threading.Lock(), 0, 0

        def acquire(self, *args, **kwargs):
            self.taken += 1
            return self.inner.acquire(*args, **kwargs)

        def release(self):
            self.given += 1
            self.inner.release()

    lock = Lock()
    da.store(da.ones((4, 4), chunks=2), np.zeros((4, 4)), lock=lock, scheduler="threads")
    assert lock.taken == lock.given == 4
    with pytest.raises(OSError):
        da.store(da.ones((4, 4), chunks=2), Target(fail=0), lock=lock, scheduler="threads")
    assert lock.taken == lock.given > 4


def test_what_does_not_fit():
    x = da.ones((4, 4), chunks=2)
    with pytest.raises(ValueError, match="Different number of sources"):
        da.store([x], [np.zeros((4, 4))] * 2)
    with pytest.raises(ValueError, match="regions"):
        da.store([x, x], [np.zeros((4, 4))] * 2, regions=[(slice(None),)])
    with pytest.raises(ValueError, match="lazy arrays"):
        da.store([np.zeros((4, 4))], [np.zeros((4, 4))])
    with pytest.raises(ValueError, match=r"does not fit .* \(3, 3\)"):
        da.store(x, np.zeros((3, 3)))
    with pytest.raises(ValueError, match="region"):
        da.store(x, np.zeros((4, 4)), regions=(slice(0, 2), slice(0, 2)))
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        da.store(x[x > 0], np.zeros(16))


def test_a_chunk_of_the_wrong_shape_is_not_repeated():
    x = da.ones((4, 4), chunks=2).map_blocks(lambda b: b[:1], meta=np.empty((0, 0)))
    with pytest.raises(ValueError, match=r"a chunk of shape \(1, 2\)"):
        da.store(x, np.zeros((4, 4)))


def test_copies_in_other_processes_are_told_of():
    with pytest.warns(UserWarning, match="lost"):
        da.store(da.ones(4, chunks=2), np.zeros(4), scheduler="processes")


@pytest.mark.parametrize("part", [np.s_[:], np.s_[3:7], np.s_[2:3, 1:5]], ids=str)
@pytest.mark.parametrize("order", ["C", "F"])
def test_other_processes_write_to_mapped_files(tmp_path, part, order):
    # The array begins anywhere in the file.
    mapped = np.memmap(tmp_path / "a", "i4", "w+", 4100, (8, 6), order)
    target = mapped[part]
    x = da.arange(target.size, chunks=-1).reshape(target.shape).rechunk((3, 2))
    if target.flags.c_contiguous or target.flags.f_contiguous:
        da.store(x, target, scheduler="processes")
        np.testing.assert_array_equal(target, np.arange(target.size).reshape(target.shape))
        assert mapped.sum() == target.sum()
    else:
        with pytest.raises(RuntimeError, match=r"numpy\.memmap in the memory of another process"):
            da.store(x, target, scheduler="processes")


def test_other_processes_do_not_write_to_zarr_arrays_in_memory():
    zarr = pytest.importorskip("zarr")
    target = zarr.zeros((4, 4), chunks=(2, 2))
    refused = pytest.raises(RuntimeError, match="zarr.Array in the memory of another process")
    with samite.config.set(scheduler="processes"), refused:
        da.ones((4, 4), chunks=2).to_zarr(target)
    assert not target[:].any()


# -- files -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (5, 6)])
def test_zarr(tmp_path, shape, version):
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    x = da.from_array(values, chunks=2)
    x.to_zarr(tmp_path / "x", zarr_format=version)
    back = da.from_zarr(tmp_path / "x")
    same(back, values)
    if 0 not in shape:
        assert back.chunks == x.chunks


def test_zarr_groups_and_modes(tmp_path):
    x = da.ones((4, 4), chunks=2)
    x.to_zarr(str(tmp_path), component="group/x")
    with pytest.raises(ValueError, match="exists"):
        (x + 1).to_zarr(str(tmp_path), component="group/x")
    same(da.from_zarr(str(tmp_path), component="group/x"), np.ones((4, 4)))
    (x + 1).to_zarr(str(tmp_path), component="group/x", mode="w")
    same(da.from_zarr(str(tmp_path), component="group/x", chunks=(4, 1)), np.full((4, 4), 2.0))
    with pytest.raises(ValueError, match="Cannot use mode='r'"):
        x.to_zarr(str(tmp_path), mode="r")
    with pytest.raises(FileNotFoundError):
        da.from_zarr(str(tmp_path / "nothing"))


@pytest.mark.parametrize("compute", [False, True])
def test_zarr_returns_what_was_stored(tmp_path, compute):
    x = da.ones((4, 4), chunks=2)
    same(x.to_zarr(tmp_path / "x", compute=compute, return_stored=True), np.ones((4, 4)))


@given(st.data())
@settings(max_examples=30)
def test_regions_of_zarr_never_lose_what_is_written(data):
    zarr = pytest.importorskip("zarr")
    length = data.draw(st.integers(1, 30))
    start = data.draw(st.integers(0, 7))
    stored = zarr.create_array({}, shape=(40,), chunks=(data.draw(st.integers(1, 6)),), dtype="i8")
    x = da.from_array(np.arange(1, length + 1), chunks=(data.draw(chunk_lengths(length)),))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PerformanceWarning)
        x.to_zarr(stored, region=(slice(start, start + length),))
    expected = np.zeros(40, int)
    expected[start : start + length] = np.arange(1, length + 1)
    np.testing.assert_array_equal(stored[:], expected)


def test_zarr_shards(tmp_path):
    pytest.importorskip("zarr")
    x = da.arange(60, chunks=3)
    x.to_zarr(tmp_path / "x", shards=(12,))
    back = da.from_zarr(tmp_path / "x")
    same(back, np.arange(60))
    assert back.chunks == x.chunks


def test_zarr_warns_of_what_it_changes(tmp_path):
    zarr = pytest.importorskip("zarr")
    with pytest.warns(UserWarning, match="irregular"):
        da.ones(6, chunks=((1, 3, 2),)).to_zarr(tmp_path / "x")
    with pytest.warns(PerformanceWarning, match="rechunked along axis 0"):
        da.ones(6, chunks=2).to_zarr(zarr.create_array({}, shape=(6,), chunks=(3,), dtype="f8"))


def test_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    values = np.arange(12.0).reshape(3, 4)
    x = da.from_array(values, chunks=2)
    path = tmp_path / "x.hdf5"
    x.to_hdf5(path, "/x")
    da.to_hdf5(path, {"/y": x + 1, "/z": da.ones(())})
    with h5py.File(path) as file:
        assert file["x"].chunks == (2, 2)
        lazy = da.from_array(file["x"], chunks=(2, 3))
        same(lazy, values)
        same(lazy[:, None, ::-1], values[:, None, ::-1])
        np.testing.assert_array_equal(file["y"][:], values + 1)
    with pytest.raises(ValueError, match="dictionary"):
        da.to_hdf5(path, x)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_npy_stack(tmp_path, axis):
    values = np.arange(60).reshape(3, 4, 5)
    x = da.from_array(values, chunks=2)
    da.to_npy_stack(tmp_path / "stack", x, axis=axis)
    back = da.from_npy_stack(tmp_path / "stack")
    same(back, values)
    np.save(tmp_path / "stack" / "0.npy", values[:1, :1, :1])
    with pytest.raises(ValueError, match="description"):
        da.from_npy_stack(tmp_path / "stack").compute()


def test_a_stack_cannot_run_code(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    with open(tmp_path / "info", "wb") as file:
        pickle.dump({"chunks": Evil()}, file)
    with pytest.raises(pickle.UnpicklingError):
        da.from_npy_stack(tmp_path)


def test_tiledb_is_asked_for():
    try:
        import tiledb  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match="pip install tiledb"):
            da.ones(3).to_tiledb("somewhere")


# -- locks -----------------------------------------------------------------------------


def test_a_lock_that_holds_between_processes(tmp_path):
    from samite.array.locking import ProcessLock

    lock, path = ProcessLock(), tmp_path / "count"
    path.write_text("0")

    def count(n):
        with lock:
            now = int(path.read_text())
            path.write_text(str(now + 1))

    tasks = [samite.delayed(count, pure=False)(n) for n in range(40)]
    samite.compute(*tasks, scheduler="processes")
    samite.compute(*tasks, scheduler="threads")
    assert path.read_text() == "80"
    assert lock.acquire() and not lock.acquire(blocking=False)
    lock.release()
