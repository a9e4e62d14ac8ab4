"""Tasks of graphs on clusters of other makers: how they are written, and run on a worker.

A task travels as a pickle of its spec (`samite._worker`). What is large, or the same for many
tasks, is taken out of it: functions that are pickled by value, expressions of arrays, arrays in
memory. Each of those is *shared*: sent once, as a value of the cluster that tasks depend on.
"""

from __future__ import annotations

import io
import pickle
import sys
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

from samite import _engine
from samite._engine import ArrayExpr, FutureBase

# So many bytes a task may carry of what others carry too.
_SMALL = 4 << 10
# From here on, data travels by itself.
_LARGE = 1 << 16
# So many functions and expressions a worker keeps ready.
_KEPT = 64


class RemoteResult(FutureBase):
    """The value of a task that another maker's cluster keeps: what `persist` leaves in graphs.

    Its cluster keeps the value for as long as this object lives.
    """

    # The results of this process, by their keys, as the engine knows them.
    known: weakref.WeakValueDictionary[str, RemoteResult] = weakref.WeakValueDictionary()

    handle: Any
    client: Any

    def __new__(cls, key: str, handle: Any, client: Any) -> RemoteResult:
        self = super().__new__(cls, key)
        self.handle = handle
        self.client = client
        cls.known[key] = self
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            f"the value of {self._samite_key} is on a cluster that is not Samite's, which a pickle "
            "cannot refer to; compute the collection first, or write it to files"
        )

    def __dask_tokenize__(self) -> tuple[str, str]:
        return "samite.remote", self._samite_key

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._samite_key}>"


class RemoteTask(NamedTuple):
    """One task: its key, what it does (None for a value that the cluster keeps), and the places of
    the tasks whose values it takes."""

    key: Any
    spec: tuple[Any, ...] | None
    needs: list[int]

    def result(self) -> RemoteResult:
        """The result that this task without a spec stands for.

        Raises
        ------
        ValueError
            If it is a future of another cluster.
        """
        found = RemoteResult.known.get(self.key)
        if found is None:
            raise ValueError(
                f"the graph needs the future {self.key}, whose value is on a cluster of "
                "samite.distributed: compute it with that future's client, or gather it first"
            )
        return found


def tasks_of(graph: Any, keys: Sequence[Any]) -> tuple[list[RemoteTask], list[int]]:
    """The tasks that keys of a graph need, in an order in which they can be submitted, and the
    places of the wanted ones."""
    from samite._run import as_dict, limited_to

    # Elsewhere, what a graph moves does not go through this machine's memory or its files.
    with limited_to(sys.maxsize):
        dsk = as_dict(graph)
    rows, wanted = _engine.graph_tasks(dsk, list(keys))
    return [RemoteTask(*row) for row in rows], wanted


def annotations_of(
    dsk: Any, kwargs: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], dict[Any, int]]:
    """The sets of annotations that tasks have, and which of them each key has: the first one, or
    one of its own."""
    from samite._run import as_dict
    from samite.distributed._client_collections import _HEEDED, _sets_of_options
    from samite.distributed._options import task_options

    options = task_options(**{name: kwargs[name] for name in _HEEDED if name in kwargs})
    annotated = getattr(dsk, "__dask_annotations__", None)
    by_kind = annotated() if annotated is not None else None
    if not by_kind:
        return [options], {}
    sets, rows = _sets_of_options(as_dict(dsk), by_kind, options)
    return [options, *sets], rows


def nested(keys: Any, values: Mapping[Any, Any]) -> Any:
    """Values in the shape of keys."""
    if isinstance(keys, list):
        return [nested(key, values) for key in keys]
    return values[keys]


# ---- writing ------------------------------------------------------------------------------------


class TaskWriter:
    """Writes specs.

    Parameters
    ----------
    share:
        Makes a list of ``bytes`` and arrays of bytes a value of the cluster; what it returns is
        among the dependencies of tasks.
    handles:
        The class of what stands for values of the cluster, which may be among arguments.
    """

    def __init__(self, share: Callable[[list[Any]], Any], handles: type) -> None:
        self._share = share
        self._handles = handles
        # By address; the objects are kept, so that no other one gets theirs.
        self._known: dict[int, tuple[Any, tuple[Any, bool] | None]] = {}

    def write(self, task: RemoteTask) -> tuple[bytes, list[Any]]:
        """The pickle of a task, and the shared values that it is loaded with.

        Raises
        ------
        The exception of the pickler, with a note that names the task and what of it is to blame.
        """
        from samite._worker import dump_task

        target = io.BytesIO()
        pickler = _pickler()(target, self._reference)
        try:
            pickler.dump(task.spec)
        except Exception:
            dump_task(task.spec or (), str(task.key))  # raises, and says what is to blame
            raise
        return target.getvalue(), pickler.references

    def _reference(self, obj: Any) -> tuple[Any, bool] | None:
        """What stands for an object in tasks, and whether it is a shared one; or None."""
        kind = type(obj)
        if kind in _NEVER:
            return None
        if isinstance(obj, self._handles):
            return obj, False
        known = self._known.get(id(obj))
        if known is not None:
            return known[1]
        if kind is types.FunctionType or kind is ArrayExpr:
            frames = _frames(obj)
            large = sum(map(len, frames)) > _SMALL
        elif _is_large(obj):
            frames, large = _frames(obj), True
        else:
            return None
        reference = (self._share([_next_token(), *frames]), True) if large else None
        self._known[id(obj)] = (obj, reference)
        return reference


_NEVER = frozenset({int, float, complex, bool, str, type(None), tuple, list, dict, set, frozenset})


def _is_large(obj: Any) -> bool:
    if isinstance(obj, (bytes, bytearray)):
        return len(obj) > _LARGE
    kind = type(obj)
    if kind.__module__.partition(".")[0] == "pandas":
        if kind.__name__ not in ("DataFrame", "Series"):
            return False
        from samite.sizeof import sizeof

        return sizeof(obj) > _LARGE
    if not hasattr(kind, "nbytes"):
        return False
    try:
        return int(obj.nbytes) > _LARGE
    except Exception:  # such as a property that has no value yet
        return False


def _next_token() -> bytes:
    import uuid

    return uuid.uuid4().bytes


def _frames(obj: Any) -> list[Any]:
    """The pickle of an object and its buffers, as `bytes` or arrays of bytes."""
    from samite._pickling import dump_plainly

    pickled, *buffers = dump_plainly(obj)
    if not buffers:
        return [pickled]
    try:
        import numpy as np
    except ImportError:
        return [pickled, *map(bytes, buffers)]
    return [pickled, *(np.frombuffer(buffer, np.uint8) for buffer in buffers)]


def _pickler() -> Any:
    """The class of picklers; made when it is first asked for, since cloudpickle is not imported
    with this module."""
    global _Pickler
    if _Pickler is None:
        import cloudpickle

        class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
            """Takes out what is shared."""

            def __init__(self, target: Any, reference: Callable[[Any], Any]) -> None:
                super().__init__(target, protocol=5)
                self.reference = reference
                self.references: list[Any] = []

            def persistent_id(self, obj: Any) -> tuple[int, bool] | None:
                found = self.reference(obj)
                if found is None:
                    return None
                reference, shared = found
                for place, other in enumerate(self.references):
                    if other is reference:
                        return place, shared
                self.references.append(reference)
                return len(self.references) - 1, shared

        _Pickler = Pickler
    return _Pickler


_Pickler: Any = None


# ---- running ------------------------------------------------------------------------------------


def run_task(version: str, payload: bytes, shared: int, *values: Any) -> Any:
    """Run a task on a worker.

    Parameters
    ----------
    version:
        That of the Samite which wrote the task.
    payload:
        From :meth:`TaskWriter.write`.
    shared:
        So many of the values are what the task is loaded with; the others are its inputs.

    Raises
    ------
    RuntimeError
        If this worker has another version of Samite.
    """
    from samite._worker import evaluate

    if version != _engine.__version__:
        import socket

        raise RuntimeError(
            f"a task of samite {version} came to a worker on host {socket.gethostname()!r} that "
            f"has samite {_engine.__version__} ({sys.executable}); install samite=={version} there"
        )
    spec = _Unpickler(io.BytesIO(payload), values[:shared]).load()
    return evaluate(spec, iter(values[shared:]))


class _Unpickler(pickle.Unpickler):
    def __init__(self, source: Any, values: Sequence[Any]) -> None:
        super().__init__(source)
        self.values = values

    def persistent_load(self, reference: tuple[int, bool]) -> Any:
        place, shared = reference
        return _loaded(self.values[place]) if shared else self.values[place]


# Functions and expressions, by the tokens of their records.
_ready: OrderedDict[bytes, Any] = OrderedDict()
_guard = Lock()


def _loaded(record: Sequence[Any]) -> Any:
    """The object of a shared record: a token, its pickle, its buffers."""
    token, pickled, *buffers = record
    with _guard:
        if token in _ready:
            _ready.move_to_end(token)
            return _ready[token]
    loaded = pickle.loads(pickled, buffers=buffers)
    if isinstance(loaded, (types.FunctionType, ArrayExpr)):
        with _guard:
            _ready[token] = loaded
            while len(_ready) > _KEPT:
                _ready.popitem(last=False)
    return loaded


class TaskFailed:
    """A task's exception, as the value of the task and of all that would have taken it."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        self.frames = frames

    def original(self) -> BaseException:
        """The exception that the task raised, with its traceback."""
        from samite._pickling import load
        from samite._worker import remote_failure

        return remote_failure(load(self.frames))


def run_reporting(
    retries: int, version: str, payload: bytes, shared: int, *values: Any
) -> tuple[Any, TaskFailed | None]:
    """As :func:`run_task`, for a cluster that would change exceptions and does not try again.

    Returns
    -------
    The value, and None; a failure, twice, where the task or one before it has failed.
    """
    from samite._worker import dump_failure

    for value in values:
        if isinstance(value, TaskFailed):
            return value, value
    for attempt in range(retries + 1):
        try:
            return run_task(version, payload, shared, *values), None
        except Exception as error:
            if attempt < retries:
                continue
            failed = TaskFailed([bytes(frame) for frame in dump_failure(error)])
    return failed, failed


# Where the functions above are found on workers.
RUN_TASK = f"{__name__}:{run_task.__name__}"
RUN_REPORTING = f"{__name__}:{run_reporting.__name__}"


def missing_there(error: BaseException) -> ModuleNotFoundError | None:
    """What to say where a worker could not import this module; None for other errors."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    if not f"{__name__}.".startswith(f"{error.name}."):
        return None
    version = _engine.__version__
    return ModuleNotFoundError(
        f"a worker of the cluster has no samite {version} ({error}): install samite=={version} "
        "wherever the cluster runs tasks",
        name=error.name,
    )
