"""Random numbers, chunk by chunk: :mod:`numpy.random` with lazy arrays.

>>> import samite.array as da
>>> rng = da.random.default_rng(42)
>>> rng.normal(10, 1, size=(1000, 1000), chunks=500).mean().compute().round(1)
np.float64(10.0)

Numbers depend on the seed and on the chunks, never on the order of execution. They are not those
that NumPy gives for the seed.
"""

from __future__ import annotations

from samite.array.random.blocks import draw
from samite.array.random.generator import Generator, default_rng
from samite.array.random.state import RandomState

__all__ = [
    "Generator", "RandomState", "default_rng", "draw",
    "beta", "binomial", "chisquare", "choice", "exponential", "f", "gamma", "geometric",
    "gumbel", "hypergeometric", "laplace", "logistic", "lognormal", "logseries", "multinomial",
    "negative_binomial", "noncentral_chisquare", "noncentral_f", "normal", "pareto",
    "permutation", "poisson", "power", "randint", "random", "random_integers", "random_sample",
    "rayleigh", "seed", "standard_cauchy", "standard_exponential", "standard_gamma",
    "standard_normal", "standard_t", "triangular", "uniform", "vonmises", "wald", "weibull",
    "zipf",
]  # fmt: skip

# The functions of the module draw from one generator of the legacy kind, as NumPy's do.
_state = RandomState()

beta = _state.beta
binomial = _state.binomial
chisquare = _state.chisquare
choice = _state.choice
exponential = _state.exponential
f = _state.f
gamma = _state.gamma
geometric = _state.geometric
gumbel = _state.gumbel
hypergeometric = _state.hypergeometric
laplace = _state.laplace
logistic = _state.logistic
lognormal = _state.lognormal
logseries = _state.logseries
multinomial = _state.multinomial
negative_binomial = _state.negative_binomial
noncentral_chisquare = _state.noncentral_chisquare
noncentral_f = _state.noncentral_f
normal = _state.normal
pareto = _state.pareto
permutation = _state.permutation
poisson = _state.poisson
power = _state.power
randint = _state.randint
random = _state.random
random_integers = _state.random_integers
random_sample = _state.random_sample
rayleigh = _state.rayleigh
seed = _state.seed
standard_cauchy = _state.standard_cauchy
standard_exponential = _state.standard_exponential
standard_gamma = _state.standard_gamma
standard_normal = _state.standard_normal
standard_t = _state.standard_t
triangular = _state.triangular
uniform = _state.uniform
vonmises = _state.vonmises
wald = _state.wald
weibull = _state.weibull
zipf = _state.zipf
