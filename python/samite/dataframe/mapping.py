"""Elements replaced by what a function or a mapping gives for them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite.dataframe.collections.frame_base import new_collection
from samite.dataframe.elementwise import apply_user_function, warn_of_guessed_meta
from samite.dataframe.expressions.elementwise import UserMethodCall
from samite.dataframe.expressions.finalize import Concatenated
from samite.dataframe.expressions.node import FrameExpr, partitionwise_divisions
from samite.dataframe.metadata import emulate, make_meta, meta_nonempty, no_default
from samite.utils import M


def map_series(frame: Any, arg: Any, na_action: Any, meta: Any) -> Any:
    """See :meth:`Series.map`.

    Raises
    ------
    TypeError
        ``arg`` is neither a function, nor a mapping, nor a series.
    """
    import pandas as pd

    meta = no_default if meta is None else meta
    if hasattr(arg, "expr"):
        meta = _meta_of_lookup(frame, arg, na_action, meta)
        return new_collection(
            UserMethodCall(frame.expr, "map", ("na_action",), meta, looked_up(arg), na_action)
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
        lazy = any(isinstance(argument, FrameExpr) for argument in self.arguments)
        if not self.is_monotonic or old[0] is None or lazy:
            return (None,) * len(old)
        bounds = pd.Index(list(old), dtype=self.frame._meta.dtype)
        return tuple(bounds.map(*self.arguments, **self.keywords))


def map_index(index: Any, arg: Any, na_action: Any, meta: Any, is_monotonic: bool) -> Any:
    """See :meth:`Index.map`."""
    meta = no_default if meta is None else meta
    if hasattr(arg, "expr"):
        meta = _meta_of_lookup(index, arg, na_action, meta)
        arg = looked_up(arg)
    elif meta is no_default:
        meta = make_meta(emulate(M.map, index, arg, na_action=na_action, udf=True))
        warn_of_guessed_meta("map", meta)
    else:
        meta = _as_index(make_meta(meta, parent_meta=index._meta))
    return new_collection(
        MappedIndex(index.expr, "map", ("na_action",), meta, is_monotonic, arg, na_action)
    )


def looked_up(arg: Any) -> Any:
    """A lazy series whose labels are looked up, as one partition: a label can be in any."""
    return Concatenated(arg.expr) if arg.npartitions > 1 else arg.expr


def _meta_of_lookup(frame: Any, arg: Any, na_action: Any, meta: Any) -> Any:
    """What comes of looking up the elements of ``frame`` among the labels of ``arg``."""
    import pandas as pd

    if meta is no_default:
        found = make_meta(emulate(M.map, frame, arg, na_action=na_action, udf=True))
        if found.dtype != arg._meta.dtype and meta_nonempty(found).isna().all():
            found = found.astype(arg._meta.dtype)
        warn_of_guessed_meta("map", found)
        return found
    if isinstance(frame._meta, pd.Index):
        return _as_index(make_meta(meta, parent_meta=frame._meta))
    return make_meta(meta, index=frame._meta.index, parent_meta=frame._meta)


def _as_index(meta: Any) -> Any:
    import pandas as pd

    return pd.Index(meta) if isinstance(meta, pd.Series) else meta
