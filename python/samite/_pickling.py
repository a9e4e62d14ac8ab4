"""Pickling for spill files and worker processes: protocol 5, buffers out of band."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
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
    return [pickled(obj, buffers.append), *(_flat(buffer) for buffer in buffers)]


def pickled(obj: Any, buffer_callback: Callable[[Any], Any] | None, protocol: int = 5) -> bytes:
    """A pickle, with functions by value where they cannot be imported."""
    # What cannot hold a reference to `__main__`: there plain pickle is exact, and fast.
    if type(obj) in PLAIN or (_is_array(obj) and _reduce is None):
        return pickle.dumps(obj, protocol=protocol, buffer_callback=buffer_callback)
    import cloudpickle

    if _reduce is None:
        return cloudpickle.dumps(obj, protocol=protocol, buffer_callback=buffer_callback)
    return _reducing(obj, buffer_callback, protocol)


# How objects are reduced whose types have serializers of their own; see
# `samite.distributed.protocol`.
_reduce: Callable[[Any], Any] | None = None


def reduce_by(reduce: Callable[[Any], Any]) -> None:
    """Ask a function first how an object is pickled: it answers as ``__reduce__`` does, or None."""
    global _reduce
    _reduce = reduce


def _reducing(obj: Any, buffer_callback: Callable[[Any], Any] | None, protocol: int) -> bytes:
    import io

    import cloudpickle

    reduce = _reduce
    assert reduce is not None

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            reduced = reduce(obj)
            return super().reducer_override(obj) if reduced is None else reduced

    file = io.BytesIO()
    Pickler(file, protocol=protocol, buffer_callback=buffer_callback).dump(obj)
    return file.getvalue()


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
