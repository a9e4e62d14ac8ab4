"""The order in which tasks run when nothing else decides.

A good order finishes what it has begun before it begins anything else, so that few results
have to be held at the same time. The order itself is found by the engine;
:func:`diagnostics` tells how good it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple

from samite.core import get_dependencies, getcycle, plain_graph, reverse_dict, toposort

if TYPE_CHECKING:
    from samite.typing import Key


class Order(NamedTuple):
    """Where a task stands in the order, and the number of tasks on the longest way that leads
    through it from a source to a result."""

    priority: int
    critical_path: int


class OrderInfo(NamedTuple):
    """What happens to one task and its result when tasks run one at a time.

    Attributes
    ----------
    order:
        When the task runs.
    age:
        For how many steps its result is held.
    num_data_when_run, num_data_when_released:
        How many results are held when the task runs, and when its result is let go.
    num_dependencies_freed:
        How many results are let go because the task has run.
    """

    order: int
    age: int
    num_data_when_run: int
    num_data_when_released: int
    num_dependencies_freed: int


def _dependencies(
    dsk: Mapping[Key, Any], dependencies: Mapping[Key, Collection[Key]] | None
) -> dict[Key, Collection[Key]]:
    """The dependencies of each task that are tasks of the graph, and not the task itself."""
    dsk = plain_graph(dsk)
    if dependencies is None:
        return {key: get_dependencies(dsk, key) for key in dsk}
    return {key: [d for d in dependencies[key] if d in dsk and d != key] for key in dsk}


def order(
    dsk: Mapping[Key, Any],
    dependencies: Mapping[Key, Collection[Key]] | None = None,
    *,
    return_stats: bool = False,
) -> dict[Key, Any]:
    """Number the tasks of a graph in a good order of execution.

    Parameters
    ----------
    dsk:
        The graph, in either notation.
    dependencies:
        The dependencies of each task, if they are known.
    return_stats:
        Give an :class:`Order` for each task in place of its number.

    Returns
    -------
    The numbers by key, each from 0 to the number of tasks used once.

    Raises
    ------
    RuntimeError
        If the graph has a cycle.
    """
    if not dsk:
        return {}
    from samite._engine import order as engine_order

    needed = _dependencies(dsk, dependencies)
    # Equal choices are made by name, so that the order does not depend on how the graph was
    # put together.
    keys = sorted(needed, key=_by_name)
    number = {key: i for i, key in enumerate(keys)}
    try:
        ranks = engine_order([sorted(number[d] for d in needed[key]) for key in keys], None)
    except ValueError:
        cycle = getcycle(dsk, None)
        if not cycle:
            raise
        text = "->".join(map(str, cycle))
        raise RuntimeError(f"Cycle detected in the graph: {text}") from None
    if not return_stats:
        return dict(zip(keys, ranks))
    longest = _longest_ways(needed)
    return {key: Order(rank, longest[key]) for key, rank in zip(keys, ranks)}


def _by_name(key: Any) -> tuple[int, Any]:
    """A sort key for keys of all types: numbers by value, and tuples part by part."""
    if isinstance(key, tuple):
        return (2, tuple(map(_by_name, key)))
    return (0, key) if isinstance(key, (int, float)) else (1, str(key))


def _longest_ways(dependencies: Mapping[Key, Collection[Key]]) -> dict[Key, int]:
    """The number of tasks on the longest way through each."""
    sorted_keys = toposort(dependencies, dependencies)
    before: dict[Key, int] = {}
    after: dict[Key, int] = dict.fromkeys(sorted_keys, 1)
    for key in sorted_keys:
        before[key] = 1 + max((before[d] for d in dependencies[key]), default=0)
    for key in reversed(sorted_keys):
        for dependency in dependencies[key]:
            after[dependency] = max(after[dependency], after[key] + 1)
    return {key: before[key] + after[key] - 1 for key in sorted_keys}


def ndependencies(
    dependencies: Mapping[Key, Collection[Key]], dependents: Mapping[Key, Iterable[Key]]
) -> tuple[dict[Key, int], dict[Key, int]]:
    """Count what each task needs.

    Parameters
    ----------
    dependencies, dependents:
        The edges of the graph in both directions.

    Returns
    -------
    The number of direct dependencies by key, and the number of results that are used on the
    way to each, its own included; one that is used in two ways counts twice.
    """
    waiting = {key: len(needed) for key, needed in dependencies.items()}
    direct = dict(waiting)
    total: dict[Key, int] = {}
    ready = [key for key, count in waiting.items() if not count]
    while ready:
        key = ready.pop()
        total[key] = 1 + sum(total[d] for d in dependencies[key])
        for dependent in dependents[key]:
            waiting[dependent] -= 1
            if not waiting[dependent]:
                ready.append(dependent)
    return direct, total


def diagnostics(
    dsk: MutableMapping[Key, Any],
    o: Mapping[Key, Any] | None = None,
    dependencies: Mapping[Key, Collection[Key]] | None = None,
) -> tuple[dict[Key, OrderInfo], list[int]]:
    """Play an order through, one task at a time.

    Parameters
    ----------
    dsk:
        The graph.
    o:
        The order; by default that of :func:`order`.
    dependencies:
        The dependencies of each task, if they are known.

    Returns
    -------
    An :class:`OrderInfo` for each task, and the number of results held before each step.
    """
    needed = _dependencies(dsk, dependencies)
    users = reverse_dict(needed)
    if o is None:
        o = order(dsk, dependencies=needed)
    open_uses = {key: len(by) for key, by in users.items()}
    held = 0
    pressure: list[int] = []
    step_of: dict[Key, int] = {}
    released: dict[Key, tuple[int, int]] = {}
    freed: dict[Key, int] = {}
    for step, key in enumerate(sorted(dsk, key=o.__getitem__)):
        pressure.append(held)
        step_of[key] = step
        last_uses = []
        for dependency in needed[key]:
            open_uses[dependency] -= 1
            if not open_uses[dependency]:
                last_uses.append(dependency)
        for dependency in last_uses:
            released[dependency] = (step - step_of[dependency], held)
        freed[key] = len(last_uses)
        if not users[key]:
            released[key] = (0, held)
        held += bool(users[key]) - len(last_uses)
    info = {}
    for key in o:
        age, held_then = released[key]
        info[key] = OrderInfo(o[key], age, pressure[step_of[key]], held_then, freed[key])
    return info, pressure


def _nothing(*args: Any) -> None:
    """Stands for the function of a task that only its place in the graph matters of."""


def sanitize_dsk(dsk: MutableMapping[Key, Any]) -> dict[Key, Any]:
    """A graph of the same shape that holds neither functions nor data."""
    from samite._task_spec import Task, TaskRef

    return {
        key: Task(key, _nothing, *map(TaskRef, sorted(needed, key=str)))
        for key, needed in _dependencies(dsk, None).items()
    }
