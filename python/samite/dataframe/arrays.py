"""Frames as arrays, and in NumPy's functions."""

from __future__ import annotations

from typing import Any

from samite.dataframe.expressions.node import FrameExpr


def array_of(expr: FrameExpr, lengths: Any = None, meta: Any = None, optimize: bool = True) -> Any:
    """The partitions of an expression, which are arrays, as the blocks of a lazy array.

    Parameters
    ----------
    lengths:
        The number of rows of each partition; by default not known.
    meta:
        An empty array like the blocks; by default that of the expression.
    """
    import numpy as np

    from samite._task_spec import Alias
    from samite.array import Array
    from samite.highlevelgraph import HighLevelGraph

    meta = expr._meta if meta is None else meta
    source = expr.optimize() if optimize else expr.lower_completely()
    graph = dict(source.__dask_graph__())
    name = f"array-of-{expr._name}"
    tail = (0,) * (meta.ndim - 1)
    for index, key in enumerate(source.__dask_keys__()):
        own = (name, index, *tail)
        graph[own] = Alias(own, key)
    rows = (np.nan,) * expr.npartitions if lengths is None else tuple(lengths)
    chunks = (rows, *((size,) for size in meta.shape[1:]))
    layers = HighLevelGraph.from_collections(name, graph, dependencies=[])
    return Array(layers, name, chunks, meta=meta, dtype=meta.dtype)


def to_array(frame: Any, lengths: Any, meta: Any, optimize: bool) -> Any:
    """See :meth:`DataFrame.to_dask_array`.

    Raises
    ------
    ValueError
        ``lengths`` is neither True nor a list with one length per partition.
    """
    from samite.array.utils import meta_from_array
    from samite.dataframe.expressions.conversions import RowsAsArray

    sizes = partition_lengths(frame, lengths)
    expr = RowsAsArray(frame.expr)
    found = expr._meta
    if meta is not None:
        found = meta_from_array(meta, ndim=found.ndim)[tuple(slice(0, n) for n in found.shape)]
        found = found if found.shape == expr._meta.shape else expr._meta.astype(found.dtype)
    return array_of(expr, sizes, found, optimize)


def to_records(frame: Any, index: Any = True, lengths: Any = None) -> Any:
    """See :meth:`DataFrame.to_records`."""
    from samite.dataframe.expressions.conversions import RowsAsRecords

    sizes = partition_lengths(frame, lengths)
    return array_of(RowsAsRecords(frame.expr, index), sizes)


def partition_lengths(frame: Any, lengths: Any) -> Any:
    """The rows of each partition: computed for True, checked for a list, None for None.

    Raises
    ------
    ValueError
        ``lengths`` is of another kind, or has not one number per partition.
    """
    if lengths is None or lengths is False:
        return None
    if lengths is True:
        from samite.dataframe.collections import new_collection
        from samite.dataframe.expressions.conversions import RowCounts

        return tuple(int(n) for n in new_collection(RowCounts(frame.expr)).compute())
    if not isinstance(lengths, (list, tuple)):
        raise ValueError(f"Unexpected value for lengths: {lengths!r}; give True or a list")
    if len(lengths) != frame.npartitions:
        raise ValueError(
            "The number of items in 'lengths' does not match the number of partitions. "
            f"{len(lengths)} != {frame.npartitions}"
        )
    return tuple(lengths)


def call_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """A universal function of NumPy, row by row, or NotImplemented.

    With pandas objects and arrays, lazy scalars are computed. ``out`` takes one collection, whose
    expression is replaced.

    Raises
    ------
    TypeError, ValueError
        ``out`` is of another type than the result, or has another number of columns.
    """
    import numpy as np
    import pandas as pd

    from samite.dataframe.collections import FrameBase, new_collection
    from samite.dataframe.conversion import as_collection
    from samite.dataframe.elementwise import aligned, operand_of
    from samite.dataframe.expressions.ufuncs import UfuncCall

    if method != "__call__" or ufunc.signature is not None or ufunc.nout != 1:
        return NotImplemented
    targets = keywords.pop("out", ())
    inputs = tuple(
        value[()] if isinstance(value, np.ndarray) and not value.ndim else value for value in inputs
    )
    has_rows = any(isinstance(value, FrameBase) and value.ndim for value in inputs)
    concrete = [v for v in inputs if isinstance(v, (pd.DataFrame, pd.Series, np.ndarray))]
    if concrete and not has_rows and not targets:
        computed = [v.compute() if isinstance(v, FrameBase) else v for v in inputs]
        return ufunc(*computed, **keywords)
    for value in (*inputs, *targets):
        lazy = isinstance(value, FrameBase) or hasattr(type(value), "__dask_graph__")
        if not lazy and not isinstance(value, (pd.DataFrame, pd.Series)):
            if not pd.api.types.is_scalar(value):
                return NotImplemented
    operands = aligned(*[operand_of(as_collection(value)) for value in inputs])
    result = new_collection(UfuncCall(ufunc, tuple(sorted(keywords.items())), *operands))
    if not targets:
        return result
    (target,) = targets
    if not isinstance(target, FrameBase) or type(target) is not type(result):
        raise TypeError(
            f"Mismatched types between result and out: {type(result).__name__} and "
            f"{type(target).__name__}"
        )
    if target.ndim == 2 and len(target.columns) != len(result.columns):
        raise ValueError(
            f"Mismatched columns count between result and out: {len(result.columns)} and "
            f"{len(target.columns)}"
        )
    target._expr = result.expr
    return target


def warn_of_extension_dtypes(frame: Any) -> None:
    """Say which dtypes of pandas become objects in an array."""
    import warnings

    import pandas as pd

    meta = frame._meta
    dtypes = list(meta.dtypes) if isinstance(meta, pd.DataFrame) else [meta.dtype]
    found = [d for d in dtypes if isinstance(d, pd.api.extensions.ExtensionDtype)]
    if found:
        names = ", ".join(dict.fromkeys(str(dtype) for dtype in found))
        warnings.warn(
            "Dask currently has limited support for converting pandas extension dtypes to arrays. "
            f"Converting {names} to object dtype.",
            UserWarning,
            stacklevel=4,
        )
