"""Partitions as arrays, records and numbers of rows."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from samite.dataframe.expressions.node import Partitionwise


def _is_extension(dtype: Any) -> bool:
    return isinstance(dtype, pd.api.extensions.ExtensionDtype)


class RowsAsArray(Partitionwise):
    """The values as arrays of NumPy."""

    _parameters = ["frame"]
    _keeps_divisions = False

    @staticmethod
    def operation(frame: Any) -> np.ndarray:
        values = frame.values
        if isinstance(frame, pd.DataFrame):
            extensions = any(_is_extension(dtype) for dtype in frame.dtypes)
        else:
            extensions = not isinstance(values, np.ndarray)
        # Whether values are missing must not decide on the dtype.
        return np.asarray(values, dtype=object) if extensions else values

    @functools.cached_property
    def _meta(self) -> np.ndarray:
        return self.operation(self.frame._meta)


class RowsAsRecords(Partitionwise):
    """The rows as arrays of records."""

    _parameters = ["frame", "index"]
    _keeps_divisions = False

    @staticmethod
    def operation(frame: Any, index: Any) -> Any:
        # Joined blocks are plain arrays of records.
        return np.asarray(frame.to_records(index=index))

    @functools.cached_property
    def _meta(self) -> Any:
        return self.operation(self.frame._meta, self.index)


class RowCounts(Partitionwise):
    """The number of rows of each partition, as a series."""

    _parameters = ["frame"]
    _keeps_divisions: ClassVar[bool] = False

    @staticmethod
    def operation(frame: Any) -> pd.Series:
        return pd.Series([len(frame)], dtype="int64")

    @functools.cached_property
    def _meta(self) -> pd.Series:
        return pd.Series([], dtype="int64")

    def _simplify_down(self) -> Any:
        from samite.dataframe.expressions.selection import Projection

        frame = self.frame
        if frame.ndim == 2 and len(frame.columns) > 1 and frame._meta.columns.is_unique:
            return type(self)(Projection(frame, [frame.columns[0]]))
        return None


class ScalarAsSeries(Partitionwise):
    """A scalar as a series of one row, of that label."""

    _parameters = ["frame", "index"]

    @staticmethod
    def operation(frame: Any, index: Any) -> pd.Series:
        return pd.Series([frame], index=[index])

    @functools.cached_property
    def _meta(self) -> pd.Series:
        return self.operation(self.frame._meta, self.operand("index"))[:0]

    def _divisions(self) -> Any:
        label = self.operand("index")
        return (label, label)


class RowsInBag(Partitionwise):
    """The rows as lists: of tuples or of dicts."""

    _parameters = ["frame", "index", "format"]
    _keeps_divisions = False

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    @staticmethod
    def operation(frame: Any, index: bool, format: str) -> Any:
        if format == "frame":
            return frame
        if isinstance(frame, pd.DataFrame):
            if format == "tuple":
                return list(frame.itertuples(index=index))
            rows = frame
            if index:
                # The index is called "index", whatever its name.
                rows = frame.copy(deep=False)
                rows.insert(0, "index", frame.index)
            return rows.to_dict(orient="records")
        if format == "dict":
            return frame.to_frame().to_dict(orient="records")
        if isinstance(frame, pd.Series):
            return list(frame.items()) if index else list(frame)
        return list(frame)
