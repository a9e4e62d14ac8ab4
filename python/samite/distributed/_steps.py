"""Functions that wait, written once for threads and for event loops.

A function that waits for the cluster is an ``async def`` that awaits *steps*. A step knows how to
wait on the calling thread, and how to begin and call back. :func:`run_blocking` runs such a
function on this thread without any event loop; :func:`run_awaiting` inside its caller's loop.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

from samite.utils import shorten_traceback

T = TypeVar("T")
Done = Callable[[bool, Any], None]


class Step:
    """One thing to wait for.

    Parameters
    ----------
    block:
        Waits on the calling thread and returns the value.
    begin:
        Starts and returns; calls its argument once, from any thread, with ``(True, value)`` or
        ``(False, exception)``.
    """

    __slots__ = ("begin", "block")

    def __init__(self, block: Callable[[], Any], begin: Callable[[Done], Any]) -> None:
        self.block = block
        self.begin = begin

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self)


class _Blocking(threading.local):
    depth = 0


# How many functions this thread runs to their ends without an event loop.
_blocking = _Blocking()


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end on this thread."""
    send: Callable[[], Any] = lambda: coroutine.send(None)  # noqa: E731
    _blocking.depth += 1
    try:
        while True:
            step = send()
            if not isinstance(step, Step):
                raise RuntimeError(
                    f"something that needs an event loop ({step!r}) was awaited on a client that "
                    "is not asynchronous; make the client with asynchronous=True"
                )
            try:
                value = step.block()
            except BaseException as raised:
                send = _thrower(coroutine, raised)
            else:
                send = _sender(coroutine, value)
    except StopIteration as stopped:
        return stopped.value
    finally:
        _blocking.depth -= 1
        coroutine.close()


def in_either(coroutine: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """For ``__await__``: run a coroutine of steps inside of whatever awaits it, which is another
    one or an event loop."""
    if _blocking.depth:
        return coroutine.__await__()
    return _InLoop(coroutine).__await__()


def _sender(coroutine: Coroutine[Any, Any, Any], value: Any) -> Callable[[], Any]:
    return lambda: coroutine.send(value)


def _thrower(coroutine: Coroutine[Any, Any, Any], raised: BaseException) -> Callable[[], Any]:
    return lambda: coroutine.throw(raised)


class _InLoop:
    """Awaits what a function awaits; steps call back into the loop."""

    __slots__ = ("coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine = self.coroutine
        send: Callable[[], Any] = lambda: coroutine.send(None)  # noqa: E731
        try:
            while True:
                awaited = send()
                try:
                    if isinstance(awaited, Step):
                        value = yield from _begun(awaited).__await__()
                    else:
                        value = yield awaited
                except BaseException as raised:
                    send = _thrower(coroutine, raised)
                else:
                    send = _sender(coroutine, value)
        except StopIteration as stopped:
            return stopped.value
        finally:
            coroutine.close()


def _begun(step: Step) -> Awaitable[Any]:
    import asyncio

    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(succeeded: bool, value: Any) -> None:
        if future.done():
            return
        if succeeded:
            future.set_result(value)
        else:
            future.set_exception(value)

    def done(succeeded: bool, value: Any) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, succeeded, value)

    step.begin(done)
    return future


async def run_awaiting(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end inside the running event loop."""
    with shorten_traceback():
        return await _InLoop(coroutine)


def in_thread(function: Callable[[], Any]) -> Step:
    """A step that calls a function; in an event loop on another thread."""

    def begin(done: Done) -> None:
        import asyncio

        running = asyncio.get_running_loop().run_in_executor(None, function)

        def finished(future: Any) -> None:
            if future.cancelled():
                done(False, asyncio.CancelledError())
            elif future.exception() is not None:
                done(False, future.exception())
            else:
                done(True, future.result())

        running.add_done_callback(finished)

    return Step(function, begin)


def settle(future: Any) -> None:
    """Give a future of an event loop no value, unless it has one."""
    if not future.done():
        future.set_result(None)


def sleep(seconds: float) -> Step:
    """A step that lets some time pass."""
    import time

    def begin(done: Done) -> None:
        import asyncio

        asyncio.get_running_loop().call_later(seconds, done, True, None)

    return Step(lambda: time.sleep(seconds), begin)
