"""Pictures of how arrays are cut, and tables about arrays, for notebooks."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from samite import config
from samite.array.chunk_types import chunk_type_name
from samite.array.chunks import Chunks, boundaries, has_unknown, is_unknown, shape_of
from samite.utils import format_bytes, key_split

if TYPE_CHECKING:
    from samite.array.core import Array

__all__ = ["array_html", "draw_sizes", "svg"]

_FILL = "ECB172"
_DENSE_FILL = "8B4903"
# With more lines than these nothing is seen but lines, so the side is filled instead.
_MOST_LINES = 40

Point = tuple[float, float]


def draw_sizes(shape: Sequence[float], size: float = 200) -> tuple[float, ...]:
    """How long to draw the axes of a shape; long axes are shown shorter than they are.

    >>> draw_sizes((10, 5), size=100)
    (100.0, 50.0)
    """
    longest = max(shape)

    def length(extent: float) -> float:
        ratio = longest / max(extent, 0.1)
        return size / (ratio if ratio <= 3 else 3 * (ratio / 3) ** 0.4)

    return tuple(length(extent) for extent in shape)


def svg(chunks: Chunks, size: int | None = None) -> str:
    """A picture of chunks, as the text of an SVG image.

    Parameters
    ----------
    chunks:
        The lengths of the blocks along each axis.
    size:
        How many pixels the longest axis takes; by default the setting ``array.svg.size``.

    Raises
    ------
    NotImplementedError
        If there are no axes, or lengths are zero or unknown.
    """
    if not chunks:
        raise NotImplementedError("Can't generate SVG with 0 dimensions")
    if any(has_unknown(sizes) for sizes in chunks):
        raise NotImplementedError(
            "Can't generate SVG with unknown chunk sizes.\n\n"
            "A possible solution: x.compute_chunk_sizes() finds them by computing the array"
        )
    shape = shape_of(chunks)
    if not all(shape):
        raise NotImplementedError("Can't generate SVG with 0-length dimensions")
    pixels = float(size or config.get("array.svg.size", 200))
    parts: list[str] = []
    left, height = 10.0, 0.0
    for panel in _panels(chunks):
        drawn, width, tall = _panel(panel, left, 10.0, pixels)
        parts += drawn
        left += width + 45.0
        height = max(height, tall)
    return "\n".join([
        f'<svg width="{left:.0f}" height="{height + 45:.0f}" '
        'style="stroke:rgb(0,0,0);stroke-width:1" xmlns="http://www.w3.org/2000/svg">',
        *parts,
        "</svg>",
    ])  # fmt: skip


def _panels(chunks: Chunks) -> list[Chunks]:
    """Up to three axes for each picture; the first one takes what is left over."""
    first = len(chunks) % 3 or 3
    return [chunks[:first], *(chunks[n : n + 3] for n in range(first, len(chunks), 3))]


def _panel(chunks: Chunks, left: float, top: float, size: float) -> tuple[list[str], float, float]:
    """The lines of one picture, and its width and height."""
    shape = shape_of(chunks)
    if len(chunks) == 1:
        (across,) = _edges(chunks, (size,))
        tall = min(25.0, size)
        face = _side((left, top), (1.0, 0.0), (0.0, 1.0), across, [0.0, tall])
        return [*face, *_label(left + size / 2, top + tall + 18, shape[0])], size, tall
    if len(chunks) == 2:
        lengths = draw_sizes(shape, size)
        down, across = _edges(chunks, lengths)
        face = _side((left, top), (1.0, 0.0), (0.0, 1.0), across, down)
        labels = [
            *_label(left + lengths[1] / 2, top + lengths[0] + 18, shape[1]),
            *_label(left + lengths[1] + 18, top + lengths[0] / 2, shape[0], turned=True),
        ]
        return [*face, *labels], lengths[1], lengths[0]
    lengths = draw_sizes(shape, size)
    deep, down, across = _edges(chunks, lengths)
    slant = (0.6, 0.6)
    shift = slant[0] * lengths[0]
    front = (left + shift, top + shift)
    faces = [
        *_side((left, top), slant, (0.0, 1.0), deep, down),
        *_side((left, top), (1.0, 0.0), slant, across, deep),
        *_side(front, (1.0, 0.0), (0.0, 1.0), across, down),
    ]
    labels = [
        *_label(front[0] + lengths[2] / 2, front[1] + lengths[1] + 18, shape[2]),
        *_label(front[0] + lengths[2] + 18, front[1] + lengths[1] / 2, shape[1], turned=True),
        *_label(left + shift / 2 - 8, top + lengths[1] + shift / 2 + 18, shape[0]),
    ]
    return [*faces, *labels], lengths[2] + shift, lengths[1] + shift


def _edges(chunks: Chunks, lengths: Sequence[float]) -> list[list[float]]:
    """Where blocks begin and end, in pixels."""
    return [
        [edge * length / sum(sizes) for edge in boundaries(sizes)]
        for sizes, length in zip(chunks, lengths)
    ]


def _side(
    origin: Point, along: Point, aside: Point, first: Sequence[float], second: Sequence[float]
) -> list[str]:
    """A side with the borders of its blocks, in two directions."""

    def at(a: float, b: float) -> Point:
        return (origin[0] + a * along[0] + b * aside[0], origin[1] + a * along[1] + b * aside[1])

    dense = len(first) > _MOST_LINES or len(second) > _MOST_LINES
    corners = [at(0, 0), at(first[-1], 0), at(first[-1], second[-1]), at(0, second[-1])]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    fill = _DENSE_FILL if dense else _FILL
    lines = [f'  <polygon points="{points}" style="fill:#{fill}A0;stroke-width:2"/>']
    for edge in _some(first):
        lines.append(_line(at(edge, 0), at(edge, second[-1])))
    for edge in _some(second):
        lines.append(_line(at(0, edge), at(first[-1], edge)))
    return lines


def _some(edges: Sequence[float]) -> Sequence[float]:
    if len(edges) <= _MOST_LINES:
        return edges[1:-1]
    step = math.ceil(len(edges) / _MOST_LINES)
    return edges[1:-1:step]


def _line(start: Point, end: Point) -> str:
    return f'  <line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"/>'


def _label(x: float, y: float, length: int, turned: bool = False) -> list[str]:
    turn = f' transform="rotate(-90,{x:.1f},{y:.1f})"' if turned else ""
    return [
        f'  <text x="{x:.1f}" y="{y:.1f}" font-size="1.0rem" font-weight="100" '
        f'text-anchor="middle"{turn}>{length}</text>'
    ]


def array_html(x: Array) -> str:
    """A table of what is known of an array, with a picture of its chunks."""
    try:
        picture = svg(x.chunks)
    except NotImplementedError:
        picture = ""
    unknown = any(has_unknown(sizes) for sizes in x.chunks) or any(map(is_unknown, x.shape))
    whole = "unknown" if unknown else format_bytes(x.nbytes)
    largest = "unknown" if unknown else format_bytes(math.prod(x.chunksize) * x.itemsize)
    layers = len(x.dask.layers)
    # How much memory sparse arrays take is not a matter of their shape.
    dense = not hasattr(x._meta, "nnz")
    rows = [
        *([("Bytes", whole, largest)] if dense else []),
        ("Shape", str(x.shape), str(x.chunksize)),
        ("Graph", f"{x.npartitions} chunks in {layers} layers", ""),
        ("Data type", str(x.dtype), chunk_type_name(x._meta)),
    ]
    body = "\n".join(
        f"        <tr><th>{html.escape(title)}</th><td>{html.escape(one)}</td>"
        f"<td>{html.escape(other)}</td></tr>"
        for title, one, other in rows
    )
    return f"""<table>
  <tr>
    <td>
      <table style="border-collapse: collapse;">
        <thead><tr><th>{html.escape(key_split(x.name))}</th><th>Array</th><th>Chunk</th></tr></thead>
        <tbody>
{body}
        </tbody>
      </table>
    </td>
    <td>
{picture}
    </td>
  </tr>
</table>"""
