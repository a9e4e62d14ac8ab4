"""Values read as dates, durations and numbers."""

from __future__ import annotations

import functools
from typing import Any

import pandas as pd

from samite.dataframe.expressions.node import Elementwise
from samite.dataframe.metadata import meta_nonempty


class _Parsed(Elementwise):
    _parameters = ["frame", "kwargs", "given_meta"]
    _defaults = {"given_meta": None}
    _passes_projection = False
    parse: Any = None

    @classmethod
    def operation(cls, frame: Any, kwargs: dict[str, Any], given_meta: Any) -> Any:
        # An index that is part of a frame stays what it is.
        return cls.parse(frame, **kwargs)

    @functools.cached_property
    def _meta(self) -> Any:
        if self.given_meta is not None:
            return self.given_meta
        return self._found_meta()

    def _found_meta(self) -> Any:
        raise NotImplementedError

    def _task(self, key: Any, index: int) -> Any:
        from samite._task_spec import Task

        return Task(key, type(self).parse, self._argument(self.frame, index), **self.kwargs)


class ToDatetime(_Parsed):
    """``pandas.to_datetime`` of each row."""

    parse = staticmethod(pd.to_datetime)

    def _found_meta(self) -> Any:
        meta = self.frame._meta
        if meta.ndim == 2:
            example = pd.DataFrame({c: [2000 if c == "year" else 1] for c in meta.columns})
            found = pd.to_datetime(example, **self.kwargs)
            return pd.Series([], dtype=found.dtype, index=meta.index)
        if meta.dtype.kind == "O" or isinstance(meta.dtype, pd.StringDtype):
            utc = self.kwargs.get("utc", False)
            found = pd.to_datetime(pd.Series(["2000-01-01 00:00:00"]), utc=utc)
        else:
            found = pd.to_datetime(meta_nonempty(meta), **self.kwargs)
        return _with_dtype(meta, found.dtype)


class ToTimedelta(_Parsed):
    """``pandas.to_timedelta`` of each row."""

    parse = staticmethod(pd.to_timedelta)

    def _found_meta(self) -> Any:
        meta = self.frame._meta
        if meta.dtype.kind == "O" or isinstance(meta.dtype, pd.StringDtype):
            found = pd.to_timedelta(pd.Series(["1 days 00:00:01"]), **self.kwargs)
        else:
            found = pd.to_timedelta(pd.Series([1], dtype=meta.dtype), **self.kwargs)
        return _with_dtype(meta, found.dtype)


class ToNumeric(_Parsed):
    """``pandas.to_numeric`` of each row."""

    parse = staticmethod(pd.to_numeric)

    def _found_meta(self) -> Any:
        return pd.to_numeric(self.frame._meta, **self.kwargs)


def _with_dtype(meta: Any, dtype: Any) -> Any:
    if isinstance(meta, pd.Index):
        return pd.Index([], dtype=dtype, name=meta.name)
    return pd.Series([], dtype=dtype, index=meta.index, name=meta.name)
