"""Percentiles of long vectors, approximately, from those of their chunks."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from samite._task_spec import List, Task, TaskRef
from samite.array.core import Array, make_array
from samite.array.storage import asanyarray
from samite.array.utils import meta_from_array
from samite.base import tokenize

__all__ = ["merge_percentiles", "percentile"]

# The percentiles of chunks that are found. Elements are few and far between at both ends.
_ENDS = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.25, 1.5])
_GRID = np.unique(np.concatenate([np.linspace(0, 100, 101), _ENDS, 100 - _ENDS]))
_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def percentile(
    a: Any, q: Any, method: str = "linear", internal_method: str = "default", **kwargs: Any
) -> Array:
    """Percentiles of a vector, approximately.

    Every whole percentile of the chunks is found, more at both ends, and those asked for. The
    elements between two of them are taken to be spread evenly, and the percentiles of all such
    chunks together are the result. It is exact for a single chunk.

    Parameters
    ----------
    a:
        The vector; of numbers, dates, or anything that can be sorted.
    q:
        One percentile or several, between 0 and 100.
    method:
        What is taken between two elements: ``"linear"``, ``"lower"``, ``"higher"``,
        ``"midpoint"`` or ``"nearest"``.
    internal_method:
        ``"tdigest"`` for sketches by the package crick, of numbers and with ``"linear"`` only;
        ``"dask"`` or ``"default"`` for the way described above.
    **kwargs:
        ``axis``, ``keepdims``, ``out`` and ``weights``. With these, and for an array that is no
        vector, it is :func:`samite.array.quantile` that is called, which is exact.

    Raises
    ------
    NotImplementedError
        If an array of several axes and chunks is given without ``axis``.
    ValueError
        If a percentile, or a method, is not known.
    ImportError
        If crick is needed and not installed.

    Examples
    --------
    >>> import samite.array as da
    >>> da.percentile(da.arange(101, chunks=101), [25, 75]).compute()
    array([25., 75.])
    """
    if "interpolation" in kwargs:
        warnings.warn(
            "percentile's argument 'interpolation' is called 'method' now",
            FutureWarning,
            stacklevel=2,
        )
        method = kwargs.pop("interpolation")
    unknown = set(kwargs) - {"axis", "keepdims", "out", "overwrite_input", "weights"}
    if unknown:
        raise TypeError(f"percentile() got unexpected keyword arguments {sorted(unknown)}")
    a = asanyarray(a)
    if a.ndim != 1 or kwargs:
        from samite.array.order_statistics import quantile

        share = q if isinstance(q, Array) else np.asanyarray(q)
        return quantile(a, np.true_divide(share, 100), method=method, **kwargs)
    if method in ("default", "dask", "tdigest"):
        warnings.warn(
            f"percentile's argument method={method!r} is called 'internal_method' now",
            FutureWarning,
            stacklevel=2,
        )
        internal_method, method = method, "linear"
    if method not in _METHODS:
        raise ValueError(f"method can only be one of {', '.join(_METHODS)}, not {method!r}")
    if internal_method not in ("default", "dask", "tdigest"):
        raise ValueError(
            f"internal_method can only be 'default', 'dask' or 'tdigest', not {internal_method!r}"
        )
    single = np.ndim(q) == 0
    asked = np.atleast_1d(np.asarray(q, dtype=float))
    if asked.ndim != 1:
        raise ValueError(f"q has to be a number or a vector, not of shape {asked.shape}")
    if not np.all((asked >= 0) & (asked <= 100)):
        raise ValueError("Percentiles must be in the range [0, 100]")
    if len(asked) and a.shape[0] == 0:
        raise ValueError("percentile of an array without elements")
    if a.dtype.kind == "c":
        raise TypeError("percentile takes real numbers, for complex ones have no order")
    dtype = _result_dtype(a.dtype, method, single)
    by_sketches = (
        internal_method == "tdigest"
        and method == "linear"
        and np.issubdtype(dtype, np.number)
        and not np.issubdtype(dtype, np.complexfloating)
    )
    if by_sketches:
        crick = _crick()
        part: Any = functools.partial(_sketch, crick)
        merge: Any = functools.partial(_merged_sketches, asked, single)
    else:
        # Those that are not asked for cost little beside sorting, and tell how elements are spread.
        known = np.unique(np.concatenate([_GRID, asked]))
        within = method
        if a.numblocks[0] > 1:
            # What all chunks round in one direction adds up, so it is left to the end.
            within = "linear" if method in ("linear", "midpoint") else "nearest"
        part = functools.partial(_of_chunk, known, within)
        merge = functools.partial(_merged, asked, known, method, single, dtype)
    token = tokenize(a, asked, single, method, by_sketches)
    name, part_name = f"percentile-{token}", f"percentile-chunk-{token}"
    layer: dict[Any, Any] = {}
    parts = []
    for i in range(a.numblocks[0]):
        key = (part_name, i)
        layer[key] = Task(key, part, TaskRef((a.name, i)))
        parts.append(TaskRef(key))
    key = (name,) if single else (name, 0)
    layer[key] = Task(key, merge, List(*parts))
    meta = meta_from_array(a, ndim=0 if single else 1, dtype=dtype)
    return make_array(name, layer, () if single else ((len(asked),),), meta, [a])


def _result_dtype(dtype: np.dtype, method: str, single: bool) -> np.dtype:
    if dtype.kind in "biu" and method in ("linear", "midpoint"):
        return np.dtype(float)
    if dtype.kind == "f" and dtype.itemsize < 8 and method in ("linear", "midpoint"):
        return np.percentile(
            np.ones(1, dtype=dtype), 50.0 if single else [50.0], method=method
        ).dtype
    return dtype


def _of_chunk(q: np.ndarray, method: str, block: Any) -> tuple[Any, int]:
    """The percentiles of a chunk, and the number of its elements."""
    count = len(block)
    if not count:
        return block, 0
    # So many percentiles are found faster in order than one by one.
    ordered = np.sort(np.asarray(block))
    if ordered.dtype.kind in "fmM" and np.isnan(ordered[-1]):
        return np.full(len(q), ordered[-1]), count
    place = q / 100 * (count - 1)
    below, above = np.floor(place).astype(np.intp), np.ceil(place).astype(np.intp)
    if method == "lower" or ordered.dtype.kind not in "biufmM":
        return ordered[below], count
    if method == "higher":
        return ordered[above], count
    if method == "nearest":
        return ordered[np.rint(place).astype(np.intp)], count
    if ordered.dtype.kind in "biu":
        ordered = ordered.astype(float)
    low, high = ordered[below], ordered[above]
    share = (place - below).astype(ordered.dtype if ordered.dtype.kind == "f" else float)
    if method == "midpoint":
        share = np.where(share > 0, share.dtype.type(0.5), share)
    return _between(low, high, share), count


def _between(low: Any, high: Any, share: Any) -> Any:
    """What lies between two values; beside infinity the nearer one."""
    with np.errstate(invalid="ignore", over="ignore"):
        width = high - low
        # From the nearer end, so that it is met without rounding.
        result = np.where(share < 0.5, low + width * share, high - width * (1 - share))
    if low.dtype.kind == "f":
        near = np.where(share < 0.5, low, high)
        result = np.where(np.isfinite(low) & np.isfinite(high) & (low != high), result, near)
    return result


def _merged(
    asked: np.ndarray,
    known: np.ndarray,
    method: str,
    single: bool,
    dtype: np.dtype,
    parts: list[tuple[Any, int]],
) -> Any:
    values, counts = [part[0] for part in parts], [part[1] for part in parts]
    if not len(asked):
        return np.empty(0, dtype=dtype)
    if not sum(counts):
        raise ValueError(
            "No non-trivial arrays found: there are no elements to find percentiles of"
        )
    full = [np.asarray(value) for value, count in zip(values, counts) if count]
    for value in full:
        if value.dtype.kind in "fmM" and np.isnan(value).any():
            # As NumPy has it, what is not known makes all unknown.
            missing = value[np.isnan(value)][0]
            return missing if single else np.full(len(asked), missing, dtype=dtype)
    if len(parts) == 1:
        result = full[0][np.searchsorted(known, asked)]
    elif full[0].dtype.kind in "biufmM":
        weights = np.array([count for count in counts if count], dtype=float)
        result = _of_mixture(asked, known, np.stack(full), weights / weights.sum(), method)
    else:
        result = merge_percentiles(asked, [known] * len(parts), values, method, counts, False)
    result = np.asarray(result, dtype=dtype) if dtype.kind not in "SU" else result
    return result[0] if single else result


def _of_mixture(
    asked: np.ndarray, known: np.ndarray, rows: np.ndarray, weights: np.ndarray, method: str
) -> np.ndarray:
    """Percentiles of sets of data together, from those of each set.

    Parameters
    ----------
    asked, known:
        The percentiles that are wanted, and those that ``rows`` are, in ascending order.
    rows:
        The values at ``known``, with a row for each set.
    weights:
        The share of each set in all elements.
    """
    kind = rows.dtype
    if kind.kind in "mM":
        rows = rows.view(np.int64)
    elif kind.kind == "b":
        rows = rows.astype(np.uint8)
    values = np.unique(rows)
    # Sums of shares are not exact, and a hair's breadth must not change the element.
    slack = 1e-9
    picked = []
    for q in asked:
        low, high = 0, len(values) - 1
        while low < high:
            middle = (low + high) // 2
            if _shares(values[middle], rows, known, weights)[1] >= q - slack:
                high = middle
            else:
                low = middle + 1
        before, upto = _shares(values[low], rows, known, weights)
        first, second, share = low, low, 0.0
        if before > q + slack and low:
            first = low - 1
            start = _shares(values[first], rows, known, weights)[1]
            share = (q - start) / (before - start)
        elif upto <= q + slack and low + 1 < len(values):
            if _shares(values[low + 1], rows, known, weights)[0] <= q + slack:
                # No elements lie between these two.
                second, share = low + 1, 0.5
        picked.append((first, second, min(max(share, 0.0), 1.0)))
    first, second = (values[[pick[n] for pick in picked]].view(kind) if kind.kind in "mM"
                     else values[[pick[n] for pick in picked]].astype(kind, copy=False)
                     for n in range(2))  # fmt: skip
    shares = np.array([pick[2] for pick in picked])
    if method == "lower":
        return np.where(shares < 1, first, second)
    if method == "higher":
        return np.where(shares > 0, second, first)
    if method == "nearest":
        return np.where(shares <= 0.5, first, second)
    if method == "midpoint":
        shares = np.where((shares > 0) & (shares < 1), 0.5, shares)
    numbers = float if kind.kind in "biu" else kind
    return _between(np.asarray(first, dtype=numbers), np.asarray(second, dtype=numbers), shares)


def _shares(value: Any, rows: Any, known: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """The percentage of elements below a value, and of those up to it."""
    below = (rows < value).sum(axis=1)
    upto = (rows <= value).sum(axis=1)
    last = rows.shape[1] - 1
    sets = np.arange(len(rows))
    left, right = np.clip(below - 1, 0, last), np.minimum(below, last)
    low, high = rows[sets, left], rows[sets, right]
    with np.errstate(invalid="ignore", over="ignore"):
        width = high.astype(float) - low.astype(float)
        part = (float(value) - low.astype(float)) / np.where(width > 0, width, 1.0)
    part = np.where(np.isfinite(part), part, 0.5)
    between = known[left] + (known[right] - known[left]) * np.clip(part, 0, 1)
    between = np.where(below == 0, 0.0, np.where(below > last, 100.0, between))
    there = upto > below
    at_least = np.where(there, known[np.minimum(below, last)], between)
    at_most = np.where(there, known[np.clip(upto - 1, 0, last)], between)
    return float(weights @ at_least), float(weights @ at_most)


def merge_percentiles(
    finalq: Any,
    qs: Sequence[Any],
    vals: Sequence[Any],
    method: str = "lower",
    Ns: Sequence[int] | None = None,
    raise_on_nan: bool = True,
) -> np.ndarray:
    """Put together the percentiles of several sets of data.

    Parameters
    ----------
    finalq:
        The percentiles that are wanted, on the scale of ``qs``.
    qs:
        For each set the percentiles that are known, in ascending order.
    vals:
        For each set the values at these.
    method:
        As for :func:`percentile`.
    Ns:
        How many elements each set has; sets without elements count for nothing.
    raise_on_nan:
        Whether data that are all NaN are an error.

    Raises
    ------
    ValueError
        If the sets do not fit, there are no elements, or the method is not known.

    Examples
    --------
    >>> import numpy as np
    >>> qs = [[20, 40, 60, 80], [20, 40, 60, 80]]
    >>> vals = [np.array([1, 2, 3, 4]), np.array([10, 11, 12, 13])]
    >>> merge_percentiles([10, 20, 30, 40, 50, 60, 70, 80], qs, vals, Ns=[100, 100])
    array([ 1,  2,  3,  4, 10, 11, 12, 13])
    """
    if isinstance(finalq, np.ndarray):
        finalq = finalq.tolist()
    finalq = np.asarray(list(finalq), dtype=float)
    qs = [np.asarray(q, dtype=float) for q in qs]
    if Ns is None:
        pairs = [part if isinstance(part, tuple) else (part, len(part)) for part in vals]
        vals, Ns = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    sets = [(q, val, n) for q, val, n in zip(qs, vals, Ns) if n]
    if not sets:
        if raise_on_nan:
            raise ValueError("No non-trivial arrays found")
        return np.full(len(finalq), np.nan)
    if len(finalq) == 0:
        return np.empty(0, dtype=np.asarray(sets[0][1]).dtype)
    if method not in _METHODS:
        raise ValueError(f"method can only be one of {', '.join(_METHODS)}, not {method!r}")
    for q, val, _ in sets:
        if len(q) != len(val):
            raise ValueError(f"{len(q)} percentiles cannot have the {len(val)} values given")
    # Each value stands for the elements between it and the one before.
    values = np.concatenate([np.asarray(val) for _, val, _ in sets])
    weights = np.concatenate([np.diff(q, prepend=0.0) * n for q, _, n in sets])
    order = np.argsort(values, kind="stable")
    values, weights = values[order], weights[order]
    upto = np.cumsum(weights)
    wanted = finalq * sum(n for _, _, n in sets)
    # Sums of weights are not exact, and a hair's breadth must not change the element.
    slack = 1e-9 * max(upto[-1], 1.0)
    above = np.minimum(np.searchsorted(upto, wanted - slack, side="left"), len(values) - 1)
    after = np.searchsorted(upto, wanted + slack, side="right")
    # Where sums are hit there may be several values, for some have no weight.
    exact = upto[above] <= wanted + slack
    lower = np.where(exact, above, np.maximum(above - 1, 0))
    upper = np.where(exact, np.maximum(after - 1, above), above)
    # Nothing lies outside of the extremes.
    lower, upper = (np.where(wanted <= slack, 0, place) for place in (lower, upper))
    if method == "lower":
        return values[lower]
    if method == "higher" or values.dtype.kind not in "biufcmM":
        return values[upper]
    if method == "midpoint":
        return values[lower] + (values[upper] - values[lower]) / 2
    near = np.abs(upto[lower] - wanted) <= np.abs(upto[upper] - wanted)
    if method == "nearest":
        return values[np.where(near, lower, upper)]
    width = upto[upper] - upto[lower]
    flat = width <= slack
    share = np.where(flat, 0.5, (wanted - upto[lower]) / np.where(flat, 1.0, width))
    return values[lower] + (values[upper] - values[lower]) * share


# -- sketches ----------------------------------------------------------------------------


def _crick() -> Any:
    try:
        import crick
    except ImportError as error:
        raise ImportError(
            "crick is needed for internal_method='tdigest' and is not installed; "
            "internal_method='dask' goes without it"
        ) from error
    return crick


def _sketch(crick: Any, block: Any) -> Any:
    digest = crick.TDigest()
    digest.update(block)
    return digest


def _merged_sketches(q: np.ndarray, single: bool, digests: list[Any]) -> Any:
    whole = digests[0].copy()
    whole.merge(*digests[1:])
    result = np.array(whole.quantile(q / 100))
    return result[0] if single else result
