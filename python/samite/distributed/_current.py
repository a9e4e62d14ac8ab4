"""Which client and which worker are current here."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from samite import _engine

if TYPE_CHECKING:
    from samite.distributed.client import Client
    from samite.distributed.worker import Worker

# The clients that were made with set_as_default, in order.
_global_clients: weakref.WeakValueDictionary[int, Client] = weakref.WeakValueDictionary()
_numbers = iter(range(1, 1 << 62))

_current_client: ContextVar[Client | None] = ContextVar("samite-client", default=None)


def context_client() -> Client | None:
    """The client that a block of code made current, unless it was closed since."""
    client = _current_client.get()
    return None if client is None or client.status == "closed" else client


# The clients of tasks, by the address of their scheduler and whether coroutines use them: workers
# make one when a task asks for it.
_task_clients: dict[tuple[str, bool], Client] = {}
_task_clients_lock = threading.Lock()


def enlist(client: Client) -> None:
    """Make a client the default one."""
    _global_clients[next(_numbers)] = client


def delist(client: Client) -> None:
    """Forget a client that was closed."""
    for number, known in list(_global_clients.items()):
        if known is client:
            _global_clients.pop(number, None)


def global_client() -> Client | None:
    """The default client that was made last and is still open."""
    for number in sorted(_global_clients, reverse=True):
        client = _global_clients.get(number)
        if client is not None and client.status not in ("closed", "closing"):
            return client
        _global_clients.pop(number, None)
    return None


_get_global_client = global_client


@contextlib.contextmanager
def client_as_current(client: Client) -> Iterator[Client]:
    """Let a client be the current one for a block of code."""
    token = _current_client.set(client)
    try:
        yield client
    finally:
        _current_client.reset(token)


temp_default_client = client_as_current


def current_client() -> Client | None:
    """The client of this block, of this task, or the default one; None where there is none."""
    client = context_client()
    if client is not None:
        return client
    if _on_worker():
        return _client_of_task()
    return global_client()


def _on_worker() -> bool:
    """Whether a task, or a call for a client, runs here."""
    if _engine.current_worker() is not None:
        return True
    from samite.distributed._calls import coroutine_worker

    return coroutine_worker.get() is not None


def client_here(client: Any) -> Any:
    """A client that waits as one has to here: tasks of workers in this process may be given objects
    of a client whose methods are awaited, which functions cannot do."""
    if client is not None and client.asynchronous and _on_worker() and not _on_event_loop():
        return current_client() or client
    return client


def client_for_unpickling() -> Client | None:
    """The client that a future is bound to which was just unpickled."""
    return current_client()


def default_client(c: Client | None = None) -> Client:
    """``c`` if it is a client, else the current one.

    Raises
    ------
    ValueError
        If there is no client.
    """
    client = c or context_client() or global_client()
    if client is None:
        raise ValueError(
            "No clients found\n"
            "Start a client and point it to the scheduler address\n"
            "  from samite.distributed import Client\n"
            "  client = Client('ip-addr-of-scheduler:8786')\n"
        )
    return client


def ensure_default_client(client: Client) -> None:
    """Make a client the default one, unless it is."""
    if global_client() is not client:
        enlist(client)


def get_client(address: Any = None, timeout: Any = None, resolve_address: bool = True) -> Client:
    """The client to use here: inside a task a client of the task's own cluster, else the current
    one.

    Parameters
    ----------
    address:
        The scheduler that is meant, where that matters.
    timeout:
        Seconds for connecting.

    Raises
    ------
    ValueError
        If there is none, or that of a task has another scheduler.
    """
    wanted = getattr(address, "address", address)
    if _on_worker() and context_client() is None:
        client = _client_of_task(timeout)
        if not wanted or client._same_scheduler(wanted):
            return client
    else:
        try:
            client = default_client()
        except ValueError:
            client = None  # type: ignore[assignment]
        if client is not None and (not wanted or client._same_scheduler(wanted)):
            return client
    if wanted:
        from samite.distributed.client import Client

        return Client(wanted, timeout=timeout) if timeout is not None else Client(wanted)
    raise ValueError("No global client found and no address provided")


def _client_of_task(timeout: Any = None) -> Client:
    """The client of the worker that runs this task, made when it is first asked for."""
    worker = get_worker()
    address = worker.scheduler_address
    asynchronous = _on_event_loop()
    with _task_clients_lock:
        client = _task_clients.get((address, asynchronous))
        if client is None or client.status == "closed":
            from samite.distributed.client import Client

            options = {} if timeout is None else {"timeout": timeout}
            client = Client(
                address,
                security=worker.security,
                set_as_default=False,
                name="worker",
                direct_to_workers=True,
                asynchronous=asynchronous,
                **options,
            )
            if asynchronous:
                # Coroutines get a client that is connected, as functions do.
                client._connect()
            _task_clients[address, asynchronous] = client
        return client


def _on_event_loop() -> bool:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def close_task_clients(address: str | None = None) -> None:
    """Close the clients that tasks asked for; of one scheduler, or all."""
    with _task_clients_lock:
        chosen = [one for one in _task_clients if address is None or one[0] == address]
        clients = [_task_clients.pop(one) for one in chosen]
    for client in clients:
        client._disconnect(1.0)


def get_worker() -> Worker:
    """The worker that runs this task.

    Raises
    ------
    ValueError
        If no task runs on this thread.
    """
    from samite.distributed.worker import worker_of

    found = _engine.current_worker()
    if found is not None:
        return worker_of(found)
    from samite.distributed._calls import coroutine_worker

    worker = coroutine_worker.get()
    if worker is None:
        raise ValueError("No worker found: no task of a cluster runs on this thread")
    return worker


def secede() -> None:
    """Let another task have this task's place on the worker, while this one waits for others.

    Raises
    ------
    ValueError
        If no task runs on this thread.
    """
    if _engine.current_task() is None:
        raise ValueError("secede: no task of a cluster runs on this thread")
    _engine.secede()


def rejoin() -> None:
    """Wait for a free place on the worker after :func:`secede`.

    Raises
    ------
    ValueError
        If no task runs on this thread.
    """
    if _engine.current_task() is None:
        raise ValueError("rejoin: no task of a cluster runs on this thread")
    _engine.rejoin()


@contextlib.contextmanager
def worker_client(timeout: Any = None, separate_thread: bool = True) -> Iterator[Client]:
    """A client inside of a task, whose place on the worker others may have meanwhile.

    Parameters
    ----------
    timeout:
        Seconds for connecting.
    separate_thread:
        Whether to leave the place; without, waiting for other tasks may hold up the worker.

    Raises
    ------
    ValueError
        If no task runs on this thread.
    """
    client = get_worker() and get_client(timeout=timeout)
    # Methods of actors have no place that others could have.
    separate_thread = separate_thread and _engine.current_task() is not None
    if separate_thread:
        secede()
    with client.as_current():
        try:
            yield client
        finally:
            if separate_thread:
                rejoin()


def local_client(*args: Any, **kwargs: Any) -> Any:
    """The old name of :func:`worker_client`."""
    import warnings

    warnings.warn("local_client has moved to worker_client", UserWarning, stacklevel=2)
    return worker_client(*args, **kwargs)
