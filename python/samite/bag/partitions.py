"""Operations on bags that look at, or change, their partitions."""

from __future__ import annotations

import itertools
import math
import operator
import warnings
from collections.abc import Callable
from typing import Any

from samite._task_spec import List, Task, TaskRef
from samite.bag import streaming
from samite.bag.graphs import chain_task, graph_of, step
from samite.tokenize import tokenize
from samite.utils import funcname, iter_chunks, parse_bytes


def take(bag: Any, k: Any, npartitions: Any, compute: bool, warn: bool) -> Any:
    """See :meth:`Bag.take`."""
    if not hasattr(k, "__index__") or operator.index(k) < 0:
        raise ValueError(f"take needs a number of records that is at least 0, got {k!r}")
    if npartitions <= -1:
        npartitions = bag.npartitions
    if npartitions > bag.npartitions:
        raise ValueError(f"only {bag.npartitions} partitions, take received {npartitions}")
    name = f"take-{tokenize(bag, k, npartitions)}"
    taking = step(streaming.take_records, k)
    last: Any
    if npartitions > 1:
        part = f"{name}-partial"
        layer = {
            (part, i): chain_task((part, i), TaskRef((bag.name, i)), taking)
            for i in range(npartitions)
        }
        parts = List(*[TaskRef((part, i)) for i in range(npartitions)])
        last = Task((name, 0), _first_of_all, parts, k, warn)
    else:
        last = chain_task((name, 0), TaskRef((bag.name, 0)), taking, step(_warn_if_few, k, warn))
        layer = {}
    layer[(name, 0)] = last
    taken = type(bag)(graph_of(name, layer, [bag]), name, 1)
    return tuple(taken.compute()) if compute else taken


def _first_of_all(parts: list[list[Any]], k: int, warn: bool) -> list[Any]:
    records = streaming.take_records(itertools.chain.from_iterable(parts), k)
    return _warn_if_few(records, k, warn)


def _warn_if_few(records: list[Any], k: int, warn: bool) -> list[Any]:
    if warn and len(records) < k:
        warnings.warn(
            f"Insufficient elements for `take`. {k} elements requested, only {len(records)} "
            "elements available. Try passing larger `npartitions` to `take`."
        )
    return records


def accumulate(bag: Any, binop: Callable[..., Any], initial: Any) -> Any:
    """See :meth:`Bag.accumulate`."""
    name = f"{funcname(binop)}-accumulate-{tokenize(bag, binop, initial)}"
    part = f"{name}-part"
    before: Any = initial
    layer: dict[Any, Any] = {}
    for i in range(bag.npartitions):
        adding = step(streaming.accumulate_records, binop, before, i == 0)
        layer[(part, i)] = chain_task((part, i), TaskRef((bag.name, i)), adding, value=True)
        layer[(name, i)] = Task((name, i), operator.itemgetter(0), TaskRef((part, i)))
        before = Task(None, operator.itemgetter(1), TaskRef((part, i)))
    return type(bag)(graph_of(name, layer, [bag]), name, bag.npartitions)


# ---- other partitions -----------------------------------------------------------------------


def repartition(bag: Any, npartitions: Any) -> Any:
    """As many partitions."""
    if not hasattr(npartitions, "__index__"):
        raise TypeError(f"npartitions must be an integer, got {npartitions!r}")
    if npartitions < 1:
        raise ValueError(f"npartitions must be at least 1, got {npartitions}")
    if npartitions == bag.npartitions:
        return bag
    name = f"repartition-{npartitions}-{tokenize(bag, npartitions)}"
    if npartitions < bag.npartitions:
        edges = [bag.npartitions * i // npartitions for i in range(npartitions + 1)]
        return _joined(bag, edges, name)
    each, rest = divmod(npartitions, bag.npartitions)
    last = bag.npartitions - 1
    return _split(bag, [each + (rest if i == last else 0) for i in range(last + 1)], name)


def _joined(bag: Any, edges: list[int], name: str) -> Any:
    layer = {
        (name, i): Task(
            (name, i),
            _concatenated,
            List(*[TaskRef((bag.name, j)) for j in range(start, stop)]),
        )
        for i, (start, stop) in enumerate(zip(edges, edges[1:]))
    }
    return type(bag)(graph_of(name, layer, [bag]), name, len(edges) - 1)


def _concatenated(parts: list[Any]) -> list[Any]:
    return list(itertools.chain.from_iterable(parts))


def _split(bag: Any, counts: list[int], name: str) -> Any:
    cut = f"cut-{name}"
    layer: dict[Any, Any] = {}
    number = 0
    for i, count in enumerate(counts):
        if count == 1:
            layer[(name, number)] = chain_task((name, number), TaskRef((bag.name, i)))
            number += 1
            continue
        layer[(cut, i)] = chain_task(
            (cut, i), TaskRef((bag.name, i)), step(_pieces, count), value=True
        )
        for j in range(count):
            layer[(name, number)] = Task((name, number), operator.itemgetter(j), TaskRef((cut, i)))
            number += 1
    return type(bag)(graph_of(name, layer, [bag]), name, number)


def _pieces(records: Any, count: int) -> list[list[Any]]:
    records = list(records)
    edges = [len(records) * i // count for i in range(count + 1)]
    return [records[start:stop] for start, stop in zip(edges, edges[1:])]


def total_mem_usage(partition: Any) -> int:
    """The bytes that the records of a partition take."""
    from samite.sizeof import sizeof

    return sizeof(list(partition) if hasattr(partition, "__next__") else partition)


def repartition_by_size(bag: Any, size: Any) -> Any:
    """Partitions of at most about so many bytes."""
    size = parse_bytes(size) if isinstance(size, str) else size
    if not isinstance(size, (int, float)) or not size > 0:
        raise ValueError(f"partition_size must be a positive number of bytes, got {size!r}")
    sizes = list(bag.map_partitions(total_mem_usage).compute())
    counts = [max(1, math.ceil(taken / size)) for taken in sizes]
    if any(count > 1 for count in counts):
        bag = _split(bag, counts, f"repartition-split-{tokenize(bag, size)}")
        sizes = [taken / count for taken, count in zip(sizes, counts) for _ in range(count)]
    edges = [0, *itertools.accumulate(map(len, iter_chunks(sizes, size)))]
    if len(edges) - 1 == bag.npartitions:
        return bag
    return _joined(bag, edges, f"repartition-{tokenize(bag, size, 'size')}")
