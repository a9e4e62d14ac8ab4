"""pandas as the library of the partitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe.collections import DataFrame, Index, Scalar, Series
from samite.dataframe.dispatch import (
    get_collection_type,
    get_parallel_type,
    make_meta_dispatch,
    make_meta_obj,
    meta_nonempty,
)

for _kind, _collection in ((pd.DataFrame, DataFrame), (pd.Series, Series), (pd.Index, Index)):
    get_collection_type.register(_kind, lambda _, collection=_collection: collection)
    get_parallel_type.register(_kind, lambda _, collection=_collection: collection)
get_collection_type.register(object, lambda _: Scalar)
get_parallel_type.register(object, lambda _: Scalar)


@make_meta_dispatch.register((pd.DataFrame, pd.Series))
def _meta_of_frame(x: Any, index: Any = None) -> Any:
    return x.iloc[:0]


@make_meta_dispatch.register(pd.Index)
def _meta_of_index(x: Any, index: Any = None) -> Any:
    return x[:0]


@make_meta_obj.register((pd.DataFrame, pd.Series, pd.Index))
def _meta_of_description(x: Any, index: Any = None) -> Any:
    if isinstance(x, dict):
        return pd.DataFrame({c: pd.Series([], dtype=d) for c, d in x.items()}, index=index)
    if isinstance(x, tuple) and len(x) == 2:
        return pd.Series([], dtype=x[1], name=x[0], index=index)
    if isinstance(x, list):
        return pd.DataFrame({c: pd.Series([], dtype=d) for c, d in x}, index=index)
    return x


@meta_nonempty.register((pd.DataFrame, pd.Series, pd.Index))
def _made_up_rows(x: Any) -> Any:
    return x


@meta_nonempty.register(object)
def _made_up_scalar(x: Any) -> Any:
    return x


_ = np
