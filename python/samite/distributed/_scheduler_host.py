"""Calls that clients of other processes want carried out where the scheduler is."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samite.distributed.scheduler import Scheduler

__all__ = ["Host"]

logger = logging.getLogger("samite.distributed.scheduler")


class Host:
    """Carries out calls for clients of a scheduler, one after the other, on a thread of its own.

    Whoever can connect to the scheduler can have anything called, as on workers.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._engine = scheduler._make_asker("scheduler-host")
        topic = self._engine.request("host", {}, 30.0)
        # Called on a thread of the engine's, on which nothing may be asked.
        self._engine.subscribe(topic, self._calls.put)
        self._thread = threading.Thread(target=self._work, name="samite-host", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            answer = self._carried_out(call["function"])
            try:
                self._engine.request("host_ran", {"call": call["call"], "answer": answer}, 30.0)
            except (OSError, RuntimeError, TimeoutError):
                logger.warning("The answer of a call on the scheduler could not be sent")

    def _carried_out(self, request: bytes) -> bytes:
        from samite.distributed._calls import dump_bytes, failure_bytes, load_bytes
        from samite.distributed._client_cluster import call_with_scheduler

        try:
            function, args, kwargs = load_bytes(request)
            value = call_with_scheduler(function, self._scheduler, args, kwargs)
            return dump_bytes(("ok", value))
        except BaseException as raised:
            return failure_bytes(raised)

    def close(self) -> None:
        """Carry out no more."""
        self._calls.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join(5.0)
        self._engine.close(1.0)
