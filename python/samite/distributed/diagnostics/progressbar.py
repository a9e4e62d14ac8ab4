"""Progress of futures, as text."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from samite.distributed._waiting import as_completed, futures_of

__all__ = ["ProgressBar", "TextProgressBar", "progress"]


class TextProgressBar:
    """A bar of text that fills as futures are done.

    Parameters
    ----------
    keys:
        Futures, and collections of them.
    width:
        Characters.
    interval:
        Seconds between two drawings.
    start:
        Whether to begin at once.
    """

    def __init__(
        self,
        keys: Any,
        scheduler: Any = None,
        interval: Any = "100ms",
        width: int = 40,
        loop: Any = None,
        complete: bool = True,
        start: bool = True,
        file: Any = None,
        **kwargs: Any,
    ) -> None:
        from samite.utils import parse_timedelta

        self.futures = futures_of(keys)
        self.width = width
        self.interval = float(parse_timedelta(interval, "s"))
        self.file = file
        self.done = 0
        self.failed = 0
        self.elapsed = 0.0
        self._stopped = threading.Event()
        self._finished = threading.Event()
        self._began = time.monotonic()
        if start:
            threading.Thread(target=self._run, name="samite-progress", daemon=True).start()

    def _run(self) -> None:
        drawn = threading.Thread(target=self._draw_now_and_then, daemon=True)
        drawn.start()
        try:
            for batch in as_completed(self.futures).batches():
                self.done += len(batch)
                if any(future.status == "error" for future in batch):
                    self.failed += 1
                    break
                if self._stopped.is_set():
                    break
        finally:
            was_stopped = self._stopped.is_set()
            self._stopped.set()
            drawn.join()
            if not was_stopped:
                self._draw()
                print(file=self._out())
            self._finished.set()

    def _out(self) -> Any:
        return sys.stdout if self.file is None else self.file

    def _draw_now_and_then(self) -> None:
        while not self._stopped.wait(self.interval):
            self._draw()

    def _draw(self) -> None:
        from samite.utils import format_time

        self.elapsed = time.monotonic() - self._began
        share = self.done / len(self.futures) if self.futures else 1.0
        bar = ("#" * int(share * self.width)).ljust(self.width)
        text = f"\r[{bar}] | {int(100 * share):3d}% Completed | {format_time(self.elapsed)}"
        print(text, end="", file=self._out(), flush=True)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the bar has ended."""
        return self._finished.wait(timeout)

    def stop(self) -> None:
        """End the bar: nothing more is drawn."""
        if not self._stopped.is_set():
            self._stopped.set()
            print(file=self._out())


ProgressBar = TextProgressBar


def progress(
    *futures: Any,
    notebook: bool | None = None,
    multi: bool = True,
    complete: bool = True,
    group_by: Any = "prefix",
    **kwargs: Any,
) -> Any:
    """Show how far futures are, as text, until they are done or one of them failed.

    Parameters
    ----------
    *futures:
        Futures, and collections of them.
    group_by:
        Taken for Dask's sake: ``"prefix"``, ``"spans"`` or a function. There is one bar for all.

    Raises
    ------
    ValueError
        If there are no futures in what was given, or ``group_by`` is something else.
    """
    if group_by not in ("prefix", "spans") and not callable(group_by):
        raise ValueError(
            f"progress: `group_by` should be 'prefix', 'spans' or a function, not {group_by!r}"
        )
    found = futures_of(futures)
    if not found:
        raise ValueError(
            "progress: there are no futures in what was given; persist or compute it with a client "
            "first"
        )
    bar = TextProgressBar(found, complete=complete, **kwargs)
    try:
        while not bar.wait(0.2):
            pass
    except BaseException:
        # Ctrl-C: the program goes on, and its terminal is not to be drawn on any more.
        bar.stop()
        raise
    return None
