"""What other packages register: accessors, and examples for their own dtypes."""

from __future__ import annotations

from samite.dataframe.accessor import (
    register_dataframe_accessor,
    register_index_accessor,
    register_series_accessor,
)
from samite.utils import Dispatch

__all__ = [
    "make_array_nonempty",
    "make_scalar",
    "register_dataframe_accessor",
    "register_index_accessor",
    "register_series_accessor",
]

# By the class of an extension dtype: two values of that dtype, as an extension array.
make_array_nonempty = Dispatch("make_array_nonempty")
# By the class of a scalar: another scalar of that class, for metadata.
make_scalar = Dispatch("make_scalar")
