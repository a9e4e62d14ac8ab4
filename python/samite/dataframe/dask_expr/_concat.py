"""Dask's module path for expressions that put frames together."""

from samite.dataframe.expressions.concat import Concat, StackPartitions

__all__ = ["Concat", "StackPartitions"]
