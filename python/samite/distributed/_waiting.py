"""Waiting for futures, all or one after the other."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from samite.distributed import _current
from samite.distributed._steps import in_thread, run_awaiting, settle
from samite.distributed.actor import BaseActorFuture
from samite.distributed.exceptions import (
    CancelledError,
    FutureCancelledError,
    FuturesCancelledError,
)
from samite.distributed.future import Future, key_text

if TYPE_CHECKING:
    from samite.distributed.client import Client

ALL_COMPLETED = "ALL_COMPLETED"
FIRST_COMPLETED = "FIRST_COMPLETED"


class DoneAndNotDoneFutures(tuple):
    """Two sets of futures: ``done`` and ``not_done``."""

    __slots__ = ()

    def __new__(cls, done: set[Future[Any]], not_done: set[Future[Any]]) -> DoneAndNotDoneFutures:
        return super().__new__(cls, (done, not_done))

    @property
    def done(self) -> set[Future[Any]]:
        """Those that are done."""
        return self[0]

    @property
    def not_done(self) -> set[Future[Any]]:
        """Those that are still pending."""
        return self[1]

    def __repr__(self) -> str:
        return f"DoneAndNotDoneFutures(done={self[0]!r}, not_done={self[1]!r})"


def futures_of(o: Any, client: Client | None = None) -> list[Future[Any]]:
    """The futures inside of an object: in containers, and in the graphs of collections.

    Raises
    ------
    CancelledError
        If one was cancelled.
    """
    found: dict[int, Future[Any]] = {}
    waiting = [o]
    while waiting:
        obj = waiting.pop()
        if isinstance(obj, Future):
            found[id(obj)] = obj
            continue
        kind = type(obj)
        if kind in (list, tuple, set, frozenset):
            waiting.extend(obj)
        elif kind is dict:
            waiting.extend(obj.values())
        elif isinstance(obj, (str, bytes, int, float)):
            continue
        elif hasattr(obj, "__dask_graph__") and not isinstance(obj, type):
            graph = obj.__dask_graph__()
            if graph is not None:
                waiting.extend(_values_of(graph))
    futures = list(reversed(found.values()))
    if client is not None:
        cancelled = [future for future in futures if future.cancelled()]
        if cancelled:
            raise FuturesCancelledError([FutureCancelledError(one.key) for one in cancelled])
    return futures


def _values_of(graph: Any) -> Iterator[Any]:
    from samite._run import as_dict

    for value in as_dict(graph).values():
        held = getattr(value, "value", None)
        yield held if isinstance(held, Future) else value


def client_of(futures: Iterable[Future[Any]], client: Client | None = None) -> Client:
    """The client of some futures, or the current one."""
    for future in futures:
        if future.client is not None:
            return future.client
    return client or _current.default_client()


def wait(fs: Any, timeout: Any = None, return_when: str = ALL_COMPLETED) -> Any:
    """Wait until futures are done.

    Parameters
    ----------
    fs:
        Futures, or collections of them.
    timeout:
        Seconds, or text such as ``"5 s"``.
    return_when:
        ``"ALL_COMPLETED"`` or ``"FIRST_COMPLETED"``.

    Returns
    -------
    Two sets, ``done`` and ``not_done``; on an asynchronous client to be awaited.

    Raises
    ------
    TimeoutError
        If it takes too long.
    CancelledError
        If one of them was cancelled.
    """
    if isinstance(timeout, Future) or return_when not in (ALL_COMPLETED, FIRST_COMPLETED):
        if isinstance(timeout, Future):
            raise TypeError(
                f"timeout= is a number of seconds, got {type(timeout)}. Several futures are given "
                "as a list: wait([x, y]), not wait(x, y)."
            )
        raise NotImplementedError(
            f"return_when= is 'ALL_COMPLETED' or 'FIRST_COMPLETED', got {return_when!r}"
        )
    futures = futures_of(fs)
    client = client_of(futures)
    return client._run(_waited(client, futures, timeout, return_when))


async def _waited(
    client: Client, futures: list[Future[Any]], timeout: Any, return_when: str
) -> DoneAndNotDoneFutures:
    if futures:
        await client._wait_step(futures, timeout, first=return_when == FIRST_COMPLETED)
    done, not_done, cancelled = set(), set(), []
    for future in futures:
        status = future.status
        if status == "cancelled":
            cancelled.append(future.key)
        (not_done if status == "pending" else done).add(future)
    if cancelled:
        raise FuturesCancelledError([FutureCancelledError(key) for key in cancelled])
    return DoneAndNotDoneFutures(done, not_done)


def fire_and_forget(obj: Any) -> None:
    """Let tasks run to their end though nobody holds their futures.

    The future of a task that is still pending is kept until it is done.
    """
    for future in futures_of(obj):
        client = future._bound
        kept = client._fire
        text = key_text(future.key)
        kept[text] = future
        client._connected().watch([text], lambda key, _status, kept=kept: kept.pop(key, None))


class as_completed:
    """Iterate over futures in the order in which they are done.

    Works in ``for`` and in ``async for``. Futures may be added while it runs.

    Parameters
    ----------
    futures:
        Futures.
    with_results:
        Give ``(future, value)``; for a future that failed, the value is what ``raise_errors`` says.
    raise_errors:
        Whether a failure is raised when its turn comes, where results are given. Otherwise the
        value is a tuple ``(type, exception, traceback)``.
    timeout:
        Seconds from now on, after which waiting raises ``TimeoutError``.
    """

    def __init__(
        self,
        futures: Iterable[Any] | None = None,
        loop: Any = None,
        with_results: bool = False,
        raise_errors: bool = True,
        *,
        timeout: Any = None,
    ) -> None:
        import time

        from samite.utils import parse_timedelta

        futures = [] if futures is None else list(futures)
        self.with_results = with_results
        self.raise_errors = raise_errors
        self._deadline = None
        if timeout is not None:
            self._deadline = time.monotonic() + parse_timedelta(timeout, "s")
        # Futures, and results of methods of actors.
        self._ready: deque[Any] = deque()
        self._pending: dict[str, list[Any]] = {}
        self._changed = threading.Condition()
        self._sleepers: list[Any] = []
        self.update(futures)

    @property
    def condition(self) -> threading.Condition:
        """Notified when a future is done."""
        return self._changed

    def add(self, future: Any) -> None:
        """Wait for one more.

        Raises
        ------
        TypeError
            If it is no future.
        """
        self.update([future])

    def update(self, futures: Iterable[Any]) -> None:
        """Wait for more.

        Raises
        ------
        TypeError
            If one is no future.
        """
        futures = list(futures)
        by_client: dict[int, tuple[Client, list[str]]] = {}
        for future in futures:
            if not isinstance(future, (Future, BaseActorFuture)):
                raise TypeError(
                    f"as_completed takes futures, got {type(future).__name__}; "
                    "collections of them are taken apart by futures_of"
                )
        with self._changed:
            for future in futures:
                if isinstance(future, BaseActorFuture):
                    self._pending[f"actor-{id(future)}"] = [future]
                    continue
                key = key_text(future.key)
                waiting = self._pending.setdefault(key, [])
                waiting.append(future)
                if len(waiting) == 1:
                    client = future._bound
                    by_client.setdefault(id(client), (client, []))[1].append(key)
        for client, keys in by_client.values():
            client._connected(in_order=False).watch(keys, self._done)
        for future in futures:
            if isinstance(future, BaseActorFuture):
                name = f"actor-{id(future)}"
                future.when_done(lambda name=name: self._done(name, "finished"))

    def _done(self, key: str, _status: str) -> None:
        with self._changed:
            self._ready.extend(self._pending.pop(key, ()))
            self._changed.notify_all()
            sleepers, self._sleepers = self._sleepers, []
        for wake in sleepers:
            wake()

    def clear(self) -> None:
        """Forget all futures."""
        with self._changed:
            self._pending.clear()
            self._ready.clear()

    def count(self) -> int:
        """How many futures have not been given out."""
        with self._changed:
            return len(self._ready) + sum(map(len, self._pending.values()))

    def is_empty(self) -> bool:
        """Whether all have been given out."""
        return self.count() == 0

    def has_ready(self) -> bool:
        """Whether one is done and not given out yet."""
        return bool(self._ready)

    def _left(self) -> float | None:
        import time

        return None if self._deadline is None else self._deadline - time.monotonic()

    def _late(self) -> TimeoutError:
        return TimeoutError(f"{self.count()} futures were not done when the time was over")

    def _wait(self) -> None:
        """Wait until something is ready.

        Raises
        ------
        StopIteration
            If nothing is left.
        """
        with self._changed:
            while not self._ready:
                if not self._pending:
                    raise StopIteration
                left = self._left()
                if left is not None and left <= 0:
                    raise self._late()
                # Woken now and then, since a lock that is waited for without end holds up Ctrl-C.
                self._changed.wait(0.5 if left is None else min(left, 0.5))

    async def _await(self) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        while True:
            woken: asyncio.Future[None] = loop.create_future()

            def wake(woken: asyncio.Future[None] = woken) -> None:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(settle, woken)

            with self._changed:
                if self._ready:
                    return
                if not self._pending:
                    raise StopAsyncIteration
                self._sleepers.append(wake)
            left = self._left()
            try:
                await asyncio.wait_for(woken, left)
            except asyncio.TimeoutError:
                raise self._late() from None

    def _take(self) -> list[Future[Any]]:
        taken = []
        while self._ready:
            taken.append(self._ready.popleft())
        return taken

    def _with_values(self, futures: list[Future[Any]]) -> list[Any]:
        if not self.with_results:
            return list(futures)
        given: list[Any] = []
        if any(isinstance(one, BaseActorFuture) for one in futures):
            return [pair for one in futures for pair in self._with_value(one)]
        client = client_of(futures)
        keys = [key_text(future.key) for future in futures]
        values = client._connected().values(keys)
        for future, (kind, *rest) in zip(futures, values, strict=True):
            if kind == "ok":
                given.append((future, rest[0]))
                continue
            if kind == "error":
                error = rest[0]
            elif isinstance(rest[0], BaseException):
                error = rest[0]
            else:
                error = FutureCancelledError(future.key, reason=kind)
            if isinstance(error, CancelledError):
                given.append((future, error))
            elif self.raise_errors:
                raise error
            else:
                given.append((future, (type(error), error, error.__traceback__)))
        return given

    def _with_value(self, future: Any) -> list[Any]:
        """One future with its value; that of a method of an actor is here."""
        if not isinstance(future, BaseActorFuture):
            return self._with_values([future])
        try:
            return [(future, future.value())]
        except Exception as error:
            if self.raise_errors:
                raise
            return [(future, (type(error), error, error.__traceback__))]

    def __repr__(self) -> str:
        with self._changed:
            waiting = sum(map(len, self._pending.values()))
            return f"<as_completed: waiting={waiting} done={len(self._ready)}>"

    def __iter__(self) -> as_completed:
        return self

    def __aiter__(self) -> as_completed:
        return self

    def __next__(self) -> Any:
        self._wait()
        return self._with_values([self._ready.popleft()])[0]

    next = __next__

    async def __anext__(self) -> Any:
        await self._await()
        future = self._ready.popleft()
        if not self.with_results:
            return future
        return (await run_awaiting(_in_thread(lambda: self._with_values([future]))))[0]

    def next_batch(self, block: bool = True) -> list[Any]:
        """All that are done; waits for one where none is and ``block`` is true."""
        if block:
            self._wait()
        return self._with_values(self._take())

    def batches(self) -> Iterator[list[Any]]:
        """Iterate over lists of all futures that are done meanwhile."""
        while True:
            try:
                yield self.next_batch(block=True)
            except StopIteration:
                return


async def _in_thread(function: Any) -> Any:
    return await in_thread(function)


def check_not_iterator(
    what: str, given: Any, takes: str = "futures and containers of them"
) -> None:
    """Refuse what can be read only once."""
    if isinstance(given, (queue.Queue, Iterator)):
        raise TypeError(f"{what} takes {takes}, not iterators or queues")
