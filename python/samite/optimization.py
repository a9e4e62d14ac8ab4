"""Passes over single tasks: dropping, joining and inlining them.

These work on computations in the tuple notation; nodes of :mod:`samite._task_spec` are left
as they are and have passes of their own.
"""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from samite._task_spec import GraphNode
from samite._task_spec.passes import fused_name
from samite.core import (
    _postorder,
    flatten,
    get_dependencies,
    ishashable,
    istask,
    keys_in_tasks,
    plain_graph,
    reverse_dict,
    subs,
    toposort,
)

# Joined tasks are nested in each other, and running them takes as many stack frames.
_MAX_NESTING = 100


def cull(dsk: Mapping[Any, Any], keys: Any) -> tuple[dict[Any, Any], dict[Any, list[Any]]]:
    """Drop the tasks that ``keys`` do not need.

    Parameters
    ----------
    dsk:
        The graph.
    keys:
        A key, or a (nested) list of keys.

    Returns
    -------
    The smaller graph, and the dependencies of each of its tasks as lists with repetitions.

    Raises
    ------
    KeyError
        If a key is not in the graph.
    """
    if not isinstance(keys, (list, set)):
        keys = [keys]
    dsk = plain_graph(dsk)
    work = list(set(flatten(keys)))
    result: dict[Any, Any] = {}
    dependencies: dict[Any, list[Any]] = {}
    while work:
        key = work.pop()
        if key in result:
            continue
        result[key] = dsk[key]
        dependencies[key] = list(keys_in_tasks(dsk, [dsk[key]], as_list=True))
        work.extend(dependencies[key])
    return result, dependencies


# --------------------------------------------------------------------------------------
# Inlining
# --------------------------------------------------------------------------------------


def _flat_set(keys: Any) -> set[Any]:
    """One key or several as a set; a tuple is one key."""
    if keys is None:
        return set()
    return set(keys) if isinstance(keys, (list, set, frozenset)) else {keys}


def inline(
    dsk: Mapping[Any, Any],
    keys: Any = None,
    inline_constants: bool = True,
    dependencies: Mapping[Any, Collection[Any]] | None = None,
) -> dict[Any, Any]:
    """Put computations in the place of the keys that refer to them.

    Parameters
    ----------
    dsk:
        The graph.
    keys:
        A key or several keys to replace.
    inline_constants:
        Also replace keys of plain values and of aliases.
    dependencies:
        The dependencies of each task, if they are known.

    Returns
    -------
    A graph with the same keys.

    >>> from operator import add
    >>> inline({"x": 1, "y": (add, "x", 10)})["y"] == (add, 1, 10)
    True
    """
    replaced = {key for key in _flat_set(keys) if key in dsk}
    if dependencies is None:
        dependencies = {key: get_dependencies(dsk, key) for key in dsk}
    if inline_constants:
        replaced.update(
            key
            for key, task in dsk.items()
            if not isinstance(task, GraphNode)
            and ((ishashable(task) and task in dsk) or (not dependencies[key] and not istask(task)))
        )
    inlined: dict[Any, Any] = {}

    def with_inlined(key: Any) -> Any:
        task = dsk[key]
        if isinstance(task, GraphNode):
            return task
        for dependency in dependencies[key]:
            if dependency in inlined:
                task = subs(task, dependency, inlined[dependency])
        return task

    inner = {key: [d for d in dependencies[key] if d in replaced] for key in replaced}
    for key in toposort(inner, inner):
        inlined[key] = with_inlined(key)
    return {key: inlined[key] if key in inlined else with_inlined(key) for key in dsk}


def inline_functions(
    dsk: Mapping[Any, Any],
    output: Iterable[Any],
    fast_functions: Iterable[Callable[..., Any]] | None = None,
    inline_constants: bool = False,
    dependencies: Mapping[Any, Collection[Any]] | None = None,
) -> Mapping[Any, Any]:
    """Compute cheap tasks again wherever they are used, and drop them.

    Parameters
    ----------
    dsk:
        The graph.
    output:
        Keys that have to stay.
    fast_functions:
        What is cheap: tasks that call only these functions are inlined.
    inline_constants, dependencies:
        See :func:`inline`.
    """
    fast = set(fast_functions or ())
    if not fast:
        return dsk
    if dependencies is None:
        dependencies = {key: get_dependencies(dsk, key) for key in dsk}
    dependents = reverse_dict(dependencies)
    keep = set(output)

    def is_cheap(key: Any) -> bool:
        if key in keep or not istask(dsk[key]) or not dependents[key]:
            return False
        if any(isinstance(dsk[user], GraphNode) for user in dependents[key]):
            return False
        try:
            return functions_of(dsk[key]) <= fast
        except TypeError:  # A function that cannot be hashed is not among the cheap ones.
            return False

    cheap = {key for key in dsk if is_cheap(key)}
    if not cheap:
        return dsk
    result = inline(dsk, cheap, inline_constants=inline_constants, dependencies=dependencies)
    return {key: task for key, task in result.items() if key not in cheap}


def unwrap_partial(func: Any) -> Any:
    """The function inside of (nested) partial ones."""
    while isinstance(func, functools.partial):
        func = func.func
    return func


def functions_of(task: Any) -> set[Any]:
    """The functions that a computation calls.

    Raises
    ------
    TypeError
        If one of them cannot be hashed.
    """
    found: set[Any] = set()
    work = [task]
    while work:
        item = work.pop()
        if istask(item):
            found.add(unwrap_partial(item[0]))
            work.extend(item[1:])
        elif type(item) is list:
            work.extend(item)
    return found


# --------------------------------------------------------------------------------------
# Joining chains
# --------------------------------------------------------------------------------------


def default_fused_linear_keys_renamer(keys: list[Any]) -> Any:
    """A name for a chain of joined tasks, the outermost first; None to keep that one's name."""
    name = fused_name(list(reversed(keys)))
    return None if name == keys[0] else name


def default_fused_keys_renamer(keys: list[Any], max_fused_key_length: int = 120) -> Any:
    """A name for joined tasks, the outermost last; None to keep that one's name."""
    name = fused_name(keys, max_fused_key_length or 10**9, ordered=False)
    return None if name == keys[-1] else name


def fuse_linear(
    dsk: Mapping[Any, Any],
    keys: Any = None,
    dependencies: Mapping[Any, Any] | None = None,
    rename_keys: bool | Callable[[list[Any]], Any] = True,
) -> tuple[dict[Any, Any], dict[Any, set[Any]]]:
    """Join chains in which each task is the only one that needs the one before it.

    Parameters
    ----------
    dsk:
        The graph.
    keys:
        Keys that have to stay.
    dependencies:
        The dependencies of each task, as lists, if they are known.
    rename_keys:
        Name a joined task after its parts, or with the given function; its old name stays as
        an alias. With False it keeps the name of its last part.

    Returns
    -------
    The new graph and its dependencies.
    """
    keep = _flat_set(keys)
    counted = _as_lists(dsk, dependencies)
    users: dict[Any, list[Any]] = {}
    for key, needed in counted.items():
        for dependency in needed:
            users.setdefault(dependency, []).append(key)

    def previous(key: Any) -> Any:
        """The task to be joined into ``key``, or None."""
        if len(counted[key]) != 1 or isinstance(dsk[key], GraphNode):
            return None
        (before,) = counted[key]
        if before in keep or before not in dsk or len(users[before]) != 1:
            return None
        return None if isinstance(dsk[before], GraphNode) else before

    previous_of = {key: before for key in dsk if (before := previous(key)) is not None}
    inner = set(previous_of.values())
    result: dict[Any, Any] = {}
    chain_of: dict[Any, list[Any]] = {}
    for key in dsk:
        if key in inner:
            continue
        chain = [key]
        while chain[-1] in previous_of:
            chain.append(previous_of[chain[-1]])
        for start in range(0, len(chain), _MAX_NESTING):
            part = chain[start : start + _MAX_NESTING]
            task = dsk[part[-1]]
            for outer, before in zip(part[-2::-1], part[:0:-1]):
                task = subs(dsk[outer], before, task)
            result[part[0]] = task
            if len(part) > 1:
                chain_of[part[0]] = part
    if rename_keys is False:
        return result, {key: set(get_dependencies(result, key)) for key in result}

    renamer = default_fused_linear_keys_renamer if rename_keys is True else rename_keys
    new_name = {}
    for key, chain in chain_of.items():
        name = renamer(chain)
        if name is not None and name not in result:
            new_name[key] = name
    renamed: dict[Any, Any] = {}
    for key, task in result.items():
        for dependency in get_dependencies(result, key):
            if dependency in new_name:
                task = subs(task, dependency, new_name[dependency])
        if key in new_name:
            renamed[new_name[key]] = task
            task = new_name[key]
        renamed[key] = task
    return renamed, {key: set(get_dependencies(renamed, key)) for key in renamed}


def _as_lists(
    dsk: Mapping[Any, Any], dependencies: Mapping[Any, Any] | None
) -> dict[Any, list[Any]]:
    """Dependencies with repetitions; only lists can be trusted to have them."""
    if dependencies is None:
        dependencies = dict.fromkeys(dsk)
    return {
        key: needed if isinstance(needed, list) else list(get_dependencies(dsk, key, as_list=True))
        for key, needed in dependencies.items()
    }


# --------------------------------------------------------------------------------------
# Joining trees
# --------------------------------------------------------------------------------------


class Default(Enum):
    """The type of the mark for options that come from the configuration."""

    token = 0

    def __repr__(self) -> str:
        return "<default>"


_default = Default.token


@dataclass
class _Branch:
    """A part of the graph that has become one task, while its user is being looked at.

    ``nodes / height`` measures how much could run side by side in it. ``slack`` counts
    possibilities to run side by side with neighbours that joining would take away, and
    ``edges`` are the dependencies that stay outside.
    """

    key: Any
    task: Any
    keys: list[Any]
    height: int
    width: float
    nodes: int
    slack: int
    edges: set[Any]
    nesting: int = 1


@dataclass
class _Limits:
    average_width: float
    width: float
    height: float
    depth_new_edges: float


def fuse(
    dsk: Mapping[Any, Any],
    keys: Any = None,
    dependencies: Mapping[Any, Any] | None = None,
    ave_width: Any = _default,
    max_width: Any = _default,
    max_height: Any = _default,
    max_depth_new_edges: Any = _default,
    rename_keys: Any = _default,
) -> tuple[Mapping[Any, Any], Mapping[Any, set[Any]]]:
    """Join trees of tasks, each of which has only one user, while little could run in parallel.

    The options that are not given come from the configuration, ``optimization.fuse``.

    Parameters
    ----------
    dsk:
        The graph.
    keys:
        Keys that have to stay.
    dependencies:
        The dependencies of each task, as lists, if they are known.
    ave_width:
        The most tasks a level, on the average of all levels, that become one.
    max_width:
        The most tasks on one level; None for a limit that fits ``ave_width``.
    max_height:
        The most levels.
    max_depth_new_edges:
        The most levels when a level brings new dependencies; None for a limit that fits
        ``ave_width``.
    rename_keys:
        As for :func:`fuse_linear`.

    Returns
    -------
    The new graph and its dependencies.
    """
    from samite import config

    if config.get("optimization.fuse.active", None) is False:
        return dsk, dependencies  # type: ignore[return-value]

    def option(value: Any, name: str, default: Any) -> Any:
        return config.get(f"optimization.fuse.{name}", default) if value is _default else value

    average = option(ave_width, "ave-width", 1)
    width = option(max_width, "max-width", None)
    height = option(max_height, "max-height", math.inf)
    new_edges = option(max_depth_new_edges, "max-depth-new-edges", None)
    renaming = option(rename_keys, "rename-keys", True)
    limits = _Limits(
        average_width=average,
        width=1.5 + average * math.log(average + 1) if width is None else width,
        height=math.inf if height is None else height,
        depth_new_edges=average * 1.5 if new_edges is None else new_edges,
    )
    if not average or not limits.height:
        return dsk, dependencies  # type: ignore[return-value]
    renamer = default_fused_keys_renamer if renaming is True else renaming
    return _TreeFusion(dsk, _flat_set(keys), dependencies, limits).run(renamer or None)


class _TreeFusion:
    """One run of :func:`fuse`."""

    def __init__(
        self,
        dsk: Mapping[Any, Any],
        keep: set[Any],
        dependencies: Mapping[Any, Any] | None,
        limits: _Limits,
    ) -> None:
        self._dsk = dsk
        self._limits = limits
        counted = _as_lists(dsk, dependencies)
        users: dict[Any, list[Any]] = {}
        for key, needed in counted.items():
            for dependency in needed:
                users.setdefault(dependency, []).append(key)
        self._needs = {key: set(needed) for key, needed in counted.items()}
        self._joinable = {
            key
            for key, by in users.items()
            if len(by) == 1 and key not in keep and _may_join(dsk, key, by[0])
        }

    def run(
        self, renamer: Callable[[list[Any]], Any] | None
    ) -> tuple[Mapping[Any, Any], Mapping[Any, set[Any]]]:
        if not self._joinable:
            return self._dsk, self._needs
        result = dict(self._dsk)
        needs = {key: set(needed) for key, needed in self._needs.items()}
        joined: dict[Any, list[Any]] = {}
        branches: dict[Any, _Branch] = {}
        for key in _postorder(self._needs, lambda k: self._needs.get(k, set()) & self._joinable):
            if key not in self._needs:
                continue
            children = [branches.pop(k) for k in self._inner_needs(key)]
            branch = self._join(key, children) if children else self._leaf(key)
            fused = set(branch.keys[:-1])
            for child in children:
                if child.key in fused:
                    needs[key] = (needs[key] - {child.key}) | needs.pop(child.key)
                    del result[child.key]
                    joined.pop(child.key, None)
            if fused:
                result[key] = branch.task
                joined[key] = branch.keys
            if key in self._joinable:
                branches[key] = branch
        for key, parts in joined.items():
            name = renamer(parts) if renamer is not None else None
            if name is None or name in result:
                continue
            result[name], result[key] = result[key], name
            needs[name], needs[key] = needs[key], {name}
        return result, needs

    def _inner_needs(self, key: Any) -> list[Any]:
        return [k for k in dict.fromkeys(self._needs[key]) if k in self._joinable]

    def _leaf(self, key: Any) -> _Branch:
        edges = self._needs[key] - self._joinable
        return _Branch(key, self._dsk[key], [key], 1, 1, 1, 0, edges)

    def _join(self, key: Any, children: list[_Branch]) -> _Branch:
        """The branch of ``key``: with its children in it, or without them."""
        inside_edges = set().union(*(child.edges for child in children))
        edges = (self._needs[key] - self._joinable) | inside_edges
        has_new_edges = len(edges) > len(inside_edges)
        height = max(child.height for child in children)
        width = sum(child.width for child in children)
        nodes = sum(child.nodes for child in children)
        slack = sum(child.slack for child in children)
        if len(children) > 1:
            most = max(len(child.edges) for child in children)
            slack += min(len(children) - 1, max(0, len(inside_edges) - most))
        if inside_edges:
            slack = min(slack, len(inside_edges) - 1)
        slack += has_new_edges

        limits = self._limits
        nesting = max(child.nesting for child in children) + 1
        fits = (
            (nodes + slack) / height <= limits.average_width
            and (not has_new_edges or height < limits.depth_new_edges)
            and nesting <= _MAX_NESTING
            and not isinstance(self._dsk[key], GraphNode)
        )
        if len(children) > 1:
            single = sum(child.height == 1 for child in children)
            fits = (
                fits
                and single <= limits.average_width
                and width <= limits.width
                and height <= limits.height
            )
        if not fits:
            # The task may still be joined with its user, under strict limits.
            slack = min(slack, int(limits.average_width - 1))
            if len(children) > 1:
                width = min(width, limits.width)
            return _Branch(key, self._dsk[key], [key], 1, width, 1, slack, edges)

        task = self._dsk[key]
        for child in children:
            task = subs(task, child.key, child.task)
        parts = [k for child in children for k in child.keys] + [key]
        if len(children) > 1 or has_new_edges:
            height, nodes = height + 1, nodes + 1
        return _Branch(key, task, parts, height, width, nodes, slack, edges, nesting)


def _may_join(dsk: Mapping[Any, Any], key: Any, user: Any) -> bool:
    """Whether a computation can be written into its user's.

    Arrays and other data stay on their own, so that they are not sent with each task.
    """
    if key not in dsk or isinstance(dsk[user], GraphNode):
        return False
    task = dsk[key]
    return type(task) is tuple or (
        isinstance(task, (numbers.Number, str)) and not isinstance(task, GraphNode)
    )
