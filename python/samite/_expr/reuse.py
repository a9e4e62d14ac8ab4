"""Keeping results of one computation apart from those of another."""

from __future__ import annotations

import functools
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from samite._expr.graphs import HLGExpr, HLGFinalizeCompute, LLGExpr, _HLGExprSequence
from samite._expr.node import Expr
from samite._task_spec import Task, convert_legacy_graph

if TYPE_CHECKING:
    from samite.typing import Key


def _same(obj: Any) -> Any:
    return obj


class ProhibitReuse(Expr):
    """The same tasks as ``expr`` under keys that no other graph has.

    A computation that runs twice on purpose, for two consumers that would otherwise force
    a large result to stay in memory, is written with it.
    """

    _parameters = ["expr"]
    _ALLOWED_TYPES: ClassVar[list[type]] = [HLGExpr, LLGExpr, HLGFinalizeCompute, _HLGExprSequence]

    @functools.cached_property
    def _suffix(self) -> str:
        return uuid.uuid4().hex

    def _modify_keys(self, key: Any) -> Any:
        if isinstance(key, list):
            return [self._modify_keys(item) for item in key]
        if isinstance(key, tuple):
            return (self._modify_keys(key[0]), *key[1:])
        return f"{key}-{self._suffix}"

    def _simplify_down(self) -> Any:
        # Other expressions may hold keys in places that cannot be renamed from here.
        if not isinstance(self.expr, tuple(self._ALLOWED_TYPES)):
            return self.expr
        return None

    def __dask_keys__(self) -> list[Any]:
        return self._modify_keys(self.expr.__dask_keys__())

    def __dask_graph__(self) -> dict[Key, Any]:
        graph = convert_legacy_graph(self.expr.__dask_graph__())
        renamed = {key: self._modify_keys(key) for key in graph}
        # The wrapper gives each task an identity of its own, beside its name.
        return {
            renamed[key]: Task(renamed[key], _same, node.substitute(renamed))
            for key, node in graph.items()
        }

    _layer = __dask_graph__
