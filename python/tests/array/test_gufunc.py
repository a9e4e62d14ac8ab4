"""Functions of core axes over loop axes, against NumPy's own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.array as da
from samite.array.gufunc import _parse_gufunc_signature, _validate_normalize_axes

sys.path.insert(0, str(Path(__file__).parent))
from _oracle import chunk_lengths, cut_arrays, same


def cut(draw, values):
    return da.from_array(values, chunks=tuple(draw(chunk_lengths(n)) for n in values.shape))


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_reduction_along_any_axis(data):
    a, x = data.draw(cut_arrays(min_dims=1, min_length=1, dtypes=("f8",), nan=False))
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    keepdims = data.draw(st.booleans())
    y = da.apply_gufunc(
        lambda b: b.sum(axis=-1), "(i)->()", x, axis=axis, keepdims=keepdims, allow_rechunk=True
    )
    same(y, a.sum(axis=axis, keepdims=keepdims))


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_products_broadcast_loop_axes(data):
    i, j, k, n, m = (data.draw(st.integers(1, 4)) for _ in range(5))
    left_loop = data.draw(st.sampled_from([(), (m,), (n, m), (1, m), (n, 1)]))
    right_loop = data.draw(st.sampled_from([(), (m,), (n, m), (1,)]))
    a = np.arange(np.prod((*left_loop, i, j)), dtype=float).reshape(*left_loop, i, j)
    b = np.arange(np.prod((*right_loop, j, k)), dtype=float).reshape(*right_loop, j, k)
    y = da.apply_gufunc(
        np.matmul, "(i,j),(j,k)->(i,k)", cut(data.draw, a), cut(data.draw, b), allow_rechunk=True
    )
    same(y, np.matmul(a, b))


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_axes_of_several_results(data):
    a, x = data.draw(cut_arrays(min_dims=2, max_dims=3, min_length=1, dtypes=("f8",), nan=False))
    at = data.draw(st.permutations(range(a.ndim)))[:2]
    out = data.draw(st.permutations(range(a.ndim)))[:2]

    def both(block):
        return block.sum(axis=(-2, -1)), np.swapaxes(block, -2, -1)

    total, turned = da.apply_gufunc(
        both, "(i,j)->(),(j,i)", x, axes=[tuple(at), (), tuple(out)], allow_rechunk=True
    )
    same(total, a.sum(axis=tuple(at)))
    moved = np.moveaxis(a, at, (-2, -1))
    same(turned, np.moveaxis(np.swapaxes(moved, -2, -1), (-2, -1), out))


def test_vectorize():
    a, b = np.arange(40.0).reshape(4, 2, 5), np.arange(5.0)

    def scaled(rows, row):
        assert rows.shape == (2, 5) and row.shape == (5,)
        return (rows + row).sum(axis=1)

    y = da.apply_gufunc(scaled, "(m, n),(n)->(m)", da.from_array(a, chunks=(3, 2, 5)), b,
                        vectorize=True, output_dtypes=float)  # fmt: skip
    same(y, (a + b).sum(axis=-1))
    same(da.apply_gufunc(lambda v: v + 1, "()->()", da.arange(5, chunks=2), vectorize=True,
                         output_dtypes=int), np.arange(5) + 1)  # fmt: skip


def test_core_axes_of_results_alone():
    a = np.arange(6.0)
    x = da.from_array(a, chunks=4)
    y = da.apply_gufunc(lambda b: np.stack([b, -b], axis=-1), "()->(two)", x,
                        output_sizes={"two": 2})  # fmt: skip
    same(y, np.stack([a, -a], axis=-1))
    with pytest.raises(ValueError, match="output_sizes"):
        da.apply_gufunc(lambda b: np.stack([b, -b], axis=-1), "()->(two)", x)
    number, pair = da.apply_gufunc(
        lambda: (1, np.ones(2)), "->(),(i)", output_dtypes=(int, float), output_sizes={"i": 2}
    )
    same(number, np.array(1))
    same(pair, np.ones(2))


def test_dtypes_and_metas():
    x = da.ones((2, 3), chunks=(1, 3))
    given_dtype = da.apply_gufunc(lambda b: b.sum(axis=-1), "(i)->()", x, output_dtypes="f4")
    assert given_dtype.dtype == "f4"
    metas = (np.empty(0, "f8"), np.empty(0, "i8"))
    mean, count = da.apply_gufunc(
        lambda b: (b.mean(axis=-1), np.full(b.shape[:-1], 3)), "(i)->(),()", x, meta=metas
    )
    same(mean, np.ones(2))
    same(count, np.array([3, 3]))
    with pytest.raises(ValueError, match="Please specify the dtype explicitly"):
        da.apply_gufunc(lambda b: 1 / 0, "()->()", x)
    with pytest.raises(ValueError, match="entries"):
        da.apply_gufunc(lambda b: b, "()->()", x, output_dtypes=(int, int))
    with pytest.raises(ValueError, match="Only one"):
        da.apply_gufunc(lambda b: b, "()->()", x, output_dtypes=int, meta=np.empty(0))


def test_chunks_that_grow_are_cut_along_the_loop():
    x = da.ones((1000, 1000), chunks=(100, 100))
    y = da.apply_gufunc(lambda b: b - b.mean(axis=-1, keepdims=True), "(i)->(i)", x,
                        allow_rechunk=True)  # fmt: skip
    assert y.chunks[1] == (1000,) and max(y.chunks[0]) == 10


def test_wrong_chunks_and_lengths():
    x, y = da.ones((4, 6), chunks=2), da.ones((4, 6), chunks=3)
    with pytest.raises(ValueError, match="multiple chunks"):
        da.apply_gufunc(lambda b: b.sum(axis=-1), "(i)->()", x)
    with pytest.raises(ValueError, match="different chunksize"):
        da.apply_gufunc(np.add, "(),()->()", x, y)
    with pytest.raises(ValueError, match="different lengths"):
        da.apply_gufunc(np.add, "(),()->()", da.ones(3), da.ones(4))
    with pytest.raises(ValueError, match="different lengths"):
        da.apply_gufunc(lambda a, b: a, "(i),(i)->()", da.ones(3), da.ones(4))
    with pytest.raises(ValueError, match="requires 2 arguments"):
        da.apply_gufunc(np.add, "(),()->()", x)
    with pytest.raises(ValueError, match="core axes"):
        da.apply_gufunc(lambda a: a, "(i,j)->()", da.ones(3))


@pytest.mark.parametrize("text", ["(x)(y)->()", "(x),(y)->", "((x))->(x)", "(x)->(x),", "x->x"])
def test_bad_signatures(text):
    with pytest.raises(ValueError, match="signature"):
        _parse_gufunc_signature(text)


def test_signatures():
    assert _parse_gufunc_signature(" (x, y) -> ()") == ([("x", "y")], ())
    assert _parse_gufunc_signature("(),(a)->(b),()") == ([(), ("a",)], [("b",), ()])
    assert _parse_gufunc_signature("->(i)") == ([], ("i",))


@pytest.mark.parametrize(
    ("axes", "axis", "keepdims", "inputs", "outputs"),
    [
        (0, None, False, [("i",)], ()),
        ([(0, 1)], None, False, [("i",)], ()),
        ([0, 0], None, False, [("i",)], ()),
        (None, (0,), False, [("i",)], ()),
        (None, 0, False, [("i",), ("j",)], ()),
        (None, 0, True, [("i",)], ("i",)),
        ([0], 0, False, [("i",)], ()),
        (None, 0, False, [("i", "j")], ()),
    ],
)
def test_bad_axes(axes, axis, keepdims, inputs, outputs):
    with pytest.raises(ValueError, match="ax[ie]s|keepdims"):
        _validate_normalize_axes(axes, axis, keepdims, inputs, outputs)


def test_classes_and_decorators():
    x = da.ones((4, 6), chunks=(2, 3))

    @da.as_gufunc("(i)->()", output_dtypes=float, allow_rechunk=True)
    def total(block):
        """The sum."""
        return block.sum(axis=-1)

    assert total.__doc__.startswith("The sum.") and total.__name__ == "total"
    same(total(x), np.full(4, 6.0))
    with pytest.raises(ValueError, match="multiple chunks"):
        total(x, allow_rechunk=False)
    mean = da.gufunc(np.mean, signature="(i)->()", axis=0, output_dtypes=float, vectorize=True,
                     allow_rechunk=True)  # fmt: skip
    same(mean(x), np.ones(6))


def test_lazy_and_other_arguments():
    x = da.arange(6, chunks=2)
    y = da.apply_gufunc(lambda a, b, c: a + b + c, "(),(),()->()", x, np.arange(6), 1)
    same(y, 2 * np.arange(6) + 1)
    z = da.apply_gufunc(lambda a, more: a + more, "()->()", x, more=5, output_dtypes=int)
    same(z, np.arange(6) + 5)
    w = da.apply_gufunc(lambda a, dtype, name: a.astype(dtype), "()->()", x, dtype="f4", name="b")
    same(w, np.arange(6, dtype="f4"))
    v = da.apply_gufunc(lambda a, more: a + more.sum(), "()->()", x, more=da.ones(3, chunks=1),
                        output_dtypes=float)  # fmt: skip
    same(v, np.arange(6) + 3.0)
