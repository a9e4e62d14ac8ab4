"""The accessors of series: ``.str``, ``.dt``, ``.cat``, ``.list`` and ``.struct``."""

from samite.dataframe.accessors.categories import CategoricalAccessor
from samite.dataframe.accessors.dates import DatetimeAccessor
from samite.dataframe.accessors.nested import ListAccessor, StructAccessor
from samite.dataframe.accessors.strings import StringAccessor

__all__ = [
    "CategoricalAccessor",
    "DatetimeAccessor",
    "ListAccessor",
    "StringAccessor",
    "StructAccessor",
]
