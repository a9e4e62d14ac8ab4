"""Layers and inputs of layers that know about arrays and data frames."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from samite._blockwise.shape import concatenate_axes
from samite._task_spec import List, Task, TaskRef
from samite.blockwise import Blockwise, BlockwiseDep, BlockwiseDepDict, blockwise_token
from samite.highlevelgraph import Layer

if TYPE_CHECKING:
    from samite.typing import Key

Chunks = tuple[tuple[int, ...], ...]


class CallableLazyImport:
    """A function that is imported when it is first called.

    Parameters
    ----------
    function_path:
        The module and the name, joined by a dot.
    """

    def __init__(self, function_path: str) -> None:
        self.function_path = function_path

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        import importlib

        module, _, name = self.function_path.rpartition(".")
        return getattr(importlib.import_module(module), name)(*args, **kwargs)


# --------------------------------------------------------------------------------------
# Arrays
# --------------------------------------------------------------------------------------


class ArrayBlockwiseDep(BlockwiseDep):
    """Something about each chunk of an array.

    Parameters
    ----------
    chunks:
        The sizes of chunks along each axis.
    """

    chunks: Chunks
    numblocks: tuple[int, ...]
    produces_tasks: bool = False

    def __init__(self, chunks: Chunks) -> None:
        self.chunks = chunks
        self.numblocks = tuple(len(sizes) for sizes in chunks)


class ArrayChunkShapeDep(ArrayBlockwiseDep):
    """The shape of each chunk."""

    def __getitem__(self, idx: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sizes[i] for i, sizes in zip(idx, self.chunks))


class ArraySliceDep(ArrayBlockwiseDep):
    """The slices that cut each chunk out of the whole array."""

    def __init__(self, chunks: Chunks) -> None:
        super().__init__(chunks)
        self.starts = tuple((0, *itertools.accumulate(sizes)) for sizes in chunks)

    def __getitem__(self, idx: tuple[int, ...]) -> tuple[slice, ...]:
        return tuple(slice(s[i], s[i + 1], None) for i, s in zip(idx, self.starts))


class ArrayBlockIdDep(ArrayBlockwiseDep):
    """The coordinates of each chunk."""

    def __getitem__(self, idx: tuple[int, ...]) -> tuple[int, ...]:
        return idx


class ArrayValuesDep(ArrayBlockwiseDep):
    """A value for each chunk.

    Parameters
    ----------
    chunks:
        The sizes of chunks along each axis.
    values:
        The values by coordinates, in an array or a dict.
    """

    def __init__(self, chunks: Chunks, values: Any) -> None:
        super().__init__(chunks)
        self.values = values

    def __getitem__(self, idx: tuple[int, ...]) -> Any:
        return self.values[idx]


def _depths(axes: Mapping[int, Any], axis: int) -> tuple[int, int]:
    depth = axes.get(axis, 0)
    return depth if isinstance(depth, tuple) else (depth, depth)


def fractional_slice(task: tuple[Any, ...], axes: Mapping[int, Any]) -> Any:
    """The computation that cuts a border out of a chunk.

    Parameters
    ----------
    task:
        The name of an array and coordinates. A coordinate a little beside that of a chunk
        asks for the border of the chunk on that side.
    axes:
        The width of the border by axis, or a pair of widths, before and behind.

    Returns
    -------
    A task in the tuple notation, the key itself where all of the chunk is asked for, and
    False where the border has no width.

    >>> fractional_slice(("x", 5.1), {0: 2})
    (<built-in function getitem>, ('x', 5), (slice(-2, None, None),))
    """
    nearest = tuple(int(round(i)) for i in task[1:])
    index = []
    for axis, (asked, chunk) in enumerate(zip(task[1:], nearest)):
        before, behind = _depths(axes, axis)
        if asked == chunk:
            index.append(slice(None, None, None))
        elif asked < chunk and behind:
            index.append(slice(0, behind))
        elif asked > chunk and before:
            index.append(slice(-before, None))
        else:
            return False
    if all(part == slice(None, None, None) for part in index):
        return task
    return (operator.getitem, (task[0], *nearest), tuple(index))


class ArrayOverlapLayer(Layer):
    """The chunks of an array, each with the borders of its neighbours.

    Parameters
    ----------
    name:
        The array.
    axes:
        The width of borders by axis, or pairs of widths, before and behind.
    chunks:
        The sizes of chunks along each axis.
    numblocks:
        The number of chunks along each axis.
    token:
        What the names of the new keys end in.
    """

    def __init__(
        self,
        name: str,
        axes: Mapping[int, Any],
        chunks: Chunks,
        numblocks: Sequence[int],
        token: str,
    ) -> None:
        super().__init__()
        self.name = name
        self.axes = axes
        self.chunks = chunks
        self.numblocks = tuple(numblocks)
        self.token = token
        self._tasks: dict[Key, Task] | None = None

    def __repr__(self) -> str:
        return f"ArrayOverlapLayer<name={self.name!r}>"

    @property
    def _dict(self) -> dict[Key, Task]:
        if self._tasks is None:
            self._tasks = self._make_tasks()
        return self._tasks

    def __getitem__(self, key: Key) -> Task:
        return self._dict[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._dict)

    def __len__(self) -> int:
        return len(self._dict)

    def is_materialized(self) -> bool:
        return self._tasks is not None

    def get_output_keys(self) -> Any:
        return self._dict.keys()

    def _make_tasks(self) -> dict[Key, Task]:
        tasks: dict[Key, Task] = {}
        ndim = len(self.numblocks)
        for block in itertools.product(*map(range, self.numblocks)):
            key = (f"overlap-{self.token}", *block)
            parts = self._parts((), block, tasks)
            tasks[key] = Task(key, concatenate_axes, parts, list(range(ndim)))
        return tasks

    def _parts(
        self, asked: tuple[float, ...], block: tuple[int, ...], tasks: dict[Key, Task]
    ) -> Any:
        """Nested lists, one level an axis, of the borders and the chunk that make a block."""
        axis = len(asked)
        if axis == len(block):
            return self._part(asked, tasks)
        before, behind = _depths(self.axes, axis)
        here = block[axis]
        coordinates: list[float] = [here]
        if before and here > 0:
            coordinates.insert(0, here - 0.9)
        if behind and here < self.numblocks[axis] - 1:
            coordinates.append(here + 0.9)
        return List._of([self._parts((*asked, c), block, tasks) for c in coordinates])

    def _part(self, asked: tuple[float, ...], tasks: dict[Key, Task]) -> TaskRef:
        cut = fractional_slice((self.name, *asked), self.axes)
        if cut[0] is not operator.getitem:
            return TaskRef(cut)
        key = (f"getitem-{self.token}", *asked)
        tasks.setdefault(key, Task(key, operator.getitem, TaskRef(cut[1]), cut[2]))
        return TaskRef(key)


# --------------------------------------------------------------------------------------
# Data frames
# --------------------------------------------------------------------------------------


class DataFrameIOLayer(Blockwise):
    """The partitions of a data frame, each read by one call.

    Parameters
    ----------
    name:
        The name of the output.
    columns:
        The columns that are read; None for all.
    inputs:
        What ``io_func`` is called with, for each partition.
    io_func:
        Gives a partition. If it has a method ``project_columns``, that gives the function
        that reads fewer columns.
    label:
        How the names of layers begin that read fewer columns.
    produces_tasks:
        Whether inputs are computations.
    creation_info:
        The function and the arguments with which a user made the collection.
    annotations:
        See :class:`~samite.highlevelgraph.Layer`.
    """

    def __init__(
        self,
        name: str,
        columns: Any,
        inputs: Any,
        io_func: Callable[[Any], Any],
        label: str | None = None,
        produces_tasks: bool = False,
        creation_info: Mapping[str, Any] | None = None,
        annotations: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self._columns = columns
        self.inputs = inputs
        self.io_func = io_func
        self.label = label
        self.produces_tasks = produces_tasks
        self.creation_info = creation_info
        if not isinstance(inputs, BlockwiseDep):
            by_partition = {(i,): value for i, value in enumerate(inputs)}
            inputs = BlockwiseDepDict(by_partition, produces_tasks=produces_tasks)
        super().__init__(
            output=name,
            output_indices="i",
            task=Task(name, io_func, TaskRef(blockwise_token(0))),
            indices=[(inputs, "i")],
            numblocks={},
            annotations=annotations,
        )

    @property
    def columns(self) -> Any:
        """The columns that are read; None for all."""
        return self._columns

    def project_columns(self, columns: Sequence[Any]) -> DataFrameIOLayer:
        """The layer that reads only the given columns, if they are among those read now."""
        columns = list(columns)
        if self.columns is not None and not set(self.columns).issuperset(columns):
            return self
        from samite.tokenize import tokenize

        project = getattr(self.io_func, "project_columns", None)
        return DataFrameIOLayer(
            f"{self.label or 'subset'}-{tokenize(self.name, columns)}",
            columns,
            self.inputs,
            self.io_func if project is None else project(columns),
            label=self.label,
            produces_tasks=self.produces_tasks,
            annotations=self.annotations,
        )

    def __repr__(self) -> str:
        return (
            f"DataFrameIOLayer<name={self.name!r}, n_parts={len(self.inputs)}, "
            f"columns={self.columns}>"
        )
