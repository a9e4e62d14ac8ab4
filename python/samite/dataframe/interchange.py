"""Frames handed to other libraries: the interchange protocol and Arrow's streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


class InterchangeFrame:
    """A frame by the interchange protocol of data frames.

    Columns and their number are known; the rest is computed when it is asked for, once.
    """

    version = 0

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self._computed: Any = None

    def _interchange(self) -> Any:
        if self._computed is None:
            self._computed = self._frame.compute().__dataframe__()
        return self._computed

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
        return self

    @property
    def metadata(self) -> dict[str, Any]:
        """What goes beyond the protocol: the index, under pandas' key."""
        return self._interchange().metadata

    def num_columns(self) -> int:
        """The number of columns."""
        return len(self._frame.columns)

    def num_rows(self) -> int:
        """The number of rows, which is computed."""
        return len(self._frame)

    def num_chunks(self) -> int:
        """The number of partitions."""
        return self._frame.npartitions

    def column_names(self) -> Iterable[Any]:
        """The labels of the columns."""
        return self._frame.columns

    def get_column(self, i: int) -> Any:
        """The column at a position."""
        return self._interchange().get_column(i)

    def get_column_by_name(self, name: str) -> Any:
        """The column of a label."""
        return self._interchange().get_column_by_name(name)

    def get_columns(self) -> Iterable[Any]:
        """All columns."""
        return self._interchange().get_columns()

    def select_columns(self, indices: Any) -> Any:
        """Columns by position."""
        return InterchangeFrame(self._frame[[self._frame.columns[i] for i in indices]])

    def select_columns_by_name(self, names: Any) -> Any:
        """Columns by label."""
        return InterchangeFrame(self._frame[list(names)])

    def get_chunks(self, n_chunks: int | None = None) -> Iterator[Any]:
        """The partitions, each a frame of its own."""
        if n_chunks is not None and n_chunks % self._frame.npartitions:
            raise ValueError(
                f"n_chunks must be a multiple of the {self._frame.npartitions} partitions, got "
                f"{n_chunks}"
            )
        for index in range(self._frame.npartitions):
            part = self._frame.partitions[index].compute().__dataframe__()
            if n_chunks is None or n_chunks == self._frame.npartitions:
                yield part
            else:
                yield from part.get_chunks(n_chunks // self._frame.npartitions)


def arrow_stream(frame: Any, requested_schema: Any) -> Any:
    """The rows as a capsule with a stream of Arrow record batches; one partition at a time is
    computed.

    Raises
    ------
    ValueError
        The partitions are of different types.
    """
    import pyarrow as pa

    schema = pa.Schema.from_pandas(frame._meta, preserve_index=None)
    if any(pa.types.is_null(field.type) for field in schema):
        # The metadata of objects does not tell what they are, so all rows have to.
        schema = _schema_of_rows(frame)

    def batches() -> Iterator[Any]:
        for index in range(frame.npartitions):
            part = frame.partitions[index].compute()
            table = pa.Table.from_pandas(part, schema=schema)
            yield from table.to_batches()

    reader = pa.RecordBatchReader.from_batches(schema, batches())
    return reader.__arrow_c_stream__(requested_schema)


def _schema_of_rows(frame: Any) -> Any:
    import pyarrow as pa

    from samite import base
    from samite.delayed import delayed

    read = delayed(pa.Schema.from_pandas)
    schemas = base.compute(*[read(part, preserve_index=None) for part in frame.to_delayed()])
    return pa.unify_schemas(schemas, promote_options="permissive")
