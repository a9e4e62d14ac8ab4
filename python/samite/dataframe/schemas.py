"""Schemas: what a frame or series looks like, in a form that is made in microseconds.

An empty object of pandas says the same (see :mod:`samite.dataframe.metadata`), but pandas takes
a tenth of a millisecond to make one, and much more to join or to group one. Only what is plain
has a schema: labels are text, dtypes are some of NumPy's and pandas' own, and nothing else
(attributes, flags, subclasses) is attached.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

# The dtype of labels that are text.
_TEXT = pd.Index(["a"]).dtype


class Labels:
    """The index of a schema: levels, each with name and dtype, or an empty index of pandas.

    Schemas share it where they have the same index.
    """

    __slots__ = ("_index", "_levels")

    def __init__(self, levels: Sequence[tuple[Any, Any]] | None, index: Any = None) -> None:
        self._levels = None if levels is None else tuple(levels)
        self._index = index

    @property
    def levels(self) -> tuple[tuple[Any, Any], ...]:
        """Name and dtype of each level."""
        if self._levels is None:
            index = self._index
            if isinstance(index, pd.MultiIndex):
                dtypes = [level.dtype for level in index.levels]
                self._levels = tuple(zip(index.names, dtypes, strict=True))
            else:
                self._levels = ((index.name, index.dtype),)
        return self._levels

    @property
    def index(self) -> Any:
        """The index as pandas has it, without labels."""
        if self._index is None:
            levels = [pd.Index(empty_array(dtype), name=name) for name, dtype in self.levels]
            if len(levels) == 1:
                self._index = levels[0]
            else:
                self._index = pd.MultiIndex(
                    levels=levels,
                    codes=[[] for _ in levels],
                    names=[name for name, _ in self.levels],
                    verify_integrity=False,
                )
        return self._index


# The places of the rows.
PLACES = Labels(None, pd.RangeIndex(0))


class Schema:
    """Labels and dtypes of columns, and the index; of a series its name and dtype."""

    __slots__ = ("_columns", "_meta", "_places", "dtypes", "index", "labels", "ndim")

    def __init__(
        self,
        labels: Sequence[Any],
        dtypes: Sequence[Any],
        index: Labels,
        ndim: int,
        columns: Any = None,
    ) -> None:
        self.labels = tuple(labels)
        self.dtypes = tuple(dtypes)
        self.index = index
        self.ndim = ndim
        self._columns = columns
        self._meta: Any = None
        self._places: dict[Any, int] | None = None

    @staticmethod
    def of(meta: Any) -> Schema | None:
        """The schema of an empty object of pandas; None if it is not plain."""
        kind = type(meta)
        if kind is pd.DataFrame:
            columns = meta.columns
            if type(columns) is not pd.Index or columns.dtype != _TEXT or columns.name is not None:
                return None
            labels = columns.tolist()
            dtypes = meta.dtypes.tolist()
            if not labels or len(set(labels)) < len(labels):
                return None
            if not all(type(label) is str for label in labels):
                return None
        elif kind is pd.Series:
            labels, dtypes, columns = [meta.name], [meta.dtype], None
            if meta.name is not None and type(meta.name) is not str:
                return None
        else:
            return None
        if not all(map(is_plain, dtypes)):
            return None
        if meta.attrs or not meta.flags.allows_duplicate_labels:
            return None
        index = meta.index
        if type(index) is pd.RangeIndex and index.name is None:
            own = PLACES
        else:
            own = Labels(None, index)
        schema = Schema(labels, dtypes, own, meta.ndim, columns)
        schema._meta = meta
        return schema

    @property
    def places(self) -> dict[Any, int]:
        """The place of each column by label."""
        if self._places is None:
            self._places = {label: place for place, label in enumerate(self.labels)}
        return self._places

    def dtype_of(self, label: Any) -> Any:
        """The dtype of a column; None if there is no such column."""
        place = self.places.get(label) if type(label) is str else None
        return None if place is None else self.dtypes[place]

    @property
    def columns(self) -> Any:
        """The labels of the columns of a frame as pandas has them."""
        if self._columns is None:
            self._columns = pd.Index(self.labels, dtype=_TEXT)
        return self._columns

    @property
    def meta(self) -> Any:
        """The empty object of pandas."""
        if self._meta is None:
            arrays = [empty_array(dtype) for dtype in self.dtypes]
            index = self.index.index
            if self.ndim == 1:
                self._meta = pd.Series(arrays[0], index=index, name=self.labels[0], copy=False)
            else:
                self._meta = pd.DataFrame(dict(enumerate(arrays)), index=index, copy=False)
                self._meta.columns = self.columns
        return self._meta

    @property
    def example(self) -> Any:
        """Some empty object of pandas of the same kind."""
        return _EXAMPLES[self.ndim]

    def series(self, name: Any, dtype: Any) -> Schema:
        """The schema of a series with this index."""
        return Schema((name,), (dtype,), self.index, 1)

    def frame(self, labels: Sequence[Any], dtypes: Sequence[Any]) -> Schema | None:
        """The schema of a frame with this index; None if labels are no text, or not unique."""
        if len(set(labels)) < len(labels) or not all(type(label) is str for label in labels):
            return None
        return Schema(labels, dtypes, self.index, 2) if labels else None

    def __reduce__(self) -> Any:
        return (_of_meta, (self.meta,))


_EXAMPLES = {1: pd.Series([], dtype="int64"), 2: pd.DataFrame()}


def _of_meta(meta: Any) -> Schema:
    found = Schema.of(meta)
    assert found is not None
    return found


def is_plain(dtype: Any) -> bool:
    """Whether a schema may have columns of that dtype."""
    if isinstance(dtype, np.dtype):
        return dtype.kind in "biufcmM"
    return type(dtype) in (pd.StringDtype, pd.DatetimeTZDtype, pd.CategoricalDtype)


_EMPTY: dict[Any, Any] = {}


def empty_array(dtype: Any) -> Any:
    """An array of that dtype without values."""
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Categorical([], dtype=dtype)
    found = _EMPTY.get(dtype)
    if found is None:
        found = _EMPTY[dtype] = pd.Series([], dtype=dtype).array
    return found


# What pandas has made of dtypes, with the arguments that count.
_RESULTS: dict[Hashable, Any] = {}
_MOST_RESULTS = 10_000
_NONE = object()


def remembered(key: Hashable, find: Callable[[], Any]) -> Any:
    """What ``find`` gives, found once for each key: a dtype, or None.

    It is None, too, where pandas refuses or warns, which the caller then lets pandas do again.
    """
    found = _RESULTS.get(key)
    if found is None:
        import warnings

        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            try:
                found = find()
            except Exception:
                # Whatever it is, pandas raises it again where the user sees it.
                found = None
        if heard or found is None or not is_plain(found):
            found = _NONE
        if len(_RESULTS) >= _MOST_RESULTS:
            _RESULTS.clear()
        _RESULTS[key] = found
    return None if found is _NONE else found


_CONSTANTS = (type(None), bool, int, float, complex, str, bytes)


def constant(value: Any) -> Hashable | None:
    """What tells a plain value apart from all others in a key of :func:`remembered`; None for
    other values."""
    kind = type(value)
    if kind in _CONSTANTS:
        return (kind, repr(value))
    if isinstance(value, (np.generic, pd.Timestamp, pd.Timedelta)):
        unit = getattr(value, "unit", None)
        return (kind, str(getattr(value, "dtype", unit)), repr(value))
    if kind.__module__ == "datetime":
        return (kind, repr(value))
    if kind in (list, tuple):
        if len(value) > 100:
            return None
        parts = tuple(constant(part) for part in value)
        return None if any(part is None for part in parts) else (kind, parts)
    return None
