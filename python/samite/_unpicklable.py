"""Which part of an object cannot be pickled, and where in it that part is."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

# So deep, and through so many parts of one object, is a part looked for.
_DEPTH, _PARTS = 50, 10_000
_TEXT = 200


def explain(obj: Any, dump: Callable[[Any], Any]) -> str:
    """Say what of an object cannot be pickled.

    Parameters
    ----------
    obj:
        An object that ``dump`` raises for.
    dump:
        Pickles an object, or raises.

    Returns
    -------
    str
        Such as ``dict object {'x': [...]} cannot be pickled, because ['x'][0].lock is a
        _thread.lock``.
    """
    said = f"{type(obj).__name__} object {_text(obj)} cannot be pickled"
    path, part = _find(obj, dump)
    if path:
        kind = type(part)
        name = kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)
        said += f", because {path.strip()} is a {name}"
    return said


def explained(obj: Any, dump: Callable[[Any], Any]) -> Any:
    """``dump(obj)``.

    Raises
    ------
    The exception of ``dump``, with a note that says which part of the object is to blame.
    """
    try:
        return dump(obj)
    except Exception as error:
        add_note(error, f"{explain(obj, dump)}.")
        raise


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an exception, where this Python has notes."""
    if hasattr(error, "add_note"):
        error.add_note(note)


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _text(obj: Any) -> str:
    try:
        return repr(obj)[:_TEXT]
    except Exception as error:
        return f"whose repr raises {type(error).__name__}"


def _find(obj: Any, dump: Callable[[Any], Any]) -> tuple[str, Any]:
    """The innermost part that fails, and the way to it."""
    path, seen = "", {id(obj)}
    # What the search makes on its way lives until its end, so that no other object has its address.
    alive = [obj]
    for _ in range(_DEPTH):
        for step, part in _parts(obj):
            if id(part) in seen:
                continue
            seen.add(id(part))
            alive.append(part)
            if _fails(part, dump):
                path, obj = path + step, part
                break
        else:
            break
    return path, obj


def _fails(part: Any, dump: Callable[[Any], Any]) -> bool:
    if part is None or type(part) in (int, float, complex, bool, str, bytes):
        return False
    try:
        dump(part)
    except Exception:
        return True
    return False


def _parts(obj: Any) -> Iterator[tuple[str, Any]]:
    """The parts of an object that are pickled with it, each with the way to it."""
    if isinstance(obj, Mapping):
        for number, (key, value) in enumerate(list(obj.items())):
            if number == _PARTS:
                return
            yield f"[{_text(key)}]", value
            yield f" key {_text(key)}", key
    elif isinstance(obj, (list, tuple)):
        for number, item in enumerate(obj[:_PARTS]):
            yield f"[{number}]", item
    elif isinstance(obj, (set, frozenset)):
        for item in list(obj)[:_PARTS]:
            yield f" element {_text(item)}", item
    if isinstance(obj, types.FunctionType):
        yield from _parts_of_function(obj)
    elif isinstance(obj, types.MethodType):
        yield ".__self__", obj.__self__
        yield ".__func__", obj.__func__
    elif isinstance(obj, functools.partial):
        yield ".func", obj.func
        yield ".args", obj.args
        yield ".keywords", obj.keywords
    elif not isinstance(obj, type):
        yield from _parts_of_state(obj)


def _parts_of_function(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield f" variable {name}", cell.cell_contents
        except ValueError:  # not bound yet
            continue
    for name in code.co_names:
        if name in function.__globals__:
            yield f" global {name}", function.__globals__[name]
    yield ".__defaults__", function.__defaults__
    yield ".__kwdefaults__", function.__kwdefaults__


def _parts_of_state(obj: Any) -> Iterator[tuple[str, Any]]:
    """Attributes, as far as pickling looks at them."""
    try:
        reduced = obj.__reduce_ex__(5)
    except Exception:
        return
    if not isinstance(reduced, tuple):
        return
    state = reduced[2] if len(reduced) > 2 else None
    for attributes in state if isinstance(state, tuple) else (state,):
        if isinstance(attributes, dict):
            for name, value in attributes.items():
                yield f".{name}", value
    for number, argument in enumerate(reduced[1]):
        yield f" argument {number} of {_text(reduced[0])}", argument
