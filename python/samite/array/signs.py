"""The signs of singular vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["svd_flip"]


def svd_flip(u: Any, v: Any, u_based_decision: bool = False) -> tuple[Any, Any]:
    """Turn pairs of singular vectors into the same half-space, whatever signs they came with.

    Parameters
    ----------
    u, v:
        Left singular vectors in columns, and right ones in rows, lazy or not.
    u_based_decision:
        Whether the left ones decide, rather than the right ones.

    Returns
    -------
    The vectors, of which the deciding ones have sums that are not negative.
    """
    deciding = u.T if u_based_decision else v
    dtype = deciding.dtype.type(0).real.dtype
    total = deciding.sum(axis=1).real
    if hasattr(total, "map_blocks"):
        signs = total.map_blocks(_signs, dtype=dtype)
    else:
        signs = _signs(total)
    signs = signs.astype(dtype)
    return (u * signs[None, :]).astype(u.dtype), (v * signs[:, None]).astype(v.dtype)


def _signs(values: Any) -> Any:
    return np.where(values < 0, -1, 1).astype(values.dtype)
