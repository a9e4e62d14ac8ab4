"""Products of matrices and tensors.

The products of single blocks are computed with the summed indices kept as axes of length one,
and then summed along these like any other array, in a tree.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from samite.array.blockwise import blockwise
from samite.array.core import Array
from samite.array.storage import asanyarray
from samite.array.utils import normalize_axis

__all__ = ["dot", "matmul", "tensordot"]


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
        lhs.shape[i] != rhs.shape[j] for i, j in zip(left_axes, right_axes)
    ):
        raise ValueError("shape-mismatch for sum")
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
    product = np.tensordot(a, b, axes=(left_axes, right_axes))
    return np.expand_dims(product, tuple(sorted(left_axes)))


def _summed_product(
    func: Any, lhs: Any, left: Any, rhs: Any, right: Any, out: Any, axes: Any, dtype: Any
) -> Array:
    """The products of blocks, and their sum along ``axes`` of the result."""
    product = blockwise(
        func, out, lhs, left, rhs, right,
        adjust_chunks={out[axis]: lambda size: 1 for axis in axes}, dtype=dtype, token="product",
        meta=np.empty((0,) * len(out), dtype=dtype),
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
    return np.matmul(a, b)[..., :, np.newaxis, :]
