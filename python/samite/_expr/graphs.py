"""Expressions around graphs that exist already: those of collections that are not expressions."""

from __future__ import annotations

import functools
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from samite._expr.node import Expr
from samite._task_spec import DataNode, GraphNode, List, Task, TaskRef

if TYPE_CHECKING:
    from samite.highlevelgraph import HighLevelGraph
    from samite.typing import Key


def nested_references(keys: Sequence[Any]) -> List:
    """Nested lists of keys as an argument for a task that gets the results in that shape."""
    return List._of(
        [nested_references(key) if isinstance(key, list) else TaskRef(key) for key in keys]
    )


def _annotations_of(graph: HighLevelGraph) -> dict[str, dict[Key, Any]]:
    """The annotations of a graph's layers, spread over their keys; a callable is asked by key."""
    result: dict[str, dict[Key, Any]] = {}
    for layer in graph.layers.values():
        for kind, value in (layer.annotations or {}).items():
            by_key = result.setdefault(kind, {})
            by_key.update({key: value(key) if callable(value) else value for key in layer})
    return result


class LLGExpr(Expr):
    """A plain mapping of tasks."""

    _parameters = ["dsk"]

    def __dask_keys__(self) -> list[Any]:
        return list(self.operand("dsk"))

    def _layer(self) -> Mapping[Key, Any]:
        from samite.utils import ensure_dict

        return ensure_dict(self.operand("dsk"))


class HLGExpr(Expr):
    """A graph of layers, with what is needed to optimize it and to make results of it.

    Parameters
    ----------
    dsk:
        The graph.
    low_level_optimizer:
        ``f(graph, keys)`` that gives a better graph, or None.
    output_keys:
        The (nested) keys of the results; by default those that no other task needs.
    postcompute:
        ``(f, extra_args)`` such that ``f(results, *extra_args)`` is what a user gets, or None.
    """

    _parameters = ["dsk", "low_level_optimizer", "output_keys", "postcompute", "_cached_optimized"]
    _defaults = {
        "low_level_optimizer": None,
        "output_keys": None,
        "postcompute": None,
        "_cached_optimized": None,
    }
    # What is cached here are graphs, which are as large again as the operands.
    _pickle_functools_cache = False

    @staticmethod
    def from_collection(collection: Any, optimize_graph: bool = True) -> HLGExpr:
        """The expression of a collection that follows the older protocol."""
        from samite.highlevelgraph import HighLevelGraph

        graph = collection.dask if hasattr(collection, "dask") else collection.__dask_graph__()
        if isinstance(graph, HighLevelGraph):
            graph = graph.copy()
        else:
            graph = HighLevelGraph.from_collections(str(id(collection)), graph)
        optimizer = None
        if optimize_graph:
            if hasattr(collection, "__dask_optimize__"):
                optimizer = collection.__dask_optimize__
            else:
                warnings.warn(
                    f"{type(collection)} does not define `__dask_optimize__`; set it to None "
                    "if its graphs need no optimization",
                    PendingDeprecationWarning,
                    stacklevel=2,
                )
        return HLGExpr(
            dsk=graph,
            low_level_optimizer=optimizer,
            output_keys=collection.__dask_keys__(),
            postcompute=collection.__dask_postcompute__(),
        )

    @property
    def hlg(self) -> HighLevelGraph:
        """The graph, not optimized."""
        return self.operand("dsk")

    @property
    def deterministic_token(self) -> str:
        # To hash a whole graph reliably takes longer than to compute it again.
        if not self._determ_token:
            self._determ_token = uuid.uuid4().hex
        return self._determ_token

    @functools.cached_property
    def _optimized_dsk(self) -> HighLevelGraph:
        return _optimize_together([self])

    def _layer(self) -> Mapping[Key, Any]:
        from samite.utils import ensure_dict

        return ensure_dict(self._optimized_dsk)

    def __dask_keys__(self) -> list[Any]:
        if self.output_keys is None:
            dependencies = self.hlg.get_all_dependencies()
            needed = set().union(*dependencies.values())
            self.output_keys = [key for key in dependencies if key not in needed]
        return self.output_keys

    def __dask_annotations__(self) -> dict[str, dict[Key, Any]]:
        # Optimization joins layers and their annotations, so it has to come first.
        return _annotations_of(self._optimized_dsk)

    def finalize_compute(self) -> Expr:
        return HLGFinalizeCompute(
            self,
            low_level_optimizer=self.low_level_optimizer,
            output_keys=self.output_keys,
            postcompute=self.postcompute,
        )

    def _operands_for_repr(self) -> list[str]:
        return [f"layers={len(self.hlg.layers)}", f"output_keys={self.output_keys!r}"]


def _optimize_together(exprs: Sequence[HLGExpr]) -> HighLevelGraph:
    """One graph for several expressions; those with the same optimizer are optimized as one."""
    from samite.highlevelgraph import HighLevelGraph

    groups: dict[Callable[..., Any] | None, list[HLGExpr]] = {}
    for expr in exprs:
        groups.setdefault(expr.low_level_optimizer, []).append(expr)
    graphs = []
    for optimizer, group in groups.items():
        if len(group) == 1:
            graph, keys = group[0].hlg, group[0].__dask_keys__()
        else:
            graph = HighLevelGraph.merge(*(expr.hlg for expr in group))
            keys = [expr.__dask_keys__() for expr in group]
        graphs.append(graph if optimizer is None else optimizer(graph, keys))
    return HighLevelGraph.merge(*graphs)


class HLGFinalizeCompute(HLGExpr):
    """The result that a user gets from the graph of an :class:`HLGExpr`, as one task."""

    @functools.cached_property
    def _name(self) -> str:
        return f"finalize-{self._funcname}-{self.deterministic_token}"

    def _simplify_down(self) -> Any:
        if not self.postcompute:
            return self.dsk
        from samite.delayed import Delayed

        # The one result of a Delayed is what its user gets.
        if self.dsk.postcompute == Delayed.__dask_postcompute__(self.dsk):
            return self.dsk
        return None

    @functools.cached_property
    def hlg(self) -> HighLevelGraph:  # type: ignore[override]
        from samite.highlevelgraph import HighLevelGraph, MaterializedLayer

        expr = self.operand("dsk")
        func, extra_args = self.postcompute
        task = Task(self._name, func, nested_references(expr.__dask_keys__()), *extra_args)
        graph = expr.hlg
        needed = set().union(*graph.dependencies.values())
        layers = {**graph.layers, self._name: MaterializedLayer({self._name: task})}
        outermost = {name for name in graph.layers if name not in needed}
        return HighLevelGraph(layers, {**graph.dependencies, self._name: outermost})

    def __dask_keys__(self) -> list[Any]:
        return [self._name]

    def __dask_graph__(self) -> dict[Key, Any]:
        # The operand's tasks are in this graph already, optimized with the rest.
        return dict(self._layer())

    def finalize_compute(self) -> Expr:
        return self


class _Made:
    """An expression whose graph is made, so that no pass is to look into it."""

    def __init__(self, expr: Expr) -> None:
        self.made = expr

    def __dask_tokenize__(self) -> tuple[str, str]:
        return "samite.made", self.made._name


class _MaterializedExpr(HLGExpr):
    """The graph of an expression, ``source``, that is computed together with other graphs."""

    _parameters = [*HLGExpr._parameters, "source"]

    @property
    def exprs(self) -> tuple[Expr, ...]:
        """The expressions of the parts, if the source is a :class:`CompositeExpr`."""
        return self.operand("source").made.exprs


class _HLGExprSequence(Expr):
    """Several graphs of layers that are optimized together."""

    _pickle_functools_cache = False

    def __getitem__(self, index: Any) -> Any:
        return self.operands[index]

    def _operands_for_repr(self) -> list[str]:
        return [repr(operand) for operand in self.operands]

    def finalize_compute(self) -> Expr:
        return _HLGExprSequence(*(operand.finalize_compute() for operand in self.operands))

    @functools.cached_property
    def _optimized_dsk(self) -> HighLevelGraph:
        return _optimize_together(self.operands)

    def __dask_graph__(self) -> dict[Key, Any]:
        from samite.utils import ensure_dict

        return ensure_dict(self._optimized_dsk)

    _layer = __dask_graph__

    def __dask_annotations__(self) -> dict[str, dict[Key, Any]]:
        return _annotations_of(self._optimized_dsk)

    def __dask_keys__(self) -> list[Any]:
        return [operand.__dask_keys__() for operand in self.operands]


class _ExprSequence(Expr):
    """Several expressions that are computed at the same time."""

    def __getitem__(self, index: Any) -> Any:
        return self.operands[index]

    def __len__(self) -> int:
        return len(self.operands)

    def __iter__(self) -> Iterator[Expr]:
        return iter(self.operands)

    def __repr__(self) -> str:
        return f"ExprSequence({', '.join(map(repr, self.operands))})"

    __str__ = __repr__

    def _layer(self) -> Mapping[Key, Any]:
        result: dict[Key, Any] = {}
        for operand in self.operands:
            result.update(operand._layer())
        return result

    def __dask_keys__(self) -> list[Any]:
        return [list(operand.__dask_keys__()) for operand in self.operands]

    def __dask_annotations__(self) -> dict[str, dict[Key, Any]]:
        result: dict[str, dict[Key, Any]] = {}
        for operand in self.operands:
            for kind, by_key in operand.__dask_annotations__().items():
                result.setdefault(kind, {}).update(by_key)
        return result

    def finalize_compute(self) -> Expr:
        return _ExprSequence(*(operand.finalize_compute() for operand in self.operands))

    def _simplify_down(self) -> Any:
        """Turn everything into graphs of layers as soon as one operand is such a graph."""
        if not any(isinstance(operand, (HLGExpr, dict)) for operand in self.operands):
            return None
        if any(isinstance(o, Expr) and not isinstance(o, HLGExpr) for o in self.operands):
            warnings.warn(
                "Computing mixed collections: some are expressions and others are graphs, so "
                "this will materialize the expressions, which cannot be optimized together with "
                "them. Compute them separately to avoid this.",
                UserWarning,
                stacklevel=2,
            )
        return _HLGExprSequence(*map(_as_hlg_expr, self.operands))


def _as_hlg_expr(operand: Any) -> HLGExpr:
    from samite.highlevelgraph import HighLevelGraph

    if isinstance(operand, HLGExpr):
        return operand
    if isinstance(operand, Expr):
        expr = operand.optimize()
        graph = HighLevelGraph.from_collections(expr._name, expr.__dask_graph__())
        return _MaterializedExpr(dsk=graph, output_keys=expr.__dask_keys__(), source=_Made(expr))
    return HLGExpr(dsk=HighLevelGraph.from_collections(str(id(operand)), operand))


class FinalizeCompute(Expr):
    """What ``compute`` gives for an expression; it is replaced during simplification."""

    _parameters = ["expr"]

    def _simplify_down(self) -> Any:
        return self.expr.finalize_compute()


class CompositeExpr(Expr):
    """The expressions of a collection that is made of several, as one.

    The first operand is the collection, the others are the expressions.
    """

    _parameters = ["collection"]

    @staticmethod
    def from_collection(collection: Any, optimize_graph: bool = True) -> Expr:
        """The expression of a collection with the method ``__dask_exprs__``.

        A collection whose parts are not expressions at the moment is taken as a graph.
        """
        exprs = collection.__dask_exprs__()
        if exprs and all(isinstance(expr, Expr) for expr in exprs):
            return CompositeExpr(collection, *exprs)
        return HLGExpr.from_collection(collection, optimize_graph=optimize_graph)

    @property
    def collection(self) -> Any:
        return self.operands[0]

    @property
    def exprs(self) -> tuple[Expr, ...]:
        """The expressions of the parts."""
        return tuple(self.operands[1:])

    def dependencies(self) -> list[Expr]:
        return list(self.operands[1:])

    def _layer(self) -> Mapping[Key, Any]:
        return {}

    def __dask_keys__(self) -> list[Any]:
        return [expr.__dask_keys__() for expr in self.exprs]

    def finalize_compute(self) -> Expr:
        return CompositeFinalizeCompute(self.collection, *self.exprs)

    def _operands_for_repr(self) -> list[str]:
        return [f"collection={type(self.collection).__name__}", f"exprs={len(self.exprs)}"]


class CompositeFinalizeCompute(CompositeExpr):
    """The result that a user gets from a collection of several expressions, as one task."""

    def __dask_keys__(self) -> list[Any]:
        return [self._name]

    def _layer(self) -> Mapping[Key, Any]:
        func, extra_args = self.collection.__dask_postcompute__()
        keys = [expr.__dask_keys__() for expr in self.exprs]
        return {self._name: Task(self._name, func, nested_references(keys), *extra_args)}

    def finalize_compute(self) -> Expr:
        return self


class PersistedExpr(Expr):
    """The results of an expression, under its keys."""

    _parameters = ["expr", "results"]

    @staticmethod
    def from_results(expr: Expr, results: Mapping[Key, Any]) -> Expr:
        """An expression that gives results which are there already.

        Parameters
        ----------
        expr:
            What has been computed.
        results:
            Values by key; others than those of ``expr`` are ignored.

        Returns
        -------
        What the collection class of ``expr`` makes of results; of an expression that has no
        collection class a :class:`PersistedExpr`.
        """
        from samite._collections import new_collection
        from samite.core import flatten

        own = {key: results[key] for key in flatten(expr.__dask_keys__())}
        try:
            collection = new_collection(expr)
        except (NotImplementedError, TypeError):
            return PersistedExpr(expr, own)
        rebuild, extra_args = collection.__dask_postpersist__()
        return rebuild(own, *extra_args).expr

    @functools.cached_property
    def _name(self) -> str:
        return self.expr._name

    @property
    def deterministic_token(self) -> str:
        return self.expr.deterministic_token

    @property
    def _meta(self) -> Any:
        return self.expr._meta

    def dependencies(self) -> list[Expr]:
        return []

    def _layer(self) -> Mapping[Key, Any]:
        return {
            key: value if isinstance(value, GraphNode) else DataNode(key, value)
            for key, value in self.results.items()
        }

    def __dask_keys__(self) -> list[Any]:
        return self.expr.__dask_keys__()
