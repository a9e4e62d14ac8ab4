"""Functions of rows: what operators and methods of collections share."""

from __future__ import annotations

from typing import Any

from samite._expr import Expr
from samite.dataframe.expressions.elementwise import (
    AccessorCall,
    MethodCall,
    Operator,
    UnaryOperator,
)
from samite.dataframe.expressions.node import FrameExpr, are_co_aligned, frames_among


def binary(symbol: str, left: Any, right: Any) -> Any:
    """``left`` and ``right`` joined by an operator, row by row; one of them is a collection."""
    from samite.dataframe.collections.frame_base import new_collection

    operands = operand_of(left), operand_of(right)
    if any(operand is NotImplemented for operand in operands):
        return NotImplemented
    left, right = aligned(*operands)
    return new_collection(Operator(symbol, left, right))


def unary(symbol: str, frame: Any) -> Any:
    """An operator of one operand, row by row."""
    from samite.dataframe.collections.frame_base import new_collection

    return new_collection(UnaryOperator(symbol, frame.expr))


def method_call(frame: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """``frame.method(...)`` of pandas on every partition, for methods that keep the rows.

    Arguments may be collections with the same rows, and scalars.
    """
    from samite.dataframe.collections.frame_base import new_collection

    names = tuple(kwargs)
    operands = [operand_of(value) for value in (*args, *kwargs.values())]
    first, *rest = aligned(frame.expr, *operands)
    return new_collection(MethodCall(first, method, names, *rest))


def accessor_call(
    frame: Any, accessor: str, attribute: str, *args: Any, is_property: bool = False, **kwargs: Any
) -> Any:
    """``frame.accessor.attribute`` of pandas on every partition; see :func:`method_call`."""
    from samite.dataframe.collections.frame_base import new_collection

    names = tuple(kwargs)
    operands = [operand_of(value) for value in (*args, *kwargs.values())]
    first, *rest = aligned(frame.expr, *operands)
    return new_collection(AccessorCall(first, attribute, names, accessor, is_property, *rest))


def operand_of(value: Any) -> Any:
    """What an expression takes in place of an argument: the expression of a collection, lazy
    values as expressions, other values as they are."""
    from samite.dataframe.conversion import as_operand

    return as_operand(value)


def aligned(*operands: Any) -> list[Any]:
    """The operands with frames cut at the same divisions, so that partition i of each belongs
    together.

    Raises
    ------
    ValueError
        The divisions are not known, and the numbers of partitions differ.
    """
    frames = frames_among(operands)
    if len(frames) < 2 or are_co_aligned(*frames):
        return list(operands)
    from samite.dataframe.alignment import align_partitions

    result = iter(align_partitions(*frames))
    return [
        next(result) if isinstance(operand, FrameExpr) and operand.ndim > 0 else operand
        for operand in operands
    ]


def is_frame(value: Any) -> bool:
    """Whether a value is an expression of rows."""
    return isinstance(value, Expr) and isinstance(value, FrameExpr) and value.ndim > 0
