"""What all clusters have: a scheduler's address, a number of workers, an end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
import weakref
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from samite import _engine
from samite.distributed._addresses import dashboard_link
from samite.distributed._servers import in_executor
from samite.distributed.core import Status
from samite.distributed.exceptions import WorkerStartTimeoutError
from samite.distributed.security import security_of

__all__ = ["Cluster"]

_clusters: weakref.WeakSet[Cluster] = weakref.WeakSet()


def close_clusters() -> None:
    """Close the clusters that are still open."""
    for cluster in list(_clusters):
        if cluster.status not in (Status.closed, Status.created) and cluster.shutdown_on_close:
            with contextlib.suppress(Exception):
                cluster._end_now()


class _LoopThread:
    """The thread on which clusters that are not asynchronous run."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.loop: asyncio.AbstractEventLoop | None = None

    def get(self) -> asyncio.AbstractEventLoop:
        """The loop, begun when it is first asked for."""
        with self.lock:
            if self.loop is None or self.loop.is_closed():
                self.loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self.loop.run_forever, name="samite-clusters", daemon=True
                ).start()
            return self.loop


_thread = _LoopThread()


class Cluster:
    """Base of clusters.

    A subclass sets ``scheduler_address`` while it starts, and knows ``scale``.

    Parameters
    ----------
    asynchronous:
        Whether methods that wait are to be awaited.
    name:
        How it is called.
    """

    def __init__(
        self,
        asynchronous: bool = False,
        loop: Any = None,
        quiet: bool = False,
        name: str | None = None,
        scheduler_sync_interval: float = 1,
        shutdown_on_close: bool = True,
    ) -> None:
        self._asynchronous = asynchronous
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self.name = name if name is not None else f"{type(self).__name__}-{uuid.uuid4().hex[:8]}"
        self.status = Status.created
        self.shutdown_on_close = shutdown_on_close
        self.security: Any = getattr(self, "security", None)
        self._address: str | None = None
        self._control: Any = None
        self._control_lock = threading.Lock()
        self._adaptive: Any = None
        _clusters.add(self)

    # ---- waiting --------------------------------------------------------------------------------

    @property
    def asynchronous(self) -> bool:
        """Whether methods that wait are to be awaited."""
        return self._asynchronous or self.called_from_running_loop

    @property
    def called_from_running_loop(self) -> bool:
        """Whether this is the loop that the cluster runs in."""
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:
            return False

    @property
    def loop(self) -> Any:
        """The event loop that the cluster runs in."""
        if self._own_loop is None:
            if self._asynchronous:
                try:
                    self._own_loop = asyncio.get_running_loop()
                except RuntimeError:
                    return None
            else:
                self._own_loop = _thread.get()
        return self._own_loop

    def sync(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call an ``async`` function: wait for it, or on an asynchronous cluster return it."""
        asynchronous = kwargs.pop("asynchronous", None)
        timeout = kwargs.pop("callback_timeout", None)
        coroutine = func(*args, **kwargs)
        if self.asynchronous if asynchronous is None else asynchronous:
            return coroutine
        return self._wait_for(coroutine, timeout)

    def _wait_for(self, coroutine: Coroutine[Any, Any, Any], timeout: Any = None) -> Any:
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    # ---- life -----------------------------------------------------------------------------------

    async def _start(self) -> Any:
        self.status = Status.running
        return self

    async def _close(self) -> None:
        if self._adaptive is not None:
            self._adaptive.stop()
        control, self._control = self._control, None
        if control is not None:
            await in_executor(lambda: control.close(2.0))
        self.status = Status.closed

    def close(self, timeout: Any = None) -> Any:
        """End the cluster."""
        if self.status is Status.closed:
            return _nothing() if self.asynchronous else None
        return self.sync(self._close, callback_timeout=timeout)

    def _end_now(self) -> None:
        if self._asynchronous:
            return  # its loop is gone
        self._wait_for(self._close(), 10)

    def __enter__(self) -> Any:
        if self._asynchronous:
            raise TypeError(
                "Used 'with' with asynchronous class; please use 'async with': this "
                f"{type(self).__name__} was made with asynchronous=True"
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Any:
        await self
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    def __await__(self) -> Generator[Any, Any, Any]:
        async def started() -> Any:
            if self.status is Status.created:
                await self._start()
            return self

        return started().__await__()

    # ---- asking the scheduler -------------------------------------------------------------------

    @property
    def scheduler_address(self) -> str:
        """The scheduler's address; where there is none yet, says so."""
        return self._address or "<Not Connected>"

    def _ask_now(self, name: str, arguments: dict[str, Any], timeout: float | None = 30.0) -> Any:
        with self._control_lock:
            if self._control is None:
                if self._address is None or self.status is Status.closed:
                    raise RuntimeError(f"the cluster {self.name!r} has no scheduler to ask")
                self._control = _engine.ClusterClient(
                    self._address,
                    name=f"cluster-{self.name}",
                    security=security_of(self.security, self._address, "client"),
                    timeout=30.0,
                )
        return self._control.request(name, arguments, timeout)

    async def _ask(self, name: str, arguments: dict[str, Any], timeout: float | None = 30.0) -> Any:
        return await in_executor(lambda: self._ask_now(name, arguments, timeout))

    @property
    def scheduler_info(self) -> dict[str, Any]:
        """What the scheduler knows of itself and its workers."""
        if self._address is None or self.status in (Status.closed, Status.created):
            return {"workers": {}}
        return self._ask_now("scheduler_info", {})

    @property
    def observed(self) -> set[Any]:
        """The names of the workers that the scheduler knows."""
        return {worker["name"] for worker in self.scheduler_info["workers"].values()}

    @property
    def requested(self) -> set[Any]:
        """The names of the workers that were started."""
        return self.observed

    @property
    def plan(self) -> set[Any]:
        """The names of the workers that there should be."""
        return self.observed

    @property
    def dashboard_link(self) -> str:
        """Where the scheduler shows what it does; empty where it does not."""
        if self._address is None or self.status is not Status.running:
            return ""
        port = self.scheduler_info.get("services", {}).get("dashboard")
        if not port:
            return ""
        scheme, _, place = self._address.rpartition("://")
        host = place.rpartition(":")[0] if scheme in ("tcp", "tls") else "127.0.0.1"
        return dashboard_link(host, port)

    def get_client(self) -> Any:
        """The current client, where it is one of this cluster; otherwise a new one.

        Of an asynchronous cluster whose scheduler is in this process it may be used without that
        it was awaited.
        """
        from samite.distributed._current import current_client
        from samite.distributed.client import Client
        from samite.distributed.scheduler import local_scheduler

        current = current_client()
        if current is not None and current.cluster is self and current.status == "running":
            return current
        client = Client(self, asynchronous=self._asynchronous)
        if self._asynchronous and local_scheduler(self.scheduler_address) is not None:
            client._begin()
        return client

    def wait_for_workers(self, n_workers: int, timeout: Any = None) -> Any:
        """Wait until there are so many workers.

        Raises
        ------
        TimeoutError
            If it takes too long.
        """
        if not isinstance(n_workers, int) or n_workers < 1:
            raise ValueError(f"`n_workers` must be a positive integer. Instead got {n_workers}.")
        return self.sync(self._wait_for_workers, n_workers, timeout)

    async def _wait_for_workers(self, wanted: int, timeout: Any = None) -> None:
        import time

        from samite.utils import parse_timedelta

        seconds = None if timeout is None else float(parse_timedelta(timeout, "s"))
        deadline = None if seconds is None else time.monotonic() + seconds
        pause = 0.001
        while True:
            there = len(await self._ask("nthreads", {}))
            if there >= wanted:
                return
            if deadline is not None and time.monotonic() > deadline:
                raise WorkerStartTimeoutError(there, wanted, seconds or 0.0)
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.1)

    def get_logs(self, cluster: bool = True, scheduler: bool = True, workers: Any = True) -> Any:
        """What was logged, by who logged it."""
        return self.sync(self._get_logs, cluster, scheduler, workers)

    async def _get_logs(self, cluster: bool, scheduler: bool, workers: Any) -> dict[str, str]:
        from samite.distributed.client import Client
        from samite.distributed.utils import Log, Logs

        found = Logs()
        if cluster:
            found["Cluster"] = Log()
        async with Client(self, asynchronous=True, set_as_default=False) as client:
            if scheduler:
                lines = await client.get_scheduler_logs()
                found["Scheduler"] = Log("\n".join(text for _, text in lines))
            if workers:
                chosen = None if workers is True else list(workers)
                for address, lines in (await client.get_worker_logs(workers=chosen)).items():
                    found[address] = Log("\n".join(text for _, text in lines))
        return found

    # ---- size -----------------------------------------------------------------------------------

    def scale(self, n: int) -> None:
        """Have so many workers.

        Raises
        ------
        NotImplementedError
            By clusters that cannot.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be scaled")

    def adapt(self, Adaptive: Any = None, **kwargs: Any) -> Any:
        """Let the number of workers follow the work.

        Parameters
        ----------
        minimum, maximum:
            Of workers.
        interval, wait_count, target_duration:
            As of :class:`Adaptive`.
        """
        from samite.distributed.deploy import adaptive

        if self._adaptive is not None:
            self._adaptive.stop()
        self._adaptive = (Adaptive or adaptive.Adaptive)(self, **kwargs)
        return self._adaptive

    @classmethod
    def from_name(cls, name: str) -> Any:
        """A cluster that was started elsewhere.

        Raises
        ------
        NotImplementedError
            By clusters that cannot be found again.
        """
        raise NotImplementedError(f"{cls.__name__} cannot be found by name")

    def __repr__(self) -> str:
        text = f"{type(self).__name__}({self.name}, {self.scheduler_address!r}"
        if self.status is Status.running:
            with contextlib.suppress(OSError, RuntimeError, TimeoutError):
                workers = self.scheduler_info["workers"].values()
                threads = sum(worker.get("nthreads", 0) for worker in workers)
                text += f", workers={len(workers)}, threads={threads}"
                limits = [worker.get("memory_limit") for worker in workers]
                if all(limits):
                    from samite.utils import format_bytes

                    text += f", memory={format_bytes(sum(limits))}"
        return text + ")"

    def _ipython_display_(self, **kwargs: Any) -> None:
        from IPython.display import display

        display({"text/plain": repr(self), "text/html": self._repr_html_()}, raw=True)

    def _repr_html_(self) -> str:
        from html import escape

        return f"<b>{type(self).__name__}</b> <code>{escape(repr(self))}</code>"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.name == other.name  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return id(self)


async def _nothing() -> None:
    return None
