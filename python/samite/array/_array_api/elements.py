"""Functions of one element at a time, under the names of the standard."""

from __future__ import annotations

from typing import Any

from samite.array import elementwise, ufunc
from samite.array.core import Array

# The names of the standard, and those of NumPy where they differ.
_NAMES = {
    "abs": "abs", "acos": "arccos", "acosh": "arccosh", "add": "add", "asin": "arcsin",
    "asinh": "arcsinh", "atan": "arctan", "atan2": "arctan2", "atanh": "arctanh",
    "bitwise_and": "bitwise_and", "bitwise_invert": "invert", "bitwise_left_shift": "left_shift",
    "bitwise_or": "bitwise_or", "bitwise_right_shift": "right_shift", "bitwise_xor": "bitwise_xor",
    "ceil": "ceil", "conj": "conj", "copysign": "copysign", "cos": "cos", "cosh": "cosh",
    "divide": "divide", "equal": "equal", "exp": "exp", "expm1": "expm1", "floor": "floor",
    "floor_divide": "floor_divide", "greater": "greater", "greater_equal": "greater_equal",
    "hypot": "hypot", "imag": "imag", "isfinite": "isfinite", "isinf": "isinf", "isnan": "isnan",
    "less": "less", "less_equal": "less_equal", "log": "log", "log10": "log10", "log1p": "log1p",
    "log2": "log2", "logaddexp": "logaddexp", "logical_and": "logical_and",
    "logical_not": "logical_not", "logical_or": "logical_or", "logical_xor": "logical_xor",
    "maximum": "maximum", "minimum": "minimum", "multiply": "multiply", "negative": "negative",
    "nextafter": "nextafter", "not_equal": "not_equal", "positive": "positive", "pow": "power",
    "real": "real", "reciprocal": "reciprocal", "remainder": "remainder", "sign": "sign",
    "signbit": "signbit", "sin": "sin", "sinh": "sinh", "sqrt": "sqrt", "square": "square",
    "subtract": "subtract", "tan": "tan", "tanh": "tanh", "trunc": "trunc",
}  # fmt: skip

__all__ = [*_NAMES, "clip", "round", "where"]

globals().update({name: getattr(ufunc, ours) for name, ours in _NAMES.items()})


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:
    """The elements, kept between two bounds, of which each can be None."""
    if min is None and max is None:
        return x
    # The standard has the dtype of the elements, whatever that of the bounds is.
    return elementwise.clip(x, min, max).astype(x.dtype)


def round(x: Array, /) -> Array:
    """The elements rounded to whole numbers; halves to the even one."""
    return elementwise.round(x)


def where(condition: Array, x1: Any, x2: Any, /) -> Array:
    """The elements of ``x1`` where a condition holds, and those of ``x2`` elsewhere."""
    return elementwise.where(condition, x1, x2)
