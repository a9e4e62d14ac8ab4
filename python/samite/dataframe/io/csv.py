"""Text files with a row in each line: read by blocks."""

from __future__ import annotations

import dataclasses
import functools
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from warnings import warn

import pandas as pd

from samite._task_spec import Task
from samite.bytes import read_bytes
from samite.dataframe.creation import dataframe_creation_dispatch
from samite.dataframe.expressions.node import FrameExpr, columns_wanted
from samite.dataframe.io.csv_writing import to_csv
from samite.dataframe.io.text_blocks import (
    TextBlock,
    TextSettings,
    as_block,
    read_text_block,
    with_arrow_strings,
)
from samite.dataframe.known_categories import clear_known_categories
from samite.dataframe.strings import pyarrow_strings_enabled

__all__ = ["ReadText", "read_csv", "read_fwf", "read_table", "to_csv"]

# Blocks of files in these encodings cannot be told where a character begins.
_WIDE_ENCODINGS = ("utf-16", "utf16", "utf_16", "utf-32", "utf32", "utf_32")


class ReadText(FrameExpr):
    """The rows of blocks of text files.

    Operands, all of them plain values: ``blocks``, each with its place in a file; ``places``,
    for each block whether it is the first and the last of its file, and which file of
    ``settings.paths`` that is; ``settings``, how a block is parsed
    (:class:`~samite.dataframe.io.text_blocks.TextSettings`); ``columns`` in order, None for all;
    ``_partitions``, the positions of the blocks that are wanted, None for all.
    """

    _makes_partitions = True
    _parameters = ["blocks", "places", "settings", "columns", "_partitions"]
    _defaults = {"columns": None, "_partitions": None}

    @functools.cached_property
    def _funcname(self) -> str:
        return self.settings.reader

    def __dask_tokenize__(self) -> Any:
        if not self._determ_token:
            from samite.tokenize import tokenize

            # Options may hold functions that have no token of their own.
            self._determ_token = tokenize(type(self).__name__, *self.operands)
        return self._determ_token

    @functools.cached_property
    def _meta(self) -> pd.DataFrame:
        meta = self.settings.meta
        if self.settings.convert_string:
            meta = with_arrow_strings(meta)
        chosen = self.operand("columns")
        return meta if chosen is None else meta[chosen]

    def _divisions(self) -> Sequence[Any]:
        chosen = self.operand("_partitions")
        count = len(self.blocks) if chosen is None else len(chosen)
        return (None,) * (count + 1)

    def _task(self, key: Any, index: int) -> Task:
        chosen = self.operand("_partitions")
        position = index if chosen is None else chosen[index]
        block, place = self.blocks[position], self.places[position]
        return Task(
            key, read_text_block, block, self._settings_of_tasks, *place, _data_producer=True
        )

    @functools.cached_property
    def _settings_of_tasks(self) -> TextSettings:
        return dataclasses.replace(self.settings, chosen=self.operand("columns"))

    def _simplify_up(self, parent: Any, dependents: Mapping[str, Any]) -> Any:
        from samite.dataframe.expressions.reductions import Length
        from samite.dataframe.expressions.selection import Partitions, Projection

        if isinstance(parent, Length) and self._meta.columns.is_unique:
            # To count rows, one column has to be parsed.
            readers = [reference() for reference in dependents[self._name]]
            if len(self.columns) > 1 and all(
                isinstance(r, Length) for r in readers if r is not None
            ):
                return Length(self.substitute_parameters({"columns": self.columns[:1]}))
            return None
        if isinstance(parent, Projection) and self._meta.columns.is_unique:
            wanted = columns_wanted(self, dependents)
            if wanted is None or wanted == self.columns:
                return None
            source = self.substitute_parameters({"columns": wanted})
            return Projection(source, parent.operand("columns"))
        if isinstance(parent, Partitions):
            before = self.operand("_partitions")
            chosen = list(parent.partitions)
            return self.substitute_parameters(
                {"_partitions": chosen if before is None else [before[i] for i in chosen]}
            )
        return None

    def _operands_for_repr(self) -> list[str]:
        parts = [f"blocks={len(self.blocks)}"]
        if self.operand("columns") is not None:
            parts.append(f"columns={self.operand('columns')!r}")
        return parts


# -- reading one text ---------------------------------------------------------------------


def pandas_read_text(
    reader: Callable[..., pd.DataFrame],
    b: bytes,
    header: bytes,
    kwargs: dict[str, Any],
    dtypes: Any = None,
    columns: Any = None,
    write_header: bool = True,
    enforce: bool = False,
    path: Any = None,
) -> pd.DataFrame:
    """A text as a frame.

    Parameters
    ----------
    reader:
        ``pandas.read_csv`` or one of its kin.
    header:
        Put before the text, unless it begins with it or ``write_header`` is false.
    dtypes:
        What columns are converted to.
    columns:
        The labels that the text has to have with ``enforce``, and that it gets.
    path:
        A triple for a column of paths: its label, this text's path, and all paths.
    """
    if write_header and not b.startswith(header.rstrip()):
        b = header + b
    frame = reader(io.BytesIO(b), **kwargs)
    if columns is not None and enforce and list(frame.columns) != list(columns):
        raise ValueError(f"Columns do not match: {list(frame.columns)} and {list(columns)}")
    if dtypes:
        from samite.dataframe.io.mismatches import coerce_dtypes

        coerce_dtypes(frame, dict(dtypes))
    if path is not None:
        label, own, all_paths = path
        codes = [sorted(all_paths).index(own)] * len(frame)
        values = pd.Categorical.from_codes(codes, categories=sorted(all_paths))
        frame = frame.assign(**{label: values})
    return frame


def text_blocks_to_pandas(
    reader: Callable[..., pd.DataFrame],
    block_lists: Sequence[Sequence[Any]],
    header: bytes,
    head: pd.DataFrame,
    kwargs: dict[str, Any],
    enforce: bool = False,
    specified_dtypes: Any = None,
    path: Any = None,
    blocksize: Any = None,
    urlpath: Any = None,
) -> Any:
    """A data frame of blocks of text.

    Parameters
    ----------
    block_lists:
        By file its blocks: bytes, or what :func:`samite.bytes.read_bytes` gives.
    header:
        Put before all blocks but the first of each file.
    head:
        A frame with the columns and dtypes.
    path:
        A pair for a column of paths: its label and all paths, by file.
    """
    from samite.dataframe.collections import new_collection

    blocks: list[TextBlock] = []
    places: list[tuple[bool, bool, int]] = []
    if path is not None:
        path = (path[0], [p for p, of_file in zip(path[1], block_lists, strict=True) if of_file])
    for number, of_file in enumerate(of_file for of_file in block_lists if of_file):
        for position, block in enumerate(of_file):
            blocks.append(as_block(block))
            places.append((position == 0, position == len(of_file) - 1, number))
    if path is not None and path[0] in head.columns:
        raise ValueError(
            f"Files already contain the column name: {path[0]}, so the path column cannot use "
            "this name. Please set `include_path_column` to a unique name."
        )
    meta = _meta_of_head(head, specified_dtypes if specified_dtypes is not None else {})
    later = {k: v for k, v in kwargs.items() if k != "skiprows"}
    if kwargs.get("names") is not None:
        later["header"] = None
    elif header and not isinstance(kwargs.get("header", 0), (list, tuple)):
        later["header"] = 0 if kwargs.get("header", "infer") != "infer" else "infer"
    settings = TextSettings(
        reader=reader.__name__,
        header=b"" if kwargs.get("names") is not None else header,
        options=dict(kwargs),
        later_options=later,
        meta=meta,
        enforce=enforce,
        path_column=None if path is None else path[0],
        paths=() if path is None else tuple(path[1]),
        convert_string=pyarrow_strings_enabled(),
        blocksize=blocksize,
    )
    if path is not None:
        dtype = pd.CategoricalDtype(sorted(set(path[1])))
        settings.meta = meta.assign(**{path[0]: pd.Categorical([], dtype=dtype)})
    if not blocks:
        blocks, places = [TextBlock(b"")], [(True, True, 0)]
    return new_collection(ReadText(blocks, places, settings))


def block_mask(block_lists: Sequence[Sequence[Any]]) -> Iterator[bool]:
    """For each block whether it is the first of its list."""
    for blocks in block_lists:
        yield from (position == 0 for position in range(len(blocks)))


def _meta_of_head(head: pd.DataFrame, specified: Any) -> pd.DataFrame:
    """The metadata of a sample; categories that are only those of the sample are not known."""
    unknown = []
    for column, dtype in head.dtypes.items():
        if isinstance(dtype, pd.CategoricalDtype):
            given = specified.get(column) if isinstance(specified, Mapping) else specified
            if not (isinstance(given, pd.CategoricalDtype) and given.categories is not None):
                unknown.append(column)
    return clear_known_categories(head.iloc[:0], cols=unknown, index=False)


# -- reading files ------------------------------------------------------------------------


def auto_blocksize(total_memory: int, cpu_count: int) -> int:
    """Bytes of a block such that many fit into memory: at most 64 MB."""
    return min(int(total_memory // cpu_count / 10), int(64e6))


def _infer_block_size() -> int:
    try:
        import psutil
    except ImportError:
        return 2**25
    from samite.system import CPU_COUNT

    total = psutil.virtual_memory().total
    return auto_blocksize(total, CPU_COUNT) if total is not None else 2**25


def _refuse(reader: str, kwargs: dict[str, Any]) -> None:
    """Raise for keywords of pandas that make no sense for partitions."""
    if kwargs.get("index") or kwargs.get("index_col"):
        raise ValueError(
            "Keywords 'index' and 'index_col' not supported, except for 'index_col=False'. "
            f"Use dd.{reader}(...).set_index('my-index') instead"
        )
    for keyword in ("iterator", "chunksize"):
        if kwargs.get(keyword):
            raise ValueError(f"{keyword} not supported for dd.{reader}")
    if kwargs.get("nrows", None):
        raise ValueError(
            f"The 'nrows' keyword is not supported by `dd.{reader}`. To achieve the same "
            f"behavior, it's recommended to use `dd.{reader}(...).head(n=nrows)`"
        )


def _read(
    reader: Callable[..., pd.DataFrame],
    urlpath: Any,
    blocksize: Any,
    lineterminator: str | None,
    compression: str | None,
    sample: Any,
    sample_rows: int,
    enforce: bool,
    assume_missing: bool,
    storage_options: Any,
    include_path_column: Any,
    kwargs: dict[str, Any],
) -> Any:
    name = reader.__name__
    _refuse(name, kwargs)
    if lineterminator is not None and len(lineterminator) == 1:
        kwargs["lineterminator"] = lineterminator
    terminator = (lineterminator or "\n").encode()
    encoding = str(kwargs.get("encoding") or "utf-8").lower()
    kwargs = {k: v for k, v in kwargs.items() if not (k == "dtype" and v is None)}
    path_column = "path" if include_path_column is True else include_path_column or None
    converters = dict(kwargs.get("converters") or {})
    path_converter = converters.pop(path_column, None) if path_column else None
    if "converters" in kwargs:
        kwargs["converters"] = converters or None

    if blocksize == "default":
        blocksize = _infer_block_size()
    if isinstance(blocksize, str):
        from samite.utils import parse_bytes

        blocksize = int(parse_bytes(blocksize))
    compression = _compression(compression, urlpath, storage_options)
    if blocksize and compression:
        warn(
            f"Warning {compression} compression does not support breaking apart files\n"
            "Please ensure that each individual file can fit in memory and\n"
            "use the keyword ``blocksize=None to remove this message``\n"
            "Setting ``blocksize=None``",
            stacklevel=3,
        )
        blocksize = None
    skiprows = kwargs.get("skiprows")
    if callable(skiprows) or encoding.startswith(_WIDE_ENCODINGS):
        blocksize = None
    if sample is False or sample is True:
        sample = 256_000
    if isinstance(sample, str):
        from samite.utils import parse_bytes

        sample = int(parse_bytes(sample))
    if skiprows and not callable(skiprows) and blocksize and sample and blocksize < sample:
        warn(
            "Unexpected behavior can result from passing skiprows when\n"
            "blocksize is smaller than sample size.\n"
            "Setting ``sample=blocksize``",
            stacklevel=3,
        )
        sample = blocksize

    beginning, lists, paths = read_bytes(
        urlpath,
        delimiter=None if encoding.startswith(_WIDE_ENCODINGS) else terminator,
        blocksize=blocksize,
        sample=sample,
        compression=compression,
        include_path=True,
        **(storage_options or {}),
    )
    text = _Beginning(beginning, terminator, sample, kwargs, encoding)
    header = text.header()
    head = _head(reader, text, sample_rows, kwargs)
    specified = kwargs.get("dtype", {})
    if assume_missing and (isinstance(specified, Mapping) or specified is None):
        integers = [
            c for c in head.select_dtypes(include=["integer"]).columns if c not in (specified or {})
        ]
        head = head.astype(dict.fromkeys(integers, float))
    kwargs = _with_string_dtypes(head, kwargs)
    all_paths = [path_converter(p) if path_converter else p for p in paths]
    return text_blocks_to_pandas(
        reader,
        lists,
        header,
        head,
        kwargs,
        enforce=enforce,
        specified_dtypes=specified,
        path=(path_column, all_paths) if path_column else None,
        blocksize=blocksize,
        urlpath=urlpath,
    )


def _with_string_dtypes(head: pd.DataFrame, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keywords that keep columns of strings as such where a block has only numbers in them."""
    given = kwargs.get("dtype") or {}
    if not isinstance(given, Mapping) or kwargs.get("dtype_backend"):
        return kwargs
    excepted = {*given, *(kwargs.get("converters") or {})}
    strings = {
        c: d
        for c, d in head.dtypes.items()
        if isinstance(d, pd.StringDtype) and c not in excepted and head.columns.is_unique
    }
    return {**kwargs, "dtype": {**strings, **given}} if strings else kwargs


class _Beginning:
    """The beginning of the first file: where its header is, and whether it is long enough."""

    def __init__(
        self, text: bytes, terminator: bytes, sample: int, kwargs: dict[str, Any], encoding: str
    ) -> None:
        self.text = text
        self.is_cut = bool(sample) and len(text) >= sample
        self._terminator = terminator
        self._kwargs = kwargs
        self._wide = encoding.startswith(_WIDE_ENCODINGS)
        self.lines = text.split(terminator)
        if self.lines and not self.lines[-1]:
            self.lines.pop()

    def header(self) -> bytes:
        """The lines that name the columns.

        Raises
        ------
        ValueError
            The text ends before the first row.
        """
        kwargs = self._kwargs
        given = kwargs.get("header", "infer" if kwargs.get("names") is None else None)
        last = 0 if given == "infer" else given
        if isinstance(last, (list, tuple)):
            last = max(last)
        rows = self._rows()
        needed = 1 if last is None else int(last) + 2
        skiprows = kwargs.get("skiprows")
        skipped = [] if skiprows is None or callable(skiprows) else _skipped(skiprows)
        too_short = len(rows) < needed or any(n >= len(self.lines) for n in skipped)
        if self.is_cut and too_short and not self._wide:
            raise ValueError(
                "Sample is not large enough to include at least one row of data. Please increase "
                "the number of bytes in `sample` in the call to `read_csv`/`read_table`"
            )
        if last is None or self._wide:
            return b""
        first = min(given) if isinstance(given, (list, tuple)) else last
        return b"".join(row + self._terminator for row in rows[first : last + 1])

    def _rows(self) -> list[bytes]:
        """The lines that pandas takes for rows."""
        kwargs = self._kwargs
        skiprows = kwargs.get("skiprows")
        skipped = set() if skiprows is None or callable(skiprows) else set(_skipped(skiprows))
        lines = [line for number, line in enumerate(self.lines) if number not in skipped]
        comment = kwargs.get("comment")
        if comment:
            lines = [line for line in lines if not line.lstrip().startswith(comment.encode())]
        if kwargs.get("skip_blank_lines", True):
            lines = [line for line in lines if line.strip()]
        return lines


def _skipped(skiprows: Any) -> list[int]:
    import numpy as np

    if isinstance(skiprows, (int, np.integer)):
        return list(range(int(skiprows)))
    return sorted(int(row) for row in skiprows)


def _head(
    reader: Callable[..., pd.DataFrame],
    text: _Beginning,
    sample_rows: int,
    kwargs: dict[str, Any],
) -> pd.DataFrame:
    """The first rows of the first file.

    Raises
    ------
    ValueError
        The sample ends within a row.
    """
    options = {k: v for k, v in kwargs.items() if k != "skipfooter"}
    if options.get("engine") != "pyarrow":
        options["nrows"] = sample_rows
    try:
        return reader(io.BytesIO(text.text), **options)
    except pd.errors.ParserError as error:
        if "EOF" in str(error):
            raise ValueError(
                "EOF encountered while reading header. \nPass argument `sample_rows` and make "
                "sure the value of `sample` is large enough to accommodate that many rows of data"
            ) from error
        raise


def _compression(compression: str | None, urlpath: Any, storage_options: Any) -> str | None:
    from fsspec.compression import compr

    if compression == "infer":
        from fsspec.core import get_fs_token_paths
        from fsspec.utils import infer_compression

        if not urlpath:
            raise ValueError("An empty list of paths was given; name at least one file")
        paths = get_fs_token_paths(urlpath, mode="rb", storage_options=storage_options)[2]
        compression = infer_compression(os.fspath(paths[0])) if paths else None
    if compression is not None and compression not in compr:
        raise NotImplementedError(f"Compression format {compression} not installed")
    return compression


_DOCUMENTATION = """Read {what} into a data frame, a block of about ``blocksize`` bytes for each
    partition; ``pandas.{reader}`` parses the blocks.

    Parameters
    ----------
    urlpath:
        A path or URL, possibly with ``*``, or a list of them.
    blocksize:
        Bytes of a block; None: each file is one. By default as many as memory allows, at most
        64 MB. Compressed files, and those in UTF-16 or UTF-32, are not cut.
    lineterminator:
        What blocks are cut behind.
    compression:
        Such as "gzip"; "infer": by the names of the files.
    sample:
        How many bytes of the first file to infer dtypes from; and ``sample_rows`` rows of it.
    enforce:
        Whether to raise where a block has other columns than the first one.
    assume_missing:
        Whether columns of integers, but those with a given dtype, become floats.
    storage_options:
        For the filesystem.
    include_path_column:
        Whether to add a categorical column with the path of each row's file; or its label.
    kwargs:
        Of ``pandas.{reader}``.

    Raises
    ------
    OSError
        No file is there.
    ValueError
        The sample is too short, or a keyword makes no sense for partitions; when computed: values
        do not fit the dtypes of the sample.
    """


@dataframe_creation_dispatch.register_inplace("pandas")
def read_csv(
    urlpath: Any,
    blocksize: Any = "default",
    lineterminator: str | None = None,
    compression: str | None = "infer",
    sample: Any = 256000,
    sample_rows: int = 10,
    enforce: bool = False,
    assume_missing: bool = False,
    storage_options: Any = None,
    include_path_column: Any = False,
    **kwargs: Any,
) -> Any:
    return _read(
        pd.read_csv, urlpath, blocksize, lineterminator, compression, sample, sample_rows,
        enforce, assume_missing, storage_options, include_path_column, kwargs,
    )  # fmt: skip


def read_table(
    urlpath: Any,
    blocksize: Any = "default",
    lineterminator: str | None = None,
    compression: str | None = "infer",
    sample: Any = 256000,
    sample_rows: int = 10,
    enforce: bool = False,
    assume_missing: bool = False,
    storage_options: Any = None,
    include_path_column: Any = False,
    **kwargs: Any,
) -> Any:
    return _read(
        pd.read_table, urlpath, blocksize, lineterminator, compression, sample, sample_rows,
        enforce, assume_missing, storage_options, include_path_column, kwargs,
    )  # fmt: skip


def read_fwf(
    urlpath: Any,
    blocksize: Any = "default",
    lineterminator: str | None = None,
    compression: str | None = "infer",
    sample: Any = 256000,
    sample_rows: int = 10,
    enforce: bool = False,
    assume_missing: bool = False,
    storage_options: Any = None,
    include_path_column: Any = False,
    **kwargs: Any,
) -> Any:
    return _read(
        pd.read_fwf, urlpath, blocksize, lineterminator, compression, sample, sample_rows,
        enforce, assume_missing, storage_options, include_path_column, kwargs,
    )  # fmt: skip


read_csv.__doc__ = _DOCUMENTATION.format(what="CSV files", reader="read_csv")
read_table.__doc__ = _DOCUMENTATION.format(what="delimited text files", reader="read_table")
read_fwf.__doc__ = _DOCUMENTATION.format(what="files of fixed-width lines", reader="read_fwf")
