"""Making data frames of what is elsewhere, and writing them."""

from samite.dataframe.expressions.lazy_sources import FromArray
from samite.dataframe.expressions.mapped_sources import FromMap
from samite.dataframe.expressions.sources import FromPandas

__all__ = ["FromArray", "FromMap", "FromPandas"]
