"""Functions of rows: what operators and methods of collections share."""

from __future__ import annotations

from typing import Any

from samite._expr import Expr
from samite._traverse import holds_future
from samite.dataframe.expressions.elementwise import (
    AccessorCall,
    ElementwiseFunction,
    MethodCall,
    Operator,
    RowsMethodCall,
    UnaryOperator,
    UserMethodCall,
)
from samite.dataframe.expressions.foreign import ArrayBlocks
from samite.dataframe.expressions.node import FrameExpr, are_co_aligned, frames_among


def binary(symbol: str, left: Any, right: Any) -> Any:
    """``left`` and ``right`` joined by an operator, row by row; one of them is a collection.

    ``divmod`` gives a pair.
    """
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.conversion import as_collection

    if symbol == "divmod":
        return binary("floordiv", left, right), binary("mod", left, right)
    operands = operand_of(as_collection(left)), operand_of(as_collection(right))
    if any(operand is NotImplemented for operand in operands):
        return NotImplemented
    for one, other in (operands, operands[::-1]):
        if is_frame(one) and one.ndim == 1:
            refuse_values(other)
    left, right = aligned_for_arithmetic(*operands)
    return new_collection(Operator(symbol, left, right))


def refuse_values(value: Any) -> None:
    """Raise ValueError for values in memory that belong to the rows of a lazy series one by one."""
    import numpy as np

    if isinstance(value, (list, tuple, np.ndarray)) and np.ndim(value) and len(value) != 1:
        raise ValueError(
            f"A {type(value).__name__} of length {len(value)} and the rows of a lazy series, whose "
            "number is not known, could not be broadcast together; give a pandas series with the "
            "same labels, or a lazy array (samite.array.from_array) with a block for each partition"
        )


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


def rows_method_call(
    frame: Any, method: str, *args: Any, keeps_divisions: bool = True, **kwargs: Any
) -> Any:
    """``frame.method(...)`` of pandas on every partition, for methods that leave out rows or
    number them anew; see :func:`method_call`."""
    from samite.dataframe.collections.frame_base import new_collection

    operands = [operand_of(value) for value in (*args, *kwargs.values())]
    first, *rest = aligned(frame.expr, *operands)
    return new_collection(RowsMethodCall(first, method, tuple(kwargs), keeps_divisions, *rest))


def rows_function(function: Any, *args: Any) -> Any:
    """``function`` of partitions with the same rows, which keeps the rows; some of ``args`` are
    collections."""
    from samite.dataframe.collections.frame_base import new_collection

    return new_collection(ElementwiseFunction(function, *aligned(*map(operand_of, args))))


def apply_user_function(frame: Any, method: str, meta: Any, *args: Any, **kwargs: Any) -> Any:
    """``frame.method(function, ...)`` of pandas, whose result is found out on made-up rows where
    ``meta`` does not tell.

    Raises
    ------
    ValueError
        The function fails on the made-up rows.
    """
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.metadata import emulate, make_meta, no_default
    from samite.utils import M

    names = tuple(kwargs)
    operands = [operand_of(value) for value in (*args, *kwargs.values())]
    first, *rest = aligned(frame.expr, *operands)
    if meta is no_default:
        positional = rest[: len(rest) - len(names)]
        keywords = dict(zip(names, rest[len(positional) :], strict=True))
        meta = emulate(getattr(M, method), first, *positional, udf=True, **keywords)
        meta = make_meta(meta, parent_meta=first._meta)
        warn_of_guessed_meta(method, meta)
    else:
        index = first._meta.index if hasattr(first._meta, "index") else first._meta
        meta = make_meta(meta, index=index, parent_meta=first._meta)
    return new_collection(UserMethodCall(first, method, names, meta, *rest))


def warn_of_guessed_meta(method: str, meta: Any) -> None:
    """Say that a user's function was called to find out what it returns, and what was found."""
    import warnings

    if getattr(meta, "ndim", 0) == 2:
        found = repr({c: str(d) for c, d in zip(meta.columns, meta.dtypes, strict=True)})
    else:
        found = f"({meta.name!r}, {str(getattr(meta, 'dtype', type(meta)))!r})"
    warnings.warn(
        "\nYou did not provide metadata, so the function was called on a small made-up dataset "
        "to guess output types. The guess may be wrong.\nTo give them, or to silence this "
        f"message, use the `meta=` keyword:\n  Before: .{method}(func)\n"
        f"  After:  .{method}(func, meta={found})\n",
        UserWarning,
        stacklevel=4,
    )


def filtered(frame: Any, predicate: Any) -> Any:
    """The rows of a collection for which a boolean series, or a lazy array, is true."""
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.expressions.selection import Filter

    return new_collection(Filter(*aligned(frame.expr, operand_of(predicate))))


def isin(frame: Any, values: Any) -> Any:
    """Whether each element is one of ``values``; see :meth:`DataFrame.isin`."""
    import pandas as pd

    from samite.dataframe.collections.frame_base import FrameBase, new_collection

    ndim = frame.expr.ndim
    if hasattr(values, "__dask_graph__") or (
        ndim == 2 and isinstance(values, (pd.Series, pd.DataFrame))
    ):
        from samite.utils import typename

        raise NotImplementedError(f"Passing a {typename(type(values))!r} to `isin`")
    if isinstance(values, (list, tuple, set)):
        values = list(values)
        if any(hasattr(value, "__dask_graph__") for value in values):
            if any(isinstance(value, FrameBase) for value in values):
                raise NotImplementedError(
                    "isin with collections among the values; compute them first"
                )
            from samite.delayed import delayed

            meta = frame._meta.isin([])
            lazy = operand_of(delayed(values))
            return new_collection(UserMethodCall(frame.expr, "isin", (), meta, lazy))
    return method_call(frame, "isin", values)


def accessor_call(
    frame: Any, accessor: str, attribute: str, *args: Any, is_property: bool = False, **kwargs: Any
) -> Any:
    """``frame.accessor.attribute`` of pandas on every partition; see :func:`method_call`."""
    from samite.dataframe.collections.frame_base import new_collection

    names = tuple(kwargs)
    operands = [operand_of(value) for value in (*args, *kwargs.values())]
    first, *rest = aligned(frame.expr, *operands)
    return new_collection(AccessorCall(first, attribute, names, accessor, is_property, *rest))


def rows_of(value: Any, ndim: int) -> Any:
    """A pandas object of that many axes as a collection, whose rows are aligned with others;
    other values as they are."""
    if getattr(value, "ndim", None) != ndim:
        return value
    from samite.dataframe.conversion import as_collection

    return as_collection(value)


def operand_of(value: Any) -> Any:
    """What an expression takes in place of an argument: the expression of a collection, lazy
    values and futures as expressions, other values as they are."""
    from samite.dataframe.conversion import as_operand

    if holds_future(value):
        from samite.delayed import delayed

        value = delayed(value)
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
    # Blocks of arrays have no labels; they belong to the partitions in order.
    rows = [frame for frame in frames if not isinstance(frame, ArrayBlocks)]
    if len(rows) > 1 and not are_co_aligned(*rows):
        from samite.dataframe.alignment import align_partitions

        rows = align_partitions(*rows)
    check_block_counts(frames, rows)
    result = iter(rows)
    return [
        next(result) if is_frame(operand) and not isinstance(operand, ArrayBlocks) else operand
        for operand in operands
    ]


def check_block_counts(frames: list[FrameExpr], rows: list[FrameExpr]) -> None:
    """Raise ValueError if an array among ``frames`` has not a block for each partition of
    ``rows``."""
    most = max((frame.npartitions for frame in rows), default=None)
    for array in frames:
        if isinstance(array, ArrayBlocks) and most not in (None, array.npartitions):
            raise ValueError(
                "The index and array have different numbers of blocks. "
                f"({most} != {array.npartitions}); rechunk the array"
            )


def aligned_for_arithmetic(*operands: Any) -> list[Any]:
    """Like :func:`aligned`; but a series of one partition beside a frame, such as the sums of its
    columns, has its labels compared with the columns, and goes to every partition as it is."""
    frames = frames_among(operands)
    if len({frame.ndim for frame in frames}) > 1:
        if any(frame.ndim == 1 and frame.npartitions == 1 for frame in frames):
            return list(operands)
    return aligned(*operands)


def is_frame(value: Any) -> bool:
    """Whether a value is an expression of rows."""
    return isinstance(value, Expr) and isinstance(value, FrameExpr) and value.ndim > 0
