"""Scenes as PDF, written directly: one page of vector shapes in the standard fonts."""

from __future__ import annotations

import zlib

from samite._draw.color import parse_color
from samite._draw.scene import Box, Curve, Polygon, Scene, Shape, Text
from samite._draw.text import text_width

# The control points of a quarter circle lie at this share of the radius.
_ARC = 0.5523
# Larger pages than this are not valid; the drawing is scaled to fit.
_MAX_SIDE = 14_400.0


def pdf_bytes(scene: Scene) -> bytes:
    """A document with one page of the size of the scene."""
    scale = min(1.0, _MAX_SIDE / max(scene.width, scene.height))
    # PDF's y axis points upwards, a scene's downwards.
    commands = [f"{_n(scale)} 0 0 {_n(-scale)} 0 {_n(scene.height * scale)} cm"]
    commands.extend(_commands(shape) for shape in scene.shapes)
    content = zlib.compress("\n".join(commands).encode("cp1252", "replace"))
    page_size = f"[0 0 {_n(scene.width * scale)} {_n(scene.height * scale)}]"
    fonts = "".join(
        f"/{name} << /Type /Font /Subtype /Type1 /BaseFont /{base} /Encoding /WinAnsiEncoding >> "
        for name, base in (("F1", "Helvetica"), ("F2", "Helvetica-Bold"))
    )
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            f"<< /Type /Page /Parent 2 0 R /MediaBox {page_size} /Contents 4 0 R "
            f"/Resources << /Font << {fonts}>> >> >>"
        ).encode(),
        f"<< /Length {len(content)} /Filter /FlateDecode >>\nstream\n".encode()
        + content
        + b"\nendstream",
    ]
    return _document(bodies)


def _document(bodies: list[bytes]) -> bytes:
    document = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(bodies, start=1):
        offsets.append(len(document))
        document += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(document)
    document += f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n".encode()
    for offset in offsets:
        document += f"{offset:010d} 00000 n \n".encode()
    trailer = f"trailer\n<< /Size {len(bodies) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    return bytes(document) + trailer.encode()


def _n(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _xy(*points: tuple[float, float]) -> str:
    return " ".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _color(color: str, operator: str) -> str:
    return " ".join(_n(part / 255) for part in parse_color(color)) + f" {operator}"


def _commands(shape: Shape) -> str:
    if isinstance(shape, Curve):
        pieces = [
            f"{_xy(*shape.points[start : start + 3])} c"
            for start in range(1, len(shape.points) - 2, 3)
        ]
        width = f"{_n(shape.thickness)} w"
        start = f"{_xy(shape.points[0])} m"
        return "\n".join([_color(shape.color, "RG"), width, start, *pieces, "S"])
    if isinstance(shape, Polygon):
        first, *rest = shape.points
        lines = " ".join(f"{_xy(point)} l" for point in rest)
        return f"{_color(shape.fill, 'rg')} {_xy(first)} m {lines} h f"
    if isinstance(shape, Text):
        return _text(shape)
    return _box(shape)


def _text(shape: Text) -> str:
    width = text_width(shape.text, shape.size) * (1.06 if shape.bold else 1.0)
    left = shape.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[shape.anchor] * width
    escaped = shape.text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    font = "F2" if shape.bold else "F1"
    baseline = shape.y + 0.35 * shape.size
    return (
        f"BT {_color(shape.color, 'rg')} /{font} {_n(shape.size)} Tf "
        f"1 0 0 -1 {_xy((left, baseline))} Tm ({escaped}) Tj ET"
    )


def _box(box: Box) -> str:
    x0, y0, x1, y1 = box.x, box.y, box.x + box.width, box.y + box.height
    paint = "b" if box.border else "f"
    colors = _color(box.fill, "rg")
    if box.border:
        colors += f" {_color(box.border, 'RG')} 1.2 w"
    r = min(box.radius, box.width / 2, box.height / 2)
    if not r:
        return f"{colors} {_xy((x0, y0))} {_xy((box.width, box.height))} re {paint}"
    k = r * (1 - _ARC)
    outline = [
        f"{_xy((x0 + r, y0))} m {_xy((x1 - r, y0))} l",
        f"{_xy((x1 - k, y0), (x1, y0 + k), (x1, y0 + r))} c {_xy((x1, y1 - r))} l",
        f"{_xy((x1, y1 - k), (x1 - k, y1), (x1 - r, y1))} c {_xy((x0 + r, y1))} l",
        f"{_xy((x0 + k, y1), (x0, y1 - k), (x0, y1 - r))} c {_xy((x0, y0 + r))} l",
        f"{_xy((x0, y0 + k), (x0 + k, y0), (x0 + r, y0))} c",
    ]
    return "\n".join([colors, *outline, paint])
