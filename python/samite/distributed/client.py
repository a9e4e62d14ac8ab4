"""The client: how a program talks to a cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import uuid
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any

from samite import _engine, config
from samite.distributed import _current, _joblib_name, preloading
from samite.distributed._addresses import normalize_address, read_scheduler_file
from samite.distributed._backlog import AT_ONCE, Backlog
from samite.distributed._client_cluster import ClusterMixin
from samite.distributed._client_collections import CollectionsMixin
from samite.distributed._client_data import DataMixin
from samite.distributed._client_extensions import ExtensionsMixin
from samite.distributed._client_replay import ReplayMixin
from samite.distributed._client_reports import ReportsMixin
from samite.distributed._current import (
    _get_global_client,
    _global_clients,
    default_client,
    ensure_default_client,
    temp_default_client,
)
from samite.distributed._keys import (
    callable_on_worker,
    check_key,
    columns_of,
    key_of_call,
    keys_of_calls,
    name_of,
    no_collection,
    pieces_of,
)
from samite.distributed._options import (
    check_serializers,
    no_default,
    task_options,
    warn_of_size,
)
from samite.distributed._settings import connections
from samite.distributed._steps import in_thread, run_awaiting, sleep
from samite.distributed._waiting import as_completed, fire_and_forget, futures_of, wait
from samite.distributed.core import Status
from samite.distributed.exceptions import (
    CancelledError,
    ClosedClientError,
    FutureCancelledError,
    FuturesCancelledError,
)
from samite.distributed.future import Future, key_text

__all__ = [
    "CancelledError",
    "Client",
    "ClosedClientError",
    "Future",
    "FutureCancelledError",
    "FuturesCancelledError",
    "_get_global_client",
    "_global_clients",
    "as_completed",
    "default_client",
    "ensure_default_client",
    "fire_and_forget",
    "futures_of",
    "temp_default_client",
    "wait",
]


logger = logging.getLogger("samite.distributed.client")


class Client(CollectionsMixin, DataMixin, ClusterMixin, ExtensionsMixin, ReplayMixin, ReportsMixin):
    """A connection to a cluster.

    Parameters
    ----------
    address:
        The scheduler's address (``"tcp://host:8786"``, ``"host:8786"``), or a cluster object.
        Without one, and without ``scheduler_file`` and the setting ``scheduler-address``, a
        :class:`LocalCluster` is started with the remaining keyword arguments and closed with the
        client.
    timeout:
        Seconds (or text such as ``"10 s"``) for connecting.
    set_as_default:
        Whether computations run here while this client is open, unless they say otherwise.
    scheduler_file:
        A file that ``samite scheduler --scheduler-file`` wrote.
    security:
        A :class:`Security`; by default that of a cluster which this process started, or what the
        settings say.
    asynchronous:
        Whether methods that wait are to be awaited.
    name:
        How the scheduler calls this client.
    direct_to_workers:
        Whether results are fetched from workers; by default where that is possible.
    serializers, deserializers:
        Names of Dask's ways of serialization. They must have ``"pickle"`` among them, which is the
        one that is used.

    Raises
    ------
    OSError, TimeoutError
        If there is no scheduler at the address.
    ValueError
        If the address is none, or pickles are ruled out.
    """

    def __init__(
        self,
        address: Any = None,
        loop: Any = None,
        timeout: Any = no_default,
        set_as_default: bool = True,
        scheduler_file: Any = None,
        security: Any = None,
        asynchronous: bool = False,
        name: str | None = None,
        heartbeat_interval: Any = None,
        serializers: Any = None,
        deserializers: Any = None,
        extensions: Any = None,
        direct_to_workers: bool | None = None,
        connection_limit: int = 512,
        **kwargs: Any,
    ) -> None:
        if timeout is no_default:
            timeout = config.get("distributed.comm.timeouts.connect", "30 s")
        check_serializers(serializers=serializers, deserializers=deserializers)
        self._timeout = self._seconds(timeout)
        self.name = name
        self.id = f"Client-{uuid.uuid4()}"
        self.status = "newly-created"
        self._engine: Any = None
        self._backlog = Backlog()
        self._asynchronous = bool(asynchronous)
        self._as_default = set_as_default
        if direct_to_workers is None:
            direct_to_workers = config.get("distributed.client.direct-to-workers", None)
        self._direct = direct_to_workers
        self._own_cluster = False
        self._kwargs = kwargs
        self._security = security
        self._callbacks = _Callbacks()
        self._config_before: Any = None
        self._context_tokens: list[Any] = []
        self._fire: dict[str, Any] = {}
        # A future for each key of a graph whose result somebody holds.
        self._of_graphs = weakref.WeakValueDictionary()
        self._of_graphs_lock = threading.RLock()
        self._topics: dict[str, Any] = {}
        self.scheduler_file = None
        self.cluster: Any = None
        if address is None:
            address = config.get("scheduler-address", None)
            if address is not None:
                logger.info("Config value `scheduler-address` found: %s", address)
                scheduler_file = None
        if scheduler_file is None and address is None:
            scheduler_file = config.get("scheduler-file", None)
        if scheduler_file is not None:
            if address is not None:
                raise ValueError("a client takes an address or a scheduler_file, not both")
            self.scheduler_file = os.fspath(scheduler_file)
        elif hasattr(address, "scheduler_address") and not isinstance(address, type):
            if getattr(address, "status", None) in (Status.closed, Status.closing):
                raise RuntimeError(
                    f"Trying to connect to an already closed or closing Cluster {address!r}."
                )
            self.cluster = address
            if security is None:
                self._security = getattr(address, "security", None)
        elif address is not None and not isinstance(address, (str, tuple)):
            given = getattr(address, "address", None)
            if given is None:
                raise TypeError(
                    f"Scheduler address must be a string or a Cluster instance, got {type(address)}"
                )
            address = given
        if kwargs and (address is not None or self.scheduler_file is not None):
            # They are for a cluster that the client starts itself.
            raise ValueError(f"Unexpected keyword arguments: {sorted(kwargs)}")
        self._address = address
        self._preloads = preloading.load(
            self,
            config.get("distributed.client.preload", None),
            config.get("distributed.client.preload-argv", None),
        )
        _open_clients.add(self)
        if not self._asynchronous:
            self._begin()

    # ---- life -----------------------------------------------------------------------------------

    def start(self, **kwargs: Any) -> Any:
        """Connect; done already, unless the client is asynchronous."""
        if self._asynchronous:
            return self._started()
        return None

    async def _started(self) -> Client:
        if self._engine is None and self.status == "newly-created":
            cluster = self.cluster
            if cluster is None and self._address is None and self.scheduler_file is None:
                cluster = self._make_cluster()
            if cluster is not None and hasattr(cluster, "__await__"):
                await cluster
            await in_thread(self._connect)
            self._register()
            if self._preloads:
                await in_thread(lambda: preloading.start(self._preloads))
        return self

    def _begin(self) -> None:
        if self.cluster is None and self._address is None and self.scheduler_file is None:
            self._make_cluster()
        try:
            self._connect()
        except BaseException:
            if self._own_cluster:
                self.cluster.close()
            raise
        self._register()
        preloading.start(self._preloads)

    def _make_cluster(self) -> Any:
        from samite.distributed.deploy.local import LocalCluster

        kwargs = dict(self._kwargs)
        if self._security is not None:
            kwargs["security"] = self._security
        self.cluster = LocalCluster(asynchronous=self._asynchronous, **kwargs)
        self._own_cluster = True
        if self._security is None:
            self._security = self.cluster.security
        return self.cluster

    def _connect(self) -> None:
        from samite.distributed.scheduler import local_scheduler
        from samite.distributed.security import loaded_security, security_of

        self.status = "connecting"
        if self.scheduler_file is not None:
            address, from_file = read_scheduler_file(self.scheduler_file, self._timeout)
            if self._security is None:
                self._security = from_file
        elif self.cluster is not None:
            address = self.cluster.scheduler_address
        else:
            address = normalize_address(self._address)
        if self._security is None:
            self._security = loaded_security(address)
        near = address
        if self.cluster is not None and self._security is getattr(self.cluster, "security", None):
            near = getattr(local_scheduler(address), "_near_address", address)
        secrets = security_of(self._security, address, "client")
        try:
            self._engine = self._engine_of(near, secrets)
        except OSError:
            # A scheduler that began at the same time may have made the token only now.
            made = security_of(self._security, address, "client")
            if secrets is not None or made is None:
                self.status = "closed"
                raise
            self._engine = self._engine_of(near, made)
        except BaseException:
            self.status = "closed"
            raise
        self.scheduler_address = address
        self.id = getattr(self._engine, "id", None) or self.id
        self.status = "running"

    def _engine_of(self, address: str, secrets: dict[str, Any] | None) -> Any:
        if self._timeout is not None and self._timeout <= 0:
            # Whether a connection is made in no time would depend on the machine's mood.
            raise TimeoutError(f"no connection to {address} can be made in {self._timeout} s")
        return _engine.ClusterClient(
            address,
            name=self.name or self.id,
            security=secrets,
            timeout=self._timeout if self._timeout is not None else 30.0,
            connections=connections(),
        )

    def _register(self) -> None:
        _joblib_name.make_known()
        if self._as_default:
            _current.enlist(self)
            self._config_before = config.get("scheduler", None)
            config.set(scheduler="dask.distributed")
            self._hear_tasks()

    def close(self, timeout: Any = no_default) -> Any:
        """End the connection. Results that only this client wants are let go.

        Parameters
        ----------
        timeout:
            Seconds to wait for an orderly end.
        """
        seconds = 5.0 if timeout is no_default else (self._seconds(timeout) or 5.0)
        if self.asynchronous:
            return run_awaiting(self._closed(seconds))
        if self.status == "closed":
            return None
        self._disconnect(seconds)
        if self._own_cluster and self.cluster is not None:
            self.cluster.close()
        return None

    async def _closed(self, seconds: float) -> None:
        if self.status == "closed":
            return
        await in_thread(lambda: self._disconnect(seconds))
        if self._own_cluster and self.cluster is not None:
            await self.cluster.close()

    def _disconnect(self, seconds: float) -> None:
        if self.status == "closed":
            return
        self.status = "closing"
        preloading.tear_down(self._preloads)
        _current.delist(self)
        if self._as_default and _current.global_client() is None:
            if config.get("scheduler", None) == "dask.distributed":
                config.set(scheduler=self._config_before)
        engine, self._engine = self._engine, None
        self._fire.clear()
        self._backlog.stop(seconds)
        try:
            if engine is not None:
                engine.close(seconds)
        finally:
            self.status = "closed"
            self._callbacks.stop()
            _open_clients.discard(self)

    def shutdown(self) -> Any:
        """Close the cluster, and this client."""
        return self._run(self._shut_down())

    async def _shut_down(self) -> None:
        logger.info("Shutting down scheduler from Client")
        if self.cluster is not None:
            cluster = self.cluster
            if self._asynchronous:
                await self._closed(5.0)
                if not self._own_cluster:
                    await cluster.close()
            else:
                self._disconnect(5.0)
                cluster.close()
            return
        with contextlib.suppress(OSError, TimeoutError):
            await self._request("shutdown", {}, 5.0)
        await in_thread(lambda: self._disconnect(5.0))

    def __enter__(self) -> Client:
        if self._asynchronous:
            raise TypeError("an asynchronous client is used with 'async with'")
        self._enter_context()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._leave_context()
        finally:
            self.close()

    async def __aenter__(self) -> Client:
        if self._asynchronous:
            await run_awaiting(self._started())
        self._enter_context()
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            self._leave_context()
        finally:
            if self._asynchronous:
                await self.close()
            else:
                self.close()

    def _enter_context(self) -> None:
        """Be the current client of the block that begins."""
        if self._as_default:
            self._context_tokens.append(_current._current_client.set(self))

    def _leave_context(self) -> None:
        if self._context_tokens:
            _current._current_client.reset(self._context_tokens.pop())

    def __await__(self) -> Generator[Any, Any, Client]:
        return run_awaiting(self._started()).__await__()

    def __del__(self) -> None:
        if getattr(self, "_engine", None) is not None:
            with contextlib.suppress(Exception):
                self._disconnect(1.0)

    def __reduce__(self) -> Any:
        raise TypeError(
            "a Client cannot be pickled: a task that needs one calls get_client() or "
            "worker_client()"
        )

    # ---- calls ----------------------------------------------------------------------------------

    @property
    def security(self) -> Any:
        """The :class:`Security` that it was made with, or that its cluster has."""
        from samite.distributed.security import Security, as_security

        return as_security(self._security) or Security()

    def _same_scheduler(self, address: str) -> bool:
        return normalize_address(address) == self.scheduler_address

    def submit(
        self,
        func: Callable[..., Any],
        *args: Any,
        key: Any = None,
        workers: Any = None,
        resources: Mapping[str, float] | None = None,
        retries: int | None = None,
        priority: float = 0,
        fifo_timeout: Any = "100 ms",
        allow_other_workers: bool = False,
        actor: bool = False,
        actors: bool = False,
        pure: bool = True,
        **kwargs: Any,
    ) -> Future[Any]:
        """Call a function on the cluster.

        Parameters
        ----------
        func:
            The function. Where it is ``async``, the worker awaits it.
        *args, **kwargs:
            Its arguments. Futures among them, in containers too, become their values; collections
            stay as they are.
        key:
            How the result is called; by default the function's name and a hash of all arguments,
            or a random one where ``pure`` is false. Equal keys are computed once.
        workers, allow_other_workers:
            Addresses or names of the workers that may run it, and whether others may as well.
        resources:
            What the task takes of the workers' resources.
        retries:
            How often it is tried again when it fails.
        priority:
            Larger runs earlier.
        actor:
            Whether the result stays on its worker, as an :class:`Actor`.

        Raises
        ------
        TypeError
            If ``func`` cannot be called, or an option has the wrong type.
        """
        if not callable(func):
            raise TypeError("First input to submit must be a callable function")
        options = task_options(
            workers, allow_other_workers, resources, retries, priority, fifo_timeout
        )
        actor = actor or actors
        if key is None:
            key = key_of_call(func, args, kwargs, pure and not actor)
        check_key(key)
        text = key_text(key)
        if actor:
            from samite.distributed.actor import create_actor

            args, kwargs, func = (func, text, args, kwargs), {}, create_actor
            options["pinned"] = True
        else:
            func = callable_on_worker(func)
        options["name"] = name_of(func)
        engine = self._connected("update-graph")
        warn_of_size(engine.submit_calls([text], func, [args], kwargs or None, options))
        return Future(key, self)

    def map(
        self,
        func: Callable[..., Any],
        *iterables: Iterable[Any],
        key: Any = None,
        workers: Any = None,
        retries: int | None = None,
        resources: Mapping[str, float] | None = None,
        priority: float = 0,
        allow_other_workers: bool = False,
        fifo_timeout: Any = "100 ms",
        actor: bool = False,
        actors: bool = False,
        pure: bool = True,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> list[Future[Any]]:
        """Call a function with each of many arguments.

        Parameters
        ----------
        func:
            The function.
        *iterables:
            Sequences of arguments, of which the shortest tells how many calls there are. Their
            elements may be futures.
        key:
            A prefix of the keys, or a list of them.
        batch_size:
            Submit so many calls at a time.
        **kwargs:
            Keyword arguments of every call, and the options of :meth:`submit`.

        Returns
        -------
        list of Future

        Raises
        ------
        TypeError
            If ``func`` cannot be called, or an iterable can be read only once.
        ValueError
            If a list of keys has another length.
        """
        if not callable(func):
            raise TypeError("First input to map must be a callable function")
        if not iterables:
            raise TypeError("map needs at least one sequence of arguments beside the function")
        if any(isinstance(one, (queue.Queue, Iterator)) for one in iterables):
            raise TypeError(
                "map no longer takes iterators or queues, which can be read only once: use a list, "
                "or a loop of Client.submit"
            )
        actor = actor or actors
        options = task_options(
            workers, allow_other_workers, resources, retries, priority, fifo_timeout
        )
        columns = columns_of(iterables)
        count = min(map(len, columns), default=0)
        if batch_size and batch_size > 1 and count > batch_size:
            shared = {
                "workers": workers,
                "retries": retries,
                "resources": resources,
                "priority": priority,
                "allow_other_workers": allow_other_workers,
                "fifo_timeout": fifo_timeout,
                "actor": actor,
                "pure": pure,
            }
            futures: list[Future[Any]] = []
            for first in range(0, count, batch_size):
                part = slice(first, min(first + batch_size, count))
                keys = key[part] if isinstance(key, list) else key
                futures += self.map(
                    func, *[column[part] for column in columns], key=keys, **shared, **kwargs
                )
            return futures
        if not count:
            return []
        options["name"] = name_of(func)
        call, shared_kwargs = callable_on_worker(func), kwargs
        with no_collection(count):
            keys, counted = keys_of_calls(func, columns, kwargs, key, pure and not actor)
            if actor:
                from samite.distributed.actor import create_actor

                if isinstance(keys, str):
                    keys, counted = [f"{keys}{number}" for number in range(count)], False
                calls = list(zip(*columns))
                columns = ([func] * count, list(map(key_text, keys)), calls, [kwargs] * count)
                call, shared_kwargs = create_actor, {}
                options["pinned"] = True
            engine = self._connected("update-graph")
            batch = _engine.CallBatch(
                engine, call, columns, keys, shared_kwargs or None, options, counted
            )
            return self._submitted(batch, count)

    def _submitted(self, batch: Any, count: int) -> list[Future[Any]]:
        """The futures of calls, some of which may be submitted in the background."""
        nbytes = 0
        if batch.can_wait and count > 2 * sum(AT_ONCE):
            for length in AT_ONCE:
                nbytes += batch.submit(length)
            nbytes = nbytes * count // (count - batch.left)
            made = batch.make_futures(Future, self)
            self._backlog.put(batch)
        else:
            for begin, end in pieces_of(count):
                nbytes += batch.submit(end - begin)
            made = batch.make_futures(Future, self)
        warn_of_size(nbytes, 4)
        return made

    def cancel(
        self,
        futures: Any,
        asynchronous: bool | None = None,
        force: bool = False,
        reason: Any = None,
        msg: str | None = None,
    ) -> Any:
        """Cancel futures: tasks that have not begun do not run, and nobody gets a result.

        Parameters
        ----------
        futures:
            Futures, and collections of them.
        force:
            Cancel even where other clients want the result.
        reason, msg:
            For the error of whoever waits.
        """
        keys = [key_text(future.key) for future in futures_of(futures)]

        async def cancelled() -> None:
            engine = self._connected()
            text = "unknown" if reason is None else str(reason)
            await in_thread(lambda: engine.cancel(keys, force, text, msg or ""))
            # The scheduler says when it is done; whoever cancels wants to see it so.
            pause, waited = 0.0005, 0.0
            while waited < 5.0 and any(engine.status(key) != "cancelled" for key in keys):
                await sleep(pause)
                waited, pause = waited + pause, min(2 * pause, 0.05)

        return self._run(cancelled(), asynchronous)

    def retry(self, futures: Any, asynchronous: bool | None = None) -> Any:
        """Run tasks again that failed, and what they need; others stay as they are."""
        keys = [key_text(future.key) for future in futures_of(futures)]

        async def retried() -> None:
            engine = self._connected()
            failed = [key for key in keys if engine.status(key) == "error"]
            if failed:
                await in_thread(lambda: engine.retry(failed))

        return self._run(retried(), asynchronous)

    @property
    def direct_to_workers(self) -> bool | None:
        """Whether results are fetched from workers, and not through the scheduler; None: where
        that is possible."""
        return self._direct

    def futures_of(self, futures: Any) -> list[Future[Any]]:
        """The futures inside of collections and containers; see :func:`futures_of`."""
        return futures_of(futures, self)

    def as_current(self) -> contextlib.AbstractContextManager[Client]:
        """Let this client be the current one for a block of code, on this thread or task alone."""
        return _current.client_as_current(self)

    @classmethod
    def current(cls, allow_global: bool = True) -> Client:
        """The client that is current here.

        Raises
        ------
        ValueError
            If there is none.
        """
        client = _current.context_client()
        if client is None and allow_global:
            return default_client()
        if client is None:
            raise ValueError("Not running inside the `as_current` context manager")
        return client

    def get_executor(self, **kwargs: Any) -> Any:
        """A `concurrent.futures` executor that runs calls on this cluster.

        Takes the options of :meth:`submit`: ``workers``, ``resources``, ``retries``, ``priority``,
        ``allow_other_workers``, ``pure``.
        """
        from samite.distributed.cfexecutor import ClientExecutor

        return ClientExecutor(self, **kwargs)

    @property
    def amm(self) -> Any:
        """The scheduler's memory manager: ``start() stop() running() run_once()``; see
        :mod:`samite.distributed.active_memory_manager`."""
        from samite.distributed.active_memory_manager import AMMClientProxy

        return AMMClientProxy(self)

    def __repr__(self) -> str:
        name = type(self).__name__
        if self._engine is None:
            return f"<{name}: No scheduler connected>"
        if self._asynchronous:
            return f"<{name}: {self.scheduler_address!r}>"
        from samite.distributed._views import totals

        found = totals(self)
        if found is None:
            return f"<{name}: {self.scheduler_address!r}>"
        workers, threads, memory = found
        text = f"<{name}: {self.scheduler_address!r} processes={workers} threads={threads}"
        return f"{text}, memory={memory}>" if memory else f"{text}>"

    def _repr_html_(self) -> str:
        from samite.distributed._views import client_as_html

        return client_as_html(self)


# Open clients are closed when the interpreter exits, before threads and modules go.
_open_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _close_all() -> None:
    for client in list(_open_clients):
        with contextlib.suppress(Exception):
            client._disconnect(1.0)
    from samite.distributed.deploy.cluster import close_clusters

    close_clusters()


def _at_exit() -> None:
    # Threads of pools are joined before atexit functions run, so this has to come earlier; and
    # earlier than that of the pools which clusters use, which are ended in the reverse order.
    import concurrent.futures.thread  # noqa: F401

    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        register(_close_all)
    else:
        import atexit

        atexit.register(_close_all)


_at_exit()


class _Callbacks:
    """A thread that calls what was added to futures, begun when there is something to call."""

    def __init__(self) -> None:
        self.calls: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self.thread: threading.Thread | None = None
        self.lock = threading.Lock()

    def put(self, call: Callable[[], Any]) -> None:
        """Call a function soon."""
        with self.lock:
            if self.thread is None:
                self.thread = threading.Thread(
                    target=self.run, name="samite-callbacks", daemon=True
                )
                self.thread.start()
        self.calls.put(call)

    def run(self) -> None:
        """Call what comes until the client closes."""
        while True:
            call = self.calls.get()
            if call is None:
                return
            try:
                call()
            except Exception:
                logger.exception("A callback of a future raised an exception")
            # Its future goes now, and not when the next one is done.
            del call

    def stop(self) -> None:
        """End the thread once all has been called."""
        self.calls.put(None)
