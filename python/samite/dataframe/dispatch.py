"""What is done in one way for pandas and in another for libraries like it."""

from __future__ import annotations

from samite._dispatch import get_collection_type
from samite.utils import Dispatch

__all__ = [
    "categorical_dtype_dispatch",
    "concat_dispatch",
    "from_pyarrow_table_dispatch",
    "get_collection_type",
    "get_parallel_type",
    "group_split_dispatch",
    "grouper_dispatch",
    "hash_object_dispatch",
    "is_categorical_dtype_dispatch",
    "make_meta_dispatch",
    "make_meta_obj",
    "meta_lib_from_array",
    "meta_nonempty",
    "partd_encode_dispatch",
    "pyarrow_schema_dispatch",
    "to_pandas_dispatch",
    "to_pyarrow_table_dispatch",
    "tolist_dispatch",
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
