"""Expressions as plans of the engine, node by node."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from samite import _engine
from samite._expr import Expr
from samite.dataframe._native import groups, scalars, sources, text_sources, windows
from samite.dataframe._native.categories import (
    is_categorical,
    plain_key,
    with_place,
    with_plain_keys,
)
from samite.dataframe._native.rows import (
    Column,
    NotNative,
    Reduced,
    Rows,
    Single,
    beside,
    counts_rows,
    engine,
    fewer,
    numbered,
    settled,
    some_of,
)
from samite.dataframe._native.scalars import labelled, look
from samite.dataframe._native.types import is_native, literal
from samite.dataframe.expressions.node import FrameExpr
from samite.dataframe.metadata import no_default

# What the engine does better than pandas on partitions; by the names of nodes, which are in
# modules that need not have been imported.
WORTHWHILE = frozenset(
    {
        "ReadParquet",
        "Reduction",
        "MomentReduction",
        "Length",
        "GroupByAggregation",
        "GroupByFunction",
        "RunningOfGroups",
        "Merge",
        "SortValues",
        "DropDuplicates",
        "EndRows",
        "EndOfSorted",
        "ValueCounts",
        "CountDifferent",
        "SqlQuery",
    }
)


def is_worthwhile(node: Expr) -> bool:
    """Whether the node is one that the engine does better than pandas."""
    return type(node).__name__ in WORTHWHILE


class Translation:
    """Translates nodes, each once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], Rows | Reduced | NotNative] = {}
        # The plans of values that expressions have as parameters, by name.
        self._values: dict[str, Any] = {}

    def of(self, expr: FrameExpr, index: bool) -> Rows | Reduced:
        """The rows of ``expr``; ``index`` says whether its index is wanted.

        Raises
        ------
        NotNative
            There is no plan with the same meaning.
        """
        key = (expr._name, index)
        found = self._known.get(key)
        if found is None:
            try:
                found = self._of(expr, index)
            except NotNative as refused:
                found = refused
            self._known[key] = found
        if isinstance(found, NotNative):
            raise found
        return found

    def _of(self, expr: FrameExpr, index: bool) -> Rows | Reduced:
        handler = HANDLERS.get(type(expr).__name__)
        if handler is None:
            raise NotNative(type(expr).__name__)
        return handler(self, expr, index)

    def rows(self, expr: Any, index: bool) -> Rows:
        """The rows of an operand."""
        if not isinstance(expr, FrameExpr):
            raise NotNative("a plain value in place of rows")
        found = self.of(expr, index)
        if isinstance(found, Reduced):
            raise NotNative("a scalar in place of rows")
        return found

    def operand(self, value: Any, index: bool) -> Any:
        """The rows of an operand that is an expression, or its only value; others as they are."""
        if not isinstance(value, FrameExpr):
            return value
        found = self.of(value, index)
        return self._single(value, found) if isinstance(found, Reduced) else found

    def _single(self, expr: FrameExpr, found: Reduced) -> Single:
        import numpy as np
        import pyarrow as pa

        field = pa.schema(found.plan.schema).field(0)
        kinds = {pa.int64(): ("Int64", "int64"), pa.float64(): ("Float64", "float64")}
        if found.ndim or field.type not in kinds or (field.nullable and field.type == pa.int64()):
            raise NotNative(f"a computed {field.type} in an expression")
        kind, dtype = kinds[field.type]
        self._values[expr._name] = found.plan
        scalar = _engine.FrameScalar.parameter(expr._name, kind, field.nullable)
        return Single(found.plan, scalar, np.dtype(dtype))

    def bound(self, plan: Any) -> Any:
        """The plan with what computes the values that are parameters of its expressions."""
        names = plan.parameters()
        if not names:
            return plan
        return engine(plan.bind, [(name, self.bound(self._values[name])) for name in names])


def _projection(translation: Translation, expr: Any, index: bool) -> Rows:
    rows = translation.rows(expr.frame, index)
    if rows.ndim != 2:
        raise NotNative("a choice of rows")
    chosen = expr.operand("columns")
    if expr.ndim == 1:
        return rows.with_columns([rows.column(chosen)], ndim=1)
    return rows.with_columns([rows.column(label) for label in expr.columns])


def _filter(translation: Translation, expr: Any, index: bool) -> Rows:
    rows = translation.rows(expr.frame, index)
    predicate = translation.rows(expr.predicate, False)
    if predicate.ndim != 1:
        raise NotNative("a condition of several columns")
    rows, predicate = beside(rows, predicate)
    rows = some_of(rows, index)
    plan = engine(rows.plan.filter, predicate.only.scalar)
    source = f"{rows.source} where {expr.predicate._name}"
    return fewer(rows, plan, source)


def _operator(translation: Translation, expr: Any, index: bool) -> Rows | Reduced:
    left = translation.operand(expr.left, index)
    right = translation.operand(expr.right, index)
    if not isinstance(left, Rows) and not isinstance(right, Rows):
        return Reduced(scalars.singles(expr.symbol, left, right), (Column(None, None, None),), 0)
    return scalars.binary(expr.symbol, left, right, look(expr))


def _unary(translation: Translation, expr: Any, index: bool) -> Rows:
    return scalars.unary(expr.symbol, translation.rows(expr.frame, index), look(expr))


def _method(translation: Translation, expr: Any, index: bool) -> Rows:
    rows = translation.rows(expr.frame, index)
    arguments = [translation.operand(argument, False) for argument in expr.arguments]
    keywords = {name: translation.operand(v, False) for name, v in expr.keywords.items()}
    return scalars.method(rows, expr.method, arguments, keywords, look(expr))


def _accessor(translation: Translation, expr: Any, index: bool) -> Rows:
    rows = translation.rows(expr.frame, index)
    return scalars.accessor(
        rows,
        expr.accessor,
        expr.method,
        expr.is_property,
        expr.arguments,
        expr.keywords,
        look(expr),
    )


def _assign(translation: Translation, expr: Any, index: bool) -> Rows:
    rows = translation.rows(expr.frame, index)
    new: dict[Any, Any] = {}
    dtypes = dict(labelled(look(expr)))
    for label, value in zip(expr.labels, expr.values, strict=True):
        if isinstance(value, Expr):
            rows, given = beside(rows, translation.rows(value, False))
            new[label] = given.only.scalar
        else:
            if not is_native(dtypes[label]):
                raise NotNative(f"a column of {dtypes[label]}")
            new[label] = literal(value)
    columns = [
        Column(label, new[label], dtype)
        if label in new
        else next(c for c in rows.columns if c.label == label)
        for label, dtype in labelled(look(expr))
    ]
    return rows.with_columns(columns)


def _relabelled(translation: Translation, expr: Any, index: bool) -> Rows:
    rows = translation.rows(expr.frame, index)
    return scalars.each(rows, look(expr), lambda column: column.scalar)


def _to_frame(translation: Translation, expr: Any, index: bool) -> Rows:
    rows = translation.rows(expr.frame, index)
    if rows.ndim != 1 or not expr.operand("index"):
        raise NotNative("a frame of an index")
    return dataclasses.replace(scalars.each(rows, look(expr), lambda column: column.scalar), ndim=2)


def _aggregated(rows: Rows, functions: list[tuple[str, Column]]) -> Reduced:
    """One row of aggregations of columns."""
    plan = engine(
        rows.plan.project,
        [(str(i), column.scalar) for i, (_, column) in enumerate(functions)],
    )
    calls = [(str(i), function, str(i)) for i, (function, _) in enumerate(functions)]
    plan = engine(plan.aggregate, [], calls, True)
    return Reduced(plan, tuple(column for _, column in functions), rows.ndim - 1)


def _reduction(translation: Translation, expr: Any, index: bool) -> Reduced:
    how = expr.how
    if not expr.skipna and how != "count":
        raise NotNative("a reduction that keeps what is missing")
    if expr.axis not in (0, "index") or how not in ("sum", "min", "max", "count", "any", "all"):
        raise NotNative(f"the reduction {how}")
    if how == "sum" and expr.min_count:
        how = f"sum{expr.min_count}"
    rows = translation.rows(expr.frame, False)
    if expr.frame.ndim == 2 and list(expr._reduced_columns) != [c.label for c in rows.columns]:
        raise NotNative("a reduction of some columns")
    if not rows.columns:
        raise NotNative("a reduction of no columns")
    return _aggregated(rows, [(how, column) for column in rows.columns])


def _moment(translation: Translation, expr: Any, index: bool) -> Reduced:
    how = expr.how
    # The engine's variance loses digits of values far from zero, which pandas keeps.
    if not expr.skipna or expr.axis not in (0, "index") or how != "mean":
        raise NotNative(f"the reduction {how}")
    rows = translation.rows(expr.frame, False)
    if expr.frame.ndim == 2 and list(expr._reduced_columns) != [c.label for c in rows.columns]:
        raise NotNative("a reduction of some columns")
    if not rows.columns:
        raise NotNative("a reduction of no columns")
    return _aggregated(rows, [(how, column) for column in rows.columns])


def _length(translation: Translation, expr: Any, index: bool) -> Reduced:
    rows = translation.rows(expr.frame, False)
    plan = engine(rows.plan.aggregate, [], [("0", "size", None)], True)
    return Reduced(plan, (Column(None, None, None),), 0)


def _sort(translation: Translation, expr: Any, index: bool) -> Rows:
    if expr.function is not None or expr.keywords:
        raise NotNative("a sort by a function")
    keeps = index and not expr.ignore_index
    given = translation.rows(expr.frame, keeps)
    if given.one_by_one:
        raise NotNative("labels that count from the start of each partition")
    if keeps and counts_rows(given):
        given = numbered(given)
    rows, names, _ = settled(_with_places(given, expr), keeps, order=True)
    rows = _sorted(rows, _sort_keys(rows, names, expr), None)
    return dataclasses.replace(
        rows.with_columns(rows.columns[: len(given.columns)]),
        source=expr._name,
        worthwhile=True,
        partitioned=False,
        index=rows.index if keeps else None,
    )


def _sorted(rows: Rows, keys: list[tuple[str, bool, bool]], limit: int | None) -> Rows:
    """Settled rows, sorted; equal ones stay in the order that they have, if that is any."""
    if not rows.order:
        plan = engine(rows.plan.sort, keys, limit, not rows.unordered)
        return dataclasses.replace(rows, plan=plan, placed=True)
    # Rows out of a plan that sorts need not come in order to the next one.
    ties = [(column.label, descends, False) for column, descends in rows.order]
    plan = engine(rows.plan.sort, [*keys, *ties], limit, False)
    return dataclasses.replace(rows, plan=plan, order=(), placed=True)


def _rows_method(translation: Translation, expr: Any, index: bool) -> Rows:
    if expr.arguments:
        raise NotNative(f"the arguments of {expr.method}")
    if expr.method == "reset_index":
        return _reset_index(translation, expr, index)
    if expr.method == "dropna":
        return _dropna(translation, expr, index)
    raise NotNative(f"the method {expr.method}")


def _reset_index(translation: Translation, expr: Any, index: bool) -> Rows:
    keywords = dict(expr.keywords)
    drop = keywords.pop("drop", False)
    if keywords:
        raise NotNative("options of reset_index")
    rows = translation.rows(expr.frame, not drop)
    if index and rows.partitioned:
        raise NotNative("labels that count from the start of each partition")
    columns = list(rows.columns)
    if not drop:
        if rows.index is None or rows.one_by_one:
            raise NotNative("labels that count the rows")
        columns = [*rows.index, *columns]
    found = labelled(look(expr))
    if len(found) != len(columns):
        raise NotNative("a result of other columns")
    renamed = [
        Column(label, column.scalar, dtype)
        for column, (label, dtype) in zip(columns, found, strict=True)
    ]
    return dataclasses.replace(rows, columns=tuple(renamed), index=None, ndim=expr.ndim)


def _dropna(translation: Translation, expr: Any, index: bool) -> Rows:
    keywords = {name: value for name, value in expr.keywords.items() if value is not None}
    how = keywords.pop("how", "any")
    subset = keywords.pop("subset", None)
    if (
        how is not no_default
        and how != "any"
        or keywords.pop("thresh", no_default) is not no_default
    ):
        raise NotNative("options of dropna")
    if keywords.pop("axis", 0) not in (0, "index") or keywords.pop("ignore_index", False):
        raise NotNative("options of dropna")
    if keywords:
        raise NotNative("options of dropna")
    rows = translation.rows(expr.frame, index)
    labels = [c.label for c in rows.columns] if subset is None else subset
    labels = labels if isinstance(labels, list) else [labels]
    present = [scalars.call("not_missing", rows.column(label).scalar) for label in labels]
    rows = some_of(rows, index)
    plan = rows.plan
    for test in present:
        plan = engine(plan.filter, test)
    return fewer(rows, plan, expr._name)


def _drop_duplicates(translation: Translation, expr: Any, index: bool) -> Rows:
    keeps = index and not expr.ignore_index
    if expr.keep not in ("first", "last"):
        raise NotNative(f"duplicates with keep={expr.keep!r}")
    given = translation.rows(expr.frame, keeps)
    labels = [c.label for c in given.columns] if expr.subset is None else expr.subset
    labels = labels if isinstance(labels, list) else [labels]
    if keeps or {*labels} != {c.label for c in given.columns}:
        if expr.keep != "first":
            raise NotNative("the last of equal rows, with all that they have")
        return windows.first_of_equal(given, expr, labels, keeps)
    if given.one_by_one:
        raise NotNative("labels that count from the start of each partition")
    given = given.with_columns([plain_key(column) for column in given.columns])
    rows, names, _ = settled(given, keeps)
    places = {column.label: name for column, name in zip(rows.columns, names, strict=True)}
    plan = engine(rows.plan.distinct, [places[label] for label in labels], expr.keep)
    return dataclasses.replace(
        rows, plan=plan, source=expr._name, worthwhile=True, partitioned=False, index=None
    )


def _no_categories(rows: Rows) -> None:
    import pandas as pd

    if any(isinstance(c.dtype, pd.CategoricalDtype) for c in rows.columns):
        raise NotNative("categories")


def _count_different(translation: Translation, expr: Any, index: bool) -> Reduced:
    if not expr.dropna or expr.frame.ndim != 1:
        raise NotNative("different values of several columns")
    rows = translation.rows(expr.frame, False)
    _no_categories(rows)
    return _aggregated(rows, [("nunique", rows.only)])


def _end_rows(translation: Translation, expr: Any, index: bool) -> Rows:
    given = translation.rows(expr.frame, index)
    if given.one_by_one:
        raise NotNative("labels that count from the start of each partition")
    _no_categories(given)
    rows, names, _ = settled(some_of(given, index), index, order=True)
    places = {column.label: name for column, name in zip(rows.columns, names, strict=True)}
    by = names if expr.frame.ndim == 1 else expr.by
    by = by if isinstance(by, list) else [by]
    if expr.frame.ndim == 2:
        if any(label not in places for label in by):
            raise NotNative("an order by the index")
        by = [places[label] for label in by]
    descends = expr.how == "nlargest"
    keys = [(name, descends, False) for name in by]
    if not isinstance(expr.n, int) or expr.n < 0:
        raise NotNative("a number of rows that is none")
    rows = _sorted(rows, keys, expr.n)
    return dataclasses.replace(rows, source=expr._name, worthwhile=True, partitioned=False)


def _moved(translation: Translation, expr: Any, index: bool) -> Rows:
    if expr.on is not None or expr._drops_index:
        raise NotNative("rows in an order of their own")
    # So pandas brings together what belongs together by labels. Rows of one source do already.
    return dataclasses.replace(translation.rows(expr.frame, index), moved=True)


def _partitions(translation: Translation, expr: Any, index: bool) -> Rows:
    if list(expr.partitions) != list(range(expr.frame.npartitions)):
        raise NotNative("some of the partitions")
    return translation.rows(expr.frame, index)


def _head(translation: Translation, expr: Any, index: bool) -> Rows:
    frame = expr.frame
    if type(expr).__name__ == "First":
        # The first rows of the first rows of each partition.
        if type(frame).__name__ != "HeadOfPartitions" or frame.n < expr.n or frame.safe:
            raise NotNative("some rows of each partition")
        frame = frame.frame
    elif frame.npartitions != 1:
        raise NotNative("some rows of each partition")
    if expr.safe or type(expr.n) is not int or expr.n < 0:
        raise NotNative("a number of rows that is none, or warns")
    rows = translation.rows(frame, index)
    if rows.one_by_one:
        raise NotNative("labels that count from the start of each partition")
    if not _is_sorted(frame):
        # The first rows of the engine need not be the first ones in memory.
        raise NotNative("the first rows of no order")
    # The labels of the first rows are the same as before.
    rows = some_of(rows, index and not counts_rows(rows))
    plan = rows.plan.limit(0, expr.n)
    return dataclasses.replace(fewer(rows, plan, expr._name), partitioned=False)


def _is_sorted(expr: Any) -> bool:
    """Whether rows come out of a sort, whatever columns of them are left."""
    while type(expr).__name__ in ("Projection", "RenameColumns", "Partitions"):
        expr = expr.frame
    return type(expr).__name__ in ("SortValues", "EndOfSorted")


def _end_of_sorted(translation: Translation, expr: Any, index: bool) -> Rows:
    if expr.last or type(expr.n) is not int or expr.n < 0:
        raise NotNative("the last rows of an order")
    given = translation.rows(expr.frame, index)
    if given.one_by_one:
        raise NotNative("labels that count from the start of each partition")
    given = some_of(given, index)
    rows, names, _ = settled(_with_places(given, expr), index, order=True)
    rows = _sorted(rows, _sort_keys(rows, names, expr), expr.n)
    rows = rows.with_columns(rows.columns[: len(given.columns)])
    return dataclasses.replace(rows, source=expr._name, worthwhile=True, partitioned=False)


def _with_places(rows: Rows, expr: Any) -> Rows:
    """The rows with the places of the categories that they are sorted by, as more columns."""
    by = expr.by if isinstance(expr.by, list) else [expr.by]
    for label in by:
        for column in rows.columns:
            if column.label == label and is_categorical(column):
                rows = with_place(rows, column, _place_of(label))
    return rows


def _place_of(label: Any) -> Any:
    return ("place of", label)


def _sort_keys(rows: Rows, names: list[str], expr: Any) -> list[tuple[str, bool, bool]]:
    """What rows are sorted by: a column of the plan, whether it descends, and whether what is
    missing comes first."""
    by = expr.by if isinstance(expr.by, list) else [expr.by]
    ascending = expr.ascending
    orders = list(ascending) if isinstance(ascending, (list, tuple)) else [ascending] * len(by)
    places = {column.label: name for column, name in zip(rows.columns, names, strict=True)}
    if any(label not in places for label in by):
        raise NotNative("a sort by the index")
    return [
        (places.get(_place_of(label), places[label]), not ascends, expr.na_position == "first")
        for label, ascends in zip(by, orders, strict=True)
    ]


def _concat(translation: Translation, expr: Any, index: bool) -> Rows:
    if expr.axis != 0 or expr._plan != "stack":
        raise NotNative("frames side by side")
    parts = []
    for frame in expr.frames:
        if frame.ndim != expr.ndim:
            raise NotNative("frames and series")
        rows = translation.rows(frame, index)
        _no_categories(rows)
        found = labelled(look(expr))
        if [(c.label, c.dtype) for c in rows.columns] != found:
            raise NotNative("frames with different columns")
        if index and (rows.index is None or len(rows.index) != 1):
            raise NotNative("labels that count the rows")
        if index and rows.index[0].dtype != expr._meta.index.dtype:
            raise NotNative("labels of different kinds")
        if index:
            level = dataclasses.replace(rows.index[0], label="index")
            rows = dataclasses.replace(rows, index=(level,))
        parts.append((rows, *settled(rows, index)))
    first = parts[0][1]
    plan = engine(_engine.FramePlan.concat, [settled_rows.plan for _, settled_rows, *_ in parts])
    given = [rows for rows, *_ in parts]
    return dataclasses.replace(
        first,
        plan=plan,
        source=expr._name,
        worthwhile=any(rows.worthwhile for rows in given),
        one_by_one=any(rows.one_by_one for rows in given),
        unordered=any(rows.unordered for rows in given),
        partitioned=all(rows.partitioned for rows in given),
        lengths=None,
    )


HOWS = {
    "inner": "inner",
    "left": "left",
    "right": "right",
    "outer": "outer",
    "leftsemi": "leftsemi",
    "left_anti": "leftanti",
}


def _merge(translation: Translation, expr: Any, index: bool) -> Rows:
    how = HOWS.get(expr.how)
    left_on, right_on = expr.left_on, expr.right_on
    if how is None or expr.left_index or expr.right_index or expr.indicator:
        raise NotNative("a merge by index")
    if not isinstance(left_on, list) or not isinstance(right_on, list):
        raise NotNative("a merge by a series")
    one_sided = how in ("leftsemi", "leftanti")
    if index and one_sided:
        raise NotNative("labels of the left side")
    sides = with_plain_keys(
        translation.rows(expr.left, False), left_on, translation.rows(expr.right, False), right_on
    )
    left, left_names, _ = settled(some_of(sides[0], False), False)
    right, right_names, _ = settled(some_of(sides[1], False), False)
    left_places = {c.label: n for c, n in zip(left.columns, left_names, strict=True)}
    right_places = {c.label: n for c, n in zip(right.columns, right_names, strict=True)}
    if any(side.columns and not any(n) for side, n in ((left, left_names), (right, right_names))):
        raise NotNative("no columns")
    if len(left_places) < len(left_names) or len(right_places) < len(right_names):
        raise NotNative("columns with equal labels")
    on = []
    for mine, theirs in zip(left_on, right_on, strict=True):
        if mine not in left_places or theirs not in right_places:
            raise NotNative("a level of the index as a key")
        on.append((left_places[mine], right_places[theirs]))
    shared = {mine for mine, theirs in zip(left_on, right_on, strict=True) if mine == theirs}
    parts: list[tuple[str, str | int]] = [
        ("key", left_on.index(c.label)) if c.label in shared else ("left", left_places[c.label])
        for c in left.columns
    ]
    if not one_sided:
        parts += [("right", right_places[c.label]) for c in right.columns if c.label not in shared]
    found = labelled(look(expr))
    if len(found) != len(parts):
        raise NotNative("a merge with other columns")
    output = [(f"column {i}", side, at) for i, (side, at) in enumerate(parts) if at != ""]
    plan = engine(left.plan.join, right.plan, how, on, output)
    scalar = _engine.FrameScalar.column
    columns = tuple(
        Column(label, None if parts[i][1] == "" else scalar(f"column {i}"), dtype)
        for i, (label, dtype) in enumerate(found)
    )
    return Rows(
        plan,
        expr._name,
        columns,
        None,
        2,
        worthwhile=True,
        partitioned=False,
        unordered=True,
    )


def sql_tables(translation: Translation, names: Any, frames: Any) -> list[tuple[str, Any]]:
    """The frames that a query in SQL may name, each with its plan.

    Raises
    ------
    NotNative
        One of them has no plan, or not all of its columns.
    """
    tables = []
    for name, frame in zip(names, frames, strict=True):
        given = translation.rows(frame, False)
        labels = [column.label for column in given.columns]
        bare = [repr(column.scalar) for column in given.columns]
        if bare == labels and given.plan.schema.names() == labels:
            # A table that is a file is planned with all that is known of the file.
            tables.append((name, given.plan))
            continue
        rows, settled_names, _ = settled(given, False)
        if settled_names != labels:
            raise NotNative("labels that are no names")
        if rows.plan.parameters():
            raise NotNative("computed values in a table")
        tables.append((name, rows.plan))
    return tables


def _sql(translation: Translation, expr: Any, index: bool) -> Rows:
    plan = expr.native_plan
    if plan is None:
        raise NotNative("a frame that the engine does not have")
    scalar = _engine.FrameScalar.column
    columns = tuple(Column(label, scalar(label), dtype) for label, dtype in labelled(look(expr)))
    return Rows(
        plan,
        expr._name,
        columns,
        None,
        2,
        worthwhile=True,
        partitioned=False,
        unordered=True,
    )


def _with_sources() -> dict[str, Callable[[Translation, Any, bool], Rows | Reduced]]:
    return {
        "FromPandas": lambda _, expr, index: sources.from_pandas(expr, index),
        "ReadParquet": lambda _, expr, index: sources.read_parquet(expr, index),
        "ReadText": lambda _, expr, index: text_sources.read_text(expr, index),
        "Projection": _projection,
        "Filter": _filter,
        "Operator": _operator,
        "UnaryOperator": _unary,
        "MethodCall": _method,
        "AccessorCall": _accessor,
        "Assign": _assign,
        "RenameColumns": _relabelled,
        "ToFrame": _to_frame,
        "Reduction": _reduction,
        "MomentReduction": _moment,
        "Length": _length,
        "SortValues": _sort,
        "GroupByAggregation": groups.group_by,
        "GroupByFunction": windows.of_groups,
        "RunningOfGroups": windows.running,
        "Merge": _merge,
        "DropDuplicates": _drop_duplicates,
        "ValueCounts": groups.value_counts,
        "CountDifferent": _count_different,
        "EndRows": _end_rows,
        "EndOfSorted": _end_of_sorted,
        "HeadOfPartitions": _head,
        "First": _head,
        "Partitions": _partitions,
        "Concat": _concat,
        "Shuffle": _moved,
        "RowsMethodCall": _rows_method,
        "SqlQuery": _sql,
    }


HANDLERS = _with_sources()
