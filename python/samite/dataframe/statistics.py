"""Statistics of columns beyond simple reductions: counts of values, quantiles, summaries."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from samite.dataframe.collections.frame_base import new_collection
from samite.dataframe.elementwise import aligned
from samite.dataframe.metadata import make_meta, meta_nonempty, no_default
from samite.dataframe.reductions import along_rows, axis_number, checked_split_every


def value_counts(
    series: Any,
    sort: Any,
    ascending: bool,
    dropna: bool,
    normalize: bool,
    split_every: Any,
    split_out: Any,
) -> Any:
    """How often each value is there; see :meth:`Series.value_counts`."""
    from samite.dataframe.expressions.frequencies import ValueCounts

    if split_out is no_default:
        split_out = 1
        dtype = series._meta.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            known = series.cat.known
            split_out = max(math.ceil(len(dtype.categories) / 100_000), 1) if known else True
    if split_out is not True and (split_out or 1) == 1:
        checked_split_every(split_every)
    counts = new_collection(
        ValueCounts(
            series.expr,
            True if sort is None else bool(sort),
            ascending,
            dropna,
            split_every,
            split_out,
        )
    )
    if not normalize:
        return counts
    total = series.count() if dropna else series.size
    return (counts / total).rename("proportion")


def mode(frame: Any, dropna: bool, split_every: Any, numeric_only: bool) -> Any:
    """The most frequent values of each column."""
    from samite.dataframe.expressions.frequencies import ColumnsTogether, Modes
    from samite.dataframe.expressions.selection import Projection

    checked_split_every(split_every)
    if frame.ndim == 1:
        return new_collection(Modes(frame.expr, dropna, split_every))
    expr = frame.expr
    columns = expr.columns
    if numeric_only:
        columns = list(expr._meta._get_numeric_data().columns)
    meta = make_meta(meta_nonempty(expr._meta[columns]).mode(dropna=dropna))
    modes = [Modes(Projection(expr, column), dropna, split_every) for column in columns]
    return new_collection(ColumnsTogether(meta, *modes))


def nunique(frame: Any, axis: Any, dropna: bool, split_every: Any) -> Any:
    """The number of different values of each column."""
    from samite.dataframe.expressions.frequencies import CountDifferent

    if axis_number(frame, axis, "nunique") == 1:
        return along_rows(frame, "nunique", {"dropna": dropna})
    return new_collection(CountDifferent(frame.expr, dropna, checked_split_every(split_every)))


def nunique_approx(frame: Any, split_every: Any) -> Any:
    """An estimate of the number of different rows."""
    from samite.dataframe.expressions.frequencies import EstimateDifferent

    return new_collection(EstimateDifferent(frame.expr, checked_split_every(split_every)))


def quantile(frame: Any, q: Any, axis: Any, numeric_only: bool, method: str) -> Any:
    """Quantiles of each column; see :meth:`DataFrame.quantile`."""
    import numpy as np

    from samite.dataframe.expressions.quantiles import Quantiles

    if method not in ("default", "dask", "tdigest"):
        raise ValueError(
            f"method can only be 'default', 'dask' or 'tdigest', which are the same here; got "
            f"{method!r}"
        )
    if axis_number(frame, axis, "quantile") == 1:
        if not np.isscalar(q):
            raise ValueError("quantile(axis=1) has a value for each row, so it takes one quantile")
        return along_rows(frame, "quantile", {"q": q, "numeric_only": bool(numeric_only)})
    if frame.ndim == 1 and (
        frame._meta.dtype == object or isinstance(frame._meta.dtype, pd.StringDtype)
    ):
        kind = "object" if frame._meta.dtype == object else "string"
        raise ValueError(f"`quantile` not supported with {kind} series")
    if not np.isscalar(q):
        q = [float(value) for value in q]
    return new_collection(Quantiles(frame.expr, q, bool(numeric_only)))


def median(frame: Any, axis: Any, numeric_only: bool) -> Any:
    """The median of each column, where all rows are in one partition."""
    number = axis_number(frame, axis, "median")
    if number == 1:
        return along_rows(frame, "median", {"numeric_only": bool(numeric_only)})
    if frame.npartitions > 1:
        raise NotImplementedError(
            "Dask doesn't implement an exact median in all cases as this is hard to do in "
            "parallel. See the `median_approximate` method instead, which uses an approximate "
            "algorithm."
        )
    return (
        quantile(frame, 0.5, 0, numeric_only, "default").rename(None)
        if frame.ndim == 2
        else (quantile(frame, 0.5, 0, False, "default"))
    )


def median_approximate(frame: Any, axis: Any, method: str, numeric_only: bool) -> Any:
    """The median of each column; exact up to a number of rows."""
    result = quantile(frame, 0.5, axis, numeric_only, method)
    return result.rename(None) if frame.ndim == 2 else result


def covariance(frame: Any, how: str, min_periods: Any, numeric_only: bool, split_every: Any) -> Any:
    """Covariances or correlations of all pairs of columns."""
    from samite.dataframe.expressions.covariances import Covariance
    from samite.dataframe.expressions.selection import Projection

    expr = frame.expr
    if numeric_only:
        expr = Projection(expr, list(expr._meta._get_numeric_data().columns))
    return new_collection(
        Covariance(expr, how, _periods(min_periods, how), False, checked_split_every(split_every))
    )


def _periods(min_periods: Any, how: str) -> int:
    """How many rows a pair must have: by default what makes the result defined."""
    if min_periods is None:
        return 2 if how == "cov" else 1
    if not isinstance(min_periods, int) or min_periods < 0:
        raise ValueError(f"min_periods must be an integer >= 0, got {min_periods!r}")
    return max(min_periods, 1)


def covariance_of_series(
    series: Any, other: Any, how: str, min_periods: Any, split_every: Any
) -> Any:
    """The covariance or correlation of two series.

    Raises
    ------
    TypeError
        ``other`` is no series.
    """
    from samite.dataframe.expressions.covariances import Covariance
    from samite.dataframe.expressions.elementwise import Assign, ToFrame

    if getattr(other, "ndim", None) != 1 or not hasattr(other, "expr"):
        raise TypeError(f"other must be a Series collection, got {type(other).__name__}")
    first, second = aligned(series.expr, other.expr)
    frame = Assign(ToFrame(first, "first"), "second", second)
    return new_collection(
        Covariance(frame, how, _periods(min_periods, how), True, checked_split_every(split_every))
    )


def describe(
    frame: Any,
    split_every: Any,
    percentiles: Any,
    method: str,
    include: Any,
    exclude: Any,
) -> Any:
    """Summaries of columns; see :meth:`DataFrame.describe`."""
    from samite.dataframe.describing import together
    from samite.dataframe.expressions.describing import Description

    if frame.ndim == 1:
        return new_collection(_description(frame, percentiles, split_every))
    meta = frame._meta
    if not len(meta.columns):
        raise ValueError("Cannot describe a DataFrame without columns")
    if isinstance(include, str) and include == "all":
        if exclude is not None:
            raise ValueError("exclude must be None when include is 'all'")
        chosen = list(meta.columns)
    elif include is None and exclude is None:
        import numpy as np

        default = [np.number, "datetime", "datetimetz"]
        chosen = list(meta.select_dtypes(include=default).columns) or list(meta.columns)
    else:
        chosen = list(meta.select_dtypes(include=include, exclude=exclude).columns)
    parts = [_description(frame[column], percentiles, split_every) for column in chosen]
    meta = make_meta(together(*[part._meta for part in parts]))
    return new_collection(Description("together", meta, *parts))


def _description(series: Any, percentiles: Any, split_every: Any) -> Any:
    from samite.dataframe import describing
    from samite.dataframe.expressions.describing import Description

    wanted, labels = describing.percentile_labels(percentiles)
    name, dtype = series._meta.name, series._meta.dtype
    kind = dtype.kind
    if isinstance(dtype, pd.CategoricalDtype) or kind not in "iufcmM" or kind == "b":
        counts = value_counts(series, True, False, True, False, split_every, 1)
        operands = [series.count(split_every=split_every), counts, name, None]
        form = "labels_of"
        result: Any = object
    elif kind == "M":
        operands = [
            series.count(split_every=split_every),
            series.min(split_every=split_every),
            quantile(series, wanted, 0, False, "default"),
            series.max(split_every=split_every),
            labels,
            name,
        ]
        form, result = "moments_in_time", object
    else:
        result = object if kind == "m" else meta_nonempty(series._meta).describe().dtype
        operands = [
            series.count(split_every=split_every),
            series.mean(split_every=split_every),
            series.std(split_every=split_every),
            series.min(split_every=split_every),
            quantile(series, wanted, 0, False, "default"),
            series.max(split_every=split_every),
            labels,
            name,
            result,
        ]
        form = "numbers"
    rows = {
        "labels_of": ["count", "unique", "top", "freq"],
        "moments_in_time": ["count", "min", *labels, "max"],
        "numbers": ["count", "mean", "std", "min", *labels, "max"],
    }[form]
    meta = pd.Series([], index=pd.Index(rows)[:0], dtype=result, name=name)
    return Description(form, meta, *[getattr(o, "expr", o) for o in operands])
