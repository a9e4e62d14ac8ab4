"""Drawings of graphs: labels, pictures, layout, file formats, and the choice of engine."""

from __future__ import annotations

import itertools
import re
import sys
import zlib
from operator import add, neg
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
from samite._draw.color import color_map
from samite._draw.layout import layered_layout
from samite._draw.picture import group_picture, picture_of
from samite._draw.scene import Box, Curve, Text, scene_of
from samite._draw.text import shorten, text_width
from samite.dot import (
    Drawing,
    box_label,
    dot_graph,
    draw_layers,
    label,
    task_label,
    visualize_graph,
)

GRAPH = {
    "a": 1,
    "b": 2,
    "c": (neg, "a"),
    "d": (neg, "b"),
    "e": (add, "c", "d"),
    "f": (sum, ["a", "e"]),
}


def tree(leaves: int) -> dict:
    """A binary reduction of ``leaves`` sources."""
    graph = {("load", 0, i): (neg, i) for i in range(leaves)}
    level, width, below = 0, leaves, "load"
    while width > 1:
        width //= 2
        for i in range(width):
            graph["add", level + 1, i] = (add, (below, level, 2 * i), (below, level, 2 * i + 1))
        level, below = level + 1, "add"
    return graph


def without_ipython(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)


# ---- labels ----


def test_task_label():
    assert task_label((add, 1, 2)) == "add"
    assert task_label((add, [1, (neg, 2)], 2)) == "add(...)"


def test_label_numbers_tokens_with_a_cache():
    token, other = "0123456789abcdef" * 2, "fedcba9876543210" * 2
    assert label(f"x-{token}-y") == "x-#-y"
    cache: dict = {}
    assert label(f"x-{token}", cache) == "x-#0"
    assert label(f"x-{other}-{token}", cache) == "x-#1-#0"
    assert len(cache) == 2


def test_box_label():
    assert [box_label(key) for key in [("x", 1, 2), ("x", 7), "x"]] == ["(1, 2)", "7", ""]
    assert box_label("x", verbose=True) == "x"


def test_shorten_keeps_both_ends():
    text = "a_very_long_name_of_a_function"
    short = shorten(text, 12, 100)
    assert text_width(short, 12) <= 100
    assert short.startswith("a_very") and short.endswith("ion") and "..." in short
    assert shorten("short", 12, 100) == "short"


# ---- pictures ----


def test_picture_has_a_circle_and_a_box_for_each_task():
    picture = picture_of(GRAPH)
    kinds = [node.kind for node in picture.nodes.values()]
    assert kinds.count("function") == 4
    assert kinds.count("data") == 6
    assert (("data", "a"), ("function", "c")) in picture.edges
    assert (("function", "c"), ("data", "c")) in picture.edges
    assert len(picture.edges) == 6 + 4


def test_picture_with_collapsed_outputs():
    picture = picture_of(GRAPH, collapse_outputs=True, verbose=True)
    assert {node.label for node in picture.nodes.values()} == set("abcdef")
    assert (("function", "c"), ("function", "e")) in picture.edges
    assert len(picture.nodes) == 6


def test_unconnected_data_is_left_out_only_where_outputs_are_collapsed():
    graph = {**GRAPH, "g": 3}
    assert ("data", "g") in picture_of(graph).nodes
    assert ("data", "g") not in picture_of(graph, collapse_outputs=True).nodes


def test_alias_is_a_single_arrow():
    picture = picture_of({"x": 1, "y": "x"})
    assert picture.edges == [(("data", "x"), ("data", "y"))]


def test_graph_nodes_of_delayed():
    lazy = samite.delayed(add, pure=True)(samite.delayed(neg, pure=True)(1), 2)
    picture = picture_of(dict(lazy.__dask_graph__()))
    functions = [node.label for node in picture.nodes.values() if node.kind == "function"]
    assert sorted(functions) == ["add", "neg"]


def test_attributes_are_not_changed():
    attributes = {"c": {"label": "negative"}}
    picture = picture_of(GRAPH, function_attributes=attributes)
    assert picture.nodes["function", "c"].label == "negative"
    assert attributes == {"c": {"label": "negative"}}


def test_groups_of_a_large_graph():
    picture = group_picture(tree(64), max_groups=10)
    assert {(node.label, node.note) for node in picture.nodes.values()} == {
        ("load", "64 tasks"),
        ("add", "63 tasks"),
    }
    assert picture.edges == [(("group", "load"), ("group", "add"))]
    with pytest.raises(ValueError, match=r"300 tasks .*limit=10"):
        group_picture({f"name{chr(97 + i % 26)}{i}x": 1 for i in range(300)}, max_groups=10)


# ---- layout ----


@st.composite
def acyclic_graphs(draw):
    count = draw(st.integers(1, 25))
    sizes = draw(
        st.lists(st.tuples(st.floats(5, 120), st.floats(5, 40)), min_size=count, max_size=count)
    )
    pairs = [(i, j) for j in range(count) for i in range(j)]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=60, unique=True)) if pairs else []
    return sizes, edges


@given(acyclic_graphs(), st.sampled_from(["TB", "BT", "LR", "RL"]))
@settings(max_examples=150, deadline=None)
def test_layout_keeps_nodes_apart_and_inside_and_edges_in_their_direction(graph, direction):
    sizes, edges = graph
    layout = layered_layout(sizes, edges, direction=direction)
    for (x, y), (width, height) in zip(layout.centres, sizes, strict=True):
        assert -1e-6 <= x - width / 2 and x + width / 2 <= layout.width + 1e-6
        assert -1e-6 <= y - height / 2 and y + height / 2 <= layout.height + 1e-6
    for i, j in itertools.combinations(range(len(sizes)), 2):
        (x0, y0), (x1, y1) = layout.centres[i], layout.centres[j]
        across = (sizes[i][0] + sizes[j][0]) / 2 - abs(x0 - x1)
        along = (sizes[i][1] + sizes[j][1]) / 2 - abs(y0 - y1)
        assert across < 1e-6 or along < 1e-6
    axis, sign = {"TB": (1, 1), "BT": (1, -1), "LR": (0, 1), "RL": (0, -1)}[direction]
    for (source, target), route in zip(edges, layout.routes, strict=True):
        assert route[0] == layout.centres[source]
        assert route[-1] == layout.centres[target]
        heights = [sign * point[axis] for point in route]
        assert heights == sorted(heights)


def test_a_tree_is_drawn_without_crossings():
    sizes = [(30.0, 20.0)] * 63
    edges = [(child, (child - 1) // 2) for child in range(1, 63)]
    # Scramble the numbering, which must not matter: 5 has no factor in common with 63.
    new = [(5 * i + 3) % 63 for i in range(63)]
    edges = [(new[a], new[b]) for a, b in edges]
    layout = layered_layout(sizes, edges, direction="BT")
    by_rank: dict[float, list] = {}
    for source, target in edges:
        (x0, y0), (x1, _) = layout.centres[source], layout.centres[target]
        by_rank.setdefault(y0, []).append((x0, x1))
    for pairs in by_rank.values():
        pairs.sort()
        assert [end for _, end in pairs] == sorted(end for _, end in pairs)
    widest = max(len(pairs) for pairs in by_rank.values())
    assert widest == 32


def test_a_chain_is_straight_and_may_be_deep():
    count = 20_000
    layout = layered_layout(
        [(20.0, 20.0)] * count, [(i, i + 1) for i in range(count - 1)], direction="TB"
    )
    assert {x for x, _ in layout.centres} == {10.0}
    heights = [y for _, y in layout.centres]
    assert heights == sorted(heights)


def test_cycles_are_drawn_with_an_edge_backwards():
    layout = layered_layout([(10.0, 10.0)] * 3, [(0, 1), (1, 2), (2, 0), (1, 1)], direction="TB")
    ranks = sorted({y for _, y in layout.centres})
    assert len(ranks) == 3
    assert layout.routes[2][0] == layout.centres[2]
    assert layout.routes[2][-1] == layout.centres[0]


def test_unknown_direction():
    with pytest.raises(ValueError, match="'UP'"):
        layered_layout([(1.0, 1.0)], [], direction="UP")


def test_separate_parts_are_packed_into_a_block():
    layout = layered_layout([(30.0, 30.0)] * 400, [])
    assert 0.5 < layout.width / layout.height < 3


# ---- scenes and files ----


def test_scene_has_a_shape_for_each_symbol_and_fits():
    scene = scene_of(picture_of(GRAPH, verbose=True))
    boxes = [shape for shape in scene.shapes if isinstance(shape, Box)]
    assert len(boxes) == 10
    assert sum(isinstance(shape, Curve) for shape in scene.shapes) == 10
    assert sum(box.radius == box.height / 2 for box in boxes) == 4
    for box in boxes:
        assert 0 <= box.x and box.x + box.width <= scene.width
    texts = {shape.text for shape in scene.shapes if isinstance(shape, Text)}
    assert texts == set("abcdef")


def test_svg_is_xml_with_tooltips(tmp_path):
    dot_graph({'<"&>': (neg, 1)}, str(tmp_path / "g.svg"), verbose=True)
    root = ElementTree.parse(tmp_path / "g.svg").getroot()
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles.count('<"&>') == 2
    assert "http" not in (tmp_path / "g.svg").read_text().replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("ending, kind", [("png", "PNG"), ("jpg", "JPEG"), ("jpeg", "JPEG")])
def test_bitmaps(tmp_path, ending, kind):
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / f"g.{ending}"
    dot_graph(GRAPH, str(path))
    picture = image.open(path)
    assert picture.format == kind
    scene = scene_of(picture_of(GRAPH))
    assert picture.size == (round(scene.width * 4) // 2, round(scene.height * 4) // 2)
    colors = picture.convert("RGB").getcolors(1 << 20)
    assert len(colors) > 50  # something was painted


def test_pdf_has_a_valid_table_of_its_parts(tmp_path):
    assert dot_graph(GRAPH, str(tmp_path / "g.pdf"), verbose=True) is None
    data = (tmp_path / "g.pdf").read_bytes()
    assert data.startswith(b"%PDF-1.")
    start = int(re.search(rb"startxref\n(\d+)", data).group(1))
    assert data[start:].startswith(b"xref")
    offsets = [int(found) for found in re.findall(rb"(\d{10}) 00000 n", data)]
    for number, offset in enumerate(offsets, start=1):
        assert data[offset:].startswith(b"%d 0 obj" % number)
    stream = re.search(rb"stream\n(.*)\nendstream", data, re.DOTALL).group(1)
    content = zlib.decompress(stream).decode("cp1252")
    assert set(re.findall(r"\((.)\) Tj", content)) == set("abcdef")


def test_dot_text(tmp_path):
    dot_graph(
        GRAPH,
        str(tmp_path / "g.dot"),
        rankdir="LR",
        node_attr={"color": "red"},
        function_attributes={"c": {"label": 'say "c"'}},
    )
    text = (tmp_path / "g.dot").read_text()
    assert text.startswith("digraph {") and text.endswith("}\n")
    assert 'rankdir="LR"' in text and 'color="red"' in text
    assert r'label="say \"c\"" shape="circle"' in text
    assert text.count("->") == 10


@pytest.mark.parametrize(
    "filename, format, written",
    [
        ("g", "svg", "g.svg"),
        ("g.pdf", None, "g.pdf"),
        ("g.pdf", "svg", "g.pdf.svg"),
        ("g.x.SVG", None, "g.x.SVG"),
    ],
)
def test_file_names(tmp_path, filename, format, written):
    dot_graph(GRAPH, str(tmp_path / filename), format=format)
    assert [path.name for path in tmp_path.iterdir()] == [written]


def test_nothing_is_written_without_a_name(tmp_path, monkeypatch):
    without_ipython(monkeypatch)
    monkeypatch.chdir(tmp_path)
    drawing = dot_graph(GRAPH, filename=None, format="svg")
    assert isinstance(drawing, Drawing)
    assert drawing._repr_svg_().startswith("<svg")
    assert drawing._repr_png_() is None
    assert not list(tmp_path.iterdir())


def test_default_format_depends_on_pillow(tmp_path, monkeypatch):
    without_ipython(monkeypatch)
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)
    assert dot_graph(GRAPH).filename == "mydask.png"
    monkeypatch.setattr("samite.dot._has_module", lambda module: False)
    assert dot_graph(GRAPH).filename == "mydask.svg"


def test_bitmaps_without_pillow_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="pip install pillow"):
        dot_graph(GRAPH, filename=None, format="png")


def test_unknown_format_and_engine():
    with pytest.raises(ValueError, match="'bmp'"):
        dot_graph(GRAPH, filename=None, format="bmp")
    with pytest.raises(ValueError, match="'not-real'"):
        visualize_graph(GRAPH, filename=None, engine="not-real")


def test_engine_of_the_configuration():
    with samite.config.set({"visualization.engine": "not-real"}), pytest.raises(ValueError):
        visualize_graph(GRAPH, filename=None)


@pytest.mark.parametrize(
    "module, engine", [("graphviz", "graphviz"), ("ipycytoscape", "cytoscape")]
)
def test_missing_engines_say_what_to_install(monkeypatch, module, engine):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=f"pip install {module}"):
        visualize_graph(GRAPH, filename=None, engine=engine)


# ---- colours ----


def test_color_maps():
    assert color_map("viridis")(0) == "#440154"
    assert color_map("viridis_r")(0) == color_map("viridis")(1) == "#fde725"
    assert color_map(lambda value: (value, 0, 0, 1))(0.5) == "#800000"
    with pytest.raises(ValueError, match="no-such-map"):
        color_map("no-such-map")


def test_color_by_order(monkeypatch):
    without_ipython(monkeypatch)
    drawing = visualize_graph(tree(4), filename=None, format="svg", color="order", cmap="viridis")
    root = ElementTree.fromstring(drawing.data)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {str(number) for number in range(7)} <= set(texts)  # each task shows its place
    assert "order" in texts  # and the legend its meaning
    assert "#440154" in drawing.data and "#fde725" in drawing.data


@pytest.mark.parametrize(
    "color", ["ages", "freed", "memoryincreases", "memorydecreases", "memorypressure", "cpath"]
)
def test_other_meanings_of_colors(monkeypatch, color):
    without_ipython(monkeypatch)
    for word in (color, f"order-{color}"):
        drawing = visualize_graph(tree(4), filename=None, format="svg", color=word)
        assert f">{word}<" in drawing.data


def test_unknown_meaning_of_colors():
    with pytest.raises(NotImplementedError, match="'mood'"):
        visualize_graph(GRAPH, filename=None, color="mood")


def test_a_large_graph_is_drawn_by_name(monkeypatch):
    without_ipython(monkeypatch)
    graph = tree(2048)
    drawing = visualize_graph(graph, filename=None, format="svg", color="order")
    assert f"{len(graph):,} tasks, drawn as 2 groups" in drawing.data
    whole = visualize_graph(tree(8), filename=None, format="svg", limit=5)
    assert "15 tasks, drawn as 2 groups" in whole.data


def test_layers(monkeypatch):
    without_ipython(monkeypatch)
    drawing = draw_layers({"a": set(), "b": {"a"}}, {"a": 1, "b": 2500}, None, "svg")
    assert ">1 task<" in drawing.data and ">2,500 tasks<" in drawing.data
