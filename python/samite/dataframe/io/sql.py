"""Tables and queries of data bases, through SQLAlchemy or ADBC."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe.io.sql_connections import Connector
from samite.dataframe.io.sql_writing import to_sql

__all__ = ["read_sql", "read_sql_query", "read_sql_table", "to_sql"]


@dataclasses.dataclass
class _Source:
    """What reading a part needs to know beside its query."""

    connector: Connector
    index: str
    meta: pd.DataFrame
    options: dict[str, Any]


def read_sql(sql: Any, con: Any, index_col: Any, **kwargs: Any) -> Any:
    """A data frame of a table, by its name, or of a query of SQLAlchemy; see
    :func:`read_sql_table` and :func:`read_sql_query`."""
    if isinstance(sql, str):
        return read_sql_table(sql, con, index_col, **kwargs)
    return read_sql_query(sql, con, index_col, **kwargs)


def read_sql_table(
    table_name: str,
    con: Any,
    index_col: Any,
    divisions: Any = None,
    npartitions: int | None = None,
    limits: Any = None,
    columns: Any = None,
    bytes_per_chunk: Any = "256 MiB",
    head_rows: int = 5,
    schema: str | None = None,
    meta: Any = None,
    engine_kwargs: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Any:
    """A data frame of a table of a data base, cut by the values of a column.

    Parameters
    ----------
    con:
        The URI of the data base, as SQLAlchemy takes it, or a function without arguments that
        opens a connection of ADBC, such as
        ``functools.partial(adbc_driver_sqlite.dbapi.connect, path)``.
    index_col:
        The column that becomes the index. The data base should have an index of it.
    columns:
        Names or columns of SQLAlchemy; by default all.
    schema:
        The schema of the data base that the table is in.

    The other parameters are those of :func:`read_sql_query`.

    Raises
    ------
    TypeError
        Arguments have other types, or the column is of text and ``divisions`` is not given.
    """
    import sqlalchemy as sa

    if not isinstance(table_name, str):
        raise TypeError(
            f"`table_name` must be of type str, not {type(table_name)}; use read_sql_query for "
            "queries"
        )
    connector = Connector.of(con, engine_kwargs)
    table = connector.table(table_name, schema)
    index = table.columns[index_col] if isinstance(index_col, str) else index_col
    chosen = list(table.columns) if columns is None else [_column(table, c) for c in columns]
    if index.name not in [c.name for c in chosen]:
        chosen.append(index)
    return _read(
        sa.select(*chosen).select_from(table), index, connector, divisions, npartitions, limits,
        bytes_per_chunk, head_rows, meta, kwargs,
    )  # fmt: skip


def _column(table: Any, column: Any) -> Any:
    return table.columns[column] if isinstance(column, str) else column


def read_sql_query(
    sql: Any,
    con: Any,
    index_col: Any,
    divisions: Any = None,
    npartitions: int | None = None,
    limits: Any = None,
    bytes_per_chunk: Any = "256 MiB",
    head_rows: int = 5,
    meta: Any = None,
    engine_kwargs: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Any:
    """A data frame of a query, cut by the values of a column.

    Parameters
    ----------
    sql:
        A query of SQLAlchemy; texts are not taken, since bounds are added to it.
    con:
        The URI of the data base, as SQLAlchemy takes it, or a function without arguments that
        opens a connection of ADBC.
    index_col:
        The column of the result that becomes the index.
    divisions:
        The bounds of the partitions. By default as many as ``npartitions``, between ``limits``,
        or between the least and the greatest value.
    npartitions:
        By default as many as give each ``bytes_per_chunk`` bytes.
    head_rows:
        How many rows to find dtypes and bytes per row in.
    meta:
        A frame with columns and dtypes, which the rows are converted to.
    engine_kwargs:
        For ``sqlalchemy.create_engine``.
    kwargs:
        Of ``pandas.read_sql``.

    Raises
    ------
    TypeError
        Arguments have other types; or the column is neither of numbers nor of times and
        ``divisions`` is not given.
    ValueError
        The query is a text, or ``meta`` is needed.
    """
    import sqlalchemy as sa

    if isinstance(sql, str) or isinstance(sql, sa.TextClause):
        raise ValueError(
            "Only SQLAlchemy queries are taken, not texts, since each partition adds its bounds "
            "to the query; make it by `sqlalchemy.select`, or name a table in read_sql_table"
        )
    connector = Connector.of(con, engine_kwargs)
    inner = sql.subquery()
    name = index_col if isinstance(index_col, str) else index_col.name
    return _read(
        sa.select(inner), inner.c[name], connector, divisions, npartitions, limits,
        bytes_per_chunk, head_rows, meta, kwargs,
    )  # fmt: skip


def _read(
    query: Any,
    index: Any,
    connector: Connector,
    divisions: Any,
    npartitions: int | None,
    limits: Any,
    bytes_per_chunk: Any,
    head_rows: int,
    meta: Any,
    options: dict[str, Any],
) -> Any:
    import sqlalchemy as sa

    from samite.dataframe.io.from_map import from_map
    from samite.dataframe.metadata import make_meta

    if divisions is not None and npartitions is not None:
        raise TypeError("Must supply either 'divisions' or 'npartitions', not both")
    with connector.reading() as read:
        bytes_per_row = None
        if head_rows > 0:
            head = read(query.limit(head_rows), index_col=index.name, **options)
            if len(head) == 0 and meta is None:
                from samite.dataframe.io.from_pandas import from_pandas

                return from_pandas(head, npartitions=1)
            if len(head):
                used = head.memory_usage(deep=True, index=True).sum()
                bytes_per_row = used / len(head)
            found = head.iloc[:0] if meta is None else make_meta(meta)
        elif meta is None:
            raise ValueError("Must provide 'meta' if 'head_rows' is 0")
        elif divisions is None and npartitions is None:
            raise ValueError("Must provide 'divisions' or 'npartitions' if 'head_rows' is 0")
        else:
            found = make_meta(meta)
        missing = 0
        if divisions is None:
            divisions, missing = _divisions(
                read, query, index, limits, npartitions, bytes_per_row, bytes_per_chunk
            )
    queries = []
    for position, (lower, upper) in enumerate(zip(divisions, divisions[1:], strict=False)):
        lower, upper = _plain(lower), _plain(upper)
        is_last = position == len(divisions) - 2
        below = index <= upper if is_last else index < upper
        queries.append(query.where(sa.and_(index >= lower, below)))
    if missing:
        # Rows without an index value are between no bounds.
        queries.append(query.where(index.is_(None)))
        divisions = (None,) * (len(queries) + 1)
    source = _Source(connector, index.name, found, dict(options))
    return from_map(
        _read_part,
        queries,
        source=source,
        meta=found,
        divisions=tuple(divisions),
        label="read-sql",
    )


def _divisions(
    read: Callable[..., pd.DataFrame],
    query: Any,
    index: Any,
    limits: Any,
    npartitions: int | None,
    bytes_per_row: float | None,
    bytes_per_chunk: Any,
) -> tuple[list[Any], int]:
    """Bounds of partitions, and how many rows have no index value."""
    import sqlalchemy as sa

    from samite.utils import parse_bytes

    inner = query.subquery()
    column = inner.c[index.name]
    missing = 0
    if limits is None:
        found = read(sa.select(sa.func.max(column).label("high"), sa.func.min(column).label("low")))
        high, low = found.iloc[0]
        dtype = found.dtypes["high"]
        counted = sa.select(sa.func.count()).select_from(inner).where(column.is_(None))
        missing = int(read(counted).iloc[0, 0])
    else:
        low, high = limits
        dtype = pd.Series(list(limits)).dtype
    if npartitions is None:
        count = read(sa.select(sa.func.count()).select_from(inner)).iloc[0, 0]
        size = count * (bytes_per_row or 1)
        npartitions = max(int(round(size / parse_bytes(bytes_per_chunk))), 1)
    if dtype.kind == "M":
        low, high = pd.Timestamp(low), pd.Timestamp(high)
        return list(pd.date_range(low, high, periods=npartitions + 1)), missing
    if dtype.kind in "iuf":
        if dtype.kind != "f":
            low, high = int(low), int(high)
        values = np.linspace(low, high, npartitions + 1, dtype=dtype).tolist()
        values[-1] = high
        distinct = sorted(set(values))
        return (distinct if len(distinct) > 1 else [low, high]), missing
    raise TypeError(
        f'Provided index column is of type "{dtype}".  If divisions is not provided the index '
        "column type must be numeric or datetime."
    )


def _plain(value: Any) -> Any:
    """A bound as drivers of data bases take it."""
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime(warn=False)
    return value.item() if isinstance(value, np.generic) else value


def _read_part(query: Any, source: _Source, columns: Any = None) -> pd.DataFrame:
    """The rows of a query, as the metadata has them."""
    with source.connector.reading() as read:
        frame = read(query, index_col=source.index, **source.options)
    meta = source.meta
    frame = frame[list(meta.columns)] if len(meta.columns) else frame[[]]
    if len(meta.columns):
        frame = frame.astype(meta.dtypes.to_dict())
    if not len(frame) and frame.index.dtype != meta.index.dtype:
        frame.index = meta.index
    return frame if columns is None else frame[columns]
