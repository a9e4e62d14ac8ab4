"""What differs between the libraries whose arrays can be chunks: functions found by type.

Other packages register their types here, with ``function.register(type)``, or with
``function.register_lazy(package)`` to do it when an object of the package is met first. What is
registered for NumPy, ``sparse``, ``scipy.sparse`` and CuPy is in
:mod:`samite.array.chunk_libraries`.
"""

from __future__ import annotations

from samite.utils import Dispatch

__all__ = [
    "concatenate_lookup", "divide_lookup", "einsum_lookup", "empty_lookup", "nannumel_lookup",
    "numel_lookup", "percentile_lookup", "take_lookup", "tensordot_lookup", "to_cupy_dispatch",
    "to_numpy_dispatch",
]  # fmt: skip

#: ``concatenate(arrays, axis=)``
concatenate_lookup = Dispatch("concatenate")
#: ``tensordot(a, b, axes)``
tensordot_lookup = Dispatch("tensordot")
#: ``einsum(subscripts, *arrays, **kwargs)``
einsum_lookup = Dispatch("einsum")
#: ``empty(shape, dtype=)``
empty_lookup = Dispatch("empty")
#: ``divide(a, b, dtype=)``
divide_lookup = Dispatch("divide")
#: ``percentile(a, q, method)``, for one dimension
percentile_lookup = Dispatch("percentile")
#: ``numel(x, axis=, keepdims=, dtype=)``: how many elements there are along axes
numel_lookup = Dispatch("numel")
#: ``nannumel(x, axis=, keepdims=, dtype=)``: how many of them are not NaN
nannumel_lookup = Dispatch("nannumel")
#: ``take(x, indices, axis=)``
take_lookup = Dispatch("take")
#: Any array as one of NumPy's
to_numpy_dispatch = Dispatch("to_numpy_dispatch")
#: Any array as one of CuPy's
to_cupy_dispatch = Dispatch("to_cupy_dispatch")

# Whoever looks something up needs what is registered for NumPy.
from samite.array import chunk_libraries as _registered  # noqa: E402, F401
