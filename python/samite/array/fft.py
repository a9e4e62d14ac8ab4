"""Discrete Fourier transforms: :mod:`numpy.fft` with lazy arrays.

The axes that are transformed have to be in one chunk; all others may be cut.

>>> import samite.array as da
>>> da.fft.rfft(da.ones((4, 8), chunks=(2, 8))).shape
(4, 5)
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from samite.array import kernels
from samite.array.blocks import map_blocks
from samite.array.chunks import has_unknown
from samite.array.concatenation import concatenate
from samite.array.core import Array
from samite.array.creation import arange
from samite.array.elementwise import where
from samite.array.storage import asanyarray
from samite.array.utils import normalize_axis

__all__ = [
    "fft", "fft2", "fft_wrap", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn",
    "ifftshift", "ihfft", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip

_KINDS = (
    "fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "rfft2", "irfft2", "fftn",
    "ifftn", "rfftn", "irfftn",
)  # fmt: skip
# Those that make a spectrum of half the length, and those that make a signal of it.
_HALVING = ("rfft", "ihfft", "rfft2", "rfftn")
_DOUBLING = ("irfft", "hfft", "irfft2", "irfftn")


def fft_wrap(
    fft_func: Callable, kind: str | None = None, dtype: Any = None, allow_fftpack: bool = False
) -> Callable:
    """The transform of lazy arrays that transforms chunks by a function.

    Parameters
    ----------
    fft_func:
        A function like one of :mod:`numpy.fft`, such as those of :mod:`scipy.fft`.
    kind:
        The name of the function of :mod:`numpy.fft` that it is like; by default its own name.
    dtype:
        The dtype of results; by default found by calling the function.
    allow_fftpack:
        Whether functions of ``scipy.fftpack``, which name and order things in other ways, are
        taken without a warning.

    Returns
    -------
    A function of ``(a, n, axis, norm)`` for the kinds of one axis, of ``(a, s, axes, norm)`` for
    the others. It raises ValueError if a transformed axis is in several chunks, or named twice.

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> import numpy as np, samite.array as da
    >>> fft_wrap(np.fft.fft)(da.ones(4, chunks=4)).compute().real
    array([4., 0., 0., 0.])
    """
    kind = kind or fft_func.__name__
    if kind not in _KINDS:
        raise ValueError(f"Given unknown `kind` {kind!r}; the kinds are {', '.join(_KINDS)}")
    if (getattr(fft_func, "__module__", None) or "").startswith("scipy.fftpack"):
        if not allow_fftpack:
            warnings.warn(
                f"scipy.fftpack's {fft_func.__name__} does not match NumPy's API and is considered "
                "legacy; use that of scipy.fft, or allow_fftpack=True to go without this warning",
                FutureWarning,
                stacklevel=2,
            )
    if kind.endswith(("2", "n")):
        two = kind.endswith("2")

        def transform_axes(
            a: Any, s: Any = None, axes: Any = (-2, -1) if two else None, norm: str | None = None
        ) -> Array:
            return _transformed(fft_func, kind, dtype, asanyarray(a), s, axes, norm, two)

        wrapped: Callable = transform_axes
    else:

        def transform_axis(
            a: Any, n: int | None = None, axis: int | None = None, norm: str | None = None
        ) -> Array:
            a = asanyarray(a)
            if not a.ndim:
                raise ValueError(f"{kind} needs an array with axes")
            if n is not None and n < 1:
                raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
            lengths = None if n is None else (n,)
            axes = (-1 if axis is None else axis,)
            return _transformed(fft_func, kind, dtype, a, lengths, axes, norm, False)

        wrapped = transform_axis
    wrapped.__name__ = wrapped.__qualname__ = kind
    wrapped.__doc__ = (
        f"The transform of chunks by {fft_func.__module__}.{fft_func.__name__}.\n\n"
        "The axes that are transformed have to be in one chunk.\n\n"
        "Raises\n------\nValueError\n    If a transformed axis is in several chunks."
    )
    return wrapped


def _transformed(
    func: Callable, kind: str, dtype: Any, a: Array, s: Any, axes: Any, norm: Any, two: bool
) -> Array:
    single = not kind.endswith(("2", "n"))
    if axes is None:
        if two:
            axes = (-2, -1)
        elif s is None:
            axes = range(a.ndim)
        else:
            if func.__module__.startswith("numpy"):
                warnings.warn(
                    "`axes` should not be `None` if `s` is not `None`: which axes are meant will "
                    "change in NumPy",
                    DeprecationWarning,
                    stacklevel=3,
                )
            axes = range(a.ndim - len(s), a.ndim)
    named = [axes] if isinstance(axes, (int, np.integer)) else list(axes)
    places = [normalize_axis(axis, a.ndim) for axis in named]
    if len(set(places)) < len(places):
        raise ValueError(f"an axis is named twice in axes={tuple(named)}")
    if not places:
        raise ValueError(f"{kind} needs at least one axis")
    if s is not None and len(s) != len(places):
        raise ValueError(f"Shape and axes have different lengths: s={s}, axes={tuple(named)}")
    for named_axis, axis in zip(named, places):
        if len(a.chunks[axis]) > 1:
            raise ValueError(
                f"{kind} needs each axis that it transforms in a single chunk, but axis "
                f"{named_axis} of {a.shape} has the chunks {a.chunks[axis]}; "
                f"x.rechunk({{{axis}: -1}}) joins them"
            )
        if has_unknown(a.chunks[axis]):
            raise ValueError(
                f"{kind} needs to know the length of axis {named_axis}; compute_chunk_sizes() "
                "finds it"
            )
    lengths = [int(a.shape[axis]) for axis in places] if s is None else [int(n) for n in s]
    if s is not None:
        lengths = [a.shape[p] if n == -1 and not single else n for n, p in zip(lengths, places)]
    if kind in _DOUBLING and s is None:
        lengths[-1] = 2 * (lengths[-1] - 1)
    result = dict(zip(places, lengths))
    if kind in _HALVING:
        result[places[-1]] = lengths[-1] // 2 + 1
    chunks = tuple(
        (result[axis],) if axis in result else sizes for axis, sizes in enumerate(a.chunks)
    )
    options: dict[str, Any] = {"norm": norm} if norm is not None else {}
    legacy = func.__module__.startswith("scipy.fftpack")
    if single:
        options["axis"] = places[-1]
        options["n"] = lengths[-1] if s is not None else None
        if legacy and kind in _HALVING:
            chunks = tuple(
                (lengths[-1],) if n == places[-1] else sizes for n, sizes in enumerate(chunks)
            )
    else:
        options["axes"] = tuple(places)
        options["shape" if legacy else "s"] = tuple(lengths) if s is not None else None
    call = functools.partial(_of_blocks(func, kind, a.dtype), **options)
    # A few elements tell the dtype, and whether the function takes these at all.
    small = np.ones_like(a._meta, shape=tuple(2 if axis in places else 1 for axis in range(a.ndim)))
    sample = func(small, **{**options, "n" if single else ("shape" if legacy else "s"): None})
    return map_blocks(
        call, a, chunks=chunks, token=kind, meta=sample[(slice(0, 0),) * a.ndim],
        dtype=sample.dtype if dtype is None else dtype,
    )  # fmt: skip


def _of_blocks(func: Callable, kind: str, dtype: np.dtype) -> Callable:
    """The native function for blocks, where it is faster than that of NumPy."""
    complex_kind = kind in ("fft", "ifft", "fft2", "ifft2", "fftn", "ifftn")
    if func is not getattr(np.fft, kind) or not complex_kind or dtype == np.complex128:
        return func
    if kind.endswith(("2", "n")):
        # In single precision NumPy is more exact, step after step.
        single = dtype in (np.float32, np.complex64)
        return func if single else functools.partial(kernels.transform, kind=kind)
    return functools.partial(kernels.fft, kind=kind)


fft = fft_wrap(np.fft.fft)
fft2 = fft_wrap(np.fft.fft2)
fftn = fft_wrap(np.fft.fftn)
ifft = fft_wrap(np.fft.ifft)
ifft2 = fft_wrap(np.fft.ifft2)
ifftn = fft_wrap(np.fft.ifftn)
rfft = fft_wrap(np.fft.rfft)
rfft2 = fft_wrap(np.fft.rfft2)
rfftn = fft_wrap(np.fft.rfftn)
irfft = fft_wrap(np.fft.irfft)
irfft2 = fft_wrap(np.fft.irfft2)
irfftn = fft_wrap(np.fft.irfftn)
hfft = fft_wrap(np.fft.hfft)
ihfft = fft_wrap(np.fft.ihfft)


def fftfreq(n: int, d: float = 1.0, chunks: Any = "auto") -> Array:
    """The frequencies of :func:`fft`, for ``n`` samples that are ``d`` apart."""
    n = _number_of_samples(n)
    numbers = arange(n, dtype=np.int64, chunks=chunks)
    if not n:
        return numbers.astype(float)
    return where(numbers < (n + 1) // 2, numbers, numbers - n) * (1.0 / (n * d))


def rfftfreq(n: int, d: float = 1.0, chunks: Any = "auto") -> Array:
    """The frequencies of :func:`rfft`, for ``n`` samples that are ``d`` apart."""
    n = _number_of_samples(n)
    return arange(n // 2 + 1, dtype=np.int64, chunks=chunks) * (1.0 / (n * d))


def _number_of_samples(n: Any) -> int:
    if not isinstance(n, (int, np.integer)):
        raise ValueError("n should be an integer")
    if n < 0:
        raise ValueError(f"n should not be negative, as {n} is")
    return int(n)


def fftshift(x: Any, axes: int | Sequence[int] | None = None) -> Array:
    """The array with the frequency zero moved to the middle of axes; by default of all."""
    return _shifted(asanyarray(x), axes, False)


def ifftshift(x: Any, axes: int | Sequence[int] | None = None) -> Array:
    """The inverse of :func:`fftshift`, which differs from it along odd lengths."""
    return _shifted(asanyarray(x), axes, True)


def _shifted(x: Array, axes: Any, inverse: bool) -> Array:
    if axes is None:
        axes = range(x.ndim)
    elif isinstance(axes, (int, np.integer)):
        axes = (axes,)
    inside = []
    for axis in (normalize_axis(axis, x.ndim) for axis in axes):
        sizes = x.chunks[axis]
        if has_unknown(sizes):
            raise ValueError(
                f"the shift needs to know the length of axis {axis}; compute_chunk_sizes() finds it"
            )
        if len(sizes) == 1:
            inside.append(axis)
            continue
        length = int(x.shape[axis])
        cut = length // 2 if inverse else (length + 1) // 2
        before = (slice(None),) * axis
        ends = x[before + (slice(cut, None),)], x[before + (slice(None, cut),)]
        x = concatenate(ends, axis)
    if inside:
        func = np.fft.ifftshift if inverse else np.fft.fftshift
        x = map_blocks(func, x, axes=tuple(inside), dtype=x.dtype, meta=x._meta)
    return x
