"""Values of other kinds as operands of expressions."""

from __future__ import annotations

from typing import Any

from samite._expr import Expr


def as_operand(value: Any) -> Any:
    """What an expression takes in place of an argument: the expression of a collection, lazy
    values as expressions, other values as they are."""
    expr = getattr(value, "expr", None)
    if isinstance(expr, Expr):
        return expr
    return value
