"""Forms of pandas' frames, series, indexes, extension arrays and scalars."""

from __future__ import annotations

import numpy as np
import pandas as pd

from samite.tokenize import _mapping_form, _normalize, _object, _once, _reduced, _register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _attributes(x: Any) -> Any:
    """What users wrote into ``attrs``, and whether duplicate labels are allowed."""
    return (_mapping_form("attrs", x.attrs.items()), x.flags.allows_duplicate_labels)


@_once
def _frame(x: pd.DataFrame) -> Any:
    if hasattr(type(x), "__dask_tokenize__"):
        return _object(x)
    columns = [_values(x.iloc[:, position]) for position in range(x.shape[1])]
    return (
        _normalize(type(x)),
        _normalize(x.columns),
        _normalize(x.index),
        _normalize(columns),
        _attributes(x),
    )


@_once
def _series(x: pd.Series) -> Any:
    if hasattr(type(x), "__dask_tokenize__"):
        return _object(x)
    return (
        _normalize(type(x)),
        _normalize(x.name),
        str(x.dtype),
        _values(x),
        _normalize(x.index),
        _attributes(x),
    )


def _values(x: pd.Series | pd.Index) -> Any:
    # Without a copy: the NumPy array or the extension array that holds the data.
    values = x.array
    if isinstance(values, pd.arrays.NumpyExtensionArray):
        values = values.to_numpy()
    return _normalize(values)


@_once
def _index(x: pd.Index) -> tuple:
    return (_normalize(type(x)), _normalize(x.name), str(x.dtype), _values(x))


def _range_index(x: pd.RangeIndex) -> tuple:
    return ("RangeIndex", x.start, x.stop, x.step, _normalize(x.name), str(x.dtype))


@_once
def _multi_index(x: pd.MultiIndex) -> tuple:
    levels = [_normalize(level) for level in x.levels]
    codes = [_normalize(np.asarray(each)) for each in x.codes]
    return ("MultiIndex", tuple(levels), tuple(codes), _normalize(list(x.names)))


@_once
def _categorical(x: pd.Categorical) -> tuple:
    return ("Categorical", _normalize(x.codes), _normalize(x.dtype))


@_once
def _categorical_dtype(x: pd.CategoricalDtype) -> tuple:
    return ("CategoricalDtype", _normalize(x.categories), x.ordered)


@_once
def _dates(x: Any) -> tuple:
    return (type(x).__name__, _normalize(x.dtype), _normalize(x.asi8))


@_once
def _interval(x: pd.arrays.IntervalArray) -> tuple:
    return ("IntervalArray", _normalize(x.left), _normalize(x.right), x.closed)


@_once
def _masked(x: Any) -> tuple:
    mask = x.isna()
    # What lies below the mask is left over from earlier and means nothing.
    values = x.to_numpy(x.dtype.numpy_dtype, na_value=np.zeros((), x.dtype.numpy_dtype)[()])
    return (type(x).__name__, str(x.dtype), _normalize(values), _normalize(mask))


@_once
def _extension(x: pd.api.extensions.ExtensionArray) -> Any:
    if hasattr(type(x), "__dask_tokenize__"):
        return _object(x)
    if hasattr(x, "__arrow_array__") and type(x).__module__.startswith("pandas."):
        arrow = getattr(x, "_pa_array", None)
        if arrow is not None:
            return (type(x).__name__, _normalize(x.dtype), _normalize(arrow))
    return _reduced(x)


def _dtype(x: Any) -> Any:
    return _object(x) if hasattr(type(x), "__dask_tokenize__") else _dtype_form(x)


@_once
def _dtype_form(x: Any) -> Any:
    # Caches and the like are left out: what pandas compares by is named in _metadata.
    names = getattr(x, "_metadata", ())
    return (
        "dtype",
        type(x).__name__,
        str(x),
        *[_normalize(getattr(x, name, None)) for name in names],
    )


@_once
def _timestamp(x: pd.Timestamp) -> tuple:
    return ("Timestamp", x.isoformat(), x.unit, _normalize(x.tzinfo), x.fold)


def _timedelta(x: pd.Timedelta) -> tuple:
    return ("Timedelta", x.isoformat(), x.unit)


def _period(x: pd.Period) -> tuple:
    return ("Period", x.ordinal, x.freqstr)


def _missing(x: Any) -> tuple:
    return ("missing", type(x).__name__)


def register() -> None:
    """Tell the dispatcher about pandas' types."""
    _register(pd.DataFrame)(_frame)
    _register(pd.Series)(_series)
    _register(pd.Index)(_index)
    _register(pd.RangeIndex)(_range_index)
    _register(pd.MultiIndex)(_multi_index)
    _register(pd.api.extensions.ExtensionArray)(_extension)
    _register(pd.Categorical)(_categorical)
    _register(pd.CategoricalDtype)(_categorical_dtype)
    _register(pd.arrays.DatetimeArray, pd.arrays.TimedeltaArray, pd.arrays.PeriodArray)(_dates)
    _register(pd.arrays.IntervalArray)(_interval)
    _register(pd.arrays.IntegerArray, pd.arrays.FloatingArray, pd.arrays.BooleanArray)(_masked)
    _register(pd.api.extensions.ExtensionDtype)(_dtype)
    _register(pd.Timestamp)(_timestamp)
    _register(pd.Timedelta)(_timedelta)
    _register(pd.Period)(_period)
    _register(type(pd.NA), type(pd.NaT))(_missing)
