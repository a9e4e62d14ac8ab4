"""Labelled arrays of xarray with lazy arrays inside."""

from __future__ import annotations

import numpy as np
import pytest

import samite.array as da

xr = pytest.importorskip("xarray")

from samite.array.xarray import register  # noqa: E402


@pytest.fixture(autouse=True)
def manager():
    from xarray.namedarray.parallelcompat import list_chunkmanagers

    managers = list_chunkmanagers()
    before = dict(managers)
    register()
    yield
    managers.clear()
    managers.update(before)


@pytest.fixture
def as_default():
    before = xr.get_options()["chunk_manager"]
    register(default=True)
    yield
    xr.set_options(chunk_manager=before)


def labelled(data):
    return xr.DataArray(
        data, dims=("x", "y"), coords={"x": np.arange(4.0), "y": np.arange(6.0)}, name="v"
    )


OPERATIONS = {
    "mean": lambda a: a.mean(),
    "std": lambda a: a.std("y"),
    "arithmetic": lambda a: a + a.mean("x"),
    "isel": lambda a: a.isel(x=[0, 2], y=1),
    "points": lambda a: a.isel(x=xr.DataArray([0, 1], dims="p"), y=xr.DataArray([2, 3], dims="p")),
    "where": lambda a: a.where(a > 5).fillna(0),
    "rolling": lambda a: a.rolling(y=3).mean(),
    "coarsen": lambda a: a.coarsen(x=2).sum(),
    "function": lambda a: xr.apply_ufunc(
        lambda v: v.sum(-1), a, input_core_dims=[["y"]], dask="parallelized",
        output_dtypes=[float], dask_gufunc_kwargs={"allow_rechunk": True},
    ),
    "cumsum": lambda a: a.cumsum("y"),
    "concat": lambda a: xr.concat([a, a], "z"),
    "transpose": lambda a: a.T,
    "stack": lambda a: a.stack(z=("x", "y")),
    "largest": lambda a: a.chunk(y=-1).idxmax("y"),
    "quantile": lambda a: a.chunk({"y": -1}).quantile([0.1, 0.5], "y"),
    "weighted along both": lambda a: a.weighted(np.cos(a.x)).mean(("x", "y")),
    "groupby": lambda a: a.groupby(xr.DataArray([0, 1, 0, 1], dims="x", name="g")).mean(),
    "shift": lambda a: a.shift(x=1),
    "pad": lambda a: a.pad(x=1),
    "dot": lambda a: a.dot(a, dim="y"),
    "weighted": lambda a: a.weighted(xr.DataArray([1.0, 2, 3, 4], dims="x")).mean("x"),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_stay_lazy(name):
    values = np.arange(24.0).reshape(4, 6)
    lazy, plain = labelled(da.from_array(values, chunks=(2, 3))), labelled(values)
    result = OPERATIONS[name](lazy)
    assert isinstance(result.data, da.Array)
    xr.testing.assert_allclose(result.compute(), OPERATIONS[name](plain))


def test_files(tmp_path):
    pytest.importorskip("zarr")
    values = np.arange(24.0).reshape(4, 6)
    labelled(da.from_array(values, chunks=2)).to_dataset().to_zarr(tmp_path / "x", zarr_format=2)
    opened = xr.open_zarr(tmp_path / "x", chunked_array_type="samite")
    assert isinstance(opened.v.data, da.Array)
    np.testing.assert_array_equal(opened.v.compute().data, values)


def test_arrays_in_memory_are_cut():
    chunked = labelled(np.arange(24.0).reshape(4, 6)).chunk(2, chunked_array_type="samite")
    assert isinstance(chunked.data, da.Array) and chunked.chunks == ((2, 2), (2, 2, 2))


def test_what_is_chunked_stays_what_it_is(as_default):
    fresh = labelled(np.arange(24.0).reshape(4, 6)).chunk(x=2)
    assert isinstance(fresh.data, da.Array)
    assert isinstance(fresh.chunk(x=-1).data, da.Array)
    result = fresh.chunk(x=-1).interp(x=[0.5, 1.5])
    assert isinstance(result.data, da.Array)
    np.testing.assert_allclose(result.compute().data, fresh.compute().interp(x=[0.5, 1.5]).data)
    dask_array = pytest.importorskip("dask.array")
    theirs = labelled(dask_array.ones((4, 6), chunks=2)).chunk(x=-1)
    assert isinstance(theirs.data, dask_array.Array) and theirs.chunks[0] == (4,)


def test_labels_are_taken_off():
    lazy = da.ones((4, 6), chunks=2)
    assert da.asarray(labelled(lazy)) is lazy
    assert da.from_array(labelled(lazy)) is lazy
    np.testing.assert_array_equal(da.asarray(labelled(np.ones((4, 6)))).compute(), np.ones((4, 6)))


def test_arrays_of_dask_stay_with_dask():
    dask_array = pytest.importorskip("dask.array")
    result = labelled(dask_array.ones((4, 6), chunks=2)).mean("x")
    assert isinstance(result.data, dask_array.Array)


def test_flox_groups_no_such_arrays():
    # It would make Dask's arrays of them; xarray asks whether there is anything else than chunks.
    from xarray.core import _aggregations, groupby

    values = np.ones((4, 6))
    for module in (_aggregations, groupby):
        ask = module.contains_only_chunked_or_numpy
        assert ask(labelled(values)) and ask(labelled(values).to_dataset())
        assert not ask(labelled(da.from_array(values, chunks=2)))
        assert not ask(labelled(da.from_array(values, chunks=2)).to_dataset())
