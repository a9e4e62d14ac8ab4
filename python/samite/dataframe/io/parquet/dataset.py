"""The files of a Parquet dataset: which they are, their schema, and what their folders say."""

from __future__ import annotations

import dataclasses
import functools
import os
import stat
from typing import Any

from samite.dataframe.io.filesystems import Filesystem, is_pattern
from samite.utils import natural_sort_key

METADATA_FILES = ("_metadata", "_common_metadata")
# Datasets whose listing and schema are kept, and the plans of partitions over them.
KEPT = 64


@dataclasses.dataclass(frozen=True)
class Listing:
    """The files that paths stand for, and how to tell that they have changed."""

    files: tuple[str, ...]
    versions: tuple[str, ...]
    folder: str | None
    metadata_file: str | None

    @functools.cached_property
    def checksum(self) -> str:
        """What is other when a file has changed."""
        from samite.tokenize import tokenize

        return tokenize(self.files, self.versions, self.folder, self.metadata_file)

    def __dask_tokenize__(self) -> str:
        return self.checksum

    def __repr__(self) -> str:
        where = self.folder or (self.files[0] if self.files else "")
        return f"<{len(self.files)} files: {where}>"


def list_files(
    filesystem: Filesystem, paths: list[str], extensions: Any, ignore_metadata_file: bool
) -> Listing:
    """The files of the dataset at ``paths``: a folder, a pattern, or files.

    Raises
    ------
    FileNotFoundError
        A path is not there.
    ValueError
        No file in a folder has one of ``extensions``.
    """
    if len(paths) == 1 and not is_pattern(paths[0]):
        path = paths[0].rstrip("/") or "/"
        try:
            info = _info(filesystem, path)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"read_parquet: there is no file or folder {path!r}; check the path"
            ) from None
        if info["type"] == "directory":
            return _of_folder(filesystem, path, extensions, ignore_metadata_file)
        return Listing((path,), (_version(info),), None, None)
    files: list[str] = []
    versions: list[str] = []
    for path in paths:
        if is_pattern(path):
            matches = filesystem.spec.glob(path, detail=True)
            for name in sorted(matches, key=natural_sort_key):
                if matches[name]["type"] != "directory" and not _is_hidden(name.rsplit("/", 1)[-1]):
                    files.append(name)
                    versions.append(_version(matches[name]))
            continue
        info = _info(filesystem, path)
        if info["type"] == "directory":
            inner = _of_folder(filesystem, path.rstrip("/"), extensions, True)
            files.extend(inner.files)
            versions.extend(inner.versions)
        elif path.rsplit("/", 1)[-1] not in METADATA_FILES:
            files.append(path)
            versions.append(_version(info))
    return Listing(tuple(files), tuple(versions), _base_of(files), None)


def _info(filesystem: Filesystem, path: str) -> dict[str, Any]:
    """What kind of file a path is, and what tells its versions apart."""
    if not filesystem.is_local:
        return dict(filesystem.spec.info(path))
    facts = os.stat(path)
    return {"type": "directory" if stat.S_ISDIR(facts.st_mode) else "file", **_facts(facts)}


def _of_folder(
    filesystem: Filesystem, folder: str, extensions: Any, ignore_metadata_file: bool
) -> Listing:
    if filesystem.is_local:
        found = _local_files(folder)
    else:
        found = filesystem.spec.find(folder, detail=True)
    prefix = len(folder.rstrip("/")) + 1
    visible = [f for f in found if not any(_is_hidden(p) for p in f[prefix:].split("/"))]
    files = sorted(visible, key=natural_sort_key)
    metadata_file = f"{folder.rstrip('/')}/_metadata"
    if metadata_file in found and not ignore_metadata_file:
        return Listing(tuple(files), (_version(found[metadata_file]),), folder, metadata_file)
    if extensions is not None:
        wanted = (extensions,) if isinstance(extensions, str) else tuple(extensions)
        files = [f for f in files if f.endswith(wanted)]
        if visible and not files:
            raise ValueError(
                f"No file in {folder!r} has one of the extensions {wanted}; "
                "name others as `parquet_file_extension=`, or None to take every file."
            )
    else:
        # Asked to take every file: also those that are no data by their name.
        files = sorted(
            (f for f in found if f.rsplit("/", 1)[-1] not in METADATA_FILES),
            key=natural_sort_key,
        )
    if not files:
        raise FileNotFoundError(f"read_parquet: the folder {folder!r} holds no Parquet file")
    return Listing(tuple(files), tuple(_version(found[f]) for f in files), folder, None)


def _local_files(folder: str) -> dict[str, dict[str, Any]]:
    """The files in a folder of this machine and those below it, with what tells versions apart."""
    found: dict[str, dict[str, Any]] = {}
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                # A link to a folder is none of its own, as in fsspec: it may lead back.
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                    continue
                try:
                    facts = entry.stat()
                except FileNotFoundError:
                    # A link to what is not there, which is told when it is read.
                    facts = entry.stat(follow_symlinks=False)
                found[entry.path] = _facts(facts)
    return found


def _facts(facts: os.stat_result) -> dict[str, Any]:
    return {
        "size": facts.st_size,
        "mtime": facts.st_mtime_ns,
        "ino": facts.st_ino,
        "created": facts.st_ctime_ns,
    }


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _version(info: dict[str, Any]) -> str:
    known = [info.get(k) for k in ("version", "size", "mtime", "ETag", "etag", "md5Hash", "ino")]
    return repr(known + [str(info.get("LastModified", info.get("created", "")))])


def _base_of(files: list[str]) -> str | None:
    """The folder that all files lie below, where the names of folders hold values."""
    if not files or not any("=" in f for f in files):
        return None
    parts = [f.split("/")[:-1] for f in files]
    common: list[str] = []
    for names in zip(*parts, strict=False):
        if len(set(names)) > 1 or "=" in names[0]:
            break
        common.append(names[0])
    return "/".join(common)


class ParquetDataset:
    """The files of a dataset, as pyarrow sees them.

    ``fields_of_folders`` are the columns whose values the names of folders hold, each with its
    values if it is to be categorical, else None.
    """

    def __init__(self, filesystem: Filesystem, listing: Listing, options: dict[str, Any]) -> None:
        self.filesystem = filesystem
        self.listing = listing
        self.plans = Kept()
        self._options = dict(options)
        self._given_partitioning = self._options.pop("partitioning", None)
        self._options.pop("require_extension", None)
        self._options.pop("filesystem", None)

    @functools.cached_property
    def _partitioning(self) -> Any:
        import pyarrow.dataset as ds

        given = self._given_partitioning
        if given is None:
            return ds.HivePartitioning.discover()
        if isinstance(given, dict):
            return ds.partitioning(**given)
        if isinstance(given, (list, tuple)):
            return ds.partitioning(field_names=list(given))
        return ds.partitioning(flavor=given) if isinstance(given, str) else given

    @functools.cached_property
    def arrow(self) -> Any:
        """The dataset of pyarrow.

        Raises
        ------
        ValueError
            A column is both in the files and in the names of folders, with other types.
        """
        import pyarrow as pa
        import pyarrow.dataset as ds

        options = dict(self._options)
        base = options.pop("partition_base_dir", None)
        base = self.filesystem.spec._strip_protocol(str(base)) if base else self.listing.folder
        files = list(self.listing.files)
        if base is not None:
            options["partition_base_dir"] = base
        if self.listing.metadata_file is not None:
            return ds.parquet_dataset(
                self.listing.metadata_file,
                filesystem=self.filesystem.arrow,
                format=options.pop("format", None) or ds.ParquetFileFormat(),
                partitioning=self._partitioning,
                **options,
            )
        if not files:
            return None
        try:
            return ds.dataset(
                files,
                filesystem=self.filesystem.arrow,
                format=options.pop("format", None) or ds.ParquetFileFormat(),
                partitioning=self._partitioning if base is not None else None,
                **options,
            )
        except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
            names = ", ".join(repr(f) for f in files[:2])
            raise type(error)(
                f"read_parquet: the schema of the files {names}{', …' * (len(files) > 2)} and what "
                f"the names of their folders say do not fit together: {error}"
            ) from error

    @functools.cached_property
    def schema(self) -> Any:
        """The Arrow schema: the columns of the files, then those of the folders."""
        import pyarrow as pa

        return pa.schema([]) if self.arrow is None else self.arrow.schema

    @functools.cached_property
    def fragments(self) -> list[Any]:
        """The files as pyarrow's fragments, in order."""
        if self.arrow is None:
            return []
        found = list(self.arrow.get_fragments())
        if self.listing.metadata_file is not None:
            return sorted(found, key=lambda fragment: natural_sort_key(fragment.path))
        order = {file: position for position, file in enumerate(self.listing.files)}
        return sorted(found, key=lambda fragment: order.get(fragment.path, len(order)))

    @functools.cached_property
    def values_of_folders(self) -> list[dict[str, Any]]:
        """By fragment, the values that the names of its folders give."""
        import pyarrow.dataset as ds

        found = [ds.get_partition_keys(f.partition_expression) for f in self.fragments]
        names = [n for n in self.schema.names if any(n in keys for keys in found)]
        return [{name: keys.get(name) for name in names} for keys in found]

    @functools.cached_property
    def fields_of_folders(self) -> dict[str, list[Any] | None]:
        names = list(self.values_of_folders[0]) if self.values_of_folders else []
        given = self._given_partitioning
        plain = isinstance(given, dict) and given.get("schema") is not None
        in_files = set(self._names_in_files) if names else set()
        fields: dict[str, list[Any] | None] = {}
        for name in names:
            if name in in_files:
                continue
            values = {keys[name] for keys in self.values_of_folders} - {None}
            fields[name] = None if plain else sorted(values)
        if names and in_files & set(names) and fields:
            raise ValueError(
                f"The columns {sorted(in_files & set(names))} are in the files as well as in the "
                f"names of folders, and {sorted(fields)} only in the latter. Either all or none "
                "of the columns that folders are named by may be in the files."
            )
        return fields

    @functools.cached_property
    def _names_in_files(self) -> list[str]:
        return self.fragments[0].physical_schema.names if self.fragments else []

    def sizes_of_row_groups(self, fragments: list[Any]) -> list[list[tuple[int, int]]] | None:
        """Rows and uncompressed bytes of each row group of files on this machine, from footers
        that the engine reads, and keeps for when it reads the rows; None of other files."""
        if self.listing.metadata_file is not None or not self.filesystem.is_local:
            return None
        from samite._engine import FramePlan

        try:
            return FramePlan.row_groups_of([fragment.path for fragment in fragments])
        except (ValueError, OSError):
            # pyarrow raises what its users expect.
            return None

    def read_footers(self, fragments: list[Any]) -> None:
        """Read the metadata of files that have not been read yet, several at a time."""
        from concurrent.futures import ThreadPoolExecutor

        if self.listing.metadata_file is not None or not fragments:
            return
        if len(fragments) == 1:
            fragments[0].ensure_complete_metadata()
            return
        workers = 4 if self.filesystem.is_local else 32
        with ThreadPoolExecutor(min(workers, len(fragments))) as pool:
            list(pool.map(lambda fragment: fragment.ensure_complete_metadata(), fragments))


class Kept:
    """Values that were made last, by key; the oldest is forgotten."""

    def __init__(self) -> None:
        import threading

        self._values: dict[Any, Any] = {}
        self._lock = threading.Lock()

    def get(self, key: Any, make: Any) -> Any:
        with self._lock:
            if key in self._values:
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > KEPT:
                del self._values[next(iter(self._values))]
        return value


_datasets = Kept()


def open_dataset(
    filesystem: Filesystem, listing: Listing, options: dict[str, Any]
) -> ParquetDataset:
    """The dataset of a listing; one that was opened already, if nothing has changed since."""
    from samite.tokenize import tokenize

    key = tokenize(filesystem, listing, options)
    return _datasets.get(key, lambda: ParquetDataset(filesystem, listing, options))
