"""One self-contained HTML page about a computation.

The page holds the task stream, the curves of memory and processor use, and a table by kind of
task. It has its data, style and script inside and loads nothing, so it can be mailed or archived.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from samite.diagnostics.profile import CacheProfiler, Profiler, ResourceProfiler

# More tasks than this are not drawn one by one: the longest are.
MAX_DRAWN_TASKS = 200_000

_PALETTE = (
    "#4e79a7 #f28e2b #59a14f #e15759 #b07aa1 #76b7b2 #edc948 #ff9da7 #9c755f #5fa2ce "
    "#8cd17d #d37295 #b6992d #a0785a #6b6ecf #86bcb6"
).split()


class Report:
    """Context manager: observe what is computed in the block and write a report at its end.

    Parameters
    ----------
    filename : str or path
        HTML file to write. It is written when the block ends, also by an exception.
    title : str, optional
        Heading of the page.
    dt : float
        Seconds between measurements of memory and processor use.

    Attributes
    ----------
    profiler : Profiler
    resources : ResourceProfiler or None
        ``None`` where the system offers no way to measure.

    Examples
    --------
    >>> with Report("report.html"):  # doctest: +SKIP
    ...     total.compute()
    """

    def __init__(
        self,
        filename: str | os.PathLike = "report.html",
        *,
        title: str | None = None,
        dt: float = 0.05,
    ) -> None:
        self.filename = Path(filename)
        self.title = title
        self.profiler = _SizingProfiler()
        self.resources: ResourceProfiler | None = ResourceProfiler(dt=dt)

    def __enter__(self) -> Report:
        if self.resources is not None:
            try:
                self.resources.__enter__()
            except ImportError:
                self.resources = None
        self.profiler.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.profiler.__exit__(*exc_info)
        profilers: list[Any] = [self.profiler]
        if self.resources is not None:
            self.resources.__exit__(*exc_info)
            profilers.append(self.resources)
        report(self.filename, *profilers, title=self.title)


def performance_report(filename: str | os.PathLike = "samite-report.html", **kwargs: Any) -> Report:
    """The same as :class:`Report`, by the name that Dask's cluster client uses."""
    return Report(filename, **kwargs)


class _SizingProfiler(Profiler):
    """A profiler that measures results itself where the scheduler does not report sizes."""

    def _size_of(self, result: Any) -> int | None:
        from samite.sizeof import sizeof

        with suppress(Exception):  # a result may break the functions that measure it
            return int(sizeof(result))
        return None


def report(filename: str | os.PathLike, *profilers: Any, title: str | None = None) -> Path:
    """Write a report about what profilers recorded.

    Parameters
    ----------
    filename : str or path
        HTML file to write.
    *profilers : Profiler, ResourceProfiler or CacheProfiler
        At most one of each kind is of use.
    title : str, optional
        Heading of the page.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    TypeError
        For an object that is no profiler.
    """
    tasks = resources = cache = None
    for profiler in profilers:
        if isinstance(profiler, Profiler):
            tasks = profiler
        elif isinstance(profiler, ResourceProfiler):
            resources = profiler
        elif isinstance(profiler, CacheProfiler):
            cache = profiler
        else:
            raise TypeError(f"a report is made of profilers, not of {type(profiler).__name__}")
    path = Path(filename)
    path.write_text(_page(tasks, resources, cache, title or "Samite report"), encoding="utf-8")
    return path


def _page(
    tasks: Profiler | None,
    resources: ResourceProfiler | None,
    cache: CacheProfiler | None,
    title: str,
) -> str:
    start, end = _span([tasks, resources, cache])
    names = _names(tasks)
    kinds = _kinds(tasks, names)
    data: dict[str, Any] = {"span": max(end - start, 1e-6), "kinds": kinds}
    if tasks is not None:
        data["tasks"] = _task_columns(tasks, names, kinds, start)
    if resources is not None:
        data["resources"] = [
            [round(time - start, 6), round(mem, 3), round(cpu, 1)]
            for time, mem, cpu in resources.results
        ]
    if cache is not None:
        data["cache"] = {"name": cache._metric_name, "steps": _held(cache, start)}
    here = Path(__file__)
    page = here.with_name("report.html").read_text(encoding="utf-8")
    parts = {
        "@title@": escape(title),
        "@about@": escape(_about()),
        "@cards@": _cards(data, resources),
        "@table@": _table(kinds, any(kind["bytes"] for kind in kinds)),
        "@script@": here.with_name("report.js").read_text(encoding="utf-8"),
        # Inside a script element only this sequence could end it.
        "@data@": json.dumps(data, separators=(",", ":")).replace("</", "<\\/"),
    }
    for mark, text in parts.items():
        page = page.replace(mark, text)
    return page


def _about() -> str:
    from samite import __version__

    moment = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    python = ".".join(str(part) for part in sys.version_info[:3])
    return (
        f"{moment} · Samite {__version__} · Python {python} · "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    )


def _span(profilers: Sequence[Any]) -> tuple[float, float]:
    """From the first to the last moment that any of the profilers knows of."""
    starts, ends = [], []
    for profiler in profilers:
        if profiler is None:
            continue
        if profiler.start_time is not None:
            starts.append(profiler.start_time)
        if profiler.end_time is not None:
            ends.append(profiler.end_time)
        if isinstance(profiler, Profiler):
            starts.extend(result.start_time for result in profiler.results)
            ends.extend(result.end_time for result in profiler.results)
        elif isinstance(profiler, ResourceProfiler):
            starts.extend(result[0] for result in profiler.results)
            ends.extend(result[0] for result in profiler.results)
        else:
            starts.extend(result.cache_time for result in profiler.results)
            ends.extend(result.free_time for result in profiler.results)
    return min(starts, default=0.0), max(ends, default=0.0)


def _names(tasks: Profiler | None) -> list[str]:
    """The kind of each task, in the order of the results."""
    from samite.utils import key_split

    names = []
    known: dict[Any, str] = {}
    for result in tasks.results if tasks is not None else ():
        # All keys that begin with the same element are of one kind.
        first = result.key[0] if isinstance(result.key, tuple) and result.key else result.key
        if first not in known:
            known[first] = str(key_split(result.key))
        names.append(known[first])
    return names


def _kinds(tasks: Profiler | None, names: list[str]) -> list[dict[str, Any]]:
    """Totals for each kind of task, the most expensive first."""
    if tasks is None:
        return []
    kinds: dict[str, dict[str, Any]] = {}
    sizes = tasks._sizes if len(tasks._sizes) == len(tasks.results) else []
    for number, (name, result) in enumerate(zip(names, tasks.results, strict=True)):
        empty = {"name": name, "count": 0, "total": 0.0, "longest": 0.0, "bytes": 0}
        kind = kinds.setdefault(name, empty)
        spent = result.end_time - result.start_time
        kind["count"] += 1
        kind["total"] += spent
        kind["longest"] = max(kind["longest"], spent)
        kind["bytes"] += (sizes[number] or 0) if sizes else 0
    ordered = sorted(kinds.values(), key=lambda kind: -kind["total"])
    for place, kind in enumerate(ordered):
        kind["color"] = _color(place)
    return ordered


def _color(place: int) -> str:
    """A colour of the palette, then colours spread round the circle."""
    if place < len(_PALETTE):
        return _PALETTE[place]
    return f"hsl({place * 137.5 % 360:.0f} 45% 55%)"


def _task_columns(
    tasks: Profiler, names: list[str], kinds: list[dict[str, Any]], start: float
) -> dict[str, Any]:
    """Columns of the task stream; times in microseconds, sorted by worker and start."""
    results = tasks.results
    sizes: list = tasks._sizes if len(tasks._sizes) == len(results) else [None] * len(results)
    kept = range(len(results))
    if len(results) > MAX_DRAWN_TASKS:
        by_length = sorted(kept, key=lambda i: results[i].start_time - results[i].end_time)
        kept = sorted(by_length[:MAX_DRAWN_TASKS])
    workers = list(dict.fromkeys(result.worker_id for result in results))
    workers.sort(key=str)
    row = {worker: number for number, worker in enumerate(workers)}
    kind_number = {kind["name"]: number for number, kind in enumerate(kinds)}
    order = sorted(kept, key=lambda i: (row[results[i].worker_id], results[i].start_time))
    return {
        # Threads are told apart by huge numbers, which say nothing to a reader.
        "labels": [str(n) if isinstance(w, int) else str(w) for n, w in enumerate(workers, 1)],
        "workers": [str(worker) for worker in workers],
        "total": len(results),
        "row": [row[results[i].worker_id] for i in order],
        "start": [round((results[i].start_time - start) * 1e6) for i in order],
        "length": [round((results[i].end_time - results[i].start_time) * 1e6) for i in order],
        "kind": [kind_number[names[i]] for i in order],
        "key": [str(results[i].key) for i in order],
        "bytes": [sizes[i] for i in order],
    }


def _held(cache: CacheProfiler, start: float) -> list[list[float]]:
    """When the amount of held results changed, and what it was from then on."""
    changes: dict[float, float] = {}
    for result in cache.results:
        changes[result.cache_time] = changes.get(result.cache_time, 0) + result.metric
        changes[result.free_time] = changes.get(result.free_time, 0) - result.metric
    held, steps = 0.0, []
    for time in sorted(changes):
        held += changes[time]
        steps.append([round(time - start, 6), held])
    return steps


def _cards(data: dict[str, Any], resources: ResourceProfiler | None) -> str:
    """The figures at the head of the page."""
    from samite.utils import format_bytes

    cards = [("duration", _duration(data["span"]))]
    tasks = data.get("tasks")
    if tasks:
        busy = sum(kind["total"] for kind in data["kinds"])
        workers = max(1, len(tasks["workers"]))
        cards.append(("tasks", f"{tasks['total']:,}"))
        cards.append(("workers", f"{len(tasks['workers'])}"))
        cards.append(("time in tasks", _duration(busy)))
        cards.append(("workers busy", f"{min(1.0, busy / workers / data['span']):.0%}"))
    if resources is not None and resources.results:
        peak = max(mem for _, mem, _ in resources.results)
        cpu = [percent for _, _, percent in resources.results[1:]] or [0.0]
        cards.append(("peak memory", format_bytes(int(peak * 1e6))))
        cards.append(("processor use", f"{sum(cpu) / len(cpu):.0f}%"))
    return "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for name, value in cards
    )


def _table(kinds: list[dict[str, Any]], with_bytes: bool) -> str:
    from samite.utils import format_bytes

    if not kinds:
        return ""
    total = sum(kind["total"] for kind in kinds) or 1.0
    heads = ["task", "count", "total time", "share", "mean", "longest"]
    heads += ["result bytes"] if with_bytes else []
    rows = []
    for number, kind in enumerate(kinds):
        mean = kind["total"] / kind["count"]
        cells = [
            (kind["count"], f"{kind['count']:,}"),
            (kind["total"], _duration(kind["total"])),
            (kind["total"], f"{kind['total'] / total:.1%}"),
            (mean, _duration(mean)),
            (kind["longest"], _duration(kind["longest"])),
        ]
        cells += [(kind["bytes"], format_bytes(kind["bytes"]))] if with_bytes else []
        numbers = "".join(f'<td data-value="{value}">{text}</td>' for value, text in cells)
        name = escape(kind["name"], quote=True)
        rows.append(
            f'<tr data-kind="{number}"><td data-value="{name}">'
            f'<i style="background:{kind["color"]}"></i>{name}</td>{numbers}</tr>'
        )
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _duration(seconds: float) -> str:
    for unit, scale in (("µs", 1e-6), ("ms", 1e-3)):
        if seconds < 999.5 * scale:
            return f"{seconds / scale:.3g} {unit}"
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
