"""Views into an array."""

from __future__ import annotations

from samite.array.overlap import sliding_window_view

__all__ = ["sliding_window_view"]
