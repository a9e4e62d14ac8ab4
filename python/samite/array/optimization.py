"""What happens to the graph of arrays before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from samite import config
from samite._task_spec import convert_legacy_graph, fuse_linear_task_spec
from samite.blockwise import fuse_roots, optimize_blockwise
from samite.core import flatten
from samite.highlevelgraph import HighLevelGraph
from samite.utils import ensure_dict


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
    if not isinstance(dsk, HighLevelGraph):
        dsk = HighLevelGraph.from_collections(str(id(dsk)), dsk, dependencies=())
    graph = optimize_blockwise(dsk, keys=wanted)
    graph = fuse_roots(graph, keys=wanted)
    graph = graph.cull(wanted)
    if config.get("optimization.fuse.active", None) is False:
        return graph
    if len(graph.layers) == 1 or any(layer.annotations for layer in graph.layers.values()):
        # One layer has no chains, and joined tasks could not carry different annotations.
        return graph
    return fuse_linear_task_spec(convert_legacy_graph(ensure_dict(graph)), set(wanted))
