"""Functions of Python's in the expressions of arrays, and how arrays are made without them.

The engine calls such a function block by block, and goes on natively before and behind it. What the
function returns has to be what the array was said to consist of: plain arrays of its dtype and of
the shapes of its blocks. It may also be something else, which Dask's arrays allow, so that each
array whose expression calls a function also knows how it is made the general way: its *twin*. The
twin gives it its graph and its name, and takes over where a block was not what it should be.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from samite._annotations import get_annotations, without_annotations
from samite._traverse import holds_future, unpack_collections
from samite.array import native
from samite.blockwise import BlockwiseDep
from samite.layers import ArraySliceDep

if TYPE_CHECKING:
    from samite.array.chunks import Chunks
    from samite.array.core import Array


class Twin:
    """How an array is made the general way, of the twins of other arrays.

    Parameters
    ----------
    make:
        Called with the twins of ``arrays``.
    """

    __slots__ = ("arrays", "made", "make")

    def __init__(self, make: Callable[..., Array], arrays: Sequence[Array]) -> None:
        self.make: Callable[..., Array] | None = make
        # Arrays become others by assignment; these stay what they are now.
        self.arrays: Sequence[Array] = [x.copy() for x in arrays]
        self.made: Array | None = None


# Whether twins are being made, so that functions must not become parts of expressions.
_writing: contextvars.ContextVar[bool] = contextvars.ContextVar("writing", default=False)


@contextlib.contextmanager
def _generally() -> Iterator[None]:
    token = _writing.set(True)
    try:
        with without_annotations():
            yield
    finally:
        _writing.reset(token)


@contextlib.contextmanager
def by_graphs() -> Iterator[None]:
    """Make arrays of blocks that are not what their dtype says, such as tuples."""
    token = _writing.set(True)
    try:
        yield
    finally:
        _writing.reset(token)


def are_written() -> bool:
    """Whether arrays are to be graphs now."""
    return _writing.get()


def twin_of(x: Array) -> Array:
    """The array as it is made the general way; itself where no function is called in it."""
    if x._twin is None:
        return x
    waiting = [x]
    while waiting:
        twin = waiting[-1]._twin
        if twin is None or twin.made is not None or twin.make is None:
            waiting.pop()
            continue
        missing = [y for y in twin.arrays if y._twin is not None and y._twin.made is None]
        if missing:
            waiting.extend(missing)
            continue
        with _generally():
            made = twin.make(*(y if y._twin is None else y._twin.made for y in twin.arrays))
        if made._expr is not None and made._expr.has_calls:
            raise RuntimeError(f"{made._expr.operation} has no general form that calls nothing")
        twin.made = made
        # What it was made of is in its graph now.
        twin.make, twin.arrays = None, ()
        waiting.pop()
    return x._twin.made


def forget_calls(x: Array) -> None:
    """Let an array be its twin from now on."""
    if x._twin is not None:
        x._name, x.dask = x._name, x.dask


# -- calls -----------------------------------------------------------------------------------


def call(
    func: Callable,
    pairs: Sequence[tuple[Any, Any]],
    kwargs: Mapping[str, Any],
    values: Mapping[str, BlockwiseDep],
    out: Sequence[Any],
    chunks: Chunks,
    meta: Any,
    label: str,
    name: str | None,
    joined: bool,
    again: Callable[..., Array],
    arrays: Sequence[Array],
) -> Array | None:
    """The array of a function of blocks, or None where it has to be made the general way.

    Parameters
    ----------
    pairs:
        The function's arguments, and the indices of their axes; None for what is the same for all
        blocks.
    kwargs:
        Its keywords.
    values:
        More keywords, each with values by the position of the result's block.
    out, chunks:
        The indices of the result and how it is cut.
    joined:
        Whether the function gets one array of all blocks along indices that the result lacks.
    again:
        Makes the array the general way, of the twins of ``arrays``.
    """
    if _writing.get() or get_annotations() or not _is_plain(meta, chunks):
        return None
    constants = [arg for arg, ind in pairs if ind is None]
    if unpack_collections(constants, kwargs)[0] or holds_future(constants, kwargs):
        return None
    counts = {index: len(sizes) for index, sizes in zip(out, chunks)}
    labels = {index: n for n, index in enumerate(out)}
    arguments: list[Any] = []
    inputs: list[Any] = []
    for arg, ind in pairs:
        if ind is None:
            arguments.append(("constant", arg))
        elif isinstance(arg, BlockwiseDep):
            fits = all(counts.get(i) == n for i, n in zip(ind, arg.numblocks))
            if arg.produces_tasks or arg.produces_keys or not fits:
                return None
            arguments.append(("at", arg, [labels[index] for index in ind]))
        else:
            expr = _input(arg, ind, counts, joined)
            if expr is None:
                return None
            numbers = [labels.setdefault(index, len(labels)) for index in ind]
            arguments.append(("block", len(inputs)))
            inputs.append((expr, numbers))
    keywords: dict[str, Any] = {key: ("constant", value) for key, value in kwargs.items()}
    everywhere = list(range(len(out)))
    keywords.update((key, ("at", dep, everywhere)) for key, dep in values.items())
    expr = native.Expr.call(
        func, arguments, keywords, inputs, meta.dtype.name, [list(s) for s in chunks], label
    )
    result = native.wrap(expr, label, name, again, arrays)
    return _known_before(result, func, arrays)


def _is_plain(meta: Any, chunks: Chunks) -> bool:
    return (
        type(meta) is np.ndarray
        and native.is_native(meta.dtype)
        and all(type(size) is int and size >= 0 for sizes in chunks for size in sizes)
    )


def _input(x: Any, ind: Sequence[Any], counts: Mapping[Any, int], joined: bool) -> Any:
    """The expression of an argument whose blocks fit those of the result, or None."""
    expr = getattr(x, "_expr", None)
    if expr is None or len(set(ind)) != len(ind):
        return None
    missing = [axis for axis, index in enumerate(ind) if index not in counts]
    if missing and not joined:
        return None
    numblocks = expr.numblocks
    if any(counts.get(index, n) != n and n != 1 for index, n in zip(ind, numblocks)):
        return None
    if any(numblocks[axis] != 1 for axis in missing):
        sizes = [[sum(s)] if a in missing else s for a, s in enumerate(expr.chunks)]
        expr = expr.rechunk(sizes)
    return expr


# The arrays that functions made, by the function and by what it was called with.
_made: weakref.WeakValueDictionary[Any, Array] = weakref.WeakValueDictionary()


def _known_before(x: Array, func: Any, arrays: Sequence[Array]) -> Array:
    """The same function of the same arrays is one expression, so that it is computed once.

    Names tell whether it is the same. To make one takes long, so it is done only if there is an
    array of the same function and the same arguments.
    """
    while isinstance(func, functools.partial):
        func = func.func
    what = func if isinstance(func, tuple) else getattr(func, "__code__", None) or id(func)
    key = (what, *(id(array._expr) for array in arrays))
    try:
        former = _made.get(key)
    except TypeError:
        return x
    if former is not None and former._expr is not None and former._name == x._name:
        same = type(x)._of_expr(former._expr, x._meta, x._prefix, x._title)
        same._twin = former._twin
        return same
    _made[key] = x
    return x


# -- sources ---------------------------------------------------------------------------------


def reading(
    read: Callable,
    source: Any,
    chunks: Chunks,
    meta: Any,
    name: str | None,
    again: Callable[..., Array],
    movable: bool,
) -> Array | None:
    """The array whose blocks ``read(source, slices)`` gives, or None. A part of it reads no more
    than that part if ``movable`` says that other slices than those of blocks can be read."""
    if _writing.get() or get_annotations() or not _is_plain(meta, chunks):
        return None
    sizes = [list(s) for s in chunks]
    dtype = meta.dtype.name
    if movable:
        expr = native.Expr.reading(read, source, dtype, sizes, "array")
    else:
        slices = ("at", ArraySliceDep(chunks), list(range(len(chunks))))
        arguments = [("constant", source), slices]
        expr = native.Expr.call(read, arguments, {}, [], dtype, sizes, "array")
    return native.wrap(expr, "array", name, again)


def calling(
    make: Callable[[], Any],
    identity: Any,
    chunks: Chunks,
    meta: Any,
    name: str | None,
    again: Callable[..., Array],
) -> Array | None:
    """The array of one block that ``make()`` gives, or None. Arrays of the same identity are
    computed once."""
    if _writing.get() or get_annotations() or not _is_plain(meta, chunks):
        return None
    sizes = [list(s) for s in chunks]
    expr = native.Expr.call(make, [], {}, [], meta.dtype.name, sizes, "from-value")
    return _known_before(native.wrap(expr, "from-value", name, again), ("value", identity), ())
