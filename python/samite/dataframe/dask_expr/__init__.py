"""Dask's module path for what libraries import from ``dask.dataframe.dask_expr``."""

from samite.dataframe.collections import DataFrame, Index, Scalar, Series
from samite.dataframe.collections.frame_base import new_collection

__all__ = ["DataFrame", "Index", "Scalar", "Series", "new_collection"]
