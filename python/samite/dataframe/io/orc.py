"""ORC files."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import pandas as pd

from samite.dataframe.creation import dataframe_creation_dispatch
from samite.dataframe.io.filesystems import Filesystem, find_filesystem, is_pattern
from samite.dataframe.io.parquet.arrow import WriteSettings
from samite.dataframe.io.parquet.commit import Target
from samite.dataframe.io.parquet.write import CommitParquet, WriteParquet
from samite.utils import natural_sort_key

__all__ = ["read_orc", "to_orc"]


class _Stripes(NamedTuple):
    """Stripes of one file; None: all."""

    path: str
    stripes: tuple[int, ...] | None


@dataframe_creation_dispatch.register_inplace("pandas")
def read_orc(
    path: Any,
    engine: Any = "pyarrow",
    columns: Any = None,
    index: Any = None,
    split_stripes: Any = 1,
    aggregate_files: bool | None = None,
    storage_options: Any = None,
) -> Any:
    """A data frame of ORC files.

    Parameters
    ----------
    path:
        A folder, a file, a pattern with ``*``, or a list of files.
    columns:
        The columns to read; by default all.
    index:
        The column, or columns, that become the index.
    split_stripes:
        How many stripes make a partition; False: a file.
    aggregate_files:
        Whether stripes of several files may be in one partition.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        Columns are not there, or schemas differ; both files are named.
    """
    from samite.dataframe.io.from_map import from_map
    from samite.dataframe.io.parquet.read import with_unknown_categories

    _check_engine(engine)
    filesystem, paths = find_filesystem(path, None, storage_options)
    files = _files(filesystem, paths)
    schema = None
    counts = []
    for file in files:
        with filesystem.spec.open(file, "rb") as opened:
            found = _orc_file(opened)
            counts.append(found.nstripes)
            if schema is None:
                schema = found.schema
            elif schema.names != found.schema.names:
                raise ValueError(
                    f"read_orc: the schemas of {files[0]!r} and {file!r} differ: "
                    f"{schema.names} and {found.schema.names}"
                )
    assert schema is not None
    index = [index] if isinstance(index, str) else list(index or [])
    columns = [columns] if isinstance(columns, str) else columns
    wanted = list(schema.names) if columns is None else list(columns)
    missing = [c for c in [*wanted, *index] if c not in schema.names]
    if missing:
        raise ValueError(
            f"read_orc: the columns {missing} are not in the files, which have {schema.names}"
        )
    wanted = [c for c in wanted if c not in index]
    parts = _parts(files, counts, split_stripes, bool(aggregate_files))
    meta = schema.empty_table().to_pandas()
    meta = with_unknown_categories(_shaped(meta[list(dict.fromkeys([*index, *wanted]))], index))
    return from_map(
        _read_part,
        parts,
        filesystem=filesystem,
        wanted=wanted,
        index=index,
        meta=meta[wanted],
        label="_read_orc",
    )


def _check_engine(engine: Any) -> None:
    if engine not in ("pyarrow", "auto", None):
        raise TypeError(f"engine must be 'pyarrow', got {engine!r}")


def _orc_file(opened: Any) -> Any:
    from pyarrow import orc

    return orc.ORCFile(opened)


def _files(filesystem: Filesystem, paths: list[str]) -> list[str]:
    spec = filesystem.spec
    files: list[str] = []
    for path in paths:
        if is_pattern(path):
            files += sorted(spec.glob(path), key=natural_sort_key)
        elif spec.isdir(path):
            found = sorted(spec.find(path), key=natural_sort_key)
            files += [f for f in found if f.rsplit("/", 1)[-1][:1] not in "._"]
        else:
            files.append(path)
    if not files:
        raise FileNotFoundError(f"read_orc: {paths} resolved to no files")
    return files


def _parts(
    files: list[str], counts: list[int], split: Any, joins: bool
) -> list[tuple[_Stripes, ...]]:
    """By partition the stripes that make it."""
    if not split:
        return [(_Stripes(file, None),) for file in files]
    width = int(split)
    parts: list[list[tuple[str, int]]] = []
    for file, count in zip(files, counts, strict=True):
        for number in range(count):
            together = parts and len(parts[-1]) < width and (joins or parts[-1][-1][0] == file)
            if together:
                parts[-1].append((file, number))
            else:
                parts.append([(file, number)])
    if not parts:
        return [(_Stripes(files[0], None),)]
    found = []
    for part in parts:
        by_file: dict[str, list[int]] = {}
        for file, number in part:
            by_file.setdefault(file, []).append(number)
        found.append(tuple(_Stripes(file, tuple(ids)) for file, ids in by_file.items()))
    return found


def _read_part(
    part: tuple[_Stripes, ...],
    filesystem: Filesystem,
    wanted: list[str],
    index: list[str],
    columns: Any = None,
) -> pd.DataFrame:
    """Stripes as one frame."""
    import pyarrow as pa

    chosen = wanted if columns is None else list(columns)
    needed = list(dict.fromkeys([*index, *chosen]))
    tables = []
    for path, stripes in part:
        with filesystem.spec.open(path, "rb") as opened:
            found = _orc_file(opened)
            try:
                if stripes is None:
                    tables.append(found.read(columns=needed))
                else:
                    batches = [found.read_stripe(i, columns=needed) for i in stripes]
                    tables.append(pa.Table.from_batches(batches))
            except (pa.ArrowException, OSError) as error:
                raise type(error)(f"read_orc: the file {path!r}: {error}") from error
    frame = pa.concat_tables(tables).to_pandas(use_threads=False)
    return _shaped(frame, index)[chosen]


def _shaped(frame: pd.DataFrame, index: list[str]) -> pd.DataFrame:
    return frame.set_index(index) if index else frame


class _OrcWriter:
    """Writes partitions, as :class:`samite.dataframe.io.parquet.utils.Engine` does."""

    @classmethod
    def write_partition(cls, frame: pd.DataFrame, path: str, settings: Any) -> None:
        """Write the rows of a frame to the file ``path``."""
        import pyarrow as pa
        from pyarrow import orc

        if settings.index:
            frame = frame.reset_index()
        table = pa.Table.from_pandas(frame, nthreads=1, preserve_index=False)
        with settings.filesystem.spec.open(path, "wb") as file:
            orc.write_table(table, file)


class WriteOrc(WriteParquet):
    """Each partition of a frame, written to the hidden folder of ``target``."""

    def _writer(self) -> Any:
        return _OrcWriter


class CommitOrc(CommitParquet):
    """The files that were written, given their names; gives None."""

    _funcname = "to-orc"  # type: ignore[assignment]


def to_orc(
    df: Any,
    path: Any,
    engine: Any = "pyarrow",
    write_index: bool = True,
    storage_options: Any = None,
    compute: bool = True,
    compute_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Write a data frame to ORC files, one for each partition.

    The files are written to a hidden folder, in ``path`` or beside it, and get their names once
    all of them are complete.

    Parameters
    ----------
    path:
        A folder.
    write_index:
        Whether to write the index, as a column.
    compute:
        Whether to write now, or to give a lazy value that does.
    """
    from samite.dataframe.collections import new_collection

    _check_engine(engine)
    filesystem, paths = find_filesystem(os.fspath(path), None, storage_options)
    folder = paths[0].rstrip("/")
    target = Target.of(filesystem, folder)
    settings = WriteSettings(
        filesystem, None, bool(write_index), frozenset(), None, None, {}, False
    )
    names = [f"part.{i}.orc" for i in range(df.npartitions)]
    written = WriteOrc(df.expr, target, names, [], None, settings, not compute)
    result = new_collection(CommitOrc(written, target, None))
    if not compute:
        return result
    with target.staging.writing():
        result.compute(**(compute_kwargs or {}))
    return None
