"""Powers as expressions of the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from samite import _engine


def power(
    operands: list[Any], kinds: list[Any], loop_of: Callable, dtype: Any, operator: bool
) -> tuple[str | None, list[Any], list[Any]]:
    """The function that raises to a power, its operands and their kinds.

    NumPy has functions of their own for some numbers as the exponent. They differ from the general
    one for infinities, and are faster. Where integers are raised to an array, some may have to be
    refused, which is done where the elements are: the name is then None.

    Parameters
    ----------
    operands, kinds:
        The base and the exponent: expressions or numbers, and what rules of promotion know of them.
    loop_of:
        Finds the dtypes that a function takes and gives.
    dtype:
        That of the result, if it was asked for.
    operator:
        Whether it is ``**``, which looks at Python's numbers before it knows of dtypes.
    """
    base, exponent = operands
    number = not isinstance(exponent, _engine.ArrayExpr)
    integral = all(kind is int or getattr(kind, "kind", "f") in "iub" for kind in kinds)
    if integral and (not number or exponent < 0):
        return None, operands, kinds
    loop = loop_of("power", tuple(kinds), dtype) if number else None
    if loop is None:
        return "power", operands, kinds
    taken = np.dtype(loop[0][0])
    # A dtype equals the Python type that it stands for, but is not the same.
    whole, real = kinds[1] is int, kinds[1] is float
    plain = operator and (whole or real)
    own: dict[Any, str] = {}
    if taken.kind in "fc":
        own[2] = "square"
    if taken.kind == "f":
        own[-1] = "reciprocal"
        if taken.itemsize > 2 or plain:
            own[0.5] = "sqrt"
    elif taken.kind == "c" and plain:
        own[0.5] = "sqrt"
        if whole:
            own[-1] = "reciprocal"
    name = own.get(exponent.item() if isinstance(exponent, (np.generic, np.ndarray)) else exponent)
    if name is not None and loop_of(name, (taken,), dtype) is not None:
        return name, [base], [taken]
    return "power", operands, kinds
