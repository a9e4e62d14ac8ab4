"""Methods that reduce rows to few."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from samite.dataframe import reductions
from samite.dataframe._lazy import statistics
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

    def nunique_approx(self, split_every: Any = None) -> Any:
        """An estimate of the number of different rows, with a standard error of about 0.4 %."""
        return statistics.nunique_approx(self, split_every)

    def cumsum(self, axis: Any = 0, skipna: bool = True, **kwargs: Any) -> Any:
        """The running sum of each column; ``axis=1`` of each row."""
        _checked_out(kwargs, "cumsum")
        return reductions.running(self, "cumsum", axis, skipna)

    def cumprod(self, axis: Any = 0, skipna: bool = True, **kwargs: Any) -> Any:
        """The running product of each column; ``axis=1`` of each row."""
        _checked_out(kwargs, "cumprod")
        return reductions.running(self, "cumprod", axis, skipna)

    def cummax(self, axis: Any = 0, skipna: bool = True) -> Any:
        """The greatest value of each column so far; ``axis=1`` of each row."""
        return reductions.running(self, "cummax", axis, skipna)

    def cummin(self, axis: Any = 0, skipna: bool = True) -> Any:
        """The least value of each column so far; ``axis=1`` of each row."""
        return reductions.running(self, "cummin", axis, skipna)

    def __len__(self) -> int:
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.reductions import Length

        return int(new_collection(Length(self.expr)).compute())


def _check_pearson(method: str) -> None:
    if method != "pearson":
        raise NotImplementedError(f"Only Pearson correlation has been implemented, got {method!r}")


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

    def nunique(self, axis: Any = 0, dropna: bool = True, split_every: Any = None) -> Any:
        """The number of different values of each column; ``axis=1`` of each row."""
        return statistics.nunique(self, axis, dropna, split_every)

    def mode(self, dropna: bool = True, split_every: Any = None, numeric_only: bool = False) -> Any:
        """The most frequent values of each column, in order."""
        return statistics.mode(self, dropna, split_every, numeric_only)

    def quantile(
        self,
        q: Any = 0.5,
        axis: Any = 0,
        numeric_only: bool = False,
        method: str = "default",
    ) -> Any:
        """Quantiles of each column.

        They are exact up to 200,000 values in a column; beyond, each time that partial results
        are joined their ranks may move by one in forty thousand.

        Parameters
        ----------
        q:
            A number between 0 and 1, or several.
        method:
            Taken for compatibility: 'default', 'dask' and 'tdigest' are the same.

        Raises
        ------
        ValueError
            ``method`` is another, or ``q`` has several numbers where ``axis`` is 1.
        """
        return statistics.quantile(self, q, axis, numeric_only, method)

    def median(self, axis: Any = 0, numeric_only: bool = False) -> Any:
        """The median of each column of a frame of one partition; ``axis=1`` of each row.

        Raises
        ------
        NotImplementedError
            There are more partitions; see :meth:`median_approximate`.
        """
        return statistics.median(self, axis, numeric_only)

    def median_approximate(
        self, axis: Any = 0, method: str = "default", numeric_only: bool = False
    ) -> Any:
        """The median of each column; as exact as :meth:`quantile`."""
        return statistics.median_approximate(self, axis, method, numeric_only)

    def cov(
        self, min_periods: int | None = None, numeric_only: bool = False, split_every: Any = None
    ) -> Any:
        """The covariances of all pairs of columns, of the rows where both are there."""
        return statistics.covariance(self, "cov", min_periods, numeric_only, split_every)

    def corr(
        self,
        method: str = "pearson",
        min_periods: int | None = None,
        numeric_only: bool = False,
        split_every: Any = None,
    ) -> Any:
        """The correlations of all pairs of columns, of the rows where both are there.

        Raises
        ------
        NotImplementedError
            ``method`` is another than Pearson's.
        """
        _check_pearson(method)
        return statistics.covariance(self, "corr", min_periods, numeric_only, split_every)

    def describe(
        self,
        split_every: Any = None,
        percentiles: Any = None,
        percentiles_method: str = "default",
        include: Any = None,
        exclude: Any = None,
    ) -> Any:
        """Summaries of the columns: counts, moments and percentiles of numbers, the most frequent
        value of others.

        Parameters
        ----------
        percentiles:
            Numbers between 0 and 1, by default the quartiles.
        include, exclude:
            Which dtypes to take or leave, as in pandas.

        Raises
        ------
        ValueError
            There is no column.
        """
        return statistics.describe(
            self, split_every, percentiles, percentiles_method, include, exclude
        )

    def nlargest(self, n: int = 5, columns: Any = None, split_every: Any = None) -> Any:
        """The ``n`` rows with the greatest values in ``columns``, in descending order."""
        return reductions.ends(self, "nlargest", n, columns, split_every)

    def nsmallest(self, n: int = 5, columns: Any = None, split_every: Any = None) -> Any:
        """The ``n`` rows with the least values in ``columns``, in ascending order."""
        return reductions.ends(self, "nsmallest", n, columns, split_every)


class ReductionMethodsOfSeries(Mixin):
    """Methods that reduce rows to few. For series."""

    def nunique(self, dropna: bool = True, split_every: Any = None, split_out: Any = True) -> Any:
        """The number of different values."""
        return statistics.nunique(self, 0, dropna, split_every)

    def value_counts(
        self,
        sort: bool | None = None,
        ascending: bool = False,
        dropna: bool = True,
        normalize: bool = False,
        split_every: Any = None,
        split_out: Any = no_default,
    ) -> Any:
        """How often each value is there.

        Parameters
        ----------
        sort:
            Whether to sort each partition of the result by the counts; by default, yes.
        normalize:
            Whether to give shares of all values.
        split_out:
            The number of partitions of the result, True for as many as there are. By default one,
            and more for many categories.
        """
        return statistics.value_counts(
            self, sort, ascending, dropna, normalize, split_every, split_out
        )

    def mode(self, dropna: bool = True, split_every: Any = None) -> Any:
        """The most frequent values, in order."""
        return statistics.mode(self, dropna, split_every, False)

    def quantile(self, q: Any = 0.5, method: str = "default") -> Any:
        """Quantiles of the values; see :meth:`DataFrame.quantile`."""
        return statistics.quantile(self, q, 0, False, method)

    def median(self) -> Any:
        """The median of a series of one partition; see :meth:`DataFrame.median`."""
        return statistics.median(self, 0, False)

    def median_approximate(self, method: str = "default") -> Any:
        """The median; as exact as :meth:`quantile`."""
        return statistics.median_approximate(self, 0, method, False)

    def cov(self, other: Any, min_periods: int | None = None, split_every: Any = None) -> Any:
        """The covariance with another series, of the rows where both are there."""
        return statistics.covariance_of_series(self, other, "cov", min_periods, split_every)

    def corr(
        self,
        other: Any,
        method: str = "pearson",
        min_periods: int | None = None,
        split_every: Any = None,
    ) -> Any:
        """The correlation with another series, of the rows where both are there.

        Raises
        ------
        NotImplementedError
            ``method`` is another than Pearson's.
        """
        _check_pearson(method)
        return statistics.covariance_of_series(self, other, "corr", min_periods, split_every)

    def autocorr(self, lag: int = 1, split_every: Any = None) -> Any:
        """The correlation with the series itself, ``lag`` rows later.

        Raises
        ------
        TypeError
            ``lag`` is no integer.
        """
        if not isinstance(lag, int):
            raise TypeError(f"lag must be an integer, got {type(lag).__name__}")
        return self.corr(self if lag == 0 else self.shift(lag), split_every=split_every)

    def describe(
        self,
        split_every: Any = None,
        percentiles: Any = None,
        percentiles_method: str = "default",
        include: Any = None,
        exclude: Any = None,
    ) -> Any:
        """A summary of the values; see :meth:`DataFrame.describe`."""
        return statistics.describe(self, split_every, percentiles, percentiles_method, None, None)

    def nlargest(self, n: int = 5, split_every: Any = None) -> Any:
        """The ``n`` greatest values, in descending order."""
        return reductions.ends(self, "nlargest", n, None, split_every)

    def nsmallest(self, n: int = 5, split_every: Any = None) -> Any:
        """The ``n`` least values, in ascending order."""
        return reductions.ends(self, "nsmallest", n, None, split_every)

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
