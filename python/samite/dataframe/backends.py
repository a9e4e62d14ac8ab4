"""pandas as the library of the partitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe import descriptions as descriptions
from samite.dataframe import example_rows as example_rows
from samite.dataframe import joining
from samite.dataframe.arrays import array_of
from samite.dataframe.collections import DataFrame, Index, Scalar, Series
from samite.dataframe.creation import DataFrameBackendEntrypoint as DataFrameBackendEntrypoint
from samite.dataframe.creation import PandasBackendEntrypoint as PandasBackendEntrypoint
from samite.dataframe.creation import dataframe_creation_dispatch as dataframe_creation_dispatch
from samite.dataframe.dispatch import (
    categorical_dtype_dispatch,
    from_pyarrow_table_dispatch,
    get_collection_type,
    get_parallel_type,
    grouper_dispatch,
    hash_object_dispatch,
    is_categorical_dtype_dispatch,
    meta_lib_from_array,
    partd_encode_dispatch,
    pyarrow_schema_dispatch,
    to_pandas_dispatch,
    to_pyarrow_table_dispatch,
    tolist_dispatch,
    union_categoricals_dispatch,
)
from samite.dataframe.libraries import is_block

_FRAME_LIKE = (pd.DataFrame, pd.Series)
_KINDS = (pd.DataFrame, pd.Series, pd.Index)

for _kind, _collection in ((pd.DataFrame, DataFrame), (pd.Series, Series), (pd.Index, Index)):
    get_collection_type.register(_kind, lambda _, collection=_collection: collection)
    get_parallel_type.register(_kind, lambda _, collection=_collection: collection)
    _collection._partition_type = _kind
get_collection_type.register(object, lambda meta: array_of if is_block(meta) else Scalar)
get_parallel_type.register(object, lambda _: Scalar)


@hash_object_dispatch.register(_KINDS)
def hash_of_rows(
    obj: Any,
    index: bool = True,
    encoding: str = "utf8",
    hash_key: str | None = None,
    categorize: bool = True,
) -> Any:
    """The hashes of rows, as unsigned integers of 64 bits."""
    return pd.util.hash_pandas_object(
        obj, index=index, encoding=encoding, hash_key=hash_key, categorize=categorize
    )


@grouper_dispatch.register(_FRAME_LIKE)
def grouper(obj: Any) -> Any:
    """pandas' class of groupers."""
    return pd.Grouper


@tolist_dispatch.register(_KINDS)
def list_of_values(obj: Any) -> list[Any]:
    """The values as a list."""
    return obj.tolist()


@is_categorical_dtype_dispatch.register(
    (pd.Series, pd.Index, pd.api.extensions.ExtensionDtype, np.dtype)
)
def is_categorical(obj: Any) -> bool:
    """Whether the dtype is categorical."""
    return isinstance(getattr(obj, "dtype", obj), pd.CategoricalDtype)


@union_categoricals_dispatch.register((pd.DataFrame, pd.Series, pd.Index, pd.Categorical))
def union_of_categoricals(
    to_union: Any, sort_categories: bool = False, ignore_order: bool = False
) -> Any:
    """Categoricals one after the other; see :func:`samite.dataframe.joining.union_categoricals`."""
    return joining.union_categoricals(to_union, sort_categories, ignore_order)


@categorical_dtype_dispatch.register(_KINDS)
def categorical_dtype(meta: Any, categories: Any = None, ordered: bool = False) -> Any:
    """pandas' dtype of categoricals."""
    return pd.CategoricalDtype(categories=categories, ordered=ordered)


@partd_encode_dispatch.register(pd.DataFrame)
def encoder_of_blocks(_: Any) -> Any:
    """The class that partd writes frames with."""
    from partd import PandasBlocks

    return PandasBlocks


@meta_lib_from_array.register(np.ndarray)
def library_for_array(x: Any) -> Any:
    """The library of data frames for arrays of NumPy."""
    return pd


@meta_lib_from_array.register_lazy("samite")
def _library_for_lazy_arrays() -> None:
    from samite.array import Array

    meta_lib_from_array.register(Array, lambda x: meta_lib_from_array(x._meta))


@pyarrow_schema_dispatch.register(pd.DataFrame)
def arrow_schema(obj: pd.DataFrame, preserve_index: bool | None = None) -> Any:
    """The Arrow schema of a frame."""
    import pyarrow as pa

    return pa.Schema.from_pandas(obj, preserve_index=preserve_index)


@to_pyarrow_table_dispatch.register(pd.DataFrame)
def arrow_table(obj: pd.DataFrame, **kwargs: Any) -> Any:
    """A frame as an Arrow table."""
    import pyarrow as pa

    return pa.Table.from_pandas(obj, **kwargs)


@from_pyarrow_table_dispatch.register(pd.DataFrame)
def frame_of_table(meta: pd.DataFrame, table: Any, **kwargs: Any) -> pd.DataFrame:
    """An Arrow table as a frame with string columns like those of ``meta``."""
    import pyarrow as pa

    strings = [d for d in meta.dtypes if isinstance(d, pd.StringDtype)]
    mapping = {}
    if strings:
        mapping = dict.fromkeys((pa.string(), pa.large_string()), strings[0])
    kwargs.setdefault("types_mapper", mapping.get)
    return table.to_pandas(**kwargs)


@to_pandas_dispatch.register(_KINDS)
def as_pandas(data: Any, **kwargs: Any) -> Any:
    """The object itself."""
    return data
