"""Calls that are submitted in the background, so that the first ones of very many can be waited for
at once."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Any

# So many calls of a batch go to the scheduler before `map` returns: the workers' work until the
# futures are made.
AT_ONCE = (256, 1280)
# So many calls are a piece, between which other threads have their turn.
_PIECE = 1024
# Python's lock goes to whoever waits for it while a thread sleeps: so many seconds.
_PAUSE = 2e-5

logger = logging.getLogger("distributed.client")


class Backlog:
    """Batches of calls that wait for being submitted, in order.

    A thread submits them, which ends when there are none. Whatever has to come after them at the
    scheduler is preceded by :meth:`catch_up`.
    """

    def __init__(self) -> None:
        self._batches: deque[Any] = deque()
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._thread: threading.Thread | None = None

    def __bool__(self) -> bool:
        return bool(self._batches)

    def put(self, batch: Any) -> None:
        """Submit the rest of a batch soon."""
        self._batches.append(batch)
        with self._lock:
            if self._thread is None:
                # Not a daemon: that would be ended within native code when the interpreter ends.
                self._thread = threading.Thread(target=self._run, name="samite-submitting")
                self._thread.start()

    def catch_up(self) -> None:
        """Submit all that waits, before this returns."""
        # A destructor or a signal handler that runs amid a submission cannot wait for it.
        if self._owner == threading.get_ident():
            return
        while self._batches:
            with self._lock:
                self._submit()

    def stop(self, seconds: float) -> None:
        """Give up what waits; its futures are cancelled."""
        self._batches.clear()
        # What is being submitted now is not interrupted; after a fork nobody is at it.
        if self._lock.acquire(timeout=seconds):
            self._lock.release()
        self._batches.clear()

    def _run(self) -> None:
        while True:
            # Whoever waits for results goes on first.
            time.sleep(_PAUSE)
            with self._lock:
                if not self._batches:
                    self._thread = None
                    return
                self._submit()

    def _submit(self) -> None:
        """Submit a piece of the first batch."""
        batch = next(iter(self._batches), None)
        if batch is None:
            return
        self._owner = threading.get_ident()
        try:
            batch.submit(_PIECE)
            over = not batch.left
        except OSError:
            over = True  # The connection has ended, which cancels all futures.
        except Exception:
            logger.exception("Calls could not be submitted; their futures are cancelled")
            batch.abandon("submission-failed")
            over = True
        finally:
            self._owner = None
        if over and self._batches and self._batches[0] is batch:
            self._batches.popleft()
