"""Which types of arrays can be the chunks of lazy arrays.

In an operation of a lazy array and an array of such a type, the lazy array takes the lead. Arrays
of other types that take part in NumPy's protocols, such as those that have lazy arrays inside, take
the lead themselves.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

__all__ = ["is_valid_array_type", "is_valid_array_chunk", "is_valid_chunk_type",
           "register_chunk_type"]  # fmt: skip

_registered: list[type] = [np.ndarray, np.ma.MaskedArray]


def register_chunk_type(type: type) -> None:
    """Let arrays of a type be the chunks of lazy arrays.

    Parameters
    ----------
    type:
        A class with NumPy's protocols: ``__array_ufunc__``, ``__array_function__``, ``shape``,
        ``ndim``, ``dtype`` and indexing.

    Examples
    --------
    >>> class Measured(np.ndarray): ...
    >>> register_chunk_type(Measured)
    """
    if type not in _registered:
        _registered.append(type)


def _known_of_packages() -> list[type]:
    """Types of libraries that are loaded; without them there are no values of these types."""
    found: list[type] = []
    sparse = sys.modules.get("sparse")
    if sparse is not None:
        found.append(getattr(sparse, "SparseArray", None) or sparse.COO)
    scipy_sparse = sys.modules.get("scipy.sparse")
    if scipy_sparse is not None:
        found += [getattr(scipy_sparse, name) for name in ("spmatrix", "sparray")
                  if hasattr(scipy_sparse, name)]  # fmt: skip
    cupy = sys.modules.get("cupy")
    if cupy is not None and hasattr(cupy, "ndarray"):
        found.append(cupy.ndarray)
    return found


def is_valid_chunk_type(type: type) -> bool:
    """Whether arrays of a type can be chunks."""
    try:
        if issubclass(type, tuple(_registered)):
            return True
        return issubclass(type, tuple(_known_of_packages()))
    except TypeError:
        return False


def is_valid_array_chunk(array: Any) -> bool:
    """Whether a value can be a chunk; None, of which nothing is known, can."""
    return array is None or is_valid_chunk_type(type(array))


def is_valid_array_type(type: type) -> bool:
    """Whether values of a type are understood by lazy arrays."""
    from samite.array.core import Array

    return is_valid_chunk_type(type) or issubclass(type, Array)


def chunk_type_name(meta: Any) -> str:
    """The type of chunks as people write it, such as ``numpy.ndarray``."""
    kind = type(meta)
    top = kind.__module__.partition(".")[0]
    return f"{top}.{kind.__name__}"
