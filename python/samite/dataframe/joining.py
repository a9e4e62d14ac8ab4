"""Putting partitions together."""

from __future__ import annotations

from typing import Any

import pandas as pd


def concat_partitions(parts: list[Any], meta: Any = None) -> Any:
    """Partitions in order as one object; empty ones do not change its dtypes.

    ``meta`` is given back where there is no partition.
    """
    parts = [part for part in parts if part is not None]
    if not parts:
        return meta
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    if not isinstance(first, (pd.DataFrame, pd.Series, pd.Index)):
        return first
    filled = [part for part in parts if len(part)] or parts[:1]
    if len(filled) == 1:
        return filled[0]
    if isinstance(first, pd.Index):
        return filled[0].append(filled[1:])
    return pd.concat(filled)
