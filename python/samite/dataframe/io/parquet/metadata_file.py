"""One file with the footers of many."""

from __future__ import annotations

import os
from typing import Any

from samite.dataframe.io.filesystems import find_filesystem
from samite.dataframe.io.parquet.commit import joined
from samite.dataframe.io.parquet.core import get_engine


def create_metadata_file(
    paths: Any,
    root_dir: str | None = None,
    out_dir: Any = None,
    engine: Any = "pyarrow",
    storage_options: Any = None,
    split_every: int = 32,
    compute: bool = True,
    compute_kwargs: dict[str, Any] | None = None,
    fs: Any = None,
) -> Any:
    """Write a ``_metadata`` file for Parquet files that are there.

    Parameters
    ----------
    paths:
        The files.
    root_dir:
        The folder that places of files are relative to; by default what they have in common.
    out_dir:
        The folder to write to, ``root_dir`` by default. False: give the metadata instead.
    split_every:
        How many footers are joined at a time.
    compute:
        Whether to do it now, or to give a lazy value that does.

    Raises
    ------
    RuntimeError
        The schemas of the files differ.
    """
    from samite.delayed import delayed

    get_engine(engine)
    found, files = find_filesystem(list(paths), fs, storage_options)
    if root_dir is None:
        root = os.path.commonpath([file.rsplit("/", 1)[0] for file in files])
    else:
        root = found.spec._strip_protocol(root_dir)
    root = root.rstrip("/")
    parts: list[Any] = [delayed(_footer)(found, file, root) for file in files]
    join = delayed(_joined)
    while len(parts) > 1:
        width = max(split_every, 2)
        parts = [join(parts[i : i + width]) for i in range(0, len(parts), width)]
    result = parts[0]
    if out_dir is not False:
        target = root if out_dir is None else found.spec._strip_protocol(str(out_dir))
        result = delayed(_write)(result, found, target)
    return result.compute(**(compute_kwargs or {})) if compute else result


def _footer(filesystem: Any, file: str, root: str) -> Any:
    import pyarrow.parquet as pq

    with filesystem.spec.open(file, "rb") as opened:
        metadata = pq.read_metadata(opened)
    metadata.set_file_path(file[len(root) :].lstrip("/") if file.startswith(root) else file)
    return metadata


def _joined(parts: list[Any]) -> Any:
    whole = None
    for metadata in parts:
        whole = joined(whole, metadata)
    return whole


def _write(metadata: Any, filesystem: Any, folder: str) -> None:
    from samite.bytes.staging import complete_file

    with complete_file(filesystem.spec, f"{folder}/_metadata", "wb") as file:
        metadata.write_metadata_file(file)
