"""Lazy arrays made of what is there, and what NumPy and others make of lazy arrays."""

from __future__ import annotations

import pickle
import xml.etree.ElementTree

import numpy as np
import pytest
from _oracle import DTYPES, chunk_lengths, cut_arrays, same
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.array as da
from samite import config
from samite.array.core import graph_from_arraylike


class Source:
    """A file: it has a shape and a dtype, and takes slices."""

    def __init__(self, values, wrong_from=None, chunks=None):
        self.values, self.wrong_from, self.read = values, wrong_from, []
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim
        if chunks is not None:
            self.chunks = chunks

    def __getitem__(self, index):
        self.read.append(index)
        if self.wrong_from is not None and index[0].start >= self.wrong_from:
            return self.values[:1]
        return self.values[index]


# -- from_array ------------------------------------------------------------------------


@given(cut_arrays(dtypes=(*DTYPES, "M8[s]", "O", "S3", "U2")))
@settings(max_examples=60)
def test_arrays_of_any_dtype(case):
    values, x = case
    assert x.dtype == values.dtype and x.shape == values.shape
    np.testing.assert_array_equal(x.compute(scheduler="sync"), values)


@given(st.data())
@settings(max_examples=40)
def test_a_source_is_read_by_slices(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    source = Source(np.arange(np.prod(shape)).reshape(shape))
    x = da.from_array(source, chunks=tuple(data.draw(chunk_lengths(n)) for n in shape), name=False)
    assert source.read == []
    np.testing.assert_array_equal(x.compute(scheduler="sync"), source.values)
    assert len(source.read) == x.npartitions


def test_only_what_is_needed_is_read():
    source = Source(np.arange(100))
    da.from_array(source, chunks=10, name=False)[35:37].compute(scheduler="sync")
    assert source.read == [(slice(30, 40),)]


def test_a_source_that_gives_another_shape(scheduler):
    x = da.from_array(Source(np.ones((6, 2)), wrong_from=4), chunks=2, name=False)
    with pytest.raises(ValueError, match=r"a part of shape \(1, 2\)"):
        x.compute(scheduler=scheduler)
    same(x[:4], np.ones((4, 2)))


@pytest.mark.parametrize("lock", [False, True])
def test_a_function_that_reads(lock):
    def read(source, index):
        return source[index] * 2

    x = da.from_array(Source(np.arange(6)), chunks=4, name=False, getitem=read, lock=lock)
    same(x, np.arange(6) * 2)
    y = da.from_array(
        Source(np.arange(6)), chunks=4, name=False, getitem=read, lock=lock, asarray=False
    )
    same(y, np.arange(6) * 2)


def test_later_changes_do_not_count():
    values = np.zeros(6)
    x = da.from_array(values, chunks=3)
    single = da.from_array(values, chunks=-1)
    values[:] = 1
    same(x, np.zeros(6))
    same(single, np.zeros(6))


def test_results_belong_to_the_caller(scheduler):
    x = da.from_array(np.zeros(3), chunks=-1)
    kept = (x + 1).persist(scheduler=scheduler)
    for lazy, value in ((x, 0), (kept, 1)):
        lazy.compute(scheduler=scheduler)[0] = 99
        np.asarray(lazy)[0] = 99
        assert lazy.compute(scheduler=scheduler)[0] == value


def test_memory_maps_are_not_read_at_once(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(20))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    x = da.from_array(mapped, chunks=5)
    # What is added to the file later is read, since nothing was read before.
    with open(tmp_path / "x.npy", "r+b") as file:
        file.seek(-8, 2)
        file.write(np.array([99]).tobytes())
    same(x, np.array([*range(19), 99]))


def test_automatic_chunks_are_multiples_of_stored_ones():
    with config.set({"array.chunk-size": "95B"}):
        x = da.from_array(Source(np.zeros(100, "u1"), chunks=(30,)), name=False)
        assert x.chunks == ((90, 10),)
        assert da.asarray(np.zeros(1000)).npartitions > 1


def test_names():
    values = np.ones(10)
    x = da.from_array(values, chunks=2)
    assert da.from_array(values, chunks=2).name == x.name
    assert da.from_array(values, chunks=5).name != x.name
    assert da.from_array(values, chunks=2, name="x").name == "x"
    assert da.from_array(values, name=False).name != da.from_array(values, name=False).name


@pytest.mark.parametrize("inline", [False, True])
def test_how_a_source_is_in_the_graph(inline):
    source = Source(np.ones(4))
    graph = graph_from_arraylike(source, 2, (4,), "x", inline_array=inline)
    assert len(graph.layers) == (1 if inline else 2)
    assert any(value is source for value in dict(graph).values()) is not inline


def test_what_cannot_be_made_an_array():
    with pytest.raises(ValueError, match="already"):
        da.from_array(da.ones(3))
    with pytest.raises(ValueError, match="same length"):
        da.from_array(np.ones((4, 4)), chunks=(2,))
    with pytest.raises(AttributeError, match="shape"):
        da.from_array(object())
    with pytest.raises(NotImplementedError, match="Python objects"):
        da.from_array(np.array(["a", None], dtype=object))


# -- lazy values -----------------------------------------------------------------------


def test_from_delayed():
    x = da.from_delayed(samite.delayed(np.ones)((5, 3)), shape=(5, 3), dtype=float)
    same(x + 1, np.full((5, 3), 2.0))
    with pytest.raises(ValueError, match="meta or dtype"):
        da.from_delayed(samite.delayed(np.ones)(3), shape=(3,))
    wrong = da.from_delayed(samite.delayed(np.ones)(3), shape=(4,), dtype=float)
    with pytest.raises(ValueError, match=r"said to have the shape \(4,\)"):
        wrong.compute()
    unknown = da.from_delayed(samite.delayed(np.ones)(3), shape=(np.nan,), dtype=float)
    same(unknown.compute_chunk_sizes(), np.ones(3))


def test_to_delayed():
    x = da.from_array(np.arange(16).reshape(4, 4), chunks=2)
    parts = (x + 10).to_delayed()
    assert parts.shape == (2, 2)
    np.testing.assert_array_equal(parts[1, 0].compute(), (np.arange(16).reshape(4, 4) + 10)[2:, :2])


@given(cut_arrays(min_dims=1, max_dims=3, dtypes=("i4",)))
@settings(max_examples=40)
def test_compute_chunk_sizes(case):
    values, x = case
    picked, expected = x, values
    if all(values.shape):
        first = (slice(None),) + (0,) * (x.ndim - 1)
        picked, expected = x[x[first] > 0], values[values[first] > 0]
    assert picked.compute_chunk_sizes() is picked
    assert picked.shape == expected.shape
    same(picked, expected)


# -- asarray, NumPy and pickle -----------------------------------------------------------


def test_asarray():
    x = da.ones(3)
    assert da.asarray(x) is x
    assert da.asarray(x, dtype="f8") is x
    same(da.asarray([1, 2, 3], np.float32), np.asarray([1, 2, 3], np.float32))
    same(da.asarray([x, x + 1]), np.array([np.ones(3), np.full(3, 2.0)]))
    same(da.asarray(5), np.asarray(5))
    same(da.array(x, ndmin=3), np.ones((1, 1, 3)))
    masked = da.asanyarray(np.ma.masked_equal([1, 2], 2))
    assert isinstance(masked.compute(), np.ma.MaskedArray)


def test_numpy_takes_arrays():
    x = da.arange(6, chunks=3)
    assert np.asarray(x, dtype="f4").dtype == "f4"
    with pytest.warns(FutureWarning, match="memory view"):
        np.asarray(x, copy=False)
    with pytest.warns(FutureWarning, match="ignored"):
        x.__array__(something=1)


def test_numbers():
    x = da.from_array(np.array([3]), chunks=1)
    assert int(x) == 3 and float(x) == 3.0 and complex(x) == 3 and bool(x)
    with pytest.raises(TypeError, match="one-element"):
        int(da.ones(2))
    with pytest.raises(ValueError, match="ambiguous"):
        bool(da.ones(2))


@given(cut_arrays(dtypes=("i8", "f8")))
@settings(max_examples=20)
def test_pickle(case):
    values, x = case
    same(pickle.loads(pickle.dumps(x)), values)


def test_facts_follow_from_chunks():
    x = da.ones(4, chunks=1)
    y = x.copy()
    y._chunks = ((2, 2), (0,))
    assert (y.shape, y.ndim, y.numblocks) == ((4, 0), 2, (2, 1))
    assert x.__dask_keys__() != y.__dask_keys__()
    with pytest.raises(TypeError, match=r"rechunk\(2\)"):
        x.chunks = 2


# -- view --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["i8", "i4", "i2", "f8", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_view(dtype, order):
    values = np.arange(64).reshape(8, 8)
    x = da.from_array(values, chunks=(2, 3))
    expected = values.view(dtype) if order == "C" else np.asfortranarray(values).T.view(dtype).T
    same(x.view(dtype, order=order), expected)


def test_views_that_are_not_possible():
    x = da.ones(8, chunks=3, dtype="i1")
    with pytest.raises(ValueError, match="whole elements"):
        x.view("i4")
    with pytest.raises(ValueError, match="order"):
        x.view("i1", order="K")


# -- other libraries -----------------------------------------------------------------------


class Chunk(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of another library that can be a chunk."""

    __array_priority__ = 20

    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape, self.ndim, self.dtype = self.values.shape, self.values.ndim, self.values.dtype

    def __array__(self, *args, **kwargs):
        return np.asarray(self.values, *args, **kwargs)

    def __getitem__(self, index):
        return Chunk(self.values[index])

    def __array_function__(self, function, types, args, kwargs):
        return NotImplemented

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        inputs = [part.values if isinstance(part, Chunk) else part for part in inputs]
        if any(isinstance(part, da.Array) for part in inputs):
            return NotImplemented
        return Chunk(getattr(ufunc, method)(*inputs, **kwargs))


class Above(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that has lazy arrays inside."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return self


def test_who_takes_the_lead():
    x, other, chunk = da.ones(3), Above(), Chunk(np.ones(3))
    assert x.__add__(other) is NotImplemented
    assert (x + other) is other and (other + x) is other and np.add(x, other) is other
    assert x.__add__(chunk) is NotImplemented
    da.register_chunk_type(Chunk)
    assert isinstance(x + chunk, da.Array) and isinstance(chunk + x, da.Array)
    with pytest.raises(TypeError, match="unsupported operand"):
        x + type("Odd", (), {"shape": "round"})()


def test_backends():
    x = da.ones(3)
    assert x.to_backend() is x and x.to_backend("numpy") is x
    with pytest.raises(ValueError, match="No backend dispatch registered for missing"):
        x.to_backend("missing")
    sparse = pytest.importorskip("sparse")
    y = da.from_array(np.eye(4), chunks=2).map_blocks(sparse.COO)
    assert "chunktype=sparse.COO" in repr(y)
    same(y.to_backend("numpy"), np.eye(4))
    np.testing.assert_array_equal(y.compute().todense(), np.eye(4))


def test_creation_with_another_library():
    from samite.array.backends import ArrayBackendEntrypoint, array_creation_dispatch

    class Sevens(ArrayBackendEntrypoint):
        @staticmethod
        def ones(shape, **kwargs):
            return da.full(shape, 7, **kwargs)

        @staticmethod
        def full(*args, **kwargs):
            from samite.array import creation

            return creation.full(*args, **kwargs)

    array_creation_dispatch.register_backend("sevens", Sevens())
    with config.set({"array.backend": "sevens"}):
        same(da.ones(3, dtype=int), np.full(3, 7))
        with pytest.raises(NotImplementedError):
            da.zeros(3)
    with config.set({"array.backend": "missing"}), pytest.raises(ValueError, match="missing"):
        da.ones(3)
    same(da.ones(3), np.ones(3))


def test_plugins():
    made = []
    with config.set(array_plugins=[made.append]):
        x = da.ones(10, chunks=5)
        y = x + 1
    assert [array.name for array in made][-2:] == [x.name, y.name]
    with config.set(array_plugins=[lambda array: array.compute()]):
        assert isinstance(da.ones(3), np.ndarray)


def test_data_frames_of_arrays():
    import pandas as pd

    values = np.arange(12.0).reshape(6, 2)
    frame = da.from_array(values, chunks=(4, 1)).to_dask_dataframe(columns=["a", "b"])
    assert frame.npartitions == 2 and frame.divisions == (0, 4, 5)
    pd.testing.assert_frame_equal(frame.compute(), pd.DataFrame(values, columns=["a", "b"]))
    series = da.ones(5, chunks=2).map_blocks(pd.Series, meta=pd.Series([], dtype=float))
    assert series.npartitions == 3 and not series.known_divisions
    assert len(series.compute()) == 5


# -- pictures ----------------------------------------------------------------------------


@pytest.mark.parametrize("ndim", range(1, 8))
def test_pictures(ndim):
    x = da.ones((4,) * ndim, chunks=2)
    picture = xml.etree.ElementTree.fromstring(x.to_svg())
    assert picture.tag.endswith("svg")
    assert xml.etree.ElementTree.fromstring(x._repr_html_()) is not None


def test_pictures_of_many_chunks_stay_small():
    assert da.ones((10_000, 3, 10_000), chunks=(1, 1, 100)).to_svg().count("\n") < 300


def test_nothing_to_draw():
    for x, message in [
        (da.ones(()), "0 dimensions"),
        (da.ones((0, 3)), "0-length"),
        (da.ones(3)[da.ones(3) > 0], "unknown chunk sizes"),
    ]:
        with pytest.raises(NotImplementedError, match=message):
            x.to_svg()
        assert xml.etree.ElementTree.fromstring(x._repr_html_()) is not None
