"""Universal functions, one by one, against NumPy."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

import samite.array as da

sys.path.insert(0, str(Path(__file__).parent))
from _oracle import same

UFUNCS = sorted(
    name
    for name in dir(np)
    if name in np.__all__  # other packages put functions of their own there
    and isinstance(getattr(np, name), np.ufunc)
    and getattr(np, name).signature is None
)
SAMPLES = {
    "i": np.array([[1, 2, 3, 5], [4, 0, 7, 2]]),
    "f": np.array([[0.5, -2.0, np.nan, 0.25], [np.inf, 0.0, -0.0, 1.5]]),
    "c": np.array([[1 + 2j, 0j, -3j, 2 - 1j]]),
    "?": np.array([True, False, True]),
    "M": np.array(["2000-01-01", "NaT", "2001-01-01"], dtype="M8[D]"),
}


def results(function, *args):
    try:
        return function(*args)
    except TypeError:
        return None


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("name", UFUNCS)
def test_ufunc(name, kind):
    function, lazy_function = getattr(np, name), getattr(da, name)
    a = SAMPLES[kind]
    b = a[..., ::-1] if kind != "i" else abs(a[..., ::-1]) % 4 + 1
    args = (a, b)[: function.nin]
    lazy = tuple(da.from_array(arg, chunks=2) for arg in args)
    expected = results(function, *args)
    if expected is None:
        with pytest.raises((TypeError, ValueError)):
            lazy_function(*lazy).compute()
        return
    for call in (function, lazy_function):
        got = call(*lazy)
        pairs = zip(got, expected) if function.nout > 1 else [(got, expected)]
        for one, other in pairs:
            same(one, other)


@pytest.mark.parametrize(
    "name", ["angle", "fix", "i0", "iscomplex", "isreal", "nan_to_num", "real", "imag", "sinc"]
)
@pytest.mark.parametrize("kind", "ifc")
def test_function(name, kind):
    a = SAMPLES[kind]
    try:
        expected = getattr(np, name)(a)
    except TypeError:
        return
    x = da.from_array(a, chunks=2)
    same(getattr(da, name)(x), expected)
    same(getattr(np, name)(x), expected)


@pytest.mark.parametrize("name", ["add", "hypot", "maximum", "power"])
def test_outer(name):
    a, b = np.array([1.0, 2.0, 3.0]), np.array([[1.0, 2.0], [0.0, 4.0]])
    x, y = da.from_array(a, chunks=2), da.from_array(b, chunks=1)
    same(getattr(da, name).outer(x, y), getattr(np, name).outer(a, b))
    same(getattr(np, name).outer(x, b), getattr(np, name).outer(a, b))
    same(getattr(da, name).outer(x, 2), getattr(np, name).outer(a, 2))
    with pytest.raises(ValueError, match="binary"):
        da.sin.outer(x, y)


def test_where_and_out():
    a = np.arange(6.0)
    x = da.from_array(a, chunks=4)
    out = da.ones(6, chunks=3)
    np.add(x, 1, where=x > 2, out=out)
    same(out, np.add(a, 1, where=a > 2, out=np.ones(6)))
    with pytest.raises(TypeError, match="Array"):
        np.add(x, 1, out=a)


def test_functions_of_python():
    bits = da.frompyfunc(lambda n: n.bit_count() if hasattr(n, "bit_count") else 0, 1, 1)
    x = da.arange(5, chunks=2)
    got = bits(x)
    assert got.dtype == object
    assert got.compute().tolist() == [bin(n).count("1") for n in range(5)]
    assert da.frompyfunc(divmod, 2, 1).nin == 2
    with pytest.raises(NotImplementedError, match="one output"):
        da.frompyfunc(divmod, 2, 2)
    again = pickle.loads(pickle.dumps(da.add))
    same(again(x, 1), np.arange(5) + 1)
    assert da.add.nin == 2 and da.add.identity == 0


def test_names_of_arguments_that_numpy_uses():
    a = np.arange(6.0) / 4
    x = da.from_array(a, chunks=4)
    same(np.clip(x, a_min=0.3, a_max=1), np.clip(a, 0.3, 1))
    same(np.clip(x, 0.5, None), np.clip(a, 0.5, None))
    same(np.round(x, decimals=1), np.round(a, 1))
    out = da.zeros(6, chunks=3)
    np.round(x, 1, out=out)
    same(out, np.round(a, 1))
