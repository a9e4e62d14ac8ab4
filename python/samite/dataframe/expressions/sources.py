"""Where expressions of data frames begin: partitions that are there already."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._task_spec import GraphNode, convert_legacy_graph
from samite.dataframe.expressions.node import FrameExpr


class FromGraph(FrameExpr):
    """Partitions that the tasks ``keys`` of the graph ``layer`` give."""

    _parameters = ["layer", "_meta", "divisions", "keys", "name_prefix"]
    _divisions_are_given = True
    _defaults = {"name_prefix": "from-graph"}

    @functools.cached_property
    def _funcname(self) -> str:
        return self.operand("name_prefix")

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return self.operand("_meta")

    @property
    def divisions(self) -> tuple[Any, ...]:  # type: ignore[override]
        return tuple(self.operand("divisions"))

    def _divisions(self) -> Sequence[Any]:
        return self.operand("divisions")

    def __dask_tokenize__(self) -> Any:
        if not self._determ_token:
            from samite.tokenize import tokenize

            # Keys of one's own making say nothing of what the tasks give.
            self._determ_token = tokenize(
                type(self).__name__, self._meta, self.divisions, self.operand("keys"), self.layer
            )
        return self._determ_token

    def _is_same(self, other: Any) -> bool:
        # Futures of one client have the keys of another one's.
        return self.operand("layer") is other.operand("layer") and super()._is_same(other)

    def _layer(self) -> Mapping[Any, Any]:
        from samite._task_spec import Alias

        graph = dict(convert_legacy_graph(dict(self.operand("layer"))))
        for index, key in enumerate(self.operand("keys")):
            own = (self._name, index)
            if own != key:
                graph[own] = Alias(own, key)
        return graph

    def _operands_for_repr(self) -> list[str]:
        return [f"partitions={self.npartitions}"]


class Persisted(FromGraph):
    """Partitions that were computed before, under the keys that they were computed with."""

    @functools.cached_property
    def _name(self) -> str:
        return self.operand("keys")[0][0]

    @property
    def deterministic_token(self) -> str:
        return self._name.rpartition("-")[2]


class FromPandas(FrameExpr):
    """Rows of a pandas object, cut at ``starts``, which end with its length."""

    _parameters = ["frame", "starts", "divisions", "chosen", "as_series"]
    _defaults = {"chosen": None, "as_series": False}

    @property
    def divisions(self) -> tuple[Any, ...]:  # type: ignore[override]
        return tuple(self.operand("divisions"))

    @functools.cached_property
    def _meta(self) -> Any:
        return self._project(self.operand("frame").value.iloc[:0])

    def _project(self, frame: Any) -> Any:
        chosen = self.operand("chosen")
        if chosen is None:
            return frame
        return frame[chosen[0]] if self.as_series else frame[chosen]

    def _divisions(self) -> Sequence[Any]:
        return self.operand("divisions")

    def _layer(self) -> Mapping[Any, GraphNode]:
        from samite._task_spec import DataNode

        frame = self._project(self.operand("frame").value)
        starts = self.starts
        return {
            (self._name, i): DataNode((self._name, i), frame.iloc[starts[i] : starts[i + 1]])
            for i in range(self.npartitions)
        }

    def _simplify_up(self, parent: Any, dependents: Mapping[str, Any]) -> Any:
        from samite.dataframe.expressions.node import columns_wanted
        from samite.dataframe.expressions.selection import Projection

        if not isinstance(parent, Projection) or self.ndim < 2:
            return None
        wanted = columns_wanted(self, dependents)
        if wanted is None or not self._meta.columns.is_unique:
            return None
        operands = list(self.operands)
        if wanted == self.columns:
            return None
        operands[3] = wanted
        return Projection(type(self)(*operands), parent.operand("columns"))

    def _with_partitions(self, chosen: Sequence[int], divisions: Sequence[Any]) -> Any:
        """This source with those partitions alone, if they follow one another."""
        if not chosen or list(chosen) == list(range(self.npartitions)):
            return None
        if list(chosen) != list(range(chosen[0], chosen[-1] + 1)):
            return None
        starts = list(self.starts)[chosen[0] : chosen[-1] + 2]
        frame, _, _, *others = self.operands
        return type(self)(frame, starts, tuple(divisions), *others)

    def _row_counts(self) -> list[int]:
        """The number of rows of each partition."""
        starts = self.starts
        return [starts[i + 1] - starts[i] for i in range(self.npartitions)]

    def _operands_for_repr(self) -> list[str]:
        parts = ["frame='<pandas>'", f"npartitions={self.npartitions}"]
        if self.operand("chosen") is not None:
            parts.append(f"columns={self.operand('chosen')!r}")
        return parts


class Held:
    """A pandas object as an operand: its token is found once, and it is not written out."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self._token: str | None = None

    def __dask_tokenize__(self) -> str:
        from samite.tokenize import tokenize

        if self._token is None:
            self._token = tokenize(self.value)
        return self._token

    def __repr__(self) -> str:
        return "<pandas>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.value,))
