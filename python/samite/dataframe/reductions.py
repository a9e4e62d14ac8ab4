"""Reductions of frames and series: what the methods of collections have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from samite.dataframe.metadata import emulate, make_meta, no_default


def axis_number(frame: Any, axis: Any, operation: str) -> int | None:
    """0, 1 or None for an axis by number or name.

    Raises
    ------
    ValueError
        There is no such axis.
    """
    if axis is None:
        return None
    numbers = {0: 0, "index": 0, "rows": 0, 1: 1, "columns": 1}
    number = numbers.get(axis) if isinstance(axis, (int, str)) else None
    if number is None or (number == 1 and frame.ndim < 2):
        raise ValueError(
            f"No axis named {axis!r} for object type {type(frame).__name__}: {operation}"
        )
    return number


def checked_split_every(split_every: Any) -> Any:
    """``split_every`` as it is. Refuse a number of parts to join that does not make them fewer.

    Raises
    ------
    ValueError
        ``split_every`` is neither None, False nor at least 2.
    """
    if split_every is None or isinstance(split_every, bool) or split_every >= 2:
        return split_every
    raise ValueError(f"split_every must be greater than 1 or False, got {split_every!r}")


def reduced(
    frame: Any,
    how: str,
    axis: Any = 0,
    skipna: bool = True,
    numeric_only: bool = False,
    min_count: int = 0,
    split_every: Any = None,
) -> Any:
    """sum, prod, min, max, any, all or count."""
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.expressions.reductions import Reduction

    number = axis_number(frame, axis, how)
    if number == 1:
        keywords: dict[str, Any] = {}
        if how != "count":
            keywords["skipna"] = skipna
        if how not in ("any", "all"):
            keywords["numeric_only"] = bool(numeric_only)
        if how in ("sum", "prod") and min_count:
            keywords["min_count"] = min_count
        return along_rows(frame, how, keywords)
    if number is None and frame.ndim < 2:
        number = 0
    expr = Reduction(
        frame.expr,
        how,
        skipna,
        bool(numeric_only),
        min_count,
        number,
        checked_split_every(split_every),
    )
    return new_collection(expr)


def along_rows(frame: Any, how: str, keywords: dict[str, Any]) -> Any:
    """A reduction of each row."""
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.expressions.reductions import AlongRows

    return new_collection(AlongRows(frame.expr, how, keywords))


def moment(
    frame: Any,
    how: str,
    axis: Any = 0,
    skipna: bool = True,
    numeric_only: bool = False,
    ddof: int = 1,
    bias: bool = True,
    fisher: bool = True,
    split_every: Any = None,
) -> Any:
    """mean, var, std, sem, skew or kurtosis."""
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.expressions.reductions import MomentReduction

    number = axis_number(frame, axis, how)
    if number == 1:
        keywords: dict[str, Any] = {"skipna": skipna, "numeric_only": bool(numeric_only)}
        if how in ("var", "std", "sem"):
            keywords["ddof"] = ddof
        return along_rows(frame, how, keywords)
    if number is None and frame.ndim < 2:
        number = 0
    if how in ("mean", "std", "var", "sem") and frame.ndim == 1:
        refuse_text(frame, how)
    expr = MomentReduction(
        frame.expr,
        how,
        skipna,
        bool(numeric_only),
        ddof,
        number,
        bias,
        fisher,
        checked_split_every(split_every),
    )
    return new_collection(expr)


def refuse_text(series: Any, how: str) -> None:
    """Refuse a series of text, or of objects that may be text.

    Raises
    ------
    ValueError
        It is one.
    """
    import pandas as pd

    dtype = series._meta.dtype
    if isinstance(dtype, pd.ArrowDtype) and pd.api.types.is_string_dtype(dtype):
        raise ValueError(f"`{how}` not supported with string series")
    if pd.api.types.is_object_dtype(dtype) or isinstance(dtype, pd.StringDtype):
        raise ValueError(f"`{how}` not supported with {dtype} series")


def extreme_labels(
    frame: Any, how: str, axis: Any, skipna: bool, numeric_only: bool, split_every: Any
) -> Any:
    """idxmin or idxmax."""
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.expressions.reductions import ExtremeLabels

    if axis_number(frame, axis, how) == 1:
        return along_rows(frame, how, {"skipna": skipna, "numeric_only": bool(numeric_only)})
    return new_collection(
        ExtremeLabels(frame.expr, how, skipna, bool(numeric_only), checked_split_every(split_every))
    )


def size(frame: Any) -> Any:
    """The number of elements, as a scalar."""
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.expressions.reductions import Length, ScalarFunction

    length = Length(frame.expr)
    if frame.ndim < 2:
        return new_collection(length)
    return new_collection(ScalarFunction(_times, 0, length, len(frame.columns)))


def _times(left: Any, right: Any) -> Any:
    return left * right


def reduction(
    frame: Any,
    chunk: Callable[..., Any],
    aggregate: Callable[..., Any] | None = None,
    combine: Callable[..., Any] | None = None,
    meta: Any = no_default,
    token: str | None = None,
    split_every: Any = None,
    chunk_kwargs: Mapping[str, Any] | None = None,
    aggregate_kwargs: Mapping[str, Any] | None = None,
    combine_kwargs: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Any:
    """Reduce rows by functions of a user; see :meth:`DataFrame.reduction`."""
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.expressions.reductions import UserReduction
    from samite.dataframe.partition_reductions import user_chunk, user_finish

    if combine_kwargs and combine is None:
        raise ValueError("`combine_kwargs` provided with no `combine`")
    checked_split_every(split_every)
    finishing = chunk if aggregate is None else aggregate
    joining = finishing if combine is None else combine
    chunk_given = {**kwargs, **(chunk_kwargs or {})}
    aggregate_given = {**kwargs, **(aggregate_kwargs or {})}
    combine_given = aggregate_given if combine is None else {**kwargs, **(combine_kwargs or {})}
    if aggregate is None:
        aggregate_given = combine_given = chunk_given
    if meta is no_default:
        part = emulate(user_chunk, frame, chunk, chunk_given, udf=True)
        meta = make_meta(emulate(user_finish, [part], finishing, aggregate_given, udf=True))
    else:
        meta = make_meta(meta, parent_meta=frame._meta)
    return new_collection(
        UserReduction(
            frame.expr,
            chunk,
            joining,
            finishing,
            meta,
            chunk_given,
            combine_given,
            aggregate_given,
            token,
            split_every,
        )
    )


def running(frame: Any, how: str, axis: Any, skipna: bool) -> Any:
    """cumsum, cumprod, cummin or cummax."""
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.elementwise import method_call
    from samite.dataframe.expressions.running import Running

    if axis_number(frame, axis, how) == 1:
        return method_call(frame, how, axis=1, skipna=skipna)
    return new_collection(Running(frame.expr, how, skipna))


def ends(frame: Any, how: str, n: int, columns: Any, split_every: Any) -> Any:
    """nlargest or nsmallest.

    Raises
    ------
    TypeError
        A frame is to be ordered, but no columns are given.
    """
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.expressions.reductions import EndRows

    if frame.ndim == 2 and columns is None:
        raise TypeError(
            f"{how}() missing 1 required positional argument: 'columns', the columns to order by"
        )
    return new_collection(EndRows(frame.expr, how, n, columns, checked_split_every(split_every)))
