"""Leaving and coming back to a worker's places, under the name that Dask has for it."""

from __future__ import annotations

from samite.distributed._current import rejoin, secede

__all__ = ["rejoin", "secede"]
