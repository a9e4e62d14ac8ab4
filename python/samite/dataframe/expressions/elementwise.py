"""Operators and methods whose result has the rows of their operands."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

from samite._expr import Expr
from samite._task_spec import Task
from samite.dataframe import methods
from samite.dataframe.expressions.node import Elementwise, FrameExpr, readable
from samite.dataframe.metadata import make_meta

SYMBOLS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "and_": "&",
    "or_": "|",
    "xor": "^",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "neg": "-",
    "pos": "+",
    "invert": "~",
}


class Operator(Elementwise):
    """A binary operator, by its name in the module ``operator`` (or ``divmod``)."""

    _parameters = ["symbol", "left", "right"]

    @functools.cached_property
    def _funcname(self) -> str:
        return self.symbol.strip("_")

    @property
    def operation(self) -> Any:  # type: ignore[override]
        return divmod if self.symbol == "divmod" else getattr(operator, self.symbol)

    _hidden = ("symbol",)

    def _readable(self) -> str:
        symbol = SYMBOLS.get(self.symbol, self.symbol)
        sides = [
            f"({readable(side)})" if isinstance(side, Operator) else readable(side)
            for side in (self.left, self.right)
        ]
        return f"{sides[0]} {symbol} {sides[1]}"


class UnaryOperator(Elementwise):
    """``neg``, ``pos``, ``abs`` or ``invert``."""

    _parameters = ["symbol", "frame"]
    _hidden = ("symbol",)

    @functools.cached_property
    def _funcname(self) -> str:
        return self.symbol

    @property
    def operation(self) -> Any:  # type: ignore[override]
        return getattr(operator, self.symbol)

    def _readable(self) -> str:
        return f"{SYMBOLS.get(self.symbol, self.symbol + ' ')}{readable(self.frame)}"


class MethodCall(Elementwise):
    """``frame.method(*args)`` of pandas, whose result has the rows of ``frame``.

    The operands after the named ones are the arguments; the last ``len(names)`` of them are
    given by name. They may be expressions with the rows of ``frame``, or scalars.
    """

    _parameters = ["frame", "method", "names"]
    # Methods whose result in a column depends on other columns, or that change the columns.
    _mixing = frozenset(
        {"rename", "add_prefix", "add_suffix", "apply", "eval", "isin", "set_axis", "squeeze"}
    )

    @functools.cached_property
    def _funcname(self) -> str:
        return self.method

    @property
    def _passes_projection(self) -> bool:  # type: ignore[override]
        if self.method in self._mixing or self.ndim != 2 or self.frame.ndim != 2:
            return False
        # An argument that is a dict or a pandas object speaks of columns by name.
        return all(
            isinstance(argument, FrameExpr) or not methods.names_columns(argument)
            for argument in self.operands[3:]
        ) and list(self.columns) == list(self.frame.columns)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The positional arguments."""
        return tuple(self.operands[3 : len(self.operands) - len(self.names)])

    @property
    def keywords(self) -> dict[str, Any]:
        """The arguments by name."""
        start = len(self.operands) - len(self.names)
        return dict(zip(self.names, self.operands[start:], strict=True))

    @functools.cached_property
    def _meta(self) -> Any:
        metas = [o._meta if isinstance(o, Expr) else o for o in self.operands]
        return make_meta(methods.call_method(metas[0], self.method, self.names, *metas[3:]))

    def _task(self, key: Any, index: int) -> Task:
        arguments = [self._argument(operand, index) for operand in self.operands]
        return Task(key, methods.call_method, arguments[0], self.method, self.names, *arguments[3:])

    def _readable(self) -> str:
        given = [readable(a) for a in self.arguments]
        given += [f"{name}={readable(value)}" for name, value in self.keywords.items()]
        return f"{readable(self.frame)}.{self.method}({', '.join(given)})"


class AccessorCall(MethodCall):
    """``frame.accessor.method(*args)`` of pandas, or ``frame.accessor.method`` if it is no
    function; see :class:`MethodCall` for the arguments.
    """

    _parameters = ["frame", "method", "names", "accessor", "is_property"]

    @functools.cached_property
    def _funcname(self) -> str:
        return f"{self.accessor}-{self.method}"

    _passes_projection = False  # type: ignore[assignment]

    @property
    def arguments(self) -> tuple[Any, ...]:
        return tuple(self.operands[5 : len(self.operands) - len(self.names)])

    @functools.cached_property
    def _meta(self) -> Any:
        metas = [o._meta if isinstance(o, Expr) else o for o in self.operands]
        return make_meta(
            methods.call_accessor(
                metas[0], self.accessor, self.method, self.is_property, self.names, *metas[5:]
            )
        )

    def _task(self, key: Any, index: int) -> Task:
        arguments = [self._argument(operand, index) for operand in self.operands]
        return Task(
            key,
            methods.call_accessor,
            arguments[0],
            self.accessor,
            self.method,
            self.is_property,
            self.names,
            *arguments[5:],
        )

    def _readable(self) -> str:
        text = f"{readable(self.frame)}.{self.accessor}.{self.method}"
        return text if self.is_property else f"{text}()"


class Assign(Elementwise):
    """``frame`` with columns set: after it come labels and values in turn."""

    _parameters = ["frame"]

    @property
    def labels(self) -> list[Any]:
        return self.operands[1::2]

    @property
    def values(self) -> list[Any]:
        return self.operands[2::2]

    @staticmethod
    def operation(frame: Any, *pairs: Any) -> Any:
        return methods.assign(frame, *pairs)

    def _readable(self) -> str:
        pairs = ", ".join(
            f"{label}={readable(value)}"
            for label, value in zip(self.labels, self.values, strict=True)
        )
        return f"{readable(self.frame)}.assign({pairs})"

    def _simplify_up(self, parent: Expr, dependents: Any) -> Any:
        from samite.dataframe.expressions.selection import Projection

        if not isinstance(parent, Projection):
            return None
        wanted = parent.columns
        pairs = [
            (label, value)
            for label, value in zip(self.labels, self.values, strict=True)
            if label in wanted
        ]
        left = [c for c in self.frame.columns if c in wanted]
        if len(pairs) == len(self.labels) and left == list(self.frame.columns):
            return None
        if not pairs:
            return Projection(self.frame, parent.operand("columns"))
        operands: Sequence[Any] = [operand for pair in pairs for operand in pair]
        return Projection(
            Assign(Projection(self.frame, left), *operands), parent.operand("columns")
        )


class ToFrame(Elementwise):
    """A series or an index as a frame of one column."""

    _parameters = ["frame", "column", "index"]
    _defaults = {"column": None, "index": True}
    _passes_projection = False

    @staticmethod
    def operation(frame: Any, column: Any, index: bool) -> Any:
        return methods.to_frame(frame, column, index)
