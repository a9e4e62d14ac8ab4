"""A statistical profile of tasks: what their Python code does, looked at many times a second.

A profile is a tree of calls: ``count`` says how often this call was seen, ``children`` what it
called, and ``description`` where in the code it was.
"""

from __future__ import annotations

import linecache
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from samite import _engine, config

__all__ = ["create", "lock", "merge", "process"]

# Held while frames of other threads are looked at, which keeps what they refer to alive.
lock = threading.RLock()

# So many parts of an hour are kept of each worker.
_PARTS_KEPT = 3600
# Calls deeper than this are left out.
_DEPTH = 200
# Between two looks while no task runs, in seconds.
_LONGEST_PAUSE = 0.2
# So much of the time at most is spent on looking.
_SHARE = 0.01
# What of this package stands below each task.
_BELOW_TASKS = ("/samite/_worker.py", "/samite/distributed/_calls.py")


def create() -> dict[str, Any]:
    """An empty profile."""
    return {
        "count": 0,
        "children": {},
        "identifier": "root",
        "description": {"filename": "", "name": "", "line_number": 0, "line": ""},
    }


def process(frame: Any, state: dict[str, Any]) -> None:
    """Count one look at a thread, whose innermost call is ``frame``."""
    calls = []
    while frame is not None and len(calls) < _DEPTH:
        calls.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    # Engine threads begin a task by calls of this package, which tell nothing.
    while len(calls) > 1 and calls[-1][0].co_filename.endswith(_BELOW_TASKS):
        calls.pop()
    state["count"] += 1
    for code, line in reversed(calls):
        identifier = f"{code.co_name};{code.co_filename};{code.co_firstlineno}"
        child = state["children"].get(identifier)
        if child is None:
            child = state["children"][identifier] = {
                "count": 0,
                "children": {},
                "identifier": identifier,
                "description": {
                    "filename": code.co_filename,
                    "name": code.co_name,
                    "line_number": line,
                    "line": linecache.getline(code.co_filename, line).strip(),
                },
            }
        child["count"] += 1
        state = child


def merge(*states: dict[str, Any]) -> dict[str, Any]:
    """Several profiles as one."""
    merged = create()
    for state in states:
        _add(merged, state)
    return merged


def _add(into: dict[str, Any], state: dict[str, Any]) -> None:
    into["count"] += state["count"]
    for identifier, child in state["children"].items():
        known = into["children"].get(identifier)
        if known is None:
            known = into["children"][identifier] = {**child, "count": 0, "children": {}}
        _add(known, child)


# ---- on workers ---------------------------------------------------------------------------------


class _Sampler:
    """A thread that looks at the tasks of this process now and then."""

    def __init__(self, interval: float, cycle: float) -> None:
        self.interval = interval
        self.cycle = cycle
        # By worker: when a part ended, and its profiles by kind of task.
        self.parts: dict[str, deque[tuple[float, dict[str, Any]]]] = {}
        threading.Thread(target=self.run, name="samite-profile", daemon=True).start()

    def run(self) -> None:
        """Look as long as the process lives; seldom, while no task runs."""
        pause = self.interval
        while True:
            time.sleep(pause)
            began = time.thread_time()
            seen = self.look()
            took = time.thread_time() - began
            if seen:
                # Whoever looks must not take much of what he looks at.
                pause = max(self.interval, min(took / _SHARE, _LONGEST_PAUSE / 2))
            else:
                pause = max(self.interval, min(2 * pause, _LONGEST_PAUSE))

    def look(self) -> bool:
        """Look once; whether a task runs."""
        from samite.utils import key_split

        running = _engine.running_tasks()
        if not running:
            return False
        now = time.time()
        with lock:
            frames = sys._current_frames()
            for thread, address, key in running:
                kind = key_split(key)
                # A thread without a frame is in compiled code that the engine called.
                process(frames.get(thread), self.part(address, now).setdefault(kind, create()))
            frames.clear()
        return True

    def part(self, address: str, now: float) -> dict[str, Any]:
        """The profiles of the part of time that it is."""
        parts = self.parts.setdefault(address, deque(maxlen=_PARTS_KEPT))
        if not parts or parts[-1][0] <= now:
            parts.append((now + self.cycle, {}))
        return parts[-1][1]


_sampler: _Sampler | None = None
_beginning = threading.Lock()


def begin() -> None:
    """Let this process be looked at, unless the setting ``distributed.worker.profile.enabled``
    says no."""
    global _sampler
    if not config.get("distributed.worker.profile.enabled", True):
        return
    with _beginning:
        if _sampler is None:
            interval = _seconds(config.get("distributed.worker.profile.interval", "10ms"))
            cycle = _seconds(config.get("distributed.worker.profile.cycle", "1000ms"))
            _sampler = _Sampler(max(interval, 0.001), max(cycle, 0.01))


def of_worker(
    key: str | None, start: float | None, stop: float | None, dask_worker: Any
) -> dict[str, Any]:
    """The profile of this worker's tasks: of one kind, and between two moments."""
    if _sampler is None or not config.get("distributed.worker.profile.enabled", True):
        return create()
    with lock:
        chosen: Iterable[Any] = list(_sampler.parts.get(dask_worker.address, ()))
        states = [
            state
            for ended, kinds in chosen
            if (start is None or ended >= start)
            and (stop is None or ended - _sampler.cycle <= stop)
            for kind, state in kinds.items()
            if key is None or kind == key
        ]
        return merge(*states)


def _seconds(text: Any) -> float:
    from samite.utils import parse_timedelta

    return float(parse_timedelta(text, "ms"))


# ---- pictures -----------------------------------------------------------------------------------


def layers(state: dict[str, Any]) -> dict[str, list[Any]]:
    """The calls as bars of a flame graph: columns ``left``, ``right``, ``bottom``, ``top`` and what
    is told of each."""
    columns: dict[str, list[Any]] = {
        name: []
        for name in "left right bottom top name filename line_number line share color".split()
    }
    whole = max(1, state["count"])

    def add(one: dict[str, Any], left: float, depth: int) -> None:
        import zlib

        about = one["description"]
        columns["left"].append(left)
        columns["right"].append(left + one["count"] / whole)
        columns["bottom"].append(depth)
        columns["top"].append(depth + 1)
        for name in ("name", "filename", "line_number", "line"):
            columns[name].append(about[name])
        columns["share"].append(f"{100 * one['count'] / whole:.1f} %")
        hue = zlib.crc32(f"{about['filename']}:{about['name']}".encode())
        columns["color"].append(f"hsl({hue % 360}, 60%, 65%)")
        for child in sorted(one["children"].values(), key=lambda child: -child["count"]):
            add(child, left, depth + 1)
            left += child["count"] / whole

    add(state, 0.0, 0)
    return columns


def figure_of(state: dict[str, Any]) -> Any:
    """A flame graph of a profile, as a figure of bokeh.

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
            "profile: a picture needs bokeh; install it, or ask for plot=False"
        ) from error
    source = ColumnDataSource(layers(state))
    options: dict[str, Any] = {"height": 400, "sizing_mode": "stretch_width", "tools": "pan"}
    made = figure(title="Profile of tasks", **options)
    made.quad(
        left="left",
        right="right",
        bottom="bottom",
        top="top",
        color="color",
        line_color="white",
        source=source,
    )
    hover = [
        ("call", "@name"),
        ("file", "@filename"),
        ("line", "@line_number: @line"),
        ("share", "@share"),
    ]
    made.add_tools(HoverTool(tooltips=hover))
    made.xaxis.visible = made.yaxis.visible = made.grid.visible = False
    return made


def write_figure(figure: Any, filename: str, title: str) -> None:
    """Write a page of a figure of bokeh, which needs nothing from elsewhere."""
    from bokeh.embed import file_html
    from bokeh.resources import INLINE

    with open(filename, "w", encoding="utf-8") as file:
        file.write(file_html(figure, INLINE, title))
