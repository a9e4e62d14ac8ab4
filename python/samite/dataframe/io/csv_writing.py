"""Writing CSV files."""

from __future__ import annotations

import os
from typing import Any

from samite.bytes.staging import Output, Staging, continued, is_local
from samite.dataframe.io.writing import (
    file_names,
    filesystem_of,
    keywords_of_compute,
    write_files,
    write_part,
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
    """Write a data frame or series to CSV files, one for each partition. Files get their names
    when all are complete; lazy values make each its own file appear.

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
    if "a" in mode and names:
        _check_joining(names[0], compression, 1, mode)
    files = [
        (os.path.normpath(strip(name)) if is_local(fs) else strip(name), header)
        for name, header in zip(names, headers, strict=True)
    ]
    return write_files(df, _write, fs, files, mode, options, compute, keywords)


def _write(frame: Any, file: Any, kwargs: dict[str, Any]) -> None:
    frame.to_csv(file, **kwargs)


def _check_joining(path: str, compression: Any, count: int, mode: str) -> None:
    from fsspec.core import get_compression

    if get_compression(path, compression) == "zip" and (count > 1 or "a" in mode):
        raise ValueError(
            "to_csv: a zip archive cannot be added to, so that it holds one partition; use "
            "compression='gzip', or `df.repartition(npartitions=1)`"
        )


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
    """All partitions one after the other in one file. They are written each to a hidden one."""
    from samite.delayed import delayed

    _check_joining(path, options["compression"], len(headers), mode)
    if "x" in mode and fs.exists(path):
        raise FileExistsError(f"The file {path!r} is there already; use mode='w' to replace it")
    staging = Staging.for_files(fs, [path])
    opened = None if compute else delayed(staging.lazy_open(), pure=False)()
    call = delayed(write_part, pure=False)
    later = {**options, "encoding": continued(options["encoding"])}
    written = [
        call(
            part,
            _write,
            Output(fs, path, mode, later if i else options, staging),
            header,
            opened,
        )
        for i, (part, header) in enumerate(zip(df.to_delayed(), headers, strict=True))
    ]
    result = delayed(_join, pure=False)(written, staging, path, mode)
    if not compute:
        return result
    with staging.writing():
        return [result.compute(**keywords)]


def _join(written: list[tuple[str, str]], staging: Any, path: str, mode: str) -> str:
    return staging.publish_joined([hidden for hidden, _ in written], path, mode)
