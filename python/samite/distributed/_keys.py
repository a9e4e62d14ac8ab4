"""How calls are called, and what is done to them before they are sent."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from numbers import Number
from typing import Any

# Whole numbers up to this one stand in keys as they are.
_LARGE = 1 << 63


def name_of(func: Any) -> str:
    """The name of a function."""
    from samite.utils import funcname

    return funcname(func)


def check_key(key: Any) -> None:
    """Raise ``TypeError`` for what cannot be a key."""
    if not isinstance(key, (str, bytes, Number, tuple)):
        raise TypeError(f"a key is text, a number or a tuple of those, not {type(key).__name__}")
    if isinstance(key, tuple):
        for part in key:
            check_key(part)


def key_of_call(func: Any, args: Any, kwargs: Any, pure: bool) -> str:
    """A key for a call: the same one for the same call, where it is pure."""
    name = name_of(func)
    if not pure:
        return f"{name}-{uuid.uuid4()}"
    from samite.tokenize import tokenize

    return f"{name}-{tokenize(func, kwargs, *args)}"


def columns_of(iterables: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of many calls, as they are now: lists, and ranges."""
    return tuple(one if type(one) is range else list(one) for one in iterables)


def keys_of_calls(
    func: Any, columns: tuple[Any, ...], kwargs: dict[str, Any], key: Any, pure: bool
) -> tuple[list[Any] | str, bool]:
    """A key for each of many calls: a list; or the prefix of all, and whether the number of the
    call follows it or the call's argument, which is a whole number.

    Raises
    ------
    ValueError
        If keys are given, and are too few, too many or not distinct.
    """
    if isinstance(key, (list, tuple)):
        if len(set(key)) != len(key):
            raise ValueError("map: some keys are given twice; each call needs its own")
        count = min(map(len, columns))
        if len(key) != count:
            raise ValueError(f"map: {len(key)} keys were given for {count} calls")
        for one in key:
            check_key(one)
        return list(key), False
    name = name_of(func) if key is None else key
    if not pure:
        return f"{name}-{uuid.uuid4().hex}-", True
    from samite._engine import take_integers
    from samite.tokenize import tokenize

    token = tokenize(func, kwargs)
    prefix = f"{name}-{token}-"
    if take_integers(columns):
        # Whole numbers are written out, which tells them apart as well as a hash.
        return prefix, False
    return [
        f"{prefix}{args[0]}"
        if len(args) == 1 and type(args[0]) is int and -_LARGE < args[0] < _LARGE
        else f"{name}-{tokenize(token, *args)}"
        for args in zip(*columns)
    ], False


def pieces_of(count: int) -> Iterator[tuple[int, int]]:
    """The parts in which many calls are submitted, so that the first ones run while the others are
    still pickled: short ones first."""
    begin, length = 0, 512
    while begin < count:
        end = min(count, begin + length)
        yield begin, end
        begin, length = end, min(4 * length, 32_768)


@contextlib.contextmanager
def no_collection(count: int) -> Iterator[None]:
    """Keep Python from looking for garbage while very many objects are made, all of which stay:
    each look goes through all of them."""
    import gc

    if count < 10_000 or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def callable_on_worker(func: Any) -> Any:
    """The function that workers call: one that waits, for an ``async`` one."""
    import inspect

    if inspect.iscoroutinefunction(func):
        from samite.distributed._calls import Awaited

        return Awaited(func)
    return func
