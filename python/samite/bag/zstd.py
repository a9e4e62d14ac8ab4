"""Files that zstd compressed, by Python: all of their frames, and an error where one is cut off.

What fsspec opens them with stops behind the first frame, and takes the end of the file for that
of a frame.
"""

from __future__ import annotations

import io
from typing import Any

_CHUNK = 1 << 16


def open_zstd(raw: Any) -> Any:
    """The decompressed contents of an open file.

    Raises
    ------
    ImportError
        If there is no package that decompresses.
    """
    return io.BufferedReader(_Frames(raw))


def _decompressor() -> Any:
    try:
        from compression.zstd import ZstdDecompressor  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj()
    return ZstdDecompressor()


class _Frames(io.RawIOBase):
    """Frames one after the other."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._frame: Any = None
        self._ready = memoryview(b"")
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            data = self._left or self._raw.read(_CHUNK)
            self._left = b""
            if not data:
                if self._frame is not None:
                    raise EOFError("the compressed file ends within a frame")
                return 0
            if self._frame is None:
                self._frame = _decompressor()
            self._ready = memoryview(self._frame.decompress(data))
            if self._frame.eof:
                self._left = self._frame.unused_data
                self._frame = None
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()
