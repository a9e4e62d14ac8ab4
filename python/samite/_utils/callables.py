"""Small callables: apply, method callers, operators for collections."""

from __future__ import annotations

import functools
import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar


def apply(func: Callable, args: tuple | list, kwargs: dict | None = None) -> Any:
    """``func(*args, **kwargs)``: how a task of an old-style graph passes keyword arguments.

    >>> apply(int, ("11",), {"base": 2})
    3
    """
    return func(*args, **kwargs) if kwargs else func(*args)


class methodcaller:
    """A function that calls the method of that name: ``methodcaller("sum")(x, 0) == x.sum(0)``.

    Unlike ``operator.methodcaller`` it takes the arguments with the call. There is one instance
    for a name, so that equal graphs hold equal functions.
    """

    __slots__ = ("method",)
    _instances: ClassVar[dict[str, methodcaller]] = {}
    method: str

    @property
    def func(self) -> str:
        """The method's name; where functions are shown, ``func`` is looked for."""
        return self.method

    def __new__(cls, method: str) -> methodcaller:
        instance = cls._instances.get(method)
        if instance is None:
            instance = super().__new__(cls)
            instance.method = method
            instance = cls._instances.setdefault(method, instance)
        return instance

    def __call__(self, obj: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(obj, self.method)(*args, **kwargs)

    def __reduce__(self) -> tuple:
        return methodcaller, (self.method,)

    def __str__(self) -> str:
        return f"<{type(self).__name__}: {self.method}>"

    __repr__ = __str__


class MethodCache:
    """Attribute access that gives method callers: ``M.sum`` is ``methodcaller("sum")``."""

    def __getattr__(self, item: str) -> methodcaller:
        if item in _PROBES or item.startswith("__dask_"):
            raise AttributeError(item)
        return methodcaller(item)

    def __dir__(self) -> list[str]:
        return list(methodcaller._instances)


# Names by which others ask what this object itself is.
_PROBES = frozenset(
    ("__wrapped__", "__copy__", "__deepcopy__", "__getstate__", "__setstate__", "__reduce__")
)

M = MethodCache()


class itemgetter:
    """A function that takes one item, picklable and comparable: ``itemgetter(1)(x) == x[1]``."""

    __slots__ = ("index",)

    def __init__(self, index: Any):
        self.index = index

    def __call__(self, x: Any) -> Any:
        return x[self.index]

    def __reduce__(self) -> tuple:
        return itemgetter, (self.index,)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.index == other.index  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((itemgetter, self.index))

    def __repr__(self) -> str:
        return f"itemgetter({self.index!r})"


class IndexCallable:
    """An object whose brackets call a function: ``IndexCallable(f)[x] == f(x)``."""

    __slots__ = ("fn",)

    def __init__(self, fn: Callable[[Any], Any]):
        self.fn = fn

    def __getitem__(self, key: Any) -> Any:
        return self.fn(key)


class OperatorMethodMixin:
    """Gives a collection its operator methods, each made from a function of :mod:`operator`.

    A subclass defines :meth:`_get_unary_operator` and :meth:`_get_binary_operator`, then calls
    :meth:`_bind_operator` for the operators it has.
    """

    __slots__ = ()

    @classmethod
    def _bind_operator(cls, op: Callable) -> None:
        """Set the method, and for most binary operators the reflected one, for `op`."""
        name = op.__name__.rstrip("_")
        if name == "inv":
            name = "invert"
        if name in _UNARY:
            setattr(cls, f"__{name}__", cls._get_unary_operator(op))
            return
        setattr(cls, f"__{name}__", cls._get_binary_operator(op))
        if name not in _WITHOUT_REFLECTION:
            setattr(cls, f"__r{name}__", cls._get_binary_operator(op, inv=True))

    @classmethod
    def _bind_operators(cls, *more: Callable) -> None:
        """Bind the operators that all collections of numbers have, and ``more``."""
        for name in _OPERATORS:
            cls._bind_operator(getattr(operator, name))
        for op in more:
            cls._bind_operator(op)

    @classmethod
    def _get_unary_operator(cls, op: Callable) -> Callable:
        """A method that applies the unary `op`."""
        raise NotImplementedError

    @classmethod
    def _get_binary_operator(cls, op: Callable, inv: bool = False) -> Callable:
        """A method that applies the binary `op`; with `inv`, the operands exchanged."""
        raise NotImplementedError


_OPERATORS = (
    "abs neg pos invert add sub mul floordiv truediv mod pow and_ or_ xor lshift rshift "
    "eq ge gt ne lt le matmul"
).split()
_UNARY = frozenset({"abs", "invert", "neg", "pos"})
_WITHOUT_REFLECTION = frozenset({"eq", "ge", "getitem", "gt", "le", "lt", "ne"})


class cached_property(functools.cached_property):
    """A ``functools.cached_property`` that cannot be assigned to."""

    def __set__(self, instance: Any, value: Any) -> None:
        raise AttributeError(f"Can't set attribute {self.attrname!r}")


def partial_by_order(*args: Any, function: Callable, other: list[tuple[int, Any]]) -> Any:
    """Call `function` with `args`, into which the values of `other` are put at their positions.

    >>> import operator
    >>> partial_by_order(5, function=operator.add, other=[(1, 20)])
    25
    """
    arguments = list(args)
    for position, value in other:
        arguments.insert(position, value)
    return function(*arguments)
