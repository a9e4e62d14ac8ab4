"""Grouping, windows and running totals."""

from __future__ import annotations

from samite.dataframe.collections.mixin import Mixin


class GroupingMethods(Mixin):
    """Grouping, windows and running totals. For frames and series alike."""


class GroupingMethodsOfFrame(Mixin):
    """Grouping, windows and running totals. For frames."""


class GroupingMethodsOfSeries(Mixin):
    """Grouping, windows and running totals. For series."""
