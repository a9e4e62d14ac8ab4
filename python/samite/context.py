"""Settings that act as methods, and the annotations and state of the current thread."""

from __future__ import annotations

import threading

from samite import config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_globals = config.config

thread_state = threading.local()


def globalmethod(
    default: Callable | None = None, key: str | None = None, falsey: Callable | None = None
) -> Any:
    """Decorator: a static method that a setting can replace.

    Parameters
    ----------
    default
        The function to use while the setting has no value.
    key
        The setting's name.
    falsey
        What to use where the setting is there and false.

    >>> class Collection:
    ...     @globalmethod(key="my_get", falsey=print)
    ...     def get(x):
    ...         return x + 1
    >>> Collection().get(1)
    2
    >>> with config.set(my_get=lambda x: x * 10):
    ...     Collection().get(1)
    10
    """
    if default is None:
        return lambda function: globalmethod(function, key=key, falsey=falsey)
    return GlobalMethod(default=default, key=key, falsey=falsey)


class GlobalMethod:
    """The descriptor behind :func:`globalmethod`."""

    def __init__(self, default: Callable, key: str | None, falsey: Callable | None = None):
        self._default = default
        self._key = key
        self._falsey = falsey

    def __get__(self, instance: Any, owner: type | None = None) -> Callable:
        chosen = config.get(self._key, _UNSET) if self._key else _UNSET
        if chosen is _UNSET:
            return self._default
        if not chosen:
            return self._falsey or (self._default if chosen is None else _nothing)
        return chosen


_UNSET = object()


def _nothing(*args: Any, **kwargs: Any) -> None:
    """What a method does that was switched off without a replacement."""
