"""The vocabulary of task graphs: what a key is, what a task is, and who depends on whom.

A graph is a mapping from keys to computations. A computation is a node of
:mod:`samite._task_spec`, or in the older notation a tuple whose first item is callable
(``(add, "x", 1)``), a key (an alias), a list of computations, or a plain value.
Everything here accepts both notations, works without recursion over the length of a
graph, and never imports anything heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from samite.typing import Graph, Key

T = TypeVar("T")

_SCALAR_KEY_TYPES = frozenset({int, float, str})
_MISSING: Any = object()


def ishashable(x: object) -> bool:
    """Whether ``hash(x)`` succeeds."""
    try:
        hash(x)
    except TypeError:
        return False
    return True


def istask(x: object) -> bool:
    """Whether ``x`` is a computation in the tuple notation: a plain tuple led by a callable."""
    return type(x) is tuple and len(x) > 0 and callable(x[0])


def iskey(key: object) -> bool:
    """Whether ``key`` may name a task: a str, int, float, or a (nested) tuple of these.

    Subclasses do not count, because their hash or equality could differ between processes.
    """
    kind = type(key)
    if kind is tuple:
        return all(iskey(part) for part in key)  # type: ignore[attr-defined]
    return kind in _SCALAR_KEY_TYPES


def validate_key(key: object) -> None:
    """Raise :class:`TypeError` that names the offending part unless ``key`` is a valid key."""
    if iskey(key):
        return
    if type(key) is not tuple:
        raise TypeError(f"Unexpected key type {type(key)} ({key=!r})")
    index = next(i for i, part in enumerate(key) if not iskey(part))
    raise TypeError(f"Composite key contains unexpected key type at {index=} ({key=!r})")


def flatten(seq: Iterable[Any], container: type | tuple[type, ...] = list) -> Iterator[Any]:
    """Walk a nested structure and give its leaves, left to right.

    Only instances of ``container`` are opened; a string given as ``seq`` is itself a leaf.

    >>> list(flatten([1, [2, [3]], (4, 5)]))
    [1, 2, 3, (4, 5)]
    """
    if isinstance(seq, str):
        yield seq
        return
    stack = [iter(seq)]
    while stack:
        for item in stack[-1]:
            if isinstance(item, container):
                stack.append(iter(item))
                break
            yield item
        else:
            stack.pop()


def preorder_traversal(task: Any) -> Iterator[Any]:
    """Give the functions, lists (as the type ``list``) and arguments of a task, outside in."""
    stack = [task]
    while stack:
        item = stack.pop()
        if istask(item):
            stack.extend(reversed(item))
        elif isinstance(item, list):
            if item is not task:
                yield list
            stack.extend(reversed(item))
        else:
            yield item


def reverse_dict(d: Mapping[T, Iterable[T]]) -> dict[T, set[T]]:
    """Turn dependencies into dependents; every key and every value gets an entry.

    >>> reverse_dict({"a": {"b"}, "b": set()})
    {'a': set(), 'b': {'a'}}
    """
    result: dict[T, set[T]] = {}
    for key, values in d.items():
        result.setdefault(key, set())
        for value in values:
            result.setdefault(value, set()).add(key)
    return result


# --------------------------------------------------------------------------------------
# Dependencies
# --------------------------------------------------------------------------------------


def keys_in_tasks(
    keys: Collection[Key], tasks: Iterable[Any], as_list: bool = False
) -> set[Key] | list[Key]:
    """The members of ``keys`` that the given computations refer to.

    With ``as_list`` each reference counts, so a key may appear several times.
    """
    from samite._task_spec import GraphNode, TaskRef

    found: list[Key] = []
    work = list(tasks)
    while work:
        item = work.pop()
        kind = type(item)
        if kind is tuple and item and callable(item[0]):
            work.extend(item[1:])
        elif kind is list:
            work.extend(item)
        elif kind is dict:
            work.extend(item.values())
        elif isinstance(item, GraphNode):
            found.extend(key for key in item.dependencies if key in keys)
        elif isinstance(item, TaskRef):
            if item.key in keys:
                found.append(item.key)
        else:
            try:
                if item in keys:
                    found.append(item)
            except TypeError:  # Values that cannot be hashed cannot be keys.
                pass
    return found if as_list else set(found)


def get_dependencies(
    dsk: Graph, key: Key | None = None, task: Any = _MISSING, as_list: bool = False
) -> set[Key] | list[Key]:
    """The keys of ``dsk`` that a computation needs directly.

    Parameters
    ----------
    dsk:
        The graph.
    key:
        Name of the computation to look at, or
    task:
        the computation itself.
    as_list:
        Give a list with repetitions in place of a set.

    Raises
    ------
    ValueError
        If neither ``key`` nor ``task`` is given.
    """
    if key is not None:
        task = dsk[key]
    elif task is _MISSING:
        raise ValueError("Provide either key or task")
    return keys_in_tasks(dsk, [task], as_list=as_list)


def plain_graph(dsk: Graph) -> Graph:
    """The graph as one dict; a graph of layers would be searched layer by layer."""
    to_dict = getattr(dsk, "to_dict", None)
    return dsk if to_dict is None else to_dict()


def get_deps(dsk: Graph) -> tuple[dict[Key, set[Key]], dict[Key, set[Key]]]:
    """Dependencies and dependents of every key, as two mappings to sets."""
    dsk = plain_graph(dsk)
    dependencies: dict[Key, set[Key]] = {k: get_dependencies(dsk, k) for k in dsk}
    return dependencies, reverse_dict(dependencies)


# --------------------------------------------------------------------------------------
# Order and cycles
# --------------------------------------------------------------------------------------


class _CycleFound(Exception):
    """The walk met a key that is still open; ``path`` runs from it and back to it."""

    def __init__(self, path: list[Any]) -> None:
        super().__init__(path)
        self.path = path


def _postorder(
    keys: Iterable[Any], dependencies_of: Callable[[Any], Iterable[Any]]
) -> Iterator[Any]:
    """Depth-first walk that gives each reachable key after all of its dependencies.

    The open path lives on an explicit stack, so a graph's depth is not limited.
    """
    done: set[Any] = set()
    for root in keys:
        if root in done:
            continue
        path = {root: None}
        stack = [(root, iter(dependencies_of(root)))]
        while stack:
            node, rest = stack[-1]
            for dependency in rest:
                if dependency in done:
                    continue
                if dependency in path:
                    nodes = list(path)
                    raise _CycleFound([*nodes[nodes.index(dependency) :], dependency])
                path[dependency] = None
                stack.append((dependency, iter(dependencies_of(dependency))))
                break
            else:
                stack.pop()
                del path[node]
                done.add(node)
                yield node


def _shorten_cycle(cycle: list[Any], dependencies_of: Callable[[Any], Iterable[Any]]) -> list[Any]:
    """The shortest cycle among the keys of ``cycle``; long cycles are searched from one key only.

    A short cycle is what a person can read; the one met first can be as long as the graph.
    """
    members = set(cycle)
    starts = cycle[:-1] if len(members) <= 500 else cycle[:1]
    best = cycle
    for start in starts:
        came_from: dict[Any, Any] = {}
        frontier = [start]
        while frontier and start not in came_from:
            following = []
            for node in frontier:
                for dependency in dependencies_of(node):
                    if dependency in members and dependency not in came_from:
                        came_from[dependency] = node
                        following.append(dependency)
            frontier = following
        if start in came_from:
            path = [start]
            node = came_from[start]
            while node != start:
                path.append(node)
                node = came_from[node]
            path.append(start)
            if len(path) < len(best):
                best = path[::-1]
        if len(best) == 2:
            break
    return best


def toposort(dsk: Graph, dependencies: Mapping[Key, Iterable[Key]] | None = None) -> list[Key]:
    """The keys of ``dsk``, each after the keys it depends on.

    Raises
    ------
    RuntimeError
        If the graph has a cycle; the message spells it out.
    """
    dsk = plain_graph(dsk)
    if dependencies is None:
        dependencies_of: Callable[[Any], Iterable[Any]] = lambda k: get_dependencies(dsk, k)  # noqa: E731
    else:
        dependencies_of = lambda k: [d for d in dependencies[k] if d in dsk]  # noqa: E731
    try:
        return list(_postorder(dsk, dependencies_of))
    except _CycleFound as error:
        cycle = _shorten_cycle(error.path, dependencies_of)
        text = "->".join(str(key) for key in cycle)
        raise RuntimeError(f"Cycle detected in the graph: {text}") from None


def getcycle(d: Graph, keys: Iterable[Key] | Key | None) -> list[Key]:
    """A cycle reachable from ``keys`` (from anywhere if None), first key repeated at the end.

    The empty list means that there is none.

    >>> getcycle({"x": (len, "y"), "y": (len, "x")}, "x")
    ['x', 'y', 'x']
    """
    if keys is None:
        roots: list[Any] = list(d)
    else:
        roots = list(flatten(keys)) if isinstance(keys, (list, set)) else [keys]

    def dependencies_of(key: Any) -> Iterable[Any]:
        return get_dependencies(d, key)

    try:
        for _ in _postorder(roots, dependencies_of):
            pass
    except _CycleFound as error:
        return _shorten_cycle(error.path, dependencies_of)
    return []


def isdag(d: Graph, keys: Iterable[Key] | Key | None) -> bool:
    """Whether no cycle can be reached from ``keys``."""
    return not getcycle(d, keys)


# --------------------------------------------------------------------------------------
# Running and rewriting
# --------------------------------------------------------------------------------------


def get(dsk: Graph, out: Any, cache: MutableMapping[Key, Any] | None = None) -> Any:
    """Compute keys of a graph in the calling thread, one task after the other.

    Parameters
    ----------
    dsk:
        The graph.
    out:
        A key, or a (nested) list of keys.
    cache:
        Results that are known already; new ones are not added to it.

    Returns
    -------
    The result of the key, or (nested) tuples of results in the shape of ``out``.

    Raises
    ------
    KeyError
        If a requested key is not in the graph.
    RuntimeError
        If the graph has a cycle or a task refers to a key that does not exist.
    """
    from samite._task_spec import convert_legacy_graph, cull, execute_graph

    dsk = plain_graph(dsk)
    wanted = set(flatten([out]))
    known = cache if cache is not None else {}
    for key in wanted:
        if key not in dsk and key not in known:
            raise KeyError(f"{key} is not a key in the graph")
    nodes = convert_legacy_graph(dsk, all_keys=_AnyOf(dsk, known) if known else None)
    results = execute_graph(cull(nodes, wanted), cache=dict(known), keys=wanted)
    return _arrange(out, results)


class _AnyOf:
    """The union of two mappings' keys, without building it."""

    def __init__(self, first: Mapping[Any, Any], second: Mapping[Any, Any]) -> None:
        self._first, self._second = first, second

    def __contains__(self, key: object) -> bool:
        return key in self._first or key in self._second


def _arrange(out: Any, results: Mapping[Any, Any]) -> Any:
    if isinstance(out, list):
        return tuple(_arrange(item, results) for item in out)
    return results[out]


def lists_to_tuples(res: Any, keys: Any) -> Any:
    """Copy ``res`` with tuples wherever ``keys`` has a list."""
    if isinstance(keys, list):
        return tuple(lists_to_tuples(r, k) for r, k in zip(res, keys))
    return res


def subs(task: Any, key: Any, val: Any) -> Any:
    """Put ``val`` in the place of ``key`` in a computation of the tuple notation.

    Values are compared with the key only when their types agree, so that objects with an
    unusual ``__eq__`` (arrays, frames) are left alone.

    >>> subs((sum, [1, "x"]), "x", 2)
    (<built-in function sum>, [1, 2])
    """
    if not istask(task):
        if type(task) is list:
            return [subs(item, key, val) for item in task]
        return val if _same_key(task, key) else task
    return task[:1] + tuple(
        subs(arg, key, val)
        if type(arg) is list or istask(arg)
        else (val if _same_key(arg, key) else arg)
        for arg in task[1:]
    )


def _same_key(item: Any, key: Any) -> bool:
    try:
        return type(item) is type(key) and bool(item == key)
    except Exception:
        return False


class literal:
    """A value that must not be read as a task or as a key; calling it gives the value."""

    __slots__ = ("data",)

    def __init__(self, data: Any) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"literal<type={type(self.data).__name__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (literal, (self.data,))

    def __call__(self) -> Any:
        return self.data


def quote(x: Any) -> Any:
    """Protect a value that would otherwise be read as a task or opened as a container."""
    if istask(x) or type(x) in (list, dict):
        return (literal(x),)
    return x


def reshapelist(shape: tuple[int, ...], seq: Iterable[Any]) -> list[Any]:
    """Cut a flat sequence into nested lists of the given shape.

    >>> reshapelist((2, 3), range(6))
    [[0, 1, 2], [3, 4, 5]]
    """
    items = list(seq)
    if len(shape) == 1:
        return items
    step = len(items) // shape[0]
    return [reshapelist(shape[1:], items[i * step : (i + 1) * step]) for i in range(shape[0])]
