"""The synchronous scheduler, and the state that callbacks are shown.

All decisions are made by the engine. The functions on states mirror what it does, in the form
that callbacks and other schedulers written for Dask know.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from samite._run import as_dict, run_arrays, run_graph, run_nodes, settings

if TYPE_CHECKING:
    from concurrent.futures import Future

    from samite._executors import SynchronousExecutor, synchronous_executor
    from samite.typing import Key

__all__ = [
    "SynchronousExecutor",
    "finish_task",
    "get_async",
    "get_sync",
    "identity",
    "nested_get",
    "release_data",
    "reraise",
    "sortkey",
    "start_state_from_dask",
    "synchronous_executor",
]


def get_sync(dsk: Mapping[Key, Any], keys: Sequence[Key] | Key, **kwargs: Any) -> Any:
    """Compute keys of a graph on the calling thread, one task after the other.

    For debugging, and where threads are not to be had.

    Parameters
    ----------
    dsk:
        A graph: a dict, layers, or an expression.
    keys:
        A key, or nested lists of keys.
    cache : mutable mapping, optional
        Values that are known; results are added.
    memory_limit : int or str, optional
        Bytes of results to hold in memory.

    Examples
    --------
    >>> from operator import add
    >>> get_sync({"x": 1, "y": (add, "x", 10)}, "y")
    11
    """
    options = settings(threads=0, memory_limit=kwargs.get("memory_limit"))
    return run_graph(
        dsk, keys, options, cache=kwargs.get("cache"), callbacks=kwargs.get("callbacks")
    )


def _run_sync(nodes: list[Any], **kwargs: Any) -> list[Any] | None:
    return run_nodes(nodes, settings(threads=0, memory_limit=kwargs.get("memory_limit")))


def _run_arrays_sync(exprs: list[Any], persist: bool, **kwargs: Any) -> list[Any] | None:
    options = settings(threads=0, memory_limit=kwargs.get("memory_limit"))
    return run_arrays(exprs, options, persist)


get_sync.__samite_run_nodes__ = _run_sync  # type: ignore[attr-defined]


def _run_bags_sync(bags: list[Any], **kwargs: Any) -> list[Any] | None:
    from samite.bag import native

    return native.run(bags, settings(threads=0, memory_limit=kwargs.get("memory_limit")))


get_sync.__samite_run_bags__ = _run_bags_sync  # type: ignore[attr-defined]
get_sync.__samite_run_arrays__ = _run_arrays_sync  # type: ignore[attr-defined]


def get_async(
    submit: Callable[..., Future[Any]],
    num_workers: int,
    dsk: Mapping[Key, Any],
    result: Sequence[Key] | Key,
    cache: MutableMapping[Key, Any] | None = None,
    callbacks: Any = None,
    memory_limit: int | str | None = None,
    **kwargs: Any,
) -> Any:
    """Compute keys of a graph, running tasks through ``submit``.

    Parameters
    ----------
    submit:
        Takes a function and arguments and returns a future, as `concurrent.futures` executors do.
    num_workers:
        How many tasks to submit at a time.
    dsk, result, cache, memory_limit:
        As in :func:`get_sync`.
    callbacks:
        Tuples of five hooks; by default the active ones.
    """
    options = settings(
        threads=max(1, num_workers),
        memory_limit=memory_limit,
        submit=lambda task: submit(task).result(),
    )
    return run_graph(dsk, result, options, cache=cache, callbacks=callbacks)


def start_state_from_dask(
    dsk: Mapping[Key, Any],
    cache: MutableMapping[Key, Any] | None = None,
    sortkey: Callable[[Key], Any] | None = None,
    keys: Sequence[Key] | None = None,
) -> dict[str, Any]:
    """The state of a graph of which nothing has run.

    Returns
    -------
    dict
        ``dependencies`` and ``dependents`` (key to set of keys), ``waiting`` (key to the set of
        keys it waits for), ``waiting_data`` (key to the set of keys that wait for its value),
        ``cache`` (known values), ``ready`` (list; the last one runs first), ``running``,
        ``finished`` and ``released`` (sets).
    """
    return prepare(dsk, cache=cache, sortkey=sortkey, keys=keys)[1]


def prepare(
    dsk: Mapping[Key, Any],
    cache: MutableMapping[Key, Any] | None = None,
    sortkey: Callable[[Key], Any] | None = None,
    keys: Sequence[Key] | None = None,
) -> tuple[dict[Key, Any], dict[str, Any]]:
    """A graph with every task a task object, aliases among them, and its first state.

    Raises
    ------
    ValueError
        If a task needs a key that is neither in the graph nor in the cache.
    """
    from samite._task_spec import Alias, DataNode, Task, TaskRef, convert_legacy_graph
    from samite.core import reverse_dict
    from samite.order import order

    cache = {} if cache is None else cache
    known = set(cache)
    graph = convert_legacy_graph(as_dict(dsk), all_keys=set(dsk) | known)
    for key, node in graph.items():
        if isinstance(node, DataNode) and key not in known:
            cache[key] = node()
        elif isinstance(node, Alias):
            graph[key] = Task(key, identity, TaskRef(node.target))
    stack = list(graph if keys is None else keys)
    dependencies: dict[Key, set[Key]] = {key: set() for key in known}
    while stack:
        key = stack.pop()
        if key in dependencies or key not in graph:
            continue
        needs = set(graph[key].dependencies)
        missing = needs - graph.keys() - known
        if missing:
            names = ", ".join(sorted(map(repr, missing)))
            raise ValueError(f"Missing dependency {names} for dependents {{{key!r}}}")
        dependencies[key] = needs
        stack.extend(needs - dependencies.keys())
    graph = {key: node for key, node in graph.items() if key in dependencies}
    dependents = reverse_dict(dependencies)
    waiting = {
        key: needs - cache.keys()
        for key, needs in dependencies.items()
        if key not in cache and needs - cache.keys()
    }
    ready = [key for key in dependencies if key not in cache and key not in waiting]
    ready.sort(key=sortkey or order(graph).get, reverse=True)
    state = {
        "dependencies": dependencies,
        "dependents": dependents,
        "waiting": waiting,
        "waiting_data": {key: set(dependents[key]) for key in dependencies},
        "cache": cache,
        "ready": ready,
        "running": set(),
        "finished": set(),
        "released": set(),
    }
    return graph, state


def release_data(key: Key, state: dict[str, Any], delete: bool = True) -> None:
    """Note that a value is no longer needed, and drop it from the cache."""
    state["waiting_data"].pop(key, None)
    state["released"].add(key)
    if delete:
        state["cache"].pop(key, None)


def finish_task(
    dsk: Mapping[Key, Any],
    key: Key,
    state: dict[str, Any],
    results: set[Key],
    sortkey: Callable[[Key], Any] | None,
    delete: bool = True,
    release_data: Callable[..., None] = release_data,
) -> dict[str, Any]:
    """Bring the state up to date after a task has run; its value is in ``state["cache"]``.

    Returns
    -------
    dict
        The same state, changed in place.
    """
    waiting, waiting_data = state["waiting"], state["waiting_data"]
    for dependent in state["dependents"].get(key, ()):
        missing = waiting.get(dependent)
        if missing is None:
            continue
        missing.discard(key)
        if not missing:
            del waiting[dependent]
            state["ready"].append(dependent)
    if sortkey is not None:
        state["ready"].sort(key=sortkey, reverse=True)
    for needed in state["dependencies"].get(key, ()):
        users = waiting_data.get(needed)
        if users is None:
            continue
        users.discard(key)
        if not users and needed not in results:
            release_data(needed, state, delete=delete)
    state["finished"].add(key)
    state["running"].discard(key)
    return state


def nested_get(ind: Any, coll: Mapping[Any, Any]) -> Any:
    """Look up nested lists of keys; nested tuples of values.

    >>> nested_get([["a"], "b"], {"a": 1, "b": 2})
    ((1,), 2)
    """
    if isinstance(ind, list):
        return tuple(nested_get(item, coll) for item in ind)
    return coll[ind]


def identity(x: Any) -> Any:
    """The argument."""
    return x


def default_get_id() -> int:
    """The number of this process, which names a worker."""
    return os.getpid()


def reraise(exc: BaseException, tb: Any = None) -> None:
    """Raise an exception with a traceback of its own."""
    if exc.__traceback__ is not tb:
        raise exc.with_traceback(tb)
    raise exc


def sortkey(item: Any) -> tuple[Any, ...]:
    """A key by which strings and tuples of mixed kinds can be sorted.

    >>> sorted([("x", 1), "x", ("x", 0)], key=sortkey)
    ['x', ('x', 0), ('x', 1)]
    """
    return (item,) if isinstance(item, str) else item


def __getattr__(name: str) -> Any:
    if name in ("SynchronousExecutor", "synchronous_executor"):
        # `concurrent.futures` takes as long to import as all of this package.
        from samite import _executors

        return getattr(_executors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
