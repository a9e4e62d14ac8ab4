"""The classes that users see: frames, series, indexes and scalars."""

from samite.dataframe.collections.dataframe import DataFrame
from samite.dataframe.collections.frame_base import FrameBase, new_collection
from samite.dataframe.collections.index import Index
from samite.dataframe.collections.scalar import Scalar
from samite.dataframe.collections.series import Series

__all__ = ["DataFrame", "FrameBase", "Index", "Scalar", "Series", "new_collection"]
