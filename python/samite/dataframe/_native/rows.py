"""What the translation of an expression gives: columns over a plan of the engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any


class NotNative(Exception):
    """An operation has no native form."""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a result: its label, its value over the columns of the plan, and its dtype as
    pandas has it. The value is None where the engine has no such column; that matters only to
    who reads it."""

    label: Any
    scalar: Any
    dtype: Any


@dataclasses.dataclass(frozen=True)
class Window:
    """Columns of a plan that go on from row to row within groups, or are of whole groups.

    ``given`` are the names and values of the keys and columns that it reads, over the plan that it
    is added to; ``columns`` are a name, a function and a name of ``given`` (or None) each.
    """

    name: str
    given: tuple[tuple[str, Any], ...]
    keys: tuple[str, ...]
    columns: tuple[tuple[str, str, str | None], ...]
    drop_missing: bool = True
    parts: tuple[int, ...] | None = None
    # Whether the functions are of all rows of a group, and not of those up to a row.
    whole: bool = False
    # Whether they are ways to rank the values of a group, and whether the greatest is the first.
    ranks: bool = False
    descends: bool = False

    def over(self, plan: Any) -> Any:
        """The plan with the columns."""
        from samite import _engine

        column = _engine.FrameScalar.column
        kept = [(name, column(name)) for name in plan.schema.names()]
        plan = engine(plan.project, [*kept, *self.given])
        if self.ranks:
            for column_of_ranks in self.columns:
                plan = self._ranked(plan, *column_of_ranks)
            return plan
        if self.whole:
            table = engine(plan.aggregate, list(self.keys), list(self.columns), self.drop_missing)
            pairs = [(key, key) for key in self.keys]
            return engine(plan.lookup, table, pairs, [(own, own) for own, *_ in self.columns])
        parts = None if self.parts is None else list(self.parts)
        return engine(plan.window, list(self.keys), list(self.columns), self.drop_missing, parts)

    def _ranked(self, plan: Any, name: str, how: str, value: str) -> Any:
        """The plan with the places of values among those of their group: a table of the different
        values of each group, in order, tells how many rows come before them."""
        from samite import _engine

        def call(function: str, *arguments: Any) -> Any:
            return engine(_engine.FrameScalar.call, function, list(arguments))

        column, number = _engine.FrameScalar.column, _engine.FrameScalar.literal
        count, upto, before, rank = (f"{name} {word}" for word in ("count", "upto", "row", "rank"))
        keys = list(self.keys)
        table = engine(plan.filter, call("not_missing", column(value)))
        table = engine(table.aggregate, [*keys, value], [(count, "size", None)], self.drop_missing)
        order = [*((key, False, False) for key in keys), (value, self.descends, False)]
        table = engine(table.sort, order, None, False)
        running = [(upto, "cumsum", count), (before, "cumcount", None)]
        table = engine(table.window, keys, running, False, None)
        last, rows = column(upto).cast("Float64"), column(count).cast("Float64")
        values = {
            "average": call(
                "subtract", last, call("divide", call("subtract", rows, number(1.0)), number(2.0))
            ),
            "min": call("add", call("subtract", last, rows), number(1.0)),
            "max": last,
            "dense": call("add", column(before).cast("Float64"), number(1.0)),
            "first": call("subtract", last, rows),
        }
        own = [*keys, value]
        pairs = [*((key, column(key)) for key in own), (rank, values[how])]
        table = engine(table.project, pairs)
        if how != "first":
            return engine(plan.lookup, table, [(key, key) for key in own], [(name, rank)])
        plan = engine(plan.lookup, table, [(key, key) for key in own], [(rank, rank)])
        plan = engine(plan.window, own, [(before, "cumcount", None)], False, None)
        kept = [(each, column(each)) for each in plan.schema.names() if each not in (rank, before)]
        place = call("add", column(before).cast("Float64"), number(1.0))
        return engine(plan.project, [*kept, (name, call("add", column(rank), place))])


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of a frame, series or index.

    ``plan`` is a relation of the engine, and the columns are expressions over it. ``source``
    names what decides on the rows: rows of equal sources belong together one by one.
    """

    plan: Any
    source: str
    columns: tuple[Column, ...]
    # The levels of the index; None for a range that begins anew.
    index: tuple[Column, ...] | None
    ndim: int
    # Whether anything is done that the engine does better than pandas.
    worthwhile: bool = False
    # Partitions have to be computed one by one, for labels that count from each one's start.
    one_by_one: bool = False
    # Whether the partitions of the plan are those of the expression.
    partitioned: bool = True
    # Whether the order of the rows is the engine's, and may be another one when it computes other
    # columns of the same rows.
    unordered: bool = False
    # What the rows are known to be sorted by, so that no two are equal in it: columns, each with
    # whether it descends. Missing values come last.
    order: tuple[tuple[Column, bool], ...] = ()
    # Whether the plan sorts the rows, so that it can count them.
    placed: bool = False
    # Whether pandas would have moved the rows to other partitions, by their labels.
    moved: bool = False
    # What finds how many rows each partition has, where that is known without reading them.
    lengths: Callable[[], Sequence[int] | None] | None = None
    # The columns that the plan adds to those of ``base``, which go on from row to row.
    windows: tuple[Window, ...] = ()
    base: Any = None

    def with_columns(self, columns: Sequence[Column], ndim: int | None = None) -> Rows:
        """The same rows with other columns."""
        ndim = self.ndim if ndim is None else ndim
        return dataclasses.replace(self, columns=tuple(columns), ndim=ndim)

    def column(self, label: Any) -> Column:
        """The column of that label."""
        found = [c for c in self.columns if c.label == label and type(c.label) is type(label)]
        if len(found) != 1:
            raise NotNative(f"there are {len(found)} columns {label!r}")
        if found[0].scalar is None:
            raise NotNative(f"a column of {found[0].dtype}")
        return found[0]

    @property
    def only(self) -> Column:
        """The column of a series."""
        if self.ndim != 1:
            raise NotNative("not a series")
        return self.columns[0]


@dataclasses.dataclass(frozen=True)
class Reduced:
    """One row: a scalar, or a series over labels."""

    plan: Any
    columns: tuple[Column, ...]
    ndim: int


@dataclasses.dataclass(frozen=True)
class Single:
    """A scalar in the place of a plain value: the plan that computes it, and what it is in the
    expressions of other plans."""

    plan: Any
    scalar: Any
    dtype: Any


def settled(rows: Rows, index: bool, order: bool = False) -> tuple[Rows, list[str], list[str]]:
    """The rows over a plan whose columns are those of the rows and no others; their names in
    it ("" for those that the engine does not have), and those of the index. ``order`` keeps what
    the rows are sorted by too, under labels that are the names in the plan."""
    from samite import _engine

    taken: set[str] = set()
    pairs, names, levels = [], [], []
    for column in rows.columns:
        if column.scalar is None:
            names.append("")
            continue
        names.append(_name_for(column.label, taken))
        pairs.append((names[-1], column.scalar))
    if index:
        for column in rows.index or ():
            levels.append(_name_for(column.label, taken, prefix="index "))
            pairs.append((levels[-1], column.scalar))
    sorted_by = []
    for column, descends in rows.order if order else ():
        name = _name_for(column.label, taken, prefix="order ")
        pairs.append((name, column.scalar))
        sorted_by.append((name, column, descends))
    plan = engine(rows.plan.project, pairs)
    scalar = _engine.FrameScalar.column
    columns = tuple(
        dataclasses.replace(c, scalar=scalar(n)) if n else c
        for c, n in zip(rows.columns, names, strict=True)
    )
    own: Any = rows.index if not index else None
    if index and rows.index is not None:
        own = tuple(
            dataclasses.replace(c, scalar=scalar(n))
            for c, n in zip(rows.index, levels, strict=True)
        )
    kept = tuple(
        (dataclasses.replace(column, label=name, scalar=scalar(name)), descends)
        for name, column, descends in sorted_by
    )
    found = dataclasses.replace(
        rows,
        plan=plan,
        columns=columns,
        index=own,
        order=kept,
        placed=False,
        windows=(),
        base=None,
    )
    return found, names, levels


def with_windows(rows: Rows, windows: Sequence[Window]) -> Rows:
    """The rows over a plan that has the columns of windows too.

    Raises
    ------
    NotNative
        The rows have no order, or labels that only single partitions have.
    """
    known = {window.name for window in rows.windows}
    new = [window for window in windows if window.name not in known]
    if not new:
        return rows
    if rows.unordered:
        raise NotNative("windows of rows of no order")
    base = rows.plan if rows.base is None else rows.base
    if rows.one_by_one:
        new.insert(0, _places(rows))
    plan = rows.plan
    for window in new:
        plan = window.over(plan)
    placed = {
        "index": _placed_index(rows, new[0]) if rows.one_by_one else rows.index,
        "one_by_one": False,
    }
    return dataclasses.replace(
        rows, plan=plan, base=base, windows=(*rows.windows, *new), worthwhile=True, **placed
    )


def fewer(rows: Rows, plan: Any, source: str) -> Rows:
    """The rows that a plan over their own one has left."""
    return dataclasses.replace(rows, plan=plan, source=source, lengths=None, windows=(), base=None)


def _places(rows: Rows) -> Window:
    """The labels of rows that are counted in each partition."""
    lengths = None if rows.lengths is None else rows.lengths()
    if lengths is None or rows.index is None or len(rows.index) != 1:
        raise NotNative("labels that count from the start of each partition")
    return Window("places", (), (), (("\x01place", "places", None),), True, tuple(lengths))


def _placed_index(rows: Rows, places: Window) -> tuple[Column, ...]:
    from samite import _engine

    (level,) = rows.index or ()
    ((name, _, _),) = places.columns
    return (dataclasses.replace(level, scalar=_engine.FrameScalar.column(name)),)


def beside(rows: Rows, given: Rows) -> tuple[Rows, Rows]:
    """Rows, and the same rows with other columns, over one plan.

    Raises
    ------
    NotNative
        They are other rows.
    """
    if given.source != rows.source:
        raise NotNative("values of other rows")
    rows = with_windows(rows, [w for w in given.windows if w.name != "places"])
    return rows, dataclasses.replace(given, plan=rows.plan, base=rows.base, windows=rows.windows)


def counts_rows(rows: Rows) -> bool:
    """Whether the labels are the places of the rows in an order that is pandas' too."""
    return rows.index is None and not rows.partitioned and not rows.unordered


def numbered(rows: Rows) -> Rows:
    """The rows with labels that count them as a column, for when they change places.

    Raises
    ------
    NotNative
        The plan does not give the rows in pandas' order.
    """
    import numpy as np

    from samite import _engine

    if not rows.placed:
        raise NotNative("labels that count rows of no order")
    name = "label of row"
    while name in rows.plan.schema.names():
        name += "'"
    plan = engine(rows.plan.row_number, name)
    scalar = _engine.FrameScalar.column(name).cast("Int64")
    return dataclasses.replace(
        rows, plan=plan, index=(Column(None, scalar, np.dtype("int64")),), windows=(), base=None
    )


def some_of(rows: Rows, index: bool) -> Rows:
    """Rows of which some will be left out. ``index`` says whether their labels are wanted.

    Integers with missing values are floats in pandas, and stay so where those that miss them are
    left out. The engine would take them for integers again, so that it does not have them.

    Raises
    ------
    NotNative
        The labels are wanted, and count rows of no order.
    """
    import numpy as np
    import pyarrow as pa

    if index and counts_rows(rows):
        rows = numbered(rows)
    whole = {
        place
        for place, column in enumerate(rows.columns)
        if column.scalar is not None
        and isinstance(column.dtype, np.dtype)
        and column.dtype.kind in "iub"
    }
    if not whole:
        return rows
    pairs = [(str(place), rows.columns[place].scalar) for place in sorted(whole)]
    schema = pa.schema(engine(rows.plan.project, pairs).schema)
    if not any(field.nullable for field in schema):
        return rows
    columns = [
        dataclasses.replace(column, scalar=None)
        if place in whole and schema.field(str(place)).nullable
        else column
        for place, column in enumerate(rows.columns)
    ]
    return rows.with_columns(columns)


def _name_for(label: Any, taken: set[str], prefix: str = "") -> str:
    name = prefix + (label if isinstance(label, str) else repr(label))
    while name in taken or "\x01" in name:
        name = name.replace("\x01", " ") + "'"
    taken.add(name)
    return name


def engine(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the engine; what it has no native form for is :class:`NotNative`."""
    try:
        return function(*arguments)
    except (NotImplementedError, KeyError, ValueError, TypeError, OverflowError) as failed:
        raise NotNative(str(failed)) from failed
