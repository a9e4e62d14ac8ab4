"""Data frames: pandas in partitions."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from samite.base import compute
from samite.dataframe import accessor as accessor
from samite.dataframe import backends as backends
from samite.dataframe import categorical as categorical
from samite.dataframe import core as core
from samite.dataframe import dispatch as dispatch
from samite.dataframe import extensions as extensions
from samite.dataframe import methods as methods
from samite.dataframe import utils as utils
from samite.dataframe.collections import DataFrame, Index, Scalar, Series
from samite.dataframe.dispatch import get_collection_type
from samite.dataframe.map_overlap import map_overlap
from samite.dataframe.map_partitions import map_partitions

if TYPE_CHECKING:
    from samite.dataframe.arrays import to_records
    from samite.dataframe.asof import merge_asof
    from samite.dataframe.bags import to_bag
    from samite.dataframe.comparing import assert_eq
    from samite.dataframe.concatenation import concat
    from samite.dataframe.groupby import Aggregation
    from samite.dataframe.io import demo as demo
    from samite.dataframe.io.csv import read_csv, read_fwf, read_table, to_csv
    from samite.dataframe.io.from_array import from_array, from_dask_array
    from samite.dataframe.io.from_arrow import from_arrow, from_polars
    from samite.dataframe.io.from_delayed import from_delayed
    from samite.dataframe.io.from_dict import from_dict
    from samite.dataframe.io.from_graph import from_graph
    from samite.dataframe.io.from_map import from_map
    from samite.dataframe.io.from_pandas import from_pandas
    from samite.dataframe.io.hdf import read_hdf, to_hdf
    from samite.dataframe.io.json import read_json, to_json
    from samite.dataframe.io.orc import read_orc, to_orc
    from samite.dataframe.io.parquet import read_parquet, to_parquet
    from samite.dataframe.io.sql import read_sql, read_sql_query, read_sql_table, to_sql
    from samite.dataframe.joins import merge
    from samite.dataframe.optimization import optimize
    from samite.dataframe.parsing import isna, to_datetime, to_numeric, to_timedelta
    from samite.dataframe.queries import sql
    from samite.dataframe.repartitioning import repartition
    from samite.dataframe.reshape import get_dummies, melt, pivot_table

__all__ = [
    "Aggregation",
    "DataFrame",
    "Index",
    "Scalar",
    "Series",
    "assert_eq",
    "from_array",
    "from_arrow",
    "from_dask_array",
    "from_delayed",
    "from_dict",
    "from_graph",
    "from_map",
    "compute",
    "concat",
    "from_pandas",
    "from_polars",
    "get_collection_type",
    "get_dummies",
    "isna",
    "map_partitions",
    "map_overlap",
    "melt",
    "merge",
    "merge_asof",
    "optimize",
    "pivot_table",
    "read_csv",
    "read_fwf",
    "read_hdf",
    "read_json",
    "read_orc",
    "read_parquet",
    "read_sql",
    "read_sql_query",
    "read_sql_table",
    "read_table",
    "repartition",
    "sql",
    "to_bag",
    "to_csv",
    "to_datetime",
    "to_hdf",
    "to_json",
    "to_numeric",
    "to_orc",
    "to_parquet",
    "to_records",
    "to_sql",
    "to_timedelta",
]

# Where the names are that are imported when somebody asks for them: readers, writers and
# functions that many programs do without.
_LATER = {
    "arrays": "to_records",
    "asof": "merge_asof",
    "bags": "to_bag",
    "comparing": "assert_eq",
    "concatenation": "concat",
    "groupby": "Aggregation",
    "io.csv": "read_csv read_fwf read_table to_csv",
    "io.from_array": "from_array from_dask_array",
    "io.from_arrow": "from_arrow from_polars",
    "io.from_delayed": "from_delayed",
    "io.from_dict": "from_dict",
    "io.from_graph": "from_graph",
    "io.from_map": "from_map",
    "io.from_pandas": "from_pandas",
    "io.hdf": "read_hdf to_hdf",
    "io.json": "read_json to_json",
    "io.orc": "read_orc to_orc",
    "io.parquet": "read_parquet to_parquet",
    "io.sql": "read_sql read_sql_query read_sql_table to_sql",
    "joins": "merge",
    "optimization": "optimize",
    "parsing": "isna to_datetime to_numeric to_timedelta",
    "queries": "sql",
    "repartitioning": "repartition",
    "reshape": "get_dummies melt pivot_table",
}
_MODULES = {name: module for module, names in _LATER.items() for name in names.split()}
# Modules of this package that are its attributes, whoever has imported them.
_SUBMODULES = frozenset(
    "arrays asof bags comparing concatenation groupby io joins map_overlap map_partitions "
    "optimization parsing queries repartitioning reshape shuffle".split()
)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        module = importlib.import_module(f"samite.dataframe.{_MODULES[name]}")
        found = globals()[name] = getattr(module, name)
        return found
    if name == "demo":
        return importlib.import_module("samite.dataframe.io.demo")
    if name in _SUBMODULES:
        return importlib.import_module(f"samite.dataframe.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_SUBMODULES, "demo"})
