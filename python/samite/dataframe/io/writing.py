"""Files for the partitions of a data frame: their names, and the tasks that write them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
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


def write_files(
    df: Any,
    write: Callable[..., Any],
    fs: Any,
    files: Sequence[tuple[str, Any]],
    mode: str,
    options: dict[str, Any],
    compute: bool,
    compute_kwargs: dict[str, Any] | None,
) -> Any:
    """Write each partition to a file: now, so that all files appear or none; or as lazy values, of
    which each makes one file appear.

    Parameters
    ----------
    write:
        ``write(partition, open_file, argument)``.
    files:
        By partition the path and the argument.
    mode:
        "wt" replaces files that are there, "at" adds to them, "xt" refuses to.
    options:
        Of ``fsspec.core.OpenFile``.

    Returns
    -------
    The paths, or lazy values that give them.
    """
    from samite.bytes.staging import Output, Staging, publish
    from samite.delayed import delayed

    staging = Staging.for_files(fs, [path for path, _ in files]) if compute else None
    call = delayed(write_part, pure=False)
    written = [
        call(part, write, Output(fs, path, mode, options, staging), argument)
        for part, (path, argument) in zip(df.to_delayed(), files, strict=True)
    ]
    if staging is None:
        return written
    result = delayed(publish, pure=False)(written, staging, mode)
    with staging.writing():
        return result.compute(**(compute_kwargs or {}))


def write_part(
    part: Any, write: Callable[..., Any], output: Any, argument: Any, opened: Any = None
) -> Any:
    """Write a partition. ``opened`` stands for the task that has made the hidden folders, where
    that is one."""
    return output.write(lambda file: write(part, file, argument))


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
