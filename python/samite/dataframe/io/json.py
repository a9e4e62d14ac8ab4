"""JSON files."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import pandas as pd

from samite.dataframe.creation import dataframe_creation_dispatch
from samite.dataframe.io.text_blocks import TextBlock, as_block
from samite.dataframe.io.writing import file_names, filesystem_of, write_files

__all__ = ["read_json", "to_json"]


@dataclasses.dataclass
class _Settings:
    """What reading a part needs to know beside the part."""

    engine: Any
    orient: str
    lines: bool
    encoding: str
    errors: str
    options: dict[str, Any]
    path_column: str | None
    paths: tuple[str, ...]
    meta: pd.DataFrame | None = None


@dataframe_creation_dispatch.register_inplace("pandas")
def read_json(
    url_path: Any,
    orient: str = "records",
    lines: bool | None = None,
    storage_options: Any = None,
    blocksize: Any = None,
    sample: Any = 2**20,
    encoding: str = "utf-8",
    errors: str = "strict",
    compression: str | None = "infer",
    meta: Any = None,
    engine: Any = pd.read_json,
    include_path_column: Any = False,
    path_converter: Any = None,
    **kwargs: Any,
) -> Any:
    """A data frame of JSON files: a partition for each file, or for each block of one.

    Parameters
    ----------
    url_path:
        A path or URL, possibly with ``*``, or a list of them.
    lines:
        Whether each line is a record; by default where ``orient`` is "records".
    blocksize:
        Bytes of a block, for files of lines; None: each file is one.
    sample:
        How many bytes to find columns and dtypes in, for files of lines.
    encoding, errors:
        How bytes become text.
    compression:
        Such as "gzip"; "infer": by the names of the files.
    meta:
        Columns and dtypes, as :func:`make_meta` takes them.
    engine:
        What reads an open file, or the name of an engine of pandas.
    include_path_column:
        Whether to add a categorical column with the path of each row's file; or its label.
        ``path_converter`` makes its values of paths.
    kwargs:
        Of ``pandas.read_json``.

    Raises
    ------
    OSError
        No file is there.
    ValueError
        Options do not fit together, or a file is malformed; it is named.
    """
    from samite.bytes import read_bytes
    from samite.dataframe.io.from_map import from_map
    from samite.dataframe.metadata import make_meta

    if lines is None:
        lines = orient == "records"
    if orient != "records" and lines:
        raise ValueError('Line-delimited JSON is only available with orient="records".')
    if blocksize and (orient != "records" or not lines):
        raise ValueError(
            "JSON file chunking only allowed for JSON-lines input (orient='records', lines=True)."
        )
    if isinstance(engine, str):
        kwargs = {**kwargs, "engine": engine}
        engine = pd.read_json
    column = "path" if include_path_column is True else include_path_column or None
    beginning, lists, paths = read_bytes(
        url_path,
        delimiter=b"\n" if lines else None,
        blocksize=blocksize,
        sample=sample if lines else False,
        compression=compression,
        include_path=True,
        **(storage_options or {}),
    )
    names = tuple(path_converter(p) if path_converter else p for p in paths)
    settings = _Settings(
        engine, orient, lines, encoding, errors, kwargs, column, names if column else ()
    )
    parts = [(as_block(block), number) for number, blocks in enumerate(lists) for block in blocks]
    if meta is None:
        first = beginning if lines else parts[0][0].read()
        found = _parsed(first, settings, paths[0]).iloc[:0]
    else:
        found = make_meta(meta)
    settings.meta = found
    if column is not None:
        if column in found.columns:
            raise ValueError(
                f"Files already contain the column name: {column!r}, so the path column cannot "
                "use this name. Please set `include_path_column` to a unique name."
            )
        found = _with_path(found, settings, 0)
    return from_map(_read_part, parts, settings=settings, meta=found, label="read_json")


def _read_part(part: tuple[TextBlock, int], settings: _Settings, columns: Any = None) -> Any:
    """A block, or a file, as a frame."""
    block, number = part
    text = block.read()
    if not text.strip() and settings.meta is not None:
        frame = settings.meta.iloc[:0]
    else:
        frame = _parsed(text, settings, block.path)
    if settings.path_column is not None:
        frame = _with_path(frame, settings, number)
    return frame if columns is None else frame[columns]


def _parsed(text: bytes, settings: _Settings, path: Any) -> Any:
    source = io.StringIO(text.decode(settings.encoding, settings.errors))
    try:
        return settings.engine(
            source, orient=settings.orient, lines=settings.lines, **settings.options
        )
    except ValueError as error:
        raise ValueError(f"read_json: the file {path!r}: {error}") from error


def _with_path(frame: pd.DataFrame, settings: _Settings, number: int) -> pd.DataFrame:
    dtype = pd.CategoricalDtype(list(dict.fromkeys(settings.paths)))
    code = dtype.categories.get_loc(settings.paths[number])
    values = pd.Categorical.from_codes([code] * len(frame), dtype=dtype)
    return frame.assign(**{str(settings.path_column): values})


def to_json(
    df: Any,
    url_path: Any,
    orient: str = "records",
    lines: bool | None = None,
    storage_options: Any = None,
    compute: bool = True,
    encoding: str = "utf-8",
    errors: str = "strict",
    compression: str | None = None,
    compute_kwargs: dict[str, Any] | None = None,
    name_function: Any = None,
    **kwargs: Any,
) -> Any:
    """Write a data frame or series to JSON files, one for each partition. Files get their names
    when all are complete; lazy values make each its own file appear.

    Parameters
    ----------
    url_path:
        A folder, a name in which ``*`` becomes the number of the partition, or a list of names.
    lines:
        Whether each record is a line; by default where ``orient`` is "records".
    compute:
        Whether to write now, or to give lazy values that do.
    kwargs:
        Of ``pandas.DataFrame.to_json``.

    Returns
    -------
    The names of the files, or lazy values that give them.

    Raises
    ------
    ValueError
        Options do not fit together.
    """
    if lines is None:
        lines = orient == "records"
    if orient != "records" and lines:
        raise ValueError('Line-delimited JSON is only available with orient="records".')
    names = file_names(url_path, df.npartitions, name_function)
    fs, strip = filesystem_of(names[0], storage_options)
    options = {"compression": compression, "encoding": encoding, "errors": errors}
    given = {**kwargs, "orient": orient, "lines": lines}
    files = [(strip(name), given) for name in names]
    return write_files(df, _write, fs, files, "wt", options, compute, compute_kwargs)


def _write(frame: Any, file: Any, kwargs: dict[str, Any]) -> None:
    frame.to_json(file, **kwargs)
