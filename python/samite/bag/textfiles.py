"""Writing bags as files of lines."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from samite._task_spec import TaskRef
from samite.bag.graphs import chain_task, graph_of, step
from samite.tokenize import tokenize


def to_textfiles(
    b: Any,
    path: Any,
    name_function: Callable[[int], str] | None = None,
    compression: str | None = "infer",
    encoding: str = "utf-8",
    compute: bool = True,
    storage_options: dict[str, Any] | None = None,
    last_endline: bool = False,
    **kwargs: Any,
) -> list[Any]:
    """Write each partition of a bag of strings as a file of lines.

    Parameters
    ----------
    path:
        A path or URL with a ``*`` for the partition's number, a folder, or a list of paths.
    name_function:
        Gives what stands for the ``*``, from the partition's number.
    compression:
        As for :func:`read_text`.
    compute:
        False: lazy values, one a file.
    last_endline:
        Whether the last line ends with a line end too.
    **kwargs:
        For ``compute``.

    Returns
    -------
    list
        The paths.

    Raises
    ------
    TypeError
        If ``path`` is neither text nor a list, or a record is neither text nor bytes.
    ValueError
        If a list has another number of paths than the bag has partitions.
    """
    from fsspec.core import open_files

    from samite.delayed import Delayed

    if isinstance(path, (list, tuple)) and len(path) != b.npartitions:
        raise ValueError(
            f"to_textfiles got {len(path)} paths for a bag of {b.npartitions} partitions"
        )
    if not isinstance(path, (str, list, tuple)) and not hasattr(path, "__fspath__"):
        raise TypeError(f"Path should be a string, os.PathLike, list or tuple, got {path!r}")
    files = open_files(
        path,
        compression=compression,
        mode="wt",
        encoding=encoding,
        name_function=name_function,
        num=b.npartitions,
        **(storage_options or {}),
    )
    name = f"to-textfiles-{tokenize(b, path, compression, encoding, last_endline)}"
    layer = {
        (name, i): chain_task(
            (name, i),
            TaskRef((b.name, i)),
            step(write_lines, file, last_endline),
            value=True,
        )
        for i, file in enumerate(files)
    }
    graph = graph_of(name, layer, [b])
    if not compute:
        return [Delayed(key, graph, layer=name) for key in layer]
    type(b)(graph, name, b.npartitions).compute(**kwargs)
    return [file.path for file in files]


def write_lines(records: Any, lazy_file: Any, last_endline: bool) -> None:
    """Write records as lines."""
    with copy.copy(lazy_file) as file:
        between = ""
        for record in records:
            if isinstance(record, bytes):
                record = record.decode("utf-8")
            elif not isinstance(record, str):
                raise TypeError(
                    f"Object {record!r} is neither a str object nor can be decoded to str: "
                    "to_textfiles writes text; map the records to strings first"
                )
            file.write(between)
            file.write(record)
            between = "\n"
        if last_endline and between:
            file.write(between)
