"""The scheduler on threads: the default of most collections.

Tasks run on native threads that stay for the next computation. Python functions share the
interpreter; functions that release it (NumPy, pandas, input and output) run at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from samite import config
from samite._run import run_arrays, run_graph, run_nodes, settings

if TYPE_CHECKING:
    from samite.typing import Key

__all__ = ["get"]


def get(
    dsk: Mapping[Key, Any],
    keys: Sequence[Key] | Key,
    cache: Any = None,
    num_workers: int | None = None,
    pool: Any = None,
    memory_limit: int | str | None = None,
    callbacks: Any = None,
    **kwargs: Any,
) -> Any:
    """Compute keys of a graph on threads.

    Parameters
    ----------
    dsk:
        A graph: a dict, layers, or an expression.
    keys:
        A key, or nested lists of keys; the result has the same shape, in tuples.
    cache : mutable mapping, optional
        Values that are known; results are added.
    num_workers:
        The number of threads; by default the setting ``num_workers``, else one for each processor.
    pool : concurrent.futures.Executor or multiprocessing.pool.ThreadPool, optional
        Runs the tasks in place of our own threads; also the setting ``pool``.
    memory_limit:
        Bytes of results to hold in memory, or text such as ``"2 GiB"``.

    Examples
    --------
    >>> from operator import add
    >>> get({"x": 1, "y": (add, "x", 10)}, ["x", "y"])
    (1, 11)
    """
    return run_graph(dsk, keys, _settings(num_workers, pool, memory_limit), cache, callbacks)


def _run(nodes: list[Any], **kwargs: Any) -> list[Any] | None:
    return run_nodes(
        nodes,
        _settings(kwargs.get("num_workers"), kwargs.get("pool"), kwargs.get("memory_limit")),
    )


def _run_arrays(exprs: list[Any], persist: bool, **kwargs: Any) -> list[Any] | None:
    options = _settings(kwargs.get("num_workers"), kwargs.get("pool"), kwargs.get("memory_limit"))
    return run_arrays(exprs, options, persist)


def _run_bags(bags: list[Any], **kwargs: Any) -> list[Any] | None:
    from samite.bag import native

    options = _settings(kwargs.get("num_workers"), kwargs.get("pool"), kwargs.get("memory_limit"))
    return native.run(bags, options)


get.__samite_run_nodes__ = _run  # type: ignore[attr-defined]
get.__samite_run_arrays__ = _run_arrays  # type: ignore[attr-defined]
get.__samite_run_bags__ = _run_bags  # type: ignore[attr-defined]


def get_with_executor(
    executor: Any, dsk: Mapping[Key, Any], keys: Sequence[Key] | Key, **kwargs: Any
) -> Any:
    """Compute keys of a graph on an executor of `concurrent.futures`."""
    kwargs.pop("pool", None)
    return get(dsk, keys, pool=executor, **kwargs)


def _settings(num_workers: int | None, pool: Any, memory_limit: int | str | None) -> dict[str, Any]:
    if pool is None:
        pool = config.get("pool", None)
    if num_workers is None:
        num_workers = config.get("num_workers", None)
    if pool is not None and not isinstance(pool, int):
        from samite._executors import pool_size, submitter

        return settings(
            threads=num_workers or pool_size(pool),
            memory_limit=memory_limit,
            submit=submitter(pool),
        )
    if num_workers is None:
        from samite.system import CPU_COUNT

        num_workers = pool or CPU_COUNT
    if num_workers < 1:
        raise ValueError(f"num_workers must be at least 1, got {num_workers}")
    return settings(threads=num_workers, memory_limit=memory_limit)
