"""The nodes of a task graph: values, references and function calls.

A node is called with the results of its dependencies and gives its own result. Nodes are
immutable by convention: ``substitute`` and ``copy`` give new ones.
"""

from __future__ import annotations

import copyreg
import functools
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from samite._engine import ArrayTask

if TYPE_CHECKING:
    from samite.typing import Key

NodeT = TypeVar("NodeT", bound="GraphNode")

_NO_DEPENDENCIES: frozenset[Any] = frozenset()
_NO_KWARGS: dict[str, Any] = {}
_REPR_LIMIT = 80
# Types of arguments that cannot refer to anything, so that most are dismissed by one lookup.
_PLAIN_TYPES = frozenset({str, int, float, bool, bytes, type(None), list, tuple, dict, set, slice})

# Pickles name the class of every node, and a graph holds very many of them, so the classes
# are pickled by the short name under which the package exports them.
PUBLIC_MODULE = __name__.rpartition(".")[0]


def is_future(obj: object) -> bool:
    """Whether ``obj`` stands for a result that another graph or a cluster holds.

    Foreign schedulers mark the classes of their futures with ``__dask_future__ = True``.
    """
    return isinstance(obj, TaskRef) or getattr(type(obj), "__dask_future__", False) is True


class TaskRef:
    """A reference to the result of the task named ``key``, for use as an argument."""

    __slots__ = ("key",)
    __module__ = PUBLIC_MODULE

    def __init__(self, key: Key) -> None:
        self.key = key

    def __str__(self) -> str:
        return str(self.key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key!r})"

    def __hash__(self) -> int:
        return hash((type(self), self.key))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.key == self.key  # type: ignore[attr-defined]

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.key,))

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return ("TaskRef", self.key)

    def substitute(self, subs: Mapping[Any, Any], key: Key | None = None) -> Any:
        """The reference after renaming: ``subs`` maps the key to a new key or to a node."""
        replacement = subs.get(self.key, self.key)
        if isinstance(replacement, GraphNode):
            return replacement
        if replacement == self.key:
            return self
        return TaskRef(_key_of(replacement))


def _key_of(reference: Any) -> Any:
    return reference.key if is_future(reference) or isinstance(reference, Alias) else reference


class GraphNode:
    """What all nodes have in common.

    Attributes
    ----------
    key:
        The name of the result, or None for a node inside another one.
    """

    key: Any
    _dependencies: frozenset[Any]

    __slots__ = ("key", "_dependencies")
    __module__ = PUBLIC_MODULE

    def ref(self) -> Alias:
        """A reference to this node."""
        return Alias(self.key)

    def __getattr__(self, name: str) -> Any:
        # Graphs are written with very many nodes that are never asked for their dependencies one by
        # one; a set for each would take most of the time and memory.
        if name != "_dependencies":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self._dependencies = found = self._find_dependencies()
        return found

    def _find_dependencies(self) -> frozenset[Any]:
        """The keys whose results a call needs, where they were not found when it was made."""
        return _NO_DEPENDENCIES

    @property
    def dependencies(self) -> frozenset[Any]:
        """The keys whose results a call needs."""
        return self._dependencies

    @property
    def data_producer(self) -> bool:
        """Whether the node brings new data into memory, such as reading a file does."""
        return False

    @property
    def block_fusion(self) -> bool:
        """Whether optimizers have to keep this node as it is."""
        return False

    @property
    def is_coro(self) -> bool:
        """Whether a call gives a coroutine."""
        return False

    def copy(self: NodeT) -> NodeT:
        """A shallow copy."""
        raise NotImplementedError

    def substitute(self, subs: Mapping[Any, Any], key: Key | None = None) -> GraphNode:
        """The node with its references renamed.

        Parameters
        ----------
        subs:
            New key, or a node to put in, by old key; keys that the node does not refer to
            have no effect.
        key:
            The name of the new node; by default that of this one.
        """
        raise NotImplementedError

    def _evaluate(self, values: Mapping[Any, Any]) -> Any:
        """The result, given at least all dependencies."""
        raise NotImplementedError

    def _check_values(self, values: Any) -> None:
        missing = {key for key in self.dependencies if key not in values}
        if missing:
            raise RuntimeError(f"Not enough arguments provided: missing keys {missing}")

    def __call__(self, values: Any = ()) -> Any:
        """The result of the node.

        Parameters
        ----------
        values:
            Results by key; more than the dependencies may be given.

        Raises
        ------
        RuntimeError
            If a dependency is not among ``values``.
        """
        if self._dependencies:
            self._check_values(values)
        return self._evaluate(values)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(other) is not type(self):
            return False
        from samite.tokenize import tokenize

        return tokenize(self) == tokenize(other)

    def __hash__(self) -> int:
        from samite.tokenize import tokenize

        return hash(tokenize(self))

    def __sizeof__(self) -> int:
        from samite.sizeof import sizeof

        return sys.getsizeof(type(self)) + sum(
            sizeof(getattr(self, slot)) for slot in self._sized_slots()
        )

    def _sized_slots(self) -> Iterable[str]:
        return (slot for slot in self.get_all_slots() if not slot.startswith("_"))

    @staticmethod
    def fuse(*tasks: GraphNode, key: Key | None = None) -> GraphNode:
        """One node that does the work of several.

        Parameters
        ----------
        tasks:
            Nodes, in any order, of which exactly one is not needed by another.
        key:
            The name of the result; by default that of the one output.

        Raises
        ------
        ValueError
            If more than one node would have to be kept as a result.
        """
        from samite._task_spec.subgraph import fuse

        return fuse(tasks, key)

    @classmethod
    @functools.lru_cache
    def get_all_slots(cls) -> list[str]:
        """The names of all slots, those of base classes included, sorted."""
        slots: set[str] = set()
        for base in cls.__mro__:
            own = base.__dict__.get("__slots__", ())
            slots.update((own,) if isinstance(own, str) else own)
        return sorted(slots)


class Alias(GraphNode):
    """Another name for the result of ``target``.

    With only one argument the node refers to itself, which is how it is written as an
    argument of another node.
    """

    target: Any

    __slots__ = ("target",)
    __module__ = PUBLIC_MODULE

    def __init__(self, key: Any, target: Any = None) -> None:
        self.key = key if type(key) in _PLAIN_TYPES else _key_of(key)
        if target is None:
            self.target = self.key
        else:
            self.target = target if type(target) in _PLAIN_TYPES else _key_of(target)

    def _find_dependencies(self) -> frozenset[Any]:
        return frozenset((self.target,))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Alias, (self.key, self.target))

    def copy(self) -> Alias:
        return Alias(self.key, self.target)

    def substitute(self, subs: Mapping[Any, Any], key: Key | None = None) -> GraphNode:
        target = subs.get(self.target, self.target)
        if key is None:
            key = subs.get(self.key, self.key)
            if isinstance(key, GraphNode):
                key = self.key
            if isinstance(target, GraphNode) and not isinstance(target, Alias):
                return target
        elif isinstance(target, GraphNode) and not isinstance(target, Alias):
            return target.substitute({}, key=key)
        if isinstance(target, Alias):
            target = target.target
        if key == self.key and target == self.target:
            return self
        return Alias(key, target)

    def _evaluate(self, values: Mapping[Any, Any]) -> Any:
        return values[self.target]

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return ("Alias", self.key, self.target)

    def __repr__(self) -> str:
        if self.key == self.target:
            return f"Alias({self.key!r})"
        return f"Alias({self.key!r}->{self.target!r})"

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is type(self)
            and self.key == other.key  # type: ignore[attr-defined]
            and self.target == other.target  # type: ignore[attr-defined]
        )

    def __hash__(self) -> int:
        return hash((Alias, self.key, self.target))


class DataNode(GraphNode):
    """A value that is known already."""

    value: Any
    typ: type

    __slots__ = ("value", "typ")
    __module__ = PUBLIC_MODULE

    def __init__(self, key: Any, value: Any) -> None:
        self.key = key
        self.value = value
        self.typ = type(value)
        self._dependencies = _NO_DEPENDENCIES

    @property
    def data_producer(self) -> bool:
        return True

    @property
    def block_fusion(self) -> bool:
        # A future has to stay where the client of its cluster sees it.
        return hasattr(type(self.value), "_samite_key")

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.key, self.value))

    def copy(self) -> DataNode:
        return type(self)(self.key, self.value)

    def substitute(self, subs: Mapping[Any, Any], key: Key | None = None) -> DataNode:
        if key is None or key == self.key:
            return self
        return type(self)(key, self.value)

    def _evaluate(self, values: Mapping[Any, Any]) -> Any:
        return self.value

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        # Names of values are often random; two nodes with one value are the same node.
        from samite.tokenize import tokenize

        return ("DataNode", tokenize(self.value))

    def __repr__(self) -> str:
        return f"DataNode({self.value!r})"

    def __iter__(self) -> Any:
        return iter(self.value)


def get_dependencies_of_value(obj: object) -> Iterable[Any]:
    """The keys that a value refers to, looking into lists, tuples, sets and dicts."""
    if isinstance(obj, GraphNode):
        return obj.dependencies
    if is_future(obj):
        return frozenset((obj.key,))  # type: ignore[attr-defined]
    if isinstance(obj, dict):
        obj = obj.values()
    elif not isinstance(obj, (list, tuple, frozenset, set)):
        return _NO_DEPENDENCIES
    return frozenset().union(*map(get_dependencies_of_value, obj))  # type: ignore[arg-type]


def _evaluate_argument(arg: Any, values: Mapping[Any, Any]) -> Any:
    kind = type(arg)
    if kind is TaskRef:
        return values[arg.key]
    if kind in _PLAIN_TYPES:
        return arg
    if isinstance(arg, GraphNode):
        return arg._evaluate(values)
    return values[arg.key] if is_future(arg) else arg


class Task(GraphNode):
    """A call ``func(*args, **kwargs)``.

    Arguments that are nodes are evaluated as part of the call, references are replaced by
    the results they name, and everything else is passed on. Containers are not searched:
    use :class:`~samite._task_spec.List` and its like, or
    :func:`~samite._task_spec.parse_input`, for references inside of them.

    Attributes
    ----------
    func, args, kwargs:
        The call.
    """

    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    _data_producer: bool
    _token: str | None
    _lazy: bool

    __slots__ = ("func", "args", "kwargs", "_data_producer", "_token", "_lazy")
    __module__ = PUBLIC_MODULE

    def __init__(
        self, key: Any, func: Callable[..., Any], /, *args: Any, _data_producer: bool = False,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        self.key = key if type(key) in _PLAIN_TYPES else _key_of(key)
        self.func = func
        self.args = args
        self.kwargs = kwargs or _NO_KWARGS
        self._data_producer = _data_producer
        self._token = None
        self._analyse()

    @classmethod
    def of_result(cls, key: Any, func: Callable[..., Any], source: Any, *args: Any) -> Task:
        """The call of a function with the result of the task ``source``, and with data.

        As the constructor, for keys that are strings or tuples; it looks at nothing, for those who
        make very many.
        """
        new = object.__new__(cls)
        new.key = key
        new.func = func
        new.args = (TaskRef(source), *args)
        new.kwargs = _NO_KWARGS
        new._data_producer = False
        new._token = None
        new._lazy = True
        return new

    def _find_dependencies(self) -> frozenset[Any]:
        # The constructor has looked; only the form for results has not.
        return frozenset((self.args[0].key,))

    def _analyse(self) -> None:
        """Find the references once, so that calls and graph passes need not."""
        dependencies: set[Any] | None = None
        lazy = False
        for arg in (*self.args, *self.kwargs.values()) if self.kwargs else self.args:
            kind = type(arg)
            if kind in _PLAIN_TYPES:
                continue
            if kind is not TaskRef and isinstance(arg, GraphNode):
                lazy = True
                found = arg._dependencies
            elif kind is TaskRef or is_future(arg):
                lazy = True
                found = (arg.key,)
            else:
                continue
            if dependencies is None:
                dependencies = set(found)
            else:
                dependencies.update(found)
        self._lazy = lazy
        self._dependencies = frozenset(dependencies) if dependencies else _NO_DEPENDENCIES

    @property
    def data_producer(self) -> bool:
        return self._data_producer

    @property
    def block_fusion(self) -> bool:
        # What the engine runs natively it has joined already; inside of a joined task it is a call
        # of Python's.
        return type(self.func) is ArrayTask

    @property
    def is_coro(self) -> bool:
        import asyncio
        import inspect

        try:
            return inspect.iscoroutinefunction(self.func) or asyncio.iscoroutinefunction(self.func)
        except Exception:
            return False

    def has_subgraph(self) -> bool:
        """Whether the node is the fusion of several, run as one."""
        from samite._task_spec.subgraph import _execute_subgraph

        return self.func is _execute_subgraph

    def _evaluate(self, values: Mapping[Any, Any]) -> Any:
        if not self._lazy:
            return self.func(*self.args, **self.kwargs)
        args = [_evaluate_argument(a, values) for a in self.args]
        if not self.kwargs:
            return self.func(*args)
        kwargs = {k: _evaluate_argument(v, values) for k, v in self.kwargs.items()}
        return self.func(*args, **kwargs)

    # -- copies ------------------------------------------------------------------------

    def copy(self: NodeT) -> NodeT:
        new = object.__new__(type(self))
        for slot in self.get_all_slots():
            try:
                setattr(new, slot, getattr(self, slot))
            except AttributeError:  # A subclass need not fill its slots.
                pass
        return new

    def _with(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The same call with other arguments."""
        kind = type(self)
        new = object.__new__(kind)
        new.key = self.key
        new.func = self.func
        new.args = args
        new.kwargs = kwargs
        new._data_producer = self._data_producer
        new._token = None
        new._analyse()
        for slot in _extra_slots(kind):
            if hasattr(self, slot):
                setattr(new, slot, getattr(self, slot))
        return new

    def substitute(self, subs: Mapping[Any, Any], key: Key | None = None) -> Task:
        new = self
        if self._dependencies:
            relevant = {k: subs[k] for k in self._dependencies if k in subs and subs[k] != k}
            if relevant:
                new = self._with(
                    tuple(_substitute_argument(a, relevant) for a in self.args),
                    {k: _substitute_argument(v, relevant) for k, v in self.kwargs.items()}
                    if self.kwargs
                    else _NO_KWARGS,
                )
        if key is not None and key != self.key:
            if new is self:
                new = self.copy()
            new.key = key
        return new

    # -- identity ----------------------------------------------------------------------

    def _get_token(self) -> str:
        if self._token is None:
            from samite.tokenize import tokenize

            self._token = tokenize(*self._identity())
        return self._token

    def _identity(self) -> tuple[Any, ...]:
        """What makes two calls the same call; the key is not part of it."""
        return (type(self).__name__, self.func, self.args, self.kwargs)

    def __dask_tokenize__(self) -> Any:
        return self._get_token()

    def __hash__(self) -> int:
        return hash(self._get_token())

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return type(other) is type(self) and self._get_token() == other._get_token()

    def __repr__(self) -> str:
        from samite.utils import funcname

        head = f"<Task {self.key!r} {funcname(self.func)}("
        parts = [repr(a) for a in self.args]
        parts += [f"{k}={v!r}" for k, v in self.kwargs.items()]
        body = ", ".join(parts)
        if len(head) + len(body) + 2 > _REPR_LIMIT:
            body = "..."
        return f"{head}{body})>"

    # -- pickling ----------------------------------------------------------------------

    def __reduce__(self) -> tuple[Any, ...]:
        return (copyreg.__newobj__, (type(self),), self.__getstate__())  # type: ignore[attr-defined]

    def __getstate__(self) -> Any:
        """The call, in a short tuple; what can be found out again is left out."""
        extra = tuple(getattr(self, slot, None) for slot in _extra_slots(type(self)))
        if extra:
            return (self.key, self.func, self.args, self.kwargs, self._data_producer, extra)
        if self._data_producer:
            return (self.key, self.func, self.args, self.kwargs, True)
        if self.kwargs:
            return (self.key, self.func, self.args, self.kwargs)
        return (self.key, self.func, self.args)

    def __setstate__(self, state: Any) -> None:
        self.key, self.func, self.args = state[:3]
        self.kwargs = state[3] if len(state) > 3 else _NO_KWARGS
        self._data_producer = state[4] if len(state) > 4 else False
        self._token = None
        self._analyse()
        if len(state) > 5:
            for slot, value in zip(_extra_slots(type(self)), state[5]):
                setattr(self, slot, value)


def _substitute_argument(arg: Any, subs: Mapping[Any, Any]) -> Any:
    if isinstance(arg, (GraphNode, TaskRef)):
        return arg.substitute(subs)
    if is_future(arg) and arg.key in subs:
        return TaskRef(arg.key).substitute(subs)
    return arg


@functools.cache
def _extra_slots(cls: type[Task]) -> tuple[str, ...]:
    """The slots that a subclass of Task adds, its containers' own fixed ones excepted."""
    return tuple(slot for slot in cls.get_all_slots() if slot not in Task.get_all_slots())
