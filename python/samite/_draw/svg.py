"""Scenes as SVG text."""

from __future__ import annotations

from html import escape

from samite._draw.scene import Box, Curve, Polygon, Scene, Shape, Text

_FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def svg_text(scene: Scene) -> str:
    """A complete SVG document that refers to nothing outside itself."""
    width, height = _number(scene.width), _number(scene.height)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="{escape(_FONT, quote=True)}">'
    )
    lines = [head, f"<title>{escape(scene.title)}</title>"]
    lines.append(f'<rect width="{width}" height="{height}" fill="#ffffff"/>')
    lines.extend(_element(shape) for shape in scene.shapes)
    lines.append("</svg>\n")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _points(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _element(shape: Shape) -> str:
    if isinstance(shape, Curve):
        path = f"M{_points(shape.points[:1])} C{_points(shape.points[1:])}"
        width = _number(shape.thickness)
        return f'<path d="{path}" fill="none" stroke="{shape.color}" stroke-width="{width}"/>'
    if isinstance(shape, Polygon):
        return f'<polygon points="{_points(shape.points)}" fill="{shape.fill}"/>'
    if isinstance(shape, Text):
        # A third of the size below the middle is where the baseline of Helvetica lies.
        baseline = _number(shape.y + 0.35 * shape.size)
        weight = ' font-weight="bold"' if shape.bold else ""
        return (
            f'<text x="{_number(shape.x)}" y="{baseline}" font-size="{_number(shape.size)}" '
            f'text-anchor="{shape.anchor}" fill="{shape.color}"{weight}>'
            f"{escape(shape.text, quote=False)}</text>"
        )
    return _box(shape)


def _box(shape: Box) -> str:
    stroke = f' stroke="{shape.border}" stroke-width="1.2"' if shape.border else ""
    corner = f' rx="{_number(shape.radius)}"' if shape.radius else ""
    rect = (
        f'<rect x="{_number(shape.x)}" y="{_number(shape.y)}" width="{_number(shape.width)}" '
        f'height="{_number(shape.height)}"{corner} fill="{shape.fill}"{stroke}'
    )
    if not shape.tooltip:
        return rect + "/>"
    return f"{rect}><title>{escape(shape.tooltip, quote=False)}</title></rect>"
