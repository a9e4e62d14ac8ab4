"""A progress bar for computations: coloured on a terminal, plain text elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import warnings
from collections.abc import Mapping
from timeit import default_timer
from typing import IO, Any

from samite.callbacks import Callback, NativeRun

Counts = tuple[int, int, int, int, int]
_NOTHING: Counts = (0, 0, 0, 0, 0)
_PATIENCE = 0.05


def format_time(t: float) -> str:
    """Deprecated: use :func:`samite.utils.format_time`."""
    warnings.warn(
        "samite.diagnostics.progress.format_time is deprecated, "
        "please use samite.utils.format_time instead",
        FutureWarning,
        stacklevel=2,
    )
    minutes, seconds = divmod(t, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:2.0f}hr {minutes:2.0f}min {seconds:4.1f}s"
    if minutes:
        return f"{minutes:2.0f}min {seconds:4.1f}s"
    return f"{seconds:4.1f}s"


class ProgressBar(Callback):
    """Show how far a computation is.

    On a terminal the bar is drawn with rich where that is installed, with counts of tasks, an
    estimate of the time left, and the memory that results take. Elsewhere one line of plain text
    is rewritten.

    Parameters
    ----------
    minimum : float
        Seconds to wait before anything is shown.
    width : int
        Characters of the bar.
    dt : float
        Seconds between updates.
    out : file, optional
        Where to write; ``sys.stdout`` by default.

    Attributes
    ----------
    last_duration : float
        Seconds that the last computation took.

    Examples
    --------
    >>> with ProgressBar():                 # doctest: +SKIP
    ...     total = sums.compute()
    [########################################] | 100% Completed | 10.40 s
    """

    _native = True

    def __init__(
        self, minimum: float = 0, width: int = 40, dt: float = 0.1, out: IO[str] | None = None
    ) -> None:
        super().__init__()
        # A program without a console has no standard output at all.
        self._file = sys.stdout if out is None else out
        self._minimum = minimum
        self._width = width
        self._dt = dt
        self._running = False
        self._state: Mapping[str, Any] | None = None
        self._run: NativeRun | None = None
        self._display: _Display | None = None
        self.last_duration: float = 0

    # Driven natively.

    def _attach(self, run: NativeRun) -> None:
        self._run = run
        self._begin()

    def _detach(self, run: NativeRun, errored: bool) -> None:
        self._end(errored)
        self._run = None

    # Driven per task.

    def _start(self, dsk: Mapping) -> None:
        self._begin()

    def _pretask(self, key: Any, dsk: Mapping, state: Mapping[str, Any]) -> None:
        self._state = state

    def _finish(self, dsk: Mapping, state: Mapping[str, Any], errored: bool) -> None:
        self._state = state or self._state
        self._end(errored)

    # Common to both.

    def _begin(self) -> None:
        self._state = None
        self._display = None
        self._start_time = default_timer()
        self._running = True
        self._stopped = threading.Event()
        self._timer = threading.Thread(target=self._timer_func, daemon=True, name="ProgressBar")
        self._timer.start()

    def _end(self, errored: bool) -> None:
        if not self._running:
            return
        self._running = False
        self._stopped.set()
        self._timer.join()
        self.last_duration = default_timer() - self._start_time
        if self.last_duration < self._minimum:
            return
        counts = self._counts()
        with contextlib.suppress(ValueError):  # the file may be closed by now
            display = self._display or _display_for(self._file, self._width, plain=True)
            display.finish(counts, self.last_duration, errored)

    def _timer_func(self) -> None:
        # A computation that is over at once should not wait for a bar to be set up.
        self._stopped.wait(max(self._minimum, min(self._dt, _PATIENCE)))
        while not self._stopped.is_set():
            elapsed = default_timer() - self._start_time
            with contextlib.suppress(ValueError):
                if self._display is None:
                    self._display = _display_for(self._file, self._width)
                self._display.update(self._counts(), elapsed)
            self._stopped.wait(self._dt)

    def _counts(self) -> Counts:
        if self._run is not None:
            return self._run.progress()
        state = self._state
        if not state:
            return _NOTHING
        # The scheduler changes these containers meanwhile, but their lengths are safe to read.
        done, running = len(state["finished"]), len(state["running"])
        total = len(state["ready"]) + len(state["waiting"]) + running + done
        return done, total, running, 0, 0


def _display_for(file: IO[str] | None, width: int, plain: bool = False) -> _Display:
    """The best display for a file; with ``plain`` none that has to be imported first."""
    if file is None:
        return _Display()
    terminal = getattr(file, "isatty", bool)()
    if not terminal or os.environ.get("TERM") == "dumb":
        return _PlainDisplay(file, width)
    if not plain:
        with contextlib.suppress(ImportError):
            return _RichDisplay(file, width)
    return _AnsiDisplay(file, width)


class _Display:
    """Shows nothing: what a program without a console gets."""

    def update(self, counts: Counts, elapsed: float) -> None:
        pass

    def finish(self, counts: Counts, elapsed: float, errored: bool) -> None:
        pass


class _PlainDisplay(_Display):
    """One line of ASCII text, rewritten after a carriage return."""

    def __init__(self, file: IO[str], width: int) -> None:
        self._file = file
        self._width = width

    def update(self, counts: Counts, elapsed: float) -> None:
        done, total = counts[:2]
        # Only the end of the computation may show it as complete.
        self._write(min(done / total, 0.999) if total else 0.0, elapsed)

    def finish(self, counts: Counts, elapsed: float, errored: bool) -> None:
        if errored:
            self.update(counts, elapsed)
        else:
            self._write(1.0, elapsed)
        self._file.write("\n")
        self._file.flush()

    def _write(self, share: float, elapsed: float) -> None:
        from samite.utils import format_time

        bar = "#" * int(self._width * share)
        line = f"[{bar:<{self._width}}] | {int(100 * share)}% Completed | {format_time(elapsed)}"
        self._file.write("\r" + line)
        self._file.flush()


class _AnsiDisplay(_Display):
    """A coloured line for terminals, without any package."""

    def __init__(self, file: IO[str], width: int) -> None:
        self._file = file
        self._width = width

    def update(self, counts: Counts, elapsed: float) -> None:
        self._write(counts, elapsed, "36")

    def finish(self, counts: Counts, elapsed: float, errored: bool) -> None:
        if not errored:
            total = max(counts[:2])
            counts = (total, total, *counts[2:])
        self._write(counts, elapsed, "31" if errored else "32")
        self._file.write("\n")
        self._file.flush()

    def _write(self, counts: Counts, elapsed: float, color: str) -> None:
        done, total = counts[:2]
        filled = int(self._width * (done / total if total else color == "32"))
        bar = f"\x1b[{color}m{'━' * filled}\x1b[90m{'━' * (self._width - filled)}\x1b[0m"
        self._file.write(f"\r\x1b[K{bar} {describe(counts, elapsed)}")
        self._file.flush()


class _RichDisplay(_Display):
    """Rich's bar, refreshed by the timer of the progress bar and not by a thread of its own."""

    def __init__(self, file: IO[str], width: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            BarColumn(bar_width=width),
            TextColumn("[progress.percentage]{task.percentage:>3.0f}%"),
            TextColumn("{task.description}"),
            console=Console(file=file),
            auto_refresh=False,
            # Rich would otherwise swap sys.stdout for the time of the computation.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=None)
        self._progress.start()

    def update(self, counts: Counts, elapsed: float) -> None:
        done, total = counts[:2]
        text = describe(counts, elapsed)
        self._progress.update(
            self._task, completed=done, total=total or None, description=text, refresh=True
        )

    def finish(self, counts: Counts, elapsed: float, errored: bool) -> None:
        done, total = counts[:2]
        if not errored:
            done = total = max(done, total, 1)
            counts = (max(counts[:2]), max(counts[:2]), 0, 0, counts[4])
        text = describe(counts, elapsed)
        self._progress.update(
            self._task,
            completed=done,
            total=total or None,
            description=f"[red]failed[/red] {text}" if errored else text,
            refresh=True,
        )
        self._progress.stop()


def describe(counts: Counts, elapsed: float) -> str:
    """Counts, times and memory in words.

    >>> describe((25, 100, 4, 0, 0), 2.0)
    '25/100 tasks  4 running  2.0 s  about 6 s left'
    """
    done, total, running, held, spilled = counts
    parts = [f"{done:,}/{total:,} tasks"]
    if running:
        parts.append(f"{running} running")
    parts.append(f"{elapsed:.1f} s" if elapsed < 60 else _clock(elapsed))
    if 0 < done < total and elapsed > 0.5:
        parts.append(f"about {_clock(elapsed / done * (total - done))} left")
    if held or spilled:
        from samite.utils import format_bytes

        parts.append(f"{format_bytes(held)} held")
        if spilled:
            parts.append(f"{format_bytes(spilled)} spilled")
    return "  ".join(parts)


def _clock(seconds: float) -> str:
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
