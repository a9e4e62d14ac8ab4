"""Colour maps and palettes, without matplotlib unless a map is asked for that is not here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_STOPS = {
    "viridis": "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725",
    "plasma": "0d0887 46039f 7201a8 9c179e bd3786 d8576b ed7953 fb9f3a fdca26 f0f921",
    "rdbu": "67001f b2182b d6604d f4a582 fddbc7 f7f7f7 d1e5f0 92c5de 4393c3 2166ac 053061",
    "blues": "f7fbff deebf7 c6dbef 9ecae1 6baed6 4292c6 2171b5 08519c 08306b",
    "greys": "ffffff f0f0f0 d9d9d9 bdbdbd 969696 737373 525252 252525 000000",
}

# Light fills that keep black text legible, as (fill, border).
PASTELS = [
    ("#dbe9fb", "#4a7fc1"),
    ("#fde6cd", "#d0853a"),
    ("#d9f0dc", "#4c9a5b"),
    ("#f9dadd", "#c75764"),
    ("#e7def5", "#8467b8"),
    ("#eee3d8", "#9a7558"),
    ("#fbdff0", "#c566a0"),
    ("#e2e6ea", "#6f7c88"),
    ("#f1efc4", "#a09a2f"),
    ("#d3f0f4", "#3a9aa8"),
]

ColorMap = Callable[[float], str]


def hex_color(rgb: Sequence[float]) -> str:
    """``#rrggbb`` of three floats between 0 and 1."""
    return "#" + "".join(f"{round(min(max(part, 0.0), 1.0) * 255):02x}" for part in rgb[:3])


def parse_color(color: str) -> tuple[int, int, int]:
    """The bytes of ``#rrggbb``."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def color_map(name: str | Callable | None = None) -> ColorMap:
    """A function from 0..1 to ``#rrggbb``.

    Parameters
    ----------
    name : str or callable, optional
        A built-in map (viridis, plasma, RdBu, Blues, Greys; also with the suffix ``_r``), any
        map of matplotlib where that is installed, or a callable from a float to RGB(A) floats.

    Raises
    ------
    ValueError
        For a name that is not known.
    """
    if callable(name):
        return lambda value: hex_color(name(value))
    wanted = (name or "plasma").lower()
    plain = wanted.removesuffix("_r")
    if plain not in _STOPS:
        return _matplotlib_map(str(name))
    stops = [
        [int(stop[i : i + 2], 16) / 255 for i in (0, 2, 4)] for stop in _STOPS[plain].split(" ")
    ]
    if plain != wanted:
        stops.reverse()

    def interpolate(value: float) -> str:
        position = min(max(value, 0.0), 1.0) * (len(stops) - 1)
        index = min(int(position), len(stops) - 2)
        share = position - index
        pairs = zip(stops[index], stops[index + 1], strict=True)
        return hex_color([low + (high - low) * share for low, high in pairs])

    return interpolate


def _matplotlib_map(name: str) -> ColorMap:
    try:
        from matplotlib import colormaps
    except ImportError:
        known = ", ".join(sorted(_STOPS))
        raise ValueError(
            f"unknown colour map {name!r}: built in are {known}; "
            "others need matplotlib to be installed"
        ) from None
    try:
        chosen = colormaps[name]
    except KeyError:
        raise ValueError(f"unknown colour map {name!r}") from None
    return lambda value: hex_color(chosen(value))


def text_color_on(fill: str) -> str:
    """Black or white, whichever is easier to read on the fill."""
    red, green, blue = parse_color(fill)
    return "#1b1f24" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"
