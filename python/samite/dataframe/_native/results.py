"""Rows of the engine as objects of pandas, with the dtypes that the metadata promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from samite import _engine


class Layout(NamedTuple):
    """How columns of a plan make an object of pandas.

    ``columns`` are the names of its columns in the plan, ``levels`` those of the index (None for
    a range). ``meta`` is the empty object. ``reduced`` is 1 for one row that is a series over
    labels, 0 for one that is a scalar, else None.
    """

    meta: Any
    columns: tuple[str, ...]
    levels: tuple[str, ...] | None
    reduced: int | None = None


class Instead:
    """An expression, or one of its partitions, that pandas computes when the engine cannot. A task
    that has one as an argument sees nothing of the expression in it."""

    def __init__(self, expr: Any, partition: int | None = None) -> None:
        self._expression = expr
        self.partition = partition

    def of_partition(self, partition: int) -> Instead:
        """That of one partition."""
        return Instead(self._expression, partition)

    def compute(self, memory_limit: int | None) -> Any:
        """The object of pandas."""
        from samite._expr import FinalizeCompute
        from samite.dataframe.collections import new_collection
        from samite.threaded import get

        expr = self._expression
        if self.partition is not None:
            expr = new_collection(expr).partitions[self.partition].expr
        expr = FinalizeCompute(expr).optimize()
        (key,) = expr.__dask_keys__()
        return get(expr.__dask_graph__(), [key], memory_limit=memory_limit)[0]


def compute(
    plan: _engine.FramePlan,
    layout: Layout,
    threads: int,
    memory_limit: int | None,
    folder: Any,
    instead: Instead | None = None,
) -> Any:
    """Run a plan; an object of pandas."""
    import pyarrow as pa

    try:
        rows = plan.execute(threads, memory_limit, folder, coded=_coded(layout))
    except NotImplementedError:
        if instead is None:
            raise
        return instead.compute(memory_limit)
    return to_pandas(pa.table(rows), layout)


def compute_told(
    tell: Callable[[list[tuple[int, str, int, int, float]]], object],
    plan: _engine.FramePlan,
    layout: Layout,
    threads: int,
    memory_limit: int | None,
    folder: Any,
    instead: Instead | None = None,
) -> Any:
    """Run a plan, and tell what the engine's operators did; an object of pandas."""
    import pyarrow as pa

    try:
        rows, operators = plan.analyze(threads, memory_limit, folder)
    except NotImplementedError:
        if instead is None:
            raise
        return instead.compute(memory_limit)
    tell(operators)
    return to_pandas(pa.table(rows), layout)


def _coded(layout: Layout) -> Sequence[str]:
    """The columns that the engine may give as codes of sorted values, as an index has them."""
    if layout.levels is None or layout.reduced is not None:
        return ()
    index = getattr(layout.meta, "index", None)
    return layout.levels if isinstance(index, pd.MultiIndex) else ()


def part(whole: Any, position: int, count: int) -> Any:
    """One of ``count`` about equal parts of rows."""
    size = len(whole)
    return rows_between(whole, size * position // count, size * (position + 1) // count)


def rows_between(whole: Any, begin: int, end: int) -> Any:
    """The rows from ``begin`` to ``end``."""
    return whole[begin:end] if isinstance(whole, pd.Index) else whole.iloc[begin:end]


def to_pandas(table: Any, layout: Layout) -> Any:
    """The rows of a table of Arrow as ``layout`` has it."""
    meta = layout.meta
    if layout.reduced is not None:
        return _reduced(table, layout)
    index = _index(table, layout)
    if isinstance(meta, pd.DataFrame):
        arrays = [
            _array(table.column(name), dtype)
            for name, dtype in zip(layout.columns, meta.dtypes, strict=True)
        ]
        frame = pd.DataFrame(dict(enumerate(arrays)), index=index, copy=False)
        frame.columns = meta.columns
        return frame
    if isinstance(meta, pd.Index):
        return pd.Index(_array(table.column(layout.columns[0]), meta.dtype), name=meta.name)
    array = _array(table.column(layout.columns[0]), meta.dtype)
    return pd.Series(array, index=index, name=meta.name, copy=False)


def _index(table: Any, layout: Layout) -> Any:
    meta = layout.meta
    if isinstance(meta, pd.Index):
        return None
    if layout.levels is None:
        return pd.RangeIndex(table.num_rows, name=meta.index.name)
    own = meta.index
    if isinstance(own, pd.MultiIndex):
        columns = [table.column(name) for name in layout.levels]
        dtypes = [level.dtype for level in own.levels]
        if all(map(_is_level, columns, dtypes)):
            pairs = [_level(column, dtype) for column, dtype in zip(columns, dtypes, strict=True)]
            levels, codes = zip(*pairs, strict=True)
            return pd.MultiIndex(levels, codes, names=own.names, verify_integrity=False)
        levels = [
            pd.Index(_array(table.column(name), level.dtype))
            for name, level in zip(layout.levels, own.levels, strict=True)
        ]
        return pd.MultiIndex.from_arrays(levels, names=own.names)
    (level,) = layout.levels
    return pd.Index(_array(table.column(level), own.dtype), name=own.name)


def _is_level(column: Any, dtype: Any) -> bool:
    """Whether a column is codes of the sorted values of a level."""
    import pyarrow as pa

    own = pa.types.is_dictionary(column.type) and not isinstance(dtype, pd.CategoricalDtype)
    return own and column.num_chunks == 1


def _level(column: Any, dtype: Any) -> tuple[Any, Any]:
    """The values of a level, and the codes that stand for them."""
    import pyarrow as pa

    (chunk,) = column.chunks
    values = pd.Index(_array(pa.chunked_array([chunk.dictionary]), dtype))
    codes = chunk.indices
    if codes.null_count:
        # Integers with missing values are floats.
        values = values.astype("float64") if values.dtype.kind in "iu" else values
        codes = codes.fill_null(-1)
    return values, codes.to_numpy()


def _array(column: Any, dtype: Any) -> Any:
    """A column of Arrow as an array of the dtype. Integers with missing values are floats, and
    booleans objects, as they are where pandas joins them."""
    import pyarrow as pa

    if isinstance(dtype, pd.CategoricalDtype):
        return _categories(column, dtype)
    if isinstance(dtype, (pd.StringDtype, pd.DatetimeTZDtype)):
        array = dtype.__from_arrow__(column)
        return array if array.dtype == dtype else array.astype(dtype)
    if np.dtype(dtype).kind == "O":
        return column.to_pandas().to_numpy()
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    values = column.to_numpy()
    if values.dtype == dtype:
        return values
    if column.null_count:
        if values.dtype.kind == "f" and np.dtype(dtype).kind == "f":
            return values.astype(dtype)
        if np.dtype(dtype).kind == "b":
            return np.where(column.is_null().to_numpy(), np.nan, values)
        return values
    narrow = values.astype(dtype)
    # A sum that has outgrown the dtype of what was added keeps its own, as in pandas.
    whole = values.dtype.kind in "iu" and narrow.dtype.kind in "iu"
    return values if whole and not np.array_equal(narrow, values) else narrow


def _categories(column: Any, dtype: Any) -> Any:
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        values = column.to_pandas()
        _refuse_others(pd.Index(values.dropna().unique()), dtype)
        return pd.Categorical(values, dtype=dtype)
    codes = []
    for chunk in column.chunks:
        own = pd.Index(chunk.dictionary.to_pandas())
        _refuse_others(own, dtype)
        places = dtype.categories.get_indexer(own)
        numbers = chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        codes.append(np.where(numbers < 0, -1, np.append(places, -1)[numbers]))
    joined = np.concatenate(codes) if codes else np.empty(0, "int8")
    return pd.Categorical.from_codes(joined, dtype=dtype)


def _refuse_others(found: pd.Index, dtype: pd.CategoricalDtype) -> None:
    """Raise ValueError where there are categories that ``dtype`` lacks: they would be lost."""
    lost = found[dtype.categories.get_indexer(found) < 0]
    if len(lost):
        raise ValueError(
            f"Partitions have categories that the metadata lacks: {list(lost)[:5]!r}; name them "
            "with `.cat.set_categories`, or leave them open with `.cat.as_unknown`"
        )


def _reduced(table: Any, layout: Layout) -> Any:
    values = [_scalar(table.column(name)) for name in layout.columns]
    meta = layout.meta
    if layout.reduced == 0:
        return _as_kind(values[0], meta)
    series = pd.Series(values, index=meta.index if len(meta.index) else None)
    if isinstance(meta.dtype, np.dtype) and meta.dtype.kind in "iub" and series.hasnans:
        # There were too few values (min_count).
        return series
    return series.astype(meta.dtype)


def _scalar(column: Any) -> Any:
    array = column.to_numpy()
    return array[0] if len(array) else np.nan


def _as_kind(value: Any, meta: Any) -> Any:
    if isinstance(value, np.datetime64):
        return pd.Timestamp(value)
    if isinstance(value, np.timedelta64):
        return pd.Timedelta(value)
    if value is None:
        return np.nan
    if isinstance(value, np.integer) and type(meta) is int:
        return int(value)
    if isinstance(value, np.generic) and isinstance(meta, np.generic):
        missing = value.dtype.kind == "f" and np.isnan(value)
        return value if missing else meta.dtype.type(value)
    return value


def reduced_meta(labels: Sequence[Any], meta: Any) -> Any:
    """The metadata of a series over labels, with the labels."""
    return pd.Series(np.zeros(len(labels)), index=pd.Index(labels)).astype(meta.dtype)


def frame_of(table: Any) -> Any:
    """A table of Arrow as a frame with the dtypes that pandas has for its types."""
    import pyarrow as pa

    def dtype_of(kind: Any) -> Any:
        if pa.types.is_string_view(kind) or pa.types.is_large_string(kind):
            return pd.StringDtype(na_value=np.nan)
        return None

    casts = [
        field.with_type(pa.large_string()) if pa.types.is_string_view(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(casts)).to_pandas(types_mapper=dtype_of, use_threads=False)
