"""Indices of blockwise operations: letters, numbers of blocks and coordinates."""

from __future__ import annotations

import itertools
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

PREFIX = "__dask_blockwise__"


def blockwise_token(i: int, prefix: str = PREFIX) -> str:
    """The name that stands for the ``i``-th input in the task of a blockwise operation."""
    return f"{prefix}{i}"


def index_subs(ind: Iterable[Any] | None, substitution: Mapping[Any, Any]) -> tuple | None:
    """Rename the letters of an index.

    >>> index_subs("ij", {"i": "k"})
    ('k', 'j')
    """
    return None if ind is None else tuple(substitution.get(i, i) for i in ind)


def new_letters(used: Iterable[Any]) -> Iterator[str]:
    """Letters for indices, none of which is in ``used``: A, B, ... Z, A1, B1, ..."""
    taken = set(used)
    for number in itertools.count():
        for letter in string.ascii_uppercase:
            name = f"{letter}{number or ''}"
            if name not in taken:
                yield name


def broadcast_dimensions(
    argpairs: Iterable[tuple[Any, Sequence[Any] | None]],
    numblocks: Mapping[Any, Sequence[Any]],
    sentinels: tuple[Any, ...] = (1, (1,)),
    consolidate: Callable[[set], Any] | None = None,
) -> dict[Any, Any]:
    """The number of blocks along each index, with NumPy's rule for dimensions of one.

    Parameters
    ----------
    argpairs:
        Names of inputs and their indices.
    numblocks:
        The numbers of blocks (or anything else that is said of dimensions) by input.
    sentinels:
        What counts as a dimension of one, which fits any other.
    consolidate:
        Joins what different inputs say; by default they have to agree.

    Raises
    ------
    ValueError
        If inputs disagree.

    >>> broadcast_dimensions([("x", "ij"), ("y", "ij")], {"x": (2, 1), "y": (1, 3)})
    {'i': 2, 'j': 3}
    """
    said: dict[Any, set[Any]] = {}
    for name, ind in argpairs:
        if ind is None or name not in numblocks:
            continue
        for index, count in zip(ind, numblocks[name]):
            said.setdefault(index, set()).add(count)
    counts = {i: v - set(sentinels) if len(v) > 1 else v for i, v in said.items()}
    if consolidate is not None:
        return {i: consolidate(v) for i, v in counts.items()}
    if any(len(v) != 1 for v in counts.values()):
        raise ValueError(f"Shapes do not align {said}")
    return {i: next(iter(v)) for i, v in counts.items()}


def make_dims(
    indices: Iterable[tuple[Any, Sequence[Any] | None]],
    numblocks: Mapping[Any, Sequence[int]],
    new_axes: Mapping[Any, Any],
) -> dict[Any, int]:
    """The number of blocks along each index, new axes included."""
    dims = broadcast_dimensions(indices, numblocks)
    for index, size in new_axes.items():
        dims[index] = len(size) if isinstance(size, tuple) else 1
    return dims


def lol_tuples(
    head: tuple[Any, ...], ind: Sequence[Any], values: Mapping[Any, Any], dummies: Mapping[Any, Any]
) -> Any:
    """The keys of the blocks that an index picks, in nested lists along the summed indices.

    Parameters
    ----------
    head:
        How the keys begin.
    ind:
        The letters of the input's index.
    values:
        The coordinate for each letter.
    dummies:
        The coordinates for letters that are not in the output; each makes a list.

    >>> lol_tuples(("x",), "ij", {"i": 1}, {"j": range(2)})
    [('x', 1, 0), ('x', 1, 1)]
    """
    if not ind:
        return head
    first, rest = ind[0], ind[1:]
    if first in dummies:
        return [lol_tuples((*head, v), rest, values, dummies) for v in dummies[first]]
    return lol_tuples((*head, values[first]), rest, values, dummies)


class InputBlocks:
    """Which blocks of one input a block of the output needs.

    Parameters
    ----------
    ind:
        The letters of the input's index.
    counts:
        The number of blocks of the input along each.
    output_indices:
        The letters of the output.
    dims:
        The number of blocks along every letter.
    concatenate:
        Whether the blocks along summed letters are joined, so that a dimension of one block
        must not be repeated.

    Attributes
    ----------
    summed:
        The positions in ``ind`` of letters that are not in the output.
    """

    def __init__(
        self,
        ind: Sequence[Any],
        counts: Sequence[int],
        output_indices: Sequence[Any],
        dims: Mapping[Any, int],
        concatenate: bool,
    ) -> None:
        position = {letter: n for n, letter in enumerate(output_indices)}
        self._picks: list[int | Sequence[int] | None] = []
        self.summed = [n for n, letter in enumerate(ind) if letter not in position]
        for letter, count in zip(ind, counts):
            if letter in position:
                # A single block serves all positions along its dimension.
                self._picks.append(None if count == 1 else position[letter])
            elif count == 1:
                self._picks.append([0] * (1 if concatenate else dims[letter]))
            else:
                self._picks.append(range(dims[letter]))

    def nested(self, head: tuple[Any, ...], coordinates: Sequence[int]) -> Any:
        """The keys, in nested lists along summed letters, for a block of the output."""
        return self._nested(head, 0, coordinates)

    def _nested(self, head: tuple[Any, ...], at: int, coordinates: Sequence[int]) -> Any:
        for n in range(at, len(self._picks)):
            pick = self._picks[n]
            if pick is None:
                head = (*head, 0)
            elif isinstance(pick, int):
                head = (*head, coordinates[pick])
            else:
                return [self._nested((*head, v), n + 1, coordinates) for v in pick]
        return head

    def flat(self, name: Any, coordinates: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """The same keys, each once."""
        parts = [
            (0,) if p is None else (coordinates[p],) if isinstance(p, int) else sorted(set(p))
            for p in self._picks
        ]
        return itertools.product((name,), *parts)


def concatenate_axes(arrays: Any, axes: Sequence[int]) -> Any:
    """Join nested lists of arrays; the lists of each level along the axis of that level."""
    if not axes or not isinstance(arrays, list):
        return arrays
    parts = [concatenate_axes(part, axes[1:]) for part in arrays]
    if len(parts) == 1:
        return parts[0]
    from samite.array.assembly import join

    return join(parts, axes[0])
