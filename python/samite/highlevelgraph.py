"""Graphs of layers.

A layer is the set of tasks that one operation on a collection adds, and a
:class:`HighLevelGraph` is a mapping of names to layers together with the dependencies
between layers. Optimizations look at layers, of which there are few; only what runs is
turned into single tasks, and a layer that knows its tasks by rule (a
:class:`~samite.blockwise.Blockwise`) is not turned into them before that.
"""

from __future__ import annotations

import abc
import functools
from collections.abc import (
    Collection,
    Hashable,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    ValuesView,
)
from typing import TYPE_CHECKING, Any

from samite.core import flatten, keys_in_tasks, reverse_dict

if TYPE_CHECKING:
    from samite.typing import DaskCollection, Graph, Key


def compute_layer_dependencies(layers: Mapping[str, Mapping[Any, Any]]) -> dict[str, set[str]]:
    """Find which layers each layer needs, by looking at every task."""
    layer_of = {key: name for name, layer in layers.items() for key in layer}
    result: dict[str, set[str]] = {}
    for name, layer in layers.items():
        used = keys_in_tasks(layer_of, list(layer.values()))
        result[name] = {layer_of[key] for key in used} - {name}
    return result


class Layer(Mapping):
    """Some tasks of a graph, as a mapping from keys to computations.

    Subclasses decide when the tasks come into being: :meth:`is_materialized` tells whether
    they exist, :meth:`get_output_keys` names them without creating them.

    Parameters
    ----------
    annotations:
        Hints for a scheduler, such as ``{"priority": 1}``; by default those that are active
        where the layer is made (:func:`samite.annotate`).
    collection_annotations:
        Facts about the collection that the layer belongs to, shown to people.
    """

    annotations: Mapping[str, Any] | None
    collection_annotations: Mapping[str, Any] | None

    def __init__(
        self,
        annotations: Mapping[str, Any] | None = None,
        collection_annotations: Mapping[str, Any] | None = None,
    ) -> None:
        if annotations is None:
            from samite.base import get_annotations

            annotations = dict(get_annotations())
        self.annotations = annotations or None
        self.collection_annotations = collection_annotations

    @functools.cached_property
    def has_legacy_tasks(self) -> bool:
        """Whether any computation is in the tuple notation."""
        from samite._task_spec import GraphNode

        return any(not isinstance(task, GraphNode) for task in self.values())

    @abc.abstractmethod
    def is_materialized(self) -> bool:
        """Whether the tasks exist, or only the rule that makes them."""

    @abc.abstractmethod
    def get_output_keys(self) -> Collection[Key]:
        """The keys that other layers can refer to, found without making tasks."""

    def get_dependencies(self, key: Key, all_hlg_keys: Collection[Key]) -> set[Key]:
        """The members of ``all_hlg_keys`` that one task needs."""
        return keys_in_tasks(all_hlg_keys, [self[key]])  # type: ignore[return-value]

    def cull(
        self, keys: set[Key], all_hlg_keys: Collection[Key]
    ) -> tuple[Layer, Mapping[Key, set[Key]]]:
        """Drop the tasks that ``keys`` do not need.

        Parameters
        ----------
        keys:
            The wanted keys of this layer.
        all_hlg_keys:
            All keys of the whole graph.

        Returns
        -------
        The smaller layer (this one, if nothing is dropped) and the dependencies of its tasks.
        """
        if len(keys) == len(self):
            return self, {key: self.get_dependencies(key, all_hlg_keys) for key in self}
        kept: dict[Any, Any] = {}
        dependencies: dict[Any, set[Any]] = {}
        work = list(keys)
        while work:
            key = work.pop()
            if key in kept:
                continue
            kept[key] = self[key]
            dependencies[key] = self.get_dependencies(key, all_hlg_keys)
            work.extend(d for d in dependencies[key] if d in self and d not in kept)
        layer = MaterializedLayer(
            kept,
            annotations=self.annotations or {},
            collection_annotations=self.collection_annotations,
        )
        return layer, dependencies

    def clone(
        self, keys: set[Key], seed: Hashable, bind_to: Key | None = None
    ) -> tuple[Layer, bool]:
        """The same tasks under other keys.

        Parameters
        ----------
        keys:
            All keys, of this and other layers, that get new names.
        seed:
            What the new names are made from, see :func:`samite.base.clone_key`.
        bind_to:
            A key that has to be done before any task of this layer starts that does not
            depend on a renamed one.

        Returns
        -------
        The new layer, and whether a task has been bound.
        """
        from samite._layer_clone import clone_tasks

        tasks, bound = clone_tasks(self, keys, seed, bind_to)
        return MaterializedLayer(tasks, annotations=self.annotations or {}), bound

    def __copy__(self) -> Layer:
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def _repr_html_(
        self, layer_index: Any = "", highlevelgraph_key: str = "", dependencies: Any = ()
    ) -> str:
        from samite._graph_html import layer_html

        return layer_html(self, layer_index, highlevelgraph_key, dependencies)

    def layer_info_dict(self) -> dict[str, str]:
        """Facts about the layer to show to people."""
        info = {
            "layer_type": type(self).__name__,
            "is_materialized": self.is_materialized(),
            "number of outputs": f"{len(self.get_output_keys())}",
        }
        for name, value in (self.annotations or {}).items():
            info[name] = f"{value}"
        for name, value in (self.collection_annotations or {}).items():
            if name != "chunks":
                info[name] = f"{value}"
        return info  # type: ignore[return-value]


class MaterializedLayer(Layer):
    """A layer whose tasks are all there.

    Parameters
    ----------
    mapping:
        The tasks by key.
    """

    mapping: Mapping[Key, Any]

    def __init__(
        self,
        mapping: Mapping[Key, Any],
        annotations: Mapping[str, Any] | None = None,
        collection_annotations: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(annotations, collection_annotations)
        self.mapping = mapping

    def __contains__(self, key: object) -> bool:
        return key in self.mapping

    def __getitem__(self, key: Key) -> Any:
        return self.mapping[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self.mapping)

    def __len__(self) -> int:
        return len(self.mapping)

    def is_materialized(self) -> bool:
        return True

    def get_output_keys(self) -> Collection[Key]:
        return self.mapping.keys()


class HighLevelGraph(Mapping):
    """A task graph made of layers; as a mapping it has the tasks of all of them.

    Parameters
    ----------
    layers:
        Layers, or plain mappings of tasks, by name.
    dependencies:
        The names of the layers that each layer needs.
    key_dependencies:
        The dependencies of single tasks, as far as they are known.
    """

    layers: Mapping[str, Layer]
    dependencies: Mapping[str, set[str]]
    key_dependencies: dict[Key, set[Key]]

    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self,
        layers: Mapping[str, Mapping[Key, Any]],
        dependencies: Mapping[str, set[str]],
        key_dependencies: dict[Key, set[Key]] | None = None,
    ) -> None:
        self.layers = {
            name: layer if isinstance(layer, Layer) else MaterializedLayer(layer)
            for name, layer in layers.items()
        }
        self.dependencies = dependencies
        self.key_dependencies = key_dependencies or {}
        self._tasks: dict[Key, Any] | None = None
        self._external_keys: set[Key] | None = None

    # -- construction ------------------------------------------------------------------

    @classmethod
    def from_collections(
        cls,
        name: str,
        layer: Mapping[Key, Any],
        dependencies: Sequence[DaskCollection] = (),
    ) -> HighLevelGraph:
        """The graph of a new collection: one new layer on top of other collections' graphs.

        Parameters
        ----------
        name:
            The name of the new layer.
        layer:
            Its tasks.
        dependencies:
            The collections that it refers to.

        Raises
        ------
        TypeError
            If one of ``dependencies`` is not a collection.
        """
        from samite.base import is_dask_collection

        layers: dict[str, Any] = {}
        edges: dict[str, set[str]] = {}
        needed: set[str] = set()
        for collection in dependencies:
            if not is_dask_collection(collection):
                raise TypeError(type(collection))
            graph = collection.__dask_graph__()
            if isinstance(graph, HighLevelGraph):
                layers.update(graph.layers)
                edges.update(graph.dependencies)
                needed.update(collection.__dask_layers__())  # type: ignore[attr-defined]
            else:
                other = _get_some_layer_name(collection)
                layers[other] = graph
                edges[other] = set()
                needed.add(other)
        layers[name] = layer
        edges[name] = needed
        return cls(layers, edges)

    @classmethod
    def merge(cls, *graphs: Graph) -> HighLevelGraph:
        """All layers of several graphs; a plain mapping becomes one layer."""
        layers: dict[str, Any] = {}
        edges: dict[str, set[str]] = {}
        for graph in graphs:
            if isinstance(graph, HighLevelGraph):
                layers.update(graph.layers)
                edges.update(graph.dependencies)
            elif isinstance(graph, Mapping):
                name = str(id(graph))
                layers[name] = graph
                edges[name] = set()
            else:
                raise TypeError(type(graph))
        return cls(layers, edges)

    def copy(self) -> HighLevelGraph:
        """A graph of the same layers that can be changed on its own."""
        return HighLevelGraph(
            dict(self.layers), dict(self.dependencies), dict(self.key_dependencies)
        )

    # -- the mapping of tasks ----------------------------------------------------------

    def __getitem__(self, key: Key) -> Any:
        # By custom a layer's name is the key, or the first part of the keys, of its tasks.
        for name in (key, key[0] if isinstance(key, tuple) and key else None):
            layer = self.layers.get(name) if name is not None else None  # type: ignore[arg-type]
            if layer is not None and key in layer:
                return layer[key]
        for layer in self.layers.values():
            if key in layer:
                return layer[key]
        raise KeyError(key)

    def __len__(self) -> int:
        return sum(len(layer) for layer in self.layers.values())

    def __iter__(self) -> Iterator[Key]:
        return iter(self.to_dict())

    def __contains__(self, key: object) -> bool:
        if self._tasks is not None:
            return key in self._tasks
        return any(key in layer for layer in self.layers.values())

    def to_dict(self) -> dict[Key, Any]:
        """All tasks in one dict; it is kept, so it must not be changed."""
        if self._tasks is None:
            tasks: dict[Key, Any] = {}
            for layer in self.layers.values():
                tasks.update(layer)
            self._tasks = tasks
        return self._tasks

    def keys(self) -> KeysView:
        return self.to_dict().keys()

    def values(self) -> ValuesView:
        return self.to_dict().values()

    def items(self) -> ItemsView:
        return self.to_dict().items()

    # -- dependencies ------------------------------------------------------------------

    @property
    def dependents(self) -> dict[str, set[str]]:
        """The layers that need each layer."""
        return reverse_dict(self.dependencies)

    def get_all_external_keys(self) -> set[Key]:
        """The output keys of all layers, without making tasks."""
        if self._external_keys is None:
            self._external_keys = set().union(
                *(layer.get_output_keys() for layer in self.layers.values())
            )
        return self._external_keys

    def get_all_dependencies(self) -> dict[Key, set[Key]]:
        """The dependencies of every task; found once and kept in ``key_dependencies``."""
        all_keys = self.keys()
        for layer in self.layers.values():
            for key in layer:
                if key not in self.key_dependencies:
                    self.key_dependencies[key] = layer.get_dependencies(key, all_keys)
        return self.key_dependencies

    def _toposort_layers(self) -> list[str]:
        """Layer names, each after those it depends on."""
        waiting = {name: len(set(self.dependencies[name])) for name in self.layers}
        dependents = self.dependents
        ready = [name for name, count in waiting.items() if not count]
        result = []
        while ready:
            name = ready.pop()
            result.append(name)
            for dependent in dependents[name]:
                waiting[dependent] -= 1
                if not waiting[dependent]:
                    ready.append(dependent)
        return result

    def validate(self) -> None:
        """Check that layers and dependencies fit together.

        Raises
        ------
        ValueError
            If a dependency names no layer, or differs from what the tasks say.
        """
        for name, needed in self.dependencies.items():
            if name not in self.layers:
                raise ValueError(f"dependencies[{name!r}] not found in layers")
            for other in needed:
                if other not in self.dependencies:
                    raise ValueError(f"{other!r} not found in dependencies")
        expected = compute_layer_dependencies(self.layers)
        if expected.keys() != self.dependencies.keys():
            differing = expected.keys() ^ self.dependencies.keys()
            raise ValueError(f"layers without dependencies: {sorted(differing)}")
        for name, needed in self.dependencies.items():
            if expected[name] != needed and not self._depends_on(name, needed):
                raise ValueError(
                    f"incorrect HLG dependencies[{name!r}]: {needed!r} "
                    f"expected {expected[name]!r} from task dependencies"
                )

    def _depends_on(self, name: str, needed: set[str]) -> bool:
        """Whether a layer's tasks need a key of each of some layers, and no key that is in none of
        them: a key may be in several layers."""
        holders: dict[Key, set[str]] = {}
        for other in (name, *needed):
            for key in self.layers[other]:
                holders.setdefault(key, set()).add(other)
        everywhere = {key for layer in self.layers.values() for key in layer}
        used = keys_in_tasks(everywhere, list(self.layers[name].values()))
        found = set().union(*(holders.get(key, set()) for key in used))
        return used <= holders.keys() and needed <= found

    # -- smaller graphs ----------------------------------------------------------------

    def cull(self, keys: Iterable[Key]) -> HighLevelGraph:
        """The graph without the tasks that ``keys`` do not need.

        Layers are only culled, not materialized, where they can do so. The new layers carry
        new names, because graphs are merged by the names of their layers and a culled layer
        must not stand in for the whole one.

        Parameters
        ----------
        keys:
            Keys, or nested lists of keys as collections give them.
        """
        from samite.tokenize import tokenize

        wanted = set(flatten(keys))
        token = tokenize(wanted)
        all_keys = self.get_all_external_keys()
        layers: dict[str, Layer] = {}
        key_dependencies: dict[Key, set[Key]] = {}
        for name in reversed(self._toposort_layers()):
            layer = self.layers[name]
            if len(layer) <= len(wanted):
                outputs = {key for key in layer.get_output_keys() if key in wanted}
            else:
                outputs = wanted.intersection(layer.get_output_keys())
            if not outputs:
                continue
            culled, needed = layer.cull(outputs, all_keys)
            wanted.update(*needed.values())
            key_dependencies.update(needed)
            layers[name] = culled
        renamed = {name: f"{name}-{token}" for name in layers}
        return HighLevelGraph(
            {renamed[name]: layer for name, layer in layers.items()},
            {
                renamed[name]: {renamed[d] for d in self.dependencies[name] if d in layers}
                for name in layers
            },
            key_dependencies={k: set(v) for k, v in key_dependencies.items()},
        )

    def cull_layers(self, layers: Iterable[str]) -> HighLevelGraph:
        """The named layers and those they need, each kept whole."""
        work = list(layers)
        kept: dict[str, None] = {}
        while work:
            name = work.pop()
            if name not in kept:
                kept[name] = None
                work.extend(self.dependencies[name])
        return HighLevelGraph(
            {name: self.layers[name] for name in kept},
            {name: self.dependencies[name] for name in kept},
        )

    # -- display -----------------------------------------------------------------------

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} with {len(self.layers)} layers.", object.__repr__(self)]
        lines += [f" {i}. {name}" for i, name in enumerate(self._toposort_layers())]
        return "\n".join(lines) + "\n"

    def _repr_html_(self) -> str:
        from samite._graph_html import graph_html

        return graph_html(self)

    def visualize(
        self, filename: str | None = "samite-hlg.svg", format: str | None = None, **kwargs: Any
    ) -> Any:
        """Draw the layers; takes what :func:`samite.dot.draw_layers` takes."""
        from samite.dot import draw_layers

        counts = {name: len(layer.get_output_keys()) for name, layer in self.layers.items()}
        return draw_layers(self.dependencies, counts, filename, format, **kwargs)

    def __dask_tokenize__(self) -> list[str]:
        # Layers are named after what they compute, so the names stand for the content.
        return list(self.layers)


def to_graphviz(hg: HighLevelGraph, **kwargs: Any) -> Any:
    """A drawing of the layers of a graph; see :mod:`samite._graph_picture`."""
    from samite._graph_picture import to_graphviz

    return to_graphviz(hg, **kwargs)


def _get_some_layer_name(collection: Any) -> str:
    """A name for the only layer of a collection."""
    try:
        (name,) = collection.__dask_layers__()
        return name
    except (AttributeError, ValueError):
        return str(id(collection))
