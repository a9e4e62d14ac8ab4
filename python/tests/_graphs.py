"""Random task graphs for property tests, and a way to compute them that shares no code."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

PRIME = 1_000_003


def mix(*args: Any) -> int:
    """A number that depends on all arguments, on their order and on their nesting."""
    result = 17
    for arg in args:
        if isinstance(arg, (list, tuple)):
            arg = 31 * mix(*arg) + 5
        result = (result * 257 + arg) % PRIME
    return result


def twice(x: Any) -> int:
    """Another function, for passes that tell functions apart."""
    return (2 * mix(x)) % PRIME


class _Choices:
    """Numbers read off a byte string; when it is over, zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def below(self, n: int) -> int:
        return next(self._data, 0) % n

    def value(self) -> int:
        return 100 + 256 * self.below(256) + self.below(256)


def _term(choices: _Choices, keys: list[Any], depth: int = 0) -> Any:
    kind = choices.below(6 if depth < 3 else 2)
    if kind == 0 or (kind == 1 and not keys):
        return choices.value()
    if kind == 1:
        return keys[choices.below(len(keys))]
    if kind == 2:
        return (twice, _term(choices, keys, depth + 1))
    parts = [_term(choices, keys, depth + 1) for _ in range(choices.below(3) + 1)]
    return parts if kind == 3 else (mix, *parts)


def _graph(data: bytes) -> dict[Any, Any]:
    choices = _Choices(data)
    graph: dict[Any, Any] = {}
    for i in range(choices.below(12) + 1):
        key = (f"k-{i}", ("t", i), i)[choices.below(3)]
        graph[key] = _term(choices, list(graph)[-4:])
    # An order in which dependencies do not come first.
    return {key: graph[key] for key in sorted(graph, key=lambda key: choices.below(256))}


def graphs() -> st.SearchStrategy[dict[Any, Any]]:
    """Graphs in the tuple notation without cycles; keys are text, tuples and small numbers."""
    return st.binary(max_size=150).map(_graph)


def graphs_with_keys() -> st.SearchStrategy[tuple[dict[Any, Any], list[Any]]]:
    """A graph and some of its keys."""

    def with_keys(drawn: tuple[dict[Any, Any], int]) -> tuple[dict[Any, Any], list[Any]]:
        graph, bits = drawn
        keys = sorted(graph, key=str)
        return graph, [key for i, key in enumerate(keys) if bits >> i & 1] or keys[-1:]

    return st.tuples(graphs(), st.integers(0, 2**12 - 1)).map(with_keys)


def value_of(graph: dict[Any, Any], term: Any) -> Any:
    """What a computation of the tuple notation is worth, by its definition."""
    if isinstance(term, tuple) and term and callable(term[0]):
        return term[0](*(value_of(graph, arg) for arg in term[1:]))
    if isinstance(term, list):
        return [value_of(graph, arg) for arg in term]
    if isinstance(term, (str, tuple, int)) and term in graph:
        return value_of(graph, graph[term])
    return term
