"""Averages with weights, and how variables vary together."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from samite.array.chunks import is_unknown
from samite.array.concatenation import concatenate
from samite.array.core import Array
from samite.array.storage import asanyarray
from samite.array.utils import normalize_axes

__all__ = ["average", "corrcoef", "cov"]


def average(
    a: Any,
    axis: Any = None,
    weights: Any = None,
    returned: bool = False,
    keepdims: bool = False,
) -> Any:
    """The mean along axes, with weights if they are given.

    Parameters
    ----------
    weights:
        In the shape of ``a``, or of its lengths along ``axis``.
    returned:
        Give also the sum of the weights.

    Raises
    ------
    TypeError
        If the weights have another shape and no axis is given.
    ValueError
        If the weights do not fit the axis.
    """
    from samite.array.broadcasting import broadcast_to

    a = asanyarray(a)
    if weights is None:
        result = a.mean(axis=axis, keepdims=keepdims)
        number = a.size / result.size if result.size else np.nan
        total = asanyarray(np.asarray(number, dtype=result.dtype))
    else:
        weights = asanyarray(weights)
        kinds = [a.dtype, weights.dtype] + (["f8"] if a.dtype.kind in "iub" else [])
        dtype = np.result_type(*kinds)
        weights = _fitting(a, weights, axis)
        total = weights.sum(axis=axis, dtype=dtype, keepdims=keepdims)
        result = (a * weights).sum(axis=axis, dtype=dtype, keepdims=keepdims) / total
    if not returned:
        return result
    if total.shape != result.shape:
        total = broadcast_to(total, result.shape)
    return result, total


def _fitting(a: Array, weights: Array, axis: Any) -> Array:
    from samite.array.broadcasting import broadcast_to

    if weights.shape == a.shape:
        return weights
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = normalize_axes(axis, a.ndim)
    if weights.ndim != len(given):
        raise TypeError(f"{len(given)}D weights expected when shapes of a and weights differ.")
    in_order = [n % a.ndim for n in given]
    if weights.shape != tuple(a.shape[n] for n in in_order):
        raise ValueError(
            "Shape of weights must be consistent with shape of a along specified axis: "
            f"{weights.shape} for axis {axis} of {a.shape}"
        )
    weights = weights.transpose(tuple(np.argsort(in_order).tolist()))
    index = tuple(slice(None) if n in axes else None for n in range(a.ndim))
    return broadcast_to(weights[index], a.shape)


def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Array:
    """The covariances of variables.

    Parameters
    ----------
    m:
        Observations of variables; by default a row for each variable.
    y:
        More variables.
    rowvar:
        False if there is a column for each variable.
    bias, ddof:
        What is subtracted from the number of observations; by default 1, or 0 with ``bias``.
    fweights:
        How often each observation counts; integers.
    aweights:
        The weight of each observation.

    Raises
    ------
    ValueError
        If ``ddof`` is not an integer, a weight is negative, there are too many dimensions, or the
        number of observations is not known.
    RuntimeError
        If weights do not have one dimension with an element for each observation.
    TypeError
        If ``fweights`` are not integers.
    """
    from samite.array.elementwise import where
    from samite.array.products import dot

    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    m = asanyarray(m)
    if m.ndim > 2:
        raise ValueError("m has more than 2 dimensions")
    if dtype is None:
        dtype = np.result_type(m.dtype, np.float64)
    x = _variables(m, rowvar, dtype, m.ndim != 1)
    if y is not None:
        y = asanyarray(y)
        if y.ndim > 2:
            raise ValueError("y has more than 2 dimensions")
        dtype = np.result_type(dtype, y.dtype)
        x = concatenate([x.astype(dtype), _variables(y, rowvar, dtype, y.ndim != 1)], axis=0)
    if is_unknown(x.shape[1]):
        raise ValueError(
            "cov: the number of observations is not known; x.compute_chunk_sizes() finds it"
        )
    if ddof is None:
        ddof = 0 if bias else 1
    weights = _observation_weights(x, fweights, aweights)
    if weights is None:
        observations = x.shape[1]
        factor: Any = observations - ddof
        if factor <= 0:
            warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=2)
            factor = 0.0
        mean = x.mean(axis=1, keepdims=True)
        right = apart = x - mean
    else:
        total = weights.sum()
        mean = (x * weights).sum(axis=1, keepdims=True) / total
        apart = x - mean
        right = apart * weights
        if not ddof:
            factor = total
        elif aweights is None:
            factor = total - ddof
        else:
            factor = total - ddof * (weights * asanyarray(aweights)).sum() / total
        factor = where(factor <= 0, 0.0, factor)
    return (dot(apart, right.T.conj()) / factor).squeeze()


def _variables(x: Array, rowvar: bool, dtype: Any, transposable: bool) -> Array:
    x = x.astype(dtype)
    if x.ndim < 2:
        x = x[(None,) * (2 - x.ndim)]
    return x if rowvar or not transposable else x.T


def _observation_weights(x: Array, fweights: Any, aweights: Any) -> Array | None:
    weights = None
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        values = asanyarray(given)
        if name == "fweights" and values.dtype.kind not in "iub":
            if isinstance(given, Array) or not (np.around(given) == given).all():
                raise TypeError("fweights must be integer")
        if values.ndim > 1:
            raise RuntimeError(f"cannot handle multidimensional {name}")
        if values.shape != (x.shape[1],):
            raise RuntimeError(f"incompatible numbers of samples and {name}")
        if not isinstance(given, Array) and (np.asarray(given) < 0).any():
            raise ValueError(f"{name} cannot be negative")
        values = values.astype(float)
        weights = values if weights is None else weights * values
    return weights


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Array:
    """The correlation coefficients of variables. Takes arguments of :func:`cov`."""
    from samite.array.matrices import diag

    c = cov(x, y, rowvar, dtype=dtype)
    if not c.ndim:
        return c / c
    deviation = np.sqrt(diag(c).real)
    c = c / deviation[:, None] / deviation[None, :]
    if c.dtype.kind == "c":
        return c.real.clip(-1, 1) + 1j * c.imag.clip(-1, 1)
    return c.clip(-1, 1)
