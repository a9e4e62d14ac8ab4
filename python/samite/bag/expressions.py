"""Expressions of a record's items, which the engine can look into.

>>> from samite.bag.expressions import field
>>> adult = field("age") >= 18
>>> adult({"age": 20})
True
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from samite.bag.forms import is_constant, is_key, method_form
from samite.tokenize import tokenize

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


class Expression:
    """A function of a record that is made by operators.

    Comparisons give conditions, which ``&``, ``|`` and ``~`` combine; arithmetic gives numbers.
    Calling it with a record gives the value.
    """

    __slots__ = ("_compute", "form")

    def __init__(self, form: Any, compute: Callable[[Any], Any]) -> None:
        self.form = form
        self._compute = compute

    def __call__(self, record: Any) -> Any:
        return self._compute(record)

    __hash__ = object.__hash__

    @property
    def __name__(self) -> str:
        return self.form[0] if self.form else "expression"

    def __reduce__(self) -> Any:
        return Expression, (self.form, self._compute)

    def __dask_tokenize__(self) -> Any:
        return "expression", self.form, tokenize(self._compute)

    def __bool__(self) -> bool:
        raise TypeError(
            "an expression of a record has no truth by itself; combine conditions with &, | and ~"
        )

    def __getitem__(self, key: Any) -> Expression:
        form = ("item", self.form, key) if self.form and is_key(key) else None
        return Expression(form, _Call(operator.getitem, self, _Constant(key)))

    def _compared(self, sign: str, other: Any) -> Expression:
        right = other if isinstance(other, Expression) else _constant(other)
        form = ("compare", sign, self.form, right.form) if self.form and right.form else None
        return Expression(form, _Call(_COMPARISONS[sign], self, right))

    def __lt__(self, other: Any) -> Expression:
        return self._compared("<", other)

    def __le__(self, other: Any) -> Expression:
        return self._compared("<=", other)

    def __gt__(self, other: Any) -> Expression:
        return self._compared(">", other)

    def __ge__(self, other: Any) -> Expression:
        return self._compared(">=", other)

    def __eq__(self, other: Any) -> Expression:  # type: ignore[override]
        return self._compared("==", other)

    def __ne__(self, other: Any) -> Expression:  # type: ignore[override]
        return self._compared("!=", other)

    def _with_number(self, sign: str, other: Any, is_reflected: bool = False) -> Expression:
        other = other if isinstance(other, Expression) else _constant(other)
        left, right = (other, self) if is_reflected else (self, other)
        form = ("arithmetic", sign, left.form, right.form) if left.form and right.form else None
        return Expression(form, _Call(_ARITHMETIC[sign], left, right))

    def __add__(self, other: Any) -> Expression:
        return self._with_number("+", other)

    def __radd__(self, other: Any) -> Expression:
        return self._with_number("+", other, True)

    def __sub__(self, other: Any) -> Expression:
        return self._with_number("-", other)

    def __rsub__(self, other: Any) -> Expression:
        return self._with_number("-", other, True)

    def __mul__(self, other: Any) -> Expression:
        return self._with_number("*", other)

    def __rmul__(self, other: Any) -> Expression:
        return self._with_number("*", other, True)

    def __truediv__(self, other: Any) -> Expression:
        return self._with_number("/", other)

    def __rtruediv__(self, other: Any) -> Expression:
        return self._with_number("/", other, True)

    def __floordiv__(self, other: Any) -> Expression:
        return self._with_number("//", other)

    def __rfloordiv__(self, other: Any) -> Expression:
        return self._with_number("//", other, True)

    def __mod__(self, other: Any) -> Expression:
        return self._with_number("%", other)

    def __rmod__(self, other: Any) -> Expression:
        return self._with_number("%", other, True)

    def _combined(self, what: str, other: Any) -> Expression:
        if not isinstance(other, Expression):
            raise TypeError(f"{what} combines conditions, got {type(other).__name__}")
        form = (what, self.form, other.form) if self.form and other.form else None
        return Expression(form, _Both(what, self, other))

    def __and__(self, other: Any) -> Expression:
        return self._combined("and", other)

    def __or__(self, other: Any) -> Expression:
        return self._combined("or", other)

    def __invert__(self) -> Expression:
        form = ("not", self.form) if self.form else None
        return Expression(form, _Call(operator.not_, self))

    def _method(self, name: str, *args: Any) -> Expression:
        form = method_form(self.form, name, args) if self.form else None
        return Expression(form, _Call(operator.methodcaller(name, *args), self))

    def lower(self) -> Expression:
        """The text in lower case."""
        return self._method("lower")

    def upper(self) -> Expression:
        """The text in upper case."""
        return self._method("upper")

    def strip(self, characters: str | None = None) -> Expression:
        """The text without white space, or these characters, at its ends."""
        return self._method("strip", *(() if characters is None else (characters,)))

    def split(self, separator: str | None = None, maxsplit: int = -1) -> Expression:
        """The parts of the text, as :meth:`str.split` gives them."""
        return self._method("split", separator, maxsplit)

    def length(self) -> Expression:
        """The number of characters of a text, or of items."""
        return Expression(("length", self.form) if self.form else None, _Call(len, self))


class _Constant:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, record: Any) -> Any:
        return self.value

    def __dask_tokenize__(self) -> Any:
        return "constant", self.value

    def __reduce__(self) -> Any:
        return _Constant, (self.value,)


def _constant(value: Any) -> Expression:
    return Expression(("constant", value) if is_constant(value) else None, _Constant(value))


class _Call:
    """A function of the values of expressions."""

    __slots__ = ("func", "parts")

    def __init__(self, func: Callable[..., Any], *parts: Any) -> None:
        self.func = func
        self.parts = parts

    def __call__(self, record: Any) -> Any:
        return self.func(*[part(record) for part in self.parts])

    def __dask_tokenize__(self) -> Any:
        return "call", self.func, self.parts

    def __reduce__(self) -> Any:
        return _Call, (self.func, *self.parts)


class _Both:
    """Two conditions, the second looked at only where it matters."""

    __slots__ = ("left", "right", "what")

    def __init__(self, what: str, left: Any, right: Any) -> None:
        self.what = what
        self.left = left
        self.right = right

    def __call__(self, record: Any) -> bool:
        if self.what == "and":
            return bool(self.left(record)) and bool(self.right(record))
        return bool(self.left(record)) or bool(self.right(record))

    def __dask_tokenize__(self) -> Any:
        return self.what, self.left, self.right

    def __reduce__(self) -> Any:
        return _Both, (self.what, self.left, self.right)


def _itself(record: Any) -> Any:
    return record


def field(*path: Any) -> Expression:
    """The item at a path of keys and positions; the record itself without any."""
    found = Expression(("record",), _itself)
    for key in path:
        found = found[key]
    return found


class NotRecognised(Exception):
    """A function does more with its argument than the engine knows of."""


class Traced:
    """A stand-in for a record, which notes down what is done with it."""

    __slots__ = ("_form",)

    def __init__(self, form: Any) -> None:
        self._form = form

    @staticmethod
    def form_of(value: Any) -> Any:
        """The form of what a traced function returned; None where it has none."""
        if isinstance(value, Traced):
            return value._form
        if type(value) is tuple and value:
            parts = tuple(map(Traced.form_of, value))
            return None if None in parts else ("tuple", *parts)
        return ("constant", value) if is_constant(value) else None

    def _with(self, sign: str, other: Any) -> Traced:
        form = Traced.form_of(other)
        if form is None:
            raise NotRecognised
        return Traced(("compare", sign, self._form, form))

    def __lt__(self, other: Any) -> Traced:
        return self._with("<", other)

    def __le__(self, other: Any) -> Traced:
        return self._with("<=", other)

    def __gt__(self, other: Any) -> Traced:
        return self._with(">", other)

    def __ge__(self, other: Any) -> Traced:
        return self._with(">=", other)

    def __eq__(self, other: Any) -> Any:
        return self._with("==", other)

    def __ne__(self, other: Any) -> Any:
        return self._with("!=", other)

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, key: Any) -> Traced:
        if not is_key(key):
            raise NotRecognised
        return Traced(("item", self._form, key))

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any) -> Traced:
            form = method_form(self._form, name, args)
            if form is None:
                raise NotRecognised
            return Traced(form)

        return call

    def _arithmetic(self, sign: str, other: Any, reflected: bool = False) -> Traced:
        form = Traced.form_of(other)
        if form is None:
            raise NotRecognised
        left, right = (form, self._form) if reflected else (self._form, form)
        return Traced(("arithmetic", sign, left, right))

    def __add__(self, other: Any) -> Traced:
        return self._arithmetic("+", other)

    def __radd__(self, other: Any) -> Traced:
        return self._arithmetic("+", other, True)

    def __sub__(self, other: Any) -> Traced:
        return self._arithmetic("-", other)

    def __rsub__(self, other: Any) -> Traced:
        return self._arithmetic("-", other, True)

    def __mul__(self, other: Any) -> Traced:
        return self._arithmetic("*", other)

    def __rmul__(self, other: Any) -> Traced:
        return self._arithmetic("*", other, True)

    def __truediv__(self, other: Any) -> Traced:
        return self._arithmetic("/", other)

    def __rtruediv__(self, other: Any) -> Traced:
        return self._arithmetic("/", other, True)

    def __floordiv__(self, other: Any) -> Traced:
        return self._arithmetic("//", other)

    def __rfloordiv__(self, other: Any) -> Traced:
        return self._arithmetic("//", other, True)

    def __mod__(self, other: Any) -> Traced:
        return self._arithmetic("%", other)

    def __rmod__(self, other: Any) -> Traced:
        return self._arithmetic("%", other, True)

    def __bool__(self) -> bool:
        raise NotRecognised

    def __iter__(self) -> Any:
        raise NotRecognised
