"""Bags of sequences, of lazy values and of other bags."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from samite._task_spec import Alias, DataNode, TaskRef
from samite.bag import native
from samite.bag.core import Bag
from samite.bag.graphs import chain_task, graph_of
from samite.tokenize import tokenize

_range = range


def from_sequence(
    seq: Iterable[Any], partition_size: int | None = None, npartitions: int | None = None
) -> Bag:
    """A bag of the items of a sequence, which should be of moderate size.

    Parameters
    ----------
    seq:
        Any iterable; it is read at once.
    partition_size:
        How many items a partition has.
    npartitions:
        About how many partitions there are; by default about 100, more for many items.

    Raises
    ------
    TypeError
        If ``seq`` is not iterable.
    ValueError
        If a size or number is less than 1.

    Examples
    --------
    >>> import samite.bag as db
    >>> db.from_sequence("abc", npartitions=2).compute(scheduler="sync")
    ['a', 'b', 'c']
    """
    items = list(seq)
    for what, value in (("partition_size", partition_size), ("npartitions", npartitions)):
        if value is not None and value < 1:
            raise ValueError(f"from_sequence: {what} must be at least 1, got {value}")
    if partition_size is None:
        partition_size = _items_per_partition(len(items), npartitions)
    parts = [items[i : i + partition_size] for i in _range(0, len(items), partition_size)] or [[]]
    name = f"from_sequence-{tokenize(items, partition_size)}"
    layer = {(name, i): DataNode((name, i), part) for i, part in enumerate(parts)}
    return Bag(graph_of(name, layer, []), name, len(parts))


def _items_per_partition(items: int, npartitions: int | None) -> int:
    if npartitions is None:
        # As many partitions as keep many workers busy, and not one for each item.
        return max(1, math.ceil(math.sqrt(items) / 10)) if items > 100 else 1
    if items <= 100:
        return max(1, math.ceil(items / npartitions))
    return max(1, items // npartitions)


def range(n: int, npartitions: int) -> Bag:
    """The numbers from 0 up to ``n``.

    Raises
    ------
    ValueError
        If ``npartitions`` is less than 1.
    """
    if npartitions < 1:
        raise ValueError(f"range: npartitions must be at least 1, got {npartitions}")
    size = max(1, n // npartitions)
    name = f"range-{tokenize('range', n, npartitions)}"
    starts = [i * size for i in _range(npartitions)]
    stops = [*starts[1:], n]
    parts = [_range(min(start, n), max(0, min(stop, n))) for start, stop in zip(starts, stops)]
    layer = {(name, i): chain_task((name, i), part) for i, part in enumerate(parts)}
    made = Bag(graph_of(name, layer, []), name, npartitions)
    made._native = native.source_of_integers(parts)
    return made


def from_delayed(values: Any) -> Bag:
    """A bag whose partitions are lazy values, each of which is an iterable.

    Raises
    ------
    TypeError
        If a value is not lazy.
    """
    from samite.delayed import Delayed, delayed

    if isinstance(values, Delayed) or hasattr(values, "key"):
        values = [values]
    values = [
        delayed(value) if not isinstance(value, Delayed) and hasattr(value, "key") else value
        for value in values
    ]
    for value in values:
        if not isinstance(value, Delayed):
            raise TypeError(f"from_delayed expects lazy values, got {type(value).__name__}")
    name = f"bag-from-delayed-{tokenize(*values)}"
    layer = {(name, i): chain_task((name, i), TaskRef(value.key)) for i, value in enumerate(values)}
    return Bag(graph_of(name, layer, values), name, len(values))


def from_url(urls: str | list[str]) -> Bag:
    """A bag of the lines, as bytes, of one or more documents on the web; a partition each."""
    from samite.delayed import delayed

    if isinstance(urls, str):
        urls = [urls]
    name = f"from_url-{tokenize(urls)}"
    read = delayed(_lines_of_url, pure=True)
    return from_delayed([read(url, dask_key_name=(name, i)) for i, url in enumerate(urls)])


def _lines_of_url(url: str) -> list[bytes]:
    from urllib.request import urlopen

    with urlopen(url) as answer:
        return answer.readlines()


def concat(bags: Iterable[Any]) -> Bag:
    """The partitions of all bags, one after the other.

    Raises
    ------
    TypeError
        If one of them is not a bag.
    """
    bags = list(bags)
    for bag in bags:
        if not isinstance(bag, Bag):
            raise TypeError(f"concat expects bags, got {type(bag).__name__}")
    name = f"concat-{tokenize(*bags)}"
    keys = [(bag.name, i) for bag in bags for i in _range(bag.npartitions)]
    layer = {(name, number): Alias((name, number), key) for number, key in enumerate(keys)}
    kind = type(bags[0]) if bags else Bag
    return kind(graph_of(name, layer, bags), name, len(layer))
