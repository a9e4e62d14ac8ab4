"""Rows of Arrow tables."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from samite._expr import Expr
from samite._task_spec import Task
from samite.dataframe.expressions.node import FrameExpr, columns_wanted


class FromArrow(FrameExpr):
    """Rows of an Arrow table, cut at ``starts``, which end with its length.

    ``table`` holds the table; ``dtype_backend`` is as in pandas' readers.
    """

    _parameters = ["table", "starts", "dtype_backend", "chosen"]
    _defaults: ClassVar[dict[str, Any]] = {"dtype_backend": None, "chosen": None}

    @functools.cached_property
    def _meta(self) -> Any:
        empty = self._table().slice(0, 0)
        return rows_of_table(empty, 0, self.dtype_backend, self._casts)

    @functools.cached_property
    def _casts(self) -> dict[Any, str]:
        """The dtypes of columns that the missing values of any partition decide on."""
        import pyarrow as pa

        if self.dtype_backend is not None:
            return {}
        table, casts = self._table(), {}
        for name, column in zip(table.column_names, table.columns, strict=True):
            if column.null_count and pa.types.is_integer(column.type):
                casts[name] = "float64"
            elif column.null_count and pa.types.is_boolean(column.type):
                casts[name] = "object"
        return casts

    def _table(self) -> Any:
        table = self.operand("table").value
        return table if self.chosen is None else table.select(self.chosen)

    def _divisions(self) -> Sequence[Any]:
        starts = self.starts
        if starts[-1] == 0 or starts[0] == starts[-1]:
            return (None,) * len(starts)
        return (*starts[:-1], starts[-1] - 1)

    def _layer(self) -> Mapping[Any, Any]:
        table = self._table()
        layer = {}
        for index in range(self.npartitions):
            key = (self._name, index)
            start, stop = self.starts[index : index + 2]
            part = table.slice(start, stop - start)
            layer[key] = Task(
                key, rows_of_table, part, start, self.dtype_backend, self._casts,
                _data_producer=True,
            )  # fmt: skip
        return layer

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        from samite.dataframe.expressions.selection import Projection

        if not isinstance(parent, Projection):
            return None
        wanted = columns_wanted(self, dependents)
        if wanted is None or wanted == self.columns or not self._meta.columns.is_unique:
            return None
        projected = FromArrow(self.operand("table"), self.starts, self.dtype_backend, wanted)
        return Projection(projected, parent.operand("columns"))

    def _operands_for_repr(self) -> list[str]:
        return [f"npartitions={self.npartitions}"]


def rows_of_table(
    table: Any, start: int, dtype_backend: str | None, casts: Mapping[Any, str]
) -> Any:
    """A part of a table as a pandas frame, whose rows are numbered from ``start``."""
    import pandas as pd

    mapper = None
    if dtype_backend == "pyarrow":
        mapper = pd.ArrowDtype
    elif dtype_backend == "numpy_nullable":
        mapper = _nullable().get
    frame = table.to_pandas(types_mapper=mapper, ignore_metadata=True)
    if casts:
        frame = frame.astype(dict(casts))
    frame.index = pd.RangeIndex(start, start + len(frame))
    return frame


def _nullable() -> dict[Any, Any]:
    import pandas as pd
    import pyarrow as pa

    names = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
    found = {getattr(pa, name)(): pd.array([], dtype=name.title().replace("Ui", "UI")).dtype
             for name in names}  # fmt: skip
    found |= {pa.float32(): pd.Float32Dtype(), pa.float64(): pd.Float64Dtype()}
    found |= {pa.bool_(): pd.BooleanDtype()}
    found |= dict.fromkeys((pa.string(), pa.large_string()), pd.StringDtype())
    return found
