"""Temporary files and folders for tests and for tasks."""

from __future__ import annotations

import os
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_open = open


def _remove(path: str) -> None:
    """Delete a file or a folder if it is there; a file that is still open elsewhere stays."""
    import shutil

    try:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.remove(path)
    except OSError:
        pass


def ensure_not_exists(filename: str) -> None:
    """Delete a file; that there is none is fine."""
    try:
        os.unlink(filename)
    except FileNotFoundError:
        pass


@contextmanager
def tmpfile(extension: str = "", dir: str | None = None) -> Iterator[str]:
    """The path of a file that does not exist yet, and is removed in the end if it then does.

    Parameters
    ----------
    extension
        With or without its dot.
    dir
        The folder; the system's temporary folder by default.
    """
    import tempfile

    suffix = f".{extension.lstrip('.')}" if extension else ""
    handle, filename = tempfile.mkstemp(suffix, dir=dir)
    os.close(handle)
    os.remove(filename)
    try:
        yield filename
    finally:
        _remove(filename)


@contextmanager
def tmpdir(dir: str | None = None) -> Iterator[str]:
    """The path of a new folder, removed in the end with what is in it."""
    import tempfile

    folder = tempfile.mkdtemp(dir=dir)
    try:
        yield folder
    finally:
        _remove(folder)


@contextmanager
def filetext(
    text: str | bytes, extension: str = "", open: Callable = _open, mode: str = "w"
) -> Iterator[str]:
    """The path of a temporary file with that content."""
    with tmpfile(extension=extension) as filename:
        with open(filename, mode=mode) as file:
            file.write(text)
        yield filename


@contextmanager
def filetexts(
    d: Mapping[str, str | bytes],
    open: Callable = _open,
    mode: str = "t",
    use_tmpdir: bool = True,
) -> Iterator[list[str]]:
    """Files with these names and contents, for the time of the block.

    Parameters
    ----------
    mode
        ``"t"`` or ``"b"``.
    use_tmpdir
        Make a temporary folder the current one and write them there; else write them to where
        their names point.
    """
    with tmp_cwd() if use_tmpdir else changed_cwd("."):
        for filename, text in d.items():
            folder = os.path.dirname(filename)
            if folder:
                os.makedirs(folder, exist_ok=True)
            # Opened for writing as the caller's `open` wants it, which may compress.
            file = open(filename, "w" + mode)
            try:
                file.write(text)
            finally:
                file.close()
        try:
            yield list(d)
        finally:
            for filename in d:
                _remove(filename)


@contextmanager
def changed_cwd(new_cwd: str) -> Iterator[None]:
    """Another current folder, for the time of the block."""
    before = os.getcwd()
    os.chdir(new_cwd)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def tmp_cwd(dir: str | None = None) -> Iterator[str]:
    """A temporary folder that is the current one for the time of the block."""
    with tmpdir(dir) as folder, changed_cwd(folder):
        yield folder
