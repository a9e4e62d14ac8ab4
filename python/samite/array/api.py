"""The ways to say how an array is cut, where other packages look for them."""

from __future__ import annotations

from samite.array.chunks import normalize_chunks, normalize_chunks_cached

__all__ = ["normalize_chunks", "normalize_chunks_cached"]
