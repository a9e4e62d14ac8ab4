"""What a client does with collections and graphs."""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Mapping
from typing import Any

from samite.distributed._client_base import ClientBase
from samite.distributed._keys import check_key
from samite.distributed._options import options_of, task_options, warn_of_size
from samite.distributed.future import Future, key_text


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
            As in :meth:`submit`, for all tasks that are not annotated with another value.
        traverse:
            Whether to look for collections in containers.

        Returns
        -------
        A list with a future for each collection in a container, and with all else as it is; a
        future for one collection.
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
            self._no_leftovers(lazy, made)
        result: list[Any] = [futures.get(id(one), one) for one in given]
        if sync:
            return self.gather(result[0] if single else result)
        return result[0] if single else result

    def _no_leftovers(self, collections: list[Any], futures: list[Any]) -> None:
        """Remove what lazy writes among the collections have made, should computing them fail, as
        soon as nobody holds the future any more, by which the tasks could run again."""
        staging = sys.modules.get("samite.bytes.staging")
        if staging is None:
            return
        for collection, future in zip(collections, futures, strict=True):
            writes = staging.lazy_writes(lambda one=collection: [dict(one.__dask_graph__())])
            if writes:
                reference = weakref.ref(future)
                key = key_text(future.key)
                discard = functools.partial(staging.discard_all, writes)

                def ended(
                    _key: str, status: str, reference: Any = reference, discard: Any = discard
                ) -> None:
                    if status == "finished":
                        return
                    held = reference()
                    if held is None:
                        self._callbacks.put(discard)
                    else:
                        weakref.finalize(held, discard)

                self._connected().watch([key], ended)

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
        Collections of the same kind, whose graphs hold futures; a list for a container of some.
        """
        from samite.base import is_dask_collection, persisted_by

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
            return []
        persisted = persisted_by(
            lambda expr, keys: self._submit_graph(expr, keys, options), given, optimize_graph
        )
        return persisted[0] if single else list(persisted)

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
        if asynchronous is None and not self.asynchronous and _in_task():
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
        for key in keys:
            check_key(key)
        graph = as_dict(dsk)
        results = self._results_in(graph)
        if results:
            # What is computed, or will be, is not computed again.
            graph = {**graph, **results}
        wanted = [key for key in keys if key not in results]
        sets, rows = _sets_of_options(graph, by_kind, options) if by_kind else (None, None)
        engine = self._connected("update-graph")
        if wanted:
            warn_of_size(engine.submit_graph(graph, wanted, options, sets, rows))
        made = Future._many(keys, self)
        with self._of_graphs_lock:
            for key, future in zip(keys, made, strict=True):
                first = self._of_graphs.setdefault(key, future)
                if first is not future:
                    # The one that is known by its key lives for as long as any of them.
                    future._first = first
        return made

    def _results_in(self, graph: Mapping[Any, Any]) -> dict[Any, Future[Any]]:
        """The keys of a graph whose results somebody holds, and which have not failed."""
        held = self._of_graphs
        few, many = (held, graph) if len(held) < len(graph) else (graph, held)
        with self._of_graphs_lock:
            futures = [(key, held.get(key)) for key in few if key in many]
        found = {}
        for key, future in futures:
            if future is not None and future.status in ("pending", "finished"):
                found[key] = future
        return found

    def normalize_collection(self, collection: Any) -> Any:
        """The collection with futures in place of the tasks whose results this client holds.

        `compute`, `persist` and `get` see to that themselves. Tasks of the collection are those of
        its own graph: parts of it that are optimized together have other names when they run.

        Raises
        ------
        TypeError
            If it is no collection.
        """
        from samite.base import is_dask_collection
        from samite.optimization import cull

        if not is_dask_collection(collection):
            raise TypeError(f"expected a collection, got {type(collection).__name__}")
        graph = dict(collection.__dask_graph__())
        results = self._results_in(graph)
        if not results:
            return collection
        kept, _ = cull({**graph, **results}, collection.__dask_keys__())
        rebuild, arguments = collection.__dask_postpersist__()
        return rebuild(kept, *arguments)


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


# The annotations that a scheduler heeds; others are for people.
_HEEDED = ("workers", "allow_other_workers", "resources", "retries", "priority")


def _sets_of_options(
    graph: Mapping[Any, Any],
    by_kind: Mapping[str, Mapping[Any, Any]],
    options: Mapping[str, Any],
) -> tuple[list[dict[str, Any]], dict[Any, int]]:
    """The different options of annotated tasks, and which of them each such key has, from 1.

    What a task is annotated with wins over ``options``, which are those of the whole computation.

    Raises
    ------
    TypeError
        If an annotation has a value of the wrong type; the message names the task.
    """
    annotated: dict[Any, dict[str, Any]] = {}
    for kind in _HEEDED:
        for key, value in by_kind.get(kind, {}).items():
            if value is not None and key in graph:
                annotated.setdefault(key, {})[kind] = value
    sets: list[dict[str, Any]] = []
    rows: dict[Any, int] = {}
    numbers: dict[tuple[Any, ...], int] = {}
    # Tasks of one layer share the values of their annotations, so that these are looked at once.
    known: dict[tuple[Any, ...], int] = {}
    for key, own in annotated.items():
        same = tuple((kind, id(value)) for kind, value in own.items())
        row = known.get(same)
        if row is None:
            try:
                made = {**options, **_own_options(own, options)}
            except TypeError as wrong:
                raise TypeError(f"the annotations of the task {key!r}: {wrong}") from None
            row = known[same] = numbers.setdefault(_hashable(made), len(sets) + 1)
            if row > len(sets):
                sets.append(made)
        rows[key] = row
    return sets, rows


def _hashable(options: Mapping[str, Any]) -> tuple[Any, ...]:
    """Equal for equal options."""
    return (
        tuple(options.get("workers", ())),
        options.get("allow_other_workers"),
        frozenset(options.get("resources", {}).items()),
        options.get("retries"),
        options.get("priority"),
    )


def _own_options(own: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of one task, whose kinds are chosen each by itself."""
    inherited = {kind: options[kind] for kind in _HEEDED[:2] if kind in options}
    made = options_of({**inherited, **own})
    # That a task is annotated with zero says something where the computation says more.
    for kind in ("retries", "priority"):
        if kind in own:
            made.setdefault(kind, 0)
    return made
