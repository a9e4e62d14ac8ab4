"""Marker values that several modules share; kept apart because importing `typing` is not free."""

from __future__ import annotations


class NoDefault:
    """Type of :data:`no_default`, which stands for "the caller gave no value".

    There is one instance in a process, also after a copy or a pickle round trip.
    """

    __slots__ = ()
    _instance: NoDefault | None = None

    def __new__(cls) -> NoDefault:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "<no_default>"

    def __reduce__(self) -> tuple[type[NoDefault], tuple[()]]:
        return NoDefault, ()


no_default = NoDefault()
