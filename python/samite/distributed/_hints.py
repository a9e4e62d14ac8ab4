"""A hint on the log where somebody waits for results of a cluster that has no workers."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from typing import Any

from samite import config

# Seconds from one look to the next, where the patience is longer.
_LOOKS = 0.5

logger = logging.getLogger("distributed.client")


class _Watch:
    """Looks from time to time at what is waited for; its thread ends when nothing is."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waits: dict[object, tuple[weakref.ref[Any], float]] = {}
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        with self.lock:
            if self.thread is None:
                self.thread = threading.Thread(
                    target=self._run, name="samite-no-workers-hint", daemon=True
                )
                self.thread.start()

    def _run(self) -> None:
        hinted: weakref.WeakSet[Any] = weakref.WeakSet()
        barred: weakref.WeakSet[Any] = weakref.WeakSet()
        while True:
            patience = _patience()
            time.sleep(min(patience / 2, _LOOKS))
            with self.lock:
                if not self.waits:
                    self.thread = None
                    return
                waits = list(self.waits.items())
            late = time.monotonic() - patience
            clients = {}
            for token, (reference, since) in waits:
                client = reference()
                if client is None or client._engine is None:
                    self.waits.pop(token, None)
                elif since < late:
                    clients[id(client)] = client
            for client in clients.values():
                _look(client, patience, hinted, barred)
            # The thread keeps no client alive while it sleeps.
            client = None
            clients.clear()


def _patience() -> float:
    from samite.utils import parse_timedelta

    return max(parse_timedelta(config.get("distributed.client.no-workers-hint", "10s")), 0.01)


def _look_for_barred(client: Any, patience: float, barred: weakref.WeakSet[Any]) -> None:
    """Say that there are tasks which no worker may run, once until there are none."""
    try:
        count = client._connected().request("counts", {}, patience).get("no-worker", 0)
    except Exception:
        return
    if not count:
        barred.discard(client)
    elif client not in barred:
        barred.add(client)
        logger.warning(
            "A result has been waited for since %.3g seconds, and %s tasks of the cluster at %s "
            "can run on none of its workers: none has the name or address of their workers=, or "
            "the amounts of their resources=.",
            patience,
            count,
            client.scheduler_address,
        )


def _look(
    client: Any, patience: float, hinted: weakref.WeakSet[Any], barred: weakref.WeakSet[Any]
) -> None:
    """Say that there are no workers, once until there are some."""
    try:
        workers = client._connected().request("nthreads", {"workers": None}, patience)
    except Exception:
        return  # Whoever waits is told of a lost connection by the wait itself.
    if workers:
        hinted.discard(client)
        _look_for_barred(client, patience, barred)
    elif client not in hinted:
        hinted.add(client)
        logger.warning(
            "The cluster at %s has no workers, and a result has been waited for since %.3g "
            "seconds. It comes when a worker does: start some with cluster.scale(n), or with the "
            "command `samite worker %s`.",
            client.scheduler_address,
            patience,
            client.scheduler_address,
        )


_watch = _Watch()


def waiting(client: Any) -> object:
    """Somebody waits from now on, until :func:`over` is called with what this returns."""
    token = object()
    _watch.waits[token] = (weakref.ref(client), time.monotonic())
    if _watch.thread is None:
        _watch.start()
    return token


def over(token: object) -> None:
    """The wait is over."""
    _watch.waits.pop(token, None)


def _forked() -> None:
    global _watch
    _watch = _Watch()


os.register_at_fork(after_in_child=_forked)
