"""Statistics against SciPy's."""

from __future__ import annotations

import dask
import numpy as np
import pytest
from _oracle import same
from scipy import stats as oracle

import samite
import samite.array as da
from samite.array import stats
from samite.delayed import Delayed

RANDOM = np.random.default_rng(3)
A = RANDOM.gamma(2.0, size=(40, 3))
B = RANDOM.normal(2.2, 1.4, size=(40, 3))
CHUNKS = (7, 2)


def _lazy(values):
    return da.from_array(values, chunks=CHUNKS[: values.ndim])


def _check(result, expected):
    assert isinstance(result, Delayed)
    result = result.compute(scheduler="synchronous")
    assert result._fields == ("statistic", "pvalue")
    np.testing.assert_allclose(result.statistic, expected.statistic, rtol=1e-9)
    np.testing.assert_allclose(result.pvalue, expected.pvalue, rtol=1e-7)


@pytest.mark.parametrize("axis", [0, 1, -1, None])
@pytest.mark.parametrize("name", ["skew", "kurtosis"])
def test_shapes_of_distributions(name, axis):
    same(getattr(stats, name)(_lazy(A), axis=axis), getattr(oracle, name)(A, axis=axis))


def test_kurtosis_without_the_normal():
    same(stats.kurtosis(_lazy(A), fisher=False), oracle.kurtosis(A, fisher=False))


def test_shapes_of_what_has_none():
    x = np.stack([np.full(20, 3.25), np.arange(20.0)], axis=1)
    for name in ("skew", "kurtosis"):
        got = getattr(stats, name)(da.from_array(x, chunks=6)).compute()
        assert np.isnan(got[0]) and not np.isnan(got[1])


@pytest.mark.parametrize("order", range(5))
@pytest.mark.parametrize("axis", [0, 1, None])
def test_moments(order, axis):
    same(stats.moment(_lazy(A), order, axis=axis), oracle.moment(A, order, axis=axis))
    whole = np.arange(12).reshape(4, 3)
    same(stats.moment(_lazy(whole), order, axis=0), oracle.moment(whole, order, axis=0))


@pytest.mark.parametrize("name", ["skewtest", "kurtosistest", "normaltest"])
@pytest.mark.parametrize("axis", [0, None])
def test_normality(name, axis):
    _check(getattr(stats, name)(_lazy(A), axis=axis), getattr(oracle, name)(A, axis=axis))


@pytest.mark.parametrize("axis", [0, 1, None])
@pytest.mark.parametrize("equal_var", [True, False])
def test_two_samples(axis, equal_var):
    _check(
        stats.ttest_ind(_lazy(A), _lazy(B), axis=axis, equal_var=equal_var),
        oracle.ttest_ind(A, B, axis=axis, equal_var=equal_var),
    )
    _check(
        stats.ttest_ind(_lazy(A), _lazy(B[:25]), equal_var=equal_var),
        oracle.ttest_ind(A, B[:25], equal_var=equal_var),
    )


@pytest.mark.parametrize("axis", [0, 1, None])
def test_one_sample(axis):
    _check(stats.ttest_1samp(_lazy(A), 1.9, axis=axis), oracle.ttest_1samp(A, 1.9, axis=axis))
    _check(stats.ttest_rel(_lazy(A), _lazy(B), axis=axis), oracle.ttest_rel(A, B, axis=axis))
    whole = np.arange(12).reshape(4, 3) % 5
    _check(stats.ttest_rel(_lazy(whole), _lazy(whole.T.reshape(4, 3) + 1)),
           oracle.ttest_rel(whole, whole.T.reshape(4, 3) + 1))  # fmt: skip


@pytest.mark.parametrize(
    "power",
    [None, 1, 0, -1, -2, 2.5, "pearson", "log-likelihood", "freeman-tukey", "mod-log-likelihood",
     "neyman", "cressie-read"],
)  # fmt: skip
@pytest.mark.parametrize("axis", [0, 1, None])
def test_frequencies(power, axis):
    observed = RANDOM.integers(1, 50, (8, 4))
    _check(
        stats.power_divergence(_lazy(observed), axis=axis, lambda_=power, ddof=1),
        oracle.power_divergence(observed, axis=axis, lambda_=power, ddof=1),
    )
    expected = observed[::-1] * 1.0
    if axis != 1:  # The totals have to agree.
        _check(
            stats.power_divergence(_lazy(observed), _lazy(expected), axis=axis, lambda_=power),
            oracle.power_divergence(observed, expected, axis=axis, lambda_=power),
        )


def test_chisquare():
    observed = np.array([16, 18, 16, 14, 12, 12])
    _check(stats.chisquare(_lazy(observed)), oracle.chisquare(observed))
    _check(stats.chisquare(_lazy(observed), ddof=2), oracle.chisquare(observed, ddof=2))


def test_frequencies_that_are_zero():
    observed = np.array([0, 5, 10, 0])
    for power in ("pearson", "log-likelihood"):
        _check(
            stats.power_divergence(_lazy(observed), lambda_=power),
            oracle.power_divergence(observed, lambda_=power),
        )


def test_analysis_of_variance():
    samples = [RANDOM.normal(n / 3, 1, size=10 + n) for n in range(4)]
    _check(stats.f_oneway(*map(_lazy, samples)), oracle.f_oneway(*samples))
    far = [sample + 1e8 for sample in samples]
    got = stats.f_oneway(*map(_lazy, far)).compute()
    np.testing.assert_allclose(got.statistic, oracle.f_oneway(*samples).statistic, rtol=1e-5)
    _check(stats.f_oneway(_lazy(A), _lazy(B)), oracle.f_oneway(A, B))
    with pytest.raises(ValueError, match="two samples"):
        stats.f_oneway(_lazy(A))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: stats.skew(x, nan_policy="omit"), lambda x: stats.kurtosis(x, nan_policy="raise"),
        lambda x: stats.skew(x, bias=False), lambda x: stats.kurtosis(x, bias=False),
        lambda x: stats.moment(x, nan_policy="omit"),
        lambda x: stats.skewtest(x, nan_policy="omit"),
        lambda x: stats.kurtosistest(x, nan_policy="omit"),
        lambda x: stats.normaltest(x, nan_policy="omit"),
        lambda x: stats.ttest_1samp(x, 0, nan_policy="omit"),
        lambda x: stats.ttest_rel(x, x, nan_policy="omit"),
    ],
)  # fmt: skip
def test_what_is_not_implemented(call):
    with pytest.raises(NotImplementedError):
        call(_lazy(A))


def test_what_cannot_be():
    with pytest.raises(ValueError, match="8 samples"):
        stats.skewtest(_lazy(A[:7]))
    with pytest.raises(ValueError, match="5 observations"):
        stats.kurtosistest(_lazy(A[:4]))
    with pytest.raises(ValueError, match="wrong"):
        stats.power_divergence(_lazy(A), lambda_="wrong")
    with pytest.raises(ValueError, match="one length"):
        stats.ttest_rel(_lazy(A), _lazy(A[:5]))
    with pytest.raises(ValueError, match="whole number"):
        stats.moment(_lazy(A), 1.5)
    unknown = _lazy(A)
    unknown._chunks = ((np.nan,) * 6, (2, 1))
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        stats.ttest_1samp(unknown, 0)


def test_not_a_number():
    x = A.copy()
    x[3, 1] = np.nan
    got = stats.ttest_1samp(_lazy(x), 2).compute()
    assert np.isnan(got.statistic).tolist() == np.isnan(got.pvalue).tolist() == [False, True, False]


def test_names():
    assert stats.ttest_ind(_lazy(A), _lazy(B)).key == stats.ttest_ind(_lazy(A), _lazy(B)).key
    assert stats.ttest_ind(_lazy(A), _lazy(B)).key != stats.ttest_ind(_lazy(B), _lazy(A)).key
    values = samite.compute(stats.skewtest(_lazy(A)), stats.kurtosistest(_lazy(A)))
    assert [type(value).__name__ for value in values] == ["SkewtestResult", "KurtosistestResult"]


def test_fields_are_those_of_dask():
    import dask.array as reference
    import dask.array.stats as reference_stats

    x = reference.from_array(A, chunks=CHUNKS)
    for name in ("skewtest", "kurtosistest", "normaltest"):
        theirs = dask.compute(getattr(reference_stats, name)(x))[0]
        mine = getattr(stats, name)(_lazy(A)).compute()
        assert type(mine).__name__ == type(theirs).__name__
        np.testing.assert_allclose(mine, theirs)
