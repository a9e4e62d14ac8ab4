"""Methods that reduce rows to few."""

from __future__ import annotations


class ReductionMethods:
    """Methods that reduce rows to few. For frames and series alike."""


class ReductionMethodsOfFrame:
    """Methods that reduce rows to few. For frames."""


class ReductionMethodsOfSeries:
    """Methods that reduce rows to few. For series."""
