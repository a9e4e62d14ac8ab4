"""Lazy arrays made of what is there already: arrays, files, lazy values and lists."""

from __future__ import annotations

import functools
import uuid
import warnings
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import DataNode, Task, TaskRef
from samite.array import native
from samite.array.calls import calling, reading
from samite.array.chunk_types import is_valid_chunk_type
from samite.array.chunks import Chunks, has_unknown, is_unknown, normalize_chunks
from samite.array.core import Array, make_array
from samite.array.locking import held
from samite.array.utils import meta_from_array
from samite.base import is_dask_collection, tokenize
from samite.blockwise import Blockwise, blockwise_token
from samite.highlevelgraph import HighLevelGraph
from samite.layers import ArraySliceDep
from samite.utils import SerializableLock, has_keyword, is_arraylike

__all__ = [
    "array",
    "asanyarray",
    "asarray",
    "from_array",
    "from_delayed",
    "from_func",
    "getter",
    "getter_inline",
    "getter_nofancy",
    "graph_from_arraylike",
]


def from_array(
    x: Any,
    chunks: Any = "auto",
    name: str | bool | None = None,
    lock: Any = False,
    asarray: bool | None = None,
    fancy: bool = True,
    getitem: Callable | None = None,
    meta: Any = None,
    inline_array: bool = False,
) -> Array:
    """A lazy array over anything that has a shape, a dtype and slices.

    A NumPy array is cut at once, and its parts are copied; what is changed in it later does not
    count. Everything else is read, slice by slice, when it is needed.

    Parameters
    ----------
    x:
        A NumPy array, a memory map, a dataset of HDF5 or Zarr, and the like.
    chunks:
        How to cut it; see :func:`~samite.array.chunks.normalize_chunks`. Automatic chunks are
        multiples of those that ``x`` is stored in.
    name:
        The name of the result; by default made of a hash of ``x``. False for a random name,
        which spares the hash.
    lock:
        A lock that is held while ``x`` is read; True for one of our own.
    asarray:
        Whether what is read becomes a NumPy array; by default unless ``x`` has NumPy's
        protocols itself.
    fancy:
        Whether ``x`` takes lists as indices.
    getitem:
        Reads a part: called with ``x`` and slices, and with ``asarray`` and ``lock`` where
        it takes these and they are not the default.
    meta:
        An empty array like the chunks.
    inline_array:
        Whether ``x`` is put into every task, rather than into one of its own.

    Raises
    ------
    ValueError
        If ``x`` is a lazy array already, or the chunks do not fit its shape. When the array is
        computed, also if a part that was read has not the shape that was asked for.
    NotImplementedError
        If chunks have to be chosen for Python objects.

    Examples
    --------
    >>> import numpy as np
    >>> from_array(np.arange(10), chunks=5).sum().compute()
    np.int64(45)
    """
    if isinstance(x, Array):
        raise ValueError("Array is already a samite array. Use 'asarray' or 'rechunk' instead.")
    inner = _lazy_inside(x)
    if inner is not None:
        return inner if chunks == "auto" else inner.rechunk(chunks)
    if is_dask_collection(x):
        warnings.warn(
            "Passing an object to from_array which is already a lazy collection. This can lead "
            "to unexpected behavior: its parts are computed inside of tasks",
            UserWarning,
            stacklevel=2,
        )
    if isinstance(x, (list, tuple, memoryview, str, bytes, bool, int, float, complex, np.generic)):
        x = np.array(x)
    if asarray is None:
        asarray = not (hasattr(x, "__array_function__") or is_valid_chunk_type(type(x)))
    shape, dtype = x.shape, getattr(x, "dtype", None)
    if dtype is None and meta is None:
        raise TypeError(
            f"from_array needs to know the dtype of a {type(x).__name__}: it has no attribute "
            "'dtype', so give meta="
        )
    chunks = normalize_chunks(chunks, shape, dtype=dtype, previous_chunks=_stored_chunks(x))
    given = None if name in (None, True) else str(name) if name else f"array-{uuid.uuid4()}"
    if type(x) in (np.ndarray, np.memmap) and not lock and getitem is None:
        plain_meta = meta is None or type(meta) is np.ndarray and meta.dtype == dtype
        expr = native.from_numpy(x, chunks) if plain_meta else None
        if expr is not None:
            return native.wrap(expr, "array", given)
    if lock is True:
        lock = SerializableLock()
    asked_meta = meta
    if meta is None and (asarray or isinstance(x, np.memmap)):
        meta = np.empty((0,) * len(shape), dtype=dtype)
    elif meta is None:
        meta = meta_from_array(x)
    if not isinstance(x, np.ndarray):
        read, options = _reader(getitem or (getter if fancy else getter_nofancy), asarray, lock)
        plain_meta = meta_from_array(meta, ndim=len(chunks), dtype=dtype)
        result = reading(
            functools.partial(read, **options) if options else read,
            x,
            chunks,
            plain_meta,
            given,
            lambda: from_array(
                x, chunks, given, lock, asarray, fancy, getitem, asked_meta, inline_array
            ),
            movable=getitem is None,
        )
        if result is not None:
            return result
    if given is None:
        given = f"array-{tokenize(x, chunks, lock, asarray, fancy, getitem, inline_array)}"
    name = given
    plain = type(x) is np.ndarray or (type(x) is np.ma.MaskedArray and not asarray)
    if plain and not lock:
        return Array(_memory_layer(name, x, chunks), name, chunks, dtype=dtype, meta=meta)
    if isinstance(x, np.ndarray) and not isinstance(x, np.memmap):
        # What is changed in the caller's array later must not count.
        x = x.copy()
    graph = graph_from_arraylike(
        x,
        chunks,
        shape,
        name,
        getitem=getitem or (getter if fancy else getter_nofancy),
        lock=lock,
        asarray=asarray,
        dtype=dtype,
        inline_array=inline_array,
    )
    return Array(graph, name, chunks, meta=meta, dtype=dtype)


def _lazy_inside(x: Any) -> Array | None:
    """The lazy array that a labelled one, such as xarray's, holds; None for anything else."""
    if type(x).__module__.partition(".")[0] != "xarray":
        return None
    inner = getattr(x, "data", None)
    return inner if isinstance(inner, Array) else None


def _stored_chunks(x: Any) -> Any:
    """The chunks that a file is read in; None where there are none."""
    for attribute in ("shards", "chunks"):
        sizes = getattr(x, attribute, None)
        if isinstance(sizes, (tuple, list)) and len(sizes) == len(x.shape):
            return tuple(sizes)
    return None


def _memory_layer(name: str, x: np.ndarray, chunks: Chunks) -> dict[Any, Any]:
    places = ArraySliceDep(chunks)
    layer = {}
    for block in product(*(range(len(sizes)) for sizes in chunks)):
        key = (name, *block)
        layer[key] = x[places[block]].copy() if x.ndim else x.copy()
    return layer


def graph_from_arraylike(
    arr: Any,
    chunks: Any,
    shape: Sequence[int],
    name: str,
    getitem: Callable | None = None,
    lock: Any = False,
    asarray: bool = True,
    dtype: Any = None,
    inline_array: bool = False,
) -> HighLevelGraph:
    """The graph of an array whose chunks are slices of an object.

    Parameters
    ----------
    arr:
        The object; it is in the graph once, or in every task if ``inline_array``.
    name:
        The name that the keys of the chunks begin with.
    """
    chunks = normalize_chunks(chunks, tuple(shape), dtype=dtype)
    getitem, options = _reader(getitem or getter, asarray, lock)
    indices = tuple(range(len(shape)))
    task = Task(
        name,
        getitem,
        TaskRef(blockwise_token(0)),
        TaskRef(blockwise_token(1)),
        _data_producer=True,
        **options,
    )
    layers: dict[str, Any] = {}
    dependencies: dict[str, set[str]] = {name: set()}
    source: Any = DataNode(None, arr)
    if not inline_array:
        original = f"original-{name}"
        layers[original] = {original: _as_graph_value(original, arr)}
        dependencies = {original: set(), name: {original}}
        source = TaskRef(original)
    layers[name] = Blockwise(
        name, indices, task, [(source, None), (ArraySliceDep(chunks), indices)], {}
    )
    return HighLevelGraph(layers, dependencies)


def _reader(getitem: Callable, asarray: bool, lock: Any) -> tuple[Callable, dict[str, Any]]:
    """The function that reads a part, and its keywords."""
    if asarray and not lock:
        return getitem, {}
    if has_keyword(getitem, "asarray") and has_keyword(getitem, "lock"):
        return getitem, {"asarray": asarray, "lock": lock}
    # A function of its own that knows nothing of them reads as it likes, under the lock.
    return (functools.partial(_locked, getitem, lock) if lock else getitem), {}


def _locked(getitem: Callable, lock: Any, a: Any, b: Any) -> Any:
    with held(lock):
        return getitem(a, b)


def _as_graph_value(key: str, value: Any) -> Any:
    """What can be mistaken for a task or a key is wrapped; arrays and files cannot."""
    plain = hasattr(value, "shape") and hasattr(type(value), "__getitem__")
    return value if plain else DataNode(key, value)


def getter(a: Any, b: Any, asarray: bool = True, lock: Any = None) -> Any:
    """The part of an array-like object at an index, in memory.

    Parameters
    ----------
    asarray:
        Whether the part becomes a NumPy array.
    lock:
        Held while the part is read.

    Raises
    ------
    ValueError
        If the part has another shape than the slices ask for.
    """
    if isinstance(b, tuple) and any(part is None for part in b):
        # Files have no axes of length one to add, so these are added in memory.
        whole = getter(a, tuple(part for part in b if part is not None), asarray, lock)
        return whole[tuple(None if part is None else slice(None)
                           for part in b if part is None or isinstance(part, slice))]  # fmt: skip
    with held(lock):
        part = a[b]
        # Some libraries read no sooner than this, so it belongs under the lock.
        if asarray:
            part = np.asarray(part)
    _check_shape(a, b, part)
    return part


def getter_nofancy(a: Any, b: Any, asarray: bool = True, lock: Any = None) -> Any:
    """As :func:`getter`, for objects that take nothing but slices and integers."""
    return getter(a, b, asarray, lock)


def getter_inline(a: Any, b: Any, asarray: bool = True, lock: Any = None) -> Any:
    """As :func:`getter`, for objects that are part of every task."""
    return getter(a, b, asarray, lock)


def _check_shape(source: Any, index: Any, part: Any) -> None:
    found = getattr(part, "shape", None)
    if not isinstance(index, tuple) or not isinstance(found, tuple):
        return
    if not all(
        isinstance(place, slice) and isinstance(place.start, int)
        and isinstance(place.stop, int) and place.step in (None, 1)
        for place in index
    ):  # fmt: skip
        return
    wanted = tuple(place.stop - place.start for place in index)
    dimensions = len(getattr(source, "shape", wanted))
    if found != wanted and (len(found) == len(wanted) or dimensions == len(wanted)):
        raise ValueError(
            f"a {type(source).__name__} gave a part of shape {found} where the slices {index} ask "
            f"for {wanted}: the source does not have the shape that it said it has"
        )


def from_delayed(
    value: Any,
    shape: Sequence[int],
    dtype: Any = None,
    meta: Any = None,
    name: str | None = None,
) -> Array:
    """An array of one chunk from a lazy value.

    Parameters
    ----------
    value:
        What :func:`samite.delayed` makes.
    shape:
        The shape of the value; ``nan`` for lengths that are not known.
    dtype, meta:
        The dtype, or an empty array like the value.

    Raises
    ------
    ValueError
        If neither dtype nor meta is given; when computed, if the value has another shape.
    """
    from samite.delayed import Delayed, delayed

    if dtype is None and meta is None:
        raise ValueError("You must specify the meta or dtype of the array: from_delayed "
                         "does not compute the value to find out")  # fmt: skip
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if not isinstance(value, Delayed):
        value = delayed(value)
    made = _plain_call(value)
    if made is not None:
        asked = meta, dtype
        result = calling(
            functools.partial(_value_of_shape, made, shape),
            value.key,
            tuple((length,) for length in shape),
            meta_from_array(meta, ndim=len(shape), dtype=dtype),
            name,
            lambda: from_delayed(value, shape, asked[1], asked[0], name),
        )
        if result is not None:
            return result
    name = name or f"from-value-{tokenize(value, shape, dtype, meta)}"
    key = (name, *(0 for _ in shape))
    chunks = tuple((length,) for length in shape)
    meta = meta_from_array(meta, ndim=len(shape), dtype=dtype)
    layer = {key: Task(key, _of_shape, TaskRef(value.key), shape)}
    return make_array(name, layer, chunks, meta, [value])


def _plain_call(value: Any) -> Callable[[], Any] | None:
    """The call that a lazy value is, if it needs no other lazy value."""
    kind, *parts = value._parts()
    if kind != "call" or value._needs() or value._annotations:
        return None
    func, args, kwargs = parts
    return functools.partial(func, *args, **(kwargs or {}))


def _value_of_shape(call: Callable[[], Any], shape: tuple[Any, ...]) -> Any:
    return _of_shape(call(), shape)


def _of_shape(value: Any, shape: tuple[Any, ...]) -> Any:
    found = getattr(value, "shape", None)
    if isinstance(found, tuple) and (
        len(found) != len(shape) or any(n != m and not is_unknown(m) for n, m in zip(found, shape))
    ):
        raise ValueError(
            f"a lazy value of shape {found} was said to have the shape {shape} in from_delayed"
        )
    return value


def from_func(
    func: Callable,
    shape: Sequence[int],
    dtype: Any = None,
    name: str | None = None,
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
) -> Array:
    """An array of one chunk that a function makes.

    Parameters
    ----------
    func:
        Called with ``args`` and ``kwargs``.
    shape, dtype:
        Those of what it returns.
    """
    kwargs = kwargs or {}
    shape = tuple(shape)
    name = name or f"from_func-{tokenize(func, shape, dtype, args, kwargs)}"
    key = (name, *(0 for _ in shape))
    layer = {key: Task(key, func, *args, **kwargs)}
    return Array(layer, name, tuple((length,) for length in shape), dtype=np.dtype(dtype))


def asanyarray(
    a: Any,
    dtype: Any = None,
    order: str | None = None,
    *,
    like: Any = None,
    inline_array: bool = False,
) -> Array:
    """Anything as a lazy array; subclasses of NumPy's arrays are kept.

    Takes the arguments of :func:`asarray`.
    """
    options = {"inline_array": inline_array, "asarray": False}
    return _converted(np.asanyarray, a, dtype, order, like, options, False)


def asarray(
    a: Any,
    allow_unknown_chunksizes: Any = False,
    dtype: Any = None,
    order: str | None = None,
    *,
    like: Any = None,
    **kwargs: Any,
) -> Array:
    """Anything as a lazy array.

    Parameters
    ----------
    a:
        A lazy array, which is returned as it is, an array-like object, or a list of such.
    allow_unknown_chunksizes:
        Believe that lazy arrays in a list have the same shape where it is not known. A dtype in
        this place is taken for the dtype, which is what NumPy's function has there.
    dtype, order, like:
        As for :func:`numpy.asarray`.
    **kwargs:
        For :func:`from_array`.
    """
    if not isinstance(allow_unknown_chunksizes, (bool, np.bool_)):
        dtype = dtype if dtype is not None else allow_unknown_chunksizes
        allow_unknown_chunksizes = False
    return _converted(np.asarray, a, dtype, order, like, kwargs, bool(allow_unknown_chunksizes))


def array(x: Any, dtype: Any = None, ndmin: int | None = None, *, like: Any = None) -> Array:
    """A lazy array of anything, with at least ``ndmin`` axes."""
    result = asarray(x, dtype=dtype, like=like)
    if ndmin is not None and result.ndim < ndmin:
        result = result[(np.newaxis,) * (ndmin - result.ndim)]
    return result


def _converted(
    convert: Callable,
    a: Any,
    dtype: Any,
    order: str | None,
    like: Any,
    options: dict[str, Any],
    allow_unknown: bool,
) -> Array:
    if like is not None:
        return _like(_converted(convert, a, dtype, order, None, options, allow_unknown), like)
    if isinstance(a, Array):
        return a if dtype is None or a.dtype == dtype else a.astype(dtype)
    if is_dask_collection(a) and hasattr(a, "key") and not hasattr(type(a), "shape"):
        raise TypeError(
            f"the shape of a {type(a).__name__} is not known before it is computed: from_delayed "
            "makes an array of it, given the shape and the dtype"
        )
    if hasattr(a, "to_dask_array"):
        result = a.to_dask_array()
        return result if dtype is None else result.astype(dtype)
    if type(a).__module__.partition(".")[0] == "xarray" and hasattr(a, "data"):
        return _converted(convert, a.data, dtype, order, None, options, allow_unknown)
    if isinstance(a, (list, tuple)) and _holds_lazy_arrays(a):
        from samite.array.concatenation import stack

        parts = [_converted(convert, part, None, None, None, {}, allow_unknown) for part in a]
        stacked = stack(parts, allow_unknown_chunksizes=allow_unknown)
        return stacked if dtype is None else stacked.astype(dtype)
    if not _is_sliceable(a) or (isinstance(a, np.ndarray) and (dtype is not None or order)):
        a = convert(a, dtype=dtype, order=order)
    options = dict(options)
    if "chunks" not in options:
        # The sizes of objects are not known, so there is nothing to choose chunks by.
        held = getattr(a.dtype, "hasobject", False) or not a.dtype.itemsize
        options["chunks"] = -1 if held else "auto"
    if convert is np.asarray and type(a) is np.ma.MaskedArray:
        options.setdefault("asarray", False)
    result = from_array(a, getitem=options.pop("getitem", None), **options)
    return result if dtype is None or result.dtype == dtype else result.astype(dtype)


def _is_sliceable(a: Any) -> bool:
    """Whether an object is an array, or a file of one, that is read by slices."""
    if isinstance(a, np.generic):
        return False
    if is_arraylike(a):
        return True
    # Tables have these too, but another meaning of slices.
    return all(hasattr(a, name) for name in ("shape", "dtype", "__getitem__")) and not hasattr(
        a, "iloc"
    )


def _like(x: Array, like: Any) -> Array:
    """The array with its chunks in the type of another array."""
    from samite.array.blocks import map_blocks

    pattern = meta_from_array(like)
    if type(x._meta) is type(pattern):
        return x
    return map_blocks(_as_type, x, pattern, dtype=x.dtype, meta=_as_type(x._meta, pattern),
                      token="asarray-like")  # fmt: skip


def _as_type(block: Any, pattern: Any) -> Any:
    kind = type(pattern)
    if kind.__module__.startswith("scipy.sparse"):
        # Matrices of scipy take no part in the protocol behind ``like=``.
        return kind(block)
    return np.asarray(block, like=pattern)


def _holds_lazy_arrays(items: Any) -> bool:
    return any(
        isinstance(item, Array) or (isinstance(item, (list, tuple)) and _holds_lazy_arrays(item))
        for item in items
    )


def to_delayed(x: Array, optimize_graph: bool = True) -> np.ndarray:
    """See :meth:`Array.to_delayed`."""
    from samite.core import flatten
    from samite.delayed import Delayed

    keys, graph, layer = x.__dask_keys__(), x.dask, x.name
    if optimize_graph:
        graph = x.__dask_optimize__(graph, keys)
        layer = f"delayed-{layer}"
        graph = HighLevelGraph.from_collections(layer, dict(graph), dependencies=())
    result = np.empty(x.numblocks, dtype=object)
    for position, key in zip(np.ndindex(*x.numblocks), flatten(keys)):
        result[position] = Delayed(key, graph, layer=layer)
    return result


def computed_chunks(x: Array) -> Chunks:
    """The chunks of an array, lengths that are not known found by computing it.

    Raises
    ------
    ValueError
        If the shapes of chunks do not fit together.
    """
    if not any(has_unknown(sizes) for sizes in x.chunks):
        return x.chunks
    shapes = make_array(
        f"shapes-{tokenize(x)}",
        {
            (f"shapes-{tokenize(x)}", *position): Task(
                (f"shapes-{tokenize(x)}", *position), np.shape, TaskRef((x.name, *position))
            )
            for position in np.ndindex(*x.numblocks)
        },
        tuple((1,) * count for count in x.numblocks),
        np.empty((0,) * x.ndim, dtype=object),
        [x],
    )
    from samite.base import compute

    found = compute(*to_delayed(shapes).ravel())
    shape_at = dict(zip(np.ndindex(*x.numblocks), found))
    chunks = tuple(
        tuple(
            int(shape_at[tuple(i if a == axis else 0 for a in range(x.ndim))][axis])
            for i in range(count)
        )
        for axis, count in enumerate(x.numblocks)
    )
    for position, shape in shape_at.items():
        wanted = tuple(sizes[i] for sizes, i in zip(chunks, position))
        if tuple(shape) != wanted:
            raise ValueError(
                f"the chunk at {position} has the shape {tuple(shape)}, but the chunks beside it "
                f"ask for {wanted}, so the array has no regular chunks"
            )
    return chunks


def view(x: Array, dtype: Any, order: str) -> Array:
    """See :meth:`Array.view`."""
    from samite.array.blocks import map_blocks

    if order not in ("C", "F"):
        raise ValueError(f"order has to be 'C' or 'F', not {order!r}")
    dtype = x.dtype if dtype is None else np.dtype(dtype)
    old, new = x.dtype.itemsize, dtype.itemsize
    chunks = x.chunks
    if old != new:
        if not x.ndim:
            raise ValueError("the elements of an array without axes cannot be split or joined")
        axis = x.ndim - 1 if order == "C" else 0
        sizes = x.chunks[axis]
        if (
            old % new
            and new % old
            or any(not is_unknown(size) and (size * old) % new for size in sizes)
        ):
            raise ValueError(
                f"blocks of {sizes} elements of {old} bytes along axis {axis} do not hold whole "
                f"elements of {new} bytes; x.rechunk gives others"
            )
        changed = tuple(size if is_unknown(size) else size * old // new for size in sizes)
        chunks = (*x.chunks[:axis], changed, *x.chunks[axis + 1 :])
    meta = np.empty((0,) * x.ndim, dtype=dtype) if type(x._meta) is np.ndarray else None
    return map_blocks(_view_block, x, dtype, order, chunks=chunks, dtype=dtype, meta=meta,
                      token="view")  # fmt: skip


def _view_block(block: Any, dtype: np.dtype, order: str) -> Any:
    if order == "F":
        return np.asfortranarray(block).T.view(dtype).T
    return np.ascontiguousarray(block).view(dtype) if block.ndim else block.view(dtype)


def to_dask_dataframe(x: Array, columns: Any, index: Any, meta: Any) -> Any:
    """See :meth:`Array.to_dask_dataframe`."""
    from samite.dataframe import from_dask_array

    return from_dask_array(x, columns=columns, index=index, meta=meta)
