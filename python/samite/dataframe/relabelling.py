"""Other labels for the rows of a series."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from samite.dataframe import methods
from samite.dataframe.collections.frame_base import new_collection
from samite.dataframe.elementwise import method_call, operand_of
from samite.dataframe.expressions.elementwise import MethodCall
from samite.dataframe.expressions.node import FrameExpr, partitionwise_divisions
from samite.dataframe.metadata import make_meta, meta_nonempty


class RelabelledSeries(MethodCall):
    """A series whose index values a method changes; the divisions change likewise, or are not
    known."""

    _parameters = ["frame", "method", "names", "stays_sorted"]

    @functools.cached_property
    def _funcname(self) -> str:
        return "relabelled"

    @functools.cached_property
    def _meta(self) -> Any:
        # A function of no labels says nothing of the type of the new ones.
        given = [meta_nonempty(o._meta) if isinstance(o, FrameExpr) else o for o in self._given()]
        frame = meta_nonempty(self.frame._meta)
        return make_meta(methods.call_method(frame, self.method, self.names, *given))

    def _divisions(self) -> Sequence[Any]:
        import pandas as pd

        old = partitionwise_divisions(self)
        unknown = (None,) * len(old)
        if not self.stays_sorted or old[0] is None:
            return unknown
        if any(isinstance(o, FrameExpr) for o in self._given()):
            return unknown
        bounds = pd.Series(range(len(old)), index=list(old))
        new = tuple(getattr(bounds, self.method)(*self.arguments, **self.keywords).index)
        if any(a > b for a, b in zip(new, new[1:], strict=False)):
            raise ValueError(f"sorted_index=True, but the new divisions are non-monotonic: {new}")
        return new


def relabelled(frame: Any, index: Any, sorted_index: bool) -> Any:
    """See :meth:`Series.rename`."""
    import pandas as pd

    if isinstance(index, (str, bytes)) or index is None or pd.api.types.is_hashable(index):
        if not callable(index) and not hasattr(index, "expr"):
            return method_call(frame, "rename", index)
    if isinstance(frame._meta, pd.Index):
        return method_call(frame, "rename", index)
    operand = operand_of(index) if hasattr(index, "expr") else index
    return new_collection(RelabelledSeries(frame.expr, "rename", (), sorted_index, operand))


def with_affix(frame: Any, method: str, text: str) -> Any:
    """A series with text before or behind its labels."""
    return new_collection(RelabelledSeries(frame.expr, method, (), method == "add_prefix", text))
