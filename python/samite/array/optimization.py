"""What happens to the graph of arrays before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from samite import config
from samite._task_spec import convert_legacy_graph, fuse_linear_task_spec, resolve_aliases
from samite.array.slices import fuse_slice
from samite.blockwise import Blockwise, fuse_roots, optimize_blockwise
from samite.core import flatten, reverse_dict
from samite.highlevelgraph import HighLevelGraph
from samite.utils import ensure_dict

__all__ = ["fuse_slice", "optimize", "optimize_blockwise"]


def optimize(dsk: Mapping[Any, Any], keys: Any, **kwargs: Any) -> Mapping[Any, Any]:
    """Join blockwise layers, drop what is not needed, and join what forms chains.

    Parameters
    ----------
    dsk:
        The graph.
    keys:
        The (nested) keys of the results.
    """
    wanted = list(flatten(keys if isinstance(keys, (list, set, tuple)) else [keys]))
    by_hand = not isinstance(dsk, HighLevelGraph)
    if by_hand:
        dsk = HighLevelGraph.from_collections(str(id(dsk)), dsk, dependencies=())
    graph = optimize_blockwise(dsk, keys=wanted)
    graph = fuse_roots(graph, keys=wanted)
    graph = graph.cull(wanted)
    if config.get("optimization.fuse.active", None) is False:
        return graph
    layers = list(graph.layers.values())
    single = len(layers) == 1 and isinstance(layers[0], Blockwise) and not by_hand
    if single or any(layer.annotations for layer in layers):
        # One layer of blocks has no chains, and joined tasks could not carry different annotations.
        return graph
    tasks = convert_legacy_graph(ensure_dict(graph))
    needed_by = reverse_dict({key: task.dependencies for key, task in tasks.items()})
    return fuse_linear_task_spec(resolve_aliases(tasks, set(wanted), needed_by), set(wanted))
