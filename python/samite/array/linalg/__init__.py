"""Linear algebra: :mod:`numpy.linalg` and :mod:`scipy.linalg` with lazy arrays.

>>> import samite.array as da
>>> x = da.random.default_rng(1).random((100, 5), chunks=(20, 5))
>>> q, r = da.linalg.qr(x)
>>> bool(abs(q.dot(r) - x).max().compute() < 1e-12)
True
"""

from __future__ import annotations

from samite.array.linalg.elimination import (
    cholesky,
    cholesky_like_numpy,
    inv,
    lu,
    solve,
    solve_triangular,
)
from samite.array.linalg.norms import cond, matrix_norm, matrix_rank, norm, vector_norm
from samite.array.linalg.orthogonal import lstsq, qr, sfqr, tsqr
from samite.array.linalg.singular import (
    compression_level,
    compression_matrix,
    svd,
    svd_compressed,
    svdvals,
)
from samite.array.linalg.stacks import (
    cross,
    det,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    matrix_power,
    multi_dot,
    pinv,
    slogdet,
)
from samite.array.linalg.views import diagonal, matrix_transpose, trace
from samite.array.products import matmul, outer, tensordot, vecdot

__all__ = [
    "cholesky", "cholesky_like_numpy", "compression_level", "compression_matrix", "cond",
    "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "lstsq", "lu",
    "matmul", "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "multi_dot",
    "norm", "outer", "pinv", "qr", "sfqr", "slogdet", "solve", "solve_triangular", "svd",
    "svd_compressed", "svdvals", "tensordot", "trace", "tsqr", "vecdot", "vector_norm",
]  # fmt: skip
