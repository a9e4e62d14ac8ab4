"""Moving records to the partition of their key: through files, or from task to task."""

from __future__ import annotations

import itertools
import math
import os
import pickle
import shutil
import struct
import tempfile
import uuid
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from samite._parts import Parts, Reader
from samite._task_spec import DataNode, List, Task, TaskRef
from samite.bag.graphs import chain_task, step
from samite.bag.hashing import partition_number
from samite.bag.streaming import group_records
from samite.utils import digit

_NOWHERE = 2**64 - 1
_HEAD = struct.Struct("<QQ")
_PLACE = struct.Struct("<Q")


class ShuffleFolder:
    """A private folder that exists from the first write until nobody refers to it any more.

    A copy in another process is only a reference: it does not remove the folder.
    """

    def __init__(self, path: str | None = None) -> None:
        if path is None:
            from samite import config

            root = config.get("temporary-directory", None) or tempfile.gettempdir()
            path = os.path.join(root, f"samite-shuffle-{uuid.uuid4().hex}")
            weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
        self.path = path

    def new_file(self) -> str:
        """The path of a file that no other task writes, nor another attempt of the same one."""
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        return os.path.join(self.path, uuid.uuid4().hex)

    def __reduce__(self) -> Any:
        return ShuffleFolder, (self.path,)

    def __dask_tokenize__(self) -> Any:
        return "ShuffleFolder", self.path

    def __sizeof__(self) -> int:
        return 200


def renew_folders(graph: Mapping[Any, Any]) -> dict[Any, Any]:
    """The graph with folders of its own, which go when the computation does."""
    return {
        key: DataNode(key, ShuffleFolder())
        if type(node) is DataNode and type(node.value) is ShuffleFolder
        else node
        for key, node in graph.items()
    }


# ---- through files --------------------------------------------------------------------------
#
# Each input partition writes one file. It holds segments, each the pickled groups of one output
# partition with, in front, where the segment before of the same partition is; at the end of the
# file is a table of the last segments.


def _dumps(value: Any) -> bytes:
    try:
        return pickle.dumps(value, protocol=5)
    except Exception:
        import cloudpickle

        return cloudpickle.dumps(value, protocol=5)


def write_groups(
    records: Any, key: Callable[[Any], Any], count: int, folder: ShuffleFolder, block: int
) -> str:
    """Write the records of a partition, grouped; ``block`` records are held at a time."""
    records = iter(records)
    path = folder.new_file()
    last = [_NOWHERE] * count
    with open(path, "wb") as file:
        place = 0
        while groups := group_records(itertools.islice(records, block), key):
            parts: dict[int, dict[Any, list[Any]]] = {}
            for group, members in groups.items():
                parts.setdefault(partition_number(group, count), {})[group] = members
            del groups
            for number in sorted(parts):
                data = _dumps(parts.pop(number))
                file.write(_HEAD.pack(last[number], len(data)))
                file.write(data)
                last[number] = place
                place += _HEAD.size + len(data)
        file.write(struct.pack(f"<{count}Q", *last))
    return path


def read_groups(number: int, count: int, paths: Iterable[str]) -> list[tuple[Any, list[Any]]]:
    """All groups of one output partition."""
    groups: dict[Any, list[Any]] = {}
    get = groups.get
    for path in paths:
        for part in _segments(path, number, count):
            for group, members in pickle.loads(part).items():
                known = get(group)
                if known is None:
                    groups[group] = members
                else:
                    known.extend(members)
    return list(groups.items())


def _segments(path: str, number: int, count: int) -> list[bytes]:
    with open(path, "rb") as file:
        file.seek(_PLACE.size * (number - count), os.SEEK_END)
        (place,) = _PLACE.unpack(file.read(_PLACE.size))
        parts = []
        while place != _NOWHERE:
            file.seek(place)
            place, length = _HEAD.unpack(file.read(_HEAD.size))
            parts.append(file.read(length))
    return parts[::-1]


def through_files(
    name: str, bag: Any, key: Callable[[Any], Any], count: int, block: int
) -> dict[Any, Any]:
    """The tasks of a shuffle through files; ``(name, i)`` has the groups of partition ``i``."""
    folder, part = f"folder-{name}", f"write-{name}"
    layer: dict[Any, Any] = {folder: DataNode(folder, ShuffleFolder())}
    writing = step(write_groups, key, count, TaskRef(folder), block)
    for i in range(bag.npartitions):
        layer[(part, i)] = chain_task((part, i), TaskRef((bag.name, i)), writing, value=True)
    paths = List(*[TaskRef((part, i)) for i in range(bag.npartitions)])
    for i in range(count):
        # The folder is needed until the last file was read.
        layer[(name, i)] = Task((name, i), _read_groups, i, count, paths, TaskRef(folder))
    return layer


def _read_groups(number: int, count: int, paths: list[str], folder: ShuffleFolder) -> Any:
    return read_groups(number, count, paths)


# ---- in parts, between the workers of a cluster ---------------------------------------------


def split_groups(records: Iterable[Any], key: Callable[[Any], Any], count: int) -> Parts:
    """The groups of a partition's records, in parts by the partition that each belongs to."""
    parts = Parts()
    for group, members in group_records(iter(records), key).items():
        parts.setdefault(partition_number(group, count), {})[group] = members
    return parts


def joined_groups(parts: list[dict[Any, list[Any]] | None]) -> list[tuple[Any, list[Any]]]:
    """The groups of all parts that there are."""
    groups: dict[Any, list[Any]] = {}
    for part in parts:
        for group, members in (part or {}).items():
            known = groups.get(group)
            groups[group] = members if known is None else known + members
    return list(groups.items())


def through_parts(name: str, bag: Any, key: Callable[[Any], Any], count: int) -> dict[Any, Any]:
    """The tasks of a shuffle in parts; ``(name, i)`` has the groups of partition ``i``."""
    split, layer = f"split-{name}", {}
    splitting = step(split_groups, key, count)
    for i in range(bag.npartitions):
        layer[(split, i)] = chain_task((split, i), TaskRef((bag.name, i)), splitting, value=True)
    parts = List(*[TaskRef((split, i)) for i in range(bag.npartitions)])
    for i in range(count):
        layer[(name, i)] = Task((name, i), Reader(i, joined_groups), parts)
    return layer


# ---- from task to task ----------------------------------------------------------------------


def number_records(
    records: Any, key: Callable[[Any], Any], count: int
) -> list[tuple[int, Any, list[Any]]]:
    """Groups with the number of the partition that each belongs to."""
    groups = group_records(records, key)
    return [(partition_number(group, count), group, found) for group, found in groups.items()]


def split_by_digit(
    numbered: list[tuple[int, Any, list[Any]]], place: int, base: int
) -> dict[int, list[Any]]:
    """Groups by one digit of their partition's number."""
    parts: dict[int, list[Any]] = {}
    for found in numbered:
        parts.setdefault(digit(found[0], place, base), []).append(found)
    return parts


def part_of(parts: dict[int, list[Any]], number: int) -> list[Any]:
    """The groups with one digit."""
    return parts.get(number, [])


def concatenated(parts: list[list[Any]]) -> list[Any]:
    """Groups of several tasks."""
    return list(itertools.chain.from_iterable(parts))


def merged_groups(parts: list[list[tuple[int, Any, list[Any]]]]) -> list[tuple[Any, list[Any]]]:
    """Groups of the same key as one."""
    groups: dict[Any, list[Any]] = {}
    for _, group, members in itertools.chain.from_iterable(parts):
        known = groups.get(group)
        groups[group] = members if known is None else known + members
    return list(groups.items())


def through_tasks(name: str, bag: Any, key: Callable[[Any], Any], branch: int) -> dict[Any, Any]:
    """The tasks of a shuffle in stages: each cuts a partition into at most ``branch`` parts, by
    one digit of the numbers of the partitions that the groups belong to."""
    count = bag.npartitions
    stages = 1
    while branch**stages < count:
        stages += 1
    base = max(2, math.ceil(count ** (1 / stages)))
    while base**stages < count:
        base += 1
    places = list(itertools.product(range(base), repeat=stages))
    number_of = {place: sum(value * base**at for at, value in enumerate(place)) for place in places}
    layer: dict[Any, Any] = {}
    first = f"number-{name}"
    numbering = step(number_records, key, count)
    for i in range(count):
        layer[(first, i)] = chain_task((first, i), TaskRef((bag.name, i)), numbering, value=True)
    before = {place: (first, i) if (i := number_of[place]) < count else None for place in places}
    for stage in range(stages):
        split, part, joined = (f"{what}-{stage}-{name}" for what in ("split", "part", "join"))
        last = stage == stages - 1
        after: dict[Any, Any] = {}
        for place in places:
            source = before[place]
            if source is not None:
                key_ = (split, number_of[place])
                layer[key_] = Task(key_, split_by_digit, TaskRef(source), stage, base)
        for place in places:
            target = number_of[place]
            if last and target >= count:
                continue
            group = []
            for value in range(base):
                other = (*place[:stage], value, *place[stage + 1 :])
                if before[other] is None:
                    continue
                key_ = (part, number_of[other], place[stage])
                layer[key_] = Task(key_, part_of, TaskRef((split, number_of[other])), place[stage])
                group.append(TaskRef(key_))
            if not group and not last:
                after[place] = None
                continue
            key_ = (name, target) if last else (joined, target)
            layer[key_] = Task(key_, merged_groups if last else concatenated, List(*group))
            after[place] = key_
        before = after
    return layer
