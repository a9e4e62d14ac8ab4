"""Pools that the user brings: `concurrent.futures` executors and `multiprocessing` pools."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


def pool_size(pool: Any) -> int:
    """How many tasks a pool runs at a time."""
    from samite.system import CPU_COUNT

    for name in ("_max_workers", "_processes"):
        size = getattr(pool, name, None)
        if isinstance(size, int) and size > 0:
            return size
    return CPU_COUNT


def submitter(pool: Any) -> Callable[[Any], Any]:
    """A function that runs a bound task in a pool and returns its result.

    Raises
    ------
    TypeError
        If the object can neither ``submit`` nor ``apply_async``.
    """
    if hasattr(pool, "submit"):
        start = pool.submit
        wait = "result"
    elif hasattr(pool, "apply_async"):

        def start(function: Callable[..., Any], *args: Any) -> Any:
            return pool.apply_async(function, args)

        wait = "get"
    else:
        raise TypeError(
            f"a pool is a concurrent.futures executor or a multiprocessing pool, not "
            f"{type(pool).__name__}"
        )
    if not _has_processes(pool):
        return lambda task: getattr(start(task), wait)()

    def run(task: Any) -> Any:
        from samite._worker import pack_task, run_packed, unpack_outcome

        return unpack_outcome(getattr(start(run_packed, pack_task(task)), wait)())

    return run


def _has_processes(pool: Any) -> bool:
    import sys

    futures = sys.modules.get("concurrent.futures.process")
    if futures is not None and isinstance(pool, futures.ProcessPoolExecutor):
        return True
    pools = sys.modules.get("multiprocessing.pool")
    return (
        pools is not None
        and isinstance(pool, pools.Pool)
        and not isinstance(pool, pools.ThreadPool)
    )


class SynchronousExecutor(Executor):
    """An executor that runs each call when it is submitted, on the calling thread."""

    _max_workers = 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the call; a finished future."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


synchronous_executor = SynchronousExecutor()
