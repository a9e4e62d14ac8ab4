"""Choosing among elements, and permuting them."""

from __future__ import annotations

from typing import Any

import numpy as np

from samite.array.chunks import normalize_chunks
from samite.array.core import Array
from samite.array.random.blocks import draw, shape_from_size
from samite.array.random.seeds import Seeds
from samite.array.storage import asanyarray

__all__ = ["choice", "permutation"]


def choice(
    seeds: Seeds,
    a: Any,
    size: Any,
    replace: bool,
    p: Any,
    chunks: Any,
    options: dict[str, Any],
) -> Array:
    """Draw from the elements of ``a``, or from the integers below it.

    Raises
    ------
    ValueError
        If there is nothing to draw from, or ``a`` and ``p`` are not vectors of one length, or
        the probabilities do not add up to one.
    NotImplementedError
        If elements are drawn without putting them back into more than one chunk.
    """
    if isinstance(a, (int, np.integer)):
        count: Any = int(a)
        if count < 0 or (count == 0 and size is not None and np.prod(size)):
            raise ValueError("a must be greater than 0 unless no samples are taken")
    else:
        a = a if isinstance(a, Array) else np.asarray(a)
        if a.ndim != 1:
            raise ValueError(f"a must be one dimensional, not of shape {a.shape}")
        count = a.shape[0]
    if p is not None:
        p = p if isinstance(p, Array) else np.asarray(p)
        if p.ndim != 1:
            raise ValueError(f"p must be one dimensional, not of shape {p.shape}")
        if p.shape[0] != count:
            raise ValueError(f"a and p must have the same size, not {count} and {p.shape[0]}")
        if not isinstance(p, Array):
            if not np.allclose(p.sum(), 1, rtol=1e-7, atol=0):
                raise ValueError("probabilities do not sum to 1")
            if (p < 0).any():
                raise ValueError("probabilities are not non-negative")
    shape = shape_from_size(size, {}) if size is not None else ()
    dtype = getattr(a, "dtype", np.dtype(np.int_))
    cut = normalize_chunks(chunks, shape, dtype=dtype if not dtype.hasobject else np.intp)
    if not replace:
        if any(len(sizes) > 1 for sizes in cut):
            raise NotImplementedError(
                "replace=False is not implemented for several chunks, for each would have to know "
                f"what the others draw; chunks=-1 makes one of the {len(cut)} axes' chunks"
            )
        if count == count and np.prod(shape, dtype=int) > count:
            raise ValueError("Cannot take a larger sample than population when replace is False")
    return draw(
        "choose", {"a": a, "p": p}, shape, cut, dtype, _Choosing(seeds, replace, options),
        whole=("a", "p"), prefix="choice", meta=np.empty(0, dtype=dtype),
    )  # fmt: skip


class _Choosing(Seeds):
    """A seed state whose generators have one method, which gives arrays of the right dtype."""

    __slots__ = ("options", "replace", "seeds")

    def __init__(self, seeds: Seeds, replace: bool, options: dict[str, Any]) -> None:
        self.entropy = seeds.entropy
        self.spawn_key = seeds.spawn_key
        self.seeds = seeds
        self.replace = replace
        self.options = options

    def generator(self, number: int) -> Any:
        return _Chooser(self.seeds.generator(number), self.replace, self.options)


class _Chooser:
    def __init__(self, generator: Any, replace: bool, options: dict[str, Any]) -> None:
        self.generator = generator
        self.replace = replace
        self.options = options

    def choose(self, a: Any, p: Any, size: tuple[int, ...]) -> Any:
        count = a if np.ndim(a) == 0 else len(a)
        if count == 0 or 0 in size:
            return np.empty(size, dtype=getattr(a, "dtype", np.int_))
        picked = self.generator.choice(
            int(count), size=size, replace=self.replace, p=p, **self.options
        )
        return np.asarray(picked) if np.ndim(a) == 0 else np.asarray(a[picked], dtype=a.dtype)


def permutation(generator: Any, x: Any) -> Array:
    """The elements along the first axis in another order.

    Parameters
    ----------
    generator:
        A generator of NumPy's, which says the order.
    x:
        An array, or the number of integers to permute.

    Raises
    ------
    ValueError
        If the array has no axes, or its length is not known.
    """
    if isinstance(x, (int, np.integer)):
        from samite.array.creation import arange

        x = arange(int(x), chunks="auto")
    x = asanyarray(x)
    if not x.ndim:
        raise ValueError("permutation needs a number or an array with axes")
    if x.shape[0] != x.shape[0]:
        raise ValueError(
            "permutation needs to know the length of the first axis; compute_chunk_sizes() finds it"
        )
    order = generator.permutation(int(x.shape[0]))
    return x[order]
