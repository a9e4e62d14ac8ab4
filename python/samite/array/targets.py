"""What arrays are stored into, on its way to the tasks that write."""

from __future__ import annotations

import itertools
import mmap
import os
import uuid
import weakref
from typing import Any

import numpy as np

__all__ = ["opened", "shareable"]

# Targets in the memory of this process that tasks may write to, by number. Whoever wants to see
# what is written holds them.
_here: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
_numbers = itertools.count()
_name = uuid.uuid4().hex


def shareable(target: Any) -> Any:
    """A target as tasks take it along, so that they write to it and not to a copy.

    Pickles of arrays are copies. A NumPy array, or a Zarr array in memory, is found again by tasks
    in its own process, and refused by others; the file below a `numpy.memmap` is opened by
    others. All other targets are returned as they are: how they are pickled is up to them.
    """
    if isinstance(target, np.memmap):
        part = _part_of_file(target)
        if part is not None:
            return _Mapped(target, part)
    if isinstance(target, np.ndarray) or _zarr_in_memory(target):
        return _Here(target)
    return target


def opened(target: Any) -> Any:
    """What to write to, or read from: the target that :func:`shareable` was given."""
    return target.value if isinstance(target, (_Here, _Mapped)) else target


class _Here:
    """A target that only tasks in its own process can write to."""

    __slots__ = ("number", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.number = next(_numbers)

    def __reduce__(self) -> tuple[Any, ...]:
        _here[self.number] = self.value
        kind = type(self.value)
        said = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
        return _found, (f"{_name}-{os.getpid()}", self.number, said)


def _found(process: str, number: int, kind: str) -> Any:
    if process != f"{_name}-{os.getpid()}":
        raise RuntimeError(
            f"cannot store into a {kind} in the memory of another process: a task of a worker "
            "would write to a copy, which is lost. Store into a file (Zarr, HDF5, numpy.memmap), "
            "or compute on threads"
        )
    value = _here.get(number)
    if value is None:
        raise RuntimeError(f"the {kind} to store into is gone: nobody has held it")
    return _Here(value)


class _Mapped:
    """A part of a file, which every process that reaches it can map."""

    __slots__ = ("part", "value")

    def __init__(self, value: Any, part: tuple[Any, ...]) -> None:
        self.value = value
        self.part = part

    def __reduce__(self) -> tuple[Any, ...]:
        return _map, self.part


def _map(path: str, place: int, dtype: np.dtype, shape: tuple[int, ...], order: Any) -> _Mapped:
    value = np.memmap(path, dtype, "r+", place, shape, order)
    return _Mapped(value, (path, place, dtype, shape, order))


def _part_of_file(target: np.memmap) -> tuple[Any, ...] | None:
    """Where a mapped array is in its file; None where its elements are not one piece of it, or
    what is written does not reach it."""
    mapped = getattr(target, "_mmap", None)
    if mapped is None or target.filename is None or target.mode not in ("r+", "w+"):
        return None
    flags = target.flags
    if not (flags.c_contiguous or flags.f_contiguous):
        return None
    # The mapping begins at a page, and an array that was cut from another one has its offset.
    page = target.offset - target.offset % mmap.ALLOCATIONGRANULARITY
    start = np.frombuffer(mapped, np.uint8).__array_interface__["data"][0]
    place = page + target.__array_interface__["data"][0] - start
    order = "C" if flags.c_contiguous else "F"
    path = os.path.abspath(os.fspath(target.filename))
    return path, place, target.dtype, target.shape, order


def _zarr_in_memory(target: Any) -> bool:
    if type(target).__module__.partition(".")[0] != "zarr":
        return False
    return type(getattr(target, "store", None)).__name__ == "MemoryStore"
