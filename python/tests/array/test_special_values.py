"""Functions of elements at all special values, and at numbers of every size: NumPy's answers.

What NumPy gives that is not finite, zero or not a float has to be the same. Other results may be
off by a little more than NumPy's are, measured against a wider type.
"""

from __future__ import annotations

import operator

import numpy as np
import pytest

import samite.array as da

FLOATS = ("f2", "f4", "f8")
WIDER = {"f2": "f8", "f4": "f8", "f8": "g"}
# Units in the last place; the inverse hyperbolic cosine near one is the worst of all.
MOST_OFF = 2.5


def ufuncs(inputs):
    """The universal functions of NumPy's namespace with so many inputs and one result."""
    found = {f for f in vars(np).values() if isinstance(f, np.ufunc) and not f.signature}
    return sorted((f for f in found if f.nin == inputs and f.nout == 1), key=lambda f: f.__name__)


def special(dtype):
    info = np.finfo(dtype)
    positive = [
        0.0, np.inf, info.max, info.tiny, info.smallest_subnormal, info.eps, 1 + info.eps,
        1 - info.epsneg, 1, 2, 3, 0.5, 1 / 3, 1.5, 2.5, 7, 100, 1e4, np.pi, np.pi / 2, np.pi / 4,
        # Where exponentials and hyperbolic functions leave the range of each type.
        11.09, 17.3, 87.3, 88.72, 88.73, 103.9, 104, 708.4, 709.78, 709.79, 745.1, 745.2,
    ]  # fmt: skip
    values = np.array(positive).astype(dtype)
    return np.concatenate([values, -values, np.array([np.nan], dtype)])


def of_all_sizes(dtype, count=20_000):
    """Random bits, all powers of two and their neighbours, whole and half numbers; of two bytes
    all there are."""
    dtype = np.dtype(dtype)
    bits = np.dtype(f"u{dtype.itemsize}")
    if dtype.itemsize == 2:
        return np.arange(2**16, dtype=bits).view(dtype)
    random = np.random.default_rng(dtype.itemsize)
    info = np.finfo(dtype)
    exponents = np.arange(info.minexp - info.nmant - 2, info.maxexp + 1)
    powers = np.ldexp(np.ones(1, dtype), exponents).astype(dtype)
    edges = [powers, np.nextafter(powers, dtype.type(0)), np.nextafter(powers, dtype.type(np.inf))]
    return np.concatenate([
        random.integers(0, np.iinfo(bits).max, count, dtype=bits, endpoint=True).view(dtype),
        (random.normal(size=count) * 10).astype(dtype),
        (1 + random.normal(size=count) * 1e-4).astype(dtype),
        *edges, *(-edge for edge in edges),
        np.arange(-200, 200).astype(dtype), np.arange(-200, 200).astype(dtype) + dtype.type(0.5),
        special(dtype),
    ])  # fmt: skip


def compare(found, expected, exact, signs=True):
    assert found.dtype == expected.dtype
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected)
        return
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(found[~finite], expected[~finite])
    if signs:
        zero = expected == 0
        np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(expected[zero]))
    unit = np.spacing(np.abs(expected[finite])).astype(exact.dtype)
    off, of_numpy = (
        np.abs(values[finite].astype(exact.dtype) - exact[finite]) / unit
        for values in (found, expected)
    )
    wrong = ~(off <= np.maximum(MOST_OFF, of_numpy))
    assert not wrong.any(), (found[finite][wrong][:5], expected[finite][wrong][:5])


def native(lazy):
    """The result, if the engine computes it; None where NumPy would compare with itself."""
    return lazy.compute() if lazy._expr is not None else None


NATIVE_OF_ONE = """
    absolute arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil conjugate cos cosh deg2rad
    degrees exp exp2 expm1 fabs floor isfinite isinf isnan log log10 log1p log2 logical_not
    negative positive rad2deg radians reciprocal rint sign signbit sin sinh spacing sqrt square tan
    tanh trunc
"""
NATIVE_OF_TWO = """
    add arctan2 copysign divide equal float_power floor_divide fmax fmin fmod greater greater_equal
    heaviside hypot less less_equal logaddexp logaddexp2 logical_and logical_or logical_xor maximum
    minimum multiply nextafter not_equal power remainder subtract
"""
# Which of two zeros is the greater one is not laid down, and differs between NumPy's own loops.
ANY_ZERO = {"maximum", "minimum", "fmax", "fmin"}
# These follow from the arguments exactly as rounded; a wider type has other arguments.
ITS_OWN = {"spacing", "reciprocal", "nextafter", "remainder", "fmod", "floor_divide"}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("ufunc", ufuncs(1), ids=lambda ufunc: ufunc.__name__)
def test_one_argument(ufunc, dtype):
    x = of_all_sizes(dtype)
    try:
        expected = ufunc(x)
    except TypeError:
        with pytest.raises(TypeError):
            ufunc(da.from_array(x))
        return
    found = native(ufunc(da.from_array(x, chunks=30_001)))
    if found is None:
        assert ufunc.__name__ not in NATIVE_OF_ONE.split()
        return
    exact = expected if ufunc.__name__ in ITS_OWN else ufunc(x.astype(WIDER[dtype]))
    compare(found, expected, exact.astype(WIDER[dtype]))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("ufunc", ufuncs(2), ids=lambda ufunc: ufunc.__name__)
def test_two_arguments(ufunc, dtype):
    pairs = np.meshgrid(special(dtype), special(dtype))
    random = np.random.default_rng(4)
    many = of_all_sizes(dtype, count=8000)
    x = np.concatenate([pairs[0].ravel(), many])
    y = np.concatenate([pairs[1].ravel(), random.permutation(many)])
    if ufunc is np.hypot and dtype == "f2":
        # NumPy gives nan for one order of nan and an infinity, and the infinity for the other.
        neither = ~(np.isnan(x) & np.isinf(y))
        x, y = x[neither], y[neither]
    try:
        expected = ufunc(x, y)
    except TypeError:
        with pytest.raises(TypeError):
            ufunc(da.from_array(x), da.from_array(y))
        return
    lazy = ufunc(*(da.from_array(values, chunks=30_001) for values in (x, y)))
    found = native(lazy)
    if found is None:
        assert ufunc.__name__ not in NATIVE_OF_TWO.split()
        return
    wide = (values.astype(WIDER[dtype]) for values in (x, y))
    exact = expected if ufunc.__name__ in ITS_OWN else ufunc(*wide)
    compare(found, expected, exact.astype(WIDER[dtype]), ufunc.__name__ not in ANY_ZERO)


def complex_values(dtype):
    real = np.array([0.0, np.inf, 1, 0.5, 2, 3.3, np.pi / 2, 100], np.dtype(dtype).type(0).real)
    real = np.concatenate([real, -real, [np.nan]]).astype(real.dtype)
    parts = np.meshgrid(real, real)
    values = np.empty(parts[0].shape, dtype)
    values.real, values.imag = parts
    return values.ravel()


def compare_complex(found, expected, tolerance):
    assert found.dtype == expected.dtype
    if expected.dtype.kind not in "fc":
        np.testing.assert_array_equal(found, expected)
        return
    for part in ("real", "imag"):
        ours, theirs = getattr(found, part), getattr(expected, part)
        scale = np.where(np.isfinite(expected), np.abs(expected), np.abs(theirs))
        near = np.isfinite(theirs) & (np.abs(ours - theirs) <= tolerance * scale)
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs)) | near
        assert same.all(), (found[~same][:5], expected[~same][:5])


@pytest.mark.parametrize(("dtype", "tolerance"), [("c8", 2e-6), ("c16", 1e-14)])
@pytest.mark.parametrize("ufunc", ufuncs(1) + ufuncs(2), ids=lambda ufunc: ufunc.__name__)
def test_complex_arguments(ufunc, dtype, tolerance):
    x = complex_values(dtype)
    args = [x] if ufunc.nin == 1 else [part.ravel() for part in np.meshgrid(x, x)]
    try:
        expected = ufunc(*args)
    except TypeError:
        with pytest.raises(TypeError):
            ufunc(*map(da.from_array, args))
        return
    found = native(ufunc(*(da.from_array(arg, chunks=30_001) for arg in args)))
    if found is not None:
        compare_complex(found, expected, tolerance)


EXPONENTS = [
    0.5, 2, 2.0, -1, -1.0, 0, 0.0, 1, 1.0, 3, -0.5, 1.5, -2, np.float16(0.5), np.float32(0.5),
    np.float64(0.5), np.float32(2), np.float64(2), np.float64(-1), np.int8(2), np.int64(2),
    np.array(0.5), np.array(2), np.array(-1.0), 0.5 + 0j, 2 + 0j, np.complex64(2), True,
]  # fmt: skip


@pytest.mark.parametrize("dtype", ("i2", "i8", *FLOATS, "c8", "c16"))
@pytest.mark.parametrize("exponent", EXPONENTS, ids=lambda e: f"{type(e).__name__} {e}")
@pytest.mark.parametrize("power", [operator.pow, np.power], ids=["operator", "function"])
def test_powers_with_one_exponent(power, exponent, dtype):
    if dtype.startswith("c"):
        x = complex_values(dtype)
    else:
        x = np.arange(1, 9, dtype=dtype) if dtype.startswith("i") else special(dtype)
    lazy = da.from_array(x, chunks=7)
    try:
        expected = power(x, exponent)
    except ValueError:
        with pytest.raises(ValueError, match="Integers to negative integer powers"):
            power(lazy, exponent).compute()
        return
    found = power(lazy, exponent)
    assert found.dtype == expected.dtype
    found = found.compute()
    assert found.dtype == expected.dtype
    if expected.dtype.kind == "c":
        compare_complex(found, expected, 2e-6 if expected.dtype == "c8" else 1e-14)
    elif expected.dtype.kind == "f":
        wide = WIDER[expected.dtype.str[1:]]
        compare(found, expected, np.power(x.astype(wide), np.asarray(exponent).astype(wide)))
    else:
        np.testing.assert_array_equal(found, expected)
