"""Functions of matrices in one chunk, and of stacks of these: the last two axes are the matrix."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from itertools import product as places_of
from typing import Any

import numpy as np

from samite._task_spec import List, Task, TaskRef
from samite.array import products
from samite.array.chunks import has_unknown
from samite.array.core import Array
from samite.array.linalg.elimination import lu_parts
from samite.array.linalg.graphs import results, square_blocks
from samite.array.linalg.singular import svd
from samite.array.products import matmul
from samite.array.storage import asanyarray
from samite.array.utils import meta_from_array
from samite.base import tokenize

__all__ = [
    "cross", "det", "eig", "eigh", "eigvals", "eigvalsh", "matrix_power", "multi_dot", "pinv",
    "slogdet",
]  # fmt: skip


def _stack(a: Any, operation: str, square: bool = True) -> Array:
    """An array whose last two axes are matrices in one chunk each.

    Raises
    ------
    ValueError
        If it is not one.
    """
    a = asanyarray(a)
    if a.ndim < 2:
        raise ValueError(
            f"{operation} takes matrices, or stacks of them, not an array of shape {a.shape}"
        )
    if square and a.shape[-1] != a.shape[-2]:
        raise ValueError(f"{operation} takes square matrices, not an array of shape {a.shape}")
    if any(len(sizes) > 1 for sizes in a.chunks[-2:]):
        raise ValueError(
            f"{operation} takes matrices in one chunk, but the last two axes have the chunks "
            f"{a.chunks[-2:]}; x.rechunk({{-2: -1, -1: -1}}) joins them"
        )
    if any(map(has_unknown, a.chunks[-2:])):
        raise ValueError(
            f"{operation} needs the lengths of the last two axes; compute_chunk_sizes() finds them"
        )
    return a


def _of_stack(
    func: Callable, a: Array, cores: Sequence[tuple[int, ...]], token: str
) -> tuple[Array, ...]:
    """The results of a function of stacks, whose last axes are as long as ``cores`` say."""
    key = tokenize(func, a)
    steps_name = f"{token}-steps-{key}"
    names = [f"{token}-{n}-{key}" for n in range(len(cores))]
    counts = a.numblocks[:-2]
    steps: dict[Any, Any] = {}
    layers: list[dict[Any, Any]] = [{} for _ in cores]
    for place in places_of(*map(range, counts)):
        step = (steps_name, *place)
        steps[step] = Task(step, func, TaskRef((a.name, *place, 0, 0)))
        for n, (name, core) in enumerate(zip(names, cores)):
            part = (name, *place, *(0 for _ in core))
            layers[n][part] = Task(part, operator.getitem, TaskRef(step), n)
    example = func(np.ones_like(a._meta, shape=(*(1,) * (a.ndim - 2), 1, 1)))
    outputs = []
    for name, layer, core, part in zip(names, layers, cores, example):
        meta = meta_from_array(part, ndim=a.ndim - 2 + len(core))
        outputs.append((name, layer, (*a.chunks[:-2], *((n,) for n in core)), meta))
    return results(steps_name, steps, outputs, [a])


def _single(func: Callable, *args: Any, **kwargs: Any) -> tuple[Any]:
    return (func(*args, **kwargs),)


def _tuple(func: Callable, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    return tuple(func(*args, **kwargs))


def eigh(a: Any, UPLO: str = "L") -> Any:
    """The eigenvalues and eigenvectors of Hermitian matrices in one chunk.

    Returns
    -------
    A named tuple of the values in ascending order, and of the vectors in columns.

    Raises
    ------
    ValueError
        If the matrices are not square, or are cut.
    """
    from numpy.linalg._linalg import EighResult  # type: ignore[import-not-found]

    a = _stack(a, "eigh")
    n = int(a.shape[-1])
    func = functools.partial(_tuple, np.linalg.eigh, UPLO=UPLO)
    return EighResult(*_of_stack(func, a, [(n,), (n, n)], "eigh"))


def eigvalsh(a: Any, UPLO: str = "L") -> Array:
    """The eigenvalues of Hermitian matrices in one chunk, in ascending order; see :func:`eigh`."""
    a = _stack(a, "eigvalsh")
    func = functools.partial(_single, np.linalg.eigvalsh, UPLO=UPLO)
    return _of_stack(func, a, [(int(a.shape[-1]),)], "eigvalsh")[0]


def eig(a: Any) -> Any:
    """The eigenvalues and eigenvectors of square matrices in one chunk.

    The results are complex, even where NumPy would find that they need not be, for the dtype has
    to be known before.

    Raises
    ------
    ValueError
        If the matrices are not square, or are cut.
    """
    from numpy.linalg._linalg import EigResult  # type: ignore[import-not-found]

    a = _stack(a, "eig")
    n = int(a.shape[-1])
    return EigResult(*_of_stack(_complex_eig, a, [(n,), (n, n)], "eig"))


def eigvals(a: Any) -> Array:
    """The eigenvalues of square matrices in one chunk; see :func:`eig`."""
    a = _stack(a, "eigvals")
    return _of_stack(_complex_eigvals, a, [(int(a.shape[-1]),)], "eigvals")[0]


def _as_complex(values: Any) -> Any:
    return values.astype(np.result_type(values.dtype, np.complex64))


def _complex_eig(a: Any) -> tuple[Any, Any]:
    values, vectors = np.linalg.eig(a)
    return _as_complex(values), _as_complex(vectors)


def _complex_eigvals(a: Any) -> tuple[Any]:
    return (_as_complex(np.linalg.eigvals(a)),)


def det(a: Any) -> Array:
    """The determinants of square matrices in one chunk, or of one with square blocks.

    Raises
    ------
    ValueError
        If the matrices are not square, or several of them are cut.
    """
    a = asanyarray(a)
    if a.ndim == 2 and a.npartitions > 1:
        sign, log = slogdet(a)
        from samite.array import ufunc

        return sign * getattr(ufunc, "exp")(log)  # noqa: B009  (made by a loop)
    a = _stack(a, "det")
    return _of_stack(functools.partial(_single, np.linalg.det), a, [()], "det")[0]


def slogdet(a: Any) -> Any:
    """The signs and the logarithms of the absolute values of determinants.

    Parameters
    ----------
    a:
        Square matrices in one chunk, or one with rows and columns cut in the same way.

    Raises
    ------
    ValueError
        If the matrices are not square, or several of them are cut.
    """
    from numpy.linalg._linalg import SlogdetResult  # type: ignore[import-not-found]

    a = asanyarray(a)
    if a.ndim == 2 and a.npartitions > 1:
        return SlogdetResult(*_slogdet_of_blocks(square_blocks(a, "slogdet")))
    a = _stack(a, "slogdet")
    func = functools.partial(_tuple, np.linalg.slogdet)
    return SlogdetResult(*_of_stack(func, a, [(), ()], "slogdet"))


def _slogdet_of_blocks(a: Array) -> tuple[Array, ...]:
    rows, diagonal = lu_parts(a, ("rows", "diagonal"))
    parts = [TaskRef((diagonal.name, k)) for k in range(diagonal.numblocks[0])]
    token = tokenize(a, "slogdet")
    steps_name = f"slogdet-steps-{token}"
    pair = (steps_name,)
    task = Task(pair, _slogdet_of_diagonal, List(*parts), TaskRef((rows.name, 0)))
    outputs: list[Any] = []
    example = np.linalg.slogdet(np.ones((1, 1), dtype=a.dtype))
    for n, value in enumerate(example):
        name = f"slogdet-{n}-{token}"
        layer = {(name,): Task((name,), operator.getitem, TaskRef(pair), n)}
        outputs.append((name, layer, (), meta_from_array(np.asarray(value), ndim=0)))
    return results(steps_name, {pair: task}, outputs, [diagonal, rows])


def _slogdet_of_diagonal(parts: list[Any], rows: Any) -> tuple[Any, Any]:
    diagonal = np.concatenate(parts)
    seen = np.zeros(len(rows), dtype=bool)
    cycles = 0
    for start in range(len(rows)):
        if seen[start]:
            continue
        cycles += 1
        at = start
        while not seen[at]:
            seen[at] = True
            at = int(rows[at])
    swaps = (len(rows) - cycles) % 2
    size = np.abs(diagonal)
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(size).sum()
        sign = np.prod(np.where(size == 0, 0, diagonal / np.where(size == 0, 1, size)))
    return (-sign if swaps else sign).astype(diagonal.dtype), log


def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Array:
    """The pseudo-inverse (Moore and Penrose) of a matrix that is cut along one axis at most, or of
    a stack of matrices in one chunk.

    Parameters
    ----------
    a:
        The matrices.
    rcond, rtol:
        Singular values up to this share of the greatest count as zero.
    hermitian:
        Whether the matrices are Hermitian. Makes no difference to the result.
    """
    if rcond is not None and rtol is not None:
        raise ValueError("`rtol` and `rcond` can't be both set.")
    a = asanyarray(a)
    limit = rcond if rcond is not None else rtol
    if a.ndim > 2:
        a = _stack(a, "pinv", square=False)
        m, n = (int(length) for length in a.shape[-2:])
        # NumPy leaves it to us to say nothing, rather than None, where there is no limit.
        options = {} if limit is None else {"rcond": limit}
        func = functools.partial(_single, np.linalg.pinv, **options)
        return _of_stack(func, a, [(n, m)], "pinv")[0]
    u, s, v = svd(a, coerce_signs=False)
    if limit is None:
        limit = 1e-15
    inverse = s.map_blocks(_inverted, limit, dtype=s.dtype)
    return (v.conj().T * inverse[None, :]).dot(u.conj().T)


def _inverted(s: Any, limit: float) -> Any:
    large = s > limit * (s.max() if s.size else 0)
    return np.divide(1, s, where=large, out=np.zeros_like(s))


def matrix_power(a: Any, n: int) -> Array:
    """A square matrix, or a stack of them, multiplied by itself ``n`` times.

    Raises
    ------
    ValueError
        If the matrices are not square.
    TypeError
        If ``n`` is no integer.
    """
    a = asanyarray(a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f"matrix_power takes square matrices, not an array of shape {a.shape}")
    n = operator.index(n)
    if n < 0:
        if a.ndim > 2:
            raise NotImplementedError("negative powers are implemented for one matrix only")
        from samite.array.linalg.elimination import inv

        a, n = inv(a), -n
    if n == 0:
        from samite.array.creation import eye, zeros_like

        one = eye(int(a.shape[-1]), chunks=a.chunks[-2:], dtype=a.dtype)
        return zeros_like(a) + one if a.ndim > 2 else one
    result = None
    while n:
        if n & 1:
            result = a if result is None else matmul(result, a)
        n >>= 1
        if n:
            a = matmul(a, a)
    assert result is not None
    return result


def multi_dot(arrays: Sequence[Any], *, out: Any = None) -> Array:
    """The product of several matrices, in the order that takes the fewest multiplications.

    The first and the last may be vectors.

    Raises
    ------
    ValueError
        If there are fewer than two, or shapes do not fit.
    """
    if out is not None:
        raise NotImplementedError("lazy arrays are not written to, so out has to be None")
    arrays = [asanyarray(a) for a in arrays]
    if len(arrays) < 2:
        raise ValueError("Expecting at least two arrays.")
    row, column = arrays[0].ndim == 1, arrays[-1].ndim == 1
    arrays[0] = arrays[0][None, :] if row else arrays[0]
    arrays[-1] = arrays[-1][:, None] if column else arrays[-1]
    if any(a.ndim != 2 for a in arrays):
        raise ValueError(f"multi_dot takes matrices, not shapes {[a.shape for a in arrays]}")
    for left, right in zip(arrays, arrays[1:]):
        if left.shape[1] != right.shape[0]:
            raise ValueError(f"multi_dot: shapes {left.shape} and {right.shape} not aligned")
    sides = [*(int(a.shape[0]) for a in arrays), int(arrays[-1].shape[1])]
    result = _product_of(arrays, _best_splits(sides), 0, len(arrays) - 1)
    if row:
        result = result[0]
    return result[..., 0] if column else result


def _best_splits(sides: list[int]) -> dict[tuple[int, int], int]:
    """Where to split each run of factors, by the first and the last of it."""
    count = len(sides) - 1
    cost = {(i, i): 0 for i in range(count)}
    splits = {}
    for length in range(2, count + 1):
        for i in range(count - length + 1):
            j = i + length - 1
            cost[i, j], splits[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sides[i] * sides[k + 1] * sides[j + 1], k)
                for k in range(i, j)
            )
    return splits


def _product_of(arrays: list[Array], splits: dict[tuple[int, int], int], i: int, j: int) -> Array:
    if i == j:
        return arrays[i]
    k = splits[i, j]
    return _product_of(arrays, splits, i, k).dot(_product_of(arrays, splits, k + 1, j))


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """The cross products of vectors of three elements along an axis.

    Raises
    ------
    ValueError
        If vectors have another length.
    """
    x1, x2 = asanyarray(x1), asanyarray(x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError(
            f"cross takes vectors of three elements, not shapes {x1.shape} and {x2.shape} with "
            f"axis {axis}"
        )
    return products.cross(x1, x2, axis=axis)
