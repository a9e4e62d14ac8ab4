"""Dask's module path for expressions of data frames."""

from samite._expr import Expr
from samite.dataframe.expressions.elementwise import Assign
from samite.dataframe.expressions.functions import MapPartitions
from samite.dataframe.expressions.node import Elementwise as Elemwise
from samite.dataframe.expressions.node import Partitionwise as Blockwise
from samite.dataframe.expressions.selection import Filter, Partitions, Projection

__all__ = [
    "Assign",
    "Blockwise",
    "Elemwise",
    "Expr",
    "Filter",
    "MapPartitions",
    "Partitions",
    "Projection",
]
