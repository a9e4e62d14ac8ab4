"""An index of times or periods, moved."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from samite.dataframe.collections.frame_base import new_collection
from samite.dataframe.expressions.elementwise import MethodCall
from samite.dataframe.expressions.node import partitionwise_divisions


class ShiftedIndex(MethodCall):
    """The labels moved; the divisions move likewise."""

    @functools.cached_property
    def _funcname(self) -> str:
        return "shift"

    def _divisions(self) -> Sequence[Any]:
        import pandas as pd

        old = partitionwise_divisions(self)
        if old[0] is None:
            return old
        freq = self.keywords.get("freq")
        periods = self.keywords["periods"]
        if freq is None:
            freq = getattr(self.frame._meta, "freq", None)
        if isinstance(old[0], pd.Period):
            return tuple(pd.PeriodIndex(list(old)) + periods)
        if not moves_evenly(freq):
            return (None,) * len(old)
        return tuple(pd.Index(list(old)).shift(periods, freq=freq))


def moves_evenly(freq: Any) -> bool:
    """Whether a step of ``freq`` is as long everywhere: one by calendar can move several labels to
    one, and those of two partitions together."""
    import pandas as pd

    step = pd.tseries.frequencies.to_offset(freq)
    return isinstance(step, (pd.offsets.Tick, pd.offsets.Day))


def shifted_index(index: Any, periods: int, freq: Any) -> Any:
    """See :meth:`Index.shift`."""
    import pandas as pd

    keywords = {"periods": periods}
    if not isinstance(index._meta, pd.PeriodIndex):
        # Without rows pandas does not find out by how much a step moves.
        keywords["freq"] = freq if freq is not None else getattr(index._meta, "freq", None)
    elif freq is not None:
        keywords["freq"] = freq
    index._meta.shift(**keywords)  # raises pandas' error
    return new_collection(ShiftedIndex(index.expr, "shift", tuple(keywords), *keywords.values()))
