"""The nodes that expressions of data frames are made of.

A node knows the metadata of its result (an empty pandas object), the divisions of its partitions
and its tasks. :class:`Partitionwise` is a function of one partition of each operand at a time;
:class:`Elementwise` is one that also keeps the rows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from samite._expr import Expr, SingletonExpr
from samite._task_spec import Task, TaskRef
from samite.dataframe.metadata import make_meta


class FrameExpr(SingletonExpr):
    """An expression whose results are partitions of a data frame, series or index, or one scalar.

    A subclass gives ``_meta`` (cached), ``_divisions()`` and either ``_task(key, i)`` or
    ``_layer()``; one that only stands for others gives ``_lower()`` in place of tasks.
    """

    # Whether the layer begins with tasks ``_chunk_task(key, i)``, which read partition i of the
    # operands, and goes on with ``_layer_over(keys)``.
    _begins_with_chunks: ClassVar[bool] = False
    # Whether each row of the first operand has one in the result, in the same place of the same
    # partition, though tasks know more than one partition.
    _keeps_places: ClassVar[bool] = False
    # Whether there are no operands, and a task of its own for each partition.
    _makes_partitions: ClassVar[bool] = False

    @functools.cached_property
    def _meta(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no metadata")

    @property
    def _derived_schema(self) -> Any:
        """The schema of the result where it is known without the metadata; None otherwise."""
        # In the way of a cached property, but it does not travel with the expression.
        found = self.__dict__.get("_schema_found", self)
        if found is self:
            from samite.dataframe.expressions.schema_rules import derived

            found = self.__dict__["_schema_found"] = derived(self)
        return found

    @property
    def _schema(self) -> Any:
        """The schema of the result; None where the metadata is not plain."""
        found = self._derived_schema
        if found is None:
            found = self.__dict__.get("_schema_of_meta", self)
            if found is self:
                from samite.dataframe.schemas import Schema

                found = self.__dict__["_schema_of_meta"] = Schema.of(self._meta)
        return found

    def _divisions(self) -> Sequence[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no divisions")

    @functools.cached_property
    def divisions(self) -> tuple[Any, ...]:
        """The bounds of the partitions by index value, or as many times None."""
        return tuple(self._divisions())

    @property
    def npartitions(self) -> int:
        return len(self.divisions) - 1

    @property
    def known_divisions(self) -> bool:
        return len(self.divisions) > 0 and self.divisions[0] is not None

    @functools.cached_property
    def ndim(self) -> int:
        """2 of a frame, 1 of a series or an index, 0 of a scalar."""
        schema = self._derived_schema
        return schema.ndim if schema is not None else getattr(self._meta, "ndim", 0)

    @property
    def columns(self) -> list[Any]:
        """The labels of the columns; of a series its name alone."""
        schema = self._derived_schema
        if schema is not None:
            return list(schema.labels)
        meta = self._meta
        if self.ndim == 2:
            return list(meta.columns)
        return [getattr(meta, "name", None)] if self.ndim == 1 else []

    @property
    def name(self) -> Any:
        return self._meta.name

    @property
    def dtypes(self) -> Any:
        return self._meta.dtypes

    @property
    def dtype(self) -> Any:
        return self._meta.dtype

    def __str__(self) -> str:
        return readable(self)

    def __bool__(self) -> bool:
        raise ValueError(
            f"The truth value of a {type(self).__name__} is ambiguous: it is not computed yet. "
            "Use a.any() or a.all()."
        )

    def __getitem__(self, key: Any) -> Expr:
        from samite.dataframe.expressions.selection import Filter, Projection

        return Filter(self, key) if isinstance(key, Expr) else Projection(self, key)

    def __getattr__(self, name: str) -> Any:
        # Only called when the usual way fails.
        try:
            return super().__getattr__(name)
        except AttributeError:
            # A name of this sort belongs to the machinery, and metadata may be what is looked for.
            if name.startswith("_") or hasattr(type(self), name):
                raise
            if name in self.columns:
                return self[name]
            raise

    def finalize_compute(self) -> Expr:
        from samite.dataframe.expressions.finalize import Concatenated

        if self.npartitions == 1:
            return self
        return Concatenated(self)

    def fuse(self) -> Expr:
        from samite.dataframe.expressions.fusion import fuse

        return fuse(self)


def _operator(symbol: str, reflected: bool) -> Any:
    def method(self: FrameExpr, other: Any) -> Expr:
        from samite.dataframe.expressions.elementwise import Operator

        return Operator(symbol, other, self) if reflected else Operator(symbol, self, other)

    return method


for _word in "add sub mul truediv floordiv mod pow and or xor".split():
    _symbol = f"{_word}_" if _word in ("and", "or") else _word
    setattr(FrameExpr, f"__{_word}__", _operator(_symbol, False))
    setattr(FrameExpr, f"__r{_word}__", _operator(_symbol, True))
for _word in ("lt", "le", "gt", "ge"):
    setattr(FrameExpr, f"__{_word}__", _operator(_word, False))


class Partitionwise(FrameExpr):
    """A function of one partition of each operand.

    ``operation`` is called with the operands in order, those named in ``_keywords`` by name.
    Operands of one partition are given to every partition of a result of more.
    """

    operation: Any = None
    _keywords: ClassVar[tuple[str, ...]] = ()
    # Operands that steer the node and are no arguments of `operation`.
    _hidden: ClassVar[tuple[str, ...]] = ()
    # Whether a column of the result depends on nothing but that column of each frame.
    _passes_projection: ClassVar[bool] = False
    _keeps_divisions: ClassVar[bool] = True
    # Whether the result depends on which partition it is, beside its rows.
    _knows_position: ClassVar[bool] = False
    # Whether its tasks are the same for all partitions even so, but for what they read.
    _tasks_alike: ClassVar[bool] = False

    @functools.cached_property
    def _meta(self) -> Any:
        schema = self._derived_schema
        if schema is not None:
            return schema.meta
        return make_meta(self._call([_meta_of(operand) for operand in self.operands]))

    def _call(self, operands: Sequence[Any]) -> Any:
        arguments, keywords = self._bound(operands)
        return self.operation(*arguments, **keywords)

    def _bound(self, operands: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        names = type(self)._parameters
        arguments, keywords = [], {}
        for position, operand in enumerate(operands):
            name = names[position] if position < len(names) else None
            if name in self._hidden:
                continue
            if name in self._keywords:
                keywords[name] = operand
            else:
                arguments.append(operand)
        return arguments, keywords

    def _divisions(self) -> Sequence[Any]:
        return partitionwise_divisions(self, self._keeps_divisions)

    def _is_broadcast(self, dependency: Expr) -> bool:
        """Whether every partition gets the one partition of ``dependency``."""
        return dependency.npartitions == 1 and (dependency.ndim == 0 or self.npartitions != 1)

    def _argument(self, operand: Any, index: int) -> Any:
        if isinstance(operand, Expr):
            return TaskRef((operand._name, 0 if self._is_broadcast(operand) else index))
        return operand

    def _task(self, key: Any, index: int) -> Task:
        arguments, keywords = self._bound([self._argument(o, index) for o in self.operands])
        return Task(key, self.operation, *arguments, **keywords)

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        from samite.dataframe.expressions.selection import Projection

        if self._passes_projection and isinstance(parent, Projection):
            return self._with_projected_operands(parent.operand("columns"))
        return None

    def _with_projected_operands(self, columns: Any) -> Expr | None:
        """This operation on those columns alone."""
        from samite.dataframe.expressions.selection import Projection

        if self.ndim < 2:
            return None
        operands = [
            Projection(operand, columns)
            if isinstance(operand, FrameExpr) and operand.ndim == 2
            else operand
            for operand in self.operands
        ]
        return type(self)(*operands)


class Elementwise(Partitionwise):
    """A function of partitions whose result has the rows of its operands, in their order."""

    _passes_projection = True
    # Whether an index that is made of an index has its values.
    _keeps_labels: ClassVar[bool] = False

    def _divisions(self) -> Sequence[Any]:
        keeps = self._keeps_divisions and (self._keeps_labels or not self._changes_index())
        return partitionwise_divisions(self, keeps)

    def _changes_index(self) -> bool:
        """Whether the labels that the divisions speak of are what the function changes."""
        # What has a schema is no index.
        if self.ndim != 1 or self._derived_schema is not None or hasattr(self._meta, "index"):
            return False
        return all(
            frame.ndim == 1 and not hasattr(frame._meta, "index")
            for frame in frames_among(self.operands)
        )


def _meta_of(operand: Any) -> Any:
    return operand._meta if isinstance(operand, Expr) else operand


def frames_among(operands: Iterable[Any]) -> list[FrameExpr]:
    """The operands that are expressions and no scalars."""
    return [o for o in operands if isinstance(o, FrameExpr) and o.ndim > 0]


def partitionwise_divisions(expr: FrameExpr, keep: bool = True) -> Sequence[Any]:
    """The divisions of a function of partitions: those of the operands with most partitions.

    Raises
    ------
    ValueError
        Operands of more than one partition differ in their number.
    """
    frames = frames_among(expr.dependencies()) or [
        dependency for dependency in expr.dependencies() if isinstance(dependency, FrameExpr)
    ]
    if not frames:
        return (None, None)
    most = max(frame.npartitions for frame in frames)
    widest = [frame for frame in frames if frame.npartitions == most]
    for frame in frames:
        if frame.npartitions not in (1, most):
            raise ValueError(
                f"{type(expr).__name__} takes partitions one by one, but its operands have "
                f"{frame.npartitions} and {most}; repartition one of them"
            )
    if not keep:
        return (None,) * (most + 1)
    known = [frame for frame in widest if frame.known_divisions]
    return (known or widest)[0].divisions


def row_sources(expr: Expr) -> set[str]:
    """The names of the nodes that decide on the rows of ``expr``: those below its elementwise
    operations. Frames with equal sources have the same rows in the same partitions."""
    return _sources(expr, lambda node: isinstance(node, Elementwise))


def partition_sources(expr: Expr) -> set[str]:
    """The names of the nodes that decide which rows are in which partition: those below
    functions of partitions."""
    return _sources(expr, lambda node: isinstance(node, Partitionwise) or node._keeps_places)


def _sources(expr: Expr, goes_through: Callable[[Any], bool]) -> set[str]:
    found: set[str] = set()
    stack, seen = [expr], set()
    while stack:
        node = stack.pop()
        if node._name in seen:
            continue
        seen.add(node._name)
        frames = frames_among(node.dependencies())
        if frames and goes_through(node):
            stack.extend(frames)
        else:
            found.add(node._name)
    return found


def are_co_aligned(*exprs: Expr) -> bool:
    """Whether partition i of each is made of the same rows, by construction."""
    sources: set[str] = set()
    for frame in frames_among(exprs):
        sources |= partition_sources(frame)
    return len(sources) <= 1


def columns_wanted(expr: FrameExpr, dependents: Mapping[str, Any]) -> list[Any] | None:
    """The columns of ``expr`` that anybody reads, in its order; None if somebody reads all."""
    from samite.dataframe.expressions.selection import Projection

    wanted: set[Any] = set()
    for reference in dependents[expr._name]:
        reader = reference()
        if reader is None:
            continue
        if not isinstance(reader, Projection):
            return None
        wanted.update(reader.columns if reader.ndim == 2 else [reader.operand("columns")])
    return [column for column in expr.columns if column in wanted]


def readable(expr: Any) -> str:
    """An expression as a user would write it, with ``df`` for what it starts from."""
    describe = getattr(expr, "_readable", None)
    if describe is not None:
        return describe()
    if not isinstance(expr, Expr):
        return repr(expr)
    if not expr.dependencies():
        return "df"
    parts = []
    for name, operand in zip(type(expr)._parameters, expr.operands, strict=False):
        if isinstance(operand, Expr):
            parts.append(f"{name}={readable(operand)}")
        elif name not in type(expr)._defaults or operand is not type(expr)._defaults[name]:
            parts.append(f"{name}={operand!r}")
    return f"{type(expr).__name__}({', '.join(parts)})"
