"""Types for code that works with collections, graphs and schedulers.

The protocols name the methods by which Samite recognises a collection. They keep the names that
Dask gave them, so that a collection written for one works with the other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar, Union, runtime_checkable

from samite._sentinels import NoDefault, no_default

__all__ = [
    "CollType",
    "DaskCollection",
    "Graph",
    "HLGDaskCollection",
    "Key",
    "NestedKeys",
    "NoDefault",
    "PostComputeCallable",
    "PostPersistCallable",
    "SchedulerGetCallable",
    "no_default",
]

CollType = TypeVar("CollType", bound="DaskCollection")
CollType_co = TypeVar("CollType_co", bound="DaskCollection", covariant=True)

#: The name of one task.
Key: TypeAlias = str | int | float | tuple["Key", ...]
#: Tasks by their keys.
Graph: TypeAlias = Mapping[Key, Any]
#: The keys of a collection's results, in lists nested as the results shall be.
NestedKeys: TypeAlias = list[Union[Key, "NestedKeys"]]
#: Makes the final result of the list of computed pieces, and of further arguments.
PostComputeCallable = Callable


class SchedulerGetCallable(Protocol):
    """What runs a graph: a function such as ``samite.threaded.get``."""

    def __call__(self, dsk: Graph, keys: Sequence[Key] | Key, **kwargs: Any) -> Any:
        """Run the tasks of `dsk` that `keys` need, and return their results, nested as `keys`."""
        ...


class PostPersistCallable(Protocol[CollType_co]):
    """Makes a collection of a graph whose tasks are results."""

    def __call__(
        self, dsk: Graph, *args: Any, rename: Mapping[str, str] | None = None
    ) -> CollType_co:
        """The collection over `dsk`.

        Parameters
        ----------
        rename
            New names of outputs, for copies under other keys.
        """
        ...


@runtime_checkable
class DaskCollection(Protocol):
    """An object whose value is computed from a graph."""

    def __dask_graph__(self) -> Graph:
        """The tasks that this collection's results need."""
        ...

    def __dask_keys__(self) -> NestedKeys:
        """The keys of the results in that graph."""
        ...

    def __dask_postcompute__(self) -> tuple[PostComputeCallable, tuple]:
        """A function, and its further arguments, that makes one value of the results."""
        ...

    def __dask_postpersist__(self) -> tuple[PostPersistCallable, tuple]:
        """A function, and its further arguments, that makes a collection of computed results."""
        ...

    def __dask_tokenize__(self) -> Hashable:
        """What this collection's value is determined by."""
        ...

    #: Simplifies the graph before it runs: called with the graph, the keys, and options.
    __dask_optimize__: Any
    #: Runs the graph where nothing else was asked for; a ``SchedulerGetCallable``.
    __dask_scheduler__: Any

    def compute(self, **kwargs: Any) -> Any:
        """The value, in this process's memory."""
        ...

    def persist(self: CollType, **kwargs: Any) -> CollType:
        """The same collection with its results computed and kept."""
        ...

    def visualize(
        self,
        filename: str = "mydask",
        format: str | None = None,
        optimize_graph: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Draw the graph into a file."""
        ...


@runtime_checkable
class HLGDaskCollection(DaskCollection, Protocol):
    """A collection whose graph has layers."""

    def __dask_layers__(self) -> Sequence[str]:
        """The names of the layers that hold the results."""
        ...
