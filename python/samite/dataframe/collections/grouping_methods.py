"""Grouping, windows and running totals."""

from __future__ import annotations


class GroupingMethods:
    """Grouping, windows and running totals. For frames and series alike."""


class GroupingMethodsOfFrame:
    """Grouping, windows and running totals. For frames."""


class GroupingMethodsOfSeries:
    """Grouping, windows and running totals. For series."""
