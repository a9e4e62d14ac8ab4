"""Scenes as PNG or JPEG, painted with Pillow."""

from __future__ import annotations

import io
from typing import Any

from samite._draw.scene import Box, Curve, Polygon, Scene, Text
from samite._draw.text import text_width

# Larger bitmaps than this are made by a smaller scale, not refused.
_MAX_PIXELS = 120_000_000
_MAX_SIDE = 30_000


def raster_bytes(scene: Scene, format: str, scale: float = 2.0) -> bytes:
    """A bitmap with ``scale`` pixels to a unit of the scene.

    Raises
    ------
    ImportError
        If Pillow is not installed; the message says what to install.
    """
    image_module, draw_module, font_module = _pillow(format)
    area = scene.width * scene.height
    scale = min(scale, (_MAX_PIXELS / area) ** 0.5, _MAX_SIDE / max(scene.width, scene.height))
    # Pillow draws without antialiasing, so everything is painted larger and then made smaller.
    oversampling = 2 if area * (2 * scale) ** 2 <= _MAX_PIXELS else 1
    factor = scale * oversampling
    size = (max(1, round(scene.width * factor)), max(1, round(scene.height * factor)))
    image = image_module.new("RGB", size, "#ffffff")
    painter = _Painter(draw_module.Draw(image), font_module, factor)
    for shape in scene.shapes:
        painter.paint(shape)
    if oversampling > 1:
        # The mean of each square of pixels, which is all that a filter could make of whole factors.
        image = image.reduce(oversampling)
    buffer = io.BytesIO()
    name = "JPEG" if format in ("jpg", "jpeg") else "PNG"
    # Flat colours compress well; to compress large bitmaps any better takes seconds.
    small = image.width * image.height < 1_000_000
    options = {"quality": 92} if name == "JPEG" else {"optimize": small, "compress_level": 3}
    image.save(buffer, format=name, dpi=(72 * scale, 72 * scale), **options)
    return buffer.getvalue()


def _pillow(format: str) -> tuple[Any, Any, Any]:
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise ImportError(
            f"Drawing a graph as {format.upper()} requires Pillow:\n\n"
            "  python -m pip install pillow\n\n"
            "SVG, PDF and DOT files need no further package."
        ) from error
    return Image, ImageDraw, ImageFont


class _Painter:
    def __init__(self, draw: Any, fonts: Any, factor: float) -> None:
        self._draw = draw
        self._fonts = fonts
        self._factor = factor
        self._fonts_by_size: dict[tuple[float, bool], Any] = {}

    def paint(self, shape: object) -> None:
        if isinstance(shape, Box):
            self._box(shape)
        elif isinstance(shape, Curve):
            self._curve(shape)
        elif isinstance(shape, Polygon):
            self._draw.polygon([self._at(point) for point in shape.points], fill=shape.fill)
        elif isinstance(shape, Text):
            self._text(shape)

    def _at(self, point: tuple[float, float]) -> tuple[float, float]:
        return point[0] * self._factor, point[1] * self._factor

    def _thickness(self, value: float) -> int:
        return max(1, round(value * self._factor))

    def _box(self, box: Box) -> None:
        self._draw.rounded_rectangle(
            [self._at((box.x, box.y)), self._at((box.x + box.width, box.y + box.height))],
            radius=min(box.radius, box.height / 2, box.width / 2) * self._factor,
            fill=box.fill,
            outline=box.border or None,
            width=self._thickness(1.2) if box.border else 0,
        )

    def _curve(self, curve: Curve) -> None:
        points = flatten(curve.points, pieces=20 if self._factor > 1 else 8)
        self._draw.line(
            [self._at(point) for point in points],
            fill=curve.color,
            width=self._thickness(curve.thickness),
            joint="curve",
        )

    def _text(self, text: Text) -> None:
        plain = text.text.isascii()
        font = self._font(text.size, plain)
        room = text_width(text.text, text.size) * self._factor
        needed = font.getlength(text.text)
        if needed > room:
            # The font at hand runs wider than Helvetica, for which the symbols were measured.
            font = self._font(text.size * room / needed, plain)
        anchor = {"start": "lm", "middle": "mm", "end": "rm"}[text.anchor]
        self._draw.text(
            self._at((text.x, text.y)), text.text, fill=text.color, font=font, anchor=anchor
        )

    def _font(self, size: float, plain: bool) -> Any:
        key = (round(size * self._factor, 1), plain)
        if key not in self._fonts_by_size:
            self._fonts_by_size[key] = self._load_font(*key)
        return self._fonts_by_size[key]

    def _load_font(self, pixels: float, plain: bool) -> Any:
        # Pillow's own font looks well but knows few characters beyond ASCII.
        names = ["Helvetica", "Arial", "LiberationSans-Regular"]
        for name in names if plain else [*names, "DejaVuSans", "NotoSans-Regular"]:
            try:
                return self._fonts.truetype(f"{name}.ttf", pixels)
            except OSError:
                continue
        return self._fonts.load_default(pixels)


def flatten(points: list[tuple[float, float]], pieces: int) -> list[tuple[float, float]]:
    """Straight pieces instead of the Bézier curves of a chain."""
    line = [points[0]]
    for start in range(0, len(points) - 3, 3):
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points[start : start + 4]
        steps = 1 if x0 == x3 or y0 == y3 else pieces
        for number in range(1, steps + 1):
            t = number / steps
            u = 1 - t
            a, b, c, d = u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t
            line.append((a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3))
    return line
