"""The namespace of the array API standard: its names, parameters and results."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import samite.array as da

# Every function of version 2024.12 that is no ufunc: parameters by position only, then the
# others, which can be given by name alone if a star comes before them.
SIGNATURES = """
arange(start, /, stop, step, *, dtype, device)
asarray(obj, /, *, dtype, device, copy)
empty(shape, *, dtype, device)
empty_like(x, /, *, dtype, device)
eye(n_rows, n_cols, /, *, k, dtype, device)
from_dlpack(x, /, *, device, copy)
full(shape, fill_value, *, dtype, device)
full_like(x, /, fill_value, *, dtype, device)
linspace(start, stop, /, num, *, dtype, device, endpoint)
meshgrid(*arrays, indexing)
ones(shape, *, dtype, device)
ones_like(x, /, *, dtype, device)
tril(x, /, *, k)
triu(x, /, *, k)
zeros(shape, *, dtype, device)
zeros_like(x, /, *, dtype, device)
astype(x, dtype, /, *, copy, device)
can_cast(from_, to, /)
finfo(type, /)
iinfo(type, /)
isdtype(dtype, kind)
result_type(*arrays_and_dtypes)
clip(x, /, min, max)
round(x, /)
take(x, indices, /, *, axis)
take_along_axis(x, indices, /, *, axis)
__array_namespace_info__()
matmul(x1, x2, /)
matrix_transpose(x, /)
tensordot(x1, x2, /, *, axes)
vecdot(x1, x2, /, *, axis)
broadcast_arrays(*arrays)
broadcast_to(x, /, shape)
concat(arrays, /, *, axis)
expand_dims(x, /, *, axis)
flip(x, /, *, axis)
moveaxis(x, source, destination, /)
permute_dims(x, /, axes)
repeat(x, repeats, /, *, axis)
reshape(x, /, shape, *, copy)
roll(x, /, shift, *, axis)
squeeze(x, /, axis)
stack(arrays, /, *, axis)
tile(x, repetitions, /)
unstack(x, /, *, axis)
argmax(x, /, *, axis, keepdims)
argmin(x, /, *, axis, keepdims)
count_nonzero(x, /, *, axis, keepdims)
nonzero(x, /)
searchsorted(x1, x2, /, *, side, sorter)
where(condition, x1, x2, /)
unique_all(x, /)
unique_counts(x, /)
unique_inverse(x, /)
unique_values(x, /)
argsort(x, /, *, axis, descending, stable)
sort(x, /, *, axis, descending, stable)
cumulative_prod(x, /, *, axis, dtype, include_initial)
cumulative_sum(x, /, *, axis, dtype, include_initial)
max(x, /, *, axis, keepdims)
mean(x, /, *, axis, keepdims)
min(x, /, *, axis, keepdims)
prod(x, /, *, axis, dtype, keepdims)
std(x, /, *, axis, correction, keepdims)
sum(x, /, *, axis, dtype, keepdims)
var(x, /, *, axis, correction, keepdims)
all(x, /, *, axis, keepdims)
any(x, /, *, axis, keepdims)
diff(x, /, *, axis, n, prepend, append)
linalg.cholesky(x, /, *, upper)
linalg.cross(x1, x2, /, *, axis)
linalg.det(x, /)
linalg.diagonal(x, /, *, offset)
linalg.eigh(x, /)
linalg.eigvalsh(x, /)
linalg.inv(x, /)
linalg.matmul(x1, x2, /)
linalg.matrix_norm(x, /, *, keepdims, ord)
linalg.matrix_power(x, n, /)
linalg.matrix_rank(x, /, *, rtol)
linalg.matrix_transpose(x, /)
linalg.outer(x1, x2, /)
linalg.pinv(x, /, *, rtol)
linalg.qr(x, /, *, mode)
linalg.slogdet(x, /)
linalg.solve(x1, x2, /)
linalg.svd(x, /, *, full_matrices)
linalg.svdvals(x, /)
linalg.tensordot(x1, x2, /, *, axes)
linalg.trace(x, /, *, offset, dtype)
linalg.vecdot(x1, x2, /, *, axis)
linalg.vector_norm(x, /, *, axis, keepdims, ord)
fft.fft(x, /, *, n, axis, norm)
fft.ifft(x, /, *, n, axis, norm)
fft.fftn(x, /, *, s, axes, norm)
fft.ifftn(x, /, *, s, axes, norm)
fft.rfft(x, /, *, n, axis, norm)
fft.irfft(x, /, *, n, axis, norm)
fft.rfftn(x, /, *, s, axes, norm)
fft.irfftn(x, /, *, s, axes, norm)
fft.hfft(x, /, *, n, axis, norm)
fft.ihfft(x, /, *, n, axis, norm)
fft.fftfreq(n, /, *, d, dtype, device)
fft.rfftfreq(n, /, *, d, dtype, device)
fft.fftshift(x, /, *, axes)
fft.ifftshift(x, /, *, axes)
""".split("\n")[1:-1]

UFUNCS = """
abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert
bitwise_or bitwise_right_shift bitwise_xor ceil conj copysign cos cosh divide equal exp expm1 floor
floor_divide greater greater_equal hypot imag isfinite isinf isnan less less_equal log log1p log2
log10 logaddexp logical_and logical_not logical_or logical_xor maximum minimum multiply negative
nextafter not_equal positive pow real reciprocal remainder sign signbit sin sinh square sqrt
subtract tan tanh trunc
""".split()

OTHERS = """
e inf nan newaxis pi bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64
complex64 complex128
""".split()

xp = da.ones(1).__array_namespace__()


def found(name):
    space = xp
    for part in name.split("."):
        space = getattr(space, part)
    return space


@pytest.mark.parametrize("line", SIGNATURES)
def test_signature(line):
    name, _, rest = line.partition("(")
    wanted = [part for part in rest.rstrip(")").split(", ") if part]
    got = []
    parameters = list(inspect.signature(found(name)).parameters.values())
    kinds = inspect.Parameter
    for n, parameter in enumerate(parameters):
        before = parameters[n - 1].kind if n else None
        if before is kinds.POSITIONAL_ONLY and parameter.kind is not before:
            got.append("/")
        if parameter.kind is kinds.KEYWORD_ONLY and before not in (
            kinds.KEYWORD_ONLY, kinds.VAR_POSITIONAL,
        ):  # fmt: skip
            got.append("*")
        star = "*" if parameter.kind is kinds.VAR_POSITIONAL else ""
        got.append(star + parameter.name)
    if parameters and parameters[-1].kind is kinds.POSITIONAL_ONLY:
        got.append("/")
    assert got == wanted


def test_names():
    for name in UFUNCS + OTHERS:
        assert hasattr(xp, name)
    functions = [line.partition("(")[0] for line in SIGNATURES]
    top = [name for name in functions if "." not in name]
    assert set(UFUNCS + OTHERS + top) | {"fft", "linalg", "__array_api_version__"} == set(
        xp.__all__
    )
    for extension in ("fft", "linalg"):
        inside = {name.partition(".")[2] for name in functions if name.startswith(extension)}
        assert inside == set(found(extension).__all__)


def test_versions():
    x = da.ones(2)
    assert x.__array_namespace__(api_version="2024.12") is xp
    with pytest.raises(ValueError, match="2019.12"):
        x.__array_namespace__(api_version="2019.12")


def test_information():
    information = xp.__array_namespace_info__()
    assert information.devices() == ["cpu"] == [information.default_device()]
    assert information.default_dtypes()["real floating"] == xp.float64
    assert set(information.dtypes(kind="bool")) == {"bool"}
    assert set(information.dtypes(kind=("bool", "complex floating"))) == {
        "bool", "complex64", "complex128",
    }  # fmt: skip
    assert len(information.dtypes()) == 13
    assert information.capabilities()["boolean indexing"]
    with pytest.raises(ValueError, match="kind"):
        information.dtypes(kind="text")


def test_attributes():
    x = da.ones((2, 3, 4), chunks=2)
    assert x.device == "cpu"
    assert x.to_device("cpu") is x
    assert x.mT.shape == (2, 4, 3)
    with pytest.raises(ValueError, match="device"):
        x.to_device("gpu")
    with pytest.raises(ValueError, match="ndim"):
        _ = x[0, 0].mT
    np.testing.assert_array_equal(np.from_dlpack(x), np.ones((2, 3, 4)))


RANDOM = np.random.default_rng(0)
MATRIX = RANDOM.random((4, 4)) + 4 * np.eye(4)
SYMMETRIC = MATRIX + MATRIX.T
STACK = np.stack([MATRIX, SYMMETRIC])
NUMBERS = RANDOM.integers(0, 9, (4, 6))

# Calls with a NumPy twin of the same name and parameters, on lazy arrays and on NumPy's.
CALLS = {
    "arange": lambda xp, _: xp.arange(2, 10, 3),
    "astype": lambda xp, a: xp.astype(a, xp.float32),
    "broadcast_to": lambda xp, a: xp.broadcast_to(a, (2, 4, 6)),
    "clip": lambda xp, a: xp.clip(a, 2, 5),
    "concat": lambda xp, a: xp.concat([a, a], axis=1),
    "concat flat": lambda xp, a: xp.concat([a, a], axis=None),
    "count_nonzero": lambda xp, a: xp.count_nonzero(a, axis=1),
    "cumulative_sum": lambda xp, a: xp.cumulative_sum(a, axis=1, include_initial=True),
    "cumulative_prod": lambda xp, a: xp.cumulative_prod(a, axis=0),
    "diff": lambda xp, a: xp.diff(a, axis=0),
    "expand_dims": lambda xp, a: xp.expand_dims(a, axis=1),
    "eye": lambda xp, _: xp.eye(3, 4, k=1),
    "flip": lambda xp, a: xp.flip(a, axis=1),
    "full": lambda xp, _: xp.full((2, 3), True),
    "linspace": lambda xp, _: xp.linspace(0, 1, 5, endpoint=False),
    "matrix_transpose": lambda xp, a: xp.matrix_transpose(a),
    "max": lambda xp, a: xp.max(a, axis=0),
    "moveaxis": lambda xp, a: xp.moveaxis(a, 0, 1),
    "permute_dims": lambda xp, a: xp.permute_dims(a, (1, 0)),
    "prod": lambda xp, a: xp.prod(a, axis=0),
    "repeat": lambda xp, a: xp.repeat(a, 2, axis=1),
    "reshape": lambda xp, a: xp.reshape(a, (6, 4)),
    "roll": lambda xp, a: xp.roll(a, 2, axis=1),
    "searchsorted": lambda xp, a: xp.searchsorted(xp.sort(xp.reshape(a, (24,))), a[0, :]),
    "squeeze": lambda xp, a: xp.squeeze(a[:1], 0),
    "stack": lambda xp, a: xp.stack([a, a], axis=2),
    "std": lambda xp, a: xp.std(a, axis=0, correction=1),
    "take": lambda xp, a: xp.take(a, xp.asarray([2, 0]), axis=1),
    "tensordot": lambda xp, a: xp.tensordot(a, a.T, axes=1),
    "tile": lambda xp, a: xp.tile(a, (2, 1)),
    "tril": lambda xp, a: xp.tril(a, k=-1),
    "unstack": lambda xp, a: xp.unstack(a, axis=1)[3],
    "var": lambda xp, a: xp.var(a, axis=1, keepdims=True),
    "vecdot": lambda xp, a: xp.vecdot(a, a),
    "where": lambda xp, a: xp.where(a > 4, a, -a),
    "fft": lambda xp, a: xp.fft.fft(a, axis=0),
    "ifftn": lambda xp, a: xp.fft.ifftn(a, axes=(0, 1)),
    "rfft": lambda xp, a: xp.fft.rfft(a, norm="ortho"),
    "fftshift": lambda xp, a: xp.fft.fftshift(a),
    "fftfreq": lambda xp, _: xp.fft.fftfreq(6, d=0.5),
    "trace": lambda xp, a: xp.linalg.trace(a),
    "diagonal": lambda xp, a: xp.linalg.diagonal(a, offset=1),
    "outer": lambda xp, a: xp.linalg.outer(a[0, :], a[1, :]),
    "vector_norm": lambda xp, a: xp.linalg.vector_norm(xp.astype(a, xp.float64), axis=1),
    "matrix_norm": lambda xp, a: xp.linalg.matrix_norm(xp.astype(a, xp.float64)),
}


@pytest.mark.parametrize("name", CALLS)
def test_like_numpy(name):
    call = CALLS[name]
    got, expected = call(xp, da.from_array(NUMBERS, chunks=(2, 3))), call(np, NUMBERS)
    assert isinstance(got, da.Array)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    np.testing.assert_allclose(got.compute(), expected)


MATRIX_CALLS = {
    "inv": lambda xp, a: xp.linalg.inv(a),
    "det": lambda xp, a: xp.linalg.det(a),
    "slogdet": lambda xp, a: xp.linalg.slogdet(a).logabsdet,
    "solve": lambda xp, a: xp.linalg.solve(a, xp.ones((4, 2))),
    "pinv": lambda xp, a: xp.linalg.pinv(a),
    "matrix_rank": lambda xp, a: xp.linalg.matrix_rank(a),
    "matrix_power": lambda xp, a: xp.linalg.matrix_power(a, 3),
    "svdvals": lambda xp, a: xp.linalg.svdvals(a),
    "svd": lambda xp, a: abs(xp.linalg.svd(a).Vh),
    "svd without": lambda xp, a: abs(xp.linalg.svd(a, full_matrices=False).U),
    "qr": lambda xp, a: abs(xp.linalg.qr(a).R),
    "qr complete": lambda xp, a: abs(xp.linalg.qr(a, mode="complete").Q),
}


@pytest.mark.parametrize("values", [MATRIX, STACK], ids=["one", "stack"])
@pytest.mark.parametrize("name", MATRIX_CALLS)
def test_matrices_like_numpy(name, values):
    call = MATRIX_CALLS[name]
    chunks = (4, 4) if values.ndim == 2 else (1, 4, 4)
    got, expected = call(xp, da.from_array(values, chunks=chunks)), call(np, values)
    np.testing.assert_allclose(got.compute(), expected, atol=1e-9)


def test_symmetric_matrices():
    lazy = da.from_array(SYMMETRIC, chunks=4)
    values, vectors = xp.linalg.eigh(lazy)
    np.testing.assert_allclose((vectors * values) @ vectors.T.compute(), SYMMETRIC, atol=1e-9)
    np.testing.assert_allclose(xp.linalg.eigvalsh(lazy).compute(), values.compute())
    for upper in (False, True):
        factor = xp.linalg.cholesky(lazy, upper=upper).compute()
        product = factor.T @ factor if upper else factor @ factor.T
        np.testing.assert_allclose(product, SYMMETRIC)


@pytest.mark.parametrize("descending", [False, True])
def test_sorting(descending):
    lazy = da.from_array(NUMBERS, chunks=(2, 3))
    got = xp.sort(lazy, descending=descending).compute()
    expected = np.sort(NUMBERS)
    np.testing.assert_array_equal(got, expected[:, ::-1] if descending else expected)
    places = xp.argsort(lazy, descending=descending).compute()
    for row, order in zip(NUMBERS, places):
        key = [(-row[i] if descending else row[i], i) for i in range(6)]
        assert [key[i] for i in order] == sorted(key)


def test_sets():
    values, counts = xp.unique_counts(da.from_array(NUMBERS, chunks=(2, 3)))
    expected, numbers = np.unique(NUMBERS, return_counts=True)
    assert values.compute().tolist() == expected.tolist()
    assert counts.compute().tolist() == numbers.tolist()
    inverse = xp.unique_inverse(da.from_array(NUMBERS, chunks=(2, 3))).inverse_indices
    np.testing.assert_array_equal(expected[inverse.compute()], NUMBERS)
    everything = xp.unique_all(da.from_array(NUMBERS, chunks=(2, 3)))
    np.testing.assert_array_equal(NUMBERS.ravel()[everything.indices.compute()], expected)


def test_take_along_axis():
    lazy = da.from_array(NUMBERS, chunks=(2, 3))
    places = np.argsort(NUMBERS, axis=0)[:2]
    got = xp.take_along_axis(lazy, da.from_array(places, chunks=(1, 4)), axis=0)
    assert got.shape == (2, 6)
    np.testing.assert_array_equal(got.compute(), np.take_along_axis(NUMBERS, places, axis=0))


def test_copies():
    x = da.ones(3, chunks=2)
    assert xp.asarray(x) is x
    assert xp.asarray(x, copy=True) is not x
    with pytest.raises(ValueError, match="copy"):
        xp.asarray(x, dtype=xp.float32, copy=False)
    with pytest.raises(ValueError, match="device"):
        xp.zeros(3, device="gpu")
    np.testing.assert_array_equal(xp.from_dlpack(np.arange(3)).compute(), np.arange(3))
