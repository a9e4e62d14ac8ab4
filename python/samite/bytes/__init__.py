"""Files, local and remote, in blocks of bytes."""

from __future__ import annotations

from samite.bytes.core import read_bytes

__all__ = ["read_bytes"]


def __getattr__(name: str) -> object:
    # Other names that programs look for here are fsspec's, which is slow to import.
    if name in ("open_file", "open_files"):
        import fsspec.core

        return fsspec.core.open if name == "open_file" else fsspec.core.open_files
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
