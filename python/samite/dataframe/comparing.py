"""Comparison of collections with each other and with pandas objects, for tests."""

from __future__ import annotations

from typing import Any

import pandas as pd


def assert_eq(
    a: Any,
    b: Any,
    check_names: bool = True,
    check_dtype: bool = True,
    check_divisions: bool = True,
    check_index: bool = True,
    sort_results: bool = True,
    scheduler: Any = "sync",
    **kwargs: Any,
) -> bool:
    """Raise AssertionError unless two collections, pandas objects or scalars are equal.

    Parameters
    ----------
    check_divisions:
        Whether to check that partitions keep to the divisions of their collection.
    check_index:
        Whether the labels of the rows count.
    sort_results:
        Whether rows are sorted before they are compared.
    scheduler:
        What computes the collections.
    kwargs:
        For the comparison of pandas.
    """
    for collection in (a, b):
        if check_divisions and hasattr(collection, "divisions"):
            assert_divisions(collection, scheduler=scheduler)
        if check_dtype and hasattr(collection, "_meta"):
            assert_eq_dtypes(collection, collection._meta, scheduler=scheduler)
    a, b = (_computed(value, scheduler) for value in (a, b))
    if sort_results:
        a, b = _sorted(a), _sorted(b)
    if not check_index:
        a, b = (v.reset_index(drop=True) if hasattr(v, "reset_index") else v for v in (a, b))
    keywords = {"check_dtype": check_dtype, "check_names": check_names, **kwargs}
    if isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, **keywords)
    elif isinstance(a, pd.Series):
        pd.testing.assert_series_equal(a, b, **keywords)
    elif isinstance(a, pd.Index):
        pd.testing.assert_index_equal(
            a, b, exact="equiv" if check_dtype else False, check_names=check_names
        )
    else:
        import numpy as np

        both_missing = pd.api.types.is_scalar(a) and pd.isna(a) and pd.isna(b)
        assert both_missing or bool(np.all(a == b)) or bool(np.allclose(a, b)), f"{a!r} != {b!r}"
    return True


def _computed(value: Any, scheduler: Any) -> Any:
    return value.compute(scheduler=scheduler) if hasattr(value, "compute") else value


def _sorted(value: Any) -> Any:
    try:
        if isinstance(value, pd.DataFrame):
            return value.sort_index().sort_values(by=list(value.columns), kind="stable")
        if isinstance(value, pd.Series):
            return value.sort_index().sort_values(kind="stable")
        if isinstance(value, pd.Index):
            return value.sort_values()
    except (TypeError, ValueError, IndexError, KeyError):
        return value.sort_index() if hasattr(value, "sort_index") else value
    return value


def assert_divisions(collection: Any, scheduler: Any = None) -> None:
    """Raise AssertionError unless the rows of each partition are between its divisions."""
    if not getattr(collection, "known_divisions", False):
        return
    from samite import base

    parts = base.compute(*collection.to_delayed(), scheduler=scheduler)
    divisions = collection.divisions
    for number, part in enumerate(parts):
        index = part if isinstance(part, pd.Index) else part.index
        index = index.get_level_values(0) if isinstance(index, pd.MultiIndex) else index
        if not len(index):
            continue
        assert index.min() >= divisions[number], (number, index.min(), divisions)
        if number == len(parts) - 1:
            assert index.max() <= divisions[-1], (number, index.max(), divisions)
        else:
            assert index.max() < divisions[number + 1], (number, index.max(), divisions)


def assert_eq_dtypes(a: Any, b: Any, scheduler: Any = "sync") -> None:
    """Raise AssertionError unless two frames or series have equal dtypes; all dtypes of numbers
    count as equal, and so do objects and strings."""
    a, b = (_computed(value, scheduler) for value in (a, b))
    if isinstance(a, pd.DataFrame):
        pairs = list(zip(a.dtypes, b.dtypes, strict=True))
    elif isinstance(a, (pd.Series, pd.Index)):
        pairs = [(a.dtype, b.dtype)]
    else:
        return
    for one, other in pairs:
        assert _kind(one) == _kind(other), (one, other)


def _kind(dtype: Any) -> Any:
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if dtype.kind in "iufb":
        return "number"
    if pd.api.types.is_object_dtype(dtype) or isinstance(dtype, pd.StringDtype):
        return "object"
    return dtype
