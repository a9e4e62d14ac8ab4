"""Reductions against NumPy's."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.array as da

sys.path.insert(0, str(Path(__file__).parent))
from _oracle import cut_arrays, same

NAMES = "sum prod min max mean std var any all nansum nanprod nanmin nanmax nanmean nanstd nanvar"


@pytest.mark.parametrize("name", NAMES.split())
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_like_numpy(name, data):
    values, lazy = data.draw(cut_arrays(min_length=0 if "m" not in name[-3:] else 1))
    axis = data.draw(
        st.one_of(
            st.none(),
            st.sets(st.integers(0, values.ndim - 1)).map(tuple) if values.ndim else st.none(),
        )
    )
    keepdims = data.draw(st.booleans())
    split_every = data.draw(st.sampled_from([None, 2, 3]))
    if name in ("std", "var", "nanstd", "nanvar") and values.dtype.kind == "?":
        return  # NumPy subtracts no booleans.
    try:
        expected = getattr(np, name)(values, axis=axis, keepdims=keepdims)
    except ValueError:
        with pytest.raises(ValueError):
            getattr(da, name)(lazy, axis=axis, keepdims=keepdims).compute()
        return
    result = getattr(da, name)(lazy, axis=axis, keepdims=keepdims, split_every=split_every)
    same(result, expected)


@pytest.mark.parametrize("name", ["argmin", "argmax", "nanargmin", "nanargmax"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_positions_like_numpy(name, data):
    values, lazy = data.draw(cut_arrays(min_length=1, dtypes=("i4", "f8", "?")))
    axis = data.draw(
        st.one_of(st.none(), *([st.integers(0, values.ndim - 1)] if values.ndim else []))
    )
    keepdims = data.draw(st.booleans())
    function = getattr(da, name)
    try:
        expected = getattr(np, name)(values, axis=axis, keepdims=keepdims)
    except ValueError:
        with pytest.raises(ValueError):
            function(lazy, axis=axis).compute()
        return
    same(function(lazy, axis=axis, keepdims=keepdims, split_every=2), expected)


@pytest.mark.parametrize("dtype", ["f2", "f4", "i1", "u4", "?"])
@pytest.mark.parametrize("name", ["sum", "prod", "mean", "std"])
def test_dtype_of_result(name, dtype):
    values = np.arange(6).astype(dtype)
    if name == "std" and dtype == "?":
        values = values.astype("i8")  # NumPy subtracts no booleans.
    same(getattr(da.from_array(values, chunks=2), name)(), getattr(values, name)())


@pytest.mark.parametrize("name", ["sum", "min", "max", "mean", "var", "std"])
def test_masked_elements_do_not_count(name):
    values = np.ma.masked_greater(np.arange(12.0).reshape(3, 4), 6)
    lazy = da.from_array(values, chunks=(2, 3))
    assert isinstance(lazy._meta, np.ma.MaskedArray)
    for axis in (None, 0, 1):
        got = getattr(lazy, name)(axis=axis).compute()
        expected = getattr(values, name)(axis=axis)
        np.testing.assert_array_equal(np.ma.getmaskarray(got), np.ma.getmaskarray(expected))
        np.testing.assert_allclose(np.ma.filled(got, 0), np.ma.filled(expected, 0))


def test_variance_far_from_zero():
    values = np.arange(1000) + 1e9
    assert da.from_array(values, chunks=7).var(split_every=3).compute() == pytest.approx(
        values.var(), rel=1e-9
    )


def test_tree_is_as_deep_as_asked():
    x = da.ones(27, chunks=1, dtype=object)
    assert len(x.sum(split_every=3).dask.layers) == len(x.sum(split_every=27).dask.layers) + 2
    assert x.sum(split_every=2).compute() == 27


def test_reduction_of_own_functions(scheduler):
    x = da.from_array(np.arange(12.0).reshape(3, 4), chunks=2)
    result = da.reduction(x, chunk=np.sum, aggregate=np.sum, axis=0, dtype="f8")
    same(result, np.arange(12.0).reshape(3, 4).sum(axis=0), scheduler)


def test_errors():
    x = da.ones((2, 3), chunks=1)
    with pytest.raises(ValueError, match="out of bounds"):
        x.sum(axis=2)
    with pytest.raises(ValueError, match="empty"):
        da.ones((0,), chunks=1).argmin()
    with pytest.raises(ValueError, match="unknown chunksize"):
        x[x > 0].argmax()
    with pytest.raises(TypeError, match="Array"):
        x.sum(out=np.zeros(()))


@pytest.mark.parametrize("kind", ["m8[s]", "M8[D]", "O", "f2", "g"])
@pytest.mark.parametrize("name", ["sum", "min", "max", "mean", "nanmax", "argmax", "std"])
def test_other_dtypes(kind, name):
    values = (np.arange(30).reshape(5, 6) * 7 % 11).astype(kind)
    lazy = da.from_array(values, chunks=2)
    for axis in (None, 0, 1):
        try:
            expected = getattr(np, name)(values, axis=axis)
        except TypeError:
            with pytest.raises(TypeError):
                getattr(da, name)(lazy, axis=axis).compute()
            continue
        got = getattr(da, name)(lazy, axis=axis).compute(scheduler="synchronous")
        if np.asarray(expected).dtype.kind in "fO":
            np.testing.assert_allclose(
                np.asarray(got, dtype=float), np.asarray(expected, dtype=float), rtol=1e-2
            )
        else:
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("shape", [(0, 6), (5, 0), (0, 0)])
@pytest.mark.parametrize("name", ["sum", "argmax", "max", "mean"])
def test_arrays_without_elements(shape, name):
    values = np.zeros(shape)
    for axis in (None, 0, 1):
        try:
            expected = getattr(np, name)(values, axis=axis)
        except ValueError:
            with pytest.raises(ValueError):
                getattr(da, name)(da.from_array(values, chunks=2), axis=axis).compute()
            continue
        same(getattr(da, name)(da.from_array(values, chunks=2), axis=axis), expected)


def test_weights():
    values = np.arange(12.0).reshape(3, 4)

    def weighted_sum(block, axis, keepdims, weights=None):
        return np.sum(block * weights, axis=axis, keepdims=keepdims)

    lazy = da.from_array(values, chunks=2)
    for weights in (np.arange(4.0), np.arange(3.0)[:, None], np.ones((3, 4))):
        result = da.reduction(lazy, weighted_sum, np.sum, axis=1, weights=weights, dtype="f8")
        same(result, (values * weights).sum(axis=1))
    for weights in (np.ones(3), np.ones((1, 1, 1))):
        with pytest.raises(ValueError, match="broadcast"):
            da.reduction(lazy, weighted_sum, np.sum, weights=weights)


def test_second_part_alone():
    """Made by others who have results for chunks already."""
    from samite.array.reductions import _tree_reduce

    values = np.arange(24).reshape(4, 6)
    lazy = da.from_array(values, chunks=2)
    parts = lazy.map_blocks(
        lambda block: {"sum": block.sum(axis=1, keepdims=True)}, meta=np.empty((0, 0), dtype=object)
    )

    def together(nested, axis, keepdims):
        found = nested if isinstance(nested, list) else [nested]
        while isinstance(found[0], list):
            found = [part for inner in found for part in inner]
        return {"sum": sum(part["sum"] for part in found)}

    def finish(nested, axis, keepdims):
        return together(nested, axis, keepdims)["sum"]

    result = _tree_reduce(
        parts, finish, axis=(1,), keepdims=True, dtype=values.dtype, split_every=2,
        combine=together, concatenate=False, name="own",
    )  # fmt: skip
    assert result.name.startswith("own-aggregate-")
    np.testing.assert_array_equal(result.compute(), values.sum(axis=1, keepdims=True))


def test_chunks_of_nothing_but_nan_are_silent():
    """What filters of warnings say is left alone by tasks in threads."""
    import warnings

    values = np.full((4, 4), np.nan)
    values[0, 0] = 1
    lazy = da.from_array(values, chunks=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        assert da.nanmax(lazy).compute(scheduler="threads") == 1
        assert da.nanmean(lazy).compute(scheduler="threads") == 1
        assert warnings.filters == before


@pytest.mark.parametrize(("kept", "joined"), [(1000, 16), (300_000, 4)])
def test_fewer_blocks_are_joined_at_a_time_where_they_keep_many_positions(kept, joined):
    """What waits to be joined takes memory; who asks for a number gets it."""
    rows = da.ones((40, kept), chunks=(1, kept))
    by_itself, asked = rows.sum(axis=0), rows.sum(axis=0, split_every=joined)
    assert len(dict(by_itself.__dask_graph__())) == len(dict(asked.__dask_graph__()))
    other = rows.sum(axis=0, split_every=20 - joined)
    assert len(dict(other.__dask_graph__())) != len(dict(asked.__dask_graph__()))
    with samite.config.set(split_every=2):
        assert len(dict(rows.sum(axis=0).__dask_graph__())) > len(dict(asked.__dask_graph__()))
    assert (by_itself.compute() == 40).all()
