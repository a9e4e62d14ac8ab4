"""A semaphore for the whole cluster, whose leases end when their holder is gone."""

from __future__ import annotations

import contextlib
import threading
import uuid
from typing import Any

from samite.distributed._named import Named, client_of_scheduler, seconds_of

__all__ = ["Semaphore"]


class Semaphore(Named):
    """Lets so many holders in at a time.

    A lease that is not renewed for ``distributed.scheduler.locks.lease-timeout`` ends; holders
    that live renew theirs by themselves.

    Parameters
    ----------
    max_leases:
        How many at a time.
    name:
        Semaphores of the same name are one, and must agree on ``max_leases``.
    """

    _prefix = "semaphore"

    def __init__(
        self,
        max_leases: int = 1,
        name: Any = None,
        scheduler_rpc: Any = None,
        loop: Any = None,
        client: Any = None,
    ) -> None:
        if not isinstance(max_leases, int) or max_leases < 1:
            raise ValueError(f"Semaphore: max_leases is a positive number, not {max_leases!r}")
        super().__init__(name, client or client_of_scheduler(scheduler_rpc))
        self.max_leases = max_leases
        self.id = uuid.uuid4().hex
        self._leases: list[str] = []
        # A lease that is renewed after it was given back would be held by nobody.
        self._renewing = threading.Lock()
        self._renewal: _Renewal | None = None
        self._registered = False
        if self._client is not None and not self._client.asynchronous:
            self._run(self._register())

    async def _register(self) -> None:
        if not self._registered:
            await self._ask("create", max_leases=self.max_leases)
            self._registered = True

    def __await__(self) -> Any:
        from samite.distributed._steps import run_awaiting

        async def registered() -> Semaphore:
            await self._register()
            return self

        return run_awaiting(registered()).__await__()

    def acquire(self, timeout: Any = None) -> Any:
        """Take a lease.

        Parameters
        ----------
        timeout:
            Seconds to wait at most.

        Returns
        -------
        Whether there was one.
        """
        seconds = seconds_of(timeout)

        async def acquired() -> bool:
            await self._register()
            lease = uuid.uuid4().hex
            if not await self._ask("acquire", id=lease, timeout=seconds):
                return False
            self._leases.append(lease)
            if self._renewal is None:
                self._renewal = _Renewal(self)
            return True

        return self._run(acquired())

    def release(self) -> Any:
        """Give a lease back.

        Returns
        -------
        Whether the scheduler still counted it: a lease that was not renewed in time is gone.

        Raises
        ------
        RuntimeError
            If this object holds none.
        """
        if not self._leases:
            raise RuntimeError("Released too often")
        with self._renewing:
            lease = self._leases.pop(0)
        if not self._leases and self._renewal is not None:
            self._renewal.stop()
            self._renewal = None
        return self._run(self._ask("release", id=lease))

    def get_value(self) -> Any:
        """How many leases are taken."""

        async def got() -> int:
            await self._register()
            return await self._ask("value")

        return self._run(got())

    def close(self) -> Any:
        """Forget the semaphore on the scheduler; warns where leases are held."""
        if self._renewal is not None:
            self._renewal.stop()
            self._renewal = None
        self._leases.clear()

        async def closed() -> None:
            import warnings

            try:
                taken = await self._ask("value")
            except RuntimeError:
                return  # it is closed already
            await self._ask("close")
            if taken:
                warnings.warn(
                    f"Closing semaphore {self._text} but there remain unreleased leases: {taken}",
                    RuntimeWarning,
                    stacklevel=2,
                )

        return self._run(closed())

    def _arguments(self) -> tuple[Any, ...]:
        return (self.max_leases, self.name)

    def __enter__(self) -> Semaphore:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def __aenter__(self) -> Semaphore:
        await self.acquire()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.release()


class _Renewal:
    """A thread that renews the leases of a semaphore while they are held."""

    def __init__(self, semaphore: Semaphore) -> None:
        from samite import config

        interval = config.get("distributed.scheduler.locks.lease-validation-interval", "10s")
        self.seconds = max(0.05, seconds_of(interval) or 10.0)
        self.stopped = threading.Event()
        self.semaphore = semaphore
        # Leases are of this client, and end with it: the current one may be another by then.
        self.client = semaphore.client
        threading.Thread(target=self.run, name="samite-leases", daemon=True).start()

    def run(self) -> None:
        """Renew now and then."""
        while not self.stopped.wait(self.seconds):
            semaphore, client = self.semaphore, self.client
            with semaphore._renewing:
                leases = list(semaphore._leases)
                if not leases or client.status == "closed" or self.stopped.is_set():
                    return
                with contextlib.suppress(Exception):
                    client._connected().request(
                        "semaphore_refresh", {"name": semaphore._text, "ids": leases}, 10.0
                    )

    def stop(self) -> None:
        """Renew no more."""
        self.stopped.set()
