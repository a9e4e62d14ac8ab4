"""Arrays that are larger than memory, or slower than one processor: NumPy's, chunk by chunk.

>>> import samite.array as da
>>> x = da.arange(10, chunks=5)
>>> (x + 1).sum().compute()
np.int64(55)
"""

from __future__ import annotations

from numpy import (
    bool,
    complex64,
    complex128,
    e,
    euler_gamma,
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

from samite.array import (
    blocks,
    chunks,
    concatenation,
    core,
    creation,
    elementwise,
    optimization,
    partials,
    products,
    reductions,
    shaping,
    slicing,
    storage,
    ufunc,
    utils,
)
from samite.array.blocks import map_blocks
from samite.array.blockwise import blockwise, unify_chunks
from samite.array.chunks import normalize_chunks
from samite.array.concatenation import concatenate, stack
from samite.array.core import Array
from samite.array.creation import (
    arange,
    empty,
    empty_like,
    eye,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from samite.array.elementwise import (
    around,
    clip,
    elemwise,
    isclose,
    ndim,
    result_type,
    round,
    shape,
    where,
)
from samite.array.optimization import optimize
from samite.array.products import dot, matmul, tensordot
from samite.array.rechunk import rechunk
from samite.array.reductions import (
    all,
    any,
    argmax,
    argmin,
    max,
    mean,
    min,
    nanargmax,
    nanargmin,
    nanmax,
    nanmean,
    nanmin,
    nanprod,
    nanstd,
    nansum,
    nanvar,
    prod,
    reduction,
    std,
    sum,
    var,
)
from samite.array.reshape import ravel, reshape
from samite.array.shaping import expand_dims, moveaxis, squeeze, swapaxes, transpose
from samite.array.slicing import take
from samite.array.storage import (
    array,
    asanyarray,
    asarray,
    from_array,
    from_delayed,
    from_func,
    store,
)
from samite.array.ufunc import *  # noqa: F403
from samite.array.ufunc import __all__ as _ufuncs
from samite.array.utils import meta_from_array
from samite.base import compute

__all__ = [
    "Array", "all", "any", "arange", "argmax", "argmin", "around", "array", "asanyarray",
    "asarray", "blocks", "blockwise", "bool", "chunks", "clip", "complex128", "complex64",
    "compute", "concatenate", "concatenation", "core", "creation", "dot", "e", "elementwise",
    "elemwise", "empty", "empty_like", "euler_gamma", "expand_dims", "eye", "float32", "float64",
    "from_array", "from_delayed", "from_func", "full", "full_like", "inf", "int16", "int32",
    "int64", "int8", "isclose", "linspace", "map_blocks", "matmul", "max", "mean",
    "meta_from_array", "min", "moveaxis", "nan", "nanargmax", "nanargmin", "nanmax", "nanmean",
    "nanmin", "nanprod", "nanstd", "nansum", "nanvar", "ndim", "newaxis", "normalize_chunks",
    "ones", "ones_like", "optimization", "optimize", "partials", "pi", "prod", "products", "ravel",
    "rechunk", "reduction", "reductions", "reshape", "result_type", "round", "shape", "shaping",
    "slicing", "squeeze", "stack", "std", "storage", "store", "sum", "swapaxes", "take",
    "tensordot", "transpose", "ufunc", "uint16", "uint32", "uint64", "uint8", "unify_chunks",
    "utils", "var", "where", "zeros", "zeros_like",
    *_ufuncs,
]  # fmt: skip
