"""Watching computations: a progress bar, profilers, and a report that needs nothing to be read."""

from __future__ import annotations

from samite.callbacks import Callback
from samite.diagnostics.html_report import Report, performance_report, report
from samite.diagnostics.profile import CacheProfiler, Profiler, ResourceProfiler
from samite.diagnostics.profile_visualize import visualize
from samite.diagnostics.progress import ProgressBar

__all__ = [
    "CacheProfiler",
    "Callback",
    "Profiler",
    "ProgressBar",
    "Report",
    "ResourceProfiler",
    "performance_report",
    "report",
    "visualize",
]
