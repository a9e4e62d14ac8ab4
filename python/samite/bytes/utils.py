"""Compression of whole byte strings, for writing files that :func:`read_bytes` can read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def zip_compress(data: bytes) -> bytes:
    """A ZIP archive with `data` as its only file."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, mode="w", compression=zipfile.ZIP_DEFLATED) as file:
        file.writestr("data", data)
    return archive.getvalue()


def _unchanged(data: bytes) -> bytes:
    return data


#: Functions from bytes to bytes, by the names that fsspec gives the formats.
compress: dict[str | None, Callable[[bytes], bytes]] = {
    None: _unchanged,
    "bz2": bz2.compress,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zip": zip_compress,
}
