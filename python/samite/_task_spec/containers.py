"""Nodes that build lists, tuples, sets and dicts out of other nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from samite._task_spec.nodes import PUBLIC_MODULE, Task


class NestedContainer(Task):
    """A container whose items may be nodes or references.

    ``List(a, b)`` and ``List([a, b])`` are the same; other than a plain list it knows the
    dependencies of its items. It needs no key as long as it is part of another node.
    """

    constructor: Any = None
    klass: Any = None

    __slots__ = ()
    __module__ = PUBLIC_MODULE

    def __init__(self, /, *args: Any, **kwargs: Any) -> None:
        if len(args) == 1 and isinstance(args[0], self.klass):
            args = tuple(args[0])
        super().__init__(None, self.to_container, *args, **self._call_kwargs(), **kwargs)

    @classmethod
    def _call_kwargs(cls) -> dict[str, Any]:
        return {"constructor": cls.constructor}

    @staticmethod
    def to_container(*args: Any, constructor: Callable[[Iterable[Any]], Any]) -> Any:
        """Build the container out of evaluated items."""
        return constructor(args)

    @classmethod
    def _of(cls, items: Iterable[Any]) -> NestedContainer:
        """A container of exactly these items, even if there is one and it is a container."""
        return _rebuild(cls, *items)

    def _evaluate(self, values: Mapping[Any, Any]) -> Any:
        if not self._lazy:
            return self.constructor(self.args)
        return super()._evaluate(values)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.key is None:
            return (_rebuild, (type(self), *self.args))
        return (_rebuild_named, (type(self), self.key, *self.args))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.args!r})"

    def _identity(self) -> tuple[Any, ...]:
        return (type(self).__name__, self._ordered_args())

    def _ordered_args(self) -> list[Any]:
        return list(self.args)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.args)


def _rebuild(cls: type[NestedContainer], *args: Any) -> NestedContainer:
    return _rebuild_named(cls, None, *args)


def _rebuild_named(cls: type[NestedContainer], key: Any, *args: Any) -> NestedContainer:
    new = object.__new__(cls)
    Task.__init__(new, key, cls.to_container, *args, **cls._call_kwargs())
    return new


for _function in (_rebuild, _rebuild_named):
    _function.__module__ = PUBLIC_MODULE


class List(NestedContainer):
    """A list of nodes, references and values."""

    constructor = klass = list
    __slots__ = ()
    __module__ = PUBLIC_MODULE


class Tuple(NestedContainer):
    """A tuple of nodes, references and values."""

    constructor = klass = tuple
    __slots__ = ()
    __module__ = PUBLIC_MODULE


class Set(NestedContainer):
    """A set of nodes, references and values."""

    constructor = klass = set
    __slots__ = ()
    __module__ = PUBLIC_MODULE

    def _ordered_args(self) -> list[Any]:
        return _sorted_by_token(self.args)


class Dict(NestedContainer, Mapping):
    """A dict whose values (and keys) may be nodes or references.

    Takes what :class:`dict` takes, and also alternating keys and values. ``args`` holds keys
    and values in turn.
    """

    klass = dict
    __slots__ = ()
    __module__ = PUBLIC_MODULE

    def __init__(self, /, *args: Any, **kwargs: Any) -> None:
        items = _alternating(args)
        for key, value in kwargs.items():
            items += (key, value)
        Task.__init__(self, None, self.to_container, *items, **self._call_kwargs())

    @staticmethod
    def constructor(args: Iterable[Any]) -> dict[Any, Any]:
        """A dict out of keys and values in turn."""
        items = iter(args)
        return dict(zip(items, items))

    def __repr__(self) -> str:
        return f"Dict({', '.join(f'{k}: {v}' for k, v in self.items())})"

    def _ordered_args(self) -> list[Any]:
        return _sorted_by_token(zip(self.args[::2], self.args[1::2]))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.args[::2])

    def __len__(self) -> int:
        return len(self.args) // 2

    def __getitem__(self, key: Any) -> Any:
        for k, v in zip(self.args[::2], self.args[1::2]):
            if k == key:
                return v
        raise KeyError(key)

    # Mapping brings an equality of its own that would evaluate nothing and call no token.
    __eq__ = Task.__eq__
    __hash__ = Task.__hash__


def _alternating(args: tuple[Any, ...]) -> list[Any]:
    if len(args) == 1:
        (only,) = args
        if isinstance(only, Mapping):
            return [part for item in only.items() for part in item]
        pairs = list(only)
        if all(isinstance(p, (list, tuple)) and len(p) == 2 for p in pairs):
            return [part for pair in pairs for part in pair]
        args = tuple(pairs)
    if len(args) % 2:
        raise ValueError("Dict takes a mapping, pairs, or keys and values in turn")
    return list(args)


def _sorted_by_token(items: Iterable[Any]) -> list[str]:
    from samite.tokenize import tokenize

    return sorted(tokenize(item) for item in items)
