"""Locks of any kind, held while a file is used, and one that holds between processes."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from typing import Any

from samite.utils import get_scheduler_lock

__all__ = ["ProcessLock", "held", "lock_for"]


@contextlib.contextmanager
def held(lock: Any) -> Iterator[None]:
    """Hold a lock, which need not be more than ``acquire`` and ``release``; none if it is false."""
    if not lock:
        yield
        return
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def lock_for(collection: Any, scheduler: Any) -> Any:
    """A lock that holds between the tasks of a collection, wherever they run."""
    from samite import multiprocessing
    from samite.base import get_scheduler

    get = get_scheduler(collections=[collection], scheduler=scheduler)
    if get is multiprocessing.get:
        return ProcessLock()
    return get_scheduler_lock(collection=collection, scheduler=scheduler)


class ProcessLock:
    """A lock that holds between the processes and threads of one machine.

    It is a file, locked by the operating system, which lets go of it if a process dies. The locks
    of a multiprocessing manager are for children of that module, which workers are not.
    """

    def __init__(self) -> None:
        handle, self.path = tempfile.mkstemp(prefix="samite-", suffix=".lock")
        os.close(handle)
        self._local = threading.local()
        weakref.finalize(self, _remove, self.path)

    def __getstate__(self) -> str:
        return self.path

    def __setstate__(self, path: str) -> None:
        self.path = path
        self._local = threading.local()

    def __dask_tokenize__(self) -> Any:
        return ("ProcessLock", self.path)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Wait until nobody holds the lock, and hold it."""
        # Every holder opens the file anew: locks belong to what was opened.
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT)
        try:
            if not _lock_file(handle, blocking):
                os.close(handle)
                return False
        except BaseException:
            os.close(handle)
            raise
        self._local.handle = handle
        return True

    def release(self) -> None:
        """Let go of the lock."""
        handle = self._local.handle
        del self._local.handle
        _unlock_file(handle)
        os.close(handle)

    def __enter__(self) -> ProcessLock:
        self.acquire()
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.remove(path)


try:
    import fcntl
except ImportError:  # There is another way on Windows.
    import msvcrt

    def _lock_file(handle: int, blocking: bool) -> bool:
        while True:
            try:
                # It tries for ten seconds.
                msvcrt.locking(handle, msvcrt.LK_LOCK if blocking else msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
                return True
            except OSError:
                if not blocking:
                    return False

    def _unlock_file(handle: int) -> None:
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined]

else:

    def _lock_file(handle: int, blocking: bool) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def _unlock_file(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)
