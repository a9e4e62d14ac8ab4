"""Locks that travel with tasks, and a pause for the garbage collector."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import ContextDecorator
from weakref import WeakValueDictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any


class SerializableLock:
    """A lock that can be pickled: within one process, all copies are the same lock.

    It does *not* lock between processes. Its use is to guard a library that is not thread-safe,
    in tasks that may run anywhere.

    Parameters
    ----------
    token
        Locks of the same token are the same; a fresh one by default.
    """

    # Entries live as long as some copy of the lock.
    _locks: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()
    _making = threading.Lock()

    token: Hashable
    lock: Any

    def __init__(self, token: Hashable | None = None):
        self.__setstate__(os.urandom(16).hex() if token is None else token)

    def acquire(self, *args: Any, **kwargs: Any) -> bool:
        """As ``threading.Lock.acquire``."""
        return self.lock.acquire(*args, **kwargs)

    def release(self) -> None:
        """As ``threading.Lock.release``."""
        self.lock.release()

    def locked(self) -> bool:
        """Does somebody hold the lock?"""
        return self.lock.locked()

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.lock.release()

    def __getstate__(self) -> Hashable:
        return self.token

    def __setstate__(self, token: Hashable) -> None:
        self.token = token
        with SerializableLock._making:
            lock = SerializableLock._locks.get(token)
            if lock is None:
                lock = SerializableLock._locks[token] = threading.Lock()
        self.lock = lock

    def __str__(self) -> str:
        return f"<{type(self).__name__}: {self.token}>"

    __repr__ = __str__


def get_scheduler_lock(collection: Any = None, scheduler: Any = None) -> Any:
    """A lock that holds between the tasks of `collection`, on the scheduler that would run them.

    Threads: a :class:`SerializableLock`. Processes: a lock of a multiprocessing manager. A
    cluster's client: that cluster's lock.
    """
    from samite import multiprocessing
    from samite.base import get_scheduler

    collections = None if collection is None else [collection]
    get = get_scheduler(collections=collections, scheduler=scheduler)
    if get == multiprocessing.get:
        return multiprocessing.get_context().Manager().Lock()
    client = getattr(get, "__self__", None)
    # On a Dask cluster, a scheduler of ours is what has its client.
    client = getattr(client, "client", client)
    for package in ("samite.distributed", "distributed"):
        cluster = sys.modules.get(package)
        if cluster is not None and isinstance(client, getattr(cluster, "Client", ())):
            with client.as_current():
                return cluster.Lock()
    return SerializableLock()


class disable_gc(ContextDecorator):
    """No garbage collection within the block; what was on before is on again after it.

    Parameters
    ----------
    collect
        Collect at the end.
    """

    def __init__(self, collect: bool = False):
        self.collect = collect
        self._was_enabled = False

    def __enter__(self) -> disable_gc:
        import gc

        self._was_enabled = gc.isenabled()
        gc.disable()
        return self

    def __exit__(self, *exc_info: object) -> None:
        import gc

        if self._was_enabled:
            gc.enable()
        if self.collect:
            gc.collect()
