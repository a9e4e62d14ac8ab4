"""Pickling for spill files and worker processes: protocol 5, buffers out of band."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

from samite._functions import PLAIN
from samite._unpicklable import explained


def dump(obj: Any) -> list[Any]:
    """Pickle an object.

    Returns
    -------
    list
        The pickle as ``bytes``, then a flat ``memoryview`` of bytes for each buffer.

    Raises
    ------
    The exception of the pickler, with a note that says which part of the object is to blame.
    """
    return explained(obj, dump_plainly)


def dump_plainly(obj: Any) -> list[Any]:
    """As :func:`dump`, and explains nothing where it fails."""
    try:
        return _dumped(obj)
    except Exception:
        from samite._open_files import teach_pickle

        if not teach_pickle():
            raise
    return _dumped(obj)


def _dumped(obj: Any) -> list[Any]:
    buffers: list[pickle.PickleBuffer] = []
    # What cannot hold a reference to `__main__`: there plain pickle is exact, and fast.
    if type(obj) in PLAIN or _is_array(obj):
        data = pickle.dumps(obj, protocol=5, buffer_callback=buffers.append)
    else:
        import cloudpickle

        data = cloudpickle.dumps(obj, protocol=5, buffer_callback=buffers.append)
    return [data, *(_flat(buffer) for buffer in buffers)]


def load(frames: Sequence[Any]) -> Any:
    """Unpickle what `dump` made; a buffer may be any writable object with the buffer protocol."""
    return pickle.loads(frames[0], buffers=frames[1:])


def _is_array(obj: Any) -> bool:
    kind = type(obj)
    return kind.__module__ == "numpy" and kind.__name__ == "ndarray" and not obj.dtype.hasobject


def _flat(buffer: pickle.PickleBuffer) -> memoryview:
    try:
        return buffer.raw()
    except BufferError:  # not contiguous: the copy is
        return memoryview(memoryview(buffer).tobytes())
