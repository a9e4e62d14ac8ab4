"""The singular value decomposition, whole and of the few greatest values."""

from __future__ import annotations

from typing import Any

from samite.array.core import Array
from samite.array.linalg.graphs import matrix
from samite.array.linalg.orthogonal import tall_svd, tsqr
from samite.array.signs import svd_flip

__all__ = ["compression_level", "compression_matrix", "svd", "svd_compressed", "svdvals"]


def svd(
    a: Any, coerce_signs: bool = True, full_matrices: bool = False
) -> tuple[Array, Array, Array]:
    """The singular value decomposition of a matrix that is cut along one axis at most.

    Parameters
    ----------
    a:
        The matrix, of shape ``(m, n)``.
    coerce_signs:
        Whether the signs of singular vectors are made the same in every run; see
        :func:`samite.array.utils.svd_flip`.
    full_matrices:
        False.

    Returns
    -------
    ``u`` of shape ``(m, k)``, the ``k`` singular values in descending order, and ``v`` of shape
    ``(k, n)``, where ``k`` is the smaller of ``m`` and ``n``.

    Raises
    ------
    ValueError
        If ``a`` is no matrix.
    NotImplementedError
        If it is cut along both axes (see :func:`svd_compressed`), or with ``full_matrices``.
    """
    if full_matrices:
        raise NotImplementedError(
            "svd with full_matrices=True would need a square matrix of the longer side; only "
            "full_matrices=False is implemented"
        )
    a = matrix(a, "svd")
    if min(a.numblocks) > 1:
        raise NotImplementedError(
            "Array must be chunked in one dimension only. This array (svd of shape "
            f"{a.shape}) has the chunks {a.chunks}; x.rechunk({{1: -1}}) makes one column of "
            "blocks, and svd_compressed() takes matrices that are cut along both axes"
        )
    if a.numblocks[1] > 1:
        v, s, u = tall_svd(a.T, False)
        u, v = u.T, v.T
        if coerce_signs:
            u, v = svd_flip(u, v)
        return u, s, v
    return tall_svd(a, False, flip=coerce_signs)


def svdvals(x: Any) -> Array:
    """The singular values of a matrix that is cut along one axis at most; see :func:`svd`."""
    return svd(x, coerce_signs=False)[1]


def compression_level(n: int, q: int, n_oversamples: int = 10, min_subspace_size: int = 20) -> int:
    """The dimensions that :func:`svd_compressed` works in.

    Parameters
    ----------
    n:
        The dimensions of the whole space.
    q:
        Those that are asked for.
    n_oversamples:
        How many more are used.
    min_subspace_size:
        How many are used at least.

    >>> compression_level(100, 10)
    20
    """
    return min(max(min_subspace_size, q + n_oversamples), n)


def compression_matrix(
    data: Any,
    q: int,
    iterator: str = "power",
    n_power_iter: int = 0,
    n_oversamples: int = 10,
    seed: Any = None,
    compute: bool = False,
) -> Array:
    """The matrix that takes a matrix to the subspace in which it has the most effect.

    Takes the arguments of :func:`svd_compressed`.

    Returns
    -------
    A matrix with orthonormal rows, of shape ``(level, m)``; see :func:`compression_level`.

    Raises
    ------
    ValueError
        If ``iterator`` is not known.
    """
    from samite.array.random import default_rng

    data = matrix(data, "compression_matrix")
    if iterator not in ("power", "QR"):
        raise ValueError(f"Iterator {iterator!r} not valid, must be one of: 'power', 'QR'")
    m, n = data.shape
    level = compression_level(min(m, n), q, n_oversamples)
    omega = default_rng(seed).standard_normal(size=(n, level), chunks=(data.chunks[1], (level,)))
    if data.dtype.kind in "fc":
        omega = omega.astype(data.dtype)

    def kept(x: Array) -> Array:
        return x.persist() if compute else x

    adjoint = data.conj().T
    sample = kept(data.dot(omega))
    if iterator == "power":
        for _ in range(n_power_iter):
            sample = kept(data.dot(kept(adjoint.dot(sample))))
        basis, _ = tsqr(sample)
    else:
        basis, _ = tsqr(sample)
        for _ in range(n_power_iter):
            back, _ = tsqr(kept(adjoint.dot(basis)))
            basis, _ = tsqr(kept(data.dot(back)))
    return basis.conj().T


def svd_compressed(
    a: Any,
    k: int,
    iterator: str = "power",
    n_power_iter: int = 0,
    n_oversamples: int = 10,
    seed: Any = None,
    compute: bool = False,
    coerce_signs: bool = True,
) -> tuple[Array, Array, Array]:
    """The greatest singular values of a large matrix with their vectors, approximately.

    The matrix is projected on a random subspace that is a little larger than what is asked for
    (Halko, Martinsson and Tropp, SIAM Review 53(2), 2011).

    Parameters
    ----------
    a:
        The matrix, of shape ``(m, n)``, cut in any way.
    k:
        How many singular values are wanted.
    iterator:
        ``"power"`` or ``"QR"``: how the subspace is improved. The second is better where the
        values span many magnitudes.
    n_power_iter:
        How often. Every time reads the matrix twice more.
    n_oversamples:
        How many dimensions the subspace has beyond ``k``.
    seed:
        The seed of the random subspace.
    compute:
        Whether intermediate results are computed at once and kept, so that less is in memory at
        a time, and the matrix is read, or made, several times.
    coerce_signs:
        See :func:`svd`.

    Returns
    -------
    ``u`` of shape ``(m, k)``, the values, and ``v`` of shape ``(k, n)``.

    Raises
    ------
    ValueError
        If ``a`` is no matrix, or ``iterator`` is not known.
    """
    a = matrix(a, "svd_compressed")
    compression = compression_matrix(
        a, k, iterator=iterator, n_power_iter=n_power_iter, n_oversamples=n_oversamples,
        seed=seed, compute=compute,
    )  # fmt: skip
    small = compression.dot(a)
    if compute:
        small = small.persist()
    v, s, u = tall_svd(small.T, False)
    u, v = compression.conj().T.dot(u.T), v.T
    u, s, v = u[:, :k], s[:k], v[:k, :]
    if coerce_signs:
        u, v = svd_flip(u, v)
    return u, s, v
