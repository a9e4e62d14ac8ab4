"""Windows over neighbouring rows of all partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd


def windows_of(
    partition: Any, window: Mapping[str, Any], how: str, *args: Any, **kwargs: Any
) -> Any:
    """``partition.rolling(**window).how(...)`` of pandas."""
    return getattr(partition.rolling(**window), how)(*args, **kwargs)


def windows_of_extended(
    held: Any, window: Mapping[str, Any], how: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """The windows of a partition that has rows of its neighbours, without theirs."""
    result = windows_of(held.part, window, how, *args, **kwargs)
    if not held.before and not held.after:
        return result
    # Pairs of columns have several rows for each row.
    times = len(result) // max(len(held.part), 1)
    return result.iloc[held.before * times : len(result) - held.after * times]


class Rolling:
    """Windows over the rows of a frame or series.

    Parameters
    ----------
    window:
        How many rows a window has, or the span of time that it covers, for an index of dates.
    min_periods:
        How many values there must be for a result that is not missing.
    center:
        Whether a window lies around its row, and does not end there.
    win_type:
        How the rows of a window are weighted, as in pandas.

    Raises
    ------
    ValueError
        pandas refuses these parameters.
    """

    def __init__(
        self,
        obj: Any,
        window: Any,
        min_periods: int | None = None,
        center: bool = False,
        win_type: str | None = None,
    ) -> None:
        if isinstance(window, int) and window < 0:
            raise ValueError(f"window must be an integer 0 or greater, got {window}")
        self.obj = obj
        self.window = window
        self.min_periods = min_periods
        self.center = center
        self.win_type = win_type
        self.obj._meta.rolling(**self._keywords)

    @property
    def _keywords(self) -> dict[str, Any]:
        return {
            "window": self.window,
            "min_periods": self.min_periods,
            "center": self.center,
            "win_type": self.win_type,
        }

    def __getitem__(self, key: Any) -> Rolling:
        return Rolling(self.obj[key], **self._keywords)

    def _function(self, how: str, *args: Any, **kwargs: Any) -> Any:
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.windows import RollingFunction

        return new_collection(RollingFunction(self.obj.expr, self._keywords, how, args, kwargs))

    def count(self, *args: Any, **kwargs: Any) -> Any:
        """The number of values of each window."""
        return self._function("count", *args, **kwargs)

    def sum(self, *args: Any, **kwargs: Any) -> Any:
        """The sum of each window."""
        return self._function("sum", *args, **kwargs)

    def mean(self, *args: Any, **kwargs: Any) -> Any:
        """The mean of each window."""
        return self._function("mean", *args, **kwargs)

    def min(self, *args: Any, **kwargs: Any) -> Any:
        """The least value of each window."""
        return self._function("min", *args, **kwargs)

    def max(self, *args: Any, **kwargs: Any) -> Any:
        """The greatest value of each window."""
        return self._function("max", *args, **kwargs)

    def var(self, *args: Any, **kwargs: Any) -> Any:
        """The variance of each window."""
        return self._function("var", *args, **kwargs)

    def std(self, *args: Any, **kwargs: Any) -> Any:
        """The standard deviation of each window."""
        return self._function("std", *args, **kwargs)

    def median(self, *args: Any, **kwargs: Any) -> Any:
        """The median of each window."""
        return self._function("median", *args, **kwargs)

    def quantile(self, q: float, *args: Any, **kwargs: Any) -> Any:
        """A quantile of each window."""
        return self._function("quantile", q, *args, **kwargs)

    def skew(self, *args: Any, **kwargs: Any) -> Any:
        """The skewness of each window."""
        return self._function("skew", *args, **kwargs)

    def kurt(self, *args: Any, **kwargs: Any) -> Any:
        """The kurtosis of each window."""
        return self._function("kurt", *args, **kwargs)

    def cov(self, *args: Any, **kwargs: Any) -> Any:
        """The covariances of the columns in each window."""
        return self._function("cov", *args, **kwargs)

    def apply(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """``func`` of each window; see pandas for the parameters."""
        return self._function("apply", func, *args, **kwargs)

    def agg(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """One or more functions of each window; see pandas for the forms of ``func``."""
        return self._function("agg", func, *args, **kwargs)

    aggregate = agg

    def __repr__(self) -> str:
        given = {name: value for name, value in self._keywords.items() if value is not None}
        return f"Rolling [{','.join(f'{name}={value}' for name, value in given.items())}]"


def rows_around(window: Any, center: bool) -> tuple[Any, Any]:
    """How far a window reaches before and after its row: rows, or spans of time."""
    if isinstance(window, int):
        return (window // 2, window // 2) if center else (max(window - 1, 0), 0)
    span = pd.Timedelta(window)
    return (span, span) if center else (span, 0)
