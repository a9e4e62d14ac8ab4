"""Functions of a record as forms: nested tuples that the engine reads.

``("compare", ">", ("item", ("record",), "age"), ("constant", 30))`` is that of
``lambda r: r["age"] > 30``.
"""

from __future__ import annotations

import builtins
import operator
from types import FunctionType
from typing import Any

RECORD = ("record",)
TOTAL = ("total",)
# Methods that the engine has, with the numbers of arguments that it takes.
_METHODS = {"lower": (0,), "upper": (0,), "strip": (0, 1), "lstrip": (0, 1), "rstrip": (0, 1),
            "split": (0, 1, 2), "get": (1, 2)}  # fmt: skip


def is_key(key: Any) -> bool:
    """Whether a value may be a key or a position in a form."""
    return type(key) is str or (type(key) is int and -(2**31) < key < 2**31)


def is_constant(value: Any) -> bool:
    """Whether a value may stand in a form."""
    if type(value) is int:
        return -(2**63) <= value < 2**63
    return value is None or type(value) in (bool, float, str)


def form_of(func: Any) -> Any:
    """The form of a function of one record; None where it is not recognised."""
    from samite.bag.expressions import Expression

    if isinstance(func, Expression):
        return func.form
    import json

    if func is json.loads:
        return ("json", RECORD)
    kind = type(func)
    if kind is operator.itemgetter:
        keys = func.__reduce__()[1]
        if not all(map(is_key, keys)):
            return None
        items = tuple(("item", RECORD, key) for key in keys)
        return items[0] if len(items) == 1 else ("tuple", *items)
    if kind is operator.methodcaller:
        function, parts = func.__reduce__()
        if function is not operator.methodcaller:
            return None  # it has keyword arguments
        return method_form(RECORD, parts[0], parts[1:])
    if kind is type(str.lower) and func.__objclass__ is str:
        return method_form(RECORD, func.__name__, ())
    if func is len:
        return ("length", RECORD)
    if kind is FunctionType:
        return _form_of_lambda(func)
    return None


def method_form(form: Any, name: str, args: tuple[Any, ...]) -> Any:
    """The call of a method of strings; None where the engine has none like it."""
    if len(args) not in _METHODS.get(name, ()):
        return None
    if name == "get":
        key, other = (*args, None)[:2]
        if type(key) is not str or not is_constant(other):
            return None
        return ("item-or", form, key, other)
    if name == "split":
        separator, most = (*args, None, -1)[:2] if len(args) < 2 else args
        if len(args) == 1:
            most = -1
        if separator is not None and (type(separator) is not str or not separator):
            return None
        if type(most) is not int or not -(2**31) < most < 2**31:
            return None
        return ("split", form, separator, most)
    if args and args[0] is not None and type(args[0]) is not str:
        return None
    return (name, form, *args) if args else (name, form, None)


# What the code of a function may consist of for the engine to look at it: its argument,
# constants, items, comparisons and methods. Such a function has no effects and depends on nothing
# else, so that calling it once with a stand-in tells all about it.
_HARMLESS = frozenset({
    "RESUME", "LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_CONST", "LOAD_SMALL_INT", "BINARY_SUBSCR",
    "COMPARE_OP", "RETURN_VALUE", "RETURN_CONST", "LOAD_METHOD", "LOAD_ATTR", "PRECALL", "CALL",
    "CALL_METHOD", "CACHE", "PUSH_NULL", "BUILD_TUPLE", "NOT_TAKEN", "LOAD_FAST_LOAD_FAST",
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW", "BINARY_ADD", "BINARY_SUBTRACT", "BINARY_MULTIPLY",
    "BINARY_TRUE_DIVIDE", "BINARY_FLOOR_DIVIDE", "BINARY_MODULO", "COPY_FREE_VARS",
})  # fmt: skip
# Arithmetic that takes little time, whatever the constants are.
_SIGNS = frozenset({"[]", "+", "-", "*", "/", "//", "%"})
_NAMES = frozenset({"LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLOSURE"})


def _form_of_lambda(func: Any) -> Any:
    from samite.bag.expressions import NotRecognised, Traced

    if not _is_harmless(func, 1):
        return None
    try:
        result = func(Traced(RECORD))
    except (NotRecognised, TypeError, AttributeError, ArithmeticError):
        return None
    return Traced.form_of(result)


def _is_harmless(func: Any, arguments: int) -> bool:
    """Whether a function may be called with stand-ins."""
    code = func.__code__
    if (
        code.co_argcount != arguments
        or code.co_kwonlyargcount
        or code.co_cellvars
        or code.co_flags & 0x2AC  # *args, **kwargs, generators, coroutines
        or len(code.co_code) > 200
    ):
        return False
    import dis

    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if name == "BINARY_OP" and instruction.argrepr in _SIGNS:
            continue
        if name in _NAMES and is_constant(_found_outside(func, instruction.argval)):
            continue
        if name not in _HARMLESS:
            return False
    return True


_NOTHING = object()


def _found_outside(func: Any, name: str) -> Any:
    """The value of a variable that a function takes from around it."""
    if name in func.__code__.co_freevars:
        try:
            return func.__closure__[func.__code__.co_freevars.index(name)].cell_contents
        except ValueError:
            return _NOTHING
    return func.__globals__.get(name, _NOTHING)


def may_change(func: Any) -> bool:
    """Whether the form of a function depends on variables around it, which may change until it is
    called."""
    return type(func) is FunctionType and bool(func.__closure__ or func.__code__.co_names)


def fold_of(binop: Any) -> tuple[str, Any] | None:
    """How a function of a total and a record folds: ``"sum"``, ``"min"`` or ``"max"``, and of which
    form of each record; None where it is not recognised."""
    if binop is operator.add:
        return "sum", RECORD
    if binop is builtins.max:
        return "max", RECORD
    if binop is builtins.min:
        return "min", RECORD
    if type(binop) is not FunctionType or not _is_harmless(binop, 2):
        return None
    from samite.bag.expressions import NotRecognised, Traced

    try:
        form = Traced.form_of(binop(Traced(TOTAL), Traced(RECORD)))
    except (NotRecognised, TypeError, AttributeError, ArithmeticError):
        return None
    if not form or form[:2] != ("arithmetic", "+") or TOTAL not in form[2:]:
        return None
    value = form[3] if form[2] == TOTAL else form[2]
    return None if _mentions_total(value) else ("sum", value)


def _mentions_total(form: Any) -> bool:
    return form == TOTAL or (isinstance(form, tuple) and any(map(_mentions_total, form)))
