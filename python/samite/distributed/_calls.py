"""What runs inside of workers on behalf of clients."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from samite._unpicklable import explained

if TYPE_CHECKING:
    from samite.distributed.worker import Worker


def dump_bytes(obj: Any) -> bytes:
    """A pickle of an object, with functions by value where they cannot be imported.

    Raises
    ------
    The exception of the pickler, with a note that says which part of the object is to blame.
    """
    return explained(obj, _pickled)


def _pickled(obj: Any) -> bytes:
    import cloudpickle

    try:
        return cloudpickle.dumps(obj, protocol=5)
    except Exception:
        from samite._open_files import teach_pickle

        if not teach_pickle():
            raise
    return cloudpickle.dumps(obj, protocol=5)


def load_bytes(data: Any) -> Any:
    """What :func:`dump_bytes` pickled."""
    import pickle

    return pickle.loads(data)


# ---- calls --------------------------------------------------------------------------------------


def request_bytes(function: Callable[..., Any], args: Any, kwargs: Any) -> bytes:
    """A call as workers carry it out.

    Raises
    ------
    The exception of the pickler, where the function or an argument cannot be pickled.
    """
    try:
        return _pickled((function, tuple(args), dict(kwargs)))
    except Exception:
        for part in (function, *args, *kwargs.values()):
            dump_bytes(part)  # raises for the part that is to blame
        raise


def carry_out(request: tuple[Any, ...]) -> bytes:
    """Carry out a call that a client or the scheduler asks this worker for.

    Returns
    -------
    bytes
        A pickle of ``("ok", value)`` or ``("error", what is left of the exception)``.
    """
    function, args, kwargs = request
    try:
        value = call_function(function, args, kwargs)
        try:
            return _pickled(("ok", value))
        except Exception:
            dump_bytes(value)  # raises, and says what in the value is to blame
            raise
    except BaseException as raised:
        return failure_bytes(raised)


def failure_bytes(raised: BaseException) -> bytes:
    """A pickle of ``("error", what is left of an exception)``."""
    from samite._worker import dump_failure

    return dump_bytes(("error", [bytes(frame) for frame in dump_failure(raised)]))


def answer_of(data: Any) -> tuple[str, Any]:
    """``("ok", value)`` or ``("error", exception)``, from what a worker answered."""
    kind, value = load_bytes(data)
    if kind == "error":
        from samite._pickling import load
        from samite._worker import remote_failure

        return kind, remote_failure(load(value))
    return kind, value


def call_function(function: Any, args: Any, kwargs: Any) -> Any:
    """Call a function that may ask for its worker, and may be ``async``."""
    import inspect

    from samite.distributed._current import get_worker

    kwargs = dict(kwargs)
    try:
        parameters: Any = inspect.signature(function).parameters
    except (TypeError, ValueError):
        parameters = ()
    if "dask_worker" in parameters and "dask_worker" not in kwargs:
        kwargs["dask_worker"] = get_worker()
    result = function(*args, **kwargs)
    if inspect.iscoroutine(result):
        return run_on_loop(result)
    return result


def finished(result: Any) -> Any:
    """What a function returned, which may be ``async``."""
    import inspect

    return run_on_loop(result) if inspect.iscoroutine(result) else result


# ---- async functions ----------------------------------------------------------------------------

# The worker that a coroutine runs for, since its thread runs those of all.
coroutine_worker: ContextVar[Worker | None] = ContextVar("samite-worker", default=None)

_loop: Any = None
_loop_lock = threading.Lock()


def loop_of_tasks() -> Any:
    """This process's event loop for tasks and plugins, begun when it is first asked for."""
    global _loop
    with _loop_lock:
        if _loop is None or _loop.is_closed():
            import asyncio

            _loop = asyncio.new_event_loop()
            threading.Thread(
                target=_loop.run_forever, name="samite-coroutines", daemon=True
            ).start()
        return _loop


def run_on_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine on this process's event loop for tasks, and wait for it."""
    import asyncio

    from samite.distributed._current import get_worker

    try:
        worker = get_worker()
    except ValueError:
        worker = None

    async def run() -> Any:
        coroutine_worker.set(worker)
        return await coroutine

    return asyncio.run_coroutine_threadsafe(run(), loop_of_tasks()).result()


class Awaited:
    """A function that waits for an ``async`` one."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return run_on_loop(self.function(*args, **kwargs))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Awaited, (self.function,))

    def __dask_tokenize__(self) -> Any:
        return ("samite.Awaited", self.function)
