"""Arrays as collections: the protocol, creation, reading, storing, and top-level functions."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.array as da
from samite.graph_manipulation import bind, checkpoint, clone, wait_on
from samite.highlevelgraph import HighLevelGraph

sys.path.insert(0, str(Path(__file__).parent))
from _oracle import same


def test_attributes():
    x = da.ones((5, 4), chunks=(2, 3), dtype="f4")
    assert x.shape == (5, 4) and x.ndim == 2 and x.size == 20 and len(x) == 5
    assert x.chunks == ((2, 2, 1), (3, 1)) and x.chunksize == (2, 3)
    assert x.numblocks == (3, 2) and x.npartitions == 6
    assert x.itemsize == 4 and x.nbytes == 80 and x.dtype == "f4"
    assert x.__dask_keys__()[2] == [(x.name, 2, 0), (x.name, 2, 1)]
    assert isinstance(x.dask, HighLevelGraph) and x.__dask_layers__() == (x.name,)
    assert "shape=(5, 4)" in repr(x) and "float32" in repr(x)
    with pytest.raises(TypeError, match="rechunk"):
        x.chunks = 1


def test_top_level_functions(scheduler):
    a = np.arange(10.0)
    x = da.from_array(a, chunks=3)
    total, doubled = samite.compute(x.sum(), {"d": [x * 2]}, scheduler=scheduler)
    assert total == 45
    np.testing.assert_array_equal(doubled["d"][0], a * 2)
    (kept,) = samite.persist(x + 1, scheduler=scheduler)
    assert len(kept.dask) == 4
    same(kept, a + 1, scheduler)
    (optimized,) = samite.optimize((x + 1) * 2)
    assert len(optimized.dask.layers) == 1
    same(optimized, (a + 1) * 2, scheduler)
    assert samite.delayed(np.sum)([x, x]).compute(scheduler=scheduler) == 90


def test_graph_manipulation():
    a = np.arange(6)
    x = da.from_array(a, chunks=2) + 1
    same(clone(x), a + 1)
    assert not set(clone(x).dask.layers) & set(x.dask.layers)
    same(bind(x, samite.delayed(print)("")), a + 1)
    same(wait_on(x), a + 1)
    assert checkpoint(x).compute() is None


def test_elementwise_layers_are_joined_without_tasks():
    x = da.ones((100, 100), chunks=1, dtype=object)
    y = (x + 1).map_blocks(lambda b, block_id=None: b * 2 + block_id[0]) - x
    assert not any(layer.is_materialized() for layer in y.dask.layers.values())
    joined = y.__dask_optimize__(y.dask, y.__dask_keys__())
    assert len(joined.layers) == 1


def test_settings_replace_the_optimizer():
    x = da.ones(4, chunks=2) + 1
    seen = []

    def look(dsk, keys, **kwargs):
        seen.append(type(dsk))
        return dsk

    with samite.config.set(array_optimize=look):
        assert x.sum().compute() == 8
    assert seen == [HighLevelGraph]


def test_annotations_survive_optimization():
    with samite.annotate(priority=5):
        x = da.ones(4, chunks=2, dtype=object)
    y = (x + 1).rechunk(1)[::-1]
    optimized = y.__dask_optimize__(y.dask, y.__dask_keys__())
    assert any(
        (layer.annotations or {}).get("priority") == 5 for layer in optimized.layers.values()
    )


def test_annotations_of_native_arrays_are_those_of_their_tasks():
    with samite.annotate(priority=5):
        x = da.ones(4, chunks=2) + 1
    assert {"priority": 5} in [layer.annotations for layer in x.dask.layers.values()]
    y = (x + 1).rechunk(1)[::-1]
    assert {"priority": 5} in [layer.annotations for layer in y.dask.layers.values()]
    same(y, np.full(4, 3.0))


def test_native_arrays_are_pickled_as_such():
    x = (da.arange(10, chunks=3) * 2).sum(keepdims=True)
    copy = pickle.loads(pickle.dumps(x))
    assert copy._expr is not None and copy.name == x.name
    same(copy, np.array([90]))


def test_pickle_and_tokens():
    x = da.arange(10, chunks=3) * 2
    same(pickle.loads(pickle.dumps(x)), np.arange(10) * 2)
    assert x.name == (da.arange(10, chunks=3) * 2).name
    assert x.name != (da.arange(10, chunks=3) * 3).name
    a = np.arange(3)
    assert da.from_array(a).name == da.from_array(a.copy()).name
    assert da.from_array(a, name=False).name != da.from_array(a, name=False).name


def test_out_takes_over():
    x = da.arange(4, chunks=2)
    np.add(x, 1, out=x)
    same(x, np.arange(4) + 1)
    with pytest.raises(ValueError, match="shape"):
        np.add(x, 1, out=da.ones(5, chunks=2))


@pytest.mark.parametrize("name", ["ones", "zeros", "full"])
@pytest.mark.parametrize("shape", [(), 3, (0,), (2, 5)])
def test_filled(name, shape):
    args = (7,) if name == "full" else ()
    same(getattr(da, name)(shape, *args, chunks=2), getattr(np, name)(shape, *args))
    a = np.ones(shape, dtype="i2")
    same(getattr(da, f"{name}_like")(a, *args), getattr(np, f"{name}_like")(a, *args))


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(-20, 20),
    stop=st.integers(-20, 20),
    step=st.sampled_from([1, 2, -3, 0.3, -0.7]),
    chunks=st.integers(1, 7),
)
def test_ranges(start, stop, step, chunks):
    same(da.arange(start, stop, step, chunks=chunks), np.arange(start, stop, step))
    same(da.linspace(start, stop, 9, chunks=chunks), np.linspace(start, stop, 9))


def test_eye():
    for k in (-7, -1, 0, 2, 9):
        same(da.eye(5, chunks=2, M=7, k=k), np.eye(5, 7, k=k))


class Slices:
    """An array-like object that has nothing but slices, and remembers what was read."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.ndim = array, array.shape, array.dtype, array.ndim
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return self.array[index]


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("lock", [True, False])
def test_from_array_reads_what_is_needed(inline, lock):
    a = np.arange(20).reshape(4, 5)
    source = Slices(a)
    x = da.from_array(source, chunks=(2, 5), lock=lock, inline_array=inline, name="s")
    np.testing.assert_array_equal(x[:2].compute(scheduler="synchronous"), a[:2])
    assert source.read == [(slice(0, 2), slice(0, 5))]


def test_from_array_of_memory_map(tmp_path, scheduler):
    a = np.arange(12.0).reshape(3, 4)
    a.tofile(tmp_path / "a")
    x = da.from_array(np.memmap(tmp_path / "a", dtype="f8", shape=(3, 4)), chunks=2)
    same(x + 1, a + 1, scheduler)


def test_results_are_not_the_caller_s_own_array():
    a = np.arange(3)
    da.from_array(a).compute()[0] = 9
    assert a[0] == 0


def test_delayed_both_ways(scheduler):
    x = da.from_delayed(samite.delayed(np.ones)(3), (3,), dtype=float)
    same(x, np.ones(3), scheduler)
    same(da.from_func(np.arange, (4,), dtype=int, args=(4,)), np.arange(4))
    parts = da.arange(5, chunks=2).to_delayed()
    assert parts.shape == (3,)
    np.testing.assert_array_equal(parts[1].compute(scheduler=scheduler), [2, 3])


def test_store():
    x = da.arange(6, chunks=4).reshape(2, 3)
    target, other = np.zeros((2, 3), int), np.zeros((5, 5), int)
    assert da.store([x, x * 2], [target, other], regions=[None, (slice(1, 3), slice(0, 3))]) is None
    np.testing.assert_array_equal(target, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(other[1:3, :3], target * 2)
    target[:] = 0
    later = x.store(target, compute=False)
    assert not target.any()
    later.compute()
    assert target[1, 2] == 5
    with pytest.raises(ValueError, match="does not fit"):
        x.store(np.zeros(4))


def test_compute_chunk_sizes():
    x = da.arange(6, chunks=2)
    x = x[x > 2]
    assert np.isnan(x.shape[0])
    assert x.compute_chunk_sizes() is x and x.chunks == ((0, 1, 2),)
    same(x[1:], [4, 5])


def test_automatic_chunks():
    with samite.config.set({"array.chunk-size": "1 MiB"}):
        x = da.ones((4096, 4096))
    assert max(x.chunksize) * max(x.chunksize) * 8 <= 2**20
    assert x.npartitions < 200
    assert da.ones((10, 4096, 4096), chunks=("auto", -1, "64 MiB")).numblocks[1] == 1


def test_chunk_errors():
    for chunks in ((3, 3), ((2, 2), (4,)), None, (-2, 4)):
        with pytest.raises(ValueError):
            da.ones((3, 4), chunks=chunks) if chunks != (3, 3) else da.ones(3, chunks=chunks)
    assert da.core.normalize_chunks({1: 2}, shape=(3, 4)) == ((3,), (2, 2))


def test_samite_alone_does_not_import_numpy():
    code = "import samite, sys; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
