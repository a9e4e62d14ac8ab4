"""Systems of equations: the LU and Cholesky decompositions, and substitution, block by block.

All algorithms work from the first block of the diagonal to the last. What is left of the matrix is
updated at every step, one block in each task.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from samite._task_spec import Alias, List, Task, TaskRef
from samite.array import kernels
from samite.array.chunks import boundaries
from samite.array.core import Array, make_array
from samite.array.linalg.graphs import results, square_blocks, zeros_like_block
from samite.array.storage import asanyarray
from samite.array.utils import meta_from_array
from samite.base import tokenize

__all__ = ["cholesky", "cholesky_like_numpy", "inv", "lu", "lu_parts", "solve", "solve_triangular"]


def _scipy() -> Any:
    import scipy.linalg

    return scipy.linalg


# -- LU ----------------------------------------------------------------------------------


class _LuSteps:
    """The steps of a decomposition, which several results are made of.

    Rows are exchanged over the whole height of the matrix, so the result is as stable as that of
    one processor. The blocks below and on the diagonal of one column are in one task for that.

    Attributes
    ----------
    name:
        The name of the layer of ``tasks``.
    lower, upper:
        The keys of the blocks of both factors by place; those of ``lower`` have their rows in the
        final order.
    rows:
        The key of the final order of rows.
    """

    def __init__(self, a: Array) -> None:
        self.token = tokenize(a, "lu")
        self.name = f"lu-steps-{self.token}"
        self.tasks: dict[Any, Any] = {}
        self.lower: dict[tuple[int, int], Any] = {}
        self.upper: dict[tuple[int, int], Any] = {}
        count = a.numblocks[0]
        now = {(i, j): (a.name, i, j) for i in range(count) for j in range(count)}
        orders = []
        raw: dict[tuple[int, int], Any] = {}
        for k in range(count):
            panel = self._add(
                ("panel", k), _panel_lu, List(*(TaskRef(now[i, k]) for i in range(k, count)))
            )
            order = self._add(("order", k), operator.getitem, TaskRef(panel), 0)
            orders.append(order)
            self.upper[k, k] = self._add(("u", k, k), operator.getitem, TaskRef(panel), 2)
            for i in range(k, count):
                raw[i, k] = self._add(("panel-l", i, k), _item_of_part, TaskRef(panel), 1, i - k)
            self.lower[k, k] = raw[k, k]
            for j in range(k + 1, count):
                column = List(*(TaskRef(now[i, j]) for i in range(k, count)))
                swapped = self._add(("swapped", k, j), _reordered, column, TaskRef(order))
                self.upper[k, j] = self._add(
                    ("u", k, j), _upper_block, TaskRef(raw[k, k]), TaskRef(swapped)
                )
                for i in range(k + 1, count):
                    now[i, j] = self._add(
                        ("left", k, i, j), _less_product, TaskRef(swapped), i - k,
                        TaskRef(raw[i, k]), TaskRef(self.upper[k, j]),
                    )  # fmt: skip
        after = None
        for k in range(count - 1, -1, -1):
            if after is not None:
                column = List(*(TaskRef(raw[i, k]) for i in range(k + 1, count)))
                final = self._add(("final", k), _reordered, column, TaskRef(after))
                for i in range(k + 1, count):
                    self.lower[i, k] = self._add(
                        ("l", i, k), operator.getitem, TaskRef(final), i - k - 1
                    )
                after = self._add(("after", k), _both_orders, TaskRef(orders[k]), TaskRef(after))
            else:
                after = orders[k]
        self.rows = after

    def _add(self, key: tuple[Any, ...], func: Any, *args: Any) -> Any:
        key = (self.name, *key)
        self.tasks[key] = Task(key, func, *args)
        return key


def _panel_lu(blocks: list[Any]) -> tuple[Any, list[Any], Any]:
    """The order of the rows of some blocks above each other, and their factors."""
    with warnings.catch_warnings():
        # A singular matrix has factors; it is for the user of these to mind.
        warnings.simplefilter("ignore", RuntimeWarning)
        positions, lower, upper = kernels.lu(
            np.concatenate(blocks, axis=0) if len(blocks) > 1 else blocks[0]
        )
    edges = np.cumsum([len(block) for block in blocks])[:-1]
    return np.argsort(positions), np.split(lower, edges, axis=0), upper


def _item_of_part(parts: Any, part: int, item: int) -> Any:
    return parts[part][item]


def _reordered(blocks: list[Any], order: Any) -> list[Any]:
    """The rows of blocks above each other in another order; blocks that keep theirs as they are."""
    edges = np.cumsum([0, *(len(block) for block in blocks)])
    result = []
    for n, block in enumerate(blocks):
        rows = order[edges[n] : edges[n + 1]]
        if np.array_equal(rows, np.arange(edges[n], edges[n + 1])):
            result.append(block)
            continue
        new = np.empty_like(block)
        source = np.searchsorted(edges, rows, side="right") - 1
        for other in np.unique(source):
            places = source == other
            new[places] = blocks[other][rows[places] - edges[other]]
        result.append(new)
    return result


def _upper_block(lower: Any, swapped: list[Any]) -> Any:
    return kernels.solve_triangular(lower, swapped[0], lower=True, unit_diagonal=True)


def _less_product(blocks: list[Any], n: int, left: Any, right: Any) -> Any:
    return blocks[n] - kernels.matmul(left, right)


def _both_orders(first: Any, then: Any) -> Any:
    """The order of rows of which those at the end are put in another order once more."""
    head = len(first) - len(then)
    return np.concatenate([first[:head], first[head:][then]])


def lu(a: Any) -> tuple[Array, Array, Array]:
    """The LU decomposition of a square matrix: ``a = p @ l @ u``.

    Rows are exchanged over all blocks of a column (partial pivoting), which are in memory together
    for that.

    Parameters
    ----------
    a:
        The matrix, with rows and columns cut in the same way.

    Returns
    -------
    The permutation matrix ``p``, ``l`` with ones on the diagonal and zeros above, and ``u`` with
    zeros below.

    Raises
    ------
    ValueError
        If ``a`` is not square, or its rows and columns are not cut in the same way.

    Examples
    --------
    >>> import numpy as np, samite.array as da
    >>> x = da.from_array(np.array([[1.0, 2.0], [4.0, 1.0]]), chunks=1)
    >>> [part.compute().tolist() for part in da.linalg.lu(x)]
    [[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.25, 1.0]], [[4.0, 1.0], [0.0, 1.75]]]
    """
    return lu_parts(square_blocks(a, "lu"), ("p", "l", "u"))  # type: ignore[return-value]


def lu_parts(a: Array, parts: Sequence[str]) -> tuple[Array, ...]:
    """Some of what an LU decomposition gives.

    Parameters
    ----------
    a:
        A matrix with rows and columns cut in the same way.
    parts:
        The factors ``"p"``, ``"l"`` and ``"u"``; ``"rows"``, the order in which the decomposition
        has the rows of ``a``; and ``"diagonal"``, that of ``u``.
    """
    steps = _LuSteps(a)
    sizes = a.chunks[0]
    edges = boundaries(sizes)
    meta = _factor_meta(a)
    real = meta_from_array(meta, dtype=meta.real.dtype)

    def block(part: str, key: Any, i: int, j: int) -> Any:
        if part == "p":
            shape = (sizes[i], sizes[j])
            rows = TaskRef(steps.rows)
            return Task(key, _permutation_block, rows, edges[i], edges[j], shape, real)
        known = steps.lower if part == "l" else steps.upper
        if (i, j) in known:
            return Alias(key, known[i, j])
        return Task(key, zeros_like_block, meta, (sizes[i], sizes[j]), meta.dtype)

    outputs: list[Any] = []
    count = len(sizes)
    for part in parts:
        name = f"lu-{part}-{steps.token}"
        if part == "rows":
            layer = {(name, 0): Alias((name, 0), steps.rows)}
            outputs.append((name, layer, ((a.shape[0],),), np.empty(0, dtype=np.intp)))
        elif part == "diagonal":
            layer = {
                (name, k): Task((name, k), np.diagonal, TaskRef(steps.upper[k, k]))
                for k in range(count)
            }
            outputs.append((name, layer, (sizes,), meta_from_array(meta, ndim=1)))
        else:
            layer = {
                (name, i, j): block(part, (name, i, j), i, j)
                for i in range(count)
                for j in range(count)
            }
            outputs.append((name, layer, a.chunks, real if part == "p" else meta))
    return results(steps.name, steps.tasks, outputs, [a])


def _factor_meta(a: Array) -> Any:
    return meta_from_array(_scipy().lu(np.ones((1, 1), dtype=a.dtype))[2], ndim=2)


def _permutation_block(rows: Any, top: int, left: int, shape: tuple[int, int], meta: Any) -> Any:
    """A block of the matrix with a one at (rows[i], i)."""
    block = zeros_like_block(meta, shape, meta.dtype)
    at = np.asarray(rows[left : left + shape[1]]) - top
    inside = np.flatnonzero((at >= 0) & (at < shape[0]))
    block[at[inside], inside] = 1
    return block


# -- substitution ------------------------------------------------------------------------


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Array:
    """The solution of ``a x = b``, where ``a`` is a triangular matrix.

    Parameters
    ----------
    a:
        The matrix, with rows and columns cut in the same way. The other triangle is not looked at
        inside blocks, nor are its blocks.
    b:
        A vector or a matrix whose rows are cut like those of ``a``.
    lower:
        Whether the lower triangle of ``a`` is meant.

    Raises
    ------
    ValueError
        If ``a`` is not square, or rows and columns are not cut in the same way.
    numpy.linalg.LinAlgError
        On computing, if the matrix is singular.
    """
    a, b = square_blocks(a, "solve_triangular"), asanyarray(b)
    if b.ndim not in (1, 2):
        raise ValueError(f"b has to be a vector or a matrix, not of shape {b.shape}")
    if a.shape[1] != b.shape[0]:
        raise ValueError(
            f"solve_triangular: a.shape[1] is not b.shape[0], for the shapes are {a.shape} and "
            f"{b.shape}"
        )
    if a.chunks[1] != b.chunks[0]:
        raise ValueError(
            "solve_triangular needs the rows of b cut like the columns of a, but the chunks are "
            f"{a.chunks[1]} and {b.chunks[0]}; b.rechunk({{0: a.chunks[1]}}) does that"
        )
    token = tokenize(a, b, lower)
    name, steps_name = f"solve-triangular-{token}", f"solve-triangular-steps-{token}"
    count = a.numblocks[0]
    order = range(count) if lower else range(count - 1, -1, -1)
    tails = [(j,) for j in range(b.numblocks[1])] if b.ndim == 2 else [()]
    layer: dict[Any, Any] = {}
    steps: dict[Any, Any] = {}
    for tail in tails:
        now = {i: (b.name, i, *tail) for i in order}
        for i in order:
            key = (name, i, *tail)
            layer[key] = Task(
                key, _solve_block, TaskRef((a.name, i, i)), TaskRef(now[i]), lower=lower
            )
            for t in range(i + 1, count) if lower else range(i):
                step = (steps_name, i, t, *tail)
                steps[step] = Task(
                    step, _without, TaskRef(now[t]), TaskRef((a.name, t, i)), TaskRef(key)
                )
                now[t] = step
    dtype = (
        _scipy().solve_triangular(np.ones((1, 1), dtype=a.dtype), np.ones(1, dtype=b.dtype)).dtype
    )
    layer.update(steps)
    return make_array(name, layer, b.chunks, meta_from_array(b, dtype=dtype), [a, b])


def _solve_block(a: Any, b: Any, lower: bool) -> Any:
    return kernels.solve_triangular(a, b, lower=lower)


def _without(block: Any, left: Any, right: Any) -> Any:
    return block - kernels.matmul(left, right)


def solve(a: Any, b: Any, sym_pos: bool | None = None, assume_a: str = "gen") -> Array:
    """The solution of ``a x = b``.

    Parameters
    ----------
    a:
        A square matrix, with rows and columns cut in the same way.
    b:
        A vector or a matrix with the rows of ``a``.
    sym_pos:
        Deprecated; True for ``assume_a="pos"``.
    assume_a:
        ``"pos"`` for a matrix that is Hermitian and positive definite, ``"gen"`` for any.

    Raises
    ------
    ValueError
        If shapes or chunks do not fit, or ``assume_a`` is not known.
    numpy.linalg.LinAlgError
        On computing, if the matrix is singular, or not positive definite though it should be.
    """
    if sym_pos is not None:
        warnings.warn(
            "The sym_pos keyword is deprecated and should be replaced by assume_a='pos'",
            FutureWarning,
            stacklevel=2,
        )
        if sym_pos:
            assume_a = "pos"
    a, b = square_blocks(a, "solve"), asanyarray(b)
    if b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise ValueError(f"solve: the shapes {a.shape} and {b.shape} do not fit")
    if assume_a == "pos":
        upper = cholesky(a)
        lower = upper.conj().T
        b = b.rechunk({0: a.chunks[0]})
        return solve_triangular(upper, solve_triangular(lower, b, lower=True))
    if assume_a != "gen":
        raise ValueError(
            f"{assume_a=} is not a recognized matrix structure; those known are 'gen' and 'pos'"
        )
    rows, lower, upper = lu_parts(a, ("rows", "l", "u"))
    right = _in_order(b.rechunk({0: a.chunks[0]}), rows)
    return solve_triangular(upper, solve_triangular(lower, right, lower=True))


def _in_order(b: Array, rows: Array) -> Array:
    """The rows of a vector or a matrix in another order, which is found on computing."""
    name = f"solve-rows-{tokenize(b, rows)}"
    layer: dict[Any, Any] = {}
    for tail in [(j,) for j in range(b.numblocks[1])] if b.ndim == 2 else [()]:
        whole = (f"{name}-column", *tail)
        blocks = List(*(TaskRef((b.name, i, *tail)) for i in range(b.numblocks[0])))
        layer[whole] = Task(whole, _reordered, blocks, TaskRef((rows.name, 0)))
        for i in range(b.numblocks[0]):
            key = (name, i, *tail)
            layer[key] = Task(key, operator.getitem, TaskRef(whole), i)
    return make_array(name, layer, b.chunks, b._meta, [b, rows])


def inv(a: Any) -> Array:
    """The inverse of a square matrix, with rows and columns cut in the same way.

    Raises
    ------
    ValueError
        If ``a`` is not square, or its rows and columns are not cut in the same way.
    numpy.linalg.LinAlgError
        On computing, if the matrix is singular.
    """
    from samite.array.creation import eye

    a = square_blocks(a, "inv")
    return solve(a, eye(a.shape[0], chunks=a.chunks, dtype=_factor_meta(a).dtype))


# -- Cholesky ----------------------------------------------------------------------------


def cholesky(a: Any, lower: bool = False) -> Array:
    """The Cholesky decomposition of a Hermitian, positive definite matrix.

    Parameters
    ----------
    a:
        The matrix, with rows and columns cut in the same way. Only one triangle of it is used.
    lower:
        Whether the result is the lower triangular ``l`` with ``a = l @ l.conj().T``, and the lower
        triangle of ``a`` is used; otherwise the upper one, of ``a = u.conj().T @ u``.

    Raises
    ------
    ValueError
        If ``a`` is not square, or its rows and columns are not cut in the same way.
    numpy.linalg.LinAlgError
        On computing, if the matrix is not positive definite.
    """
    a = square_blocks(a, "cholesky")
    token = tokenize(a, "cholesky", lower)
    name = f"cholesky-{token}"
    steps: dict[Any, Any] = {}

    def add(key: tuple[Any, ...], func: Any, *keys: Any) -> Any:
        key = (f"cholesky-steps-{token}", *key)
        steps[key] = Task(key, func, *map(TaskRef, keys))
        return key

    sizes: Sequence[int] = a.chunks[0]
    count = len(sizes)
    now: dict[tuple[int, int], Any] = {}
    for i in range(count):
        for j in range(i + 1):
            now[i, j] = (a.name, i, j) if lower else add(("source", i, j), _adjoint, (a.name, j, i))
    factor: dict[tuple[int, int], Any] = {}
    for k in range(count):
        factor[k, k] = add(("diagonal", k), _cholesky_block, now[k, k])
        for i in range(k + 1, count):
            factor[i, k] = add(("below", i, k), _block_below, factor[k, k], now[i, k])
            for j in range(k + 1, i + 1):
                now[i, j] = add(
                    ("left", k, i, j), _less_adjoint, now[i, j], factor[i, k], factor[j, k]
                )
    dtype = np.linalg.cholesky(np.ones((1, 1), dtype=a.dtype)).dtype
    meta = meta_from_array(a, dtype=dtype)
    layer: dict[Any, Any] = dict(steps)
    for i in range(count):
        for j in range(count):
            key = (name, i, j)
            if (i >= j) if lower else (i <= j):
                layer[key] = (
                    Alias(key, factor[i, j])
                    if lower
                    else Task(key, _adjoint, TaskRef(factor[j, i]))
                )
            else:
                layer[key] = Task(key, zeros_like_block, meta, (sizes[i], sizes[j]), dtype)
    return make_array(name, layer, a.chunks, meta, [a])


def cholesky_like_numpy(a: Any, /, *, upper: bool = False) -> Array:
    """The Cholesky decomposition as :func:`numpy.linalg.cholesky` has it.

    That gives the lower triangle, where :func:`cholesky` gives the upper one as SciPy does.
    """
    return cholesky(a, lower=not upper)


def _adjoint(block: Any) -> Any:
    return block.conj().T


def _cholesky_block(block: Any) -> Any:
    return kernels.cholesky(block, lower=True)


def _block_below(diagonal: Any, block: Any) -> Any:
    return kernels.solve_triangular(diagonal, block.conj().T, lower=True).conj().T


def _less_adjoint(block: Any, left: Any, right: Any) -> Any:
    return block - kernels.matmul(left, right.conj().T)
