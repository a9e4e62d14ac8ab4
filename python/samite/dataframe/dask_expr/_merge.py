"""Dask's module path for expressions that join."""

from samite.dataframe.expressions.merge import Merge
from samite.dataframe.expressions.merge import MergePartitions as BlockwiseMerge

__all__ = ["BlockwiseMerge", "Merge"]
