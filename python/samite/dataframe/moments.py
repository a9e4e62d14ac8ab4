"""Means, variances and the higher moments of columns, from those of partitions.

Partial results are joined by the formulas of Chan, Golub and LeVeque (1979), in the form of
Pébay (Sandia report SAND2008-6212) for third and fourth moments, which do not lose digits
where the mean is far from zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from samite.dataframe.partition_reductions import as_columns


class Moments(NamedTuple):
    """Of each column the number of values, their mean, and sums of powers of deviations.

    The mean is ``center + offset``: where it is large, the second number has the digits that are
    lost in the first.
    """

    count: np.ndarray
    center: np.ndarray
    offset: np.ndarray
    second: np.ndarray
    third: np.ndarray | None = None
    fourth: np.ndarray | None = None


def floats_of(column: pd.Series) -> np.ndarray:
    """The values of a column as floats, missing ones as NaN, moments in time in their unit."""
    if column.dtype.kind in "mM" and not isinstance(column.dtype, pd.ArrowDtype):
        values = column.array.asi8.astype(float)
        values[column.isna().to_numpy()] = np.nan
        return values
    if column.dtype.kind == "c":
        raise TypeError("moments of complex numbers are not supported; take .real and .imag")
    return column.to_numpy(dtype=float, na_value=np.nan)


def moments_of(partition: Any, numeric_only: bool, skipna: bool, order: int) -> Moments:
    """The moments of a partition, up to ``order`` (1, 2 or 4)."""
    frame = as_columns(partition, numeric_only)
    columns = [
        _moments_of_column(floats_of(frame.iloc[:, i]), skipna, order)
        for i in range(frame.shape[1])
    ]
    fields = np.array(columns, dtype=float).reshape(len(columns), 6).T
    return Moments(*fields) if order == 4 else Moments(*fields[:4])


def _moments_of_column(values: np.ndarray, skipna: bool, order: int) -> tuple[float, ...]:
    if skipna:
        missing = np.isnan(values)
        if missing.any():
            values = values[~missing]
    count = len(values)
    if not count:
        return (0.0,) * 6
    with np.errstate(all="ignore"):
        center = values.mean()
        if order == 1:
            return (count, center, 0.0, 0.0, 0.0, 0.0)
        deviations = values - center
        offset = deviations.mean()
        if np.isfinite(offset):
            deviations -= offset
        else:
            offset = 0.0
        second = float(np.dot(deviations, deviations))
        if order == 2:
            return (count, center, offset, second, 0.0, 0.0)
        squares = deviations * deviations
        third, fourth = np.dot(squares, deviations), np.dot(squares, squares)
    return (count, center, offset, second, float(third), float(fourth))


def join_moments(parts: Sequence[Moments]) -> Moments:
    """The moments of several partitions together."""
    joined = parts[0]
    for part in parts[1:]:
        joined = _joined(joined, part)
    return joined


def _joined(a: Moments, b: Moments) -> Moments:
    with np.errstate(all="ignore"):
        count = a.count + b.count
        safe = np.where(count == 0, 1.0, count)
        share = b.count / safe
        delta = (b.center - a.center) + (b.offset - a.offset)
        # A part without values adds nothing, and infinite means remain.
        delta = np.where((a.count == 0) | (b.count == 0), 0.0, delta)
        finite = np.isfinite(delta)
        center = np.where(a.count == 0, b.center, a.center)
        offset = np.where(a.count == 0, b.offset, a.offset + delta * share)
        center = np.where(finite, center, a.center + b.center)
        offset = np.where(finite, offset, 0.0)
        product = a.count * share
        second = a.second + b.second + delta**2 * product
        if a.third is None or b.third is None or a.fourth is None or b.fourth is None:
            return Moments(count, center, offset, second)
        third = (
            a.third
            + b.third
            + delta**3 * product * (a.count - b.count) / safe
            + 3 * delta * (a.count * b.second - b.count * a.second) / safe
        )
        fourth = (
            a.fourth
            + b.fourth
            + delta**4 * product * (a.count**2 - a.count * b.count + b.count**2) / safe**2
            + 6 * delta**2 * (a.count**2 * b.second + b.count**2 * a.second) / safe**2
            + 4 * delta * (a.count * b.third - b.count * a.third) / safe
        )
        return Moments(count, center, offset, second, third, fourth)


def statistic(moments: Moments, how: str, ddof: int, bias: bool, fisher: bool) -> np.ndarray:
    """A statistic of each column; NaN where there are too few values."""
    count, mean = moments.count, moments.center + moments.offset
    with np.errstate(all="ignore"):
        if how == "mean":
            return np.where(count == 0, np.nan, mean)
        if how in ("var", "std", "sem"):
            variance = np.where(count > ddof, moments.second / (count - ddof), np.nan)
            if how == "var":
                return variance
            return np.sqrt(variance) if how == "std" else np.sqrt(variance / count)
        assert moments.third is not None and moments.fourth is not None
        variance = moments.second / count
        # As SciPy does, columns that are constant up to rounding have no shape.
        constant = variance <= (np.finfo(float).resolution * mean) ** 2
        if how == "skew":
            result = (moments.third / count) / variance**1.5
            if not bias:
                factor = np.sqrt((count - 1) * count) / (count - 2)
                result = np.where(count > 2, factor * result, result)
            return np.where(constant, np.nan, result)
        result = (moments.fourth / count) / variance**2
        if not bias:
            factor = (count - 1) / ((count - 2) * (count - 3))
            result = np.where(
                count > 3, factor * ((count + 1) * result - 3 * (count - 1)) + 3, result
            )
        return np.where(constant, np.nan, result - 3 if fisher else result)


def finish_moments(
    parts: Sequence[Moments],
    how: str,
    ddof: int,
    bias: bool,
    fisher: bool,
    axis: int | None,
    dtypes: Sequence[Any],
    columns: Any,
    result_dtype: Any,
) -> Any:
    """A series of the statistic over ``columns``, or one value if they are None or the axis is.

    ``dtypes`` are those of the columns.
    """
    moments = join_moments(parts)
    if axis is None and columns is not None:
        moments = _over_columns(moments)
        return np.float64(statistic(moments, how, ddof, bias, fisher)[0])
    values = statistic(moments, how, ddof, bias, fisher)
    results = [_converted(v, dtype, how) for v, dtype in zip(values, dtypes, strict=True)]
    if columns is None:
        return results[0]
    return pd.Series(results, index=columns, dtype=result_dtype)


def _over_columns(moments: Moments) -> Moments:
    columns = [
        Moments(*(None if field is None else field[i : i + 1] for field in moments))
        for i in range(len(moments.count))
    ]
    return join_moments(columns)


def _converted(value: float, dtype: Any, how: str) -> Any:
    """A statistic of a column of ``dtype`` as pandas would give it."""
    if dtype.kind in "mM" and not isinstance(dtype, pd.ArrowDtype) and how != "var":
        unit = np.datetime_data(dtype)[0] if isinstance(dtype, np.dtype) else dtype.unit
        if np.isnan(value):
            return pd.NaT
        if dtype.kind == "M" and how == "mean":
            moment = pd.Timestamp(np.datetime64(int(value), unit))
            zone = getattr(dtype, "tz", None)
            return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)
        return pd.Timedelta(np.timedelta64(int(value), unit))
    if dtype == np.float32:
        return np.float32(value)
    if np.isnan(value) and isinstance(dtype, pd.api.extensions.ExtensionDtype):
        return dtype.na_value
    return np.float64(value)
