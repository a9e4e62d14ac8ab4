"""Pictures of task graphs.

Three engines draw them. ``"samite"``, the default, lays the graph out itself and writes SVG, PDF
and DOT without any further package, and PNG or JPEG with Pillow. ``"graphviz"`` uses the library
of that name, ``"cytoscape"`` makes an interactive widget with ipycytoscape.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

__all__ = [
    "Drawing",
    "box_label",
    "cytoscape_graph",
    "dot_graph",
    "draw_layers",
    "graphviz_to_file",
    "label",
    "name",
    "task_label",
    "to_graphviz",
    "visualize_graph",
]

_FORMATS = ("png", "pdf", "dot", "svg", "jpeg", "jpg")
_LIMIT = 2000

_GRAPHVIZ_MISSING = (
    "The graphviz engine needs the Python package and the system programs of Graphviz:\n\n"
    "  python -m pip install graphviz    # and the system's own package of the same name\n\n"
    "The default engine, 'samite', needs neither."
)
_CYTOSCAPE_MISSING = (
    "The cytoscape engine needs ipycytoscape:\n\n  python -m pip install ipycytoscape"
)


class Drawing:
    """A finished drawing, shown by notebooks; returned where IPython is not installed.

    Attributes
    ----------
    data : str or bytes
        The content of the file: text for SVG, bytes for PNG and JPEG.
    format : str
    filename : str or None
        Where it was written.
    """

    def __init__(self, data: str | bytes, format: str, filename: str | None) -> None:
        self.data = data
        self.format = format
        self.filename = filename

    def __repr__(self) -> str:
        place = f"in {self.filename!r}" if self.filename else "in memory"
        return f"<Drawing of a task graph, {self.format}, {place}>"

    def _repr_svg_(self) -> str | bytes | None:
        return self.data if self.format == "svg" else None

    def _repr_png_(self) -> str | bytes | None:
        return self.data if self.format == "png" else None

    def _repr_jpeg_(self) -> str | bytes | None:
        return self.data if self.format in ("jpg", "jpeg") else None


# ---------------------------------------------------------------------------------------------
# Labels


def task_label(task: Any) -> str:
    """A short label of a task: its function, and dots for tasks nested inside.

    >>> from operator import add
    >>> task_label((add, 1, 2)), task_label((add, (add, 1, 2), 3))
    ('add', 'add(...)')
    """
    from samite.utils import apply, funcname

    if hasattr(task, "dependencies") and hasattr(task, "key"):
        nested = getattr(task, "has_subgraph", None)
        return f"{task.key}(...)" if nested is not None and nested() else task.key
    function = task[1] if task[0] is apply else task[0]
    composed = getattr(function, "funcs", None)
    nested = any(has_sub_tasks(argument) for argument in task[1:])
    if composed:
        nested = nested or len(composed) > 1
        function = composed[0]
    return funcname(function) + ("(...)" if nested else "")


def has_sub_tasks(task: Any) -> bool:
    """Whether a value is a legacy task or a nest of lists that holds one."""
    pending = [task]
    while pending:
        value = pending.pop()
        if type(value) is tuple and value and callable(value[0]):
            return True
        if isinstance(value, list):
            pending.extend(value)
    return False


def name(x: Any) -> str:
    """An identifier for Graphviz and Cytoscape, stable within a process."""
    try:
        return str(hash(x))
    except TypeError:
        return str(hash(str(x)))


_HEX_OR_UUID = re.compile(
    r"[0-9a-z]{32}|[0-9a-z]{8}-[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{12}"
)


def label(x: Any, cache: dict[str, int] | None = None) -> str:
    """A key as text with its tokens cut to ``#``.

    With a ``cache`` the tokens are numbered in the order in which they first appear, and the
    cache is extended.

    >>> label("x-81dc9bdb52d04dc20036dbd8313ed055-hello")
    'x-#-hello'
    """

    def shorten(match: re.Match) -> str:
        if cache is None:
            return "#"
        return f"#{cache.setdefault(match.group(), len(cache))}"

    return _HEX_OR_UUID.sub(shorten, str(x))


def box_label(key: Any, verbose: bool = False) -> str:
    """What the box of a key shows: the index of its chunk, or with ``verbose`` the whole key."""
    from samite._draw.picture import box_label as make

    return make(key, verbose)


# ---------------------------------------------------------------------------------------------
# Entry points


def visualize_graph(
    dsk: Mapping,
    filename: str | None = "mydask",
    format: str | None = None,
    *,
    engine: str | None = None,
    color: str | None = None,
    cmap: Any = None,
    maxval: float | None = None,
    order: Mapping | None = None,
    limit: int | None = None,
    **kwargs: Any,
) -> Any:
    """Draw a graph with the engine that was asked for, and show something about its tasks.

    Parameters
    ----------
    dsk : mapping
        The graph.
    filename, format
        See :func:`dot_graph`.
    engine : {"samite", "graphviz", "cytoscape", "ipycytoscape"}, optional
        By default the configuration's ``visualization.engine``, or ``"samite"``.
    color : str, optional
        What colours stand for: ``"order"`` (when a task runs), ``"ages"`` (how long its result is
        held), ``"freed"`` (how many results it lets go), ``"memoryincreases"``,
        ``"memorydecreases"``, ``"memorypressure"`` (results held when it runs), ``"cpath"`` (the
        critical path). With the prefix ``order-`` the order is written beside the value.
    cmap : str or callable, optional
        Colour map.
    maxval : float, optional
        Value of the last colour; by default the largest.
    order : mapping, optional
        The order, if it is known already.
    limit : int, optional
        Up to how many tasks single tasks are drawn by Samite's engine; a larger graph is drawn as
        one symbol for all tasks of a name. 2,000 by default.
    **kwargs
        Passed to the engine.

    Returns
    -------
    IPython display object, Drawing, widget or None
    """
    from samite import config

    if color is not None:
        from samite._draw.values import values_for

        values = values_for(dsk, color, order)
    else:
        values = None
    engine = engine or config.get("visualization.engine", None) or "samite"
    if engine == "samite":
        return _draw_own(
            dsk,
            filename,
            format,
            values=values,
            limit=limit,
            cmap=cmap,
            maxval=maxval,
            legend=color,
            **kwargs,
        )
    if engine not in ("graphviz", "cytoscape", "ipycytoscape"):
        raise ValueError(
            f"unknown visualization engine {engine!r}: "
            "there are 'samite', 'graphviz', 'cytoscape' and 'ipycytoscape'"
        )
    if values is not None:
        kwargs.update(values.attributes(cmap, maxval))
    if engine == "graphviz":
        return graphviz_to_file(to_graphviz(dsk, **kwargs), filename, format)
    return cytoscape_graph(dsk, filename, format, **kwargs)


def dot_graph(
    dsk: Mapping, filename: str | None = "mydask", format: str | None = None, **kwargs: Any
) -> Any:
    """Draw a graph.

    Parameters
    ----------
    dsk : mapping
        Keys to tasks.
    filename : str or None
        Where to write. An ending that names a format also chooses the format. With ``None``
        nothing is written.
    format : {"svg", "png", "jpeg", "jpg", "pdf", "dot"}, optional
        By default what the file name says, otherwise PNG where Pillow is installed and SVG where
        it is not.
    rankdir : {"BT", "TB", "LR", "RL"}
        Direction of the arrows.
    collapse_outputs : bool
        Draw a task without the box of its result.
    verbose : bool
        Label boxes with whole keys.
    limit : int, optional
        A graph of more tasks is drawn as one symbol for all tasks of a name.
    data_attributes, function_attributes : mapping, optional
        Attributes (``label``, ``color``, ``fillcolor``, ``shape``) of the symbols of a key.
    **kwargs
        See :func:`visualize_graph`; ``engine="graphviz"`` passes all of them on.

    Returns
    -------
    IPython.display.SVG, IPython.display.Image, Drawing or None
        What a notebook shows; ``None`` for PDF and DOT. A :class:`Drawing` where IPython is not
        installed.
    """
    return visualize_graph(dsk, filename, format, **kwargs)


def draw_layers(
    dependencies: Mapping[str, Any],
    counts: Mapping[str, int],
    filename: str | None = "mydask",
    format: str | None = None,
    **kwargs: Any,
) -> Any:
    """Draw a layered graph, one symbol a layer.

    Parameters
    ----------
    dependencies : mapping of name to names
        The layers that each layer needs.
    counts : mapping of name to int
        Number of tasks of each layer.
    filename, format, **kwargs
        As for :func:`dot_graph`.
    """
    from samite._draw.picture import layer_picture

    kwargs.setdefault("title", "layers of a task graph")
    return _write_picture(layer_picture(dependencies, counts), filename, format, **kwargs)


# ---------------------------------------------------------------------------------------------
# Samite's own engine


def _draw_own(
    dsk: Mapping,
    filename: str | None,
    format: str | None,
    *,
    values: Any = None,
    data_attributes: Mapping | None = None,
    function_attributes: Mapping | None = None,
    collapse_outputs: bool = False,
    verbose: bool = False,
    limit: int | None = None,
    **kwargs: Any,
) -> Any:
    from samite._draw.picture import group_picture, picture_of

    limit = _LIMIT if limit is None else limit
    if len(dsk) > limit:
        return _write_picture(group_picture(dsk, limit), filename, format, **kwargs)
    picture = picture_of(
        dsk,
        data_attributes=data_attributes,
        function_attributes=function_attributes,
        collapse_outputs=collapse_outputs,
        verbose=verbose,
    )
    if values is not None:
        values.paint(picture)
    return _write_picture(picture, filename, format, **kwargs)


def _write_picture(
    picture: Any,
    filename: str | None,
    format: str | None,
    *,
    rankdir: str = "BT",
    cmap: Any = None,
    maxval: float | None = None,
    legend: str | None = None,
    title: str = "task graph",
    graph_attr: Mapping | None = None,
    node_attr: Mapping | None = None,
    edge_attr: Mapping | None = None,
    **attributes: Any,
) -> Any:
    """Render in a format. Graphviz's attributes only have a meaning in DOT text."""
    filename, format = _target(filename, format)
    if format == "dot":
        from samite._draw.color import color_map
        from samite._draw.dotlang import dot_text

        found = [node.value for node in picture.nodes.values() if node.value is not None]
        data: str | bytes = dot_text(
            picture,
            {"rankdir": rankdir, **(graph_attr or {}), **attributes},
            {"fontname": "helvetica", **(node_attr or {})},
            edge_attr or {},
            color_map(cmap),
            max(1.0, maxval if maxval is not None else max(found, default=1.0)),
        )
    else:
        from samite._draw.scene import scene_of

        scene = scene_of(
            picture, rankdir=rankdir, cmap=cmap, maxval=maxval, legend=legend or "", title=title
        )
        data = _render(scene, format)
    return _save(data, filename, format)


def _render(scene: Any, format: str) -> str | bytes:
    if format == "svg":
        from samite._draw.svg import svg_text

        return svg_text(scene)
    if format == "pdf":
        from samite._draw.pdf import pdf_bytes

        return pdf_bytes(scene)
    from samite._draw.raster import raster_bytes

    return raster_bytes(scene, format)


def _target(filename: str | None, format: str | None) -> tuple[str | None, str]:
    """Full name of the file, and the format."""
    if filename is not None:
        filename = os.fspath(filename)
    if format is None:
        ending = os.path.splitext(filename or "")[1].lower().removeprefix(".")
        if ending in _FORMATS:
            return filename, ending
        format = "png" if _has_module("PIL") else "svg"
    if format not in _FORMATS:
        raise ValueError(f"unknown format {format!r}: there are {', '.join(_FORMATS)}")
    return (f"{filename}.{format}" if filename is not None else None), format


def _has_module(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def _save(data: str | bytes, filename: str | None, format: str) -> Any:
    if filename is not None:
        with open(filename, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
    return _displayed(data, filename, format)


def _displayed(data: str | bytes, filename: str | None, format: str) -> Any:
    """What a notebook shows for the drawing; nothing for formats that none can show."""
    if format in ("pdf", "dot"):
        return None
    try:
        from IPython import display
    except ImportError:
        return Drawing(data, format, filename)
    if format == "svg":
        return display.SVG(data=data)
    return display.Image(data=data, format="jpeg" if format == "jpg" else format)


# ---------------------------------------------------------------------------------------------
# Other engines


def to_graphviz(
    dsk: Mapping,
    data_attributes: Mapping | None = None,
    function_attributes: Mapping | None = None,
    rankdir: str = "BT",
    graph_attr: Mapping | None = None,
    node_attr: Mapping | None = None,
    edge_attr: Mapping | None = None,
    collapse_outputs: bool = False,
    verbose: bool = False,
    **kwargs: Any,
) -> Any:
    """The graph as a ``graphviz.Digraph``; ``ImportError`` where graphviz is not installed.

    See :func:`dot_graph` for the parameters; further ones become attributes of the graph.
    """
    graphviz = _import_graphviz()
    from samite._draw.color import color_map
    from samite._draw.dotlang import node_attributes
    from samite._draw.picture import picture_of

    picture = picture_of(
        dsk,
        data_attributes=data_attributes,
        function_attributes=function_attributes,
        collapse_outputs=collapse_outputs,
        verbose=verbose,
    )
    digraph = graphviz.Digraph(
        graph_attr=_texts({**(graph_attr or {}), "rankdir": rankdir, **kwargs}),
        node_attr=_texts({"fontname": "helvetica", **(node_attr or {})}),
        edge_attr=_texts(edge_attr or {}),
    )
    names = {ident: name(ident) for ident in picture.nodes}
    for ident, node in picture.nodes.items():
        digraph.node(names[ident], **node_attributes(node, color_map(), 1.0))
    for source, target in picture.edges:
        digraph.edge(names[source], names[target])
    return digraph


def _texts(attributes: Mapping) -> dict[str, str]:
    return {key: str(value) for key, value in attributes.items()}


def graphviz_to_file(g: Any, filename: str | None, format: str | None) -> Any:
    """Render a ``graphviz.Digraph``; parameters and result as for :func:`dot_graph`."""
    if format is None and os.path.splitext(filename or "")[1].lower()[1:] not in _FORMATS:
        format = "png"
    filename, format = _target(filename, format)
    data = g.pipe(format=format)
    if not data:
        raise RuntimeError(f"Graphviz returned an empty {format}: was it built without {format}?")
    return _save(data, filename, format)


def _to_cytoscape_json(
    dsk: Mapping,
    data_attributes: Mapping | None = None,
    function_attributes: Mapping | None = None,
    collapse_outputs: bool = False,
    verbose: bool = False,
    **kwargs: Any,
) -> dict[str, list]:
    """The graph as the elements that Cytoscape reads."""
    from samite._draw.picture import picture_of

    picture = picture_of(
        dsk,
        data_attributes=data_attributes,
        function_attributes=function_attributes,
        collapse_outputs=collapse_outputs,
        verbose=verbose,
    )
    nodes = [
        {
            "data": {
                "id": name(ident),
                "label": node.label,
                "shape": "rectangle" if node.kind == "data" else "ellipse",
                "color": "gray",
                **node.attributes,
            }
        }
        for ident, node in picture.nodes.items()
    ]
    edges = [
        {"data": {"source": name(source), "target": name(target)}}
        for source, target in picture.edges
    ]
    return {"nodes": nodes, "edges": edges}


def cytoscape_graph(
    dsk: Mapping,
    filename: str | None = "mydask",
    format: str | None = None,
    *,
    rankdir: str = "BT",
    node_sep: float = 10,
    edge_sep: float = 10,
    spacing_factor: float = 1,
    node_style: Mapping[str, str] | None = None,
    edge_style: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> Any:
    """An interactive widget of a graph.

    Parameters
    ----------
    dsk : mapping
    filename : str or None
        HTML file to write; the ending is added if it is missing.
    format
        Ignored: there is only HTML.
    rankdir, node_sep, edge_sep, spacing_factor
        Options of the ``dagre`` layout.
    node_style, edge_style : mapping, optional
        Style entries of Cytoscape that replace the defaults.
    **kwargs
        As for :func:`dot_graph`: attributes, ``collapse_outputs``, ``verbose``.

    Returns
    -------
    ipycytoscape.CytoscapeWidget
    """
    ipycytoscape = _import_cytoscape()
    widget = ipycytoscape.CytoscapeWidget(layout={"height": "480px"})
    widget.set_layout(
        name="dagre",
        rankDir=rankdir,
        nodeSep=node_sep,
        edgeSep=edge_sep,
        spacingFactor=spacing_factor,
        nodeDimensionsIncludeLabels=True,
    )
    widget.graph.add_graph_from_json(_to_cytoscape_json(dsk, **kwargs), directed=True)
    node = {
        "background-color": "#eef2f6",
        "border-color": "data(color)",
        "border-width": 3,
        "color": "#1b1f24",
        "font-family": "helvetica",
        "font-size": "20px",
        "height": 60,
        "label": "data(label)",
        "shape": "data(shape)",
        "text-halign": "center",
        "text-valign": "center",
        "width": 60,
        **(node_style or {}),
    }
    edge = {
        "curve-style": "bezier",
        "line-color": "#9aa5b1",
        "target-arrow-color": "#75818e",
        "target-arrow-shape": "triangle",
        "width": 5,
        **(edge_style or {}),
    }
    widget.set_style([{"selector": "node", "style": node}, {"selector": "edge", "style": edge}])
    if filename is not None:
        from ipywidgets.embed import embed_minimal_html

        target = filename if filename.endswith(".html") else f"{filename}.html"
        embed_minimal_html(target, views=[widget], title="Task graph")
    return widget


def _import_graphviz() -> Any:
    try:
        import graphviz
    except ImportError as error:
        raise ImportError(_GRAPHVIZ_MISSING) from error
    return graphviz


def _import_cytoscape() -> Any:
    try:
        import ipycytoscape
    except ImportError as error:
        raise ImportError(_CYTOSCAPE_MISSING) from error
    return ipycytoscape
