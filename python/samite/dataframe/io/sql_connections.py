"""Connections to data bases: SQLAlchemy's, and those of ADBC, which give rows as Arrow has them."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

# The dialects of SQLAlchemy by the names that ADBC's drivers have for their data bases.
_DIALECTS = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mysql"}


@dataclasses.dataclass(frozen=True)
class Connector:
    """What opens connections to one data base, on any worker.

    ``con`` is a URI for SQLAlchemy, or a function without arguments that opens a connection of
    ADBC. ``engine_kwargs`` are those of ``sqlalchemy.create_engine``.
    """

    con: Any
    engine_kwargs: dict[str, Any]

    @staticmethod
    def of(con: Any, engine_kwargs: dict[str, Any] | None) -> Connector:
        """The connector of what a user has given.

        Raises
        ------
        TypeError
            It is neither a URI nor a function, or options of SQLAlchemy are given for ADBC.
        """
        if not isinstance(con, str) and (not callable(con) or hasattr(con, "connect")):
            raise TypeError(
                "'con' must be of type str, the URI of the data base, or a function that opens a "
                f"connection of ADBC, not {type(con)}. Workers open connections of their own, "
                "which they cannot do by an engine or a connection."
            )
        if engine_kwargs and not isinstance(con, str):
            raise TypeError("engine_kwargs are for SQLAlchemy; a function that connects takes none")
        return Connector(con, dict(engine_kwargs or {}))

    @contextlib.contextmanager
    def reading(self) -> Iterator[Callable[..., pd.DataFrame]]:
        """A function that reads a query of SQLAlchemy, with keywords of ``pandas.read_sql``."""
        if isinstance(self.con, str):
            import sqlalchemy as sa

            engine = sa.create_engine(self.con, **self.engine_kwargs)
            try:
                yield lambda query, **options: _read(query, engine, options)
            finally:
                engine.dispose()
            return
        with self._connection() as connection:
            dialect = _dialect_of(connection)
            yield lambda query, **options: _read(_text_of(query, dialect), connection, options)

    def table(self, name: str, schema: str | None) -> Any:
        """A table with its columns, as SQLAlchemy has it."""
        import sqlalchemy as sa

        if isinstance(self.con, str):
            engine = sa.create_engine(self.con, **self.engine_kwargs)
            try:
                return sa.Table(name, sa.MetaData(), autoload_with=engine, schema=schema)
            finally:
                engine.dispose()
        with self._connection() as connection:
            found = connection.adbc_get_table_schema(name, db_schema_filter=schema)
        columns = [sa.Column(field.name, _type_of(field.type)) for field in found]
        return sa.Table(name, sa.MetaData(), *columns, schema=schema)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        from adbc_driver_manager.dbapi import Connection

        connection = self.con()
        if not isinstance(connection, Connection):
            raise TypeError(
                "'con' must be a function that opens a connection of ADBC, such as "
                "functools.partial(adbc_driver_sqlite.dbapi.connect, path); it gave "
                f"{type(connection)}"
            )
        with contextlib.closing(connection):
            yield connection


def _read(query: Any, connection: Any, options: dict[str, Any]) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return pd.read_sql(query, connection, **options)


def _dialect_of(connection: Any) -> Any:
    from sqlalchemy.dialects import registry
    from sqlalchemy.engine.default import DefaultDialect

    vendor = str(connection.adbc_get_info().get("vendor_name", "")).lower()
    name = _DIALECTS.get(vendor)
    return DefaultDialect() if name is None else registry.load(name)()


def _text_of(query: Any, dialect: Any) -> str:
    """A query as text with its values: pandas gives ADBC's drivers no parameters."""
    return str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _type_of(kind: Any) -> Any:
    """The type of SQLAlchemy whose literals compare with a column of a type of Arrow."""
    import pyarrow as pa
    import sqlalchemy as sa

    if pa.types.is_integer(kind):
        return sa.BigInteger()
    if pa.types.is_floating(kind):
        return sa.Float()
    if pa.types.is_timestamp(kind):
        return sa.DateTime()
    if pa.types.is_date(kind):
        return sa.Date()
    if pa.types.is_boolean(kind):
        return sa.Boolean()
    return sa.String()
