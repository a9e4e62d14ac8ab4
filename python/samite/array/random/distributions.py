"""The distributions that both kinds of generators have.

All methods take, after the parameters of the distribution, ``size``, ``chunks`` and keywords of
NumPy's method. Parameters can be arrays, lazy or not, that can be broadcast to ``size``; they are
cut like the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from samite.array.core import Array
from samite.array.random.blocks import draw
from samite.array.random.seeds import Seeds

__all__ = ["Distributions"]


class Distributions:
    """Methods that give lazy arrays of random numbers."""

    def _seeds(self) -> Seeds:
        """The seed state of the next array."""
        raise NotImplementedError

    def _draw(
        self,
        distribution: str,
        parameters: Mapping[str, Any],
        size: Any,
        chunks: Any,
        options: Mapping[str, Any],
        dtype: Any = None,
        **kwargs: Any,
    ) -> Array:
        return draw(
            distribution, parameters, size, chunks, dtype, self._seeds(), options=options, **kwargs
        )

    def beta(self, a, b, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the beta distribution on (0, 1) with the shapes ``a`` and ``b``."""
        return self._draw("beta", {"a": a, "b": b}, size, chunks, kwargs)

    def binomial(self, n, p, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the binomial distribution: successes in ``n`` trials of probability ``p``."""
        return self._draw("binomial", {"n": n, "p": p}, size, chunks, kwargs)

    def chisquare(self, df, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the chi-square distribution with ``df`` degrees of freedom."""
        return self._draw("chisquare", {"df": df}, size, chunks, kwargs)

    def exponential(self, scale=1.0, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the exponential distribution with the mean ``scale``."""
        return self._draw("exponential", {"scale": scale}, size, chunks, kwargs)

    def f(self, dfnum, dfden, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the F distribution with ``dfnum`` and ``dfden`` degrees of freedom."""
        return self._draw("f", {"dfnum": dfnum, "dfden": dfden}, size, chunks, kwargs)

    def gamma(self, shape, scale=1.0, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the gamma distribution."""
        return self._draw("gamma", {"shape": shape, "scale": scale}, size, chunks, kwargs)

    def geometric(self, p, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the geometric distribution: trials until the first success."""
        return self._draw("geometric", {"p": p}, size, chunks, kwargs)

    def gumbel(self, loc=0.0, scale=1.0, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the Gumbel distribution, of extreme values."""
        return self._draw("gumbel", {"loc": loc, "scale": scale}, size, chunks, kwargs)

    def hypergeometric(self, ngood, nbad, nsample, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the hypergeometric distribution: good ones among ``nsample`` drawn."""
        return self._draw(
            "hypergeometric",
            {"ngood": ngood, "nbad": nbad, "nsample": nsample},
            size,
            chunks,
            kwargs,
        )

    def laplace(self, loc=0.0, scale=1.0, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the Laplace (double exponential) distribution with the mean ``loc``."""
        return self._draw("laplace", {"loc": loc, "scale": scale}, size, chunks, kwargs)

    def logistic(self, loc=0.0, scale=1.0, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the logistic distribution with the mean ``loc``."""
        return self._draw("logistic", {"loc": loc, "scale": scale}, size, chunks, kwargs)

    def lognormal(self, mean=0.0, sigma=1.0, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the distribution whose logarithm is normal, with that mean and deviation."""
        return self._draw("lognormal", {"mean": mean, "sigma": sigma}, size, chunks, kwargs)

    def logseries(self, p, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the logarithmic series distribution."""
        return self._draw("logseries", {"p": p}, size, chunks, kwargs)

    def negative_binomial(self, n, p, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the negative binomial distribution: failures before the ``n``-th success."""
        return self._draw("negative_binomial", {"n": n, "p": p}, size, chunks, kwargs)

    def noncentral_chisquare(self, df, nonc, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the noncentral chi-square distribution."""
        return self._draw("noncentral_chisquare", {"df": df, "nonc": nonc}, size, chunks, kwargs)

    def noncentral_f(self, dfnum, dfden, nonc, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the noncentral F distribution."""
        return self._draw(
            "noncentral_f", {"dfnum": dfnum, "dfden": dfden, "nonc": nonc}, size, chunks, kwargs
        )

    def normal(self, loc=0.0, scale=1.0, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the normal (Gaussian) distribution with the mean ``loc``.

        Parameters
        ----------
        loc:
            The mean.
        scale:
            The standard deviation.
        size:
            The shape; by default that of the parameters together.
        chunks:
            How to cut it; see :func:`~samite.array.chunks.normalize_chunks`.

        Raises
        ------
        ValueError
            If the parameters cannot be broadcast to ``size``, or ``scale`` is negative.

        Examples
        --------
        >>> import samite.array as da
        >>> rng = da.random.default_rng(1)
        >>> rng.normal(10, 1, size=3, chunks=2).compute()  # doctest: +SKIP
        array([ 9.83, 10.26,  9.51])
        """
        return self._draw("normal", {"loc": loc, "scale": scale}, size, chunks, kwargs)

    def pareto(self, a, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the Pareto II (Lomax) distribution with the shape ``a``."""
        return self._draw("pareto", {"a": a}, size, chunks, kwargs)

    def poisson(self, lam=1.0, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the Poisson distribution with the mean ``lam``."""
        return self._draw("poisson", {"lam": lam}, size, chunks, kwargs)

    def power(self, a, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the power distribution on [0, 1] with the exponent ``a - 1``."""
        return self._draw("power", {"a": a}, size, chunks, kwargs)

    def rayleigh(self, scale=1.0, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the Rayleigh distribution with the mode ``scale``."""
        return self._draw("rayleigh", {"scale": scale}, size, chunks, kwargs)

    def standard_cauchy(self, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the standard Cauchy distribution."""
        return self._draw("standard_cauchy", {}, size, chunks, kwargs)

    def standard_exponential(self, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the exponential distribution with the mean 1."""
        return self._draw("standard_exponential", {}, size, chunks, kwargs)

    def standard_gamma(self, shape, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the gamma distribution with the scale 1."""
        return self._draw("standard_gamma", {"shape": shape}, size, chunks, kwargs)

    def standard_normal(self, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the normal distribution with the mean 0 and the standard deviation 1."""
        return self._draw("standard_normal", {}, size, chunks, kwargs)

    def standard_t(self, df, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the Student's t distribution with ``df`` degrees of freedom."""
        return self._draw("standard_t", {"df": df}, size, chunks, kwargs)

    def triangular(self, left, mode, right, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the triangular distribution on [left, right]."""
        return self._draw(
            "triangular", {"left": left, "mode": mode, "right": right}, size, chunks, kwargs
        )

    def uniform(self, low=0.0, high=1.0, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the uniform distribution on [low, high)."""
        return self._draw("uniform", {"low": low, "high": high}, size, chunks, kwargs)

    def vonmises(self, mu, kappa, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the von Mises distribution on [-pi, pi] with the mode ``mu``."""
        return self._draw("vonmises", {"mu": mu, "kappa": kappa}, size, chunks, kwargs)

    def wald(self, mean, scale, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the Wald (inverse Gaussian) distribution."""
        return self._draw("wald", {"mean": mean, "scale": scale}, size, chunks, kwargs)

    def weibull(self, a, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the Weibull distribution with the shape ``a``."""
        return self._draw("weibull", {"a": a}, size, chunks, kwargs)

    def zipf(self, a, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the Zipf distribution with the exponent ``a``."""
        return self._draw("zipf", {"a": a}, size, chunks, kwargs)

    def multinomial(self, n, pvals, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the multinomial distribution: how often each of several things happens in
        ``n`` trials. The last axis is as long as ``pvals``, the probabilities, and not cut."""
        length = _length(pvals, "pvals")
        return self._draw(
            "multinomial", {"n": n, "pvals": pvals}, size, chunks, kwargs,
            whole=("pvals",), inner_shape=(length,),
        )  # fmt: skip


def _length(vector: Any, name: str) -> int:
    """The length of a parameter that is a vector.

    Raises
    ------
    ValueError
        If it is not one.
    """
    shape = tuple(vector.shape) if hasattr(vector, "shape") else np.shape(vector)
    if len(shape) != 1 or shape[0] != shape[0]:
        raise ValueError(f"{name} must be one dimensional and of known length, not {shape}")
    return int(shape[0])
