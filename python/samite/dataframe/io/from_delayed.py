"""Frames of lazy values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from samite.dataframe.collections import new_collection
from samite.dataframe.expressions.lazy_sources import FromDelayed
from samite.dataframe.metadata import make_meta
from samite.dataframe.strings import with_arrow_strings


def from_delayed(
    dfs: Any,
    meta: Any = None,
    divisions: Any = None,
    prefix: str | None = None,
    verify_meta: bool = True,
) -> Any:
    """A collection whose partitions are lazy values.

    Parameters
    ----------
    dfs:
        A lazy value (a call of a delayed function, or a future) or an iterable of such, each of
        which is a pandas object.
    meta:
        What they are, as :func:`make_meta` takes it; by default the first one is computed.
    divisions:
        The divisions, if they are known.
    prefix:
        What the name begins with.
    verify_meta:
        Whether to check, when they are computed, that the partitions have the dtypes of ``meta``.

    Raises
    ------
    TypeError
        An element is no lazy value, or there is none.
    ValueError
        ``divisions`` has not one more value.
    """
    from samite.delayed import Delayed, delayed

    if isinstance(dfs, Delayed) or hasattr(dfs, "key"):
        dfs = [dfs]
    if not isinstance(dfs, Iterable):
        raise TypeError(f"from_delayed takes lazy values, got {type(dfs).__name__}")
    values = [
        delayed(df) if not isinstance(df, Delayed) and hasattr(df, "key") else df for df in dfs
    ]
    if not values:
        raise TypeError("Must supply at least one delayed object")
    for value in values:
        if not isinstance(value, Delayed):
            raise TypeError(f"Expected Delayed object, got {type(value).__name__}")
    meta = make_meta(values[0].compute() if meta is None else meta)
    if divisions is None:
        divisions = (None,) * (len(values) + 1)
    elif len(divisions) != len(values) + 1:
        raise ValueError(
            "divisions should be a tuple of len(dfs) + 1, got "
            f"{len(divisions)} for {len(values)} values"
        )
    expr = FromDelayed(values, meta, tuple(divisions), verify_meta, prefix or "from-delayed")
    return new_collection(with_arrow_strings(expr))
