"""The scheduler on processes: for Python code that holds the interpreter.

Workers are fresh interpreters that stay for a while after a computation. A function and its
arguments travel pickled (by cloudpickle where plain pickle cannot), large buffers through shared
memory; results stay pickled in this process until somebody looks at them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from samite import config
from samite._run import run_graph, run_nodes, settings

if TYPE_CHECKING:
    from samite.typing import Key

__all__ = ["RemoteException", "get", "get_context", "remote_exception"]


def get(
    dsk: Mapping[Key, Any],
    keys: Sequence[Key] | Key,
    num_workers: int | None = None,
    func_loads: Callable[[bytes], Any] | None = None,
    func_dumps: Callable[[Any], bytes] | None = None,
    optimize_graph: bool = True,
    pool: Any = None,
    initializer: Callable[[], None] | None = None,
    chunksize: int | None = None,
    cache: Any = None,
    memory_limit: int | str | None = None,
    callbacks: Any = None,
    **kwargs: Any,
) -> Any:
    """Compute keys of a graph in worker processes.

    Parameters
    ----------
    dsk:
        A graph: a dict, layers, or an expression.
    keys:
        A key, or nested lists of keys; the result has the same shape, in tuples.
    num_workers:
        The number of processes; by default the setting ``num_workers``, else one for each
        processor.
    pool : concurrent.futures.ProcessPoolExecutor or multiprocessing.Pool, optional
        Runs the tasks in place of our own workers; also the setting ``pool``.
    initializer:
        Called once in each worker; also the setting ``multiprocessing.initializer``.
    memory_limit:
        Bytes of results to hold in this process's memory, or text such as ``"2 GiB"``.
    func_loads, func_dumps, optimize_graph, chunksize:
        Accepted for programs that pass them; the engine pickles, fuses and batches by itself.

    Raises
    ------
    samite.exceptions.WorkerProcessDied
        If the process that runs a task ends, and ends again when the task is retried.
    """
    options = _settings(num_workers, pool, initializer, memory_limit)
    try:
        return run_graph(dsk, keys, options["engine"], cache, callbacks)
    finally:
        options["close"]()


def _run(nodes: list[Any], **kwargs: Any) -> list[Any] | None:
    options = _settings(
        kwargs.get("num_workers"),
        kwargs.get("pool"),
        kwargs.get("initializer"),
        kwargs.get("memory_limit"),
    )
    try:
        return run_nodes(nodes, options["engine"])
    finally:
        options["close"]()


def _run_arrays(exprs: list[Any], persist: bool, **kwargs: Any) -> list[Any] | None:
    if any(expr.has_calls for expr in exprs):
        return None
    # Native tasks do not hold the interpreter, so threads of this process do as well.
    from samite.threaded import get as threads

    kwargs.pop("pool", None)
    return threads.__samite_run_arrays__(exprs, persist, **kwargs)  # type: ignore[attr-defined]


def _run_bags(bags: list[Any], **kwargs: Any) -> list[Any] | None:
    from samite.threaded import get as threads

    if kwargs.pop("pool", None) is not None:
        return None
    return threads.__samite_run_bags__(bags, **kwargs)  # type: ignore[attr-defined]


get.__samite_run_nodes__ = _run  # type: ignore[attr-defined]
get.__samite_run_arrays__ = _run_arrays  # type: ignore[attr-defined]
get.__samite_run_bags__ = _run_bags  # type: ignore[attr-defined]


def _settings(
    num_workers: int | None,
    pool: Any,
    initializer: Callable[[], None] | None,
    memory_limit: int | str | None,
) -> dict[str, Any]:
    """The engine's settings, and what to call at the end."""
    from samite._executors import pool_size, submitter

    if pool is None:
        pool = config.get("pool", None)
    if num_workers is None:
        num_workers = config.get("num_workers", None)
    if initializer is None:
        initializer = config.get("multiprocessing.initializer", None)
    close: Callable[[], Any] = lambda: None  # noqa: E731
    if num_workers is None and pool is None:
        from samite.system import CPU_COUNT

        num_workers = CPU_COUNT
    if num_workers is not None and num_workers < 1:
        raise ValueError(f"num_workers must be at least 1, got {num_workers}")
    method = config.get("multiprocessing.context", None)
    if pool is None and method not in (None, "spawn"):
        from concurrent.futures import ProcessPoolExecutor

        pool = ProcessPoolExecutor(num_workers, mp_context=get_context(), initializer=initializer)
        close = pool.shutdown
    if pool is not None:
        engine = settings(
            threads=num_workers or pool_size(pool),
            memory_limit=memory_limit,
            submit=submitter(pool),
        )
        return {"engine": engine, "close": close}
    engine = settings(
        threads=num_workers,
        memory_limit=memory_limit,
        processes={
            "command": [sys.executable, "-m", "samite._worker"],
            "workers": num_workers,
            "environment": _environment(initializer),
            "setup": _make_setup(),
            "retries": config.get("multiprocessing.retries", 2),
        },
    )
    return {"engine": engine, "close": close}


def _make_setup() -> bytes:
    from samite._worker import make_setup

    return make_setup()


def _environment(initializer: Callable[[], None] | None) -> dict[str, str]:
    # The package must be found however this process found it.
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    known = os.environ.get("PYTHONPATH", "")
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, [root, known]))}
    if initializer is not None:
        import base64

        import cloudpickle

        environment["SAMITE_WORKER_INITIALIZER"] = base64.b64encode(
            cloudpickle.dumps(initializer)
        ).decode()
    return environment


def get_context() -> Any:
    """The `multiprocessing` context of the setting ``multiprocessing.context``: ``"spawn"`` (the
    default), ``"fork"`` or ``"forkserver"``."""
    import multiprocessing

    return multiprocessing.get_context(config.get("multiprocessing.context", None) or "spawn")


def _dumps(obj: Any, **kwargs: Any) -> bytes:
    import cloudpickle

    return cloudpickle.dumps(obj, protocol=5, **kwargs)


def _loads(data: bytes, **kwargs: Any) -> Any:
    import pickle

    return pickle.loads(data, **kwargs)


def _process_get_id() -> int:
    return os.getpid()


class RemoteException(Exception):
    """An exception of a task in a worker process, with the traceback from there in its text.

    It is also an instance of the original exception's class: see :func:`remote_exception`.
    """

    def __init__(self, exception: Exception, traceback: str) -> None:
        self.exception = exception
        self.traceback = traceback

    def __str__(self) -> str:
        return f"{self.exception}\n\nTraceback\n---------\n{self.traceback}"

    def __dir__(self) -> list[str]:
        return sorted({*dir(type(self)), *self.__dict__, *dir(self.exception)})

    def __getattr__(self, name: str) -> Any:
        if name in ("exception", "traceback"):
            raise AttributeError(name)
        return getattr(self.exception, name)


_remote_classes: dict[type, type] = {}


def remote_exception(exc: Exception, tb: Any) -> Exception:
    """An exception of the same class that shows where it was raised in another process.

    >>> error = remote_exception(ValueError("no"), "File worker.py, line 1")
    >>> isinstance(error, ValueError), "worker.py" in str(error)
    (True, True)
    """
    import traceback

    kind = type(exc)
    if kind not in _remote_classes:
        try:
            _remote_classes[kind] = type(kind.__name__, (RemoteException, kind), {})
        except TypeError:  # a class that cannot be derived from together with another
            return exc
    text = tb if isinstance(tb, str) else "".join(traceback.format_tb(tb))
    return _remote_classes[kind](exc, text)


def pack_exception(e: BaseException, dumps: Callable[[Any], bytes]) -> bytes:
    """An exception and its traceback as bytes."""
    import traceback

    try:
        return dumps((e, "".join(traceback.format_tb(e.__traceback__))))
    except Exception as error:
        return dumps((error, "".join(traceback.format_tb(error.__traceback__))))
