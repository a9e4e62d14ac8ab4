"""Values of whole bags: partition by partition, then over a tree of their results."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Iterable
from typing import Any

from samite._task_spec import List, Task, TaskRef
from samite.bag import native, streaming
from samite.bag.graphs import chain_task, graph_of, step
from samite.bag.item import Item
from samite.tokenize import tokenize
from samite.utils import funcname

# Results that are combined at a time.
SPLIT_EVERY = 8


class _Bound:
    """A function with arguments behind the first; a partial has its arguments in front."""

    __slots__ = ("args", "func")

    def __init__(self, func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.func = func
        self.args = args

    def __call__(self, first: Any) -> Any:
        return self.func(first, *self.args)

    def __reduce__(self) -> Any:
        return _Bound, (self.func, self.args)

    def __dask_tokenize__(self) -> Any:
        return "bound", self.func, self.args


def checked_split(split_every: Any, parts: int) -> int:
    """How many results are combined at a time.

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If it is less than 2.
    """
    if split_every is None:
        return SPLIT_EVERY
    if split_every is False:
        return max(parts, 2)
    if isinstance(split_every, bool) or not hasattr(split_every, "__index__"):
        raise TypeError(f"split_every must be an integer, False or None, got {split_every!r}")
    if split_every < 2:
        raise ValueError(f"split_every must be at least 2, got {split_every}")
    return int(split_every)


def tree(
    bag: Any,
    part: tuple[Callable[..., Any], tuple[Any, ...]],
    aggregate: tuple[Callable[..., Any], tuple[Any, ...]],
    split_every: Any,
    out_type: type,
    what: str,
    name: str,
) -> Any:
    """A reduction by functions of ours, which take further arguments behind the first."""
    return reduction(
        bag, _Bound(*part), _Bound(*aggregate), split_every, out_type, name, names=(name, name)
    )


def reduction(
    bag: Any,
    perpartition: Callable[[Any], Any],
    aggregate: Callable[[Any], Any],
    split_every: Any = None,
    out_type: type = Item,
    name: str | None = None,
    names: tuple[str, str] | None = None,
) -> Any:
    """See :meth:`Bag.reduction`."""
    every = checked_split(split_every, bag.npartitions)
    token = tokenize(bag, perpartition, aggregate, split_every, out_type, name)
    of_parts, of_total = names or (
        name or funcname(perpartition),
        name or funcname(aggregate),
    )
    part_name, final = f"{of_parts}-part-{token}", f"{of_total}-aggregate-{token}"
    single = bag.npartitions == 1
    layer: dict[Any, Any] = {}
    per_part = step(streaming.apply_unless_empty, perpartition, single)
    for i in range(bag.npartitions):
        key = (part_name, i)
        layer[key] = chain_task(key, TaskRef((bag.name, i)), per_part, value=True)
    last_key: Any = final if out_type is Item else (final, 0)
    add_tree(
        layer, part_name, bag.npartitions, every, last_key,
        lambda key, parts, is_last: Task(
            key, streaming.aggregate_parts, parts, aggregate, is_last
        ),
    )  # fmt: skip
    graph = graph_of(final, layer, [bag])
    if out_type is Item:
        return Item(graph, final)
    return type(bag)(graph, final, 1)


def add_tree(
    layer: dict[Any, Any],
    name: str,
    count: int,
    every: int,
    last_key: Any,
    make: Callable[[Any, Any, bool], Task],
) -> None:
    """Tasks that combine ``every`` results of ``(name, i)`` at a time, until one is left."""
    parts = [(name, i) for i in range(count)]
    depth = 0
    while len(parts) > every:
        merged = []
        for start in range(0, len(parts), every):
            key = (f"{name}-{depth}", start // every)
            group = parts[start : start + every]
            layer[key] = make(key, List(*map(TaskRef, group)), False)
            merged.append(key)
        parts = merged
        depth += 1
    layer[last_key] = make(last_key, List(*map(TaskRef, parts)), True)


# ---- particular reductions ------------------------------------------------------------------

_SIMPLE: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sum": (builtins.sum, builtins.sum),
    "max": (builtins.max, builtins.max),
    "min": (builtins.min, builtins.min),
    "any": (builtins.any, builtins.any),
    "all": (builtins.all, builtins.all),
    "count": (streaming.count_records, builtins.sum),
}


def simple(bag: Any, name: str, split_every: Any) -> Item:
    """A sum, a maximum and their like."""
    part, aggregate = _SIMPLE[name]
    made = reduction(bag, part, aggregate, split_every, name=name)
    made._native = native.reduced(bag._native, name)
    return made


def frequencies(bag: Any, split_every: Any, sort: bool) -> Any:
    """See :meth:`Bag.frequencies`."""
    counts = reduction(
        bag,
        streaming.count_values,
        streaming.merge_counts,
        split_every,
        type(bag),
        "frequencies",
    )
    items = streaming.items_by_count if sort else streaming.dict_items
    made = counts.map_partitions(items, token="frequencies")
    made._native = native.reduced(bag._native, "frequencies-sorted" if sort else "frequencies")
    return made


def topk(bag: Any, k: Any, key: Any, split_every: Any) -> Any:
    """See :meth:`Bag.topk`."""
    if not hasattr(k, "__index__"):
        raise TypeError(f"topk needs an integer, got {k!r}")
    part = (streaming.largest, (k, key))
    aggregate = (streaming.largest_of_parts, (k, key))
    made = tree(bag, part, aggregate, split_every, type(bag), "topk", "topk")
    made._native = native.topk(bag._native, k, key)
    return made


def distinct(bag: Any, key: Any) -> Any:
    """See :meth:`Bag.distinct`."""
    part = (streaming.unique_records, (key,))
    aggregate = (streaming.unique_of_parts, (key,))
    made = tree(bag, part, aggregate, None, type(bag), "distinct", "distinct")
    if key is None:
        made._native = native.reduced(bag._native, "distinct")
    return made


def _sum_and_count(records: Iterable[Any]) -> tuple[Any, int]:
    total, count = 0.0, 0
    for count, value in enumerate(records, 1):  # noqa: B007 the last one is the number
        total += value
    return total, count


def _mean(parts: Iterable[tuple[Any, int]]) -> Any:
    totals, counts = list(zip(*parts)) or [(), ()]
    return 1.0 * sum(totals) / sum(counts)


def mean(bag: Any) -> Item:
    """See :meth:`Bag.mean`."""
    made = reduction(bag, _sum_and_count, _mean, split_every=False, name="mean")
    made._native = native.reduced(bag._native, "mean")
    return made


def _moments(records: Iterable[Any]) -> tuple[Any, Any, int]:
    """The number of records, their mean and the sum of squared deviations from it.

    Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products" (1962).
    """
    count, average, squares = 0, 0.0, 0.0
    for count, value in enumerate(records, 1):
        deviation = value - average
        average += deviation / count
        squares += deviation * (value - average)
    return squares, average, count


class _Variance:
    """The variance from the moments of parts (Chan, Golub and LeVeque, 1979)."""

    def __init__(self, ddof: Any) -> None:
        self.ddof = ddof

    def __call__(self, parts: Iterable[tuple[Any, Any, int]]) -> Any:
        squares, average, count = 0.0, 0.0, 0
        for more_squares, other, more in parts:
            deviation = other - average
            together = count + more
            squares += more_squares + deviation * deviation * count * more / together
            average += deviation * more / together
            count = together
        return squares / (count - self.ddof)

    def __dask_tokenize__(self) -> Any:
        return "variance", self.ddof


def variance(bag: Any, ddof: Any) -> Item:
    """See :meth:`Bag.var`."""
    return reduction(bag, _moments, _Variance(ddof), split_every=False, name="var")


def deviation(bag: Any, ddof: Any) -> Item:
    """See :meth:`Bag.std`."""
    return variance(bag, ddof).apply(math.sqrt)
