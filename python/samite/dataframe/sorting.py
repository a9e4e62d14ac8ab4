"""Setting an index and sorting: what collections' methods check before they make expressions."""

from __future__ import annotations

from typing import Any

from samite.dataframe.collections.frame_base import FrameBase, new_collection
from samite.dataframe.expressions.selection import IndexOf
from samite.dataframe.expressions.sorting import (
    SetIndex,
    SetIndexBlockwise,
    SetIndexSorted,
    SortValues,
)


def set_index(
    frame: Any,
    other: Any,
    drop: bool,
    is_sorted: bool,
    npartitions: Any,
    divisions: Any,
    sort: bool,
    method: str | None,
    upsample: float,
    partition_size: float,
    append: bool,
    options: dict[str, Any],
) -> Any:
    """See :meth:`DataFrame.set_index`."""
    on = _index_key(frame, other)
    if on is None:
        return frame
    if divisions is not None:
        _check_divisions(divisions)
    if (is_sorted or not sort) and npartitions is not None:
        raise ValueError(
            "Specifying npartitions with sort=False or sorted=True is not supported. Call "
            "`repartition` afterwards instead."
        )
    if is_sorted:
        if divisions is None:
            return new_collection(SetIndexSorted(frame.expr, on, drop))
        if len(divisions) != frame.npartitions + 1:
            raise ValueError(
                "When doing `df.set_index(col, sorted=True, divisions=...)`, divisions indicates "
                "known splits in the index column. In this case divisions must be the same length "
                f"as the existing divisions ({frame.npartitions + 1}); got {len(divisions)}"
            )
        return new_collection(SetIndexBlockwise(frame.expr, on, drop, append, tuple(divisions)))
    if not sort:
        return new_collection(SetIndexBlockwise(frame.expr, on, drop, append))
    if append:
        raise NotImplementedError(
            "append=True makes an index of several levels, which has no divisions; it is possible "
            "with sort=False only"
        )
    if npartitions is not None and npartitions != "auto" and npartitions < 1:
        raise ValueError(f"npartitions must be at least 1, got {npartitions!r}")
    return new_collection(
        SetIndex(
            frame.expr,
            on,
            drop,
            None if divisions is None else tuple(divisions),
            npartitions,
            upsample,
            partition_size,
            method,
            options,
        )
    )


def _index_key(frame: Any, other: Any) -> Any:
    """The label of a column or the expression of a series; None if it is the index already."""
    if isinstance(other, list) and len(other) == 1 and not isinstance(other[0], list):
        (other,) = other
    if isinstance(other, list) and any(isinstance(item, FrameBase) for item in other):
        raise TypeError(
            "List[FrameBase] not supported by set_index; give one series or one label of a column"
        )
    if isinstance(other, list) or (isinstance(other, FrameBase) and other.ndim == 2):
        raise NotImplementedError(
            "Dask dataframe does not yet support multi-indexes.\n"
            f"You tried to index with this index: {other}\n"
            "Indexes must be single columns only."
        )
    if isinstance(other, FrameBase):
        expr = other.expr
        if isinstance(expr, IndexOf) and expr.frame._name == frame.expr._name:
            return None
        if expr.npartitions != frame.expr.npartitions:
            raise ValueError(
                "set_index takes a series with the rows of the frame; it has "
                f"{expr.npartitions} partitions and the frame {frame.expr.npartitions}"
            )
        return expr
    if other == frame._meta.index.name and other not in frame._meta.columns:
        return None
    if other not in frame._meta.columns:
        raise KeyError(
            f"set_index: there is no column {other!r}; there are {list(frame._meta.columns)}"
        )
    return other


def _check_divisions(divisions: Any) -> None:
    import itertools

    divisions = list(divisions)
    if len(divisions) < 2 or any(a > b for a, b in itertools.pairwise(divisions)):
        raise ValueError(f"divisions must be sorted, and at least two; got {divisions!r}")


def sort_values(
    frame: Any,
    by: Any,
    npartitions: Any,
    ascending: Any,
    na_position: str,
    function: Any,
    keywords: Any,
    upsample: float,
    partition_size: float,
    ignore_index: bool,
    method: str | None,
    options: dict[str, Any],
) -> Any:
    """See :meth:`DataFrame.sort_values`."""
    if na_position not in ("first", "last"):
        raise ValueError(f"na_position must be either 'first' or 'last', got {na_position!r}")
    if not isinstance(by, list):
        by = [by]
    if any(not isinstance(label, str) for label in by):
        raise NotImplementedError(
            f"Dataframes only support sorting by named columns which must be passed as a string "
            f"or a list of strings. You passed {by}"
        )
    schema = frame.expr._derived_schema
    known = frame._meta.columns if schema is None else schema.places
    missing = [label for label in by if label not in known]
    if missing:
        raise KeyError(
            f"sort_values: there are no columns {missing}; there are {list(frame._meta.columns)}"
        )
    if isinstance(ascending, (list, tuple)):
        ascending = list(ascending)
        if len(ascending) != len(by):
            raise ValueError(f"Length of {ascending=} != length of {by=}")
    elif not isinstance(ascending, bool):
        raise NotImplementedError(
            f"Sorting by ascending={ascending!r}; give a boolean or a list of booleans"
        )
    given = dict(keywords or {})
    if function is not None:
        given = {"ascending": ascending, "na_position": na_position, "by": by, **given}
        function = _with_known_keywords(function, given)
    return new_collection(
        SortValues(
            frame.expr,
            by,
            ascending,
            na_position,
            npartitions,
            function,
            given,
            ignore_index,
            upsample,
            partition_size,
            method,
            options,
        )
    )


def _with_known_keywords(function: Any, given: dict[str, Any]) -> Any:
    """``function``; keywords that it does not take are removed from ``given``."""
    import inspect

    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return function
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for name in [name for name in given if name not in parameters]:
            del given[name]
    return function
