"""The collection protocol, and what works on every collection: compute, persist, optimize.

A *collection* is any object with a ``__dask_graph__`` method; the protocol's names are Dask's, so
that Dask's collections, and those of libraries that know Dask, can be computed here.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from samite import config
from samite._annotations import annotate, get_annotations
from samite._engine import ArrayExpr, Node, UnexpectedBlock, fill, scan
from samite._run import limited_to
from samite._schedulers import get_scheduler, named_schedulers
from samite._traverse import unpack_collections
from samite.core import flatten
from samite.tokenize import normalize_token, tokenize
from samite.utils import key_split, shorten_traceback

if TYPE_CHECKING:
    from samite._expr import Expr
    from samite.typing import Key

KeyOrStrT = TypeVar("KeyOrStrT", bound=Hashable)

__all__ = [
    "DaskMethodsMixin",
    "annotate",
    "clone_key",
    "collections_to_expr",
    "compute",
    "compute_as_if_collection",
    "dont_optimize",
    "flatten",
    "get_annotations",
    "get_collection_names",
    "get_name_from_key",
    "get_scheduler",
    "is_dask_collection",
    "key_split",
    "named_schedulers",
    "normalize_token",
    "optimization_function",
    "optimize",
    "persist",
    "replace_name_in_key",
    "tokenize",
    "unpack_collections",
    "visualize",
    "visualize_dsk",
    "wait",
]


def is_dask_collection(x: Any) -> bool:
    """Whether an object is a collection: it has a graph, and is not a class of such objects.

    >>> from samite import delayed
    >>> is_dask_collection(delayed(1)), is_dask_collection(1)
    (True, False)
    """
    if isinstance(x, Node):
        return True
    if isinstance(x, type) or not hasattr(x, "__dask_graph__"):
        return False
    if not callable(x.__dask_graph__):
        return False
    # Making a graph may be costly; an expression is known to have one.
    return _is_expression(x) or x.__dask_graph__() is not None


def _is_expression(x: Any) -> bool:
    from samite._expr import Expr

    if isinstance(x, Expr) or isinstance(getattr(x, "expr", None), Expr):
        return True
    parts = getattr(type(x), "__dask_exprs__", None)
    exprs = parts(x) if parts is not None else None
    return bool(exprs) and all(isinstance(expr, Expr) for expr in exprs)


class DaskMethodsMixin:
    """``compute``, ``persist``, ``visualize`` and ``await`` for collections."""

    __slots__ = ("__weakref__",)

    def visualize(
        self,
        filename: str | None = "samite",
        format: str | None = None,
        optimize_graph: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Draw the graph; see :func:`samite.visualize`."""
        return visualize(
            self, filename=filename, format=format, optimize_graph=optimize_graph, **kwargs
        )

    def persist(self, **kwargs: Any) -> Any:
        """Compute the parts and keep them: the same collection over finished results.

        Takes the options of :func:`samite.persist`.
        """
        (result,) = persist(self, traverse=False, **kwargs)
        return result

    def compute(self, **kwargs: Any) -> Any:
        """Compute the value that this collection stands for.

        Takes the options of :func:`samite.compute`.
        """
        (result,) = compute(self, traverse=False, **kwargs)
        return result

    def __await__(self) -> Iterator[Any]:
        """Compute the parts without holding up the event loop; the persisted collection."""
        import asyncio

        async def persisted() -> Any:
            return await asyncio.get_running_loop().run_in_executor(None, self.persist)

        return persisted().__await__()


def dont_optimize(dsk: Any, keys: Any, **kwargs: Any) -> Any:
    """The graph as it is."""
    return dsk


def optimization_function(x: Any) -> Callable[..., Any]:
    """The function that optimizes the graphs of collections like ``x``."""
    return getattr(x, "__dask_optimize__", None) or dont_optimize


def collections_to_expr(collections: Iterable[Any], optimize_graph: bool = True) -> Expr:
    """One expression for several collections.

    Parameters
    ----------
    collections:
        Collections, or one of them.
    optimize_graph:
        Whether graphs that are no expressions are optimized when the expression is.

    Raises
    ------
    ValueError
        If there is no collection.
    """
    from samite._expr import _ExprSequence

    if is_dask_collection(collections):
        return _expr_of(collections, optimize_graph)
    exprs = [_expr_of(collection, optimize_graph) for collection in collections]
    if not exprs:
        raise ValueError("collections_to_expr needs at least one collection")
    return _ExprSequence(*exprs)


def _expr_of(collection: Any, optimize_graph: bool) -> Expr:
    from samite._expr import CompositeExpr, Expr, HLGExpr

    if not _is_lazy_call(collection):
        if isinstance(collection, Expr):
            return collection
        expr = getattr(collection, "expr", None)
        if isinstance(expr, Expr):
            return expr
        if hasattr(type(collection), "__dask_exprs__"):
            return CompositeExpr.from_collection(collection, optimize_graph=optimize_graph)
    return HLGExpr.from_collection(collection, optimize_graph=optimize_graph)


def _is_lazy_call(collection: Any) -> bool:
    return isinstance(collection, Node)


def compute(
    *args: Any,
    traverse: bool = True,
    optimize_graph: bool = True,
    scheduler: Any = None,
    get: Any = None,
    **kwargs: Any,
) -> tuple[Any, ...]:
    """Compute several collections at once, so that what they share is computed once.

    Parameters
    ----------
    *args:
        Collections, and lists, tuples, dicts, sets, dataclasses of them. Anything else is
        returned as it is.
    traverse:
        Whether to look for collections inside containers.
    optimize_graph:
        Whether graphs are optimized first.
    scheduler:
        ``"threads"``, ``"processes"``, ``"synchronous"``, a function ``(graph, keys, **kwargs)``,
        an executor of `concurrent.futures`, a client of a cluster of Samite's or Dask's, or
        ``"ray"``. By default that of the collections.
    **kwargs:
        For the scheduler; ours take ``num_workers``, ``memory_limit`` (bytes, or text such as
        ``"2 GiB"``) and ``pool``.

    Returns
    -------
    tuple
        The arguments with values in place of collections.

    Examples
    --------
    >>> from samite import delayed
    >>> one = delayed(1)
    >>> compute(one + 1, {"half": [one / 2]})
    (2, {'half': [0.5]})
    """
    found = scan(args, traverse)
    if found is not None:
        # Nothing but lazy calls, which the engine takes as they are.
        nodes, template = found
        if not nodes:
            return args
        schedule = get_scheduler(scheduler=scheduler, collections=nodes[:1], get=get)
        with shorten_traceback(), _no_leftovers(nodes):
            results = _run_nodes(schedule, nodes, kwargs)
        if results is not None:
            return fill(template, results)
    collections, repack = unpack_collections(*args, traverse=traverse)
    if not collections:
        return args
    schedule = get_scheduler(scheduler=scheduler, collections=collections, get=get)
    with shorten_traceback(), _no_leftovers(collections):
        results = _run_arrays(schedule, collections, kwargs, persist=False)
        if results is None:
            results = _run_apart(schedule, collections, kwargs, optimize_graph)
        if results is None:
            results = _run_bags(schedule, collections, kwargs)
        if results is None:
            results = _run_graphs(schedule, collections, kwargs, optimize_graph)
    return repack(results)


@contextlib.contextmanager
def _no_leftovers(collections: Iterable[Any]) -> Iterator[None]:
    """Remove what lazy writes among the collections have made, should computing them fail."""
    try:
        yield
    except BaseException:
        staging = sys.modules.get("samite.bytes.staging")
        if staging is not None:
            staging.discard_lazy(lambda: (dict(c.__dask_graph__()) for c in collections))
        raise


def _run_graphs(
    schedule: Any, collections: list[Any], kwargs: dict[str, Any], optimize_graph: bool
) -> Any:
    """Run the graphs of collections."""
    with limited_to(kwargs.get("memory_limit")):
        graph, keys = _finalized(collections, optimize_graph)
        return schedule(graph, keys, **kwargs)


def _run_apart(
    schedule: Any, collections: list[Any], kwargs: dict[str, Any], optimize_graph: bool
) -> list[Any] | None:
    """Run arrays of native elements natively and arrays of other kinds by their graphs; None where
    that is not possible, or where they might share a computation."""
    from samite.callbacks import Callback

    exprs = [getattr(collection, "_expr", None) for collection in collections]
    native = [type(expr) is ArrayExpr and not expr.has_calls for expr in exprs]
    if not any(native) or Callback.active:
        return None
    from samite.array.native import NativeLayer
    from samite.highlevelgraph import HighLevelGraph

    rest = [collection for collection, own in zip(collections, native) if not own]
    for collection in rest:
        if type(collection).__module__ != "samite.array.core":
            return None
        graph = collection.__dask_graph__()
        if type(graph) is not HighLevelGraph:
            return None
        if any(isinstance(layer, NativeLayer) for layer in graph.layers.values()):
            return None
    own = [collection for collection, own in zip(collections, native) if own]
    found = _run_arrays(schedule, own, kwargs, persist=False)
    if found is None:
        return None
    first, second = iter(found), iter(_run_graphs(schedule, rest, kwargs, optimize_graph))
    return [next(first if own else second) for own in native]


def _run_arrays(
    schedule: Any, collections: list[Any], kwargs: dict[str, Any], persist: bool
) -> list[Any] | None:
    """Run arrays of native elements without making Python graphs of them; None where that is not
    possible."""
    run = getattr(schedule, "__samite_run_arrays__", None)
    if run is None or config.get("array_optimize", None) is not None:
        return None
    exprs = [getattr(collection, "_expr", None) for collection in collections]
    if not all(type(expr) is ArrayExpr for expr in exprs):
        return None
    try:
        return run(exprs, persist, **kwargs)
    except UnexpectedBlock:
        from samite.array.calls import forget_calls

        # Blocks of any kind can be computed by a graph of Python tasks.
        for collection in collections:
            forget_calls(collection)
        return None


def _run_bags(schedule: Any, collections: list[Any], kwargs: dict[str, Any]) -> list[Any] | None:
    """Run bags that the engine computes by itself; None where that is not possible."""
    run = getattr(schedule, "__samite_run_bags__", None)
    if run is None or config.get("bag_optimize", None) is not None:
        return None
    if any(getattr(collection, "_native", None) is None for collection in collections):
        return None
    return run(collections, **kwargs)


def _finalized(collections: list[Any], optimize_graph: bool) -> tuple[Any, list[Any]]:
    """The optimized graph of several collections, and the key of each one's value."""
    from samite._dask_bridge import finalized, is_dasks
    from samite._expr import FinalizeCompute

    theirs = [collection for collection in collections if is_dasks(collection)]
    ours = [collection for collection in collections if not is_dasks(collection)]
    if not theirs:
        expr = nativized(collections_to_expr(ours, optimize_graph), final=True)
        expr = _fused(FinalizeCompute(expr).optimize())
        return expr, list(flatten(expr.__dask_keys__()))
    graph, keys = finalized(theirs, optimize_graph)
    if ours:
        our_graph, our_keys = _finalized(ours, optimize_graph)
        graph = {**graph, **our_graph.__dask_graph__()}
    else:
        our_keys = []
    of_theirs, of_ours = iter(keys), iter(our_keys)
    return graph, [
        next(of_theirs if is_dasks(collection) else of_ours) for collection in collections
    ]


def nativized(expr: Any, final: bool) -> Any:
    """``expr`` with the parts of data frames that the engine computes itself."""
    if "samite.dataframe" not in sys.modules or not config.get("dataframe.native", True):
        return expr
    from samite._expr import HLGExpr, _ExprSequence
    from samite.dataframe._native import nativized as of_frames

    if isinstance(expr, _ExprSequence) and any(isinstance(one, HLGExpr) for one in expr):
        # Beside graphs, expressions become graphs as soon as the sequence is simplified, and the
        # partitions of a graph are not put together any more.
        return _ExprSequence(
            *(one if isinstance(one, HLGExpr) else of_frames(one, final) for one in expr)
        )
    return of_frames(expr, final)


def _fused(expr: Any) -> Any:
    """``expr`` with chains of functions of partitions of data frames joined."""
    if "samite.dataframe" not in sys.modules:
        return expr
    from samite.dataframe.expressions.fusion import fused

    return fused(expr)


def _run_nodes(schedule: Any, nodes: list[Any], kwargs: dict[str, Any]) -> list[Any] | None:
    """Run lazy calls without making Python graphs of them; None where that is not possible."""
    run = getattr(schedule, "__samite_run_nodes__", None)
    if run is None or config.get("delayed_optimize", None) is not None:
        return None
    return run(nodes, **kwargs)


def persist(
    *args: Any,
    traverse: bool = True,
    optimize_graph: bool = True,
    scheduler: Any = None,
    **kwargs: Any,
) -> tuple[Any, ...]:
    """Compute the parts of several collections and keep them in memory.

    Takes the arguments of :func:`compute`. Where that returns values, this returns collections
    of the same kind, whose graphs hold finished results.
    """
    collections, repack = unpack_collections(*args, traverse=traverse)
    if not collections:
        return args
    schedule = get_scheduler(scheduler=scheduler, collections=collections)
    client = getattr(schedule, "__self__", None)
    if hasattr(client, "persist"):
        return repack(client.persist(collections, optimize_graph=optimize_graph, **kwargs))
    with shorten_traceback(), _no_leftovers(collections):
        results = _run_arrays(schedule, collections, kwargs, persist=True)
        if results is not None:
            return repack(
                [array._persisted(expr) for array, expr in zip(collections, results, strict=True)]
            )
        if all(map(_is_lazy_call, collections)):
            results = _run_nodes(schedule, collections, kwargs)
        if results is not None:
            return repack(
                [
                    _rebuild(collection, {collection.key: _as_graph_value(result)})
                    for collection, result in zip(collections, results, strict=True)
                ]
            )
        from samite._expr import CompositeExpr

        exprs = collections_to_expr(collections, optimize_graph)
        with limited_to(kwargs.get("memory_limit")):
            expr = _fused(nativized(exprs, final=False).optimize())
            keys = list(flatten(expr.__dask_keys__()))
            graph = dict(zip(keys, schedule(expr, keys, **kwargs), strict=True))
    rebuilt = []
    for collection, child, own in zip(
        collections, exprs.operands, expr.__dask_keys__(), strict=True
    ):
        if isinstance(child, CompositeExpr):
            rebuilt.append(_rebuild_composite(collection, child, graph))
            continue
        rebuilt.append(_rebuild(collection, {key: graph[key] for key in flatten(own)}))
    return repack(rebuilt)


def persisted_by(
    submit: Callable[[Any, list[Any]], list[Any]], collections: list[Any], optimize_graph: bool
) -> list[Any]:
    """Collections of the same kind whose graphs hold futures.

    Parameters
    ----------
    submit:
        ``f(expr, keys)`` that gives a future for each key.
    """
    from samite._expr import CompositeExpr

    exprs = collections_to_expr(collections, optimize_graph)
    expr = _fused(nativized(exprs, final=False).optimize())
    keys = list(dict.fromkeys(flatten(expr.__dask_keys__())))
    graph = dict(zip(keys, submit(expr, keys), strict=True))
    persisted: list[Any] = []
    for collection, child, own in zip(
        collections, exprs.operands, expr.__dask_keys__(), strict=True
    ):
        if isinstance(child, CompositeExpr):
            persisted.append(_rebuild_composite(collection, child, graph))
        else:
            persisted.append(_rebuild(collection, {key: graph[key] for key in flatten(own)}))
    return persisted


def _rebuild(collection: Any, graph: Mapping[Any, Any]) -> Any:
    rebuild, arguments = collection.__dask_postpersist__()
    return rebuild(graph, *arguments)


def _rebuild_composite(collection: Any, expr: Any, graph: Mapping[Any, Any]) -> Any:
    from samite._expr import PersistedExpr

    return collection.__dask_rebuild_from_exprs__(
        tuple(PersistedExpr.from_results(child, graph) for child in expr.exprs)
    )


def _as_graph_value(value: Any) -> Any:
    """A value in a form that no reader of graphs takes for a task or another key."""
    if isinstance(value, (int, float, complex, bool)) or value is None:
        return value
    from samite._task_spec import DataNode

    return DataNode(None, value)


def optimize(*args: Any, traverse: bool = True, **kwargs: Any) -> tuple[Any, ...]:
    """Optimize several collections together; collections of the same kind, sharing one graph.

    Examples
    --------
    >>> from samite import delayed
    >>> a, b = optimize(delayed(1) + 1, delayed(2) + 1)
    >>> dict(a.__dask_graph__()) == dict(b.__dask_graph__())
    True
    """
    collections, repack = unpack_collections(*args, traverse=traverse)
    if not collections:
        return args
    from samite._expr import CompositeExpr

    exprs = collections_to_expr(collections)
    graph = dict(exprs.optimize().__dask_graph__())
    return repack(
        [
            _rebuild_composite(collection, expr, graph)
            if isinstance(expr, CompositeExpr)
            else _rebuild(collection, graph)
            for collection, expr in zip(collections, exprs.operands, strict=True)
        ]
    )


def compute_as_if_collection(
    cls: type,
    dsk: Any,
    keys: Any,
    scheduler: Any = None,
    get: Any = None,
    **kwargs: Any,
) -> Any:
    """Compute keys of a graph as a collection of class ``cls`` would: optimized by its rules and
    run on its scheduler."""
    from samite._expr import HLGExpr

    schedule = get_scheduler(scheduler=scheduler, cls=cls, get=get)
    expr = HLGExpr(
        dsk=dsk, low_level_optimizer=getattr(cls, "__dask_optimize__", None), output_keys=keys
    ).optimize()
    return schedule(expr, keys, **kwargs)


def visualize(
    *args: Any,
    filename: str | None = "samite",
    traverse: bool = True,
    optimize_graph: bool = False,
    maxval: float | None = None,
    engine: str | None = None,
    **kwargs: Any,
) -> Any:
    """Draw the graphs of several collections together.

    Parameters
    ----------
    *args:
        Collections, graphs (dicts), and containers of them.
    filename:
        Where to write, with or without a suffix; ``None`` writes no file. SVG needs no system
        package; other formats are chosen by the suffix or by ``format=``.
    traverse:
        Whether to look for collections inside containers.
    optimize_graph:
        Whether the optimized graph is drawn.
    engine:
        ``"svg"`` (our own), ``"graphviz"``, ``"cytoscape"`` or ``"ipycytoscape"``; by default the
        setting ``visualization.engine``.
    **kwargs:
        For the engine: ``format``, ``rankdir``, ``color="order"``, ``cmap``, ``verbose``.
    """
    graphs = [dict(arg) for arg in args if isinstance(arg, Mapping)]
    others = [arg for arg in args if not isinstance(arg, Mapping)]
    collections, _ = unpack_collections(*others, traverse=traverse)
    merged: dict[Any, Any] = {}
    if collections:
        expr = collections_to_expr(collections, optimize_graph=optimize_graph)
        merged.update((expr.optimize() if optimize_graph else expr).__dask_graph__())
    for graph in graphs:
        merged.update(graph)
    return visualize_dsk(
        merged,
        filename=filename,
        traverse=traverse,
        optimize_graph=optimize_graph,
        maxval=maxval,
        engine=engine,
        **kwargs,
    )


def visualize_dsk(
    dsk: Mapping[Any, Any],
    filename: str | None = "samite",
    traverse: bool = True,
    optimize_graph: bool = False,
    maxval: float | None = None,
    o: Mapping[Any, Any] | None = None,
    engine: str | None = None,
    limit: int | None = None,
    **kwargs: Any,
) -> Any:
    """Draw a dict graph; see :func:`visualize`.

    Parameters
    ----------
    o:
        The order to colour by, as ``samite.order.order`` returns it.
    limit:
        The number of tasks up to which single tasks are drawn.
    """
    from samite.dot import visualize_graph

    return visualize_graph(
        dsk, filename=filename, maxval=maxval, order=o, engine=engine, limit=limit, **kwargs
    )


def wait(x: Any, timeout: float | None = None, return_when: str = "ALL_COMPLETED") -> Any:
    """Wait until the results of a collection that a cluster computes are there.

    On a local scheduler results are there when they are returned, so this returns at once.
    """
    for collection in unpack_collections(x)[0]:
        for value in dict(collection.__dask_graph__()).values():
            client = getattr(value, "client", None)
            if client is not None and hasattr(client, "wait"):
                return client.wait(x, timeout=timeout, return_when=return_when)
    return x


def get_collection_names(collection: Any) -> set[str]:
    """The names that a collection's keys begin with.

    Raises
    ------
    TypeError
        If it is no collection, or a key is neither a string nor a tuple that begins with one.
    """
    if not is_dask_collection(collection):
        raise TypeError(f"expected a collection, got {type(collection).__name__}")
    return {get_name_from_key(key) for key in flatten(collection.__dask_keys__())}


def get_name_from_key(key: Key) -> str:
    """The name of the collection that a key belongs to.

    >>> get_name_from_key(("x-1", 0, 2))
    'x-1'
    """
    if isinstance(key, tuple) and key and isinstance(key[0], str):
        return key[0]
    if isinstance(key, str):
        return key
    raise TypeError(f"expected a str or a tuple that begins with one, got {key!r}")


def replace_name_in_key(key: KeyOrStrT, rename: Mapping[str, str]) -> KeyOrStrT:
    """The key with its name replaced where ``rename`` has one for it.

    >>> replace_name_in_key(("x", 0), {"x": "y"})
    ('y', 0)
    """
    if isinstance(key, tuple) and key and isinstance(key[0], str):
        return (rename.get(key[0], key[0]), *key[1:])  # type: ignore[return-value]
    if isinstance(key, str):
        return rename.get(key, key)  # type: ignore[return-value]
    raise TypeError(f"expected a str or a tuple that begins with one, got {key!r}")


def clone_key(key: KeyOrStrT, seed: Hashable) -> KeyOrStrT:
    """Another key of the same kind, the same one for the same seed.

    >>> clone_key("inc-1", 5) == clone_key("inc-1", 5) != clone_key("inc-1", 6)
    True
    """
    if isinstance(key, tuple) and key and isinstance(key[0], str):
        return (clone_key(key[0], seed), *key[1:])  # type: ignore[return-value]
    if isinstance(key, str):
        return f"{key_split(key)}-{tokenize(key, seed)}"  # type: ignore[return-value]
    raise TypeError(f"expected a str or a tuple that begins with one, got {key!r}")
