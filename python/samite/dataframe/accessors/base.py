"""What the accessors share."""

from __future__ import annotations

from typing import Any, ClassVar

from samite.dataframe.elementwise import accessor_call


class Accessor:
    """Methods and properties of an accessor of pandas, done on every partition.

    A subclass names them in its class statement's ``methods`` and ``properties``.

    Raises
    ------
    AttributeError
        The series is of a dtype that does not have the accessor.
    """

    _accessor_name: ClassVar[str]

    def __init__(self, series: Any) -> None:
        from samite.dataframe.collections import Series

        if not isinstance(series, Series):
            raise ValueError(
                f"The accessor .{self._accessor_name} is of series, got {type(series).__name__}"
            )
        self._validate(series._meta)
        self._series = series

    def _validate(self, meta: Any) -> None:
        getattr(meta, self._accessor_name)  # raises pandas' error

    def __init_subclass__(cls, *, methods: str = "", properties: str = "") -> None:
        for name in methods.split():
            setattr(cls, name, _method(cls._accessor_name, name))
        for name in properties.split():
            setattr(cls, name, _property(cls._accessor_name, name))

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return accessor_call(self._series, self._accessor_name, name, *args, **kwargs)

    def _get(self, name: str) -> Any:
        return accessor_call(self._series, self._accessor_name, name, is_property=True)

    def __repr__(self) -> str:
        return f"<samite.dataframe accessor .{self._accessor_name}>"


def _method(accessor: str, name: str) -> Any:
    def method(self: Accessor, *args: Any, **kwargs: Any) -> Any:
        return self._call(name, *args, **kwargs)

    method.__name__ = name
    method.__qualname__ = f"{accessor}.{name}"
    method.__doc__ = f"``pandas.Series.{accessor}.{name}`` of every value."
    return method


def _property(accessor: str, name: str) -> property:
    def get(self: Accessor) -> Any:
        return self._get(name)

    get.__name__ = name
    get.__doc__ = f"``pandas.Series.{accessor}.{name}`` of every value."
    return property(get)
