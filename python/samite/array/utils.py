"""Metas: arrays of length zero that stand for the type, dtype and dimensions of chunks."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.utils import is_arraylike

__all__ = ["compute_meta", "dtype_of", "meta_from_array", "normalize_axes", "normalize_axis"]


def meta_from_array(x: Any, ndim: int | None = None, dtype: Any = None) -> Any:
    """An array of length zero like ``x``.

    Parameters
    ----------
    x:
        An array (of any library, or lazy), or a type of arrays, or None for NumPy's.
    ndim:
        The dimensions of the result; by default those of ``x``.
    dtype:
        Its dtype; by default that of ``x``.
    """
    if hasattr(x, "_meta") and hasattr(type(x), "__dask_graph__"):
        x = x._meta
    if x is None or x is np.ndarray:
        return np.zeros((0,) * (ndim or 0), dtype=dtype)
    if isinstance(x, type):
        x = x((0,) * (ndim or 0))
    if isinstance(x, (list, tuple)) or np.isscalar(x) or not hasattr(x, "ndim"):
        x = np.asarray(x)
    if ndim is None:
        ndim = x.ndim
    meta = x
    try:
        if x.ndim:
            meta = x[(slice(0, 0),) * x.ndim]
        if meta.ndim > ndim:
            meta = meta.reshape((0,) * ndim) if ndim else meta.sum()
        elif meta.ndim < ndim:
            meta = meta[(np.newaxis,) * (ndim - meta.ndim) + (Ellipsis,)]
            meta = meta[(slice(0, 0),) * ndim]
    except Exception:
        # What cannot be cut, reshaped or summed still tells the dtype.
        meta = np.zeros((0,) * ndim, dtype=x.dtype)
    if not isinstance(meta, np.ndarray) and (np.isscalar(meta) or meta is None):
        meta = np.zeros((0,) * ndim, dtype=x.dtype)
    if ndim == 0 and type(meta) is np.ndarray:
        # The value is fed to functions, so it must be one that no function minds.
        meta = np.zeros((), dtype=meta.dtype)
    if dtype is not None and meta.dtype != dtype:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            meta = meta.astype(dtype)
    return meta


def compute_meta(func: Callable, dtype: Any, *args: Any, **kwargs: Any) -> Any:
    """What ``func`` makes of metas in place of lazy arrays; None where it fails.

    Parameters
    ----------
    dtype:
        The dtype that the result will have; None to leave it as it is found.
    """
    args = tuple(getattr(arg, "_meta", arg) for arg in args)
    kwargs = {name: getattr(value, "_meta", value) for name, value in kwargs.items()}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            meta = func(*args, **kwargs)
        except Exception:
            return None
        if np.isscalar(meta):
            meta = np.asarray(meta)
        if not is_arraylike(meta):
            return None
        if dtype is not None and meta.dtype != dtype:
            try:
                meta = meta.astype(dtype)
            except Exception:
                return None
    return meta


def dtype_of(x: Any) -> np.dtype:
    """The dtype of anything that is, or can become, an array."""
    dtype = getattr(x, "dtype", None)
    return dtype if dtype is not None else np.asarray(x).dtype


def normalize_axis(axis: Any, ndim: int) -> int:
    """An axis counted from the front.

    Raises
    ------
    numpy.exceptions.AxisError
        If there is no such axis; it is a ValueError and an IndexError.
    """
    from operator import index

    number = index(axis)
    if not -ndim <= number < ndim:
        raise np.exceptions.AxisError(number, ndim)
    return number % ndim


def normalize_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Several axes, sorted, counted from the front; None means all.

    Raises
    ------
    numpy.exceptions.AxisError
        If there is no such axis.
    ValueError
        If an axis is named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    given = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(sorted(normalize_axis(a, ndim) for a in given))
    if len(set(axes)) != len(axes):
        raise ValueError("duplicate value in 'axis'")
    return axes


def _check_dsk(dsk: Any) -> None:
    """Check that a graph's layers fit together and that no key stands for different tasks.

    For tests, also those of packages that make layers.

    Raises
    ------
    ValueError
        If the dependencies of layers are wrong.
    AssertionError
        If a name or a key is.
    """
    from samite._task_spec import convert_legacy_graph
    from samite.highlevelgraph import HighLevelGraph

    if not isinstance(dsk, HighLevelGraph):
        return
    dsk.validate()
    assert all(isinstance(name, (str, tuple)) for name in dsk.layers)
    keys = set(dsk)
    seen: dict[Any, Any] = {}
    for layer in dsk.layers.values():
        for key, task in convert_legacy_graph(layer, keys).items():
            assert seen.setdefault(key, task) == task, f"{key!r} stands for different tasks"
