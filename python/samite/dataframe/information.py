"""What ``info`` prints."""

from __future__ import annotations

from typing import Any

from samite.dataframe import display


def print_info(frame: Any, buf: Any, verbose: bool, memory_usage: bool) -> None:
    """See :meth:`DataFrame.info`."""
    import sys

    buf = sys.stdout if buf is None else buf
    lines = [str(type(frame))]
    columns = frame.columns
    if not len(columns):
        lines += [f"{type(frame._meta.index).__name__}: 0 entries", f"Empty {type(frame).__name__}"]
        buf.write("\n".join(lines))
        return
    wanted: dict[str, Any] = {}
    if verbose:
        wanted |= {
            "index": frame.index.map_partitions(_ends, meta=_ends_meta()),
            "counts": frame.count(),
        }
    if memory_usage:
        wanted["bytes"] = frame.memory_usage(index=True, deep=False)
    from samite import base

    found = dict(zip(wanted, base.compute(*wanted.values()), strict=True))
    if verbose:
        lines += _index_lines(frame, found["index"])
        lines.append(f"Data columns (total {len(columns)} columns):")
        lines += _table(frame, found["counts"])
    else:
        lines.append(f"Columns: {len(columns)} entries, {columns[0]} to {columns[-1]}")
    counts: dict[str, int] = {}
    for dtype in frame.dtypes:
        counts[dtype.name] = counts.get(dtype.name, 0) + 1
    listed = sorted(counts.items(), key=lambda pair: pair[1])
    lines.append("dtypes: " + ", ".join(f"{name}({count})" for name, count in listed))
    text = "\n".join(lines)
    if memory_usage:
        text += f"\nmemory usage: {_readable_bytes(found['bytes'].sum())}\n"
    buf.write(text)


def _ends(index: Any) -> Any:
    import pandas as pd

    ends = [index[0], index[-1]] if len(index) else [None, None]
    return pd.DataFrame(
        {"first": [ends[0]], "last": [ends[1]], "count": [len(index)]}, dtype=object
    )


def _ends_meta() -> Any:
    import pandas as pd

    return pd.DataFrame({"first": [], "last": [], "count": []}, dtype=object)


def _index_lines(frame: Any, ends: Any) -> list[str]:
    ends = ends[ends["count"] > 0]
    kind = type(frame._meta.index).__name__
    total = int(ends["count"].sum())
    if not total:
        return [f"{kind}: 0 entries"]
    return [f"{kind}: {total} entries, {ends['first'].iloc[0]} to {ends['last'].iloc[-1]}"]


def _table(frame: Any, counts: Any) -> list[str]:
    """A row for each column: its number, label, count of values and dtype."""
    labels = [str(column) for column in frame.columns]
    cells = [f"{count} non-null" for count in counts]
    dtypes = [display.described_dtype(d).partition("[k")[0] for d in frame.dtypes]
    number_width = max(len(str(len(labels) - 1)), 1) + 1
    label_width = max(len("Column"), *map(len, labels))
    count_width = max(len("Non-Null Count"), *map(len, cells))
    counted = f"{'Non-Null Count':<{count_width}}"
    lines = [
        f"{'#':>{number_width}}   {'Column':<{label_width}}  {counted}  Dtype",
        f"{'-' * (number_width + 1)}  {'-' * label_width}  {'-' * count_width}  -----",
    ]
    for number, (label, cell, dtype) in enumerate(zip(labels, cells, dtypes, strict=True)):
        lines.append(
            f"{number:>{number_width}}   {label:<{label_width}}  {cell:<{count_width}}  {dtype}"
        )
    return lines


def _readable_bytes(count: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if count < 1024 or unit == "TB":
            return f"{count:3.1f} {unit}"
        count /= 1024
    raise AssertionError(count)
