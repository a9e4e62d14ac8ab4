"""Random arrays: their distributions, seeds, parameters and chunks."""

from __future__ import annotations

import pickle
import sys
import time
import types

import numpy as np
import pytest
from _oracle import same
from scipy import stats

import samite
import samite.array as da
from samite.array.backends import ArrayBackendEntrypoint
from samite.array.random import Generator, RandomState, default_rng

KINDS = [default_rng, RandomState]
NUMPY = {default_rng: np.random.default_rng, RandomState: np.random.RandomState}

# The parameters of each distribution, and what SciPy calls it with.
CONTINUOUS = [
    ("beta", (2.0, 3.0), stats.beta(2, 3)),
    ("chisquare", (3.0,), stats.chi2(3)),
    ("exponential", (2.0,), stats.expon(scale=2)),
    ("f", (5.0, 7.0), stats.f(5, 7)),
    ("gamma", (2.0, 3.0), stats.gamma(2, scale=3)),
    ("gumbel", (1.0, 2.0), stats.gumbel_r(1, 2)),
    ("laplace", (1.0, 2.0), stats.laplace(1, 2)),
    ("logistic", (1.0, 2.0), stats.logistic(1, 2)),
    ("lognormal", (0.5, 0.5), stats.lognorm(0.5, scale=np.exp(0.5))),
    ("noncentral_chisquare", (3.0, 2.0), stats.ncx2(3, 2)),
    ("noncentral_f", (5.0, 7.0, 2.0), stats.ncf(5, 7, 2)),
    ("normal", (1.0, 2.0), stats.norm(1, 2)),
    ("pareto", (3.0,), stats.lomax(3)),
    ("power", (3.0,), stats.powerlaw(3)),
    ("rayleigh", (2.0,), stats.rayleigh(scale=2)),
    ("standard_cauchy", (), stats.cauchy()),
    ("standard_exponential", (), stats.expon()),
    ("standard_gamma", (2.0,), stats.gamma(2)),
    ("standard_normal", (), stats.norm()),
    ("standard_t", (4.0,), stats.t(4)),
    ("triangular", (1.0, 2.0, 5.0), stats.triang(0.25, 1, 4)),
    ("uniform", (-1.0, 3.0), stats.uniform(-1, 4)),
    ("vonmises", (0.5, 2.0), stats.vonmises(2, 0.5)),
    ("wald", (2.0, 3.0), stats.invgauss(2 / 3, scale=3)),
    ("weibull", (2.0,), stats.weibull_min(2)),
    ("random", (), stats.uniform()),
]
DISCRETE = [
    ("binomial", (10, 0.3), stats.binom(10, 0.3)),
    ("geometric", (0.3,), stats.geom(0.3)),
    ("hypergeometric", (10, 15, 8), stats.hypergeom(25, 10, 8)),
    ("logseries", (0.6,), stats.logser(0.6)),
    ("negative_binomial", (5, 0.4), stats.nbinom(5, 0.4)),
    ("poisson", (3.0,), stats.poisson(3)),
    ("zipf", (3.0,), stats.zipf(3)),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name, args, law", CONTINUOUS, ids=[case[0] for case in CONTINUOUS])
def test_continuous_distributions(kind, name, args, law):
    x = getattr(kind(7), name)(*args, size=(60, 50), chunks=(25, 20))
    assert x.dtype == np.float64
    values = x.compute(scheduler="synchronous").ravel()
    assert stats.kstest(values, law.cdf).pvalue > 1e-3
    # Chunks of one length with the same numbers would not show in the distribution.
    assert len(np.unique(values)) == len(values)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name, args, law", DISCRETE, ids=[case[0] for case in DISCRETE])
def test_discrete_distributions(kind, name, args, law):
    x = getattr(kind(7), name)(*args, size=5000, chunks=700)
    assert x.dtype == np.int64
    values = x.compute(scheduler="synchronous")
    numbers, counts = np.unique(values, return_counts=True)
    expected = law.pmf(numbers) * len(values)
    often = expected > 8
    rest = len(values) - counts[often].sum(), len(values) - expected[often].sum()
    observed = np.append(counts[often], rest[0])
    wanted = np.append(expected[often], rest[1])
    keep = wanted > 1
    observed, wanted = observed[keep], wanted[keep]
    assert stats.chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_are_independent(kind):
    values = kind(3).standard_normal(size=(200, 200), chunks=(1, 200)).compute()
    correlations = np.corrcoef(values)[np.triu_indices(200, 1)]
    assert abs(correlations.mean()) < 0.01
    assert stats.kstest(correlations * np.sqrt(200), stats.norm.cdf).pvalue > 1e-3


def test_calls_and_seeds_are_independent():
    draws = [default_rng(seed).random(4000, chunks=1000) for seed in range(6)]
    rng = default_rng(0)
    draws += [rng.random(4000, chunks=1000) for _ in range(6)][1:]
    values = np.array([x.compute() for x in draws])
    assert (np.abs(np.corrcoef(values) - np.eye(len(draws))) < 0.08).all()


@pytest.mark.parametrize("kind", KINDS)
def test_integers(kind):
    rng = kind(5)
    draw = rng.integers if kind is default_rng else rng.randint
    values = draw(3, 9, size=6000, chunks=999).compute()
    numbers, counts = np.unique(values, return_counts=True)
    assert numbers.tolist() == [3, 4, 5, 6, 7, 8]
    assert stats.chisquare(counts).pvalue > 1e-3
    assert set(draw(4, size=100, chunks=30).compute()) == {0, 1, 2, 3}
    small = draw(0, 200, size=20, chunks=6, dtype="uint8")
    assert small.dtype == small.compute().dtype == np.uint8
    lows = np.array([0, 10, 20])
    values = draw(lows, lows + 2, size=(50, 3), chunks=(20, 2)).compute()
    assert ((values >= lows) & (values < lows + 2)).all()
    with pytest.raises(ValueError, match="low"):
        draw(9, 3, size=5)


def test_integers_with_endpoint():
    values = default_rng(1).integers(2, endpoint=True, size=200, chunks=60).compute()
    assert set(values) == {0, 1, 2}


def test_deprecated_integers():
    with pytest.warns(DeprecationWarning, match="randint"):
        values = RandomState(1).random_integers(2, 4, size=100, chunks=30)
    assert set(values.compute()) == {2, 3, 4}
    with pytest.warns(DeprecationWarning):
        assert set(RandomState(1).random_integers(2, size=100, chunks=30).compute()) == {1, 2}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_the_same_seed_gives_the_same_numbers(kind, scheduler):
    a = kind(11).gamma(2, 3, size=(7, 9), chunks=(3, 4))
    b = kind(11).gamma(2, 3, size=(7, 9), chunks=(3, 4))
    assert a.name == b.name
    assert a.name.startswith("gamma-")
    expected = a.compute(scheduler="synchronous")
    np.testing.assert_array_equal(b.compute(scheduler=scheduler), expected)
    np.testing.assert_array_equal(a[2:, 5:].compute(scheduler=scheduler), expected[2:, 5:])
    np.testing.assert_array_equal((a - b).compute(), np.zeros((7, 9)))
    other = kind(12).gamma(2, 3, size=(7, 9), chunks=(3, 4))
    assert other.name != a.name
    assert not np.isclose(other.compute(), expected).any()


@pytest.mark.parametrize("kind", KINDS)
def test_calls_follow_each_other(kind):
    rng, again = kind(1), kind(1)
    first, second = rng.random(5, chunks=2), rng.random(5, chunks=2)
    assert not np.isclose(first.compute(), second.compute()).any()
    np.testing.assert_array_equal(again.random(5, chunks=2).compute(), first.compute())
    np.testing.assert_array_equal(again.random(5, chunks=2).compute(), second.compute())
    assert kind().random(5).name != kind().random(5).name


def test_blocks_of_a_long_array_begin_like_those_of_a_short_one():
    short = default_rng(123).random(20, chunks=20)
    long = default_rng(123).random(100, chunks=20)
    np.testing.assert_array_equal(short.compute(), long[:20].compute())


def test_the_functions_of_the_module():
    da.random.seed(42)
    first, second = da.random.normal(size=6, chunks=4), da.random.uniform(size=3)
    da.random.seed(42)
    np.testing.assert_array_equal(da.random.normal(size=6, chunks=4).compute(), first.compute())
    np.testing.assert_array_equal(da.random.uniform(size=3).compute(), second.compute())
    for name in da.random.__all__:
        assert callable(getattr(da.random, name))


def test_kinds_of_seeds():
    sequence = np.random.SeedSequence(5)
    numbers = default_rng(5).random(4).compute()
    np.testing.assert_array_equal(default_rng(sequence).random(4).compute(), numbers)
    np.testing.assert_array_equal(default_rng(np.random.PCG64(5)).random(4).compute(), numbers)
    numpys = np.random.default_rng(5)
    np.testing.assert_array_equal(default_rng(numpys).random(4).compute(), numbers)
    other = default_rng(np.random.Philox(5))
    assert repr(other) == str(other) == "Generator(Philox)"
    assert not np.isclose(other.random(4).compute(), numbers).any()
    assert isinstance(default_rng(np.random.SFC64), Generator)
    assert default_rng(other) is other
    assert default_rng([1, 2, 3]).random(4).name == default_rng([1, 2, 3]).random(4).name
    assert default_rng(np.random.RandomState(3)).random(4).name == (
        default_rng(np.random.RandomState(3)).random(4).name
    )
    children = default_rng(1).spawn(2)
    assert children[0].random(3).name != children[1].random(3).name
    with pytest.raises(ValueError):
        default_rng(-1)


def test_generators_and_arrays_can_be_pickled():
    for rng in (default_rng(3), RandomState(3)):
        copy = pickle.loads(pickle.dumps(rng))
        x = rng.normal(size=5, chunks=2)
        np.testing.assert_array_equal(copy.normal(size=5, chunks=2).compute(), x.compute())
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(x)).compute(), x.compute())


def test_other_processes_draw_the_same():
    x = default_rng(3).normal(size=40, chunks=10)
    y = RandomState(3).choice(50, size=40, chunks=10)
    np.testing.assert_array_equal(x.compute(scheduler="processes"), x.compute())
    np.testing.assert_array_equal(y.compute(scheduler="processes"), y.compute())


class _Library:
    """Generators of another library, as far as they are used."""

    def __init__(self, seed=None):
        self.random_state = np.random.RandomState(seed)

    def standard_normal(self, size=None, dtype=np.float64):
        return self.random_state.standard_normal(size).astype(dtype)


def test_generators_of_other_libraries():
    rng = RandomState(4, RandomState=_Library)
    x = rng.standard_normal((10, 5), chunks=4, dtype=np.float32)
    assert x.dtype == x.compute().dtype == np.float32
    assert len(np.unique(x.compute())) == 50
    again = RandomState(4, RandomState=_Library)
    assert again.standard_normal((10, 5), chunks=4, dtype=np.float32).name == x.name
    assert RandomState(4).standard_normal((10, 5), chunks=4).name != x.name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [None, (), 0, 7, (2, 0, 3), (3, 4)])
def test_sizes(kind, size):
    x = kind(1).normal(size=size, chunks=2)
    expected = np.ones(() if size is None else size)
    same(x * 0 + 1, expected)
    assert type(x.compute()) is np.ndarray


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_that_are_arrays(kind):
    loc = np.arange(6.0).reshape(2, 3) * 100
    scale = da.from_array(np.array([[1.0], [10.0]]), chunks=1)
    x = kind(1).normal(loc, scale, size=(500, 2, 3), chunks=(200, 1, 2))
    assert x.chunks == ((200, 200, 100), (1, 1), (2, 1))
    values = x.compute()
    np.testing.assert_allclose(values.mean(axis=0), loc, atol=2)
    np.testing.assert_allclose(values.std(axis=0), np.broadcast_to([[1], [10]], (2, 3)), rtol=0.15)
    # The shape is that of the parameters where none is given; keywords do as well.
    y = kind(1).normal(scale=scale, loc=loc, chunks=2)
    assert y.shape == (2, 3)
    z = kind(1).poisson(da.from_array([0, 0, 0, 1000], chunks=1), chunks=3).compute()
    assert z[:3].tolist() == [0, 0, 0] and z[3] > 500
    assert kind(1).poisson([3, 4]).dtype == np.int64
    same(kind(1).normal(da.ones((), chunks=()), 0.0, size=3, chunks=2), np.ones(3))


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_that_do_not_fit(kind):
    with pytest.raises(ValueError, match="broadcast"):
        kind(1).normal(np.zeros((2, 3)), size=(2, 2), chunks=2)
    with pytest.raises(ValueError, match="broadcast"):
        kind(1).normal(np.zeros((2, 3)), np.ones((4, 1)))
    with pytest.raises(ValueError):
        kind(1).normal(0, -1, size=3)
    with pytest.raises(ValueError):
        kind(1).binomial(10, 1.5, size=3)
    with pytest.raises(ValueError, match="negative"):
        kind(1).random((2, -1))
    with pytest.raises(TypeError, match="dtype"):
        kind(1).standard_cauchy(size=3, dtype="f4")
    with pytest.raises(ValueError, match="chunk"):
        kind(1).random((2, 2), chunks=(1, 1, 1))
    unknown = da.from_array(np.ones(4), chunks=2)
    unknown._chunks = ((np.nan, np.nan),)
    with pytest.raises(ValueError, match="unknown"):
        kind(1).normal(unknown)


def test_dtypes_and_methods():
    rng = default_rng(1)
    x = rng.standard_normal(size=30, chunks=8, dtype=np.float32)
    assert x.dtype == x.compute().dtype == np.float32
    same(rng.random(5, dtype="f4", chunks=2) * 0, np.zeros(5, "f4"))
    values = rng.standard_exponential(4000, chunks=999, method="inv").compute()
    assert stats.kstest(values, stats.expon.cdf).pvalue > 1e-3
    with pytest.raises(NotImplementedError, match="out"):
        rng.random(3, out=np.empty(3))


@pytest.mark.parametrize("kind", KINDS)
def test_multinomial(kind):
    p = np.array([0.1, 0.2, 0.7])
    x = kind(1).multinomial(20, p, size=(40, 50), chunks=(15, 20))
    assert x.chunks == ((15, 15, 10), (20, 20, 10), (3,))
    assert x.dtype == np.int64
    values = x.compute()
    assert (values.sum(axis=-1) == 20).all()
    np.testing.assert_allclose(values.mean(axis=(0, 1)), 20 * p, rtol=0.05)
    lazy = kind(1).multinomial(20, da.from_array(p, chunks=2), size=(40, 50), chunks=(15, 20))
    np.testing.assert_array_equal(lazy.compute(), values)
    assert kind(1).multinomial(20, p).compute().shape == (3,)
    with pytest.raises(ValueError, match="pvals"):
        kind(1).multinomial(20, [[0.5, 0.5]], size=3)
    with pytest.raises(ValueError):
        kind(1).multinomial(20, [0.9, 0.9, 0.1], size=3)


def test_other_distributions_of_vectors():
    rng = default_rng(1)
    x = rng.multivariate_hypergeometric([16, 8, 4], 6, size=(300, 4), chunks=100)
    assert x.shape == (300, 4, 3)
    values = x.compute()
    assert (values.sum(axis=-1) == 6).all()
    np.testing.assert_allclose(values.mean(axis=(0, 1)), 6 * np.array([16, 8, 4]) / 28, rtol=0.06)
    cov = np.array([[2.0, 0.6], [0.6, 1.0]])
    values = rng.multivariate_normal([1, -1], cov, size=5000, chunks=999).compute()
    np.testing.assert_allclose(np.cov(values.T), cov, atol=0.15)
    np.testing.assert_allclose(values.mean(axis=0), [1, -1], atol=0.1)
    values = rng.dirichlet([1, 2, 5], size=2000, chunks=300).compute()
    np.testing.assert_allclose(values.sum(axis=1), 1)
    np.testing.assert_allclose(values.mean(axis=0), np.array([1, 2, 5]) / 8, atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_choice(kind):
    elements = np.array([1.5, 2.5, 3.5, 4.5])
    p = [0.1, 0.0, 0.3, 0.6]
    for a in (elements, elements.tolist(), da.from_array(elements, chunks=2)):
        for weights in (p, da.from_array(np.array(p), chunks=3)):
            x = kind(2).choice(a, size=(100, 30), p=weights, chunks=(40, 20))
            assert x.dtype == np.float64 and x.shape == (100, 30)
            values, counts = np.unique(x.compute(), return_counts=True)
            assert values.tolist() == [1.5, 3.5, 4.5]
            assert stats.chisquare(counts, [300, 900, 1800]).pvalue > 1e-3
    numbers = kind(2).choice(5, size=2000, chunks=300)
    assert numbers.dtype == NUMPY[kind]().choice(5, size=2).dtype
    assert stats.chisquare(np.unique(numbers.compute(), return_counts=True)[1]).pvalue > 1e-3
    assert kind(2).choice(5).compute().shape == ()
    assert kind(2).choice(0, size=0).compute().shape == (0,)
    words = kind(2).choice(["a", "bc"], size=20, chunks=6)
    assert words.dtype == np.dtype("<U2") and set(words.compute()) == {"a", "bc"}


@pytest.mark.parametrize("kind", KINDS)
def test_choice_without_putting_back(kind):
    for a in (30, da.arange(30, chunks=7)):
        x = kind(2).choice(a, size=30, replace=False, chunks=-1)
        assert sorted(x.compute().tolist()) == list(range(30))
        assert x.compute().tolist() != list(range(30))
    with pytest.raises(NotImplementedError, match="replace=False"):
        kind(2).choice(30, size=20, replace=False, chunks=10)
    with pytest.raises(ValueError, match="larger sample"):
        kind(2).choice(3, size=4, replace=False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "a, p",
    [
        (-1, None), (0, None), (np.ones((2, 2)), None), (3, [[0.5, 0.2, 0.3]]), (3, [0.5, 0.5]),
        (3, [0.5, 0.4, 0.3]), (3, [0.5, 0.7, -0.2]),
    ],
)  # fmt: skip
def test_choices_that_cannot_be(kind, a, p):
    with pytest.raises(ValueError):
        kind(1).choice(a, size=4, p=p, chunks=2)


def test_choice_along_other_axes():
    with pytest.raises(ValueError, match="axis"):
        default_rng(1).choice(np.ones(3), size=2, axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_permutation(kind):
    x = da.arange(50, chunks=8)
    rng = kind(5)
    first, second = rng.permutation(x), rng.permutation(x)
    assert first.dtype == x.dtype and first.shape == x.shape
    assert sorted(first.compute().tolist()) == list(range(50))
    assert first.compute().tolist() != second.compute().tolist()
    np.testing.assert_array_equal(kind(5).permutation(50).compute(), first.compute())
    rows = np.arange(24).reshape(8, 3)
    values = kind(5).permutation(da.from_array(rows, chunks=(3, 2))).compute()
    np.testing.assert_array_equal(values[np.argsort(values[:, 0])], rows)
    with pytest.raises(ValueError):
        kind(5).permutation(da.ones((), chunks=()))


@pytest.mark.parametrize("kind", KINDS)
def test_graphs_are_small(kind):
    start = time.perf_counter()
    x = kind(1).normal(size=(400, 250), chunks=(1, 1))
    assert time.perf_counter() - start < 1
    assert x.npartitions == 100_000
    assert len(pickle.dumps(kind(1).normal(size=(10**7,), chunks=10**3).dask)) < 300_000


def test_tomaxint():
    values = RandomState(1).tomaxint(size=50, chunks=20).compute()
    assert (values >= 0).all() and values.max() > 2**60


def test_the_library_that_settings_name(monkeypatch):
    class Backend(ArrayBackendEntrypoint):
        RandomState = _Library
        default_bit_generator = np.random.Philox

    from samite.array.backends import array_creation_dispatch

    monkeypatch.setattr(array_creation_dispatch, "_lookup", dict(array_creation_dispatch._lookup))
    array_creation_dispatch.register_backend("of-a-test", Backend())
    rng = RandomState(1)
    with samite.config.set({"array.backend": "of-a-test"}):
        x = rng.standard_normal((10, 5), chunks=4, dtype=np.float32)
        assert repr(default_rng(1)) == "Generator(Philox)"
        y = RandomState(1, RandomState=np.random.RandomState).normal(size=3)
    assert x.dtype == x.compute().dtype == np.float32
    assert repr(default_rng(1)) == "Generator(PCG64)"
    np.testing.assert_array_equal(y.compute(), RandomState(1).normal(size=3).compute())


def test_bit_generators_of_other_libraries(monkeypatch):
    """What a library such as CuPy has: bit generators that take a number and have no sequence."""

    class Bits:
        def __init__(self, seed=None):
            self.numpys = np.random.Generator(np.random.PCG64(seed))

    class Drawer:
        def __init__(self, bit_generator):
            self.bit_generator = bit_generator

        def standard_normal(self, size=None, dtype=np.float64):
            return self.bit_generator.numpys.standard_normal(size, dtype=dtype)

    library = types.ModuleType("library")
    library.random = types.SimpleNamespace(Generator=Drawer)
    Bits.__module__ = "library.random"
    monkeypatch.setitem(sys.modules, "library", library)
    rng = default_rng(Drawer(Bits(1)))
    x = rng.standard_normal((10, 5), chunks=4, dtype=np.float32)
    assert x.dtype == np.float32
    values = x.compute(scheduler="synchronous")
    assert values.dtype == np.float32 and len(np.unique(values)) == 50
    np.testing.assert_array_equal(x.compute(scheduler="synchronous"), values)
    assert rng.standard_normal(3).name != rng.standard_normal(3).name
