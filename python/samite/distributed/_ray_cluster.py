"""Graphs on Ray: ``scheduler="ray"``.

Ray has no graphs: each task is a call of a remote function. Calls are submitted in the engine's
order, which keeps few results alive, and so many at a time as keep Ray's processors busy; Ray frees
a result when the last call that takes it has run and nobody here refers to it.

A computation that is given up submits nothing more. What is under way runs to its end: a call that
is cancelled when it is about to end makes Ray abort the process that has submitted it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from samite import _engine
from samite.distributed._remote_tasks import (
    RUN_REPORTING,
    RemoteResult,
    RemoteTask,
    TaskFailed,
    TaskWriter,
    annotations_of,
    missing_there,
    nested,
    tasks_of,
)

# So many calls are under way for each processor, and at least.
_AHEAD = 4
_LEAST = 8


class RayCluster:
    """Ray as a scheduler: the cluster that this process is connected to, or one of its own."""

    def get(self, dsk: Any, keys: Any, **kwargs: Any) -> Any:
        """Compute keys of a graph.

        Parameters
        ----------
        dsk:
            A dict, layers or an expression.
        keys:
            A key, or nested lists of keys.
        **kwargs:
            ``resources`` (amounts of Ray's resources, of ``CPU`` and ``GPU`` too) and ``retries``,
            for all tasks that are not annotated with others. ``priority`` has no meaning to Ray.

        Returns
        -------
        The value, or nested lists of values in the shape of ``keys``.

        Raises
        ------
        ImportError
            If Ray is not installed.
        ModuleNotFoundError
            If a worker has no Samite.
        RuntimeError
            If a worker has another version of it.
        ValueError
            If a task is to run on certain workers, which Ray's have no names for.
        """
        from samite.core import flatten

        distinct = list(dict.fromkeys(flatten(keys))) if isinstance(keys, list) else [keys]
        ray = _connected()
        run = _Run(ray, dsk, distinct, kwargs)
        found = run.got(run.results())
        return nested(keys, dict(zip(distinct, found, strict=True)))

    def persist(
        self, collections: list[Any], optimize_graph: bool = True, **kwargs: Any
    ) -> list[Any]:
        """Compute the parts of collections, and keep them in Ray's memory.

        Takes the options of :meth:`get`.
        """
        from samite.base import persisted_by

        ray = _connected()

        def submit(expr: Any, keys: list[Any]) -> list[Any]:
            handles = _Run(ray, expr, keys, kwargs).results()
            return [RemoteResult(f"ray-{handle.hex()}", handle, self) for handle in handles]

        return persisted_by(submit, collections, optimize_graph)

    def wait(self, x: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Parts are there when they are persisted."""
        return x


def _connected() -> Any:
    """Ray, with this process connected to a cluster."""
    try:
        import ray
    except ImportError as missing:
        raise ImportError(
            'scheduler="ray" needs Ray, which is not installed: python -m pip install ray'
        ) from missing
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    return ray


class _Run:
    """One computation: the calls under way."""

    def __init__(self, ray: Any, dsk: Any, keys: list[Any], kwargs: Mapping[str, Any]) -> None:
        self.ray = ray
        sets, self.rows = annotations_of(dsk, kwargs)
        # A call has two results: the task's, and one that says that it is there, which costs
        # nothing to look at.
        remote = ray.remote(num_returns=2)(_task())
        self.tasks, self.wanted = tasks_of(dsk, keys)
        names = _annotated_names(self.tasks, self.rows)
        self.calls = [
            remote.options(**_options(options, names.get(row, "the computation")))
            for row, options in enumerate(sets)
        ]
        self.retries = [options.get("retries", 0) for options in sets]
        self.writer = TaskWriter(ray.put, ray.ObjectRef)
        self.under_way: list[Any] = []
        self.most = max(_LEAST, int(_AHEAD * ray.cluster_resources().get("CPU", 1)))

    def results(self) -> list[Any]:
        """References to the values of the wanted tasks, each of which has run."""
        left = [0] * len(self.tasks)
        for task in self.tasks:
            for need in task.needs:
                left[need] += 1
        for place in self.wanted:
            left[place] += 1
        handles: list[Any] = [None] * len(self.tasks)
        for place, task in enumerate(self.tasks):
            handles[place] = self._submitted(task, handles)
            for need in task.needs:
                left[need] -= 1
                if not left[need]:
                    handles[need] = None
        while self.under_way:
            self._look_at_some()
        return [handles[place] for place in self.wanted]

    def _submitted(self, task: RemoteTask, handles: list[Any]) -> Any:
        if task.spec is None:
            result = task.result()
            if not isinstance(result.client, RayCluster):
                raise ValueError(
                    f"the graph needs {result!r}, whose value is on another cluster than Ray's"
                )
            return result.handle
        while len(self.under_way) >= self.most:
            self._look_at_some()
        payload, references = self.writer.write(task)
        inputs = [handles[need] for need in task.needs]
        row = self.rows.get(task.key, 0)
        value, done = self.calls[row].remote(
            RUN_REPORTING,
            self.retries[row],
            _engine.__version__,
            payload,
            len(references),
            *references,
            *inputs,
        )
        self.under_way.append(done)
        return value

    def _look_at_some(self) -> None:
        """Wait until some of the calls under way have ended, of which none may have failed."""
        ended, self.under_way = self.ray.wait(
            self.under_way, num_returns=max(1, len(self.under_way) // 4), fetch_local=False
        )
        self.got(ended)

    def got(self, handles: list[Any]) -> list[Any]:
        """The values of references.

        Raises
        ------
        What a task has raised.
        """
        try:
            values = self.ray.get(handles)
        except self.ray.exceptions.RayTaskError as error:
            raise missing_there(error.cause) or error.cause from None
        for value in values:
            if isinstance(value, TaskFailed):
                raise value.original()
        return values


def _task() -> Any:
    """What Ray calls: a function by its name, and its arguments. It is pickled by value, so that
    Ray's workers can say that they have no Samite."""

    def samite_task(name: str, *arguments: Any) -> Any:
        import pkgutil

        return pkgutil.resolve_name(name)(*arguments)

    samite_task.__module__ = "samite_task"
    return samite_task


def _annotated_names(tasks: list[RemoteTask], rows: Mapping[Any, int]) -> dict[int, str]:
    """A task for each set of annotations, for messages."""
    return {rows[task.key]: f"the task {task.key!r}" for task in tasks if task.key in rows}


def _options(annotations: Mapping[str, Any], who: str) -> dict[str, Any]:
    """What Ray is told of tasks with these annotations."""
    if annotations.get("workers") and not annotations.get("allow_other_workers"):
        raise ValueError(
            f"{who} is to run on the workers {annotations['workers']}, but Ray's workers have no "
            "names; annotate it with resources= that only some of its nodes have"
        )
    options: dict[str, Any] = {}
    resources = dict(annotations.get("resources") or {})
    for name, option in (("CPU", "num_cpus"), ("GPU", "num_gpus")):
        if name in resources:
            options[option] = resources.pop(name)
    if resources:
        options["resources"] = resources
    return options
