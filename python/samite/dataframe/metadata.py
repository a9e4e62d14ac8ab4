"""Metadata: empty pandas objects that say what a result will be.

The metadata of a frame has its columns, dtypes and index, and no rows; that of a scalar is a
scalar of the same type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from samite.dataframe.dispatch import make_meta_dispatch, make_meta_obj, meta_nonempty

__all__ = ["emulate", "make_meta", "meta_nonempty", "no_default", "raise_on_meta_error"]


class _NoDefault:
    """The type of :data:`no_default`."""

    def __repr__(self) -> str:
        return "no_default"

    def __reduce__(self) -> str:
        return "no_default"

    def __dask_tokenize__(self) -> str:
        return "samite.dataframe.no_default"


# Stands for an argument that was not given, where None has a meaning of its own.
no_default = _NoDefault()


def make_meta(x: Any, index: Any = None, parent_meta: Any = None) -> Any:
    """Metadata from a description.

    Parameters
    ----------
    x:
        A pandas object (its rows are left out), a collection, a dtype, a scalar, a mapping of
        column labels to dtypes, an iterable of pairs ``(label, dtype)``, or one such pair for a
        series.
    index:
        A pandas index for descriptions that have none.
    parent_meta:
        An object of the library that is to make the metadata; pandas if there is none.

    Raises
    ------
    TypeError
        Nothing can be made of ``x``.
    """
    if hasattr(type(x), "_meta") or hasattr(type(x), "__dask_graph__"):
        meta = getattr(x, "_meta", None)
        if meta is not None:
            return meta
    try:
        make = make_meta_dispatch.dispatch(type(x))
    except TypeError:
        make = make_meta_obj.dispatch(_library_of(parent_meta))
    return make(x, index=index)


def _library_of(parent: Any) -> type:
    import pandas as pd

    kind = type(getattr(parent, "_meta", parent))
    try:
        make_meta_obj.dispatch(kind)
    except TypeError:
        return pd.DataFrame
    return kind


@contextmanager
def raise_on_meta_error(funcname: str | None = None, udf: bool = False) -> Any:
    """Say, in errors that are raised inside, that it was metadata that could not be found.

    Parameters
    ----------
    funcname:
        What was being called.
    udf:
        Whether it is a user's function, which may need ``meta=``.
    """
    try:
        yield
    except Exception as error:
        import sys
        import traceback

        _, _, trace = sys.exc_info()
        lines = "".join(traceback.format_tb(trace))
        where = f" in `{funcname}`" if funcname else ""
        advice = (
            "The function was called on a small made-up example to find out what it returns. "
            "Where it cannot work on that, give the result's description as `meta=`.\n\n"
            if udf
            else ""
        )
        message = (
            f"Metadata inference failed{where}.\n\n{advice}"
            f"Original error is below:\n{'-' * 24}\n{error!r}\n\nTraceback:\n{'-' * 9}\n{lines}"
        )
        raise ValueError(message) from error


def emulate(func: Callable[..., Any], *args: Any, udf: bool = False, **kwargs: Any) -> Any:
    """What ``func`` gives for made-up rows in place of collections and expressions.

    Raises
    ------
    ValueError
        ``func`` raised; the message holds the original error.
    """
    from samite.utils import funcname

    with raise_on_meta_error(funcname(func), udf=udf):
        return func(
            *[_made_up(argument) for argument in args],
            **{name: _made_up(argument) for name, argument in kwargs.items()},
        )


def _made_up(argument: Any) -> Any:
    from samite._expr import Expr

    if isinstance(argument, Expr) or hasattr(argument, "_meta"):
        return meta_nonempty(argument._meta)
    if isinstance(argument, Mapping):
        return {key: _made_up(value) for key, value in argument.items()}
    if type(argument) in (list, tuple) and _holds_meta(argument):
        return type(argument)(map(_made_up, argument))
    return argument


def _holds_meta(values: Iterable[Any]) -> bool:
    return any(hasattr(value, "_meta") for value in values)
