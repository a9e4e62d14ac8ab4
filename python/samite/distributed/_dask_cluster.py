"""Graphs on a Dask cluster: ``scheduler=`` a `dask.distributed.Client`.

A graph is sent whole, as a graph of Dask's: its scheduler places the tasks, keeps what is still
needed and releases what is not. Keys are made for each computation, since Samite's tasks are not
those of a Dask collection that has the same name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from samite import _engine
from samite.distributed._remote_tasks import (
    RUN_TASK,
    RemoteResult,
    TaskWriter,
    annotations_of,
    missing_there,
    nested,
    tasks_of,
)

# What Dask's `Client.get` takes for a whole graph.
_FOR_ALL = ("fifo_timeout", "actors")


class DaskCluster:
    """A Dask cluster as a scheduler."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def get(self, dsk: Any, keys: Any, **kwargs: Any) -> Any:
        """Compute keys of a graph.

        Parameters
        ----------
        dsk:
            A dict, layers or an expression.
        keys:
            A key, or nested lists of keys.
        **kwargs:
            ``workers``, ``allow_other_workers``, ``resources``, ``retries``, ``priority``,
            ``fifo_timeout`` and ``actors``, as Dask's ``Client.get`` takes them.

        Returns
        -------
        The value, or nested lists of values in the shape of ``keys``.

        Raises
        ------
        ModuleNotFoundError
            If a worker has no Samite.
        RuntimeError
            If a worker has another version of it.
        """
        from samite.core import flatten

        distinct = list(dict.fromkeys(flatten(keys))) if isinstance(keys, list) else [keys]
        futures = self._submit(dsk, distinct, kwargs)
        values = dict(zip(distinct, self._gather(futures), strict=True))
        return nested(keys, values)

    def persist(
        self, collections: list[Any], optimize_graph: bool = True, **kwargs: Any
    ) -> list[Any]:
        """Compute the parts of collections in the background, and keep them on the cluster.

        Takes the options of :meth:`get`. The collections that it returns are for this client.
        """
        from samite.base import persisted_by

        def submit(expr: Any, keys: list[Any]) -> list[Any]:
            futures = self._submit(expr, keys, kwargs)
            return [RemoteResult(str(future.key), future, self) for future in futures]

        return persisted_by(submit, collections, optimize_graph)

    def wait(self, x: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Wait until the parts of a persisted collection are there."""
        import distributed

        graph = dict(x.__dask_graph__())
        futures = [value.handle for value in graph.values() if isinstance(value, RemoteResult)]
        with self.client.as_current():
            distributed.wait(futures, timeout=timeout, **kwargs)
        return x

    def _submit(self, dsk: Any, keys: list[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        import pkgutil
        import uuid

        import distributed
        from dask.utils import apply

        from samite.utils import key_split

        sets, rows = annotations_of(dsk, kwargs)
        tasks, wanted = tasks_of(dsk, keys)
        run, version = uuid.uuid4().hex, _engine.__version__
        # Found by its name when the task runs: the scheduler need not have Samite.
        function = (pkgutil.resolve_name, RUN_TASK)
        # Of each set of annotations, its tasks.
        layers: list[dict[Any, Any]] = [{} for _ in sets]
        names: list[Any] = []

        def share(record: list[Any]) -> Any:
            name = (f"shared-{run}", len(layers[0]))
            layers[0][name] = (tuple, record)
            return name

        writer = TaskWriter(share, distributed.Future)
        for place, task in enumerate(tasks):
            if task.spec is None:
                names.append(self._future(task.result()))
                continue
            payload, references = writer.write(task)
            name = (f"{key_split(task.key)}-{run}", place)
            inputs = [names[need] for need in task.needs]
            arguments = [version, payload, len(references), *references, *inputs]
            layers[rows.get(task.key, 0)][name] = (apply, function, arguments)
            names.append(name)
        options = {name: kwargs[name] for name in _FOR_ALL if kwargs.get(name) is not None}
        graph = _graph_of(layers, sets)
        return self.client.get(graph, [names[place] for place in wanted], sync=False, **options)

    def _future(self, result: RemoteResult) -> Any:
        if not isinstance(result.client, DaskCluster):
            raise ValueError(
                f"the graph needs {result!r}, whose value is on another cluster than the client's"
            )
        return result.handle

    def _gather(self, futures: list[Any]) -> Any:
        """The values of futures; where that is interrupted, what they wait for is cancelled."""
        import distributed

        # A task that waits gives up its place, since those it waits for may need it.
        inside = _runs_a_task()
        if inside:
            distributed.secede()
        try:
            return self.client.gather(futures)
        except ModuleNotFoundError as error:
            raise missing_there(error) or error from error.__cause__
        except Exception:
            raise
        except BaseException:
            self.client.cancel(futures, force=True)
            raise
        finally:
            if inside:
                distributed.rejoin()


def _runs_a_task() -> bool:
    """Whether this thread runs a task of a Dask worker."""
    import distributed

    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


def _graph_of(layers: list[dict[Any, Any]], sets: list[dict[str, Any]]) -> Any:
    """Tasks as a graph of Dask's, with a layer for each set of annotations."""
    if not any(sets):
        return layers[0]
    from dask.highlevelgraph import HighLevelGraph, MaterializedLayer

    made = {
        f"layer-{number}": MaterializedLayer(layer, annotations=dict(annotations) or None)
        for number, (layer, annotations) in enumerate(zip(layers, sets, strict=True))
        if layer
    }
    # Tasks of each layer may need those of any other one.
    return HighLevelGraph(made, {name: set(made) - {name} for name in made})
