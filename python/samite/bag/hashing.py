"""Hashes of keys that are the same in every process and on every machine.

Python's own hash of a string differs from process to process, and so does that of all that holds
strings. Keys that are equal have equal hashes here too, whatever their types: ``1``, ``1.0`` and
``True`` go to the same partition.
"""

from __future__ import annotations

import datetime
import numbers
import zlib
from typing import Any

_MASK = (1 << 64) - 1


def _mixed(value: int) -> int:
    """All bits of a number spread over 64 (SplitMix64: Steele, Lea and Flood, 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def stable_hash(key: Any) -> int:
    """A hash of 64 bits.

    Raises
    ------
    TypeError
        If the key, or a part of it, is not hashable.
    """
    kind = type(key)
    if kind is str:
        return _mixed(zlib.crc32(key.encode("utf-8", "surrogatepass")) | 1 << 40)
    if kind is int or kind is float or kind is bool:
        return _mixed((hash(key) + (2 << 40)) & _MASK)
    if key is None:
        return 0x6E6F6E65
    if isinstance(key, tuple):
        value = len(key) | 5 << 40
        for part in key:
            value = _mixed(value ^ stable_hash(part))
        return value
    return _of_other(key)


def _of_other(key: Any) -> int:
    hash(key)  # what cannot be a key fails as it does in a dict
    if isinstance(key, str):
        return stable_hash(str(key))
    if isinstance(key, (bytes, memoryview)):
        return _mixed(zlib.crc32(bytes(key)) | 3 << 40)
    if isinstance(key, numbers.Number):
        return _mixed((hash(key) + (2 << 40)) & _MASK)
    if isinstance(key, frozenset):
        return _mixed((sum(map(stable_hash, key)) + (4 << 40)) & _MASK)
    if isinstance(key, datetime.datetime) and key.utcoffset() is not None:
        # The same instant is the same key in every time zone.
        key = key.astimezone(datetime.timezone.utc)
    if isinstance(key, (datetime.date, datetime.time, datetime.timedelta)):
        return stable_hash(("datetime", str(key)))
    from samite.tokenize import tokenize

    return _mixed(int(tokenize(key), 16) & _MASK)


def partition_number(key: Any, count: int) -> int:
    """Which of ``count`` partitions a key belongs to."""
    return stable_hash(key) % count
