"""Operations that do the same to every block, written with an index for each axis."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from samite._task_spec import DataNode, Task, TaskRef
from samite._traverse import holds_future
from samite.array.chunks import common_chunks, is_unknown
from samite.array.core import Array, make_array
from samite.array.performance import PerformanceWarning
from samite.array.utils import compute_meta, meta_from_array
from samite.base import is_dask_collection, tokenize, unpack_collections
from samite.blockwise import Blockwise, BlockwiseDep, blockwise_token
from samite.utils import funcname, is_arraylike

__all__ = ["atop", "blockwise", "unify_chunks"]


def blockwise(
    func: Callable,
    out_ind: Sequence[Any],
    *args: Any,
    name: str | None = None,
    token: str | None = None,
    dtype: Any = None,
    adjust_chunks: Mapping[Any, Any] | None = None,
    new_axes: Mapping[Any, Any] | None = None,
    align_arrays: bool = True,
    concatenate: bool | None = None,
    meta: Any = None,
    **kwargs: Any,
) -> Array:
    """Call a function on blocks that belong together by their indices.

    Every axis of every array is named by an index, such as a letter. The block of the result at
    some position is made of the blocks of the arguments at that position; along an index that
    the result does not have the function gets all blocks, in a list.

    Parameters
    ----------
    func:
        The function; it gets one argument for each pair, and ``kwargs``.
    out_ind:
        The indices of the result.
    *args:
        Arrays and their indices in turn; None as the indices of an argument that is the same
        for all blocks.
    name:
        The name of the result; by default made of ``token`` (by default the function's name)
        and a hash.
    dtype:
        The dtype of the result; by default found by calling the function on empty arrays.
    adjust_chunks:
        For indices along which the function changes the length: a length, the lengths of all
        blocks, or a function of the length of a block.
    new_axes:
        The lengths (or those of blocks) of indices that no argument has.
    align_arrays:
        Cut arrays that share an index in the same way; otherwise they must be.
    concatenate:
        Join the blocks of such a list into one array.
    meta:
        An empty array like the result.

    Raises
    ------
    ValueError
        If arrays do not align, an index has no length, or no dtype is found.

    Examples
    --------
    >>> import samite.array as da
    >>> x, y = da.ones((2, 3), chunks=1), da.ones(3, chunks=1)
    >>> da.blockwise(lambda a, b: a + b, "ij", x, "ij", y, "j").sum().compute()
    np.float64(12.0)
    """
    if len(args) % 2 and (args[-1] is None or isinstance(args[-1], (str, tuple))):
        # Indices of nothing, which programs for Dask have too many of and do not notice.
        args = args[:-1]
    if len(args) % 2:
        raise ValueError("arrays and indices have to come in pairs")
    given = args
    out_ind = tuple(out_ind)
    if len(set(out_ind)) != len(out_ind):
        repeated = sorted({str(index) for index in out_ind if out_ind.count(index) > 1})
        raise ValueError(f"Repeated indices of the result: {repeated}")
    new_axes = dict(new_axes or {})
    pairs = [_as_input(arg, ind) for arg, ind in zip(args[::2], args[1::2])]
    for index in new_axes:
        if any(index in (ind or ()) for _, ind in pairs):
            raise ValueError(f"index {index!r} is not new: an array has it")
    chunks_of, pairs = aligned(pairs, align_arrays)
    for index, size in new_axes.items():
        chunks_of[index] = tuple(size) if isinstance(size, (tuple, list)) else (size,)
    missing = [index for index in out_ind if index not in chunks_of]
    if missing:
        raise ValueError(
            f"Unknown dimension: no array has the indices {missing}; new_axes has to give their "
            "length"
        )
    chunks = tuple(_adjusted(chunks_of[index], index, adjust_chunks or {}) for index in out_ind)

    if meta is None:
        meta = _result_meta(func, out_ind, pairs, dtype, bool(concatenate), kwargs)
    meta = meta_from_array(meta, ndim=len(out_ind), dtype=dtype)
    label = token or funcname(func).strip("_")
    arrays = [arg for arg in given[::2] if isinstance(arg, Array)]

    def again(*twins: Array) -> Array:
        following = iter(twins)
        parts = [next(following) if isinstance(arg, Array) else arg for arg in given]
        return blockwise(
            func, out_ind, *parts, name=name, token=token, dtype=dtype,
            adjust_chunks=adjust_chunks, new_axes=new_axes, align_arrays=align_arrays,
            concatenate=concatenate, meta=meta, **kwargs,
        )  # fmt: skip

    from samite.array.calls import call

    native = call(
        func, pairs, kwargs, {}, out_ind, chunks, meta, label, name, bool(concatenate), again,
        arrays,
    )  # fmt: skip
    if native is not None:
        return native
    if name is None:
        key = (func, out_ind, pairs, dtype, chunks, new_axes, concatenate, kwargs)
        name = f"{label}-{tokenize(*key)}"
    dependencies: list[Any] = [arg for arg, _ in pairs if isinstance(arg, Array)]
    indices = []
    numblocks = {}
    for arg, ind in pairs:
        if ind is None:
            indices.append((constant_input(arg, dependencies), None))
        elif isinstance(arg, Array):
            indices.append((arg.name, ind))
            numblocks[arg.name] = arg.numblocks
        else:
            indices.append((arg, ind))
    task = Task(
        name,
        func,
        *(TaskRef(blockwise_token(n)) for n in range(len(indices))),
        **{key: lazy_constant(value, dependencies) for key, value in kwargs.items()},
    )
    layer = Blockwise(
        name, out_ind, task, indices, numblocks, concatenate=concatenate, new_axes=new_axes
    )
    return make_array(name, layer, chunks, meta, dependencies)


def lazy_constant(value: Any, dependencies: list[Any]) -> Any:
    """An argument for all blocks; collections and futures in it become references, and
    ``dependencies``.

    A large one becomes a task of its own too, so that it is sent once and not with every block.
    """
    lazy = unpack_collections(value)[0] or holds_future(value)
    if not lazy and not _is_large(value):
        return value
    from samite.delayed import delayed

    made = delayed(value)
    dependencies.append(made)
    return TaskRef(made.key)


def _is_large(value: Any) -> bool:
    return is_arraylike(value) and getattr(value, "nbytes", 0) > _LARGE


_LARGE = 1_000_000


def constant_input(value: Any, dependencies: list[Any]) -> Any:
    """As :func:`lazy_constant`, for an input of a layer.

    When layers are joined, inputs that are equal become one. Values are equal where they are
    not the same (0.0 and -0.0); nodes are equal only if their values are.
    """
    value = lazy_constant(value, dependencies)
    return value if isinstance(value, TaskRef) else DataNode(None, value)


def _as_input(arg: Any, ind: Any) -> tuple[Any, tuple | None]:
    if ind is None:
        return arg, None
    if not isinstance(arg, (Array, BlockwiseDep)):
        from samite.array.storage import asanyarray

        arg = asanyarray(arg)
    ind = tuple(ind)
    ndim = len(arg.numblocks)
    if len(ind) != ndim:
        raise ValueError(f"an array of {ndim} dimensions cannot have the indices {ind}")
    return arg, ind


def aligned(
    pairs: list[tuple[Any, Any]], align: bool
) -> tuple[dict[Any, tuple], list[tuple[Any, Any]]]:
    """The chunks along each index, and the arrays cut like that."""
    if align:
        arrays = [(arg, ind) for arg, ind in pairs if isinstance(arg, Array)]
        chunks_of, cut = unify_chunks(*(part for pair in arrays for part in pair))
        following = iter(cut)
        pairs = [
            (next(following), ind) if isinstance(arg, Array) and ind is not None else (arg, ind)
            for arg, ind in pairs
        ]
        return _with_made(chunks_of, pairs), pairs
    chunks_of = {}
    for arg, ind in pairs:
        if ind is None or not isinstance(arg, Array):
            continue
        for index, sizes in zip(ind, arg.chunks):
            known = chunks_of.setdefault(index, sizes)
            if len(known) != len(sizes) and 1 not in (len(known), len(sizes)):
                raise ValueError(f"Dimension of index {index!r} does not align: {known}, {sizes}")
            if len(sizes) > len(known) or (known == (1,) and sizes != known):
                chunks_of[index] = sizes
    return _with_made(chunks_of, pairs), pairs


def _with_made(chunks_of: dict[Any, tuple], pairs: list[tuple[Any, Any]]) -> dict[Any, tuple]:
    """Add what inputs that are made for each block say of indices that no array has."""
    for arg, ind in pairs:
        if ind is not None and not isinstance(arg, Array):
            for index, sizes in zip(ind, getattr(arg, "chunks", ())):
                chunks_of.setdefault(index, sizes)
    return chunks_of


def _adjusted(sizes: tuple, index: Any, adjust: Mapping[Any, Any]) -> tuple:
    if index not in adjust:
        return sizes
    change = adjust[index]
    if callable(change):
        return tuple(change(size) for size in sizes)
    if isinstance(change, (tuple, list)):
        if len(change) != len(sizes):
            raise ValueError(
                f"Dimension {index!r} has {len(sizes)} blocks, adjust_chunks "
                f"specified with {len(change)} blocks"
            )
        return tuple(change)
    return (change,) * len(sizes)


def _result_meta(
    func: Callable,
    out_ind: tuple,
    pairs: list[tuple[Any, Any]],
    dtype: Any,
    concatenate: bool,
    kwargs: dict[str, Any],
) -> Any:
    """What the function makes of empty blocks, or of blocks of ones where it needs elements."""

    def argument(arg: Any, ind: tuple | None, make: Callable) -> Any:
        if ind is None:
            return arg
        block = make(arg) if isinstance(arg, Array) else arg[(0,) * len(ind)]
        if concatenate:
            return block
        for index in ind:
            if index not in out_ind:
                block = [block]
        return block

    metas = [argument(arg, ind, lambda x: x._meta) for arg, ind in pairs]
    meta = compute_meta(func, dtype, *metas, **kwargs)
    if meta is not None or dtype is not None:
        return meta
    ones = [argument(arg, ind, one_element) for arg, ind in pairs]
    try:
        with np.errstate(all="ignore"):
            return func(*ones, **kwargs)
    except OverflowError:
        # A number that does not fit a dtype is what is wrong here, and not that no dtype is found.
        raise
    except Exception as error:
        raise ValueError(
            f"the dtype of {funcname(func)}'s result could not be found by calling it on small "
            f"arrays, which raised {type(error).__name__}: {error}. Give dtype= or meta="
        ) from error


def one_element(x: Array) -> Any:
    """An array of one element like the chunks of ``x``."""
    try:
        return np.ones_like(x._meta, shape=(1,) * x.ndim)
    except TypeError:
        return np.zeros_like(x._meta, shape=(1,) * x.ndim)


def atop(func: Callable, out_ind: Sequence[Any], *args: Any, **kwargs: Any) -> Array:
    """The former name of :func:`blockwise`."""
    warnings.warn("The da.atop function has moved to da.blockwise", UserWarning, stacklevel=2)
    return blockwise(func, out_ind, *args, **kwargs)


def unify_chunks(*args: Any, warn: bool = True) -> tuple[dict[Any, tuple[int, ...]], list[Any]]:
    """Cut arrays that share indices in the same way.

    Parameters
    ----------
    *args:
        Arrays and their indices in turn.
    warn:
        Whether to warn of very many chunks.

    Returns
    -------
    The chunks along each index, and the arrays. An axis of length one stays as it is, for it is
    broadcast.

    Raises
    ------
    ValueError
        If lengths along an index differ, or unknown lengths cannot be compared.

    Examples
    --------
    >>> import samite.array as da
    >>> x, y = da.ones(10, chunks=((4, 6),)), da.ones(10, chunks=((5, 5),))
    >>> unify_chunks(x, "i", y, "i")[0]
    {'i': (4, 1, 5)}
    """
    pairs = []
    for arg, ind in zip(args[::2], args[1::2]):
        if ind is not None and not is_dask_collection(arg) and is_arraylike(arg):
            from samite.array.storage import asanyarray

            arg = asanyarray(arg)
        pairs.append((arg, ind))
    said: dict[Any, list[tuple]] = {}
    for array, ind in pairs:
        for index, sizes in zip(ind or (), array.chunks if ind is not None else ()):
            said.setdefault(index, []).append(sizes)
    chunks_of = {index: common_chunks(candidates) for index, candidates in said.items()}
    if warn:
        together = math.prod(map(len, chunks_of.values()))
        warn_of_many(together, (array.npartitions for array, ind in pairs if ind is not None))
    arrays = []
    for array, ind in pairs:
        if ind is None:
            arrays.append(array)
            continue
        wanted = tuple(
            sizes if sizes == (1,) or any(map(is_unknown, sizes)) else chunks_of[index]
            for index, sizes in zip(ind, array.chunks)
        )
        arrays.append(array if wanted == array.chunks else array.rechunk(wanted))
    return chunks_of, arrays


def warn_of_many(together: int, counts: Iterable[int]) -> None:
    """Warn if arrays that are cut in different ways give very many chunks together."""
    most = max(counts, default=1)
    if together < 10 * most:
        return
    warnings.warn(
        f"Increasing number of chunks by factor of {together // most}: the arrays are cut in "
        "different ways; rechunk them alike",
        PerformanceWarning,
        stacklevel=4,
    )
