"""Lazy arrays of random numbers, whatever the distribution."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from samite._task_spec import Task, TaskRef
from samite.array import native
from samite.array.blockwise import constant_input
from samite.array.chunks import Chunks, normalize_chunks
from samite.array.core import Array, make_array
from samite.array.random.seeds import Seeds
from samite.array.storage import asanyarray
from samite.array.utils import meta_from_array
from samite.base import is_dask_collection, tokenize
from samite.blockwise import Blockwise, blockwise_token
from samite.layers import ArrayBlockwiseDep

__all__ = ["draw", "shape_from_size"]


def draw(
    distribution: str,
    parameters: Mapping[str, Any],
    size: Any,
    chunks: Any,
    dtype: Any,
    seeds: Seeds,
    *,
    whole: Iterable[str] = (),
    inner_shape: tuple[int, ...] = (),
    options: Mapping[str, Any] | None = None,
    prefix: str | None = None,
    meta: Any = None,
) -> Array:
    """The lazy array of random numbers of a distribution.

    Parameters
    ----------
    distribution:
        The name of the generator's method.
    parameters:
        The parameters of the distribution by name, in the order in which the method takes them.
        Arrays among them, lazy or not, are broadcast to the shape of the result, and cut like it.
    size:
        The shape of the result; None for that of the parameters together.
    chunks:
        How to cut it; see :func:`~samite.array.chunks.normalize_chunks`.
    dtype:
        The dtype of the result; None for what the method gives.
    seeds:
        The seed state.
    whole:
        The parameters that every chunk needs as they are.
    inner_shape:
        The shape of one draw, of distributions of vectors; these axes come last, uncut.
    options:
        Further keywords for the method.
    prefix:
        What the name begins with; by default the name of the distribution.
    meta:
        An empty array like the chunks; by default found by a draw of nothing.

    Raises
    ------
    ValueError
        If the parameters cannot be broadcast to ``size``, or the method does not accept them.
    TypeError
        If the method does not know a keyword.
    """
    options = dict(options or {})
    whole = frozenset(whole)
    arrays: dict[str, Any] = {}
    constants: dict[str, Any] = {}
    for name, value in parameters.items():
        if name not in whole and (isinstance(value, Array) or np.ndim(value)):
            arrays[name] = value if hasattr(value, "dtype") else np.asarray(value)
        else:
            constants[name] = value
    shape = shape_from_size(size, arrays)
    if meta is None:
        some = 0 not in shape
        meta = _example(seeds, distribution, parameters, arrays, options, inner_shape, some)
    meta = meta_from_array(meta, ndim=len(shape) + len(inner_shape), dtype=dtype)
    outer = normalize_chunks(chunks, shape, dtype=meta.dtype)
    if not (arrays or whole or inner_shape):
        expr = native.random(distribution, constants, options, seeds, meta, outer)
        if expr is not None:
            return native.wrap(expr, prefix or distribution)
    token = tokenize(distribution, parameters, outer, inner_shape, options, seeds, meta.dtype)
    name = f"{prefix or distribution}-{token}"

    axes = tuple(range(len(shape)))
    inner = tuple(range(len(shape), len(shape) + len(inner_shape)))
    dependencies: list[Any] = []
    indices: list[Any] = [(BlockPlaces(outer), axes)]
    numblocks = {}
    for key, value in arrays.items():
        lazy = _cut_like(asanyarray(value), outer)
        arrays[key] = lazy
        dependencies.append(lazy)
        indices.append((lazy.name, axes[len(axes) - lazy.ndim :]))
        numblocks[lazy.name] = lazy.numblocks
    lazily = [key for key, value in constants.items() if is_dask_collection(value)]
    for key in lazily:
        indices.append((constant_input(constants.pop(key), dependencies), None))
    make = functools.partial(
        draw_block, distribution, tuple(parameters), constants, (*arrays, *lazily), options, seeds
    )
    task = Task(
        name,
        make,
        *(TaskRef(blockwise_token(n)) for n in range(len(indices))),
        _data_producer=not dependencies,
    )
    layer = Blockwise(
        name,
        (*axes, *inner),
        task,
        indices,
        numblocks,
        new_axes=dict(zip(inner, inner_shape)),
    )
    all_chunks = (*outer, *((length,) for length in inner_shape))
    return make_array(name, layer, all_chunks, meta, dependencies)


class BlockPlaces(ArrayBlockwiseDep):
    """The number of each block, counted along the last axis first, and its shape."""

    def __init__(self, chunks: Chunks) -> None:
        super().__init__(chunks)
        strides = [1]
        for count in reversed(self.numblocks[1:]):
            strides.append(strides[-1] * count)
        self.strides = tuple(reversed(strides)) if chunks else ()

    def __getitem__(self, idx: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        number = sum(i * stride for i, stride in zip(idx, self.strides))
        return number, tuple(sizes[i] for i, sizes in zip(idx, self.chunks))


def draw_block(
    distribution: str,
    order: tuple[str, ...],
    constants: Mapping[str, Any],
    names: tuple[str, ...],
    options: Mapping[str, Any],
    seeds: Seeds,
    place: tuple[int, tuple[int, ...]],
    *values: Any,
) -> Any:
    """The chunk with this number and shape."""
    number, shape = place
    given = {**constants, **dict(zip(names, values))}
    method = getattr(seeds.generator(number), distribution)
    return method(*(given[name] for name in order), size=shape, **options)


def shape_from_size(size: Any, arrays: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape that is asked for, or that of the parameters together.

    Raises
    ------
    ValueError
        If the parameters do not fit it, or a length is negative or unknown.
    """
    shapes = {name: tuple(np.shape(value)) for name, value in arrays.items()}
    for name, shape in shapes.items():
        if any(length != length for length in shape):
            raise ValueError(
                f"the parameter {name!r} has the unknown shape {shape}; compute_chunk_sizes() "
                "finds it"
            )
    if size is None:
        return np.broadcast_shapes(*shapes.values())
    if isinstance(size, (int, np.integer)):
        size = (size,)
    shape = tuple(int(length) for length in size)
    if any(length < 0 for length in shape):
        raise ValueError("negative dimensions are not allowed")
    for name, own in shapes.items():
        if np.broadcast_shapes(shape, own) != shape:
            raise ValueError(
                f"the parameter {name!r} of shape {own} cannot be broadcast to size {shape}"
            )
    return shape


def _cut_like(array: Array, chunks: Chunks) -> Array:
    """An array with the blocks of the result; an axis of length one stays as it is."""
    own = chunks[len(chunks) - array.ndim :]
    return array.rechunk(
        tuple((1,) if length == 1 else sizes for length, sizes in zip(array.shape, own))
    )


def _example(
    seeds: Seeds,
    distribution: str,
    parameters: Mapping[str, Any],
    arrays: Mapping[str, Any],
    options: Mapping[str, Any],
    inner_shape: tuple[int, ...],
    some: bool,
) -> Any:
    """What the method gives for the fewest draws; it also finds what the method refuses."""
    given = []
    # Some things are only checked where there is something to draw.
    count = 1 if some and not arrays else 0
    for name, value in parameters.items():
        if name in arrays:
            value = np.empty((0,), dtype=arrays[name].dtype)
        elif is_dask_collection(value):
            # Vectors that are not known are as good as any that the method accepts.
            length = inner_shape[0] if inner_shape else 1
            value = np.full(value.shape, 1 / length if length else 1).astype(value.dtype)
        given.append(value)
    return getattr(seeds.generator(0), distribution)(*given, size=(count,), **options)
