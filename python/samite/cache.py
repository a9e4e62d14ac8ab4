"""Keep results that were expensive to compute and are small to hold, for later computations."""

from __future__ import annotations

import heapq
import math
import sys
from collections.abc import Mapping, MutableMapping
from numbers import Number
from timeit import default_timer
from typing import Any

from samite.callbacks import Callback


class ResultCache:
    """Values by key within a budget of bytes; those of the lowest score go first.

    A value's score is the sum of its costs over all times that it was put or used. Old times
    count less: after ``halflife`` further uses of the cache a time weighs half.

    Parameters
    ----------
    available_bytes : float
        The budget.
    limit : float
        Values of a cost below it are not kept at all.
    halflife : float
        In uses of the cache.

    Attributes
    ----------
    data : dict
        The values.
    total_bytes : float
        What they take.
    """

    def __init__(self, available_bytes: float, limit: float = 0, halflife: float = 1000) -> None:
        self.available_bytes = available_bytes
        self.limit = limit
        self.halflife = halflife
        self.data: dict[Any, Any] = {}
        self.total_bytes = 0.0
        self.costs: dict[Any, float] = {}
        self._nbytes: dict[Any, float] = {}
        self._scores: dict[Any, float] = {}
        self._weight = 1.0

    def put(self, key: Any, value: Any, cost: float, nbytes: float) -> None:
        """Offer a value; it may be refused, and others may be evicted for it."""
        if key in self.data:
            self.total_bytes -= self._nbytes[key]
            del self.data[key]
        self.costs[key] = max(cost, self.costs.get(key, 0.0))
        self._count(key)
        if cost < self.limit or nbytes >= self.available_bytes:
            return
        self.data[key] = value
        self._nbytes[key] = nbytes
        self.total_bytes += nbytes
        self._shrink()

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a key, which raises the key's score."""
        if key not in self.data:
            return default
        self._count(key)
        return self.data[key]

    def clear(self) -> None:
        """Forget everything."""
        for held in (self.data, self.costs, self._nbytes, self._scores):
            held.clear()
        self.total_bytes = 0.0
        self._weight = 1.0

    def _count(self, key: Any) -> None:
        # Instead of shrinking all old scores, each new one counts for a little more.
        self._weight *= math.exp(math.log(2) / self.halflife)
        self._scores[key] = self._scores.get(key, 0.0) + self.costs[key] * self._weight
        if self._weight > 1e100:
            self._scores = {k: score / self._weight for k, score in self._scores.items()}
            self._weight = 1.0

    def _shrink(self) -> None:
        if self.total_bytes > self.available_bytes:
            # More than is needed is freed, so that not every later value starts a search.
            goal = 0.9 * self.available_bytes
            ranked = [(self._scores[key], number, key) for number, key in enumerate(self.data)]
            heapq.heapify(ranked)
            while self.total_bytes > goal and ranked:
                key = heapq.heappop(ranked)[2]
                self.total_bytes -= self._nbytes.pop(key)
                del self.data[key]
        if len(self._scores) > 10_000 + 2 * len(self.data):
            self._scores = {key: self._scores[key] for key in self.data}
            self.costs = {key: self.costs[key] for key in self.data}


class Cache(Callback):
    """Opportunistic caching: results that later computations ask for again are not recomputed.

    Each task's cost is the time along the longest path that led to it, divided by the bytes of
    its result; the results of the highest cost stay within the budget.

    Parameters
    ----------
    cache : number or cache
        The budget in bytes, or an object with ``data`` and ``put(key, value, cost, nbytes)``,
        such as ``cachey.Cache``.
    *args, **kwargs
        Further arguments of :class:`ResultCache`, if a number is given.

    Examples
    --------
    >>> with Cache(2e9):  # doctest: +SKIP
    ...     total.compute()
    ...     (total / count).compute()  # the first result is used again
    """

    def __init__(self, cache: float | Any, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        if isinstance(cache, Number):
            cache = ResultCache(cache, *args, **kwargs)
        elif args or kwargs:
            raise TypeError("further arguments are only of use with a budget in bytes")
        self.cache = cache
        self.starttimes: dict[Any, float] = {}
        self.durations: dict[Any, float] = {}

    def _start(self, dsk: MutableMapping) -> None:
        self.durations.clear()
        for key in dsk.keys() & self.cache.data.keys():
            value = self.cache.data[key]
            self.cache.get(key)
            dsk[key] = _as_data(dsk[key], key, value)

    def _pretask(self, key: Any, dsk: Mapping, state: Mapping) -> None:
        self.starttimes[key] = default_timer()

    def _posttask(self, key: Any, result: Any, dsk: Mapping, state: Mapping, worker: Any) -> None:
        from samite.sizeof import sizeof

        duration = default_timer() - self.starttimes.pop(key, default_timer())
        needed = state["dependencies"].get(key, ())
        duration += max((self.durations.get(other, 0.0) for other in needed), default=0.0)
        self.durations[key] = duration
        # The entry itself takes room too, which counts where there are many small results.
        nbytes = sizeof(result) + sizeof(key) + 4 * sys.getsizeof(())
        self.cache.put(key, result, cost=duration / nbytes / 1e9, nbytes=nbytes)

    def _finish(self, dsk: Mapping, state: Mapping, errored: bool) -> None:
        self.starttimes.clear()
        self.durations.clear()


def _as_data(replaced: Any, key: Any, value: Any) -> Any:
    """A node of literal data, of the package that the rest of the graph is made of.

    A bare value would be taken for a task or a key where it looks like one.
    """
    if type(replaced).__module__.startswith("dask."):
        from dask._task_spec import DataNode
    else:
        from samite._task_spec import DataNode
    return DataNode(key, value)
