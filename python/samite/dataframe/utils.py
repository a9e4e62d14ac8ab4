"""Helpers for authors of libraries, under the names that Dask gives them."""

from __future__ import annotations

from samite.dataframe.checks import ascii_table as asciitable
from samite.dataframe.checks import check_matching_columns, check_meta
from samite.dataframe.comparing import assert_divisions, assert_eq, assert_eq_dtypes
from samite.dataframe.errors import AttributeNotImplementedError
from samite.dataframe.example_rows import AN_OBJECT as _object
from samite.dataframe.extensions import make_array_nonempty, make_scalar
from samite.dataframe.known_categories import (
    UNKNOWN_CATEGORIES,
    clear_known_categories,
    has_known_categories,
    strip_unknown_categories,
)
from samite.dataframe.libraries import (
    index_summary,
    is_scalar,
    meta_frame_constructor,
    meta_series_constructor,
    valid_divisions,
)
from samite.dataframe.metadata import (
    make_meta,
    make_meta_obj,
    meta_nonempty,
    no_default,
    raise_on_meta_error,
)
from samite.dataframe.strings import get_string_dtype, pyarrow_strings_enabled
from samite.utils import is_dataframe_like, is_index_like, is_series_like

__all__ = [
    "AttributeNotImplementedError",
    "UNKNOWN_CATEGORIES",
    "_object",
    "asciitable",
    "assert_divisions",
    "assert_eq",
    "assert_eq_dtypes",
    "check_matching_columns",
    "check_meta",
    "clear_known_categories",
    "get_string_dtype",
    "has_known_categories",
    "index_summary",
    "is_dataframe_like",
    "is_index_like",
    "is_scalar",
    "is_series_like",
    "make_array_nonempty",
    "make_meta",
    "make_meta_obj",
    "make_scalar",
    "meta_frame_constructor",
    "meta_nonempty",
    "meta_series_constructor",
    "no_default",
    "pyarrow_strings_enabled",
    "raise_on_meta_error",
    "strip_unknown_categories",
    "valid_divisions",
]
