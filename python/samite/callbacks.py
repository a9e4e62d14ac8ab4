"""Callbacks: hooks that observe a computation.

There are two ways for a scheduler to drive a callback.

* **Per task.** The scheduler calls up to five hooks in the thread that called ``compute``:
  ``start(dsk)``, ``start_state(dsk, state)``, ``pretask(key, dsk, state)``,
  ``posttask(key, result, dsk, state, worker_id)`` and ``finish(dsk, state, errored)``.
  Every task then passes through Python twice, so this way is the slower one.
* **Native.** A class that sets ``_native = True`` promises that it needs no call per task. A
  scheduler that keeps counters and events itself calls ``_attach(run)`` when a run begins and
  ``_detach(run, errored)`` when it ends, with a :class:`NativeRun`, and none of the five hooks.
  A scheduler without that ability drives the same object per task, so a native class still
  implements the hooks it needs. A subclass that overrides a hook loses ``_native`` unless it
  sets it again: its hook would otherwise never be called.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Callback",
    "NativeRun",
    "add_callbacks",
    "local_callbacks",
    "normalize_callback",
    "split_native",
    "unpack_callbacks",
]

_HOOKS = ("_start", "_start_state", "_pretask", "_posttask", "_finish")

Hook = Callable[..., Any]


class NativeRun(Protocol):
    """What a scheduler hands to the ``_attach`` of a native callback.

    An attribute ``dsk``, the graph that runs as a mapping, is welcome and not required: without
    it a profiler knows the keys of the tasks and not the tasks.
    """

    def progress(self) -> tuple[int, int, int, int, int]:
        """``(done, total, running, bytes, spilled_bytes)`` at this moment, from any thread."""
        ...

    dsk: dict[Any, Any] | None
    """The graph, where it is a dict; None for lazy calls, which are no dict at any time."""

    def events(self) -> list[tuple[Any, Any, float, float, int]]:
        """``(key, worker, start, end, nbytes)`` of every task that ended so far.

        Times are seconds on the clock of :func:`timeit.default_timer`.
        """
        ...


class HookTuple(tuple):
    """The five hooks of a callback, which remember the object they came from.

    Equality and hash are those of the plain tuple, so that a registered callback can be taken
    out again with any equal tuple.
    """

    owner: Callback | None = None


class Callback:
    """Base class of everything that observes computations.

    Subclass it and define any of ``_start``, ``_start_state``, ``_pretask``, ``_posttask`` and
    ``_finish``, or pass functions to the constructor. Use the object as a context manager to
    observe the computations inside the block, or ``register`` it to observe all of them.

    Parameters
    ----------
    start : callable(dsk), optional
        Called once before anything runs; ``dsk`` may be changed in place.
    start_state : callable(dsk, state), optional
        Called once when the scheduler's state exists. ``state`` is a dict with the keys
        ``dependencies, dependents, waiting, waiting_data, cache, ready, running, finished,
        released``.
    pretask : callable(key, dsk, state), optional
        Called before each task is handed to a worker.
    posttask : callable(key, result, dsk, state, worker_id), optional
        Called after each task.
    finish : callable(dsk, state, errored), optional
        Called once at the end, also when a task raised.

    Examples
    --------
    >>> ran = []
    >>> class Recorder(Callback):
    ...     def _pretask(self, key, dsk, state):
    ...         ran.append(key)
    >>> with Recorder():
    ...     pass
    """

    active: ClassVar[set[tuple[Hook | None, ...]]] = set()

    _native: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        defined = vars(cls)
        if "_native" not in defined and any(hook in defined for hook in _HOOKS):
            cls._native = False

    def __init__(
        self,
        start: Hook | None = None,
        start_state: Hook | None = None,
        pretask: Hook | None = None,
        posttask: Hook | None = None,
        finish: Hook | None = None,
    ) -> None:
        functions = (start, start_state, pretask, posttask, finish)
        for name, function in zip(_HOOKS, functions, strict=True):
            if function:
                setattr(self, name, function)

    @property
    def _callback(self) -> tuple[Hook | None, ...]:
        hooks = HookTuple(getattr(self, name, None) for name in _HOOKS)
        hooks.owner = self
        return hooks

    def _attach(self, run: NativeRun) -> None:
        """A run begins; only called when the class is native."""

    def _detach(self, run: NativeRun, errored: bool) -> None:
        """The run is over; only called when the class is native."""

    def __enter__(self) -> Self:
        self._cm = add_callbacks(self)
        self._cm.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._cm.__exit__(*exc_info)

    def register(self) -> None:
        """Observe every computation from now on."""
        Callback.active.add(self._callback)

    def unregister(self) -> None:
        """Undo :meth:`register`; a ``KeyError`` if the callback is not registered."""
        Callback.active.remove(self._callback)


class add_callbacks:
    """Context manager: the given callbacks observe the computations inside the block.

    Parameters
    ----------
    *callbacks : Callback or tuple
        A tuple holds five functions or ``None``, in the order of :class:`Callback`'s arguments.
    """

    def __init__(self, *callbacks: Callback | tuple) -> None:
        self.callbacks = [normalize_callback(callback) for callback in callbacks]

    def __enter__(self) -> None:
        Callback.active.update(self.callbacks)

    def __exit__(self, *exc_info: object) -> None:
        Callback.active.difference_update(self.callbacks)


def normalize_callback(callback: Callback | tuple) -> tuple[Hook | None, ...]:
    """The tuple of five hooks of a callback; ``TypeError`` for anything else.

    Dask's callback objects are accepted too: they carry the same tuple.
    """
    if isinstance(callback, tuple):
        return callback
    hooks = getattr(callback, "_callback", None)
    if isinstance(hooks, tuple):
        return hooks
    raise TypeError(
        f"a callback is a samite.callbacks.Callback or a tuple of five hooks, "
        f"not {type(callback).__name__}"
    )


def unpack_callbacks(callbacks: Collection[tuple] | None) -> list[Collection[Hook]]:
    """Turn callbacks into five lists of functions, one list per kind of hook.

    >>> unpack_callbacks([(None, None, print, None, None), (len, None, repr, None, None)])
    [[<built-in function len>], [], [<built-in function print>, <built-in function repr>], [], []]
    """
    if not callbacks:
        return [() for _ in _HOOKS]
    columns = zip(*callbacks, strict=True)
    return [[hook for hook in column if hook] for column in columns]


def split_native(callbacks: Iterable[tuple]) -> tuple[list[Callback], list[tuple]]:
    """Part callbacks into those a scheduler may drive natively and those that need calls per task.

    A scheduler without native events ignores this function and calls the hooks of all of them.
    """
    native: list[Callback] = []
    per_task: list[tuple] = []
    for hooks in callbacks:
        owner = getattr(hooks, "owner", None)
        if owner is None or not owner._native or vars(owner).keys() & set(_HOOKS):
            per_task.append(hooks)
        else:
            native.append(owner)
    return native, per_task


# Sets of callbacks that are put aside while a scheduler runs, outermost first.
_put_aside: list[set] = []
_lock = threading.Lock()


@contextmanager
def local_callbacks(callbacks: Collection[tuple] | None = None) -> Iterator[Collection[tuple]]:
    """Take the active callbacks for one run of a scheduler.

    Inside the block no callback is active, so that a ``compute`` inside a task is not observed by
    the callbacks of the outer one. Runs may overlap in several threads and end in any order.

    Parameters
    ----------
    callbacks : collection of tuples, optional
        Callbacks to use in place of the active ones, which are then left as they are.
    """
    if callbacks is not None:
        yield callbacks or ()
        return
    fresh: set[tuple] = set()
    with _lock:
        taken = Callback.active
        _put_aside.append(taken)
        Callback.active = fresh
    try:
        # A copy: another thread may register callbacks while the caller goes through these.
        yield tuple(taken)
    finally:
        with _lock:
            _put_back(taken, fresh)


def _put_back(taken: set[tuple], fresh: set[tuple]) -> None:
    """End the run that took one set and made the other; what was added to it stays registered."""
    held = [id(callbacks) for callbacks in _put_aside]
    if Callback.active is fresh and _put_aside:
        below = Callback.active = _put_aside.pop()
    elif id(fresh) in held:
        # Another thread's run began after this one and still goes on.
        place = held.index(id(fresh))
        below = _put_aside[place - 1]
        del _put_aside[place]
    else:
        # Somebody assigned to ``Callback.active`` during the run.
        below = Callback.active = taken
        if id(taken) in held:
            del _put_aside[held.index(id(taken)) :]
    below.update(fresh)
