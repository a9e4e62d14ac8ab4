"""Products of matrices and tensors.

The products of single blocks are computed with the summed indices kept as axes of length one,
and then summed along these like any other array, in a tree.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from samite.array import kernels, native
from samite.array.blockwise import blockwise
from samite.array.chunks import is_unknown
from samite.array.core import Array
from samite.array.dispatch import tensordot_lookup
from samite.array.storage import asanyarray
from samite.array.utils import compute_meta, meta_from_array, normalize_axis

__all__ = [
    "cross", "dot", "dotmany", "inner", "kron", "matmul", "matvec", "outer", "tensordot", "vdot",
    "vecdot", "vecmat",
]  # fmt: skip


def tensordot(lhs: Any, rhs: Any, axes: Any = 2) -> Array:
    """The sum of products along axes of two arrays, as :func:`numpy.tensordot` has it.

    Raises
    ------
    ValueError
        If lengths along the summed axes differ.
    """
    lhs, rhs = asanyarray(lhs), asanyarray(rhs)
    if isinstance(axes, (int, np.integer)):
        left_axes = tuple(range(lhs.ndim - axes, lhs.ndim))
        right_axes = tuple(range(axes))
    else:
        left_axes, right_axes = (
            tuple(part) if isinstance(part, (tuple, list)) else (part,) for part in axes
        )
    left_axes = tuple(normalize_axis(axis, lhs.ndim) for axis in left_axes)
    right_axes = tuple(normalize_axis(axis, rhs.ndim) for axis in right_axes)
    if len(left_axes) != len(right_axes) or any(
        lhs.shape[i] != rhs.shape[j]
        for i, j in zip(left_axes, right_axes)
        # Lengths that are not known are believed to fit.
        if not is_unknown(lhs.shape[i]) and not is_unknown(rhs.shape[j])
    ):
        raise ValueError("shape-mismatch for sum")
    if (lhs.ndim, rhs.ndim, left_axes, right_axes) == (2, 2, (1,), (0,)):
        result = native.matmul(lhs, rhs)
        if result is not None:
            return result
    left = [("left", n) for n in range(lhs.ndim)]
    right = [("right", n) for n in range(rhs.ndim)]
    for i, j in zip(left_axes, right_axes):
        right[j] = left[i]
    summed = [left[i] for i in left_axes]
    out = [*left, *(index for index in right if index not in summed)]
    return _summed_product(
        functools.partial(_tensordot_blocks, left_axes=left_axes, right_axes=right_axes),
        lhs, left, rhs, right, out, left_axes, np.result_type(lhs.dtype, rhs.dtype),
    )  # fmt: skip


def _tensordot_blocks(a: Any, b: Any, left_axes: tuple, right_axes: tuple) -> Any:
    leading = max(a, b, key=lambda block: getattr(block, "__array_priority__", 0))
    multiply = tensordot_lookup.dispatch(type(leading))
    product = multiply(a, b, axes=(left_axes, right_axes))
    return np.expand_dims(product, tuple(sorted(left_axes)))


def _summed_product(
    func: Any, lhs: Any, left: Any, rhs: Any, right: Any, out: Any, axes: Any, dtype: Any
) -> Array:
    """The products of blocks, and their sum along ``axes`` of the result."""
    product = blockwise(
        func, out, lhs, left, rhs, right,
        adjust_chunks={out[axis]: lambda size: 1 for axis in axes}, dtype=dtype, token="product",
        meta=meta_from_array(compute_meta(func, dtype, lhs, rhs), ndim=len(out), dtype=dtype),
    )  # fmt: skip
    return product.sum(axis=tuple(axes), dtype=dtype) if axes else product


def dot(a: Any, b: Any) -> Array:
    """The product of matrices, as :func:`numpy.dot` has it."""
    a, b = asanyarray(a), asanyarray(b)
    if not a.ndim or not b.ndim:
        return a * b
    return tensordot(a, b, axes=((a.ndim - 1,), (max(b.ndim - 2, 0),)))


def matmul(a: Any, b: Any, **kwargs: Any) -> Array:
    """The product of matrices, or of stacks of them, as :func:`numpy.matmul` has it.

    Raises
    ------
    ValueError
        If an argument has no axes, or the shapes do not fit.
    """
    if kwargs:
        raise TypeError(f"matmul does not take {sorted(kwargs)} with lazy arrays")
    a, b = asanyarray(a), asanyarray(b)
    if not a.ndim or not b.ndim:
        raise ValueError("`matmul` does not support scalars.")
    row, column = a.ndim == 1, b.ndim == 1
    a = a[None, :] if row else a
    b = b[:, None] if column else b
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(
            f"matmul: the last axis of {a.shape} does not fit the second last of {b.shape}"
        )
    result = native.matmul(a, b)
    if result is not None:
        if row:
            result = result[0]
        return result[..., 0] if column else result
    ndim = max(a.ndim, b.ndim)
    stacks = [("stack", n) for n in range(ndim - 2)]
    left = [*stacks[ndim - a.ndim :], "row", "sum"]
    right = [*stacks[ndim - b.ndim :], "sum", "column"]
    out = [*stacks, "row", "sum", "column"]
    result = _summed_product(
        _matmul_blocks, a, left, b, right, out, (ndim - 1,), np.result_type(a.dtype, b.dtype)
    )
    if row:
        result = result[..., 0, :]
    return result[..., 0] if column else result


def _matmul_blocks(a: Any, b: Any) -> Any:
    return kernels.matmul(a, b)[..., :, np.newaxis, :]


def dotmany(
    A: Any, B: Any, leftfunc: Any = None, rightfunc: Any = None, **kwargs: Any
) -> Any:  # fmt: skip
    """The sum of the products of pairs of matrices, changed by functions first."""
    left = A if leftfunc is None else map(functools.partial(leftfunc, **kwargs), A)
    right = B if rightfunc is None else map(functools.partial(rightfunc, **kwargs), B)
    return sum(a.dot(b) for a, b in zip(left, right))


def conjugated(x: Array) -> Array:
    """The complex conjugate; the array itself where that is the same."""
    return x.conj() if x.dtype.kind in "cO" else x


def vdot(a: Any, b: Any) -> Array:
    """The sum of the products of all elements, those of the first array conjugated."""
    return dot(conjugated(asanyarray(a)).ravel(), asanyarray(b).ravel())


def inner(a: Any, b: Any) -> Array:
    """The sums of products along the last axes of both arrays.

    Raises
    ------
    ValueError
        If their lengths differ.
    """
    a, b = asanyarray(a), asanyarray(b)
    if not a.ndim or not b.ndim:
        return a * b
    return tensordot(a, b, axes=(-1, -1))


def outer(a: Any, b: Any) -> Array:
    """The products of all pairs of elements of two arrays, taken as flat."""
    return asanyarray(a).ravel()[:, None] * asanyarray(b).ravel()[None, :]


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """The sums of products along an axis, the first array conjugated."""
    x1, x2 = asanyarray(x1), asanyarray(x2)
    for x in (x1, x2):
        normalize_axis(axis, x.ndim)
    if axis != -1:
        from samite.array.shaping import moveaxis

        x1, x2 = moveaxis(x1, axis, -1), moveaxis(x2, axis, -1)
    if x1.shape[-1] != x2.shape[-1]:
        raise ValueError(f"vecdot: the vectors of {x1.shape} and {x2.shape} differ in length")
    dtype = np.result_type(x1.dtype, x2.dtype)
    return (conjugated(x1) * x2).sum(axis=-1, dtype=dtype)


def matvec(x1: Any, x2: Any, /) -> Array:
    """The products of matrices, in the last two axes, and vectors, in the last one."""
    return matmul(x1, asanyarray(x2)[..., None])[..., 0]


def vecmat(x1: Any, x2: Any, /) -> Array:
    """The products of vectors, conjugated, and matrices."""
    return matmul(conjugated(asanyarray(x1))[..., None, :], x2)[..., 0, :]


def kron(a: Any, b: Any) -> Array:
    """The Kronecker product: each element of one array times all of the other.

    All of the second array is held in memory at once.
    """
    a, b = asanyarray(a), asanyarray(b)
    ndim = max(a.ndim, b.ndim)
    a = a[(None,) * (ndim - a.ndim)] if a.ndim < ndim else a
    b = b[(None,) * (ndim - b.ndim)] if b.ndim < ndim else b
    dtype = np.result_type(a.dtype, b.dtype)
    index = tuple(range(ndim))
    inner_index = tuple(("second", n) for n in index)
    if not ndim:
        return a * b
    return blockwise(
        _kron_block, index, a, index, b.rechunk(-1), inner_index, concatenate=True,
        adjust_chunks={n: functools.partial(_times, b.shape[n]) for n in index}, dtype=dtype,
        meta=np.empty((0,) * ndim, dtype=dtype), token="kron",
    )  # fmt: skip


def _times(number: int, size: int) -> int:
    return size * number


def _kron_block(a: Any, b: Any) -> Any:
    if not a.size or not b.size:
        shape = tuple(m * n for m, n in zip(a.shape, b.shape))
        return np.empty(shape, dtype=np.result_type(a, b))
    return np.kron(a, b)


def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Array:
    """The cross products of vectors of two or three elements.

    Parameters
    ----------
    axisa, axisb, axisc:
        The axes of the vectors in both arrays and in the result.
    axis:
        The same for all three.

    Raises
    ------
    ValueError
        If vectors have another length.
    """
    from samite.array.concatenation import stack
    from samite.array.shaping import moveaxis

    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = asanyarray(a), asanyarray(b)
    if not a.ndim or not b.ndim:
        raise ValueError("At least one array has zero dimension")
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ValueError(
            f"incompatible dimensions for cross product (dimension must be 2 or 3): {a.shape[-1]} "
            f"and {b.shape[-1]}"
        )
    a0, a1 = a[..., 0], a[..., 1]
    b0, b1 = b[..., 0], b[..., 1]
    last = a0 * b1 - a1 * b0
    if a.shape[-1] == b.shape[-1] == 2:
        return last
    if a.shape[-1] == 2:
        b2 = b[..., 2]
        parts = [a1 * b2, -(a0 * b2), last]
    elif b.shape[-1] == 2:
        a2 = a[..., 2]
        parts = [-(a2 * b1), a2 * b0, last]
    else:
        a2, b2 = a[..., 2], b[..., 2]
        parts = [a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, last]
    return moveaxis(stack(parts, axis=-1), -1, axisc)
