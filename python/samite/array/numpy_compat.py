"""What depends on the version of NumPy, at the place where libraries look for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.exceptions import AxisError, ComplexWarning

from samite.array.arranging import rollaxis
from samite.array.shaping import moveaxis

__all__ = [
    "NUMPY_GE_125", "NUMPY_GE_200", "NUMPY_GE_210", "NUMPY_GE_220", "NUMPY_GE_240", "AxisError",
    "ComplexWarning", "moveaxis", "rollaxis",
]  # fmt: skip

_VERSION = tuple(int(part) for part in np.__version__.split(".")[:2])

NUMPY_GE_125 = _VERSION >= (1, 25)
NUMPY_GE_200 = _VERSION >= (2, 0)
NUMPY_GE_210 = _VERSION >= (2, 1)
NUMPY_GE_220 = _VERSION >= (2, 2)
NUMPY_GE_240 = _VERSION >= (2, 4)


def _make_sliced_dtype(dtype: np.dtype, index: Any) -> np.dtype:
    """The dtype of some fields of records."""
    return np.empty(0, dtype=dtype)[list(index)].dtype
