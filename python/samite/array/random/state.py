"""The legacy generators, like :class:`numpy.random.RandomState`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array.backends import array_creation_dispatch
from samite.array.core import Array
from samite.array.random import selection
from samite.array.random.distributions import Distributions
from samite.array.random.seeds import Seeds, spawn_from_state

__all__ = ["RandomState"]


class RandomState(Distributions):
    """A generator of lazy random arrays, like :class:`numpy.random.RandomState`.

    Parameters
    ----------
    seed:
        What NumPy's class takes; None for a seed from the system.
    RandomState:
        What makes the generator of a chunk, from an array of 32-bit seeds; by default NumPy's
        class, or that of the library that the setting ``array.backend`` names. It may give one of
        another library with the same methods.

    Examples
    --------
    >>> x = RandomState(1234).normal(10, 0.1, size=3, chunks=2)
    >>> x.chunks
    ((2, 1),)
    """

    def __init__(self, seed: Any = None, RandomState: Callable[..., Any] | None = None) -> None:
        # NumPy's module is large, and imported when something is drawn.
        self._state = None if seed is None else np.random.RandomState(seed)
        self._make = RandomState

    @property
    def _numpy_state(self) -> np.random.RandomState:
        if self._state is None:
            self._state = np.random.RandomState()
        return self._state

    def seed(self, seed: Any = None) -> None:
        """Begin again, with this seed."""
        self._numpy_state.seed(seed)

    def _seeds(self) -> Seeds:
        make = self._make
        if make is None and array_creation_dispatch.backend != "numpy":
            make = array_creation_dispatch.RandomState
        if make is np.random.RandomState:
            make = None
        return spawn_from_state(self._numpy_state, make)

    def random_sample(self, size=None, chunks="auto", **kwargs) -> Array:
        """Draw from the uniform distribution on [0, 1)."""
        return self._draw("random_sample", {}, size, chunks, kwargs)

    random = random_sample

    def randint(self, low, high=None, size=None, chunks="auto", dtype="l", **kwargs) -> Array:
        """Draw integers from ``low`` up to, not including, ``high``; with no ``high`` from zero up
        to ``low``."""
        if high is None:
            low, high = 0, low
        options = {"dtype": np.dtype(dtype), **kwargs}
        return self._draw("randint", {"low": low, "high": high}, size, chunks, options)

    def random_integers(self, low, high=None, size=None, chunks="auto", **kwargs) -> Array:
        """Draw integers from ``low`` (by default one) up to and including ``high``.

        Deprecated, as NumPy's is: use :meth:`randint`.
        """
        warnings.warn(
            "random_integers is deprecated; randint(low, high + 1) gives the same",
            DeprecationWarning,
            stacklevel=2,
        )
        if high is None:
            low, high = 1, low
        return self._draw(
            "randint", {"low": low, "high": high + 1}, size, chunks,
            {"dtype": np.dtype("l"), **kwargs},
        )  # fmt: skip

    def tomaxint(self, size=None, chunks="auto", **kwargs) -> Array:
        """Draw integers from zero up to the greatest that C's ``long`` holds."""
        return self._draw("tomaxint", {}, size, chunks, kwargs)

    def choice(self, a, size=None, replace=True, p=None, chunks="auto") -> Array:
        """Draw from the elements of a vector, or from the integers below a number.

        Takes the arguments of :meth:`samite.array.random.Generator.choice`, except ``axis`` and
        ``shuffle``, and raises what that does.
        """
        return selection.choice(self._seeds(), a, size, replace, p, chunks, {})

    def permutation(self, x) -> Array:
        """The elements of ``x`` along the first axis, or the integers below it, in another order.

        The order is found at once, and is held in memory.
        """
        return selection.permutation(self._seeds().generator(0), x)
