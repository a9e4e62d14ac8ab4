"""Functions that read values as dates, durations and numbers."""

from __future__ import annotations

from typing import Any

from samite.dataframe.collections import DataFrame, Series, new_collection
from samite.dataframe.collections.frame_base import FrameBase
from samite.dataframe.metadata import make_meta

__all__ = ["isna", "to_datetime", "to_numeric", "to_timedelta"]


def to_datetime(arg: Any, meta: Any = None, **kwargs: Any) -> Any:
    """Dates of each row; see ``pandas.to_datetime``.

    Parameters
    ----------
    arg:
        A series or an index, or a frame with columns ``year``, ``month``, ``day`` and so on. A
        pandas object is converted at once.
    meta:
        What the result is, as :func:`make_meta` takes it.
    kwargs:
        For pandas.

    Raises
    ------
    NotImplementedError
        ``arg`` is of another type, or ``infer_datetime_format`` is given.
    """
    import pandas as pd

    from samite.dataframe.expressions.parsing import ToDatetime

    if isinstance(arg, (pd.Series, pd.DataFrame)):
        return pd.to_datetime(arg, **kwargs)
    if not isinstance(arg, (Series, DataFrame)):
        raise NotImplementedError(
            "dask.dataframe.to_datetime does not support non-index-able arguments (like scalars); "
            f"got {type(arg).__name__}"
        )
    meta = None if meta is None else make_meta(meta)
    return new_collection(ToDatetime(arg.expr, kwargs, meta))


def to_timedelta(arg: Any, unit: str | None = None, errors: str = "raise") -> Any:
    """Durations of each row; see ``pandas.to_timedelta``.

    Raises
    ------
    TypeError
        ``arg`` is no series.
    """
    import pandas as pd

    from samite.dataframe.expressions.parsing import ToTimedelta

    if isinstance(arg, (pd.Series, pd.Index)):
        return pd.to_timedelta(arg, unit=unit, errors=errors)
    if not isinstance(arg, Series):
        raise TypeError(f"arg must be a Series, got {type(arg).__name__}")
    return new_collection(ToTimedelta(arg.expr, {"unit": unit, "errors": errors}))


def to_numeric(
    arg: Any, errors: str = "raise", downcast: str | None = None, meta: Any = None
) -> Any:
    """Numbers of each value; see ``pandas.to_numeric``.

    Parameters
    ----------
    arg:
        A series, a lazy array, or what pandas takes, which becomes a lazy value.
    errors:
        ``"raise"`` or ``"coerce"``, which makes missing values of what is no number.
    downcast:
        ``"integer"``, ``"signed"``, ``"unsigned"`` or ``"float"``: the smallest such dtype.
    meta:
        What the result is; only of collections.

    Raises
    ------
    TypeError
        ``arg`` is of another type.
    ValueError
        ``errors`` or ``downcast`` is another.
    KeyError
        ``meta`` is given where no collection comes out.
    """
    import pandas as pd

    from samite.dataframe.expressions.parsing import ToNumeric

    if errors not in ("raise", "coerce", "ignore"):
        raise ValueError(f"invalid error value specified: {errors!r}")
    if downcast not in (None, "integer", "signed", "unsigned", "float"):
        raise ValueError(f"invalid downcasting method provided: {downcast!r}")
    kwargs: dict[str, Any] = {"errors": errors, "downcast": downcast}
    if isinstance(arg, Series):
        given = None if meta is None else make_meta(meta)
        return new_collection(ToNumeric(arg.expr, kwargs, given))
    if isinstance(arg, FrameBase):
        raise TypeError(
            "arg must be a list, tuple, dask.array.Array, or dask.dataframe.Series, got "
            f"{type(arg).__name__}"
        )
    if hasattr(type(arg), "numblocks") and hasattr(type(arg), "__dask_graph__"):
        return _numeric_array(arg, kwargs, meta)
    if meta is not None:
        raise KeyError("``meta`` is not allowed in to_numeric except for collections")
    from samite.delayed import delayed

    return delayed(pd.to_numeric, pure=True)(arg, **kwargs)


def _numeric_array(arg: Any, kwargs: dict[str, Any], meta: Any) -> Any:
    import numpy as np
    import pandas as pd

    if meta is None:
        # A downcast chooses by values; without one, pandas' numbers of text are of 64 bits.
        meta = pd.to_numeric(np.array(["1"]) if arg.dtype.kind in "OUS" else arg._meta, **kwargs)
    return arg.map_blocks(pd.to_numeric, dtype=meta.dtype, meta=meta[:0], **kwargs)


def isna(arg: Any) -> Any:
    """Whether each value is missing; see ``pandas.isna``. Of a pandas object at once."""
    import pandas as pd

    return arg.isna() if isinstance(arg, FrameBase) else pd.isna(arg)
