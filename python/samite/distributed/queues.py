"""A queue for the whole cluster."""

from __future__ import annotations

from typing import Any

from samite.distributed._named import Named, seconds_of, value_kept, value_to_keep

__all__ = ["Queue"]


class Queue(Named):
    """A queue of futures and small values, for clients and tasks.

    Parameters
    ----------
    name:
        Queues of the same name are one queue.
    client:
        By default the current one.
    maxsize:
        How many elements it holds before :meth:`put` waits; 0 for no limit.
    """

    _prefix = "queue"

    def __init__(self, name: Any = None, client: Any = None, maxsize: int = 0) -> None:
        super().__init__(name, client)
        self.maxsize = maxsize
        self._created = False
        if self._client is not None and not self._client.asynchronous:
            self._run(self._create())

    async def _create(self) -> None:
        if not self._created:
            await self._ask("create", maxsize=self.maxsize)
            self._created = True

    def __await__(self) -> Any:
        from samite.distributed._steps import run_awaiting

        async def created() -> Queue:
            await self._create()
            return self

        return run_awaiting(created()).__await__()

    def put(self, value: Any, timeout: Any = None, **kwargs: Any) -> Any:
        """Append a future, or a small value.

        Raises
        ------
        TimeoutError
            If the queue stays full for so long.
        """
        kept = value_to_keep(value)

        async def was_put() -> None:
            await self._create()
            if await self._ask("put", value=kept, timeout=seconds_of(timeout)) is False:
                raise TimeoutError(f"the queue {self.name!r} was full for {timeout} seconds")

        return self._run(was_put())

    def get(self, timeout: Any = None, batch: Any = False, **kwargs: Any) -> Any:
        """Take the first element; waits for one.

        Parameters
        ----------
        timeout:
            Seconds to wait at most.
        batch:
            True takes all that there are, a number exactly so many; both give a list.

        Raises
        ------
        TimeoutError
            If none came in time.
        """
        if batch is True:
            wanted = -1
        elif batch is False:
            wanted = 1
        else:
            wanted = int(batch)

        async def got() -> Any:
            await self._create()
            found = await self._ask("get", n=wanted, timeout=seconds_of(timeout))
            if found is None or found is False:
                raise TimeoutError(f"the queue {self.name!r} had too little for {timeout} seconds")
            values = [await value_kept(kept, self.client) for kept in found]
            return values[0] if batch is False else values

        return self._run(got())

    def qsize(self, **kwargs: Any) -> Any:
        """How many elements it holds."""

        async def asked() -> int:
            await self._create()
            return await self._ask("qsize")

        return self._run(asked())

    def close(self) -> Any:
        """Forget the queue on the scheduler."""

        async def closed() -> None:
            await self._ask("close")

        return self._run(closed())

    def _arguments(self) -> tuple[Any, ...]:
        return (self.name, None, self.maxsize)
