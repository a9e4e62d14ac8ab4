"""What all parts of a client stand on: a connection, and ways to wait."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable, MutableMapping
from contextlib import AbstractContextManager
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any

from samite.distributed._steps import Step, run_awaiting, run_blocking
from samite.distributed.exceptions import ClosedClientError
from samite.distributed.future import finished, key_text
from samite.utils import shorten_traceback

if TYPE_CHECKING:
    from samite.distributed._backlog import Backlog
    from samite.distributed.future import Future

# The client whose `sync` runs the coroutine that asks.
_run_by_sync: ContextVar[ClientBase | None] = ContextVar("samite-sync", default=None)


class ClientBase:
    """The connection of a client, and ways to wait on threads and in event loops."""

    id: str
    status: str
    cluster: Any
    scheduler_address: str
    scheduler_file: str | None
    _asynchronous: bool
    _backlog: Backlog
    _callbacks: Any
    _direct: bool | None
    _engine: Any
    _fire: dict[str, Any]
    _of_graphs: MutableMapping[Any, Future[Any]]
    _of_graphs_lock: AbstractContextManager[Any]
    _security: Any
    _timeout: float | None
    _topics: dict[str, Any]

    if TYPE_CHECKING:
        # What one part uses of another.
        def _keys(self, futures: Any) -> list[str] | None: ...
        def as_current(self) -> AbstractContextManager[Any]: ...
        def gather(self, futures: Any, **kwargs: Any) -> Any: ...
        def register_plugin(self, plugin: Any, name: str | None = None) -> Any: ...
        async def _replaced(
            self, again: dict[str, bool], wanted: int, seconds: float | None
        ) -> None: ...
        async def _run_there(
            self,
            function: Any,
            args: Any,
            kwargs: Any,
            workers: list[str] | None,
            nanny: bool,
            on_error: str,
            wait: bool = True,
        ) -> Any: ...
        async def _run_on_scheduler(self, function: Any, args: Any, kwargs: Any) -> Any: ...
        async def _restarted_there(self, workers: list[str] | None) -> dict[str, bool]: ...

    def _connected(self, message: str = "anything", in_order: bool = True) -> Any:
        """The engine's client.

        Parameters
        ----------
        message:
            What is to be sent, for the error.
        in_order:
            Whether it has to come to the scheduler after all that was submitted before.

        Raises
        ------
        ClosedClientError
            If this client was closed.
        """
        engine = self._engine
        if engine is None:
            if self.status == "newly-created":
                raise RuntimeError(
                    "the client is asynchronous and has not been started: await it first, or use "
                    "it in an async with block"
                )
            raise ClosedClientError(f"Can't send {message}: {self.id} is closed; make another")
        if in_order and self._backlog:
            self._backlog.catch_up()
        return engine

    @property
    def asynchronous(self) -> bool:
        """Whether methods that wait are to be awaited: also inside of what :meth:`sync` runs."""
        return self._asynchronous or _run_by_sync.get() is self

    @property
    def loop(self) -> Any:
        """The running event loop of an asynchronous client; None otherwise."""
        if not self.asynchronous:
            return None
        import asyncio

        try:
            return asyncio.get_running_loop()
        except RuntimeError:
            return None

    def sync(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function that returns something to await, such as an ``async`` one: wait for that,
        or on an asynchronous client return it.

        An ``async`` function runs in an event loop, where it awaits what this client's methods
        return, as with an asynchronous client.

        Parameters
        ----------
        func, *args, **kwargs:
            The call.
        asynchronous:
            Whether to return what is to be awaited; by default, whether the client is asynchronous.
        callback_timeout:
            Seconds to wait at most.

        Raises
        ------
        TimeoutError
            If it takes longer.
        """
        asynchronous = kwargs.pop("asynchronous", None)
        timeout = kwargs.pop("callback_timeout", None)
        returned = func(*args, **kwargs)
        waits = self.asynchronous if asynchronous is None else asynchronous
        if not inspect.iscoroutine(returned):
            return returned if waits else returned.result()
        if waits:
            return run_awaiting(returned)
        return self._in_a_loop(returned, self._seconds(timeout))

    def _in_a_loop(self, coroutine: Coroutine[Any, Any, Any], timeout: float | None) -> Any:
        """Run a coroutine that may await anything; a loop that runs here cannot be waited for, so
        that another thread has its own then."""
        import asyncio
        import concurrent.futures

        async def timed() -> Any:
            if timeout is None:
                return await run_awaiting(coroutine)
            try:
                return await asyncio.wait_for(run_awaiting(coroutine), timeout)
            except asyncio.TimeoutError:
                raise TimeoutError(f"it took longer than {timeout} seconds") from None

        def run() -> Any:
            _run_by_sync.set(self)
            return asyncio.run(timed())

        context = copy_context()
        if asyncio._get_running_loop() is None:
            return context.run(run)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return pool.submit(context.run, run).result()

    def _run(self, coroutine: Coroutine[Any, Any, Any], asynchronous: bool | None = None) -> Any:
        if self.asynchronous if asynchronous is None else asynchronous:
            return run_awaiting(coroutine)
        with shorten_traceback():
            return run_blocking(coroutine)

    @staticmethod
    def _seconds(timeout: Any) -> float | None:
        if timeout is None or isinstance(timeout, (int, float)):
            return timeout
        from samite.utils import parse_timedelta

        return parse_timedelta(timeout, "s")

    async def _request(self, name: str, arguments: dict[str, Any], timeout: Any = None) -> Any:
        """Ask the scheduler."""
        engine, seconds = self._connected(), self._seconds(timeout)
        return await Step(
            lambda: engine.request(name, arguments, seconds),
            lambda done: engine.request_later(name, arguments, done),
        )

    def _wait_step(
        self,
        futures: Iterable[Future[Any]],
        timeout: Any,
        first: bool = False,
        until_failure: bool = False,
    ) -> Step:
        keys = [key_text(future.key) for future in futures]
        return finished(self, keys, self._seconds(timeout), first, until_failure)
