"""Files that a shuffle writes its pieces to."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from samite.dataframe.packing import Layout, Packed, pack
from samite.dataframe.shuffling import joined, split_further, targets


class Folder:
    """A folder that is removed with the object that made it; copies in other processes do not
    remove it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._remove: Any = None

    @staticmethod
    def make() -> Folder:
        """A new folder, where the settings say that temporary files are."""
        from samite import config

        parent = config.get("temporary-directory", None)
        if parent is not None:
            os.makedirs(parent, exist_ok=True)
        folder = Folder(tempfile.mkdtemp(prefix="samite-shuffle-", dir=parent))
        folder._remove = weakref.finalize(folder, _removed, folder.path, os.getpid())
        return folder

    def __reduce__(self) -> tuple[Any, ...]:
        return (Folder, (self.path,))


def _removed(path: str, process: int) -> None:
    # A forked child inherits the finalizer, but not the folder.
    if os.getpid() == process:
        shutil.rmtree(path, ignore_errors=True)


def make_folder() -> Folder:
    """See :meth:`Folder.make`."""
    compression()
    return Folder.make()


def compression() -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
    """What compresses pieces, and what restores them, by the setting
    ``dataframe.shuffle.compression``.

    Raises
    ------
    ImportError
        There is no compression of that name.
    """
    from samite import config

    name = config.get("dataframe.shuffle.compression", None)
    if name is None:
        return _same, _same
    if name.lower() in ("zlib", "bz2", "lzma"):
        module = __import__(name.lower())
        return module.compress, module.decompress
    raise ImportError(
        f"Not able to import and load {name} as compression algorithm."
        "Please check if the library is installed and supported by Partd."
    )


def _same(data: bytes) -> bytes:
    return data


def write(
    folder: Folder, number: int, part: Any, keys: Any, how: Sequence[Any], count: int
) -> tuple[str, np.ndarray, Layout | None]:
    """Write the pieces of a partition, and give the file, where each piece begins, and how they
    are packed, if they are."""
    compress, _ = compression()
    packed = pack(part)
    path = os.path.join(folder.path, f"{number}.pieces")
    starts = np.zeros(count + 1, dtype=np.int64)
    end = 0
    with open(path, "wb") as file:
        pieces = split_further((packed, targets(part, keys, how, count)), 0, count, 1)
        for index, (piece, _) in enumerate(pieces):
            if len(piece):
                end += file.write(compress(_bytes_of(piece)))
            starts[index + 1] = end
    return path, starts, packed.layout if isinstance(packed, Packed) else None


def _bytes_of(piece: Any) -> bytes:
    if isinstance(piece, Packed):
        return piece.to_bytes()
    return pickle.dumps(piece, protocol=5)


def all_written(folder: Folder, written: list[Any]) -> tuple[Folder, list[Any]]:
    """The folder and its files, which are complete."""
    return folder, written


def read(files: tuple[Folder, list[Any]], index: int, meta: Any, folder: Folder) -> Any:
    """The pieces of one partition from all files, as one. The folder is there for as long as it is
    an argument of tasks.

    Raises
    ------
    OSError
        A file is shorter than it was when it had been written.
    """
    _, restore = compression()
    pieces = []
    for path, starts, layout in files[1]:
        begin, length = int(starts[index]), int(starts[index + 1] - starts[index])
        if length:
            data = restore(_read(path, begin, length))
            pieces.append(pickle.loads(data) if layout is None else Packed.of_bytes(layout, data))
    return joined(pieces, meta, ignore_index=False)


def _read(path: str, begin: int, length: int) -> bytes:
    # Python's files take several times as long to open.
    file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        data = os.pread(file, length, begin)
    finally:
        os.close(file)
    if len(data) < length:
        raise OSError(f"the file {path!r} of a shuffle is shorter than it was")
    return data
