"""Pictures as text in the DOT language, for Graphviz and the many tools that read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from samite._draw.color import ColorMap
from samite._draw.picture import Node, Picture


def node_attributes(node: Node, colors: ColorMap, scale: float) -> dict[str, str]:
    """DOT attributes of a node: the caller's, completed by those of its kind."""
    attributes = {"label": node.label}
    if node.note:
        attributes["label"] = f"{node.label}\n{node.note}".strip()
    if node.value is not None:
        attributes["color"] = colors(node.value / scale)
        attributes["penwidth"] = "3"
    attributes.update({name: str(value) for name, value in node.attributes.items()})
    attributes.setdefault("shape", "circle" if node.kind == "function" else "box")
    return attributes


def dot_text(
    picture: Picture,
    graph_attr: Mapping[str, Any],
    node_attr: Mapping[str, Any],
    edge_attr: Mapping[str, Any],
    colors: ColorMap,
    scale: float,
) -> str:
    """A ``digraph`` with one statement a line."""
    lines = ["digraph {"]
    for kind, attributes in (("graph", graph_attr), ("node", node_attr), ("edge", edge_attr)):
        if attributes:
            lines.append(f"\t{kind} {_attribute_list(attributes)}")
    names = {ident: f"n{number}" for number, ident in enumerate(picture.nodes)}
    for ident, node in picture.nodes.items():
        attributes = node_attributes(node, colors, scale)
        lines.append(f"\t{names[ident]} {_attribute_list(attributes)}")
    for source, target in picture.edges:
        lines.append(f"\t{names[source]} -> {names[target]}")
    return "\n".join(lines) + "\n}\n"


def _attribute_list(attributes: Mapping[str, Any]) -> str:
    return "[" + " ".join(f"{name}={_quoted(value)}" for name, value in attributes.items()) + "]"


def _quoted(value: Any) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'
