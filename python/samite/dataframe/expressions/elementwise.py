"""Operators and methods whose result has the rows of their operands."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import pandas as pd

from samite._expr import Expr
from samite._task_spec import Task
from samite.dataframe import methods
from samite.dataframe.expressions.node import (
    Elementwise,
    Partitionwise,
    partitionwise_divisions,
    readable,
)
from samite.dataframe.known_categories import with_unfound_categories
from samite.dataframe.metadata import make_meta, meta_nonempty
from samite.utils import funcname

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
    """A binary operator, by its name in the module ``operator``."""

    _parameters = ["symbol", "left", "right"]

    @functools.cached_property
    def _funcname(self) -> str:
        return self.symbol.strip("_")

    @property
    def operation(self) -> Any:  # type: ignore[override]
        return getattr(operator, self.symbol)

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


class _CallOfMethod(Partitionwise):
    """What :class:`MethodCall` and :class:`RowsMethodCall` share.

    The operands after the named ones are the arguments; the last ``len(names)`` of them are
    given by name. They may be expressions with the rows of ``frame``, or scalars.
    """

    _parameters = ["frame", "method", "names"]
    # Methods that take a user's function, which says nothing of its results without rows.
    _of_functions = frozenset({"combine"})

    @functools.cached_property
    def _funcname(self) -> str:
        return self.method

    def _given(self) -> list[Any]:
        return self.operands[len(type(self)._parameters) :]

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The positional arguments."""
        given = self._given()
        return tuple(given[: len(given) - len(self.names)])

    @property
    def keywords(self) -> dict[str, Any]:
        """The arguments by name."""
        given = self._given()
        return dict(zip(self.names, given[len(given) - len(self.names) :], strict=True))

    @functools.cached_property
    def _meta(self) -> Any:
        schema = self._derived_schema
        if schema is not None:
            return schema.meta
        metas = [o._meta if isinstance(o, Expr) else o for o in self._given()]
        meta = self.frame._meta
        made = make_meta(methods.call_method(meta, self.method, self.names, *metas))
        return with_unfound_categories(made, meta) if self.method == "astype" else made

    def _task(self, key: Any, index: int) -> Task:
        frame = self._argument(self.frame, index)
        arguments = [self._argument(operand, index) for operand in self._given()]
        return Task(key, methods.call_method, frame, self.method, self.names, *arguments)

    def _readable(self) -> str:
        given = [readable(a) for a in self.arguments]
        given += [f"{name}={readable(value)}" for name, value in self.keywords.items()]
        return f"{readable(self.frame)}.{self.method}({', '.join(given)})"


class MethodCall(_CallOfMethod, Elementwise):
    """``frame.method(*args)`` of pandas, whose result has the rows of ``frame``."""

    # Methods whose result in a column depends on other columns, or that change the columns.
    _mixing = frozenset({"rename", "add_prefix", "add_suffix", "apply", "eval", "set_axis"})

    @property
    def _keeps_labels(self) -> bool:  # type: ignore[override]
        return self.method in ("rename", "copy")

    @property
    def _passes_projection(self) -> bool:  # type: ignore[override]
        if self.method in self._mixing or self.ndim != 2 or self.frame.ndim != 2:
            return False
        if list(self.columns) != list(self.frame.columns):
            return False
        # An argument that is a pandas object speaks of columns by name; a dict does, and can be
        # cut down to those that are wanted.
        return not any(
            isinstance(argument, (pd.Series, pd.DataFrame, pd.Index)) for argument in self._given()
        )

    def _with_projected_operands(self, columns: Any) -> Expr | None:
        from samite.dataframe.expressions.selection import Projection

        if not any(isinstance(argument, dict) for argument in self._given()):
            return super()._with_projected_operands(columns)
        wanted = columns if isinstance(columns, list) else [columns]
        given = [
            {c: value for c, value in argument.items() if c in wanted}
            if isinstance(argument, dict)
            else argument
            for argument in self._given()
        ]
        if self.method in ("astype", "fillna", "round") and {} in given:
            return Projection(self.frame, columns)
        if self.method == "astype":
            return type(self)(Projection(self.frame, columns), self.method, self.names, *given)
        if wanted == self.columns:
            return None
        # A series takes a dict for a mapping of its labels, so it stays a frame.
        call = type(self)(Projection(self.frame, wanted), self.method, self.names, *given)
        return Projection(call, columns)


class UserMethodCall(MethodCall):
    """A method that takes a user's function, whose result is like ``given_meta``."""

    _parameters = ["frame", "method", "names", "given_meta"]
    _passes_projection = False  # type: ignore[assignment]

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return self.given_meta


class RowsMethodCall(_CallOfMethod):
    """``frame.method(*args)`` of pandas on every partition, which may leave out or add rows.

    ``keeps_divisions`` tells whether the index values stay between the same bounds.
    """

    _parameters = ["frame", "method", "names", "keeps_divisions"]

    @property
    def _keeps_divisions(self) -> bool:  # type: ignore[override]
        return self.keeps_divisions


# Methods of strings whose result is a frame.
_SPREADING = frozenset({"extract"})


class AccessorCall(MethodCall):
    """``frame.accessor.method(*args)`` of pandas, or ``frame.accessor.method`` if it is no
    function; see :class:`MethodCall` for the arguments.
    """

    _parameters = ["frame", "method", "names", "accessor", "is_property"]

    @functools.cached_property
    def _funcname(self) -> str:
        return f"{self.accessor}-{self.method}"

    _passes_projection = False  # type: ignore[assignment]

    @functools.cached_property
    def _meta(self) -> Any:
        schema = self._derived_schema
        if schema is not None:
            return schema.meta
        metas = [o._meta if isinstance(o, Expr) else o for o in self._given()]
        meta = self.frame._meta
        # How many columns there are shows in rows alone.
        frame = meta_nonempty(meta) if self.method in _SPREADING else meta
        result = methods.call_accessor(
            frame, self.accessor, self.method, self.is_property, self.names, *metas
        )
        return make_meta(result)

    def _divisions(self) -> Sequence[Any]:
        # Of an index, pandas numbers the rows of a frame anew.
        keeps = self._keeps_labels or hasattr(self.frame._meta, "index")
        return partitionwise_divisions(self, keeps)

    def _task(self, key: Any, index: int) -> Task:
        arguments = [self._argument(operand, index) for operand in self._given()]
        return Task(
            key,
            methods.call_accessor,
            self._argument(self.frame, index),
            self.accessor,
            self.method,
            self.is_property,
            self.names,
            *arguments,
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


class WithIndex(Elementwise):
    """A frame under other labels for its rows, which have the same partitions."""

    _parameters = ["frame", "labels"]
    operation = staticmethod(methods.with_index)

    def _divisions(self) -> Sequence[Any]:
        return self.labels.divisions


class ElementwiseFunction(Elementwise):
    """``function(*operands)`` of partitions with the same rows, which keeps the rows.

    The operands after the named ones are the arguments.
    """

    _parameters = ["function"]
    _hidden = ("function",)
    _passes_projection = False

    @functools.cached_property
    def _funcname(self) -> str:
        return funcname(self.function).strip("_")

    @property
    def operation(self) -> Any:  # type: ignore[override]
        return self.function


class RenameColumns(Elementwise):
    """A frame under other labels: ``labels`` for all columns, in order."""

    _parameters = ["frame", "labels"]
    operation = staticmethod(methods.with_labels)
    _passes_projection = False

    def _simplify_up(self, parent: Expr, dependents: Any) -> Any:
        from samite.dataframe.expressions.selection import Projection

        if not isinstance(parent, Projection) or not self._meta.columns.is_unique:
            return None
        if not self.frame._meta.columns.is_unique:
            return None
        old = dict(zip(self.columns, self.frame.columns, strict=True))
        kept = [label for label in self.columns if label in set(parent.columns)]
        if len(kept) == len(self.columns):
            return None
        frame = Projection(self.frame, [old[label] for label in kept])
        labels = self._meta.columns[self._meta.columns.isin(kept)]
        return Projection(RenameColumns(frame, labels), parent.operand("columns"))

    def _readable(self) -> str:
        return f"{readable(self.frame)}.rename(columns={list(self.columns)!r})"
