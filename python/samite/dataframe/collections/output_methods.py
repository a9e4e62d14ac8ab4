"""Writing, conversion to other collections, and display."""

from __future__ import annotations


class OutputMethods:
    """Writing, conversion to other collections, and display. For frames and series alike."""


class OutputMethodsOfFrame:
    """Writing, conversion to other collections, and display. For frames."""


class OutputMethodsOfSeries:
    """Writing, conversion to other collections, and display. For series."""
