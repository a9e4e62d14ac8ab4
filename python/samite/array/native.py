"""Arrays of native elements: what the engine computes without calling NumPy.

An :class:`~samite.array.core.Array` may hold an expression of the engine in place of a graph. The
functions here make the expression of a result from those of its arguments. Each answers None
where there is no native form; its caller then goes the general way, on NumPy chunks. A graph of
Python tasks is written from an expression only when somebody asks for one.
"""

from __future__ import annotations

import operator
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from samite import _engine, config
from samite._annotations import get_annotations
from samite._run import memory_of_run
from samite._schedulers import on_cluster
from samite._task_spec import Task, TaskRef
from samite.array.native_power import power
from samite.array.utils import normalize_axes
from samite.highlevelgraph import HighLevelGraph, Layer
from samite.tokenize import tokenize

if TYPE_CHECKING:
    from samite.array.chunks import Chunks
    from samite.array.core import Array

Expr = _engine.ArrayExpr

# Elements that the engine computes with, in the byte order of the machine.
_DTYPES = frozenset(
    np.dtype(name)
    for name in (
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    )
)

_OPERATORS: Mapping[Any, str] = {
    operator.add: "add",
    operator.sub: "subtract",
    operator.mul: "multiply",
    operator.truediv: "true_divide",
    operator.floordiv: "floor_divide",
    operator.mod: "remainder",
    operator.pow: "power",
    operator.neg: "negative",
    operator.pos: "positive",
    operator.abs: "absolute",
    operator.invert: "invert",
    operator.and_: "bitwise_and",
    operator.or_: "bitwise_or",
    operator.xor: "bitwise_xor",
    operator.lshift: "left_shift",
    operator.rshift: "right_shift",
    operator.eq: "equal",
    operator.ne: "not_equal",
    operator.lt: "less",
    operator.le: "less_equal",
    operator.gt: "greater",
    operator.ge: "greater_equal",
}


def is_native(dtype: Any) -> bool:
    """Whether the engine computes with elements of a dtype."""
    return dtype in _DTYPES


def wrap(
    expr: Any,
    prefix: str | None = None,
    name: str | None = None,
    again: Callable[..., Array] | None = None,
    arrays: Sequence[Array] = (),
) -> Array:
    """The array of an expression.

    Parameters
    ----------
    prefix:
        What its name begins with; by default the name of the operation.
    name:
        Its name; by default made of a hash when it is asked for.
    again:
        Makes the array the general way, of the twins of ``arrays``; see :mod:`samite.array.calls`.
    """
    from samite.array.core import Array

    meta = _meta(expr.dtype, expr.ndim)
    if get_annotations() and not expr.has_calls:
        # They belong to the tasks of a layer, which the engine's passes would not keep apart.
        name = name or _named(expr, prefix)
        graph = HighLevelGraph({name: NativeLayer(name, expr)}, {name: set()})
        return Array(graph, name, expr.chunks, meta=meta)
    made = Array._of_expr(expr, meta, prefix, name)
    if again is not None and expr.has_calls:
        from samite.array.calls import Twin

        made._twin = Twin(again, arrays)
    return made


def is_general(x: Array) -> bool:
    """Whether what is made of an array has to be made the general way.

    So it is where functions of Python's are called under annotations: these belong to layers of a
    graph, which only the twin of such an array has.
    """
    return x._expr is None or (x._twin is not None and bool(get_annotations()))


_metas: dict[tuple[str, int], np.ndarray] = {}


def _meta(dtype: str, ndim: int) -> np.ndarray:
    meta = _metas.get((dtype, ndim))
    if meta is None:
        # Arrays without elements are never written to, so they can be shared.
        meta = _metas[dtype, ndim] = np.empty((0,) * ndim, dtype=dtype)
    return meta


# -- sources -------------------------------------------------------------------------------


def from_numpy(x: np.ndarray, chunks: Chunks) -> Any:
    """The expression of an array in memory, or None.

    What its owner changes later must not count, so that it is copied unless it is read-only or a
    file. A file is known by its name, its age and the place in it: reading it for a name would
    take as long as computing with it.
    """
    if not is_native(x.dtype):
        return None
    if type(x) is not np.memmap:
        return Expr.from_numpy(x, chunks, x.flags.writeable)
    plain = x.view(np.ndarray)
    identity = _file_identity(x, plain)
    if identity is None:
        return Expr.from_numpy(plain, chunks, True)
    # What was written to a private copy of a file is in memory alone.
    file = x.mode != "c"
    content = lambda: bytes.fromhex(tokenize(identity))  # noqa: E731
    return Expr.from_numpy(plain, chunks, False, content, file)


def _file_identity(x: np.memmap, plain: np.ndarray) -> tuple[Any, ...] | None:
    """What tells a part of a mapped file from others; None where there is no file."""
    mapped = getattr(x, "_mmap", None)
    if mapped is None or x.filename is None:
        return None
    start = np.frombuffer(mapped, np.uint8).__array_interface__["data"][0]
    place = plain.__array_interface__["data"][0] - start
    state = os.stat(x.filename)
    return (
        *(os.fspath(x.filename), state.st_mtime_ns, state.st_size, x.offset, place),
        *(plain.dtype.str, plain.shape, plain.strides),
    )


def full(value: Any, dtype: np.dtype, chunks: Chunks) -> Any:
    """The expression of one value everywhere, or None."""
    if not is_native(dtype):
        return None
    try:
        return Expr.full(value, dtype.name, chunks)
    except (TypeError, ValueError, OverflowError):
        return None


def arange(start: Any, step: Any, dtype: np.dtype, chunks: Chunks) -> Any:
    """The expression of ``start + i * step``, or None."""
    if not is_native(dtype) or dtype.kind not in "iuf" or dtype.itemsize < 4:
        return None
    try:
        first, second = np.array([start, start + step]).astype(dtype)
        # As NumPy does: the step is what the first two elements differ by.
        return Expr.iota(first, np.subtract(second, first, dtype=dtype), dtype.name, chunks)
    except (TypeError, ValueError, OverflowError):
        return None


def random(
    distribution: str,
    parameters: Mapping[str, Any],
    options: Mapping[str, Any],
    seeds: Any,
    meta: Any,
    chunks: Chunks,
) -> Any:
    """The expression of random numbers, or None.

    Parameters
    ----------
    distribution, parameters, options:
        As a generator of NumPy's calls its method, its parameters in their order, and its
        keywords.
    seeds:
        The seed state, of NumPy's own generators; others draw their numbers themselves.
    """
    if type(meta) is not np.ndarray or not is_native(meta.dtype) or not seeds.is_numpys:
        return None
    values = list(parameters.values())
    if set(options) - {"dtype", "endpoint"}:
        return None
    if not all(type(value) in (int, float) or isinstance(value, np.generic) for value in values):
        return None
    # Generators of different kinds draw different numbers from one seed, so these do too.
    kind = zlib.crc32(seeds.kind.encode())
    seed = np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, kind))
    words = seed.generate_state(4, np.uint64).tobytes()
    name = _DISTRIBUTIONS.get(distribution, distribution)
    try:
        if distribution in ("integers", "randint"):
            low, high = values[:2]
            if not float(low).is_integer() or not float(high).is_integer():
                return None
            dtype = meta.dtype.name
            last = int(high) - (not options.get("endpoint"))
            return Expr.random_integers(int(low), last, words, dtype, chunks)
        if meta.dtype.kind != "f" and name != "poisson":
            return None
        numbers = [float(value) for value in values]
        if distribution == "standard_normal":
            numbers = [0.0, 1.0]
        elif distribution == "standard_exponential":
            numbers = [1.0]
        elif distribution == "standard_gamma":
            numbers.append(1.0)
        return Expr.random(name, numbers, words, meta.dtype.name, chunks)
    except (TypeError, ValueError, OverflowError):
        # What is wrong with the parameters is for NumPy to say.
        return None


_DISTRIBUTIONS = {
    "random_sample": "random",
    "standard_normal": "normal",
    "standard_exponential": "exponential",
    "standard_gamma": "gamma",
}


# -- functions of elements -----------------------------------------------------------------

_loops: dict[Any, Any] = {}


def elementwise(op: Any, args: Sequence[Any], dtype: Any = None) -> Array | None:
    """The function of elements of arrays and numbers, or None."""
    from samite.array.core import Array

    name = _OPERATORS.get(op)
    if name is None:
        if isinstance(op, np.ufunc):
            name = op.__name__
        elif op is np.where and len(args) == 3:
            return _chosen(args, dtype)
        else:
            return None
    operands: list[Any] = []
    kinds: list[Any] = []
    for arg in args:
        if isinstance(arg, Array):
            if is_general(arg):
                return None
            operands.append(arg._expr)
            kinds.append(arg.dtype)
        else:
            kind = _kind_of_number(arg)
            if kind is None:
                return None
            operands.append(arg)
            kinds.append(kind)
    if name == "power":
        name, operands, kinds = power(operands, kinds, _loop, dtype, op is operator.pow)
        if name is None:
            return None
    loop = _loop(name, tuple(kinds), dtype)
    if loop is None:
        return None
    try:
        expr = Expr.map(name, operands, *loop)
    except (TypeError, ValueError, OverflowError):
        return None
    arrays = [arg for arg in args if isinstance(arg, Array)]
    prefix = name if not isinstance(op, np.ufunc) else op.__name__
    result = wrap(expr, prefix, None, _elementwise_again(op, args, dtype), arrays)
    from samite.array.blockwise import warn_of_many

    warn_of_many(result.npartitions, (arg.npartitions for arg in args if isinstance(arg, Array)))
    return result


def _elementwise_again(op: Any, args: Sequence[Any], dtype: Any) -> Callable[..., Array]:
    def again(*twins: Array) -> Array:
        from samite.array.core import Array
        from samite.array.elementwise import elemwise

        following = iter(twins)
        operands = [next(following) if isinstance(arg, Array) else arg for arg in args]
        return elemwise(op, *operands, dtype=dtype)

    return again


def _kind_of_number(arg: Any) -> Any:
    """What NumPy's rules of promotion need to know of a number; None for anything else."""
    kind = type(arg)
    if kind is bool:
        return np.dtype(bool)
    if kind in (int, float, complex):
        return kind
    if isinstance(arg, np.generic) and is_native(arg.dtype):
        return arg.dtype
    if kind is np.ndarray and not arg.ndim and is_native(arg.dtype):
        return arg.dtype
    return None


def _loop(name: str, kinds: tuple[Any, ...], dtype: Any) -> tuple[list[str], str] | None:
    """The dtypes that the function takes and gives, as NumPy chooses them."""
    key = (name, kinds, dtype)
    try:
        return _loops[key]
    except KeyError:
        pass
    ufunc = getattr(np, name, None)
    found = None
    if isinstance(ufunc, np.ufunc) and ufunc.nout == 1 and ufunc.nin == len(kinds):
        chosen = {} if dtype is None else {"signature": (None,) * ufunc.nin + (np.dtype(dtype),)}
        try:
            types = ufunc.resolve_dtypes((*kinds, None), **chosen)
        except TypeError:
            types = ()
        if types and all(is_native(kind) for kind in types):
            # The engine has no loop of its own for each of NumPy's: truth, say, is found of bools.
            names = [kind.name for kind in types]
            known = _engine.resolve_ufunc(name, names[:-1])
            found = known if known is not None and known[1] == names[-1] else None
    if len(_loops) > 10_000:
        _loops.clear()
    _loops[key] = found
    return found


def _chosen(args: Sequence[Any], dtype: Any) -> Array | None:
    """``where(condition, x, y)``."""
    from samite.array.core import Array

    condition, *values = args
    if dtype is not None or not isinstance(condition, Array) or condition.dtype.kind != "b":
        return None
    operands: list[Any] = [condition._expr]
    kinds: list[Any] = []
    for value in values:
        if isinstance(value, Array):
            operands.append(value._expr)
            kinds.append(value.dtype)
        elif _kind_of_number(value) is not None:
            operands.append(value)
            kinds.append(value)
        else:
            return None
    if any(is_general(arg) for arg in args if isinstance(arg, Array)):
        return None
    result = np.result_type(*kinds)
    if not is_native(result):
        return None
    try:
        expr = Expr.map("where", operands, ["bool", result.name, result.name], result.name)
    except (TypeError, ValueError, OverflowError):
        return None
    arrays = [arg for arg in args if isinstance(arg, Array)]
    return wrap(expr, None, None, _elementwise_again(np.where, args, None), arrays)


def astype(x: Array, dtype: np.dtype) -> Array | None:
    """Another dtype, or None."""
    if is_general(x) or not is_native(dtype):
        return None
    if x.dtype.kind == "c" and dtype.kind not in "cb":
        # NumPy warns of what gets lost.
        return None
    again = lambda x: x.astype(dtype)  # noqa: E731
    return wrap(x._expr.cast(dtype.name), "astype", None, again, [x])


# -- axes, elements and chunks -------------------------------------------------------------


def transpose(x: Array, axes: Sequence[int]) -> Array | None:
    """The axes in another order, or None."""
    if is_general(x):
        return None
    again = lambda x: x.transpose(tuple(axes))  # noqa: E731
    expr = x._expr.view(list(axes), [None] * len(axes))
    return wrap(expr, "transpose", None, again, [x])


def broadcast_to(x: Array, chunks: Chunks) -> Array | None:
    """The array repeated along new axes and those of length one, or None."""
    if is_general(x):
        return None

    def again(x: Array) -> Array:
        from samite.array.broadcasting import broadcast_to

        return broadcast_to(x, tuple(map(sum, chunks)), chunks=chunks)

    return wrap(x._expr.broadcast_to(chunks), "broadcast_to", None, again, [x])


def rechunk(x: Array, chunks: Chunks) -> Array | None:
    """The array in other chunks, or None."""
    if is_general(x):
        return None
    again = lambda x: x.rechunk(chunks)  # noqa: E731
    return wrap(x._expr.rechunk(chunks), "rechunk-merge", None, again, [x])


def reshape(x: Array, chunks: Chunks) -> Array | None:
    """The chunks in order in other shapes, or None."""
    if is_general(x):
        return None

    def again(x: Array) -> Array:
        from samite.array.reshape import reshaped

        return reshaped(x, chunks)

    return wrap(x._expr.reshape(chunks), "reshape", None, again, [x])


def concatenate(arrays: Sequence[Array], axis: int) -> Array | None:
    """Arrays of one dtype end to end, or None."""
    exprs = [a._expr for a in arrays]
    if any(map(is_general, arrays)) or len({a.dtype for a in arrays}) > 1:
        return None

    def again(*arrays: Array) -> Array:
        from samite.array.concatenation import concatenate

        return concatenate(arrays, axis)

    return wrap(Expr.concatenate(exprs, axis), "concatenate", None, again, arrays)


def stack(arrays: Sequence[Array], axis: int) -> Array | None:
    """Arrays of one dtype along a new axis, or None."""
    exprs = [a._expr for a in arrays]
    if any(map(is_general, arrays)) or len({a.dtype for a in arrays}) > 1:
        return None
    places: list[int | None] = list(range(arrays[0].ndim))
    places.insert(axis, None)
    views = [expr.view(places, [None] * len(places)) for expr in exprs]

    def again(*arrays: Array) -> Array:
        from samite.array.concatenation import stack

        return stack(arrays, axis)

    return wrap(Expr.concatenate(views, axis), "stack", None, again, arrays)


def sliced(x: Array, parts: Sequence[Any]) -> Array | None:
    """What integers, slices and None pick, the parts being normalized; or None."""
    if is_general(x):
        return None
    runs: list[Any] = []
    chunks: list[Any] = []
    places: list[int | None] = []
    lengths = iter(zip(x.shape, x.chunks))
    axis = 0
    for part in parts:
        if part is None:
            places.append(None)
            continue
        length, sizes = next(lengths)
        if isinstance(part, int):
            runs.append([(part, 1, 1)])
            chunks.append((1,))
        else:
            wanted = range(length)[part]
            if len(wanted) == length and wanted.step > 0:
                runs.append(None)
                chunks.append(sizes)
            else:
                runs.append([(wanted.start, wanted.step, len(wanted))])
                chunks.append(_cut_sizes(sizes, wanted))
            places.append(axis)
        axis += 1
    expr = x._expr
    if any(run is not None for run in runs):
        expr = expr.gather(runs, chunks)
    if places != list(range(axis)):
        expr = expr.view(places, [None] * len(places))
    again = lambda x: x[tuple(parts)]  # noqa: E731
    return wrap(expr, "getitem", None, again, [x])


def _cut_sizes(sizes: Sequence[int], wanted: range) -> tuple[int, ...]:
    """How many elements of each block a range picks, in its order; blocks without any go."""
    if not len(wanted):
        return (0,)
    forward = wanted if wanted.step > 0 else wanted[::-1]
    edges = np.concatenate(([0], np.cumsum(sizes)))
    before = np.clip(-(-(edges - forward.start) // forward.step), 0, len(forward))
    counts = np.diff(before)
    counts = counts[counts > 0]
    return tuple((counts if wanted.step > 0 else counts[::-1]).tolist())


def taken(x: Array, groups: Sequence[np.ndarray], axis: int) -> Array | None:
    """The elements at positions along an axis, a block for each group; or None."""
    if is_general(x):
        return None
    chunks = list(x.chunks)
    chunks[axis] = tuple(len(group) for group in groups) or (0,)
    positions = np.concatenate(groups).tolist() if len(groups) else []

    def again(x: Array) -> Array:
        from samite.array._shuffle import in_groups

        return in_groups(x, groups, axis)

    return wrap(x._expr.take(axis, positions, chunks), "getitem", None, again, [x])


# -- many elements to one ------------------------------------------------------------------


def reduce(
    x: Array,
    kind: str,
    axes: Sequence[int],
    keepdims: bool,
    split_every: Any,
    dtype: Any = None,
    ddof: float = 0.0,
    prefix: str | None = None,
) -> Array | None:
    """A reduction along axes, or None.

    Parameters
    ----------
    dtype:
        The dtype that sums and products are formed in.
    """
    if is_general(x) or not axes:
        return None
    if dtype is not None and not is_native(dtype):
        return None
    from samite import config
    from samite.array.trees import split_steps

    # Where nobody asks for a number, the engine goes by the sizes of the blocks.
    own_split = split_every is None and not config.get("split_every", None)
    steps = {} if own_split else split_steps(split_every, tuple(axes))
    asked, axes = axes, sorted(axes)
    try:
        expr = x._expr.reduce(
            kind,
            axes,
            None if dtype is None else dtype.name,
            float(ddof),
            [steps[axis] for axis in axes] if steps else [],
        )
    except TypeError:
        return None
    if keepdims:
        kept = iter(range(expr.ndim))
        places = [None if axis in axes else next(kept) for axis in range(x.ndim)]
        expr = expr.view(places, [None] * x.ndim)

    def again(x: Array) -> Array:
        import samite.array as functions

        position = kind.startswith(("arg", "nanarg"))
        axis = (asked[0] if len(asked) == 1 else None) if position else tuple(asked)
        options = {"axis": axis, "keepdims": keepdims, "split_every": split_every}
        return getattr(functions, kind)(x, **options)

    return wrap(expr, f"{prefix or kind}-aggregate", None, again, [x])


def total(
    x: Array, func: Callable, axis: Any, dtype: np.dtype, keepdims: bool, split_every: Any
) -> Array | None:
    """``func``, one of NumPy's sums and products, or None."""
    if is_general(x):
        return None
    axes = normalize_axes(axis, x.ndim)
    kind = func.__name__
    original = x
    if kind.startswith("nan"):
        name = "nan_to_zero" if kind == "nansum" else "nan_to_one"
        if x.dtype.kind in "fc":
            x = wrap(Expr.map(name, [x._expr], [x.dtype.name], x.dtype.name))
    plain = kind.removeprefix("nan")
    result = reduce(x, plain, axes, keepdims, split_every, dtype, 0.0, kind)
    options = {"axis": axis, "dtype": dtype, "keepdims": keepdims, "split_every": split_every}
    return _remembered(result, kind, original, options)


def _remembered(
    result: Array | None, name: str, x: Array, options: Mapping[str, Any]
) -> Array | None:
    """A result that has :mod:`samite.array`'s function of this name as its general form."""
    if result is not None and result._expr.has_calls:
        from samite.array.calls import Twin

        def again(x: Array) -> Array:
            import samite.array as functions

            return getattr(functions, name)(x, **options)

        result._twin = Twin(again, [x])
    return result


def moments(
    x: Array,
    func: Callable,
    axis: Any,
    dtype: np.dtype,
    keepdims: bool,
    split_every: Any,
    ddof: float | None,
    default: bool,
) -> Array | None:
    """``func``, one of NumPy's means, variances and standard deviations, or None; ``default``
    tells that ``dtype`` is what NumPy gives if it is not told one."""
    if is_general(x) or not default:
        return None
    axes = normalize_axes(axis, x.ndim)
    kind = func.__name__.replace("std", "var")
    result = reduce(x, kind, axes, keepdims, split_every, None, ddof or 0.0, func.__name__)
    if result is None or result.dtype != (dtype if "std" not in func.__name__ else result.dtype):
        return None
    if "std" in func.__name__:
        root = Expr.map("sqrt", [result._expr], [result.dtype.name], result.dtype.name)
        result = wrap(root, prefix=f"{func.__name__}-aggregate")
    if result.dtype != dtype:
        return None
    options = {"axis": axis, "keepdims": keepdims, "split_every": split_every}
    if ddof is not None:
        options["ddof"] = ddof
    return _remembered(result, func.__name__, x, options)


def cumulative(x: Array, kind: str, axis: int, dtype: np.dtype) -> Array | None:
    """A running ``"sum"`` or ``"prod"``, or None."""
    if is_general(x) or not is_native(dtype) or dtype.kind == "b":
        return None
    try:
        result = wrap(x._expr.scan(kind, axis, dtype.name), prefix=f"cum{kind}")
    except TypeError:
        return None
    return _remembered(result, f"cum{kind}", x, {"axis": axis, "dtype": dtype})


def cumulative_nan(x: Array, kind: str, axis: int, dtype: np.dtype) -> Array | None:
    """A running ``"sum"`` or ``"prod"`` of what is not NaN, or None."""
    if is_general(x):
        return None
    replace = "nan_to_zero" if kind == "sum" else "nan_to_one"
    there = x
    if x.dtype.kind in "fc":
        there = wrap(Expr.map(replace, [x._expr], [x.dtype.name], x.dtype.name))
    result = cumulative(there, kind, axis, dtype)
    return _remembered(result, f"nancum{kind}", x, {"axis": axis, "dtype": dtype})


def matmul(a: Array, b: Array) -> Array | None:
    """The product of two matrices, or None."""
    if is_general(a) or is_general(b) or a.ndim != 2 or b.ndim != 2:
        return None
    dtype = np.result_type(a.dtype, b.dtype)
    if not is_native(dtype) or dtype.kind not in "fc" or dtype.itemsize < 4:
        return None
    if not (a.size and b.size):
        return None

    def again(a: Array, b: Array) -> Array:
        from samite.array.products import matmul

        return matmul(a, b)

    expr = a._expr.cast(dtype.name).matmul(b._expr.cast(dtype.name))
    return wrap(expr, "matmul", None, again, [a, b])


# -- graphs and values ---------------------------------------------------------------------


def name_of(x: Array) -> str:
    """The name that an array has by its expression, or that of its twin."""
    if x._twin is not None:
        from samite.array.calls import twin_of

        return twin_of(x)._name
    return _named(x._expr, x._prefix)


def _named(expr: Any, prefix: str | None) -> str:
    return f"{prefix or expr.operation}-{expr.token()}"


def graph_of(x: Array) -> HighLevelGraph:
    """The graph of an array's expression: one layer, whose tasks the engine runs natively; or that
    of its twin."""
    if x._twin is not None:
        from samite.array.calls import twin_of

        return twin_of(x).dask
    stored = x._expr.blocks()
    layer: Any = NativeLayer(x._name, x._expr)
    if stored is not None:
        places = np.ndindex(*x._expr.numblocks)
        layer = {(x._name, *place): block for place, block in zip(places, stored)}
    return HighLevelGraph({x._name: layer}, {x._name: set()})


def _in_pieces() -> bool:
    """Whether blocks that are cut anew are moved in pieces: between the workers of a cluster."""
    return config.get("array.rechunk.method", None) in (None, "p2p") and on_cluster()


class NativeLayer(Layer):
    """The tasks of an expression, written when somebody looks at them."""

    def __init__(self, name: str, expr: Any, annotations: Any = None) -> None:
        super().__init__(annotations)
        self.name = name
        self.expr = expr
        self._tasks: dict[Any, Any] | None = None

    def _materialized(self) -> dict[Any, Any]:
        if self._tasks is None:
            blocks = list(np.ndindex(*self.expr.numblocks))
            rows = _engine.array_tasks(self.expr, *memory_of_run(), _in_pieces())
            keys = [
                (self.name, *blocks[block]) if block is not None else (f"{self.name}-part", place)
                for place, (block, _, _) in enumerate(rows)
            ]
            self._tasks = {
                key: Task(key, run, *(TaskRef(keys[need]) for need in needs))
                for key, (_, run, needs) in zip(keys, rows)
            }
        return self._tasks

    def is_materialized(self) -> bool:
        return self._tasks is not None

    def get_output_keys(self) -> set[Any]:
        return {(self.name, *block) for block in np.ndindex(*self.expr.numblocks)}

    def get_dependencies(self, key: Any, all_hlg_keys: Any) -> set[Any]:
        # Tasks inside the layer have keys that no other layer knows.
        return set(self[key].dependencies)

    def __getitem__(self, key: Any) -> Any:
        return self._materialized()[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._materialized())

    def __len__(self) -> int:
        return len(self._materialized())

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.name, self.expr, self.annotations))
