"""Conversion to other collections, and display."""

from __future__ import annotations

from typing import Any

from samite.dataframe.collections.mixin import Mixin


class ConversionMethods(Mixin):
    """Conversion to other collections, and display. For frames and series alike."""

    def to_backend(self, backend: str | None = None, **kwargs: Any) -> Any:
        """The same with partitions of another library.

        Parameters
        ----------
        backend:
            Its name; by default what the setting ``dataframe.backend`` says.

        Raises
        ------
        ValueError
            No such library is registered.
        """
        from samite.dataframe.creation import dataframe_creation_dispatch

        chosen = backend or dataframe_creation_dispatch.backend
        return dataframe_creation_dispatch.dispatch(chosen).to_backend(self, **kwargs)

    def to_dask_array(self, lengths: Any = None, meta: Any = None, optimize: bool = True) -> Any:
        """The values as a lazy array, with a block for each partition.

        Parameters
        ----------
        lengths:
            The number of rows of each partition, or True to compute them; otherwise the array's
            length is not known.
        meta:
            An empty array like the blocks.
        optimize:
            Whether the expression is optimized first.

        Raises
        ------
        ValueError
            There is not one length for each partition.
        """
        from samite.dataframe.arrays import to_array

        return to_array(self, lengths, meta, optimize)

    to_array = to_dask_array

    @property
    def values(self) -> Any:
        """The values as a lazy array, whose length is not known; a warning tells of dtypes that
        become objects."""
        from samite.dataframe.arrays import to_array, warn_of_extension_dtypes

        warn_of_extension_dtypes(self)
        return to_array(self, None, None, True)

    def to_bag(self, index: bool = False, format: str = "tuple") -> Any:
        """The rows as a bag.

        Parameters
        ----------
        index:
            Whether the labels of the rows are elements of the tuples.
        format:
            What the elements are: ``"tuple"``, ``"dict"``, or ``"frame"`` for the partitions as
            they are.

        Raises
        ------
        ValueError
            ``format`` is another.
        """
        from samite.dataframe.bags import to_bag

        return to_bag(self, index, format)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        import numpy as np

        if copy is False:
            raise ValueError(
                "An array without a copy is not possible: the values are computed. Use copy=None"
            )
        return np.asarray(self.compute(), dtype=dtype)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        meta = self._meta
        if getattr(meta, "ndim", 0) == 0 or not getattr(array, "ndim", 0):
            return array
        import pandas as pd

        index = context[1][0].index if isinstance(context, tuple) and context[1] else None
        if isinstance(meta, pd.DataFrame):
            return pd.DataFrame(array, index=index, columns=meta.columns)
        if isinstance(meta, pd.Index):
            return pd.Index(array, name=meta.name)
        return pd.Series(array, index=index, name=meta.name)

    def repeat(self, repeats: Any = None, axis: Any = None) -> Any:
        """Refused: the labels of repeated rows would not be unique to a partition.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError(
            "`repeat` is not implemented for lazy frames; use map_partitions, or the array of "
            "`.values`"
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from samite.dataframe.arrays import call_ufunc

        return call_ufunc(ufunc, method, inputs, kwargs)

    def memory_usage_per_partition(self, index: bool = True, deep: bool = False) -> Any:
        """The bytes of each partition, as a series.

        Parameters
        ----------
        index:
            Whether to count the index.
        deep:
            Whether to count what Python objects hold.
        """
        from samite._collections import new_collection
        from samite.dataframe.expressions.memory import MemoryUsagePerPartition

        return new_collection(MemoryUsagePerPartition(self.expr, deep, index))

    def to_string(self, max_rows: int = 5) -> str:
        """The dtypes and divisions as text; no rows are computed."""
        from samite.dataframe import display

        return display.structure(self).to_string(max_rows=max_rows)

    def __repr__(self) -> str:
        from samite.dataframe import display

        return display.text(self)

    __str__ = __repr__


class ConversionMethodsOfFrame(Mixin):
    """Conversion to other collections, and display. For frames."""

    def categorize(
        self, columns: Any = None, index: bool | None = None, split_every: Any = None, **kwargs: Any
    ) -> Any:
        """A frame with columns made categorical; their categories are computed.

        Parameters
        ----------
        columns:
            A label or a list of them; by default the columns of text and objects, and those
            whose categories are not known.
        index:
            Whether the index is made categorical; by default if it is of text or objects, or its
            categories are not known.
        split_every:
            How many partitions' categories are joined at a time, or False for all at once.
        kwargs:
            For ``compute``.

        Raises
        ------
        ValueError
            ``split_every`` is another.
        """
        from samite.dataframe.categorical import categorize

        return categorize(self, columns, index, split_every, **kwargs)

    def to_records(self, index: Any = True, lengths: Any = None) -> Any:
        """The rows as a lazy array of records; see :meth:`to_dask_array`.

        Parameters
        ----------
        index:
            Whether the labels of the rows are a field, or its names.
        """
        from samite.dataframe.arrays import to_records

        return to_records(self, index, lengths)

    def memory_usage(self, deep: bool = False, index: bool = True) -> Any:
        """The bytes of each column, as a series.

        Parameters
        ----------
        deep:
            Whether to count what Python objects hold.
        index:
            Whether to count the index, as ``Index``.
        """
        from samite._collections import new_collection
        from samite.dataframe.expressions.memory import MemoryUsage

        return new_collection(MemoryUsage(self.expr, deep, index))

    def info(self, buf: Any = None, verbose: bool = False, memory_usage: bool = False) -> None:
        """Print the columns and their dtypes.

        Parameters
        ----------
        buf:
            Where to write, by default to standard output.
        verbose:
            Whether to compute and write the number of values in each column.
        memory_usage:
            Whether to compute and write the bytes.
        """
        from samite.dataframe.information import print_info

        print_info(self, buf, verbose, memory_usage)

    def to_html(self, max_rows: int = 5) -> str:
        """The dtypes and divisions as HTML; no rows are computed."""
        from samite.dataframe import display

        return display.html(self, max_rows)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
        """The frame by the interchange protocol; the rows are computed when they are asked for."""
        from samite.dataframe.interchange import InterchangeFrame

        return InterchangeFrame(self)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The rows as a stream of Arrow, partition by partition."""
        from samite.dataframe.interchange import arrow_stream

        return arrow_stream(self, requested_schema)

    def to_arrow(self) -> Any:
        """The rows as an Arrow table, computed."""
        import pyarrow as pa

        return pa.RecordBatchReader.from_stream(self).read_all()

    def to_polars(self) -> Any:
        """The rows as a frame of Polars, computed.

        Raises
        ------
        RuntimeError
            Polars is not installed.
        """
        from samite.utils import import_required

        polars = import_required("polars", "to_polars needs Polars: pip install polars")
        return polars.from_arrow(self.to_arrow())

    @classmethod
    def from_dict(
        cls,
        data: Any,
        *,
        npartitions: int = 1,
        orient: str = "columns",
        dtype: Any = None,
        columns: Any = None,
    ) -> Any:
        """See :func:`samite.dataframe.from_dict`."""
        from samite.dataframe.io.from_dict import from_dict

        return from_dict(data, npartitions, orient=orient, dtype=dtype, columns=columns)


class ConversionMethodsOfSeries(Mixin):
    """Conversion to other collections, and display. For series."""

    def memory_usage(self, deep: bool = False, index: bool = True) -> Any:
        """The bytes of the values, as a scalar.

        Parameters
        ----------
        deep:
            Whether to count what Python objects hold.
        index:
            Whether to count the index.
        """
        from samite._collections import new_collection
        from samite.dataframe.expressions.memory import MemoryUsage

        return new_collection(MemoryUsage(self.expr, deep, index))


class ConversionMethodsOfIndex(Mixin):
    """Conversion to other collections, and display. For indexes."""

    def memory_usage(self, deep: bool = False) -> Any:
        """The bytes of the labels, as a scalar."""
        from samite._collections import new_collection
        from samite.dataframe.expressions.memory import MemoryUsage

        return new_collection(MemoryUsage(self.expr, deep, True))

    def __repr__(self) -> str:
        return f"<samite.dataframe.Index: expr={self.expr}>"

    __str__ = __repr__
