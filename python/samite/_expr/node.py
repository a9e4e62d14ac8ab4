"""The node of an expression: an operation that is described, not yet a graph."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from samite._expr import rewriting

if TYPE_CHECKING:
    from samite.typing import Key


def _unwrap(operand: Any) -> Any:
    """The expression of a collection, and anything else as it is."""
    if isinstance(operand, Expr):
        return operand
    expr = getattr(operand, "expr", None)
    return expr if isinstance(expr, Expr) else operand


class Expr:
    """An operation and its operands.

    A subclass lists the names of its operands in ``_parameters`` (and default values in
    ``_defaults``); they can be read and set as attributes. It describes its tasks in
    :meth:`_layer`, and how it can be made simpler in the methods ``_simplify_down``,
    ``_simplify_up``, ``_lower``, ``_tune_down`` and ``_tune_up``, which give a replacement or
    None.

    Two expressions with the same :attr:`_name` are the same operation on the same operands.
    """

    _parameters: ClassVar[list[str]] = []
    _defaults: ClassVar[dict[str, Any]] = {}
    # What collections of data frames know of a result without its metadata.
    _derived_schema: Any = None
    # Whether values of cached properties travel with a pickled expression.
    _pickle_functools_cache: bool = True

    operands: list[Any]
    _determ_token: str | None

    def __new__(cls, *args: Any, _determ_token: str | None = None, **kwargs: Any) -> Any:
        operands = list(args)
        for name in cls._parameters[len(operands) :]:
            if name in kwargs:
                operands.append(kwargs.pop(name))
            elif name in cls._defaults:
                operands.append(cls._defaults[name])
            else:
                raise TypeError(f"{cls.__name__} is missing the operand {name!r}")
        if kwargs:
            raise TypeError(f"{cls.__name__} has no operands {sorted(kwargs)}")
        self = object.__new__(cls)
        self._determ_token = _determ_token
        self.operands = [_unwrap(operand) for operand in operands]
        # The names of operands are known already, so finding the name here is cheap; later,
        # for a deep expression, it would not be.
        self._name  # noqa: B018
        return self

    # -- operands ----------------------------------------------------------------------

    def operand(self, key: str) -> Any:
        """The operand of that name."""
        return self.operands[type(self)._parameters.index(key)]

    def __getattr__(self, name: str) -> Any:
        # Only called when the usual way fails.
        if name in ("operands", "_determ_token"):
            raise AttributeError(name)
        if name in type(self)._parameters:
            position = type(self)._parameters.index(name)
            if position < len(self.operands):
                return self.operands[position]
        if hasattr(type(self), name):
            raise AttributeError(
                f"{type(self).__name__!r}: computing the attribute {name!r} raised AttributeError"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in type(self)._parameters:
            self.operands[type(self)._parameters.index(name)] = value
        elif name in ("operands", "_determ_token") or hasattr(type(self), name):
            object.__setattr__(self, name, value)
        else:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r} that could be set"
            )

    def dependencies(self) -> list[Expr]:
        """The operands that are expressions."""
        return [operand for operand in self.operands if isinstance(operand, Expr)]

    # -- identity ----------------------------------------------------------------------

    @functools.cached_property
    def _funcname(self) -> str:
        return type(self).__name__.lower()

    @property
    def deterministic_token(self) -> str:
        """A hash of the operation; equal operations have equal tokens in every process."""
        if not self._determ_token:
            self._determ_token = self.__dask_tokenize__()
        return self._determ_token

    @functools.cached_property
    def _name(self) -> str:
        return f"{self._funcname}-{self.deterministic_token}"

    def __dask_tokenize__(self) -> Any:
        if not self._determ_token:
            from samite.tokenize import tokenize

            self._determ_token = tokenize(
                type(self).__name__, *self.operands, ensure_deterministic=True
            )
        return self._determ_token

    def __hash__(self) -> int:
        return hash(self._name)

    def __reduce__(self) -> tuple[Any, ...]:
        cached: dict[str, Any] = {}
        if self._pickle_functools_cache:
            cached = {
                name: value
                for name, value in self.__dict__.items()
                if isinstance(_class_attribute(type(self), name), functools.cached_property)
            }
        return (_reconstruct, (type(self), self.operands, self.deterministic_token, cached))

    # -- the graph ---------------------------------------------------------------------

    @property
    def _meta(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no metadata")

    def _task(self, key: Key, index: int) -> Any:
        """The task of one partition."""
        raise NotImplementedError(f"{type(self).__name__} defines no tasks")

    def _layer(self) -> Mapping[Key, Any]:
        """The tasks that this operation adds to those of its operands."""
        return {(self._name, i): self._task((self._name, i), i) for i in range(self.npartitions)}

    def __dask_keys__(self) -> list[Any]:
        return [(self._name, i) for i in range(self.npartitions)]

    def __dask_graph__(self) -> dict[Key, Any]:
        """The tasks of the whole expression."""
        graph: dict[Key, Any] = {}
        for node in self.walk():
            graph.update(node._layer())
        return graph

    @property
    def dask(self) -> Mapping[Key, Any]:
        return self.__dask_graph__()

    def __dask_annotations__(self) -> dict[str, dict[Key, Any]]:
        """Hints for a scheduler: by kind, then by key."""
        return {}

    def finalize_compute(self) -> Expr:
        """The expression of the one result that ``compute`` gives."""
        return self

    # -- rewriting ---------------------------------------------------------------------

    def _simplify_down(self) -> Any:
        """A simpler expression in place of this one, or None."""
        return None

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        """A simpler expression in place of ``parent``, of which this is an operand, or None."""
        return None

    def _tune_down(self) -> Any:
        """A faster expression in place of this one, or None."""
        return None

    def _tune_up(self, parent: Expr) -> Any:
        """A faster expression in place of ``parent``, or None."""
        return None

    def _lower(self) -> Any:
        """A more concrete expression in place of this one, or None."""
        return None

    def fuse(self) -> Expr:
        """Join neighbouring operations; by default nothing is joined."""
        return self

    def rewrite(self, kind: str, rewritten: dict[str, Any] | None = None) -> Any:
        """Apply the methods ``_{kind}_down`` and ``_{kind}_up`` until none has effect."""
        return rewriting.rewrite(self, kind, {} if rewritten is None else rewritten)

    def simplify_once(self, dependents: Mapping[str, Any], simplified: dict[str, Any]) -> Any:
        """Apply ``_simplify_down`` and ``_simplify_up`` once to every node."""
        return rewriting.simplify_once(self, dependents, simplified)

    def simplify(self) -> Expr:
        """Simplify until nothing changes."""
        return rewriting.simplify(self)

    def lower_once(self, lowered: dict[str, Any] | None = None) -> Any:
        """Apply ``_lower`` once to every node."""
        return rewriting.lower_once(self, {} if lowered is None else lowered)

    def lower_completely(self) -> Expr:
        """Apply ``_lower`` until nothing changes."""
        return rewriting.lower_completely(self)

    def optimize(self, fuse: bool = False) -> Expr:
        """All rewriting there is; ``fuse`` adds the joining of operations."""
        return rewriting.optimize(self, fuse)

    # -- looking around ----------------------------------------------------------------

    def walk(self) -> Iterator[Expr]:
        """Every different node of the expression once, from the outermost inwards."""
        seen: set[str] = set()
        stack: list[Expr] = [self]
        while stack:
            node = stack.pop()
            if node._name not in seen:
                seen.add(node._name)
                yield node
                stack.extend(node.dependencies())

    def find_operations(self, operation: type | tuple[type, ...]) -> Iterator[Expr]:
        """The nodes of the given type."""
        return (node for node in self.walk() if isinstance(node, operation))

    def substitute(self, old: Any, new: Any) -> Expr:
        """Put ``new`` in the place of ``old``, an expression or the value of an operand."""
        return rewriting.substitute(self, old, new)

    def substitute_parameters(self, substitutions: Mapping[str, Any]) -> Expr:
        """The same operation with other operands, given by name."""
        operands = [
            substitutions.get(name, operand)
            for name, operand in zip(self._parameters, self.operands)
        ]
        operands += self.operands[len(operands) :]
        if all(a is b for a, b in zip(operands, self.operands)):
            return self
        return type(self)(*operands)

    def _depth(self, cache: dict[str, int] | None = None) -> int:
        """The number of nodes on the longest way to an innermost one."""
        return rewriting.depth(self, {} if cache is None else cache)

    # -- display -----------------------------------------------------------------------

    def _operands_for_repr(self) -> list[str]:
        return [f"{name}={value!r}" for name, value in zip(self._parameters, self.operands)]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._operands_for_repr())})"

    __str__ = __repr__

    def _tree_repr_lines(self, indent: int = 0, recursive: bool = True) -> list[str]:
        """Lines that show the expression as an indented tree; defaults are left out."""
        lines: list[str] = []
        stack: list[tuple[Any, int]] = [(self, indent)]
        while stack:
            node, depth = stack.pop()
            facts = []
            for i, operand in enumerate(node.operands):
                if isinstance(operand, Expr):
                    continue
                name = node._parameters[i] if i < len(node._parameters) else None
                if name in node._defaults and repr(node._defaults[name]) == repr(operand):
                    continue
                facts.append(f" {name}={operand!r}" if name else f" {operand!r}")
            lines.append(f"{' ' * depth}{type(node).__name__}:{''.join(facts)}")
            if recursive:
                stack += [(child, depth + 2) for child in reversed(node.dependencies())]
        return lines

    def tree_repr(self) -> str:
        """The expression as an indented tree."""
        return "\n".join(self._tree_repr_lines())

    def pprint(self) -> None:
        """Print the expression as an indented tree."""
        print(self.tree_repr())

    def visualize(
        self, filename: str | None = "samite-expr.svg", format: str | None = None, **kwargs: Any
    ) -> Any:
        """Draw the expression; takes what :func:`samite.dot.draw_layers` takes."""
        from samite.dot import draw_layers

        needed = {
            node._name: {child._name for child in node.dependencies()} for node in self.walk()
        }
        kwargs.setdefault("title", "expression")
        return draw_layers(needed, dict.fromkeys(needed, 1), filename, format, **kwargs)


def _class_attribute(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


def _reconstruct(
    cls: type[Expr], operands: Iterable[Any], token: str, cached: Mapping[str, Any]
) -> Expr:
    expr = cls(*operands, _determ_token=token)
    expr.__dict__.update(cached)
    return expr


class SingletonExpr(Expr):
    """An expression of which, for each name, there is at most one object at a time.

    Optimizers make the same node again and again; this spares the work, and all that the node
    has cached is shared. A subclass with an ``__init__`` is excepted, since that would run
    again on the object that exists.
    """

    _instances: ClassVar[weakref.WeakValueDictionary[str, SingletonExpr]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._instances = weakref.WeakValueDictionary()

    def __new__(cls, *args: Any, _determ_token: str | None = None, **kwargs: Any) -> Any:
        new = super().__new__(cls, *args, _determ_token=_determ_token, **kwargs)
        if cls.__init__ is not object.__init__:
            return new
        existing = cls._instances.get(new._name)
        if existing is not None and new._is_same(existing):
            return existing
        cls._instances[new._name] = new
        return new

    def _is_same(self, other: SingletonExpr) -> bool:
        """Whether an expression of the same name can stand for this one.

        Names say what is computed, not which objects hold it: results of one client's cluster
        and of another's have the same keys.
        """
        return all(
            mine is its
            for mine, its in zip(self.operands, other.operands, strict=False)
            if isinstance(mine, Expr)
        )


SingletonExpr._instances = weakref.WeakValueDictionary()
