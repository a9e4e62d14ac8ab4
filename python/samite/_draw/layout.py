"""Layered layout of a directed graph: where nodes go and how edges run.

The steps are those of Sugiyama: give each vertex a rank so that edges point one way, order the
vertices inside each rank so that few edges cross, then choose coordinates that keep edges short
and straight. Nothing here recurses, so that a chain of any depth can be laid out.

Ranks grow along the *rank axis*; inside this module that axis is called ``y`` and the other ``x``
whatever the final direction is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

Point = tuple[float, float]

# How hard a straight line is preferred, by the number of ends of a step that are bends: a bend in
# the middle of a long edge looks worst. A step between two vertices that have only each other on
# that side counts as one with a bend.
_STRAIGHTNESS = (1.0, 2.0, 8.0)


@dataclass
class Layout:
    """Centres of the nodes, the points each edge runs through, and the extent of the whole."""

    centres: list[Point]
    routes: list[list[Point]]
    width: float
    height: float


@dataclass
class _Component:
    """A connected part in its own coordinates: real vertices first, bends of long edges after."""

    members: list[int]
    edge_ids: list[int]
    rank: list[int] = field(default_factory=list)
    layers: list[list[int]] = field(default_factory=list)
    above: list[list[int]] = field(default_factory=list)
    below: list[list[int]] = field(default_factory=list)
    chains: list[list[int]] = field(default_factory=list)
    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0

    def is_bend(self, vertex: int) -> bool:
        return vertex >= len(self.members)

    def pull(self, upper: int, lower: int) -> float:
        """How hard a step between two adjacent ranks is kept straight."""
        bends = self.is_bend(upper) + self.is_bend(lower)
        if not bends and len(self.below[upper]) == 1 and len(self.above[lower]) == 1:
            bends = 1
        return _STRAIGHTNESS[bends]


def layered_layout(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    *,
    direction: str = "BT",
    node_gap: float = 18.0,
    rank_gap: float = 34.0,
) -> Layout:
    """Lay out a directed graph.

    Parameters
    ----------
    sizes : sequence of (width, height)
        Extent of each node.
    edges : sequence of (source, target)
        Indices into ``sizes``. Cycles are allowed: some of their edges then run backwards.
    direction : {"TB", "BT", "LR", "RL"}
        Where edges point to.
    node_gap, rank_gap : float
        Free space between neighbours of a rank, and between two ranks.

    Returns
    -------
    Layout
        Coordinates with the origin at the top left. A route runs from source to target, with the
        centres of both as its ends.
    """
    if direction not in ("TB", "BT", "LR", "RL"):
        raise ValueError(f"rankdir is one of 'TB', 'BT', 'LR', 'RL', not {direction!r}")
    sideways = direction in ("LR", "RL")
    if sideways:
        sizes = [(height, width) for width, height in sizes]
    forward = _without_cycles(len(sizes), edges)
    components = _components(len(sizes), edges)
    for component in components:
        _place_component(component, sizes, forward, node_gap, rank_gap)
    centres: list[Point] = [(0.0, 0.0)] * len(sizes)
    routes: list[list[Point]] = [[] for _ in edges]
    width, height = _pack(components, node_gap * 2)
    for component in components:
        points = list(zip(component.x, component.y, strict=True))
        for local, vertex in enumerate(component.members):
            centres[vertex] = points[local]
        for edge_id, chain in zip(component.edge_ids, component.chains, strict=True):
            route = [points[vertex] for vertex in chain]
            backwards = forward[edge_id] != tuple(edges[edge_id])
            routes[edge_id] = route[::-1] if backwards else route
    return _turn(Layout(centres, routes, width, height), direction)


def _turn(layout: Layout, direction: str) -> Layout:
    """From "ranks grow downwards" to the direction that was asked for."""
    if direction == "TB":
        return layout
    width, height = layout.width, layout.height

    def move(point: Point) -> Point:
        x, y = point
        if direction == "BT":
            return x, height - y
        return (y, x) if direction == "LR" else (height - y, x)

    if direction != "BT":
        layout.width, layout.height = height, width
    layout.centres = [move(point) for point in layout.centres]
    layout.routes = [[move(point) for point in route] for route in layout.routes]
    return layout


def _without_cycles(count: int, edges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The edges, with those turned round that close a cycle in a depth-first walk."""
    outgoing: list[list[int]] = [[] for _ in range(count)]
    incoming = [0] * count
    for index, (source, target) in enumerate(edges):
        outgoing[source].append(index)
        incoming[target] += 1
    forward = [(source, target) for source, target in edges]
    unseen, open_, done = 0, 1, 2
    state = [unseen] * count
    starts = sorted(range(count), key=lambda vertex: incoming[vertex] > 0)
    for start in starts:
        if state[start] != unseen:
            continue
        state[start] = open_
        stack = [(start, iter(outgoing[start]))]
        while stack:
            vertex, pending = stack[-1]
            for index in pending:
                target = edges[index][1]
                if state[target] == open_:
                    forward[index] = (target, vertex)
                elif state[target] == unseen:
                    state[target] = open_
                    stack.append((target, iter(outgoing[target])))
                    break
            else:
                state[vertex] = done
                stack.pop()
    return forward


def _components(count: int, edges: Sequence[tuple[int, int]]) -> list[_Component]:
    """Connected parts, in the order of their first vertex."""
    parent = list(range(count))

    def root(vertex: int) -> int:
        while parent[vertex] != vertex:
            parent[vertex] = parent[parent[vertex]]
            vertex = parent[vertex]
        return vertex

    for source, target in edges:
        first, second = sorted((root(source), root(target)))
        parent[second] = first
    parts: dict[int, _Component] = {}
    for vertex in range(count):
        parts.setdefault(root(vertex), _Component([], [])).members.append(vertex)
    for index, (source, target) in enumerate(edges):
        if source != target:
            parts[root(source)].edge_ids.append(index)
    return list(parts.values())


def _place_component(
    part: _Component,
    sizes: Sequence[tuple[float, float]],
    forward: Sequence[tuple[int, int]],
    node_gap: float,
    rank_gap: float,
) -> None:
    local = {vertex: index for index, vertex in enumerate(part.members)}
    edges = [(local[forward[i][0]], local[forward[i][1]]) for i in part.edge_ids]
    part.rank = _ranks(len(part.members), edges)
    _add_bends(part, edges)
    part.layers = _initial_order(part)
    _reduce_crossings(part)
    widths = [sizes[vertex][0] for vertex in part.members]
    widths += [4.0] * (len(part.rank) - len(widths))
    heights = [sizes[vertex][1] for vertex in part.members]
    heights += [0.0] * (len(part.rank) - len(heights))
    part.x = _cross_coordinates(part, widths, node_gap)
    part.y, part.height = _rank_coordinates(part, heights, rank_gap)
    left = min(x - width / 2 for x, width in zip(part.x, widths, strict=True))
    part.x = [x - left for x in part.x]
    part.width = max(x + width / 2 for x, width in zip(part.x, widths, strict=True))


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Longest path from the sources, then vertices are moved to where their edges are short."""
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        before[target].append(source)
        after[source].append(target)
    missing = [len(sources) for sources in before]
    order = [vertex for vertex in range(count) if not missing[vertex]]
    rank = [0] * count
    for vertex in order:
        for target in after[vertex]:
            rank[target] = max(rank[target], rank[vertex] + 1)
            missing[target] -= 1
            if not missing[target]:
                order.append(target)
    for vertex in reversed(order):
        if after[vertex] and len(after[vertex]) >= len(before[vertex]):
            rank[vertex] = min(rank[target] for target in after[vertex]) - 1
    lowest = min(rank, default=0)
    return [value - lowest for value in rank]


def _add_bends(part: _Component, edges: Sequence[tuple[int, int]]) -> None:
    """Cut edges that span several ranks into steps of one rank each."""
    neighbours_above: list[list[int]] = [[] for _ in part.members]
    neighbours_below: list[list[int]] = [[] for _ in part.members]
    for source, target in edges:
        chain = [source]
        for rank in range(part.rank[source] + 1, part.rank[target]):
            chain.append(len(part.rank))
            part.rank.append(rank)
            neighbours_above.append([])
            neighbours_below.append([])
        chain.append(target)
        for upper, lower in zip(chain, chain[1:], strict=False):
            neighbours_below[upper].append(lower)
            neighbours_above[lower].append(upper)
        part.chains.append(chain)
    part.above, part.below = neighbours_above, neighbours_below


def _initial_order(part: _Component) -> list[list[int]]:
    """Order of a depth-first walk from the last ranks, which draws trees without any crossing."""
    layers: list[list[int]] = [[] for _ in range(max(part.rank) + 1)]
    seen = [False] * len(part.rank)
    ends = sorted(
        (v for v in range(len(part.rank)) if not part.below[v]), key=lambda v: -part.rank[v]
    )
    for end in ends:
        stack = [end]
        while stack:
            vertex = stack.pop()
            if seen[vertex]:
                continue
            seen[vertex] = True
            layers[part.rank[vertex]].append(vertex)
            stack.extend(reversed(part.above[vertex]))
    return layers


def _reduce_crossings(part: _Component, sweeps: int = 24) -> None:
    """Sort ranks by the mean place of their neighbours, up and down, and keep the best order."""
    place = [0] * len(part.rank)
    for layer in part.layers:
        for index, vertex in enumerate(layer):
            place[vertex] = index
    best_layers = [list(layer) for layer in part.layers]
    best = _count_crossings(part, place)
    without_gain = 0
    for sweep in range(sweeps):
        if best == 0 or without_gain >= 4:
            break
        downwards = sweep % 2 == 0
        neighbours = part.above if downwards else part.below
        ranks = range(1, len(part.layers)) if downwards else range(len(part.layers) - 2, -1, -1)
        for rank in ranks:
            _sort_layer(part.layers[rank], neighbours, place, prefer_right=sweep % 4 >= 2)
        _swap_neighbours(part, place)
        crossings = _count_crossings(part, place)
        if crossings < best:
            best, without_gain = crossings, 0
            best_layers = [list(layer) for layer in part.layers]
        else:
            without_gain += 1
    part.layers = best_layers


def _sort_layer(
    layer: list[int], neighbours: list[list[int]], place: list[int], prefer_right: bool
) -> None:
    means: dict[int, float] = {}
    for index, vertex in enumerate(layer):
        near = neighbours[vertex]
        means[vertex] = sum(place[other] for other in near) / len(near) if near else index
    if prefer_right:
        layer.reverse()
    layer.sort(key=means.__getitem__)
    for index, vertex in enumerate(layer):
        place[vertex] = index


def _count_crossings(part: _Component, place: list[int]) -> int:
    """Crossings between all pairs of adjacent ranks: inversions, counted by a sorted list."""
    total = 0
    for layer in part.layers[:-1]:
        ends: list[int] = []
        for vertex in layer:
            ends.extend(sorted(place[lower] for lower in part.below[vertex]))
        total += _inversions(ends)
    return total


def _inversions(values: list[int]) -> int:
    """Pairs that stand in the wrong order, by a binary indexed tree."""
    size = max(values, default=0) + 1
    tree = [0] * (size + 1)
    total = 0
    for seen, value in enumerate(values):
        index, not_larger = value + 1, 0
        while index:
            not_larger += tree[index]
            index &= index - 1
        total += seen - not_larger
        index = value + 1
        while index <= size:
            tree[index] += 1
            index += index & -index
    return total


def _swap_neighbours(part: _Component, place: list[int]) -> None:
    """Exchange adjacent vertices wherever that removes crossings; only ranks of modest width."""
    for layer in part.layers:
        if len(layer) > 200:
            continue
        for index in range(len(layer) - 1):
            left, right = layer[index], layer[index + 1]
            gain = 0
            for side in (part.above, part.below):
                ends_left = sorted(place[vertex] for vertex in side[left])
                ends_right = sorted(place[vertex] for vertex in side[right])
                now = sum(len(ends_left) - bisect_left(ends_left, end + 1) for end in ends_right)
                then = sum(len(ends_right) - bisect_left(ends_right, end + 1) for end in ends_left)
                gain += now - then
            if gain > 0:
                layer[index], layer[index + 1] = right, left
                place[left], place[right] = index + 1, index


def _cross_coordinates(part: _Component, widths: list[float], node_gap: float) -> list[float]:
    """Coordinates inside the ranks: each vertex near its neighbours, none closer than the gap."""
    x = [0.0] * len(part.rank)
    offsets: list[list[float]] = []
    for layer in part.layers:
        at, row = 0.0, []
        for index, vertex in enumerate(layer):
            if index:
                previous = layer[index - 1]
                gap = node_gap / 2 if part.is_bend(vertex) or part.is_bend(previous) else node_gap
                at += (widths[previous] + widths[vertex]) / 2 + gap
            row.append(at)
        offsets.append(row)
        middle = at / 2
        for vertex, offset in zip(layer, row, strict=True):
            x[vertex] = offset - middle
    down, up = range(len(part.layers)), range(len(part.layers) - 1, -1, -1)
    sweeps = [(down, True, False), (up, False, True)] * 5
    sweeps += [(down, True, True), (up, True, True)] * 2
    sweeps += [(down, True, False), (up, False, True)]
    best, least = x, float("inf")
    for ranks, use_above, use_below in sweeps:
        for rank in ranks:
            _settle(part, part.layers[rank], offsets[rank], use_above, use_below, x)
        slant = sum(
            part.pull(upper, lower) * abs(x[upper] - x[lower])
            for upper, lowers in enumerate(part.below)
            for lower in lowers
        )
        if slant < least:
            best, least = list(x), slant
        if slant == 0:
            break
    return best


def _settle(
    part: _Component,
    layer: list[int],
    offsets: list[float],
    use_above: bool,
    use_below: bool,
    x: list[float],
) -> None:
    """Least squares to the wished coordinates under minimal distances, by pooling violators."""
    blocks: list[list[float]] = []  # [sum of weight * wish, weight, number of vertices]
    for vertex, offset in zip(layer, offsets, strict=True):
        total = weight = 0.0
        for other in part.above[vertex] if use_above else ():
            pull = part.pull(other, vertex)
            total += pull * (x[other] - offset)
            weight += pull
        for other in part.below[vertex] if use_below else ():
            pull = part.pull(vertex, other)
            total += pull * (x[other] - offset)
            weight += pull
        if not weight:
            weight = 0.1
            total = weight * (x[vertex] - offset)
        blocks.append([total, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] > blocks[-1][0] * blocks[-2][1]:
            total, weight, size = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += weight
            blocks[-1][2] += size
    index = 0
    for total, weight, size in blocks:
        for _ in range(int(size)):
            x[layer[index]] = total / weight + offsets[index]
            index += 1


def _rank_coordinates(
    part: _Component, heights: list[float], rank_gap: float
) -> tuple[list[float], float]:
    """Coordinates of the ranks; a rank from which edges run far sideways gets more room."""
    y = [0.0] * len(part.rank)
    top = 0.0
    for layer in part.layers:
        tallest = max(heights[vertex] for vertex in layer)
        sideways = 0.0
        for vertex in layer:
            y[vertex] = top + tallest / 2
            for lower in part.below[vertex]:
                sideways = max(sideways, abs(part.x[vertex] - part.x[lower]))
        top += tallest + rank_gap + min(0.12 * sideways, 2 * rank_gap)
        height = y[layer[0]] + tallest / 2
    return y, height


def _pack(components: list[_Component], gap: float) -> tuple[float, float]:
    """Put the parts on shelves, so that the whole is somewhat wider than high; its extent."""
    area = sum((part.width + gap) * (part.height + gap) for part in components)
    widest = max((part.width for part in components), default=0.0)
    shelf_width = max(widest, (area * 1.6) ** 0.5)
    left = top = shelf_height = width = 0.0
    for part in components:
        if left and left + part.width > shelf_width:
            top += shelf_height + gap
            left = shelf_height = 0.0
        part.x = [x + left for x in part.x]
        part.y = [y + top for y in part.y]
        left += part.width + gap
        shelf_height = max(shelf_height, part.height)
        width = max(width, left - gap)
    return width, top + shelf_height
