"""Operations on bags that keep their partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from samite._task_spec import Dict, List, TaskRef
from samite._traverse import holds_future
from samite.bag import native, streaming
from samite.bag.graphs import chain_task, graph_of, step
from samite.tokenize import tokenize
from samite.utils import funcname


class Starred:
    """A function of the items of a record as a function of the record."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func

    def __call__(self, record: Any) -> Any:
        return self.func(*record)

    def __dask_tokenize__(self) -> Any:
        return "Starred", tokenize(self.func)


def one_partition(name: str, bag: Any, i: int, *steps: Any, value: bool = False) -> dict[Any, Any]:
    """The task of one partition."""
    return {(name, i): chain_task((name, i), TaskRef((bag.name, i)), *steps, value=value)}


class _Arguments:
    """Arguments among which bags, items and lazy values may be."""

    def __init__(self, args: Iterable[Any], kwargs: dict[str, Any]) -> None:
        from samite.bag.core import Bag

        self.collections: list[Any] = []
        self.bags: list[Any] = []
        self.args = [self._look_at(arg, Bag) for arg in args]
        self.kwargs = {name: self._look_at(value, Bag) for name, value in kwargs.items()}
        if not self.bags:
            raise ValueError("At least one argument must be a Bag.")
        if len({bag.npartitions for bag in self.bags}) > 1:
            raise ValueError(
                "All bags must have the same number of partitions, got "
                f"{[bag.npartitions for bag in self.bags]}."
            )

    def _look_at(self, value: Any, bag_class: type) -> tuple[bool, Any]:
        from samite.bag.item import Item
        from samite.delayed import delayed, unpack_collections

        if isinstance(value, bag_class):
            self.bags.append(value)
            self.collections.append(value)
            return True, value
        if isinstance(value, Item):
            self.collections.append(value)
            return False, TaskRef(value.key)
        if holds_future(value):
            value = delayed(value)
        task, collections = unpack_collections(value)
        self.collections.extend(collections)
        return False, task

    def all_parts(self) -> list[tuple[Any, bool, Any]]:
        """Places, whether a bag is there, and what is."""
        places = [(i, *found) for i, found in enumerate(self.args)]
        return places + [(name, *found) for name, found in self.kwargs.items()]


def bag_map(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The function of the records at the same places of several bags.

    Arguments are as for :meth:`Bag.map`; at least one is a bag.

    Raises
    ------
    ValueError
        If no argument is a bag, or the bags are not equally partitioned.
    """
    name = f"{funcname(func)}-{tokenize(func, 'map', *args, **kwargs)}"
    found = _Arguments(args, kwargs)
    main = next(place for place, is_bag, _ in found.all_parts() if is_bag)
    bag = found.bags[0]
    if len(args) == 1 and not kwargs:
        made = bag._over(name, step(streaming.map_records, func, 0))
        made._native = native.mapped(bag._native, func)
        return made
    layer: dict[Any, Any] = {}
    for i in range(bag.npartitions):
        steps = step(streaming.map_records, func, *_map_arguments(found, main, i))
        layer.update(one_partition(name, bag, i, steps))
    return type(bag)(graph_of(name, layer, _once(found.collections)), name, bag.npartitions)


def _map_arguments(found: _Arguments, main: Any, i: int) -> tuple[Any, ...]:
    position = main if isinstance(main, int) else None
    others: list[Any] = []
    named: dict[str, Any] = {}
    constants: dict[str, Any] = {}
    for place, is_bag, value in found.all_parts():
        if place == main:
            if position is None:
                named[place] = None
        elif isinstance(place, int):
            others.append(List(is_bag, TaskRef((value.name, i)) if is_bag else value))
        elif is_bag:
            named[place] = TaskRef((value.name, i))
        else:
            constants[place] = value
    return position, List(*others), Dict(named), Dict(constants)


def _once(collections: list[Any]) -> list[Any]:
    return list({id(collection): collection for collection in collections}.values())


def map_partitions(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The function of the partitions at the same places of several bags.

    Parameters
    ----------
    func:
        Gets a partition of each bag as an iterable.
    token:
        The name of the operation in the graph, in place of the function's.

    Raises
    ------
    ValueError
        If no argument is a bag, or the bags have different numbers of partitions.
    """
    token = kwargs.pop("token", None)
    name = f"{token or funcname(func)}-{tokenize(func, 'map-partitions', *args, **kwargs)}"
    found = _Arguments(args, kwargs)
    main = next(place for place, is_bag, _ in found.all_parts() if is_bag)
    bag = found.bags[0]
    if len(found.args) + len(found.kwargs) == 1:
        return bag._over(name, step(streaming.call_with_records, func, main, List(), Dict({})))
    layer: dict[Any, Any] = {}
    for i in range(bag.npartitions):
        rest: list[Any] = []
        named: dict[str, Any] = {}
        for place, is_bag, value in found.all_parts():
            if place == main:
                continue
            value = TaskRef((value.name, i)) if is_bag else value
            if isinstance(place, int):
                rest.append(value)
            else:
                named[place] = value
        steps = step(streaming.call_with_records, func, main, List(*rest), Dict(named))
        layer.update(one_partition(name, bag, i, steps))
    return type(bag)(graph_of(name, layer, _once(found.collections)), name, bag.npartitions)


def starmap(bag: Any, func: Callable[..., Any], kwargs: dict[str, Any]) -> Any:
    """See :meth:`Bag.starmap`."""
    name = f"{funcname(func)}-{tokenize(bag, func, 'starmap', **kwargs)}"
    found = _Arguments([bag], kwargs)
    if len(found.bags) > 1:
        raise ValueError("starmap takes items and values as keyword arguments, and no bags")
    constants = {place: value for place, (_, value) in found.kwargs.items()}
    steps = step(streaming.starmap_records, func, Dict(constants))
    return bag._over(name, steps, dependencies=_once(found.collections)[1:])


def keep(bag: Any, predicate: Any) -> Any:
    """See :meth:`Bag.filter`."""
    from samite.bag.core import Bag

    if isinstance(predicate, Bag):
        return _keep_by_mask(bag, predicate)
    name = f"filter-{funcname(predicate)}-{tokenize(bag, predicate, 'filter')}"
    made = bag._over(name, step(streaming.filter_records, predicate))
    made._native = native.filtered(bag._native, predicate)
    return made


def _keep_by_mask(bag: Any, mask: Any) -> Any:
    if bag.npartitions != mask.npartitions:
        raise ValueError(
            f"a bag of {bag.npartitions} partitions cannot be filtered by one of {mask.npartitions}"
        )
    name = f"filter-{tokenize(bag, mask, 'mask')}"
    layer: dict[Any, Any] = {}
    for i in range(bag.npartitions):
        steps = step(streaming.filter_by_mask, TaskRef((mask.name, i)))
        layer.update(one_partition(name, bag, i, steps))
    return type(bag)(graph_of(name, layer, [bag, mask]), name, bag.npartitions)


def pluck(bag: Any, key: Any, default: Any) -> Any:
    """See :meth:`Bag.pluck`."""
    name = f"pluck-{tokenize(bag, key, default, 'pluck')}"
    made = bag._over(name, step(streaming.pluck_records, key, default))
    made._native = native.plucked(bag._native, key, default)
    return made


def flatten(bag: Any) -> Any:
    """See :meth:`Bag.flatten`."""
    made = bag._over(f"flatten-{tokenize(bag, 'flatten')}", step(streaming.flatten_records))
    made._native = native.flattened(bag._native)
    return made


def bag_zip(*bags: Any) -> Any:
    """Tuples of the records at the same places of several bags.

    The bags must have equally long partitions: this is not checked, and of longer ones the rest
    is left out, as :func:`zip` does.

    Raises
    ------
    ValueError
        If there is no bag, or they have different numbers of partitions.
    """
    if not bags:
        raise ValueError("zip needs at least one bag")
    counts = [bag.npartitions for bag in bags]
    if len(set(counts)) > 1:
        raise ValueError(f"zip needs bags with equal numbers of partitions, got {counts}")
    name = f"zip-{tokenize('zip', *bags)}"
    first, rest = bags[0], bags[1:]
    layer: dict[Any, Any] = {}
    for i in range(first.npartitions):
        others = List(*[TaskRef((bag.name, i)) for bag in rest])
        layer.update(one_partition(name, first, i, step(streaming.zip_records, others)))
    return type(first)(graph_of(name, layer, bags), name, first.npartitions)
