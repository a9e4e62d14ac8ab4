"""What is done to one partition."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import pandas as pd

from samite.dataframe.dispatch import concat_dispatch as concat_dispatch
from samite.dataframe.joining import concat as concat


def empty_like(obj: Any) -> Any:
    """``obj`` without its rows; a scalar as it is."""
    if isinstance(obj, (pd.DataFrame, pd.Series)):
        return obj.iloc[:0]
    return obj[:0] if isinstance(obj, pd.Index) else obj


def call_method(frame: Any, method: str, names: Sequence[str], *arguments: Any) -> Any:
    """``frame.method(...)``; the last ``len(names)`` arguments are given by name."""
    positional = arguments[: len(arguments) - len(names)]
    keywords = dict(zip(names, arguments[len(positional) :], strict=True))
    return getattr(frame, method)(*positional, **keywords)


def call_accessor(
    frame: Any, accessor: str, attribute: str, is_property: bool, names: Sequence[str], *args: Any
) -> Any:
    """``frame.accessor.attribute``, called if it is no property; see :func:`call_method`."""
    # A categorical index, and one of dates, has the attributes of the accessor itself.
    direct = isinstance(frame, pd.Index) and accessor in ("cat", "dt")
    of_frame = frame if direct else getattr(frame, accessor)
    if is_property:
        result = getattr(of_frame, attribute)
    else:
        result = call_method(of_frame, attribute, names, *args)
    if isinstance(result, (pd.Series, pd.DataFrame, pd.Index)):
        return result
    # Some properties of dates are plain arrays, and so lose the name of an index, as with Dask.
    if isinstance(frame, pd.Index):
        return pd.Index(result, name=None if accessor == "dt" else frame.name)
    return pd.Series(result, index=frame.index, name=frame.name)


def assign(frame: Any, *pairs: Any) -> Any:
    """A copy of ``frame`` with columns set, given as labels and values in turn."""
    frame = frame.copy(deep=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
        for label, value in zip(pairs[::2], pairs[1::2], strict=True):
            frame[label] = value
    return frame


def with_labels(frame: Any, labels: Any) -> Any:
    """``frame`` under other column labels."""
    frame = frame.copy(deep=False)
    frame.columns = labels
    return frame


def to_frame(frame: Any, column: Any, index: bool) -> Any:
    """A series or an index as a frame of one column, of that label unless it is None."""
    keywords: dict[str, Any] = {} if column is None else {"name": column}
    if isinstance(frame, pd.Index):
        keywords["index"] = index
    return frame.to_frame(**keywords)


def head(frame: Any, n: int, safe: bool = False) -> Any:
    """The first ``n`` rows; ``safe`` warns where there are fewer."""
    result = frame[:n] if isinstance(frame, pd.Index) else frame.head(n)
    if safe and len(result) < n:
        warn_of_few_rows(len(result), n)
    return result


def tail(frame: Any, n: int) -> Any:
    """The last ``n`` rows."""
    if isinstance(frame, pd.Index):
        return frame[-n:] if n else frame[:0]
    return frame.tail(n)


def warn_of_few_rows(found: int, n: int) -> None:
    """Say that the partitions that were looked at have fewer rows than asked for."""
    warnings.warn(
        f"Insufficient elements for `head`. {n} elements requested, only {found} elements "
        "available. Try passing larger `npartitions` to `head`.",
        stacklevel=3,
    )


def first_rows(parts: list[Any], n: int, safe: bool, meta: Any) -> Any:
    """The first ``n`` rows of partitions in order; ``safe`` warns where there are fewer."""
    return head(concatenated(parts, meta), n, safe)


def concatenated(parts: list[Any], meta: Any = None) -> Any:
    """Partitions in order as one object; empty ones do not change its dtypes.

    ``meta`` is given back where there is no partition.
    """
    from samite.dataframe.joining import concat_partitions

    return concat_partitions(parts, meta)


def called_with_meta(function: Any, meta: Any, /, *args: Any, **kwargs: Any) -> Any:
    """``function(*args)`` in the form that ``meta`` promises: its columns, in their order.

    Raises
    ------
    ValueError
        The result has other columns, or is of another kind.
    """
    result = function(*args, **kwargs)
    if isinstance(meta, pd.DataFrame) and isinstance(result, pd.DataFrame):
        if len(meta.columns) and not result.columns.equals(meta.columns):
            return _reordered(result, meta, function)
    elif isinstance(meta, pd.Series) and isinstance(result, pd.Series):
        if result.name != meta.name:
            result = result.rename(meta.name)
    elif isinstance(meta, pd.Index) and isinstance(result, pd.Index):
        if result.name != meta.name:
            result = result.rename(meta.name)
    elif isinstance(meta, (pd.DataFrame, pd.Series)) and not isinstance(
        result, (pd.DataFrame, pd.Series)
    ):
        # An aggregation of the partition: one row of it.
        if isinstance(meta, pd.Series):
            return pd.Series([result], name=meta.name)
    return result


def _reordered(result: pd.DataFrame, meta: pd.DataFrame, function: Any) -> pd.DataFrame:
    from samite.utils import funcname

    if len(result.columns) == len(meta.columns) and set(result.columns) == set(meta.columns):
        return result[list(meta.columns)]
    extra = [c for c in result.columns if c not in meta.columns]
    missing = [c for c in meta.columns if c not in result.columns]
    raise ValueError(
        "The columns in the computed data do not match the columns in the provided metadata.\n"
        f"`{funcname(function)}` returned the columns {list(result.columns)}, the metadata has "
        f"{list(meta.columns)}.\n  Extra:   {extra}\n  Missing: {missing}\n"
        "Give the columns that it returns as `meta=`."
    )


def aligned_side(left: Any, right: Any, side: int, join: str, axis: Any, fill_value: Any) -> Any:
    """One of the two that aligning gives."""
    return left.align(right, join=join, axis=axis, fill_value=fill_value)[side]


def case_when(frame: Any, *flat: Any) -> Any:
    """``frame.case_when`` with conditions and replacements in turn."""
    return frame.case_when(list(zip(flat[::2], flat[1::2], strict=True)))


def mapped(frame: Any, argument: Any, na_action: Any) -> Any:
    """``frame.map``, of an index too."""
    return frame.map(argument, na_action=na_action)


def index_as_series(index: Any, name: Any) -> Any:
    """The labels of an index as a series, with themselves as its index."""
    return index.to_series(name=name)


def index_attribute(index: Any, name: str) -> Any:
    """An attribute of each label, as an index."""
    return pd.Index(getattr(index, name), name=index.name)


def with_index(frame: Any, index: Any) -> Any:
    """``frame`` under other labels for its rows."""
    frame = frame.copy(deep=False)
    frame.index = index
    return frame


def boundary_slice(
    df: Any, start: Any, stop: Any, right_boundary: bool = True, left_boundary: bool = True
) -> Any:
    """The rows with labels from ``start`` to ``stop``, of which None is no bound; the index need
    not be sorted.

    Parameters
    ----------
    right_boundary, left_boundary:
        Whether ``stop`` and ``start`` themselves are within.
    """
    if not len(df.index):
        return df
    if start is not None:
        df = df[df.index >= start if left_boundary else df.index > start]
    if stop is not None:
        df = df[df.index <= stop if right_boundary else df.index < stop]
    return df
