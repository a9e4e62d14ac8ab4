"""What sorting does with one partition."""

from __future__ import annotations

from typing import Any

from samite.dataframe.joining import concat_partitions


def set_index(frame: Any, on: Any, drop: bool = True, append: bool = False) -> Any:
    """``frame`` with a column, or a series of as many rows, as the index."""
    return frame.set_index(on, drop=drop, append=append)


def sort_index(frame: Any) -> Any:
    """The rows in the order of the index; equal ones as they were."""
    if frame.index.is_monotonic_increasing:
        return frame
    return frame.sort_index(kind="stable")


def sort_values(
    frame: Any,
    by: list[Any],
    ascending: Any,
    na_position: str,
    ignore_index: bool,
    function: Any,
    keywords: dict[str, Any] | None,
) -> Any:
    """The rows sorted by columns; equal ones keep their order."""
    if function is not None:
        frame = function(frame, **(keywords or {}))
        return frame.reset_index(drop=True) if ignore_index else frame
    return frame.sort_values(
        by,
        ascending=ascending,
        na_position=na_position,
        ignore_index=ignore_index,
        kind="stable",
        **(keywords or {}),
    )


def end_of_sorted(
    frame: Any, by: list[Any], ascending: Any, na_position: str, n: int, last: bool
) -> Any:
    """The first (or last) ``n`` rows in the order of columns; equal ones keep their order."""
    ordered = sort_values(frame, by, ascending, na_position, False, None, None)
    return ordered.tail(n) if last else ordered.head(n)


def end_of_parts(parts: list[Any], **keywords: Any) -> Any:
    """:func:`end_of_sorted` of several partitions in order."""
    return end_of_sorted(concat_partitions(parts), **keywords)
