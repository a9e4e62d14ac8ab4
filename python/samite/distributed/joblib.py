"""joblib's calls, and with them scikit-learn's, on a cluster.

>>> import joblib
>>> from samite.distributed import Client
>>> client = Client()  # doctest: +SKIP
>>> with joblib.parallel_config(backend="samite"):  # doctest: +SKIP
...     joblib.Parallel()(joblib.delayed(pow)(i, 2) for i in range(4))
[0, 1, 4, 9]

joblib knows the name once a program has made a client, before or after it has imported joblib.
Where there is no client, ``import samite.distributed.joblib`` makes it known.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from joblib import register_parallel_backend
from joblib._parallel_backends import AutoBatchingMixin, ParallelBackendBase
from joblib._utils import _retrieve_traceback_capturing_wrapped_call, _TracebackCapturingWrapper

from samite import _engine
from samite.distributed._current import get_client, rejoin, secede
from samite.sizeof import sizeof

if TYPE_CHECKING:
    from samite.distributed.client import Client
    from samite.distributed.future import Future

__all__ = ["SamiteBackend"]

# Arguments from this size on (bytes) are sent once to a worker, and not with each call.
_LARGE = 1000


class SamiteBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """Runs the calls of `joblib.Parallel` on the workers of a cluster.

    Parameters
    ----------
    scheduler_host:
        The address of a scheduler, for a client of its own.
    scatter:
        A list of values that many calls take: each worker gets a copy before the first call.
    client:
        The client; by default the current one.
    wait_for_workers_timeout:
        Seconds to wait for a first worker.
    **submit_kwargs:
        Options of :meth:`Client.submit` for all calls, such as ``workers`` or ``resources``.

    Raises
    ------
    ValueError
        Where there is no client.
    TypeError
        If ``scatter`` is no list and no tuple.
    TimeoutError
        By the call, if no worker comes in time.
    """

    MIN_IDEAL_BATCH_DURATION = 0.2
    MAX_IDEAL_BATCH_DURATION = 1.0
    supports_retrieve_callback = True
    default_n_jobs = -1

    def __init__(
        self,
        scheduler_host: str | None = None,
        scatter: list[Any] | tuple[Any, ...] | None = None,
        client: Client | None = None,
        loop: Any = None,
        wait_for_workers_timeout: float = 10,
        nesting_level: int | None = None,
        **submit_kwargs: Any,
    ) -> None:
        super().__init__(nesting_level=nesting_level)
        if scatter is not None and not isinstance(scatter, (list, tuple)):
            raise TypeError(f"scatter= must be a list or tuple, not {type(scatter).__name__}")
        if client is None and scheduler_host:
            from samite.distributed.client import Client

            client = Client(scheduler_host, set_as_default=False)
        elif client is None:
            try:
                client = get_client()
            except ValueError as missing:
                raise ValueError(
                    "joblib's backend 'samite' needs a client: make one with "
                    "samite.distributed.Client() first, or pass client="
                ) from missing
        self.client = client
        self.wait_for_workers_timeout = wait_for_workers_timeout
        self.submit_kwargs = submit_kwargs
        # Kept, so that nothing else gets their identities.
        self._given = list(scatter or ())
        copies = client.scatter(self._given, broadcast=True) if self._given else []
        self._copies = {id(v): f for v, f in zip(self._given, copies, strict=True)}
        self._sent: dict[int, tuple[weakref.ref[Any], Future[Any]]] = {}
        self._running: set[Future[Any]] = set()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        # In a task there is another client: the worker's.
        return _of_task, (self.nesting_level, self.submit_kwargs)

    def get_nested_backend(self) -> tuple[Any, int]:
        """Calls within calls run on the cluster too."""
        level = (self.nesting_level or 0) + 1
        return SamiteBackend(client=self.client, nesting_level=level, **self.submit_kwargs), -1

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_: Any) -> int:
        """What joblib calls before a run; how many calls run at a time."""
        self.parallel = parallel
        return self.effective_n_jobs(n_jobs)

    def effective_n_jobs(self, n_jobs: int) -> int:
        """The threads of all workers, whatever is asked for; waits for a first worker."""
        threads = sum(self.client.ncores().values())
        if not threads and self.wait_for_workers_timeout:
            # A task lets an adaptive cluster start a worker, which waiting alone would not.
            probe = self.client.submit(_nothing, pure=False)
            try:
                probe.result(timeout=self.wait_for_workers_timeout)
            except TimeoutError:
                raise TimeoutError(
                    f"The cluster has no worker after {self.wait_for_workers_timeout} seconds: "
                    "start one, or wait longer with wait_for_workers_timeout="
                ) from None
            threads = sum(self.client.ncores().values())
        return threads

    def start_call(self) -> None:
        """A run begins."""
        self._sent = {}

    def stop_call(self) -> None:
        """A run is over: what was sent for it is no longer wanted."""
        self._sent = {}

    def submit(self, func: Any, callback: Callable[[Any], Any] | None = None) -> Any:
        """Start a batch of calls; ``callback`` gets its results, or what it raised."""
        calls = [
            (function, [self._argument(v) for v in args], self._arguments(kwargs))
            for function, args, kwargs in func.items
        ]
        batch = _Batch((func._backend, func._n_jobs))
        future = self.client.submit(
            _TracebackCapturingWrapper(batch), calls=calls, pure=False, **self.submit_kwargs
        )
        with self._lock:
            self._running.add(future)

        def done(future: Future[Any]) -> None:
            with self._lock:
                self._running.discard(future)
            if callback is not None and not future.cancelled():
                callback(_outcome(future))

        future.add_done_callback(done)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """The results of a batch; raises what it raised."""
        return _retrieve_traceback_capturing_wrapped_call(out)

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel what runs."""
        with self._lock:
            running = list(self._running)
            self._running.clear()
        if running:
            self.client.cancel(running)

    @contextlib.contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """A call that waits for calls leaves its thread of the worker to these."""
        within = _engine.current_task() is not None
        if within:
            secede()
        try:
            yield
        finally:
            if within:
                rejoin()

    def _arguments(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        return {name: self._argument(value) for name, value in kwargs.items()}

    def _argument(self, value: Any) -> Any:
        """A value, or the future of it on a worker where it is large or was scattered."""
        known = self._copies.get(id(value))
        if known is not None:
            return known
        sent = self._sent.get(id(value))
        if sent is not None and sent[0]() is value:
            return sent[1]
        try:
            alive = weakref.ref(value)
        except TypeError:
            return value
        if sizeof(value) <= _LARGE:
            return value
        # In a list, since containers would be taken for many values.
        (future,) = self.client.scatter([value], hash=False)
        self._sent[id(value)] = alive, future
        return future


class _Batch:
    """Calls one after the other, under the backend for the calls that they make themselves."""

    def __init__(self, nested: tuple[Any, Any]) -> None:
        self.nested = nested

    def __call__(self, calls: list[tuple[Any, list[Any], dict[str, Any]]]) -> list[Any]:
        from joblib import parallel_config

        backend, n_jobs = self.nested
        with parallel_config(backend=backend, n_jobs=n_jobs):
            return [function(*args, **kwargs) for function, args, kwargs in calls]


def _outcome(future: Future[Any]) -> Any:
    """A future's value, or what was raised instead of it."""
    try:
        return future.result()
    except BaseException as raised:
        return raised


def _of_task(nesting_level: int | None, submit_kwargs: dict[str, Any]) -> SamiteBackend:
    return SamiteBackend(nesting_level=nesting_level, **submit_kwargs)


def _nothing() -> None:
    pass


register_parallel_backend("samite", SamiteBackend)
