"""Bags of the lines of text files."""

from __future__ import annotations

import codecs
import copy
import io
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

from samite._task_spec import Task
from samite.bag import native
from samite.bag.core import Bag
from samite.bag.files import file_size, file_version, files_at, is_local, is_plain, read_block
from samite.bag.graphs import chain_task, graph_of
from samite.tokenize import tokenize
from samite.utils import parse_bytes

__all__ = ["TextBlock", "read_text"]

# What a text layer of Python understands as the end of a line by itself.
_NEWLINES = (None, "", "\n", "\r", "\r\n")
_CHUNK = 1 << 16
# What the engine decompresses, by fsspec's names.
_ENGINE_COMPRESSIONS = {
    None: None, "gzip": "gzip", "bz2": "bz2", "xz": "xz", "zstd": "zstd", "lz4": "lz4",
}  # fmt: skip


def read_text(
    urlpath: Any,
    blocksize: Any = None,
    compression: str | None = "infer",
    encoding: str = "utf-8",
    errors: str = "strict",
    linedelimiter: str | None = None,
    collection: bool = True,
    storage_options: dict[str, Any] | None = None,
    files_per_partition: int | None = None,
    include_path: bool = False,
) -> Any:
    """A bag of the lines of text files, with their line ends.

    Parameters
    ----------
    urlpath:
        A path or URL, possibly with ``*``, or a list of them.
    blocksize:
        Bytes of a partition, or text such as ``"64 MiB"``: large files are cut at line ends. By
        default a file is a partition.
    compression:
        ``"gzip"``, ``"bz2"``, ``"xz"`` and what else fsspec knows; ``"infer"``: by the file's
        name; None: none.
    encoding, errors:
        As for :func:`open`.
    linedelimiter:
        What ends a line; by default ``\\n``, ``\\r`` or ``\\r\\n``, each of which is read as
        ``\\n``.
    collection:
        False: a list of lazy values, one a partition, in place of a bag.
    storage_options:
        For the file system, such as ``{"anon": True}``.
    files_per_partition:
        How many files make a partition.
    include_path:
        Pairs of a line and the path of its file, in place of lines.

    Raises
    ------
    ValueError
        If no file is there, or options do not fit together.

    Examples
    --------
    >>> lines = read_text("2026-*.log", blocksize="64 MiB")  # doctest: +SKIP
    >>> lines = read_text("s3://bucket/*.json.gz")  # doctest: +SKIP
    """
    if blocksize is not None and files_per_partition is not None:
        raise ValueError("Only one of blocksize or files_per_partition can be set")
    if not isinstance(urlpath, (str, os.PathLike, list, tuple, set)):
        raise TypeError(
            f"read_text expects a path, a URL or a list of them, got {type(urlpath).__name__}"
        )
    codecs.lookup(encoding)
    codecs.lookup_error(errors)
    if linedelimiter is not None and not isinstance(linedelimiter, str):
        raise TypeError(f"linedelimiter must be text, got {type(linedelimiter).__name__}")
    if files_per_partition is not None and files_per_partition < 1:
        raise ValueError(f"files_per_partition must be at least 1, got {files_per_partition}")
    blocks = text_blocks(
        urlpath, blocksize, compression, encoding, errors, linedelimiter, storage_options
    )
    groups = [
        blocks[i : i + (files_per_partition or 1)]
        for i in range(0, len(blocks), files_per_partition or 1)
    ]
    bag = bag_of_blocks("read-text", groups, include_path)
    if not include_path and files_per_partition is None:
        bag._native = native_source(blocks)
    return bag if collection else bag.to_delayed(optimize_graph=False)


def bag_of_blocks(what: str, groups: list[list[TextBlock]], include_path: bool) -> Bag:
    """A bag of the lines of blocks of files."""
    name = f"{what}-{tokenize(groups, include_path)}"
    layer = {
        (name, i): chain_task((name, i), Task(None, TextLines, group, include_path))
        for i, group in enumerate(groups)
    }
    return Bag(graph_of(name, layer, []), name, len(layer))


def native_source(blocks: list[TextBlock]) -> Any:
    """How the engine reads the blocks, where it can."""
    if not all(block.is_native() for block in blocks):
        return None
    return native.source_of_text(
        [block.for_engine() for block in blocks],
        blocks[0].delimiter is None,
    )


def text_blocks(
    urlpath: Any,
    blocksize: Any,
    compression: str | None,
    encoding: str,
    errors: str,
    linedelimiter: str | None,
    storage_options: dict[str, Any] | None,
    may_be_whole: bool = False,
) -> list[TextBlock]:
    """The blocks of all files, in order.

    Parameters
    ----------
    may_be_whole:
        Whether a file that cannot be cut is one block.

    Raises
    ------
    ValueError
        If there is none, or blocks of a compressed file are asked for.
    """
    if isinstance(blocksize, str):
        blocksize = parse_bytes(blocksize)
    if blocksize is not None and blocksize < 1:
        raise ValueError(f"blocksize must be at least 1, got {blocksize}")
    files = files_at(urlpath, compression, storage_options)
    if not files:
        raise ValueError("No files found", urlpath)
    blocks: list[TextBlock] = []
    for file in files:
        path, used = file.path, file.compression
        if used is not None:
            check_compression(used)
        version = file_version(file)
        cut = [(0, None)]
        if blocksize is not None and not (may_be_whole and used is not None):
            cut = _cut(path, used, file_size(file), blocksize, may_be_whole)
        for offset, length in cut:
            blocks.append(TextBlock(file, offset, length, encoding, errors, linedelimiter, version))
    if not blocks:
        raise ValueError("No files found", urlpath)
    return blocks


def _cut(
    path: str, compression: str | None, size: int | None, blocksize: int, may_be_whole: bool
) -> list[Any]:
    """First bytes and lengths of the blocks of a file."""
    if compression is not None:
        raise ValueError(
            "Cannot do chunked reads on compressed files. To read, set blocksize=None: "
            f"{path} is compressed with {compression}"
        )
    if may_be_whole and not size:
        return [(0, None)]
    if size is None:
        raise ValueError(
            f"The size of {path} is unknown, so it cannot be read in blocks. To read, set "
            "blocksize=None"
        )
    count = max(1, size // blocksize)
    edges = [size * i // count for i in range(count + 1)] if size else []
    return [(start, stop - start) for start, stop in zip(edges, edges[1:])]


def check_compression(name: str) -> None:
    """Raise where nothing here decompresses files of this kind."""
    from fsspec.compression import compr

    if name not in compr:
        known = sorted(kind for kind in compr if kind)
        raise ValueError(f"Compression type {name} not supported; known are {known}")


class TextBlock:
    """A part of a file that begins and ends at line ends: what to read, and how."""

    __slots__ = (
        "delimiter", "encoding", "errors", "file", "length", "offset", "version",
    )  # fmt: skip

    def __init__(
        self,
        file: Any,
        offset: int,
        length: int | None,
        encoding: str,
        errors: str,
        delimiter: str | None,
        version: Any,
    ) -> None:
        self.file = file
        self.offset = offset
        self.length = length
        self.encoding = encoding
        self.errors = errors
        self.delimiter = delimiter
        self.version = version

    def _parts(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in (
            "file", "offset", "length", "encoding", "errors", "delimiter", "version"
        ))  # fmt: skip

    def __reduce__(self) -> Any:
        return TextBlock, self._parts()

    def __dask_tokenize__(self) -> Any:
        file = self.file
        system = None if is_plain(file) else file.fs
        return (system, file.path, file.compression, *self._parts()[1:])

    def is_native(self) -> bool:
        """Whether the engine reads it by itself."""
        return (
            is_local(self.file)
            and self.file.compression in _ENGINE_COMPRESSIONS
            and self.errors == "strict"
            and self.delimiter in (None, "\n")
            and codecs.lookup(self.encoding).name == "utf-8"
        )

    def for_engine(self) -> tuple[str, int, int, str | None]:
        """The block as the engine takes it."""
        length = -1 if self.length is None else self.length
        return self.file.path, self.offset, length, _ENGINE_COMPRESSIONS[self.file.compression]

    def open(self) -> Any:
        """The text of the block, as a file."""
        if self.length is None:
            binary = copy.copy(self.file).open()
        else:
            delimiter = (self.delimiter or "\n").encode(self.encoding)
            with copy.copy(self.file) as file:
                binary = io.BytesIO(read_block(file, self.offset, self.length, delimiter))
        newline = self.delimiter if self.delimiter in _NEWLINES else ""
        return io.TextIOWrapper(binary, self.encoding, self.errors, newline)

    def lines(self) -> Iterator[str]:
        """The lines, each with its end."""
        with self.open() as text:
            if self.delimiter in _NEWLINES:
                yield from text
            else:
                yield from _split(text, self.delimiter)  # type: ignore[arg-type]

    def where(self, line: int) -> str:
        """Where the line of this number, counted from 1, begins."""
        path = self.file.path
        try:
            place = self.offset
            before = 0
            if self.length is not None and self.delimiter in (None, "\n"):
                with copy.copy(self.file) as file:
                    head = file.read(self.offset)
                    if self.offset:
                        # The block begins behind the first line end from its offset on.
                        head += file.readline()
                        place = len(head)
                    before = head.count(b"\n")
            with self._raw() as file:
                skipped = sum(len(file.readline()) for _ in range(line - 1))
        except Exception:
            return f"In {path}, line {line} of the block at byte {self.offset}."
        return f"In {path}, line {before + line}, which begins at byte {place + skipped}."

    def where_byte(self, byte: int) -> str:
        """The same of the line that begins at a byte of the file's text."""
        path = self.file.path
        try:
            with copy.copy(self.file) as file:
                line, left = 1, byte
                while left and (data := file.read(min(left, _CHUNK))):
                    line += data.count(b"\n")
                    left -= len(data)
        except Exception:
            return f"In {path}, the line that begins at byte {byte}."
        return f"In {path}, line {line}, which begins at byte {byte}."

    def _raw(self) -> Any:
        if self.length is None:
            return copy.copy(self.file)
        with copy.copy(self.file) as file:
            return io.BytesIO(read_block(file, self.offset, self.length, b"\n"))


def _split(text: Any, delimiter: str) -> Iterator[str]:
    """Pieces of a text that end with a delimiter, or with the text."""
    rest = ""
    while chunk := text.read(_CHUNK):
        *pieces, rest = (rest + chunk).split(delimiter)
        for piece in pieces:
            yield piece + delimiter
    if rest:
        yield rest


class TextLines:
    """The lines of a partition, read while they are asked for."""

    def __init__(self, blocks: list[TextBlock], include_path: bool) -> None:
        self.blocks = blocks
        self.include_path = include_path

    def __samite_open__(self) -> OpenLines:
        return OpenLines(self.blocks, self.include_path)

    def __samite_parse__(self, steps: Any) -> tuple[Any, Any] | None:
        """The values of lines of JSON, and the steps that are left, where the engine parses for the
        first one."""
        if self.include_path or not all(block.is_native() for block in self.blocks):
            return None
        from samite.bag.json_lines import parsed

        return parsed(self.blocks, steps)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.__samite_open__())


class OpenLines(Iterator[Any]):
    """An iterator of lines that knows where it stands."""

    def __init__(self, blocks: list[TextBlock], include_path: bool) -> None:
        self._blocks = blocks
        self._now: tuple[TextBlock, Any] | None = None
        self._include_path = include_path
        self._lines = itertools.chain.from_iterable(map(self._read, blocks))

    def _read(self, block: TextBlock) -> Iterator[Any]:
        counter = itertools.count(1)
        self._now = block, counter
        # Counting is the selectors' only purpose: it costs no frame for each line.
        lines = itertools.compress(lines_of(block), counter)
        if self._include_path:
            return zip(lines, itertools.repeat(block.file.path))
        return lines

    def __iter__(self) -> Iterator[Any]:
        return self._lines

    def __next__(self) -> Any:
        return next(self._lines)

    def where(self) -> str:
        """The place of the line that was read last."""
        if self._now is None:
            return ""
        block, counter = self._now
        return block.where(max(1, next(counter) - 1))


def lines_of(block: TextBlock) -> Iterator[str]:
    """The lines of a block; what is wrong with the file itself is said with its path."""
    try:
        yield from block.lines()
    except UnicodeDecodeError as error:
        raise _decode_error(block, error) from None
    except EOFError as error:
        raise EOFError(f"{block.file.path}: {error}") from error
    except OSError as error:
        if error.filename is not None or block.file.path in str(error):
            raise
        raise type(error)(f"{block.file.path}: {error}") from error
    except Exception as error:
        if type(error).__module__ in ("zlib", "lzma", "_lzma"):
            raise type(error)(f"{block.file.path}: {error}") from error
        raise


def _decode_error(block: TextBlock, error: UnicodeDecodeError) -> UnicodeDecodeError:
    """The error with the place in the file, counted from the file's beginning."""
    path = block.file.path
    try:
        decoder: Callable[..., Any] = codecs.getincrementaldecoder(block.encoding)
        place, line = 0, 1
        if block.length is not None and block.offset:
            with copy.copy(block.file) as file:
                head = file.read(block.offset) + file.readline()
                place, line = len(head), 1 + head.count(b"\n")
        state = decoder(block.errors)
        with block._raw() as file:
            while data := file.readline():
                try:
                    state.decode(data)
                except UnicodeDecodeError as found:
                    where = f"{path}, line {line}, byte {place + found.start}"
                    reason = f"{found.reason} ({where})"
                    return UnicodeDecodeError(
                        found.encoding, found.object, found.start, found.end, reason
                    )
                place += len(data)
                line += 1
    except OSError:
        pass
    return UnicodeDecodeError(
        error.encoding, error.object, error.start, error.end, f"{error.reason} ({path})"
    )
