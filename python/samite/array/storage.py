"""Where the chunks of arrays come from, and where they go."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import Alias, DataNode, Task, TaskRef
from samite.array.chunks import Chunks, normalize_chunks
from samite.array.core import Array, make_array
from samite.array.utils import meta_from_array
from samite.base import tokenize
from samite.blockwise import Blockwise, blockwise_token
from samite.highlevelgraph import HighLevelGraph
from samite.layers import ArraySliceDep
from samite.utils import SerializableLock, is_arraylike

__all__ = [
    "array",
    "asanyarray",
    "asarray",
    "from_array",
    "from_delayed",
    "from_func",
    "store",
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

    Parameters
    ----------
    x:
        A NumPy array, a memory map, a dataset of HDF5 or Zarr, and the like.
    chunks:
        How to cut it; see :func:`~samite.array.chunks.normalize_chunks`.
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
        these are not the default.
    meta:
        An empty array like the chunks.
    inline_array:
        Whether ``x`` is put into every task, rather than into one of its own.

    Raises
    ------
    ValueError
        If ``x`` is a lazy array already.

    Examples
    --------
    >>> import numpy as np
    >>> from_array(np.arange(10), chunks=5).sum().compute()
    np.int64(45)
    """
    if isinstance(x, Array):
        raise ValueError("Array is already a samite array. Use 'asarray' or 'rechunk' instead.")
    if isinstance(x, (list, tuple, memoryview, bool, int, float, complex, np.generic)):
        x = np.array(x)
    if asarray is None:
        asarray = not hasattr(x, "__array_function__")
    dtype = getattr(x, "dtype", None)
    chunks = normalize_chunks(
        chunks, x.shape, dtype=dtype, previous_chunks=_stored_chunks(getattr(x, "chunks", None), x)
    )
    if name in (None, True):
        token = tokenize(x, chunks, lock, asarray, fancy, getitem, inline_array)
        name = f"array-{token}"
    elif name is False:
        import uuid

        name = f"array-{uuid.uuid4()}"
    if lock is True:
        lock = SerializableLock()
    if type(x) is np.ndarray and not lock and getitem is None:
        layer: Any = _memory_layer(name, x, chunks)
        return Array(layer, name, chunks, meta=meta if meta is not None else x[:0] if x.ndim else x)

    options = {} if asarray and not lock else {"asarray": asarray, "lock": lock}
    indices = tuple(range(x.ndim if hasattr(x, "ndim") else len(x.shape)))
    task = Task(
        name,
        getitem or (read if fancy else read_plain),
        TaskRef(blockwise_token(0)),
        TaskRef(blockwise_token(1)),
        _data_producer=True,
        **options,
    )
    layers: dict[str, Any] = {}
    source: Any = DataNode(None, x)
    if not inline_array:
        original = f"original-{name}"
        layers[original] = {original: DataNode(original, x)}
        source = TaskRef(original)
    layers[name] = Blockwise(
        name, indices, task, [(source, None), (ArraySliceDep(chunks), indices)], {}
    )
    graph = HighLevelGraph(
        layers, {key: set(layers) - {name} if key == name else set() for key in layers}
    )
    return Array(graph, name, chunks, meta=_source_meta(x, meta, asarray), dtype=dtype)


def _stored_chunks(chunks: Any, x: Any) -> Any:
    """The chunks of a file format, as block lengths; None where there are none."""
    if not isinstance(chunks, (tuple, list)) or len(chunks) != len(x.shape):
        return None
    return [size if isinstance(size, (tuple, list)) else (size,) for size in chunks]


def _source_meta(x: Any, meta: Any, asarray: bool) -> Any:
    if meta is not None:
        return meta
    if asarray or type(x) is np.ndarray or isinstance(x, np.memmap):
        return np.empty((0,) * len(x.shape), dtype=x.dtype)
    return meta_from_array(x)


def _memory_layer(name: str, x: np.ndarray, chunks: Chunks) -> dict[Any, Any]:
    if all(len(sizes) == 1 for sizes in chunks):
        # The result of computing is this chunk; it must not be the caller's own array.
        key = (name, *(0 for _ in chunks))
        return {key: DataNode(key, x.copy())}
    places = ArraySliceDep(chunks)
    layer = {}
    for block in product(*(range(len(sizes)) for sizes in chunks)):
        key = (name, *block)
        layer[key] = DataNode(key, x[places[block]])
    return layer


def read(x: Any, index: Any, asarray: bool = True, lock: Any = None) -> Any:
    """A part of an array-like object, in memory."""
    with lock or contextlib.nullcontext():
        part = x[index]
        # Some libraries read no sooner than this, so it belongs under the lock.
        return np.asarray(part) if asarray else part


def read_plain(x: Any, index: Any, asarray: bool = True, lock: Any = None) -> Any:
    """As :func:`read`, for objects that take nothing but slices and integers."""
    return read(x, index, asarray, lock)


def from_delayed(
    value: Any, shape: Sequence[int], dtype: Any = None, meta: Any = None, name: str | None = None
) -> Array:
    """An array of one chunk from a lazy value.

    Parameters
    ----------
    value:
        What :func:`samite.delayed` makes.
    shape:
        The shape of the value.
    dtype, meta:
        The dtype, or an empty array like the value.
    """
    from samite.delayed import Delayed, delayed

    if not isinstance(value, Delayed):
        value = delayed(value)
    name = name or f"from-value-{tokenize(value, shape, dtype, meta)}"
    shape = tuple(shape)
    key = (name, *(0 for _ in shape))
    chunks = tuple((length,) for length in shape)
    if dtype is None and meta is None:
        raise ValueError("from_delayed needs a dtype or a meta")
    meta = meta_from_array(meta, ndim=len(shape), dtype=dtype)
    return make_array(name, {key: Alias(key, value.key)}, chunks, meta, [value])


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
    return _converted(np.asanyarray, a, dtype, order, like, inline_array)


def asarray(
    a: Any,
    dtype: Any = None,
    order: str | None = None,
    *,
    like: Any = None,
    inline_array: bool = False,
    allow_unknown_chunksizes: bool = False,
) -> Array:
    """Anything as a lazy array.

    Parameters
    ----------
    a:
        A lazy array, which is returned as it is, an array-like object, or a list of such.
    dtype, order, like:
        As for :func:`numpy.asarray`.
    inline_array:
        See :func:`from_array`.
    """
    return _converted(np.asarray, a, dtype, order, like, inline_array, allow_unknown_chunksizes)


def array(x: Any, dtype: Any = None, ndmin: int | None = None, *, like: Any = None) -> Array:
    """A lazy array of anything, with at least ``ndmin`` axes."""
    result = asarray(x, dtype, like=like)
    if ndmin is not None and result.ndim < ndmin:
        result = result[(np.newaxis,) * (ndmin - result.ndim)]
    return result


def _converted(
    convert: Callable,
    a: Any,
    dtype: Any,
    order: str | None,
    like: Any,
    inline_array: bool,
    allow_unknown: bool = False,
) -> Array:
    if isinstance(a, Array):
        return a if dtype is None else a.astype(dtype)
    if hasattr(a, "to_dask_array"):
        return a.to_dask_array()
    if isinstance(a, (list, tuple)) and _holds_lazy_arrays(a):
        from samite.array.concatenation import stack

        parts = [_converted(convert, part, None, None, None, inline_array) for part in a]
        stacked = stack(parts, allow_unknown_chunksizes=allow_unknown)
        return stacked if dtype is None else stacked.astype(dtype)
    if like is not None:
        like = meta_from_array(like)
        a = convert(a, dtype=dtype, order=order, like=like)
    elif not is_arraylike(a) or dtype is not None or order is not None:
        a = convert(a, dtype=dtype, order=order)
    chunks = getattr(a, "chunks", None)
    return from_array(
        a, chunks=chunks if isinstance(chunks, tuple) else a.shape or (), getitem=None,
        inline_array=inline_array,
    )  # fmt: skip


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
    """The chunks of an array, lengths that are not known found by computing it."""
    from samite.base import compute
    from samite.delayed import delayed

    blocks = to_delayed(x)
    shapes = compute(*[delayed(np.shape)(block) for block in blocks.flat])
    shape_at = dict(zip(np.ndindex(*x.numblocks), shapes))
    return tuple(
        tuple(
            int(shape_at[tuple(i if a == axis else 0 for a in range(x.ndim))][axis])
            for i in range(count)
        )
        for axis, count in enumerate(x.numblocks)
    )


def store(
    sources: Any,
    targets: Any,
    lock: Any = True,
    regions: Any = None,
    compute: bool = True,
    **kwargs: Any,
) -> Any:
    """Write arrays into objects that take slices, such as NumPy arrays and datasets of files.

    Parameters
    ----------
    sources:
        A lazy array, or several.
    targets:
        What each is written to: an object with ``__setitem__``, or a lazy value of one.
    lock:
        A lock that is held while a chunk is written; True for one of our own, False for none.
    regions:
        Which part of each target is written, as a tuple of slices; None for all of it.
    compute:
        Whether to write now; otherwise a lazy value is returned that writes when it is computed.
    **kwargs:
        For :func:`samite.compute`.

    Raises
    ------
    ValueError
        If the numbers of sources, targets and regions differ, or a shape does not fit.
    TypeError
        If a source is no lazy array.
    """
    from samite.delayed import Delayed

    if isinstance(sources, Array):
        sources, targets = [sources], [targets]
        regions = [regions]
    sources, targets = list(sources), list(targets)
    if regions is None or isinstance(regions, tuple):
        regions = [regions] * len(sources)
    if len(sources) != len(targets):
        raise ValueError(
            f"Different number of sources [{len(sources)}] and targets [{len(targets)}]"
        )
    if len(sources) != len(regions):
        raise ValueError(
            f"Different number of sources [{len(sources)}] and targets [{len(targets)}] than "
            f"regions [{len(regions)}]"
        )
    if any(not isinstance(source, Array) for source in sources):
        raise TypeError("All sources must be lazy arrays")
    for source, target, region in zip(sources, targets, regions):
        shape = getattr(target, "shape", None)
        if region is None and shape is not None and not isinstance(target, Delayed):
            if tuple(shape) != source.shape:
                raise ValueError(f"an array of shape {source.shape} does not fit into {shape}")
    if lock is True:
        lock = SerializableLock()

    written = []
    for source, target, region in zip(sources, targets, regions):
        dependencies: list[Any] = [source]
        reference: Any
        if isinstance(target, Delayed):
            reference = TaskRef(target.key)
            dependencies.append(target)
        else:
            reference = DataNode(None, target)
        name = f"store-{tokenize(source, region, lock, str(id(target)))}"
        places = ArraySliceDep(source.chunks)
        layer = {}
        for block in product(*map(range, source.numblocks)):
            key = (name, *block)
            place = places[block]
            layer[key] = Task(
                key, _write, TaskRef((source.name, *block)), reference, place, region, lock
            )
        graph = HighLevelGraph.from_collections(name, layer, dependencies=dependencies)
        # What is written gives nothing; the array only carries the keys of the tasks.
        written.append(Array(graph, name, source.chunks, dtype=object))
    done = f"store-done-{tokenize([array.name for array in written])}"
    keys = [
        (array.name, *block) for array in written for block in product(*map(range, array.numblocks))
    ]
    layer: dict[Any, Any] = {done: Task(done, _nothing, *(TaskRef(key) for key in keys))}
    result = Delayed(done, HighLevelGraph.from_collections(done, layer, dependencies=written))
    if not compute:
        return result
    result.compute(**kwargs)
    return None


def _nothing(*args: Any) -> None:
    """The end of tasks that are run for what they do."""


def _write(block: Any, target: Any, place: tuple[slice, ...], region: Any, lock: Any) -> None:
    if region is not None:
        place = _within(region, place)
    with lock or contextlib.nullcontext():
        target[place] = np.asanyarray(block)


def _within(region: Any, place: tuple[slice, ...]) -> tuple[Any, ...]:
    """Slices of a region of an array, as slices of the array."""
    region = region if isinstance(region, tuple) else (region,)
    result: list[Any] = []
    following = iter(place)
    for part in region:
        if not isinstance(part, slice):
            result.append(part)
            continue
        inner = next(following)
        start, step = part.start or 0, part.step or 1
        if start < 0 or step < 0:
            raise ValueError("regions count from the front, with steps forward")
        result.append(slice(start + inner.start * step, start + inner.stop * step, step))
    return (*result, *following)
