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
    import pandas as pd

    if type(labels) is pd.Index:
        renamed = RenameColumns(frame.expr, labels)
        if renamed._derived_schema is not None:
            return new_collection(renamed)
    meta = frame._meta.copy()
    meta.columns = labels  # raises pandas' error for a wrong number
    return new_collection(RenameColumns(frame.expr, meta.columns))


def renamed_columns(frame: Any, mapping: Any) -> Any:
    """``frame`` with the columns renamed that a mapping names or a function changes."""
    import pandas as pd

    schema = frame.expr._derived_schema
    if schema is not None and type(mapping) is dict:
        labels = [mapping.get(label, label) for label in schema.labels]
        if all(type(label) is str for label in labels):
            return with_columns(frame, pd.Index(labels, dtype=schema.columns.dtype))
    return with_columns(frame, frame._meta.rename(columns=mapping).columns)
