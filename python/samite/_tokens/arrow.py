"""Forms of Arrow's arrays, tables, schemas and types.

Data is hashed in the form in which Arrow would send it: slices count as what they show, and how
the rows are cut into chunks does not count.
"""

from __future__ import annotations

import hashlib

import pyarrow as pa

from samite.hashing import hash_buffer_hex
from samite.tokenize import _once, _register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Hasher:
    """A file that keeps nothing but the hash of what is written to it."""

    closed = False

    def __init__(self) -> None:
        self.hash = hashlib.sha256(usedforsecurity=False)

    def write(self, data: Any) -> int:
        self.hash.update(data)
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


# Data is looked at in pieces of this many rows, each of which is copied.
_ROWS = 1 << 16


def table_hash(table: pa.Table) -> str:
    """A hash of a table's schema and values."""
    hasher = _Hasher()
    with pa.ipc.new_stream(pa.PythonFile(hasher, mode="w"), table.schema) as writer:
        for start in range(0, table.num_rows, _ROWS):
            pieces = [_compact(column.slice(start, _ROWS)) for column in table.columns]
            writer.write_batch(pa.RecordBatch.from_arrays(pieces, schema=table.schema))
    return hasher.hash.digest()[:16].hex()


def _compact(column: pa.ChunkedArray) -> pa.Array:
    """One array without what lies around the values in the memory that a slice shows a part of."""
    # Two arrays make it copy; a single one would be handed back as it is.
    return pa.concat_arrays([*column.chunks, column.chunk(0).slice(0, 0)])


def column_hash(values: pa.Array | pa.ChunkedArray) -> str:
    """A hash of one array's type and values."""
    return table_hash(pa.table([values], names=["values"]))


@_once
def _table(x: pa.Table) -> tuple:
    return ("arrow", "table", table_hash(x))


@_once
def _batch(x: pa.RecordBatch) -> tuple:
    return ("arrow", "batch", table_hash(pa.Table.from_batches([x])))


@_once
def _column(x: Any) -> tuple:
    return ("arrow", type(x).__name__, column_hash(x))


def _buffer(x: pa.Buffer) -> tuple:
    return ("arrow", "buffer", hash_buffer_hex(x))


@_once
def _schema(x: pa.Schema) -> tuple:
    return ("arrow", "schema", hash_buffer_hex(x.serialize()))


@_once
def _field(x: pa.Field) -> tuple:
    return ("arrow", "field", hash_buffer_hex(pa.schema([x]).serialize()))


@_once
def _type(x: pa.DataType) -> tuple:
    return ("arrow", "type", hash_buffer_hex(pa.schema([pa.field("x", x)]).serialize()))


def register() -> None:
    """Tell the dispatcher about Arrow's types."""
    _register(pa.Table)(_table)
    _register(pa.RecordBatch)(_batch)
    _register(pa.Array, pa.ChunkedArray)(_column)
    _register(pa.Buffer)(_buffer)
    _register(pa.Schema)(_schema)
    _register(pa.Field)(_field)
    _register(pa.DataType)(_type)
