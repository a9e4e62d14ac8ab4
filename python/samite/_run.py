"""From a graph and wanted keys to the engine and back: what all local schedulers share."""

from __future__ import annotations

import contextlib
import contextvars
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from samite import _engine, config
from samite.callbacks import local_callbacks, split_native, unpack_callbacks


def settings(
    *,
    threads: int,
    memory_limit: int | str | None = None,
    submit: Callable[[Any], Any] | None = None,
    processes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The engine's settings for one run.

    Parameters
    ----------
    threads:
        Worker threads; 0 runs all tasks on the calling thread.
    memory_limit:
        Bytes of results to hold in memory, or text such as ``"2 GiB"``; by default the setting
        ``memory-limit``, else a share of what the machine or the container has. What is over goes
        to disk, to the folder of the setting ``temporary-directory``.
    submit:
        Runs a bound task elsewhere and returns its result.
    processes:
        How to start worker processes, where tasks run in such.
    """
    return {
        "threads": threads,
        "memory_limit": _bytes_of_limit(memory_limit),
        "spill_folder": config.get("temporary-directory", None) or None,
        "context": contextvars.copy_context() if threads else None,
        "submit": submit,
        "processes": processes,
    }


def _bytes_of_limit(memory_limit: int | str | None) -> int | None:
    if memory_limit is None:
        memory_limit = config.get("memory-limit", None)
    if isinstance(memory_limit, str):
        from samite.utils import parse_bytes

        memory_limit = parse_bytes(memory_limit)
    if memory_limit is None:
        return None
    if not isinstance(memory_limit, (int, float)) or not memory_limit > 0:
        raise ValueError(
            "memory_limit must be a positive number of bytes, or text such as '2 GiB', "
            f"got {memory_limit!r}"
        )
    return int(min(memory_limit, sys.maxsize))


# The memory limit of the computation that a graph is being written for.
_limit_of_run: contextvars.ContextVar[int | str | None] = contextvars.ContextVar(
    "limit_of_run", default=None
)


@contextlib.contextmanager
def limited_to(memory_limit: int | str | None) -> Iterator[None]:
    """Let graphs that are written meanwhile be for a run with this memory limit."""
    token = _limit_of_run.set(memory_limit)
    try:
        yield
    finally:
        _limit_of_run.reset(token)


def memory_of_run() -> tuple[int | None, str | None]:
    """The memory limit in bytes of the run that a graph is written for, and the folder for what
    does not fit."""
    folder = config.get("temporary-directory", None) or None
    return _bytes_of_limit(_limit_of_run.get()), folder


def run_nodes(nodes: list[Any], options: dict[str, Any]) -> list[Any] | None:
    """Compute lazy calls; None where callbacks want to see each task with its graph."""
    from samite.callbacks import Callback

    if not Callback.active:
        return _engine.run_nodes(nodes, **options)
    native, per_task = split_native(Callback.active)
    if per_task or config.get("cache", None) is not None:
        return None
    with local_callbacks():
        return _engine.run_nodes(nodes, native=native, **options)


def run_arrays(exprs: list[Any], options: dict[str, Any], persist: bool) -> list[Any] | None:
    """Compute expressions of arrays, or their blocks; None where callbacks want to see each task
    with its graph."""
    from samite.callbacks import Callback

    if options.get("submit") is not None or config.get("cache", None) is not None:
        return None
    native, per_task = split_native(Callback.active)
    if per_task:
        return None
    options = {**options, "processes": None}
    run = _engine.persist_arrays if persist else _engine.run_arrays
    if not native:
        return run(exprs, **options)
    with local_callbacks():
        return run(exprs, native=native, **options)


def run_graph(
    graph: Any,
    keys: Any,
    options: dict[str, Any],
    cache: Any = None,
    callbacks: Any = None,
) -> Any:
    """Compute keys of a graph.

    Parameters
    ----------
    graph:
        A dict, layers, or an expression.
    keys:
        A key, or nested lists of keys.
    options:
        From :func:`settings`.
    cache:
        A mutable mapping: values of keys that are known, to which results are added.
    callbacks:
        Tuples of five hooks; by default the active ones.

    Returns
    -------
    The value, or nested tuples of values in the shape of ``keys``.
    """
    from samite.core import flatten

    dsk = as_dict(graph)
    if callbacks is None:
        callbacks = _callbacks_of_dask(graph)
    nested = isinstance(keys, list)
    wanted = list(flatten(keys)) if nested else [keys]
    if cache is None:
        cache = config.get("cache", None)
    with local_callbacks(callbacks) as active:
        native, per_task = split_native(active)
        if per_task or cache is not None:
            values = _run_observed(dsk, wanted, active, cache, options)
        else:
            values = _engine.run_graph(dsk, wanted, native=native, **options)
    return _nest(keys, iter(values)) if nested else values[0]


def _callbacks_of_dask(graph: Any) -> Any:
    """Dask's active callbacks, and ours, where the graph is one of Dask's; else None."""
    theirs = sys.modules.get("dask.callbacks")
    if theirs is None or not type(graph).__module__.startswith("dask."):
        return None
    active = theirs.Callback.active
    if not active:
        return None
    from samite.callbacks import Callback

    return {*active, *Callback.active}


def as_dict(graph: Any) -> dict[Any, Any]:
    """A graph of any kind as a plain dict."""
    from samite.utils import ensure_dict

    if type(graph) is dict:
        return graph
    if hasattr(graph, "__dask_graph__"):
        if type(graph).__module__ == "dask._expr":
            from samite._dask_bridge import graph_of

            return graph_of(graph)
        graph = graph.__dask_graph__()
    return ensure_dict(graph)


def _nest(keys: list[Any], values: Any) -> tuple[Any, ...]:
    return tuple(_nest(key, values) if isinstance(key, list) else next(values) for key in keys)


def _run_observed(
    dsk: dict[Any, Any],
    wanted: Sequence[Any],
    callbacks: Any,
    cache: Any,
    options: dict[str, Any],
) -> list[Any]:
    """Run with hooks that are called for each task on this thread."""
    from samite.local import prepare

    dsk = dict(dsk)
    if "dask._task_spec" in sys.modules:
        from samite._dask_bridge import in_our_notation

        dsk = in_our_notation(dsk)
    started: list[Any] = []
    state: dict[str, Any] = {}
    succeeded = False
    try:
        for callback in callbacks:
            if callback[0]:
                callback[0](dsk)
            started.append(callback)
        converted, state = prepare(dsk, cache=cache, keys=wanted)
        _, start_state, pretask, posttask, _ = unpack_callbacks(callbacks)
        for hook in start_state:
            hook(converted, state)
        observed = _Observed(converted, state, wanted, pretask, posttask)
        known = dict(state["cache"])
        values = _engine.run_graph(
            converted, list(wanted), cache=known, callbacks=observed, **options
        )
        succeeded = True
        return values
    finally:
        for callback in started:
            if callback[4]:
                callback[4](dsk, state, not succeeded)


class _Observed:
    """Keeps the state that hooks look at, and calls them."""

    def __init__(
        self,
        dsk: dict[Any, Any],
        state: dict[str, Any],
        wanted: Sequence[Any],
        pretask: Sequence[Callable[..., Any]],
        posttask: Sequence[Callable[..., Any]],
    ) -> None:
        self.dsk = dsk
        self.state = state
        self.wanted = set(wanted)
        self.pretask = pretask
        self.posttask = posttask

    def started(self, key: Any) -> None:
        """A task is about to run."""
        state = self.state
        ready = state["ready"]
        # The next task stands at the end, or near it.
        for place in range(len(ready) - 1, -1, -1):
            if ready[place] == key:
                del ready[place]
                break
        state["running"].add(key)
        for hook in self.pretask:
            hook(key, self.dsk, state)

    def finished(self, key: Any, value: Any, worker: int) -> None:
        """A task has run."""
        from samite.local import finish_task

        state = self.state
        state["cache"][key] = value
        finish_task(self.dsk, key, state, self.wanted, None)
        for hook in self.posttask:
            hook(key, value, self.dsk, state, worker)
