"""Finding collections inside containers, and putting values in their places."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

# Rebuilds one argument from the list of results.
_Repack = Callable[[Sequence[Any]], Any]


def unpack_collections(
    *args: Any, traverse: bool = True
) -> tuple[list[Any], Callable[[Sequence[Any]], tuple[Any, ...]]]:
    """Find the collections in the arguments.

    Parameters
    ----------
    *args:
        Anything. With ``traverse`` lists, tuples, dicts, sets, ordered dicts, dataclass
        instances, named tuples and iterators are looked into; iterators come back as lists.
    traverse:
        Whether to look into containers.

    Returns
    -------
    collections : list
        The collections found, each once.
    repack : function
        Takes as many results and returns the arguments, as a tuple, with results in the places of
        collections.
    """
    finder = _Finder(traverse)
    parts = [finder.find(arg) for arg in args]

    def repack(results: Sequence[Any]) -> tuple[Any, ...]:
        results = list(results)
        return tuple(
            arg if part is None else part(results) for arg, part in zip(args, parts, strict=True)
        )

    return finder.collections, repack


def holds_future(*values: Any) -> bool:
    """Whether a future of a cluster is among values, or in a list, tuple, set or dict of them."""
    module = sys.modules.get("samite.distributed.future")
    if module is None:
        return False
    left = list(values)
    while left:
        value = left.pop()
        if isinstance(value, module.Future):
            return True
        kind = type(value)
        if kind is dict:
            left.extend(value.values())
        elif kind in (list, tuple, set, frozenset):
            left.extend(value)
    return False


class _Finder:
    def __init__(self, traverse: bool) -> None:
        self.traverse = traverse
        self.collections: list[Any] = []
        self.places: dict[Any, int] = {}

    def find(self, obj: Any) -> _Repack | None:
        """How to rebuild an object; None where it holds no collection."""
        kind = type(obj)
        if kind in _PLAIN:
            return None
        if _is_collection(obj):
            place = self.place(obj)
            return lambda results: results[place]
        if not self.traverse:
            return None
        if kind in (list, tuple, set):
            return self.rebuild(kind, list(obj))
        if kind is dict or kind is OrderedDict:
            return self.rebuild(
                lambda flat: kind(zip(flat[::2], flat[1::2], strict=True)),
                [part for item in obj.items() for part in item],
            )
        if isinstance(obj, Iterator):
            items = list(obj)
            return self.rebuild(list, items) or (lambda results: items)
        if hasattr(kind, "__dataclass_fields__"):
            from samite._unpack import check_rebuildable, dataclass_fields

            fields = dataclass_fields(obj)
            names = list(fields)
            rebuilt = self.rebuild(
                lambda values: kind(**dict(zip(names, values, strict=True))), list(fields.values())
            )
            if rebuilt is not None:
                check_rebuildable(obj)
            return rebuilt
        if isinstance(obj, tuple) and hasattr(kind, "_fields"):
            return self.rebuild(lambda values: kind(*values), list(obj))
        return None

    def place(self, collection: Any) -> int:
        from samite.tokenize import tokenize

        # Equal collections are computed once; lazy calls say by identity what is equal.
        name = _identity(collection) or tokenize(collection)
        place = self.places.get(name)
        if place is None:
            place = self.places[name] = len(self.collections)
            self.collections.append(collection)
        return place

    def rebuild(self, make: Callable[[list[Any]], Any], items: list[Any]) -> _Repack | None:
        parts = [self.find(item) for item in items]
        if not any(parts):
            return None
        return lambda results: make(
            [
                item if part is None else part(results)
                for item, part in zip(items, parts, strict=True)
            ]
        )


def _identity(collection: Any) -> Any:
    from samite._engine import Node

    if isinstance(collection, Node):
        return ("node", collection.key) if collection._node_pure else ("id", id(collection))
    return None


def _is_collection(obj: Any) -> bool:
    from samite.base import is_dask_collection

    return is_dask_collection(obj)


_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
