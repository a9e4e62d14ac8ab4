"""What the tasks of writing do, and how files get their names when all are complete."""

from __future__ import annotations

import dataclasses
import os
import shutil
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pandas as pd

from samite.bytes.staging import Staging, is_local, move
from samite.dataframe.io.filesystems import Filesystem
from samite.dataframe.io.parquet.arrow import NULL_INDEX, WriteSettings

NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"


@dataclasses.dataclass
class Target:
    """Where files go: first to the hidden folder of ``staging``."""

    filesystem: Filesystem
    folder: str
    staging: Staging
    overwrite: bool
    metadata_file: bool
    keeps_metadata: bool

    @classmethod
    def of(
        cls,
        filesystem: Filesystem,
        folder: str,
        overwrite: bool = False,
        metadata_file: bool = False,
        keeps_metadata: bool = False,
    ) -> Target:
        """The target of a new write to ``folder``."""
        staging = Staging(filesystem.spec, [folder], _beside(filesystem, folder, overwrite))
        return cls(filesystem, folder, staging, overwrite, metadata_file, keeps_metadata)

    @property
    def hidden(self) -> str:
        """The hidden folder."""
        return self.staging.folders[self.folder]

    def __dask_tokenize__(self) -> Any:
        return (type(self).__name__, self.staging.token)


def _beside(filesystem: Filesystem, folder: str, overwrite: bool) -> list[str] | None:
    """A hidden folder that can take the place of ``folder`` by one rename; None where none can."""
    parent, _, name = folder.rpartition("/")
    if not is_local(filesystem.spec) or not parent or not name:
        return None
    if os.path.lexists(folder):
        is_plain = not os.path.islink(folder) and not os.path.ismount(folder)
        if not (overwrite and is_plain and os.access(parent, os.W_OK | os.X_OK)):
            return None
    return [f"{parent}/.{name}.{uuid.uuid4().hex}.incomplete"]


# A file: its place in the folder, its hidden path, and its metadata.
Written = tuple[str, str, Any]


def write_parts(
    frame: pd.DataFrame,
    target: Target,
    name: str,
    partition_on: list[str],
    engine: Any,
    settings: WriteSettings,
    opened: Any = None,
) -> list[Written]:
    """Write one partition. ``opened`` stands for the task that has made the hidden folder, where
    that is one."""
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
        with target.staging.part(target.folder) as hidden:
            metadata = engine.write_partition(rows, hidden, settings)
        if metadata is not None:
            metadata.set_file_path(place)
        written.append((place, hidden, metadata))
    return written


def _by_folder(frame: pd.DataFrame, names: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    kept = [c for c in frame.columns if c not in names]
    grouped = frame.groupby(names, dropna=False, observed=True, sort=True)
    for values, rows in grouped:
        folders = [f"{n}={_folder_name(v)}" for n, v in zip(names, values, strict=True)]
        yield "/".join(folders), rows[kept]


def _folder_name(value: Any) -> str:
    return NULL_FOLDER if pd.isna(value) else quote(str(value), safe="")


def commit(written: list[list[Written]], target: Target) -> None:
    """Give complete files their names, and write ``_metadata`` if asked to.

    A folder that is new, or takes the place of another, appears by one rename on a local file
    system. Files that join others in a folder appear one after the other, and so do all files in
    an object store.
    """
    spec = target.filesystem.spec
    files = [(place, hidden) for parts in written for place, hidden, _ in parts]
    if target.metadata_file:
        metadata = _metadata_of(written, target)
        if metadata is not None:
            files += _summaries(metadata, target)
    if target.hidden.startswith(f"{target.folder}/"):
        _join_folder(files, target)
    else:
        _replace_folder(files, target)
    target.staging.discard()
    spec.invalidate_cache(target.folder)


def _replace_folder(files: list[tuple[str, str]], target: Target) -> None:
    """Put the files into a folder that takes the place of that of the target, or joins it, should
    another write have made it meanwhile."""
    ready, old = f"{target.hidden}/ready", f"{target.hidden}/old"
    os.mkdir(ready)
    _move_all(files, target, ready)
    if target.overwrite and os.path.isdir(target.folder):
        shutil.copymode(target.folder, ready)
        os.rename(target.folder, old)
        try:
            os.rename(ready, target.folder)
        except BaseException:
            os.rename(old, target.folder)
            raise
        return
    try:
        os.rename(ready, target.folder)
    except OSError:
        if not os.path.isdir(target.folder):
            raise
        _join_folder([(place, f"{ready}/{place}") for place, _ in files], target)


def _join_folder(files: list[tuple[str, str]], target: Target) -> None:
    """Put the files into the folder of the target, one by one; ``_metadata`` comes last."""
    spec = target.filesystem.spec
    if target.overwrite:
        _clear(target)
    spec.makedirs(target.folder, exist_ok=True)
    _move_all(files, target, target.folder)
    summary = f"{target.folder}/_metadata"
    if not any(place == "_metadata" for place, _ in files) and spec.exists(summary):
        # It would hide the files that are new.
        spec.rm(summary)


def _move_all(files: list[tuple[str, str]], target: Target, folder: str) -> None:
    made = {folder}
    for place, hidden in files:
        path = f"{folder}/{place}"
        above = path.rpartition("/")[0]
        if above not in made:
            target.filesystem.spec.makedirs(above, exist_ok=True)
            made.add(above)
        move(target.filesystem.spec, hidden, path)


def _clear(target: Target) -> None:
    spec = target.filesystem.spec
    if not spec.exists(target.folder):
        return
    hidden = target.hidden.rpartition("/")[2]
    for name in spec.ls(target.folder, detail=False):
        if name.rstrip("/").rpartition("/")[2] != hidden:
            spec.rm(name, recursive=True)


def _metadata_of(written: list[list[Written]], target: Target) -> Any:
    import pyarrow.parquet as pq

    whole = None
    if target.keeps_metadata:
        with target.filesystem.spec.open(f"{target.folder}/_metadata", "rb") as file:
            whole = pq.read_metadata(file)
    for parts in written:
        for _, _, metadata in parts:
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


def _summaries(metadata: Any, target: Target) -> list[tuple[str, str]]:
    """The files ``_common_metadata`` and ``_metadata``: their places and hidden paths."""
    import pyarrow.parquet as pq

    spec = target.filesystem.spec
    with target.staging.part(target.folder) as common, spec.open(common, "wb") as file:
        pq.write_metadata(metadata.schema.to_arrow_schema(), file)
    with target.staging.part(target.folder) as whole, spec.open(whole, "wb") as file:
        metadata.write_metadata_file(file)
    return [("_common_metadata", common), ("_metadata", whole)]
