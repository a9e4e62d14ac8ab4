"""Dask's module path for making data frames of what is in memory."""

from samite.dataframe.arrays import to_records
from samite.dataframe.bags import to_bag
from samite.dataframe.io.dividing import sorted_division_locations
from samite.dataframe.io.from_array import from_array, from_dask_array
from samite.dataframe.io.from_array import meta_from_array as _meta_from_array
from samite.dataframe.io.from_delayed import from_delayed
from samite.dataframe.io.from_dict import from_dict
from samite.dataframe.io.from_graph import from_graph
from samite.dataframe.io.from_map import from_map
from samite.dataframe.io.from_pandas import from_pandas

__all__ = [
    "_meta_from_array",
    "from_array",
    "from_dask_array",
    "from_delayed",
    "from_dict",
    "from_graph",
    "from_map",
    "from_pandas",
    "sorted_division_locations",
    "to_bag",
    "to_records",
]
