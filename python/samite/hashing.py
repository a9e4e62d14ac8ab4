"""Hashes of buffers that are the same in each process and on each machine.

Tokens are made of them, so the choice of algorithm does not depend on what is installed.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SIZE = 16

# hashlib is imported where it is used: it loads OpenSSL, and not every program makes tokens.


def _hash_sha256(buf: Any) -> bytes:
    """The first 16 bytes of SHA-256, which current processors compute in hardware."""
    import hashlib

    return hashlib.sha256(buf, usedforsecurity=False).digest()[:_SIZE]


def _hash_blake2b(buf: Any) -> bytes:
    """BLAKE2b with 16 bytes: the fastest choice for short buffers."""
    import hashlib

    return hashlib.blake2b(buf, digest_size=_SIZE, usedforsecurity=False).digest()


#: The algorithms to choose from; the first is the default.
hashers: list[Callable[[Any], bytes]] = [_hash_sha256, _hash_blake2b]


def _flat_bytes(buf: Any) -> memoryview:
    """The memory behind `buf`, as one row of bytes."""
    view = memoryview(buf)
    if not view.c_contiguous:
        return memoryview(view.tobytes())
    if view.format == "B" and view.ndim == 1:
        return view
    try:
        return view.cast("B")
    except TypeError:  # A format that memoryview does not know, such as a structure's.
        return memoryview(view.tobytes())


def hash_buffer(buf: Any, hasher: Callable[[Any], bytes] | None = None) -> bytes:
    """A 16-byte hash of an object with a buffer: bytes, a memoryview, a NumPy array.

    Raises
    ------
    TypeError
        `buf` has no buffer.
    """
    if hasher is None:
        hasher = hashers[0]
    return hasher(_flat_bytes(buf))


def hash_buffer_hex(buf: Any, hasher: Callable[[Any], bytes] | None = None) -> str:
    """:func:`hash_buffer` in hexadecimal."""
    return hash_buffer(buf, hasher).hex()
