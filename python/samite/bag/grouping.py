"""Operations on bags by keys of their records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from samite._schedulers import on_cluster
from samite._task_spec import Task, TaskRef
from samite.bag import native, reductions, shuffling, streaming
from samite.bag.graphs import chain_task, graph_of, step
from samite.tokenize import tokenize


def groupby(
    bag: Any,
    grouper: Any,
    method: Any,
    npartitions: int | None,
    blocksize: int,
    max_branch: int | None,
    shuffle: str | None,
) -> Any:
    """See :meth:`Bag.groupby`."""
    if method is not None:
        raise Exception("The method= keyword has been moved to shuffle=")
    if shuffle is None:
        from samite import config

        preferred = config.get("dataframe.shuffle.method", None)
        if preferred in (None, "p2p") and on_cluster():
            shuffle = "p2p"
        else:
            # What a cluster prefers does not matter to files and tasks of one machine.
            shuffle = "disk" if preferred not in ("tasks",) or npartitions else "tasks"
    if shuffle == "p2p" and not on_cluster():
        shuffle = "disk"
    key = streaming.as_getter(grouper)
    if shuffle in ("disk", "p2p"):
        count = bag.npartitions if npartitions is None else npartitions
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"groupby: npartitions must be at least 1, got {count!r}")
        if not isinstance(blocksize, int) or blocksize < 1:
            raise ValueError(f"groupby: blocksize must be at least 1, got {blocksize!r}")
        name = f"groupby-{tokenize(bag, grouper, shuffle, count, blocksize)}"
        if shuffle == "p2p":
            layer = shuffling.through_parts(name, bag, key, count)
        else:
            layer = shuffling.through_files(name, bag, key, count, blocksize)
        return type(bag)(graph_of(name, layer, [bag]), name, count)
    if shuffle == "tasks":
        branch = 32 if max_branch is None else max_branch
        if not isinstance(branch, int) or branch < 2:
            raise ValueError(f"groupby: max_branch must be at least 2, got {branch!r}")
        name = f"shuffle-{tokenize(bag, grouper, 'tasks', branch)}"
        layer = shuffling.through_tasks(name, bag, key, branch)
        grouped = type(bag)(graph_of(name, layer, [bag]), name, bag.npartitions)
        return grouped if npartitions is None else grouped.repartition(npartitions)
    raise NotImplementedError(f"Shuffle must be 'disk', 'tasks' or 'p2p', got {shuffle!r}")


def foldby(
    bag: Any,
    key: Any,
    binop: Callable[..., Any],
    initial: Any,
    combine: Callable[..., Any] | None,
    combine_initial: Any,
    split_every: Any,
) -> Any:
    """See :meth:`Bag.foldby`."""
    every = reductions.checked_split(split_every, bag.npartitions)
    token = tokenize(
        bag, key, binop, initial, combine, combine_initial, every, split_every, "foldby"
    )
    given, combine = combine, combine or binop
    part, total, name = (f"foldby-{what}-{token}" for what in ("part", "total", "items"))
    layer: dict[Any, Any] = {}
    folding = step(streaming.fold_by_key, key, binop, initial)
    for i in range(bag.npartitions):
        layer[(part, i)] = chain_task((part, i), TaskRef((bag.name, i)), folding, value=True)
    reductions.add_tree(
        layer, part, bag.npartitions, every, (total, 0),
        lambda key, parts, is_last: Task(
            key, streaming.merge_folds, parts, combine, combine_initial
        ),
    )  # fmt: skip
    layer[(name, 0)] = Task((name, 0), streaming.dict_items, TaskRef((total, 0)))
    made = type(bag)(graph_of(name, layer, [bag]), name, 1)
    made._native = native.folded_by(bag._native, key, binop, initial, given, combine_initial)
    return made


def join(bag: Any, other: Any, on_self: Any, on_other: Any) -> Any:
    """See :meth:`Bag.join`."""
    from samite.bag.core import Bag
    from samite.bag.item import Item
    from samite.delayed import Delayed

    name = f"join-{tokenize(bag, other, on_self, on_other)}"
    on_other = on_self if on_other is None else on_other
    dependencies = [bag]
    if isinstance(other, Bag):
        if other.npartitions != 1:
            raise NotImplementedError(
                f"join: the other bag has {other.npartitions} partitions, and only one can be "
                "joined with; repartition(1) it, or use a dataframe"
            )
        dependencies.append(other)
        other = TaskRef((other.name, 0))
    elif isinstance(other, (Delayed, Item)):
        dependencies.append(other)
        other = TaskRef(other.key)
    elif not hasattr(other, "__iter__"):
        raise TypeError(
            "join: the other side must be a sequence, a lazy value or a bag, got "
            f"{type(other).__name__}"
        )
    elif not isinstance(other, (list, tuple)):
        other = list(other)
    layer: dict[Any, Any] = {}
    joining = step(streaming.join_records, other, on_self, on_other)
    for i in range(bag.npartitions):
        layer[(name, i)] = chain_task((name, i), TaskRef((bag.name, i)), joining)
    return type(bag)(graph_of(name, layer, dependencies), name, bag.npartitions)


def product(bag: Any, other: Any) -> Any:
    """See :meth:`Bag.product`."""
    from samite.bag.core import Bag

    if not isinstance(other, Bag):
        raise TypeError(f"product expects a Bag, got {type(other).__name__}")
    name = f"product-{tokenize(bag, other, 'product')}"
    layer: dict[Any, Any] = {}
    for i in range(bag.npartitions):
        for j in range(other.npartitions):
            key = (name, i * other.npartitions + j)
            pairing = step(streaming.product_records, TaskRef((other.name, j)))
            layer[key] = chain_task(key, TaskRef((bag.name, i)), pairing)
    count = bag.npartitions * other.npartitions
    return type(bag)(graph_of(name, layer, [bag, other]), name, count)
