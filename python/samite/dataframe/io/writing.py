"""Files for the partitions of a data frame: their names, and how they appear complete or not
at all."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any


def file_names(
    path: Any, count: int, name_function: Callable[[int], str] | None, extension: str = ".part"
) -> list[str]:
    """Names for files of partitions.

    Parameters
    ----------
    path:
        A folder, a name with one ``*``, or as many names as there are partitions.
    name_function:
        What takes the place of ``*``, by position; numbers by default.

    Raises
    ------
    ValueError
        There are several ``*``, or another number of names.
    """
    from fsspec.utils import build_name_function

    if not isinstance(path, (str, os.PathLike)):
        names = [os.fspath(p) for p in path]
        if len(names) != count:
            raise ValueError(
                f"{len(names)} paths were given for {count} partitions; give one for each"
            )
        return names
    pattern = os.fspath(path)
    if "*" not in pattern:
        pattern = os.path.join(pattern, f"*{extension}")
    if pattern.count("*") > 1:
        raise ValueError("Output path spec must contain exactly one '*'.")
    name = name_function or build_name_function(count - 1)
    names = [pattern.replace("*", name(i)) for i in range(count)]
    if len(set(names)) != count:
        raise ValueError("`name_function` must give another name for each partition")
    return names


def filesystem_of(path: Any, storage_options: Any) -> tuple[Any, Callable[[str], str]]:
    """The fsspec filesystem of a path, and what strips the protocol from such paths."""
    from fsspec.core import url_to_fs

    fs, _ = url_to_fs(os.fspath(path), **(storage_options or {}))
    return fs, fs._strip_protocol


@contextlib.contextmanager
def complete_file(fs: Any, path: str, mode: str, **options: Any) -> Iterator[Any]:
    """A file to write, which gets its name when it is complete.

    Parameters
    ----------
    mode:
        "a" appends to the file that is there, and so does not keep it from being seen in part.

    Raises
    ------
    FileExistsError
        The mode has "x", and the file is there.
    """
    from fsspec.core import OpenFile

    folder, _, name = path.rpartition("/")
    if folder:
        fs.makedirs(folder, exist_ok=True)
    if "a" in mode:
        with OpenFile(fs, path, mode=mode, **options) as file:
            yield file
        return
    if "x" in mode and fs.exists(path):
        raise FileExistsError(f"The file {path!r} is there already; use mode='w' to replace it")
    hidden = f"{folder}/.{name}.{uuid.uuid4().hex}.incomplete"
    try:
        with OpenFile(fs, hidden, mode=mode.replace("x", "w"), **options) as file:
            yield file
        publish(fs, hidden, path)
    except BaseException:
        with contextlib.suppress(OSError):
            if fs.exists(hidden):
                fs.rm(hidden)
        raise


def publish(fs: Any, hidden: str, path: str) -> None:
    """Give a complete file its name."""
    if type(fs).__name__ == "LocalFileSystem":
        os.replace(hidden, path)
    else:
        fs.mv(hidden, path)


def write_partitions(
    df: Any,
    function: Callable[..., Any],
    arguments: Sequence[tuple[Any, ...]],
    compute: bool,
    compute_kwargs: dict[str, Any] | None,
) -> Any:
    """Call ``function`` with each partition and its arguments: now, or as lazy values."""
    from samite import compute as compute_all
    from samite.delayed import delayed

    call = delayed(function, pure=False)
    values = [call(part, *given) for part, given in zip(df.to_delayed(), arguments, strict=True)]
    if not compute:
        return values
    return list(compute_all(*values, **(compute_kwargs or {})))


def keywords_of_compute(
    name: str, scheduler: Any, compute_kwargs: dict[str, Any] | None
) -> dict[str, Any]:
    """The keywords for ``compute``, with a scheduler that was given in the old way.

    Raises
    ------
    ValueError
        Two different schedulers are given.
    """
    import warnings

    keywords = dict(compute_kwargs or {})
    if scheduler is None:
        return keywords
    warnings.warn(
        f"The 'scheduler' keyword argument for `{name}()` is deprecated; use "
        f"`compute_kwargs={{'scheduler': ...}}` instead",
        FutureWarning,
        stacklevel=3,
    )
    if keywords.get("scheduler", scheduler) != scheduler:
        raise ValueError(
            f"Differing values for 'scheduler' have been passed in: {scheduler!r} and, in "
            f"compute_kwargs, {keywords['scheduler']!r}"
        )
    return {**keywords, "scheduler": scheduler}
