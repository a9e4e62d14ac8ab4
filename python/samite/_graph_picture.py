"""Graphs of layers as ``graphviz`` objects, for those who have that package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samite.highlevelgraph import HighLevelGraph


def to_graphviz(
    hg: HighLevelGraph,
    data_attributes: Mapping[str, Mapping[str, str]] | None = None,
    function_attributes: Mapping[str, Mapping[str, str]] | None = None,
    rankdir: str = "BT",
    graph_attr: Mapping[str, str] | None = None,
    node_attr: Mapping[str, str] | None = None,
    edge_attr: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> Any:
    """A ``graphviz.Digraph`` with one node for each layer.

    Parameters
    ----------
    hg:
        The graph.
    data_attributes, function_attributes:
        Attributes of single nodes by the name of the layer; the latter win.
    rankdir:
        The direction of the arrows.
    graph_attr, node_attr, edge_attr:
        Attributes for the whole picture; further keywords are added to the first.
    """
    from samite._graph_html import short_name
    from samite.dot import _import_graphviz
    from samite.dot import name as node_name

    graphviz = _import_graphviz()
    digraph = graphviz.Digraph(
        graph_attr={"rankdir": rankdir, **(graph_attr or {}), **kwargs},
        node_attr={"shape": "box", "fontname": "helvetica", **(node_attr or {})},
        edge_attr=dict(edge_attr or {}),
    )
    for name, layer in hg.layers.items():
        facts = [f"A {name} layer"] + [f"{k}: {v}" for k, v in layer.layer_info_dict().items()]
        attributes = {
            "label": short_name(name),
            "tooltip": "\n".join(facts).replace('"', "'"),
            **(data_attributes or {}).get(name, {}),
            **(function_attributes or {}).get(name, {}),
        }
        digraph.node(node_name(name), **attributes)
    for name, needed in hg.dependencies.items():
        for other in needed:
            digraph.edge(node_name(other), node_name(name))
    return digraph
