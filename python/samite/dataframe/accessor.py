"""Accessors: attributes of frames and series that group methods, such as ``.str``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = [
    "CachedAccessor",
    "register_dataframe_accessor",
    "register_index_accessor",
    "register_series_accessor",
]


class CachedAccessor:
    """A descriptor that makes the accessor of a collection when first asked for it.

    On the class it is the accessor's class.
    """

    def __init__(self, name: str, accessor: Any) -> None:
        self._name = name
        self._accessor = accessor

    def __get__(self, obj: Any, cls: Any) -> Any:
        if obj is None:
            return self._accessor
        # Keyed by expression: a collection may be changed in place.
        cache = obj.__dict__.setdefault("_made_accessors", {})
        made = cache.get(self._name)
        if made is None or made[0] is not obj.expr:
            made = (obj.expr, self._accessor(obj))
            cache[self._name] = made
        return made[1]


def register_dataframe_accessor(name: str) -> Callable[[Any], Any]:
    """Offer a class as the attribute ``name`` of data frames; a decorator.

    The class is called with the data frame. A warning tells where an attribute is replaced.
    """
    from samite.dataframe.collections import DataFrame

    return _register(name, DataFrame)


def register_series_accessor(name: str) -> Callable[[Any], Any]:
    """Offer a class as the attribute ``name`` of series; a decorator."""
    from samite.dataframe.collections import Series

    return _register(name, Series)


def register_index_accessor(name: str) -> Callable[[Any], Any]:
    """Offer a class as the attribute ``name`` of indexes; a decorator."""
    from samite.dataframe.collections import Index

    return _register(name, Index)


def _register(name: str, cls: Any) -> Callable[[Any], Any]:
    def decorator(accessor: Any) -> Any:
        if hasattr(cls, name):
            import warnings

            warnings.warn(
                f"registration of accessor {accessor!r} under name {name!r} for type {cls!r} is "
                "overriding a preexisting attribute with the same name.",
                UserWarning,
                stacklevel=2,
            )
        setattr(cls, name, CachedAccessor(name, accessor))
        cls._accessors.add(name)
        return accessor

    return decorator
