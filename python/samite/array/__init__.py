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
    assembly,
    assignment,
    backends,
    blocks,
    chunks,
    concatenation,
    core,
    creation,
    einsumfuncs,
    elementwise,
    fft,
    image,
    lib,
    linalg,
    ma,
    numpy_compat,
    optimization,
    overlap,
    partials,
    products,
    random,
    reductions,
    routines,
    shaping,
    slicing,
    stats,
    storage,
    ufunc,
    utils,
    wrap,
)
from samite.array._shuffle import shuffle
from samite.array.blocks import map_blocks
from samite.array.blockwise import atop, blockwise, unify_chunks
from samite.array.broadcasting import broadcast_arrays, broadcast_to
from samite.array.chunk_types import register_chunk_type
from samite.array.chunks import normalize_chunks
from samite.array.concatenation import block, concatenate, stack
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
from samite.array.gufunc import apply_gufunc, as_gufunc, gufunc
from samite.array.optimization import optimize
from samite.array.overlap import map_overlap, push
from samite.array.percentile import percentile
from samite.array.performance import PerformanceWarning
from samite.array.planning import _array_expr_enabled, array_expr_enabled  # noqa: F401
from samite.array.products import dot, matmul, tensordot
from samite.array.rechunk import rechunk
from samite.array.reductions import (
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    argtopk,
    cumprod,
    cumreduction,
    cumsum,
    cumulative_prod,
    cumulative_sum,
    max,
    mean,
    median,
    min,
    moment,
    nanargmax,
    nanargmin,
    nancumprod,
    nancumsum,
    nanmax,
    nanmean,
    nanmedian,
    nanmin,
    nanpercentile,
    nanprod,
    nanquantile,
    nanstd,
    nansum,
    nanvar,
    prod,
    quantile,
    reduction,
    std,
    sum,
    topk,
    trace,
    var,
)
from samite.array.reshape import ravel, reshape, reshape_blockwise
from samite.array.routines import *  # noqa: F403
from samite.array.routines import __all__ as _routines
from samite.array.selection import choose, compress, extract, take
from samite.array.shaping import expand_dims, moveaxis, squeeze, swapaxes, transpose
from samite.array.sorting import argpartition, argsort, partition, sort
from samite.array.storage import (
    array,
    asanyarray,
    asarray,
    from_array,
    from_delayed,
    from_func,
    from_npy_stack,
    from_tiledb,
    from_zarr,
    store,
    to_hdf5,
    to_npy_stack,
    to_tiledb,
    to_zarr,
)
from samite.array.ufunc import *  # noqa: F403
from samite.array.ufunc import __all__ as _ufuncs
from samite.array.utils import assert_eq, meta_from_array
from samite.base import compute

arange, empty, full, ones, zeros = map(backends.by_backend, (arange, empty, full, ones, zeros))

__all__ = [
    "Array", "PerformanceWarning", "all", "amax", "amin", "any", "apply_gufunc", "arange",
    "argmax", "argmin", "argpartition", "argsort", "argtopk", "around", "array",
    "array_expr_enabled", "as_gufunc", "asanyarray", "asarray", "assembly", "assert_eq",
    "assignment", "atop", "backends", "block", "blocks", "blockwise", "bool", "broadcast_arrays",
    "broadcast_to", "choose", "chunks", "clip", "complex128", "complex64", "compress", "compute",
    "concatenate", "concatenation", "core", "creation", "cumprod", "cumreduction", "cumsum",
    "cumulative_prod", "cumulative_sum", "dot", "e", "einsumfuncs", "elementwise", "elemwise",
    "empty", "empty_like", "euler_gamma", "expand_dims", "extract", "eye", "fft", "float32",
    "float64", "from_array", "from_delayed", "from_func", "from_npy_stack", "from_tiledb",
    "from_zarr", "full", "full_like", "gufunc", "image", "inf", "int16", "int32",
    "int64", "int8", "isclose", "lib", "linalg", "linspace", "ma", "map_blocks", "map_overlap",
    "matmul", "max", "mean", "median", "meta_from_array", "min", "moment", "moveaxis", "nan",
    "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian",
    "nanmin", "nanpercentile", "nanprod", "nanquantile", "nanstd", "nansum", "nanvar", "ndim",
    "newaxis", "normalize_chunks", "numpy_compat", "ones", "ones_like", "optimization", "optimize",
    "overlap", "partials", "partition", "percentile", "pi", "prod", "products", "push", "quantile",
    "random", "ravel", "rechunk", "reduction", "reductions", "register_chunk_type", "reshape",
    "reshape_blockwise", "result_type", "round", "routines", "shape", "shaping", "shuffle",
    "slicing", "sort", "squeeze", "stack", "stats", "std", "storage", "store", "sum", "swapaxes",
    "take", "tensordot", "to_hdf5", "to_npy_stack", "to_tiledb", "to_zarr", "topk", "trace",
    "transpose", "ufunc", "uint16", "uint32", "uint64", "uint8", "unify_chunks", "utils", "var",
    "where", "wrap", "zeros", "zeros_like",
    *_routines,
    *_ufuncs,
]  # fmt: skip
