"""The QR decomposition of matrices that are cut along one axis, and least squares by it.

A tall matrix is decomposed in a tree: the blocks first, then, some at a time, the triangular
factors that they leave, until there is one. The orthogonal factors are multiplied on the way back.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from samite._task_spec import Alias, List, Task, TaskRef
from samite.array import kernels
from samite.array.chunks import has_unknown, is_unknown
from samite.array.core import Array, make_array
from samite.array.linalg.graphs import matrix, results
from samite.array.signs import svd_flip
from samite.array.storage import asanyarray
from samite.array.utils import meta_from_array
from samite.base import tokenize

__all__ = ["lstsq", "qr", "sfqr", "tsqr"]

# How many factors are put together where their heights are not known.
_UNKNOWN_GROUP = 8


def tsqr(data: Any, compute_svd: bool = False, _max_vchunk_size: int | None = None) -> Any:
    """The QR decomposition, or the SVD, of a matrix in one column of blocks.

    Parameters
    ----------
    data:
        The matrix, of shape ``(m, n)``; its rows may be cut in any way.
    compute_svd:
        Whether the result is the singular value decomposition.
    _max_vchunk_size:
        How many rows are put into one block at most, on the way; by default as many as the
        tallest block of ``data`` has, and at least two factors.

    Returns
    -------
    ``q`` of shape ``(m, k)`` and ``r`` of shape ``(k, n)``, where ``k`` is the smaller of ``m``
    and ``n``; or ``u`` of shape ``(m, k)``, the ``k`` singular values, and ``vh`` of shape
    ``(n, n)``.

    Raises
    ------
    ValueError
        If the matrix is cut along its columns.
    """
    data = _one_column(data, "tsqr")
    if compute_svd:
        return tall_svd(data, True, _max_vchunk_size)
    tree = _Tree(data, "qr", _max_vchunk_size)
    n = data.shape[1]
    r_key = tree.root
    q_name, r_name = f"qr-q-{tree.token}", f"qr-r-{tree.token}"
    r_layer = {(r_name, 0, 0): Task((r_name, 0, 0), _of_height, TaskRef(r_key), tree.k)}
    q_meta, r_meta = (meta_from_array(part, ndim=2) for part in _example_qr(data))
    return results(
        tree.name,
        tree.tasks,
        [
            (q_name, tree.orthogonal(q_name, None), (data.chunks[0], (tree.k,)), q_meta),
            (r_name, r_layer, ((tree.k,), (n,)), r_meta),
        ],
        [data],
    )


def tall_svd(
    data: Array, full: bool, max_rows: int | None = None, flip: bool = False
) -> tuple[Array, Array, Array]:
    """The SVD of a matrix in one column of blocks.

    Parameters
    ----------
    full:
        Whether all right singular vectors are wanted.
    flip:
        Whether the vectors are turned as by :func:`samite.array.utils.svd_flip`.
    """
    tree = _Tree(data, f"svd{'-full' * full}{'-flip' * flip}", max_rows)
    n, k = data.shape[1], tree.k
    svd_key, u_key = (tree.name, "svd"), (tree.name, "svd-u")
    checked = (tree.name, "r")
    tree.tasks[checked] = Task(checked, _of_height, TaskRef(tree.root), k)
    tree.tasks[svd_key] = Task(svd_key, _small_svd, TaskRef(checked), full, flip)
    tree.tasks[u_key] = Task(u_key, operator.getitem, TaskRef(svd_key), 0)
    names = [f"svd-{part}-{tree.token}" for part in ("u", "s", "v")]
    u, s, v = (meta_from_array(part) for part in np.linalg.svd(_one(data), full_matrices=full))
    s_key, v_key = (names[1], 0), (names[2], 0, 0)
    return results(
        tree.name,
        tree.tasks,
        [
            (names[0], tree.orthogonal(names[0], u_key), (data.chunks[0], (k,)), u),
            (names[1], {s_key: Task(s_key, operator.getitem, TaskRef(svd_key), 1)}, ((k,),), s),
            (
                names[2],
                {v_key: Task(v_key, operator.getitem, TaskRef(svd_key), 2)},
                ((n if full else k,), (n,)),
                v,
            ),
        ],
        [data],
    )  # type: ignore[return-value]


def _small_svd(r: Any, full: bool, flip: bool) -> tuple[Any, Any, Any]:
    u, s, v = np.linalg.svd(r, full_matrices=full)
    if flip:
        # Turning the small factor turns the vectors that are made of it.
        u, v = svd_flip(u, v)
    return u, s, v


def _one_column(data: Any, operation: str) -> Array:
    data = matrix(data, operation)
    if data.numblocks[1] > 1:
        raise ValueError(
            f"{operation} takes a matrix in a single column of blocks, not the {data.numblocks} "
            f"blocks with the chunks {data.chunks}; x.rechunk({{1: -1}}) makes one"
        )
    return data


def _one(data: Array) -> Any:
    return np.ones_like(data._meta, shape=(1, 1))


def _example_qr(data: Array) -> Any:
    return tuple(np.linalg.qr(_one(data)))


class _Tree:
    """The steps of the decomposition of a matrix in one column of blocks.

    Attributes
    ----------
    name:
        The name of the layer of ``tasks``.
    root:
        The key of the triangular factor.
    k:
        Its height.
    """

    def __init__(self, data: Array, kind: str, max_rows: int | None) -> None:
        self.token = tokenize(data, kind, max_rows)
        self.name = f"{kind}-steps-{self.token}"
        self.tasks: dict[Any, Any] = {}
        m, n = data.shape
        self.k = _smaller(m, n)
        heights: list[Any] = []
        keys: list[Any] = []
        self._leaves: list[Any] = []
        for i, size in enumerate(data.chunks[0]):
            pair = (self.name, "block", i)
            self.tasks[pair] = Task(pair, _block_qr, TaskRef((data.name, i, 0)))
            self._leaves.append(self._part(pair, 0))
            keys.append(self._part(pair, 1))
            heights.append(_smaller(size, n))
        tallest = max(data.chunks[0], key=lambda size: -1 if is_unknown(size) else size)
        rows = max_rows or tallest
        # The groups of each level, and the keys of the orthogonal factors of their members.
        self._levels: list[tuple[list[range], list[Any]]] = []
        while len(keys) > 1:
            groups = _grouped(heights, rows, n)
            parts, above, above_heights = [], [], []
            for g, group in enumerate(groups):
                both = (self.name, "joined", len(self._levels), g)
                self.tasks[both] = Task(both, _stacked_qr, List(*(TaskRef(keys[i]) for i in group)))
                factors = self._part(both, 0)
                for place, _ in enumerate(group):
                    key = (*factors, place)
                    self.tasks[key] = Task(key, operator.getitem, TaskRef(factors), place)
                    parts.append(key)
                above.append(self._part(both, 1))
                above_heights.append(_smaller(sum(heights[i] for i in group), n))
            self._levels.append((groups, parts))
            keys, heights = above, above_heights
        (self.root,) = keys

    def _part(self, pair: Any, which: int) -> Any:
        key = (*pair, "qr"[which])
        self.tasks[key] = Task(key, operator.getitem, TaskRef(pair), which)
        return key

    def orthogonal(self, name: str, factor: Any) -> dict[Any, Any]:
        """The blocks of the orthogonal factor, multiplied by one more where that is given."""
        above = [factor]
        for level in range(len(self._levels) - 1, -1, -1):
            groups, parts = self._levels[level]
            factors = []
            for g, group in enumerate(groups):
                for i in group:
                    factors.append(parts[i])
                    if above[g] is not None:
                        key = (self.name, "factor", level, i)
                        self.tasks[key] = Task(
                            key, kernels.matmul, TaskRef(parts[i]), TaskRef(above[g])
                        )
                        factors[-1] = key
            above = factors
        layer: dict[Any, Any] = {}
        for i, (leaf, last) in enumerate(zip(self._leaves, above)):
            key = (name, i, 0)
            if last is None:
                layer[key] = Alias(key, leaf)
            else:
                layer[key] = Task(key, kernels.matmul, TaskRef(leaf), TaskRef(last))
        return layer


def _smaller(m: Any, n: Any) -> Any:
    """The smaller of two lengths. Where the number of rows is not known there are enough of them,
    which is checked when the factor is there."""
    if is_unknown(n):
        return n
    return n if is_unknown(m) else min(m, n)


def _grouped(heights: Sequence[Any], rows: Any, n: Any) -> list[range]:
    """Neighbours that are put together: at least two, and no more rows than a block has."""
    groups = []
    start = 0
    while start < len(heights):
        if is_unknown(rows) or is_unknown(n):
            stop = start + _UNKNOWN_GROUP
        else:
            stop, total = start, 0
            while stop < len(heights) and (stop < start + 2 or total + heights[stop] <= rows):
                total += heights[stop]
                stop += 1
        stop = min(stop, len(heights))
        groups.append(range(start, stop))
        start = stop
    return groups


def _block_qr(block: Any) -> tuple[Any, Any]:
    return kernels.qr(block)


def _stacked_qr(factors: list[Any]) -> tuple[list[Any], Any]:
    q, r = kernels.qr(np.concatenate(factors, axis=0))
    edges = np.cumsum([len(factor) for factor in factors])[:-1]
    return np.split(q, edges, axis=0), r


def _of_height(r: Any, k: Any) -> Any:
    if not is_unknown(k) and r.shape[0] != k:
        raise ValueError(
            f"a matrix whose number of rows was not known has {r.shape[0]} of them, less than its "
            f"{k} columns; call compute_chunk_sizes() on it before it is decomposed"
        )
    return r


def sfqr(data: Any, name: str | None = None) -> tuple[Array, Array]:
    """The QR decomposition of a matrix in one row of blocks that is wider than tall.

    Parameters
    ----------
    data:
        The matrix, of shape ``(m, n)``; in several columns of blocks only if ``n`` is at least
        ``m``.
    name:
        What the names of results begin with.

    Returns
    -------
    ``q`` and ``r``.

    Raises
    ------
    ValueError
        If the matrix is cut along its rows, or is cut and taller than wide.
    """
    data = matrix(data, "sfqr")
    m, n = data.shape
    if data.numblocks[0] != 1 or any(map(has_unknown, data.chunks)):
        raise ValueError(
            f"sfqr takes a matrix in a single row of blocks of known sizes, not {data.numblocks} "
            f"blocks with the chunks {data.chunks}"
        )
    if data.numblocks[1] > 1 and m > n:
        raise ValueError(
            f"sfqr takes a matrix that is wider than tall, or has one block, not shape {(m, n)} "
            f"with the chunks {data.chunks}; x.rechunk({{1: -1}}) makes one block"
        )
    # The orthogonal factor is that of the first m columns, which may be in several blocks.
    first, width = 0, 0
    while first < data.numblocks[1] and (width < m or not first):
        width += data.chunks[1][first]
        first += 1
    token = tokenize(data, "sfqr")
    prefix = name or "sfqr"
    steps_name = f"{prefix}-steps-{token}"
    both, q_key = (steps_name, "first"), (steps_name, "q")
    steps: dict[Any, Any] = {
        both: Task(both, _joined_qr, List(*(TaskRef((data.name, 0, j)) for j in range(first)))),
        q_key: Task(q_key, operator.getitem, TaskRef(both), 0),
    }
    q_name, r_name = f"{prefix}-q-{token}", f"{prefix}-r-{token}"
    r_layer: dict[Any, Any] = {}
    for j in range(data.numblocks[1]):
        key = (r_name, 0, j)
        if j < first:
            start = sum(data.chunks[1][:j])
            columns = slice(start, start + data.chunks[1][j])
            r_layer[key] = Task(key, _columns_of_r, TaskRef(both), columns)
        else:
            r_layer[key] = Task(key, _adjoint_times, TaskRef(q_key), TaskRef((data.name, 0, j)))
    k = min(m, n)
    q_meta, r_meta = (meta_from_array(part, ndim=2) for part in _example_qr(data))
    q, r = results(
        steps_name,
        steps,
        [
            (q_name, {(q_name, 0, 0): Alias((q_name, 0, 0), q_key)}, ((m,), (k,)), q_meta),
            (r_name, r_layer, ((k,), data.chunks[1]), r_meta),
        ],
        [data],
    )
    return q, r


def _joined_qr(blocks: list[Any]) -> tuple[Any, Any]:
    return _block_qr(np.concatenate(blocks, axis=1) if len(blocks) > 1 else blocks[0])


def _columns_of_r(both: tuple[Any, Any], columns: slice) -> Any:
    return both[1][:, columns]


def _adjoint_times(q: Any, block: Any) -> Any:
    return kernels.matmul(q.conj().T, block)


def qr(a: Any, mode: str = "reduced") -> Any:
    """The QR decomposition of a matrix that is cut along one axis at most.

    Parameters
    ----------
    a:
        The matrix, of shape ``(m, n)``.
    mode:
        ``"reduced"``, or ``"r"`` for the triangular factor alone.

    Returns
    -------
    ``q`` of shape ``(m, k)`` and ``r`` of shape ``(k, n)``, where ``k`` is the smaller of ``m``
    and ``n``.

    Raises
    ------
    ValueError
        If ``a`` is no matrix, or the mode is not known.
    NotImplementedError
        If it is cut along both axes.

    Examples
    --------
    >>> import samite.array as da
    >>> q, r = da.linalg.qr(da.ones((6, 2), chunks=(2, 2)))
    >>> q.shape, r.shape
    ((6, 2), (2, 2))
    """
    a = matrix(a, "qr")
    if mode not in ("reduced", "r"):
        raise ValueError(f"qr: the modes are 'reduced' and 'r', not {mode!r}")
    if a.numblocks[1] == 1:
        parts = tsqr(a)
        return parts[1] if mode == "r" else parts
    if a.numblocks[0] == 1:
        parts = sfqr(a)
        return parts[1] if mode == "r" else parts
    raise NotImplementedError(
        "qr takes matrices in one column or in one row of blocks, not in "
        f"{a.numblocks[0]} x {a.numblocks[1]} blocks with the chunks {a.chunks}; "
        "x.rechunk({1: -1}) makes one column"
    )


def lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Array, Array, Array, Array]:
    """The least-squares solution of ``a x = b``, of all solutions the shortest.

    Parameters
    ----------
    a:
        The matrix, of shape ``(m, n)``, cut along one axis at most.
    b:
        A vector of length ``m``, or a matrix of ``m`` rows.
    rcond:
        Singular values up to this share of the greatest count as zero; by default the precision
        of the dtype times the longer side. -1 for no more than the precision.

    Returns
    -------
    ``x``; the sums of squared residuals, one for each column of ``b``; the rank of ``a``; and its
    singular values.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    NotImplementedError
        If ``a`` is cut along both axes.
    """
    a, b = matrix(a, "lstsq"), asanyarray(b)
    if b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise ValueError(
            f"lstsq needs b with the rows of a, but the shapes are {a.shape} and {b.shape}"
        )
    q, r = qr(a)
    m, n = a.shape
    r = r.rechunk({1: -1})
    right = q.conj().T.dot(b).rechunk({0: -1})
    precision = float(np.finfo(r.dtype).eps)
    cutoff = precision * max(m, n) if rcond is None else precision if rcond == -1 else rcond
    token = tokenize(a, b, cutoff, "lstsq")
    k = r.shape[0]
    x_name, rank_name, s_name = (f"lstsq-{part}-{token}" for part in ("x", "rank", "s"))
    x_layer: dict[Any, Any] = {}
    for j in range(right.numblocks[1] if b.ndim == 2 else 1):
        tail = (j,) if b.ndim == 2 else ()
        key = (x_name, 0, *tail)
        x_layer[key] = Task(
            key, _small_lstsq, TaskRef((r.name, 0, 0)), TaskRef((right.name, 0, *tail)), cutoff
        )
    dtype = np.result_type(r.dtype, right.dtype)
    x_chunks = ((n,), *right.chunks[1:])
    x = make_array(x_name, x_layer, x_chunks, _empty(r, b.ndim, dtype), [r, right])
    missed = abs(b - a.dot(x))
    residuals = (missed * missed).sum(axis=0, keepdims=b.ndim == 1)
    real = np.empty(0, dtype=r.dtype).real.dtype
    s_key = (s_name, 0)
    s_layer = {s_key: Task(s_key, np.linalg.svd, TaskRef((r.name, 0, 0)), compute_uv=False)}
    s = make_array(s_name, s_layer, ((min(k, n),),), _empty(r, 1, real), [r])
    rank_layer = {(rank_name,): Task((rank_name,), _rank, TaskRef(s_key), cutoff)}
    rank = make_array(rank_name, rank_layer, (), _empty(r, 0, np.dtype(np.intp)), [s])
    return x, residuals, rank, s


def _empty(like: Array, ndim: int, dtype: np.dtype) -> Any:
    return meta_from_array(like, ndim=ndim, dtype=dtype)


def _small_lstsq(r: Any, right: Any, cutoff: float) -> Any:
    return np.linalg.lstsq(r, right, rcond=cutoff)[0]


def _rank(s: Any, cutoff: float) -> Any:
    return np.intp(np.count_nonzero(s > s.max() * cutoff)) if len(s) else np.intp(0)
