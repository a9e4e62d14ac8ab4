"""Methods that keep the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from samite._collections import new_collection
from samite.base import is_dask_collection
from samite.dataframe.collections.mixin import Mixin
from samite.dataframe.elementwise import (
    apply_user_function,
    isin,
    method_call,
    rows_function,
    rows_method_call,
    rows_of,
)
from samite.dataframe.metadata import no_default


class ElementwiseMethods(Mixin):
    """Methods that keep the rows, for frames and series alike."""

    def abs(self) -> Any:
        """The absolute value of each element.

        Raises
        ------
        TypeError
            A column is not of numbers.
        """
        return method_call(self, "abs")

    def align(
        self, other: Any, join: str = "outer", axis: Any = None, fill_value: Any = None
    ) -> tuple[Any, Any]:
        """The two as a pair with the same labels; see pandas. Labels are aligned within the
        partitions, which are cut at the same divisions first."""
        from samite.dataframe import methods

        other = rows_of(other, self._meta.ndim)
        return (
            rows_function(methods.aligned_side, self, other, 0, join, axis, fill_value),
            rows_function(methods.aligned_side, self, other, 1, join, axis, fill_value),
        )

    def astype(self, dtypes: Any) -> Any:
        """The elements as ``dtypes``: one dtype, or a mapping of column labels to dtypes."""
        return method_call(self, "astype", dtypes)

    def clip(self, lower: Any = None, upper: Any = None, axis: Any = None, **kwargs: Any) -> Any:
        """The elements moved into bounds, each a scalar, a series or None."""
        if any(value is not None for value in kwargs.values()):
            raise TypeError(f"clip() got unexpected keyword arguments {sorted(kwargs)}")
        return method_call(self, "clip", lower=lower, upper=upper, axis=axis)

    def combine_first(self, other: Any) -> Any:
        """The elements, and those of ``other`` where there are none."""
        return rows_method_call(self, "combine_first", rows_of(other, self._meta.ndim))

    def fillna(self, value: Any = None, axis: Any = None) -> Any:
        """The elements, with ``value`` where they are missing.

        Raises
        ------
        NotImplementedError
            ``axis`` is of the columns.
        """
        axis = self._validate_axis(axis)
        if axis == 1 and not isinstance(value, (int, float, str)):
            raise NotImplementedError("fillna with axis=1 takes a scalar value")
        return method_call(self, "fillna", value=value)

    def isin(self, values: Any) -> Any:
        """Whether each element is one of ``values``.

        Raises
        ------
        NotImplementedError
            ``values`` is a collection, or holds one.
        """
        return isin(self, values)

    def isna(self) -> Any:
        """Whether each element is missing."""
        return method_call(self, "isna")

    def isnull(self) -> Any:
        """The same as :meth:`isna`."""
        return method_call(self, "isna")

    def notna(self) -> Any:
        """Whether each element is there."""
        return method_call(self, "notna")

    def notnull(self) -> Any:
        """The same as :meth:`notna`."""
        return method_call(self, "notna")

    def mask(self, cond: Any, other: Any = float("nan")) -> Any:
        """The elements, and those of ``other`` where ``cond`` is true."""
        return _chosen(self, "mask", cond, other)

    def where(self, cond: Any, other: Any = float("nan")) -> Any:
        """The elements where ``cond`` is true, elsewhere those of ``other``."""
        return _chosen(self, "where", cond, other)

    def pipe(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """``func(self, *args, **kwargs)``; ``func`` may be a pair of a function and the name of
        the argument that takes the collection."""
        if isinstance(func, tuple):
            func, name = func
            if name in kwargs:
                raise ValueError(f"{name} is both the pipe target and a keyword argument")
            return func(*args, **{**kwargs, name: self})
        return func(self, *args, **kwargs)

    def rename_axis(
        self,
        mapper: Any = no_default,
        index: Any = no_default,
        columns: Any = no_default,
        axis: Any = 0,
    ) -> Any:
        """Another name for the index or for the columns; see pandas."""
        given = {"mapper": mapper, "index": index, "columns": columns}
        keywords = {name: value for name, value in given.items() if value is not no_default}
        if self._meta.ndim == 2:
            keywords["axis"] = axis
        return method_call(self, "rename_axis", **keywords)

    def replace(self, to_replace: Any = None, value: Any = no_default, regex: Any = False) -> Any:
        """Other elements for some; see pandas."""
        keywords = {} if value is no_default else {"value": value}
        return method_call(self, "replace", to_replace=to_replace, regex=regex, **keywords)

    def reset_index(self, drop: bool = False) -> Any:
        """The index as a column, or dropped. Each partition is numbered from 0."""
        return rows_method_call(self, "reset_index", keeps_divisions=False, drop=drop)

    def round(self, decimals: Any = 0) -> Any:
        """The elements rounded to a number of decimals, or by column label to several."""
        return method_call(self, "round", decimals)

    def to_timestamp(self, freq: Any = None, how: str = "start") -> Any:
        """An index of periods as one of times, at the start or the end of each."""
        from samite.dataframe.timestamps import to_timestamp

        return to_timestamp(self, freq, how)

    def _validate_axis(self, axis: Any = 0) -> int:
        from samite.dataframe.arguments import axis_number

        return axis_number(self, axis)


class ElementwiseMethodsOfFrame(Mixin):
    """Methods that keep the rows, for frames."""

    def add_prefix(self, prefix: str, axis: Any = None) -> Any:
        """The frame with ``prefix`` before each column label.

        Raises
        ------
        NotImplementedError
            ``axis`` is of the rows.
        """
        return _with_affix(self, "add_prefix", prefix, axis)

    def add_suffix(self, suffix: str, axis: Any = None) -> Any:
        """Like :meth:`add_prefix`, with text behind."""
        return _with_affix(self, "add_suffix", suffix, axis)

    def apply(
        self,
        function: Callable[..., Any],
        *args: Any,
        meta: Any = no_default,
        axis: Any = 0,
        **kwargs: Any,
    ) -> Any:
        """``function`` of each row.

        Parameters
        ----------
        axis:
            Must be 1 or ``"columns"``: the function gets rows.
        meta:
            What comes out, as :func:`make_meta` takes it; by default the function is called on a
            made-up row.

        Raises
        ------
        NotImplementedError
            ``axis`` is another.
        """
        axis = self._validate_axis(axis)
        if axis == 0:
            raise NotImplementedError(
                "DataFrame.apply only supports axis=1\n  Try: df.apply(func, axis=1)"
            )
        return apply_user_function(self, "apply", meta, function, *args, axis=1, **kwargs)

    def map(self, func: Any, na_action: Any = None, meta: Any = None) -> Any:
        """``func`` of each element."""
        meta = no_default if meta is None else meta
        return apply_user_function(self, "map", meta, func, na_action=na_action)

    def combine(self, other: Any, func: Any, fill_value: Any = None, overwrite: bool = True) -> Any:
        """``func`` of the pairs of columns of two frames; see pandas."""
        return rows_method_call(
            self, "combine", rows_of(other, 2), func, fill_value=fill_value, overwrite=overwrite
        )

    def drop(
        self, labels: Any = None, axis: Any = 0, columns: Any = None, errors: str = "raise"
    ) -> Any:
        """The frame without some columns.

        Raises
        ------
        NotImplementedError
            Rows are asked for.
        KeyError
            There is no such column, unless ``errors`` is ``"ignore"``.
        """
        from samite.dataframe.expressions.selection import Projection

        if columns is None and labels is None:
            raise TypeError("must either specify 'columns' or 'labels'")
        if columns is None:
            if self._validate_axis(axis) != 1:
                raise NotImplementedError(
                    "Drop currently only works for axis=1 or when columns is not None"
                )
            columns = labels
        left = self._meta.drop(columns=columns, errors=errors)
        return new_collection(Projection(self.expr, list(left.columns)))

    def pop(self, item: Any) -> Any:
        """The column ``item``, which is taken out of this frame."""
        column = self[item]
        self._expr = self.drop(columns=item).expr
        return column

    def dropna(self, how: Any = no_default, subset: Any = None, thresh: Any = no_default) -> Any:
        """The rows without missing elements; see pandas.

        Raises
        ------
        TypeError
            Both ``how`` and ``thresh`` are given.
        """
        if how is not no_default and thresh is not no_default:
            raise TypeError("You cannot set both the how and thresh arguments at the same time.")
        given = {"how": how, "subset": subset, "thresh": thresh}
        return rows_method_call(
            self, "dropna", **{k: v for k, v in given.items() if v is not no_default}
        )

    def eval(self, expr: str, **kwargs: Any) -> Any:
        """An expression of column names, as text; see pandas.

        Raises
        ------
        NotImplementedError
            The expression changes this frame in place.
        """
        if kwargs.pop("inplace", None):
            raise NotImplementedError("eval with inplace=True is not possible; assign the result")
        return method_call(self, "eval", expr, **kwargs)

    def query(self, expr: str, **kwargs: Any) -> Any:
        """The rows for which an expression of column names, as text, is true; see pandas."""
        return rows_method_call(self, "query", expr, **kwargs)

    def rename(self, index: Any = None, columns: Any = None) -> Any:
        """Other labels for columns, by a mapping or a function.

        Raises
        ------
        ValueError
            ``index`` is given: labels of rows cannot be renamed.
        """
        from samite.dataframe.renaming import renamed_columns

        if index is not None:
            raise ValueError("Cannot rename index.")
        return renamed_columns(self, columns)

    def set_axis(self, labels: Any, axis: Any = 0) -> Any:
        """Other labels for all columns; see pandas. Labels of rows cannot be set."""
        from samite.dataframe.renaming import with_columns

        if self._validate_axis(axis) != 1:
            raise NotImplementedError("set_axis is only possible for the columns, axis=1")
        return with_columns(self, labels)

    def select_dtypes(self, include: Any = None, exclude: Any = None) -> Any:
        """The columns with, or without, certain dtypes; see pandas."""
        return self[list(self._meta.select_dtypes(include, exclude).columns)]

    def filter(
        self, items: Any = None, like: str | None = None, regex: str | None = None, axis: Any = None
    ) -> Any:
        """The columns of certain labels; see pandas."""
        if axis is not None and self._validate_axis(axis) != 1:
            raise NotImplementedError("filter is only possible for the columns, axis=1")
        chosen = self._meta.filter(items=items, like=like, regex=regex, axis=1)
        return self[list(chosen.columns)]

    def get(self, key: Any, default: Any = None) -> Any:
        """A column, or ``default`` where there is none of that label."""
        return self[key] if key in self._meta.columns else default

    def insert(self, loc: int, column: Any, value: Any, allow_duplicates: bool = False) -> None:
        """Put a column into this frame at a position; see pandas.

        Raises
        ------
        ValueError
            There is a column of that label.
        """
        labels = list(self.columns)
        if column in labels:
            raise ValueError(f"cannot insert {column}, already exists")
        labels.insert(loc, column)
        self._expr = self._assigned({column: value})[labels].expr

    def squeeze(self, axis: Any = None) -> Any:
        """A frame of one column as a series, unless ``axis`` is of the rows."""
        if axis in (0, "index"):
            raise NotImplementedError(f"{type(self)} does not support squeeze along axis 0")
        if axis not in (1, "columns", None):
            raise ValueError(f"No axis {axis} for object type {type(self)}")
        return self[self.columns[0]] if len(self.columns) == 1 else self

    @property
    def axes(self) -> list[Any]:
        """The index, and the labels of the columns."""
        return [self.index, self.columns]

    @property
    def shape(self) -> tuple[Any, int]:
        """The number of rows as a scalar, and that of the columns."""
        if not len(self.columns):
            return (self.index.size, 0)
        return (
            self[self.columns[0]].size if self.columns.is_unique else self.index.size,
            len(self.columns),
        )

    def iterrows(self) -> Iterator[Any]:
        """Pairs of label and row, computed one partition at a time."""
        for part in _parts(self):
            yield from part.iterrows()

    def itertuples(self, index: bool = True, name: str | None = "Pandas") -> Iterator[Any]:
        """The rows as named tuples, computed one partition at a time."""
        for part in _parts(self):
            yield from part.itertuples(index=index, name=name)

    def dot(self, other: Any, meta: Any = no_default) -> Any:
        """The matrix product with a pandas object, whose index has the columns' labels."""
        from samite.dataframe.map_partitions import map_partitions

        return map_partitions(_dot, self, other, meta=meta, token="dot")


class ElementwiseMethodsOfSeries(Mixin):
    """Methods that keep the rows, for series."""

    def add_prefix(self, prefix: str) -> Any:
        """The series with ``prefix`` before each label of the index."""
        from samite.dataframe.relabelling import with_affix

        return with_affix(self, "add_prefix", prefix)

    def add_suffix(self, suffix: str) -> Any:
        """The series with ``suffix`` behind each label of the index."""
        from samite.dataframe.relabelling import with_affix

        return with_affix(self, "add_suffix", suffix)

    def apply(
        self, function: Any, *args: Any, meta: Any = no_default, axis: Any = 0, **kwargs: Any
    ) -> Any:
        """``function`` of each element; see pandas. ``meta`` tells what comes out."""
        self._validate_axis(axis)
        return apply_user_function(self, "apply", meta, function, *args, **kwargs)

    def map(self, arg: Any, na_action: Any = None, meta: Any = None) -> Any:
        """A function of each element, or its counterpart in a mapping or a series."""
        from samite.dataframe.mapping import map_series

        return map_series(self, arg, na_action, meta)

    def between(self, left: Any, right: Any, inclusive: str = "both") -> Any:
        """Whether each element lies between bounds."""
        return method_call(self, "between", left=left, right=right, inclusive=inclusive)

    def case_when(self, caselist: list[tuple[Any, Any]]) -> Any:
        """The first replacement whose condition is true, else the element; pairs of condition
        and replacement, each a series, a scalar or a function of the series.

        Raises
        ------
        TypeError
            ``caselist`` is no list of pairs.
        ValueError
            It is empty, or a pair is none.
        """
        if not isinstance(caselist, list):
            raise TypeError(f"The caselist argument should be a list; instead got {type(caselist)}")
        if not caselist:
            raise ValueError(
                "provide at least one boolean condition, with a corresponding replacement."
            )
        flat = []
        for position, pair in enumerate(caselist):
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise ValueError(
                    f"Argument {position} must be a tuple of a condition and a replacement; "
                    f"instead got {pair!r}."
                )
            flat.extend(value(self) if callable(value) else value for value in pair)
        from samite.dataframe import methods

        return rows_function(methods.case_when, self, *flat)

    def combine(self, other: Any, func: Any, fill_value: Any = None) -> Any:
        """``func`` of the pairs of elements of two series, or of elements and a scalar."""
        return rows_method_call(self, "combine", rows_of(other, 1), func, fill_value=fill_value)

    def dropna(self) -> Any:
        """The elements that are there."""
        return rows_method_call(self, "dropna")

    def rename(self, index: Any, sorted_index: bool = False) -> Any:
        """Another name for a scalar ``index``, other labels for a mapping or a function.

        ``sorted_index`` promises that the new labels are in ascending order, so that the
        divisions stay known.
        """
        from samite.dataframe.relabelling import relabelled

        return relabelled(self, index, sorted_index)

    def squeeze(self) -> Any:
        """This series."""
        return self

    @property
    def axes(self) -> list[Any]:
        """The index."""
        return [self.index]

    @property
    def shape(self) -> tuple[Any]:
        """The number of rows, as a scalar."""
        return (self.size,)

    def dot(self, other: Any, meta: Any = no_default) -> Any:
        """The sum of the products with another series, as a scalar; with a frame, by column."""
        from samite.dataframe.collections.dataframe import DataFrame

        if not hasattr(other, "expr"):
            raise TypeError("The second operand must be a dask dataframe or dask series")
        if isinstance(other, DataFrame):
            result = other.mul(self, axis="index").sum(skipna=False)
        else:
            result = (self * other).sum(skipna=False)
        name = getattr(meta, "name", None)
        return result if name is None else result.rename(name)


def _chosen(frame: Any, method: str, condition: Any, other: Any) -> Any:
    ndim = frame._meta.ndim
    values = [
        rows_of(value(frame) if callable(value) and not is_dask_collection(value) else value, ndim)
        for value in (condition, other)
    ]
    return method_call(frame, method, *values)


def _with_affix(frame: Any, method: str, text: str, axis: Any) -> Any:
    from samite.dataframe.renaming import with_columns

    if axis is not None and frame._validate_axis(axis) == 0:
        raise NotImplementedError(f"{method} is only possible for the columns, axis=1")
    return with_columns(frame, getattr(frame._meta, method)(text).columns)


def _parts(frame: Any) -> Iterator[Any]:
    for position in range(frame.npartitions):
        yield frame.get_partition(position).compute()


def _dot(part: Any, other: Any) -> Any:
    return part.dot(other)


_ARITHMETIC = (
    "add sub mul div divide truediv floordiv mod pow "
    "radd rsub rmul rdiv rtruediv rfloordiv rmod rpow"
).split()
_COMPARISON = "lt le gt ge eq ne".split()


def _flexible(name: str, of_frame: bool) -> Any:
    arithmetic = name in _ARITHMETIC

    if of_frame:

        def method(
            self: Any, other: Any, axis: Any = "columns", level: Any = None, fill_value: Any = None
        ) -> Any:
            axis = self._validate_axis(axis)
            other_ndim = getattr(getattr(other, "_meta", None), "ndim", None)
            if arithmetic and other_ndim == 1 and axis == 1 and hasattr(other, "expr"):
                raise ValueError(f"Unable to {name} dd.Series with axis=1")
            return _flexible_call(self, name, other, axis, level, fill_value)
    else:

        def method(
            self: Any, other: Any, level: Any = None, fill_value: Any = None, axis: Any = 0
        ) -> Any:
            return _flexible_call(self, name, other, self._validate_axis(axis), level, fill_value)

    method.__name__ = name
    method.__doc__ = (
        f"pandas' ``{name}``, row by row; ``other`` is a collection, a pandas object or a scalar, "
        "and ``fill_value`` takes the place of elements that are missing on one side."
    )
    return method


def _flexible_call(
    frame: Any, name: str, other: Any, axis: int, level: Any, fill_value: Any
) -> Any:
    if level is not None:
        raise NotImplementedError("level must be None")
    keywords: dict[str, Any] = {"axis": axis}
    if fill_value is not None:
        keywords["fill_value"] = fill_value
    ndim = frame._meta.ndim if axis == 1 or getattr(other, "ndim", 0) == 2 else 1
    return method_call(frame, name, rows_of(other, ndim), **keywords)


for _name in _ARITHMETIC + _COMPARISON:
    setattr(ElementwiseMethodsOfFrame, _name, _flexible(_name, True))
    setattr(ElementwiseMethodsOfSeries, _name, _flexible(_name, False))
