"""Indexes of periods as indexes of times."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from samite.dataframe.collections.frame_base import new_collection
from samite.dataframe.expressions.elementwise import MethodCall
from samite.dataframe.expressions.node import partitionwise_divisions


class ToTimestamp(MethodCall):
    """A frame whose index of periods becomes one of times."""

    @functools.cached_property
    def _funcname(self) -> str:
        return "totimestamp"

    def _divisions(self) -> Sequence[Any]:
        import pandas as pd

        old = partitionwise_divisions(self)
        if old[0] is None:
            return old
        keywords = self.keywords
        index = pd.PeriodIndex(list(old))
        return tuple(index.to_timestamp(freq=keywords["freq"], how=keywords["how"]))


def to_timestamp(frame: Any, freq: Any, how: str) -> Any:
    """See :meth:`DataFrame.to_timestamp`."""
    return new_collection(ToTimestamp(frame.expr, "to_timestamp", ("freq", "how"), freq, how))
