"""One lazy value that was made of a bag."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from samite import base
from samite._task_spec import Task, TaskRef
from samite.bag.graphs import graph_of, optimize
from samite.base import DaskMethodsMixin, dont_optimize, replace_name_in_key
from samite.context import globalmethod
from samite.highlevelgraph import HighLevelGraph
from samite.tokenize import tokenize
from samite.utils import funcname


def only_result(results: Sequence[Any]) -> Any:
    """The value of an item."""
    return results[0]


class Item(DaskMethodsMixin):
    """A lazy value: the total, the mean or the number of a bag's records.

    Parameters
    ----------
    dsk:
        A graph: a dict or layers.
    key:
        A key of it.
    layer:
        The layer that has the key, where it is not named like it.

    Raises
    ------
    ValueError
        If the graph has layers and none of this name.
    """

    __slots__ = ("_layer", "_native", "dask", "key")

    def __init__(self, dsk: Any, key: Any, layer: Any = None) -> None:
        self.dask = dsk
        self.key = key
        self._layer = layer or key
        self._native = None
        if isinstance(dsk, HighLevelGraph) and self._layer not in dsk.layers:
            raise ValueError(
                f"Layer {self._layer!r} not in the HighLevelGraph's layers: {list(dsk.layers)}"
            )

    @property
    def name(self) -> Any:
        """The key."""
        return self.key

    @property
    def _args(self) -> tuple[Any, ...]:
        return self.dask, self.key

    def __getstate__(self) -> Any:
        return self.dask, self.key, self._layer

    def __setstate__(self, state: Any) -> None:
        self.dask, self.key, self._layer = state
        self._native = None

    def __dask_graph__(self) -> Any:
        return self.dask

    def __dask_keys__(self) -> list[Any]:
        return [self.key]

    def __dask_layers__(self) -> tuple[Any, ...]:
        return (self._layer,)

    def __dask_tokenize__(self) -> Any:
        return self.key

    __dask_optimize__ = globalmethod(optimize, key="bag_optimize", falsey=dont_optimize)
    # Where there are no processes, nothing has registered them.
    __dask_scheduler__ = staticmethod(
        base.named_schedulers.get("processes") or base.named_schedulers["sync"]
    )

    def __dask_postcompute__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return only_result, ()

    def __dask_postpersist__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._rebuild, ()

    def _rebuild(self, dsk: Any, *, rename: Any = None) -> Item:
        key = replace_name_in_key(self.key, rename) if rename else self.key
        return Item(dsk, key, None if isinstance(dsk, HighLevelGraph) else self._layer)

    @staticmethod
    def from_delayed(value: Any) -> Item:
        """An item of a lazy value."""
        from samite.delayed import Delayed, delayed

        if not isinstance(value, Delayed) and hasattr(value, "key"):
            value = delayed(value)
        if not isinstance(value, Delayed):
            raise TypeError(f"Item.from_delayed expects a lazy value, got {type(value).__name__}")
        return Item(value.__dask_graph__(), value.key, value.__dask_layers__()[0])

    def apply(self, func: Callable[[Any], Any]) -> Item:
        """The function of the value, lazily."""
        name = f"{funcname(func)}-{tokenize(self, func, 'apply')}"
        layer = {name: Task(name, func, TaskRef(self.key))}
        return Item(graph_of(name, layer, [self]), name)

    def to_delayed(self, optimize_graph: bool = True) -> Any:
        """The same value as :class:`samite.delayed.Delayed`."""
        from samite.delayed import Delayed

        graph: Any = self.dask
        layer = self._layer
        if optimize_graph:
            graph = HighLevelGraph.from_collections(
                layer, self.__dask_optimize__(graph, self.__dask_keys__()), dependencies=()
            )
        return Delayed(self.key, graph, layer=layer)

    def __int__(self) -> int:
        return int(self.compute())

    def __float__(self) -> float:
        return float(self.compute())

    def __complex__(self) -> complex:
        return complex(self.compute())

    def __bool__(self) -> bool:
        return bool(self.compute())

    def __repr__(self) -> str:
        return f"Item({self.key!r})"
