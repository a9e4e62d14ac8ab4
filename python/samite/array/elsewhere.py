"""What programs look for in ``samite.array.core`` by Dask's habit, and where it is."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["find"]

_ELSEWHERE = {
    "samite.array.assembly": (
        "_concatenate2", "concatenate3", "concatenate_axes", "deepfirst",
    ),
    "samite.array.blocks": ("BlockView", "map_blocks", "new_da_object", "slices_from_chunks"),
    "samite.array.blockwise": ("blockwise", "unify_chunks"),
    "samite.array.broadcasting": (
        "broadcast_arrays", "broadcast_chunks", "broadcast_shapes", "broadcast_to",
    ),
    "samite.array.chunks": (
        "_check_regular_chunks", "auto_chunks", "blockdims_from_blockshape", "common_blockdim",
        "normalize_chunks_cached",
    ),
    "samite.array.concatenation": ("block", "concatenate", "stack"),
    "samite.array.conversion": (
        "asanyarray", "asarray", "from_array", "from_delayed", "from_func", "getter",
        "getter_inline", "getter_nofancy", "graph_from_arraylike",
    ),
    "samite.array.elementwise": ("elemwise",),
    "samite.array.hdf5_files": ("to_hdf5",),
    "samite.array.npy_stacks": ("from_npy_stack", "to_npy_stack"),
    "samite.array.performance": ("PerformanceWarning",),
    "samite.array.products": ("dotmany",),
    "samite.array.storing": ("load_chunk", "load_store_chunk", "store", "store_chunk"),
    "samite.array.vindex": ("_get_axis", "_vindex_merge"),
    "samite.array.zarr_files": ("from_zarr", "to_zarr"),
}  # fmt: skip


def find(module: str, name: str) -> Any:
    """An object that a module is asked for and does not have itself.

    Raises
    ------
    AttributeError
        If there is none of that name.
    """
    for place, names in _ELSEWHERE.items():
        if name in names:
            found = getattr(importlib.import_module(place), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module {module!r} has no attribute {name!r}")
