"""Aggregation of grouped partitions: partial results, how they are joined, and results.

A partial result is a frame with a row for each group: first the keys, then what the functions
need (:class:`Partial`). Columns have numbers for labels, so that no name can clash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from samite.dataframe.groupby.specification import Aggregation, Output
from samite.dataframe.joining import concat_partitions
from samite.dataframe.moments import floats_of as as_floats


class Need(NamedTuple):
    """What a function needs of a column: the kind of partial result."""

    kind: Any
    column: Any


class Partial(NamedTuple):
    """A row for each group; ``widths`` says how many columns each need has, and ``distinct`` has
    the different values of columns by group."""

    frame: pd.DataFrame
    widths: tuple[int, ...]
    distinct: tuple[pd.DataFrame, ...]


# The methods for kinds of extremes; strict ones refuse missing values.
_EXTREMES = {
    "idxmin": "idxmin",
    "idxmax": "idxmax",
    "strict idxmin": "idxmin",
    "strict idxmax": "idxmax",
}
_SIMPLE = {
    "sum": "sum",
    "prod": "prod",
    "min": "min",
    "max": "max",
    "first": "first",
    "last": "last",
    "any": "any",
    "all": "all",
    "count": "sum",
    "size": "sum",
    "total": "sum",
}


def needs_of(outputs: Sequence[Output]) -> list[Need]:
    """The partial results that functions need, each once."""
    found: dict[Need, None] = {}
    for output in outputs:
        for kind in _kinds(output):
            found[Need(kind, None if kind == "size" else output.column)] = None
    return list(found)


def _kinds(output: Output) -> list[Any]:
    function = output.function
    if isinstance(function, Aggregation):
        return [function]
    if function in ("sum", "prod"):
        needs_count = dict(output.keywords).get("min_count", 0)
        return [function, "count"] if needs_count and needs_count > 0 else [function]
    if function == "mean":
        return ["total", "count"]
    if function in ("var", "std", "sem"):
        return ["moments"]
    if function in ("nunique", "unique"):
        return ["distinct"]
    if function in ("idxmin", "idxmax") and not dict(output.keywords).get("skipna", True):
        return [f"strict {function}"]
    return [function]


class External(NamedTuple):
    """A key that is a series of its own, by its position among those."""

    position: int


def key_values(frame: Any, by: Sequence[Any], series: Sequence[Any]) -> list[Any]:
    """The keys of a partition, as arrays.

    Raises
    ------
    ValueError
        A key has other rows than the frame.
    """
    arrays = []
    for key in by:
        if isinstance(key, External):
            values = series[key.position]
            index = values.index if isinstance(values, pd.Series) else None
            if len(values) != len(frame) or (
                index is not None and index is not frame.index and not index.equals(frame.index)
            ):
                raise ValueError(
                    f"groupby: a key has {len(values)} rows where the frame has {len(frame)}, or "
                    "other index labels; group by a series of the same rows"
                )
            arrays.append(values.array)
        elif isinstance(frame, pd.DataFrame) and key in frame.columns:
            arrays.append(frame[key].array)
        else:
            arrays.append(frame.index.get_level_values(key).array)
    return arrays


def key_labels(count: int) -> list[str]:
    """The labels of key columns. They are no numbers, which pandas would take for places of levels
    of an index."""
    return [f"key {i}" for i in range(count)]


def labelled(keys: Sequence[Any], columns: Sequence[Any] = ()) -> dict[Any, Any]:
    """Columns of keys under their labels, and others under numbers that go on from there."""
    return {
        **dict(zip(key_labels(len(keys)), keys, strict=True)),
        **dict(enumerate(columns, len(keys))),
    }


def chunk(
    frame: pd.DataFrame, *series: Any, by: Sequence[Any], needs: Sequence[Need], dropna: bool
) -> Partial:
    """The partial result of a partition."""
    keys = key_values(frame, by, series)
    count = len(keys)
    data = labelled(keys)
    labels: dict[tuple[Any, bool], int] = {}
    for need in needs:
        if need.kind == "size":
            continue
        place = (need.column, need.kind in ("total", "moments"))
        if place not in labels:
            labels[place] = len(data)
            column = frame[need.column]
            data[len(data)] = as_floats(column) if place[1] else column.array
    table = pd.DataFrame(data, index=pd.RangeIndex(len(frame)), copy=False)
    grouped = table.groupby(key_labels(count), sort=False, observed=True, dropna=dropna)
    sizes = grouped.size()
    columns: list[Any] = []
    widths: list[int] = []
    distinct: list[pd.DataFrame] = []
    for need in needs:
        if need.kind == "size":
            found: Sequence[Any] = [sizes.array]
        elif need.kind == "distinct":
            label = labels[need.column, False]
            values = table[[*key_labels(count), label]].drop_duplicates(ignore_index=True)
            if dropna:
                values = values.dropna(subset=key_labels(count), ignore_index=True)
            distinct.append(values.set_axis([*key_labels(count), count], axis=1))
            found = []
        elif isinstance(need.kind, Aggregation):
            original = pd.Series(frame[need.column].array, name=need.column)
            results = need.kind.chunk(
                original.groupby(
                    [table[key] for key in key_labels(count)],
                    sort=False,
                    observed=True,
                    dropna=dropna,
                )
            )
            found = _aligned(results, sizes.index)
        elif need.kind in _EXTREMES:
            label = labels[need.column, False]
            if need.kind.startswith("strict") and table[label].isna().any():
                raise ValueError(
                    f"groupby.{_EXTREMES[need.kind]} with skipna=False encountered an NA value in "
                    f"column {need.column!r}"
                )
            how = _EXTREMES[need.kind]
            found = _extremes(table, label, frame.index, how, count, dropna, sizes)
        else:
            label = labels[need.column, need.kind in ("total", "moments")]
            found = _chunk_columns(grouped, label, need.kind)
        columns += found
        widths.append(len(found))
    return Partial(with_keys(sizes.index, columns), tuple(widths), tuple(distinct))


def with_keys(index: pd.Index, columns: Sequence[Any]) -> pd.DataFrame:
    if isinstance(index, pd.MultiIndex):
        keys = [index.get_level_values(i).array for i in range(index.nlevels)]
    else:
        keys = [index.array]
    data = labelled(keys, columns)
    return pd.DataFrame(data, index=pd.RangeIndex(len(index)), copy=False)


def _chunk_columns(grouped: Any, label: int, kind: str) -> list[Any]:
    column = grouped[label]
    if kind == "moments":
        count, mean = column.count(), column.mean()
        second = column.var(ddof=0) * count
        # What is no number in a group with values is so for both infinities, and stays so.
        return [count.array, mean.where(count > 0, 0.0).array, second.where(count > 0, 0.0).array]
    if kind == "list":
        return [column.agg(list).array]
    if kind == "total":
        return [column.sum().array]
    return [getattr(column, kind)().array]


def _aligned(results: Any, index: pd.Index) -> list[Any]:
    """Results of a user's function, with the groups in the order of ``index``."""
    several = results if isinstance(results, tuple) else (results,)
    arrays = []
    for result in several:
        if isinstance(result, pd.Series):
            if len(result) != len(index) or not result.index.equals(index):
                result = result.reindex(index)
            arrays.append(result.array)
        else:
            arrays.append(np.asarray(result))
    return arrays


def _extremes(
    table: pd.DataFrame,
    label: int,
    index: pd.Index,
    how: str,
    count: int,
    dropna: bool,
    sizes: pd.Series,
) -> list[Any]:
    """Of each group the extreme, its label in the index, and whether there is one."""
    present = table[table[label].notna()]
    grouped = present.groupby(key_labels(count), sort=False, observed=True, dropna=dropna)
    positions = getattr(grouped[label], how)() if len(present) else None
    if positions is None:
        places = np.full(len(sizes), -1)
    else:
        places = positions.reindex(sizes.index, fill_value=-1).to_numpy(dtype=np.intp)
    found = places >= 0
    safe = np.where(found, places, 0)
    values = table[label].array
    return (
        [values.take(safe), index.take(safe).array, found]
        if len(values)
        else [
            values,
            index.array,
            found,
        ]
    )


def join(
    parts: Sequence[Partial],
    needs: Sequence[Need],
    count: int,
    sort: bool,
    observed: bool,
    dropna: bool,
) -> tuple[pd.Index, list[list[pd.Series]], list[Any]]:
    """Partial results together: the groups, the columns of each need, and grouped different
    values."""
    table = concat_partitions([part.frame for part in parts])
    by = key_labels(count)
    grouped = table.groupby(by, sort=sort, observed=observed, dropna=dropna)
    index = grouped.size().index
    columns: list[list[pd.Series]] = []
    distinct: list[Any] = []
    position = count
    for number, need in enumerate(needs):
        width = parts[0].widths[number]
        labels = list(range(position, position + width))
        position += width
        if need.kind == "distinct":
            place = len(distinct)
            values = concat_partitions([part.distinct[place] for part in parts])
            values = values.drop_duplicates(ignore_index=True)
            distinct.append(values)
            columns.append([])
        elif need.kind == "moments":
            # Groups without rows have no number, so they are added afterwards.
            seen = (
                grouped if observed else table.groupby(by, sort=sort, observed=True, dropna=dropna)
            )
            moments = _joined_moments(table, seen, labels)
            if not observed:
                moments = [series.reindex(index, fill_value=0.0) for series in moments]
            columns.append(moments)
        elif need.kind == "list":
            columns.append([grouped[labels[0]].agg(_joined_lists)])
        elif need.kind in _EXTREMES:
            columns.append(
                _joined_extremes(
                    table, by, labels, _EXTREMES[need.kind], sort, observed, dropna, index
                )
            )
        elif isinstance(need.kind, Aggregation):
            keyed = table.set_index(by)
            keyed.index.names = [None] * count
            levels = list(range(count))
            arguments = [
                keyed[label]
                .rename(need.column)
                .groupby(level=levels, sort=sort, observed=observed, dropna=dropna)
                for label in labels
            ]
            results = _aligned(need.kind.agg(*arguments), index)
            columns.append([pd.Series(r, index=index, name=need.column) for r in results])
        else:
            how = _SIMPLE[need.kind]
            keywords = {}
            if how in ("sum", "prod") and table[labels[0]].dtype.kind == "f":
                # Nothing is missing in partial sums: what is no number is that of both infinities.
                keywords["skipna"] = False
            columns.append([getattr(grouped[labels[0]], how)(**keywords)])
    return index, columns, distinct


def group_numbers(grouped: Any) -> np.ndarray:
    """The number of the group of each row, -1 where it has none."""
    return grouped.ngroup().fillna(-1).to_numpy(dtype=np.intp)


def _joined_lists(lists: pd.Series) -> list[Any]:
    return [value for values in lists for value in values]


def _joined_moments(table: pd.DataFrame, grouped: Any, labels: Sequence[int]) -> list[pd.Series]:
    count_label, mean_label, second_label = labels
    count = grouped[count_label].sum()
    keys = group_numbers(grouped)
    weights = table[count_label].to_numpy(dtype=float)
    means = table[mean_label].to_numpy(dtype=float)
    kept = keys >= 0
    groups = len(count)
    places = keys[kept]
    sums = np.bincount(places, weights=(weights * means)[kept], minlength=groups)
    counts = np.bincount(places, weights=weights[kept], minlength=groups)
    with np.errstate(all="ignore"):
        mean = sums / counts
        spread_out = np.zeros(len(means))
        spread_out[kept] = mean[places]
        deviations = np.where(weights == 0, 0.0, means - spread_out)
        spread = np.where(weights == 0, 0.0, weights * deviations**2)
    second = np.bincount(
        places, weights=(table[second_label].to_numpy(dtype=float) + spread)[kept], minlength=groups
    )
    index = count.index
    return [
        pd.Series(counts, index=index),
        pd.Series(np.where(counts == 0, 0.0, mean), index=index),
        pd.Series(second, index=index),
    ]


def _joined_extremes(
    table: pd.DataFrame,
    by: list[int],
    labels: Sequence[int],
    how: str,
    sort: bool,
    observed: bool,
    dropna: bool,
    index: pd.Index,
) -> list[pd.Series]:
    value, label, found = labels
    present = table[table[found].astype(bool)].reset_index(drop=True)
    grouped = present.groupby(by, sort=sort, observed=True, dropna=dropna)
    if len(present):
        positions = getattr(grouped[value], how)().reindex(index, fill_value=-1)
        places = positions.to_numpy(dtype=np.intp)
    else:
        places = np.full(len(index), -1)
    safe = np.where(places >= 0, places, 0)
    source = present if len(present) else table
    if not len(source):
        empty = [source[c].iloc[:0].set_axis(index[:0]) for c in (value, label)]
        return [*empty, pd.Series(places >= 0, index=index)]
    taken = [pd.Series(source[c].array.take(safe), index=index) for c in (value, label)]
    return [*taken, pd.Series(places >= 0, index=index)]


def combine(parts: Sequence[Partial], needs: Sequence[Need], count: int, dropna: bool) -> Partial:
    """Partial results of several partitions as one."""
    index, columns, distinct = join(parts, needs, count, False, True, dropna)
    arrays = [series.array for several in columns for series in several]
    return Partial(with_keys(index, arrays), parts[0].widths, tuple(distinct))


def finish(
    parts: Sequence[Partial],
    needs: Sequence[Need],
    outputs: Sequence[Output],
    names: Sequence[Any],
    sort: bool,
    observed: bool,
    dropna: bool,
    dtypes: Sequence[Any],
    columns: Any,
    is_series: bool,
) -> Any:
    """The result: a frame over the groups, or a series of the only output."""
    count = len(names)
    index, joined, distinct = join(parts, needs, count, sort, observed, dropna)
    index = index.set_names(list(names))
    found = dict(zip(needs, joined, strict=True))
    values = dict(zip([n for n in needs if n.kind == "distinct"], distinct, strict=True))
    results = []
    for output, dtype in zip(outputs, dtypes, strict=True):
        if output.function in ("nunique", "unique"):
            grouped = values[Need("distinct", output.column)].groupby(
                key_labels(count), sort=sort, observed=observed, dropna=dropna
            )
            result = getattr(grouped[count], output.function)()
        else:
            result = _finished(output, found, dtype)
        results.append(result.array)
    if is_series:
        return pd.Series(results[0], index=index, name=outputs[0].label, copy=False)
    frame = pd.DataFrame(dict(enumerate(results)), index=index, copy=False)
    frame.columns = columns
    return frame


def result_columns(labels: Sequence[Any], names: Sequence[Any]) -> pd.Index:
    """The labels of a result as an index; of tuples as one of several levels."""
    if labels and all(isinstance(label, tuple) for label in labels):
        levels = len(labels[0])
        padded = [*names, *[None] * (levels - len(names))][:levels]
        return pd.MultiIndex.from_tuples(labels, names=padded)
    return pd.Index(labels, name=names[0] if len(names) == 1 else None)


def _finished(output: Output, found: dict[Need, list[pd.Series]], dtype: Any) -> pd.Series:
    function, column = output.function, output.column
    keywords = dict(output.keywords)
    if isinstance(function, Aggregation):
        results = found[Need(function, column)]
        return results[0] if function.finalize is None else function.finalize(*results)
    if function == "size":
        return found[Need("size", None)][0]
    if function in ("sum", "prod") and keywords.get("min_count", 0) > 0:
        (result,) = found[Need(function, column)]
        (counts,) = found[Need("count", column)]
        return result.where(counts.to_numpy() >= keywords["min_count"])
    if function == "mean":
        (total,) = found[Need("total", column)]
        (counts,) = found[Need("count", column)]
        with np.errstate(all="ignore"):
            mean = total.to_numpy(dtype=float) / counts.to_numpy(dtype=float)
        return pd.Series(mean, index=total.index).pipe(_as_dtype, dtype, function)
    if function in ("var", "std", "sem"):
        counts, _, second = (s.to_numpy(dtype=float) for s in found[Need("moments", column)])
        ddof = keywords.get("ddof", 1)
        with np.errstate(all="ignore"):
            result = np.where(counts > ddof, second / (counts - ddof), np.nan)
            if function != "var":
                result = np.sqrt(result)
            if function == "sem":
                result = result / np.sqrt(counts)
        index = found[Need("moments", column)][0].index
        return pd.Series(result, index=index).pipe(_as_dtype, dtype, function)
    if function in ("idxmin", "idxmax"):
        _, labels, present = found[Need(_kinds(output)[0], column)]
        if not present.all():
            raise ValueError(
                f"groupby.{function}: column {column!r} has a group without a value; drop "
                "missing values before"
            )
        return labels
    return found[Need(function, column)][0]


def _as_dtype(result: pd.Series, dtype: Any, function: str) -> pd.Series:
    """A mean or a deviation of a column of ``dtype`` in the dtype that pandas gives it."""
    if isinstance(dtype, pd.ArrowDtype):
        import pyarrow as pa

        return result.astype(pd.ArrowDtype(pa.float64()))
    if dtype.kind in "mM":
        unit = np.datetime_data(dtype)[0] if isinstance(dtype, np.dtype) else dtype.unit
        missing = result.isna()
        whole = result.fillna(0).astype("int64")
        kind = dtype if function == "mean" else np.dtype(f"m8[{unit}]")
        return (
            whole.astype(f"m8[{unit}]" if kind.kind == "m" else f"M8[{unit}]")
            .mask(missing)
            .pipe(_localized, kind)
        )
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        name = getattr(dtype, "name", "")
        if name in ("Float32",):
            return result.astype("Float32")
        return result.astype("Float64") if hasattr(dtype, "numpy_dtype") else result
    return result.astype(dtype) if dtype in (np.float32,) else result


def _localized(result: pd.Series, dtype: Any) -> pd.Series:
    zone = getattr(dtype, "tz", None)
    return result if zone is None else result.dt.tz_localize("UTC").dt.tz_convert(zone)
