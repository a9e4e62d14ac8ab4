"""Nested lists, mappings and running sums."""

from __future__ import annotations

import functools
import itertools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
    from typing import Any


# ---- nested lists ----------------------------------------------------------------------------


def deepmap(func: Callable, *seqs: Any) -> Any:
    """Apply `func` to the leaves of nested lists, in parallel over several.

    >>> deepmap(lambda x: x + 1, [[1, 2], [3]])
    [[2, 3], [4]]
    """
    if isinstance(seqs[0], (list, tuple)) or hasattr(seqs[0], "__next__"):
        return [deepmap(func, *items) for items in zip(*seqs)]
    return func(*seqs)


def homogeneous_deepmap(func: Callable, seq: Any) -> Any:
    """Apply `func` to the leaves of a nested list whose leaves all lie at the same depth."""
    return ndeepmap(ndimlist(seq), func, seq)


def ndeepmap(n: int, func: Callable, seq: Any) -> Any:
    """Apply `func` to what lies `n` levels down in nested lists.

    For ``n=0`` a list of one element stands for that element.

    >>> ndeepmap(2, lambda x: x + 1, [[1, 2], [3]])
    [[2, 3], [4]]
    """
    if n == 0:
        return func(seq[0] if isinstance(seq, list) else seq)
    if n == 1:
        return [func(item) for item in seq]
    return [ndeepmap(n - 1, func, item) for item in seq]


def ndimlist(seq: Any) -> int:
    """How deep a nested list is, seen along its first elements; 0 if it is not a list.

    >>> ndimlist([[1, 2], [3, 4]])
    2
    """
    depth = 0
    while isinstance(seq, (list, tuple)):
        depth += 1
        if not seq:
            break
        seq = seq[0]
    return depth


def concrete(seq: Any) -> Any:
    """Iterators, at any depth, turned into lists.

    >>> concrete(map(iter, [[1], [2]]))
    [[1], [2]]
    """
    if hasattr(seq, "__next__"):
        seq = list(seq)
    if isinstance(seq, (list, tuple)):
        return [concrete(item) for item in seq]
    return seq


def unzip(ls: Iterable[Sequence], nout: int) -> Sequence[Sequence]:
    """The inverse of ``zip``; `nout` says how many sequences there are if `ls` is empty.

    >>> unzip([(1, "a"), (2, "b")], 2)
    [(1, 2), ('a', 'b')]
    """
    return list(zip(*ls)) or [()] * nout


def insert(tup: tuple, loc: int, val: Any) -> tuple:
    """A copy of `tup` with `val` at the position `loc`.

    >>> insert(("a", "b"), 0, "x")
    ('x', 'b')
    """
    items = list(tup)
    items[loc] = val
    return tuple(items)


def digit(n: int, k: int, base: int) -> int:
    """The digit of `n` in that base at place `k`, counted from the right from 0.

    >>> digit(1234, 1, 10)
    3
    """
    return n // base**k % base


def iter_chunks(sizes: Iterable[int], max_size: int) -> Iterator[list[int]]:
    """Cut `sizes` into consecutive lists whose sums do not exceed `max_size`.

    Raises
    ------
    ValueError
        One size alone is larger.

    >>> list(iter_chunks([10, 20, 5, 30], 30))
    [[10, 20], [5], [30]]
    """
    chunk: list[int] = []
    total = 0
    for size in sizes:
        if size > max_size:
            raise ValueError(f"A size of {size} is larger than the limit of {max_size}")
        if chunk and total + size > max_size:
            yield chunk
            chunk, total = [], 0
        chunk.append(size)
        total += size
    if chunk:
        yield chunk


# ---- mappings and sets -----------------------------------------------------------------------


def ensure_dict(d: Mapping, *, copy: bool = False) -> dict:
    """`d` as a plain ``dict``: itself if it is one and no copy is asked for."""
    if type(d) is dict:
        return d.copy() if copy else d
    layers = getattr(d, "layers", None)
    if layers is not None and hasattr(layers, "values"):
        result: dict = {}
        for layer in layers.values():
            result.update(layer)
        return result
    return dict(d)


def ensure_set(s: Set, *, copy: bool = False) -> set:
    """`s` as a plain ``set``: itself if it is one and no copy is asked for."""
    if type(s) is set:
        return s.copy() if copy else s
    return set(s)


# ---- sums over chunks ------------------------------------------------------------------------


class _ByIdentity:
    """A cache key that compares by identity: hashing long tuples would cost what it should save.

    It holds the tuple, whose id can therefore not pass to another one.
    """

    __slots__ = ("wrapped",)

    def __init__(self, wrapped: tuple):
        self.wrapped = wrapped

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and self.wrapped is other.wrapped

    def __hash__(self) -> int:
        return id(self.wrapped)


@functools.lru_cache(1024)
def _cached_max(key: _ByIdentity) -> Any:
    return max(key.wrapped)


@functools.lru_cache(1024)
def _cached_cumsum(key: _ByIdentity, initial_zero: bool) -> tuple:
    return _cumsum(key.wrapped, initial_zero)


def _cumsum(seq: Sequence, initial_zero: bool) -> tuple:
    return tuple(itertools.accumulate(seq, initial=0 if initial_zero else None))


def cached_max(seq: Sequence) -> Any:
    """The largest element; remembered for tuples, as chunk sizes are asked for often."""
    return _cached_max(_ByIdentity(seq)) if type(seq) is tuple else max(seq)


def cached_cumsum(seq: Sequence, initial_zero: bool = False) -> tuple:
    """The running sums of `seq`; remembered for tuples, as chunk sizes are asked for often.

    Parameters
    ----------
    initial_zero
        Start with a 0.

    >>> cached_cumsum((1, 2, 3), initial_zero=True)
    (0, 1, 3, 6)
    """
    if type(seq) is tuple:
        return _cached_cumsum(_ByIdentity(seq), initial_zero)
    return _cumsum(seq, initial_zero)


# ---- random numbers --------------------------------------------------------------------------


def pseudorandom(n: int, p: Sequence[float], random_state: Any = None) -> Any:
    """`n` integers, as an ``int8`` array, that take the value i with the probability ``p[i]``.

    Raises
    ------
    ValueError
        The probabilities do not add up to 1, or there are more than 127.
    """
    import numpy as np

    edges = np.cumsum(list(p))
    if len(edges) == 0 or not np.allclose(edges[-1], 1):
        raise ValueError("The probabilities must add up to 1")
    if len(edges) > 127:
        raise ValueError(f"At most 127 probabilities can be given, not {len(edges)}")
    if not isinstance(random_state, np.random.RandomState):
        random_state = np.random.RandomState(random_state)
    drawn = random_state.random_sample(n)
    # Rounding may leave the last edge below 1; the last value is meant then.
    return np.searchsorted(edges[:-1], drawn, side="right").astype("i1")


def random_state_data(n: int, random_state: Any = None) -> list:
    """`n` arrays, each of which can seed a ``numpy.random.RandomState``.

    Parameters
    ----------
    random_state
        A seed, or any generator with a ``bytes`` method.
    """
    import numpy as np

    if not all(hasattr(random_state, name) for name in ("normal", "beta", "bytes", "uniform")):
        random_state = np.random.RandomState(random_state)
    words = 624  # The state of the Mersenne twister.
    data = np.frombuffer(random_state.bytes(words * n * 4), dtype="<u4")
    return list(data.reshape((n, words)))
