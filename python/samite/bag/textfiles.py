"""Writing bags as files of lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from samite._task_spec import List, Task, TaskRef
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
    """Write each partition of a bag of strings as a file of lines. Files get their names when all
    are complete; lazy values make each its own file appear.

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
        auto_mkdir=not compute,
        **(storage_options or {}),
    )
    name = f"to-textfiles-{tokenize(b, path, compression, encoding, last_endline)}"
    return written_files(b, files, name, compute, kwargs, write_lines, last_endline)


def written_files(
    b: Any,
    files: Sequence[Any],
    name: str,
    compute: bool,
    compute_kwargs: dict[str, Any],
    write: Callable[..., Any],
    *arguments: Any,
) -> list[Any]:
    """Write each partition of a bag to a file: now, so that all files appear or none; or as lazy
    values, of which each makes one file appear.

    Parameters
    ----------
    files:
        What ``fsspec.open_files`` gave for the partitions.
    write:
        ``write(records, output, *arguments)``.
    """
    from samite.bytes.staging import Output, Staging, publish
    from samite.delayed import Delayed

    if not files:
        return []
    fs, mode = files[0].fs, files[0].mode
    staging = Staging.for_files(fs, [file.path for file in files]) if compute else None
    outputs = [Output(fs, file.path, mode, _options(file), staging) for file in files]
    layer = {
        (name, i): chain_task(
            (name, i), TaskRef((b.name, i)), step(write, output, *arguments), value=True
        )
        for i, output in enumerate(outputs)
    }
    graph = graph_of(name, layer, [b])
    if staging is None:
        return [Delayed(key, graph, layer=name) for key in layer]
    last = f"publish-{staging.token}"
    written = type(b)(graph, name, b.npartitions)
    task = Task((last, 0), publish, List(*[TaskRef(key) for key in layer]), staging, mode)
    result = type(b)(graph_of(last, {(last, 0): task}, [written]), last, 1)
    with staging.writing():
        result.compute(**compute_kwargs)
    return [file.path for file in files]


def _options(file: Any) -> dict[str, Any]:
    options = {"compression": file.compression}
    if "t" in file.mode:
        options |= {"encoding": file.encoding, "errors": file.errors, "newline": file.newline}
    return options


def write_lines(records: Any, output: Any, last_endline: bool) -> Any:
    """Write records as lines."""
    return output.write(lambda file: _write_lines(records, file, last_endline))


def _write_lines(records: Any, file: Any, last_endline: bool) -> None:
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
