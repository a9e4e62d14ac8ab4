"""What a drawing of a task graph shows: boxes for data, circles for functions, arrows between.

The same picture feeds Samite's own drawings, Graphviz, DOT text and Cytoscape.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Ident = tuple[str, Hashable]


@dataclass
class Node:
    """One symbol. ``attributes`` are the caller's, in the vocabulary of the engine that draws."""

    kind: str  # "data", "function" or "group"
    key: Any
    label: str
    attributes: dict[str, Any] = field(default_factory=dict)
    value: float | None = None  # what the colour stands for
    note: str = ""  # a second line
    count: int = 1  # tasks that a group stands for


@dataclass
class Picture:
    """Nodes by identity, and arrows between them in the order of the graph."""

    nodes: dict[Ident, Node] = field(default_factory=dict)
    edges: list[tuple[Ident, Ident]] = field(default_factory=list)
    remark: str = ""


def picture_of(
    dsk: Mapping,
    *,
    data_attributes: Mapping[Any, Mapping] | None = None,
    function_attributes: Mapping[Any, Mapping] | None = None,
    collapse_outputs: bool = False,
    verbose: bool = False,
) -> Picture:
    """The picture of a graph.

    Parameters
    ----------
    dsk : mapping
        Keys to tasks: legacy tuples, graph nodes, aliases, or literal data.
    data_attributes, function_attributes : mapping of key to mapping, optional
        Attributes of the symbols of a key; ``label`` replaces the label.
    collapse_outputs : bool
        Draw a task as its function alone, without a box for the result.
    verbose : bool
        Label boxes with the whole key instead of the index of the chunk.
    """
    from samite.utils import key_split

    data_attributes = data_attributes or {}
    function_attributes = function_attributes or {}
    picture = Picture()
    result_kind = "function" if collapse_outputs else "data"
    tasks = {key for key, value in dsk.items() if is_task(value)}

    def symbol(key: Any) -> Ident:
        """Where arrows that carry the result of ``key`` begin."""
        return (result_kind if key in tasks else "data", key)

    def add(ident: Ident, label: str, attributes: Mapping[Any, Mapping]) -> None:
        if ident not in picture.nodes:
            own = dict(attributes.get(ident[1], {}))
            text = str(own.pop("label", label))
            picture.nodes[ident] = Node(ident[0], ident[1], text, own)

    def add_result(key: Any) -> None:
        if symbol(key)[0] == "data":
            add(symbol(key), box_label(key, verbose), data_attributes)

    connected: set[Ident] = set()
    for key in dsk:
        if key in tasks:
            function = ("function", key)
            shown = key if verbose and collapse_outputs else key_split(key)
            add(function, str(shown), function_attributes)
            arrows = [(symbol(dep), function) for dep in dependencies_of(dsk, key)]
            if not collapse_outputs:
                arrows.append((function, symbol(key)))
        else:
            arrows = [(symbol(dep), ("data", key)) for dep in dependencies_of(dsk, key)]
        for source, target in arrows:
            add_result(source[1])
            picture.edges.append((source, target))
            connected.update((source, target))
        if not collapse_outputs or symbol(key) in connected:
            add_result(key)
    return picture


def group_picture(dsk: Mapping, max_groups: int) -> Picture:
    """One symbol for all tasks of a name, for graphs too large to draw task by task.

    Raises
    ------
    ValueError
        If even the names are more than ``max_groups``.
    """
    from samite.utils import key_split

    def full_name(key: Any) -> Any:
        return key[0] if isinstance(key, tuple) and key else key

    for naming in (full_name, key_split):
        group_of = {key: naming(key) for key in dsk}
        counts: dict[Any, int] = {}
        for group in group_of.values():
            counts[group] = counts.get(group, 0) + 1
        if len(counts) <= max_groups:
            break
    else:
        raise ValueError(
            f"the graph has {len(dsk):,} tasks with {len(counts):,} different names, which is "
            f"more than can be drawn legibly (limit={max_groups:,}); "
            "draw a part of it or raise the limit"
        )
    picture = Picture(
        remark=f"{len(dsk):,} tasks, drawn as {len(counts):,} groups of one name each"
    )
    for group, count in counts.items():
        note = _task_count(count)
        node = Node("group", group, str(key_split(group)), note=note, count=count)
        picture.nodes["group", group] = node
    arrows: dict[tuple[Ident, Ident], None] = {}
    for key in dsk:
        target = ("group", group_of[key])
        for dep in dependencies_of(dsk, key):
            source = ("group", group_of.get(dep, dep))
            if source == target:
                continue
            if source not in picture.nodes:
                picture.nodes[source] = Node("data", dep, box_label(dep, True))
            arrows[source, target] = None
    picture.edges = list(arrows)
    return picture


def layer_picture(dependencies: Mapping[str, Iterable[str]], counts: Mapping[str, int]) -> Picture:
    """One symbol for each layer of a layered graph, with its number of tasks."""
    from samite.utils import key_split

    picture = Picture()
    for layer in dependencies:
        tasks = counts.get(layer, 0)
        note = _task_count(tasks)
        node = Node("group", layer, str(key_split(layer)), note=note, count=tasks)
        picture.nodes["group", layer] = node
    for layer, sources in dependencies.items():
        for source in sources:
            picture.edges.append((("group", source), ("group", layer)))
    return picture


def _task_count(count: int) -> str:
    return f"{count:,} task" if count == 1 else f"{count:,} tasks"


def is_task(value: Any) -> bool:
    """Whether a value of a graph calls a function: not an alias, and not data."""
    if hasattr(value, "dependencies") and hasattr(value, "key"):
        return callable(getattr(value, "func", None))
    return type(value) is tuple and bool(value) and callable(value[0])


def dependencies_of(dsk: Mapping, key: Any) -> list:
    """The keys that a key needs, in an order that does not depend on hashes."""
    value = dsk[key]
    found = getattr(value, "dependencies", None)
    if found is None or not hasattr(value, "key"):
        from samite.core import get_dependencies

        found = get_dependencies(dsk, key)
    return sorted(found, key=str) if len(found) > 1 else list(found)


def box_label(key: Any, verbose: bool = False) -> str:
    """What a box shows: the index of a chunk, or with ``verbose`` the whole key.

    >>> box_label(("x", 1, 2)), box_label(("x", 7)), box_label("x"), box_label("x", True)
    ('(1, 2)', '7', '', 'x')
    """
    if isinstance(key, tuple):
        index = key[1:]
        return str(index[0] if len(index) == 1 else index)
    return str(key) if verbose else ""
