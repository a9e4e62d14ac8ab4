"""What is done in one way for pandas and in another for libraries like it."""

from __future__ import annotations

from typing import Any

from samite._dispatch import get_collection_type
from samite.utils import Dispatch

__all__ = [
    "categorical_dtype",
    "categorical_dtype_dispatch",
    "concat",
    "concat_dispatch",
    "from_pyarrow_table_dispatch",
    "get_collection_type",
    "get_parallel_type",
    "group_split_dispatch",
    "grouper_dispatch",
    "hash_object_dispatch",
    "is_categorical_dtype",
    "is_categorical_dtype_dispatch",
    "make_meta",
    "make_meta_dispatch",
    "make_meta_obj",
    "meta_lib_from_array",
    "meta_nonempty",
    "partd_encode_dispatch",
    "pyarrow_schema_dispatch",
    "to_pandas_dispatch",
    "to_pyarrow_table_dispatch",
    "tolist",
    "tolist_dispatch",
    "union_categoricals",
    "union_categoricals_dispatch",
]

make_meta_dispatch = Dispatch("make_meta_dispatch")
make_meta_obj = Dispatch("make_meta_obj")
meta_nonempty = Dispatch("meta_nonempty")
hash_object_dispatch = Dispatch("hash_object_dispatch")
group_split_dispatch = Dispatch("group_split_dispatch")
get_parallel_type = Dispatch("get_parallel_type")
concat_dispatch = Dispatch("concat_dispatch")
tolist_dispatch = Dispatch("tolist_dispatch")
is_categorical_dtype_dispatch = Dispatch("is_categorical_dtype_dispatch")
union_categoricals_dispatch = Dispatch("union_categoricals_dispatch")
grouper_dispatch = Dispatch("grouper_dispatch")
partd_encode_dispatch = Dispatch("partd_encode_dispatch")
meta_lib_from_array = Dispatch("meta_lib_from_array")
categorical_dtype_dispatch = Dispatch("categorical_dtype_dispatch")
pyarrow_schema_dispatch = Dispatch("pyarrow_schema_dispatch")
from_pyarrow_table_dispatch = Dispatch("from_pyarrow_table_dispatch")
to_pyarrow_table_dispatch = Dispatch("to_pyarrow_table_dispatch")
to_pandas_dispatch = Dispatch("to_pandas_dispatch")


def make_meta(x: Any, index: Any = None, parent_meta: Any = None) -> Any:
    """Metadata from a description; see :func:`samite.dataframe.metadata.make_meta`."""
    from samite.dataframe.metadata import make_meta as make

    return make(x, index=index, parent_meta=parent_meta)


def concat(dfs: Any, **kwargs: Any) -> Any:
    """Partitions one after the other; see :func:`samite.dataframe.joining.concat`."""
    from samite.dataframe.joining import concat as join

    return join(dfs, **kwargs)


def tolist(obj: Any) -> Any:
    """The values of a series or an index as a list."""
    return tolist_dispatch(obj)


def is_categorical_dtype(obj: Any) -> bool:
    """Whether a series, an index or a dtype is categorical."""
    return is_categorical_dtype_dispatch(getattr(obj, "dtype", obj))


def categorical_dtype(meta: Any, categories: Any = None, ordered: bool = False) -> Any:
    """The dtype of categoricals of the library that ``meta`` is of."""
    return categorical_dtype_dispatch(meta, categories=categories, ordered=ordered)


def union_categoricals(
    to_union: Any, sort_categories: bool = False, ignore_order: bool = False
) -> Any:
    """Categoricals one after the other, with the union of their categories."""
    join = union_categoricals_dispatch.dispatch(type(to_union[0]))
    return join(to_union, sort_categories=sort_categories, ignore_order=ignore_order)
