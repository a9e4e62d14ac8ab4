"""Frames whose partitions a function makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from samite.dataframe.collections import new_collection
from samite.dataframe.expressions.mapped_sources import FromMap
from samite.dataframe.metadata import emulate, make_meta, no_default
from samite.dataframe.strings import with_arrow_strings


def from_map(
    func: Callable[..., Any],
    *iterables: Iterable[Any],
    args: Any = None,
    meta: Any = no_default,
    divisions: Any = None,
    label: str | None = None,
    enforce_metadata: bool = False,
    **kwargs: Any,
) -> Any:
    """A collection with a partition for each element of an iterable.

    Parameters
    ----------
    func:
        Makes a partition: called with one element of each of ``iterables``, ``args`` and
        ``kwargs``. If it takes ``columns``, or has a method ``project_columns``, no others are
        made than what is read later.
    iterables:
        Of equal lengths.
    meta:
        What ``func`` returns, as :func:`make_meta` takes it. By default ``func`` is called with
        the first elements to find out.
    divisions:
        The divisions, if they are known.
    label:
        What the name begins with; by default the name of ``func``.
    enforce_metadata:
        Whether to check and put right the columns of what ``func`` returns.

    Raises
    ------
    ValueError
        ``func`` is no function, ``iterables`` are of different lengths, or ``divisions`` does not
        have one more.
    TypeError
        ``func`` needs ``columns``, which are not given.
    """
    if not callable(func):
        raise ValueError("`func` argument must be `callable`")
    arguments = _arguments_of(iterables)
    args = [] if args is None else list(args)
    columns = kwargs.pop("columns", None)
    if columns is not None and not isinstance(columns, (list, tuple)):
        columns = [columns]
    if meta is no_default:
        if columns is None and _needs_columns(func):
            raise TypeError(
                "The `columns` argument of `func` must be optional for the metadata to be found; "
                "give it a default, or give `meta=`"
            )
        given = {} if columns is None else {"columns": list(columns)}
        meta = make_meta(emulate(func, *arguments[0], *args, udf=True, **kwargs, **given))
    else:
        meta = make_meta(meta)
    if divisions is not None and len(divisions) != len(arguments) + 1:
        raise ValueError(
            f"divisions must have one value more than there are partitions, got {len(divisions)} "
            f"for {len(arguments)} partitions"
        )
    if columns is None and _needs_columns(func) and meta.ndim == 2:
        columns = list(meta.columns)
    expr = FromMap(
        func,
        arguments,
        args,
        kwargs,
        meta,
        None if divisions is None else tuple(divisions),
        None if columns is None else list(columns),
        enforce_metadata,
        label,
    )
    return new_collection(with_arrow_strings(expr))


def _arguments_of(iterables: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The arguments for each partition, one of each iterable.

    Raises
    ------
    ValueError
        There is none, or they differ in length.
    """
    lists = []
    for iterable in iterables:
        if not isinstance(iterable, Iterable):
            raise ValueError(f"All elements of `iterables` must be Iterable, got {type(iterable)}")
        lists.append(list(iterable))
    lengths = [len(values) for values in lists]
    if not lengths or not lengths[0]:
        raise ValueError("`from_map` requires at least one Iterable input of at least one element")
    if len(set(lengths)) > 1:
        raise ValueError(f"All `iterables` must have the same length, got {lengths}")
    return list(zip(*lists, strict=True))


def _needs_columns(func: Any) -> bool:
    import inspect

    if hasattr(func, "project_columns"):
        return False
    try:
        parameter = inspect.signature(func).parameters.get("columns")
    except (TypeError, ValueError):
        return False
    return parameter is not None and parameter.default is inspect.Parameter.empty
