"""What tasks do with the rows of neighbours."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from samite.dataframe import methods
from samite.dataframe.joining import concat_partitions
from samite.dataframe.partitioning import rows


class Extended(NamedTuple):
    """A partition with rows of its neighbours, and how many there are on each side."""

    part: Any
    before: int
    after: int

    def trimmed(self, result: Any) -> Any:
        """What belongs to the partition itself."""
        if not self.before and not self.after:
            return result
        return rows(result, self.before, len(result) - self.after)


def extended(part: Any, before: Any, after: Any) -> Extended:
    """A partition between rows of its neighbours, which may be None."""
    parts = [p for p in (before, part, after) if p is not None]
    count = 0 if before is None else len(before), 0 if after is None else len(after)
    if not sum(count):
        return Extended(part, 0, 0)
    if not len(part):
        # The form of an empty partition counts as well.
        return Extended(part, 0, 0)
    return Extended(concat_partitions(parts), *count)


def edge(part: Any, count: int, step: int) -> Any:
    """The last (``step`` -1) or first ``count`` rows of a neighbour.

    Raises
    ------
    NotImplementedError
        It has fewer.
    """
    if len(part) < count:
        raise NotImplementedError(
            f"Partition size is less than overlapping window size: {len(part)} rows and {count}. "
            "Try using `df.repartition` to increase the partition size."
        )
    return long_edge(part, None, count, step)


def long_edge(part: Any, beyond: Any, count: int, step: int) -> Any:
    """The last or first ``count`` rows of a neighbour and of what lies beyond it."""
    if len(part) < count and beyond is not None and len(beyond):
        part = concat_partitions([beyond, part] if step < 0 else [part, beyond])
    return rows(part, max(len(part) - count, 0), len(part)) if step < 0 else rows(part, 0, count)


def rows_within(part: Any, parts: list[Any], span: Any, step: int, exact: bool) -> Any:
    """The rows of neighbours that are less than ``span`` away from a partition.

    Raises
    ------
    NotImplementedError
        The span reaches further than the neighbours, unless they are known to suffice
        (``exact``).
    """
    around = concat_partitions(parts)
    if not len(part) or not len(around):
        return rows(around, 0, 0)
    if step < 0:
        bound = part.index[0] - span
        reaches = around.index[0] > bound
        chosen = around.index > bound
    else:
        bound = part.index[-1] + span
        reaches = around.index[-1] < bound
        chosen = around.index < bound
    if reaches and not exact:
        raise NotImplementedError(
            "Partition size is less than specified window. Try using `df.repartition` to "
            "increase the partition size."
        )
    return around[chosen]


def call_extended(function: Any, meta: Any, *args: Any, **kwargs: Any) -> Any:
    """``function`` of extended partitions; the neighbours' rows are taken off its result."""
    first = next(a for a in (*args, *kwargs.values()) if isinstance(a, Extended))
    args = tuple(a.part if isinstance(a, Extended) else a for a in args)
    kwargs = {k: a.part if isinstance(a, Extended) else a for k, a in kwargs.items()}
    if meta is None:
        result = function(*args, **kwargs)
    else:
        result = methods.called_with_meta(function, meta, *args, **kwargs)
    if not isinstance(result, (pd.DataFrame, pd.Series, pd.Index)):
        return result
    return first.trimmed(result)


def call_method(held: Extended, method: str, names: Any, *args: Any) -> Any:
    """A method of an extended partition; the neighbours' rows are taken off its result."""
    return held.trimmed(methods.call_method(held.part, method, names, *args))


def fill(part: Any, carried: Any, forward: bool) -> Any:
    """``part`` without the missing values that a value before (or after) them, or the carried one
    of the neighbours, can replace."""
    if carried is None or not len(part):
        return part.ffill() if forward else part.bfill()
    if forward:
        return rows(concat_partitions([carried, part]).ffill(), len(carried), None)
    return rows(concat_partitions([part, carried]).bfill(), 0, len(part))


def last_values(part: Any, carried: Any, forward: bool) -> Any:
    """The last (or first) value of each column that is not missing, as one row."""
    filled = fill(part, carried, forward)
    if not len(filled):
        return rows(filled, 0, 0) if carried is None else carried
    return rows(filled, len(filled) - 1, len(filled)) if forward else rows(filled, 0, 1)
