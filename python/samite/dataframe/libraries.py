"""The library that the partitions of a collection are of."""

from __future__ import annotations

from typing import Any


def meta_frame_constructor(like: Any) -> Any:
    """The class of data frames of the library that ``like`` is of.

    Raises
    ------
    TypeError
        ``like`` is of no library of data frames.
    """
    return _constructor(like, "frame")


def meta_series_constructor(like: Any) -> Any:
    """The class of series of the library that ``like`` is of.

    Raises
    ------
    TypeError
        ``like`` is of no library of data frames.
    """
    return _constructor(like, "series")


def _constructor(like: Any, kind: str) -> Any:
    import pandas as pd

    meta = getattr(like, "_meta", like)
    if isinstance(meta, (pd.DataFrame, pd.Series, pd.Index)):
        return pd.DataFrame if kind == "frame" else pd.Series
    raise TypeError(f"{type(like)} not supported by meta_{kind}_constructor")


def is_block(x: Any) -> bool:
    """Whether a value is an array of any library, with rows."""
    import pandas as pd

    if isinstance(x, (pd.DataFrame, pd.Series, pd.Index)) or isinstance(x, type):
        return False
    return hasattr(x, "shape") and hasattr(x, "dtype") and bool(getattr(x, "ndim", 0))


def is_scalar(x: Any) -> bool:
    """Whether a value is one, lazy or not, rather than rows."""
    import pandas as pd

    from samite._expr import Expr
    from samite.dataframe.collections import FrameBase

    if isinstance(x, (FrameBase, Expr)):
        return getattr(x, "ndim", 1) == 0
    return bool(pd.api.types.is_scalar(x))


def valid_divisions(divisions: Any) -> bool:
    """Whether values can be divisions: a sequence that ascends strictly up to the last but one,
    and does not fall there.

    >>> valid_divisions([0, 1, 1]), valid_divisions([0, 0, 1])
    (True, False)
    """
    import pandas as pd

    if not isinstance(divisions, (tuple, list)):
        return False
    if any(pd.isna(value) for value in divisions):
        return False
    for number, (low, high) in enumerate(zip(divisions, divisions[1:], strict=False)):
        last = number == len(divisions) - 2
        if low > high or (low == high and not last):
            return False
    return True


def index_summary(index: Any, name: str | None = None) -> str:
    """One line on a lazy index: how many labels there are, and which are its ends."""
    from samite import base
    from samite.dataframe.information import _ends, _ends_meta

    (described,) = base.compute(index.map_partitions(_ends, meta=_ends_meta()))
    described = described[described["count"] > 0]
    count = int(described["count"].sum())
    ends = ""
    if count:
        ends = f", {described['first'].iloc[0]} to {described['last'].iloc[-1]}"
    return f"{name or type(index._meta).__name__}: {count} entries{ends}"
