"""The extension of Fourier transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from samite.array import fft as _fft
from samite.array._array_api.information import check_device
from samite.array.core import Array
from samite.array.utils import normalize_axis

__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft",
    "irfftn", "rfft", "rfftfreq", "rfftn",
]  # fmt: skip


def _transformed(name: str, x: Array, axes: Any, norm: str, **lengths: Any) -> Array:
    if norm not in ("backward", "ortho", "forward"):
        raise ValueError(f"norm must be 'backward', 'ortho' or 'forward', not {norm!r}")
    along = (axes,) if isinstance(axes, int) else axes
    places = range(x.ndim) if along is None else [normalize_axis(axis, x.ndim) for axis in along]
    # A transform needs whole lines.
    x = x.rechunk(dict.fromkeys(places, -1))
    keyword = "axis" if isinstance(axes, int) else "axes"
    return getattr(_fft, name)(x, **lengths, **{keyword: axes}, norm=norm)


def fft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The transform along an axis."""
    return _transformed("fft", x, axis, norm, n=n)


def ifft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The inverse transform along an axis."""
    return _transformed("ifft", x, axis, norm, n=n)


def fftn(
    x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> Array:  # fmt: skip
    """The transform along several axes."""
    return _transformed("fftn", x, axes, norm, s=s)


def ifftn(
    x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> Array:  # fmt: skip
    """The inverse transform along several axes."""
    return _transformed("ifftn", x, axes, norm, s=s)


def rfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The transform of real numbers along an axis."""
    return _transformed("rfft", x, axis, norm, n=n)


def irfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The inverse of :func:`rfft`."""
    return _transformed("irfft", x, axis, norm, n=n)


def rfftn(
    x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> Array:  # fmt: skip
    """The transform of real numbers along several axes."""
    return _transformed("rfftn", x, axes, norm, s=s)


def irfftn(
    x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> Array:  # fmt: skip
    """The inverse of :func:`rfftn`."""
    return _transformed("irfftn", x, axes, norm, s=s)


def hfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The transform of an array that is symmetric, whose transform is real."""
    return _transformed("hfft", x, axis, norm, n=n)


def ihfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The inverse of :func:`hfft`."""
    return _transformed("ihfft", x, axis, norm, n=n)


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Array:
    """The frequencies of :func:`fft`."""
    check_device(device)
    result = _fft.fftfreq(n, d)
    return result if dtype is None else result.astype(dtype)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Array:
    """The frequencies of :func:`rfft`."""
    check_device(device)
    result = _fft.rfftfreq(n, d)
    return result if dtype is None else result.astype(dtype)


def fftshift(x: Array, /, *, axes: Any = None) -> Array:
    """The spectrum with frequency zero in the middle."""
    return _fft.fftshift(x, axes)


def ifftshift(x: Array, /, *, axes: Any = None) -> Array:
    """The inverse of :func:`fftshift`."""
    return _fft.ifftshift(x, axes)
