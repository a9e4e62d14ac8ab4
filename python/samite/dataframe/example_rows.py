"""Made-up rows: pandas objects of two rows that are like an empty one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe.dispatch import meta_nonempty
from samite.dataframe.extensions import make_array_nonempty, make_scalar
from samite.dataframe.known_categories import UNKNOWN_CATEGORIES
from samite.dataframe.libraries import is_block

# What stands for any object.
AN_OBJECT = object()


@meta_nonempty.register(pd.DataFrame)
def example_frame(x: pd.DataFrame) -> pd.DataFrame:
    """Two rows of a frame's dtypes."""
    index = meta_nonempty(x.index)
    made: dict[Any, Any] = {}
    columns = {}
    for position, dtype in enumerate(x.dtypes):
        if dtype not in made:
            made[dtype] = example_values(dtype)
        columns[position] = made[dtype]
    # Columns of one dtype do not share memory: functions may change their input.
    result = pd.DataFrame(columns, index=index, copy=True)
    result.columns = x.columns
    result.attrs = x.attrs
    return result


@meta_nonempty.register(pd.Series)
def example_series(x: pd.Series) -> pd.Series:
    """Two rows of a series' dtype."""
    values = example_values(x.dtype)
    result = pd.Series(values, index=meta_nonempty(x.index), dtype=x.dtype, name=x.name)
    result.attrs = x.attrs
    return result


def example_values(dtype: Any) -> Any:
    """An array of two values of a dtype."""
    if isinstance(dtype, pd.CategoricalDtype):
        return _example_categories(dtype)
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        try:
            make = make_array_nonempty.dispatch(type(dtype))
        except TypeError:
            make = _example_of_extension
        return make(dtype)
    return np.array([example_scalar(dtype)] * 2, dtype=dtype)


def _example_categories(dtype: pd.CategoricalDtype) -> pd.Categorical:
    categories = dtype.categories
    if categories is None or not len(categories):
        return pd.Categorical.from_codes([-1, -1], dtype=dtype)
    return pd.Categorical.from_codes([0, 0 if len(categories) == 1 else 1], dtype=dtype)


def _example_of_extension(dtype: Any) -> Any:
    array_type = dtype.construct_array_type()
    return array_type._from_sequence(_examples_for(dtype), dtype=dtype)


def _examples_for(dtype: Any) -> list[Any]:
    if isinstance(dtype, pd.DatetimeTZDtype):
        return [pd.Timestamp("1970-01-01", tz=dtype.tz)] * 2
    if isinstance(dtype, pd.PeriodDtype):
        return [pd.Period("2000-01-01", freq=dtype.freq), pd.Period("2001-01-01", freq=dtype.freq)]
    if isinstance(dtype, pd.IntervalDtype):
        low, high = pd.Index([0, 1]).astype(dtype.subtype or "int64")
        return [pd.Interval(low, high, closed=dtype.closed or "right")] * 2
    if isinstance(dtype, pd.SparseDtype):
        return [example_scalar(dtype.subtype)] * 2
    if isinstance(dtype, pd.StringDtype):
        return ["a", dtype.na_value]
    if isinstance(dtype, pd.ArrowDtype):
        return _examples_for_arrow(dtype.pyarrow_dtype)
    if dtype.kind in "iufb":
        return [example_scalar(np.dtype(dtype.kind + "1") if dtype.kind != "f" else "f8"), pd.NA]
    return [dtype.na_value, dtype.na_value]


def _examples_for_arrow(kind: Any) -> list[Any]:
    import datetime
    import decimal

    import pyarrow as pa

    # What is tried in turn: the first that Arrow takes for the type.
    candidates: list[list[Any]] = [
        [1, 2],
        ["a", "b"],
        [b"a", b"b"],
        [True, False],
        [datetime.datetime(1970, 1, 1), datetime.datetime(1970, 1, 2)],
        [datetime.date(1970, 1, 1), datetime.date(1970, 1, 2)],
        [datetime.time(0, 0), datetime.time(0, 1)],
        [datetime.timedelta(seconds=1), datetime.timedelta(seconds=2)],
        [decimal.Decimal(0), decimal.Decimal(1)],
        [[], []],
        [{}, {}],
    ]
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return [pd.Timestamp(0, tz=kind.tz), pd.Timestamp(86400 * 10**9, tz=kind.tz)]
    if pa.types.is_boolean(kind) or pa.types.is_temporal(kind):
        del candidates[0]
    for values in candidates:
        try:
            pa.array(values, type=kind)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError):
            continue
        return values
    return [None, None]


def example_scalar(dtype: Any) -> Any:
    """A scalar of a dtype of NumPy or pandas.

    Raises
    ------
    TypeError
        There is none.
    """
    dtype = pd.api.types.pandas_dtype(dtype)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return pd.Timestamp(1, tz=dtype.tz, unit=dtype.unit)
    if isinstance(dtype, pd.CategoricalDtype):
        return dtype.categories[0] if dtype.categories is not None else UNKNOWN_CATEGORIES
    if isinstance(dtype, pd.StringDtype):
        return "a"
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        return example_values(dtype)[0]
    if dtype.kind in "iufc":
        return dtype.type(1)
    if dtype.kind == "b":
        return dtype.type(True)
    if dtype.kind in "US":
        return dtype.type("foo") if dtype.kind == "U" else dtype.type(b"foo")
    if dtype.kind in "mM":
        unit = np.datetime_data(dtype)[0]
        return dtype.type(int(dtype.kind == "m"), unit if unit != "generic" else "ns")
    if dtype.kind == "O":
        return AN_OBJECT
    if dtype.kind == "V":
        return np.zeros((), dtype)[()]
    raise TypeError(f"Can't handle dtype: {dtype}")


@meta_nonempty.register(object)
def example_of_scalar(x: Any) -> Any:
    """A scalar of the same type.

    Raises
    ------
    TypeError
        ``x`` is no scalar, or there is no example for its type.
    """
    if type(x) in make_scalar._lookup:
        return make_scalar(x)
    if pd.api.types.is_scalar(x) and x is not None and x is not pd.NaT:
        if isinstance(x, str) and not isinstance(x, np.str_):
            return "s"
        if isinstance(x, (bool, pd.Timestamp, pd.Timedelta, pd.Period, pd.Interval)):
            return x
        if x is pd.NA:
            return x
        dtype = getattr(x, "dtype", None)
        return example_scalar(np.dtype(type(x)) if dtype is None else dtype)
    if isinstance(x, (np.dtype, pd.api.extensions.ExtensionDtype)):
        return example_scalar(x)
    try:
        make = make_scalar.dispatch(type(x))
    except TypeError:
        make = None
    if make is not None:
        return make(x)
    if is_block(x):
        return x
    if x is None or x is pd.NaT:
        raise TypeError(f"Can't handle meta of type '{type(x).__name__}'")
    raise TypeError(
        "Expected Pandas-like Index, Series, DataFrame, or scalar, got "
        f"{type(x).__module__}.{type(x).__qualname__}"
    )


@meta_nonempty.register(pd.Index)
def example_index(x: pd.Index) -> pd.Index:
    """An index of two labels."""
    if isinstance(x, pd.RangeIndex):
        return pd.RangeIndex(2, name=x.name)
    if isinstance(x, pd.MultiIndex):
        levels = [meta_nonempty(level) for level in x.levels]
        return pd.MultiIndex(levels=levels, codes=[[0, 0]] * x.nlevels, names=x.names)
    if isinstance(x, pd.CategoricalIndex):
        return _example_categorical_index(x)
    dtype = x.dtype
    if isinstance(x, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        return _example_dates(x)
    if isinstance(x, pd.PeriodIndex):
        return pd.period_range("1970-01-01", periods=2, freq=x.freq, name=x.name)
    if isinstance(x, pd.IntervalIndex):
        low, middle, high = pd.Index([0, 1, 2]).astype(dtype.subtype)
        pairs = [
            pd.Interval(low, middle, closed=x.closed),
            pd.Interval(middle, high, closed=x.closed),
        ]
        return pd.IntervalIndex(pairs, dtype=dtype, name=x.name)
    if isinstance(dtype, np.dtype):
        if dtype.kind == "b":
            values: list[Any] = [True, False]
        elif dtype.kind in "iufc":
            values = [1, 2]
        else:
            values = ["a", "b"]
        return pd.Index(values, dtype=dtype, name=x.name)
    return pd.Index(example_values(dtype), dtype=dtype, name=x.name)


def _example_categorical_index(x: Any) -> pd.CategoricalIndex:
    if len(x.categories):
        values = pd.Categorical.from_codes([-1, 0], dtype=x.dtype)
    else:
        categories = meta_nonempty(x.categories)
        values = pd.Categorical(categories, categories=categories, ordered=x.ordered)
    return pd.CategoricalIndex(values, name=x.name)


def _example_dates(x: Any) -> Any:
    freq = x.freq
    if isinstance(x, pd.TimedeltaIndex):
        start: Any = pd.Timedelta(1, unit="D")
        make: Any = pd.timedelta_range
        more: dict[str, Any] = {}
    else:
        start = pd.Timestamp("1970-01-01")
        make = pd.date_range
        more = {"tz": x.tz}
    made = make(start=start, periods=2, freq=freq or "D", name=x.name, **more)
    return made.as_unit(x.unit)
