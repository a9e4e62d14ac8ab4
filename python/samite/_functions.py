"""What is remembered of functions that are sent by value: their form for tokens, and their pickle.

To make either takes longer than the rest of a short call. So they are kept for functions of which
every part is compared at each use, or cannot change: without closure, attributes and global
variables, with plain defaults. Any other function is looked at anew each time.
"""

from __future__ import annotations

import builtins
import functools
import pickle
import types
import weakref
from typing import Any

# Python's own types whose values hold nothing else and cannot change.
PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
# What cloudpickle takes of a function's module besides the variables that the code mentions.
_OF_MODULE = ("__name__", "__package__", "__file__", "__path__")


class _Remembered:
    """The parts of a function when its form and its pickle were made."""

    __slots__ = ("defaults", "form", "parts", "pickled")

    def __init__(self, defaults: Any, parts: tuple[Any, ...]) -> None:
        self.defaults = defaults
        self.parts = parts
        self.form: tuple[Any, ...] | None = None
        self.pickled: bytes | None = None


_REMEMBERED: weakref.WeakKeyDictionary[types.FunctionType, _Remembered] = (
    weakref.WeakKeyDictionary()
)


def remembered(function: types.FunctionType) -> _Remembered | None:
    """What is remembered of a function; None where some part of it might change unnoticed."""
    if function.__closure__ or function.__dict__ or function.__kwdefaults__:
        return None
    defaults, annotations = function.__defaults__, function.__annotations__
    if defaults and not PLAIN.issuperset(map(type, defaults)):
        return None
    if annotations and not all(map(_is_fixed, annotations.values())):
        return None
    variables = function.__globals__
    names = _builtin_names(function.__code__)
    if names is None or not variables.keys().isdisjoint(names):
        return None
    parts = (
        function.__code__,
        function.__name__,
        function.__qualname__,
        function.__module__,
        function.__doc__,
        getattr(function, "__type_params__", ()),
        tuple(annotations.items()),
        *[variables.get(name) for name in _OF_MODULE],
    )
    known = _REMEMBERED.get(function)
    # Equal defaults may differ, as 1 and True do.
    if known is None or known.defaults is not defaults or known.parts != parts:
        known = _REMEMBERED[function] = _Remembered(defaults, parts)
    return known


def _is_fixed(annotation: Any) -> bool:
    kind = type(annotation)
    return kind in PLAIN or (kind is type and annotation.__module__ == "builtins")


@functools.lru_cache(2048)
def _builtin_names(code: types.CodeType) -> frozenset[str] | None:
    """The names that the code looks for outside of itself; None if there are others than Python's
    own among them."""
    from samite._tokens.code import _global_names

    names = frozenset(_global_names(code))
    return names if all(hasattr(builtins, name) for name in names) else None


class _ByValue:
    """A function in a pickle, as a pickle of its own."""

    __slots__ = ("pickled",)

    def __init__(self, pickled: bytes) -> None:
        self.pickled = pickled

    def __reduce__(self) -> tuple[Any, ...]:
        return load_function, (self.pickled,)


@functools.lru_cache(256)
def load_function(pickled: bytes) -> Any:
    """The function of a pickle by value: the same one for the same pickle."""
    return pickle.loads(pickled)


def to_pickle(function: Any) -> Any:
    """What stands for a function in a plain pickle; None where only cloudpickle can write it."""
    if type(function) is not types.FunctionType:
        return None
    import cloudpickle

    from samite.tokenize import importable_name

    if importable_name(function) is not None:
        # A module, or a package that it is in, may have been registered to be sent by value.
        module = f"{function.__module__}."
        sent = cloudpickle.list_registry_pickle_by_value()
        return None if any(module.startswith(f"{name}.") for name in sent) else function
    if function.__module__ != "__main__":
        return None
    known = remembered(function)
    if known is None:
        return None
    if known.pickled is None:
        known.pickled = cloudpickle.dumps(function, protocol=5)
    return _ByValue(known.pickled)


# A function of more bytes than this is not kept by those who load it.
_LARGE = 1 << 16


def prepared(function: Any) -> Any:
    """What stands for a function in the plain pickles of many calls, so that it is pickled and
    loaded once; None where it is better pickled with each of them."""
    known = to_pickle(function)
    if known is not None or type(function) is not types.FunctionType:
        return known
    import cloudpickle

    try:
        pickled = cloudpickle.dumps(function, protocol=5)
    except Exception:
        return None  # Whoever pickles it next finds out what is to blame.
    # Futures in a function are to live as long as its tasks, and no longer.
    if len(pickled) > _LARGE or b"_future_of" in pickled:
        return None
    return _ByValue(pickled)


def is_plain(values: Any) -> bool:
    """Whether all values are of Python's own types that hold nothing else."""
    return PLAIN.issuperset(map(type, values))
