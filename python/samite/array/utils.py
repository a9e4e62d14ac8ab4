"""Metas: arrays of length zero that stand for the type, dtype and dimensions of chunks."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array.signs import svd_flip
from samite.utils import is_arraylike

__all__ = [
    "compute_meta",
    "dtype_of",
    "meta_from_array",
    "normalize_axes",
    "normalize_axis",
    "svd_flip",
]


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
    if not ndim and (np.isscalar(x) or isinstance(x, np.dtype)):
        # A literal stands for itself.
        return _literal(x, dtype)
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
    if ndim == 0 and isinstance(meta, np.ma.MaskedArray):
        # The sum of nothing is the constant for a masked value, which has a dtype of its own.
        meta = np.ma.zeros((), dtype=x.dtype)
    if dtype is not None and meta.dtype != dtype:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            meta = meta.astype(dtype)
    return meta


def _literal(x: Any, dtype: Any) -> np.ndarray:
    value = np.asarray(x)
    if dtype is None or value.dtype == dtype:
        return value
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return value.astype(dtype)
    except (TypeError, ValueError):
        return np.zeros((), dtype=dtype)


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


def same_keys(a: Any, b: Any) -> bool:
    """Whether two graphs, or collections, have the same keys."""

    def keys(x: Any) -> list[Any]:
        graph = x.dask if hasattr(x, "dask") else x
        return sorted(graph, key=str)

    return keys(a) == keys(b)


def normalize_to_array(x: Any) -> Any:
    """An array of a library with its own memory as one of NumPy's; anything else as it is."""
    if type(x).__module__.partition(".")[0] in ("cupy", "cupyx"):
        return x.get()
    return x


def assert_eq(
    a: Any,
    b: Any,
    check_shape: bool = True,
    check_graph: bool = True,
    check_meta: bool = True,
    check_chunks: bool = True,
    check_ndim: bool = True,
    check_type: bool = True,
    check_dtype: bool = True,
    equal_nan: bool = True,
    scheduler: Any = "sync",
    **kwargs: Any,
) -> bool:
    """Check that two arrays, lazy or not, are equal, and that lazy ones keep what they say.

    For tests, also those of packages that make lazy arrays.

    Parameters
    ----------
    check_shape, check_ndim, check_type, check_dtype:
        Whether the shapes, numbers of dimensions, types and dtypes of both have to be equal.
    check_graph:
        Whether the layers of graphs have to fit together.
    check_meta:
        Whether results have to be of the type and dtype that is said of lazy arrays.
    check_chunks:
        Whether chunks have to have the shapes and dtypes that are said of them.
    equal_nan:
        Whether NaN equals NaN.
    scheduler:
        What lazy arrays are computed with.
    **kwargs:
        For :func:`numpy.allclose`.

    Raises
    ------
    AssertionError
        If anything differs.
    """
    if hasattr(a, "dtype") is False and hasattr(b, "dtype") is False:
        a, b = np.asarray(a), np.asarray(b)
    options = {
        "check_shape": check_shape,
        "check_graph": check_graph,
        "check_meta": check_meta,
        "check_chunks": check_chunks,
        "check_ndim": check_ndim,
        "scheduler": scheduler,
    }
    first, said_first = _checked_value(a, **options)
    second, said_second = _checked_value(b, **options)
    if check_dtype and str(said_first) != str(said_second):
        raise AssertionError(f"a and b have different dtypes: (a: {said_first}, b: {said_second})")
    if check_shape:
        assert np.shape(first) == np.shape(second), (
            f"a and b have different shapes: {np.shape(first)}, {np.shape(second)}"
        )
    if check_type:
        kinds = [type(value[()]) if not np.ndim(value) and hasattr(value, "ndim") else type(value)
                 for value in (first, second)]  # fmt: skip
        assert kinds[0] is kinds[1], f"a and b have different types: {kinds[0]}, {kinds[1]}"
    first, second = _dense(first), _dense(second)
    masks = [np.ma.getmaskarray(value) for value in (first, second)
             if isinstance(value, np.ma.MaskedArray)]  # fmt: skip
    if len(masks) == 2 and check_shape:
        assert (masks[0] == masks[1]).all(), "a and b have different masks"
        first, second = first[~masks[0]], second[~masks[1]]
    assert _all_equal(first, second, equal_nan, **kwargs), (
        f"found values in 'a' and 'b' which differ by more than the allowed amount:\n{first}\n"
        f"{second}"
    )
    return True


def _checked_value(
    x: Any,
    check_shape: bool,
    check_graph: bool,
    check_meta: bool,
    check_chunks: bool,
    check_ndim: bool,
    scheduler: Any,
) -> tuple[Any, Any]:
    """What an array comes to, and the dtype that is said of it."""
    from samite.array.core import Array

    if not isinstance(x, Array):
        value = x if hasattr(x, "dtype") else np.asarray(x)
        return value, value.dtype
    if check_graph:
        _check_dsk(x.dask)
    meta = x._meta
    assert x.dtype is not None, "the array does not know its dtype"
    if check_chunks:
        x = x.persist(scheduler=scheduler)
        _check_blocks(x, check_ndim)
    value = x.compute(scheduler=scheduler)
    if isinstance(value, (np.generic, bool, int, float, complex)):
        value = np.asarray(value)
    if check_meta:
        assert str(value.dtype) == str(x.dtype), (
            f"the array says that its dtype is {x.dtype}, but it is {value.dtype}"
        )
        assert type(value) is type(meta), (
            f"the array says that its type is {type(meta)}, but it is {type(value)}"
        )
    if check_shape:
        fits = len(np.shape(value)) == x.ndim and all(
            n == m or m != m for n, m in zip(np.shape(value), x.shape)
        )
        assert fits, f"the array says that its shape is {x.shape}, but it is {np.shape(value)}"
    return value, x.dtype


def _check_blocks(x: Any, check_ndim: bool) -> None:
    from samite.core import flatten
    from samite.local import get_sync

    keys = list(flatten(x.__dask_keys__()))
    blocks = get_sync(dict(x.dask), keys)
    for key, block in zip(keys, blocks):
        if not hasattr(block, "dtype"):
            assert not x.ndim, f"a chunk is no array but a {type(block)}"
            continue
        if check_ndim:
            assert np.ndim(block) == x.ndim, (
                f"the chunk {key} has {np.ndim(block)} dimensions and not {x.ndim}"
            )
            wanted = tuple(sizes[n] for sizes, n in zip(x.chunks, key[1:]))
            fits = all(n == m or m != m for n, m in zip(np.shape(block), wanted))
            assert fits, f"the chunk {key} has the shape {np.shape(block)} and not {wanted}"
        assert str(block.dtype) == str(x.dtype), (
            f"the chunk {key} has the dtype {block.dtype} and not {x.dtype}"
        )


def _dense(value: Any) -> Any:
    value = normalize_to_array(value)
    for method in ("todense", "toarray"):
        if hasattr(value, method) and not isinstance(value, np.ndarray):
            return np.asarray(getattr(value, method)())
    return value


def _all_equal(a: Any, b: Any, equal_nan: bool, **kwargs: Any) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        try:
            a, b = np.broadcast_arrays(a, b)
        except ValueError:
            return False
    try:
        return bool(np.allclose(a, b, equal_nan=equal_nan, **kwargs))
    except TypeError:
        pass
    equal = a == b
    if equal_nan and a.dtype == b.dtype:
        equal = equal | ((a != a) & (b != b))
    return bool(np.all(equal))
