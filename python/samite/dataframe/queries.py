"""Queries in SQL over data frames."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite import _engine
from samite._run import memory_of_run
from samite._task_spec import Task, TaskRef
from samite.dataframe._native import results
from samite.dataframe.expressions.node import FrameExpr


class SqlQuery(FrameExpr):
    """The rows that ``query`` selects; after the named operands come the frames it names."""

    _parameters = ["query", "names"]

    @functools.cached_property
    def _funcname(self) -> str:
        return "sql"

    @property
    def frames(self) -> list[FrameExpr]:
        """The frames, in the order of ``names``."""
        return self.operands[2:]

    @property
    def native_plan(self) -> _engine.FramePlan | None:
        """The query over its frames as the engine has them; None where it does not have them."""
        # Kept beside the cached properties, which travel with a pickled expression.
        if "_native_plan" not in self.__dict__:
            self.__dict__["_native_plan"] = self._over_native_frames()
        return self.__dict__["_native_plan"]

    def _over_native_frames(self) -> _engine.FramePlan | None:
        from samite.dataframe._native.rows import NotNative
        from samite.dataframe._native.translate import Translation, sql_tables

        try:
            tables = sql_tables(Translation(), self.names, self.frames)
        except NotNative:
            return None
        return _engine.FramePlan.sql(self.query, tables)

    @functools.cached_property
    def _meta(self) -> Any:
        import pyarrow as pa

        plan = self.native_plan
        if plan is None:
            tables = [_plan(frame._meta) for frame in self.frames]
            plan = _engine.FramePlan.sql(self.query, list(zip(self.names, tables, strict=True)))
        return results.frame_of(pa.schema(plan.schema).empty_table())

    def _divisions(self) -> Sequence[Any]:
        return (None, None)

    def _layer(self) -> Mapping[Any, Any]:
        # Frames that have no native form are computed first. The partitions of one are joined
        # by the engine, which takes their memory as it is.
        from samite._expr.graphs import nested_references

        limit, folder = memory_of_run()
        parts = [nested_references(frame.__dask_keys__()) for frame in self.frames]
        layer: dict[Any, Any] = {}
        references = []
        for position, own in enumerate(parts):
            key = (f"{self._name}-table", position)
            layer[key] = Task(key, list, own)
            references.append(TaskRef(key))
        key = (self._name, 0)
        layer[key] = Task(
            key, _select, self.query, self.names, self._meta, limit, folder, *references
        )
        return layer

    def _operands_for_repr(self) -> list[str]:
        return [f"query={self.query!r}", f"names={list(self.names)!r}"]


def sql(query: str, **tables: Any) -> Any:
    """The data frame that a query in SQL describes.

    Parameters
    ----------
    query:
        A ``select``. Names without quotes are taken in small letters.
    **tables:
        The frames that it may name: collections, or pandas frames. Their columns need names that
        are text; an index is not among them.

    Raises
    ------
    ValueError
        The query is not valid, or names what is not there.
    TypeError
        A table is no frame.

    Examples
    --------
    >>> import pandas as pd
    >>> import samite.dataframe as dd
    >>> flights = pd.DataFrame({"to": ["LAX", "SFO", "LAX"], "delay": [1.0, 5.0, 3.0]})
    >>> query = 'select "to", avg(delay) as delay from f group by "to" order by 1'
    >>> dd.sql(query, f=flights).compute()
        to  delay
    0  LAX    2.0
    1  SFO    5.0
    """
    import pandas as pd

    from samite.dataframe.collections.frame_base import FrameBase, new_collection
    from samite.dataframe.io.from_pandas import from_pandas

    frames = []
    for name, table in tables.items():
        if isinstance(table, pd.DataFrame):
            table = from_pandas(table, npartitions=1, sort=False)
        if not isinstance(table, FrameBase) or table.ndim != 2:
            raise TypeError(f"the table {name!r} must be a data frame, got {type(table).__name__}")
        labels = [label for label in table.columns if not isinstance(label, str)]
        if labels:
            raise ValueError(f"the table {name!r} has columns that are no names: {labels!r}")
        frames.append(table.expr)
    return new_collection(SqlQuery(query, tuple(tables), *frames))


def _plan(*frames: Any) -> _engine.FramePlan:
    """Frames of pandas, one after the other, without their index."""
    import pyarrow as pa

    parts = [pa.Table.from_pandas(frame, preserve_index=False) for frame in frames]
    return _engine.FramePlan.memory([part.cast(parts[0].schema) for part in parts])


def _select(
    query: str, names: Sequence[str], meta: Any, limit: int | None, folder: Any, *tables: Any
) -> Any:
    from samite.system import CPU_COUNT

    plans = [_plan(*(frames or [meta])) for frames in tables]
    plan = _engine.FramePlan.sql(query, list(zip(names, plans, strict=True)))
    columns = tuple(str(label) for label in meta.columns)
    layout = results.Layout(meta, columns, None)
    return results.compute(plan, layout, CPU_COUNT, limit, folder)
