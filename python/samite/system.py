"""How many processors and how much memory this process may use."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator

__all__ = ("CPU_COUNT", "cpu_count", "total_memory")


def _read(path: str) -> str | None:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None


def _cgroup_cpus() -> float | None:
    """The processors that the control groups of this process allow; None without a limit."""
    for group in ("cpuacct,cpu", "cpu,cpuacct", "cpu"):  # Version 1: two files.
        quota = _read(f"/sys/fs/cgroup/{group}/cpu.cfs_quota_us")
        period = _read(f"/sys/fs/cgroup/{group}/cpu.cfs_period_us")
        limit = _ratio(quota, period) if quota is not None and period is not None else None
        if limit is not None:
            return limit
    limits = []
    for text in _limits("cpu.max"):
        words = text.split()
        limit = _ratio(*words) if len(words) == 2 else None
        if limit is not None:
            limits.append(limit)
    return min(limits, default=None)


def _limits(file: str) -> Iterator[str]:
    """What a file says in each control group (version 2) of this process.

    There is one file in each group, and a limit of a parent holds for its children too.
    """
    lines = (_read("/proc/self/cgroup") or "").split("\n")
    path = next((line[3:] for line in lines if line.startswith("0::")), "")
    parts = [part for part in path.split("/") if part]
    for depth in range(len(parts), -1, -1):
        yield _read("/".join(["/sys/fs/cgroup", *parts[:depth], file])) or ""


def _ratio(quota: str, period: str) -> float | None:
    try:
        allowed, interval = int(quota), int(period)
    except ValueError:  # "max" stands for no limit.
        return None
    return allowed / interval if allowed > 0 and interval > 0 else None


def cpu_count() -> int:
    """The number of processors that this process may use, at least 1.

    The least of what the machine has, what the process's affinity allows, and what the control
    group of a container allows, rounded up. On Python 3.13 and later, ``PYTHON_CPU_COUNT`` and
    ``-X cpu_count`` take their place.
    """
    if sys.version_info >= (3, 13):
        override = sys._xoptions.get("cpu_count", os.environ.get("PYTHON_CPU_COUNT"))
        if isinstance(override, str) and override.isdigit():
            return max(1, int(override))
    counts: list[float] = [os.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):
        try:
            counts.append(len(os.sched_getaffinity(0)))
        except (NotImplementedError, OSError):
            pass
    if sys.platform == "linux":
        limit = _cgroup_cpus()
        if limit is not None:
            counts.append(math.ceil(limit))
    return max(1, int(min(counts)))


CPU_COUNT = cpu_count()


def total_memory() -> int:
    """The memory in bytes that this process may use.

    The less of what the machine has, and what the control groups of a container allow.
    """
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    first = _read("/sys/fs/cgroup/memory/memory.limit_in_bytes") or ""  # Version 1.
    for text in (first, *_limits("memory.max")):
        text = text.strip()
        if text.isdigit():  # "max" stands for no limit.
            total = min(total, int(text))
    return total
