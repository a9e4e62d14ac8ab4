"""Writing Parquet files: partitions go to a hidden folder, and get their names when all are there.

A run that fails, or is killed, leaves nothing that a reader would take for data.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from samite._task_spec import Task, TaskRef
from samite.dataframe.expressions.node import FrameExpr
from samite.dataframe.io.filesystems import find_filesystem
from samite.dataframe.io.parquet import appending
from samite.dataframe.io.parquet.arrow import NULL_INDEX, WriteSettings
from samite.dataframe.io.parquet.commit import Target, commit, write_parts
from samite.dataframe.io.parquet.core import get_engine
from samite.dataframe.io.parquet.read import ReadParquet
from samite.dataframe.io.parquet.schemas import schema_to_write


class WriteParquet(FrameExpr):
    """Each partition of a frame, written to the hidden folder of ``target``.

    ``names`` are the names of the files by partition; ``partition_on`` the columns whose values
    go to the names of folders.
    """

    _parameters = ["frame", "target", "names", "partition_on", "engine", "settings", "opens"]

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return None

    def _divisions(self) -> Sequence[Any]:
        return (None,) * (self.frame.npartitions + 1)

    def __dask_tokenize__(self) -> Any:
        return _token_of_write(self)

    def _layer(self) -> Mapping[Any, Any]:
        layer: dict[Any, Any] = {key: self._task(key, key[1]) for key in self.__dask_keys__()}
        if self.opens:
            opening = self._opening
            layer[opening] = Task(opening, self.target.staging.lazy_open())
        return layer

    @property
    def _opening(self) -> Any:
        """The key of the task that makes the hidden folder."""
        return (f"open-{self._name}", 0)

    def _writer(self) -> Any:
        return get_engine(self.engine)

    def _task(self, key: Any, index: int) -> Task:
        # Optimization may have changed the number of partitions since the names were made.
        names = self.names
        if index < len(names):
            name = names[index]
        else:
            name = f"part.{len(names)}-{index}{os.path.splitext(names[-1])[1]}"
        return Task(
            key,
            write_parts,
            TaskRef((self.frame._name, index)),
            self.target,
            name,
            self.partition_on,
            self._writer(),
            self.settings,
            TaskRef(self._opening) if self.opens else None,
        )


class CommitParquet(FrameExpr):
    """The files that were written, given their names; gives None."""

    _parameters = ["written", "target", "engine"]

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return None

    def _divisions(self) -> Sequence[Any]:
        return (None, None)

    def __dask_tokenize__(self) -> Any:
        return _token_of_write(self)

    def _layer(self) -> Mapping[Any, Any]:
        from samite._expr.graphs import nested_references

        key = (self._name, 0)
        return {
            key: Task(key, commit, nested_references(self.written.__dask_keys__()), self.target)
        }


def _token_of_write(expr: Any) -> str:
    if not expr._determ_token:
        from samite.tokenize import tokenize

        # The folder of a target has a name of its own; what settings hold need have no token.
        expr._determ_token = tokenize(
            type(expr).__name__, expr.operands[0]._name, expr.target.staging.token
        )
    return expr._determ_token


def to_parquet(
    df: Any,
    path: Any,
    compression: Any = "snappy",
    write_index: bool = True,
    append: bool = False,
    overwrite: bool = False,
    ignore_divisions: bool = False,
    partition_on: Any = None,
    storage_options: Any = None,
    custom_metadata: Any = None,
    write_metadata_file: bool | None = None,
    compute: bool = True,
    compute_kwargs: dict[str, Any] | None = None,
    schema: Any = "infer",
    name_function: Any = None,
    filesystem: Any = None,
    engine: Any = None,
    **kwargs: Any,
) -> Any:
    """Write a data frame to Parquet files, one or more for each partition.

    The files are written to a hidden folder, in ``path`` or beside it, and get their names once
    all of them are complete, so that what is left of a failed run is no data set.

    Parameters
    ----------
    path:
        A folder.
    compression:
        A codec, or codecs by column.
    append:
        Whether to add to the files that are there; columns and dtypes have to agree.
    overwrite:
        Whether to remove what is in the folder, when the new files are complete.
    ignore_divisions:
        Whether appended rows may overlap, by index, with those that are there.
    partition_on:
        Columns whose values become names of folders.
    custom_metadata:
        Keys and values for the footers.
    write_metadata_file:
        Whether to write ``_metadata``, the footers of all files; by default only when appending
        to files that have it.
    compute:
        Whether to write now, or to give a lazy value that does.
    schema:
        Arrow's schema, or types of some columns by name; "infer": what the metadata says;
        None: what the rows of each partition say.
    name_function:
        The name of a file by the position of the partition.
    kwargs:
        Options of ``pyarrow.parquet.write_table``.

    Raises
    ------
    ValueError
        The options, or the frame and the files that are there, do not fit together; or rows do
        not fit the schema.
    TypeError
        There is no such option.
    """
    chosen_engine = get_engine(engine)
    frame = df.expr
    found, paths = find_filesystem(path, filesystem, storage_options)
    folder = paths[0].rstrip("/") or "/"
    partition_on = _listed(partition_on)
    _check_frame(frame, folder, append, overwrite, partition_on, write_index)
    _check_options(kwargs, custom_metadata, name_function)
    if overwrite:
        _check_overwritten(frame, found, folder)
    custom = {_as_bytes(k): _as_bytes(v) for k, v in (custom_metadata or {}).items()}
    full_schema, loose = schema_to_write(frame, schema, write_index)
    offset, has_metadata_file = 0, False
    if append:
        offset, has_metadata_file = appending.check(
            frame, found, folder, full_schema, loose, partition_on, ignore_divisions, write_index
        )
    if write_metadata_file is None:
        write_metadata_file = append and has_metadata_file
    names = [
        name_function(i + offset) if name_function else f"part.{i + offset}.parquet"
        for i in range(frame.npartitions)
    ]
    if len(set(names)) != len(names):
        raise ValueError("``name_function`` must produce unique filenames.")
    target = Target.of(
        found,
        folder,
        overwrite=overwrite,
        metadata_file=bool(write_metadata_file),
        keeps_metadata=append and has_metadata_file,
    )
    settings = WriteSettings(
        filesystem=found,
        schema=None if full_schema is None else _without(full_schema, partition_on),
        index=bool(write_index),
        loose=frozenset(loose).difference(partition_on),
        compression="snappy" if compression == "default" else compression,
        metadata=custom or None,
        options=dict(kwargs),
        collects_metadata=bool(write_metadata_file),
    )
    from samite.dataframe.collections import new_collection

    chosen = None if chosen_engine is get_engine(None) else chosen_engine
    written = WriteParquet(frame, target, names, partition_on, chosen, settings, not compute)
    result = new_collection(CommitParquet(written, target, chosen))
    found.spec.invalidate_cache(folder)
    if not compute:
        return result
    with target.staging.writing():
        result.compute(**(compute_kwargs or {}))
    found.spec.invalidate_cache(folder)
    return None


def _listed(names: Any) -> list[Any]:
    if names is None or names is False:
        return []
    return [names] if isinstance(names, str) else list(names)


def _as_bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _without(schema: Any, names: list[str]) -> Any:
    for name in names:
        position = schema.get_field_index(name)
        if position >= 0:
            schema = schema.remove(position)
    return schema


def _check_frame(
    frame: Any,
    folder: str,
    append: bool,
    overwrite: bool,
    partition_on: list[Any],
    write_index: bool,
) -> None:
    if frame.ndim != 2:
        raise TypeError("to_parquet takes a data frame; make one of a series with `.to_frame()`")
    labels = [c for c in frame.columns if not isinstance(c, str)]
    if labels:
        raise ValueError(
            f"Parquet doesn't support non-string column names, got {labels}; "
            "rename them, as by `df.columns = df.columns.astype(str)`"
        )
    if append and overwrite:
        raise ValueError("Cannot use both `overwrite=True` and `append=True`!")
    missing = [c for c in partition_on if c not in frame.columns]
    if missing:
        raise ValueError(
            f"to_parquet: the columns {missing} of `partition_on` are not in the frame"
        )
    if NULL_INDEX in frame.columns:
        if write_index and frame._meta.index.name is None:
            raise ValueError(
                f"The index must have a name to be written, since {NULL_INDEX!r}, the column for "
                "an index without a name, is already a column; name it, rename the column, or "
                "use `write_index=False`"
            )
        warnings.warn(
            f"The column {NULL_INDEX!r} will be taken for the index without a name when the files "
            "are read again; rename it to keep it a column",
            UserWarning,
            stacklevel=3,
        )


@functools.cache
def _known_options() -> frozenset[str]:
    import inspect

    import pyarrow.parquet as pq

    names = set(inspect.signature(pq.write_table).parameters)
    names |= set(inspect.signature(pq.ParquetWriter.__init__).parameters)
    names |= {"memory_limit", "encryption_properties", "write_batch_size"}
    return frozenset(names - {"kwargs", "options", "self", "table", "where", "schema"})


def _check_options(options: dict[str, Any], custom_metadata: Any, name_function: Any) -> None:
    unknown = sorted(set(options) - _known_options())
    if unknown:
        raise TypeError(
            f"to_parquet has no arguments {unknown}, nor has pyarrow.parquet.write_table"
        )
    if name_function is not None and not callable(name_function):
        raise ValueError("``name_function`` must be a callable with one argument.")
    if custom_metadata and b"pandas" in {_as_bytes(k) for k in custom_metadata}:
        raise ValueError(
            "User-defined key/value metadata (custom_metadata) can not contain a b'pandas' key, "
            "which is where pandas notes dtypes and index."
        )


def _check_overwritten(frame: Any, filesystem: Any, folder: str) -> None:
    if filesystem.is_local and os.path.abspath(folder) == os.getcwd():
        raise ValueError(
            "Cannot clear the contents of the current working directory!  Name a folder to write "
            "to, or use overwrite=False."
        )
    if filesystem.spec.exists(folder) and not filesystem.spec.isdir(folder):
        raise ValueError(f"to_parquet: {folder!r} is a file, and overwrite=True takes a folder")
    for node in frame.walk():
        if isinstance(node, ReadParquet) and node.operand("filesystem") == filesystem:
            inside = [p for p in node.paths if p.startswith(folder.rstrip("/") + "/")]
            if inside or folder in node.paths:
                raise ValueError(
                    "Cannot overwrite a path that you are reading from in the same task graph: "
                    f"{folder!r} holds files that the frame is read from"
                )
