"""Running a graph of nodes, and the passes that make one smaller."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from samite._task_spec.nodes import Alias, GraphNode
from samite.core import flatten, toposort


class DependenciesMapping(MutableMapping):
    """The dependencies of each node of a graph, looked up when asked for.

    A key can be deleted: it then disappears as an entry and from the others' dependencies.
    The graph itself is never changed.
    """

    def __init__(self, dsk: Mapping[Any, GraphNode]) -> None:
        self._dsk = dsk
        self._removed: set[Any] = set()
        self._replaced: dict[Any, Any] = {}

    def __getitem__(self, key: Any) -> Any:
        if key in self._removed:
            raise KeyError(key)
        if key in self._replaced:
            return self._replaced[key]
        dependencies = self._dsk[key].dependencies
        return dependencies - self._removed if self._removed else dependencies

    def __setitem__(self, key: Any, value: Any) -> None:
        self._removed.discard(key)
        self._replaced[key] = value

    def __delitem__(self, key: Any) -> None:
        if key not in self:
            raise KeyError(key)
        self._replaced.pop(key, None)
        self._removed.add(key)

    def __contains__(self, key: object) -> bool:
        return key not in self._removed and (key in self._dsk or key in self._replaced)

    def __iter__(self) -> Iterator[Any]:
        for key in self._dsk:
            if key not in self._removed:
                yield key
        for key in self._replaced:
            if key not in self._dsk:
                yield key

    def __len__(self) -> int:
        return sum(1 for _ in self)


def execute_graph(
    dsk: Iterable[GraphNode] | Mapping[Any, GraphNode],
    cache: MutableMapping[Any, Any] | None = None,
    keys: Container[Any] | None = None,
) -> MutableMapping[Any, Any]:
    """Run nodes in the calling thread.

    Parameters
    ----------
    dsk:
        The nodes.
    cache:
        Results that are known already. New results are added to it.
    keys:
        Results to keep; every other one is dropped after its last use. By default all are
        kept.

    Returns
    -------
    ``cache``, or a new mapping, of results by key.

    Raises
    ------
    RuntimeError
        If there is a cycle or a dependency that is neither a node nor in ``cache``.
    """
    if not isinstance(dsk, Mapping):
        dsk = {node.key: node for node in dsk}
    results: MutableMapping[Any, Any] = {} if cache is None else cache
    uses: dict[Any, int] = {}
    if keys is not None:
        for node in dsk.values():
            for dependency in node.dependencies:
                uses[dependency] = uses.get(dependency, 0) + 1
    for key in toposort(dsk, {k: node.dependencies for k, node in dsk.items()}):
        node = dsk[key]
        results[key] = node(results)
        if keys is None:
            continue
        for dependency in node.dependencies:
            uses[dependency] -= 1
            if not uses[dependency] and dependency not in keys:
                del results[dependency]
    return results


def cull(dsk: Mapping[Any, GraphNode], keys: Iterable[Any] | Any) -> dict[Any, GraphNode]:
    """The part of the graph that is needed for ``keys``; dependencies it lacks are ignored."""
    wanted = list(flatten([keys] if not isinstance(keys, (list, set, frozenset)) else list(keys)))
    result: dict[Any, GraphNode] = {}
    while wanted:
        key = wanted.pop()
        if key not in result and key in dsk:
            node = result[key] = dsk[key]
            wanted.extend(node.dependencies)
    return result


def resolve_aliases(
    dsk: Mapping[Any, GraphNode], keys: Iterable[Any], dependents: Mapping[Any, Container[Any]]
) -> dict[Any, GraphNode]:
    """Let the node behind an alias take the alias's name, where nothing else needs the node.

    Parameters
    ----------
    dsk:
        The graph.
    keys:
        The names that have to stay.
    dependents:
        Who needs each key.

    Returns
    -------
    The part of the graph that ``keys`` need.
    """
    keep = set(keys)
    work = list(keep)
    result: dict[Any, GraphNode] = {}
    while work:
        key = work.pop()
        if key in result or key not in dsk:
            continue
        node = dsk[key]
        while isinstance(node, Alias):
            target = node.target
            if target in keep or target not in dsk or len(dependents.get(target, ())) != 1:
                break
            node = dsk[target]
            node = Alias(key, node.target) if isinstance(node, Alias) else _renamed(node, key)
        result[key] = node
        work.extend(node.dependencies)
    return result


def _renamed(node: GraphNode, key: Any) -> GraphNode:
    new = node.copy()
    new.key = key
    return new


def fuse_linear_task_spec(
    dsk: Mapping[Any, GraphNode], keys: Iterable[Any]
) -> dict[Any, GraphNode]:
    """Join chains of tasks, where each has only the next one as its dependent.

    A joined task is named after all of its parts, and the name of the last part stays as an
    alias of it. Members have at most one dependency each, so that no parallelism is lost.

    Parameters
    ----------
    dsk:
        The graph.
    keys:
        Results that are asked for: a chain can end in one, but not run through it.
    """
    keep = set(keys)
    use_count: dict[Any, int] = {}
    only_user: dict[Any, Any] = {}
    for key, node in dsk.items():
        for dependency in node.dependencies:
            use_count[dependency] = use_count.get(dependency, 0) + 1
            only_user[dependency] = key

    def may_join(key: Any) -> bool:
        node = dsk[key]
        return len(node.dependencies) <= 1 and not isinstance(node, Alias) and not node.block_fusion

    def following(key: Any) -> Any:
        """The one task that ``key`` can be joined with, or None."""
        if key in keep or use_count.get(key) != 1 or not may_join(key):
            return None
        user = only_user[key]
        return user if may_join(user) else None

    next_of = {key: user for key in dsk if (user := following(key)) is not None}
    has_previous = set(next_of.values())
    result: dict[Any, GraphNode] = {}
    for key, node in dsk.items():
        if key in has_previous:
            continue
        if key not in next_of:
            result[key] = node
            continue
        chain = [key]
        while chain[-1] in next_of:
            chain.append(next_of[chain[-1]])
        last = chain[-1]
        name = fused_name(chain)
        if name in dsk:
            name = last
        result[name] = GraphNode.fuse(*(dsk[k] for k in chain), key=name)
        if name != last:
            result[last] = Alias(last, name)
    return result


def fused_name(keys: list[Any], limit: int = 120, ordered: bool = True) -> Any:
    """A name for joined tasks that tells what they do, made from all of theirs.

    Parameters
    ----------
    keys:
        The keys; the last one is that of the result.
    limit:
        The most characters; a longer name ends in a hash of the rest.
    ordered:
        Keep the order of the keys, which is that of execution; otherwise sort them.

    Returns
    -------
    A key of the same shape as the last one, or the last key itself if it is a number.
    """
    last = keys[-1]
    prefix = last[0] if type(last) is tuple and last else last
    if not isinstance(prefix, str):
        return last
    from samite.utils import key_split

    names = dict.fromkeys(key_split(key) for key in keys[:-1])
    names.pop(key_split(prefix), None)
    joined = "-".join([*(names if ordered else sorted(names)), prefix])
    if len(joined) > limit:
        from samite.tokenize import tokenize

        joined = f"{joined[: limit - 9]}-{tokenize(joined)[:8]}"
    return (joined, *last[1:]) if isinstance(last, tuple) else joined
