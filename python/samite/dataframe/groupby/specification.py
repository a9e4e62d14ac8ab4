"""What to aggregate: the forms in which users say it, made one list."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

# Functions that are found from partial results of partitions.
DECOMPOSABLE = frozenset(
    {
        "sum",
        "prod",
        "min",
        "max",
        "any",
        "all",
        "count",
        "size",
        "first",
        "last",
        "mean",
        "var",
        "std",
        "sem",
        "nunique",
        "unique",
        "list",
        "idxmin",
        "idxmax",
    }
)
_ALIASES = {"amin": "min", "amax": "max", "average": "mean", "product": "prod"}
# The keywords that a function takes inside `functools.partial`.
_KEYWORDS = {"var": {"ddof"}, "std": {"ddof"}, "sem": {"ddof"}}


class Aggregation:
    """An aggregation of a user.

    Parameters
    ----------
    name:
        What the result is called where it needs a name.
    chunk:
        Called with the grouped column of each partition; gives a series with a value for each
        group, or a tuple of such.
    agg:
        Called with the results of ``chunk``, grouped again, one argument for each; gives what
        ``chunk`` gives.
    finalize:
        Called with the results of ``agg``; gives the result. By default the result of ``agg``.

    Examples
    --------
    >>> mean = Aggregation(
    ...     "mean",
    ...     chunk=lambda grouped: (grouped.count(), grouped.sum()),
    ...     agg=lambda count, total: (count.sum(), total.sum()),
    ...     finalize=lambda count, total: total / count,
    ... )
    """

    def __init__(
        self,
        name: str,
        chunk: Callable[..., Any],
        agg: Callable[..., Any],
        finalize: Callable[..., Any] | None = None,
    ) -> None:
        self.chunk = chunk
        self.agg = agg
        self.finalize = finalize
        self.__name__ = name

    def __dask_tokenize__(self) -> Any:
        from samite.tokenize import normalize_token

        return (
            type(self).__name__,
            self.__name__,
            normalize_token(self.chunk),
            normalize_token(self.agg),
            normalize_token(self.finalize),
        )

    def __repr__(self) -> str:
        return f"Aggregation({self.__name__!r})"


class Output(NamedTuple):
    """A column of the result: a function of a column of the frame."""

    label: Any
    function: Any
    column: Any
    keywords: tuple[tuple[str, Any], ...] = ()


class Specification(NamedTuple):
    """The columns of a result; ``decomposable`` is None if ``original`` has to be left to pandas,
    which takes all rows of a group at once."""

    outputs: tuple[Output, ...]
    is_series: bool
    decomposable: bool


def function_name(function: Any) -> str:
    """What a function is called in the labels of a result."""
    if isinstance(function, str):
        return function
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", function))


def normalized_function(function: Any) -> tuple[Any, tuple[tuple[str, Any], ...]] | None:
    """The name of a known function with its keywords, or None for others.

    Raises
    ------
    TypeError
        A partial function of a known one has arguments that it does not take.
    """
    if isinstance(function, Aggregation):
        return function, ()
    keywords: dict[str, Any] = {}
    positional: tuple[Any, ...] = ()
    inner = function
    while isinstance(inner, functools.partial):
        keywords = {**inner.keywords, **keywords}
        positional += inner.args
        inner = inner.func
    if isinstance(inner, str):
        name = inner
    else:
        module = getattr(inner, "__module__", None) or ""
        if inner is not list and module.split(".")[0] not in ("builtins", "numpy", "pandas"):
            return None
        name = getattr(inner, "__name__", "")
    name = _ALIASES.get(name, name)
    if name not in DECOMPOSABLE:
        return None
    allowed = _KEYWORDS.get(name, set())
    if positional:
        raise TypeError(f"aggregate function '{name}' doesn't support positional arguments")
    if not set(keywords) <= allowed:
        unknown = set(keywords) - allowed
        raise TypeError(
            f"aggregate function '{name}' supports {allowed or '{}'} keyword arguments, but got "
            f"{unknown}"
        )
    return name, tuple(sorted(keywords.items()))


def parse(
    spec: Any,
    columns: Sequence[Any],
    every: Sequence[Any],
    series: Any,
    is_series: bool,
) -> Specification:
    """The specification of a user as a list.

    Parameters
    ----------
    spec:
        A function, a list of functions, or a mapping of columns to such; or, for named results,
        a list of pairs of a label and a pair of column and function.
    columns:
        The columns that are aggregated where none is named.
    every:
        The columns that may be named.
    series:
        The label of the only column, of a grouped series.

    Raises
    ------
    KeyError
        A column is not there.
    ValueError
        Two results would have the same label.
    """
    found: list[tuple[Any, Any, Any]] = []
    single = is_series
    if isinstance(spec, NamedResults):
        single = False
        for label, column, function in spec.results:
            found.append((label, series if is_series else column, function))
    elif is_series:
        if isinstance(spec, Mapping):
            raise pd.errors.SpecificationError("nested renamer is not supported")
        if isinstance(spec, (list, tuple)):
            single = False
            found = [(function_name(f), series, f) for f in spec]
        else:
            found = [(series, series, spec)]
    elif isinstance(spec, Mapping):
        nested = any(isinstance(functions, (list, tuple)) for functions in spec.values())
        for column, functions in spec.items():
            several = functions if isinstance(functions, (list, tuple)) else [functions]
            for function in several:
                label = (*_as_tuple(column), function_name(function)) if nested else column
                found.append((label, column, function))
    elif isinstance(spec, (list, tuple)):
        found = [((*_as_tuple(c), function_name(f)), c, f) for c in columns for f in spec]
    else:
        found = [(c, c, spec) for c in columns]
    missing = [] if is_series else [c for _, c, _ in found if c not in every]
    if missing:
        raise KeyError(f"Column(s) {missing} do not exist")
    labels = [label for label, _, _ in found]
    if len(set(labels)) < len(labels) and (len(set(every)) == len(every)):
        twice = sorted({repr(label) for label in labels if labels.count(label) > 1})
        raise ValueError(
            f"Function names must be unique for each column, found {', '.join(twice)} more than "
            "once; rename one by a named aggregation"
        )
    outputs = []
    decomposable = True
    for label, column, function in found:
        known = normalized_function(function)
        if known is None:
            decomposable = False
            outputs.append(Output(label, function, column))
        else:
            outputs.append(Output(label, known[0], column, known[1]))
    return Specification(tuple(outputs), single, decomposable)


def _as_tuple(column: Any) -> tuple[Any, ...]:
    return column if isinstance(column, tuple) else (column,)


class NamedResults:
    """Results under names of their own: triples of label, column and function."""

    def __init__(self, results: Sequence[tuple[Any, Any, Any]]) -> None:
        self.results = list(results)


def named_results(given: Mapping[str, Any], is_series: bool) -> NamedResults:
    """Named aggregations, given as keywords.

    Raises
    ------
    TypeError
        There is none, or one is not a pair of column and function.
    """
    if not given:
        raise TypeError(
            "Must provide 'func' or tuples of '(column, aggfunc)', such as agg({'x': 'sum'}) or "
            "agg(total=('x', 'sum'))"
        )
    results = []
    for label, pair in given.items():
        if isinstance(pair, pd.NamedAgg):
            function = pair.aggfunc
            more, keywords = getattr(pair, "args", ()), getattr(pair, "kwargs", {})
            if more or keywords:
                function = functools.partial(function, *more, **keywords)
            results.append((label, pair.column, function))
        elif is_series:
            results.append((label, None, pair))
        elif isinstance(pair, tuple) and len(pair) == 2:
            results.append((label, pair[0], pair[1]))
        else:
            raise TypeError(f"agg({label}=...) takes a pair of column and function, got {pair!r}")
    return NamedResults(results)


def functions_in(spec: Any) -> list[Any]:
    """The functions that a specification names, of whatever columns."""
    values = spec.values() if hasattr(spec, "values") else [spec]
    found: list[Any] = []
    for value in values:
        found += value if isinstance(value, (list, tuple)) else [value]
    return found
