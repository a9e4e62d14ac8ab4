"""Helpers by the names under which programs that build on bags import them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from samite._sentinels import no_default
from samite.bag.streaming import (
    aggregate_parts,
    apply_unless_empty,
    as_getter,
    fold_by_key,
    group_records,
    reify,
)


def empty_safe_apply(func: Callable[..., Any], part: Any, is_last: bool) -> Any:
    """``func(part)``, or ``no_result`` where the partition is empty and others follow."""
    return apply_unless_empty(part, func, is_last)


def empty_safe_aggregate(func: Callable[..., Any], parts: Any, is_last: bool) -> Any:
    """``func`` of the results of partitions that had any."""
    return aggregate_parts(parts, func, is_last)


def reduceby(
    key: Any, binop: Callable[..., Any], seq: Iterable[Any], init: Any = no_default
) -> dict[Any, Any]:
    """The fold of the items of each key."""
    return fold_by_key(seq, key, binop, init)


def partition(
    grouper: Any, sequence: Iterable[Any], npartitions: int, p: Any, nelements: int = 2**20
) -> Any:
    """Append records to the parts of a partd-like store, by the hashes of their keys."""
    from itertools import islice

    from samite.bag.hashing import partition_number

    key = as_getter(grouper)
    records = iter(sequence)
    while block := list(islice(records, nelements)):
        parts: dict[int, list[Any]] = {}
        for group, members in group_records(block, key).items():
            parts.setdefault(partition_number(group, npartitions), []).extend(members)
        p.append(parts, fsync=True)
    return p


def collect(grouper: Any, group: int, p: Any, barrier_token: Any) -> list[Any]:
    """Keys and lists of records of one part of a partd-like store."""
    return list(group_records(p.get(group, lock=False), as_getter(grouper)).items())


def lazify_task(task: Any, start: bool = True) -> Any:
    """A task without what makes lists of iterators that the next call looks through only once."""
    from samite._task_spec import List, Task

    if isinstance(task, List):
        return List(*[lazify_task(part, False) for part in task])
    if isinstance(task, Task):
        if not start and task.func is reify and not task.kwargs:
            return lazify_task(task.args[0], False)
        args = [lazify_task(arg, False) for arg in task.args]
        return Task(task.key, task.func, *args, **task.kwargs)
    if type(task) is tuple and task and callable(task[0]):
        if not start and task[0] is reify:
            return lazify_task(task[1], False)
        return (task[0], *[lazify_task(arg, False) for arg in task[1:]])
    if type(task) is list:
        return [lazify_task(part, False) for part in task]
    return task


def lazify(dsk: dict[Any, Any]) -> dict[Any, Any]:
    """:func:`lazify_task` of all tasks of a graph."""
    return {key: lazify_task(task) for key, task in dsk.items()}
