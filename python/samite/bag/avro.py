"""Bags of the records of Avro files, by fastavro."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from typing import Any

from samite.bag.core import Bag
from samite.bag.files import behind
from samite.bag.graphs import chain_task, graph_of
from samite.bag.textfiles import written_files
from samite.tokenize import tokenize


def _fastavro(what: str) -> Any:
    from samite.utils import import_required

    return import_required("fastavro", f"fastavro is a required dependency for using bag.{what}().")


def read_avro(
    urlpath: Any,
    blocksize: int | str | None = 100_000_000,
    storage_options: dict[str, Any] | None = None,
    compression: str | None = None,
) -> Bag:
    """A bag of the records of Avro files, as dicts.

    Parameters
    ----------
    urlpath:
        A path or URL, possibly with ``*``, or a list of them.
    blocksize:
        Bytes of a partition; files are cut between Avro's blocks. None: a file is a partition.
    storage_options:
        For the file system.
    compression:
        Of the file as a whole; Avro's own codecs need nothing here.

    Raises
    ------
    RuntimeError
        If fastavro is not installed.
    ValueError
        If no file is there, or a compressed file is to be cut.
    """
    _fastavro("read_avro")
    from fsspec.core import OpenFile, get_fs_token_paths

    from samite.bag.text import check_compression
    from samite.utils import parse_bytes

    if compression is not None:
        check_compression(compression)
        if blocksize is not None and blocksize != 100_000_000:
            raise ValueError("compressed Avro files cannot be cut: set blocksize=None")
        blocksize = None
    if isinstance(blocksize, str):
        blocksize = parse_bytes(blocksize)
    fs, token, paths = get_fs_token_paths(urlpath, mode="rb", storage_options=storage_options)
    if not paths:
        raise ValueError("No files found", urlpath)
    pieces: list[tuple[Any, int, int | None]] = []
    for path in paths:
        file = OpenFile(fs, path, compression=compression)
        size = None if blocksize is None else fs.info(path)["size"]
        count = 1 if not size or blocksize is None else max(1, size // blocksize)
        if count == 1 or size is None:
            pieces.append((file, 0, None))
            continue
        edges = [size * i // count for i in range(count + 1)]
        pieces += [(file, start, stop - start) for start, stop in zip(edges, edges[1:])]
    versions = [fs.ukey(path) for path in paths]
    name = f"read-avro-{tokenize(token, paths, versions, blocksize, compression)}"
    layer = {(name, i): chain_task((name, i), AvroBlock(*piece)) for i, piece in enumerate(pieces)}
    return Bag(graph_of(name, layer, []), name, len(layer))


class AvroBlock:
    """The records of a part of a file."""

    def __init__(self, file: Any, offset: int, length: int | None) -> None:
        self.file = file
        self.offset = offset
        self.length = length

    def __samite_open__(self) -> Iterator[Any]:
        return self.records()

    def records(self) -> Iterator[Any]:
        """The records."""
        fastavro = _fastavro("read_avro")
        path = self.file.path
        try:
            with copy.copy(self.file) as file:
                if self.length is None:
                    yield from fastavro.reader(file)
                    return
                reader = fastavro.reader(file)
                marker = reader._header["sync"]
                head_end = behind(file, 0, marker)
                file.seek(0)
                head = file.read(head_end)
                # The block begins behind the first marker from its offset on, and ends behind
                # the first one from its end on.
                start, stop = (
                    behind(file, place, marker) if place > head_end else head_end
                    for place in (self.offset, self.offset + self.length)
                )
                file.seek(start)
                body = file.read(stop - start)
            yield from fastavro.reader(io.BytesIO(head + body))
        except (EOFError, ValueError, IndexError) as error:
            if path in str(error):
                raise
            raise ValueError(f"{path}: the file is cut off or is no Avro file: {error}") from error


def to_avro(
    b: Bag,
    filename: Any,
    schema: Any,
    name_function: Callable[[int], str] | None = None,
    storage_options: dict[str, Any] | None = None,
    codec: str = "null",
    sync_interval: int = 16000,
    metadata: dict[str, Any] | None = None,
    compute: bool = True,
    **kwargs: Any,
) -> list[Any]:
    """Write each partition of a bag of dicts as an Avro file. Files get their names when all are
    complete; lazy values make each its own file appear.

    Parameters
    ----------
    filename:
        A path or URL with a ``*`` for the partition's number, a folder, or a list of paths.
    schema:
        The schema of a record, as Avro describes it: ``name``, ``type`` and ``fields``.
    codec:
        ``"null"``, ``"deflate"``, ``"snappy"``.
    sync_interval:
        Bytes of an Avro block.
    metadata:
        Further entries of the head of the files.
    compute:
        False: lazy values, one a file.

    Returns
    -------
    list
        The paths.

    Raises
    ------
    RuntimeError
        If fastavro is not installed.
    AssertionError
        If the schema is none of a record.
    """
    _fastavro("to_avro")
    from fsspec.core import open_files

    check_schema(schema)
    files = open_files(
        filename,
        "wb",
        name_function=name_function,
        num=b.npartitions,
        auto_mkdir=not compute,
        **(storage_options or {}),
    )
    name = f"to-avro-{tokenize(b, filename, schema, codec, sync_interval, metadata)}"
    writing = (schema, codec, sync_interval, metadata)
    return written_files(b, files, name, compute, kwargs, write_records, *writing)


def check_schema(schema: Any) -> None:
    """Raise AssertionError where a schema does not describe records."""
    if not isinstance(schema, dict):
        raise AssertionError(f"the schema of an Avro file is a dict, got {schema!r}")
    for entry in ("name", "type", "fields"):
        if entry not in schema:
            raise AssertionError(f"the schema has no {entry!r}")
    if schema["type"] != "record":
        raise AssertionError(f"the schema's type must be 'record', got {schema['type']!r}")
    if not isinstance(schema["fields"], list) or not schema["fields"]:
        raise AssertionError("the schema's fields must be a list with at least one entry")
    for field in schema["fields"]:
        if not isinstance(field, dict) or not {"name", "type"} <= field.keys():
            raise AssertionError(f"a field of the schema needs a name and a type, got {field!r}")


def write_records(
    records: Any,
    output: Any,
    schema: Any,
    codec: str,
    sync_interval: int,
    metadata: dict[str, Any] | None,
) -> Any:
    """Write the records of a partition."""
    fastavro = _fastavro("to_avro")
    options = {"codec": codec, "sync_interval": sync_interval, "metadata": metadata}
    return output.write(lambda file: fastavro.writer(file, schema, records, **options))
