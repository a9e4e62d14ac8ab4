"""What may be asked of a scheduler or a worker by the names that Dask's programs know.

The engine's own protocol is not Dask's; each operation here is a request to the scheduler, under
the cluster's token. Operations are called with keywords and awaited, in an event loop or in a
function that :meth:`Client.sync` runs.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator
from typing import Any

from samite import config
from samite.distributed._options import no_default, worker_list
from samite.distributed._steps import in_either, in_thread
from samite.distributed.exceptions import CommClosedError

__all__ = ["SCHEDULER", "WORKER", "Connection", "connect", "operation", "rpc"]

Operation = Callable[..., Any]


class Asked:
    """An answer to be awaited, in an event loop or where :meth:`Client.sync` waits."""

    def __init__(self, coroutine: Any) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        return in_either(self._coroutine)


def operation(table: dict[str, Operation], name: str, of: Any, what: str) -> Callable[..., Asked]:
    """An operation of a table, to be called with keywords.

    Raises
    ------
    AttributeError
        If there is none of this name.
    """
    found = table.get(name)
    if found is None or name.startswith("_"):
        raise AttributeError(
            f"{what} has no operation {name!r}; there are {', '.join(sorted(table))}"
        )

    def ask(**arguments: Any) -> Asked:
        for ignored in ("comm", "reply", "stimulus_id", "serializers"):
            arguments.pop(ignored, None)
        return Asked(found(of, **arguments))

    ask.__name__ = ask.__qualname__ = name
    ask.__doc__ = found.__doc__
    return ask


async def _finished(value: Any) -> Any:
    return await value if hasattr(value, "__await__") else value


def _some(name: str, value: Any) -> dict[str, Any]:
    return {} if value is None else {name: worker_list(value)}


def _texts(keys: Any) -> list[str]:
    from samite.distributed.future import key_text

    return [key_text(key) for key in keys]


# ---- of the scheduler ---------------------------------------------------------------------------


async def identity(client: Any, n_workers: int = -1) -> dict[str, Any]:
    """The scheduler's address, and what is known about each worker."""
    found = dict(await client._request("scheduler_info", {}))
    if n_workers >= 0:
        found["workers"] = dict(list(found["workers"].items())[:n_workers])
    return found


async def who_has(client: Any, keys: Any = None) -> dict[str, list[str]]:
    """The addresses of the workers that hold results, by key."""
    found = await client._request("who_has", {} if keys is None else {"keys": _texts(keys)})
    return {key: list(workers) for key, workers in found.items()}


async def has_what(client: Any, workers: Any = None) -> dict[str, list[str]]:
    """The keys of the results that workers hold, by address."""
    found = await client._request("has_what", _some("workers", workers))
    return {worker: list(keys) for worker, keys in found.items()}


async def nthreads(client: Any, workers: Any = None) -> dict[str, int]:
    """The number of threads of each worker."""
    return dict(await client._request("nthreads", _some("workers", workers)))


async def nbytes(client: Any, keys: Any = None, summary: bool = True) -> dict[str, int]:
    """The sizes of results, by key, or with `summary` by the beginning of keys."""
    found = await client._request("nbytes", {} if keys is None else {"keys": _texts(keys)})
    if not summary:
        return dict(found)
    from samite.utils import key_split

    sums: dict[str, int] = {}
    for key, size in found.items():
        sums[key_split(key)] = sums.get(key_split(key), 0) + size
    return sums


async def processing(client: Any, workers: Any = None) -> dict[str, list[str]]:
    """The keys of the tasks that workers were given and have not finished."""
    found = await client._request("processing", _some("workers", workers))
    return {worker: list(keys) for worker, keys in found.items()}


async def call_stack(client: Any, keys: Any = None) -> Any:
    """What running tasks are doing, by worker and key."""
    return await _finished(client.call_stack(keys=keys))


async def get_logs(client: Any, n: int | None = None, **_: Any) -> list[Any]:
    """The last lines that the scheduler logged."""
    lines = await client._request("scheduler_logs", {} if n is None else {"n": n})
    return [(level, text) for level, text in lines]


async def worker_logs(
    client: Any, n: int | None = None, workers: Any = None, nanny: bool = False
) -> Any:
    """The last lines that each worker logged."""
    from samite.distributed.worker import recent_logs

    return await client._run_there(recent_logs, (n,), {}, worker_list(workers), nanny, "raise")


async def log_event(client: Any, topic: Any, msg: Any) -> None:
    """Record an event under a topic or several."""
    await _finished(client.log_event(topic, msg))


async def events(client: Any, topic: str | None = None) -> Any:
    """The events of a topic, or of all by topic."""
    return await _finished(client.get_events(topic))


async def versions(client: Any, packages: Any = None) -> Any:
    """The versions of Python and packages where this is called."""
    from samite.distributed.versions import get_versions

    return get_versions(packages=packages)


async def get_metadata(client: Any, keys: Any, default: Any = no_default) -> Any:
    """What was kept under keys."""
    return await _finished(client.get_metadata(keys, default))


async def set_metadata(client: Any, keys: Any, value: Any = None) -> None:
    """Keep something under keys."""
    await _finished(client.set_metadata(keys, value))


async def get_task_status(client: Any, keys: Any) -> dict[str, Any]:
    """The states of tasks by key; None for those that are not known."""
    known = (await client._request("dump_state", {}))["tasks"]
    return {key: known.get(key, {}).get("state") for key in _texts(keys)}


async def get_story(client: Any, keys_or_stimuli: Any = (), keys: Any = None) -> list[Any]:
    """What happened to tasks, in order."""
    wanted = _texts(keys_or_stimuli if keys is None else keys)
    return [tuple(entry) for entry in await client._request("story", {"keys": wanted})]


async def get_cluster_state(client: Any, exclude: Any = ()) -> dict[str, Any]:
    """All that the scheduler knows."""
    return dict(await client._request("dump_state", {"exclude": list(exclude)}))


async def adaptive_target(client: Any, target_duration: Any = None) -> int:
    """How many workers there should be for the work that there is."""
    from samite.distributed.deploy.adaptive import wanted_workers
    from samite.utils import parse_timedelta

    if target_duration is None:
        target_duration = config.get("distributed.adaptive.target-duration", "5s")
    info = await client._request("scheduler_info", {})
    counts = await client._request("counts", {})
    return wanted_workers(info["workers"], counts, float(parse_timedelta(target_duration, "s")))


async def workers_to_close(
    client: Any,
    memory_ratio: float | None = None,
    n: int | None = None,
    key: Any = None,
    minimum: int | None = None,
    target: int | None = None,
    attribute: str = "address",
) -> list[Any]:
    """The workers that can be ended at the least cost.

    Parameters
    ----------
    memory_ratio:
        Without `n` and `target`, so many times the memory that results take is left; 2 by default.
    n, target:
        How many to end, or how many shall be left.
    key:
        Of the information about a worker: the group that it is ended with. Pickled or not.
    minimum:
        How many are left at least.
    attribute:
        What to tell of each: ``"address"`` or ``"name"``.
    """
    workers = (await client._request("scheduler_info", {}))["workers"]
    if target is not None and n is None:
        n = max(0, len(workers) - target)
    if isinstance(key, bytes):
        key = pickle.loads(key)
    held: dict[str, int] = dict.fromkeys(workers, 0)
    for address, worker in workers.items():
        managed = worker.get("memory") or {}
        held[address] = managed.get("managed_total", 0)
    groups: dict[Any, list[Any]] = {}
    for worker in workers.values():
        groups.setdefault(worker["address"] if key is None else key(worker), []).append(worker)

    def cost(group: Any) -> tuple[bool, int]:
        members = groups[group]
        return (
            any(member["processing"] for member in members),
            sum(held[member["address"]] for member in members),
        )

    left, limit = len(workers), sum(worker["memory_limit"] for worker in workers.values())
    wanted = (2 if memory_ratio is None else memory_ratio) * sum(held.values())
    chosen: list[Any] = []
    for group in sorted(groups, key=cost):
        members = groups[group]
        limit -= sum(member["memory_limit"] for member in members)
        if n is None and (cost(group)[0] or limit < wanted):
            break
        if n is not None and len(chosen) + len(members) > n:
            break
        if left - len(members) < (minimum or 0):
            break
        left -= len(members)
        chosen += members
    return [member[attribute] for member in chosen]


async def check_idle(client: Any) -> float | None:
    """Since when nothing is to do, in seconds since 1970; None where something is."""
    return (await client._request("demand", {}))["idle_since"]


async def retire_workers(
    client: Any,
    workers: Any = None,
    names: Any = None,
    n: int | None = None,
    close_workers: bool = False,
    remove: bool = True,
    **options: Any,
) -> Any:
    """Take workers out of the cluster after their results have been copied to others.

    What :func:`workers_to_close` takes decides which, where none are named.
    """
    if workers is None and names is None:
        workers = await workers_to_close(client, n=n, **options)
    arguments: dict[str, Any] = {"close_workers": bool(close_workers)}
    if names is not None:
        arguments["names"] = [str(name) for name in names]
    else:
        arguments["workers"] = worker_list(workers)
    return await client._request("retire_workers", arguments)


async def rebalance(client: Any, keys: Any = None, workers: Any = None) -> dict[str, str]:
    """Even out what workers hold."""
    arguments = _some("workers", workers)
    if keys is not None:
        arguments["keys"] = _texts(keys)
    await client._request("rebalance", arguments)
    return {"status": "OK"}


async def replicate(
    client: Any, keys: Any = (), n: int | None = None, workers: Any = None, **_: Any
) -> None:
    """Copy results to several workers."""
    arguments = {"keys": _texts(keys), **_some("workers", workers)}
    await client._request("replicate", arguments if n is None else {**arguments, "n": n})


async def run_function(
    client: Any, function: Any, args: Any = (), kwargs: Any = None, wait: bool = True
) -> dict[str, Any]:
    """Call a function, pickled or not, with the :class:`Scheduler` in its process.

    Returns
    -------
    ``{"status": "OK", "result": ...}``, or ``"error"`` with the exception.
    """
    called = client._run_on_scheduler(
        _loaded(function), tuple(_loaded(args) or ()), dict(_loaded(kwargs) or {})
    )
    return await _outcome(called)


async def _outcome(called: Any) -> dict[str, Any]:
    try:
        return {"status": "OK", "result": await called}
    except Exception as raised:
        return {"status": "error", "exception": raised, "text": str(raised)}


def _loaded(given: Any) -> Any:
    return pickle.loads(given) if isinstance(given, (bytes, bytearray, memoryview)) else given


async def broadcast(
    client: Any, msg: dict[str, Any], workers: Any = None, nanny: bool = False, **_: Any
) -> dict[str, Any]:
    """Ask all workers for an operation: ``{"op": name, ...}``; their answers by address."""
    arguments = {name: value for name, value in msg.items() if name != "op"}
    chosen = worker_list(workers) or list(await client._request("nthreads", {}))
    found = {}
    for address in chosen:
        worker = _WorkerOfClient(client, address)
        found[address] = await operation(WORKER, msg.get("op", ""), worker, "a worker")(**arguments)
    return found


async def gather(client: Any, keys: Any) -> dict[str, Any]:
    """The values of results: ``{"status": "OK", "data": {key: value}}``, or ``"error"`` with the
    keys that there are none of."""
    from samite.distributed.future import Future

    wanted = _texts(keys)
    holders = await client._request("who_has", {"keys": wanted})
    missing = [key for key in wanted if not holders.get(key)]
    if missing:
        return {"status": "error", "keys": missing}
    futures = [Future(key, client) for key in wanted]
    values = await _finished(client.gather(futures))
    return {"status": "OK", "data": dict(zip(wanted, values))}


async def restart(client: Any, timeout: Any = 30, wait_for_workers: bool = True, **_: Any) -> None:
    """Forget all tasks and results, and restart the workers."""
    await _finished(client.restart(timeout=timeout, wait_for_workers=wait_for_workers))


async def restart_workers(client: Any, workers: Any = None, timeout: Any = 30, **_: Any) -> Any:
    """Restart workers; how that went, by address."""
    chosen = worker_list(workers) or list(await client._request("nthreads", {}))
    return await _finished(client.restart_workers(chosen, timeout, raise_for_error=False))


async def amm_handler(client: Any, method: str) -> Any:
    """The memory manager: ``"start"``, ``"stop"``, ``"running"`` or ``"run_once"``."""
    return await client._request("amm", {"method": method})


async def terminate(client: Any, **_: Any) -> None:
    """End the cluster."""
    await client._request("shutdown", {})


async def ping(client: Any) -> str:
    """Whether it answers."""
    await client._request("counts", {})
    return "pong"


async def echo(client: Any, data: Any = None) -> Any:
    """What it was given."""
    return data


SCHEDULER: dict[str, Operation] = {
    "adaptive_target": adaptive_target,
    "amm_handler": amm_handler,
    "broadcast": broadcast,
    "call_stack": call_stack,
    "check_idle": check_idle,
    "close": terminate,
    "echo": echo,
    "events": events,
    "gather": gather,
    "get_cluster_state": get_cluster_state,
    "get_logs": get_logs,
    "get_metadata": get_metadata,
    "get_story": get_story,
    "get_task_status": get_task_status,
    "has_what": has_what,
    "identity": identity,
    "log_event": log_event,
    "logs": get_logs,
    "nbytes": nbytes,
    "ncores": nthreads,
    "ncores_running": nthreads,
    "nthreads": nthreads,
    "ping": ping,
    "processing": processing,
    "rebalance": rebalance,
    "replicate": replicate,
    "restart": restart,
    "restart_workers": restart_workers,
    "retire_workers": retire_workers,
    "run_function": run_function,
    "set_metadata": set_metadata,
    "story": get_story,
    "terminate": terminate,
    "versions": versions,
    "who_has": who_has,
    "worker_logs": worker_logs,
    "workers_to_close": workers_to_close,
}


# ---- of workers ---------------------------------------------------------------------------------


class _WorkerOfClient:
    """A worker, asked by way of the scheduler."""

    def __init__(self, client: Any, address: str) -> None:
        self.client = client
        self.address = address

    async def call(self, function: Any, *args: Any, nanny: bool = False, **kwargs: Any) -> Any:
        """What a function returns there."""
        found = await self.client._run_there(function, args, kwargs, [self.address], nanny, "raise")
        return found[self.address]


async def _worker_identity(worker: _WorkerOfClient) -> dict[str, Any]:
    """What is known about the worker."""
    info = await worker.client._request("scheduler_info", {})
    scheduler, known = info["address"], info["workers"].get(worker.address)
    if known is None:
        raise CommClosedError(f"the worker {worker.address} has left the cluster")
    return {**known, "scheduler": scheduler}


async def _worker_keys(worker: _WorkerOfClient) -> list[str]:
    """The keys of the results that it holds."""
    found = await worker.client._request("has_what", {"workers": [worker.address]})
    return list(found.get(worker.address, ()))


async def _worker_run(
    worker: _WorkerOfClient,
    function: Any,
    args: Any = (),
    kwargs: Any = None,
    wait: bool = True,
    **_: Any,
) -> dict[str, Any]:
    """Call a function, pickled or not, in the worker's process."""
    called = worker.call(_loaded(function), *(_loaded(args) or ()), **(_loaded(kwargs) or {}))
    return await _outcome(called)


async def _worker_logs(worker: _WorkerOfClient, n: int | None = None, **_: Any) -> Any:
    """The last lines that it logged."""
    from samite.distributed.worker import recent_logs

    return await worker.call(recent_logs, n)


async def _worker_versions(worker: _WorkerOfClient, packages: Any = None) -> Any:
    """The versions of Python and packages there."""
    from samite.distributed.versions import get_versions

    return await worker.call(get_versions, packages=packages)


async def _worker_stacks(worker: _WorkerOfClient, keys: Any = None) -> Any:
    """What its tasks are doing, by key."""
    from samite.distributed.worker import stacks_of_tasks

    return await worker.call(stacks_of_tasks, None if keys is None else _texts(keys))


async def _worker_terminate(worker: _WorkerOfClient, **_: Any) -> str:
    """End the worker, after its results have been copied to others."""
    await retire_workers(worker.client, workers=[worker.address], close_workers=True)
    return "OK"


async def _worker_ping(worker: _WorkerOfClient) -> str:
    """Whether it answers."""
    await worker.call(_pong)
    return "pong"


def _pong() -> None:
    """Nothing but an answer."""


WORKER: dict[str, Operation] = {
    "call_stack": _worker_stacks,
    "echo": echo,
    "get_logs": _worker_logs,
    "identity": _worker_identity,
    "keys": _worker_keys,
    "ping": _worker_ping,
    "run": _worker_run,
    "terminate": _worker_terminate,
    "versions": _worker_versions,
}


# ---- connections of one's own -------------------------------------------------------------------


class rpc:
    """A scheduler or a worker by its address: ``await rpc(address).identity()``.

    Use it with ``async with``, or call :meth:`close_rpc`. It connects when it is first asked. A
    worker is asked by way of its scheduler, which has to be one that this process has a client of,
    or has started.

    Parameters
    ----------
    arg:
        An address.
    timeout:
        Seconds, or text, for connecting.
    connection_args:
        What :meth:`Security.get_connection_args` gives; by default the security of a cluster that
        this process has started, or what the settings say.
    """

    def __init__(
        self,
        arg: Any = None,
        comm: Any = None,
        deserialize: bool = True,
        timeout: Any = None,
        connection_args: Any = None,
        serializers: Any = None,
        deserializers: Any = None,
    ) -> None:
        from samite.distributed._addresses import normalize_address

        self.address = normalize_address(getattr(arg, "address", arg))
        self.timeout = timeout
        self._security = (connection_args or {}).get("security")
        self._client: Any = None
        self._worker: _WorkerOfClient | None = None
        self.status = "running"

    async def _connected(self) -> Any:
        """The client that asks."""
        if self.status == "closed":
            raise CommClosedError(f"the rpc to {self.address} is closed")
        if self._client is None:
            from samite.distributed.client import Client

            scheduler = _scheduler_of_worker(self.address)
            client = Client(
                scheduler or self.address,
                security=self._security,
                set_as_default=False,
                asynchronous=True,
                name="rpc",
                **({} if self.timeout is None else {"timeout": self.timeout}),
            )
            await client
            self._client = client
            if scheduler is not None:
                self._worker = _WorkerOfClient(client, self.address)
        return self._client

    async def _asked(self, name: str, arguments: dict[str, Any]) -> Any:
        client = await self._connected()
        if self._worker is not None:
            asked = operation(WORKER, name, self._worker, f"the worker {self.address}")
        else:
            asked = operation(SCHEDULER, name, client, f"the scheduler {self.address}")
        return await asked(**arguments)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or (name not in SCHEDULER and name not in WORKER):
            raise AttributeError(
                f"there is no operation {name!r}; of schedulers there are "
                f"{', '.join(sorted(SCHEDULER))}, and of workers {', '.join(sorted(WORKER))}"
            )

        def ask(**arguments: Any) -> Asked:
            return Asked(self._asked(name, arguments))

        return ask

    async def live_comm(self) -> Connection:
        """A connection on which operations are messages."""
        return Connection(self)

    async def close_comms(self) -> None:
        """End the connection; the next operation makes another one."""
        client, self._client, self._worker = self._client, None, None
        if client is not None:
            await in_thread(lambda: client._disconnect(1.0))

    def close_rpc(self) -> None:
        """End it."""
        self.status = "closed"
        client, self._client, self._worker = self._client, None, None
        if client is not None:
            client._disconnect(1.0)

    async def __aenter__(self) -> rpc:
        return self

    async def __aexit__(self, *_: object) -> None:
        await Asked(self.close_comms())
        self.status = "closed"

    def __enter__(self) -> rpc:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_rpc()

    def __repr__(self) -> str:
        return f"<rpc to {self.address!r}>"


class Connection:
    """A connection on which operations are messages: what is written is ``{"op": name, ...}``, and
    what is read are the answers, in order."""

    def __init__(self, to: rpc) -> None:
        import collections

        self._rpc = to
        self._answers: collections.deque[Any] = collections.deque()
        self.peer_address = to.address

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._rpc.status == "closed"

    async def write(self, msg: dict[str, Any], **_: Any) -> int:
        """Ask for an operation.

        Raises
        ------
        TypeError
            If it is no mapping with ``"op"``.
        """
        if not isinstance(msg, dict) or not isinstance(msg.get("op"), str):
            raise TypeError(
                f"a message is a dict with the name of an operation as 'op', not {msg!r}"
            )
        arguments = {name: value for name, value in msg.items() if name not in ("op", "reply")}
        self._answers.append(await Asked(self._rpc._asked(msg["op"], arguments)))
        return 1

    async def read(self, **_: Any) -> Any:
        """The next answer.

        Raises
        ------
        CommClosedError
            If nothing was asked.
        """
        if not self._answers:
            raise CommClosedError(
                f"nothing was asked of {self.peer_address} that has no answer yet"
            )
        return self._answers.popleft()

    async def close(self) -> None:
        """End it."""
        await self._rpc.__aexit__()

    def abort(self) -> None:
        """End it at once."""
        self._rpc.close_rpc()

    def __repr__(self) -> str:
        return f"<Connection to {self.peer_address!r}>"


async def connect(
    addr: Any, timeout: Any = None, deserialize: bool = True, **connection_args: Any
) -> Connection:
    """Connect to a scheduler, or to a worker by way of its scheduler; see :class:`rpc`.

    Raises
    ------
    OSError, TimeoutError
        If nobody is there.
    """
    to = rpc(addr, timeout=timeout, connection_args=connection_args)
    await Asked(to._connected())
    return Connection(to)


def _scheduler_of_worker(address: str) -> str | None:
    """The address of a worker's scheduler, where this process knows it."""
    from samite.distributed.client import _open_clients
    from samite.distributed.worker import _workers

    worker = _workers.get(address)
    if worker is not None:
        return worker.scheduler_address
    for client in list(_open_clients):
        engine = client._engine
        if engine is None or client.scheduler_address == address:
            continue
        try:
            known = engine.request("nthreads", {}, 5.0)
        except (OSError, RuntimeError, TimeoutError):
            continue
        if address in known:
            return client.scheduler_address
    return None
