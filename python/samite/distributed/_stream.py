"""The tasks that ran, as the scheduler remembers them, and reports of them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from samite.distributed._current import default_client


def chosen(stream: list[Any], start: Any, stop: Any, count: int | None) -> list[Any]:
    """The tasks that ran between two moments; the last ``count``."""
    begin, end = moment(start), moment(stop)
    found = []
    for entry in stream:
        spans = entry.get("startstops") or [{}]
        if begin is not None and spans[-1].get("stop", 0) < begin:
            continue
        if end is not None and spans[0].get("start", 0) > end:
            continue
        found.append(entry)
    return found if count is None else found[-count:]


def moment(when: Any) -> float | None:
    """Seconds since the epoch, from what a user gives for a moment."""
    if when is None:
        return None
    if isinstance(when, str):
        from samite.utils import parse_timedelta

        return time.time() - float(parse_timedelta(when))
    return float(when)


class get_task_stream:
    """Keep the tasks that run in a block of code.

    Attributes
    ----------
    data:
        After the block: dicts with ``key``, ``worker``, ``status``, ``nbytes``, ``startstops``.
    figure:
        After the block, if ``plot`` is true: a figure of bokeh. With ``plot="save"`` a page is
        written instead, without bokeh.
    """

    def __init__(
        self, client: Any = None, plot: Any = False, filename: str = "task-stream.html"
    ) -> None:
        self.data: list[Any] = []
        self.figure: Any = None
        self.client = client or default_client()
        self.plot = plot
        self.filename = filename
        self.start = 0.0

    def __enter__(self) -> get_task_stream:
        self.start = time.time()
        self.client.get_task_stream(start=0, stop=0)
        return self

    def __exit__(self, *_: object) -> None:
        self.data.extend(self.client.get_task_stream(start=self.start))
        self._draw()

    def _draw(self) -> None:
        if self.plot == "save":
            write_stream(self.filename, self.data)
        elif self.plot:
            self.figure = figure_of(self.data)

    async def __aenter__(self) -> get_task_stream:
        self.start = time.time()
        await self.client.get_task_stream(start=0, stop=0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.data.extend(await self.client.get_task_stream(start=self.start))
        self._draw()


class get_task_metadata:
    """Keep what is known of the tasks that run in a block of code.

    Attributes
    ----------
    metadata, state:
        After the block, by key.
    """

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}
        self.state: dict[str, str] = {}
        self._stream = get_task_stream()

    def _keep(self) -> None:
        for entry in self._stream.data:
            self.metadata[entry["key"]] = {"start_stop": entry.get("startstops")}
            self.state[entry["key"]] = "memory" if entry.get("status") == "OK" else "erred"

    def __enter__(self) -> get_task_metadata:
        self._stream.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.__exit__()
        self._keep()

    async def __aenter__(self) -> get_task_metadata:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stream.__aexit__()
        self._keep()


class performance_report:
    """Write an HTML page about what a block of code did on the cluster.

    The page has a summary, the tasks over time by worker and thread, and time by kind of task. It
    needs nothing from elsewhere.

    Parameters
    ----------
    filename:
        Where to.
    """

    def __init__(
        self,
        filename: str = "samite-report.html",
        stacklevel: int = 1,
        mode: Any = None,
        storage_options: Any = None,
    ) -> None:
        self.filename = filename
        self.storage_options = storage_options
        self._client = default_client()
        self._stream = get_task_stream(self._client)
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.time()
        self._stream.__enter__()

    def __exit__(self, kind: Any, raised: Any, trace: Any) -> None:
        self._stream.__exit__()
        self._write(self._client.scheduler_info())

    async def __aenter__(self) -> None:
        self._began = time.time()
        await self._stream.__aenter__()

    async def __aexit__(self, kind: Any, raised: Any, trace: Any) -> None:
        await self._stream.__aexit__()
        self._write(await self._client.scheduler_info())

    def _write(self, info: dict[str, Any]) -> None:
        page = report_page(self._stream.data, info, self._began, time.time())
        with _opened(self.filename, self.storage_options) as file:
            file.write(page)


@contextlib.contextmanager
def _opened(filename: str, storage_options: Any) -> Iterator[Any]:
    if "://" in str(filename):
        import fsspec

        with fsspec.open(filename, mode="w", **(storage_options or {})) as file:
            yield file
        return
    with open(filename, "w", encoding="utf-8") as file:
        yield file


def write_stream(filename: str, data: list[Any]) -> None:
    """Write a page of tasks over time."""
    starts = [span["start"] for entry in data for span in entry.get("startstops") or ()]
    stops = [span["stop"] for entry in data for span in entry.get("startstops") or ()]
    page = report_page(data, {}, min(starts, default=0.0), max(stops, default=1.0))
    with open(filename, "w", encoding="utf-8") as file:
        file.write(page)


def figure_of(data: list[Any]) -> Any:
    """Tasks over time, a row for each thread of a worker, as a figure of bokeh.

    Raises
    ------
    ImportError
        If bokeh is not installed.
    """
    try:
        from bokeh.models import ColumnDataSource, HoverTool
        from bokeh.plotting import figure
    except ImportError as error:
        raise ImportError(
            "get_task_stream: a figure needs bokeh; install it, or ask for plot=False"
        ) from error
    from samite.utils import format_time, key_split

    columns: dict[str, list[Any]] = {
        name: [] for name in "left right y name key worker duration color".split()
    }
    rows: dict[Any, int] = {}
    for entry in data:
        row = rows.setdefault((entry.get("worker", ""), entry.get("thread", 0)), len(rows))
        name = key_split(entry["key"])
        for span in entry.get("startstops") or ():
            values = (
                1000 * span["start"],
                1000 * span["stop"],
                row,
                name,
                str(entry["key"]),
                entry.get("worker", ""),
                format_time(span["stop"] - span["start"]),
                _colour(name),
            )
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
    options: dict[str, Any] = {"x_axis_type": "datetime", "sizing_mode": "stretch_width"}
    made = figure(title="Task stream", **options)
    made.hbar(
        y="y",
        left="left",
        right="right",
        height=0.8,
        color="color",
        source=ColumnDataSource(columns),
    )
    shown = [("task", "@key"), ("worker", "@worker"), ("duration", "@duration")]
    made.add_tools(HoverTool(tooltips=shown))
    made.yaxis.visible = False
    return made


_STYLE = """
body{font:14px system-ui,sans-serif;margin:2em;color:#222;background:#fff}
table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ddd}
svg{width:100%;height:auto;border:1px solid #ddd}text{font:10px system-ui,sans-serif}
"""


def report_page(data: list[Any], info: dict[str, Any], began: float, ended: float) -> str:
    """The page of a performance report."""
    from html import escape

    from samite.utils import format_time, key_split

    rows: dict[Any, list[Any]] = {}
    kinds: dict[str, list[float]] = {}
    for entry in data:
        name = key_split(entry["key"])
        for span in entry.get("startstops") or ():
            seconds = span["stop"] - span["start"]
            row = (entry.get("worker", ""), entry.get("thread", 0))
            rows.setdefault(row, []).append((span["start"], seconds, name, entry["key"], span))
            if span.get("action", "compute") == "compute":
                kinds.setdefault(name, []).append(seconds)
    duration = max(ended - began, 1e-9)
    computing = sum(map(sum, kinds.values()))
    workers = info.get("workers", {})
    summary = {
        "Duration": format_time(duration),
        "Tasks": str(len(data)),
        "Time in tasks": format_time(computing),
        "Workers": str(len(workers)),
        "Threads": str(sum(worker.get("nthreads", 0) for worker in workers.values())),
    }
    table = "".join(
        f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in summary.items()
    )
    by_kind = "".join(
        f"<tr><td>{escape(name)}</td><td>{len(times)}</td><td>{format_time(sum(times))}</td>"
        f"<td>{format_time(sum(times) / len(times))}</td></tr>"
        for name, times in sorted(kinds.items(), key=lambda item: -sum(item[1]))
    )
    bars = []
    for place, row in enumerate(sorted(rows, key=str)):
        for start, seconds, name, key, _ in rows[row]:
            left, width = 1000 * (start - began) / duration, max(0.3, 1000 * seconds / duration)
            bars.append(
                f'<rect x="{left:.2f}" y="{14 * place}" width="{width:.2f}" height="12" '
                f'fill="{_colour(name)}"><title>{escape(str(key))}: {format_time(seconds)}</title>'
                "</rect>"
            )
    height = max(14, 14 * len(rows))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Samite performance report</title><style>{_STYLE}</style></head><body>"
        f"<h1>Samite performance report</h1><h2>Summary</h2><table>{table}</table>"
        f'<h2>Task stream</h2><svg viewBox="0 0 1000 {height}">{"".join(bars)}</svg>'
        "<h2>Time by kind of task</h2><table><tr><th>kind</th><th>tasks</th><th>time</th>"
        f"<th>mean</th></tr>{by_kind}</table></body></html>"
    )


def _colour(name: str) -> str:
    import zlib

    return f"hsl({zlib.crc32(name.encode()) % 360}, 60%, 55%)"
