"""How often values are there: counts, different values, and the most frequent ones.

Partial results are frames with the columns ``value`` and ``count``, in the order in which the
values first came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe.joining import concat_partitions


def count_partition(values: Any, dropna: bool) -> pd.DataFrame:
    """The counts of the values of a partition."""
    if isinstance(values, pd.Index):
        values = values.to_series()
    table = pd.DataFrame({"value": values.array, "count": 1})
    if isinstance(table["value"].dtype, pd.CategoricalDtype):
        # Categories that are not there are counted too.
        every = pd.Categorical(table["value"].cat.categories, dtype=table["value"].dtype)
        table = pd.concat([table, pd.DataFrame({"value": every, "count": 0})], ignore_index=True)
    return _counted(table, dropna)


def _counted(table: pd.DataFrame, dropna: bool) -> pd.DataFrame:
    grouped = table.groupby("value", sort=False, observed=True, dropna=dropna)["count"]
    return grouped.sum().reset_index()


def join_counts(parts: Sequence[pd.DataFrame], dropna: bool) -> pd.DataFrame:
    """Counts of several partitions together."""
    return _counted(concat_partitions(list(parts)), dropna)


def split_counts(part: pd.DataFrame, count: int) -> list[pd.DataFrame]:
    """A part as ``count`` of them, by the hash of the values."""
    hashed = pd.util.hash_pandas_object(part["value"], index=False).to_numpy()
    places = hashed % np.uint64(count)
    return [part[places == place].reset_index(drop=True) for place in range(count)]


def finish_counts(
    parts: Sequence[pd.DataFrame], dropna: bool, name: Any, sort: bool, ascending: bool, dtype: Any
) -> pd.Series:
    """The counts as pandas gives them."""
    table = join_counts(parts, dropna)
    if isinstance(table["value"].dtype, pd.CategoricalDtype):
        # Like pandas, in the order of the categories.
        table = table.sort_values("value", kind="stable")
    index = pd.Index(table["value"].array, name=name)
    counts = pd.Series(table["count"].to_numpy("int64"), index=index, name="count", dtype=dtype)
    return counts.sort_values(ascending=ascending, kind="stable") if sort else counts


def finish_modes(parts: Sequence[pd.DataFrame], dropna: bool, name: Any) -> pd.Series:
    """The values that are there most often, in order."""
    table = join_counts(parts, dropna)
    table = table[table["count"] > 0]
    most = table[table["count"] == table["count"].max()] if len(table) else table
    values = most["value"]
    try:
        values = values.sort_values()
    except TypeError:
        pass
    return values.rename(name).reset_index(drop=True)


def columns_together(*series: pd.Series) -> pd.DataFrame:
    """Series of different lengths as the columns of a frame."""
    return pd.concat(series, axis=1)


def different_values(partition: Any, dropna: bool) -> list[pd.Series]:
    """The different values of each column of a partition."""
    if isinstance(partition, pd.Index):
        partition = partition.to_series()
    frame = partition.to_frame() if isinstance(partition, pd.Series) else partition
    columns = [frame.iloc[:, i].drop_duplicates() for i in range(frame.shape[1])]
    return [column.dropna() if dropna else column for column in columns]


def join_different(parts: Sequence[list[pd.Series]], dropna: bool) -> list[pd.Series]:
    """The different values of each column of several partitions."""
    return [
        concat_partitions(list(columns)).drop_duplicates() for columns in zip(*parts, strict=True)
    ]


def count_different(parts: Sequence[list[pd.Series]], dropna: bool, columns: Any) -> Any:
    """The number of different values of each column; a number if ``columns`` is None."""
    counts = [len(column) for column in join_different(parts, dropna)]
    return counts[0] if columns is None else pd.Series(counts, index=columns, dtype="int64")


# -- an estimate of the number of different rows --------------------------------------------------

# HyperLogLog (Flajolet, Fusy, Gandouet and Meunier, 2007) with 2**_BITS registers: a standard
# error of 1.04 / 2**(_BITS / 2), about 0.4 %.
_BITS = 16


def registers(partition: Any) -> np.ndarray:
    """For each class of rows, by their hash, the longest run of leading zeros."""
    if isinstance(partition, pd.Index):
        partition = partition.to_series()
    hashes = pd.util.hash_pandas_object(partition, index=False).to_numpy()
    # The hash of a few kinds of values has little variation in its high bits.
    hashes = _mixed(hashes)
    classes = (hashes >> np.uint64(64 - _BITS)).astype(np.intp)
    rest = hashes & np.uint64(2 ** (64 - _BITS) - 1)
    _, exponents = np.frexp(rest.astype(float))
    runs = (64 - _BITS) - exponents + 1
    found = np.zeros(2**_BITS, dtype=np.uint8)
    np.maximum.at(found, classes, runs.astype(np.uint8))
    return found


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64 (Steele, Lea and Flood, 2014)."""
    with np.errstate(over="ignore"):
        hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return hashes ^ (hashes >> np.uint64(31))


def join_registers(parts: Sequence[np.ndarray]) -> np.ndarray:
    """The registers of several partitions together."""
    return np.maximum.reduce(list(parts))


def estimate(parts: Sequence[np.ndarray]) -> float:
    """The estimated number of different rows."""
    found = join_registers(parts).astype(float)
    count = len(found)
    alpha = 0.7213 / (1 + 1.079 / count)
    raw = alpha * count**2 / np.sum(np.exp2(-found))
    empty = int((found == 0).sum())
    if raw <= 2.5 * count and empty:
        return float(count * np.log(count / empty))
    return float(raw)
