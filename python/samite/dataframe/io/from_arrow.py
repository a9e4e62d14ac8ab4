"""Frames of Arrow tables, and of everything that gives a stream of Arrow."""

from __future__ import annotations

from typing import Any

from samite.dataframe.collections import new_collection
from samite.dataframe.expressions.arrow_sources import FromArrow
from samite.dataframe.expressions.sources import Held
from samite.dataframe.io.dividing import even_starts

BACKENDS = (None, "numpy_nullable", "pyarrow")


def from_arrow(
    data: Any,
    npartitions: int | None = None,
    chunksize: int | None = None,
    dtype_backend: str | None = None,
) -> Any:
    """A data frame of the rows of an Arrow table, numbered from 0.

    Parameters
    ----------
    data:
        An Arrow table or record batch, or anything that gives a stream of Arrow
        (``__arrow_c_stream__``), such as a frame of Polars or a relation of DuckDB. Its memory is
        used where pandas can.
    npartitions:
        How many partitions to make, by default one.
    chunksize:
        Rows in a partition, in place of ``npartitions``.
    dtype_backend:
        ``"pyarrow"`` for Arrow's dtypes, ``"numpy_nullable"`` for pandas' own that have missing
        values; by default those that Arrow gives to pandas.

    Raises
    ------
    TypeError
        ``data`` is none of these.
    ValueError
        Both of ``npartitions`` and ``chunksize`` are given, one is less than 1, or there is no
        such ``dtype_backend``.
    """
    import pyarrow as pa

    if npartitions is not None and chunksize is not None:
        raise ValueError("Exactly one of npartitions and chunksize must be specified.")
    for name, count in (("npartitions", npartitions), ("chunksize", chunksize)):
        if count is not None and count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}")
    if dtype_backend not in BACKENDS:
        raise ValueError(f"dtype_backend is one of {BACKENDS[1:]}, got {dtype_backend!r}")
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if not isinstance(data, pa.Table):
        if not hasattr(data, "__arrow_c_stream__"):
            raise TypeError(
                "from_arrow takes an Arrow table or what gives a stream of Arrow, got "
                f"{type(data).__name__}"
            )
        data = pa.table(data)
    size = data.num_rows
    if chunksize is not None:
        starts = [*range(0, max(size, 1), chunksize), size]
    else:
        starts = even_starts(size, int(npartitions or 1)) if size else [0, 0]
    return new_collection(FromArrow(Held(data), starts, dtype_backend))


def from_polars(data: Any, npartitions: int | None = None, chunksize: int | None = None) -> Any:
    """A data frame of a Polars frame; see :func:`from_arrow`. A lazy one is collected.

    Raises
    ------
    TypeError
        ``data`` is no frame of Polars.
    """
    if type(data).__module__.partition(".")[0] != "polars":
        raise TypeError(f"from_polars takes a frame of Polars, got {type(data).__name__}")
    if hasattr(data, "collect"):
        data = data.collect()
    if not hasattr(data, "columns"):
        data = data.to_frame()
    return from_arrow(data, npartitions, chunksize)
