"""Making data frames of what is elsewhere, and writing them."""

from samite.dataframe.expressions.lazy_sources import FromArray
from samite.dataframe.expressions.mapped_sources import FromMap
from samite.dataframe.expressions.sources import FromPandas

__all__ = ["FromArray", "FromMap", "FromPandas", "ReadParquet"]


# What Dask offers here, too; those modules import collections, which import this one.
_ELSEWHERE = frozenset(
    "from_array from_dask_array from_delayed from_dict from_graph from_map from_pandas read_csv "
    "read_fwf read_hdf read_json read_orc read_parquet read_sql read_sql_query read_sql_table "
    "read_table to_bag to_csv to_hdf to_json to_orc to_parquet to_records to_sql".split()
)


def __getattr__(name: str) -> object:
    if name in _ELSEWHERE:
        import samite.dataframe

        return getattr(samite.dataframe, name)
    if name == "ReadParquet":
        from samite.dataframe.io.parquet import ReadParquet

        return ReadParquet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
