"""Other labels for columns and rows."""

from __future__ import annotations

from typing import Any

from samite.dataframe.collections.frame_base import new_collection
from samite.dataframe.expressions.elementwise import RenameColumns


def with_columns(frame: Any, labels: Any) -> Any:
    """``frame`` under these labels for its columns, in order.

    Raises
    ------
    ValueError
        There are more or fewer labels than columns.
    """
    meta = frame._meta.copy()
    meta.columns = labels  # raises pandas' error for a wrong number
    return new_collection(RenameColumns(frame.expr, meta.columns))


def renamed_columns(frame: Any, mapping: Any) -> Any:
    """``frame`` with the columns renamed that a mapping names or a function changes."""
    return with_columns(frame, frame._meta.rename(columns=mapping).columns)
