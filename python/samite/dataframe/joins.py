"""Joining frames: what is checked before an expression is made."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd

from samite.dataframe.collections.frame_base import FrameBase, new_collection
from samite.dataframe.expressions.merge import Merge
from samite.dataframe.expressions.selection import Projection

HOWS = (
    "left",
    "right",
    "inner",
    "outer",
    "leftsemi",
    "left_anti",
    "right_anti",
)


def merge(
    left: Any,
    right: Any,
    how: str = "inner",
    on: Any = None,
    left_on: Any = None,
    right_on: Any = None,
    left_index: bool = False,
    right_index: bool = False,
    suffixes: Any = ("_x", "_y"),
    indicator: Any = False,
    shuffle_method: str | None = None,
    npartitions: int | None = None,
    broadcast: bool | float | None = None,
    **options: Any,
) -> Any:
    """Two frames joined by keys, as :func:`pandas.merge` does it.

    Parameters
    ----------
    left, right:
        Frames, or pandas frames; of two of these the result is pandas'.
    how:
        "left", "right", "inner" or "outer"; "leftsemi" for the rows of ``left`` that have a
        match, "left_anti" and "right_anti" for those that have none.
    on, left_on, right_on:
        Labels of columns or names of index levels; for one side also a series with its rows.
        By default the labels that both sides have.
    left_index, right_index:
        Whether the index is the key of that side. Where both are, and divisions are known, rows
        are not shuffled.
    suffixes:
        What is added to labels that both sides have.
    indicator:
        Whether to add the column "_merge", or its label.
    npartitions:
        How many partitions a shuffled result has; by default as many as the larger side.
    broadcast:
        Whether to give the smaller side to all partitions of the other. By default it is where
        it has far fewer partitions; a number takes the place of 0.5, the higher the more often.
    shuffle_method, options:
        See :meth:`DataFrame.shuffle`.

    Raises
    ------
    KeyError
        A key is not there.
    ValueError
        ``how`` is not known, or the keys do not fit each other.
    pandas.errors.MergeError
        Both labels and an index are given for a side, or there are no keys.
    """
    if how not in HOWS:
        raise ValueError(
            f"dask.dataframe.merge does not support how='{how}'. Options are: {HOWS}. "
            "Note that 'leftsemi' is the only addition to those of pandas."
        )
    sides = (left, right)
    if not any(isinstance(side, FrameBase) for side in sides):
        return pd.merge(
            left,
            right,
            how=how,
            on=on,
            left_on=left_on,
            right_on=right_on,
            left_index=left_index,
            right_index=right_index,
            suffixes=suffixes,
            indicator=indicator,
        )
    left, right = (_as_frame(side) for side in sides)
    if on is not None:
        if left_on is not None or right_on is not None or left_index or right_index:
            raise ValueError(
                'Can only pass argument "on" OR "left_on" and "right_on" (or the indexes), not a '
                "combination of both"
            )
        left_on = right_on = on
    elif left_on is None and right_on is None and not left_index and not right_index:
        common = [c for c in left.columns if c in set(right.columns)]
        if common:
            left_on = right_on = common
        else:
            left_index = right_index = True
    left_on, right_on = _keys(left, left_on), _keys(right, right_on)
    if how == "leftsemi":
        _check_left_semi(left, right, left_on, right_on, left_index, right_index)
    # pandas checks the keys when it makes the metadata.
    expr = Merge(
        left.expr,
        right.expr,
        how,
        left_on,
        right_on,
        left_index,
        right_index,
        tuple(suffixes),
        indicator,
        npartitions,
        shuffle_method,
        broadcast,
        options or None,
    )
    result = new_collection(expr)
    _warn_of_dtypes(left, right, left_on, right_on)
    return result


def _as_frame(side: Any) -> Any:
    from samite.dataframe.io.from_pandas import from_pandas

    if isinstance(side, (pd.DataFrame, pd.Series)):
        side = from_pandas(side, npartitions=1, sort=False)
    if not isinstance(side, FrameBase):
        raise TypeError(f"merge takes frames, got {type(side).__name__}")
    if side.ndim == 1:
        if side.name is None:
            raise ValueError("Cannot merge a Series without a name")
        side = side.to_frame()
    return side


def _keys(frame: Any, keys: Any) -> Any:
    """Keys as a list of labels, an expression, or None."""
    if keys is None:
        return None
    if isinstance(keys, FrameBase):
        expr = keys.expr
        if isinstance(expr, Projection) and expr.frame._name == frame.expr._name:
            return list(expr.columns)
        if expr.npartitions != frame.npartitions:
            raise ValueError(
                "merge takes a series with the rows of its side as a key; it has "
                f"{expr.npartitions} partitions and the side {frame.npartitions}"
            )
        return expr
    if isinstance(keys, tuple) and keys not in frame.columns:
        return list(keys)
    if isinstance(keys, (list, pd.Index)):
        return [key.name if isinstance(key, FrameBase) and key.ndim == 1 else key for key in keys]
    return [keys]


def _check_left_semi(
    left: Any, right: Any, left_on: Any, right_on: Any, left_index: bool, right_index: bool
) -> None:
    if left_index or right_index:
        raise NotImplementedError(
            "how='leftsemi' does not support left_index=True or right_index=True"
        )
    for frame, keys in ((left, left_on), (right, right_on)):
        if not isinstance(keys, list) or any(key not in frame.columns for key in keys):
            raise NotImplementedError("how='leftsemi' does not support on columns from the index")


def _warn_of_dtypes(left: Any, right: Any, left_on: Any, right_on: Any) -> None:
    """Warn of keys whose dtypes differ: what is equal may not be what is expected."""
    if not isinstance(left_on, list) or not isinstance(right_on, list):
        return
    rows = []
    looks = [frame.expr._schema for frame in (left, right)]
    for mine, theirs in zip(left_on, right_on, strict=False):
        kinds: Any = [
            None if look is None else look.dtype_of(label)
            for look, label in zip(looks, (mine, theirs), strict=True)
        ]
        if any(kind is None for kind in kinds):
            if mine not in left.columns or theirs not in right.columns:
                continue
            kinds = left._meta.dtypes[mine], right._meta.dtypes[theirs]
        if any(isinstance(kind, pd.CategoricalDtype) for kind in kinds):
            if not all(isinstance(kind, pd.CategoricalDtype) for kind in kinds):
                rows.append(((mine, theirs), *kinds))
        elif kinds[0] != kinds[1] and {kinds[0].kind, kinds[1].kind} != {"O"}:
            rows.append(((mine, theirs), *kinds))
    if rows:
        table = "\n".join(f"  {keys}: {mine} and {theirs}" for keys, mine, theirs in rows)
        warnings.warn(
            f"Merging dataframes with merge column data type mismatches: \n{table}\n"
            "Cast dtypes explicitly to avoid unexpected results.",
            UserWarning,
            stacklevel=3,
        )


def join(
    frame: Any,
    other: Any,
    on: Any,
    how: str,
    lsuffix: str,
    rsuffix: str,
    shuffle_method: str | None,
    npartitions: int | None,
) -> Any:
    """See :meth:`DataFrame.join`."""
    if isinstance(other, list):
        return _join_all(frame, other, how, shuffle_method, npartitions)
    if not isinstance(other, (FrameBase, pd.DataFrame, pd.Series)):
        raise ValueError(f"other must be DataFrame or Series, got {type(other).__name__}")
    return merge(
        frame,
        other,
        how=how,
        left_on=on,
        left_index=on is None,
        right_index=True,
        suffixes=(lsuffix, rsuffix),
        shuffle_method=shuffle_method,
        npartitions=npartitions,
    )


def _join_all(
    frame: Any, others: list[Any], how: str, shuffle_method: str | None, npartitions: int | None
) -> Any:
    if how not in ("left", "outer"):
        raise ValueError(f"merge_multi only supports left or outer joins, got how={how!r}")
    for other in others:
        if not isinstance(other, (FrameBase, pd.DataFrame, pd.Series)):
            raise ValueError(f"other must be DataFrame or Series, got {type(other).__name__}")
    for other in others:
        frame = join(frame, other, None, how, "", "", shuffle_method, npartitions)
    return frame
