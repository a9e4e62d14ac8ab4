"""Libraries that chunks can be made with: what each offers to create arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array.dispatch import to_numpy_dispatch
from samite.backends import CreationDispatch, DaskBackendEntrypoint

__all__ = ["ArrayBackendEntrypoint", "NumpyBackendEntrypoint", "array_creation_dispatch"]


class ArrayBackendEntrypoint(DaskBackendEntrypoint):
    """Base class of what a library of arrays offers.

    A subclass for another library is made known as an entry point of the group
    ``samite.array.backends``, or with ``array_creation_dispatch.register_backend(name, instance)``.
    """

    @property
    def RandomState(self) -> Any:
        """The class of legacy random generators."""
        raise NotImplementedError

    @property
    def default_bit_generator(self) -> Any:
        """The class of bit generators that are used unless another is asked for."""
        raise NotImplementedError

    @staticmethod
    def ones(shape: Any, *, dtype: Any = None, meta: Any = None, **kwargs: Any) -> Any:
        """An array of ones."""
        raise NotImplementedError

    @staticmethod
    def zeros(shape: Any, *, dtype: Any = None, meta: Any = None, **kwargs: Any) -> Any:
        """An array of zeros."""
        raise NotImplementedError

    @staticmethod
    def empty(shape: Any, *, dtype: Any = None, meta: Any = None, **kwargs: Any) -> Any:
        """An array whose elements are not set."""
        raise NotImplementedError

    @staticmethod
    def full(shape: Any, fill_value: Any, *, dtype: Any = None, **kwargs: Any) -> Any:
        """An array of one value."""
        raise NotImplementedError

    @staticmethod
    def arange(start: Any, /, stop: Any = None, step: Any = 1, **kwargs: Any) -> Any:
        """Equally spaced values."""
        raise NotImplementedError


class NumpyBackendEntrypoint(ArrayBackendEntrypoint):
    """What NumPy offers; functions to create arrays are registered where they are defined."""

    @classmethod
    def to_backend_dispatch(cls) -> Any:
        return to_numpy_dispatch

    @classmethod
    def to_backend(cls, data: Any, **kwargs: Any) -> Any:
        """The lazy array, with chunks of other libraries made NumPy's."""
        if type(data._meta) is np.ndarray:
            return data
        return data.map_blocks(
            cls.to_backend_dispatch(),
            meta=to_numpy_dispatch(data._meta),
            dtype=data.dtype,
            **kwargs,
        )

    @property
    def RandomState(self) -> Any:
        return np.random.RandomState

    @property
    def default_bit_generator(self) -> Any:
        return np.random.PCG64

    def __getattribute__(self, name: str) -> Any:
        # Functions that create arrays are those of this package, unless one was set.
        found = super().__getattribute__(name)
        if name in _CREATION and getattr(found, "__qualname__", "").startswith("ArrayBackend"):
            from samite.array import creation

            return getattr(creation, name)
        return found


_CREATION = ("arange", "empty", "full", "ones", "zeros")

array_creation_dispatch = CreationDispatch(
    module_name="array",
    default="numpy",
    entrypoint_class=ArrayBackendEntrypoint,
    name="array_creation_dispatch",
)
array_creation_dispatch.register_backend("numpy", NumpyBackendEntrypoint())


def by_backend(function: Callable) -> Callable:
    """A function that creates arrays, in the way of the library that ``array.backend`` names."""

    @functools.wraps(function)
    def create(*args: Any, **kwargs: Any) -> Any:
        chosen = array_creation_dispatch.backend
        if chosen == "numpy":
            return function(*args, **kwargs)
        library = array_creation_dispatch.dispatch(chosen)
        return getattr(library, function.__name__)(*args, **kwargs)

    return create


def register_backend(name: str) -> Callable[[type], type]:
    """Decorator: offer a class of an array library under a name."""

    def wrapper(cls: type) -> type:
        array_creation_dispatch.register_backend(name, cls())
        return cls

    return wrapper
