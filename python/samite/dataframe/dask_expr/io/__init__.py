"""Dask's module path for the sources of data frames."""

from samite.dataframe.expressions.lazy_sources import FromArray
from samite.dataframe.expressions.mapped_sources import FromMap
from samite.dataframe.expressions.sources import FromPandas
from samite.dataframe.io.parquet import ReadParquet

__all__ = ["FromArray", "FromMap", "FromPandas", "ReadParquet"]
