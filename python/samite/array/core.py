"""The lazy array: a collection whose parts are the chunks of one n-dimensional array."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Number
from typing import Any

import numpy as np

from samite import base, config
from samite.array.array_methods import ReductionMethods, StandardMethods, StorageMethods
from samite.array.assembly import assemble, finish
from samite.array.chunk_types import chunk_type_name
from samite.array.chunks import Chunks, has_unknown, normalize_chunks, shape_of
from samite.array.dispatch import to_numpy_dispatch
from samite.array.optimization import optimize
from samite.array.precedence import delegates, is_below
from samite.array.utils import meta_from_array
from samite.base import DaskMethodsMixin
from samite.context import globalmethod
from samite.highlevelgraph import HighLevelGraph
from samite.utils import OperatorMethodMixin

__all__ = ["Array", "assemble", "make_array"]


class Array(
    DaskMethodsMixin, OperatorMethodMixin, ReductionMethods, StandardMethods, StorageMethods
):
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

    __slots__ = ("_cut", "_expr", "_graph", "_known", "_meta", "_prefix", "_title", "_twin")

    _expr: Any
    # How it is made without the expression, where Python has to know; see samite.array.calls.
    _twin: Any

    # Above that of NumPy's arrays and matrices, so that their operators leave the work to ours.
    __array_priority__ = 11

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
        for plugin in config.get("array_plugins", ()):
            replacement = plugin(self)
            if replacement is not None:
                self = replacement
        return self

    @classmethod
    def _of_expr(
        cls, expr: Any, meta: np.ndarray, prefix: str | None = None, name: str | None = None
    ) -> Array:
        """The array of an expression of the engine; its graph and name are made on demand."""
        self = super().__new__(cls)
        self._graph = self._cut = None
        self._expr, self._meta, self._prefix, self._title = expr, meta, prefix, name
        self._known = {}
        self._twin = None
        for plugin in config.get("array_plugins", ()):
            replacement = plugin(self)
            if replacement is not None:
                self = replacement
        return self

    def _persisted(self, expr: Any) -> Array:
        """The same array, as it is called, over an expression that holds its blocks."""
        return type(self)._of_expr(expr, self._meta, name=self._name)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._expr is not None and self._twin is None:
            return (type(self)._of_expr, (self._expr, self._meta, self._prefix, self._title))
        return (type(self), (self.dask, self._name, self._chunks, self.dtype, self._meta))

    # -- what other facts are found from ------------------------------------------------

    @property
    def dask(self) -> HighLevelGraph:
        """The graph."""
        if self._graph is None:
            from samite.array.native import graph_of

            self._graph = graph_of(self)
        return self._graph

    @dask.setter
    def dask(self, graph: HighLevelGraph) -> None:
        if getattr(self, "_expr", None) is not None and self._cut is None:
            self._cut = self._expr.chunks
        self._graph = graph
        self._expr = self._prefix = self._twin = None

    @property
    def _name(self) -> str:
        if self._title is None:
            from samite.array.native import name_of

            self._title = name_of(self)
        return self._title

    @_name.setter
    def _name(self, name: str) -> None:
        self._title = name
        self._known: dict[str, Any] = {}

    @property
    def _chunks(self) -> Chunks:
        if self._cut is None:
            self._cut = self._expr.chunks
        return self._cut

    @_chunks.setter
    def _chunks(self, chunks: Chunks) -> None:
        if getattr(self, "_expr", None) is not None:
            # What others believe of the lengths holds from now on, not what the engine knows.
            self._name, self.dask = self._name, self.dask
        self._cut = chunks
        self._known = {}

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
        found = self._known.get("keys")
        if found is None:
            found = self._known["keys"] = self._make_keys()
        return found

    def _make_keys(self) -> list[Any]:
        if not self.ndim:
            return [(self._name,)]

        def nested(prefix: tuple[Any, ...], counts: tuple[int, ...]) -> list[Any]:
            if len(counts) == 1:
                return [(*prefix, i) for i in range(counts[0])]
            return [nested((*prefix, i), counts[1:]) for i in range(counts[0])]

        return nested((self._name,), self.numblocks)

    @property
    def _key_array(self) -> np.ndarray:
        """The keys of the chunks in an array of objects, with one more axis for their parts."""
        return np.array(self.__dask_keys__(), dtype=object)

    def __dask_postcompute__(self) -> tuple[Callable, tuple[Any, ...]]:
        return finish, (self.ndim,)

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
        raise TypeError(
            "Can not set chunks directly: they tell how the array is cut. "
            f"x.rechunk({chunks}) gives an array that is cut like that"
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis; ``nan`` where it is not known."""
        found = self._known.get("shape")
        if found is None:
            found = shape_of(self._chunks) if self._expr is None else self._expr.shape
            self._known["shape"] = found
        return found

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the elements."""
        return self._meta.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._chunks) if self._expr is None else self._expr.ndim

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
        if self._expr is not None:
            return self._expr.numblocks
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
        return (
            f"samite.array<{name}, shape={self.shape}, dtype={self.dtype}, "
            f"chunksize={self.chunksize}, chunktype={chunk_type_name(self._meta)}>"
        )

    def _repr_html_(self) -> str:
        from samite.array.svg import array_html

        return array_html(self)

    def to_svg(self, size: int | None = None) -> str:
        """A picture of the chunks, as the text of an SVG image.

        Parameters
        ----------
        size:
            About how many pixels wide; by default the setting ``array.svg.size``.

        Raises
        ------
        NotImplementedError
            If there is nothing to draw, or chunk sizes are unknown.
        """
        from samite.array.svg import svg

        return svg(self.chunks, size=size)

    # -- values ------------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None, **kwargs: Any) -> np.ndarray:
        if kwargs:
            warnings.warn(
                f"Extra keyword arguments of __array__ are ignored: {sorted(kwargs)}",
                FutureWarning,
                stacklevel=2,
            )
        if copy is False:
            warnings.warn(
                "Can't acquire a memory view of a lazy array: it is computed, so the result is a "
                "copy. This will become an error",
                FutureWarning,
                stacklevel=2,
            )
        values = self.compute()
        if not isinstance(values, np.ndarray):
            values = to_numpy_dispatch(values)
        return np.asarray(values, dtype=dtype)

    def _one_value(self, convert: Callable[[Any], Any]) -> Any:
        if self.size != 1:
            raise TypeError("Only one-element arrays can be converted to a scalar")
        value = self.compute()
        return convert(value.item() if isinstance(value, np.ndarray) else value)

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
        if self._expr is not None:
            new = type(self)._of_expr(self._expr, self._meta, self._prefix, self._title)
            new._twin = self._twin
            return new
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
        self._take_over(other)

    def _take_over(self, other: Array) -> None:
        self._graph, self._expr, self._prefix = other._graph, other._expr, other._prefix
        self._title, self._cut, self._meta = other._title, other._cut, other._meta
        self._twin = other._twin
        self._known = {}

    def compute_chunk_sizes(self) -> Array:
        """Find unknown block lengths by computing the array; changes and returns this array."""
        from samite.array.conversion import computed_chunks

        self._chunks = computed_chunks(self)
        return self

    # -- NumPy's protocols -------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from samite.array import ufunc as ufuncs
        from samite.array.elementwise import elemwise

        out = kwargs.get("out", ())
        if any(delegates(value) for value in (*inputs, *out)):
            return NotImplemented
        if method == "__call__":
            if ufunc is np.matmul:
                from samite.array.products import matmul

                if kwargs:
                    # NumPy's operator takes them; the product of lazy arrays has none of them.
                    raise TypeError(f"matmul of lazy arrays does not take {sorted(kwargs)}")
                return matmul(*inputs)
            if ufunc.signature is not None:
                from samite.array.gufunc import apply_gufunc

                return apply_gufunc(ufunc, ufunc.signature, *inputs, **kwargs)
            if ufunc.nout > 1:
                return ufuncs.ufunc(ufunc)(*inputs, **kwargs)
            return elemwise(ufunc, *inputs, **kwargs)
        if method in ("outer", "reduce", "accumulate"):
            return getattr(ufuncs.ufunc(ufunc), method)(*inputs, **kwargs)
        return NotImplemented

    def __array_function__(
        self, func: Callable, types: Sequence[type], args: Any, kwargs: Any
    ) -> Any:
        import samite.array as twins

        if not all(kind is type(self) or is_below(kind) for kind in types):
            return NotImplemented
        twin: Any = twins
        for part in (*func.__module__.split(".")[1:], _NAMES.get(func.__name__, func.__name__)):
            twin = getattr(twin, part, None)
        # Some of NumPy's own functions are offered as they are.
        if callable(twin) and twin is not func:
            if func is np.take and len(args) < 3:
                # NumPy takes an array as flat where no axis is named; da.take does not.
                kwargs = {"axis": None, **kwargs}
            return twin(*args, **kwargs)
        warnings.warn(
            f"The `{func.__module__}.{func.__name__}` function is not implemented by Dask arrays "
            "nor by samite.array: the whole array is computed, and NumPy called. Compute the array "
            "first to say that this is meant",
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
            if delegates(other):
                return NotImplemented
            if not isinstance(getattr(other, "shape", ()), tuple):
                raise TypeError(
                    f"unsupported operand types: {type(self).__name__} and {type(other).__name__}"
                )
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

    def __setitem__(self, index: Any, value: Any) -> None:
        """Assign to elements: from now on this object is the array with other elements.

        Raises
        ------
        IndexError
            If the index does not fit the array.
        ValueError
            If the values do not fit what is indexed, or cannot be converted.
        NotImplementedError
            If several axes are indexed by lists, masks or arrays.
        """
        from samite.array.assignment import assigned

        self._take_over(assigned(self, index, value))

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
    def vindex(self) -> Any:
        """Indexing by points: ``x.vindex[[0, 1], [2, 3]]`` is the elements (0, 2) and (1, 3)."""
        from samite.array.vindex import PointView

        return PointView(self)

    def shuffle(self, indexer: list[list[int]], axis: int = 0, chunks: Any = "auto") -> Array:
        """The elements in another order along an axis; see :func:`samite.array.shuffle`."""
        from samite.array._shuffle import shuffle

        return shuffle(self, indexer, axis, chunks)

    def choose(self, choices: Any) -> Array:
        """The elements of the arrays that this one has the numbers of."""
        from samite.array.selection import choose

        return choose(self, choices)

    def repeat(self, repeats: Any, axis: int | None = None) -> Array:
        """Every element several times along an axis; see :func:`samite.array.repeat`."""
        from samite.array.arranging import repeat

        return repeat(self, repeats, axis=axis)

    def nonzero(self) -> tuple[Array, ...]:
        """The positions of elements that are not zero; see :func:`samite.array.nonzero`."""
        from samite.array.conditions import nonzero

        return nonzero(self)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
        """The elements on a diagonal of two axes; see :func:`samite.array.diagonal`."""
        from samite.array.matrices import diagonal

        return diagonal(self, offset, axis1, axis2)

    def searchsorted(self, v: Any, side: str = "left", sorter: Any = None) -> Array:
        """Where values belong in this sorted array; see :func:`samite.array.searchsorted`."""
        from samite.array.searching import searchsorted

        return searchsorted(self, v, side=side, sorter=sorter)

    def compress(self, condition: Any, axis: int | None = None) -> Array:
        """The elements where a condition is true; see :func:`samite.array.compress`."""
        from samite.array.selection import compress

        return compress(condition, self, axis=axis)

    def take(self, indices: Any, axis: int | None = None) -> Array:
        """The elements at some positions along an axis, or in the flat array."""
        from samite.array.selection import take

        return take(self.ravel(), indices) if axis is None else take(self, indices, axis=axis)

    def fill(self, value: Any) -> None:
        """Assign one value to all elements."""
        self[...] = value

    def item(self, *args: Any) -> Any:
        """One element as a number of Python's, computed at once.

        Raises
        ------
        ValueError
            If it is not told which, and there are more.
        """
        if not args:
            if self.size != 1:
                raise ValueError("can only convert an array of size 1 to a Python scalar")
            return np.asarray(self.compute()).item()
        index = args[0] if len(args) == 1 else args
        chosen = self[tuple(index)] if isinstance(index, tuple) else self.ravel()[index]
        return np.asarray(chosen.compute()).item()

    def tolist(self) -> Any:
        """The elements, computed at once, as lists nested by axis."""
        return np.asarray(self.compute()).tolist()

    def map_overlap(self, func: Callable, *args: Any, **kwargs: Any) -> Array:
        """Call a function on chunks that overlap; see :func:`samite.array.map_overlap`.

        Positional arguments after the function are ``depth``, ``boundary`` and ``trim``.
        """
        from samite.array.overlap import map_overlap

        return map_overlap(func, self, **dict(zip(("depth", "boundary", "trim"), args)), **kwargs)

    @property
    def A(self) -> Array:
        """This array; what the attribute of NumPy's matrices is an array of."""
        return self

    def view(self, dtype: Any = None, order: str = "C") -> Array:
        """The same memory, read as elements of another dtype.

        Parameters
        ----------
        dtype:
            Of the same size, or one that divides or joins elements along one axis.
        order:
            ``"C"`` to do it along the last axis, ``"F"`` along the first.

        Raises
        ------
        ValueError
            If the blocks along that axis do not hold whole elements.
        """
        from samite.array.conversion import view

        return view(self, dtype, order)

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

    def rechunk(self, chunks: Any = "auto", *args: Any, **kwargs: Any) -> Array:
        """The same array, cut in another way; see :func:`samite.array.rechunk`."""
        from samite.array.rechunk import rechunk

        return rechunk(self, chunks, *args, **kwargs)

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


Array._bind_operators()
# Binding __eq__ unsets nothing, but a class that has it must say that it cannot be hashed.
Array.__hash__ = None  # type: ignore[assignment]

# Functions that NumPy has under two names, or that have another meaning under theirs.
_NAMES = {
    "amax": "max",
    "amin": "min",
    "cholesky": "cholesky_like_numpy",
    "concat": "concatenate",
    "permute_dims": "transpose",
}

_UNKNOWN_CHUNKS_HELP = (
    " A possible solution: x.compute_chunk_sizes() finds the lengths by computing the array."
)


def _elementwise(elemwise: Callable, op: Callable) -> Callable:
    return lambda left, right: elemwise(op, left, right)


def _computed(value: Any) -> Any:
    from samite.base import compute

    return compute(value)[0]


def make_array(
    name: str, layer: Mapping[Any, Any], chunks: Chunks, meta: Any, dependencies: Sequence[Any] = ()
) -> Array:
    """The array whose chunks a new layer computes, on top of other collections."""
    graph = HighLevelGraph.from_collections(name, layer, dependencies=dependencies)
    return Array(graph, name, chunks, meta=meta)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        # The import statement looks for these, in every function that imports the class.
        raise AttributeError(name)
    from samite.array.elsewhere import find

    return find(__name__, name)
