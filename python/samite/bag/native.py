"""What the engine can compute of a bag without making Python objects of its records.

A *plan* is a source and operations, as plain tuples: `samite._engine` reads them when the bag is
computed. A function of one record is a *form*: nested tuples such as
``("compare", ">", ("item", ("record",), "age"), ("constant", 30))``.

Nothing depends on a plan. Whatever is not recognised has none, and where the engine meets a record
that it has no exact answer for, the whole computation goes the general way, over the functions
themselves.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

from samite._sentinels import no_default


class Plan(NamedTuple):
    """How the engine computes a bag or an item."""

    source: tuple[Any, ...]
    operations: tuple[tuple[Any, ...], ...] = ()

    def then(self, *operation: Any) -> Plan:
        """The plan with one more operation."""
        return Plan(self.source, (*self.operations, operation))


RECORD = ("record",)
# Methods of strings that the engine has, with the numbers of arguments that it takes.
_METHODS = {"lower": (0,), "upper": (0,), "strip": (0, 1), "lstrip": (0, 1), "rstrip": (0, 1),
            "split": (0, 1, 2)}  # fmt: skip


def mapped(plan: Plan | None, func: Any) -> Plan | None:
    """The plan with a function of each record."""
    form = plan and form_of(func)
    return plan.then("map", form) if plan and form else None


def filtered(plan: Plan | None, predicate: Any) -> Plan | None:
    """The plan with a condition."""
    form = plan and (RECORD if predicate is None else form_of(predicate))
    return plan.then("filter", form) if plan and form else None


def plucked(plan: Plan | None, key: Any, default: Any) -> Plan | None:
    """The plan with items of each record."""
    if plan is None:
        return None
    keys = key if isinstance(key, list) else [key]
    if default is not no_default or not keys or not all(map(_is_key, keys)):
        return None
    items = tuple(("item", RECORD, one) for one in keys)
    return plan.then("map", ("tuple", *items) if isinstance(key, list) else items[0])


def flattened(plan: Plan | None) -> Plan | None:
    """The plan with the items of each record in its place."""
    return plan and plan.then("flatten")


def reduced(plan: Plan | None, what: str) -> Plan | None:
    """The plan with a reduction, after which there is one partition."""
    return plan and plan.then("reduce", what)


def topk(plan: Plan | None, k: Any, key: Any) -> Plan | None:
    """The plan with the largest records."""
    if plan is None or type(k) is not int or k < 0:
        return None
    form = RECORD if key is None else form_of(key)
    return plan.then("topk", k, form) if form else None


def _is_key(key: Any) -> bool:
    return type(key) is str or (type(key) is int and -(2**31) < key < 2**31)


def is_constant(value: Any) -> bool:
    """Whether a value may stand in a form."""
    if type(value) is int:
        return -(2**63) <= value < 2**63
    return value is None or type(value) in (bool, float, str)


# ---- functions as forms ---------------------------------------------------------------------


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
        if not all(map(_is_key, keys)):
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
    if kind is type(form_of):
        return _form_of_lambda(func)
    return None


def method_form(form: Any, name: str, args: tuple[Any, ...]) -> Any:
    """The call of a method of strings; None where the engine has none like it."""
    if len(args) not in _METHODS.get(name, ()):
        return None
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
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW",
})  # fmt: skip


def _form_of_lambda(func: Any) -> Any:
    code = func.__code__
    if (
        code.co_argcount != 1
        or code.co_kwonlyargcount
        or code.co_freevars
        or code.co_cellvars
        or code.co_flags & 0x2AC  # *args, **kwargs, generators, coroutines
        or len(code.co_code) > 200
    ):
        return None
    import dis

    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if name == "BINARY_OP" and instruction.argrepr == "[]":
            continue  # how Python 3.14 writes an item
        if name not in _HARMLESS:
            return None
    from samite.bag.expressions import NotRecognised, Traced

    try:
        result = func(Traced(RECORD))
    except (NotRecognised, TypeError, AttributeError):
        return None
    return Traced.form_of(result)


# ---- running --------------------------------------------------------------------------------


def run(collections: list[Any], options: dict[str, Any]) -> list[Any] | None:
    """Compute bags and items in the engine; None where that is not possible."""
    plans = [getattr(collection, "_native", None) for collection in collections]
    if not plans or any(plan is None for plan in plans):
        return None
    from samite import _engine, config
    from samite.callbacks import Callback, local_callbacks, split_native

    if options.get("submit") is not None or config.get("cache", None) is not None:
        return None
    native, per_task = split_native(Callback.active)
    if per_task:
        return None
    options = {**options, "processes": None}
    if not native:
        return _engine.run_bags(plans, **options)
    with local_callbacks():
        return _engine.run_bags(plans, native=native, **options)


def source_of_text(blocks: list[tuple[str, int, int]], universal: bool) -> Plan | None:
    """Lines of blocks of local files: paths, first bytes and lengths (-1: to the end).
    ``universal``: carriage returns end lines too."""
    return Plan(("text", tuple(blocks), universal)) if blocks else None
