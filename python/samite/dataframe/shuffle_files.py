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

from samite.dataframe.joining import concat_partitions
from samite.dataframe.shuffling import split_further, targets


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
) -> tuple[str, np.ndarray]:
    """Write the pieces of a partition, and give the file and where each piece begins."""
    compress, _ = compression()
    held = (part, targets(part, keys, how, count))
    path = os.path.join(folder.path, f"{number}.pieces")
    starts = np.zeros(count + 1, dtype=np.int64)
    with open(path, "wb") as file:
        for index, (piece, _) in enumerate(split_further(held, 0, count, 1)):
            if len(piece):
                file.write(compress(pickle.dumps(piece, protocol=5)))
            starts[index + 1] = file.tell()
    return path, starts


def all_written(folder: Folder, written: list[Any]) -> tuple[Folder, list[Any]]:
    """The folder and its files, which are complete."""
    return folder, written


def read(files: tuple[Folder, list[Any]], index: int, meta: Any) -> Any:
    """The pieces of one partition from all files, as one."""
    _, restore = compression()
    pieces = []
    for path, starts in files[1]:
        length = int(starts[index + 1] - starts[index])
        if length:
            with open(path, "rb") as file:
                file.seek(int(starts[index]))
                pieces.append(pickle.loads(restore(file.read(length))))
    return concat_partitions(pieces, meta)
