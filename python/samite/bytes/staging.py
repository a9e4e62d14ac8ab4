"""Files that a write makes, which get their names when all of them are complete.

A write has hidden folders beside the places of its files, with names of their own. They are made
once, before the first part; a part opens a file in them and never makes them, so that a part that
still runs when the write has failed fails by itself. Publishing gives the files their names.

On a local file system a name is given by a rename: a reader sees the old file or the new one. An
object store has no rename: each file is copied and the copy appears whole, and files of one write
appear one after the other. What is left of a killed run has a hidden name, which no reader of
ours takes for data.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

# Writes whose hidden folders a task of theirs makes, in this process.
_lazy: weakref.WeakSet[Staging] = weakref.WeakSet()

# In each hidden folder for as long as the write may go on. Object stores have no folders, and
# some local file systems of fsspec make those that are missing.
_MARKER = "writing"


def is_local(fs: Any) -> bool:
    """Whether an fsspec file system is this machine's own."""
    return type(fs).__name__ == "LocalFileSystem"


class Staging:
    """The hidden folders of one write.

    Parameters
    ----------
    fs:
        An fsspec file system.
    places:
        The folders that files are for. Each has a hidden folder inside.
    hidden:
        The hidden folders, where they do not lie inside of ``places``.
    """

    def __init__(self, fs: Any, places: Iterable[str], hidden: Sequence[str] | None = None) -> None:
        self.fs = fs
        self.token = uuid.uuid4().hex
        self.places = tuple(dict.fromkeys(places))
        folders = hidden or [_inside(place, f".{self.token}.incomplete") for place in self.places]
        self.folders = dict(zip(self.places, folders, strict=True))
        self._made: list[str] = []

    @classmethod
    def for_files(cls, fs: Any, paths: Iterable[str]) -> Staging:
        """The staging of files with these paths."""
        return cls(fs, [path.rpartition("/")[0] for path in paths])

    def __dask_tokenize__(self) -> Any:
        return (type(self).__name__, self.token)

    def open(self) -> bool:
        """Make the hidden folders: once, before any part."""
        for folder in self.folders.values():
            if is_local(self.fs):
                self._made += _missing(folder)
            self.fs.makedirs(folder, exist_ok=True)
            with self.fs.open(f"{folder}/{_MARKER}", "wb"):
                pass
        return True

    def lazy_open(self) -> Callable[[], bool]:
        """:meth:`open` for a task of a lazy write. Should the computation fail,
        :func:`discard_lazy` finds it."""
        _lazy.add(self)
        return self.open

    @contextlib.contextmanager
    def part(self, place: str) -> Iterator[str]:
        """A path for a new file that will go to the folder ``place``. Each attempt to write a
        part has another one.

        Raises
        ------
        FileNotFoundError
            The write has ended meanwhile.
        """
        folder = self.folders[place]
        path = f"{folder}/{uuid.uuid4().hex}"
        yield path
        self.fs.invalidate_cache(folder)
        if self.fs.exists(f"{folder}/{_MARKER}"):
            return
        with contextlib.suppress(OSError):
            self.fs.rm_file(path)
        if is_local(self.fs):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        raise FileNotFoundError(
            f"the write to {place!r} has ended, since another part of it failed"
        )

    def publish(self, files: Iterable[tuple[str, str]], mode: str = "w") -> list[str]:
        """Give files their names and remove the hidden folders.

        Parameters
        ----------
        files:
            Pairs of a path that :meth:`part` gave and the one that it gets.
        mode:
            "w" replaces files that are there, "a" adds to them, "x" refuses to.

        Raises
        ------
        FileExistsError
            A file is there, and must not be replaced. None has been published then.
        IsADirectoryError
            There is a folder of the name of a file. None has been published then.
        """
        pairs = list(files)
        for _, path in pairs:
            if not self.fs.exists(path):
                continue
            if "x" in mode:
                raise FileExistsError(
                    f"The file {path!r} is there already; use mode='w' to replace it"
                )
            if is_local(self.fs) and os.path.isdir(path):
                raise IsADirectoryError(f"cannot write the file {path!r}: it is a folder")
        if "a" in mode:
            append_all(self.fs, [([hidden], path) for hidden, path in pairs])
        else:
            for hidden, path in pairs:
                move(self.fs, hidden, path, "x" not in mode)
        self.discard()
        return [path for _, path in pairs]

    def publish_joined(self, pieces: Sequence[str], path: str, mode: str = "w") -> str:
        """Make one file of pieces that stand one after the other, and remove the hidden folders.
        The parameters and errors are those of :meth:`publish`."""
        if "a" in mode:
            append_all(self.fs, [(pieces, path)])
            self.discard()
            return path
        if len(pieces) > 1:
            append_all(self.fs, [(pieces[1:], pieces[0])])
        return self.publish([(pieces[0], path)], mode)[0]

    def discard(self) -> None:
        """Remove the hidden folders and what is in them; parts that still run fail."""
        for folder in self.folders.values():
            with contextlib.suppress(FileNotFoundError):
                _discard(self.fs, folder)
        for folder in reversed(self._made):
            # Folders that were made for this write and are used by nobody.
            with contextlib.suppress(OSError):
                os.rmdir(folder)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Make the hidden folders, and remove them should what is done meanwhile fail."""
        try:
            self.open()
            yield
        except BaseException:
            with contextlib.suppress(OSError):
                self.discard()
            raise


def discard_lazy(graphs: Callable[[], Iterable[Mapping[Any, Any]]]) -> None:
    """Discard the lazy writes of graphs whose computation has failed. The graphs are made only
    where there are such writes at all."""
    discard_all(lazy_writes(graphs))


def lazy_writes(graphs: Callable[[], Iterable[Mapping[Any, Any]]]) -> list[Staging]:
    """The lazy writes of graphs. These are made only where there are such writes at all."""
    if not _lazy:
        return []
    found = []
    for graph in graphs():
        for task in graph.values():
            staging = getattr(getattr(task, "func", None), "__self__", None)
            if isinstance(staging, Staging):
                found.append(staging)
    return found


def discard_all(writes: Iterable[Staging]) -> None:
    """Discard writes that nobody will go on with."""
    for staging in writes:
        with contextlib.suppress(OSError):
            staging.discard()


def _inside(place: str, name: str) -> str:
    # The root of a file system is "/", of others "".
    return f"{place.rstrip('/')}/{name}" if place else name


def _missing(folder: str) -> list[str]:
    """The folders above ``folder`` that are not there, outermost first."""
    missing: list[str] = []
    above = os.path.dirname(folder)
    while above and not os.path.isdir(above):
        missing.insert(0, above)
        above = os.path.dirname(above)
    return missing


def _discard(fs: Any, folder: str) -> None:
    if is_local(fs):
        # After the rename nobody can make another file in it.
        gone = f"{folder}.removed"
        os.rename(folder, gone)
        shutil.rmtree(gone)
        return
    fs.invalidate_cache(folder)
    # A part that ends from now on sees that the marker is gone; the files of the others are here.
    with contextlib.suppress(FileNotFoundError):
        fs.rm_file(f"{folder}/{_MARKER}")
    fs.invalidate_cache(folder)
    fs.rm(folder, recursive=True)
    fs.invalidate_cache(folder)


def move(fs: Any, hidden: str, path: str, replace: bool = True) -> None:
    """Give a complete file its name.

    Raises
    ------
    FileExistsError
        A file is there, and must not be replaced.
    """
    if not is_local(fs):
        fs.mv(hidden, path)
    elif replace:
        os.replace(hidden, path)
    else:
        # A link is refused where a name is taken, and a rename is not.
        os.link(hidden, path)
        os.unlink(hidden)


def append_all(fs: Any, files: Sequence[tuple[Sequence[str], str]]) -> None:
    """Add the bytes of complete files to the ends of others. If that fails, these are as before on
    a local file system.

    Parameters
    ----------
    files:
        Pairs of the paths to read and the one to add to.
    """
    sizes: dict[str, int | None] = {}
    try:
        for pieces, path in files:
            sizes.setdefault(path, fs.size(path) if fs.exists(path) else None)
            with fs.open(path, "ab") as target:
                for piece in pieces:
                    with fs.open(piece, "rb") as source:
                        shutil.copyfileobj(source, target, 1 << 20)
    except BaseException:
        for path, size in sizes.items():
            if is_local(fs):
                with contextlib.suppress(OSError):
                    os.unlink(path) if size is None else os.truncate(path, size)
        raise


@contextlib.contextmanager
def complete_file(fs: Any, path: str, mode: str, **options: Any) -> Iterator[Any]:
    """A file to write by itself, which gets its name when it is complete.

    Parameters
    ----------
    mode:
        "w" replaces a file that is there, "a" adds to it, "x" refuses to.
    options:
        Of ``fsspec.core.OpenFile``.

    Raises
    ------
    FileExistsError
        The mode has "x", and the file is there.
    """
    from fsspec.core import OpenFile

    folder, _, name = path.rpartition("/")
    if folder:
        fs.makedirs(folder, exist_ok=True)
    if "x" in mode and fs.exists(path):
        raise FileExistsError(f"The file {path!r} is there already; use mode='w' to replace it")
    hidden = _inside(folder, f".{name}.{uuid.uuid4().hex}.incomplete")
    options = options_for(fs, path, mode, options)
    try:
        with OpenFile(fs, hidden, mode=written_mode(mode), **options) as file:
            yield file
        if "a" in mode:
            append_all(fs, [([hidden], path)])
        else:
            move(fs, hidden, path, "x" not in mode)
    finally:
        with contextlib.suppress(OSError):
            if fs.exists(hidden):
                fs.rm_file(hidden)


@dataclasses.dataclass
class Output:
    """A file that one part is written to: by itself, or as one of those of a staging.

    ``options`` are those of ``fsspec.core.OpenFile``.
    """

    fs: Any
    path: str
    mode: str
    options: dict[str, Any]
    staging: Staging | None = None

    def write(self, write: Callable[[Any], Any]) -> Any:
        """Call ``write(open_file)``. Gives the path; of a file of a staging, which has still to be
        published, the hidden path and the path."""
        from fsspec.core import OpenFile

        if self.staging is None:
            with complete_file(self.fs, self.path, self.mode, **self.options) as file:
                write(file)
            return self.path
        options = options_for(self.fs, self.path, self.mode, self.options)
        with self.staging.part(self.path.rpartition("/")[0]) as hidden:
            with OpenFile(self.fs, hidden, mode=written_mode(self.mode), **options) as file:
                write(file)
        return hidden, self.path


def publish(written: list[tuple[str, str]], staging: Staging, mode: str) -> list[str]:
    """:meth:`Staging.publish`, as a task that comes after those that write."""
    return staging.publish(written, mode)


def written_mode(mode: str) -> str:
    """The mode to open a new file for what is written in ``mode``."""
    return mode.replace("x", "w").replace("a", "w")


def options_for(fs: Any, path: str, mode: str, options: dict[str, Any]) -> dict[str, Any]:
    """How to open a hidden file for what goes to ``path``, at its end in mode "a"."""
    from fsspec.core import get_compression

    found = dict(options)
    if "compression" in found:
        found["compression"] = get_compression(path, found["compression"])
    if "a" in mode and found.get("encoding") and fs.exists(path) and fs.size(path):
        found["encoding"] = continued(found["encoding"])
    return found


def continued(encoding: str) -> str:
    """The encoding of text that stands behind other text: without a mark of the byte order."""
    import codecs
    import sys

    name = codecs.lookup(encoding).name
    if name in ("utf-16", "utf-32"):
        return f"{name}-{'le' if sys.byteorder == 'little' else 'be'}"
    return "utf-8" if name == "utf-8-sig" else encoding
