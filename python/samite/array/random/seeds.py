"""Where the bits of a lazy random array come from.

An array is drawn with one *seed state*: a few numbers and the class of a generator. The generator
of a chunk is made inside the task, from the seed state and the number of the chunk, so a graph
holds one small object however many chunks there are, and the order of execution has no effect.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["GeneratorSeeds", "Seeds", "StateSeeds", "spawn_from_generator", "spawn_from_state"]

# Threads that draw from one generator must not get the same child.
_spawning = threading.Lock()


class Seeds:
    """The seed state of one array.

    Attributes
    ----------
    entropy:
        The number, or numbers, that the user's seed stands for.
    spawn_key:
        Which of the arrays with that seed it is.
    """

    __slots__ = ("entropy", "spawn_key")

    entropy: Any
    spawn_key: tuple[int, ...]

    @property
    def is_numpys(self) -> bool:
        """Whether the generators are NumPy's, and not those of another library."""
        raise NotImplementedError

    @property
    def kind(self) -> str:
        """The name of the kind of generators."""
        raise NotImplementedError

    def sequence(self, number: int) -> np.random.SeedSequence:
        """The seeds of a chunk; those of different numbers are independent."""
        return np.random.SeedSequence(self.entropy, spawn_key=(*self.spawn_key, number))

    def generator(self, number: int) -> Any:
        """The generator of a chunk."""
        raise NotImplementedError

    def __getstate__(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for kind in type(self).__mro__
                     for name in getattr(kind, "__slots__", ()))  # fmt: skip

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        names = [name for kind in type(self).__mro__ for name in getattr(kind, "__slots__", ())]
        for name, value in zip(names, state):
            setattr(self, name, value)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (type(self).__name__, self.__getstate__())

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__getstate__() == self.__getstate__()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self).__name__, repr(self.__getstate__())))


class GeneratorSeeds(Seeds):
    """A seed state for generators like :class:`numpy.random.Generator`.

    Parameters
    ----------
    bit_generator:
        The class of bit generators; called with a seed sequence.
    entropy, spawn_key:
        See :class:`Seeds`.
    """

    __slots__ = ("bit_generator",)

    def __init__(
        self, bit_generator: Callable[[Any], Any], entropy: Any, spawn_key: tuple[int, ...]
    ) -> None:
        self.bit_generator = bit_generator
        self.entropy = entropy
        self.spawn_key = spawn_key

    @property
    def is_numpys(self) -> bool:
        return self.bit_generator.__module__.partition(".")[0] == "numpy"

    @property
    def kind(self) -> str:
        return getattr(self.bit_generator, "__name__", "")

    def generator(self, number: int) -> Any:
        sequence = self.sequence(number)
        if self.bit_generator is np.random.PCG64:
            return np.random.Generator(np.random.PCG64(sequence))
        package = self.bit_generator.__module__.partition(".")[0]
        kind = importlib.import_module(package).random.Generator
        if package != "numpy":
            # The classes of other libraries take a number.
            return kind(self.bit_generator(int(sequence.generate_state(1, np.uint64)[0])))
        return kind(self.bit_generator(sequence))


class StateSeeds(Seeds):
    """A seed state for generators like :class:`numpy.random.RandomState`.

    Parameters
    ----------
    make:
        The class, or a function that makes one from an array of 32-bit seeds; None for NumPy's.
    entropy, spawn_key:
        See :class:`Seeds`.
    """

    __slots__ = ("make",)

    def __init__(
        self, make: Callable[[Any], Any] | None, entropy: Any, spawn_key: tuple[int, ...] = ()
    ) -> None:
        self.make = make
        self.entropy = entropy
        self.spawn_key = spawn_key

    @property
    def is_numpys(self) -> bool:
        return self.make is None

    @property
    def kind(self) -> str:
        return "RandomState"

    def generator(self, number: int) -> Any:
        sequence = self.sequence(number)
        if self.make is None:
            # A Mersenne Twister has 624 words to fill, which small chunks would feel.
            return np.random.RandomState(np.random.PCG64(sequence))
        return self.make(sequence.generate_state(8))


def spawn_from_generator(bit_generator: Any) -> GeneratorSeeds:
    """The seed state of the next array of a generator; the one after gets another."""
    kind = type(bit_generator)
    sequence = getattr(bit_generator, "seed_seq", getattr(bit_generator, "_seed_seq", None))
    if not hasattr(sequence, "spawn"):
        if hasattr(bit_generator, "random_raw"):
            # A generator that was not made from a seed sequence still has bits of its own.
            words = tuple(int(word) for word in np.atleast_1d(bit_generator.random_raw(4)))
            return GeneratorSeeds(kind, words, ())
        return GeneratorSeeds(kind, np.random.SeedSequence().entropy, ())
    with _spawning:
        (child,) = sequence.spawn(1)
    entropy = child.entropy
    if isinstance(entropy, (list, np.ndarray)):
        entropy = tuple(int(word) for word in np.ravel(entropy))
    return GeneratorSeeds(kind, entropy, tuple(child.spawn_key))


def spawn_from_state(state: np.random.RandomState, make: Callable | None) -> StateSeeds:
    """The seed state of the next array of a legacy generator; the one after gets another."""
    words = state.randint(0, 2**32, size=4, dtype=np.uint32)
    return StateSeeds(make, tuple(int(word) for word in words))
