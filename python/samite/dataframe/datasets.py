"""A data frame of random time series."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from samite._task_spec import Task
from samite.dataframe.expressions.node import FrameExpr, columns_wanted
from samite.dataframe.io.random_columns import converted, maker
from samite.dataframe.strings import pyarrow_strings_enabled

__all__ = ["Timeseries", "timeseries"]


class Timeseries(FrameExpr):
    """Random values in columns of given dtypes, indexed by time.

    A column has the same values whatever others are made: each has a seed of its own in each
    partition. ``columns`` are those that are wanted, None for all; ``_partitions`` the positions
    of the partitions.
    """

    _makes_partitions = True
    _parameters = [
        "column_dtypes",
        "bounds",
        "freq",
        "seed",
        "options",
        "columns",
        "_partitions",
    ]
    _defaults = {"columns": None, "_partitions": None}

    @functools.cached_property
    def _meta(self) -> pd.DataFrame:
        bounds = self.bounds
        return self._chosen_frame(_partition(bounds[0], bounds[0], self.freq, self._plans(0)))

    @staticmethod
    def _chosen_frame(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.iloc[:0]

    def _divisions(self) -> Sequence[Any]:
        bounds, chosen = self.bounds, self.operand("_partitions")
        if chosen is None:
            return bounds
        if not chosen or any(a >= b for a, b in zip(chosen, chosen[1:], strict=False)):
            return (None,) * (len(chosen) + 1)
        return [bounds[i] for i in chosen] + [bounds[chosen[-1] + 1]]

    def _plans(self, position: int) -> list[tuple[Any, Any, Any, dict[str, Any]]]:
        """For each wanted column its label, dtype, seed and options."""
        chosen = self.operand("columns")
        plans = []
        for number, (label, dtype) in enumerate(self.column_dtypes.items()):
            if chosen is None or label in chosen:
                plans.append(
                    (label, dtype, (self.seed, position, number), self.options.get(label, {}))
                )
        return plans

    def _task(self, key: Any, index: int) -> Task:
        chosen = self.operand("_partitions")
        position = index if chosen is None else chosen[index]
        bounds = self.bounds
        return Task(
            key,
            _partition,
            bounds[position],
            bounds[position + 1],
            self.freq,
            self._plans(position),
            _data_producer=True,
        )

    def _row_counts(self) -> list[int]:
        """The numbers of rows by partition."""
        bounds, chosen = self.bounds, self.operand("_partitions")
        positions = range(len(bounds) - 1) if chosen is None else chosen
        return [len(_times(bounds[i], bounds[i + 1], self.freq)) for i in positions]

    def _simplify_up(self, parent: Any, dependents: Mapping[str, Any]) -> Any:
        from samite.dataframe.expressions.selection import Partitions, Projection

        if isinstance(parent, Projection):
            wanted = columns_wanted(self, dependents)
            if wanted is None or wanted == self.columns:
                return None
            source = self.substitute_parameters({"columns": wanted})
            return Projection(source, parent.operand("columns"))
        if isinstance(parent, Partitions):
            before = self.operand("_partitions")
            chosen = list(parent.partitions)
            return self.substitute_parameters(
                {"_partitions": chosen if before is None else [before[i] for i in chosen]}
            )
        return None


def _times(start: pd.Timestamp, end: pd.Timestamp, freq: Any) -> pd.DatetimeIndex:
    return pd.date_range(start, end, freq=freq, inclusive="left", name="timestamp")


def _partition(start: pd.Timestamp, end: pd.Timestamp, freq: Any, plans: list[Any]) -> pd.DataFrame:
    """Random values for the times from ``start`` to before ``end``."""
    index = _times(start, end, freq)
    columns = {}
    for label, dtype, seed, options in plans:
        state = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
        values = converted(maker(dtype)(len(index), state, **options), dtype)
        columns[label] = pd.Series(values, index=index)
        if dtype is str:
            dtype = pd.StringDtype("pyarrow") if pyarrow_strings_enabled() else "str"
            columns[label] = columns[label].astype(dtype)
    return pd.DataFrame(columns, index=index)


def timeseries(
    start: Any = "2000-01-01",
    end: Any = "2000-01-31",
    freq: str = "1s",
    partition_freq: str = "1D",
    dtypes: dict[str, Any] | None = None,
    seed: int | None = None,
    types: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Any:
    """A data frame of random values, indexed by time.

    Parameters
    ----------
    start, end:
        The time span.
    freq, partition_freq:
        The time from row to row, and from partition to partition.
    dtypes:
        Columns and what is in them: ``float``, ``int``, ``str``, ``"category"``, or NumPy's names
        of numbers.
    seed:
        Of the random numbers; chosen at random by default.
    types:
        Another name of ``dtypes``.
    kwargs:
        Options for columns, such as ``id_lam=1000`` for the mean of the Poisson distribution of
        ``id``.

    Raises
    ------
    TypeError
        A dtype is none of these.
    ValueError
        The span is shorter than one partition.
    """
    from samite.dataframe.collections import new_collection

    if dtypes is None:
        dtypes = types or {"name": str, "id": int, "x": float, "y": float}
    for dtype in dtypes.values():
        maker(dtype)
    bounds = tuple(pd.date_range(start, end, freq=partition_freq))
    if len(bounds) < 2:
        raise ValueError(
            f"timeseries: from {start} to {end} there is no whole partition of {partition_freq!r}"
        )
    if seed is None:
        seed = int(np.random.default_rng().integers(2**31))
    return new_collection(
        Timeseries(dict(dtypes), bounds, freq, seed, _options(list(dtypes), kwargs))
    )


def _options(labels: list[Any], kwargs: dict[str, Any]) -> dict[Any, dict[str, Any]]:
    """Options by column; they are named by it, an underscore and a name."""
    found: dict[Any, dict[str, Any]] = {}
    for given, value in kwargs.items():
        owners = [label for label in labels if given.startswith(f"{label}_")]
        if not owners:
            # Programs pass what older releases of Dask took, and the rows are as they expect.
            warnings.warn(
                f"timeseries has no argument {given!r}, which is ignored; options for columns are "
                f"named like '{labels[0] if labels else 'id'}_lam'",
                stacklevel=4,
            )
            continue
        owner = max(owners, key=lambda label: len(str(label)))
        found.setdefault(owner, {})[given[len(str(owner)) + 1 :]] = value
    return found
