"""The functions of Dask's module of this name, which are spread over subjects here."""

from __future__ import annotations

from samite.array.along_axes import (
    apply_along_axis,
    apply_over_axes,
    put_along_axis,
    take_along_axis,
)
from samite.array.arranging import (
    flip,
    fliplr,
    flipud,
    matrix_transpose,
    permute_dims,
    repeat,
    resize,
    roll,
    rollaxis,
    rot90,
    tile,
)
from samite.array.coarsening import aligned_coarsen_chunks, coarsen
from samite.array.conditions import (
    allclose,
    argwhere,
    array_equal,
    array_equiv,
    count_nonzero,
    flatnonzero,
    iscomplexobj,
    isnull,
    isrealobj,
    nonzero,
    notnull,
    piecewise,
    select,
)
from samite.array.covariance import average, corrcoef, cov
from samite.array.differences import diff, ediff1d, gradient, ptp, trapezoid, unwrap
from samite.array.einsumfuncs import einsum
from samite.array.elementwise import (
    around,
    astype,
    clip,
    copy,
    isclose,
    ndim,
    result_type,
    round,
    shape,
    size,
    where,
)
from samite.array.grids import fromfunction, geomspace, indices, logspace, meshgrid
from samite.array.histograms import (
    bincount,
    histogram,
    histogram2d,
    histogram_bin_edges,
    histogramdd,
)
from samite.array.insertion import delete, insert, trim_zeros
from samite.array.joining import (
    append,
    array_split,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    column_stack,
    concat,
    dsplit,
    dstack,
    hsplit,
    hstack,
    split,
    unstack,
    vsplit,
    vstack,
)
from samite.array.matrices import (
    diag,
    diag_indices,
    diag_indices_from,
    diagflat,
    diagonal,
    identity,
    tri,
    tril,
    tril_indices,
    tril_indices_from,
    triu,
    triu_indices,
    triu_indices_from,
)
from samite.array.padding import pad
from samite.array.polynomials import polyfit, polyval, vander
from samite.array.products import (
    cross,
    dot,
    inner,
    kron,
    matmul,
    matvec,
    outer,
    tensordot,
    vdot,
    vecdot,
    vecmat,
)
from samite.array.reshape import ravel
from samite.array.searching import digitize, interp, ravel_multi_index, searchsorted, unravel_index
from samite.array.selection import choose, compress, extract, take
from samite.array.sets import (
    in1d,
    intersect1d,
    isin,
    setdiff1d,
    setxor1d,
    union1d,
    unique,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
)
from samite.array.shaping import expand_dims, moveaxis, squeeze, swapaxes, transpose
from samite.array.signals import convolve, correlate
from samite.array.storage import array

__all__ = [
    "allclose", "append", "apply_along_axis", "apply_over_axes", "argwhere", "around", "array",
    "array_equal", "array_equiv", "array_split", "astype", "atleast_1d", "atleast_2d",
    "atleast_3d", "average", "bincount", "choose", "clip", "coarsen", "column_stack", "compress",
    "concat", "convolve", "copy", "corrcoef", "correlate", "count_nonzero", "cov", "cross",
    "delete", "diag", "diag_indices", "diag_indices_from", "diagflat", "diagonal", "diff",
    "digitize", "dot", "dsplit", "dstack", "ediff1d", "einsum", "expand_dims", "extract",
    "flatnonzero", "flip", "fliplr", "flipud", "fromfunction", "geomspace", "gradient",
    "histogram", "histogram2d", "histogram_bin_edges", "histogramdd", "hsplit", "hstack",
    "identity", "in1d", "indices", "inner", "insert", "interp", "intersect1d", "isclose",
    "iscomplexobj", "isin", "isnull", "isrealobj", "kron", "logspace", "matmul",
    "matrix_transpose", "matvec", "meshgrid", "moveaxis", "ndim", "nonzero", "notnull", "outer",
    "pad", "permute_dims", "piecewise", "polyfit", "polyval", "ptp", "put_along_axis", "ravel",
    "ravel_multi_index", "repeat", "resize", "result_type", "roll", "rollaxis", "rot90", "round",
    "searchsorted", "select", "setdiff1d", "setxor1d", "shape", "size", "split", "squeeze",
    "swapaxes", "take", "take_along_axis", "tensordot", "tile", "transpose", "trapezoid", "tri",
    "tril", "tril_indices", "tril_indices_from", "trim_zeros", "triu", "triu_indices",
    "triu_indices_from", "union1d", "unique", "unique_all", "unique_counts", "unique_inverse",
    "unique_values", "unravel_index", "unstack", "unwrap", "vander", "vdot", "vecdot", "vecmat",
    "vsplit", "vstack", "where",
]  # fmt: skip

# Not for users, but Dask's own tests and some libraries look for it here.
aligned_coarsen_chunks = aligned_coarsen_chunks
