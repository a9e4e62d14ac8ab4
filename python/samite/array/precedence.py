"""Who takes the lead in an operation of a lazy array and something else: NumPy's NEP 13."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np

from samite.array.chunk_types import is_valid_chunk_type

__all__ = ["delegates", "is_below"]


def is_below(kind: type) -> bool:
    """Whether values of a type take part in operations of lazy arrays, which come out lazy."""
    from samite.array.core import Array

    if issubclass(kind, (Array, np.generic, Number, bool, str, bytes, type(None), list, tuple)):
        return True
    if is_valid_chunk_type(kind):
        return True
    from samite.delayed import Delayed

    return issubclass(kind, Delayed)


def delegates(value: Any) -> bool:
    """Whether an operation is left to a value, by the rules of NumPy's NEP 13."""
    from samite.array.core import Array

    if isinstance(value, Array) or type(value) in (int, float, np.ndarray):
        return False
    missing = object()
    protocol = getattr(value, "__array_ufunc__", missing)
    if protocol is missing:
        return getattr(value, "__array_priority__", Array.__array_priority__) > (
            Array.__array_priority__
        )
    if protocol is None:
        return True
    return not is_below(type(value))
