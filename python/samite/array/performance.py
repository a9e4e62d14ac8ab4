"""The warning about operations that work, but not as fast as they could."""

from __future__ import annotations

__all__ = ["PerformanceWarning"]


class PerformanceWarning(Warning):
    """An operation makes very many or very large chunks."""
