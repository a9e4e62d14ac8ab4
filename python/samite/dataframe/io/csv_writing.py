"""Writing CSV files."""

from __future__ import annotations

import contextlib
import os
import uuid
from typing import Any

from samite.dataframe.io.writing import (
    complete_file,
    file_names,
    filesystem_of,
    keywords_of_compute,
    publish,
    write_partitions,
)


def to_csv(
    df: Any,
    filename: Any,
    single_file: bool = False,
    encoding: str = "utf-8",
    mode: str = "wt",
    name_function: Any = None,
    compression: str | None = None,
    compute: bool = True,
    scheduler: Any = None,
    storage_options: Any = None,
    header_first_partition_only: bool | None = None,
    compute_kwargs: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Any:
    """Write a data frame or series to CSV files, one for each partition. A file gets its name
    when it is complete.

    Parameters
    ----------
    filename:
        A folder, a name in which ``*`` becomes the number of the partition, or a list of names;
        with ``single_file`` one name.
    mode:
        "w", "a" to append, or "x" to refuse to replace a file.
    name_function:
        What takes the place of ``*``, by the position of the partition.
    compression:
        Such as "gzip".
    compute:
        Whether to write now, or to give lazy values that do.
    header_first_partition_only:
        Whether only the first partition has a header: by default with ``single_file``.
    kwargs:
        Of ``pandas.DataFrame.to_csv``.

    Returns
    -------
    The names of the files, or lazy values that give them.

    Raises
    ------
    ValueError
        Options do not fit together.
    FileExistsError
        A file is there, in mode "x".
    """
    if single_file and name_function is not None:
        raise ValueError("name_function is not supported under the single file mode")
    if header_first_partition_only is None:
        header_first_partition_only = single_file
    elif single_file and not header_first_partition_only:
        raise ValueError("header_first_partition_only cannot be False in the single file mode.")
    keywords = keywords_of_compute("to_csv", scheduler, compute_kwargs)
    options = {
        "compression": compression,
        "encoding": encoding,
        "errors": kwargs.pop("errors", "strict"),
        "newline": "",
    }
    mode = mode if mode.endswith("t") else f"{mode}t"
    later = {**kwargs, "header": False} if header_first_partition_only else kwargs
    count = df.npartitions
    headers = [kwargs] + [later] * (count - 1)
    if single_file:
        fs, strip = filesystem_of(filename, storage_options)
        return _to_single_file(df, fs, strip(os.fspath(filename)), mode, options, headers, compute,
                               keywords)  # fmt: skip
    names = file_names(filename, count, name_function)
    fs, strip = filesystem_of(names[0], storage_options)
    arguments = [(fs, strip(n), mode, options, h) for n, h in zip(names, headers, strict=True)]
    return write_partitions(df, _write, arguments, compute, keywords)


def _write(
    frame: Any, fs: Any, path: str, mode: str, options: dict[str, Any], kwargs: dict[str, Any]
) -> str:
    with complete_file(fs, path, mode, **options) as file:
        frame.to_csv(file, **kwargs)
    return os.path.normpath(path) if type(fs).__name__ == "LocalFileSystem" else path


def _to_single_file(
    df: Any,
    fs: Any,
    path: str,
    mode: str,
    options: dict[str, Any],
    headers: list[dict[str, Any]],
    compute: bool,
    keywords: dict[str, Any],
) -> Any:
    """All partitions one after the other to one file, which gets its name at the end."""
    from samite.delayed import delayed

    if "x" in mode and fs.exists(path):
        raise FileExistsError(f"The file {path!r} is there already; use mode='w' to replace it")
    appends = "a" in mode
    folder, _, name = path.rpartition("/")
    hidden = path if appends else f"{folder}/.{name}.{uuid.uuid4().hex}.incomplete"
    append = delayed(_append, pure=False)
    previous: Any = None
    for part, header in zip(df.to_delayed(), headers, strict=True):
        previous = append(part, fs, hidden, options, header, previous)
    result = delayed(_finish, pure=False)(previous, fs, hidden, path, appends or "x" not in mode)
    if not compute:
        return result
    try:
        return [result.compute(**keywords)]
    except BaseException:
        if not appends:
            with contextlib.suppress(OSError):
                if fs.exists(hidden):
                    fs.rm(hidden)
        raise


def _append(
    frame: Any, fs: Any, path: str, options: dict[str, Any], kwargs: dict[str, Any], previous: Any
) -> bool:
    """Append a partition, after the one that ``previous`` stands for."""
    with complete_file(fs, path, "at", **options) as file:
        frame.to_csv(file, **kwargs)
    return True


def _finish(previous: Any, fs: Any, hidden: str, path: str, replaces: bool) -> str:
    if hidden != path:
        if not replaces and fs.exists(path):
            raise FileExistsError(f"The file {path!r} has appeared while it was written")
        publish(fs, hidden, path)
    return path
