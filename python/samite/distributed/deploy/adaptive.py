"""Letting the number of workers follow the work."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Mapping
from typing import Any

from samite import config
from samite.distributed.core import Status

__all__ = ["Adaptive"]

logger = logging.getLogger("samite.distributed.adaptive")


class Adaptive:
    """Adds workers where there is work for more, and ends those that have had none for a while.

    Parameters
    ----------
    cluster:
        A cluster with ``scale_up(n)`` and ``scale_down(workers)``.
    interval:
        Seconds between two looks.
    minimum, maximum:
        Of workers.
    wait_count:
        How many looks in a row a worker must be without need before it ends.
    target_duration:
        Seconds within which what waits should be computed.

    Raises
    ------
    ValueError
        If ``minimum`` is above ``maximum``.
    """

    def __init__(
        self,
        cluster: Any,
        interval: Any = None,
        minimum: int | None = None,
        maximum: float | None = None,
        wait_count: int | None = None,
        target_duration: Any = None,
        worker_key: Any = None,
        **kwargs: Any,
    ) -> None:
        self.cluster = cluster
        self.worker_key = worker_key
        self.interval = _seconds(_or_setting(interval, "interval", "1s"))
        self.minimum = int(_or_setting(minimum, "minimum", 0))
        self.maximum = float(_or_setting(maximum, "maximum", math.inf))
        self.wait_count = int(_or_setting(wait_count, "wait-count", 3))
        self.target_duration = _seconds(_or_setting(target_duration, "target-duration", "5s"))
        if self.minimum > self.maximum:
            raise ValueError(
                f"minimum must not be above maximum, got {self.minimum} and {self.maximum}"
            )
        self.log: list[tuple[float, dict[str, Any]]] = []
        self.close_counts: dict[Any, int] = {}
        self.state = "starting"
        self._task: Any = None
        loop = cluster.loop
        if loop is None:
            raise RuntimeError("the cluster has not been started")

        def begin() -> None:
            self._task = loop.create_task(self._run())

        if cluster.called_from_running_loop:
            begin()
        else:
            loop.call_soon_threadsafe(begin)

    @property
    def loop(self) -> Any:
        """The event loop."""
        return self.cluster.loop

    @property
    def plan(self) -> set[Any]:
        """The names of the workers that there should be."""
        return self.cluster.plan

    @property
    def requested(self) -> set[Any]:
        """The names of the workers that were started."""
        return self.cluster.requested

    @property
    def observed(self) -> set[Any]:
        """The names of the workers that the scheduler knows."""
        return self.cluster.observed

    @property
    def periodic_callback(self) -> Adaptive | None:
        """What looks now and then: this object, with ``is_running()``; None once it is stopped."""
        return None if self.state == "stopped" else self

    def is_running(self) -> bool:
        """Whether the number of workers follows the work."""
        return self.state == "running"

    async def _run(self) -> None:
        if self.state == "starting":
            self.state = "running"
        try:
            await self._look_now_and_then()
        finally:
            self.state = "stopped"

    async def _look_now_and_then(self) -> None:
        ended = (Status.closing, Status.closed)
        while self.state == "running" and self.cluster.status not in ended:
            try:
                await self.adapt()
            except Exception:
                if self.cluster.status is not Status.running:
                    return
                logger.exception("Adapting the number of workers failed")
            await asyncio.sleep(self.interval)

    async def target(self) -> int:
        """The number of workers that the scheduler would like."""
        info = await self.cluster._ask("scheduler_info", {})
        counts = await self.cluster._ask("counts", {})
        return wanted_workers(info["workers"], counts, self.target_duration)

    async def safe_target(self) -> int:
        """The same, between minimum and maximum."""
        return int(max(self.minimum, min(self.maximum, await self.target())))

    async def workers_to_close(self, target: int) -> list[Any]:
        """The names of the workers that can best be ended, to have so many left."""
        surplus = len(self.plan) - target
        if surplus <= 0:
            return []
        info = await self.cluster._ask("scheduler_info", {})
        held = await self.cluster._ask("has_what", {})
        idle = [worker for worker in info["workers"].values() if not worker.get("processing")]
        # Those that hold least have least to give to others.
        idle.sort(key=lambda worker: len(held.get(worker["address"], ())))
        return [worker["name"] for worker in idle[:surplus]]

    async def recommendations(self, target: int) -> dict[str, Any]:
        """What to do to have so many workers."""
        plan, requested = self.plan, self.requested
        if target == len(plan):
            self.close_counts.clear()
            return {"status": "same"}
        if target > len(plan):
            self.close_counts.clear()
            return {"status": "up", "n": target}
        not_started = plan - requested
        closing = list(not_started)[: len(plan) - target]
        if len(plan) - len(closing) > target:
            idle = await self.workers_to_close(target)
            counts = {name: self.close_counts.get(name, 0) + 1 for name in idle}
            self.close_counts = counts
            closing += [name for name, count in counts.items() if count >= self.wait_count]
        if not closing:
            return {"status": "same"}
        for name in closing:
            self.close_counts.pop(name, None)
        return {"status": "down", "workers": closing}

    async def adapt(self) -> None:
        """Look once, and act."""
        import time

        found = await self.recommendations(await self.safe_target())
        if found["status"] == "same":
            return
        self.log.append((time.time(), dict(found)))
        del self.log[:-1000]
        if found["status"] == "up":
            await self.scale_up(found["n"])
        else:
            await self.scale_down(found["workers"])

    async def scale_up(self, n: int) -> None:
        """Have so many workers."""
        result = self.cluster.scale_up(n)
        if hasattr(result, "__await__"):
            await result

    async def scale_down(self, workers: Any) -> None:
        """End these."""
        result = self.cluster.scale_down(workers)
        if hasattr(result, "__await__"):
            await result

    def stop(self, reason: str = "unknown") -> None:
        """Look no more."""
        self.state = "stopped"
        task = self._task
        if task is None:
            return
        with contextlib.suppress(RuntimeError):
            self.cluster.loop.call_soon_threadsafe(task.cancel)


# The states of tasks that wait for a worker, or have one.
_UNFINISHED = frozenset({"ready", "queued", "no-worker", "no_worker", "unrunnable", "processing"})


def wanted_workers(
    workers: Mapping[str, Any], counts: Mapping[str, int], target_duration: float
) -> int:
    """How many workers there should be for the work that there is.

    As many as compute within the target duration what can run now, but no more than can be busy
    with it; at least one where there is anything to run.
    """
    runnable = sum(count for state, count in counts.items() if state in _UNFINISHED)
    if not runnable:
        return 0
    if not workers:
        return 1
    threads = max(1, round(sum(one["nthreads"] for one in workers.values()) / len(workers)))
    seconds = sum(float(one.get("occupancy") or 0.0) for one in workers.values())
    assigned = sum(int(one.get("processing") or 0) for one in workers.values())
    # Tasks that no worker has yet are taken to last as long as those that some have.
    each = seconds / assigned if assigned else _unknown_duration()
    seconds += each * max(0, runnable - assigned)
    by_tasks = math.ceil(runnable / threads)
    by_time = math.ceil(seconds / target_duration / threads)
    return max(1, min(by_tasks, max(by_time, len(workers))))


def _unknown_duration() -> float:
    """Seconds that a task is taken to last of which nothing is known."""
    return _seconds(config.get("distributed.scheduler.unknown-task-duration", "500ms"))


def _or_setting(value: Any, name: str, default: Any) -> Any:
    if value is not None:
        return value
    configured = config.get(f"distributed.adaptive.{name}", None)
    return default if configured is None else configured


def _seconds(timeout: Any) -> float:
    from samite.utils import parse_timedelta

    return float(parse_timedelta(timeout, "s"))
