"""How xarray works with lazy arrays: a chunk manager, which xarray finds as an entry point.

Objects with these arrays use this manager by themselves, and
``ds.chunk(chunked_array_type="samite")`` or ``xr.open_zarr(..., chunked_array_type="samite")``
makes them.

Where Dask is installed too, xarray's manager for Dask takes everything that is a collection by
Dask's protocol, which these arrays are, and xarray refuses arrays that two managers take. There
:func:`register` has to be called once, which limits that manager to Dask's own arrays.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xarray.namedarray.parallelcompat import ChunkManagerEntrypoint

from samite.array.core import Array

__all__ = ["SamiteManager", "register"]


class SamiteManager(ChunkManagerEntrypoint[Array]):
    """What xarray asks of a library of chunked arrays, done by lazy arrays."""

    array_cls = Array
    available = importlib.util.find_spec("dask") is None

    def __init__(self) -> None:
        # What arrays are recognised by is the same for all instances.
        _group_without_flox()

    def is_chunked_array(self, data: Any) -> bool:
        """Whether this manager is responsible for an array."""
        return isinstance(data, Array)

    def chunks(self, data: Array) -> Any:
        """The lengths of the blocks along each axis."""
        return data.chunks

    def normalize_chunks(
        self,
        chunks: Any,
        shape: Any = None,
        limit: int | None = None,
        dtype: Any = None,
        previous_chunks: Any = None,
    ) -> Any:
        """The lengths of blocks that a description means."""
        from samite.array.chunks import normalize_chunks

        return normalize_chunks(
            chunks, shape=shape, limit=limit, dtype=dtype, previous_chunks=previous_chunks
        )

    def from_array(self, data: Any, chunks: Any, **kwargs: Any) -> Array:
        """A lazy array over one in memory or in a file."""
        from samite.array.conversion import from_array

        if isinstance(data, Array) or (
            hasattr(data, "__dask_graph__") and hasattr(data, "rechunk")
        ):
            # What is lazy already is cut anew as what it is, also Dask's.
            return data.rechunk(chunks)
        if _is_indexing_adapter(data):
            # These are no arrays, but become NumPy's when they are sliced.
            kwargs.setdefault("meta", np.ndarray)
        return from_array(data, chunks, **kwargs)

    def rechunk(self, data: Array, chunks: Any, **kwargs: Any) -> Array:
        """The same array, cut in another way."""
        return data.rechunk(chunks, **kwargs)

    def compute(self, *data: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The values of arrays, computed together."""
        from samite.base import compute

        return compute(*data, **kwargs)

    def persist(self, *data: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Arrays with their chunks computed and kept in memory."""
        from samite.base import persist

        return persist(*data, **kwargs)

    @property
    def array_api(self) -> Any:
        """The functions that take and create arrays."""
        return _Functions()

    def reduction(
        self,
        arr: Array,
        func: Callable,
        combine_func: Callable | None = None,
        aggregate_func: Callable | None = None,
        axis: Any = None,
        dtype: Any = None,
        keepdims: bool = False,
    ) -> Array:
        """A reduction along axes, by chunks and then of their results."""
        from samite.array.reductions import reduction

        return reduction(
            arr,
            chunk=func,
            combine=combine_func,
            aggregate=aggregate_func,
            axis=axis,
            dtype=dtype,
            keepdims=keepdims,
        )

    def scan(
        self, func: Callable, binop: Callable, ident: float, arr: Array, axis: Any = None,
        dtype: Any = None, **kwargs: Any,
    ) -> Array:  # fmt: skip
        """A cumulative function along an axis."""
        from samite.array.reductions import cumreduction

        return cumreduction(func, binop, ident, arr, axis=axis, dtype=dtype, **kwargs)

    def apply_gufunc(
        self,
        func: Callable,
        signature: str,
        *args: Any,
        axes: Any = None,
        axis: int | None = None,
        keepdims: bool = False,
        output_dtypes: Any = None,
        output_sizes: dict[str, int] | None = None,
        vectorize: bool | None = None,
        allow_rechunk: bool = False,
        meta: Any = None,
        **kwargs: Any,
    ) -> Any:
        """A generalized function of blocks."""
        from samite.array.gufunc import apply_gufunc

        return apply_gufunc(
            func,
            signature,
            *args,
            axes=axes,
            axis=axis,
            keepdims=keepdims,
            output_dtypes=output_dtypes,
            output_sizes=output_sizes,
            vectorize=vectorize,
            allow_rechunk=allow_rechunk,
            meta=meta,
            **kwargs,
        )

    def map_blocks(
        self,
        func: Callable,
        *args: Any,
        dtype: Any = None,
        chunks: Any = None,
        drop_axis: Any = None,
        new_axis: Any = None,
        **kwargs: Any,
    ) -> Array:
        """A function of every chunk."""
        from samite.array.blocks import map_blocks

        return map_blocks(
            func,
            *args,
            dtype=dtype,
            chunks=chunks,
            drop_axis=drop_axis,
            new_axis=new_axis,
            **kwargs,
        )

    def blockwise(
        self,
        func: Callable,
        out_ind: Any,
        *args: Any,
        name: str | None = None,
        token: Any = None,
        dtype: Any = None,
        adjust_chunks: Any = None,
        new_axes: Any = None,
        align_arrays: bool = True,
        concatenate: bool | None = None,
        meta: Any = None,
        **kwargs: Any,
    ) -> Array:
        """A function of blocks that belong together by their indices."""
        from samite.array.blockwise import blockwise

        return blockwise(
            func,
            out_ind,
            *args,
            name=name,
            token=token,
            dtype=dtype,
            adjust_chunks=adjust_chunks,
            new_axes=new_axes,
            align_arrays=align_arrays,
            concatenate=concatenate,
            meta=meta,
            **kwargs,
        )

    def unify_chunks(self, *args: Any, **kwargs: Any) -> tuple[dict[Any, Any], list[Array]]:
        """Arrays cut in the same way along indices that they share."""
        from samite.array.blockwise import unify_chunks

        return unify_chunks(*args, **kwargs)

    def store(self, sources: Any, targets: Any, **kwargs: Any) -> Any:
        """Write arrays into objects that take slices."""
        from samite.array.storing import store

        if isinstance(targets, Sequence) and not targets:
            return None
        return store(sources=sources, targets=targets, **kwargs)

    def shuffle(self, x: Array, indexer: list[list[int]], axis: int, chunks: Any) -> Array:
        """The elements in another order along an axis, by groups that stay together."""
        from samite.array._shuffle import shuffle

        if chunks is None:
            chunks = "auto"
        if chunks != "auto":
            raise NotImplementedError("Only chunks='auto' is supported at present.")
        return shuffle(x, indexer, axis, chunks="auto")

    def get_auto_chunk_size(self) -> int:
        """The most bytes of a chunk whose size is chosen."""
        from samite import config
        from samite.utils import parse_bytes

        return parse_bytes(config.get("array.chunk-size"))


class _Functions:
    """The functions of this package, with those that NumPy has in a library of its own."""

    def __getattr__(self, name: str) -> Any:
        import samite.array
        from samite.array.lib import stride_tricks

        if name == "sliding_window_view":
            return stride_tricks.sliding_window_view
        return getattr(samite.array, name)


def _is_indexing_adapter(data: Any) -> bool:
    from xarray.core.indexing import ImplicitToExplicitIndexingAdapter

    return isinstance(data, ImplicitToExplicitIndexingAdapter)


def _group_without_flox() -> None:
    """Have xarray itself group objects with these arrays: flox would make Dask's of them."""
    from xarray.core import _aggregations, groupby

    for module in (_aggregations, groupby):
        ask = getattr(module, "contains_only_chunked_or_numpy", None)
        if ask is not None and not getattr(ask, "declines_samite", False):
            module.contains_only_chunked_or_numpy = _but_ours(ask)  # type: ignore[attr-defined]


def _but_ours(ask: Callable[[Any], bool]) -> Callable[[Any], bool]:
    @functools.wraps(ask)
    def asked(obj: Any) -> bool:
        whole = obj._to_temp_dataset() if hasattr(obj, "_to_temp_dataset") else obj
        ours = any(isinstance(one._data, Array) for one in whole._variables.values())
        return not ours and ask(obj)

    asked.declines_samite = True  # type: ignore[attr-defined]
    return asked


def register(default: bool = False) -> None:
    """Let xarray work with these arrays in this process, also where Dask is installed.

    Parameters
    ----------
    default:
        Whether xarray makes these arrays also where nobody says which ones: ``ds.chunk()`` and
        ``xr.open_dataset(..., chunks={})``. Otherwise those are Dask's there.

    Examples
    --------
    >>> import samite.array.xarray
    >>> samite.array.xarray.register()  # doctest: +SKIP
    """
    import xarray as xr
    from xarray.namedarray.parallelcompat import list_chunkmanagers

    managers = list_chunkmanagers()
    managers["samite"] = SamiteManager()
    if default:
        xr.set_options(chunk_manager="samite")
    daskmanager = managers.get("dask")
    if daskmanager is None or getattr(daskmanager, "declines_samite", False):
        return

    class DaskOnly(type(daskmanager)):  # type: ignore[misc]
        """Xarray's manager for Dask, of Dask's arrays alone."""

        declines_samite = True

        def is_chunked_array(self, data: Any) -> bool:
            return not isinstance(data, Array) and super().is_chunked_array(data)

        def from_array(self, data: Any, chunks: Any, **kwargs: Any) -> Any:
            # What is lazy already is cut anew as what it is.
            if isinstance(data, Array):
                return data.rechunk(chunks)
            return super().from_array(data, chunks, **kwargs)

    managers["dask"] = DaskOnly()
