"""The generators that :func:`default_rng` gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from samite.array.backends import array_creation_dispatch
from samite.array.core import Array
from samite.array.random import selection
from samite.array.random.distributions import Distributions, _length
from samite.array.random.seeds import Seeds, spawn_from_generator

__all__ = ["Generator", "default_rng"]


class Generator(Distributions):
    """A generator of lazy random arrays, like :class:`numpy.random.Generator`.

    Every call gives other numbers, as NumPy's do. Usually made by :func:`default_rng`.

    Parameters
    ----------
    bit_generator:
        A bit generator of NumPy, or a class of these, or one of a library that is like it.

    Examples
    --------
    >>> import numpy as np
    >>> Generator(np.random.PCG64(1)).integers(10, size=3, chunks=2).dtype
    dtype('int64')
    """

    def __init__(self, bit_generator: Any) -> None:
        self._bit_generator = bit_generator() if isinstance(bit_generator, type) else bit_generator

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self._bit_generator).__name__})"

    @property
    def bit_generator(self) -> Any:
        """What the seeds come from."""
        return self._bit_generator

    def _seeds(self) -> Seeds:
        return spawn_from_generator(self._bit_generator)

    def spawn(self, n_children: int) -> list[Generator]:
        """Independent generators."""
        return [type(self)(child) for child in self._bit_generator.spawn(n_children)]

    def random(
        self, size=None, dtype=np.float64, out=None, chunks="auto", **kwargs
    ) -> Array:  # fmt: skip
        """Draw from the uniform distribution on [0, 1).

        Raises
        ------
        NotImplementedError
            If ``out`` is given.
        """
        if out is not None:
            raise NotImplementedError("lazy arrays are not written to, so out has to be None")
        return self._draw("random", {}, size, chunks, {"dtype": np.dtype(dtype), **kwargs})

    def integers(
        self, low, high=None, size=None, dtype=np.int64, endpoint=False, chunks="auto", **kwargs
    ) -> Array:
        """Draw integers from ``low`` up to ``high``, which is left out unless ``endpoint``; with
        no ``high`` from zero up to ``low``."""
        if high is None:
            low, high = 0, low
        options = {"dtype": np.dtype(dtype), "endpoint": bool(endpoint), **kwargs}
        return self._draw("integers", {"low": low, "high": high}, size, chunks, options)

    def choice(
        self, a, size=None, replace=True, p=None, axis=0, shuffle=True, chunks="auto"
    ) -> Array:
        """Draw from the elements of a vector, or from the integers below a number.

        Parameters
        ----------
        a:
            The elements, lazy or not, or a number.
        size:
            The shape.
        replace:
            Whether an element can be drawn again.
        p:
            The probabilities of the elements; by default all are the same.
        axis:
            Zero.
        shuffle:
            Whether the order is random too, if elements are not drawn again.
        chunks:
            How to cut it; see :func:`~samite.array.chunks.normalize_chunks`.

        Raises
        ------
        ValueError
            If there is nothing to draw from, or ``a`` and ``p`` do not fit.
        NotImplementedError
            If elements are not drawn again, and the result has more than one chunk.
        """
        if axis != 0:
            raise ValueError(f"axis must be 0, for what is drawn from has one axis, not {axis}")
        options = {"shuffle": shuffle}
        return selection.choice(self._seeds(), a, size, replace, p, chunks, options)

    def permutation(self, x) -> Array:
        """The elements of ``x`` along the first axis, or the integers below it, in another order.

        The order is found at once, and is held in memory.
        """
        return selection.permutation(self._seeds().generator(0), x)

    def multivariate_hypergeometric(
        self, colors, nsample, size=None, method="marginals", chunks="auto", **kwargs
    ) -> Array:
        """Draw from the multivariate hypergeometric distribution: how many of each colour are
        among ``nsample`` drawn. The last axis is as long as ``colors``, and not cut."""
        return self._draw(
            "multivariate_hypergeometric", {"colors": colors, "nsample": nsample}, size, chunks,
            {"method": method, **kwargs}, whole=("colors", "nsample"),
            inner_shape=(_length(colors, "colors"),),
        )  # fmt: skip

    def multivariate_normal(self, mean, cov, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the normal distribution of vectors. The last axis is as long as ``mean``, and
        not cut."""
        return self._draw(
            "multivariate_normal", {"mean": mean, "cov": cov}, size, chunks, kwargs,
            whole=("mean", "cov"), inner_shape=(_length(mean, "mean"),),
        )  # fmt: skip

    def dirichlet(self, alpha, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the Dirichlet distribution. The last axis is as long as ``alpha``, and not
        cut."""
        return self._draw(
            "dirichlet", {"alpha": alpha}, size, chunks, kwargs,
            whole=("alpha",), inner_shape=(_length(alpha, "alpha"),),
        )  # fmt: skip


def default_rng(seed: Any = None) -> Generator:
    """A generator of lazy random arrays.

    Parameters
    ----------
    seed:
        A number or an array of numbers, a :class:`numpy.random.SeedSequence`, a bit generator (or
        a class of these), or a generator, of NumPy or one of a library that is like it; None for
        a seed from the system. What is no generator yet becomes one of NumPy's, or of the library
        that the setting ``array.backend`` names.

    Examples
    --------
    >>> a, b = default_rng(3), default_rng(3)
    >>> bool((a.random(4, chunks=2) == b.random(4, chunks=2)).all().compute())
    True
    """
    if isinstance(seed, Generator):
        return seed
    if hasattr(seed, "bit_generator"):
        return Generator(seed.bit_generator)
    if isinstance(seed, np.random.RandomState):
        return Generator(seed._bit_generator)  # type: ignore[attr-defined]
    if isinstance(seed, np.random.BitGenerator) or isinstance(seed, type):
        return Generator(seed)
    if array_creation_dispatch.backend != "numpy":
        return Generator(array_creation_dispatch.default_bit_generator(seed))
    return Generator(np.random.PCG64(seed))
