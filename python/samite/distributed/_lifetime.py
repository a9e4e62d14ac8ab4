"""Workers that end by themselves after a time, as launchers of batch jobs ask for."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
from typing import TYPE_CHECKING, Any

from samite import config

if TYPE_CHECKING:
    from samite.distributed.worker import Worker

logger = logging.getLogger("samite.distributed.worker")


def lifetime_of(duration: Any, stagger: Any) -> float | None:
    """Seconds until a worker ends, a part of them by chance; None where it does not.

    Parameters
    ----------
    duration, stagger:
        Times such as ``"1 hour"``, by default the settings ``distributed.worker.lifetime.duration``
        and ``stagger``. The second is how much longer or shorter it may be.

    Raises
    ------
    ValueError
        If they are no times.
    """
    if duration is None:
        duration = config.get("distributed.worker.lifetime.duration", None)
    if duration is None:
        return None
    if stagger is None:
        stagger = config.get("distributed.worker.lifetime.stagger", "0 seconds")
    return max(0.0, _seconds(duration) + (2 * random.random() - 1) * _seconds(stagger))


def _seconds(time: Any) -> float:
    from samite.utils import parse_timedelta

    try:
        return float(parse_timedelta(time, "s") or 0.0)
    except (KeyError, TypeError, ValueError) as error:
        text = f"the lifetime of a worker is a time such as '1 hour', not {time!r}"
        raise ValueError(text) from error


class Alarm:
    """Lets a worker leave when its time is over: after its results are with others.

    Parameters
    ----------
    again:
        Whether its nanny starts it again.
    """

    def __init__(self, worker: Worker, seconds: float, again: bool) -> None:
        self.worker = worker
        self.seconds = seconds
        self.again = again
        self._off = threading.Event()
        # Whether the time is over.
        self.is_over = False
        threading.Thread(target=self._wait, name="samite-lifetime", daemon=True).start()

    def cancel(self) -> None:
        """Let the worker live."""
        self._off.set()

    def _wait(self) -> None:
        if self._off.wait(self.seconds):
            return
        self.is_over = True
        worker = self.worker
        logger.info("The worker %s has lived for %.0f seconds: it ends", worker.name, self.seconds)
        from samite.distributed.worker import is_watched, restart

        again = self.again and is_watched()
        arguments = {"workers": [worker.address], "close_workers": not again}
        # Where the scheduler does not answer, what the worker has is computed again.
        with contextlib.suppress(Exception):
            worker._ask().request("retire_workers", arguments, 600.0)
        if again:
            restart(worker)
        elif (engine := worker._engine) is not None:
            engine.close(5.0)
