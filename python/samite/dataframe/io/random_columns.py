"""Columns of random values."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

NAMES = (
    "Alice Bob Charlie Dan Edith Frank George Hannah Ingrid Jerry Kevin Laura Michael Norbert "
    "Oliver Patricia Quinn Ray Sarah Tim Ursula Victor Wendy Xavier Yvonne Zelda"
).split()

# What distributions of numpy.random.RandomState get where nothing is given.
_DEFAULTS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "poisson": ((), {"lam": 1000}),
    "normal": ((), {"scale": 1000}),
    "uniform": ((), {"high": 1000}),
    "binomial": ((1000, 0.5), {}),
    "randint": ((0,), {"high": 1000}),
}


def floats(count: int, state: Any, random: bool = False) -> Any:
    """Floats between -1 and 1; between 0 and 1 with ``random``."""
    values = state.random_sample(count)
    return values if random else values * 2 - 1


def integers(
    count: int,
    state: Any,
    random: bool = False,
    method: str | Callable[..., Any] = "poisson",
    args: tuple[Any, ...] = (),
    dtype: Any = int,
    **kwargs: Any,
) -> Any:
    """Integers of a distribution, a method of ``RandomState`` or a function; with ``random``
    uniform ones between ``low`` and ``high``."""
    if random:
        method = "randint"
        if "high" in kwargs:
            args = (kwargs.pop("low", 0) or 0,)
        elif "low" in kwargs:
            args, kwargs["high"] = (kwargs.pop("low"),), 1000
    if isinstance(method, str):
        default_args, default_kwargs = _DEFAULTS.get(method, ((), {}))
        if not args and not kwargs:
            args, kwargs = default_args, dict(default_kwargs)
        method = getattr(state, method)
    return np.asarray(method(*args, size=count, **kwargs)).astype(dtype)


def texts(
    count: int,
    state: Any,
    choices: list[str] | None = None,
    random: bool = False,
    length: int | None = None,
) -> Any:
    """Names, or elements of ``choices``; with ``random`` printable characters."""
    if random:
        letters = np.array(list(string.ascii_letters + string.digits + string.punctuation + " "))
        drawn = state.choice(letters, size=(count, length or 25))
        return np.array(["".join(row) for row in drawn], dtype=object)
    return state.choice(np.array(choices or NAMES, dtype=object), size=count)


def categories(
    count: int, state: Any, choices: list[Any] | None = None, nunique: int | None = None
) -> Any:
    """Categories of ``choices``, or ``nunique`` numbers as text; names by default."""
    if nunique is not None:
        width = len(str(nunique))
        choices = [str(number).zfill(width) for number in range(1, nunique + 1)]
    chosen = choices or NAMES
    return pd.Categorical.from_codes(state.randint(0, len(chosen), size=count), list(chosen))


def maker(dtype: Any) -> Callable[..., Any]:
    """The function that makes values of a dtype.

    Raises
    ------
    TypeError
        There is none for it.
    """
    if dtype is str or dtype is object:
        return texts
    if isinstance(dtype, str) and dtype.startswith(("str", "object")):
        return texts
    if dtype == "category" or isinstance(dtype, pd.CategoricalDtype):
        return categories
    try:
        kind = np.dtype(dtype).kind
    except TypeError:
        kind = ""
    if kind == "f":
        return floats
    if kind in "iu":
        return integers
    raise TypeError(
        f"No random values of {dtype!r} can be made; use float, int, str or 'category', or NumPy's "
        "names of these"
    )


def converted(values: Any, dtype: Any) -> Any:
    """Values as the dtype that was asked for."""
    if dtype in (str, object) or dtype == "category" or dtype in (float, int):
        return values
    return pd.Series(values).astype(dtype).array
