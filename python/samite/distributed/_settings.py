"""What the engine's schedulers, workers and clients are started with, from the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from samite import config
from samite.utils import parse_bytes, parse_timedelta

__all__ = ["assumptions", "connections", "memory_manager", "patiences"]

# How frames are sent, by the setting `distributed.comm.compression`: to nobody, to other machines,
# or to all but this process.
_COMPRESSION = {None: "never", False: "never", "auto": "remote", True: "remote", "lz4": "always"}
_MEASURES = (
    "managed",
    "managed_total",
    "optimistic",
    "process",
    "spilled",
    "unmanaged",
    "unmanaged_old",
    "unmanaged_recent",
)


def _read(name: str, default: Any, parse: Callable[[Any], Any]) -> Any:
    """A setting, parsed; None where it is None or False.

    Raises
    ------
    ValueError
        If it is not what it should be; it is named.
    """
    given = config.get(f"distributed.{name}", default)
    if given is None or given is False:
        return None
    try:
        return parse(given)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"the setting distributed.{name} is not understood: {given!r} ({error})"
        ) from error


def _seconds(given: Any) -> float:
    seconds = float(parse_timedelta(given, "s"))
    if seconds <= 0:
        raise ValueError("a time above zero is wanted")
    return seconds


def _count(given: Any) -> int:
    count = int(given)
    if count < 0 or count != float(given):
        raise ValueError("a number from zero up is wanted")
    return count


def connections() -> dict[str, Any]:
    """How members of a cluster talk to each other: compression, times and attempts."""
    found: dict[str, Any] = {}
    given = config.get("distributed.comm.compression", "auto")
    try:
        found["compression"] = _COMPRESSION[given]
    except (KeyError, TypeError):
        raise ValueError(
            f"the setting distributed.comm.compression is false, 'auto' (to other machines) or "
            f"'lz4' (to other processes too), not {given!r}"
        ) from None
    for name, option in (
        ("comm.timeouts.tcp", "idle_time"),
        ("comm.timeouts.connect", "connect"),
        ("comm.retry.delay.min", "first_pause"),
        ("comm.retry.delay.max", "longest_pause"),
    ):
        seconds = _read(name, None, _seconds)
        if seconds is not None:
            found[option] = seconds
    if "connect" in found:
        # A worker that is gone is not waited for as long as a scheduler: what it held is elsewhere,
        # or is computed anew.
        found["connect"] /= 3
    retries = _read("comm.retry.count", 0, _count)
    if retries:
        found["retries"] = retries
    return found


def patiences() -> dict[str, float | None]:
    """After which seconds a scheduler gives up silent workers, tasks that no worker may run, and
    leases that nobody renews."""
    return {
        "worker": _read("scheduler.worker-ttl", "5 minutes", _seconds),
        "no_workers": _read("scheduler.no-workers-timeout", None, _seconds),
        "lease": _read("scheduler.locks.lease-timeout", "30s", _seconds),
    }


def memory_manager() -> dict[str, Any]:
    """How a scheduler manages copies of results; see `samite.distributed.active_memory_manager`.

    Whether it drops those that nobody needs is up to the policies, of which the scheduler's process
    takes care.
    """
    name = "scheduler.active-memory-manager"
    measure = config.get(f"distributed.{name}.measure", "optimistic")
    if measure not in _MEASURES:
        raise ValueError(
            f"distributed.{name}.measure must be one of {', '.join(_MEASURES)}, not {measure!r}"
        )
    return {
        "start": bool(config.get(f"distributed.{name}.start", True)),
        "interval": _read(f"{name}.interval", "2s", _seconds) or 2.0,
        "measure": measure,
        "recent": _read("worker.memory.recent-to-old-time", "30s", _seconds) or 30.0,
    }


def assumptions() -> dict[str, float]:
    """What the scheduler takes tasks and connections for."""
    return {
        "unknown_duration": _read(
            "scheduler.unknown-task-duration",
            "500ms",
            lambda given: float(parse_timedelta(given, "s")),
        )
        or 0.0,
        "bandwidth": _read(
            "scheduler.bandwidth", 100_000_000, lambda given: float(parse_bytes(given))
        )
        or 1.0,
    }
