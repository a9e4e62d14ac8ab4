"""Methods of arrays for reductions, for the array API standard, and for what leaves the array.

They are apart from :class:`samite.array.core.Array`, which has them, so that no file is too long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from samite.array.core import Array

__all__ = ["ReductionMethods", "StandardMethods", "StorageMethods"]


class ReductionMethods:
    """Methods that make one element of many, or of all up to some place."""

    __slots__ = ()

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

    def moment(
        self, order, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None
    ) -> Array:
        """The central moment along axes; see :func:`samite.array.moment`."""
        from samite.array.reductions import moment

        return moment(self, order, axis, dtype, keepdims, ddof, split_every, out)

    def trace(self, offset=0, axis1=0, axis2=1, dtype=None) -> Array:
        """The sum along diagonals of two axes."""
        from samite.array.reductions import trace

        return trace(self, offset, axis1, axis2, dtype)

    def cumsum(self, axis=None, dtype=None, out=None, *, method="sequential") -> Array:
        """The running sum along an axis; see :func:`samite.array.cumsum`."""
        from samite.array.cumulative import cumsum

        return cumsum(self, axis, dtype, out, method)

    def cumprod(self, axis=None, dtype=None, out=None, *, method="sequential") -> Array:
        """The running product along an axis; see :func:`samite.array.cumprod`."""
        from samite.array.cumulative import cumprod

        return cumprod(self, axis, dtype, out, method)

    def topk(self, k: int, axis: int = -1, split_every: Any = None) -> Array:
        """The greatest elements along an axis; see :func:`samite.array.topk`."""
        from samite.array.order_statistics import topk

        return topk(self, k, axis, split_every)

    def argtopk(self, k: int, axis: int = -1, split_every: Any = None) -> Array:
        """The positions of the greatest elements along an axis."""
        from samite.array.order_statistics import argtopk

        return argtopk(self, k, axis, split_every)

    def sort(self: Any, axis: int = -1, kind: Any = None, order: Any = None) -> None:
        """Sort this array along an axis, as NumPy's method does: nothing is returned."""
        from samite.array.sorting import sort

        self._become(sort(self, axis, kind, order))

    def argsort(self, axis: int = -1, kind: Any = None, order: Any = None) -> Array:
        """The positions of the elements in ascending order; see :func:`samite.array.argsort`."""
        from samite.array.sorting import argsort

        return argsort(self, axis, kind, order)


class StandardMethods:
    """What the array API standard asks of arrays and NumPy's do not have."""

    __slots__ = ()

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The functions of the array API standard, for lazy arrays.

        Raises
        ------
        ValueError
            If the version of the standard is not one that is followed.
        """
        from samite.array import _array_api

        _array_api.check_version(api_version)
        return _array_api

    @property
    def device(self) -> str:
        """Where the chunks are: always ``"cpu"``, for this is what the standard asks for."""
        return "cpu"

    def to_device(self, device: Any, /, *, stream: Any = None) -> Array:
        """The array on a device, of which there is one.

        Raises
        ------
        ValueError
            If another device, or a stream, is asked for.
        """
        if device != "cpu" or stream is not None:
            raise ValueError(f"there is no device but 'cpu', and it has no streams: {device!r}")
        return self

    @property
    def mT(self: Any) -> Array:
        """The array with its last two axes exchanged.

        Raises
        ------
        ValueError
            If there are fewer than two.
        """
        if self.ndim < 2:
            raise ValueError(
                f"matrix transpose with ndim < 2 is undefined, and ndim is {self.ndim}"
            )
        return self.swapaxes(-1, -2)

    def __dlpack__(self, **kwargs: Any) -> Any:
        return np.asarray(self).__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return np.empty(0).__dlpack_device__()


class StorageMethods:
    """Methods that write an array somewhere, hand it to another library, or show what it is."""

    __slots__ = ()

    def explain(self: Any) -> str:
        """What is computed, as text: the operations as they were written, and as the engine's
        passes leave them, with shapes, blocks and bytes.

        Raises
        ------
        NotImplementedError
            If the array is a graph of Python tasks, which the passes do not look into.
        """
        return self._native_expr().explain()

    def pprint(self: Any) -> None:
        """Print the operations that the array is made of, a line each."""
        print(self._native_expr().tree(), end="")

    def _native_expr(self: Any) -> Any:
        if self._expr is None:
            raise NotImplementedError(
                "this array is a graph of Python tasks and has no tree of operations; "
                "x.visualize() draws it, and x.dask lists its layers"
            )
        return self._expr

    def to_delayed(self: Any, optimize_graph: bool = True) -> np.ndarray:
        """The chunks as lazy values, in an array of objects with the shape ``numblocks``."""
        from samite.array.conversion import to_delayed

        return to_delayed(self, optimize_graph)

    def store(self: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
        """Write the array; see :func:`samite.array.store`."""
        from samite.array.storage import store

        return store([self], [target], *args, **kwargs)

    def to_zarr(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Write the array in the Zarr format; see :func:`samite.array.to_zarr`."""
        from samite.array.zarr_files import to_zarr

        return to_zarr(self, *args, **kwargs)

    def to_hdf5(self: Any, filename: Any, datapath: str, **kwargs: Any) -> None:
        """Write the array into a file of HDF5; see :func:`samite.array.to_hdf5`."""
        from samite.array.hdf5_files import to_hdf5

        to_hdf5(filename, datapath, self, **kwargs)

    def to_tiledb(self: Any, uri: Any, *args: Any, **kwargs: Any) -> Any:
        """Write the array with TileDB; see :func:`samite.array.to_tiledb`."""
        from samite.array.tiledb_files import to_tiledb

        return to_tiledb(self, uri, *args, **kwargs)

    def to_dask_dataframe(
        self: Any, columns: Any = None, index: Any = None, meta: Any = None
    ) -> Any:
        """A data frame of the columns, or a series of an array of one dimension.

        Raises
        ------
        ValueError
            If there are more than two dimensions, or ``columns`` or ``index`` do not fit.
        """
        from samite.array.conversion import to_dask_dataframe

        return to_dask_dataframe(self, columns, index, meta)

    def to_backend(self: Any, backend: str | None = None, **kwargs: Any) -> Array:
        """The array with its chunks moved to another library.

        Parameters
        ----------
        backend:
            The name of the library; by default the setting ``array.backend``.

        Raises
        ------
        ValueError
            If there is no library of that name.
        """
        from samite.array.backends import array_creation_dispatch

        return array_creation_dispatch.dispatch(
            backend or array_creation_dispatch.backend
        ).to_backend(self, **kwargs)
