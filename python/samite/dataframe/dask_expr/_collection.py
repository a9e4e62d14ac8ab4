"""Dask's module path for the classes that users see."""

from samite.dataframe.collections import DataFrame, FrameBase, Index, Scalar, Series
from samite.dataframe.collections.frame_base import new_collection

__all__ = ["DataFrame", "FrameBase", "Index", "Scalar", "Series", "new_collection"]
