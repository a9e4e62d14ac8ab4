"""Joining blockwise layers into one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from samite._blockwise.layer import Blockwise
from samite._blockwise.shape import blockwise_token, index_subs, new_letters
from samite._task_spec import GraphNode, Task
from samite.core import flatten, reverse_dict
from samite.highlevelgraph import HighLevelGraph

_FUSABLE_ANNOTATIONS = frozenset(
    {"retries", "priority", "resources", "workers", "allow_other_workers"}
)


def _unique_dep(name: str, ind: Iterable[Any]) -> str:
    """The name of an inner task; one for each way in which the layer is indexed."""
    return f"{name}_{'_'.join(map(str, ind))}"


def rewrite_blockwise(inputs: Iterable[Blockwise]) -> Blockwise:
    """Join layers, all of which but one are used by others among them.

    Parameters
    ----------
    inputs:
        The layers.

    Returns
    -------
    A layer with the output of the one that is left, whose task does the work of all.
    """
    layers = {layer.output: layer for layer in inputs}
    if len(layers) == 1:
        return next(iter(layers.values()))
    used = {
        arg
        for layer in layers.values()
        for arg, ind in layer.indices
        if ind is not None and arg in layers
    }
    (root,) = (layer for name, layer in layers.items() if name not in used)
    return _Rewriter(layers, root).result()


class _Rewriter:
    """The state of :func:`rewrite_blockwise`.

    Every input of the layers seen so far has a *slot*. The slot of an input that is one of
    the layers is opened: the layer's task joins, and its inputs get slots. The slots that
    are left in the end are the inputs of the joined layer.
    """

    def __init__(self, layers: Mapping[str, Blockwise], root: Blockwise) -> None:
        self._layers = layers
        self._root = root
        self._slots: list[tuple[Any, tuple | None]] = []
        # Task, its new key, and the slots that its tokens stand for.
        self._tasks: list[tuple[Task, Any, list[int]]] = []
        self._inner_key: dict[int, str] = {}
        self._new_axes: dict[Any, Any] = {}
        used = {
            letter
            for layer in layers.values()
            for ind in (layer.output_indices, *(i for _, i in layer.indices if i is not None))
            for letter in ind
        }
        self._letters = new_letters(used)

    def _slot(self, arg: Any, ind: tuple | None) -> int:
        for n, (other, other_ind) in enumerate(self._slots):
            if ind == other_ind and (_same_constant(arg, other) if ind is None else arg == other):
                return n
        self._slots.append((arg, ind))
        return len(self._slots) - 1

    def _add(self, layer: Blockwise, key: Any, letters: dict[Any, Any]) -> None:
        """Let a layer join, whose indices are called by ``letters`` in the joined one."""
        slots = []
        for arg, ind in layer.indices:
            for letter in ind or ():
                if letter not in letters and letter not in layer.output_indices:
                    letters[letter] = next(self._letters)
            slots.append(self._slot(arg, index_subs(ind, letters)))
        self._tasks.append((layer.task, key, slots))
        for index, size in layer.new_axes.items():
            self._new_axes.setdefault(letters.get(index, index), size)

    def result(self) -> Blockwise:
        root = self._root
        own = {letter: letter for _, ind in root.indices for letter in ind or ()}
        self._add(root, root.output, own)
        opened = 0
        while opened < len(self._slots):
            arg, ind = self._slots[opened]
            if ind is not None and arg in self._layers:
                layer = self._layers[arg]
                key = self._inner_key[opened] = _unique_dep(arg, ind)
                self._add(layer, key, dict(zip(layer.output_indices, ind)))
            opened += 1
        return self._joined()

    def _joined(self) -> Blockwise:
        root = self._root
        name_of = dict(self._inner_key)
        indices = []
        for n, slot in enumerate(self._slots):
            if n not in name_of:
                name_of[n] = blockwise_token(len(indices))
                indices.append(slot)
        tasks = [
            task.substitute({blockwise_token(i): name_of[n] for i, n in enumerate(slots)}, key=key)
            for task, key, slots in self._tasks
        ]
        remaining = {arg for arg, ind in indices if ind is not None}
        numblocks: dict[str, Sequence[int]] = {}
        io_deps = {}
        for layer in self._layers.values():
            numblocks.update({k: v for k, v in layer.numblocks.items() if k in remaining})
            io_deps.update(layer.io_deps)
        task: Any = Task.fuse(*tasks, key=root.output)
        return Blockwise(
            root.output,
            root.output_indices,
            task,
            indices,
            numblocks,
            concatenate=root.concatenate,
            new_axes=self._new_axes,
            output_blocks=root.output_blocks,
            annotations=fuse_annotations(
                *(layer.annotations for layer in self._layers.values() if layer.annotations)
            ),
            io_deps=io_deps,
        )


_EXACT = frozenset({int, bool, str, bytes, type(None)})


def _same_constant(a: Any, b: Any) -> bool:
    """Whether two arguments are certainly the same; 0 and False, and 0.0 and -0.0, are not."""
    if a is b:
        return True
    kind = type(a)
    if kind is not type(b):
        return False
    if kind in _EXACT:
        return a == b
    if kind is float:
        return repr(a) == repr(b)
    if kind is tuple:
        return len(a) == len(b) and all(map(_same_constant, a, b))
    return isinstance(a, GraphNode) and bool(a == b)


# --------------------------------------------------------------------------------------


def can_fuse_annotations(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> bool:
    """Whether one layer can carry the annotations of two."""
    if (a or None) == (b or None):
        return True
    from samite import config

    if config.get("optimization.annotations.fuse", True) is False:
        return False
    return _FUSABLE_ANNOTATIONS.issuperset(a or ()) and _FUSABLE_ANNOTATIONS.issuperset(b or ())


def fuse_annotations(*annotations: Mapping[str, Any]) -> dict[str, Any]:
    """The annotations of a joined layer: of several demands the strictest."""
    result: dict[str, Any] = {}
    for some in annotations:
        for kind, value in some.items():
            if kind not in result:
                result[kind] = value
                continue
            known = result[kind]
            if kind in ("retries", "priority"):
                result[kind] = max(known, value)
            elif kind == "resources":
                result[kind] = {
                    name: max(v for v in (known.get(name), value.get(name)) if v is not None)
                    for name in {**known, **value}
                }
            elif kind == "workers":
                result[kind] = [worker for worker in known if worker in set(value)]
            elif kind == "allow_other_workers":
                result[kind] = known and value
            else:
                result[kind] = value
    return result


# --------------------------------------------------------------------------------------


def optimize_blockwise(graph: HighLevelGraph, keys: Iterable[Any] = ()) -> HighLevelGraph:
    """Join neighbouring blockwise layers wherever no work is done twice by that.

    A layer joins the one that uses it if nothing else does, if it is used in one way only,
    and if that layer needs exactly one block of it for each of its own.

    Parameters
    ----------
    graph:
        The graph.
    keys:
        Keys that have to stay, (nested) as collections give them.
    """
    keep = {key[0] if isinstance(key, tuple) and key else key for key in flatten(list(keys))}
    dependents = reverse_dict(graph.dependencies)
    groups: dict[str, _Group] = {}
    for name in reversed(graph._toposort_layers()):
        layer = graph.layers[name]
        group = None
        if isinstance(layer, Blockwise) and layer.output not in keep and name not in keep:
            users = dependents.get(name, ())
            candidates = {id(groups[user]): groups[user] for user in users if user in groups}
            if len(candidates) == 1 and all(user in groups for user in users):
                (candidate,) = candidates.values()
                if candidate.takes(name, layer, users):
                    group = candidate
        if group is None and isinstance(layer, Blockwise):
            group = _Group(name, layer)
        if group is not None:
            groups[name] = group

    layers: dict[str, Any] = {}
    dependencies: dict[str, set[str]] = {}
    for name, layer in graph.layers.items():
        group = groups.get(name)
        if group is None:
            layers[name] = layer
            dependencies[name] = set(graph.dependencies.get(name, ()))
        elif group.root == name:
            layers[name] = rewrite_blockwise(group.members.values())
            dependencies[name] = {
                other for member in group.members for other in graph.dependencies.get(member, ())
            } - group.members.keys()
    return HighLevelGraph(layers, dependencies)


class _Group:
    """Layers that will be one, seen from the outermost, ``root``."""

    def __init__(self, root: str, layer: Blockwise) -> None:
        self.root = root
        self.members: dict[str, Blockwise] = {root: layer}
        self._letters = {root: {i: i for i in layer.output_indices}}

    def takes(self, name: str, layer: Blockwise, users: Iterable[str]) -> bool:
        """Let a layer join, if it can."""
        outermost = self.members[self.root]
        if bool(layer.concatenate) != bool(outermost.concatenate):
            return False
        if not can_fuse_annotations(outermost.annotations, layer.annotations):
            return False
        uses = set()
        for user in users:
            member = self.members[user]
            own = set(member.output_indices)
            if any(ind is not None and not own.issuperset(ind) for _, ind in member.indices):
                return False  # The user sums over blocks, each of which others may need too.
            for arg, ind in member.indices:
                if ind is not None and arg == layer.output:
                    uses.add(index_subs(ind, self._letters[user]))
        if len(uses) != 1:
            return False
        letters = dict(zip(layer.output_indices, uses.pop()))
        for axis in layer.new_axes:
            # One block that is used for many must stay one: as an axis of the joined layer it
            # would take the place of the axis that has the many.
            if axis in letters and outermost.dims[letters[axis]] != layer.dims[axis]:
                return False
        self.members[name] = layer
        self._letters[name] = letters
        return True


def fuse_roots(graph: HighLevelGraph, keys: list[Any]) -> HighLevelGraph:
    """Join a blockwise layer with the several sources that only it reads.

    Where data are read by layers that cannot be joined by rule, their tasks are joined one
    by one, so that all that a block needs is read in the same place.

    Parameters
    ----------
    graph:
        The graph.
    keys:
        Keys that have to stay.
    """
    from samite.optimization import fuse

    layers: dict[str, Any] = dict(graph.layers)
    dependencies = {name: set(needed) for name, needed in graph.dependencies.items()}
    dependents = reverse_dict(dependencies)
    for name, layer in graph.layers.items():
        sources = graph.dependencies[name]
        if (
            isinstance(layer, Blockwise)
            and len(sources) > 1
            and not any(graph.dependencies[source] for source in sources)
            and all(len(dependents[source]) == 1 for source in sources)
            and all(layer.annotations == graph.layers[s].annotations for s in sources)
        ):
            tasks = dict(layer)
            for source in sources:
                tasks.update(layers.pop(source))
                del dependencies[source]
            layers[name], _ = fuse(tasks, list(flatten(keys)), ave_width=len(sources))
            dependencies[name] = set()
    return HighLevelGraph(layers, dependencies)
