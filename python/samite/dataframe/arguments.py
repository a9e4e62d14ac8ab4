"""Arguments that many methods take, checked."""

from __future__ import annotations

from typing import Any


def axis_number(frame: Any, axis: Any) -> int:
    """0 for the rows, 1 for the columns.

    Raises
    ------
    ValueError
        There is no such axis.
    """
    if axis is None:
        return 0
    names = {0: 0, "index": 0, "rows": 0}
    if frame._meta.ndim == 2:
        names |= {1: 1, "columns": 1}
    try:
        return names[axis]
    except (KeyError, TypeError):
        raise ValueError(f"No axis named {axis} for {type(frame).__name__}") from None


def is_label_slice(key: slice, index: Any) -> bool:
    """Whether ``frame[key]`` of pandas looks at labels, rather than at positions."""
    import pandas as pd

    bounds = [bound for bound in (key.start, key.stop) if bound is not None]
    return bool(bounds) and not any(pd.api.types.is_integer(bound) for bound in bounds)
