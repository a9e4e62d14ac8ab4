"""The blockwise layer: one task, repeated for every block."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from samite._blockwise.deps import BlockwiseDep
from samite._blockwise.shape import InputBlocks, blockwise_token, concatenate_axes, make_dims
from samite._task_spec import DataNode, GraphNode, List, Task, TaskRef, parse_input
from samite.highlevelgraph import Layer

if TYPE_CHECKING:
    from samite.typing import Key


class Blockwise(Layer):
    """A layer of tasks of one kind, written as an operation on indices.

    The output has a block for each combination of its indices, under the keys
    ``(output, i, j, ...)``. The task of a block gets, of each input, the block at the same
    indices; along an index that the output does not have it gets a list of all blocks. So
    ``output_indices="ik"`` with the inputs ``("a", "ij")`` and ``("b", "jk")`` is a matrix
    product.

    Parameters
    ----------
    output:
        The name of the output.
    output_indices:
        Its indices.
    task:
        The task of a block. References to :func:`~samite.blockwise.blockwise_token` stand
        for the inputs.
    indices:
        Inputs with their indices. An input without indices (None) is the same for all
        blocks: a value or a reference. A :class:`BlockwiseDep` has a value for each block.
    numblocks:
        The number of blocks of each input along its indices. A dimension of one block fits
        any other.
    concatenate:
        Join the blocks along an index that the output does not have into one array.
    new_axes:
        Indices that no input has, with their length, or the lengths of their blocks.
    output_blocks:
        The coordinates of the blocks that are wanted; by default all.
    annotations:
        See :class:`~samite.highlevelgraph.Layer`.
    io_deps:
        Inputs that are a :class:`BlockwiseDep`, by the name they have in ``indices``.
    """

    output: str
    output_indices: tuple[Any, ...]
    task: Task
    indices: tuple[tuple[Any, tuple[Any, ...] | None], ...]
    numblocks: Mapping[str, Sequence[int]]
    concatenate: Any
    new_axes: Mapping[Any, Any]
    output_blocks: set[tuple[int, ...]] | None
    io_deps: Mapping[str, BlockwiseDep]

    def __init__(
        self,
        output: str,
        output_indices: Iterable[Any],
        task: Task,
        indices: Iterable[tuple[Any, Iterable[Any] | None]],
        numblocks: Mapping[str, Sequence[int]],
        concatenate: Any = None,
        new_axes: Mapping[Any, Any] | None = None,
        output_blocks: set[tuple[int, ...]] | None = None,
        annotations: Mapping[str, Any] | None = None,
        io_deps: Mapping[str, BlockwiseDep] | None = None,
    ) -> None:
        super().__init__(annotations=annotations)
        self.output = output
        self.output_indices = tuple(output_indices)
        self.task = task
        self.concatenate = concatenate
        self.new_axes = dict(new_axes or {})
        self.output_blocks = output_blocks
        self.io_deps = dict(io_deps or {})
        self.numblocks = dict(numblocks)
        self.indices = tuple(self._named_input(arg, ind) for arg, ind in indices)
        self._tasks: dict[Key, Task] | None = None
        self._dims: dict[Any, int] | None = None

    def _named_input(self, arg: Any, ind: Iterable[Any] | None) -> tuple[Any, tuple | None]:
        if isinstance(arg, BlockwiseDep):
            from samite.tokenize import tokenize

            name = tokenize(arg)
            self.io_deps[name] = arg  # type: ignore[index]
            self.numblocks[name] = arg.numblocks  # type: ignore[index]
            arg = name
        elif ind is not None and isinstance(arg, TaskRef):
            arg = arg.key
        return arg, None if ind is None else tuple(ind)

    @property
    def has_legacy_tasks(self) -> bool:  # type: ignore[override]
        return False

    @property
    def dims(self) -> dict[Any, int]:
        """The number of blocks along each index."""
        if self._dims is None:
            self._dims = make_dims(self.indices, self.numblocks, self.new_axes)
        return self._dims

    def __repr__(self) -> str:
        return f"Blockwise<{self.indices} -> {self.output}>"

    def _with(self, **changes: Any) -> Blockwise:
        """The same layer with other parameters."""
        parameters: dict[str, Any] = {
            "output": self.output,
            "output_indices": self.output_indices,
            "task": self.task,
            "indices": self.indices,
            "numblocks": self.numblocks,
            "concatenate": self.concatenate,
            "new_axes": self.new_axes,
            "output_blocks": self.output_blocks,
            "annotations": self.annotations or {},
            "io_deps": self.io_deps,
        }
        return Blockwise(**{**parameters, **changes})

    # -- blocks and keys ---------------------------------------------------------------

    def _blocks(self) -> Iterable[tuple[int, ...]]:
        """The coordinates of the output's blocks."""
        if self.output_blocks is not None:
            return sorted(self.output_blocks)
        return itertools.product(*(range(self.dims[i]) for i in self.output_indices))

    def get_output_keys(self) -> set[Key]:
        return {(self.output, *block) for block in self._blocks()}

    def __len__(self) -> int:
        if self.output_blocks is not None:
            return len(self.output_blocks)
        count = 1
        for i in self.output_indices:
            count *= self.dims[i]
        return count

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, tuple) or not key or key[0] != self.output:
            return False
        block = key[1:]
        if self.output_blocks is not None:
            return block in self.output_blocks
        return len(block) == len(self.output_indices) and all(
            isinstance(n, int) and 0 <= n < self.dims[i] for n, i in zip(block, self.output_indices)
        )

    # -- tasks -------------------------------------------------------------------------

    @property
    def _dict(self) -> dict[Key, Task]:
        if self._tasks is None:
            self._tasks = self._make_tasks()
        return self._tasks

    def is_materialized(self) -> bool:
        return self._tasks is not None

    def __getitem__(self, key: Key) -> Task:
        return self._dict[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._dict)

    def _inputs(self) -> list[tuple[str, Any, InputBlocks]]:
        """Token, name and blocks of each input that has indices."""
        return [
            (
                blockwise_token(n),
                arg,
                InputBlocks(
                    ind, self.numblocks[arg], self.output_indices, self.dims, bool(self.concatenate)
                ),
            )
            for n, (arg, ind) in enumerate(self.indices)
            if ind is not None
        ]

    def _make_tasks(self) -> dict[Key, Task]:
        used = self.task.dependencies
        task: Any = self.task.substitute(
            {
                blockwise_token(n): _as_argument(arg)
                for n, (arg, ind) in enumerate(self.indices)
                if ind is None
            }
        )
        inputs = [entry for entry in self._inputs() if entry[0] in used]
        result: dict[Key, Task] = {}
        for block in self._blocks():
            arguments = {
                token: self._argument(name, blocks, block) for token, name, blocks in inputs
            }
            key = (self.output, *block)
            result[key] = task.substitute(arguments, key=key)
        return result

    def _argument(self, name: str, blocks: InputBlocks, block: tuple[int, ...]) -> Any:
        """What replaces the token of an input in the task of one block."""
        if name in self.io_deps:
            coordinates = blocks.nested((), block)
            return _as_argument(parse_input(self.io_deps[name].get(coordinates, coordinates)))
        keys = blocks.nested((name,), block)
        if not isinstance(keys, list):
            return keys
        nested = _nested_references(keys)
        if not self.concatenate:
            return nested
        join = concatenate_axes if self.concatenate is True else self.concatenate
        return Task(None, join, nested, blocks.summed)

    # -- dependencies and culling ------------------------------------------------------

    def _fixed_dependencies(self) -> set[Key]:
        """The keys that the tasks of all blocks need."""
        tokens = {blockwise_token(n) for n in range(len(self.indices))}
        found = {key for key in self.task.dependencies if key not in tokens}
        for arg, ind in self.indices:
            if ind is None:
                if isinstance(arg, TaskRef):
                    found.add(arg.key)
                elif isinstance(arg, GraphNode):
                    found |= arg.dependencies
        return found

    def _dependencies_of(self, blocks: Iterable[tuple[int, ...]]) -> dict[Key, set[Key]]:
        fixed = self._fixed_dependencies()
        inputs = self._inputs()
        result: dict[Key, set[Key]] = {}
        for block in blocks:
            needed = set(fixed)
            for _, name, picked in inputs:
                if name not in self.io_deps:
                    needed.update(picked.flat(name, block))
                elif self.io_deps[name].produces_keys:
                    value = self._argument(name, picked, block)
                    needed |= value.dependencies
            key = (self.output, *block)
            result[key] = needed
        return result

    def get_dependencies(self, key: Key, all_hlg_keys: Collection[Key]) -> set[Key]:
        needed = self._dependencies_of([key[1:]])[key]  # type: ignore[index]
        return {d for d in needed if d in all_hlg_keys}

    def cull(
        self, keys: set[Key], all_hlg_keys: Collection[Key]
    ) -> tuple[Layer, Mapping[Key, set[Key]]]:
        blocks = {
            key[1:] for key in keys if isinstance(key, tuple) and key and key[0] == self.output
        }
        dependencies = self._dependencies_of(blocks)
        if len(blocks) == len(self):
            return self, dependencies
        return self._with(output_blocks=blocks), dependencies

    # -- copies under new names --------------------------------------------------------

    def clone(
        self, keys: set[Key], seed: Hashable, bind_to: Key | None = None
    ) -> tuple[Layer, bool]:
        from samite.base import clone_key, get_name_from_key
        from samite.graph_manipulation import chunks

        names = {get_name_from_key(key) for key in keys}
        renamed_refs = {d: clone_key(d, seed) for d in self._fixed_dependencies() if d in keys}
        is_leaf = not renamed_refs
        indices = []
        numblocks = {}
        for arg, ind in self.indices:
            new_arg = arg
            if ind is None:
                if isinstance(arg, (TaskRef, GraphNode)):
                    new_arg = arg.substitute(renamed_refs)
            else:
                if arg not in self.io_deps and arg in names:
                    new_arg = clone_key(arg, seed)
                    is_leaf = False
                numblocks[new_arg] = self.numblocks[arg]
            indices.append((new_arg, ind))
        output = clone_key(self.output, seed) if self.output in names else self.output
        task: Any = self.task.substitute(renamed_refs, key=output)
        bound = bind_to is not None and is_leaf
        if bound:
            task = Task(output, chunks.bind, task, TaskRef(blockwise_token(len(indices))))
            indices.append((TaskRef(bind_to), None))  # type: ignore[arg-type]
        new = self._with(output=output, task=task, indices=indices, numblocks=numblocks)
        return new, bound


def _as_argument(value: Any) -> Any:
    """Something that :meth:`GraphNode.substitute` takes and that stands for ``value``."""
    if isinstance(value, TaskRef):
        return value.key
    return value if isinstance(value, GraphNode) else DataNode(None, value)


def _nested_references(keys: Any) -> Any:
    if isinstance(keys, list):
        return List._of([_nested_references(key) for key in keys])
    return TaskRef(keys)


def blockwise(
    func: Any,
    output: str,
    output_indices: Iterable[Any],
    *arrind_pairs: Any,
    numblocks: Mapping[str, Sequence[int]],
    concatenate: Any = None,
    new_axes: Mapping[Any, Any] | None = None,
    dependencies: Sequence[Any] = (),
    _data_producer: bool = False,
    **kwargs: Any,
) -> Blockwise:
    """The layer that calls a function on all blocks of its inputs.

    Parameters
    ----------
    func:
        The function; it gets one argument for each input.
    output, output_indices:
        The name of the output, and its indices.
    arrind_pairs:
        Inputs and indices in turn; None as the indices of an argument that is the same for
        all blocks, which can be a collection.
    numblocks, concatenate, new_axes:
        See :class:`Blockwise`.
    dependencies:
        Collections whose keys are used in ``kwargs``; whoever adds the layer to a graph has
        to add their graphs too.
    kwargs:
        Further arguments of the function; they can hold references and collections.

    Examples
    --------
    >>> from operator import add
    >>> layer = blockwise(add, "z", "i", "x", "i", 10, None, numblocks={"x": (2,)})
    >>> layer["z", 1]({("x", 1): 5})
    15
    """
    if len(arrind_pairs) % 2:
        raise ValueError("inputs and indices have to come in pairs")
    indices = []
    for arg, ind in zip(arrind_pairs[::2], arrind_pairs[1::2]):
        if ind is None:
            arg = _as_constant(arg)
        indices.append((arg, None if ind is None else tuple(ind)))
    task = Task(
        output,
        func,
        *(TaskRef(blockwise_token(n)) for n in range(len(indices))),
        _data_producer=_data_producer,
        **{name: _as_constant(value) for name, value in kwargs.items()},
    )
    return Blockwise(
        output, output_indices, task, indices, numblocks,
        concatenate=concatenate, new_axes=new_axes,
    )  # fmt: skip


def _as_constant(value: Any) -> Any:
    """An argument that is the same for all blocks, with references in place of collections."""
    from samite.delayed import unpack_collections

    value, _ = unpack_collections(value)
    return parse_input(value)
