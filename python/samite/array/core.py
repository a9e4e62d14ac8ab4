"""The lazy array: a collection whose parts are the chunks of one n-dimensional array."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Number
from typing import Any

import numpy as np

from samite import base
from samite.array.chunks import Chunks, has_unknown, normalize_chunks, shape_of
from samite.array.optimization import optimize
from samite.array.utils import meta_from_array
from samite.base import DaskMethodsMixin, is_dask_collection
from samite.context import globalmethod
from samite.highlevelgraph import HighLevelGraph
from samite.utils import OperatorMethodMixin, is_arraylike

__all__ = ["Array", "assemble", "make_array"]


class Array(DaskMethodsMixin, OperatorMethodMixin):
    """A lazy n-dimensional array that is cut into chunks.

    Most arrays come from functions such as :func:`samite.array.from_array`. An array is not
    changed once it is made, except as the ``out=`` of a function.

    Parameters
    ----------
    dask:
        The graph; it has the tasks of the chunks under the keys ``(name, i, j, ...)``.
    name:
        The name of the array.
    chunks:
        The lengths of the blocks along each axis, in any form that ``normalize_chunks`` takes.
    dtype:
        The dtype of the elements; by default that of ``meta``.
    meta:
        An array of length zero like the chunks; by default NumPy's.
    shape:
        The shape, where ``chunks`` do not tell it.

    Raises
    ------
    ValueError
        If neither ``dtype`` nor ``meta`` is given, or the chunks do not fit the shape.
    """

    __slots__ = ("_chunks", "_meta", "_name", "_shape", "dask")

    # Above that of NumPy's arrays and matrices, so that their operators leave the work to ours.
    __array_priority__ = 11

    dask: HighLevelGraph

    def __new__(
        cls,
        dask: Mapping[Any, Any],
        name: str,
        chunks: Any,
        dtype: Any = None,
        meta: Any = None,
        shape: Sequence[int] | None = None,
    ) -> Array:
        if dtype is None and meta is None:
            raise ValueError("an array needs a dtype or a meta")
        self = super().__new__(cls)
        if not isinstance(dask, HighLevelGraph):
            dask = HighLevelGraph.from_collections(name, dask, dependencies=())
        self.dask = dask
        self._name = str(name)
        self._chunks = normalize_chunks(
            chunks, shape, dtype=dtype if dtype is not None else getattr(meta, "dtype", None)
        )
        self._meta = meta_from_array(meta, ndim=len(self._chunks), dtype=dtype)
        self._shape = None
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.dask, self._name, self._chunks, self.dtype, self._meta))

    # -- the collection protocol -------------------------------------------------------

    # Where there are no threads, nothing has registered them.
    __dask_scheduler__ = staticmethod(
        base.named_schedulers.get("threads") or base.named_schedulers["sync"]
    )
    __dask_optimize__ = globalmethod(optimize, key="array_optimize", falsey=base.dont_optimize)

    def __dask_graph__(self) -> HighLevelGraph:
        return self.dask

    def __dask_layers__(self) -> tuple[str]:
        return (self._name,)

    def __dask_tokenize__(self) -> str:
        return self._name

    def __dask_keys__(self) -> list[Any]:
        """The keys of the chunks, in lists nested by axis."""
        if not self.ndim:
            return [(self._name,)]

        def nested(prefix: tuple[Any, ...], counts: tuple[int, ...]) -> list[Any]:
            if len(counts) == 1:
                return [(*prefix, i) for i in range(counts[0])]
            return [nested((*prefix, i), counts[1:]) for i in range(counts[0])]

        return nested((self._name,), self.numblocks)

    def __dask_postcompute__(self) -> tuple[Callable, tuple[Any, ...]]:
        return assemble, (self.ndim,)

    def __dask_postpersist__(self) -> tuple[Callable, tuple[Any, ...]]:
        return type(self)._rebuild, (self._name, self._chunks, self._meta)

    @classmethod
    def _rebuild(
        cls,
        dsk: Mapping[Any, Any],
        name: str,
        chunks: Chunks,
        meta: Any,
        rename: Mapping[str, str] | None = None,
    ) -> Array:
        if rename:
            name = rename.get(name, name)
        return cls(dsk, name, chunks, meta=meta)

    # -- what is known without computing -----------------------------------------------

    @property
    def name(self) -> str:
        """The name that the keys of the chunks begin with."""
        return self._name

    @property
    def chunks(self) -> Chunks:
        """The lengths of the blocks along each axis."""
        return self._chunks

    @chunks.setter
    def chunks(self, chunks: Any) -> None:
        raise TypeError("chunks cannot be assigned to; x.rechunk(chunks) gives a new array")

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis; ``nan`` where it is not known."""
        if self._shape is None:
            self._shape = shape_of(self._chunks)
        return self._shape

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the elements."""
        return self._meta.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._chunks)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        """The bytes of an element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return self.size * self.itemsize

    @property
    def numblocks(self) -> tuple[int, ...]:
        """The number of blocks along each axis."""
        return tuple(len(sizes) for sizes in self._chunks)

    @property
    def npartitions(self) -> int:
        """The number of chunks."""
        return math.prod(self.numblocks)

    @property
    def chunksize(self) -> tuple[int, ...]:
        """The longest block along each axis."""
        return tuple(max(sizes) for sizes in self._chunks)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of unsized object")
        if has_unknown(self._chunks[0]):
            raise ValueError(
                f"Cannot call len() on object with unknown chunk size.{_UNKNOWN_CHUNKS_HELP}"
            )
        return int(self.shape[0])

    def __repr__(self) -> str:
        name = self._name.rsplit("-", 1)[0]
        kind = type(self._meta)
        meta = "" if kind is np.ndarray else f", chunktype={kind.__module__}.{kind.__name__}"
        return (
            f"samite.array<{name}, shape={self.shape}, dtype={self.dtype}, "
            f"chunksize={self.chunksize}{meta}>"
        )

    # -- values ------------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None, **kwargs: Any) -> np.ndarray:
        if copy is False:
            warnings.warn(
                "a lazy array is always computed, and so never converted without a copy",
                UserWarning,
                stacklevel=2,
            )
        return np.asarray(self.compute(), dtype=dtype)

    def _one_value(self, convert: Callable[[Any], Any]) -> Any:
        if self.size != 1:
            raise TypeError("Only one-element arrays can be converted to a scalar")
        return convert(self.compute())

    def __bool__(self) -> bool:
        if self.size > 1:
            raise ValueError(
                f"The truth value of a {type(self).__name__} is ambiguous. Use a.any() or a.all()."
            )
        return bool(self.compute())

    def __int__(self) -> int:
        return self._one_value(int)

    def __float__(self) -> float:
        return self._one_value(float)

    def __complex__(self) -> complex:
        return self._one_value(complex)

    def __index__(self) -> int:
        return self._one_value(operator.index)

    def __iter__(self) -> Iterator[Array]:
        for i in range(len(self)):
            yield self[i]

    def copy(self) -> Array:
        """The same array as an object of its own."""
        return type(self)(self.dask, self._name, self._chunks, meta=self._meta)

    def __deepcopy__(self, memo: dict[int, Any]) -> Array:
        new = memo[id(self)] = self.copy()
        return new

    def _become(self, other: Array) -> None:
        """Take over what another array is; what ``out=`` means for arrays that are not written."""
        if self.shape != other.shape:
            raise ValueError(
                "Mismatched shapes between result and out parameter. "
                f"out={self.shape}, result={other.shape}"
            )
        self.dask, self._name = other.dask, other._name
        self._chunks, self._meta, self._shape = other._chunks, other._meta, None

    def to_delayed(self, optimize_graph: bool = True) -> np.ndarray:
        """The chunks as lazy values, in an array of objects with the shape ``numblocks``."""
        from samite.array.storage import to_delayed

        return to_delayed(self, optimize_graph)

    def store(self, target: Any, **kwargs: Any) -> Any:
        """Write the array; see :func:`samite.array.store`."""
        from samite.array.storage import store

        return store([self], [target], **kwargs)

    def compute_chunk_sizes(self) -> Array:
        """Find unknown block lengths by computing the array; changes and returns this array."""
        from samite.array.storage import computed_chunks

        self._chunks, self._shape = computed_chunks(self), None
        return self

    # -- NumPy's protocols -------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from samite.array import ufunc as ufuncs
        from samite.array.elementwise import elemwise

        out = kwargs.get("out", ())
        for value in (*inputs, *out):
            if not _is_understood(value):
                return NotImplemented
        if method == "__call__":
            if ufunc is np.matmul:
                from samite.array.products import matmul

                return matmul(*inputs, **kwargs)
            if ufunc.signature is not None:
                return NotImplemented
            if ufunc.nout > 1:
                return ufuncs.ufunc(ufunc)(*inputs, **kwargs)
            return elemwise(ufunc, *inputs, **kwargs)
        if method == "outer":
            return ufuncs.ufunc(ufunc).outer(*inputs, **kwargs)
        return NotImplemented

    def __array_function__(
        self, func: Callable, types: Sequence[type], args: Any, kwargs: Any
    ) -> Any:
        import samite.array as twins

        if not all(_is_understood_type(kind) for kind in types):
            return NotImplemented
        twin: Any = twins
        for part in (*func.__module__.split(".")[1:], func.__name__):
            twin = getattr(twin, part, None)
        if callable(twin) and twin is not func:
            return twin(*args, **kwargs)
        warnings.warn(
            f"samite.array has no {func.__module__}.{func.__name__} yet: the whole array is "
            "computed, and NumPy called",
            FutureWarning,
            stacklevel=3,
        )
        args, kwargs = _computed((args, kwargs))
        return func(*args, **kwargs)

    @classmethod
    def _get_unary_operator(cls, op: Callable) -> Callable:
        def method(self: Array) -> Array:
            from samite.array.elementwise import elemwise

            return elemwise(op, self)

        return method

    @classmethod
    def _get_binary_operator(cls, op: Callable, inv: bool = False) -> Callable:
        def method(self: Array, other: Any) -> Any:
            if not _is_understood(other):
                return NotImplemented
            from samite.array.elementwise import elemwise
            from samite.array.products import matmul

            call = matmul if op is operator.matmul else _elementwise(elemwise, op)
            return call(other, self) if inv else call(self, other)

        return method

    def __divmod__(self, other: Any) -> tuple[Array, Array]:
        from samite.array import ufunc

        return getattr(ufunc, "divmod")(self, other)  # noqa: B009  (made by a loop)

    def __rdivmod__(self, other: Any) -> tuple[Array, Array]:
        from samite.array import ufunc

        return getattr(ufunc, "divmod")(other, self)  # noqa: B009  (made by a loop)

    __hash__ = None  # type: ignore[assignment]

    # -- elements, shape and chunks ----------------------------------------------------

    def __getitem__(self, index: Any) -> Array:
        from samite.array.slicing import getitem

        return getitem(self, index)

    @property
    def blocks(self) -> Any:
        """Indexing by blocks: ``x.blocks[0, :2]`` is the array of these chunks."""
        from samite.array.blocks import BlockView

        return BlockView(self)

    partitions = blocks

    @property
    def T(self) -> Array:
        """The array with its axes in reverse order."""
        return self.transpose()

    @property
    def real(self) -> Array:
        """The real part."""
        from samite.array.ufunc import real

        return real(self)

    @property
    def imag(self) -> Array:
        """The imaginary part."""
        from samite.array.ufunc import imag

        return imag(self)

    def conj(self) -> Array:
        """The complex conjugate, element by element."""
        from samite.array import ufunc

        return getattr(ufunc, "conj")(self)  # noqa: B009  (made by a loop)

    def transpose(self, *axes: Any) -> Array:
        """The array with its axes in another order; by default in reverse."""
        from samite.array.shaping import transpose

        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
            axes = axes[0]
        return transpose(self, axes or None)

    def swapaxes(self, axis1: int, axis2: int) -> Array:
        """The array with two axes exchanged."""
        from samite.array.shaping import swapaxes

        return swapaxes(self, axis1, axis2)

    def reshape(self, *shape: Any, merge_chunks: bool = True, limit: Any = None) -> Array:
        """The same elements in another shape; see :func:`samite.array.reshape`."""
        from samite.array.reshape import reshape

        if len(shape) == 1 and not isinstance(shape[0], Number):
            shape = tuple(shape[0])
        return reshape(self, shape, merge_chunks=merge_chunks, limit=limit)

    def ravel(self) -> Array:
        """The elements in one dimension, the last axis running fastest."""
        from samite.array.reshape import ravel

        return ravel(self)

    flatten = ravel

    def squeeze(self, axis: Any = None) -> Array:
        """The array without axes of length one."""
        from samite.array.shaping import squeeze

        return squeeze(self, axis)

    def rechunk(self, chunks: Any = "auto", **kwargs: Any) -> Array:
        """The same array, cut in another way; see :func:`samite.array.rechunk`."""
        from samite.array.rechunk import rechunk

        return rechunk(self, chunks, **kwargs)

    def map_blocks(self, func: Callable, *args: Any, **kwargs: Any) -> Array:
        """Call a function on every chunk; see :func:`samite.array.map_blocks`."""
        from samite.array.blocks import map_blocks

        return map_blocks(func, self, *args, **kwargs)

    def astype(self, dtype: Any, **kwargs: Any) -> Array:
        """The elements converted to another dtype.

        Takes ``casting``, ``order``, ``subok`` and ``copy`` as NumPy's method.

        Raises
        ------
        TypeError
            If ``casting`` does not allow the conversion.
        """
        from samite.array.elementwise import astype

        return astype(self, dtype, **kwargs)

    def clip(self, min: Any = None, max: Any = None) -> Array:
        """The elements, kept between two bounds."""
        from samite.array.elementwise import clip

        return clip(self, min, max)

    def round(self, decimals: int = 0) -> Array:
        """The elements rounded to a number of decimals."""
        from samite.array.elementwise import round

        return round(self, decimals)

    def dot(self, other: Any) -> Array:
        """The product of matrices, as :func:`numpy.dot` has it."""
        from samite.array.products import dot

        return dot(self, other)

    # -- reductions --------------------------------------------------------------------

    def _reduced(
        self, name: str, axis: Any, keepdims: bool, split_every: Any, **kwargs: Any
    ) -> Any:
        from samite.array import reductions

        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        function = getattr(reductions, name)
        return function(self, axis=axis, keepdims=keepdims, split_every=split_every, **kwargs)

    def sum(self, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
        """The sum along axes."""
        return self._reduced("sum", axis, keepdims, split_every, dtype=dtype, out=out)

    def prod(self, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
        """The product along axes."""
        return self._reduced("prod", axis, keepdims, split_every, dtype=dtype, out=out)

    def mean(self, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
        """The mean along axes."""
        return self._reduced("mean", axis, keepdims, split_every, dtype=dtype, out=out)

    def var(
        self, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None
    ) -> Array:
        """The variance along axes."""
        return self._reduced("var", axis, keepdims, split_every, dtype=dtype, ddof=ddof, out=out)

    def std(
        self, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None
    ) -> Array:
        """The standard deviation along axes."""
        return self._reduced("std", axis, keepdims, split_every, dtype=dtype, ddof=ddof, out=out)

    def min(self, axis=None, keepdims=False, split_every=None, out=None) -> Array:
        """The least element along axes."""
        return self._reduced("min", axis, keepdims, split_every, out=out)

    def max(self, axis=None, keepdims=False, split_every=None, out=None) -> Array:
        """The greatest element along axes."""
        return self._reduced("max", axis, keepdims, split_every, out=out)

    def any(self, axis=None, keepdims=False, split_every=None, out=None) -> Array:
        """Whether any element along axes is true."""
        return self._reduced("any", axis, keepdims, split_every, out=out)

    def all(self, axis=None, keepdims=False, split_every=None, out=None) -> Array:
        """Whether all elements along axes are true."""
        return self._reduced("all", axis, keepdims, split_every, out=out)

    def argmin(self, axis=None, *, keepdims=False, split_every=None, out=None) -> Array:
        """The position of the first least element."""
        return self._reduced("argmin", axis, keepdims, split_every, out=out)

    def argmax(self, axis=None, *, keepdims=False, split_every=None, out=None) -> Array:
        """The position of the first greatest element."""
        return self._reduced("argmax", axis, keepdims, split_every, out=out)


Array._bind_operators()
# Binding __eq__ unsets nothing, but a class that has it must say that it cannot be hashed.
Array.__hash__ = None  # type: ignore[assignment]

_UNKNOWN_CHUNKS_HELP = (
    " A possible solution: x.compute_chunk_sizes() finds the lengths by computing the array."
)


def _elementwise(elemwise: Callable, op: Callable) -> Callable:
    return lambda left, right: elemwise(op, left, right)


def _is_understood_type(kind: type) -> bool:
    if issubclass(kind, (Array, np.ndarray, np.generic, Number, bool, list, tuple, str, bytes)):
        return True
    return (
        hasattr(kind, "__array_function__")
        and not hasattr(kind, "__dask_graph__")
        and (getattr(kind, "__array_priority__", 0) <= Array.__array_priority__)
    )


def _is_understood(value: Any) -> bool:
    """Whether an operator or a function takes a value; others get their chance to take ours."""
    if value is None or isinstance(value, Array):
        return True
    kind = type(value)
    if getattr(kind, "__array_ufunc__", value) is None:
        return False
    if is_dask_collection(value):
        # A lazy value of no kind is taken as it comes; other collections know their own way.
        from samite.delayed import Delayed

        return isinstance(value, Delayed)
    if _is_understood_type(kind) or isinstance(value, np.dtype):
        return True
    if np.isscalar(value) or (is_arraylike(value) and not hasattr(kind, "_constructor")):
        return getattr(kind, "__array_priority__", 0) <= Array.__array_priority__
    return not hasattr(kind, "__array_ufunc__") and np.ndim(value) == 0


def _computed(value: Any) -> Any:
    from samite.base import compute

    return compute(value)[0]


def make_array(
    name: str, layer: Mapping[Any, Any], chunks: Chunks, meta: Any, dependencies: Sequence[Any] = ()
) -> Array:
    """The array whose chunks a new layer computes, on top of other collections."""
    graph = HighLevelGraph.from_collections(name, layer, dependencies=dependencies)
    return Array(graph, name, chunks, meta=meta)


def assemble(blocks: Any, ndim: int) -> Any:
    """Join chunks, in lists nested by axis, into one array.

    Parameters
    ----------
    blocks:
        The lists; of one item where the array has no axes.
    ndim:
        The number of axes.
    """
    if not ndim:
        return blocks[0] if isinstance(blocks, (list, tuple)) else blocks
    counts = _counts(blocks, ndim)
    flat = list(_flat(blocks, ndim))
    if len(flat) == 1:
        return flat[0]
    first = flat[0]
    if all(type(block) is np.ndarray and block.dtype == first.dtype for block in flat):
        if all(block.ndim == ndim for block in flat):
            return _copied_together(flat, counts, first.dtype)
    return _concatenated(blocks, 0, ndim)


def _counts(blocks: Any, ndim: int) -> list[int]:
    counts = []
    for _ in range(ndim):
        counts.append(len(blocks))
        blocks = blocks[0]
    return counts


def _flat(blocks: Any, depth: int) -> Iterator[Any]:
    if depth == 1:
        yield from blocks
        return
    for part in blocks:
        yield from _flat(part, depth - 1)


def _copied_together(flat: list[np.ndarray], counts: list[int], dtype: np.dtype) -> np.ndarray:
    """One allocation and one copy of each block, instead of a concatenation for each axis."""
    grid = np.empty(len(flat), dtype=object)
    for i, block in enumerate(flat):
        grid[i] = block
    grid = grid.reshape(counts)
    edges = []
    for axis in range(len(counts)):
        along = np.moveaxis(grid, axis, 0).reshape(counts[axis], -1)[:, 0]
        edges.append([0, *np.cumsum([block.shape[axis] for block in along]).tolist()])
    result = np.empty([edge[-1] for edge in edges], dtype=dtype)
    for position in np.ndindex(*counts):
        place = tuple(slice(e[i], e[i + 1]) for e, i in zip(edges, position))
        result[place] = grid[position]
    return result


def _concatenated(blocks: Any, axis: int, ndim: int) -> Any:
    parts = list(blocks)
    if axis < ndim - 1:
        parts = [_concatenated(part, axis + 1, ndim) for part in parts]
    if len(parts) == 1:
        return parts[0]
    if any(isinstance(part, np.ma.MaskedArray) for part in parts):
        return np.ma.concatenate(parts, axis=axis)
    return np.concatenate(parts, axis=axis)
