"""Tokens: short texts that are equal for equal arguments, in each process and on each machine.

A token is the hash of a *form*: a tuple of numbers, texts and further tuples that says what an
object is. :data:`normalize_token` makes the form of one object. It knows

- Python's numbers, texts, containers, dates, paths and the like;
- NumPy arrays by their values, whatever their memory layout; pandas, Arrow and SciPy objects;
- functions and classes: by name where they can be imported, else by their code and all that it
  refers to;
- any object that says what it is by a method ``__dask_tokenize__()``;
- any other object by what pickle would store of it.

Forms depend on values only: neither on which of them are the same object, nor on the order of a
dictionary or a set.
"""

from __future__ import annotations

import copyreg
import functools
import os
import sys
import threading
import types
from collections import OrderedDict
from contextvars import ContextVar

from samite import config
from samite._utils.dispatch import Dispatch
from samite.hashing import _hash_blake2b, hash_buffer_hex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

__all__ = ["TokenizationError", "normalize_token", "tokenize"]

normalize_token = Dispatch("normalize_token")

# Has no value outside of tokenize(ensure_deterministic=...): the setting decides then.
_ENSURE_DETERMINISTIC: ContextVar[bool] = ContextVar("ensure_deterministic")


class TokenizationError(RuntimeError):
    """An object has no deterministic token, and one was asked for."""


def tokenize(*args: Any, ensure_deterministic: bool | None = None, **kwargs: Any) -> str:
    """A text of 32 hexadecimal digits, equal for equal arguments.

    Parameters
    ----------
    ensure_deterministic
        True: raise an error for objects that only a made-up token fits. False: make one up, which
        is different on each call. By default a surrounding call decides, else the setting
        ``tokenize.ensure-deterministic``.

    Raises
    ------
    TokenizationError
        See `ensure_deterministic`.

    >>> tokenize([1, 2, "3"]) == tokenize([1, 2, "3"])
    True
    """
    outer = _SEEN.suspend() if _SEEN.stack else None
    reset = None
    if ensure_deterministic is not None:
        reset = _ENSURE_DETERMINISTIC.set(ensure_deterministic)
    try:
        form = _forms(args)
        if kwargs:
            form = (form, "with", _normalize(kwargs))
        return _digest(form)
    finally:
        if reset is not None:
            _ENSURE_DETERMINISTIC.reset(reset)
        if outer is not None:
            _SEEN.resume(outer)


# ---- forms and their hashes ------------------------------------------------------------------

# What stands for itself in a form. Exactly these types: a subclass may carry more.
_PLAIN = frozenset({int, float, str, bytes, bool, complex, type(None)})
_INLINE = 32


def _text(form: Any) -> str:
    try:
        return repr(form)
    except ValueError:  # Python refuses to write integers of thousands of digits as decimals.
        if type(form) is tuple:
            return f"({', '.join(map(_text, form))})"
        return hex(form) if isinstance(form, int) else repr(form)


def _digest(form: Any) -> str:
    # repr is written in C, and unambiguous for what forms are made of.
    return _hash_blake2b(_text(form).encode("utf-8", "surrogatepass")).hex()


def _normalize(x: Any) -> Any:
    """The form of `x`. All parts of a form are made by this, not by `normalize_token`."""
    if type(x) in _PLAIN:
        return x
    handler = normalize_token.dispatch(type(x))
    form = handler(x)
    # Others may return objects that are not forms yet.
    return form if handler in _OURS else _normalize(form) if form is not x else _object(x)


def _forms(items: Iterable[Any]) -> tuple:
    """The forms of several objects: what `_normalize` does, with one call less at each depth."""
    forms = []
    for item in items:
        if type(item) not in _PLAIN:
            handler = normalize_token.dispatch(type(item))
            form = handler(item)
            if handler not in _OURS:
                form = _normalize(form) if form is not item else _object(item)
            item = form
        forms.append(item)
    return tuple(forms)


_OURS: set[Callable] = set()


def _register(*kinds: type) -> Callable[[Callable], Callable]:
    def wrapper(function: Callable) -> Callable:
        _OURS.add(function)
        normalize_token.register(kinds, function)
        return function

    return wrapper


class _Seen(threading.local):
    """What the running call is inside of, to end at cycles, and what it has done already.

    False while no call is running in this thread.
    """

    _NOWHERE = 1 << 62

    def __init__(self) -> None:
        self.stack: dict[int, int] = {}
        self.memo: dict[int, tuple[Any, Any]] = {}
        # The outermost level that a cycle found below the current object leads back to.
        self.lowest = self._NOWHERE

    def __bool__(self) -> bool:
        return bool(self.stack)

    def suspend(self) -> tuple:
        """Start afresh for a nested call, whose result must not depend on the outer one."""
        outer = self.stack, self.memo, self.lowest
        self.stack, self.memo, self.lowest = {}, {}, self._NOWHERE
        return outer

    def resume(self, outer: tuple) -> None:
        self.stack, self.memo, self.lowest = outer


_SEEN = _Seen()


def _once(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make the form of an object that may contain itself, and no more than once in a call.

    A cycle's end is written as the number of levels that it leads up. A form that leads to above
    its own object holds at that place only, so it is not remembered.
    """

    def guarded(x: Any) -> Any:
        seen = _SEEN
        stack, key = seen.stack, id(x)
        level = len(stack)
        above = stack.get(key)
        if above is not None:
            seen.lowest = min(seen.lowest, above)
            return ("cycle", level - above)
        done = seen.memo.get(key)
        if done is not None:
            return done[1]
        stack[key] = level
        outer_lowest, seen.lowest = seen.lowest, seen._NOWHERE
        try:
            form = build(x)
        finally:
            del stack[key]
            closed = seen.lowest >= level
            seen.lowest = outer_lowest if closed else min(outer_lowest, seen.lowest)
            if level == 0:
                seen.memo = {}
                seen.lowest = seen._NOWHERE
        if closed and level:
            # With the object itself, whose id cannot be given to another one that way.
            seen.memo[key] = (x, form)
        return form

    return guarded


def _sequence_form(name: str, items: Iterable[Any]) -> tuple:
    """The form of containers that keep an order: short plain ones whole, else their hash."""
    items = tuple(items)
    if not _PLAIN.issuperset(map(type, items)):
        return (name, _digest(_forms(items)))
    return (name, items) if len(items) <= _INLINE else (name, _digest(items))


def _unordered_form(name: str, items: Iterable[Any]) -> tuple:
    return (name, _digest(tuple(sorted([_text(_normalize(item)) for item in items]))))


def _mapping_form(name: str, items: Iterable[tuple[Any, Any]]) -> tuple:
    pairs = [(_text(_normalize(key)), _normalize(value)) for key, value in items]
    pairs.sort(key=lambda pair: pair[0])
    return (name, _digest(tuple(pairs)))


def _nondeterministic(x: Any, reason: str) -> tuple:
    """The form of an object that nothing is known about: new on each call, or an error."""
    wanted = _ENSURE_DETERMINISTIC.get(None)
    if wanted is None:
        wanted = config.get("tokenize.ensure-deterministic", False)
    if wanted:
        raise TokenizationError(reason)
    return ("unique", os.urandom(16).hex())


# ---- Python's own types ----------------------------------------------------------------------


@_register(*_PLAIN, type(Ellipsis), type(NotImplemented), range)
def _identity(x: Any) -> Any:
    """What repr says it all of; a subclass may carry more."""
    return x if type(x) in _REPR_SAYS_ALL else _object(x)


_REPR_SAYS_ALL = _PLAIN | {type(Ellipsis), type(NotImplemented), range}


@_register(slice)
def _slice(x: slice) -> Any:
    parts = (x.start, x.stop, x.step)
    if _PLAIN.issuperset(map(type, parts)):
        return x
    return ("slice", *map(_normalize, parts))


def _nested(name: str, x: Any) -> tuple:
    # As _sequence_form, with one call less at each depth.
    if _PLAIN.issuperset(map(type, x)):
        return (name, _digest(tuple(x)))
    return (name, _digest(_forms(x)))


_nested_list = _once(functools.partial(_nested, "list"))
_nested_tuple = _once(functools.partial(_nested, "tuple"))


@_register(list)
def _list(x: list) -> Any:
    if type(x) is not list:
        return _object(x)
    if len(x) <= _INLINE and _PLAIN.issuperset(map(type, x)):
        return ("list", tuple(x))
    return _nested_list(x)


@_register(tuple)
def _tuple(x: tuple) -> Any:
    if type(x) is not tuple:
        return _object(x)
    if len(x) <= _INLINE and _PLAIN.issuperset(map(type, x)):
        return ("tuple", x)
    return _nested_tuple(x)


@_register(set)
@_once
def _set(x: set) -> Any:
    return _unordered_form("set", x) if type(x) is set else _object(x)


@_register(frozenset)
@_once
def _frozenset(x: frozenset) -> Any:
    return _unordered_form("frozenset", x) if type(x) is frozenset else _object(x)


@_once
def _plain_dict(x: dict) -> tuple:
    # A copy, since another thread, or what makes a form of a value, may add to it meanwhile.
    return _mapping_form("dict", tuple(x.items()))


@_register(dict)
def _dict(x: dict) -> Any:
    return _plain_dict(x) if type(x) is dict else _object(x)


@_once
def _plain_ordered(x: OrderedDict) -> tuple:
    return _sequence_form("OrderedDict", x.items())


@_register(OrderedDict)
def _ordered(x: OrderedDict) -> Any:
    return _plain_ordered(x) if type(x) is OrderedDict else _object(x)


@_register(types.MappingProxyType)
@_once
def _proxy(x: types.MappingProxyType) -> tuple:
    return _mapping_form("mappingproxy", x.items())


@_register(type({}.keys()), type({}.values()), type({}.items()))
@_once
def _view(x: Any) -> tuple:
    return _sequence_form(type(x).__name__, x)


@_register(bytearray)
def _bytearray(x: bytearray) -> Any:
    return ("bytearray", hash_buffer_hex(x)) if type(x) is bytearray else _object(x)


@_register(memoryview)
def _memoryview(x: memoryview) -> tuple:
    return ("memoryview", x.format, x.shape, hash_buffer_hex(x))


# ---- any object ------------------------------------------------------------------------------


@_register(object)
def _object(x: Any) -> Any:
    """The form of an object of no type that is known here."""
    if isinstance(x, type):
        return _class(x)
    method = getattr(x, "__dask_tokenize__", None)
    if method is not None:
        return _normalize(method())
    if type(x) is object:
        return _bare_object(x)
    if callable(x):
        name = importable_name(x)
        if name is not None:
            return ("global", *name)
    return _reduced(x)


_BARE_OBJECTS: OrderedDict[int, tuple[object, str]] = OrderedDict()
_BARE_OBJECTS_KEPT = 10_000


def _bare_object(x: object) -> tuple:
    """An ``object()`` is equal to itself alone; its token holds for this process."""
    unique = _nondeterministic(x, f"{x!r} has no value that a deterministic token could express")
    # Kept, for its id must not go to another one. A limit, for programs that make many.
    known = _BARE_OBJECTS.setdefault(id(x), (x, unique[1]))
    if len(_BARE_OBJECTS) > _BARE_OBJECTS_KEPT:
        try:
            _BARE_OBJECTS.popitem(last=False)
        except KeyError:  # Another thread was faster.
            pass
    return ("object", known[1])


def importable_name(x: Any) -> tuple[str, str] | None:
    """The module and the name by which any process can import `x`; None if there are none.

    What is defined in ``__main__`` is different in each program, so it does not count.
    """
    module = getattr(x, "__module__", None)
    name = getattr(x, "__qualname__", None) or getattr(x, "__name__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return None
    found: Any = sys.modules.get(module)
    if found is None:
        return None
    for part in name.split("."):
        found = getattr(found, part, None)
    return (module, name) if found is x else None


@_once
def _reduced(x: Any) -> tuple:
    """The form of what pickle would store of `x`."""
    try:
        reduced = _reduce(x)
    except (KeyboardInterrupt, MemoryError, RecursionError):
        raise
    except Exception as error:
        return _nondeterministic(
            x,
            f"{_describe(x)} cannot be deterministically hashed, as it cannot be pickled "
            f"({type(error).__name__}: {error}). Give its class a method __dask_tokenize__, or "
            "register a function for it with samite.tokenize.normalize_token",
        )
    if isinstance(reduced, str):
        module = getattr(x, "__module__", None) or type(x).__module__
        return ("global", str(module), reduced)
    maker, arguments, state, items, entries, *_ = (*reduced, None, None, None)
    parts: list[Any] = ["object", _normalize(maker), _normalize(arguments), _normalize(state)]
    if items is not None:
        parts.append(_sequence_form("items", items))
    if entries is not None:
        ordered = isinstance(x, OrderedDict)
        parts.append((_sequence_form if ordered else _mapping_form)("entries", entries))
    return tuple(parts)


def _reduce(x: Any) -> Any:
    reducer = copyreg.dispatch_table.get(type(x))
    if reducer is None:
        try:
            return x.__reduce_ex__(5)
        except TypeError:
            from cloudpickle import CloudPickler

            # It knows of types that Python itself does not pickle.
            table = getattr(CloudPickler, "dispatch_table", {})
            reducer = table.get(type(x))
            if reducer is None:
                raise
    return reducer(x)


def _describe(x: Any) -> str:
    return f"An object of the type {type(x).__module__}.{type(x).__qualname__}"


@_register(functools.partial)
@_once
def _partial(x: functools.partial) -> Any:
    if type(x) is not functools.partial:
        return _object(x)
    return ("partial", _normalize(x.func), _normalize(x.args), _normalize(x.keywords))


# ---- functions, classes, and other packages' types -------------------------------------------

from samite._tokens import code as _code  # noqa: E402  (it registers with what is above)

_class = _code.class_form


def _on_import(package: str, module: str) -> None:
    """Have a module of ``samite._tokens`` register its types for an object of `package`."""

    def load() -> None:
        import importlib

        importlib.import_module(f"samite._tokens.{module}").register()

    normalize_token.register_lazy(package, load)


_on_import("datetime", "library")
_on_import("decimal", "library")
_on_import("pathlib", "library")
_on_import("pickle", "library")
_on_import("numpy", "arrays")
_on_import("scipy", "sparse")
_on_import("pandas", "frames")
_on_import("pyarrow", "arrow")
_on_import("toolz", "functional")
_on_import("cytoolz", "functional")
_on_import("numba", "compiled")
