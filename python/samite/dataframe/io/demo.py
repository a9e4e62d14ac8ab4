"""Data frames of random values, for trying things out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe.datasets import timeseries
from samite.dataframe.io.random_columns import NAMES, converted, maker

__all__ = [
    "ColumnSpec",
    "DatasetSpec",
    "DatetimeIndexSpec",
    "RangeIndexSpec",
    "make_timeseries",
    "with_spec",
]

names = NAMES


def make_timeseries(
    start: Any = "2000-01-01",
    end: Any = "2000-12-31",
    dtypes: dict[str, Any] | None = None,
    freq: str = "10s",
    partition_freq: str = "1ME",
    seed: int | None = None,
    **kwargs: Any,
) -> Any:
    """A data frame of random values, indexed by time; see
    :func:`samite.dataframe.datasets.timeseries`."""
    return timeseries(start, end, freq, partition_freq, dtypes, seed, **kwargs)


@dataclass
class ColumnSpec:
    """Columns of one kind.

    ``number`` columns are named by ``prefix``, or the dtype, and a number. The other fields are
    for the values: ``choices`` or ``nunique`` for categories and texts; ``low`` and ``high``, or
    the name of a distribution (``method``) with its arguments, for integers; ``length`` for
    texts; ``random``: uniform numbers, or texts of any characters.
    """

    prefix: str | None = None
    dtype: Any = None
    number: int = 1
    nunique: int | None = None
    choices: list[Any] = field(default_factory=list)
    low: int | None = None
    high: int | None = None
    length: int | None = None
    random: bool = False
    method: str | None = None
    args: tuple[Any, ...] = field(default_factory=tuple)
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass
class RangeIndexSpec:
    """An index of numbers in order."""

    dtype: Any = int
    step: int = 1


@dataclass
class DatetimeIndexSpec:
    """An index of times; ``partition_freq`` makes the partitions."""

    dtype: Any = int
    start: str | None = None
    freq: str = "1h"
    partition_freq: str | None = None


@dataclass
class DatasetSpec:
    """A data frame of ``nrecords`` rows."""

    npartitions: int = 1
    nrecords: int = 1000
    index_spec: RangeIndexSpec | DatetimeIndexSpec = field(default_factory=RangeIndexSpec)
    column_specs: list[ColumnSpec] = field(default_factory=list)


_DEFAULT_COLUMNS = [
    ColumnSpec(prefix="i", dtype="int64", low=0, high=1_000_000, random=True),
    ColumnSpec(prefix="f", dtype=float, random=True),
    ColumnSpec(prefix="c", dtype="category", choices=["a", "b", "c", "d"]),
    ColumnSpec(prefix="s", dtype=str),
]


def with_spec(spec: DatasetSpec, seed: int | None = None) -> Any:
    """A data frame of random values as ``spec`` describes it.

    Parameters
    ----------
    seed:
        Of the random numbers; chosen at random by default.

    Raises
    ------
    ValueError
        There are less rows than partitions.
    """
    from samite.dataframe.io.from_map import from_map
    from samite.utils import random_state_data

    if not 1 <= spec.npartitions <= max(spec.nrecords, 1):
        raise ValueError(
            f"{spec.nrecords} records cannot be divided into {spec.npartitions} partitions"
        )
    columns = _columns(spec.column_specs or _DEFAULT_COLUMNS)
    if isinstance(spec.index_spec, DatetimeIndexSpec):
        divisions, indexes = _time_indexes(spec, spec.index_spec)
    else:
        divisions, indexes = _range_indexes(spec, spec.index_spec)
    seeds = random_state_data(len(indexes), seed)
    meta = _rows(indexes[0], seeds[0], columns).iloc[:0]
    parts = list(zip(indexes, seeds, strict=True))
    return from_map(_MakeRows(columns), parts, meta=meta, divisions=divisions, label="with-spec")


def _columns(specs: list[ColumnSpec]) -> list[tuple[str, Any, dict[str, Any]]]:
    """For each column its label, dtype and options."""
    found: list[tuple[str, Any, dict[str, Any]]] = []
    counts: dict[str, int] = {}
    for spec in specs:
        dtype = float if spec.dtype is None else spec.dtype
        text = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype))
        prefix = spec.prefix or "".join(c if c.isalnum() else "_" for c in text).rstrip("_")
        options = {
            name: value
            for name, value in asdict(spec).items()
            if name not in ("prefix", "dtype", "number", "kwargs")
            and value not in (None, [], (), False)
        }
        options.update(spec.kwargs)
        if maker(dtype).__name__ == "integers":
            options["dtype"] = dtype
        for _ in range(spec.number):
            counts[prefix] = counts.get(prefix, 0) + 1
            found.append((f"{prefix}{counts[prefix]}", dtype, options))
    return found


def _range_indexes(spec: DatasetSpec, index: RangeIndexSpec) -> tuple[tuple[Any, ...], list[Any]]:
    edges = [spec.nrecords * i // spec.npartitions for i in range(spec.npartitions + 1)]
    step = index.step
    plain = np.dtype(index.dtype) == np.dtype(int)
    indexes: list[Any] = []
    for start, stop in zip(edges, edges[1:], strict=False):
        numbers: Any = pd.RangeIndex(start * step, stop * step, step)
        indexes.append(numbers if plain else numbers.astype(index.dtype))
    return (*(edge * step for edge in edges[:-1]), (edges[-1] - 1) * step), indexes


def _time_indexes(spec: DatasetSpec, index: DatetimeIndexSpec) -> tuple[Any, list[Any]]:
    freq = index.freq.lower() if index.freq.endswith("H") else index.freq
    start = pd.Timestamp(index.start or "2000-01-01")
    times = pd.date_range(start, periods=spec.nrecords, freq=freq, name="timestamp")
    if np.dtype(index.dtype).kind == "M":
        times = times.astype(index.dtype)
    if index.partition_freq is None:
        edges = [spec.nrecords * i // spec.npartitions for i in range(spec.npartitions + 1)]
    else:
        bounds = pd.date_range(start, times[-1], freq=index.partition_freq)
        edges = sorted({0, *times.searchsorted(bounds).tolist(), len(times)})
    indexes = [times[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    return (*(part[0] for part in indexes), times[-1]), indexes


class _MakeRows:
    """Makes a partition, of some columns if not of all."""

    def __init__(self, columns: list[tuple[str, Any, dict[str, Any]]], chosen: Any = None) -> None:
        self._columns = columns
        self._chosen = chosen

    def project_columns(self, columns: Any) -> _MakeRows:
        """The same for these columns alone."""
        return _MakeRows(self._columns, list(columns))

    def __call__(self, part: Any) -> pd.DataFrame:
        index, seed = part
        frame = _rows(index, seed, self._columns)
        return frame if self._chosen is None else frame[self._chosen]


def _rows(index: Any, seed: Any, columns: list[tuple[str, Any, dict[str, Any]]]) -> pd.DataFrame:
    state = np.random.RandomState(seed)
    count = len(index) + 1
    made = {}
    for label, dtype, options in columns:
        values = pd.Series(converted(maker(dtype)(count, state, **options), dtype))
        if dtype is str:
            values = values.astype("str")
        made[label] = values.iloc[:-1].set_axis(index)
    return pd.DataFrame(made, index=index)
