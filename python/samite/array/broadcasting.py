"""Shapes and arrays stretched along axes of length one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import Task, TaskRef
from samite.array import native
from samite.array.blockwise import unify_chunks
from samite.array.chunks import Chunks, is_unknown, normalize_chunks
from samite.array.core import Array, make_array
from samite.array.utils import meta_from_array
from samite.base import tokenize

__all__ = ["broadcast_arrays", "broadcast_chunks", "broadcast_shapes", "broadcast_to"]


def broadcast_shapes(*shapes: Sequence[Any]) -> tuple[Any, ...]:
    """The shape that arrays of these shapes have together; lengths can be unknown (``nan``).

    Raises
    ------
    ValueError
        If shapes do not fit together.

    >>> broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    if len(shapes) == 1:
        return tuple(shapes[0])
    result: list[Any] = []
    for lengths in zip(*(_padded(shape, max(map(len, shapes))) for shape in shapes)):
        longer = {length for length in lengths if length != 1 and not is_unknown(length)}
        unknown = any(map(is_unknown, lengths))
        if len(longer) > 1 or (unknown and longer - {0}):
            raise ValueError(
                "operands could not be broadcast together with shapes "
                + " ".join(str(tuple(shape)) for shape in shapes)
            )
        if longer:
            result.append(longer.pop())
        else:
            result.append(float("nan") if unknown else 1)
    return tuple(result)


def _padded(shape: Sequence[Any], ndim: int) -> tuple[Any, ...]:
    return (1,) * (ndim - len(shape)) + tuple(shape)


def broadcast_chunks(*chunkss: Chunks) -> Chunks:
    """The chunks that arrays of these chunks have together.

    Raises
    ------
    ValueError
        If they do not fit together without cutting an array anew.

    >>> broadcast_chunks(((5, 5),), ((5, 5),))
    ((5, 5),)
    """
    if not chunkss:
        return ()
    ndim = max(map(len, chunkss))
    result = []
    for candidates in zip(*(((1,),) * (ndim - len(chunks)) + tuple(chunks) for chunks in chunkss)):
        longer = [sizes for sizes in candidates if sizes != (1,)]
        if not longer:
            result.append((1,))
            continue
        first = longer[0]
        for sizes in longer[1:]:
            same = len(sizes) == len(first) and all(
                a == b or (is_unknown(a) and is_unknown(b)) for a, b in zip(sizes, first)
            )
            if not same:
                raise ValueError(
                    "the chunks of arrays do not fit together: "
                    f"{list(dict.fromkeys(map(str, candidates)))}"
                )
        result.append(first)
    return tuple(result)


def broadcast_to(x: Any, shape: Any, chunks: Any = None, meta: Any = None) -> Array:
    """An array, repeated to fill a shape.

    Parameters
    ----------
    x:
        The array.
    shape:
        Axes of length one can become longer, and axes can be added in front.
    chunks:
        How to cut these axes; by default they are one block. Those of other axes are kept.
    meta:
        An empty array like the result.

    Raises
    ------
    ValueError
        If the shape does not fit, or the chunks do not fit those of ``x``.
    """
    from samite.array.conversion import asarray

    if not isinstance(x, Array):
        x = asarray(x)
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if any(not is_unknown(length) and length < 0 for length in shape):
        raise ValueError(f"all elements of broadcast shape must be non-negative, not {shape}")
    if meta is None:
        meta = meta_from_array(x)
    if x.shape == shape and (chunks is None or normalize_chunks(chunks, x.shape) == x.chunks):
        return x
    added = len(shape) - x.ndim
    if added < 0 or any(
        new != old and old != 1 and not (is_unknown(new) and is_unknown(old))
        for new, old in zip(shape[added:], x.shape)
    ):
        raise ValueError(f"cannot broadcast shape {x.shape} to shape {shape}")
    if chunks is None:
        out = tuple((length,) for length in shape[:added]) + tuple(
            sizes if old != 1 or is_unknown(old) else (new,)
            for sizes, old, new in zip(x.chunks, x.shape, shape[added:])
        )
    else:
        out = normalize_chunks(chunks, shape, dtype=x.dtype)
        for old, new, length in zip(x.chunks, out[added:], x.shape):
            if length != 1 and old != new:
                raise ValueError(
                    f"cannot broadcast chunks {x.chunks} to chunks {out}: new chunks must either "
                    "be along a new axis or a dimension of size 1"
                )
    if type(meta) is np.ndarray and meta.dtype == x.dtype:
        result = native.broadcast_to(x, out)
        if result is not None:
            return result
    name = f"broadcast_to-{tokenize(x, shape, out)}"
    layer: dict[Any, Any] = {}
    stretched = [length == 1 for length in x.shape]
    for position in product(*map(range, map(len, out))):
        key = (name, *position)
        source = (
            x.name, *(0 if one else n for n, one in zip(position[added:], stretched)),
        )  # fmt: skip
        block = tuple(sizes[n] for sizes, n in zip(out, position))
        layer[key] = Task(key, _stretch, TaskRef(source), block)
    return make_array(name, layer, out, meta_from_array(meta, ndim=len(shape)), [x])


def _stretch(block: Any, shape: tuple[Any, ...]) -> Any:
    if any(map(is_unknown, shape)):
        own = (1,) * (len(shape) - np.ndim(block)) + np.shape(block)
        shape = tuple(n if is_unknown(m) else m for m, n in zip(shape, own))
    return np.broadcast_to(block, shape)


def broadcast_arrays(*args: Any, subok: bool = False) -> list[Array]:
    """Arrays, each repeated to fill the shape that they have together.

    Parameters
    ----------
    subok:
        Whether subclasses of NumPy's arrays are kept.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    from samite.array.conversion import asanyarray, asarray

    if not args:
        return type(np.broadcast_arrays())()
    arrays = [(asanyarray if subok else asarray)(arg) for arg in args]
    shape = broadcast_shapes(*(a.shape for a in arrays))
    pairs: list[Any] = []
    for a in arrays:
        pairs += [a, tuple(range(len(shape) - a.ndim, len(shape)))]
    chunks_of, arrays = unify_chunks(*pairs)
    chunks = tuple(chunks_of[axis] for axis in range(len(shape)))
    result = [_to_chunks(a, shape, chunks) for a in arrays]
    return type(np.broadcast_arrays())(result)  # type: ignore[return-value]


def _to_chunks(a: Array, shape: tuple[Any, ...], chunks: Chunks) -> Array:
    if any(map(is_unknown, shape)):
        return broadcast_to(a, shape)
    return broadcast_to(a, shape, chunks=chunks)
