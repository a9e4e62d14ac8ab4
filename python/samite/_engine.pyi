"""The native module: lazy calls, the compiler from Python graphs to plans, and their runs."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextvars import Context
from os import PathLike
from typing import Any, Protocol, TypedDict, TypeVar, final

from typing_extensions import Self, Unpack

__version__: str

# The kernels of whole chunks, which `samite.array.kernels` describes.
_dense: Any

_NodeT = TypeVar("_NodeT", bound=Node)

# ---- lazy calls ----------------------------------------------------------------------------------

class Node:
    """A lazy call; the native base class of `samite.delayed.Delayed`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Node:
        """A call of the value: of the function of a leaf, of the method that an attribute is.

        The keywords ``dask_key_name`` and ``pure`` are not for the function.
        """

    @property
    def key(self) -> Any:
        """The key of the task, a string or a tuple that begins with one."""

    @property
    def _key(self) -> Any: ...
    @property
    def _length(self) -> int | None:
        """How many items iteration yields, where it is known."""

    @property
    def _node_pure(self) -> bool:
        """Whether equal parts make an equal key."""

    @property
    def _annotations(self) -> dict[str, Any] | None:
        """The annotations in force when the call was made."""

    def _parts(self) -> tuple[Any, ...]:
        """What the node is made of: a word and its parts.

        ``("call", func, args, kwargs)``, ``("method", name, args, kwargs)``, ``("attribute",
        name, args)``, ``("leaf", value, pure, nout)``, ``("literal", args, nout)``, ``("graph",
        graph, layer)`` or ``("collection", collection)``; ``kwargs`` may be None.
        """

    def _needs(self) -> list[Node]:
        """The nodes that this one needs, each once, leaves among them."""

@final
class Template:
    """A container with lazy values inside, as an argument of a lazy call."""

    def spec(self) -> Any:
        """The template as nested tuples, each beginning with a word of one letter."""

    def __dask_tokenize__(self) -> Any: ...

def make_leaf(
    cls: type[_NodeT],
    value: Any,
    key: Hashable | None = None,
    pure: bool | None = None,
    nout: int | None = None,
) -> _NodeT:
    """A value at hand."""

def make_attribute(cls: type[_NodeT], target: Node, name: str) -> _NodeT:
    """The lazy ``getattr(target, name)``."""

def make_literal(
    cls: type[_NodeT],
    value: Any,
    key: Hashable | None = None,
    pure: bool | None = None,
    nout: int | None = None,
) -> _NodeT | None:
    """A container with lazy values inside; None where there are none.

    Raises
    ------
    RecursionError
        If containers are nested too deep, or in themselves.
    """

def make_function_call(
    func: Any, args: tuple[Any, ...], pure: bool, length: int | None = None
) -> Node:
    """The lazy ``func(*args)``."""

def count_annotations(change: int) -> None:
    """Tell that a context of `samite.annotate` opens (1) or closes (-1)."""

def scan(args: tuple[Any, ...], traverse: bool) -> tuple[list[Node], Template] | None:
    """The lazy calls in the arguments of ``compute`` and a template for their values.

    None where anything but builtin containers, plain values and lazy calls is among them.
    """

def fill(template: Template, values: list[Any]) -> Any:
    """What `scan` was given, with values in place of lazy calls."""

# ---- runs ----------------------------------------------------------------------------------------

class _Callbacks(Protocol):
    def started(self, key: Any) -> None: ...
    def finished(self, key: Any, value: Any, worker: int) -> None: ...

class _NativeCallback(Protocol):
    def _attach(self, run: RunView) -> None: ...
    def _detach(self, run: RunView, errored: bool) -> None: ...

class _Processes(TypedDict):
    command: list[str]
    workers: int
    environment: dict[str, str]
    setup: bytes
    retries: int

class _Settings(TypedDict, total=False):
    threads: int
    memory_limit: int | None
    spill_folder: str | PathLike[str] | None
    context: Context | None
    callbacks: _Callbacks | None
    native: Sequence[_NativeCallback] | None
    submit: Callable[[BoundTask], Any] | None
    processes: _Processes | None

def run_nodes(nodes: list[Node], **settings: Unpack[_Settings]) -> list[Any]:
    """Compute lazy calls; the values in the order of ``nodes``.

    Raises
    ------
    ValueError
        If two different calls have one key.
    """

def run_graph(
    graph: dict[Any, Any],
    keys: list[Any],
    cache: Mapping[Any, Any] | None = None,
    **settings: Unpack[_Settings],
) -> list[Any]:
    """Compute keys of a dict graph; the values in the order of ``keys``.

    Raises
    ------
    KeyError
        If a wanted key is neither in the graph nor in the cache.
    ValueError
        If a task needs a key that is in neither.
    RuntimeError
        If the graph has a cycle.
    """

def order(dependencies: Sequence[Sequence[int]], outputs: Sequence[int] | None = None) -> list[int]:
    """Ranks of the tasks ``0..len(dependencies)`` in the engine's order; rank 0 runs first.

    Raises
    ------
    ValueError
        If there is a cycle, or a number that is no task.
    """

@final
class BoundTask:
    """A task with its inputs, for executors that the user brings."""

    @property
    def name(self) -> str:
        """The key of the task as text."""

    def __call__(self) -> Any:
        """Run the task here."""

    def parts(self) -> tuple[Any, list[Any]]:
        """The task as plain data, for `samite._worker`, and its inputs."""

@final
class RunView:
    """A run, for callbacks that look at it from outside."""

    @property
    def dsk(self) -> dict[Any, Any] | None:
        """The dict graph of the run, or None for lazy calls."""

    def progress(self) -> tuple[int, int, int, int, int]:
        """Tasks done, tasks in all, tasks running, bytes in memory and bytes on disk."""

    def events(self) -> list[tuple[Any, int, float, float, int]]:
        """Key, worker, start, end and bytes of each task that has run, in seconds of
        `time.perf_counter`."""

# ---- errors --------------------------------------------------------------------------------------

class MemoryLimitError(MemoryError):
    """Values that are needed in memory at once do not fit into the memory limit."""

class SpillError(OSError):
    """A result could not be written to the spill folder, or read back from it."""

class TaskPanicked(RuntimeError):
    """A native operation failed in a way that it should not; the process is unharmed."""

class WorkerProcessDied(RuntimeError):
    """A worker process ended while it ran a task: it was killed, or crashed."""

class RunCancelled(RuntimeError):
    """The run was cancelled before its results were there."""
