"""Functions of whole chunks, and arrays made of some of the chunks of others."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import Alias, Task, TaskRef
from samite.array.blockwise import aligned, constant_input, lazy_constant, one_element
from samite.array.chunks import Chunks, boundaries, shape_of
from samite.array.core import Array, make_array
from samite.array.slices import slices_from_chunks
from samite.array.utils import compute_meta, meta_from_array, normalize_axis
from samite.base import tokenize
from samite.blockwise import BlockIndex, Blockwise, blockwise_token
from samite.highlevelgraph import HighLevelGraph
from samite.layers import ArrayValuesDep
from samite.utils import (
    funcname,
    has_keyword,
    is_arraylike,
    is_dataframe_like,
    is_index_like,
    is_series_like,
)

__all__ = ["BlockView", "map_blocks", "new_da_object", "slices_from_chunks"]


class BlockView:
    """Indexing by blocks; what ``x.blocks`` is.

    Parameters
    ----------
    array:
        The array.
    """

    def __init__(self, array: Array) -> None:
        self._array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of blocks along each axis."""
        return self._array.numblocks

    @property
    def size(self) -> int:
        """The number of blocks."""
        return self._array.npartitions

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BlockView) and self._array is other._array

    __hash__ = None  # type: ignore[assignment]

    def ravel(self) -> list[Array]:
        """The blocks, each as an array of its own."""
        return [self[position] for position in np.ndindex(*self.shape)]

    def __getitem__(self, index: Any) -> Array:
        """The array of some blocks. An integer keeps its axis, with one block.

        Raises
        ------
        ValueError
            If an axis is added, or more than one axis is indexed by a list.
        """
        x = self._array
        index = index if isinstance(index, tuple) else (index,)
        if any(part is None for part in index):
            raise ValueError("Slicing with np.newaxis or None is not supported")
        if sum(isinstance(part, (np.ndarray, list)) for part in index) > 1:
            raise ValueError("Can only slice with a single list")
        at = [n for n, part in enumerate(index) if part is Ellipsis]
        if at:
            missing = x.ndim - len(index) + 1
            index = index[: at[0]] + (slice(None),) * missing + index[at[0] + 1 :]
        if len(index) > x.ndim:
            raise IndexError(f"too many indices for {x.ndim} axes of blocks")
        index += (slice(None),) * (x.ndim - len(index))
        picked = []
        for part, count in zip(index, x.numblocks):
            numbers = np.arange(count)[part]
            picked.append(np.atleast_1d(numbers).tolist())
        name = f"blocks-{tokenize(x, picked)}"
        chunks = tuple(tuple(sizes[i] for i in numbers) for sizes, numbers in zip(x.chunks, picked))
        layer = {}
        for position in product(*(range(len(numbers)) for numbers in picked)):
            key = (name, *position)
            source = (x.name, *(numbers[i] for numbers, i in zip(picked, position)))
            layer[key] = Alias(key, source)
        return make_array(name, layer, chunks, x._meta, [x])


def map_blocks(
    func: Callable,
    *args: Any,
    name: str | None = None,
    token: str | None = None,
    dtype: Any = None,
    chunks: Any = None,
    drop_axis: Any = None,
    new_axis: Any = None,
    enforce_ndim: bool = False,
    meta: Any = None,
    align_arrays: bool | None = None,
    **kwargs: Any,
) -> Array:
    """Call a function on the chunks of arrays.

    Parameters
    ----------
    func:
        Called with the chunks at the same place of all arrays. Arguments of it that are named
        ``block_id`` and ``block_info`` get the place of the result's block, and a dict of what is
        known of it and of each array's block.
    *args:
        Arrays, aligned at their last axes as in broadcasting, and other arguments.
    name:
        The name of the result; by default made of ``token`` and a hash.
    dtype:
        The dtype of the result; by default found by calling the function on empty arrays.
    chunks:
        The chunks of the result, where the function changes shapes: for each axis the length of
        all blocks, or the lengths.
    drop_axis:
        Axes that the function takes away; the blocks along them are joined.
    new_axis:
        Axes that the function adds.
    enforce_ndim:
        Whether a result with a wrong number of dimensions is an error.
    meta:
        An empty array like the result.
    align_arrays:
        Cut the arrays in the same way; otherwise their numbers of blocks have to agree. By
        default it is done if their lengths agree.
    **kwargs:
        For the function.

    Raises
    ------
    TypeError
        If ``func`` is not callable.
    ValueError
        If axes and chunks do not fit, or no dtype is found.

    Examples
    --------
    >>> import samite.array as da
    >>> da.arange(4, chunks=2).map_blocks(lambda block: block * 10).compute()
    array([ 0, 10, 20, 30])
    """
    if not callable(func):
        raise TypeError(f"First argument must be callable function, not {type(func).__name__}")
    arrays = [arg for arg in args if isinstance(arg, Array)]
    ndim = max((x.ndim for x in arrays), default=0)
    dropped = _axes(drop_axis, ndim)
    added = _new_axes(new_axis, chunks, ndim - len(dropped), bool(arrays))
    kept = [axis for axis in range(ndim) if axis not in dropped]
    out: list[Any] = list(kept)
    for axis in sorted(added):
        out.insert(axis, ("new", axis))

    pairs = [(arg, tuple(range(ndim - arg.ndim, ndim)) if isinstance(arg, Array) else None)
             for arg in args]  # fmt: skip
    try:
        chunks_of, pairs = aligned(pairs, align_arrays is not False)
    except ValueError:
        if align_arrays:
            raise
        chunks_of, pairs = aligned(pairs, False)
    for n, index in enumerate(out):
        if isinstance(index, tuple):
            chunks_of[index] = _new_length(chunks, n, len(out))
    out_chunks = _given_chunks(chunks, out, [chunks_of[index] for index in out], set(kept))

    wants = [word for word in ("block_id", "block_info") if has_keyword(func, word)]
    if name is None:
        parts = (func, "map-blocks", [arg for arg, _ in pairs], dtype, out_chunks, dropped, kwargs)
        name = (
            f"{token or funcname(func).strip('_')}-"
            f"{tokenize(*parts, sorted(added), enforce_ndim, align_arrays)}"
        )
    if meta is None:
        meta = _inferred_meta(func, pairs, dropped, dtype, wants, len(out), kwargs)
    if not (is_dataframe_like(meta) or is_series_like(meta) or is_index_like(meta)):
        meta = meta_from_array(meta, ndim=len(out), dtype=dtype)

    dependencies: list[Any] = [arg for arg, _ in pairs if isinstance(arg, Array)]
    indices: list[Any] = []
    for arg, ind in pairs:
        indices.append((constant_input(arg, dependencies) if ind is None else arg.name, ind))
    positional = [TaskRef(blockwise_token(n)) for n in range(len(indices))]
    keywords = {key: lazy_constant(value, dependencies) for key, value in kwargs.items()}
    counts = tuple(len(sizes) for sizes in out_chunks)
    for word in wants:
        keywords[word] = TaskRef(blockwise_token(len(indices)))
        values = BlockIndex(counts)
        if word == "block_info":
            values = _BlockInfo(out_chunks, pairs, out, meta.dtype)
        indices.append((values, tuple(out)))
    if enforce_ndim:
        func = functools.partial(_with_dimensions, func, len(out))
    task = Task(name, func, *positional, **keywords)
    numblocks = {arg.name: arg.numblocks for arg, ind in pairs if ind is not None}
    layer = Blockwise(
        name,
        out,
        task,
        indices,
        numblocks,
        # Layers are joined only with those that treat lists of blocks alike.
        concatenate=True if dropped else None,
        new_axes={
            index: (1,) * counts[n] for n, index in enumerate(out) if isinstance(index, tuple)
        },
    )
    graph = HighLevelGraph.from_collections(name, layer, dependencies=dependencies)
    return new_da_object(graph, name, out_chunks, meta=meta)


def new_da_object(dsk: Any, name: str, chunks: Any, meta: Any = None, dtype: Any = None) -> Any:
    """The collection that fits chunks: an array, or a data frame if chunks are frames or series.

    Parameters
    ----------
    dsk:
        The graph.
    name:
        The name that the keys of the chunks begin with.
    meta:
        An empty object like the chunks.

    Raises
    ------
    ValueError
        If chunks are frames that do not follow one another along the first axis alone.
    """
    if not is_dataframe_like(meta) and not is_series_like(meta) and not is_index_like(meta):
        return Array(dsk, name, chunks, meta=meta, dtype=dtype)
    if any(len(sizes) > 1 for sizes in chunks[1:]):
        raise ValueError(
            "chunks that are data frames can only follow one another along the first axis, not "
            f"with the chunks {chunks}"
        )
    from samite.dataframe.core import new_dd_object

    return new_dd_object(dsk, name, meta, (None,) * (len(chunks[0]) + 1))


def _axes(axis: Any, ndim: int) -> list[int]:
    if axis is None:
        return []
    given = axis if isinstance(axis, Iterable) else [axis]
    return sorted({normalize_axis(a, ndim) for a in given})


def _new_axes(axis: Any, chunks: Any, ndim: int, has_arrays: bool) -> list[int]:
    if axis is None:
        # Without arrays, or with fewer axes than chunks are given for, those in front are new.
        if chunks is None or (has_arrays and not _is_per_axis(chunks)):
            return []
        if has_arrays:
            return list(range(len(chunks) - ndim))
        return list(range(len(chunks)))
    given = list(axis) if isinstance(axis, Iterable) else [axis]
    total = ndim + len(given)
    return sorted(normalize_axis(a, total) for a in given)


def _is_per_axis(chunks: Any) -> bool:
    return isinstance(chunks, (tuple, list))


def _new_length(chunks: Any, n: int, ndim: int) -> tuple[int, ...]:
    if chunks is None or not _is_per_axis(chunks) or len(chunks) != ndim:
        return (1,)
    size = chunks[n]
    return tuple(size) if isinstance(size, (tuple, list)) else (size,)


def _given_chunks(chunks: Any, out: list[Any], found: list[tuple], of_arrays: set[Any]) -> Chunks:
    if chunks is None:
        return tuple(found)
    if not _is_per_axis(chunks):
        chunks = (chunks,) * len(out)
    if len(chunks) != len(out):
        raise ValueError(f"Provided chunks have {len(chunks)} dims; expected {len(out)} dims")
    result = []
    for size, sizes, index in zip(chunks, found, out):
        if not isinstance(size, (tuple, list)):
            result.append((size,) * len(sizes))
            continue
        if len(size) not in (1, len(sizes)) and (len(sizes) != 1 or index in of_arrays):
            raise ValueError(
                f"Dimension has {len(sizes)} blocks, chunks specified with {len(size)} blocks"
            )
        result.append(tuple(size) * (len(sizes) if len(size) == 1 else 1))
    return tuple(result)


def _inferred_meta(
    func: Callable,
    pairs: list[tuple[Any, Any]],
    dropped: list[int],
    dtype: Any,
    wants: list[str],
    ndim: int,
    kwargs: dict[str, Any],
) -> Any:
    extra = dict(kwargs)
    if "block_id" in wants:
        extra["block_id"] = (0,) * ndim
    if "block_info" in wants:
        extra["block_info"] = _example_info(pairs, ndim, dtype)
    meta = compute_meta(func, dtype, *(arg for arg, _ in pairs), **extra)
    if meta is not None:
        return meta
    if dtype is not None:
        first = next((arg for arg, ind in pairs if ind is not None), None)
        return None if first is None or not is_arraylike(first._meta) else first._meta
    ones = [one_element(arg) if ind is not None else arg for arg, ind in pairs]
    try:
        with np.errstate(all="ignore"):
            return np.asanyarray(func(*ones, **extra))
    except Exception as error:
        raise ValueError(
            f"the dtype of {funcname(func)}'s result could not be found by calling it on small "
            f"arrays, which raised {type(error).__name__}: {error}. Give dtype= or meta="
        ) from error


def _example_info(pairs: list[tuple[Any, Any]], ndim: int, dtype: Any) -> dict[Any, Any]:
    info: dict[Any, Any] = {}
    for n, (arg, ind) in enumerate(pairs):
        if ind is not None:
            info[n] = _block_facts(arg.chunks, (0,) * arg.ndim)
    info[None] = {
        "shape": (1,) * ndim,
        "num-chunks": (1,) * ndim,
        "array-location": [(0, 1)] * ndim,
        "chunk-location": (0,) * ndim,
        "chunk-shape": (1,) * ndim,
        "dtype": dtype,
    }
    return info


def _block_facts(chunks: Chunks, place: tuple[int, ...]) -> dict[str, Any]:
    edges = [boundaries(sizes) for sizes in chunks]
    return {
        "shape": shape_of(chunks),
        "num-chunks": tuple(len(sizes) for sizes in chunks),
        "array-location": [(e[i], e[i + 1]) for e, i in zip(edges, place)],
        "chunk-location": place,
    }


class _BlockInfo(ArrayValuesDep):
    """What is known of the blocks at a place; found when it is asked for."""

    def __init__(
        self, chunks: Chunks, pairs: list[tuple[Any, Any]], out: list[Any], dtype: Any
    ) -> None:
        self._inputs = [(n, x.chunks, ind) for n, (x, ind) in enumerate(pairs) if ind is not None]
        self._out = {index: n for n, index in enumerate(out)}
        self._dtype = dtype
        super().__init__(chunks, None)

    def __getitem__(self, idx: tuple[int, ...]) -> dict[Any, Any]:
        info: dict[Any, Any] = {}
        for n, chunks, ind in self._inputs:
            # Blocks along a dropped axis are joined, so there is one.
            whole = tuple(
                sizes if index in self._out else (sum(sizes),) for index, sizes in zip(ind, chunks)
            )
            place = tuple(
                idx[self._out[index]] if index in self._out and len(sizes) > 1 else 0
                for index, sizes in zip(ind, chunks)
            )
            info[n] = _block_facts(whole, place)
        info[None] = {
            **_block_facts(self.chunks, idx),
            "chunk-shape": tuple(sizes[i] for sizes, i in zip(self.chunks, idx)),
            "dtype": self._dtype,
        }
        return info


def _with_dimensions(func: Callable, ndim: int, *args: Any, **kwargs: Any) -> Any:
    result = func(*args, **kwargs)
    found = getattr(result, "ndim", 0)
    if found != ndim:
        raise ValueError(
            f"Dimension mismatch: expected output of {func} to have dims = {ndim}. "
            f"Got {found} instead."
        )
    return result
