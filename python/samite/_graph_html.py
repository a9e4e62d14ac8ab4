"""How graphs of layers appear in notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samite.highlevelgraph import HighLevelGraph, Layer

_MATERIALIZED_COLOR = "#8c8c8c"
_RULE_COLOR = "#2f7f79"


def _svg_box(color: str) -> str:
    return (
        '<svg width="12" height="12" xmlns="http://www.w3.org/2000/svg">'
        f'<rect x="1" y="1" width="10" height="10" rx="2" fill="{color}"/></svg>'
    )


def _table(rows: dict[str, Any]) -> str:
    cells = "".join(
        f'<tr><th style="text-align: left">{escape(str(name))}</th>'
        f'<td style="text-align: left">{escape(str(value))}</td></tr>'
        for name, value in rows.items()
    )
    return f"<table>{cells}</table>"


def layer_html(
    layer: Layer, layer_index: Any = "", highlevelgraph_key: str = "", dependencies: Any = ()
) -> str:
    """A foldable card with the facts about one layer; well-formed XML.

    Parameters
    ----------
    layer:
        The layer.
    layer_index:
        Its number in the graph.
    highlevelgraph_key:
        Its name.
    dependencies:
        The names of the layers it needs.
    """
    color = _MATERIALIZED_COLOR if layer.is_materialized() else _RULE_COLOR
    facts: dict[str, Any] = dict(layer.layer_info_dict())
    if dependencies:
        facts["depends on"] = ", ".join(map(str, dependencies))
    title = f"Layer{layer_index}: {short_name(highlevelgraph_key)}".rstrip(": ")
    chunks = (layer.collection_annotations or {}).get("chunks")
    drawing = ""
    if chunks is not None:
        drawing = f"<p>chunks: {escape(_short(chunks))}</p>"
    return (
        "<div><details><summary style='cursor: pointer'>"
        f"{_svg_box(color)} <strong>{escape(title)}</strong></summary>"
        f"<p><code>{escape(str(highlevelgraph_key))}</code></p>{_table(facts)}{drawing}"
        "</details></div>"
    )


def _short(value: Any, limit: int = 200) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def short_name(name: Any) -> str:
    """A layer's name without the hash at its end."""
    from samite.utils import key_split

    return key_split(name) if name else ""


def graph_html(graph: HighLevelGraph) -> str:
    """A card for the graph that holds one for each of its layers; well-formed XML."""
    names = graph._toposort_layers()
    number = {name: i for i, name in enumerate(names)}
    cards = "".join(
        layer_html(
            graph.layers[name],
            f" {number[name]}",
            name,
            sorted(graph.dependencies[name], key=number.__getitem__),
        )
        for name in names
    )
    return (
        "<div><p><strong>HighLevelGraph</strong></p>"
        f"<p>{len(names)} layers, {len(graph)} tasks</p>"
        f"<div style='margin-left: 1em'>{cards}</div></div>"
    )
