"""Profilers: what ran when and where, what it cost, and which results were held."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from timeit import default_timer
from typing import Any, NamedTuple

from samite.callbacks import Callback, NativeRun
from samite.diagnostics._sampler import Sampler


class TaskData(NamedTuple):
    """One task that ran. Times are seconds on the clock of :func:`timeit.default_timer`."""

    key: Any
    task: Any
    start_time: float
    end_time: float
    worker_id: Any


class ResourceData(NamedTuple):
    """Memory in megabytes and processor use in percent of one processor at a time."""

    time: float
    mem: float
    cpu: float


class CacheData(NamedTuple):
    """How long the scheduler held a result, and the result's size by the profiler's metric."""

    key: Any
    task: Any
    metric: Any
    cache_time: float
    free_time: float


class _TimedProfiler(Callback):
    """What the profilers share: the times of the block, clearing, and plots."""

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def __enter__(self) -> Any:
        self.clear()
        self.start_time = default_timer()
        return super().__enter__()

    def __exit__(self, *exc_info: object) -> None:
        self.end_time = default_timer()
        super().__exit__(*exc_info)

    def clear(self) -> None:
        """Forget all results."""
        self.results: list = []
        self.start_time: float | None = None
        self.end_time: float | None = None

    def _plot(self, **kwargs: Any) -> Any:
        raise NotImplementedError

    def visualize(self, **kwargs: Any) -> Any:
        """Plot the results: see :func:`samite.diagnostics.visualize`."""
        from samite.diagnostics.profile_visualize import visualize

        return visualize(self, **kwargs)


class Profiler(_TimedProfiler):
    """Record when and where each task ran.

    Attributes
    ----------
    results : list of TaskData
        Tasks that came to their end, complete after each computation.

    Examples
    --------
    >>> with Profiler() as profiler:  # doctest: +SKIP
    ...     total.compute()
    >>> profiler.results[0]           # doctest: +SKIP
    TaskData(key='load-0', task=<Task ...>, start_time=..., end_time=..., worker_id=...)
    """

    _native = True

    def clear(self) -> None:
        super().clear()
        self._begun: dict[Any, float] = {}
        self._pending: list[TaskData] = []
        self._dsk: dict = {}
        # Bytes of each result, beside ``results``; None where the scheduler did not say.
        self._sizes: list[int | None] = []

    def _detach(self, run: NativeRun, errored: bool) -> None:
        for key, worker, start, end, nbytes in run.events():
            self.results.append(TaskData(key, _task_of(run.dsk, key), start, end, worker))
            self._sizes.append(nbytes)

    def _start(self, dsk: Mapping) -> None:
        self._dsk.update(dsk)

    def _pretask(self, key: Any, dsk: Mapping, state: Mapping) -> None:
        self._begun[key] = default_timer()

    def _posttask(self, key: Any, result: Any, dsk: Mapping, state: Mapping, worker: Any) -> None:
        end = default_timer()
        start = self._begun.pop(key, end)
        self._pending.append(TaskData(key, dsk.get(key), start, end, worker))
        self._sizes.append(self._size_of(result))

    def _size_of(self, result: Any) -> int | None:
        return None

    def _finish(self, dsk: Mapping, state: Mapping, errored: bool) -> None:
        self.results.extend(self._pending)
        self._pending = []
        self._begun.clear()

    def _plot(self, **kwargs: Any) -> Any:
        from samite.diagnostics.profile_visualize import plot_tasks

        return plot_tasks(self.results, self._dsk, self.start_time, self.end_time, **kwargs)


def _task_of(graph: Mapping | None, key: Any) -> Any:
    """The task of a key as a graph node, whatever form it has in the graph; None if unknown."""
    task = graph.get(key) if graph is not None else None
    if type(task) is not tuple:
        return task
    from samite._task_spec import convert_legacy_task

    return convert_legacy_task(key, task, graph.keys())


class ResourceProfiler(_TimedProfiler):
    """Record memory and processor use of this process and its children.

    As a context manager it measures for the whole block; registered, only while a computation
    runs. Measuring happens in a thread, with psutil where that is installed and from ``/proc``
    otherwise.

    Parameters
    ----------
    dt : float
        Seconds between measurements.

    Attributes
    ----------
    results : list of ResourceData
        Complete when the block ends, or registered when a computation ends.
    """

    _native = True

    def __init__(self, dt: float = 1) -> None:
        self._dt = dt
        self._entered = False
        self._sampler: Sampler | None = None
        super().__init__()

    def _is_running(self) -> bool:
        return self._sampler is not None and self._sampler.is_alive()

    def _start_collect(self) -> None:
        if not self._is_running():
            self._sampler = Sampler(self._dt)
            self._sampler.start()

    def _stop_collect(self) -> None:
        if self._sampler is not None:
            self._sampler.sample()
            self._sampler.stop()
            self.results.extend(ResourceData(*sample) for sample in self._sampler.take())
            self._sampler = None

    def __enter__(self) -> Any:
        entered = super().__enter__()
        self._entered = True
        self._start_collect()
        return entered

    def __exit__(self, *exc_info: object) -> None:
        self._entered = False
        self._stop_collect()
        super().__exit__(*exc_info)

    def _attach(self, run: NativeRun) -> None:
        self._start({})

    def _detach(self, run: NativeRun, errored: bool) -> None:
        self._finish({}, {}, errored)

    def _start(self, dsk: Mapping) -> None:
        self._start_collect()

    def _finish(self, dsk: Mapping, state: Mapping, errored: bool) -> None:
        if not self._entered:
            self._stop_collect()

    def close(self) -> None:
        """Stop measuring; may be called again."""
        sampler, self._sampler = self._sampler, None
        if sampler is not None:
            sampler.stop()

    def _plot(self, **kwargs: Any) -> Any:
        from samite.diagnostics.profile_visualize import plot_resources

        return plot_resources(self.results, self.start_time, self.end_time, **kwargs)


def _count(value: Any) -> int:
    return 1


class CacheProfiler(_TimedProfiler):
    """Record how long the scheduler holds each result.

    Parameters
    ----------
    metric : callable, optional
        Size of a result, for example :func:`samite.sizeof.sizeof`; every result counts 1 by
        default.
    metric_name : str, optional
        Name of the metric in plots.

    Attributes
    ----------
    results : list of CacheData
    """

    def __init__(
        self, metric: Callable[[Any], Any] | None = None, metric_name: str | None = None
    ) -> None:
        self._metric = metric or _count
        self._metric_name = metric_name or (metric.__name__ if metric else "count")
        super().__init__()

    def clear(self) -> None:
        super().clear()
        self._held: dict[Any, tuple[Any, float]] = {}
        self._dsk: dict = {}

    def _start(self, dsk: Mapping) -> None:
        self._dsk.update(dsk)

    def _posttask(self, key: Any, result: Any, dsk: Mapping, state: Mapping, worker: Any) -> None:
        now = default_timer()
        self._held[key] = (self._metric(result), now)
        for released in state["released"] & self._held.keys():
            self._let_go(released, dsk, now)

    def _finish(self, dsk: Mapping, state: Mapping, errored: bool) -> None:
        now = default_timer()
        for key in list(self._held):
            self._let_go(key, dsk, now)

    def _let_go(self, key: Any, dsk: Mapping, now: float) -> None:
        metric, since = self._held.pop(key)
        self.results.append(CacheData(key, dsk.get(key), metric, since, now))

    def _plot(self, **kwargs: Any) -> Any:
        from samite.diagnostics.profile_visualize import plot_cache

        return plot_cache(
            self.results, self._dsk, self.start_time, self.end_time, self._metric_name, **kwargs
        )
