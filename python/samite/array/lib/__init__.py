"""Parts of :mod:`numpy.lib`."""

from __future__ import annotations

from samite.array.lib import stride_tricks

__all__ = ["stride_tricks"]
