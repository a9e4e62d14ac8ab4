"""Sums of products, written with a letter for each axis."""

from __future__ import annotations

import functools
import math
import string
from typing import Any

import numpy as np

from samite.array.blockwise import blockwise, unify_chunks
from samite.array.core import Array
from samite.array.dispatch import einsum_lookup
from samite.array.storage import asanyarray

__all__ = ["einsum"]

_OPTIONS = ("order", "casting")


def einsum(
    *operands: Any,
    dtype: Any = None,
    optimize: Any = None,
    split_every: Any = None,
    **kwargs: Any,
) -> Array:
    """The sums of products that letters for axes tell, as :func:`numpy.einsum`.

    Parameters
    ----------
    *operands:
        The subscripts and the arrays, or arrays and lists of numbers for axes in turn.
    dtype:
        The dtype of the result.
    optimize:
        How NumPy orders the products of more than one block; by default it chooses.
    split_every:
        How many blocks are summed at a time.
    **kwargs:
        ``order`` and ``casting``, as for :func:`numpy.einsum`.

    Raises
    ------
    TypeError
        If another argument is given, or the elements cannot be converted to ``dtype``.
    ValueError
        If the subscripts do not fit the arrays.

    Examples
    --------
    >>> import samite.array as da
    >>> x = da.ones((4, 3), chunks=2)
    >>> da.einsum("ij,kj->ik", x, x).shape
    (4, 4)
    """
    unknown = set(kwargs) - set(_OPTIONS)
    if unknown:
        raise TypeError(f"einsum() got unexpected keyword argument(s) {sorted(unknown)}")
    inputs, output, arrays = _parsed(operands)
    if dtype is None:
        dtype = np.result_type(*(x.dtype for x in arrays))
    dtype = np.dtype(dtype)
    casting = kwargs.get("casting", "safe")
    for x in arrays:
        if not np.can_cast(x.dtype, dtype, casting):
            raise TypeError(
                f"einsum: cannot cast an array of {x.dtype} to {dtype} according to the rule "
                f"{casting!r}"
            )
    summed = sorted({letter for term in inputs for letter in term} - set(output))
    arrays = _smaller_blocks(arrays, inputs, output, summed, dtype)
    pairs: list[Any] = []
    for x, term in zip(arrays, inputs):
        pairs += [x, tuple(term)]
    if optimize is None:
        optimize = len(arrays) > 1
    subscripts = f"{','.join(inputs)}->{output}"
    result = blockwise(
        functools.partial(
            _einsum_block, subscripts, len(summed), dtype=dtype, optimize=optimize, **kwargs
        ),
        (*output, *summed), *pairs,
        adjust_chunks=dict.fromkeys(summed, 1), dtype=dtype, token="einsum",
        meta=_meta(arrays, len(output) + len(summed), dtype),
    )  # fmt: skip
    if not summed:
        return result
    axes = tuple(range(len(output), result.ndim))
    return result.sum(axis=axes, dtype=dtype, split_every=split_every)


def _meta(arrays: list[Array], ndim: int, dtype: np.dtype) -> Any:
    """The meta of a product of NumPy's arrays; that of others has to be found."""
    if all(type(x._meta) is np.ndarray for x in arrays):
        return np.empty((0,) * ndim, dtype=dtype)
    return None


def _einsum_block(subscripts: str, summed: int, *blocks: Any, **kwargs: Any) -> Any:
    leading = max(blocks, key=lambda block: getattr(block, "__array_priority__", 0))
    if type(leading) is not np.ndarray:
        # Other libraries do not have all of NumPy's arguments.
        kwargs = {"dtype": kwargs["dtype"]}
    elif kwargs["optimize"]:
        # Where NumPy orders the products, it sums what one array alone has in that array's dtype,
        # which for booleans is whether there is any, and for short integers overflows.
        blocks = tuple(np.asanyarray(block).astype(kwargs["dtype"], copy=False) for block in blocks)
    product = einsum_lookup.dispatch(type(leading))(subscripts, *blocks, **kwargs)
    if not hasattr(product, "reshape"):
        product = np.asarray(product)
    return product.reshape(product.shape + (1,) * summed)


def _parsed(operands: tuple[Any, ...]) -> tuple[list[str], str, list[Array]]:
    """The letters of the axes of each array and of the result, without dots, and the arrays."""
    if not operands:
        raise ValueError("einsum needs subscripts and at least one array")
    if isinstance(operands[0], str):
        subscripts, given = operands[0].replace(" ", ""), list(operands[1:])
    else:
        subscripts, given = _from_lists(operands)
    left, arrow, right = subscripts.partition("->")
    if set(left + right) - set(string.ascii_letters + ".,"):
        raise ValueError(f"einsum: invalid character in the subscripts {subscripts!r}")
    terms = left.split(",")
    if len(terms) != len(given):
        raise ValueError(
            f"einsum: {len(terms)} subscripts in {subscripts!r} for {len(given)} arrays"
        )
    arrays = [asanyarray(x) for x in given]
    free = [letter for letter in string.ascii_letters if letter not in subscripts]
    hidden = max((x.ndim - len(t.replace("...", "")) for x, t in zip(arrays, terms)
                  if "..." in t), default=0)  # fmt: skip
    if hidden > len(free):
        raise ValueError("einsum: too many axes for the letters that there are")
    dots = "".join(free[:hidden])
    inputs = []
    for x, term in zip(arrays, terms):
        named = term.replace("...", "")
        count = x.ndim - len(named) if "..." in term else 0
        full = term.replace("...", dots[len(dots) - count :]) if count >= 0 else term
        if "." in full or len(full) != x.ndim:
            raise ValueError(
                f"einsum: the subscripts {term!r} do not fit an array of shape {x.shape}"
            )
        inputs.append(full)
    if arrow:
        output = right.replace("...", dots if "..." in right else "")
    else:
        letters = "".join(terms).replace(".", "")
        output = dots + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    for letter in output:
        if output.count(letter) > 1 or not any(letter in term for term in inputs):
            raise ValueError(
                f"einsum: the subscript {letter!r} of the result of {subscripts!r} is there twice "
                "or in no array"
            )
    return inputs, output, arrays


def _from_lists(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    def letters(numbers: Any) -> str:
        return "".join("..." if n is Ellipsis else string.ascii_letters[n] for n in numbers)

    arrays, terms = list(operands[: len(operands) // 2 * 2 : 2]), list(operands[1::2])
    subscripts = ",".join(letters(term) for term in terms)
    if len(operands) % 2:
        subscripts += f"->{letters(operands[-1])}"
    return subscripts, arrays


def _smaller_blocks(
    arrays: list[Array], inputs: list[str], output: str, summed: list[str], dtype: np.dtype
) -> list[Array]:
    """Arrays cut so that the blocks of the result are not larger than chunks should be."""
    from samite import config
    from samite.utils import parse_bytes

    if not summed or not output or len(arrays) < 2:
        return arrays
    pairs: list[Any] = []
    for x, term in zip(arrays, inputs):
        pairs += [x, tuple(term)]
    chunks, arrays = unify_chunks(*pairs)
    longest = {letter: max(chunks[letter], default=0) for letter in chunks}
    size = math.prod(longest[letter] for letter in output)
    largest = max(math.prod(longest[letter] for letter in term) for term in inputs)
    limit = parse_bytes(config.get("array.chunk-size"))
    if not size * dtype.itemsize >= limit or size <= largest:
        return arrays
    pieces = max(2, round((size / max(1, largest)) ** (1 / len(output))))
    smaller = {
        letter: tuple(part for length in chunks[letter] for part in _cut(length, pieces))
        for letter in output
        if all(length == length for length in chunks[letter])
    }
    return [
        x.rechunk({
            n: smaller[letter]
            for n, letter in enumerate(term)
            if letter in smaller and x.shape[n] == sum(smaller[letter])
        })
        for x, term in zip(arrays, inputs)
    ]  # fmt: skip


def _cut(length: int, pieces: int) -> tuple[int, ...]:
    pieces = max(1, min(pieces, length))
    small, longer = divmod(length, pieces)
    return (small + 1,) * longer + (small,) * (pieces - longer)
