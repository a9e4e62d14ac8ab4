"""Elements replaced by what a function or a mapping gives for them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite.dataframe.collections.frame_base import new_collection
from samite.dataframe.elementwise import apply_user_function, warn_of_guessed_meta
from samite.dataframe.expressions.elementwise import UserMethodCall
from samite.dataframe.expressions.node import partitionwise_divisions
from samite.dataframe.metadata import emulate, make_meta, no_default
from samite.utils import M


def map_series(frame: Any, arg: Any, na_action: Any, meta: Any) -> Any:
    """See :meth:`Series.map`.

    Raises
    ------
    TypeError
        ``arg`` is neither a function, nor a mapping, nor a series.
    NotImplementedError
        ``arg`` is a collection of several partitions.
    """
    import pandas as pd

    meta = no_default if meta is None else meta
    if hasattr(arg, "expr"):
        if arg.npartitions > 1:
            raise NotImplementedError(
                "map takes a collection of one partition, whose labels are looked up; merge with "
                "it, or repartition it to one"
            )
        if meta is no_default:
            meta = make_meta(emulate(M.map, frame, arg, na_action=na_action, udf=True))
        else:
            meta = make_meta(meta, index=frame._meta.index, parent_meta=frame._meta)
        return new_collection(
            UserMethodCall(frame.expr, "map", ("na_action",), meta, arg.expr, na_action)
        )
    if not callable(arg) and not isinstance(arg, (Mapping, pd.Series)):
        raise TypeError(f"arg must be pandas.Series, dict or callable. Got {type(arg)}")
    if meta is no_default and not callable(arg):
        # What a mapping gives does not depend on the elements that are made up: none of them
        # need be in it.
        values = pd.Series(list(arg.values()) if isinstance(arg, Mapping) else arg.array)
        found = make_meta(emulate(M.map, frame, arg, na_action=na_action, udf=True))
        if len(values) and values.dtype != found.dtype and found.isna().all():
            found = found.astype(values.dtype)
        warn_of_guessed_meta("map", found)
        meta = found
    return apply_user_function(frame, "map", meta, arg, na_action=na_action)


class MappedIndex(UserMethodCall):
    """An index of other labels; the divisions change likewise where these are in order."""

    _parameters = ["frame", "method", "names", "given_meta", "is_monotonic"]

    @functools.cached_property
    def _funcname(self) -> str:
        return "map"

    def _divisions(self) -> Sequence[Any]:
        import pandas as pd

        old = partitionwise_divisions(self)
        if not self.is_monotonic or old[0] is None:
            return (None,) * len(old)
        bounds = pd.Index(list(old), dtype=self.frame._meta.dtype)
        return tuple(bounds.map(*self.arguments, **self.keywords))


def map_index(index: Any, arg: Any, na_action: Any, meta: Any, is_monotonic: bool) -> Any:
    """See :meth:`Index.map`."""
    if meta is no_default or meta is None:
        meta = make_meta(emulate(M.map, index, arg, na_action=na_action, udf=True))
    else:
        meta = make_meta(meta, parent_meta=index._meta)
    return new_collection(
        MappedIndex(index.expr, "map", ("na_action",), meta, is_monotonic, arg, na_action)
    )
