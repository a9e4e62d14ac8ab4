"""Lazy calls: any Python program as a graph.

``delayed`` turns a function into one that builds a task in place of running. What it returns can
be passed on, indexed, called, added; nothing runs before ``compute``.
"""

from __future__ import annotations

import operator
import types
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from samite import threaded
from samite._engine import (
    Node,
    make_attribute,
    make_function_call,
    make_leaf,
    make_literal,
)
from samite.base import DaskMethodsMixin, replace_name_in_key
from samite.context import globalmethod
from samite.utils import OperatorMethodMixin

__all__ = ["Delayed", "DelayedAttr", "DelayedLeaf", "delayed", "optimize", "rebuild", "single_key"]

_MISSING = "__no__default__"


def delayed(
    obj: Any = _MISSING,
    name: str | None = None,
    pure: bool | None = None,
    nout: int | None = None,
    traverse: bool = True,
) -> Any:
    """Make a function or a value lazy.

    Parameters
    ----------
    obj:
        A function, whose calls become tasks; or a value. Lazy values, and other collections,
        inside of lists, tuples, sets, dicts, slices, named tuples and dataclasses are found.
    name:
        The key, where it must be known; by default made from ``obj``.
    pure:
        Whether equal arguments always give equal results: equal calls then have equal keys and
        run once. By default the setting ``delayed_pure``, else False.
    nout:
        How many values a call returns; the result can then be unpacked.
    traverse:
        Whether to look for lazy values inside of ``obj``. Without, a large container costs
        nothing.

    Returns
    -------
    Delayed

    Raises
    ------
    ValueError
        If ``nout`` is negative or not an integer.

    Examples
    --------
    >>> @delayed
    ... def double(x):
    ...     return 2 * x
    >>> total = delayed(sum)([double(i) for i in range(4)])
    >>> total.compute()
    12
    """
    if obj is _MISSING:
        return partial(delayed, name=name, pure=pure, nout=nout, traverse=traverse)
    if isinstance(obj, Delayed):
        return obj
    if nout is not None and (type(nout) is not int or nout < 0):
        raise ValueError(f"nout must be None or a non-negative integer, got {nout}")
    if traverse or hasattr(obj, "__dask_graph__"):
        lazy = make_literal(Delayed, obj, name, pure, nout)
        if lazy is not None:
            return lazy
    return make_leaf(DelayedLeaf, obj, name, pure, nout)


def single_key(seq: Any) -> Any:
    """The only item of a sequence."""
    return seq[0]


def optimize(dsk: Any, keys: Any, **kwargs: Any) -> Any:
    """Drop the tasks that ``keys`` do not need; with the setting ``optimization.fuse.delayed``
    chains of tasks become one task each."""
    from samite import config
    from samite.core import flatten
    from samite.highlevelgraph import HighLevelGraph

    if not isinstance(dsk, HighLevelGraph):
        dsk = HighLevelGraph.from_collections(str(id(dsk)), dsk, dependencies=())
    wanted = set(flatten(keys if isinstance(keys, list) else [keys]))
    dsk = dsk.cull(wanted)
    if config.get("optimization.fuse.delayed", False):
        from samite._task_spec import convert_legacy_graph, fuse_linear_task_spec
        from samite.utils import ensure_dict

        return fuse_linear_task_spec(convert_legacy_graph(ensure_dict(dsk)), wanted)
    return dsk


def rebuild(dsk: Any, key: Any, length: int | None, rename: Any = None) -> Delayed:
    """A lazy value over a graph with finished results; what ``persist`` calls."""
    if rename:
        key = replace_name_in_key(key, rename)
    return Delayed(key, dsk, length)


class Delayed(Node, DaskMethodsMixin, OperatorMethodMixin):
    """A value that is not computed yet.

    Made by :func:`delayed`. Attributes, items, methods, operators and calls of it are lazy too.

    Parameters
    ----------
    key:
        A key of ``dsk``.
    dsk:
        A graph: a dict or layers.
    length:
        How many items iteration yields.
    layer:
        The layer of the graph that has the key, where it is not named like the key.

    Raises
    ------
    ValueError
        If the graph has layers and none of this name.
    """

    __slots__ = ()

    __dask_scheduler__ = staticmethod(threaded.get)
    __dask_optimize__ = globalmethod(optimize, key="delayed_optimize")

    __hash__ = object.__hash__

    @property
    def dask(self) -> Any:
        """The graph, with a layer for each lazy call."""
        from samite._delayed_graph import graph_of

        return graph_of(self)

    _dask = dask

    def __dask_graph__(self) -> Any:
        return self.dask

    def __dask_keys__(self) -> list[Any]:
        return [self.key]

    def __dask_layers__(self) -> tuple[str, ...]:
        parts = self._parts()
        return (parts[2],) if parts[0] == "graph" else (self.key,)

    def __dask_tokenize__(self) -> Any:
        return self.key

    def __dask_postcompute__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return single_key, ()

    def __dask_postpersist__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return rebuild, (self.key, self._length)

    def __repr__(self) -> str:
        return f"Delayed({self.key!r})"

    def __dir__(self) -> list[str]:
        return dir(type(self))

    def __getattr__(self, attr: str) -> Any:
        if attr.startswith("_"):
            raise AttributeError(f"Attribute {attr} not found")
        if attr == "visualise":
            warnings.warn(
                "dask.delayed objects have no `visualise` method. Perhaps you meant `visualize`?",
                UserWarning,
                stacklevel=2,
            )
        return make_attribute(DelayedAttr, self, attr)

    def __setattr__(self, attr: str, value: Any) -> None:
        raise TypeError("Delayed objects are immutable")

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError("Delayed objects are immutable")

    def __iter__(self) -> Iterator[Delayed]:
        if self._length is None:
            raise TypeError("Delayed objects of unspecified length are not iterable")
        return (self[position] for position in range(self._length))

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("Delayed objects of unspecified length have no len()")
        return self._length

    def __bool__(self) -> bool:
        raise TypeError("Truth of Delayed objects is not supported")

    def __get__(self, instance: Any, cls: type) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        parts = self._parts()
        layer = parts[2] if parts[0] == "graph" else None
        return Delayed, (self.key, self.dask, self._length, layer)

    @classmethod
    def _get_unary_operator(cls, op: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self: make_function_call(op, (self,), True)

    @classmethod
    def _get_binary_operator(cls, op: Callable[..., Any], inv: bool = False) -> Callable[..., Any]:
        if inv:
            return lambda self, other: make_function_call(op, (other, self), True)
        return lambda self, other: make_function_call(op, (self, other), True)


class DelayedLeaf(Delayed):
    """A value, or a function, that is at hand."""

    __slots__ = ()

    def __new__(cls, *args: Any, **kwargs: Any) -> DelayedLeaf:
        if args or kwargs:
            return make_leaf(cls, *args, **kwargs)
        return super().__new__(cls)

    @property
    def _obj(self) -> Any:
        return self._parts()[1]

    @property
    def _pure(self) -> bool | None:
        return self._parts()[2]

    @property
    def _nout(self) -> int | None:
        return self._parts()[3]

    def __reduce__(self) -> Any:
        _, obj, pure, nout = self._parts()
        return DelayedLeaf, (obj, self.key, pure, nout)

    @property
    def __name__(self) -> str:
        return self._obj.__name__

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._obj.__doc__

    @property
    def __wrapped__(self) -> Any:
        return self._obj


class DelayedAttr(Delayed):
    """An attribute of a lazy value; calling it calls the method in one task."""

    __slots__ = ()

    def __new__(cls, *args: Any) -> DelayedAttr:
        if args:
            return make_attribute(cls, *args)
        return super().__new__(cls)

    @property
    def _obj(self) -> Delayed:
        return self._parts()[2][0]

    @property
    def _attr(self) -> str:
        return self._parts()[1]

    def __getattr__(self, attr: str) -> Any:
        if attr == "dtype" and self._attr == "dtype":
            # NumPy asks for the dtype of a dtype without end.
            raise AttributeError("Attribute dtype not found")
        return super().__getattr__(attr)

    def __reduce__(self) -> Any:
        return DelayedAttr, (self._obj, self._attr)


def _graph_parts(
    key: Any, dsk: Any, length: int | None = None, layer: str | None = None
) -> tuple[Any, Any, str, int | None]:
    """The parts of ``Delayed(key, dsk, length, layer)``, checked."""
    from samite.highlevelgraph import HighLevelGraph

    layer = layer if layer is not None else key
    if isinstance(dsk, HighLevelGraph) and layer not in dsk.layers:
        raise ValueError(f"Layer {layer!r} not in the HighLevelGraph's layers: {list(dsk.layers)}")
    return key, dsk, layer, length


def to_task_dask(expr: Any) -> tuple[Any, Any]:
    """A value as a task in tuple notation and the graph that it needs. Only for old callers."""
    from samite._delayed_graph import to_task_dask

    warnings.warn(
        "samite.delayed.to_task_dask is there for old callers; use unpack_collections",
        UserWarning,
        stacklevel=2,
    )
    return to_task_dask(expr)


def unpack_collections(expr: Any) -> tuple[Any, tuple[Any, ...]]:
    """A value as a task object, and the collections in it."""
    from samite._delayed_graph import unpack_collections

    return unpack_collections(expr)


Delayed._bind_operators(operator.getitem, divmod)
