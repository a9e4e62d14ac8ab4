"""Small functions that programs import from here."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import multiprocessing
import socket
import sys
from types import TracebackType
from typing import Any

from samite.distributed._options import no_default
from samite.distributed.exceptions import CancelledError, TimeoutError

__all__ = [
    "CancelledError",
    "Log",
    "Logs",
    "LoopRunner",
    "SyncMethodMixin",
    "TimeoutError",
    "format_dashboard_link",
    "get_ip",
    "get_ip_interface",
    "get_mp_context",
    "log_errors",
    "no_default",
    "open_port",
    "sync",
]


def sync(loop: Any, func: Any, *args: Any, callback_timeout: Any = None, **kwargs: Any) -> Any:
    """Run an ``async`` function in a loop that runs on another thread, and wait.

    Raises
    ------
    TimeoutError
        If it takes longer than ``callback_timeout``.
    RuntimeError
        If the loop is closed, or runs on this thread.
    """
    from samite.distributed._named import seconds_of

    loop = getattr(loop, "asyncio_loop", loop)
    if loop is None or loop.is_closed():
        raise RuntimeError("IOLoop is closed")
    try:
        here = asyncio.get_running_loop() is loop
    except RuntimeError:
        here = False
    if here:
        raise RuntimeError("Cannot run sync() on the thread of its own loop")

    async def run() -> Any:
        result = func(*args, **kwargs)
        return await result if hasattr(result, "__await__") else result

    future = asyncio.run_coroutine_threadsafe(run(), loop)
    try:
        return future.result(seconds_of(callback_timeout))
    except BaseException:
        future.cancel()
        raise


class LoopRunner:
    """An event loop on a thread of its own, or the one that runs here.

    Parameters
    ----------
    loop:
        A loop that runs already.
    asynchronous:
        Whether the running loop is meant.
    """

    def __init__(self, loop: Any = None, asynchronous: bool = False) -> None:
        self._asynchronous = asynchronous
        self._loop = loop

    def start(self) -> None:
        """Begin, if it is not running."""
        if self._loop is None:
            if self._asynchronous:
                self._loop = asyncio.get_running_loop()
            else:
                from samite.distributed.deploy.cluster import _thread

                self._loop = _thread.get()

    def stop(self, timeout: float = 10) -> None:
        """Nothing: the thread is shared, and ends with the process."""

    def is_started(self) -> bool:
        """Whether there is a loop."""
        return self._loop is not None

    def run_sync(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """Run an ``async`` function and wait."""
        self.start()
        return sync(self._loop, func, *args, **kwargs)

    @property
    def loop(self) -> Any:
        """The loop."""
        return self._loop


class SyncMethodMixin:
    """For classes with ``loop`` and ``_asynchronous``, whose methods wait or are awaited."""

    _asynchronous = False
    loop: Any = None

    @property
    def asynchronous(self) -> bool:
        """Whether methods that wait are to be awaited."""
        return bool(self._asynchronous)

    def sync(
        self,
        func: Any,
        *args: Any,
        asynchronous: bool | None = None,
        callback_timeout: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Call an ``async`` function: wait for it, or return it."""
        if self.asynchronous if asynchronous is None else asynchronous:
            return func(*args, **kwargs)
        return sync(self.loop, func, *args, callback_timeout=callback_timeout, **kwargs)


def open_port(host: str = "") -> int:
    """A port that is free just now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.bind((host, 0))
        return one.getsockname()[1]


def get_ip(host: str = "8.8.8.8", port: int = 80) -> str:
    """The address of this machine towards another one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect((host, port))
            return one.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def get_ip_interface(ifname: str) -> str:
    """The IPv4 address of a network interface.

    Raises
    ------
    ValueError
        If there is no such interface, or it has no address.
    """
    from samite.distributed._servers import address_of_interface

    return address_of_interface(ifname)


def get_mp_context() -> Any:
    """How processes are started, by the setting ``distributed.worker.multiprocessing-method``."""
    from samite import config

    method = config.get("distributed.worker.multiprocessing-method", None) or "spawn"
    return multiprocessing.get_context(method)


class Log(str):
    """What was logged, which notebooks show as it is."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre><code>{escape(self.rstrip())}</code></pre>"


class Logs(dict[str, str]):
    """What was logged, by who logged it; notebooks show one below the other."""

    def _repr_html_(self) -> str:
        from html import escape

        return "".join(
            f"<details><summary>{escape(str(name))}</summary>{Log(text)._repr_html_()}</details>"
            for name, text in self.items()
        )


def format_dashboard_link(host: str, port: int) -> str:
    """Where pages are shown, by the setting ``distributed.dashboard.link``."""
    from samite.distributed._addresses import dashboard_link

    return dashboard_link(host, port)


class _ErrorLog(contextlib.ContextDecorator):
    """Logs what leaves a block or a function, and lets it go on."""

    def __init__(self, name: str | None, pdb: bool) -> None:
        self.name = name
        self.pdb = pdb

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: Any, raised: BaseException | None, where: TracebackType | None
    ) -> None:
        # What was cancelled, and the end of a program, is no error.
        if not isinstance(raised, Exception) or isinstance(raised, CancelledError):
            return
        logging.getLogger(self.name).exception(raised)
        if self.pdb:
            import pdb

            pdb.post_mortem(where)

    def __call__(self, func: Any) -> Any:
        name = self.name if self.name is not None else func.__module__
        log = _ErrorLog(name, self.pdb)
        if not inspect.iscoroutinefunction(func):
            return contextlib.ContextDecorator.__call__(log, func)

        @functools.wraps(func)
        async def logged(*args: Any, **kwargs: Any) -> Any:
            with log:
                return await func(*args, **kwargs)

        return logged


def log_errors(func: Any = None, /, *, pdb: bool = False, unroll_stack: int = 0) -> Any:
    """Log the exceptions that leave a block or a function, to the logger of its module.

    To be used as ``with log_errors():``, ``@log_errors`` or ``@log_errors(pdb=True)``, also of
    ``async`` functions. The exceptions go on.

    Parameters
    ----------
    func:
        The function, where this is a decorator without arguments.
    pdb:
        Whether to start the debugger where one was raised.
    unroll_stack:
        How many frames above the caller's the module is that the logger is named after.
    """
    if func is not None:
        return _ErrorLog(None, pdb)(func)
    return _ErrorLog(sys._getframe(1 + unroll_stack).f_globals.get("__name__"), pdb)
