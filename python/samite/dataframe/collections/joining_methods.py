"""Methods that put frames together."""

from __future__ import annotations


class JoiningMethods:
    """Methods that put frames together. For frames and series alike."""


class JoiningMethodsOfFrame:
    """Methods that put frames together. For frames."""


class JoiningMethodsOfSeries:
    """Methods that put frames together. For series."""
