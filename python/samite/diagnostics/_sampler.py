"""A thread that measures the memory and processor use of this process and its children."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from timeit import default_timer

# Seconds of processor time so far and bytes of memory, by process.
Usage = dict[int, tuple[float, int]]

# Processor use is a mean over at least this time: systems count it in steps of 10 milliseconds.
_WINDOW = 0.1


class Sampler(threading.Thread):
    """Measure every ``dt`` seconds until :meth:`stop`.

    Samples are ``(time, megabytes, percent of one processor)``. Child processes count too, so
    that the workers of a process pool are seen.
    """

    def __init__(self, dt: float) -> None:
        super().__init__(name="samite-resource-sampler", daemon=True)
        self._dt = dt
        self._measure = usage_reader()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._samples: list[tuple[float, float, float]] = []
        self._recent: deque[tuple[float, Usage]] = deque()

    def run(self) -> None:
        while True:
            self.sample()
            if self._stopped.wait(self._dt):
                return

    def sample(self) -> None:
        """Take one measurement now."""
        with self._lock:
            now, usage = default_timer(), self._measure()
            while len(self._recent) > 1 and now - self._recent[1][0] >= _WINDOW:
                self._recent.popleft()
            percent = 0.0
            if self._recent:
                then, earlier = self._recent[0]
                spent = sum(
                    max(0.0, seconds - earlier.get(process, (0.0, 0))[0])
                    for process, (seconds, _) in usage.items()
                )
                percent = 100 * spent / max(now - then, 1e-6)
            self._recent.append((now, usage))
            memory = sum(resident for _, resident in usage.values())
            self._samples.append((now, memory / 1e6, percent))

    def take(self) -> list[tuple[float, float, float]]:
        """The samples since the last call, with at least one."""
        if not self._samples:
            self.sample()
        with self._lock:
            samples, self._samples = self._samples, []
        return samples

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def usage_reader() -> Callable[[], Usage]:
    """The best way to measure on this system: psutil, or what Linux offers in ``/proc``.

    Raises
    ------
    ImportError
        If there is neither.
    """
    try:
        import psutil
    except ImportError:
        if os.path.exists("/proc/self/stat"):
            return _usage_from_proc
        raise ImportError(
            "Measuring resources on this system requires psutil:\n\n  python -m pip install psutil"
        ) from None
    this = psutil.Process()

    def measure() -> Usage:
        usage: Usage = {}
        for process in [this, *this.children(recursive=True)]:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    usage[process.pid] = (times.user + times.system, process.memory_info().rss)
            except psutil.Error:
                continue  # it has ended meanwhile
        return _with_exact_own_time(usage)

    return measure


def _usage_from_proc() -> Usage:
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    usage: Usage = {}
    for process in _family(os.getpid()):
        try:
            with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
                # The second field is the name in parentheses, which may contain anything.
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        user, system, resident = int(fields[11]), int(fields[12]), int(fields[21])
        usage[process] = ((user + system) / ticks, resident * page)
    return _with_exact_own_time(usage)


def _with_exact_own_time(usage: Usage) -> Usage:
    """Replace the coarse count of this process by the fine one that Python offers."""
    process = os.getpid()
    if process in usage:
        usage[process] = (time.process_time(), usage[process][1])
    return usage


def _family(process: int) -> Iterator[int]:
    """A process and all that descend from it."""
    pending = [process]
    while pending:
        process = pending.pop()
        yield process
        try:
            threads = os.listdir(f"/proc/{process}/task")
        except OSError:
            continue
        for thread in threads:
            try:
                path = f"/proc/{process}/task/{thread}/children"
                with open(path, encoding="ascii") as file:
                    pending.extend(int(child) for child in file.read().split())
            except OSError:
                continue
