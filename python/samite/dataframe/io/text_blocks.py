"""Blocks of text files as pandas frames: what the tasks of ``read_csv`` and its kin do."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from samite.dataframe.io import arrow_text
from samite.dataframe.io.mismatches import coerce_dtypes


@dataclasses.dataclass
class TextBlock:
    """A part of a file that ends behind a delimiter, or bytes that are there already."""

    file: Any
    offset: int = 0
    length: int | None = None
    delimiter: bytes | None = None
    version: str = ""

    def read(self) -> bytes:
        """The bytes."""
        if isinstance(self.file, bytes):
            return self.file
        from samite.bytes.core import read_block_from_file

        return read_block_from_file(self.file, self.offset, self.length, self.delimiter)

    @property
    def path(self) -> str | None:
        return None if isinstance(self.file, bytes) else self.file.path

    def lines_before(self) -> int:
        """How many lines of the file come before the block."""
        if self.path is None or not self.offset:
            return 0
        # A block begins behind the first delimiter at or after its offset.
        before = TextBlock(self.file, 0, self.offset, self.delimiter).read()
        return before.count(self.delimiter or b"\n")

    def __dask_tokenize__(self) -> Any:
        if isinstance(self.file, bytes):
            return (type(self).__name__, self.file)
        return (type(self).__name__, self.path, self.offset, self.length, self.version)


def as_block(block: Any) -> TextBlock:
    """A block of bytes, or a lazy one of :func:`samite.bytes.read_bytes`, by its place."""
    if isinstance(block, (bytes, TextBlock)):
        return TextBlock(block) if isinstance(block, bytes) else block
    file, offset, length, delimiter = block.dask[block.key].args
    return TextBlock(file, offset, length, delimiter, str(block.key))


@dataclasses.dataclass
class TextSettings:
    """What reading a block needs to know beside the block.

    ``header`` are the lines that name the columns; they are put before each block but the first
    of a file. ``options`` are the keywords of the pandas function for first blocks;
    ``later_options`` for others. ``chosen`` are the columns that are wanted, None for all.
    """

    reader: str
    header: bytes
    options: dict[str, Any]
    later_options: dict[str, Any]
    meta: pd.DataFrame
    enforce: bool
    path_column: str | None = None
    paths: tuple[str, ...] = ()
    chosen: list[Any] | None = None
    convert_string: bool = False
    blocksize: Any = None


def read_text_block(
    block: TextBlock, settings: TextSettings, is_first: bool, is_last: bool, path_code: int
) -> pd.DataFrame:
    """A block as a frame with the columns and dtypes of the metadata.

    Raises
    ------
    ValueError
        Values do not fit the dtypes, or columns are others; with ``enforce``.
    ParserError
        A line is malformed; file and line are named.
    """
    text = block.read()
    header = b"" if is_first else settings.header
    options = dict(settings.options if is_first else settings.later_options)
    if not is_last:
        options.pop("skipfooter", None)
    chosen = settings.chosen
    if chosen is not None:
        options = _choosing(options, chosen, settings)
    if not text.strip():
        frame = plain_meta(settings).iloc[:0]
    else:
        wanted = plain_meta(settings)
        width = len(wanted.columns)
        if chosen is not None and len(wanted.columns):
            wanted = wanted[[c for c in chosen if c != settings.path_column]]
        try:
            frame = arrow_text.parse(settings.reader, header + text, options, wanted, width)
            if frame is None:
                frame = _parsed(settings.reader, header + text, options)
        except pd.errors.EmptyDataError:
            frame = plain_meta(settings).iloc[:0]
        except pd.errors.ParserError as error:
            raise pd.errors.ParserError(_located(error, block, header)) from error
    return in_shape_of_meta(frame, settings, path_code)


def plain_meta(settings: TextSettings) -> pd.DataFrame:
    """The metadata without the column of paths."""
    meta = settings.meta
    return meta.drop(columns=[settings.path_column]) if settings.path_column else meta


def in_shape_of_meta(frame: pd.DataFrame, settings: TextSettings, code: int) -> pd.DataFrame:
    """A block that was parsed, with the dtypes of the metadata and the column of paths."""
    meta = plain_meta(settings)
    chosen = settings.chosen
    if chosen is not None:
        wanted = [c for c in chosen if c != settings.path_column]
        frame, meta = frame[wanted], meta[wanted]
    if len(frame.columns) and settings.enforce and list(frame.columns) != list(meta.columns):
        raise ValueError(
            f"Columns do not match: the block has {list(frame.columns)}, the first one has "
            f"{list(meta.columns)}; use enforce=False to allow that"
        )
    coerce_dtypes(frame, meta.dtypes.to_dict())
    if settings.convert_string:
        frame = with_arrow_strings(frame)
    column = settings.path_column
    if column is not None and (chosen is None or column in chosen):
        dtype = pd.CategoricalDtype(sorted(set(settings.paths)))
        value = dtype.categories.get_loc(settings.paths[code])
        paths = pd.Categorical.from_codes([value] * len(frame), dtype=dtype)
        frame = frame.assign(**{column: paths})
    return frame if chosen is None else frame[chosen]


def with_arrow_strings(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its columns of strings as ``string[pyarrow]``."""
    dtype = pd.StringDtype("pyarrow")
    columns = [c for c in frame.columns if isinstance(frame[c].dtype, pd.StringDtype)]
    return frame.astype(dict.fromkeys(columns, dtype)) if columns else frame


def _choosing(options: dict[str, Any], chosen: list[Any], settings: TextSettings) -> dict[str, Any]:
    """Keywords that make pandas parse no more columns than are wanted."""
    wanted = [c for c in chosen if c != settings.path_column]
    if options.get("usecols") is not None or not wanted:
        return options
    options["usecols"] = wanted
    if isinstance(options.get("parse_dates"), (list, tuple)):
        names = [settings.meta.columns[c] if isinstance(c, int) and c not in wanted else c
                 for c in options["parse_dates"]]  # fmt: skip
        options["parse_dates"] = [c for c in names if c in wanted] or False
    for keyword in ("dtype", "converters"):
        if isinstance(options.get(keyword), Mapping):
            options[keyword] = {k: v for k, v in options[keyword].items() if k in wanted}
    return options


def _parsed(reader: str, text: bytes, options: dict[str, Any]) -> pd.DataFrame:
    return getattr(pd, reader)(io.BytesIO(text), **options)


_LINE = re.compile(r"\b(?:line|row) (\d+)")


def _located(error: Exception, block: TextBlock, header: bytes) -> str:
    """What pandas says of a malformed line, with the file and the line in it."""
    message = str(error)
    found = _LINE.search(message)
    where = f" in {block.path!r}" if block.path else ""
    if found is None:
        return f"{message}{where}, in the block at byte {block.offset}"
    line = int(found.group(1)) - header.count(b"\n") + block.lines_before()
    return f"{message} (of its block; line {line}{where}). Use `on_bad_lines=` to leave it out."
