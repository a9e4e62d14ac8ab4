"""Futures: results that a cluster has, or will have."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from samite import _engine
from samite.distributed import _hints
from samite.distributed._steps import Step, in_thread
from samite.distributed.exceptions import FutureCancelledError
from samite.utils import shorten_traceback

if TYPE_CHECKING:
    from samite.distributed.client import Client

__all__ = ["Future"]

T = TypeVar("T")


def key_text(key: Any) -> str:
    """A key as the cluster knows it."""
    return key if type(key) is str else str(key)


class Future(_engine.FutureBase, Generic[T]):
    """A result that a cluster has, or will have.

    While a future lives, its value is kept. A future may stand among the arguments of other calls,
    in containers too, and in graphs; it can be pickled and sent to tasks and other clients.

    Parameters
    ----------
    key:
        What the result is called.
    client:
        The client that asks for it; by default the current one.
    """

    __slots__ = ("_client", "_first", "_hidden", "_type")

    # A future is hashed and compared by identity.
    _client: Client | None
    _first: Future[Any] | None

    def __new__(cls, key: Any, client: Client | None = None, *_: Any) -> Future[Any]:
        if client is None:
            from samite.distributed._current import current_client

            client = current_client()
        if client is None:
            self = super().__new__(cls, key)
        else:
            self = super().__new__(cls, key, client._connected())
        self._client = client
        return self

    @staticmethod
    def _many(keys: list[Any], client: Client) -> list[Future[Any]]:
        """Futures of many keys."""
        new, engine, made = _engine.FutureBase.__new__, client._connected(), []
        for key in keys:
            future = new(Future, key, engine)
            future._client = client
            made.append(future)
        return made

    def substitute(self, subs: Any, key: Any = None) -> Any:
        """What stands for this in a graph after renaming: ``subs`` maps keys to new keys or to
        tasks."""
        from samite._task_spec import TaskRef

        return TaskRef(self.key).substitute(subs, key) if self.key in subs else self

    @property
    def client(self) -> Client | None:
        """The client that asks for this result."""
        return self._client

    @property
    def _bound(self) -> Client:
        if self._client is None:
            from samite.distributed._current import client_for_unpickling

            # It may have been unpickled by a thread that no task runs on.
            here = client_for_unpickling()
            if here is not None:
                self.bind_client(here)
        if self._client is None:
            raise RuntimeError(
                f"{type(self).__name__} object of key {self.key!r} is not bound to a client: it "
                "was made or unpickled where there is none; call bind_client, or make a Client "
                "first"
            )
        return self._client

    def bind_client(self, client: Client) -> Future[T]:
        """The same result as a future of this client."""
        if self._client is client:
            return self
        if self._client is not None:
            raise RuntimeError(
                f"the future {self.key!r} is bound to a client already: {self._client!r}"
            )
        bound: Future[T] = Future(self.key, client)
        self._client = client
        # Whoever holds this object keeps the bound one alive, and with it the result.
        self._hidden = bound
        return self

    @property
    def executor(self) -> Client | None:
        """The client, as in `concurrent.futures`."""
        return self._client

    @property
    def status(self) -> str:
        """``"pending"``, ``"finished"``, ``"error"``, ``"cancelled"`` or ``"lost"``."""
        client = self._client
        if client is None or client._engine is None:
            return "cancelled"
        return client._engine.status(self._samite_key)

    def done(self) -> bool:
        """Whether there is a result, or there will be none."""
        return self.status != "pending"

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.status == "cancelled"

    def result(self, timeout: Any = None) -> Any:
        """Wait for the value.

        On an asynchronous client this is to be awaited.

        Raises
        ------
        TimeoutError
            If it takes longer than ``timeout`` (seconds, or text such as ``"10 s"``).
        CancelledError
            If it was cancelled, or lost.
        Exception
            What the task raised.
        """
        client = self._bound
        if client.asynchronous:
            return client._run(self._result(timeout))
        with shorten_traceback():
            value = client._gather_one(self, client._seconds(timeout))
        self._type = type(value)
        return value

    async def _result(self, timeout: Any = None) -> Any:
        client = self._bound
        await client._wait_step([self], timeout)
        value = await in_thread(lambda: client._gather_one(self, None))
        self._type = type(value)
        return value

    def exception(self, timeout: Any = None) -> Any:
        """Wait, and return what the task raised; None where it succeeded.

        Raises
        ------
        TimeoutError
            If it takes too long.
        CancelledError
            If it was cancelled.
        """
        return self._bound._run(self._failure(timeout, 0))

    def traceback(self, timeout: Any = None) -> Any:
        """Wait, and return the traceback of what the task raised; None where it succeeded."""
        return self._bound._run(self._failure(timeout, 1))

    async def _failure(self, timeout: Any, part: int) -> Any:
        client = self._bound
        await client._wait_step([self], timeout)
        status = self.status
        if status == "cancelled":
            raise FutureCancelledError(self.key)
        if status != "error":
            return None
        failure = await in_thread(lambda: client._connected().failure(self._samite_key))
        if failure is None:
            return None
        exception = failure[0]
        return exception if part == 0 else exception.__traceback__

    def add_done_callback(self, fn: Callable[[Future[T]], Any]) -> None:
        """Call a function with this future once it is done, on a thread of the client's; at once
        where it is done already."""
        client = self._bound

        def call(_key: str, _status: str) -> None:
            client._callbacks.put(lambda: fn(self))

        client._connected(in_order=False).watch([self._samite_key], call)

    def cancel(self, reason: Any = None, msg: str | None = None, **kwargs: Any) -> Any:
        """Cancel it, and what depends on it; see :meth:`Client.cancel`."""
        return self._bound.cancel([self], reason=reason, msg=msg, **kwargs)

    def retry(self, **kwargs: Any) -> Any:
        """Run a task again that failed."""
        return self._bound.retry([self], **kwargs)

    def release(self) -> None:
        """Do not want the result any more; again does nothing."""
        client = self._client
        if self.__class__ is Future and client is not None and client._engine is not None:
            client._connected().release([self._samite_key])
            self._first = None
            self.__class__ = _Released

    @property
    def type(self) -> Any:
        """The type of the value, which the worker that holds it is asked for; None where there is
        no value, or where its type cannot be loaded here."""
        if self._known_type() is None and self.status == "finished":
            self._type = self._bound._type_of(self)
        return getattr(self, "_type", None)

    def _known_type(self) -> Any:
        """The type of the value, where nobody need be asked."""
        known = getattr(self, "_type", None)
        client = self._client
        if known is None and client is not None and client._engine is not None:
            value = client._engine.value_here(self._samite_key)
            if value is not None:
                known = self._type = type(value[0])
        return known

    def __await__(self) -> Generator[Any, Any, T]:
        from samite.distributed._steps import run_awaiting

        return run_awaiting(self._result()).__await__()

    def __reduce__(self) -> tuple[Any, ...]:
        # Tasks whose arguments hold it in a pickle need its result.
        self._note_pickled()
        return (_future_of, (self.key,))

    def __dask_tokenize__(self) -> tuple[str, Any]:
        return ("samite.Future", self._samite_key)

    def __repr__(self) -> str:
        known = self._known_type()
        if known is None:
            return f"<Future: {self.status}, key: {self.key}>"
        from samite.utils import typename

        return f"<Future: {self.status}, type: {typename(known)}, key: {self.key}>"

    def _repr_html_(self) -> str:
        from html import escape

        from samite.utils import typename

        known = self._known_type()
        facts = {"status": self.status, **({} if known is None else {"type": typename(known)})}
        return f"<b>Future: {escape(str(self.key))}</b> " + ", ".join(
            f'<span style="color: var(--jp-ui-font-color2, gray)">{name}: </span>{escape(fact)}'
            for name, fact in facts.items()
        )


class _Released(Future[Any]):
    """A future whose holder said already that the result is not wanted.

    The engine counts each future once while it lives, and takes that back when it goes.
    """

    __slots__ = ()

    def __del__(self) -> None:
        client = self._client
        if client is not None and client._engine is not None:
            client._engine.retain([self._samite_key])


def _future_of(key: Any) -> Future[Any]:
    """A future that arrived in a pickle, bound to the client that is current here."""
    from samite.distributed._current import client_for_unpickling

    return Future(key, client_for_unpickling())


def finished(
    client: Client, keys: list[str], timeout: float | None, first: bool, until_failure: bool = False
) -> Step:
    """A step that waits until all of the keys, or one of them, are no longer pending; in an event
    loop also, if wanted, until one of them has failed."""

    def block() -> None:
        waiting = _hints.waiting(client)
        try:
            done = client._connected(in_order=False).wait(keys, timeout, first)
        finally:
            _hints.over(waiting)
        if not done:
            raise TimeoutError(f"{len(keys)} results were not there after {timeout} seconds")

    def begin(done: Callable[[bool, Any], None]) -> None:
        import asyncio

        left: dict[str, Any] = {"count": 1 if first else len(set(keys)), "timer": None}
        if not keys:
            done(True, None)
            return
        waiting = _hints.waiting(client)

        def settled(succeeded: bool, value: Any) -> None:
            if left["count"] != "over":
                left["count"] = "over"
                _hints.over(waiting)
                if left["timer"] is not None:
                    left["timer"].cancel()
                done(succeeded, value)

        loop = asyncio.get_running_loop()
        if timeout is not None:
            late = TimeoutError(f"{len(keys)} results were not there after {timeout} seconds")
            left["timer"] = loop.call_later(timeout, settled, False, late)

        def one(_key: str, status: str) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(counted, status)

        def counted(status: str) -> None:
            if left["count"] == "over":
                return
            left["count"] -= 1
            if left["count"] <= 0 or (until_failure and status in ("error", "cancelled")):
                settled(True, None)

        client._connected(in_order=False).watch(list(dict.fromkeys(keys)), one)

    return Step(block, begin)
