"""`concurrent.futures` on a cluster."""

from __future__ import annotations

import concurrent.futures
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samite.distributed.client import Client

__all__ = ["ClientExecutor"]

_OPTIONS = frozenset(
    {"pure", "workers", "resources", "allow_other_workers", "retries", "priority", "fifo_timeout"}
)


class ClientExecutor(concurrent.futures.Executor):
    """A `concurrent.futures` executor that runs calls on a cluster.

    Parameters
    ----------
    client:
        The client.
    **kwargs:
        Options of :meth:`Client.submit` for all calls. Equal calls run once, unless ``pure`` is
        false.

    Raises
    ------
    TypeError
        For other options.
    """

    def __init__(self, client: Client, **kwargs: Any) -> None:
        unknown = set(kwargs) - _OPTIONS
        if unknown:
            raise TypeError(f"unsupported arguments to ClientExecutor: {sorted(unknown)}")
        self._client = client
        self._kwargs = kwargs
        self._shutdown = False
        # By the cluster's futures, which forget what nobody waits for any more.
        self._waiting: weakref.WeakSet[concurrent.futures.Future[Any]] = weakref.WeakSet()

    def _wrapped(self, future: Any) -> concurrent.futures.Future[Any]:
        wrapped: _Wrapped = _Wrapped(future)
        wrapped.set_running_or_notify_cancel()
        self._waiting.add(wrapped)
        future.add_done_callback(wrapped.settle)
        return wrapped

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a function on the cluster.

        Keyword arguments that :meth:`Client.submit` knows are options of this call.

        Raises
        ------
        RuntimeError
            After :meth:`shutdown`.
        """
        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        return self._wrapped(self._client.submit(fn, *args, **{**self._kwargs, **kwargs}))

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        **kwargs: Any,
    ) -> Iterator[Any]:
        """Call a function with each of many arguments; an iterator over results, in order.

        Raises
        ------
        TimeoutError
            By the iterator, if a result is not there so many seconds after this call.
        """
        import time

        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        deadline = None if timeout is None else time.monotonic() + timeout
        futures = self._client.map(fn, *map(list, iterables), **{**self._kwargs, **kwargs})

        def results() -> Iterator[Any]:
            try:
                while futures:
                    left = None if deadline is None else max(0.0, deadline - time.monotonic())
                    try:
                        value = futures[0].result(left)
                    except TimeoutError as late:
                        raise concurrent.futures.TimeoutError(*late.args) from None
                    del futures[0]
                    yield value
            finally:
                if futures:
                    self._client.cancel(futures)

        return results()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls.

        Parameters
        ----------
        wait:
            Whether to wait for those that run; otherwise, and with ``cancel_futures``, they are
            cancelled.
        """
        if self._shutdown:
            return
        self._shutdown = True
        waiting = list(self._waiting)
        pending = [future.cluster_future for future in waiting if not future.done()]  # type: ignore[attr-defined]
        if not wait or cancel_futures:
            if pending:
                self._client.cancel(pending)
        if wait:
            concurrent.futures.wait(waiting)


class _Wrapped(concurrent.futures.Future):  # type: ignore[type-arg]
    """A future of the standard library for one of the cluster's."""

    def __init__(self, cluster_future: Any) -> None:
        super().__init__()
        self.cluster_future = cluster_future

    def cancel(self) -> bool:
        """Cancel the task on the cluster, unless it is done."""
        if self.done():
            return self.cancelled()
        self.cluster_future.cancel()
        with self._condition:
            if self._state in ("PENDING", "RUNNING"):
                self._state = concurrent.futures._base.CANCELLED
            else:
                return self._state != concurrent.futures._base.FINISHED
        # Tells whoever waits.
        self.set_running_or_notify_cancel()
        self._invoke_callbacks()  # type: ignore[attr-defined]
        return True

    def settle(self, cluster_future: Any) -> None:
        """Take over the outcome of the cluster's future."""
        status = cluster_future.status
        if self.done():
            return
        try:
            if status == "cancelled":
                self.cancel()
            elif status == "error":
                self.set_exception(cluster_future.exception())
            else:
                self.set_result(cluster_future.result())
        except concurrent.futures.InvalidStateError:
            pass  # it was cancelled meanwhile
        except BaseException as raised:
            if not self.done():
                self.set_exception(raised)
