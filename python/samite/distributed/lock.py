"""A lock for the whole cluster."""

from __future__ import annotations

import uuid
from typing import Any

from samite.distributed._named import Named, client_of_scheduler, seconds_of

__all__ = ["Lock"]


class Lock(Named):
    """A lock for the whole cluster.

    Parameters
    ----------
    name:
        Locks of the same name are one lock; by default a name of its own.
    """

    _prefix = "lock"

    def __init__(
        self, name: Any = None, client: Any = None, scheduler_rpc: Any = None, loop: Any = None
    ) -> None:
        super().__init__(name, client or client_of_scheduler(scheduler_rpc))
        self.id = uuid.uuid4().hex

    def acquire(self, blocking: bool = True, timeout: Any = None) -> Any:
        """Take the lock.

        Parameters
        ----------
        blocking:
            Whether to wait until it is free.
        timeout:
            Seconds to wait at most.

        Returns
        -------
        Whether it was taken.

        Raises
        ------
        ValueError
            If a timeout is given for not waiting.
        """
        if not blocking:
            if timeout is not None:
                raise ValueError("can't specify a timeout for a non-blocking call")
            timeout = 0
        return self._run(self._ask("acquire", id=self.id, timeout=seconds_of(timeout)))

    def release(self) -> Any:
        """Give the lock back.

        Raises
        ------
        RuntimeError
            If this object does not hold it.
        """

        async def released() -> None:
            if await self._ask("release", id=self.id) is False:
                raise RuntimeError(
                    f"Lock.release: the lock {self.name!r} is not held by this object; acquire it "
                    "first"
                )

        return self._run(released())

    def locked(self) -> Any:
        """Whether somebody holds the lock."""
        return self._run(self._ask("locked"))

    def close(self) -> None:
        """Give the lock back if this object holds it."""

        async def closed() -> None:
            await self._ask("release", id=self.id)

        return self._run(closed())

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def __aenter__(self) -> Lock:
        await self.acquire()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.release()
