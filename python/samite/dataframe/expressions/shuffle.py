"""Moving rows between partitions, so that rows that belong together are in one."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr import Expr
from samite._expr.graphs import nested_references
from samite._parts import Reader
from samite._task_spec import Task, TaskRef
from samite.dataframe import shuffling
from samite.dataframe.expressions.node import FrameExpr, frames_among, row_sources
from samite.dataframe.expressions.placement import columns_read, projected
from samite.dataframe.expressions.selection import Filter, IndexOf, Partitions, Projection

DEFAULT_MAX_BRANCH = 32


class Shuffle(FrameExpr):
    """The rows of ``frame`` in ``count`` partitions, by the hash of what ``on`` says.

    ``on`` is a list of labels, None for the index, or a frame with the same rows.
    """

    _parameters = ["frame", "on", "count", "ignore_index", "method", "options"]
    _defaults = {"ignore_index": False, "method": None, "options": None}

    @functools.cached_property
    def _meta(self) -> Any:
        meta = self.frame._meta
        # The file shuffle keeps the index in any case.
        if self._drops_index and hasattr(meta, "index"):
            return meta.reset_index(drop=True)
        return meta

    @property
    def _drops_index(self) -> bool:
        return bool(self.ignore_index) and shuffle_method(self.method) != "disk"

    def _divisions(self) -> Sequence[Any]:
        return (None,) * (self.count + 1)

    @property
    def npartitions(self) -> int:
        return self.count

    @property
    def _how(self) -> tuple[Any, ...]:
        on = self.on
        if isinstance(on, Expr):
            return ("hash", None)
        if on == ["_partitions"]:
            return ("number", "_partitions")
        return ("hash", on)

    def _lower(self) -> Any:
        keys = self.on if isinstance(self.on, Expr) else None
        if self.count == 1:
            from samite.dataframe.expressions.repartition import RepartitionToFewer

            if self.frame.npartitions == 1 and not self._drops_index:
                return self.frame
            if not self._drops_index:
                return RepartitionToFewer(self.frame, 1)
        return lowered_shuffle(
            self.frame, keys, self._how, self.count, self._drops_index, self.method, self.options
        )

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        on = self.on
        if isinstance(parent, Projection) and self.ndim == 2:
            read = columns_read(self, dependents)
            if read is None:
                return None
            wanted = set(read) | (set(on) if isinstance(on, list) else set())
            columns = [c for c in self.frame.columns if c in wanted]
            if columns == list(self.frame.columns):
                return None
            inner = type(self)(Projection(self.frame, columns), *self.operands[1:])
            return projected(self, inner, parent)
        if isinstance(parent, Filter) and not isinstance(on, Expr):
            return filtered_before(self, parent, dependents)
        return None


def filtered_before(node: Any, parent: Filter, dependents: Mapping[str, Any]) -> Any:
    """``node`` of the rows that ``parent`` leaves, or None if its condition is not of the rows
    of ``node`` alone, or somebody else reads them.

    ``node`` moves the rows of its first operand and is the same for equal other operands.
    """
    if parent.frame._name != node._name:
        return None
    predicate = parent.predicate
    inside = {inner._name for inner in predicate.walk()} | {parent._name}
    for reference in dependents[node._name]:
        reader = reference()
        if reader is not None and reader._name not in inside:
            return None
    if any(isinstance(inner, IndexOf) for inner in predicate.walk()):
        return None
    sources = row_sources(predicate)
    for source in [inner for inner in predicate.walk() if inner._name in sources]:
        if type(source) is not type(node) or source.operands[1:] != node.operands[1:]:
            return None
        if row_sources(source.frame) != row_sources(node.frame):
            return None
        predicate = predicate.substitute(source, source.frame)
    if len(frames_among([predicate])) != 1:
        return None
    return type(node)(Filter(node.frame, predicate), *node.operands[1:])


def shuffle_method(method: str | None) -> str:
    """How rows are moved: the name that was given, or that of the settings.

    Raises
    ------
    ValueError
        There is no such method.
    """
    from samite import config
    from samite._schedulers import on_cluster

    name = method or config.get("dataframe.shuffle.method", None) or "p2p"
    if name == "p2p":
        # Parts of values are for clusters.
        return "p2p" if on_cluster() else "tasks"
    if name in ("tasks", "disk"):
        return name
    raise ValueError(f"Unknown shuffle method {name!r}; there are 'tasks', 'disk' and 'p2p'")


def lowered_shuffle(
    frame: Any,
    keys: Any,
    how: Sequence[Any],
    count: int,
    ignore_index: bool = False,
    method: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> FrameExpr:
    """The node whose tasks move the rows; see :func:`samite.dataframe.shuffling.targets`."""
    chosen = shuffle_method(method)
    if chosen == "p2p":
        return PartShuffle(frame, keys, how, count, ignore_index)
    if chosen == "disk":
        from samite.dataframe.expressions.file_shuffle import FileShuffle

        return FileShuffle(frame, keys, how, count)
    return TaskShuffle(frame, keys, how, count, ignore_index, dict(options or {}))


class _Moved(FrameExpr):
    """Rows of ``frame`` in ``count`` partitions, of which only ``chosen`` ones may be wanted."""

    @functools.cached_property
    def _meta(self) -> Any:
        meta = self.frame._meta
        return meta.reset_index(drop=True) if self.ignore_index else meta

    def _divisions(self) -> Sequence[Any]:
        return (None,) * ((self.count if self.chosen is None else len(self.chosen)) + 1)

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        return with_chosen(self, parent)


class TaskShuffle(_Moved):
    """Rows moved by tasks, in rounds.

    In each round partitions are split by ranges of their rows' targets, and the pieces of some
    neighbours for the same range are joined. Ranges get smaller and neighbours more with each
    round, so that no task has more than ``max_branch`` results or inputs. The rows of a partition
    keep the order that they had in ``frame``.
    """

    _parameters = ["frame", "keys", "how", "count", "ignore_index", "options", "chosen"]
    _defaults = {"ignore_index": False, "options": None, "chosen": None}

    def _layer(self) -> Mapping[Any, Any]:
        return chosen_tasks(self._whole_layer(), self._name, self.chosen)

    def _whole_layer(self) -> dict[Any, Any]:
        frame, keys, count, name = self.frame, self.keys, self.count, self._name
        held, meta = frame.npartitions, self._meta
        branch = (self.options or {}).get("max_branch") or DEFAULT_MAX_BRANCH
        rounds = _rounds(max(held, count), max(int(branch), 2))
        joined = max(_root(held, rounds), 2)
        split = max(_root(count, rounds), 2)
        layer: dict[Any, Any] = {}
        # What is there before a round: for each group of neighbours, the ranges and their keys.
        groups: list[list[tuple[int, Any]]] = [[(0, (frame._name, i))] for i in range(held)]
        length = count
        for level in range(rounds):
            last = level == rounds - 1
            width = 1 if last else split ** (rounds - 1 - level)
            pieces: list[dict[int, Any]] = []
            for number, group in enumerate(groups):
                found: dict[int, Any] = {}
                for first, source in group:
                    length = count if level == 0 else split ** (rounds - level)
                    parts = -(-min(length, count - first) // width)
                    key = (f"split-{level}-{name}", number, first)
                    if level == 0:
                        other = None if keys is None else TaskRef((keys._name, number))
                        layer[key] = Task(
                            key,
                            shuffling.split_first,
                            TaskRef(source),
                            other,
                            self.how,
                            count,
                            width,
                            self.ignore_index,
                        )
                    else:
                        layer[key] = Task(
                            key, shuffling.split_further, TaskRef(source), first, parts, width
                        )
                    for part in range(parts):
                        piece = (f"piece-{level}-{name}", number, first + part * width)
                        layer[piece] = Task(piece, operator.getitem, TaskRef(key), part)
                        found[first + part * width] = piece
                pieces.append(found)
            step = len(pieces) if last else joined
            groups = []
            for number, start in enumerate(range(0, len(pieces), step)):
                together = pieces[start : start + step]
                group = []
                for first in together[0]:
                    inputs = nested_references([found[first] for found in together])
                    if last:
                        key = (name, first)
                        layer[key] = Task(key, shuffling.join_last, inputs, meta, self.ignore_index)
                    else:
                        key = (f"join-{level}-{name}", number, first)
                        layer[key] = Task(key, shuffling.join_held, inputs, meta)
                    group.append((first, key))
                groups.append(group)
        return layer


class PartShuffle(_Moved):
    """Rows moved between the workers of a cluster, each once.

    A task for each partition of ``frame`` makes a value in parts, one for each new partition; the
    task of that one reads its part of each. The rows of a partition keep the order that they had
    in ``frame``.
    """

    _parameters = ["frame", "keys", "how", "count", "ignore_index", "chosen"]
    _defaults = {"ignore_index": False, "chosen": None}

    def _layer(self) -> Mapping[Any, Any]:
        frame, keys, name, meta = self.frame, self.keys, self._name, self._meta
        layer: dict[Any, Any] = {}
        split = f"split-{name}"
        for index in range(frame.npartitions):
            layer[split, index] = Task(
                (split, index),
                shuffling.split_parts,
                TaskRef((frame._name, index)),
                None if keys is None else TaskRef((keys._name, index)),
                self.how,
                self.count,
                self.ignore_index,
            )
        inputs = nested_references([(split, index) for index in range(frame.npartitions)])
        for number, part in enumerate(range(self.count) if self.chosen is None else self.chosen):
            read = Reader(part, shuffling.join_present)
            layer[name, number] = Task((name, number), read, inputs, meta, self.ignore_index)
        return layer


def with_chosen(node: Any, parent: Expr) -> Any:
    """``node``, which makes the partitions in its operand ``chosen``, with those of ``parent``."""
    if not isinstance(parent, Partitions):
        return None
    chosen = parent.partitions
    if node.chosen is not None:
        chosen = [node.chosen[index] for index in chosen]
    return node.substitute_parameters({"chosen": list(chosen)})


def chosen_tasks(layer: dict[Any, Any], name: str, chosen: Sequence[int] | None) -> dict[Any, Any]:
    """The tasks that the chosen partitions need, of all of a layer; in place of theirs, those of
    the partitions have numbers from 0."""
    if chosen is None:
        return layer
    result: dict[Any, Any] = {}
    needed = []
    for number, index in enumerate(chosen):
        task = layer[name, index]
        result[name, number] = task.substitute({}, key=(name, number))
        needed += list(task.dependencies)
    while needed:
        key = needed.pop()
        if key in layer and key not in result and key[0] != name:
            result[key] = layer[key]
            needed += list(layer[key].dependencies)
    return result


def _rounds(size: int, branch: int) -> int:
    """How many rounds it takes, if none has more than ``branch`` results or inputs."""
    rounds = 1
    while branch**rounds < size:
        rounds += 1
    return rounds


def _root(size: int, rounds: int) -> int:
    """The least number whose power is at least ``size``."""
    root = max(math.floor(size ** (1 / rounds)), 1)
    while root**rounds < size:
        root += 1
    return root
