"""Whether rows can be added to the Parquet files of a folder."""

from __future__ import annotations

import re
from typing import Any

from samite.dataframe.io.filesystems import Filesystem
from samite.dataframe.io.parquet.dataset import list_files
from samite.dataframe.io.parquet.read import EXTENSIONS, ReadParquet

_NUMBERED = re.compile(r"part\.(\d+)\.")


def check(
    frame: Any,
    filesystem: Filesystem,
    folder: str,
    schema: Any,
    loose: set[str],
    partition_on: list[str],
    ignore_divisions: bool,
    write_index: bool,
) -> tuple[int, bool]:
    """The number of the next file, and whether there is a ``_metadata`` file.

    Raises
    ------
    ValueError
        The columns or dtypes differ from those that are there, or the rows overlap with them by
        index.
    """
    import pyarrow as pa

    try:
        listing = list_files(filesystem, [folder], EXTENSIONS, ignore_metadata_file=False)
    except (FileNotFoundError, ValueError):
        return 0, False
    has_metadata_file = listing.metadata_file is not None
    files = listing.files
    if has_metadata_file:
        files = tuple(f for f in files if f.rsplit("/", 1)[-1][:1] not in "._")
    old = ReadParquet(filesystem, listing, calculate_divisions=True)
    if old.noted_index_columns:
        old = old._with(index=old.noted_index_columns)
    before = {field.name: field.type for field in old.dataset.schema}
    if schema is not None:
        now = {field.name: field.type for field in schema}
        if set(now) != set(before):
            raise ValueError(
                f"Appended columns not the same.\nPrevious: {sorted(before)} | New: {sorted(now)}"
            )
        skipped = loose | set(partition_on)
        differing = [
            (name, before[name], now[name])
            for name in now
            if name not in skipped and _plain(before[name]) != _plain(now[name])
            if not pa.types.is_null(before[name]) and not pa.types.is_null(now[name])
        ]
        if differing:
            rows = "\n".join(f"  {name}: previous {a}, new {b}" for name, a, b in differing)
            raise ValueError(f"Appended dtypes differ.\n{rows}")
    if write_index and not ignore_divisions and frame.known_divisions and old.known_divisions:
        last, first = old.divisions[-1], frame.divisions[0]
        if first <= last:
            raise ValueError(
                "The divisions of the appended dataframe overlap with previously written "
                f"divisions. If this is desired, set `ignore_divisions=True`.\n"
                f"- End of last partition previously written: {last}\n"
                f"- Start of first partition to append: {first}"
            )
    numbers = [int(m.group(1)) + 1 for f in files if (m := _NUMBERED.search(f.rsplit("/", 1)[-1]))]
    names = {f.rsplit("/", 1)[-1] for f in files}
    return max([len(names), *numbers]), has_metadata_file


def _plain(kind: Any) -> Any:
    """A type without what makes no difference to pandas."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return "category"
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("ns", kind.tz)
    return kind
