"""Arrays as folders of NumPy's own files, one for each block along an axis."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from samite._task_spec import Task, TaskRef
from samite.array.core import Array, make_array
from samite.base import tokenize
from samite.highlevelgraph import HighLevelGraph

__all__ = ["from_npy_stack", "to_npy_stack"]


def to_npy_stack(dirname: Any, x: Any, axis: int = 0) -> None:
    """Write an array into a folder, one file for each block along an axis.

    Parameters
    ----------
    dirname:
        The folder; it is made if need be.
    x:
        The array. Its chunks along other axes are joined.
    axis:
        The axis that the files are in a row along.

    Raises
    ------
    ValueError
        If chunk sizes are unknown.
    """
    from samite.array.chunks import has_unknown
    from samite.array.conversion import asanyarray
    from samite.array.utils import normalize_axis
    from samite.base import compute_as_if_collection

    x = asanyarray(x)
    axis = normalize_axis(axis, x.ndim)
    if any(has_unknown(sizes) for sizes in x.chunks):
        raise ValueError(
            "an array of unknown chunk sizes cannot be written as a stack. x.compute_chunk_sizes() "
            "finds them by computing the array"
        )
    chunks = tuple(sizes if at == axis else (sum(sizes),) for at, sizes in enumerate(x.chunks))
    blocks = x.rechunk(chunks)
    os.makedirs(dirname, exist_ok=True)
    name = f"to-npy-stack-{tokenize(blocks, os.fspath(dirname))}"
    layer: dict[Any, Any] = {}
    for n in range(blocks.numblocks[axis]):
        position = tuple(n if at == axis else 0 for at in range(x.ndim))
        key = (name, n)
        path = os.path.join(dirname, f"{n}.npy")
        layer[key] = Task(key, _save, path, TaskRef((blocks.name, *position)))
    graph = HighLevelGraph.from_collections(name, layer, dependencies=[blocks])
    compute_as_if_collection(Array, graph, list(layer))
    # What tells of the files is written last, so that a stack that has it is whole.
    with open(os.path.join(dirname, "info"), "wb") as file:
        pickle.dump({"chunks": chunks, "dtype": x.dtype, "axis": axis}, file)


def from_npy_stack(dirname: Any, mmap_mode: str | None = "r") -> Array:
    """A lazy array over a folder that :func:`to_npy_stack` has written.

    Parameters
    ----------
    dirname:
        The folder.
    mmap_mode:
        How files are mapped into memory, as for :func:`numpy.load`; None to read them.

    Raises
    ------
    FileNotFoundError
        If the folder has no stack.
    """
    info = _read_info(os.path.join(dirname, "info"))
    chunks, axis = info["chunks"], info["axis"]
    name = f"from-npy-stack-{tokenize(os.path.abspath(dirname), _age(dirname), mmap_mode)}"
    layer: dict[Any, Any] = {}
    for n in range(len(chunks[axis])):
        key = (name, *(n if at == axis else 0 for at in range(len(chunks))))
        path = os.path.join(dirname, f"{n}.npy")
        layer[key] = Task(key, _load, path, mmap_mode, tuple(
            sizes[n if at == axis else 0] for at, sizes in enumerate(chunks)))  # fmt: skip
    return make_array(name, layer, chunks, np.empty((0,) * len(chunks), dtype=info["dtype"]))


class _OnlyData(pickle.Unpickler):
    """Reads what a stack's description can hold, and runs nothing else that a file may ask for."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy", "numpy.dtypes") or (module, name) in {
            ("numpy._core.multiarray", "scalar"), ("numpy.core.multiarray", "scalar"),
        }:  # fmt: skip
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"a stack's description cannot hold a {module}.{name}")


def _read_info(path: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        start = file.read(1)
        file.seek(0)
        if start == b"{":
            info = json.load(file)
            return {
                "chunks": tuple(tuple(sizes) for sizes in info["chunks"]),
                "dtype": np.dtype(info["dtype"]),
                "axis": info["axis"],
            }
        return _OnlyData(file).load()


def _age(dirname: Any) -> float:
    return os.path.getmtime(os.path.join(dirname, "info"))


def _save(path: str, block: Any) -> None:
    try:
        np.save(path, np.asanyarray(block), allow_pickle=True)
    except OSError as error:
        if error.errno is not None:
            raise
        # NumPy tells how much it wrote, and not where.
        raise OSError(f"to_npy_stack could not write all of {path}: {error}") from error


def _load(path: str, mmap_mode: str | None, shape: Sequence[int]) -> Any:
    try:
        block = np.load(path, mmap_mode=mmap_mode)  # type: ignore[arg-type]
    except ValueError:
        # Python objects cannot be mapped into memory, nor are they read unless it is said so.
        block = np.load(path, allow_pickle=True)
    if block.shape != tuple(shape):
        raise ValueError(
            f"{path} has an array of shape {block.shape}, but the stack's description says "
            f"{tuple(shape)}"
        )
    return block
