"""Choosing who runs a graph."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from samite import config

# Filled below; programs may add names of their own.
named_schedulers: dict[str, Callable[..., Any]] = {}


def _register() -> None:
    from samite import local, multiprocessing, threaded

    named_schedulers.update(
        {
            "sync": local.get_sync,
            "synchronous": local.get_sync,
            "single-threaded": local.get_sync,
            "threads": threaded.get,
            "threading": threaded.get,
            "processes": multiprocessing.get,
            "multiprocessing": multiprocessing.get,
        }
    )


# What a client sets as the scheduler while it is the default one; Dask's names for it too.
_CLUSTERS = frozenset({"samite.distributed", "dask.distributed", "distributed"})

_REMOVED_GET = """\
The get= keyword has been removed.

Use scheduler= with a name, such as "threads", "processes" or "synchronous",

    x.compute(scheduler="threads")

with a function that takes the graph and keys

    x.compute(scheduler=my_scheduler_function)

or with a client of a cluster

    x.compute(scheduler=client)
"""


def get_scheduler(
    get: Any = None,
    scheduler: Any = None,
    collections: Iterable[Any] | None = None,
    cls: Any = None,
) -> Callable[..., Any] | None:
    """The function that is to run a graph.

    The first of these that says: ``scheduler``, the setting ``scheduler``, the cluster whose task
    this is, the class ``cls``, the collections. None where nobody does.

    Parameters
    ----------
    scheduler:
        A name, a function ``(graph, keys, **kwargs)``, an executor, or a client with ``get``: one
        of Samite's, or of `dask.distributed`.
    collections:
        Collections, whose own choice is taken if they agree.

    Raises
    ------
    TypeError
        If the removed argument ``get`` is given.
    ValueError
        If a name is unknown, or collections disagree.
    """
    if get is not None:
        raise TypeError(_REMOVED_GET)
    if scheduler is not None:
        return _resolve(scheduler)
    configured = config.get("scheduler", None)
    if configured is not None:
        return _resolve(configured)
    if _in_task_of_cluster():
        return _resolve("distributed")
    if cls is not None:
        return cls.__dask_scheduler__
    choices = {
        _counterpart(collection.__dask_scheduler__)
        for collection in collections or ()
        if collection is not None
    }
    if len(choices) > 1:
        raise ValueError(
            "Compute called on multiple collections with differing default schedulers. "
            "Please specify a scheduler= parameter explicitly in compute or globally with "
            "samite.config.set(scheduler=...)."
        )
    return choices.pop() if choices else None


def on_cluster() -> bool:
    """Whether graphs go to a cluster of ours as things stand: a client is the default scheduler."""
    configured = config.get("scheduler", None)
    if configured is None:
        return _in_task_of_cluster()
    if isinstance(configured, str):
        return configured.lower() in _CLUSTERS
    return "Client" in type(configured).__name__ and _is_ours(configured)


def _in_task_of_cluster() -> bool:
    """Whether a task of a cluster of ours runs on this thread."""
    from samite import _engine

    return _engine.current_task() is not None


def _counterpart(scheduler: Any) -> Any:
    """Our scheduler of the same kind, for the default one of a Dask collection."""
    module = getattr(scheduler, "__module__", None)
    names = {"dask.threaded": "threads", "dask.multiprocessing": "processes", "dask.local": "sync"}
    return named_schedulers[names[module]] if module in names else scheduler


def _resolve(scheduler: Any) -> Callable[..., Any]:
    if isinstance(scheduler, str):
        name = scheduler.lower()
        if name in named_schedulers:
            return named_schedulers[name]
        if name in _CLUSTERS:
            from samite.distributed._current import get_client

            return get_client().get
        if name == "ray":
            from samite.distributed._ray_cluster import RayCluster

            return RayCluster().get
        raise ValueError(
            f"unknown scheduler {scheduler!r}; expected one of "
            f"{sorted([*named_schedulers, 'ray'])}, a function, an executor or a client"
        )
    if "Client" in type(scheduler).__name__ and hasattr(scheduler, "get"):
        if getattr(scheduler, "asynchronous", False) and not _is_ours(scheduler):
            raise TypeError(
                "a client in asynchronous mode cannot be waited for here; use its own "
                "compute and persist with await"
            )
        if _is_dasks(scheduler):
            from samite.distributed._dask_cluster import DaskCluster

            return DaskCluster(scheduler).get
        return scheduler.get
    if _is_executor(scheduler):
        from samite.threaded import get_with_executor

        return partial(get_with_executor, scheduler)
    if callable(scheduler):
        return scheduler
    raise ValueError(
        f"a scheduler is a name, a function, an executor or a client, not "
        f"{type(scheduler).__name__}"
    )


def _is_ours(client: Any) -> bool:
    ours = sys.modules.get("samite.distributed.client")
    return ours is not None and isinstance(client, ours.Client)


def _is_dasks(client: Any) -> bool:
    """Whether a client is one of `dask.distributed`, which is not imported to find out."""
    # Where Samite is imported by Dask's names, those are its own clients.
    theirs = None if _is_ours(client) else sys.modules.get("distributed")
    return theirs is not None and isinstance(client, getattr(theirs, "Client", ()))


def _is_executor(obj: Any) -> bool:
    return hasattr(obj, "submit") and hasattr(obj, "shutdown") and hasattr(obj, "map")


_register()
