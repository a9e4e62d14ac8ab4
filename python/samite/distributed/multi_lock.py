"""A lock on several names at once."""

from __future__ import annotations

import uuid
from typing import Any

from samite.distributed._named import Named, seconds_of

__all__ = ["MultiLock"]


class MultiLock(Named):
    """A lock on several names at once, which are taken without a deadlock.

    Parameters
    ----------
    names:
        The names.
    client:
        By default the current one.
    """

    _prefix = "multilock"

    def __init__(self, names: Any = None, client: Any = None) -> None:
        super().__init__(None, client)
        self.names = [str(name) for name in names] if names is not None else []
        self.id = uuid.uuid4().hex
        self._locked = False

    def acquire(
        self, blocking: bool = True, timeout: Any = None, num_locks: int | None = None
    ) -> Any:
        """Take all of the names, or ``num_locks`` of them.

        Returns
        -------
        Whether they were taken.

        Raises
        ------
        ValueError
            If a timeout is given for not waiting, or there are not so many names.
        """
        if not blocking:
            if timeout is not None:
                raise ValueError("can't specify a timeout for a non-blocking call")
            timeout = 0
        wanted = len(self.names) if num_locks is None else num_locks
        if wanted < 1 or wanted > len(self.names):
            raise ValueError(
                f"num_locks is between 1 and the number of names, {len(self.names)}, not {wanted}"
            )

        async def acquired() -> bool:
            self._locked = await self.client._request(
                "multilock_acquire",
                {
                    "names": self.names,
                    "id": self.id,
                    "n": wanted,
                    "timeout": seconds_of(timeout),
                },
            )
            return self._locked

        return self._run(acquired())

    def release(self) -> Any:
        """Give the names back.

        Raises
        ------
        RuntimeError
            If this object does not hold them.
        """
        if not self._locked:
            raise RuntimeError("Lock is not acquired")
        self._locked = False
        return self._run(
            self.client._request("multilock_release", {"names": self.names, "id": self.id})
        )

    def locked(self) -> bool:
        """Whether this object holds them."""
        return self._locked

    def _arguments(self) -> tuple[Any, ...]:
        return (self.names,)

    def __repr__(self) -> str:
        return f"<MultiLock: {self.names}>"

    def __enter__(self) -> MultiLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def __aenter__(self) -> MultiLock:
        await self.acquire()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.release()
