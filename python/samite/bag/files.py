"""Files that bags are read from: of this machine as they are, others through fsspec.

fsspec takes longer to import than a small file to read. So it is asked only where a path is a URL
or a pattern, or where the file is compressed.
"""

from __future__ import annotations

import os
import sys
from typing import Any

# Ends of names that never tell of a compression.
_PLAIN_SUFFIXES = frozenset({"", ".txt", ".json", ".jsonl", ".ndjson", ".log", ".csv", ".tsv"})
_CHUNK = 1 << 16


class PlainFile:
    """A file of this machine that is not compressed; entered, it is the open file."""

    __slots__ = ("_open", "path")

    compression = None

    def __init__(self, path: str) -> None:
        self.path = path
        self._open: Any = None

    def open(self) -> Any:
        """The open file."""
        return open(self.path, "rb")

    def __enter__(self) -> Any:
        self._open = self.open()
        return self._open

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._open = None

    def __reduce__(self) -> Any:
        return PlainFile, (self.path,)

    def __repr__(self) -> str:
        return f"<PlainFile {self.path!r}>"


class ZstdFile:
    """A file of any system that zstd compressed; entered, it is the open file of its contents."""

    __slots__ = ("_open", "file")

    compression = "zstd"

    def __init__(self, file: Any) -> None:
        self.file = file
        self._open: Any = None

    @property
    def path(self) -> str:
        return self.file.path

    @property
    def fs(self) -> Any:
        return self.file.fs

    def open(self) -> Any:
        """The open file."""
        from samite.bag.zstd import open_zstd

        return open_zstd(self.file.fs.open(self.file.path, "rb"))

    def __enter__(self) -> Any:
        self._open = self.open()
        return self._open

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._open = None

    def __reduce__(self) -> Any:
        return ZstdFile, (self.file,)


def files_at(urlpath: Any, compression: str | None, storage_options: Any) -> list[Any]:
    """The files of paths, URLs and patterns, in order."""
    if isinstance(urlpath, set):
        urlpath = sorted(urlpath)
    paths = urlpath if isinstance(urlpath, (list, tuple)) else [urlpath]
    if os.name == "posix" and not storage_options and compression in (None, "infer"):
        plain = [_plain_path(path, compression) for path in paths]
        if plain and None not in plain:
            return [PlainFile(path) for path in plain if path is not None]
    from fsspec.core import OpenFile, get_fs_token_paths
    from fsspec.utils import infer_compression

    fs, _, paths = get_fs_token_paths(urlpath, mode="rb", storage_options=storage_options)
    files: list[Any] = []
    for path in paths:
        used = infer_compression(path) if compression == "infer" else compression
        plain_here = used is None and _is_local_system(fs) and os.name == "posix"
        if plain_here:
            files.append(PlainFile(path))
        else:
            file = OpenFile(fs, path, compression=used)
            files.append(ZstdFile(file) if used == "zstd" else file)
    return files


def _plain_path(path: Any, compression: str | None) -> str | None:
    """The absolute path of a file that fsspec need not be asked about."""
    if not isinstance(path, (str, os.PathLike)):
        return None
    path = os.fspath(path)
    if not isinstance(path, str) or not path or "://" in path or "::" in path:
        return None
    if not {"*", "?", "["}.isdisjoint(path) or path.endswith("/"):
        return None
    if compression == "infer":
        if "fsspec" in sys.modules:
            from fsspec.utils import infer_compression

            if infer_compression(path) is not None:
                return None
        elif os.path.splitext(path)[1].lower() not in _PLAIN_SUFFIXES:
            return None
    return os.path.abspath(os.path.expanduser(path) if path.startswith("~") else path)


def _is_local_system(fs: Any) -> bool:
    protocol = fs.protocol
    return "file" in (protocol if isinstance(protocol, (tuple, list)) else (protocol,))


def is_plain(file: Any) -> bool:
    """Whether a file is of this machine and not compressed."""
    return type(file) is PlainFile


def is_local(file: Any) -> bool:
    """Whether a file is of this machine."""
    return is_plain(file) or _is_local_system(file.fs)


def file_size(file: Any) -> int | None:
    """The bytes of a file; None where its system does not tell."""
    return os.stat(file.path).st_size if is_plain(file) else file.fs.info(file.path)["size"]


def file_version(file: Any) -> Any:
    """What tells versions of a file apart; a file need only be there when it is read."""
    try:
        if is_plain(file):
            found = os.stat(file.path)
            return found.st_mtime_ns, found.st_size, found.st_ino
        return file.fs.ukey(file.path)
    except Exception:
        return None


def read_block(file: Any, offset: int, length: int, delimiter: bytes) -> bytes:
    """The bytes of a block that begins and ends behind delimiters: what begins behind the first
    one from ``offset`` on, up to the first one from ``offset + length`` on."""
    start = behind(file, offset, delimiter) if offset else 0
    stop = behind(file, offset + length, delimiter) if offset + length else 0
    file.seek(start)
    return file.read(max(0, stop - start))


def behind(file: Any, place: int, delimiter: bytes) -> int:
    """The byte behind the first delimiter from a place on, or the end of the file."""
    file.seek(place)
    kept = b""
    while chunk := file.read(_CHUNK):
        data = kept + chunk
        found = data.find(delimiter)
        if found >= 0:
            return place + found + len(delimiter)
        kept = data[-(len(delimiter) - 1) :] if len(delimiter) > 1 else b""
        place += len(data) - len(kept)
    return place + len(kept)
