"""From a picture to shapes with coordinates, which every file format then writes down.

A scene holds four kinds of shapes and nothing else, so that a new format needs four functions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from samite._draw.color import PASTELS, ColorMap, color_map, text_color_on
from samite._draw.layout import Layout, Point, layered_layout
from samite._draw.picture import Ident, Node, Picture
from samite._draw.text import shorten, text_width

_MARGIN = 16.0
_INK = "#1b1f24"
_SOFT_INK = "#57606a"
_EDGE = "#9aa5b1"
_ARROW = "#75818e"
_DATA_FILL, _DATA_BORDER = "#ffffff", "#8a94a0"
_LABEL_LIMIT = 170.0

_NAMED = {
    "black": "#000000",
    "blue": "#0000ff",
    "gray": "#808080",
    "green": "#008000",
    "grey": "#808080",
    "orange": "#ffa500",
    "purple": "#800080",
    "red": "#ff0000",
    "white": "#ffffff",
    "yellow": "#ffff00",
}


@dataclass
class Box:
    """A rectangle, a circle or anything between: ``radius`` rounds the corners."""

    x: float
    y: float
    width: float
    height: float
    radius: float
    fill: str
    border: str
    tooltip: str = ""


@dataclass
class Curve:
    """A chain of cubic Bézier pieces: the start, then three points for each piece."""

    points: list[Point]
    color: str
    thickness: float


@dataclass
class Polygon:
    points: list[Point]
    fill: str


@dataclass
class Text:
    """One line, centred vertically on ``y``; ``anchor`` is "start", "middle" or "end"."""

    x: float
    y: float
    text: str
    size: float
    color: str
    anchor: str = "middle"
    bold: bool = False


Shape = Box | Curve | Polygon | Text


@dataclass
class Scene:
    width: float
    height: float
    title: str
    shapes: list[Shape] = field(default_factory=list)


@dataclass
class _Symbol:
    """How a node looks, before it has a place."""

    width: float
    height: float
    radius: float
    label: str
    size: float
    fill: str
    border: str
    ink: str
    note: str
    tooltip: str
    stacked: bool = False


def scene_of(
    picture: Picture,
    *,
    rankdir: str = "BT",
    cmap: object = None,
    maxval: float | None = None,
    legend: str = "",
    title: str = "task graph",
) -> Scene:
    """Place every symbol of a picture.

    Parameters
    ----------
    picture : Picture
    rankdir : {"BT", "TB", "LR", "RL"}
        Direction of the arrows: bottom to top, and so on.
    cmap, maxval, legend : optional
        Colour map (see :func:`samite._draw.color.color_map`), the value of its last colour, and
        what the values mean. Only used where nodes carry values.
    title : str
        Name of the drawing for readers that do not see it.
    """
    values = [node.value for node in picture.nodes.values() if node.value is not None]
    scale = max(1.0, maxval if maxval is not None else max(values, default=1.0))
    colors = color_map(cmap)
    palette: dict[str, tuple[str, str]] = {}
    index: dict[Ident, int] = {}
    symbols: list[_Symbol] = []
    for ident, node in picture.nodes.items():
        index[ident] = len(symbols)
        symbols.append(_symbol(node, colors, scale, palette))
    edges = [(index[source], index[target]) for source, target in picture.edges]
    sizes = [(symbol.width, symbol.height) for symbol in symbols]
    layout = layered_layout(sizes, edges, direction=rankdir)
    scene = Scene(layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN, title)
    layout.centres = [(x + _MARGIN, y + _MARGIN) for x, y in layout.centres]
    layout.routes = [[(x + _MARGIN, y + _MARGIN) for x, y in route] for route in layout.routes]
    _add_edges(scene, layout, symbols, edges, sideways=rankdir in ("LR", "RL"))
    for (x, y), symbol in zip(layout.centres, symbols, strict=True):
        _add_symbol(scene, x, y, symbol)
    if values:
        _add_legend(scene, colors, scale, legend)
    if picture.remark:
        _add_footer(scene, picture.remark)
    return scene


def _symbol(
    node: Node, colors: ColorMap, scale: float, palette: dict[str, tuple[str, str]]
) -> _Symbol:
    fill, border = _DATA_FILL, _DATA_BORDER
    if node.kind != "data":
        fill, border = palette.setdefault(node.label, PASTELS[len(palette) % len(PASTELS)])
    if node.value is not None:
        fill = colors(node.value / scale)
        border = "#3c4650"
    border = _plain_color(node.attributes.get("color"), border)
    fill = _plain_color(node.attributes.get("fillcolor"), fill)
    size = 10.5 if node.kind == "data" else 12.0
    label = shorten(node.label, size, _LABEL_LIMIT)
    text = max(text_width(label, size), text_width(node.note, 9.5))
    tooltip = f"{node.key}\n{node.note}".strip() if node.note else str(node.key)
    shape = node.attributes.get("shape", "circle" if node.kind == "function" else "box")
    if node.kind == "group":
        width, height, radius = max(70.0, text + 26), 46.0, 8.0
    elif shape in ("circle", "ellipse", "oval"):
        height = 42.0 if node.note else 36.0
        width, radius = max(height, text + (26 if node.note else 22)), height / 2
    elif label or node.note:
        height = 36.0 if node.note and label else 24.0
        width, radius = max(height, text + 14), 3.0
    else:
        width, height, radius = 18.0, 18.0, 3.0
    ink = text_color_on(fill)
    stacked = node.kind == "group" and node.count > 1
    return _Symbol(
        width, height, radius, label, size, fill, border, ink, node.note, tooltip, stacked
    )


def _plain_color(color: object, default: str) -> str:
    """``#rrggbb`` for what a caller passed; the default for what no format here understands."""
    text = str(color or "").lower()
    text = _NAMED.get(text, text)
    digits = text[1:]
    if text.startswith("#") and len(digits) >= 6 and set(digits) <= set("0123456789abcdef"):
        return text[:7]
    return default


def _add_symbol(scene: Scene, x: float, y: float, symbol: _Symbol) -> None:
    left, top = x - symbol.width / 2, y - symbol.height / 2
    for shift in (6.0, 3.0, 0.0) if symbol.stacked else (0.0,):
        scene.shapes.append(
            Box(
                left + shift,
                top - shift,
                symbol.width,
                symbol.height,
                symbol.radius,
                symbol.fill,
                symbol.border,
                symbol.tooltip if not shift else "",
            )
        )
    two_lines = bool(symbol.label and symbol.note)
    if symbol.label:
        line = y - 6.5 if two_lines else y
        scene.shapes.append(Text(x, line, symbol.label, symbol.size, symbol.ink))
    if symbol.note:
        line = y + 8 if two_lines else y
        scene.shapes.append(Text(x, line, symbol.note, 9.5, symbol.ink))


def _add_edges(
    scene: Scene,
    layout: Layout,
    symbols: list[_Symbol],
    edges: list[tuple[int, int]],
    sideways: bool,
) -> None:
    """Curves that leave and enter symbols along the rank axis, side by side where many meet."""
    thickness = 1.3 if len(edges) < 1500 else 0.8
    leaving = _ports(layout, symbols, edges, 0, sideways)
    entering = _ports(layout, symbols, edges, 1, sideways)
    for number, (source, target) in enumerate(edges):
        route = list(layout.routes[number])
        if len(route) < 2:
            continue
        route[0] = _boundary(route[0], route[1], symbols[source], leaving[number], sideways)
        route[-1] = _boundary(route[-1], route[-2], symbols[target], entering[number], sideways)
        tip, tail = route[-1], route[-2]
        axis = 0 if sideways else 1
        heading = math.copysign(1.0, tip[axis] - tail[axis])
        length, half = (7.0, 3.0) if thickness > 1 else (5.0, 2.2)
        back = heading * length
        base = (tip[0] - back, tip[1]) if sideways else (tip[0], tip[1] - back)
        route[-1] = base
        scene.shapes.append(Curve(_smooth(route, sideways), _EDGE, thickness))
        spread = (0.0, half) if sideways else (half, 0.0)
        corners = [
            tip,
            (base[0] + spread[0], base[1] + spread[1]),
            (base[0] - spread[0], base[1] - spread[1]),
        ]
        scene.shapes.append(Polygon(corners, _ARROW))


def _ports(
    layout: Layout, symbols: list[_Symbol], edges: list[tuple[int, int]], end: int, sideways: bool
) -> list[float]:
    """For each edge how far from the middle of a side it meets the symbol at that end."""
    across = 1 if sideways else 0
    meeting: dict[int, list[int]] = {}
    for number, edge in enumerate(edges):
        if len(layout.routes[number]) >= 2:
            meeting.setdefault(edge[end], []).append(number)
    shifts = [0.0] * len(edges)
    for vertex, numbers in meeting.items():
        if len(numbers) == 1:
            continue
        side = symbols[vertex].height if sideways else symbols[vertex].width
        numbers.sort(key=lambda number: layout.routes[number][-2 if end else 1][across])
        step = min(8.0, 0.6 * side / (len(numbers) - 1))
        for place, number in enumerate(numbers):
            shifts[number] = (place - (len(numbers) - 1) / 2) * step
    return shifts


def _boundary(
    centre: Point, towards: Point, symbol: _Symbol, shift: float, sideways: bool
) -> Point:
    """Where an edge that runs along the rank axis meets the outline of a symbol."""
    along, across = (symbol.width, symbol.height) if sideways else (symbol.height, symbol.width)
    depth = along / 2
    into_corner = abs(shift) - (across / 2 - symbol.radius)
    if into_corner > 0:
        rounding = math.sqrt(max(symbol.radius**2 - into_corner**2, 0.0))
        depth -= symbol.radius - rounding
    axis = 0 if sideways else 1
    heading = math.copysign(1.0, towards[axis] - centre[axis])
    if sideways:
        return centre[0] + heading * depth, centre[1] + shift
    return centre[0] + shift, centre[1] + heading * depth


def _smooth(route: list[Point], sideways: bool) -> list[Point]:
    """Bézier pieces through the points, with tangents along the rank axis at each of them."""
    points = [route[0]]
    for (x0, y0), (x1, y1) in zip(route, route[1:], strict=False):
        if sideways:
            middle = (x0 + x1) / 2
            points += [(middle, y0), (middle, y1), (x1, y1)]
        else:
            middle = (y0 + y1) / 2
            points += [(x0, middle), (x1, middle), (x1, y1)]
    return points


def _add_legend(scene: Scene, colors: ColorMap, scale: float, legend: str) -> None:
    """A bar of the colours below the drawing, with what its two ends stand for."""
    top = scene.height + 4
    left, steps, step, height = _MARGIN, 80, 2.0, 10.0
    if legend:
        scene.shapes.append(Text(left, top + 5, legend, 11, _INK, "start", bold=True))
        left += text_width(legend, 11) * 1.08 + 12
    scene.shapes.append(Text(left, top + 5, "0", 10, _SOFT_INK, "start"))
    left += 12
    for number in range(steps):
        color = colors(number / (steps - 1))
        # Each step runs under the next one, so that no seams show between them.
        width = step + (1.0 if number < steps - 1 else 0.0)
        scene.shapes.append(Box(left + number * step, top, width, height, 0, color, ""))
    left += steps * step
    last = f"{scale:g}"
    scene.shapes.append(Text(left + 6, top + 5, last, 10, _SOFT_INK, "start"))
    scene.width = max(scene.width, left + 6 + text_width(last, 10) + _MARGIN)
    scene.height = top + height + _MARGIN


def _add_footer(scene: Scene, remark: str) -> None:
    scene.shapes.append(Text(_MARGIN, scene.height + 2, remark, 11, _SOFT_INK, "start"))
    scene.width = max(scene.width, text_width(remark, 11) + 2 * _MARGIN)
    scene.height += _MARGIN
