"""Dask's module path for expressions that move rows."""

from samite.dataframe.expressions.file_shuffle import FileShuffle as DiskShuffle
from samite.dataframe.expressions.shuffle import Shuffle, TaskShuffle
from samite.dataframe.expressions.sorting import SetIndex, SetIndexBlockwise, SortValues

__all__ = [
    "DiskShuffle",
    "SetIndex",
    "SetIndexBlockwise",
    "Shuffle",
    "SortValues",
    "TaskShuffle",
]
