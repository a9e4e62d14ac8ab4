"""What the tasks of writing do, and how files get their names when all are complete."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pandas as pd

from samite.dataframe.io.filesystems import Filesystem
from samite.dataframe.io.parquet.arrow import NULL_INDEX, WriteSettings

NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"


@dataclasses.dataclass
class Target:
    """Where files go: first to ``staging``, a hidden folder in ``folder``."""

    filesystem: Filesystem
    folder: str
    staging: str
    overwrite: bool
    metadata_file: bool
    keeps_metadata: bool

    def __dask_tokenize__(self) -> Any:
        return (type(self).__name__, self.staging)


def write_parts(
    frame: pd.DataFrame,
    target: Target,
    name: str,
    partition_on: list[str],
    engine: Any,
    settings: WriteSettings,
) -> list[tuple[str, Any]]:
    """Write one partition: files by their places in the folder, and their metadata."""
    if settings.index and frame.index.name is None and frame.index.nlevels == 1:
        frame = frame.rename_axis(index=NULL_INDEX)
    if not settings.index:
        frame = frame.reset_index(drop=True)
    if partition_on and not settings.index and set(frame.columns) <= set(partition_on):
        raise ValueError(
            "No data left to save outside partition columns: `partition_on` names all columns"
        )
    parts = [("", frame)] if not partition_on else _by_folder(frame, partition_on)
    written = []
    for folder, rows in parts:
        place = f"{folder}/{name}" if folder else name
        path = f"{target.staging}/{place}"
        target.filesystem.spec.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        metadata = engine.write_partition(rows, path, settings)
        if metadata is not None:
            metadata.set_file_path(place)
        written.append((place, metadata))
    return written


def _by_folder(frame: pd.DataFrame, names: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    kept = [c for c in frame.columns if c not in names]
    grouped = frame.groupby(names, dropna=False, observed=True, sort=True)
    for values, rows in grouped:
        folders = [f"{n}={_folder_name(v)}" for n, v in zip(names, values, strict=True)]
        yield "/".join(folders), rows[kept]


def _folder_name(value: Any) -> str:
    return NULL_FOLDER if pd.isna(value) else quote(str(value), safe="")


def commit(written: list[list[tuple[str, Any]]], target: Target) -> None:
    """Give complete files their names, and write ``_metadata`` if asked to."""
    spec = target.filesystem.spec
    parts = [part for parts in written for part in parts]
    metadata = _metadata_of(parts, target) if target.metadata_file else None
    if target.overwrite:
        _clear(target)
    spec.makedirs(target.folder, exist_ok=True)
    made = set()
    for place, _ in parts:
        folder = f"{target.folder}/{place}".rsplit("/", 1)[0]
        if folder not in made:
            spec.makedirs(folder, exist_ok=True)
            made.add(folder)
        _move(target, f"{target.staging}/{place}", f"{target.folder}/{place}")
    summary = f"{target.folder}/_metadata"
    if metadata is not None:
        _write_summaries(metadata, target)
    elif spec.exists(summary):
        # It would hide the files that are new.
        spec.rm(summary)
    if spec.exists(target.staging):
        spec.rm(target.staging, recursive=True)
    spec.invalidate_cache(target.folder)


def _move(target: Target, source: str, place: str) -> None:
    if target.filesystem.is_local:
        os.replace(source, place)
    else:
        target.filesystem.spec.mv(source, place)


def _clear(target: Target) -> None:
    spec = target.filesystem.spec
    if not spec.exists(target.folder):
        return
    hidden = target.staging.rsplit("/", 1)[-1]
    for name in spec.ls(target.folder, detail=False):
        if name.rstrip("/").rsplit("/", 1)[-1] != hidden:
            spec.rm(name, recursive=True)


def _metadata_of(parts: list[tuple[str, Any]], target: Target) -> Any:
    import pyarrow.parquet as pq

    whole = None
    if target.keeps_metadata:
        with target.filesystem.spec.open(f"{target.folder}/_metadata", "rb") as file:
            whole = pq.read_metadata(file)
    for _, metadata in parts:
        whole = joined(whole, metadata)
    return whole


def joined(whole: Any, metadata: Any) -> Any:
    """The metadata of several files and of one more.

    Raises
    ------
    RuntimeError
        Their schemas differ.
    """
    if whole is None or metadata is None:
        return metadata if whole is None else whole
    try:
        whole.append_row_groups(metadata)
    except RuntimeError as error:
        raise RuntimeError(
            "The files have different schemas, so that no _metadata file can be written for all "
            "of them. Give one schema to all partitions by `schema=`, or use "
            f"`write_metadata_file=False`.\n{error}"
        ) from error
    return whole


def _write_summaries(metadata: Any, target: Target) -> None:
    import pyarrow.parquet as pq

    spec = target.filesystem.spec
    spec.makedirs(target.staging, exist_ok=True)
    schema = metadata.schema.to_arrow_schema()
    with spec.open(f"{target.staging}/_common_metadata", "wb") as file:
        pq.write_metadata(schema, file)
    with spec.open(f"{target.staging}/_metadata", "wb") as file:
        metadata.write_metadata_file(file)
    for name in ("_common_metadata", "_metadata"):
        _move(target, f"{target.staging}/{name}", f"{target.folder}/{name}")


@contextlib.contextmanager
def staged(target: Target) -> Iterator[None]:
    """Remove the hidden folder if what is done inside fails."""
    try:
        yield
    except BaseException:
        spec = target.filesystem.spec
        with contextlib.suppress(OSError):
            if spec.exists(target.staging):
                spec.rm(target.staging, recursive=True)
        raise
