"""How an array is cut anew: in which steps, and which parts of old blocks make the new ones.

Cutting rows into columns in one step makes a task for every pair of an old and a new chunk that
meet. Where these are too many, chunks in between are chosen: first whole rows or columns are
joined, as far as chunks may grow, then they are split along the other axes.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from itertools import product

from samite import config
from samite.array.chunks import Chunks, boundaries, has_unknown, locate
from samite.utils import parse_bytes

__all__ = [
    "divide_to_width",
    "intersect_chunks",
    "merge_to_number",
    "old_to_new",
    "plan_rechunk",
]

Piece = tuple[int, slice]


def plan_rechunk(
    old_chunks: Chunks,
    new_chunks: Chunks,
    itemsize: int,
    threshold: int | None = None,
    block_size_limit: float | str | None = None,
) -> list[Chunks]:
    """The chunks that an array is cut into one after the other; the last are the new ones.

    Parameters
    ----------
    old_chunks, new_chunks:
        The chunks; they agree along axes of unknown lengths.
    itemsize:
        The bytes of an element.
    threshold:
        How many times the number of old and new chunks a step may have tasks; by default the
        setting ``array.rechunk.threshold``.
    block_size_limit:
        The most bytes of a chunk in between, unless old or new ones are larger; by default the
        setting ``array.chunk-size``.

    Examples
    --------
    >>> rows, columns = ((1,) * 100, (100,)), ((100,), (1,) * 100)
    >>> first, last = plan_rechunk(rows, columns, itemsize=8)
    >>> first, last == columns
    (((100,), (100,)), True)
    """
    threshold = threshold or config.get("array.rechunk.threshold")
    limit = config.get("array.chunk-size") if block_size_limit is None else block_size_limit
    limit = parse_bytes(limit) if isinstance(limit, str) else limit
    if len(old_chunks) <= 1 or not all(map(sum, new_chunks)):
        return [new_chunks]
    # Blocks of unknown length stay what they are, so any length does.
    old = tuple((1,) * len(sizes) if has_unknown(sizes) else sizes for sizes in old_chunks)
    new = tuple((1,) * len(sizes) if has_unknown(sizes) else sizes for sizes in new_chunks)
    most = max(limit / max(1, itemsize), _largest(old), _largest(new))
    few = threshold * (_count(old) + _count(new))
    steps: list[Chunks] = []
    current = old
    first = True
    while (edges := _edges(current, new)) >= few:
        candidate = current if first else _split(current, new, edges * threshold)
        candidate, limited = _merge(candidate, new, most)
        if candidate == new or (candidate == current and not first):
            break
        if candidate != current:
            steps.append(candidate)
        current = candidate
        if not limited:
            break
        first = False
    unknown = [has_unknown(sizes) for sizes in old_chunks]
    plan = [tuple(o if u else s for o, s, u in zip(old_chunks, step, unknown)) for step in steps]
    return [*plan, new_chunks]


def _count(chunks: Chunks) -> int:
    return math.prod(map(len, chunks))


def _largest(chunks: Chunks) -> int:
    return math.prod(map(max, chunks))


def _edges(old: Chunks, new: Chunks) -> int:
    """About how many pairs of an old and a new chunk meet."""
    return math.prod(
        len(before) if before == after else len(before) + len(after) - 1
        for before, after in zip(old, new)
    )


def _split(current: Chunks, new: Chunks, most_edges: float) -> Chunks:
    """Blocks split towards the new ones, as far as the number of edges allows."""
    result = list(current)
    for axis, (before, after) in enumerate(zip(current, new)):
        edges = _edges(tuple(result), new)
        if edges > most_edges:
            break
        if len(before) > len(after):
            continue
        count = int(len(before) * most_edges / edges)
        sizes = merge_to_number(after, count)
        if len(sizes) >= len(before) and max(sizes) <= max(before):
            result[axis] = sizes
    return tuple(result)


def _merge(current: Chunks, new: Chunks, most: float) -> tuple[Chunks, bool]:
    """Blocks joined as they are in the end, as far as the size of chunks allows.

    Returns
    -------
    The chunks, and whether the size has stopped it.
    """
    fewer, growth = {}, {}
    for axis, (before, after) in enumerate(zip(current, new)):
        fewer[axis] = len(after) / len(before)
        growth[axis] = max(after) / max(before) if max(before) else 1.0

    def cost(axis: int) -> float:
        """How much chunks grow for how many fewer there are; the least goes first."""
        if growth[axis] <= 0 or growth[axis] == 1:
            return 0
        return math.log(fewer[axis]) / math.log(growth[axis])

    result = list(current)
    limited = False
    size = float(_largest(current))
    for axis in sorted((a for a in fewer if fewer[a] <= 1), key=cost):
        if size * growth[axis] <= most:
            result[axis] = new[axis]
            size *= growth[axis]
            continue
        width = int(most * max(current[axis]) / size)
        sizes = divide_to_width(new[axis], max(1, width))
        if len(sizes) <= len(current[axis]):
            result[axis] = sizes
            size *= max(sizes) / max(current[axis])
        limited = True
    return tuple(result), limited


def divide_to_width(sizes: Sequence[int], width: int) -> tuple[int, ...]:
    """Blocks divided into ones of at most a width, about equal.

    >>> divide_to_width((8, 9), 4)
    (4, 4, 3, 3, 3)
    """
    result = []
    for size in sizes:
        while size:
            part = size // -(-size // width)
            result.append(part)
            size -= part
    return tuple(result)


def merge_to_number(sizes: Sequence[int], count: int) -> tuple[int, ...]:
    """Neighbouring blocks joined, the smallest first, until there are at most so many.

    >>> merge_to_number((5, 1, 1, 15, 10), 4)
    (5, 2, 15, 10)
    """
    if len(sizes) <= count:
        return tuple(sizes)
    if len(set(sizes)) == 1:
        low, more = divmod(len(sizes), count)
        return (sizes[0] * (low + 1),) * more + (sizes[0] * low,) * (count - more)
    width = dict(enumerate(sizes))
    following = {n: n + 1 for n in range(len(sizes) - 1)}
    previous = {after: before for before, after in following.items()}
    heap = [(width[n] + width[n + 1], n) for n in range(len(sizes) - 1)]
    heapq.heapify(heap)
    while len(width) > count:
        together, n = heapq.heappop(heap)
        after = following.get(n)
        if n not in width or after is None or together != width[n] + width[after]:
            continue
        width[n] = together
        del width[after]
        behind = following.pop(after, None)
        if behind is None:
            del following[n]
        else:
            following[n], previous[behind] = behind, n
            heapq.heappush(heap, (together + width[behind], n))
        if n in previous:
            heapq.heappush(heap, (width[previous[n]] + together, previous[n]))
    return tuple(width[n] for n in sorted(width))


# -- parts of blocks ---------------------------------------------------------------------------


def old_to_new(old_chunks: Chunks, new_chunks: Chunks) -> list[list[list[Piece]]]:
    """For each axis, and each new block along it, the old blocks and what is taken of each.

    Raises
    ------
    ValueError
        If blocks of unknown length change.
    """
    return [_pieces(old, new) for old, new in zip(old_chunks, new_chunks)]


def intersect_chunks(
    old_chunks: Chunks, new_chunks: Chunks
) -> Iterator[tuple[tuple[Piece, ...], ...]]:
    """For each new chunk in order the parts of old chunks in it, with a piece for each axis."""
    for pieces in product(*old_to_new(old_chunks, new_chunks)):
        yield tuple(product(*pieces))


def _pieces(old: Sequence[int], new: Sequence[int]) -> list[list[Piece]]:
    if has_unknown(old):
        if len(old) != len(new):
            raise ValueError(
                "Chunks must be unchanging along dimensions with missing values.\n\n"
                "A possible solution:\n  x.compute_chunk_sizes()"
            )
        return [[(i, slice(0, None))] for i in range(len(old))]
    edges = boundaries(old)
    result = []
    start = 0
    for size in new:
        stop = start + size
        pieces: list[Piece] = []
        block = min(locate(edges, start), len(old) - 1)
        if not size:
            # An empty block takes nothing of some block that is there.
            pieces.append((block, slice(start - edges[block], start - edges[block])))
        while size and block < len(old) and edges[block] < stop:
            low, high = max(start, edges[block]), min(stop, edges[block + 1])
            if high > low:
                pieces.append((block, slice(low - edges[block], high - edges[block])))
            block += 1
        result.append(pieces)
        start = stop
    return result
