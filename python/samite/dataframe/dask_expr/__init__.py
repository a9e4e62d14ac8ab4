"""Dask's module path for what libraries import from ``dask.dataframe.dask_expr``."""

from samite.dataframe.collections import DataFrame, FrameBase, Index, Scalar, Series
from samite.dataframe.collections.frame_base import new_collection
from samite.dataframe.expressions.merge import Merge
from samite.dataframe.expressions.repartition import Repartition

__all__ = [
    "DataFrame",
    "FrameBase",
    "Index",
    "Merge",
    "Repartition",
    "Scalar",
    "Series",
    "new_collection",
]
