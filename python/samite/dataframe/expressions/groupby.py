"""Aggregation of groups by partial results."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr import Expr
from samite._expr.graphs import nested_references
from samite._task_spec import Task, TaskRef
from samite.dataframe.expressions.node import FrameExpr, readable
from samite.dataframe.expressions.selection import Projection
from samite.dataframe.expressions.tree import DEFAULT_SPLIT_EVERY, Step, add_tree
from samite.dataframe.groupby import exchange, partial_results
from samite.dataframe.groupby.partial_results import External
from samite.dataframe.groupby.specification import Output
from samite.dataframe.metadata import make_meta, meta_nonempty


class Grouped(FrameExpr):
    """What nodes over groups have in common.

    Their first operand is the frame, and after the named operands come the keys: labels of
    columns or of levels of the index, or expressions with the rows of the frame.
    """

    @property
    def by(self) -> list[Any]:
        """The keys: labels and expressions."""
        return self.operands[len(type(self)._parameters) :]

    @functools.cached_property
    def _places(self) -> list[Any]:
        """The keys for functions of partitions: labels, and places among the expressions."""
        places: list[Any] = []
        found = 0
        for key in self.by:
            if isinstance(key, Expr):
                places.append(External(found))
                found += 1
            else:
                places.append(key)
        return places

    @property
    def _series(self) -> list[Expr]:
        """The keys that are expressions."""
        return [key for key in self.by if isinstance(key, Expr)]

    @property
    def _names(self) -> list[Any]:
        """The names of the keys in the result."""
        return [key._meta.name if isinstance(key, Expr) else key for key in self.by]

    def _columns_needed(self) -> list[Any]:
        """The columns that are read beside the keys."""
        raise NotImplementedError

    def _simplify_down(self) -> Any:
        frame = self.frame
        if not frame._meta.columns.is_unique:
            return None
        wanted = set(self._columns_needed()) | {k for k in self.by if not isinstance(k, Expr)}
        columns = [c for c in frame.columns if c in wanted]
        if columns == list(frame.columns):
            return None
        operands = list(self.operands)
        operands[0] = Projection(frame, columns)
        return type(self)(*operands)

    def _inputs(self) -> list[Expr]:
        return [self.frame, *self._series]

    def _references(self, index: int) -> list[TaskRef]:
        return [
            TaskRef((node._name, index if node.npartitions > 1 else 0)) for node in self._inputs()
        ]

    def _arguments_readable(self) -> str:
        keys = [readable(key) if isinstance(key, Expr) else repr(key) for key in self.by]
        return f"{readable(self.frame)}.groupby({', '.join(keys)})"


class GroupByAggregation(Grouped):
    """Columns of a frame aggregated by group.

    ``outputs`` are the columns of the result (:class:`Output`), ``is_series`` whether it is a
    series of the only one; ``sort``, ``dropna`` and ``observed`` as pandas has them;
    ``split_out`` is the number of partitions of the result, ``split_every`` how many partial
    results are joined at a time.
    """

    _parameters = [
        "frame",
        "outputs",
        "is_series",
        "column_names",
        "sort",
        "dropna",
        "observed",
        "split_every",
        "split_out",
    ]

    @functools.cached_property
    def _funcname(self) -> str:
        functions = {str(getattr(o.function, "__name__", o.function)) for o in self.outputs}
        return f"groupby-{functions.pop()}" if len(functions) == 1 else "groupby-aggregate"

    def __dask_tokenize__(self) -> Any:
        if not self._determ_token:
            from samite.tokenize import tokenize

            # A user's function need not have a token that is the same everywhere.
            self._determ_token = tokenize(type(self).__name__, *self.operands)
        return self._determ_token

    @functools.cached_property
    def _needs(self) -> list[Any]:
        return partial_results.needs_of(self.outputs)

    @functools.cached_property
    def _chunk_keywords(self) -> dict[str, Any]:
        return {"by": self._places, "needs": self._needs, "dropna": self._drops_early}

    @property
    def _drops_early(self) -> bool:
        """Whether rows without a key can be left out at once. The other keys of such rows make
        groups where every pair of values does, rows or none."""
        return self.dropna and not self._is_one_table

    @functools.cached_property
    def _combine_keywords(self) -> dict[str, Any]:
        return {"needs": self._needs, "count": len(self.by), "dropna": self._drops_early}

    @functools.cached_property
    def _finish_keywords(self) -> dict[str, Any]:
        dtypes = dict(zip(self.frame.columns, self.frame._meta.dtypes, strict=True))
        return {
            "needs": self._needs,
            "outputs": self.outputs,
            "names": self._names,
            "sort": self.sort,
            "observed": self.observed,
            "dropna": self.dropna,
            "dtypes": [dtypes.get(output.column) for output in self.outputs],
            "columns": None if self.is_series else self._result_columns,
            "is_series": self.is_series,
        }

    @property
    def _result_columns(self) -> Any:
        """The labels of the result, of the dtype of the frame's where they are among them."""
        labels = [output.label for output in self.outputs]
        columns = self.frame._meta.columns
        if columns.is_unique and all(label in columns for label in labels):
            return columns.take([columns.get_loc(label) for label in labels])
        return partial_results.result_columns(labels, self.column_names)

    @functools.cached_property
    def _meta(self) -> Any:
        schema = self._derived_schema
        if schema is not None:
            return schema.meta
        parts = [meta_nonempty(node._meta) for node in self._inputs()]
        part = partial_results.chunk(*_with_one_index(parts), **self._chunk_keywords)
        return make_meta(partial_results.finish([part], **self._finish_keywords))

    def _divisions(self) -> Sequence[Any]:
        return (None,) * (self._count_out + 1)

    @functools.cached_property
    def _count_out(self) -> int:
        return outputs_of_groups(self.split_out, self.frame.npartitions, len(self.by))

    def _columns_needed(self) -> list[Any]:
        return [output.column for output in self.outputs if output.function != "size"]

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if not isinstance(parent, Projection) or self.is_series:
            return None
        wanted = parent.columns
        labels = [output.label for output in self.outputs]
        if any(isinstance(label, tuple) for label in labels) or len(set(labels)) < len(labels):
            return None
        outputs = tuple(output for output in self.outputs if output.label in wanted)
        if len(outputs) in (0, len(self.outputs)):
            return None
        return Projection(
            self.substitute_parameters({"outputs": outputs}), parent.operand("columns")
        )

    @property
    def _is_one_table(self) -> bool:
        """Whether categories that have no rows are groups, so that no part of the result can be
        found without the others."""
        import pandas as pd

        if self.observed:
            return False
        frame = self.frame._meta
        for key in self.by:
            if isinstance(key, Expr):
                dtype = key._meta.dtype
            elif key in frame.columns:
                dtype = frame[key].dtype
            else:
                dtype = frame.index.get_level_values(key).dtype
            if isinstance(dtype, pd.CategoricalDtype):
                return True
        return False

    _begins_with_chunks = True

    def _chunk_task(self, key: Any, index: int) -> Task:
        references = self._references(index)
        return Task(key, partial_results.chunk, *references, **self._chunk_keywords)

    def _layer(self) -> Mapping[Any, Any]:
        keys = [(f"{self._name}-chunk", index) for index in range(self.frame.npartitions)]
        layer = {key: self._chunk_task(key, key[1]) for key in keys}
        layer.update(self._layer_over(keys))
        return layer

    def _layer_over(self, keys: list[Any]) -> dict[Any, Any]:
        """The tasks that join the results of those that ``keys`` name."""
        layer: dict[Any, Any] = {}
        name = self._name
        count = self._count_out
        combine = Step(partial_results.combine, self._combine_keywords)
        finish = Step(partial_results.finish, self._finish_keywords)
        width = _width(self.split_every, count)
        if self._is_one_table:
            add_tree(layer, name, keys, width, combine, finish)
            for index in range(1, count):
                layer[name, index] = Task((name, index), exchange.no_rows, self._meta)
            return layer

        def bounds(parts: list[Any]) -> Any:
            key = (f"{name}-bounds", 0)
            layer[key] = Task(key, exchange.bounds, nested_references(parts), count)
            return TaskRef(key)

        split = Step(
            exchange.split_partial,
            {"keys": len(self.by), "bounds": bounds if self.sort else None},
        )
        add_tree(layer, name, keys, width, combine, finish, count, split)
        return layer

    def _readable(self) -> str:
        functions = ", ".join(f"{o.label!r}: {_function_text(o)}" for o in self.outputs)
        return f"{self._arguments_readable()}.agg({{{functions}}})"


def _function_text(output: Output) -> str:
    return f"{output.function}({output.column!r})"


def _width(split_every: Any, count_out: int) -> int:
    if split_every is None or split_every is True:
        return DEFAULT_SPLIT_EVERY
    if split_every is False:
        return 2**62
    if split_every < 2:
        if count_out > 1:
            return 2**62
        raise ValueError(f"split_every must be greater than 1 or False, got {split_every!r}")
    return int(split_every)


def outputs_of_groups(split_out: Any, npartitions: int, keys: int) -> int:
    """The number of partitions of a result over groups.

    Left open (None), it grows with the number of partitions, the more so the more keys there
    are, since then there may be more groups.
    """
    if split_out is True:
        return npartitions
    if split_out is None:
        if keys == 1:
            return max(math.ceil(npartitions / 15), 1)
        if keys >= 10:
            return npartitions
        return max(math.ceil(npartitions * (keys - 1) / 10), 1)
    return max(int(split_out), 1)


def _with_one_index(parts: list[Any]) -> list[Any]:
    """Made-up rows with the index of the first, since their keys come from elsewhere."""
    frame, *series = parts
    return [
        frame,
        *(part.set_axis(frame.index) if hasattr(part, "index") else part for part in series),
    ]
