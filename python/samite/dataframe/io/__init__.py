"""Making data frames of what is elsewhere, and writing them."""

from samite.dataframe.expressions.lazy_sources import FromArray
from samite.dataframe.expressions.mapped_sources import FromMap
from samite.dataframe.expressions.sources import FromPandas

__all__ = ["FromArray", "FromMap", "FromPandas", "ReadParquet"]


def __getattr__(name: str) -> object:
    if name == "ReadParquet":
        from samite.dataframe.io.parquet import ReadParquet

        return ReadParquet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
