"""What locks, queues and their like share: a name on the scheduler, and a client to ask with."""

from __future__ import annotations

import uuid
from collections.abc import Coroutine
from typing import Any


class Named:
    """Something on the scheduler that has a name.

    It can be pickled; where it is unpickled, it uses the client that is current there.
    """

    _prefix = "object"

    def __init__(self, name: Any = None, client: Any = None) -> None:
        if name is not None and not isinstance(name, (str, bytes, int, float, tuple, list)):
            raise TypeError(
                f"{type(self).__name__}: a name is text, a number, or a tuple or list of "
                f"those, not {type(name).__name__}"
            )
        self.name = name if name is not None else f"{self._prefix}-{uuid.uuid4().hex}"
        self._client = client
        if client is None:
            from samite.distributed._current import current_client

            # Where there is no client yet, the first use looks for one again.
            self._client = current_client()

    @property
    def client(self) -> Any:
        """The client that asks the scheduler; None where there is none."""
        from samite.distributed._current import client_here, current_client

        if self._client is None or self._client.status == "closed":
            self._client = current_client()
        return client_here(self._client)

    @property
    def _text(self) -> str:
        return self.name if isinstance(self.name, str) else repr(self.name)

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        client = self.client
        if client is None:
            coroutine.close()
            raise RuntimeError(
                f"{type(self).__name__} object not properly initialized: there is no client here "
                "to ask the scheduler with. Make one first."
            )
        return client._run(coroutine)

    async def _ask(self, request: str, **arguments: Any) -> Any:
        return await self.client._request(
            f"{self._prefix}_{request}", {"name": self._text, **arguments}
        )

    def _arguments(self) -> tuple[Any, ...]:
        return (self.name,)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), self._arguments())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._text}>"


def seconds_of(timeout: Any) -> float | None:
    """Seconds, from a number, text or a `timedelta`; None stays None.

    Raises
    ------
    TypeError, ValueError
        If it is none of these.
    """
    if timeout is None:
        return None
    from samite.utils import parse_timedelta

    return max(0.0, float(parse_timedelta(timeout, "s")))


def client_of_scheduler(scheduler_rpc: Any) -> Any:
    """A client, from what Dask's locks take in its place."""
    return scheduler_rpc if hasattr(scheduler_rpc, "_request") else None


# ---- values that the scheduler keeps ------------------------------------------------------------


def value_to_keep(value: Any) -> dict[str, Any]:
    """A value for a queue or a variable: a future's key, or a pickle.

    Raises
    ------
    TimeoutError
        For a future that was cancelled, as the scheduler does not know it any more.
    """
    from samite.distributed._calls import dump_bytes
    from samite.distributed.future import Future, key_text

    if isinstance(value, Future):
        if value.status == "cancelled":
            raise TimeoutError(f"the key {value.key!r} is unknown to scheduler: it was cancelled")
        return {"key": key_text(value.key), "data": dump_bytes(value.key)}
    return {"data": dump_bytes(value)}


async def value_kept(kept: Any, client: Any) -> Any:
    """The value that was kept; a future is bound to this client, and knows how it is."""
    from samite.distributed._calls import load_bytes
    from samite.distributed.future import Future

    if kept.get("key") is not None:
        future: Future[Any] = Future(load_bytes(kept["data"]), client)
        if future.status == "pending":
            # Messages keep their order: before this answer comes the news of the future.
            await client._request("who_has", {"keys": [kept["key"]]})
        return future
    with client.as_current():
        return load_bytes(kept["data"])
