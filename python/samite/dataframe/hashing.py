"""Hashes of rows that are the same in every process.

Values that are equal have equal hashes, also where their dtypes differ (1, 1.0 and True; strings
of any storage; dates of any unit), so that the keys of two frames meet in the same partition.
All missing values have one hash.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

MISSING = np.uint64(0x9E3779B97F4A7C15)


def hash_rows(keys: Any) -> np.ndarray:
    """A hash of each row of a frame, series or index, as ``uint64``."""
    if isinstance(keys, pd.MultiIndex):
        keys = keys.to_frame(index=False)
    if not isinstance(keys, pd.DataFrame):
        return _hash_column(keys)
    result = None
    for position in range(keys.shape[1]):
        found = _hash_column(keys.iloc[:, position])
        result = found if result is None else _combined(result, found)
    return np.zeros(len(keys), dtype=np.uint64) if result is None else result


def _combined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    # The constants are those of boost's hash_combine.
    spread = second + MISSING + (first << np.uint64(6)) + (first >> np.uint64(2))
    return first ^ spread


def partition_numbers(keys: Any, count: int) -> np.ndarray:
    """For each row one of ``count`` partitions, chosen by the hash of its keys, in the smallest
    integers that hold them."""
    numbers = hash_rows(keys) % np.uint64(count)
    return numbers.astype(np.min_scalar_type(-count - 1), copy=False)


def _hash_column(values: Any) -> np.ndarray:
    array = getattr(values, "array", values)
    dtype = array.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        hashes = np.append(_hash_column(array.categories), MISSING)
        return hashes[np.asarray(array.codes)]
    if isinstance(dtype, pd.PeriodDtype):
        return _hash_integers(np.asarray(array.astype("int64")), np.asarray(array.isna()))
    kind = getattr(dtype, "kind", "O")
    if kind in "mM":
        return _hash_moments(array, kind)
    if kind in "biuf" and not isinstance(dtype, pd.IntervalDtype):
        return _hash_numbers(array, kind)
    if pd.api.types.is_object_dtype(dtype):
        return _hash_objects(np.asarray(array, dtype=object))
    if pd.api.types.is_string_dtype(dtype):
        codes, uniques = pd.factorize(array)
        hashes = np.append(_hash_texts(np.asarray(uniques, dtype=object)), MISSING)
        return hashes[codes]
    if kind == "c":
        return _hash_column(pd.DataFrame({0: array.to_numpy().real, 1: array.to_numpy().imag})[0])
    return _hash_objects(np.asarray(array, dtype=object))


def _hash_integers(values: np.ndarray, missing: np.ndarray | None = None) -> np.ndarray:
    hashes = pd.util.hash_array(values.astype(np.int64, copy=False), categorize=False)
    if missing is not None and missing.any():
        hashes[missing] = MISSING
    return hashes


def _hash_numbers(array: Any, kind: str) -> np.ndarray:
    missing = np.asarray(pd.isna(array))
    target = np.float64 if kind == "f" else (np.uint64 if kind == "u" else np.int64)
    if missing.any() and kind != "f":
        values = array.to_numpy(dtype=target, na_value=0)
    else:
        values = np.asarray(array, dtype=target)
    if kind == "f":
        with np.errstate(invalid="ignore"):
            whole = (values == np.trunc(values)) & (np.abs(values) < 2.0**63)
            integers = np.where(whole, values, 0).astype(np.int64)
        values = np.where(whole, integers, values.view(np.int64))
    return _hash_integers(values, missing)


def _hash_moments(array: Any, kind: str) -> np.ndarray:
    missing = np.asarray(pd.isna(array))
    # Microseconds reach far enough for all units; finer values that are equal stay equal.
    if getattr(array.dtype, "tz", None) is not None:
        array = array.tz_convert(None)
    values = np.asarray(array).astype(f"{kind}8[us]").astype(np.int64)
    return _hash_integers(values, missing)


def _hash_texts(values: np.ndarray) -> np.ndarray:
    if not len(values):
        return np.zeros(0, dtype=np.uint64)
    return pd.util.hash_array(values, categorize=False)


def _hash_objects(values: np.ndarray) -> np.ndarray:
    if not len(values):
        return np.zeros(0, dtype=np.uint64)
    missing = np.asarray(pd.isna(values))
    found = pd.api.types.infer_dtype(values, skipna=True)
    if found in ("integer", "floating", "mixed-integer-float", "boolean"):
        try:
            numbers = np.where(missing, 0, values)
            whole = found != "floating" and all(int(v) == v for v in numbers)
            array = numbers.astype(np.int64 if whole else np.float64)
            hashes = _hash_numbers(pd.Series(array).array, "i" if whole else "f")
            hashes[missing] = MISSING
            return hashes
        except (OverflowError, TypeError, ValueError):
            pass
    if found in ("datetime64", "datetime", "timedelta64", "timedelta"):
        try:
            make = pd.DatetimeIndex if found.startswith("datetime") else pd.TimedeltaIndex
            return _hash_moments(make(values).array, "M" if make is pd.DatetimeIndex else "m")
        except (TypeError, ValueError, pd.errors.OutOfBoundsDatetime):
            pass
    if found == "string":
        hashes = np.full(len(values), MISSING)
        codes, uniques = pd.factorize(values)
        return np.append(_hash_texts(np.asarray(uniques, dtype=object)), MISSING)[codes]
    hashes = np.full(len(values), MISSING)
    for position in np.flatnonzero(~missing):
        hashes[position] = _hash_one(values[position])
    return hashes


def _hash_one(value: Any) -> np.uint64:
    import numbers
    from decimal import Decimal

    if isinstance(value, (numbers.Real, Decimal)):
        # Python's hash of a number depends on nothing but its value.
        if isinstance(value, (int, np.integer)) and -(2**63) <= value < 2**63:
            return _hash_integers(np.array([value]))[0]
        if value == value and abs(value) < 2**63:
            if int(value) == value:
                return _hash_integers(np.array([int(value)]))[0]
            return _hash_numbers(pd.Series([float(value)]).array, "f")[0]
        return np.uint64(hash(value) & (2**64 - 1))
    if isinstance(value, (pd.Timestamp, pd.Timedelta)):
        return _hash_column(pd.Series([value]))[0]
    return _hash_texts(np.array([value if isinstance(value, str) else repr(value)], dtype=object))[
        0
    ]
