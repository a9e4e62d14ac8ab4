"""Grouped frames and series as users have them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from samite.dataframe.groupby.keys import normalized_keys
from samite.dataframe.groupby.specification import (
    Output,
    function_name,
    functions_in,
    named_results,
    normalized_function,
    parse,
)
from samite.dataframe.metadata import make_meta, no_default

# Methods that take columns of other kinds than numbers only if those are left out.
NUMERIC_ONLY_NOT_IMPLEMENTED = ["mean", "std", "var"]


class GroupBy:
    """A grouped frame or series.

    Parameters
    ----------
    obj:
        A frame or series.
    by:
        A key or a list of keys: labels of columns or of levels of the index, series with the
        same rows, or functions of the index.
    group_keys:
        Whether ``apply`` puts the keys into the index of its result.
    sort:
        Whether groups come in the order of their keys; by default they do.
    observed:
        Whether to leave out groups of categories without rows; by default they are.
    dropna:
        Whether to leave out rows whose key is missing; by default they are.

    Raises
    ------
    KeyError, ValueError, NotImplementedError
        See :func:`samite.dataframe.groupby.keys.normalized_keys`.
    """

    def __init__(
        self,
        obj: Any,
        by: Any,
        group_keys: bool | None = True,
        sort: bool | None = None,
        observed: bool | None = None,
        dropna: bool | None = None,
        slice: Any = None,
    ) -> None:
        self.obj = obj
        self.by = normalized_keys(obj, by)
        self.group_keys = group_keys
        self.sort = sort
        self.observed = observed
        self.dropna = dropna
        self._slice = slice
        self._expr, self._selected = self._table()

    def _table(self) -> tuple[Any, Any]:
        """The expression of the frame, and the selected column or columns (None: all)."""
        from samite.dataframe.expressions.elementwise import ToFrame

        if self.obj.ndim == 2:
            return self.obj.expr, self._slice
        label = self.obj._meta.name
        if label is None:
            return ToFrame(self.obj.expr, None), 0
        return ToFrame(self.obj.expr, label), label

    # -- what is selected ----------------------------------------------------------------

    @property
    def _is_series(self) -> bool:
        return self._selected is not None and not isinstance(self._selected, list)

    @property
    def _series_name(self) -> Any:
        return self.obj._meta.name if self.obj.ndim == 1 else self._selected

    @property
    def _columns(self) -> list[Any]:
        """The columns that are aggregated."""
        if self._selected is None:
            keys = [key for key in self.by if not hasattr(key, "_meta")]
            return [c for c in self._expr.columns if c not in keys]
        return self._selected if isinstance(self._selected, list) else [self._selected]

    @property
    def _column_names(self) -> list[Any]:
        if self._expr._derived_schema is not None:
            return [None]
        return list(self._expr._meta.columns.names)

    @property
    def _sorts(self) -> bool:
        return True if self.sort is None else bool(self.sort)

    @property
    def _drops(self) -> bool:
        return True if self.dropna is None else bool(self.dropna)

    @property
    def _observes(self) -> bool:
        return True if self.observed is None else bool(self.observed)

    def _numeric_columns(self, columns: list[Any]) -> list[Any]:
        numeric = self._expr._meta[columns]._get_numeric_data().columns
        return [c for c in columns if c in numeric]

    def _checked_columns(self, name: str, numeric_only: Any) -> list[Any]:
        """The columns for a method that knows numbers and times alone.

        Raises
        ------
        NotImplementedError
            There are others, and they are not to be left out.
        """
        columns = self._columns
        if numeric_only and not self._is_series:
            return self._numeric_columns(columns)
        dtypes = [self._expr._meta[c].dtype for c in columns]
        if not self._is_series and any(not _is_number(dtype) for dtype in dtypes):
            raise NotImplementedError(
                f"'numeric_only=False' is not implemented in Dask. `{name}` takes numbers: give "
                "numeric_only=True to leave other columns out, or select columns"
            )
        return columns

    def __getitem__(self, key: Any) -> Any:
        several = list(key) if not isinstance(key, str) and hasattr(key, "__len__") else None
        if several is not None and isinstance(key, tuple) and key in self._expr.columns:
            several = None
        if self.obj.ndim < 2 or self._slice is not None:
            allowed = self._columns
        else:
            allowed = list(self._expr.columns)
        if several is not None:
            if any(k not in allowed for k in several):
                missing = [k for k in several if k not in allowed]
                raise KeyError(f"Columns not found: {', '.join(map(repr, missing))}")
            return self._with(several, DataFrameGroupBy)
        if key not in allowed:
            raise KeyError(f"Column not found: {key}")
        return self._with(key, SeriesGroupBy)

    def _with(self, selected: Any, kind: Any) -> Any:
        return kind(
            self.obj,
            list(map(_as_collection, self.by)),
            group_keys=self.group_keys,
            sort=self.sort,
            observed=self.observed,
            dropna=self.dropna,
            slice=selected,
        )

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and self.obj.ndim == 2 and name in self.obj.columns:
            return self[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        names = set(super().__dir__())
        names.update(c for c in self._expr.columns if isinstance(c, str) and c.isidentifier())
        return sorted(names)

    def compute(self, **kwargs: Any) -> Any:
        """Groups alone have no result.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError(
            "DataFrameGroupBy does not allow compute method."
            "Please chain it with an aggregation method (like ``.mean()``) or get a specific "
            "group using ``.get_group()`` before calling ``compute()``"
        )

    # -- aggregations ------------------------------------------------------------------------

    def _aggregated(
        self, outputs: list[Output], is_series: bool, split_every: Any, split_out: Any, sort: Any
    ) -> Any:
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.groupby import GroupByAggregation
        from samite.dataframe.reductions import checked_split_every

        if split_out is None or split_out == 1:
            checked_split_every(split_every)
        expr = GroupByAggregation(
            self._expr,
            tuple(outputs),
            is_series,
            self._column_names,
            self._sorts if sort is None else bool(sort),
            self._drops,
            self._observes,
            split_every,
            split_out,
            *self.by,
        )
        return new_collection(expr)

    def _single(
        self,
        function: str,
        columns: list[Any] | None = None,
        split_every: Any = None,
        split_out: Any = None,
        shuffle_method: Any = None,
        sort: Any = None,
        **keywords: Any,
    ) -> Any:
        """One function of each column."""
        columns = self._columns if columns is None else columns
        given = tuple(sorted(keywords.items()))
        outputs = [
            Output(self._series_name if self._is_series else c, function, c, given) for c in columns
        ]
        return self._aggregated(outputs, self._is_series, split_every, split_out, sort)

    def _numeric_or_all(self, numeric_only: Any) -> list[Any]:
        if numeric_only and not self._is_series:
            return self._numeric_columns(self._columns)
        return self._columns

    def count(self, **kwargs: Any) -> Any:
        """How many values of each column are there. Keywords: ``split_every``, ``split_out``,
        ``shuffle_method``, as for :meth:`aggregate`."""
        return self._single("count", **kwargs)

    def sum(self, numeric_only: bool = False, min_count: int | None = None, **kwargs: Any) -> Any:
        """The sum of each column; missing where there are fewer than ``min_count`` values."""
        return self._counted("sum", numeric_only, min_count, kwargs)

    def prod(self, numeric_only: bool = False, min_count: int | None = None, **kwargs: Any) -> Any:
        """The product of each column; missing where there are fewer than ``min_count`` values."""
        return self._counted("prod", numeric_only, min_count, kwargs)

    def _counted(self, name: str, numeric_only: Any, min_count: Any, kwargs: Any) -> Any:
        if min_count:
            kwargs["min_count"] = min_count
        return self._single(name, self._numeric_or_all(numeric_only), **kwargs)

    def min(self, numeric_only: bool = False, **kwargs: Any) -> Any:
        """The least value of each column."""
        return self._single("min", self._numeric_or_all(numeric_only), **kwargs)

    def max(self, numeric_only: bool = False, **kwargs: Any) -> Any:
        """The greatest value of each column."""
        return self._single("max", self._numeric_or_all(numeric_only), **kwargs)

    def first(self, numeric_only: bool = False, sort: bool | None = None, **kwargs: Any) -> Any:
        """The first value of each column that is there."""
        return self._single("first", self._numeric_or_all(numeric_only), sort=sort, **kwargs)

    def last(self, numeric_only: bool = False, sort: bool | None = None, **kwargs: Any) -> Any:
        """The last value of each column that is there."""
        return self._single("last", self._numeric_or_all(numeric_only), sort=sort, **kwargs)

    def mean(self, numeric_only: bool = False, split_out: Any = None, **kwargs: Any) -> Any:
        """The mean of each column."""
        columns = self._checked_columns("mean", numeric_only)
        return self._single("mean", columns, split_out=split_out, **kwargs)

    def var(
        self,
        ddof: int = 1,
        split_every: Any = None,
        split_out: Any = None,
        numeric_only: bool = False,
        shuffle_method: Any = None,
    ) -> Any:
        """The variance of each column."""
        return self._spread("var", ddof, split_every, split_out, numeric_only)

    def std(
        self,
        ddof: int = 1,
        split_every: Any = None,
        split_out: Any = None,
        numeric_only: bool = False,
        shuffle_method: Any = None,
    ) -> Any:
        """The standard deviation of each column."""
        return self._spread("std", ddof, split_every, split_out, numeric_only)

    def sem(
        self,
        ddof: int = 1,
        split_every: Any = None,
        split_out: Any = None,
        numeric_only: bool = False,
        shuffle_method: Any = None,
    ) -> Any:
        """The standard error of the mean of each column."""
        return self._spread("sem", ddof, split_every, split_out, numeric_only)

    def _spread(
        self, name: str, ddof: int, split_every: Any, split_out: Any, numeric_only: Any
    ) -> Any:
        columns = self._checked_columns(name, numeric_only)
        keys = [key for key in self.by if not hasattr(key, "_meta")]
        if self._is_series and self.obj.ndim == 2 and self._selected in keys:
            raise NotImplementedError(
                f"`{name}` of a column that is grouped by is always 0. Please use `aggregate`"
            )
        return self._single(name, columns, split_every=split_every, split_out=split_out, ddof=ddof)

    def size(self, **kwargs: Any) -> Any:
        """The number of rows of each group."""
        kwargs.pop("shuffle_method", None)
        name = self._series_name if self._is_series else None
        outputs = [Output(name, "size", None)]
        return self._aggregated(
            outputs, True, kwargs.get("split_every"), kwargs.get("split_out"), None
        )

    def idxmin(
        self,
        split_every: Any = None,
        split_out: Any = None,
        skipna: bool = True,
        numeric_only: bool = False,
        shuffle_method: Any = None,
    ) -> Any:
        """The label of the row with the least value of each column."""
        return self._extreme("idxmin", skipna, numeric_only, split_every, split_out)

    def idxmax(
        self,
        split_every: Any = None,
        split_out: Any = None,
        skipna: bool = True,
        numeric_only: bool = False,
        shuffle_method: Any = None,
    ) -> Any:
        """The label of the row with the greatest value of each column."""
        return self._extreme("idxmax", skipna, numeric_only, split_every, split_out)

    def _extreme(
        self, name: str, skipna: bool, numeric_only: Any, split_every: Any, split_out: Any
    ) -> Any:
        columns = self._numeric_or_all(numeric_only)
        return self._single(
            name, columns, split_every=split_every, split_out=split_out, skipna=skipna
        )

    def aggregate(
        self,
        arg: Any = None,
        split_every: Any = 8,
        split_out: Any = None,
        shuffle_method: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Aggregate by one or more functions.

        Parameters
        ----------
        arg:
            A function (by name, of NumPy, or an :class:`Aggregation`), a list of functions, or a
            mapping of columns to functions or lists of them. Without it keywords give named
            results: ``total=("x", "sum")``, or ``total="sum"`` of a grouped series.
        split_every:
            How many partial results are joined at a time.
        split_out:
            How many partitions the result has. By default it is chosen by the numbers of
            partitions and keys; True stands for as many as the frame has.
        shuffle_method:
            How rows are moved where a function needs all rows of a group at once.

        Raises
        ------
        KeyError
            A column is not there.
        TypeError
            There is no function, or one has arguments that it does not take.
        ValueError
            Two results have the same label.
        """
        spec = named_results(kwargs, self._is_series) if arg is None else arg
        if not self._is_series and isinstance(spec, str) and spec == "size":
            return self.size(split_every=split_every, split_out=split_out)
        label = self._selected if self._is_series else None
        found = parse(spec, self._columns, self._expr.columns, label, self._is_series)
        if not found.decomposable:
            return self._aggregated_together(arg, spec, kwargs, split_out, shuffle_method)
        outputs = list(found.outputs)
        if found.is_series:
            outputs = [outputs[0]._replace(label=self._series_name)]
        split_every = None if split_every == 8 and split_out in (None, 1) else split_every
        return self._aggregated(outputs, found.is_series, split_every, split_out, None)

    def agg(self, *args: Any, **kwargs: Any) -> Any:
        """See :meth:`aggregate`."""
        return self.aggregate(*args, **kwargs)

    def _aggregated_together(
        self, arg: Any, spec: Any, kwargs: Any, split_out: Any, shuffle_method: Any
    ) -> Any:
        from samite.dataframe.groupby.specification import Aggregation, NamedResults

        functions = (
            [function for _, _, function in spec.results]
            if isinstance(spec, NamedResults)
            else functions_in(spec)
        )
        for function in functions:
            if isinstance(function, Aggregation):
                raise NotImplementedError(
                    f"The Aggregation {function.__name__!r} cannot be combined with functions "
                    "that need all rows of a group, such as median; aggregate in two steps"
                )
            if isinstance(function, str) and normalized_function(function) is None:
                if not hasattr(self._example(), function):
                    raise ValueError(f"unknown aggregate {function_name(function)}")
        arguments = () if arg is None else (arg,)
        return self._function(
            "agg",
            arguments,
            dict(kwargs) if arg is None else {},
            count=split_out,
            method=shuffle_method,
        )

    def _example(self) -> Any:
        import pandas as pd

        frame = pd.DataFrame({"x": [1.0], "y": [1.0]}).groupby("x")
        return frame["y"] if self._is_series else frame

    # -- functions that need all rows of a group -------------------------------------------------

    def _function(
        self,
        name: str,
        arguments: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
        meta: Any = None,
        count: Any = None,
        method: Any = None,
        window: Any = None,
        selected: Any = None,
    ) -> Any:
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.groupby_functions import GroupByFunction

        if count is True:
            count = None
        method = method if isinstance(method, str) else None
        expr = GroupByFunction(
            self._expr,
            name,
            arguments,
            keywords or {},
            self._selected if selected is None else selected,
            self._sorts,
            self._drops,
            self._observes,
            self.group_keys,
            meta,
            count,
            method,
            window,
            *self.by,
        )
        return new_collection(expr)

    def _meta_of_function(
        self, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any], meta: Any
    ) -> Any:
        """The metadata of a user's function; found by a call with a warning if not given."""
        if meta is not no_default:
            return make_meta(meta, index=self._expr._meta.index, parent_meta=self._expr._meta)
        from samite.dataframe.metadata import raise_on_meta_error

        warnings.warn(
            "`meta` is not specified, inferred from partial data. Please provide `meta` if the "
            f"result is unexpected.\n  Before: .{name}(func)\n  After:  .{name}(func, "
            "meta={'x': 'f8', 'y': 'f8'}) for dataframe result\n  or:     "
            f".{name}(func, meta=('x', 'f8'))            for series result",
            stacklevel=3,
        )
        with raise_on_meta_error(f"groupby.{name}", udf=True):
            return self._function(name, arguments, keywords)._meta

    def apply(
        self,
        func: Callable[..., Any],
        *args: Any,
        meta: Any = no_default,
        shuffle_method: Any = None,
        **kwargs: Any,
    ) -> Any:
        """``func`` of the rows of each group.

        Rows are moved so that each group is in one partition, unless the groups are formed by
        the index and its divisions are known.

        Parameters
        ----------
        func:
            Called with a frame (or a series) of the rows of each group, ``args`` and ``kwargs``.
        meta:
            What the result is like; by default it is found by a call with made-up rows, with a
            warning.
        """
        keywords = {**kwargs}
        keywords.pop("include_groups", None)
        arguments = (func, *args)
        meta = self._meta_of_function("apply", arguments, keywords, meta)
        return self._function("apply", arguments, keywords, meta, method=shuffle_method)

    def transform(
        self,
        func: Any,
        meta: Any = no_default,
        shuffle_method: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """``func`` of each column of each group, with as many rows as the group has, or one that
        is repeated. See :meth:`apply`."""
        arguments = (func, *args)
        meta = self._meta_of_function("transform", arguments, kwargs, meta)
        return self._function("transform", arguments, kwargs, meta, method=shuffle_method)

    def shift(
        self,
        periods: int = 1,
        meta: Any = no_default,
        shuffle_method: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """The rows of each group, moved by ``periods``. See :meth:`apply`."""
        keywords = {"periods": periods, **kwargs}
        meta = self._meta_of_function("shift", args, keywords, meta)
        return self._function("shift", args, keywords, meta, method=shuffle_method)

    def ffill(self, limit: int | None = None, shuffle_method: Any = None) -> Any:
        """Missing values as the last value before them in the group, ``limit`` in a row."""
        return self._function("ffill", (), {"limit": limit}, method=shuffle_method)

    def bfill(self, limit: int | None = None, shuffle_method: Any = None) -> Any:
        """Missing values as the first value after them in the group, ``limit`` in a row."""
        return self._function("bfill", (), {"limit": limit}, method=shuffle_method)

    def diff(self, periods: int = 1, shuffle_method: Any = None) -> Any:
        """Differences of the rows of each group and those ``periods`` before."""
        return self._function("diff", (), {"periods": periods}, method=shuffle_method)

    def rank(
        self,
        method: str = "average",
        ascending: bool = True,
        na_option: str = "keep",
        pct: bool = False,
        shuffle_method: Any = None,
    ) -> Any:
        """The place of each value among those of its group, from 1; see pandas for the
        parameters."""
        keywords = {"method": method, "ascending": ascending, "na_option": na_option, "pct": pct}
        return self._function("rank", (), keywords, method=shuffle_method)

    def median(
        self,
        split_every: Any = None,
        split_out: Any = True,
        shuffle_method: Any = None,
        numeric_only: bool = False,
    ) -> Any:
        """The median of each column; all rows of a group are brought together for it."""
        count = split_out
        if split_every and split_out is True:
            count = max(self.obj.npartitions // split_every, 1)
        return self._function(
            "median", (), {"numeric_only": numeric_only}, count=count, method=shuffle_method
        )

    def rolling(
        self,
        window: Any,
        min_periods: int | None = None,
        center: bool = False,
        win_type: str | None = None,
        axis: int = 0,
    ) -> Any:
        """Windows over the rows of each group; see pandas for the parameters."""
        from samite.dataframe.groupby.windows import RollingOfGroups

        return RollingOfGroups(
            self,
            {
                "window": window,
                "min_periods": min_periods,
                "center": center,
                "win_type": win_type,
            },
        )

    # -- rows ------------------------------------------------------------------------------------

    def get_group(self, key: Any) -> Any:
        """The rows of one group."""
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.groupby_rows import GroupRows

        return self._renamed(
            new_collection(GroupRows(self._expr, key, self._selected, self._drops, *self.by))
        )

    def _renamed(self, result: Any) -> Any:
        """A result of a series without a name, without one too."""
        if self.obj.ndim == 1 and self.obj._meta.name is None:
            return result.rename(None)
        return result

    def head(self, n: int = 5, split_every: Any = None, split_out: Any = None) -> Any:
        """The first ``n`` rows of each group."""
        return self._ends("head", n, split_every)

    def tail(self, n: int = 5, split_every: Any = None, split_out: Any = None) -> Any:
        """The last ``n`` rows of each group."""
        return self._ends("tail", n, split_every)

    def _ends(self, how: str, n: int, split_every: Any) -> Any:
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.groupby_rows import EndRowsOfGroups

        expr = EndRowsOfGroups(
            self._expr, how, n, self._selected, self._drops, split_every, *self.by
        )
        return self._renamed(new_collection(expr))

    # -- running totals ------------------------------------------------------------------------

    def cumsum(self, numeric_only: bool = False) -> Any:
        """The running sum of each column within its group."""
        return self._running("cumsum", numeric_only)

    def cumprod(self, numeric_only: bool = False) -> Any:
        """The running product of each column within its group."""
        return self._running("cumprod", numeric_only)

    def cummin(self, numeric_only: bool = False) -> Any:
        """The least value of each column so far within its group."""
        return self._running("cummin", numeric_only)

    def cummax(self, numeric_only: bool = False) -> Any:
        """The greatest value of each column so far within its group."""
        return self._running("cummax", numeric_only)

    def cumcount(self) -> Any:
        """The number of rows of the same group before each row."""
        return self._running("cumcount", False)

    def _running(self, how: str, numeric_only: Any) -> Any:
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.groupby_rows import RunningOfGroups

        selected = self._selected
        if numeric_only and not self._is_series:
            selected = self._numeric_columns(self._columns)
        expr = RunningOfGroups(self._expr, how, selected, self._drops, *self.by)
        return self._renamed(new_collection(expr))

    # -- pairs of columns ----------------------------------------------------------------------

    def cov(
        self,
        ddof: int = 1,
        split_every: Any = None,
        split_out: Any = None,
        numeric_only: bool = False,
        shuffle_method: Any = None,
    ) -> Any:
        """The covariances of the columns within each group."""
        return self._covariance("cov", ddof, split_every, numeric_only)

    def corr(
        self,
        split_every: Any = None,
        split_out: Any = None,
        numeric_only: bool = False,
        shuffle_method: Any = None,
    ) -> Any:
        """The correlations of the columns within each group."""
        return self._covariance("corr", 1, split_every, numeric_only)

    def _covariance(self, how: str, ddof: int, split_every: Any, numeric_only: Any) -> Any:
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.groupby_rows import CovarianceOfGroups

        columns = self._checked_columns(how, numeric_only)
        expr = CovarianceOfGroups(
            self._expr,
            how,
            columns,
            self._sorts,
            self._drops,
            self._observes,
            ddof,
            self._column_names,
            split_every,
            *self.by,
        )
        return new_collection(expr)


class DataFrameGroupBy(GroupBy):
    """A grouped frame."""


class SeriesGroupBy(GroupBy):
    """A grouped series, or a column of a grouped frame."""

    def nunique(
        self, split_every: Any = None, split_out: Any = True, shuffle_method: Any = None
    ) -> Any:
        """The number of different values of each group."""
        return self._single("nunique", split_every=split_every, split_out=split_out)

    def unique(self, split_every: Any = None, split_out: Any = None, **kwargs: Any) -> Any:
        """The different values of each group, as arrays."""
        return self._single("unique", split_every=split_every, split_out=split_out)

    def value_counts(
        self,
        normalize: bool = False,
        sort: bool = True,
        ascending: bool = False,
        dropna: bool = True,
        split_every: Any = None,
        split_out: Any = None,
        shuffle_method: Any = None,
    ) -> Any:
        """How often each value is in each group."""
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.groupby_rows import ValueCountsOfGroups

        expr = ValueCountsOfGroups(
            self._expr,
            self._selected,
            self._sorts,
            self._drops,
            sort,
            ascending,
            normalize,
            dropna,
            split_every,
            *self.by,
        )
        return new_collection(expr)

    def cov(self, *args: Any, **kwargs: Any) -> Any:
        """A series has no pairs of columns.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError("cov is not implemented for SeriesGroupBy objects.")

    def corr(self, *args: Any, **kwargs: Any) -> Any:
        """A series has no pairs of columns.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError("corr is not implemented for SeriesGroupBy objects.")


def _is_number(dtype: Any) -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return is_numeric_dtype(dtype) or is_bool_dtype(dtype) or dtype.kind in "mM"


def _as_collection(key: Any) -> Any:
    from samite._expr import Expr
    from samite.dataframe.collections.frame_base import new_collection

    return new_collection(key) if isinstance(key, Expr) else key
