"""Forms of functions, methods, code and classes.

What can be imported is its name. The rest, which is what cloudpickle would send by value, is its
content: bytecode, defaults, closure, the global variables that the code mentions; bases and
attributes of a class. Unlike a pickle, that form is the same in each process.
"""

from __future__ import annotations

import functools
import types

from samite._functions import remembered
from samite.tokenize import (
    _mapping_form,
    _normalize,
    _object,
    _once,
    _register,
    _sequence_form,
    importable_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_EMPTY_CELL = ("cell",)


@_once
def _function_by_value(x: types.FunctionType) -> tuple:
    variables = {
        name: x.__globals__[name] for name in _global_names(x.__code__) if name in x.__globals__
    }
    return (
        "function",
        x.__name__,
        _normalize(x.__code__),
        _normalize(x.__defaults__),
        _normalize(x.__kwdefaults__),
        _sequence_form("closure", x.__closure__ or ()),
        _mapping_form("globals", variables.items()),
        _mapping_form("attributes", x.__dict__.items()),
    )


@_register(types.FunctionType)
def _function(x: types.FunctionType) -> tuple:
    name = importable_name(x)
    if name is not None:
        return ("global", *name)
    known = remembered(x)
    if known is None:
        return _function_by_value(x)
    if known.form is None:
        known.form = _function_by_value(x)
    return known.form


@_register(types.CellType)
@_once
def _cell(x: types.CellType) -> tuple:
    try:
        return ("cell", _normalize(x.cell_contents))
    except ValueError:  # A variable that has no value yet.
        return _EMPTY_CELL


@_register(types.CodeType)
@_once
def _code(x: types.CodeType) -> tuple:
    return (
        "code",
        x.co_name,
        # Two functions of the same text at two places count as two.
        x.co_firstlineno,
        x.co_argcount,
        x.co_posonlyargcount,
        x.co_kwonlyargcount,
        x.co_flags,
        x.co_code,
        getattr(x, "co_exceptiontable", b""),
        _sequence_form("constants", x.co_consts),
        x.co_names,
        x.co_varnames,
        x.co_freevars,
        x.co_cellvars,
    )


@functools.lru_cache(2048)
def _global_names(code: types.CodeType) -> tuple[str, ...]:
    """The global variables that the code reads or writes, that of functions within it included."""
    return tuple(sorted(set(_walk_global_names(code))))


def _walk_global_names(code: types.CodeType) -> Iterator[str]:
    import dis

    for instruction in dis.get_instructions(code):
        # LOAD_GLOBAL, STORE_GLOBAL, LOAD_FROM_DICT_OR_GLOBALS; LOAD_NAME in a class's body.
        if "GLOBAL" in instruction.opname or instruction.opname == "LOAD_NAME":
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _walk_global_names(constant)


@_register(types.MethodType)
@_once
def _method(x: types.MethodType) -> tuple:
    return ("method", _normalize(x.__func__), _normalize(x.__self__))


@_register(types.BuiltinFunctionType)
@_once
def _builtin(x: types.BuiltinFunctionType) -> tuple:
    owner = x.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return ("builtin", x.__module__ or "", x.__qualname__)
    return ("method", x.__name__, _normalize(owner))


@_register(types.MethodWrapperType)
@_once
def _method_wrapper(x: types.MethodWrapperType) -> tuple:
    return ("method-wrapper", x.__name__, _normalize(x.__self__))


@_register(
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)
@_once
def _descriptor(x: Any) -> tuple:
    return ("descriptor", type(x).__name__, x.__name__, _normalize(x.__objclass__))


@_register(staticmethod, classmethod)
@_once
def _wrapped_method(x: Any) -> Any:
    if type(x) is not staticmethod and type(x) is not classmethod:
        return _object(x)
    return (type(x).__name__, _normalize(x.__func__))


@_register(property)
@_once
def _property(x: property) -> Any:
    if type(x) is not property:
        return _object(x)
    return ("property", *map(_normalize, (x.fget, x.fset, x.fdel)))


@_register(functools.cached_property)
@_once
def _cached_property(x: functools.cached_property) -> tuple:
    # Before Python 3.12 it holds a lock.
    return ("cached_property", _normalize(type(x)), x.attrname, _normalize(x.func))


@_register(types.ModuleType)
@_once
def _module(x: types.ModuleType) -> tuple:
    import sys

    if sys.modules.get(x.__name__) is x:
        return ("module", x.__name__)
    content = {name: value for name, value in vars(x).items() if name != "__builtins__"}
    return ("module", x.__name__, _mapping_form("content", content.items()))


# ---- classes ---------------------------------------------------------------------------------

_HEAP_TYPE = 1 << 9  # Set on classes made by a class statement, not on those that C code declares.

# What Python and its library note down on a class, beside what its author wrote.
_BOOKKEEPING = frozenset(
    "__dict__ __weakref__ __module__ __qualname__ __slotnames__ __abstractmethods__ _abc_impl "
    "__static_attributes__ __firstlineno__ __annotations_cache__ __annotate_func__ __annotate__ "
    "__classdictcell__ __dask_tokenize_cache__".split()
)


@_once
def _class_by_value(x: type) -> tuple:
    content = [(name, value) for name, value in vars(x).items() if name not in _BOOKKEEPING]
    return (
        "class",
        x.__name__,
        _normalize(type(x)),
        _sequence_form("bases", x.__bases__),
        _mapping_form("content", content),
    )


@_register(type)
def class_form(x: type) -> tuple:
    """The form of a class: its name if it can be imported, else its content."""
    if not x.__flags__ & _HEAP_TYPE:
        return ("global", x.__module__, x.__qualname__)
    name = importable_name(x)
    return _class_by_value(x) if name is None else ("global", *name)
