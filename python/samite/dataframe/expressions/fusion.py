"""The last step of optimization: chains of functions of partitions become one task a partition.

A *block* is a set of nodes whose results nobody outside of it reads, but for that of its last node.
What one partition of it does is written once, as a :class:`Program` that all its tasks share, so
that a graph costs a task for each partition and not for each operation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from samite._expr import Expr
from samite._task_spec import Alias, GraphNode, Task, TaskRef
from samite.dataframe.expressions.node import FrameExpr, Partitionwise


def fuse(expr: FrameExpr) -> FrameExpr:
    """The expression with its chains joined, or as it is if there are none."""
    return FusedFrame(expr) if _blocks(expr) else expr


def fused(expr: Expr) -> Expr:
    """As :func:`fuse`, for expressions of any kind that is about to be computed."""
    if isinstance(expr, (FusedFrame, FusedGraph)) or not _blocks(expr):
        return expr
    return FusedGraph(expr)


class FusedFrame(FrameExpr):
    """The results of ``expr``, whose graph has its chains joined."""

    _parameters = ["expr"]

    @property
    def _name(self) -> str:  # type: ignore[override]
        return self.operands[0]._name

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return self.operands[0]._meta

    def _divisions(self) -> Sequence[Any]:
        return self.operands[0].divisions

    def dependencies(self) -> list[Expr]:
        # It stands for the outermost node of its operand, which has the same name.
        return self.operands[0].dependencies()

    def __dask_graph__(self) -> dict[Any, Any]:
        return fused_graph(self.operands[0])

    _layer = __dask_graph__

    def fuse(self) -> Expr:
        return self

    def find_operations(self, operation: type | tuple[type, ...]) -> Iterator[Expr]:
        return self.operands[0].find_operations(operation)

    def _tree_repr_lines(self, indent: int = 0, recursive: bool = True) -> list[str]:
        return self.operands[0]._tree_repr_lines(indent, recursive)

    def __str__(self) -> str:
        return str(self.operands[0])


class FusedGraph(Expr):
    """An expression of any kind, whose graph has its chains joined."""

    _parameters = ["expr"]

    @property
    def _name(self) -> str:  # type: ignore[override]
        return self.operands[0]._name

    def dependencies(self) -> list[Expr]:
        return []

    def __dask_keys__(self) -> list[Any]:
        return self.operands[0].__dask_keys__()

    def __dask_annotations__(self) -> dict[str, dict[Any, Any]]:
        return self.operands[0].__dask_annotations__()

    def _layer(self) -> Mapping[Any, Any]:
        return fused_graph(self.operands[0])


class Program:
    """Tasks of one partition that run one after the other. They are written for partition 0, whose
    keys stand for the results of any."""

    def __init__(self, name: str, inputs: Sequence[Any], tasks: Sequence[GraphNode]) -> None:
        self.__name__ = name
        self.inputs = tuple(inputs)
        self.tasks = tuple(tasks)
        last: dict[Any, int] = dict.fromkeys(self.inputs, 0)
        for position, task in enumerate(self.tasks):
            last.update(dict.fromkeys(task.dependencies, position))
        gone: list[list[Any]] = [[] for _ in self.tasks]
        for key, position in last.items():
            gone[position].append(key)
        # What nobody reads any more is dropped at once.
        self.steps = tuple(zip(self.tasks, map(tuple, gone), strict=True))

    def __call__(self, *values: Any) -> Any:
        known = dict(zip(self.inputs, values, strict=True))
        del values
        result: Any = None
        for task, gone in self.steps:
            known[task.key] = result = task._evaluate(known)
            for key in gone:
                known.pop(key, None)
        return result

    def __reduce__(self) -> Any:
        return (Program, (self.__name__, self.inputs, self.tasks))

    def __dask_tokenize__(self) -> Any:
        return (type(self).__name__, self.inputs, self.tasks)

    def __repr__(self) -> str:
        return self.__name__


@dataclasses.dataclass
class _Block:
    """``members`` in the order in which they run, without a source that ``source`` names, which is
    read by the first of them."""

    members: list[Expr]
    source: Expr | None = None

    @property
    def last(self) -> Any:
        return self.members[-1]


def _is_uniform(node: Expr) -> bool:
    """Whether the tasks of all partitions are the same but for the partitions that they read."""
    if not isinstance(node, Partitionwise) or type(node)._layer is not Expr._layer:
        return False
    return node._tasks_alike or not node._knows_position


def _has_chunks(node: Expr) -> bool:
    """Whether the node begins with a task for each partition of its operands."""
    if not isinstance(node, FrameExpr) or not node._begins_with_chunks:
        return False
    # A class that writes its layer in another way need not have these tasks.
    owner = next(c for c in type(node).__mro__ if "_layer" in c.__dict__)
    return "_chunk_task" in owner.__dict__


def _blocks(expr: Expr) -> dict[str, _Block]:
    """The blocks of an expression, by the name of their last node."""
    if expr.__dask_annotations__():
        # Annotations speak of the tasks of single nodes.
        return {}
    nodes = {node._name: _plain(node) for node in expr.walk()}
    readers: dict[str, int] = dict.fromkeys(nodes, 0)
    for node in nodes.values():
        for name in {child._name for child in node.dependencies()}:
            readers[name] += 1
    for name in _wanted(expr):
        readers[name] = readers.get(name, 0) + 1
    taken: set[str] = set()
    found: dict[str, _Block] = {}
    for name, node in nodes.items():
        if name in taken or not (_is_uniform(node) or _has_chunks(node)):
            continue
        block = _block_of(node, nodes, readers, taken)
        if block is not None:
            found[name] = block
    return found


def _plain(node: Expr) -> Expr:
    """The node that is joined with others here, not with those that it was joined with before."""
    return node.operands[0] if isinstance(node, FusedFrame) else node


def _wanted(expr: Expr) -> set[str]:
    """The nodes whose results are asked for."""
    from samite.core import flatten

    keys = flatten(expr.__dask_keys__())
    return {key[0] if isinstance(key, tuple) else key for key in keys}


def _block_of(
    last: Any, nodes: Mapping[str, Expr], readers: Mapping[str, int], taken: set[str]
) -> _Block | None:
    """The largest block that ends with ``last``; its nodes are added to ``taken``."""
    count = _count(last)
    inside = {last._name}
    seen: dict[str, int] = {}
    members: list[Expr] = [last]
    sources: list[Expr] = []
    open_nodes: list[Any] = [last]
    while open_nodes:
        node = open_nodes.pop()
        for child in {c._name: nodes[c._name] for c in node.dependencies()}.values():
            seen[child._name] = seen.get(child._name, 0) + 1
            if seen[child._name] < readers[child._name] or child._name in taken:
                continue
            if getattr(child, "npartitions", 0) != count or child._name in inside:
                continue
            if _is_uniform(child):
                inside.add(child._name)
                members.append(child)
                open_nodes.append(child)
            elif _is_source(child):
                sources.append(child)
    taken |= inside
    if len(members) == 1 and not sources:
        return None
    ordered = _in_order(last, inside, nodes)
    source = sources[0] if len(sources) == 1 else None
    if source is not None:
        taken.add(source._name)
    if len(ordered) == 1 and source is None:
        return None
    return _Block(ordered, source)


def _count(node: Any) -> int:
    """How many tasks the block of a node has."""
    if not _has_chunks(node):
        return node.npartitions
    return max((child.npartitions for child in node.dependencies()), default=0)


def _is_source(node: Expr) -> bool:
    return isinstance(node, FrameExpr) and node._makes_partitions


def _in_order(last: Expr, inside: set[str], nodes: Mapping[str, Expr]) -> list[Expr]:
    """The nodes inside, each after those that it reads."""
    ordered: dict[str, Expr] = {}
    stack = [(last, False)]
    while stack:
        node, is_done = stack.pop()
        if node._name in ordered:
            continue
        if is_done:
            ordered[node._name] = node
            continue
        stack.append((node, True))
        names = [child._name for child in node.dependencies()]
        stack += [(nodes[name], False) for name in names if name in inside]
    return list(ordered.values())


def fused_graph(expr: Expr) -> dict[Any, Any]:
    """The graph of an expression, with a task for each partition of each block."""
    blocks = _blocks(expr)
    hidden: set[str] = set()
    for block in blocks.values():
        hidden.update(node._name for node in block.members[:-1])
        if block.source is not None:
            hidden.add(block.source._name)
    graph: dict[Any, Any] = {}
    for node in map(_plain, expr.walk()):
        if node._name in hidden:
            continue
        found = blocks.get(node._name)
        tasks = None if found is None else _tasks(found)
        if found is not None and tasks is None:
            # The nodes of a block that cannot be written as one are written one by one.
            for member in [*found.members, found.source]:
                if member is not None:
                    graph.update(member._layer())
            continue
        if tasks is None:
            graph.update(node._layer())
            continue
        graph.update(tasks)
        if _has_chunks(node):
            graph.update(node._layer_over(list(tasks)))
    return graph


def _tasks(block: _Block) -> dict[Any, Any] | None:
    """The tasks of a block; None if it cannot be written as a program."""
    last = block.last
    name, count = last._name, _count(last)
    first: list[Any] = [node._task((node._name, 0), 0) for node in block.members[:-1]]
    if _has_chunks(last):
        name = f"{name}-chunk"
        first.append(last._chunk_task((name, 0), 0))
    else:
        first.append(last._task((name, 0), 0))
    inputs: dict[Any, Expr] = {}
    readers = {child._name: child for node in block.members for child in node.dependencies()}
    made: set[Any] = set()
    for task in first:
        if not isinstance(task, (Task, Alias)):
            return None
        for key in task.dependencies:
            if key in made:
                continue
            if type(key) is not tuple or len(key) != 2 or key[0] not in readers or key[1] != 0:
                return None
            inputs[key] = readers[key[0]]
        made.add(task.key)
    program = Program(_label(block), list(inputs), first)
    source = block.source
    if source is not None:
        return _tasks_of_source(program, source, inputs, name, count)
    moving = [child._name for child in inputs.values() if child.npartitions == count]
    if len(inputs) == 1 and moving:
        only = moving[0]
        return {(name, i): Task.of_result((name, i), program, (only, i)) for i in range(count)}
    tasks = {}
    for i in range(count):
        references = [
            TaskRef((child._name, i if child.npartitions == count else 0))
            for child in inputs.values()
        ]
        tasks[name, i] = Task((name, i), program, *references)
    return tasks


def _tasks_of_source(
    program: Program, source: Expr, inputs: Mapping[Any, Any], name: str, count: int
) -> dict[Any, Any] | None:
    layer = dict(source._layer())
    keys = [(source._name, i) for i in range(count)]
    if len(layer) != count or any(type(layer.get(key)) is not Task for key in keys):
        return None
    if any(layer[key]._dependencies for key in keys):
        return None
    tasks = {}
    for i, key in enumerate(keys):
        arguments = [
            layer[key]
            if child._name == source._name
            else TaskRef((child._name, i if child.npartitions == count else 0))
            for child in inputs.values()
        ]
        produces = layer[key].data_producer
        tasks[name, i] = Task((name, i), program, *arguments, _data_producer=produces)
    return tasks


def _label(block: _Block) -> str:
    """The names of what a block does, in order."""
    nodes = [*([block.source] if block.source is not None else []), *block.members]
    names = [node._funcname for node in nodes]
    return "-".join(names if len(names) < 6 else [*names[:2], "fused", *names[-2:]])
