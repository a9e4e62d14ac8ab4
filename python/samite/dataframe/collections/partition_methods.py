"""Moving rows between partitions, choosing rows by label."""

from __future__ import annotations


class PartitionMethods:
    """Moving rows between partitions, choosing rows by label. For frames and series alike."""


class PartitionMethodsOfFrame:
    """Moving rows between partitions, choosing rows by label. For frames."""


class PartitionMethodsOfSeries:
    """Moving rows between partitions, choosing rows by label. For series."""
