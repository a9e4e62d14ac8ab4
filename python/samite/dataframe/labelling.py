"""Rows of a partition chosen by labels of the index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def take(part: Any, what: Any) -> Any:
    """The rows with labels in a slice or a list.

    Raises
    ------
    KeyError
        A label of a list is not there.
    """
    if isinstance(what, slice):
        return take_if_there(part, what)
    if len(what) == 1 and isinstance(what, tuple):
        # A single label, which may be there more than once.
        found = part.loc[what[0] : what[0]] if _sorted(part) else part[part.index == what[0]]
        if not len(found) and len(part):
            raise KeyError(what[0])
        return found
    return part.loc[list(what)]


def _sorted(part: Any) -> bool:
    return part.index.is_monotonic_increasing


def take_if_there(part: Any, what: slice) -> Any:
    """The rows with labels in a slice, whose bounds need not be among them."""
    if _sorted(part) or what == slice(None, None, what.step):
        return part.loc[what]
    bounds = [
        None if bound is None else _bound(part.index, bound, side)
        for bound, side in ((what.start, "left"), (what.stop, "right"))
    ]
    chosen = np.ones(len(part), dtype=bool)
    if bounds[0] is not None:
        chosen &= np.asarray(part.index >= bounds[0])
    if bounds[1] is not None:
        chosen &= np.asarray(part.index <= bounds[1])
    return part[chosen][:: what.step]


def _bound(index: pd.Index, label: Any, side: str) -> Any:
    """What a label stands for as a bound: texts can be spans of time."""
    if isinstance(label, str) and isinstance(index, pd.DatetimeIndex):
        return span_of(label, index)[0 if side == "left" else 1]
    return label


def span_of(label: str, index: Any) -> tuple[Any, Any]:
    """The first and the last moment that a text such as "2011-01" stands for."""
    period = pd.Period(label)
    if isinstance(index, pd.PeriodIndex):
        return (
            pd.Period(period.start_time, freq=index.freq),
            pd.Period(period.end_time, freq=index.freq),
        )
    zone = getattr(index, "tz", None)
    return period.start_time.tz_localize(zone), period.end_time.tz_localize(zone)


def columns_at(frame: Any, positions: Any) -> Any:
    """The columns at positions."""
    return frame.iloc[:, positions]
