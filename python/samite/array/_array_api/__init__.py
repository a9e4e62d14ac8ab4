"""The namespace of the array API standard, version 2024.12, for lazy arrays.

``x.__array_namespace__()`` gives this module, and libraries that are written for the standard
take it from there. The names and parameters are those of the standard; functions that do what
NumPy's do are those of :mod:`samite.array`. What depends on values, such as the number of
unique ones, has lengths that are not known before it is computed.
"""

from __future__ import annotations

from typing import Any

from numpy import (
    bool,
    complex64,
    complex128,
    e,
    float32,
    float64,
    inf,
    int8,
    int16,
    int32,
    int64,
    nan,
    newaxis,
    pi,
    uint8,
    uint16,
    uint32,
    uint64,
)

from samite.array._array_api import fft, linalg
from samite.array._array_api.arrays import (
    arange,
    asarray,
    astype,
    broadcast_arrays,
    broadcast_to,
    concat,
    empty,
    empty_like,
    expand_dims,
    eye,
    flip,
    from_dlpack,
    full,
    full_like,
    linspace,
    meshgrid,
    moveaxis,
    ones,
    ones_like,
    permute_dims,
    repeat,
    reshape,
    roll,
    squeeze,
    stack,
    take,
    take_along_axis,
    tile,
    tril,
    triu,
    zeros,
    zeros_like,
)
from samite.array._array_api.elements import *  # noqa: F403
from samite.array._array_api.elements import __all__ as _elements
from samite.array._array_api.information import (
    __array_namespace_info__,
    can_cast,
    finfo,
    iinfo,
    isdtype,
    result_type,
)
from samite.array._array_api.linalg import matmul, matrix_transpose, tensordot, vecdot
from samite.array._array_api.statistics import (
    all,
    any,
    argmax,
    argmin,
    argsort,
    count_nonzero,
    cumulative_prod,
    cumulative_sum,
    diff,
    max,
    mean,
    min,
    nonzero,
    prod,
    searchsorted,
    sort,
    std,
    sum,
    var,
)
from samite.array.joining import unstack
from samite.array.sets import unique_all, unique_counts, unique_inverse, unique_values

__array_api_version__ = "2024.12"

__all__ = [
    "__array_api_version__", "__array_namespace_info__", "all", "any", "arange", "argmax",
    "argmin", "argsort", "asarray", "astype", "bool", "broadcast_arrays", "broadcast_to",
    "can_cast", "complex128", "complex64", "concat", "count_nonzero", "cumulative_prod",
    "cumulative_sum", "diff", "e", "empty", "empty_like", "expand_dims", "eye", "fft", "finfo",
    "flip", "float32", "float64", "from_dlpack", "full", "full_like", "iinfo", "inf", "int16",
    "int32", "int64", "int8", "isdtype", "linalg", "linspace", "matmul", "matrix_transpose", "max",
    "mean", "meshgrid", "min", "moveaxis", "nan", "newaxis", "nonzero", "ones", "ones_like",
    "permute_dims", "pi", "prod", "repeat", "reshape", "result_type", "roll", "searchsorted",
    "sort", "squeeze", "stack", "std", "sum", "take", "take_along_axis", "tensordot", "tile",
    "tril", "triu", "uint16", "uint32", "uint64", "uint8", "unique_all", "unique_counts",
    "unique_inverse", "unique_values", "unstack", "var", "vecdot", "zeros", "zeros_like",
    *_elements,
]  # fmt: skip

_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")


def check_version(api_version: Any) -> None:
    """Refuse versions of the standard that are not followed.

    Raises
    ------
    ValueError
        If it is such a version.
    """
    if api_version is not None and api_version not in _VERSIONS:
        raise ValueError(
            f"version {api_version!r} of the array API standard is not one of {_VERSIONS}"
        )


def __getattr__(name: str) -> Any:
    """What NumPy has beyond the standard; xarray, for one, asks for it here."""
    import samite.array

    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(samite.array, name)


def __dir__() -> list[str]:
    return sorted(__all__)
