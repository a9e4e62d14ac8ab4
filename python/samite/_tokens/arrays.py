"""Forms of NumPy's arrays, scalars, dtypes, universal functions and generators."""

from __future__ import annotations

import hashlib
import sys

import numpy as np

from samite.hashing import hash_buffer_hex
from samite.tokenize import (
    _mapping_form,
    _nondeterministic,
    _normalize,
    _object,
    _once,
    _register,
    _sequence_form,
    importable_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Copies of arrays that are not in C order are made in pieces of about this size.
_PIECE = 16 << 20


def _dtype(x: np.dtype) -> Any:
    if x.kind in "biufcSUmM" and x.metadata is None and x.isbuiltin != 2:
        return ("dtype", x.str)
    # Fields with offsets, user-defined types such as bfloat16, metadata.
    _, arguments, *state = x.__reduce__()
    return ("dtype", type(x).__name__, _normalize(arguments), _normalize(state))


def array_hash(x: np.ndarray) -> str:
    """A hash of the values in C order, that is, independent of the memory's layout."""
    if x.dtype.hasobject or x.dtype.kind == "T":
        return _sequence_form("values", x.ravel().tolist())[1]
    # Types that the buffer protocol does not know, such as dates, are looked at as bytes.
    if x.flags.c_contiguous:
        return hash_buffer_hex(x.reshape(-1).view(np.uint8)) if x.nbytes else ""
    if x.nbytes <= _PIECE or x.ndim == 0:
        return hash_buffer_hex(np.ascontiguousarray(x).reshape(-1).view(np.uint8))
    hasher = hashlib.sha256(usedforsecurity=False)
    _update(hasher, x)
    return hasher.digest()[:16].hex()


def _update(hasher: Any, x: np.ndarray) -> None:
    rows = x.shape[0]
    row = max(1, x.nbytes // rows)
    if row > _PIECE and x.ndim > 1:
        for each in x:
            _update(hasher, each)
        return
    step = max(1, _PIECE // row)
    for start in range(0, rows, step):
        hasher.update(np.ascontiguousarray(x[start : start + step]).reshape(-1).view(np.uint8))


def _values(x: np.ndarray) -> tuple:
    if x.dtype.hasobject or x.dtype.kind == "T":
        return ("array", _dtype(x.dtype), x.shape, _sequence_form("values", x.ravel().tolist()))
    return ("array", _dtype(x.dtype), x.shape, array_hash(x))


@_once
def _array(x: np.ndarray) -> tuple:
    kind = type(x)
    if kind is np.ndarray or kind is np.memmap:
        return _values(x)
    if hasattr(kind, "__dask_tokenize__"):
        return _object(x)
    attributes = getattr(x, "__dict__", None) or {}
    return (
        "subclass",
        _normalize(kind),
        _values(np.asarray(x)),
        _mapping_form("attributes", attributes.items()),
    )


@_once
def _masked(x: np.ma.MaskedArray) -> tuple:
    if x is np.ma.masked:
        # The one value that stands for nothing does not tell its fill value.
        return ("masked", "masked")
    mask = np.ma.getmaskarray(x)
    return ("masked", _normalize(type(x)), _values(x.data), _values(mask), _normalize(x.fill_value))


def _scalar(x: np.generic) -> tuple:
    return ("scalar", _values(np.asarray(x)))


def _ufunc(x: np.ufunc) -> Any:
    name = importable_name(x)
    if name is not None:
        return ("ufunc", *name)
    for module in ("numpy", "scipy.special"):
        if getattr(sys.modules.get(module), x.__name__, None) is x:
            return ("ufunc", module, x.__name__)
    return _nondeterministic(
        x,
        f"Cannot tokenize the NumPy ufunc {x!r}, whose code is hidden. Use "
        "samite.array.ufunc.frompyfunc (for Dask's arrays dask.array.ufunc.frompyfunc) instead",
    )


@_once
def _bit_generator(x: Any) -> tuple:
    return ("generator", _normalize(type(x)), _normalize(x.state))


@_once
def _random_state(x: Any) -> tuple:
    return ("generator", _normalize(type(x)), _normalize(x.get_state(legacy=False)))


def register() -> None:
    """Tell the dispatcher about NumPy's types."""
    _register(np.dtype)(_dtype)
    _register(np.ndarray)(_array)
    _register(np.ma.MaskedArray)(_masked)
    # Those that are subclasses of Python's types too would be taken for these.
    _register(np.generic, np.float64, np.complex128, np.str_, np.bytes_)(_scalar)
    _register(np.ufunc)(_ufunc)
    _register(np.random.BitGenerator)(_bit_generator)
    _register(np.random.RandomState)(_random_state)
