"""What a client does with collections and graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from samite.distributed._client_base import ClientBase
from samite.distributed._options import task_options
from samite.distributed.future import Future


class CollectionsMixin(ClientBase):
    """The part of `Client` that computes collections and graphs."""

    def compute(
        self,
        collections: Any,
        sync: bool = False,
        optimize_graph: bool = True,
        workers: Any = None,
        allow_other_workers: bool = False,
        resources: Any = None,
        retries: int = 0,
        priority: float = 0,
        fifo_timeout: Any = "60s",
        actors: Any = None,
        traverse: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Compute collections on the cluster, in the background.

        Parameters
        ----------
        collections:
            A collection, or containers of some.
        sync:
            Whether to wait and return values.
        optimize_graph:
            Whether graphs are optimized first.
        workers, allow_other_workers, resources, retries, priority:
            As in :meth:`submit`, for all tasks.
        traverse:
            Whether to look for collections in containers.

        Returns
        -------
        A future for each collection in a list or tuple, in the same container; a future for one.
        """
        from samite.base import is_dask_collection, unpack_collections

        options = task_options(
            workers, allow_other_workers, resources, retries, priority, fifo_timeout, actors
        )
        single = not isinstance(collections, (list, tuple, set, frozenset))
        given = [collections] if single else list(collections)
        if traverse:
            given = [
                _in_place(one, unpack_collections)
                if isinstance(one, (list, tuple, set, dict))
                else one
                for one in given
            ]
        lazy = [one for one in given if is_dask_collection(one) and not isinstance(one, Future)]
        futures: dict[int, Future[Any]] = {}
        if lazy:
            from samite.base import _finalized

            graph, keys = _finalized(lazy, optimize_graph)
            made = self._submit_graph(graph, keys, options)
            futures = {id(one): future for one, future in zip(lazy, made, strict=True)}
        result: list[Any] = [futures.get(id(one), one) for one in given]
        if sync:
            return self.gather(result[0] if single else result)
        return result[0] if single else type(collections)(result)

    def persist(
        self,
        collections: Any,
        optimize_graph: bool = True,
        workers: Any = None,
        allow_other_workers: Any = None,
        resources: Any = None,
        retries: Any = None,
        priority: float = 0,
        fifo_timeout: Any = "60s",
        actors: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Compute the parts of collections on the cluster, in the background, and keep them there.

        Takes the options of :meth:`compute`.

        Returns
        -------
        Collections of the same kind, whose graphs hold futures.
        """
        from samite._expr import CompositeExpr
        from samite.base import (
            _fused,
            _nativized,
            _rebuild,
            _rebuild_composite,
            collections_to_expr,
            is_dask_collection,
        )
        from samite.core import flatten

        options = task_options(
            workers, allow_other_workers, resources, retries, priority, fifo_timeout, actors
        )
        single = not isinstance(collections, (list, tuple, set, frozenset))
        given = [collections] if single else list(collections)
        for one in given:
            if not is_dask_collection(one):
                raise TypeError(
                    f"persist takes collections, got {type(one).__name__}; "
                    "values are sent to the cluster by scatter"
                )
        if not given:
            return type(collections)()
        exprs = collections_to_expr(given, optimize_graph)
        expr = _fused(_nativized(exprs, final=False).optimize())
        keys = list(dict.fromkeys(flatten(expr.__dask_keys__())))
        futures = self._submit_graph(expr, keys, options)
        graph = dict(zip(keys, futures, strict=True))
        persisted: list[Any] = []
        for collection, child, own in zip(given, exprs.operands, expr.__dask_keys__(), strict=True):
            if isinstance(child, CompositeExpr):
                persisted.append(_rebuild_composite(collection, child, graph))
            else:
                part = {key: graph[key] for key in flatten(own)}
                persisted.append(_rebuild(collection, part))
        return persisted[0] if single else type(collections)(persisted)

    def get(
        self,
        dsk: Any,
        keys: Any,
        workers: Any = None,
        allow_other_workers: Any = None,
        resources: Any = None,
        sync: bool = True,
        asynchronous: Any = None,
        direct: Any = None,
        retries: Any = None,
        priority: float = 0,
        fifo_timeout: Any = "60s",
        actors: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Compute keys of a graph.

        Parameters
        ----------
        dsk:
            A dict, layers or an expression.
        keys:
            A key, or nested lists of keys.
        sync:
            Whether to wait and return values; otherwise futures are returned.

        Returns
        -------
        A value, or nested lists of values in the shape of ``keys``.
        """
        from samite.core import flatten

        options = task_options(
            workers, allow_other_workers, resources, retries, priority, fifo_timeout, actors
        )
        flat = list(flatten(keys)) if isinstance(keys, list) else [keys]
        distinct = list(dict.fromkeys(flat))
        made = self._submit_graph(dsk, distinct, options)
        futures = dict(zip(distinct, made, strict=True))
        packed = _nested(keys, futures)
        if not sync:
            return packed
        if asynchronous is None and not self._asynchronous and _in_task():
            return self._gather_seceded(packed, direct)
        return self.gather(packed, asynchronous=asynchronous, direct=direct)

    def _gather_seceded(self, packed: Any, direct: Any) -> Any:
        """Gather inside of a task, whose place others may have meanwhile."""
        from samite.distributed._current import rejoin, secede

        secede()
        try:
            return self.gather(packed, direct=direct)
        finally:
            rejoin()

    def _submit_graph(self, dsk: Any, keys: list[Any], options: dict[str, Any]) -> list[Any]:
        from samite._run import as_dict

        annotations = getattr(dsk, "__dask_annotations__", None)
        by_kind = annotations() if annotations is not None else None
        graph = as_dict(dsk)
        annotated = _by_key(graph, by_kind) if by_kind else None
        if annotated:
            options = _with_annotations(annotated, options)
        self._connected().submit_graph(graph, keys, options)
        return Future._many(keys, self)

    def normalize_collection(self, collection: Any) -> Any:
        """The collection with the parts that this client has computed already in place."""
        from samite.base import is_dask_collection

        if not is_dask_collection(collection):
            raise TypeError(f"expected a collection, got {type(collection).__name__}")
        return collection


def _in_task() -> bool:
    from samite import _engine

    return _engine.current_task() is not None


def _in_place(container: Any, unpack: Any) -> Any:
    """A container of collections as one lazy value; the container itself where it holds none."""
    collections, _ = unpack(container)
    if not collections:
        return container
    from samite.delayed import delayed

    return delayed(container)


def _nested(keys: Any, futures: Mapping[Any, Any]) -> Any:
    if isinstance(keys, list):
        return [_nested(key, futures) for key in keys]
    return futures[keys]


def _with_annotations(
    annotated: Mapping[Any, Mapping[str, Any]], options: dict[str, Any]
) -> dict[str, Any]:
    """Options of a submission whose tasks are annotated; what the call itself says wins.

    A submission has one set of options: tasks that were added around the annotated ones, such as
    those that put a result together, are treated like them.

    Raises
    ------
    NotImplementedError
        If tasks have different annotations.
    """
    sets = list(annotated.values())
    if any(other != sets[0] for other in sets):
        raise NotImplementedError(
            "tasks of one computation have different annotations, which a cluster cannot heed yet: "
            f"{sets[0]} and {next(other for other in sets if other != sets[0])}; compute them apart"
        )
    known = {name: sets[0][name] for name in _HEEDED if name in sets[0]}
    return {**task_options(**known), **options}


# The annotations that a scheduler heeds; others are for people.
_HEEDED = ("workers", "allow_other_workers", "resources", "retries", "priority")


def _by_key(
    graph: Mapping[Any, Any], by_kind: Mapping[str, Mapping[Any, Any]]
) -> dict[Any, dict[str, Any]]:
    """The annotations of each task that has some."""
    found: dict[Any, dict[str, Any]] = {}
    for kind, values in by_kind.items():
        for key, value in values.items():
            if value is not None and key in graph:
                found.setdefault(key, {})[kind] = value
    return found
