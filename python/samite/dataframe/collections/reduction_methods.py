"""Methods that reduce rows to few."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from samite.dataframe import reductions
from samite.dataframe.collections.mixin import Mixin
from samite.dataframe.metadata import no_default
from samite.dataframe.reductions import extreme_labels, moment, reduced


def _checked_out(kwargs: Mapping[str, Any], operation: str) -> None:
    """Refuse keywords other than those by which NumPy's functions call methods.

    Raises
    ------
    TypeError
        There are others.
    """
    if kwargs.get("out") is not None:
        raise TypeError(f"{operation} takes no `out`; its result is lazy, assign it instead")
    unknown = sorted(set(kwargs) - {"out", "dtype", "keepdims"})
    if unknown:
        raise TypeError(f"{operation}() got an unexpected keyword argument {unknown[0]!r}")


class ReductionMethods(Mixin):
    """Methods that reduce rows to few. For frames and series alike."""

    def sum(
        self,
        axis: Any = 0,
        skipna: bool = True,
        numeric_only: bool = False,
        min_count: int = 0,
        split_every: Any = None,
        **kwargs: Any,
    ) -> Any:
        """The sum of each column; ``axis=1`` of each row.

        Parameters
        ----------
        skipna:
            Whether to leave missing values out.
        min_count:
            How many values there must be for a result that is not missing.
        split_every:
            How many partial results are joined at a time.

        Raises
        ------
        ValueError
            There is no such axis, or ``split_every`` is below 2.
        """
        _checked_out(kwargs, "sum")
        return reduced(self, "sum", axis, skipna, numeric_only, min_count, split_every)

    def prod(
        self,
        axis: Any = 0,
        skipna: bool = True,
        numeric_only: bool = False,
        min_count: int = 0,
        split_every: Any = None,
        **kwargs: Any,
    ) -> Any:
        """The product of each column; see :meth:`sum`."""
        _checked_out(kwargs, "prod")
        return reduced(self, "prod", axis, skipna, numeric_only, min_count, split_every)

    product = prod

    def min(
        self,
        axis: Any = 0,
        skipna: bool = True,
        numeric_only: bool = False,
        split_every: Any = None,
        **kwargs: Any,
    ) -> Any:
        """The least value of each column; see :meth:`sum`."""
        _checked_out(kwargs, "min")
        return reduced(self, "min", axis, skipna, numeric_only, 0, split_every)

    def max(
        self,
        axis: Any = 0,
        skipna: bool = True,
        numeric_only: bool = False,
        split_every: Any = None,
        **kwargs: Any,
    ) -> Any:
        """The greatest value of each column; see :meth:`sum`."""
        _checked_out(kwargs, "max")
        return reduced(self, "max", axis, skipna, numeric_only, 0, split_every)

    def any(
        self, axis: Any = 0, skipna: bool = True, split_every: Any = None, **kwargs: Any
    ) -> Any:
        """Whether there is a true value in each column; see :meth:`sum`."""
        _checked_out(kwargs, "any")
        return reduced(self, "any", axis, skipna, False, 0, split_every)

    def all(
        self, axis: Any = 0, skipna: bool = True, split_every: Any = None, **kwargs: Any
    ) -> Any:
        """Whether all values of each column are true; see :meth:`sum`."""
        _checked_out(kwargs, "all")
        return reduced(self, "all", axis, skipna, False, 0, split_every)

    def count(self, axis: Any = 0, numeric_only: bool = False, split_every: Any = None) -> Any:
        """The number of values of each column that are not missing; see :meth:`sum`."""
        return reduced(self, "count", axis, True, numeric_only, 0, split_every)

    def mean(
        self,
        axis: Any = 0,
        skipna: bool = True,
        numeric_only: bool = False,
        split_every: Any = None,
        **kwargs: Any,
    ) -> Any:
        """The mean of each column; see :meth:`sum`."""
        _checked_out(kwargs, "mean")
        return moment(self, "mean", axis, skipna, numeric_only, split_every=split_every)

    def var(
        self,
        axis: Any = 0,
        skipna: bool = True,
        ddof: int = 1,
        numeric_only: bool = False,
        split_every: Any = None,
        **kwargs: Any,
    ) -> Any:
        """The variance of each column; the sum of squares is divided by the number of values
        less ``ddof``. See :meth:`sum`."""
        _checked_out(kwargs, "var")
        return moment(self, "var", axis, skipna, numeric_only, ddof, split_every=split_every)

    def std(
        self,
        axis: Any = 0,
        skipna: bool = True,
        ddof: int = 1,
        numeric_only: bool = False,
        split_every: Any = None,
        **kwargs: Any,
    ) -> Any:
        """The standard deviation of each column; see :meth:`var`."""
        _checked_out(kwargs, "std")
        return moment(self, "std", axis, skipna, numeric_only, ddof, split_every=split_every)

    def sem(
        self,
        axis: Any = None,
        skipna: bool = True,
        ddof: int = 1,
        split_every: Any = None,
        numeric_only: bool = False,
    ) -> Any:
        """The standard error of the mean of each column; see :meth:`var`."""
        axis = 0 if axis is None else axis
        return moment(self, "sem", axis, skipna, numeric_only, ddof, split_every=split_every)

    def skew(
        self,
        axis: Any = 0,
        bias: bool = True,
        nan_policy: str = "propagate",
        numeric_only: bool = False,
    ) -> Any:
        """The skewness of each column, as SciPy defines it: ``bias=False`` corrects for the
        number of values. A missing value makes the result missing.

        Raises
        ------
        ValueError
            ``axis`` is None, or the policy is another than to propagate missing values.
        """
        _check_shape(axis, nan_policy, "skew")
        return moment(self, "skew", axis, _is_rows(axis), numeric_only, bias=bias)

    def kurtosis(
        self,
        axis: Any = 0,
        fisher: bool = True,
        bias: bool = True,
        nan_policy: str = "propagate",
        numeric_only: bool = False,
    ) -> Any:
        """The kurtosis of each column; ``fisher`` takes that of a normal distribution as 0.
        See :meth:`skew`."""
        _check_shape(axis, nan_policy, "kurtosis")
        return moment(
            self, "kurtosis", axis, _is_rows(axis), numeric_only, bias=bias, fisher=fisher
        )

    kurt = kurtosis

    def idxmin(
        self,
        axis: Any = 0,
        skipna: bool = True,
        numeric_only: bool = False,
        split_every: Any = None,
    ) -> Any:
        """The label of the first row with the least value of each column."""
        return extreme_labels(self, "idxmin", axis, skipna, numeric_only, split_every)

    def idxmax(
        self,
        axis: Any = 0,
        skipna: bool = True,
        numeric_only: bool = False,
        split_every: Any = None,
    ) -> Any:
        """The label of the first row with the greatest value of each column."""
        return extreme_labels(self, "idxmax", axis, skipna, numeric_only, split_every)

    def reduction(
        self,
        chunk: Callable[..., Any],
        aggregate: Callable[..., Any] | None = None,
        combine: Callable[..., Any] | None = None,
        meta: Any = no_default,
        token: str | None = None,
        split_every: Any = None,
        chunk_kwargs: Mapping[str, Any] | None = None,
        aggregate_kwargs: Mapping[str, Any] | None = None,
        combine_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Reduce the rows by functions.

        Parameters
        ----------
        chunk:
            Called with each partition; gives a frame, a series or a scalar.
        aggregate:
            Called with the results of ``chunk`` below each other: scalars as a series, a series
            as a row of a frame. By default ``chunk``.
        combine:
            Called in the same way where there are many results, and gives what ``chunk`` gives.
            By default ``aggregate``.
        meta:
            What the result is like; by default it is found by calls on a made-up example.
        split_every:
            How many results are joined at a time; False for all.
        chunk_kwargs, aggregate_kwargs, combine_kwargs:
            Keywords for one of the functions; ``kwargs`` are for all.

        Raises
        ------
        ValueError
            ``split_every`` is below 2, or there are keywords for ``combine`` without it.
        """
        return reductions.reduction(
            self,
            chunk,
            aggregate,
            combine,
            meta,
            token,
            split_every,
            chunk_kwargs,
            aggregate_kwargs,
            combine_kwargs,
            **kwargs,
        )

    def __len__(self) -> int:
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.reductions import Length

        return int(new_collection(Length(self.expr)).compute())


def _is_rows(axis: Any) -> bool:
    """Missing values are left out along rows, and propagate along columns."""
    return axis in (1, "columns")


def _check_shape(axis: Any, nan_policy: str, operation: str) -> None:
    if axis is None:
        raise ValueError(f"`axis=None` isn't currently supported for `{operation}`; give an axis")
    if nan_policy != "propagate":
        raise NotImplementedError(
            f"`nan_policy` of `{operation}` other than 'propagate' is not supported; "
            "drop missing values before"
        )


class ReductionMethodsOfFrame(Mixin):
    """Methods that reduce rows to few. For frames."""


class ReductionMethodsOfSeries(Mixin):
    """Methods that reduce rows to few. For series."""

    @property
    def is_monotonic_increasing(self) -> Any:
        """Whether no value is less than the one before it."""
        return _monotonic(self, False)

    @property
    def is_monotonic_decreasing(self) -> Any:
        """Whether no value is greater than the one before it."""
        return _monotonic(self, True)


def _absent(name: str) -> Any:
    def get(self: Any) -> Any:
        raise AttributeError(f"'Index' object has no attribute {name!r}")

    return property(get, doc=f"An index has no {name}, as in pandas.")


class ReductionMethodsOfIndex:
    """What an index, other than a series, does not have."""

    sum = _absent("sum")
    prod = _absent("prod")
    product = _absent("product")
    mean = _absent("mean")
    var = _absent("var")
    std = _absent("std")
    sem = _absent("sem")
    skew = _absent("skew")
    kurtosis = _absent("kurtosis")
    kurt = _absent("kurt")
    idxmin = _absent("idxmin")
    idxmax = _absent("idxmax")

    def count(self, split_every: Any = None) -> Any:
        """The number of labels that are not missing."""
        return reduced(self, "count", split_every=split_every)


def _monotonic(series: Any, decreasing: bool) -> Any:
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.expressions.reductions import IsMonotonic

    return new_collection(IsMonotonic(series.expr, decreasing))
