"""Statistics and tests: :mod:`scipy.stats` with lazy arrays.

Tests give one lazy value, which is the named tuple of the statistic and the p-value.
"""

from __future__ import annotations

import math
from collections import namedtuple
from typing import Any

import numpy as np

from samite.array.core import Array
from samite.array.elementwise import elemwise, where
from samite.array.storage import asanyarray
from samite.array.utils import normalize_axis
from samite.delayed import Delayed, delayed

__all__ = [
    "chisquare", "f_oneway", "kurtosis", "kurtosistest", "moment", "normaltest",
    "power_divergence", "skew", "skewtest", "ttest_1samp", "ttest_ind", "ttest_rel",
]  # fmt: skip

F_onewayResult = namedtuple("F_onewayResult", ("statistic", "pvalue"))
KurtosistestResult = namedtuple("KurtosistestResult", ("statistic", "pvalue"))
NormaltestResult = namedtuple("NormaltestResult", ("statistic", "pvalue"))
Power_divergenceResult = namedtuple("Power_divergenceResult", ("statistic", "pvalue"))
SkewtestResult = namedtuple("SkewtestResult", ("statistic", "pvalue"))
Ttest_1sampResult = namedtuple("Ttest_1sampResult", ("statistic", "pvalue"))
Ttest_indResult = namedtuple("Ttest_indResult", ("statistic", "pvalue"))
Ttest_relResult = namedtuple("Ttest_relResult", ("statistic", "pvalue"))

# The exponents of the power divergences that have names (Cressie and Read, 1984).
_POWERS = {
    "pearson": 1.0,
    "log-likelihood": 0.0,
    "freeman-tukey": -0.5,
    "mod-log-likelihood": -1.0,
    "neyman": -2.0,
    "cressie-read": 2.0 / 3.0,
}


def _check_nan_policy(nan_policy: str) -> None:
    if nan_policy != "propagate":
        raise NotImplementedError(
            f"nan_policy={nan_policy!r} is not implemented; only 'propagate' is"
        )


def _count(a: Array, axis: Any) -> int:
    """The number of elements along an axis, or of all."""
    count = a.size if axis is None else a.shape[axis]
    if count != count:
        raise ValueError(
            f"the test needs the length of axis {axis} of an array of the shape {a.shape}; "
            "compute_chunk_sizes() finds it"
        )
    return int(count)


def _axis(a: Array, axis: Any) -> Any:
    return axis if axis is None else normalize_axis(axis, a.ndim)


# -- moments -------------------------------------------------------------------------------


def moment(a: Any, moment: int = 1, axis: int | None = 0, nan_policy: str = "propagate") -> Array:
    """The central moment of an order along an axis, or of all elements.

    Raises
    ------
    NotImplementedError
        If ``nan_policy`` is another than ``"propagate"``.
    ValueError
        If the order is negative or no integer.
    """
    _check_nan_policy(nan_policy)
    order = moment
    if order != int(order) or order < 0:
        raise ValueError(f"the order of a moment has to be a whole number, not {order}")
    a = asanyarray(a)
    return _central(a, int(order), _axis(a, axis))


def _central(a: Array, order: int, axis: Any) -> Array:
    if a.dtype.kind not in "fc":
        a = a.astype(float)
    if order == 0:
        return a.mean(axis=axis) * 0 + 1
    deviation = a - a.mean(axis=axis, keepdims=True)
    return (deviation**order).mean(axis=axis)


def _standardized(a: Any, order: int, axis: Any) -> Array:
    """A central moment divided by that power of the standard deviation."""
    a = asanyarray(a)
    axis = _axis(a, axis)
    variance, central = _central(a, 2, axis), _central(a, order, axis)
    return elemwise(_of_unit_variance, central, variance, a.mean(axis=axis), order=order)


def _of_unit_variance(central: Any, variance: Any, mean: Any, order: int) -> Any:
    # Elements that are all but equal have no shape; the limit is that of rounding.
    flat = variance <= (np.finfo(variance.dtype).eps * mean) ** 2
    result = np.where(flat, np.nan, central / np.where(flat, 1.0, variance) ** (order / 2))
    return result.astype(variance.dtype)[()]


def skew(a: Any, axis: int | None = 0, bias: bool = True, nan_policy: str = "propagate") -> Array:
    """The skewness along an axis, or of all elements.

    Raises
    ------
    NotImplementedError
        If ``bias`` is false, or ``nan_policy`` is another than ``"propagate"``.
    """
    _check_nan_policy(nan_policy)
    if not bias:
        raise NotImplementedError("skew with bias=False is not implemented")
    return _standardized(a, 3, axis)


def kurtosis(
    a: Any,
    axis: int | None = 0,
    fisher: bool = True,
    bias: bool = True,
    nan_policy: str = "propagate",
) -> Array:
    """The kurtosis along an axis, or of all elements; with ``fisher`` less that of the normal
    distribution, which is three.

    Raises
    ------
    NotImplementedError
        If ``bias`` is false, or ``nan_policy`` is another than ``"propagate"``.
    """
    _check_nan_policy(nan_policy)
    if not bias:
        raise NotImplementedError("kurtosis with bias=False is not implemented")
    result = _standardized(a, 4, axis)
    return result - 3 if fisher else result


# -- results -------------------------------------------------------------------------------


def _test(kind: Any, statistic: Any, pvalue: Any, *args: Any) -> Delayed:
    """The lazy named tuple of a statistic and of ``pvalue(statistic, *args)``."""
    return delayed(_result, pure=True)(kind, statistic, pvalue, *args)


def _result(kind: Any, statistic: Any, pvalue: Any, *args: Any) -> Any:
    statistic = statistic[()] if isinstance(statistic, np.ndarray) else statistic
    return kind(statistic, pvalue(statistic, *args))


def _two_sided_normal(z: Any) -> Any:
    from scipy.stats import norm

    return 2 * norm.sf(np.abs(z))


def _two_sided_t(t: Any, df: Any) -> Any:
    from scipy.stats import t as distribution

    return 2 * distribution.sf(np.abs(t), df)


def _above_chi2(statistic: Any, df: Any) -> Any:
    from scipy.stats import chi2

    return chi2.sf(statistic, df)


def _above_f(statistic: Any, between: Any, within: Any) -> Any:
    from scipy.stats import f

    return f.sf(statistic, between, within)


# -- t tests -------------------------------------------------------------------------------


def ttest_ind(a: Any, b: Any, axis: int | None = 0, equal_var: bool = True) -> Delayed:
    """The t-test that two samples have the same mean.

    Parameters
    ----------
    a, b:
        The samples.
    axis:
        The axis that they are along; None for all elements.
    equal_var:
        Whether the populations are taken to have the same variance; otherwise the test is Welch's.
    """
    a, b = asanyarray(a), asanyarray(b)
    n1, n2 = _count(a, axis), _count(b, axis)
    v1, v2 = a.var(axis=axis, ddof=1), b.var(axis=axis, ddof=1)
    difference = a.mean(axis=axis) - b.mean(axis=axis)
    if equal_var:
        df: Any = n1 + n2 - 2
        pooled = ((n1 - 1) * v1 + (n2 - 1) * v2) / df
        error = (pooled * (1 / n1 + 1 / n2)) ** 0.5
    else:
        e1, e2 = v1 / n1, v2 / n2
        df = (e1 + e2) ** 2 / (e1**2 / (n1 - 1) + e2**2 / (n2 - 1))
        # Where both samples are constant, any number of degrees does.
        df = where(df == df, df, 1.0)
        error = (e1 + e2) ** 0.5
    return _test(Ttest_indResult, difference / error, _two_sided_t, df)


def ttest_1samp(
    a: Any, popmean: Any, axis: int | None = 0, nan_policy: str = "propagate"
) -> Delayed:
    """The t-test that a sample is of a population with a mean.

    Parameters
    ----------
    a:
        The sample.
    popmean:
        The mean, or several, in an array like the sample's means.
    axis:
        The axis that the sample is along; None for all elements.

    Raises
    ------
    NotImplementedError
        If ``nan_policy`` is another than ``"propagate"``.
    """
    _check_nan_policy(nan_policy)
    return _one_sample(Ttest_1sampResult, asanyarray(a), popmean, axis)


def ttest_rel(a: Any, b: Any, axis: int | None = 0, nan_policy: str = "propagate") -> Delayed:
    """The t-test that two samples of the same things have the same mean.

    Raises
    ------
    NotImplementedError
        If ``nan_policy`` is another than ``"propagate"``.
    """
    _check_nan_policy(nan_policy)
    a, b = asanyarray(a), asanyarray(b)
    if _count(a, axis) != _count(b, axis):
        raise ValueError(f"ttest_rel needs samples of one length, not {a.shape} and {b.shape}")
    return _one_sample(Ttest_relResult, (a - b).astype(float), 0, axis)


def _one_sample(kind: Any, a: Array, mean: Any, axis: Any) -> Delayed:
    n = _count(a, axis)
    error = (a.var(axis=axis, ddof=1) / n) ** 0.5
    return _test(kind, (a.mean(axis=axis) - mean) / error, _two_sided_t, n - 1)


# -- frequencies ---------------------------------------------------------------------------


def chisquare(f_obs: Any, f_exp: Any = None, ddof: Any = 0, axis: int | None = 0) -> Delayed:
    """Pearson's chi-square test that frequencies are as expected.

    Takes the arguments of :func:`power_divergence`.
    """
    return power_divergence(f_obs, f_exp=f_exp, ddof=ddof, axis=axis, lambda_="pearson")


def power_divergence(
    f_obs: Any, f_exp: Any = None, ddof: Any = 0, axis: int | None = 0, lambda_: Any = None
) -> Delayed:
    """The test of Cressie and Read that frequencies are as expected.

    Parameters
    ----------
    f_obs:
        The frequencies.
    f_exp:
        Those that are expected; by default all the same.
    ddof:
        How many degrees of freedom are taken off.
    axis:
        The axis of the categories; None for all elements.
    lambda_:
        The exponent, or its name: ``"pearson"`` (the default), ``"log-likelihood"``,
        ``"freeman-tukey"``, ``"mod-log-likelihood"``, ``"neyman"``, ``"cressie-read"``.

    Raises
    ------
    ValueError
        If there is no such name.
    """
    if isinstance(lambda_, str):
        if lambda_ not in _POWERS:
            raise ValueError(
                f"invalid string for lambda_: {lambda_!r}; the names are {', '.join(_POWERS)}"
            )
        power = _POWERS[lambda_]
    else:
        power = 1.0 if lambda_ is None else float(lambda_)
    observed = asanyarray(f_obs).astype(float)
    expected = (
        observed.mean(axis=axis, keepdims=True)
        if f_exp is None
        else asanyarray(f_exp).astype(float)
    )
    if power == 1:
        terms = (observed - expected) ** 2 / expected
    elif power == 0:
        terms = 2.0 * _entropy(observed, expected)
    elif power == -1:
        terms = 2.0 * _entropy(expected, observed)
    else:
        terms = observed * ((observed / expected) ** power - 1) * (2 / (power * (power + 1)))
    df = _count(terms, axis) - 1 - ddof
    return _test(Power_divergenceResult, terms.sum(axis=axis), _above_chi2, df)


def _entropy(x: Array, y: Array) -> Array:
    """``x * log(x / y)``, zero where x is."""
    from samite.array import ufunc

    log = getattr(ufunc, "log")  # noqa: B009  (made by a loop)
    return where(x == 0, 0.0, x * log(where(x == 0, 1.0, x / y)))


# -- normality -----------------------------------------------------------------------------


def skewtest(a: Any, axis: int | None = 0, nan_policy: str = "propagate") -> Delayed:
    """D'Agostino's test that the skewness is that of a normal distribution.

    Raises
    ------
    NotImplementedError
        If ``nan_policy`` is another than ``"propagate"``.
    ValueError
        If there are fewer than eight elements.
    """
    _check_nan_policy(nan_policy)
    return _test(SkewtestResult, _skew_score(asanyarray(a), axis), _two_sided_normal)


def _skew_score(a: Array, axis: Any) -> Array:
    from samite.array import ufunc

    n = _count(a, axis)
    if n < 8:
        raise ValueError(f"skewtest is not valid with less than 8 samples; {n} samples were given.")
    y = skew(a, axis) * math.sqrt((n + 1) * (n + 3) / (6.0 * (n - 2)))
    beta2 = 3.0 * (n * n + 27 * n - 70) * (n + 1) * (n + 3)
    beta2 /= (n - 2.0) * (n + 5) * (n + 7) * (n + 9)
    w2 = -1 + math.sqrt(2 * (beta2 - 1))
    delta = 1 / math.sqrt(0.5 * math.log(w2))
    alpha = math.sqrt(2.0 / (w2 - 1))
    return getattr(ufunc, "arcsinh")(y / alpha) * delta  # noqa: B009  (made by a loop)


def kurtosistest(a: Any, axis: int | None = 0, nan_policy: str = "propagate") -> Delayed:
    """Anscombe's and Glynn's test that the kurtosis is that of a normal distribution.

    Raises
    ------
    NotImplementedError
        If ``nan_policy`` is another than ``"propagate"``.
    ValueError
        If there are fewer than five elements.
    """
    _check_nan_policy(nan_policy)
    return _test(KurtosistestResult, _kurtosis_score(asanyarray(a), axis), _two_sided_normal)


def _kurtosis_score(a: Array, axis: Any) -> Array:
    from samite.array import ufunc

    n = _count(a, axis)
    if n < 5:
        raise ValueError(
            f"kurtosistest requires at least 5 observations; {n} observations were given."
        )
    expected = 3.0 * (n - 1) / (n + 1)
    variance = 24.0 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3.0) * (n + 5))
    x = (kurtosis(a, axis, fisher=False) - expected) / math.sqrt(variance)
    root = 6.0 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9))
    root *= math.sqrt(6.0 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    degrees = 6.0 + 8.0 / root * (2.0 / root + math.sqrt(1 + 4.0 / root**2))
    center = 1 - 2 / (9.0 * degrees)
    denominator = 1 + x * math.sqrt(2 / (degrees - 4.0))
    sign = getattr(ufunc, "sign")(denominator)  # noqa: B009  (made by a loop)
    cube = ((1 - 2.0 / degrees) / abs(denominator)) ** (1 / 3.0)
    term = where(denominator == 0, np.nan, sign * cube)
    return (center - term) / math.sqrt(2 / (9.0 * degrees))


def normaltest(a: Any, axis: int | None = 0, nan_policy: str = "propagate") -> Delayed:
    """D'Agostino's and Pearson's test that a sample is of a normal distribution.

    Raises
    ------
    NotImplementedError
        If ``nan_policy`` is another than ``"propagate"``.
    ValueError
        If there are fewer than eight elements.
    """
    _check_nan_policy(nan_policy)
    a = asanyarray(a)
    statistic = _skew_score(a, axis) ** 2 + _kurtosis_score(a, axis) ** 2
    return _test(NormaltestResult, statistic, _above_chi2, 2)


# -- analysis of variance ------------------------------------------------------------------


def f_oneway(*args: Any) -> Delayed:
    """The analysis of variance: the test that several samples have the same mean.

    Parameters
    ----------
    *args:
        The samples, along their first axis.

    Raises
    ------
    ValueError
        If there are fewer than two samples.
    """
    samples = [asanyarray(a).astype(float) for a in args]
    if len(samples) < 2:
        raise ValueError(f"at least two samples are required; got {len(samples)}")
    counts = [_count(a, 0) for a in samples]
    total = sum(counts)
    means = [a.mean(axis=0) for a in samples]
    # Shifted to the mean of all, sums of squares lose no digits.
    center = _sum(mean * (n / total) for mean, n in zip(means, counts))
    between = _sum((mean - center) ** 2 * n for mean, n in zip(means, counts))
    within = _sum(((a - mean) ** 2).sum(axis=0) for a, mean in zip(samples, means))
    groups = len(samples)
    statistic = (between / (groups - 1)) / (within / (total - groups))
    return _test(F_onewayResult, statistic, _above_f, groups - 1, total - groups)


def _sum(parts: Any) -> Any:
    first, *rest = parts
    for part in rest:
        first = first + part
    return first
