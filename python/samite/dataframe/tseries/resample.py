"""Rows grouped by spans of time."""

from __future__ import annotations

from typing import Any

import pandas as pd


class Resampler:
    """The rows of a frame or series, grouped by spans of time.

    Parameters
    ----------
    rule:
        The length of a span, as pandas names it.
    closed:
        Which end belongs to a span: 'left' or 'right'.
    label:
        By which end a span is called.

    Raises
    ------
    ValueError
        The divisions are not known.
    TypeError
        The index has no dates.
    """

    def __init__(self, obj: Any, rule: Any, closed: Any = None, label: Any = None) -> None:
        if not obj.known_divisions:
            raise ValueError(
                "Can only resample frames with known divisions; set them with "
                "`set_index(..., sorted=True)` or `compute_current_divisions`"
            )
        if not isinstance(obj._meta.index, pd.DatetimeIndex):
            raise TypeError(
                "Only valid with DatetimeIndex, but got an instance of "
                f"{type(obj._meta.index).__name__!r}; set an index of dates first"
            )
        obj._meta.resample(rule, closed=closed, label=label)
        self.obj = obj
        self._rule = rule
        self._closed = closed
        self._label = label

    def __getitem__(self, key: Any) -> Resampler:
        return Resampler(self.obj[key], self._rule, self._closed, self._label)

    def _function(self, how: str, *args: Any, **kwargs: Any) -> Any:
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.resampling import ResampleFunction

        return new_collection(
            ResampleFunction(
                self.obj.expr, self._rule, self._closed, self._label, how, args, kwargs
            )
        )

    def count(self) -> Any:
        """The number of values of each span."""
        return self._function("count")

    def sum(self) -> Any:
        """The sum of each span."""
        return self._function("sum")

    def prod(self) -> Any:
        """The product of each span."""
        return self._function("prod")

    def mean(self) -> Any:
        """The mean of each span."""
        return self._function("mean")

    def min(self) -> Any:
        """The least value of each span."""
        return self._function("min")

    def max(self) -> Any:
        """The greatest value of each span."""
        return self._function("max")

    def first(self) -> Any:
        """The first value of each span."""
        return self._function("first")

    def last(self) -> Any:
        """The last value of each span."""
        return self._function("last")

    def var(self) -> Any:
        """The variance of each span."""
        return self._function("var")

    def std(self) -> Any:
        """The standard deviation of each span."""
        return self._function("std")

    def size(self) -> Any:
        """The number of rows of each span."""
        return self._function("size")

    def nunique(self) -> Any:
        """The number of different values of each span."""
        return self._function("nunique")

    def median(self) -> Any:
        """The median of each span."""
        return self._function("median")

    def quantile(self) -> Any:
        """The median of each span."""
        return self._function("quantile")

    def ohlc(self) -> Any:
        """The first, greatest, least and last value of each span."""
        return self._function("ohlc")

    def sem(self) -> Any:
        """The standard error of the mean of each span."""
        return self._function("sem")

    def agg(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """One or more functions of each span; see pandas for the forms of ``func``."""
        return self._function("agg", func, *args, **kwargs)

    aggregate = agg

    def __repr__(self) -> str:
        return f"Resampler [rule={self._rule}, closed={self._closed}, label={self._label}]"
