"""Dask's module path for strings of Arrow."""

from samite.dataframe.strings import (
    is_object_string_dataframe,
    is_object_string_dtype,
    is_object_string_index,
    is_object_string_series,
    is_pyarrow_string_dtype,
    to_pyarrow_string,
)

__all__ = [
    "is_object_string_dataframe",
    "is_object_string_dtype",
    "is_object_string_index",
    "is_object_string_series",
    "is_pyarrow_string_dtype",
    "to_pyarrow_string",
]
