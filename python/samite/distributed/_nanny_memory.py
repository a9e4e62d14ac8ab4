"""What a nanny does where its worker takes too much memory."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import time

from samite import config

logger = logging.getLogger("samite.distributed.nanny")


def keep_within(process: subprocess.Popen[bytes], most: int, limit: int) -> None:
    """Kill a process as soon as it has more than ``most`` bytes of its own; returns when it has
    ended.

    Parameters
    ----------
    limit:
        The worker's memory limit, for the message.
    """
    from samite.utils import format_bytes, parse_timedelta

    interval = config.get("distributed.worker.memory.monitor-interval", "100ms")
    seconds = float(parse_timedelta(interval))
    while process.poll() is None:
        used = memory_of(process.pid)
        if used is None:
            return
        if used > most:
            logger.warning(
                "Worker process %s has %s in memory, which is near its limit of %s, or over it: it "
                "is killed, and its tasks run again",
                process.pid,
                format_bytes(used),
                format_bytes(limit),
            )
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            return
        time.sleep(seconds)


def memory_of(pid: int) -> int | None:
    """The bytes that a process has in memory for itself, without the pages of files that it reads,
    which the system takes back when it needs them; None where that is not known."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            _, resident, shared, *_ = map(int, file.read().split())
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        pass
    try:
        import psutil

        return int(psutil.Process(pid).memory_info().rss)
    except Exception:  # without psutil, or without the process
        return None
