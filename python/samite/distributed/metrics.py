"""Clocks."""

from __future__ import annotations

from time import monotonic, thread_time, time

__all__ = ["monotonic", "thread_time", "time"]
