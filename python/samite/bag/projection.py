"""Which items of records functions look at.

A function that only ever takes items at constant keys of its argument sees no difference between a
dict and one that has nothing but these keys. Its code is looked at, and it is not called.
"""

from __future__ import annotations

import dis
import operator
import sys
from types import FunctionType
from typing import Any

from samite.bag import streaming
from samite.bag.forms import form_of

_LOADS = frozenset({"LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_FAST_CHECK"})
# Functions that see the variables of their caller.
_LOOKS_AROUND = frozenset({"locals", "vars", "dir", "eval", "exec", "_getframe", "currentframe"})


def keys_of_steps(steps: Any) -> list[str] | None:
    """The keys of records that steps look at, up to the one behind which there are other records;
    None where they may look at anything."""
    keys: dict[str, None] = {}
    for func, args, kwargs in steps:
        if kwargs:
            return None
        if func in (streaming.filter_records, streaming.remove_records):
            found = keys_of(args[0])
            if found is None:
                return None
            keys.update(found)
        elif func is streaming.map_records and args[1:] == (0,):
            found = keys_of(args[0])
            return None if found is None else [*keys, *(key for key in found if key not in keys)]
        elif func is streaming.pluck_records:
            key = args[0]
            wanted = key if isinstance(key, list) else [key]
            if not all(type(one) is str for one in wanted):
                return None
            return list(keys | dict.fromkeys(wanted))
        elif func is streaming.apply_unless_empty and args[0] is streaming.count_records:
            return list(keys)
        else:
            return None
    return None


def keys_of(func: Any) -> dict[str, None] | None:
    """The keys of its argument that a function looks at; None where it may look at more."""
    form = form_of(func)
    if form is not None:
        return _keys_of_form(form)
    if type(func) is operator.itemgetter:
        return None
    if type(func) is FunctionType:
        return _keys_of_code(func)
    return None


def _keys_of_form(form: Any) -> dict[str, None] | None:
    if form[0] in ("item", "item-or") and form[1] == ("record",):
        return {form[2]: None} if type(form[2]) is str else None
    if form == ("record",):
        return None
    keys: dict[str, None] = {}
    for part in form[1:] if form[0] != "constant" else ():
        if isinstance(part, tuple):
            found = _keys_of_form(part)
            if found is None:
                return None
            keys.update(found)
    return keys


def _keys_of_code(func: FunctionType) -> dict[str, None] | None:
    code = func.__code__
    if code.co_argcount < 1 or code.co_cellvars or not _LOOKS_AROUND.isdisjoint(code.co_names):
        return None
    if code.co_flags & 0x2A0:  # generators and coroutines, which run later
        return None
    record = code.co_varnames[0]
    instructions: list[Any] = []
    targets: set[int] = set()
    for instruction in dis.get_instructions(code):
        # A jump to what does no work goes to what is behind it.
        if instruction.is_jump_target:
            targets.add(len(instructions))
        if instruction.opname not in _NO_WORK:
            instructions.append(instruction)
    keys: dict[str, None] = {}
    for place, instruction in enumerate(instructions):
        if not _names(instruction, record):
            continue
        key = None
        if instruction.opname in _LOADS:
            key = _key_at(instructions, targets, place)
        if key is None:
            return None
        keys[key] = None
    return keys


_NO_WORK = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "RESUME", "PRECALL"})


def _names(instruction: Any, variable: str) -> bool:
    named = instruction.argval
    if "FAST" not in instruction.opname:
        return False
    return variable in named if isinstance(named, tuple) else named == variable


def _key_at(instructions: list[Any], targets: set[int], place: int) -> str | None:
    """The constant key that the record, which is loaded at a place, is asked for right there."""
    before = instructions[place - 1] if place else None
    behind = instructions[place + 1 : place + 3]
    if len(behind) < 2:
        return None
    first, second = behind
    if first.opname == "CONTAINS_OP" and before is not None and _is_text(before):
        return None if targets & {place, place + 1} else before.argval
    if targets & {place + 1, place + 2}:
        return None
    if _is_text(first) and (
        second.opname == "BINARY_SUBSCR" or (second.opname, second.argrepr) == ("BINARY_OP", "[]")
    ):
        return first.argval
    # The first argument of the call is the next thing that is loaded.
    return second.argval if _is_method(first, "get") and _is_text(second) else None


def _is_text(instruction: Any) -> bool:
    return instruction.opname == "LOAD_CONST" and type(instruction.argval) is str


def _is_method(instruction: Any, name: str) -> bool:
    """Whether a method is loaded to be called, and not the attribute."""
    if instruction.opname == "LOAD_METHOD":
        return instruction.argval == name
    # Since Python 3.12 the lowest bit tells the two apart.
    return (
        sys.version_info >= (3, 12)
        and instruction.opname == "LOAD_ATTR"
        and instruction.argval == name
        and bool(instruction.arg & 1)
    )
