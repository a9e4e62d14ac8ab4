"""Sources that are lazy values and lazy arrays."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from samite._expr import Expr
from samite._task_spec import Alias, Task, TaskRef, convert_legacy_graph
from samite.dataframe.expressions.node import FrameExpr, Partitionwise, columns_wanted
from samite.dataframe.expressions.sources import Held


class FromDelayed(FrameExpr):
    """Lazy values as partitions."""

    _parameters = ["values", "given_meta", "divisions", "verify_meta", "prefix"]
    _divisions_are_given = True

    @functools.cached_property
    def _funcname(self) -> str:
        return self.prefix

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return self.given_meta

    @functools.cached_property
    def divisions(self) -> tuple[Any, ...]:
        return tuple(self.operand("divisions"))

    def _divisions(self) -> Sequence[Any]:
        return self.operand("divisions")

    def _layer(self) -> Mapping[Any, Any]:
        from samite.dataframe.checks import check_meta

        graph: dict[Any, Any] = {}
        # Values that come from one computation share its graph.
        graphs = {id(g): g for g in (value.__dask_graph__() for value in self.values)}
        whole: dict[Any, Any] = {}
        for found in graphs.values():
            whole.update(found)
        from samite.optimization import cull

        needed, _ = cull(whole, [value.key for value in self.values])
        graph.update(convert_legacy_graph(dict(needed)))
        for index, value in enumerate(self.values):
            key = (self._name, index)
            if self.verify_meta:
                graph[key] = Task(key, check_meta, TaskRef(value.key), self._meta, "from_delayed")
            else:
                graph[key] = Alias(key, value.key)
        return graph

    def _with_partitions(self, chosen: Sequence[int], divisions: Sequence[Any]) -> Any:
        """This source with those partitions alone."""
        if not chosen:
            return None
        values = [self.values[i] for i in chosen]
        return type(self)(values, self.given_meta, tuple(divisions), *self.operands[3:])

    def _operands_for_repr(self) -> list[str]:
        return [f"npartitions={self.npartitions}"]


class FromArray(FrameExpr):
    """Rows of an array, or of anything with a shape and slices, cut every ``chunksize`` rows."""

    _parameters = ["array", "chunksize", "labels", "given_meta", "chosen"]
    _defaults: ClassVar[dict[str, Any]] = {"chosen": None}

    array: Held

    @functools.cached_property
    def _meta(self) -> Any:
        chosen = self.chosen
        return self.given_meta if chosen is None else self.given_meta[chosen]

    @functools.cached_property
    def _starts(self) -> list[int]:
        size = len(self.operand("array").value)
        return [*range(0, max(size, 1), self.chunksize), size]

    def _divisions(self) -> Sequence[Any]:
        starts = self._starts
        if not starts[-1]:
            return (None, None)
        return (*starts[:-1], starts[-1] - 1)

    def _layer(self) -> Mapping[Any, Any]:
        array = self.operand("array").value
        layer = {}
        for index in range(self.npartitions):
            key = (self._name, index)
            start, stop = self._starts[index : index + 2]
            layer[key] = Task(
                key, frame_of_rows, array[start:stop], start, self.given_meta, self.chosen,
                _data_producer=True,
            )  # fmt: skip
        return layer

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        from samite.dataframe.expressions.selection import Projection

        if not isinstance(parent, Projection) or self.ndim != 2:
            return None
        wanted = columns_wanted(self, dependents)
        if wanted is None or wanted == self.columns or not self._meta.columns.is_unique:
            return None
        operands = list(self.operands)
        operands[self._parameters.index("chosen")] = wanted
        return Projection(type(self)(*operands), parent.operand("columns"))

    def _operands_for_repr(self) -> list[str]:
        return [f"npartitions={self.npartitions}"]


def frame_of_rows(rows: Any, start: Any, meta: Any, chosen: Any = None) -> Any:
    """A block of an array as a pandas object like ``meta``, numbered from ``start`` (None: from
    0)."""
    import pandas as pd

    first = 0 if start is None else start
    return _labelled(rows, pd.RangeIndex(first, first + len(rows)), meta, chosen)


def frame_of_labelled_rows(rows: Any, index: Any, meta: Any) -> Any:
    """A block of an array as a pandas object like ``meta``, with the labels ``index``."""
    return _labelled(rows, index, meta, None)


def _labelled(rows: Any, index: Any, meta: Any, chosen: Any) -> Any:
    import pandas as pd

    if isinstance(meta, pd.Series):
        return pd.Series(rows, index=index, name=meta.name, dtype=meta.dtype, copy=False)
    if getattr(rows.dtype, "names", None) is not None:
        # Records have their own names; `columns` choose among them.
        frame = pd.DataFrame(rows, index=index, columns=list(meta.columns))
    else:
        frame = pd.DataFrame(rows, index=index, columns=meta.columns)
    return frame if chosen is None else frame[chosen]


class FromBlocks(Partitionwise):
    """Blocks of a lazy array as partitions, which are numbered from ``starts``."""

    _parameters = ["blocks", "given_meta", "starts"]
    _knows_position = True

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return self.given_meta

    def _divisions(self) -> Sequence[Any]:
        starts = self.starts
        if starts is None or not starts[-1]:
            return (None,) * (self.blocks.npartitions + 1)
        last = starts[-1] - 1
        return tuple(min(start, last) for start in starts)

    def _task(self, key: Any, index: int) -> Task:
        start = None if self.starts is None else self.starts[index]
        block = TaskRef((self.blocks._name, index))
        return Task(key, frame_of_rows, block, start, self._meta)


class FromLabelledBlocks(Partitionwise):
    """Blocks of a lazy array as partitions, with the labels of an index."""

    _parameters = ["blocks", "index", "given_meta"]
    operation = staticmethod(frame_of_labelled_rows)

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return self.given_meta

    def _divisions(self) -> Sequence[Any]:
        return self.operand("index").divisions

    def _task(self, key: Any, index: int) -> Task:
        block = TaskRef((self.blocks._name, index))
        labels = TaskRef((self.operand("index")._name, index))
        return Task(key, frame_of_labelled_rows, block, labels, self._meta)
