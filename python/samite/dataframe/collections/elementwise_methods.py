"""Methods that keep the rows."""

from __future__ import annotations


class ElementwiseMethods:
    """Methods that keep the rows. For frames and series alike."""


class ElementwiseMethodsOfFrame:
    """Methods that keep the rows. For frames."""


class ElementwiseMethodsOfSeries:
    """Methods that keep the rows. For series."""
