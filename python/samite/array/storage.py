"""Where the chunks of arrays come from, and where they go."""

from __future__ import annotations

from samite.array.conversion import (
    array,
    asanyarray,
    asarray,
    from_array,
    from_delayed,
    from_func,
    to_delayed,
)
from samite.array.hdf5_files import to_hdf5
from samite.array.npy_stacks import from_npy_stack, to_npy_stack
from samite.array.storing import store
from samite.array.tiledb_files import from_tiledb, to_tiledb
from samite.array.zarr_files import from_zarr, to_zarr

__all__ = [
    "array",
    "asanyarray",
    "asarray",
    "from_array",
    "from_delayed",
    "from_func",
    "from_npy_stack",
    "from_tiledb",
    "from_zarr",
    "store",
    "to_delayed",
    "to_hdf5",
    "to_npy_stack",
    "to_tiledb",
    "to_zarr",
]
