"""Arithmetic, comparison and logic of collections."""

from __future__ import annotations

from typing import Any

from samite.dataframe.elementwise import binary, unary

BINARY = {
    "__add__": "add",
    "__sub__": "sub",
    "__mul__": "mul",
    "__truediv__": "truediv",
    "__floordiv__": "floordiv",
    "__mod__": "mod",
    "__pow__": "pow",
    "__and__": "and_",
    "__or__": "or_",
    "__xor__": "xor",
    "__divmod__": "divmod",
    "__lt__": "lt",
    "__le__": "le",
    "__gt__": "gt",
    "__ge__": "ge",
    "__eq__": "eq",
    "__ne__": "ne",
}
REFLECTED = "add sub mul truediv floordiv mod pow and or xor divmod lt le gt ge".split()
UNARY = {"__neg__": "neg", "__pos__": "pos", "__abs__": "abs", "__invert__": "invert"}


class Operators:
    """The operators of Python, applied to the rows."""

    __hash__ = object.__hash__


def _binary(name: str, symbol: str) -> Any:
    def method(self: Any, other: Any) -> Any:
        return binary(symbol, self, other)

    method.__name__ = name
    return method


def _reflected(name: str, symbol: str) -> Any:
    def method(self: Any, other: Any) -> Any:
        return binary(symbol, other, self)

    method.__name__ = name
    return method


def _unary(name: str, symbol: str) -> Any:
    def method(self: Any) -> Any:
        return unary(symbol, self)

    method.__name__ = name
    return method


for _name, _symbol in BINARY.items():
    setattr(Operators, _name, _binary(_name, _symbol))
for _word in REFLECTED:
    _symbol = BINARY.get(f"__{_word}__", _word)
    setattr(Operators, f"__r{_word}__", _reflected(f"__r{_word}__", _symbol))
for _name, _symbol in UNARY.items():
    setattr(Operators, _name, _unary(_name, _symbol))
Operators.__hash__ = object.__hash__  # type: ignore[method-assign]
