"""Pickles, with functions by value where they cannot be imported."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

__all__ = ["HIGHEST_PROTOCOL", "dumps", "loads"]

HIGHEST_PROTOCOL = pickle.HIGHEST_PROTOCOL


def dumps(
    x: Any, *, buffer_callback: Callable[[Any], Any] | None = None, protocol: int = HIGHEST_PROTOCOL
) -> bytes:
    """A pickle of an object, whose large buffers go to `buffer_callback`, if there is one.

    Raises
    ------
    The exception of the pickler, with a note that says which part of the object is to blame.
    """
    from samite._pickling import pickled
    from samite._unpicklable import explained

    return explained(x, lambda x: pickled(x, buffer_callback, protocol))


def loads(x: Any, *, buffers: Any = ()) -> Any:
    """What :func:`dumps` pickled."""
    return pickle.loads(x, buffers=buffers or None)
