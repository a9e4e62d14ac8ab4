"""The native module: lazy calls, the compiler from Python graphs to plans, and their runs."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextvars import Context
from os import PathLike
from typing import Any, Literal, Protocol, TypedDict, TypeVar, final

from typing_extensions import Self, Unpack

__version__: str

# The kernels of whole chunks, which `samite.array.kernels` describes.
_dense: Any

_NodeT = TypeVar("_NodeT", bound=Node)
_FutureT = TypeVar("_FutureT", bound=FutureBase)

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

def kept_memory() -> int:
    """How many bytes of memory that arrays gave up are kept for the next ones."""

def trim_memory(bytes: int = 0) -> None:
    """Give memory that is kept back to the system, until at most so many bytes are kept."""

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

class UnexpectedBlock(Exception):
    """A function gave a block that is not what its array was said to consist of."""

class SpillError(OSError):
    """A result could not be written to the spill folder, or read back from it."""

class TaskPanicked(RuntimeError):
    """A native operation failed in a way that it should not; the process is unharmed."""

class WorkerProcessDied(RuntimeError):
    """A worker process ended while it ran a task: it was killed, or crashed."""

class RunCancelled(RuntimeError):
    """The run was cancelled before its results were there."""

# ---- arrays --------------------------------------------------------------------------------------

_Chunks = Sequence[Sequence[int]]

def resolve_ufunc(name: str, dtypes: Sequence[str]) -> tuple[list[str], str] | None:
    """The dtypes that the engine's loop takes and gives for arguments of these dtypes; None where
    there is no native one."""

def run_arrays(exprs: Sequence[ArrayExpr], **settings: Unpack[_Settings]) -> list[Any]:
    """Compute expressions, each to one NumPy array, or to a scalar where it has no axes.

    Raises
    ------
    MemoryLimitError
        If the results together are larger than the memory limit.
    """

class JsonLines:
    """Reads the values of a block of lines of JSON: some at a time, parsed without the interpreter.

    Parameters
    ----------
    block:
        A path, the first byte, the number of bytes (-1: to the end), and the compression.
    keys:
        The keys that dicts get; None: all.
    skips_blank:
        Whether lines of white space are passed over.
    universal:
        Whether carriage returns end lines too.
    """

    def __new__(
        cls,
        block: tuple[str, int, int, str | None],
        keys: Sequence[str] | None,
        skips_blank: bool,
        universal: bool,
    ) -> JsonLines: ...
    def read(
        self, parse: Callable[[str], tuple[list[Any], BaseException | None]]
    ) -> tuple[list[Any], BaseException | None] | Literal[False] | None:
        """The next records, and the error behind them or None. None at the end; False where the
        engine cannot read on.

        ``parse`` says what a line is that the engine has no exact value for."""

    def start(self, record: int) -> int | None:
        """The byte at which the line of a record of the last batch begins."""

    def lines_seen(self) -> int:
        """The number of lines of all batches so far."""

def run_bags(plans: Sequence[tuple[Any, ...]], **settings: Unpack[_Settings]) -> list[Any] | None:
    """Compute plans of bags (`samite.bag.native`): the records, or the value, of each.

    None where a record has no exact answer in the engine, or a file cannot be read.
    """

def persist_arrays(exprs: Sequence[ArrayExpr], **settings: Unpack[_Settings]) -> list[ArrayExpr]:
    """Compute the blocks of expressions; the expressions that hold them."""

def array_tasks(
    expr: ArrayExpr,
    memory_limit: int | None = None,
    folder: str | PathLike[str] | None = None,
    pieces: bool = False,
) -> list[tuple[int | None, ArrayTask, list[int]]]:
    """The tasks of an expression: the place of the block that each makes of the result, or None;
    the task; and the places in this list of those whose values it takes."""

@final
class NativeValue:
    """A value of the engine that Python code only passes on, such as a partial result."""

    def __reduce__(self) -> tuple[Any, ...]: ...
    @staticmethod
    def _of(kind: int, frames: list[Any]) -> NativeValue: ...
    def __sizeof__(self) -> int: ...

def graph_tasks(
    graph: dict[Any, Any], keys: list[Any]
) -> tuple[list[tuple[Any, tuple[Any, ...] | None, list[int]]], list[int]]:
    """The tasks that keys of a graph need, each after those whose values it takes: its key, its
    spec (`samite._worker.evaluate`) or None for the value of a future, and the places of those
    tasks. Then the places of the wanted ones."""

@final
class ArrayTask:
    """One task of an expression: a callable that the engine runs without the interpreter."""

    def __call__(self, *inputs: Any) -> Any: ...
    @property
    def __name__(self) -> str: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __dask_tokenize__(self) -> tuple[str, int, int]: ...
    @staticmethod
    def _of(expr: ArrayExpr, number: int, in_memory: int, pieces: bool) -> ArrayTask: ...
    @staticmethod
    def _of_block(block: Any, token: int, number: int) -> ArrayTask: ...

@final
class ArrayExpr:
    """A lazy array of native elements. Dtypes are NumPy's names, chunks block lengths by axis."""

    @staticmethod
    def from_numpy(
        array: Any,
        chunks: _Chunks,
        copy: bool,
        content: Callable[[], bytes] | None = None,
        file: bool = False,
    ) -> ArrayExpr | None:
        """A plain NumPy array; None where its elements are not native.

        It is read where it is, or copied. ``content()`` gives 16 bytes that stand for its elements.
        ``file`` says that it is a mapped file, of which nothing is in memory alone.
        """

    @staticmethod
    def stored(blocks: Sequence[Any], dtype: str, chunks: _Chunks) -> ArrayExpr | None:
        """Blocks that are at hand; None where one of them is no plain array of the dtype."""

    @staticmethod
    def full(value: Any, dtype: str, chunks: _Chunks) -> ArrayExpr: ...
    @staticmethod
    def iota(start: Any, step: Any, dtype: str, chunks: _Chunks) -> ArrayExpr: ...
    @staticmethod
    def random(
        distribution: str, parameters: Sequence[float], seed: bytes, dtype: str, chunks: _Chunks
    ) -> ArrayExpr | None:
        """Random numbers of a distribution by NumPy's name; None where there is no native one."""

    @staticmethod
    def random_integers(
        low: int, last: int, seed: bytes, dtype: str, chunks: _Chunks
    ) -> ArrayExpr: ...
    @staticmethod
    def map(ufunc: str, operands: Sequence[Any], types: Sequence[str], output: str) -> ArrayExpr:
        """A function of the elements of expressions and numbers, broadcast together."""

    @staticmethod
    def call(
        function: Callable[..., Any],
        arguments: Sequence[tuple[Any, ...]],
        keywords: Mapping[str, tuple[Any, ...]],
        inputs: Sequence[tuple[ArrayExpr, Sequence[int]]],
        dtype: str,
        chunks: _Chunks,
        name: str,
    ) -> ArrayExpr:
        """The blocks that a function makes of the blocks of other arrays, whose axes are paired
        with those of the result by numbers.

        Arguments are ``("block", n)`` for the block of an input, ``("constant", value)``, and
        ``("at", object, axes)`` for what an object has at the position of the block along axes of
        the result.
        """

    @staticmethod
    def reading(
        read: Callable[[Any, tuple[slice, ...]], Any],
        source: Any,
        dtype: str,
        chunks: _Chunks,
        name: str,
    ) -> ArrayExpr:
        """The parts of an object that has a shape and takes slices."""

    @staticmethod
    def concatenate(arrays: Sequence[ArrayExpr], axis: int) -> ArrayExpr: ...
    def cast(self, dtype: str) -> ArrayExpr: ...
    def view(self, axes: Sequence[int | None], chunks: Sequence[Sequence[int] | None]) -> ArrayExpr:
        """Axes of the array by number, or None for a new one, with its blocks."""

    def broadcast_to(self, chunks: _Chunks) -> ArrayExpr: ...
    def gather(
        self, runs: Sequence[Sequence[tuple[int, int, int]] | None], chunks: _Chunks
    ) -> ArrayExpr:
        """Other elements along each axis: ``(start, step, length)`` runs, or None for all."""

    def take(self, axis: int, positions: Sequence[int], chunks: _Chunks) -> ArrayExpr: ...
    def rechunk(self, chunks: _Chunks) -> ArrayExpr: ...
    def reduce(
        self,
        reduction: str,
        axes: Sequence[int],
        accumulator: str | None = None,
        ddof: float = 0.0,
        split_every: Sequence[int] = ...,
    ) -> ArrayExpr: ...
    def scan(self, scan: str, axis: int, output: str) -> ArrayExpr: ...
    def reshape(self, chunks: _Chunks) -> ArrayExpr: ...
    def matmul(self, other: ArrayExpr) -> ArrayExpr: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def ndim(self) -> int: ...
    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]: ...
    @property
    def numblocks(self) -> tuple[int, ...]: ...
    @property
    def operation(self) -> str: ...
    def blocks(self) -> list[Any] | None:
        """The blocks that it holds, in row-major order; None where they have to be computed."""

    @property
    def has_calls(self) -> bool:
        """Whether functions of Python's are part of it."""

    def token(self) -> str:
        """32 hexadecimal digits, equal for equal expressions in every process."""

    def tree(self) -> str: ...
    def explain(self) -> str: ...
    def __repr__(self) -> str: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    @staticmethod
    def _decode(bytes: bytes) -> ArrayExpr: ...

# ---- data frames ---------------------------------------------------------------------------------

_Piece = tuple[int, tuple[int, int] | None]

@final
class FrameScalar:
    """An expression over the columns of a relation."""

    @staticmethod
    def column(name: str) -> FrameScalar: ...
    @staticmethod
    def parameter(name: str, data_type: str, nullable: bool) -> FrameScalar:
        """A value that another plan computes, of a type by Arrow's name."""

    @staticmethod
    def literal(value: bool | int | float | str | None) -> FrameScalar:
        """A plain value; None and NaN are missing ones."""

    @staticmethod
    def timestamp(value: int, unit: str, zone: str | None = None) -> FrameScalar:
        """A moment since 1970, in UTC."""

    @staticmethod
    def duration(value: int, unit: str) -> FrameScalar: ...
    @staticmethod
    def call(function: str, arguments: Sequence[FrameScalar]) -> FrameScalar:
        """A function by its name. Raises NotImplementedError where the engine has none."""

    def cast(self, to: str) -> FrameScalar:
        """The value as another type, by Arrow's name."""

    def is_in(self, values: Sequence[FrameScalar]) -> FrameScalar:
        """Whether the value is one of some literals."""

    def __repr__(self) -> str: ...

@final
class FrameSchema:
    """The columns of a relation."""

    def __arrow_c_schema__(self) -> Any: ...
    def names(self) -> list[str]: ...
    def types(self) -> list[tuple[str, bool]]:
        """For each column Arrow's name of its type, and whether values may be missing."""

@final
class FrameBatches:
    """Computed rows, as a stream of Arrow."""

    def __len__(self) -> int: ...
    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...

@final
class FramePlan:
    """A relation that is to be computed.

    Methods that make plans raise NotImplementedError where there is no native form with pandas'
    meaning.
    """

    @staticmethod
    def text(
        separator: int,
        width: int,
        header: bytes,
        missing: Sequence[str],
        columns: Sequence[tuple[str, int, str]],
        blocks: Sequence[tuple[str | PathLike[str], int, int | None]],
    ) -> FramePlan:
        """Rows of files of delimited text: (name, position in a line, dtype) for each column, and
        for each partition (path, first byte, the one after the last, None for the file's end).

        Raises
        ------
        NotImplementedError
            When it runs: it is not certain what pandas would make of a row.
        """

    @staticmethod
    def parquet(
        paths: Sequence[str | PathLike[str]],
        columns: Sequence[str] | None = None,
        partitions: Sequence[Sequence[_Piece]] | None = None,
        by_row_group: bool = False,
    ) -> FramePlan:
        """Rows of Parquet files; a partition has parts of files: the file's position in ``paths``,
        and the first of its row groups and the one after the last, None for all. With
        ``by_row_group`` each row group is a partition."""

    @staticmethod
    def row_groups_of(paths: Sequence[str | PathLike[str]]) -> list[list[tuple[int, int]]]:
        """Rows and uncompressed bytes of each row group of each Parquet file."""

    @staticmethod
    def memory(partitions: Sequence[Any]) -> FramePlan:
        """Rows in memory: a partition for each object with ``__arrow_c_stream__``."""

    @staticmethod
    def concat(plans: Sequence[FramePlan]) -> FramePlan: ...
    @staticmethod
    def sql(query: str, tables: Sequence[tuple[str, FramePlan]]) -> FramePlan: ...
    @staticmethod
    def from_bytes(bytes: bytes) -> FramePlan: ...
    def to_bytes(self) -> bytes: ...
    def __reduce__(self) -> tuple[Any, tuple[bytes]]: ...
    def project(self, columns: Sequence[tuple[str, FrameScalar]]) -> FramePlan: ...
    def filter(self, condition: FrameScalar) -> FramePlan: ...
    def aggregate(
        self,
        keys: Sequence[str],
        aggregations: Sequence[tuple[str, str, str | None]],
        drop_missing: bool,
    ) -> FramePlan:
        """A row for each group; an aggregation is a name, a function and a column."""

    def join(
        self,
        right: FramePlan,
        kind: str,
        on: Sequence[tuple[str, str]],
        output: Sequence[tuple[str, str, str | int]],
    ) -> FramePlan:
        """Pairs of rows with equal keys; ``output`` has (name, "left", column),
        (name, "right", column) and (name, "key", position)."""

    def sort(
        self,
        keys: Sequence[tuple[str, bool, bool]],
        limit: int | None = None,
        stable: bool = True,
    ) -> FramePlan:
        """The rows in an order; a key is a column, whether it descends, and whether missing
        values come first."""

    def limit(self, offset: int, count: int) -> FramePlan: ...
    def bind(self, values: Sequence[tuple[str, FramePlan]]) -> FramePlan:
        """The rows, with values in the place of parameters, each from a plan of one value."""

    def parameters(self) -> list[str]: ...
    def distinct(self, subset: Sequence[str], keep: str) -> FramePlan:
        """The "first", the "last" or "any" one of rows with equal values in ``subset``."""

    def row_number(self, name: str) -> FramePlan: ...
    def lookup(
        self,
        table: FramePlan,
        keys: Sequence[tuple[str, str]],
        columns: Sequence[tuple[str, str]],
    ) -> FramePlan:
        """The rows with columns of a table that has one row for each key: pairs of keys, and names
        of new columns with those that they have in the table."""

    def window(
        self,
        keys: Sequence[str],
        columns: Sequence[tuple[str, str, str | None]],
        drop_missing: bool,
        parts: Sequence[int] | None = None,
    ) -> FramePlan:
        """The rows with columns that go on from row to row within groups: (name, function,
        column). The function is "cumsum", "cumprod", "cummin", "cummax", "cumcount", "ffill",
        "shift" and a number of rows, or "places" in parts of the rows of so many each."""

    @property
    def schema(self) -> FrameSchema: ...
    @property
    def partitions(self) -> int:
        """How many partitions there are that can be computed one by one."""

    def partition(self, position: int) -> FramePlan: ...
    def row_groups(self) -> list[list[int]] | None:
        """Rows of each row group of each file; None for what is no scan of files."""

    def execute(
        self,
        threads: int,
        memory_limit: int | None = None,
        spill_folder: str | PathLike[str] | None = None,
        large_text: bool = True,
        coded: Sequence[str] = (),
    ) -> FrameBatches: ...
    def explain(self, threads: int = 1) -> tuple[str, str, str]:
        """The plan as it was made, after the passes, and the engine's operators."""

    def analyze(
        self,
        threads: int,
        memory_limit: int | None = None,
        spill_folder: str | PathLike[str] | None = None,
    ) -> tuple[FrameBatches, list[tuple[int, str, int, int, float]]]:
        """The rows, and for each operator its depth, text, rows, bytes and seconds."""

    def __repr__(self) -> str: ...

class FutureBase:
    """A key that a client wants for as long as the object lives."""

    def __new__(
        cls, key: Any, client: ClusterClient | None = None, *args: Any, **kwargs: Any
    ) -> Self: ...
    @property
    def key(self) -> Any: ...
    def _note_pickled(self) -> None: ...
    @property
    def _samite_key(self) -> str: ...

class CallBatch:
    """Calls of one function, which are submitted piece by piece."""

    def __new__(
        cls,
        client: ClusterClient,
        func: Any,
        columns: tuple[Any, ...],
        keys: list[Any] | str,
        kwargs: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        counted: bool = False,
    ) -> Self:
        """Calls with columns of arguments, which are lists and ranges that nobody changes. ``keys``
        are those of the calls, or a prefix that the number which is the only argument
        follows; with ``counted`` the place of the call."""

    @property
    def can_wait(self) -> bool:
        """Whether pickling the calls later makes no difference."""

    @property
    def left(self) -> int:
        """How many calls are not submitted yet."""

    def submit(self, count: int) -> int:
        """Submit so many more calls; the bytes that go to the scheduler."""

    def abandon(self, reason: str) -> None:
        """Cancel the calls that were not submitted."""

    def make_futures(self, kind: type[_FutureT], client: Any) -> list[_FutureT]:
        """The futures of all calls, instances of ``kind`` with this ``_client``."""

def take_integers(columns: tuple[Any, ...]) -> bool:
    """Whether calls with these columns of arguments, lists and ranges, have one argument each,
    which is a whole number of 64 bits."""

class ClusterClient:
    """A connection to a scheduler."""

    def __new__(
        cls,
        address: str,
        *,
        name: str = "Client",
        security: dict[str, Any] | None = None,
        timeout: float = 30.0,
        connections: dict[str, Any] | None = None,
    ) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def scheduler_id(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    def submit_calls(
        self,
        keys: list[str],
        func: Any,
        args: list[tuple[Any, ...]],
        kwargs: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
    ) -> int: ...
    def submit_graph(
        self,
        graph: dict[Any, Any],
        outputs: list[Any],
        options: dict[str, Any] | None = None,
        sets: list[dict[str, Any]] | None = None,
        rows: dict[Any, int] | None = None,
    ) -> int: ...
    def held(self) -> list[tuple[str, int]]: ...
    def retain(self, keys: list[str]) -> None: ...
    def release(self, keys: list[str]) -> None: ...
    def status(self, key: str) -> str: ...
    def wait(self, keys: list[str], timeout: float | None = None, first: bool = False) -> bool: ...
    def gather(
        self, futures: Sequence[FutureBase | str], timeout: float | None = None, direct: bool = True
    ) -> list[Any]: ...
    def values(
        self, keys: list[str], timeout: float | None = None, direct: bool = True
    ) -> list[tuple[Any, ...]]: ...
    def value_here(self, key: str) -> tuple[Any] | None: ...
    def failure(self, key: str) -> tuple[BaseException, Any, str] | None: ...
    def watch(self, keys: list[str], callback: Callable[[str, str], Any]) -> None: ...
    def cancel(
        self, keys: list[str], force: bool = False, reason: str = "unknown", message: str = ""
    ) -> None: ...
    def retry(self, keys: list[str]) -> None: ...
    def scatter(
        self,
        keys: list[str],
        values: list[Any],
        workers: list[str] | None = None,
        broadcast: int = 1,
        timeout: float | None = None,
    ) -> None: ...
    def request(self, name: str, arguments: Any, timeout: float | None = None) -> Any: ...
    def request_later(
        self, name: str, arguments: Any, callback: Callable[[bool, Any], Any]
    ) -> None: ...
    def subscribe(self, topic: str, callback: Callable[[Any], Any]) -> None: ...
    def unsubscribe(self, topic: str) -> None: ...
    def close(self, timeout: float = 1.0) -> None: ...

class ClusterScheduler:
    """A scheduler on threads of its own."""

    def __new__(
        cls,
        listen: list[str],
        *,
        security: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
    ) -> Self: ...
    def show_pages(
        self,
        address: str,
        token: str | None = None,
        prefix: str = "",
        namespace: str | None = None,
    ) -> str: ...
    @property
    def addresses(self) -> list[str]: ...
    @property
    def id(self) -> str: ...
    def close(self, timeout: float = 5.0) -> None: ...

class ClusterWorker:
    """A worker on threads of its own."""

    def __new__(
        cls,
        scheduler: str,
        *,
        name: str,
        nthreads: int,
        memory_limit: int | None = None,
        resources: dict[str, float] | None = None,
        local_directory: str | None = None,
        listen: str,
        security: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        timeout: float = 30.0,
    ) -> Self: ...
    @property
    def address(self) -> str: ...
    @property
    def id(self) -> str: ...
    def wait(self, timeout: float | None = None) -> bool: ...
    def close(self, timeout: float = 5.0) -> None: ...

class TaskWorker:
    """What a task sees of the worker that runs it."""

    @property
    def name(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def scheduler(self) -> str: ...
    @property
    def scheduler_id(self) -> str: ...
    @property
    def nthreads(self) -> int: ...
    @property
    def memory_limit(self) -> int | None: ...

def current_task() -> tuple[TaskWorker, str, int] | None: ...
def running_tasks() -> list[tuple[int, str, str]]: ...
def current_worker() -> TaskWorker | None: ...
def secede() -> bool: ...
def rejoin() -> bool: ...
def generate_token() -> str: ...
def generate_credentials() -> dict[str, str]: ...
