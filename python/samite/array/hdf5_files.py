"""Arrays written into files of HDF5."""

from __future__ import annotations

from typing import Any

from samite.array.chunks import has_unknown
from samite.array.core import Array
from samite.array.storing import store

__all__ = ["to_hdf5"]


def to_hdf5(filename: Any, *args: Any, chunks: Any = True, **kwargs: Any) -> None:
    """Write arrays into a file of HDF5. The file is added to if it is there.

    Parameters
    ----------
    filename:
        The path of the file.
    *args:
        The path of a dataset in the file and an array, or a dict of several.
    chunks:
        The chunks of the datasets: True for those of the arrays, None for none, or a shape.
    **kwargs:
        For ``h5py.File.require_dataset``, such as ``compression``.

    Raises
    ------
    ValueError
        If the arguments are neither, or chunk sizes are unknown.

    Examples
    --------
    >>> import samite.array as da
    >>> da.to_hdf5("file.hdf5", {"/x": da.ones(4), "/y": da.zeros(4)})  # doctest: +SKIP
    """
    if len(args) == 1 and isinstance(args[0], dict):
        data = args[0]
    elif len(args) == 2 and isinstance(args[0], str) and isinstance(args[1], Array):
        data = {args[0]: args[1]}
    else:
        raise ValueError("Please provide {'/data/path': array} dictionary, or a path and an array")
    for path, array in data.items():
        if not isinstance(array, Array):
            raise ValueError(f"{path!r} is no lazy array but {type(array).__name__}")
        if any(has_unknown(sizes) for sizes in array.chunks):
            raise ValueError(
                f"the array for {path!r} has unknown chunk sizes. x.compute_chunk_sizes() finds "
                "them by computing the array"
            )
    try:
        import h5py
    except ImportError as error:
        raise ImportError("writing HDF5 needs the package h5py: pip install h5py") from error

    with h5py.File(filename, mode="a") as file:
        datasets = [
            file.require_dataset(
                path,
                shape=array.shape,
                dtype=array.dtype,
                chunks=_chunk_shape(array) if chunks is True else chunks,
                **kwargs,
            )
            for path, array in data.items()
        ]
        store(list(data.values()), datasets)


def _chunk_shape(array: Array) -> tuple[int, ...] | None:
    """The first chunk's shape; datasets without axes or elements have no chunks."""
    if not array.ndim or not array.size:
        return None
    return tuple(sizes[0] or max(sizes) for sizes in array.chunks)
