"""Methods of strings for each record of a bag."""

from __future__ import annotations

import operator
from typing import Any

from samite.tokenize import tokenize

_METHODS = tuple(name for name in dir(str) if not name.startswith("_"))


class _Caller:
    """The lazy call of a method of each record."""

    def __init__(self, bag: Any, name: str) -> None:
        self._bag = bag
        self._name = name
        self.__name__ = name
        self.__doc__ = f"``str.{name}`` of each record.\n\n{getattr(str, name).__doc__ or ''}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._bag.map(operator.methodcaller(self._name, *args, **kwargs))


class _Match:
    """Whether a name fits a pattern."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.__name__ = "match"

    def __call__(self, record: str) -> bool:
        from fnmatch import fnmatch

        return fnmatch(record, self.pattern)

    def __dask_tokenize__(self) -> Any:
        return "match", tokenize(self.pattern)


class StringAccessor:
    """``bag.str``: the methods of :class:`str`, applied to each record.

    >>> import samite.bag as db
    >>> db.from_sequence(["Ada", "Grace"]).str.upper().compute(scheduler="sync")
    ['ADA', 'GRACE']
    """

    def __init__(self, bag: Any) -> None:
        self._bag = bag

    def __dir__(self) -> list[str]:
        return sorted({*dir(type(self)), *_METHODS})

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS:
            return _Caller(self._bag, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def match(self, pattern: str) -> Any:
        """The records that fit a pattern of the shell, such as ``"*.txt"``."""
        return self._bag.filter(_Match(pattern))
