"""HDF5 files, through pandas and PyTables."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from fnmatch import fnmatch
from typing import Any
from warnings import warn

import pandas as pd

from samite.dataframe.creation import dataframe_creation_dispatch
from samite.dataframe.io.writing import keywords_of_compute

__all__ = ["read_hdf", "to_hdf"]

dont_use_fixed_error_message = (
    "This HDFStore is not partitionable and can only be used monolithically with pandas. "
    "In the future, when creating HDFStores use the format='table' option to ensure that your "
    "dataset can be read in parts"
)

_ORDER_WARNING = (
    "To preserve order between partitions name_function must preserve the order of its input"
)


@dataclasses.dataclass
class _Rows:
    """Rows of one table of one file."""

    path: str
    key: str
    start: int
    stop: int


@dataframe_creation_dispatch.register_inplace("pandas")
def read_hdf(
    pattern: Any,
    key: str,
    start: int = 0,
    stop: int | None = None,
    columns: Any = None,
    chunksize: int = 1_000_000,
    sorted_index: bool = False,
    lock: Any = True,
    mode: str = "r",
) -> Any:
    """A data frame of tables of HDF5 files.

    Parameters
    ----------
    pattern:
        A path, possibly with ``*``, or a list of them.
    key:
        The place of the table in the files, possibly with ``*``.
    start, stop:
        The rows to read of each table.
    chunksize:
        Rows of a partition at most.
    sorted_index:
        Whether the indexes are sorted, so that divisions are known.
    lock:
        Whether to read one part at a time, or the lock to do so by: the library is not
        thread-safe.

    Raises
    ------
    OSError
        There is no such file.
    ValueError
        There is no such table, or rows are asked for that it does not have.
    TypeError
        A table was written with ``format="fixed"``, which cannot be read in parts.
    """
    from samite.dataframe.io.from_map import from_map
    from samite.dataframe.known_categories import clear_known_categories

    lock = _lock(lock)
    paths = _paths(pattern)
    if chunksize <= 0:
        raise ValueError("Chunksize must be a positive integer")
    if (start != 0 or stop is not None) and len(paths) > 1:
        raise NotImplementedError(
            "read_hdf: start and stop are for one file; read the files one by one"
        )
    parts: list[_Rows] = []
    divisions: list[Any] = []
    meta: Any = None
    for path in paths:
        with lock if lock else contextlib.nullcontext():
            for found, size, bounds in _tables(path, key, start, stop, sorted_index, mode):
                last = size if stop is None else stop
                if meta is None:
                    meta = pd.read_hdf(path, found, mode=mode, stop=0, columns=columns)
                starts = list(range(start, last, chunksize)) or [start]
                parts += [_Rows(path, found, s, min(s + chunksize, last)) for s in starts]
                if bounds is not None and len(bounds):
                    divisions += [bounds[s] for s in starts]
                    final = bounds[last - 1]
    if not parts:
        raise ValueError(f"read_hdf: no file of {paths} has a table {key!r}")
    if meta.ndim == 1:
        meta = meta.to_frame().iloc[:, 0] if isinstance(meta, pd.DataFrame) else meta
    known = (*divisions, final) if len(divisions) == len(parts) else None
    if known and any(a > b for a, b in zip(known, known[1:], strict=False)):
        known = None
    options: dict[str, Any] = {"mode": mode}
    reader = _ReadFrame(options, lock, columns)
    return from_map(
        reader, parts, meta=clear_known_categories(meta), divisions=known, label="read-hdf"
    )


class _ReadFrame:
    """Reads rows of a table; of some columns if it is a frame."""

    def __init__(self, options: dict[str, Any], lock: Any, columns: Any) -> None:
        self.options = options
        self.lock = lock
        self.columns = columns

    def project_columns(self, columns: Any) -> _ReadFrame:
        """The same for these columns alone."""
        return _ReadFrame(self.options, self.lock, list(columns))

    def __call__(self, rows: _Rows) -> Any:
        with self.lock if self.lock else contextlib.nullcontext():
            return pd.read_hdf(
                rows.path,
                rows.key,
                start=rows.start,
                stop=rows.stop,
                columns=self.columns,
                **self.options,
            )


def _lock(lock: Any) -> Any:
    if lock is True:
        from samite.utils import get_scheduler_lock

        return get_scheduler_lock()
    return lock or None


def _paths(pattern: Any) -> list[str]:
    import glob

    if isinstance(pattern, (str, os.PathLike)):
        name = os.fspath(pattern)
        paths = sorted(glob.glob(name))
        if not paths:
            raise OSError(f"File(s) not found: {name}")
        return paths
    paths = [os.fspath(p) for p in pattern]
    if not paths:
        raise ValueError("No files provided")
    for path in paths:
        if not os.path.exists(path):
            raise OSError(f"File not found or insufficient permissions: {path}")
    return paths


def _tables(path: str, key: str, start: int, stop: int | None, sorted_index: bool, mode: str):
    """The tables of a file that match ``key``: the place of each, its number of rows, and its
    index if that is sorted."""
    with pd.HDFStore(path, mode=mode) as store:
        found = [k for k in store.keys() if fnmatch(k, key if key.startswith("/") else f"/{key}")]
        if not found:
            # Tables that pandas has not written are not among its keys.
            with contextlib.suppress(KeyError, AttributeError):
                if store.get_storer(key) is not None:
                    found = [key]
        for place in sorted(found):
            storer = store.get_storer(place)
            if storer.format_type != "table":
                raise TypeError(dont_use_fixed_error_message)
            size = storer.nrows
            if stop is not None and stop > size:
                raise ValueError(
                    f"Stop keyword exceeds dataset number of rows ({size}) of {place!r} in {path!r}"
                )
            if size and start >= size:
                raise ValueError(
                    f"Start row number ({start}) is above or equal to dataset number of rows "
                    f"({size}) of {place!r} in {path!r}"
                )
            index = store.select_column(place, "index") if sorted_index else None
            yield place, size, None if index is None else index.to_numpy()


# -- writing ------------------------------------------------------------------------------


def to_hdf(
    df: Any,
    path: Any,
    key: str,
    mode: str = "a",
    append: bool = False,
    scheduler: Any = None,
    name_function: Any = None,
    compute: bool = True,
    lock: Any = None,
    dask_kwargs: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Any:
    """Write a data frame or series to tables of HDF5 files. They are written to hidden files,
    copies of those that are there, which take their places when all are complete; an open
    ``pandas.HDFStore`` is written to as it is.

    Parameters
    ----------
    path:
        A file, an open ``pandas.HDFStore``, or a name with ``*`` for a file by partition.
    key:
        The place of the table, with ``*`` for a table by partition.
    append:
        Whether rows are added to a table that is there.
    name_function:
        What takes the place of ``*``, by the position of the partition.
    compute:
        Whether to write now, or to give a lazy value that does.
    lock:
        What keeps tasks from writing at the same time.
    kwargs:
        Of ``pandas.DataFrame.to_hdf``.

    Returns
    -------
    The names of the files by partition, or a lazy value that gives them.

    Raises
    ------
    ValueError
        There is more than one ``*``.
    NotImplementedError
        ``format="fixed"`` is asked for.
    """
    from fsspec import filesystem
    from fsspec.utils import build_name_function

    from samite.bytes.staging import Staging
    from samite.delayed import delayed

    if kwargs.pop("format", "table") not in ("t", "table"):
        raise NotImplementedError("to_hdf writes only tables; leave out `format=`")
    if mode not in ("a", "w", "r+"):
        raise ValueError("Mode must be one of 'a', 'w' or 'r+'")
    target: Any = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
    stars = (target.count("*") if isinstance(target, str) else 0) + key.count("*")
    if stars > 1:
        raise ValueError("A maximum of one asterisk is accepted in file path and dataset key")
    count = df.npartitions
    name = name_function or build_name_function(count - 1)
    names = [name(i) for i in range(count)]
    if stars and names != sorted(names):
        warn(_ORDER_WARNING, stacklevel=2)
    in_files = isinstance(target, str) and "*" in target
    options = {**kwargs, "format": "table"}
    keywords = dict(dask_kwargs or {})
    if scheduler is not None:
        keywords = {**keywords_of_compute("to_hdf", None, keywords), "scheduler": scheduler}
    lock = _lock(True if lock is None else lock)
    staging = None
    places = [target.replace("*", text) if in_files else target for text in names]
    if isinstance(target, str):
        places = [os.path.abspath(place) for place in places]
        staging = Staging.for_files(filesystem("file"), places)
    opened = None
    if staging is not None and not compute:
        opened = delayed(staging.lazy_open(), pure=False)()
    write = delayed(_write, pure=False)
    results: list[Any] = []
    for position, (part, text, place) in enumerate(
        zip(df.to_delayed(), names, places, strict=True)
    ):
        is_new = in_files or "*" in key or position == 0
        # A file is made anew by the first partition that goes to it.
        own_mode = mode if in_files or position == 0 else "a"
        previous = results[-1] if results and not in_files else None
        call = {**options, "mode": own_mode, "append": append if is_new else True}
        file = key.replace("*", text)
        results.append(write(part, place, file, call, lock, staging, previous, opened))
    if staging is None:
        result = delayed(_names)(results)
        if not compute:
            return result
        result.compute(scheduler="sync")
        return [target.filename] * count
    files = dict(zip(places, results, strict=True))
    names_given = [target.replace("*", text) if in_files else target for text in names]
    result = delayed(_publish)(list(files.items()), staging, names_given)
    if not compute:
        return result
    with staging.writing():
        return result.compute(**keywords)


def _write(
    frame: Any,
    path: Any,
    key: str,
    options: dict[str, Any],
    lock: Any,
    staging: Any,
    previous: Any,
    opened: Any,
) -> Any:
    """Write a partition; the one before has gone to the hidden file ``previous``, as this one
    does. Gives that file."""
    with lock if lock else contextlib.nullcontext():
        if staging is None:
            given = {k: v for k, v in options.items() if k != "mode"}
            path.put(key, frame, **given)
            return path.filename
        with staging.part(os.path.dirname(path)) as hidden:
            if previous is not None:
                os.rename(previous, hidden)
            elif options["mode"] != "w" and os.path.exists(path):
                shutil.copyfile(path, hidden)
                shutil.copymode(path, hidden)
            elif options["mode"] == "r+":
                raise FileNotFoundError(
                    f"to_hdf: there is no file {path!r} to change; use mode='a'"
                )
            frame.to_hdf(hidden, key=key, **options)
        return hidden


def _publish(files: list[tuple[str, str]], staging: Any, names: list[str]) -> list[str]:
    staging.publish([(hidden, path) for path, hidden in files])
    return names


def _names(paths: list[Any]) -> list[Any]:
    return list(paths)
