"""Blockwise layers: which blocks go where, culling, renaming, and joining layers."""

from __future__ import annotations

import itertools
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samite import annotate, config, delayed
from samite._task_spec import DataNode, TaskRef, execute_graph
from samite.base import clone_key
from samite.blockwise import (
    BlockIndex,
    Blockwise,
    BlockwiseDepDict,
    blockwise,
    broadcast_dimensions,
    fuse_roots,
    lol_tuples,
    optimize_blockwise,
    rewrite_blockwise,
)
from samite.core import get
from samite.graph_manipulation import chunks
from samite.highlevelgraph import HighLevelGraph
from samite.layers import (
    ArrayBlockIdDep,
    ArrayChunkShapeDep,
    ArrayOverlapLayer,
    ArraySliceDep,
    ArrayValuesDep,
    DataFrameIOLayer,
)


def show(*args, **kwargs):
    """A text that tells exactly which arguments came."""
    options = "".join(f",{k}={v}" for k, v in sorted(kwargs.items()))
    return f"({','.join(map(_text, args))}{options})"


def _text(arg):
    return f"[{','.join(map(_text, arg))}]" if isinstance(arg, list) else str(arg)


def source(name, *counts):
    return {
        (name, *block): DataNode((name, *block), name + "".join(map(str, block)))
        for block in itertools.product(*map(range, counts))
    }


def run(layer, *sources):
    return get({**dict(layer), **{k: v for s in sources for k, v in s.items()}}, sorted(layer))


@pytest.mark.parametrize(
    "out, x, y, nx, ny, expected",
    [
        ("i", "i", "i", (2,), (2,), ["(x0,y0)", "(x1,y1)"]),
        ("i", "i", "i", (2,), (1,), ["(x0,y0)", "(x1,y0)"]),
        ("ij", "i", "j", (2,), (1,), ["(x0,y0)", "(x1,y0)"]),
        ("i", "ij", "j", (1, 2), (2,), ["([x00,x01],[y0,y1])"]),
        ("i", "ij", "j", (1, 2), (1,), ["([x00,x01],[y0,y0])"]),
        ("", "i", "", (2,), (), ["([x0,x1],y)"]),
        ("ik", "ij", "jk", (1, 2), (2, 1), ["([x00,x01],[y00,y10])"]),
    ],
)
def test_which_blocks_go_where(out, x, y, nx, ny, expected):
    layer = blockwise(show, "z", out, "x", x, "y", y, numblocks={"x": nx, "y": ny})
    assert len(layer) == len(layer.get_output_keys()) == len(expected)
    assert all(key in layer for key in layer.get_output_keys())
    assert not layer.is_materialized()
    assert list(run(layer, source("x", *nx), source("y", *ny))) == expected
    assert layer.is_materialized()


def test_blocks_that_do_not_fit():
    with pytest.raises(ValueError, match="do not align"):
        blockwise(show, "z", "i", "x", "i", "y", "i", numblocks={"x": (2,), "y": (3,)}).dims
    with pytest.raises(ValueError, match="pairs"):
        blockwise(show, "z", "i", "x", numblocks={"x": (2,)})


def test_constants_references_and_collections():
    ten = delayed(10)
    layer = blockwise(
        show, "z", "i", "x", "i", [1, 2], None, TaskRef("key"), None, ten, None,
        numblocks={"x": (1,)}, option=ten, other=TaskRef("key"),
    )  # fmt: skip
    graph = {**layer, **source("x", 1), "key": "value", **ten.__dask_graph__()}
    assert get(graph, ("z", 0)) == "(x0,[1,2],value,10,option=10,other=value)"
    _, dependencies = layer.cull({("z", 0)}, graph)
    assert dependencies == {("z", 0): {("x", 0), "key", ten.key}}
    assert layer.get_dependencies(("z", 0), {"key"}) == {"key"}


def test_concatenate():
    blocks = {("x", i, j): np.full((1, 2), 10 * i + j) for i in range(2) for j in range(2)}
    layer = blockwise(lambda a: a, "z", "", "x", "ij", numblocks={"x": (2, 2)}, concatenate=True)
    (result,) = run(layer, blocks)
    assert result.tolist() == [[0, 0, 1, 1], [10, 10, 11, 11]]


def test_new_axes():
    layer = blockwise(show, "z", "iq", "x", "i", numblocks={"x": (1,)}, new_axes={"q": (3, 4)})
    assert layer.get_output_keys() == {("z", 0, 0), ("z", 0, 1)}


def test_inputs_made_for_each_block():
    table = BlockwiseDepDict({(0,): "a", (1,): TaskRef("key")}, produces_keys=True)
    layer = blockwise(show, "z", "i", table, "i", BlockIndex((2,)), "i", numblocks={})
    assert run(layer, {"key": "b"}) == ("(a,(0,))", "(b,(1,))")
    assert layer.cull({("z", 1)}, ())[1] == {("z", 1): {"key"}}
    assert pickle.loads(pickle.dumps(layer)).get_output_keys() == layer.get_output_keys()


def test_array_inputs():
    sizes = ((2, 3), (4,))
    assert ArrayChunkShapeDep(sizes)[1, 0] == (3, 4)
    assert ArraySliceDep(sizes)[1, 0] == (slice(2, 5), slice(0, 4))
    assert ArrayBlockIdDep(sizes)[1, 0] == (1, 0)
    assert ArrayValuesDep(sizes, {(1, 0): "v"})[1, 0] == "v"


@pytest.mark.parametrize("depth", [{0: 1, 1: 2}, {0: (0, 1)}, {0: 2, 1: (1, 0)}])
def test_overlap_layer(depth):
    whole = np.arange(48).reshape(6, 8)
    sizes = ((2, 2, 2), (4, 4))
    cuts = ArraySliceDep(sizes)
    blocks = {
        ("x", i, j): DataNode(("x", i, j), whole[cuts[i, j]]) for i in range(3) for j in range(2)
    }
    layer = ArrayOverlapLayer("x", depth, sizes, (3, 2), "t")
    pairs = {a: d if isinstance(d, tuple) else (d, d) for a, d in depth.items()}
    for i, j in itertools.product(range(3), range(2)):
        expected = whole[
            tuple(
                slice(max(0, s.start - pairs.get(a, (0, 0))[0]), s.stop + pairs.get(a, (0, 0))[1])
                for a, s in enumerate(cuts[i, j])
            )
        ]
        result = get({**layer, **blocks}, ("overlap-t", i, j))
        assert np.array_equal(result, expected)


def test_io_layer_projects_columns():
    class Reader:
        def __init__(self, columns=None):
            self.columns = columns

        def project_columns(self, columns):
            return Reader(columns)

        def __call__(self, part):
            return (part, self.columns)

    layer = DataFrameIOLayer("io", None, ["p0", "p1"], Reader(), label="read")
    assert run(layer) == (("p0", None), ("p1", None))
    fewer = layer.project_columns(["a"])
    assert fewer.columns == ["a"] and fewer.name.startswith("read-")
    assert run(fewer) == (("p0", ["a"]), ("p1", ["a"]))
    assert fewer.project_columns(["b"]) is fewer


def test_lol_tuples_and_broadcast_dimensions():
    assert lol_tuples(("x",), "ij", {"i": 1, "j": 0}, {}) == ("x", 1, 0)
    assert lol_tuples(("x",), "ij", {"i": 1}, {"j": [0, 1]}) == [("x", 1, 0), ("x", 1, 1)]
    assert broadcast_dimensions([("x", "ij"), ("y", "ji")], {"x": (2, 1), "y": (3, 1)}) == {
        "i": 2,
        "j": 3,
    }


# ---------------------------------------------------------------------------------------
# Copies


def test_clone_renames_output_inputs_and_references():
    layer = blockwise(show, "z", "i", "x", "i", numblocks={"x": (2,)}, k=TaskRef("key"))
    keys = {("z", 0), ("z", 1), ("x", 0), ("x", 1), "key"}
    copy, bound = layer.clone(keys, seed=1, bind_to="first")
    assert not bound and isinstance(copy, Blockwise)
    name = {k: clone_key(k, 1) for k in ("z", "x", "key")}
    assert copy[name["z"], 1].dependencies == {(name["x"], 1), name["key"]}


def test_clone_binds_leaves():
    layer = blockwise(show, "z", "i", "x", "i", numblocks={"x": (2,)})
    copy, bound = layer.clone({("z", 0), ("z", 1)}, seed=1, bind_to="first")
    assert bound
    task = copy[clone_key("z", 1), 0]
    assert task.func is chunks.bind
    assert task.dependencies == {("x", 0), "first"}
    assert task({("x", 0): "value", "first": None}) == "(value)"


# ---------------------------------------------------------------------------------------
# Joining


def layered(*layers, **sources):
    everything = {**sources, **{layer.output: layer for layer in layers}}
    dependencies = {name: set() for name in sources} | {
        layer.output: {arg for arg, ind in layer.indices if ind is not None and arg in everything}
        for layer in layers
    }
    return HighLevelGraph(everything, dependencies)


def kinds(graph):
    return Counter(type(layer).__name__ for layer in graph.layers.values())


def step(output, *inputs, n=2, **kwargs):
    pairs = [part for name in inputs for part in (name, "i")]
    return blockwise(show, output, "i", *pairs, numblocks=dict.fromkeys(inputs, (n,)), **kwargs)


def test_chains_and_diamonds_become_one_layer():
    graph = layered(
        step("a", "src"), step("b", "a", k=1), step("c", "a"), step("d", "b", "c"), step("e", "d"),
        src=source("src", 2),
    )  # fmt: skip
    fused = optimize_blockwise(graph, [("e", 0), ("e", 1)])
    assert kinds(fused) == {"MaterializedLayer": 1, "Blockwise": 1}
    assert fused.dependencies["e"] == {"src"}
    keys = [("e", 0), ("e", 1)]
    assert get(fused, keys) == get(graph, keys)
    # The shared layer runs once for each block.
    inner = fused.layers["e"]["e", 0].args[0]
    assert len(inner) == 5


def test_wanted_layers_stay():
    graph = layered(step("a", "src"), step("b", "a"), step("c", "b"), src=source("src", 2))
    fused = optimize_blockwise(graph, ["b", [("c", 0)]])
    assert set(fused.layers) == {"src", "b", "c"}


def test_layers_that_others_use_stay():
    graph = layered(step("a", "src"), step("b", "a"), step("c", "a"), src=source("src", 2))
    assert set(optimize_blockwise(graph).layers) == {"src", "a", "b", "c"}


def test_work_is_not_done_twice():
    def twice_used(ind1, ind2, out):
        return layered(
            blockwise(show, "a", "ij", "src", "ij", numblocks={"src": (2, 2)}),
            blockwise(show, "b", out, "a", ind1, "a", ind2, numblocks={"a": (2, 2)}),
            src=source("src", 2, 2),
        )

    assert len(optimize_blockwise(twice_used("ij", "ij", "ij")).layers) == 2
    assert len(optimize_blockwise(twice_used("ij", "ji", "ij")).layers) == 3
    assert len(optimize_blockwise(twice_used("ij", "ij", "i")).layers) == 3


def test_annotations_decide():
    def chain():
        with annotate(retries=2, workers=["a", "b"], resources={"GPU": 1}):
            first = step("a", "src")
        with annotate(retries=1, workers=["b", "c"], resources={"GPU": 2, "M": 1}, priority=3):
            second = step("b", "a")
        with annotate(custom=1):
            third = step("c", "b")
        return layered(first, second, third, src=source("src", 2))

    fused = optimize_blockwise(chain())
    assert set(fused.layers) == {"src", "b", "c"}
    assert fused.layers["b"].annotations == {
        "retries": 2,
        "workers": ["b"],
        "resources": {"GPU": 2, "M": 1},
        "priority": 3,
    }
    assert fused.layers["c"].annotations == {"custom": 1}
    with config.set({"optimization.annotations.fuse": False}):
        assert len(optimize_blockwise(chain()).layers) == 4


INDICES = ("i", "j", "ij", "ji")


@st.composite
def stacks(draw):
    """Layers on top of each other, with any indices, over one source of 2 x 2 blocks."""
    layers = []
    shape = {"src": "ij"}
    for n in range(draw(st.integers(1, 6))):
        names = draw(st.lists(st.sampled_from(sorted(shape)), min_size=1, max_size=2))
        output_indices = draw(st.sampled_from(INDICES))
        pairs = []
        for name in names:
            letters = draw(st.permutations("ijk"))[: len(shape[name])]
            pairs += [name, tuple(letters)]
        used = {letter for ind in pairs[1::2] for letter in ind}
        missing = {letter: 5 for letter in output_indices if letter not in used}
        layers.append(
            blockwise(
                show,
                f"l{n}",
                output_indices,
                *pairs,
                n,
                None,
                new_axes=missing,
                numblocks={name: counts(shape, layers, name) for name in names},
            )  # fmt: skip
        )
        shape[f"l{n}"] = output_indices
    return layers


def counts(shape, layers, name):
    if name == "src":
        return (2, 2)
    (layer,) = (each for each in layers if each.output == name)
    return tuple(layer.dims[i] for i in layer.output_indices)


@given(stacks(), st.data())
def test_joining_keeps_the_results(layers, data):
    try:
        graph = layered(*layers, src=source("src", 2, 2))
        keys = sorted(layers[-1].get_output_keys())
    except ValueError:
        return  # The drawn indices do not fit each other.
    extra = data.draw(st.lists(st.sampled_from([layer.output for layer in layers]), max_size=2))
    fused = optimize_blockwise(graph, [*keys, *extra])
    assert get(fused, keys) == get(graph, keys)
    wanted = data.draw(st.sampled_from(keys))
    culled = fused.cull([wanted])
    assert get(culled, wanted) == get(graph, wanted)
    culled.validate()


def test_rewrite_renames_inner_indices():
    inner = blockwise(show, "b", "i", "a", "ij", numblocks={"a": (1, 2)})
    outer = blockwise(show, "c", "j", "b", "j", numblocks={"b": (1,)})
    joined = rewrite_blockwise([inner, outer])
    ((name, ind),) = joined.indices
    assert name == "a" and ind[0] == "j" and ind[1] not in "ij"
    assert run(joined, source("a", 1, 2)) == ("(([a00,a01]))",)


def test_fuse_roots():
    graph = layered(
        step("z", "x", "y"),
        x={("x", i): (str, i) for i in range(2)},
        y={("y", i): (str, 10 * i) for i in range(2)},
    )
    fused = fuse_roots(graph, [("z", 0), ("z", 1)])
    assert set(fused.layers) == {"z"}
    assert get(fused, [("z", 0), ("z", 1)]) == ("(0,0)", "(1,10)")


def test_a_joined_layer_of_many():
    n = 300
    layers = [step("l0", "src")] + [step(f"l{i}", f"l{i - 1}") for i in range(1, n)]
    fused = optimize_blockwise(layered(*layers, src=source("src", 2)), [(f"l{n - 1}", 0)])
    assert len(fused.layers) == 2
    result = execute_graph({**fused.layers["src"], **fused.layers[f"l{n - 1}"]})
    assert result[f"l{n - 1}", 0] == "(" * n + "src0" + ")" * n
