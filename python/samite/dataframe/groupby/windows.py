"""Windows over the rows of groups."""

from __future__ import annotations

from typing import Any


class RollingOfGroups:
    """Windows over the rows of each group; the rows of a group are brought together first."""

    def __init__(self, grouped: Any, window: dict[str, Any], selected: Any = None) -> None:
        self._grouped = grouped
        self._window = window
        self._selected = selected

    def __getitem__(self, key: Any) -> Any:
        return RollingOfGroups(self._grouped[key], self._window)

    def _function(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return self._grouped._function(name, args, kwargs, window=self._window)

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
        """The covariances of each window."""
        return self._function("cov", *args, **kwargs)

    def apply(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """``func`` of each window."""
        return self._function("apply", func, *args, **kwargs)

    def agg(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """Several functions of each window."""
        return self._function("agg", func, *args, **kwargs)

    aggregate = agg
