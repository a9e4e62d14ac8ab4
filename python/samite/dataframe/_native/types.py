"""Dtypes of pandas and types of Arrow, and values of Python as literals."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd

from samite import _engine
from samite.dataframe._native.rows import NotNative
from samite.dataframe.known_categories import UNKNOWN_CATEGORIES

NUMBERS = {
    "bool": "Boolean",
    "int8": "Int8",
    "int16": "Int16",
    "int32": "Int32",
    "int64": "Int64",
    "uint8": "UInt8",
    "uint16": "UInt16",
    "uint32": "UInt32",
    "uint64": "UInt64",
    "float32": "Float32",
    "float64": "Float64",
}


def is_text(dtype: Any) -> bool:
    """Whether it is pandas' ``str`` in Arrow's memory, with NaN for what is missing."""
    return (
        isinstance(dtype, pd.StringDtype)
        and dtype.storage == "pyarrow"
        and dtype.na_value is np.nan
    )


def is_native(dtype: Any) -> bool:
    """Whether columns of that dtype can be columns of the engine."""
    if isinstance(dtype, np.dtype):
        return str(dtype) in NUMBERS or dtype.kind in "mM"
    if isinstance(dtype, pd.CategoricalDtype):
        if dtype.categories is None or UNKNOWN_CATEGORIES in dtype.categories:
            return False
        return is_text(dtype.categories.dtype)
    return is_text(dtype) or isinstance(dtype, pd.DatetimeTZDtype)


def number_type(dtype: Any) -> str:
    """Arrow's name of a dtype of numbers."""
    found = NUMBERS.get(str(dtype)) if isinstance(dtype, np.dtype) else None
    if found is None:
        raise NotNative(f"{dtype} is no number")
    return found


def literal(value: Any, dtype: Any = None) -> Any:
    """A value of Python as a literal, beside a column of ``dtype``."""
    scalar = _engine.FrameScalar
    if dtype is not None and _kind(dtype) == "M" and isinstance(value, str):
        try:
            value = pd.Timestamp(value)
        except ValueError as wrong:
            raise NotNative(f"{value!r} is no date") from wrong
    if isinstance(value, (np.datetime64, datetime.datetime)):
        moment = pd.Timestamp(value)
        if moment is pd.NaT:
            return scalar.literal(None)
        zone = None
        if moment.tz is not None:
            zone = str(moment.tz)
        return scalar.timestamp(moment.asm8.view("i8").item(), moment.unit, zone)
    if isinstance(value, (np.timedelta64, datetime.timedelta)):
        length = pd.Timedelta(value)
        if length is pd.NaT:
            return scalar.literal(None)
        return scalar.duration(length.asm8.view("i8").item(), length.unit)
    if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return scalar.literal(None)
    if isinstance(value, np.generic):
        # A scalar of NumPy has a dtype that counts, unlike a number of Python.
        if value.dtype.kind in "iu" and dtype is not None and _kind(dtype) in "iufb":
            if np.result_type(value.dtype, dtype) != np.result_type(dtype, dtype):
                raise NotNative(f"a {value.dtype} beside {dtype}")
        elif value.dtype.kind == "f" and dtype is not None and str(dtype) == "float32":
            raise NotNative(f"a {value.dtype} beside {dtype}")
        value = value.item()
    if type(value) in (bool, int, float, str):
        try:
            return scalar.literal(value)
        except NotImplementedError as wrong:
            raise NotNative(str(wrong)) from wrong
    raise NotNative(f"{type(value).__name__} is no literal")


def _kind(dtype: Any) -> str:
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "M"
    return dtype.kind if isinstance(dtype, np.dtype) else "O"


def matches(kind: Any, dtype: Any) -> bool:
    """Whether values of a type of Arrow can be given as the dtype, as pandas would have them."""
    import pyarrow as pa

    if isinstance(dtype, pd.CategoricalDtype):
        if pa.types.is_dictionary(kind):
            return is_native(dtype)
        return holds_categories(kind, dtype)
    if isinstance(dtype, pd.StringDtype):
        return is_text(dtype) and (
            pa.types.is_string_view(kind)
            or pa.types.is_string(kind)
            or pa.types.is_large_string(kind)
        )
    if isinstance(dtype, pd.DatetimeTZDtype):
        return pa.types.is_timestamp(kind) and kind.unit == dtype.unit and kind.tz == str(dtype.tz)
    if not isinstance(dtype, np.dtype):
        return False
    if dtype.kind == "O":
        return pa.types.is_date(kind) or pa.types.is_decimal(kind)
    if dtype.kind == "M":
        return pa.types.is_timestamp(kind) and kind.tz is None and _unit(dtype) == kind.unit
    if dtype.kind == "m":
        return pa.types.is_duration(kind) and _unit(dtype) == kind.unit
    if dtype.kind == "b":
        return pa.types.is_boolean(kind)
    if dtype.kind in "iu":
        return pa.types.is_integer(kind)
    return dtype.kind == "f" and (pa.types.is_floating(kind) or pa.types.is_integer(kind))


def holds_categories(kind: Any, dtype: Any) -> bool:
    """Whether plain values of a type of Arrow can be the categories of a dtype that are known."""
    import pyarrow as pa

    categories = dtype.categories
    if categories is None or UNKNOWN_CATEGORIES in categories:
        return False
    if is_text(categories.dtype):
        return pa.types.is_string_view(kind) or pa.types.is_string(kind)
    return categories.dtype.kind in "iu" and pa.types.is_integer(kind)


def _unit(dtype: Any) -> str:
    return np.datetime_data(dtype)[0]
