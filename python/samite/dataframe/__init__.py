"""Data frames: pandas in partitions."""

from samite.dataframe import backends as backends
from samite.dataframe import dispatch as dispatch
from samite.dataframe.collections import DataFrame, Index, Scalar, Series
from samite.dataframe.dispatch import get_collection_type
from samite.dataframe.io.from_pandas import from_pandas
from samite.dataframe.map_partitions import map_partitions
from samite.dataframe.optimization import optimize
from samite.dataframe.repartitioning import repartition

__all__ = [
    "DataFrame",
    "Index",
    "Scalar",
    "Series",
    "from_pandas",
    "get_collection_type",
    "map_partitions",
    "optimize",
    "repartition",
]
