"""Groups of rows with equal keys, and what is computed of them."""

from samite.dataframe.groupby.collections import (
    NUMERIC_ONLY_NOT_IMPLEMENTED,
    DataFrameGroupBy,
    GroupBy,
    SeriesGroupBy,
)
from samite.dataframe.groupby.specification import Aggregation

__all__ = [
    "NUMERIC_ONLY_NOT_IMPLEMENTED",
    "Aggregation",
    "DataFrameGroupBy",
    "GroupBy",
    "SeriesGroupBy",
]
