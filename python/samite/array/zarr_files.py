"""Arrays in the Zarr format, versions 2 and 3, read and written chunk by chunk."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

from samite.array.chunks import _check_regular_chunks, boundaries, has_unknown, regular
from samite.array.conversion import from_array
from samite.array.core import Array
from samite.array.performance import PerformanceWarning
from samite.array.storing import store
from samite.base import tokenize

__all__ = ["from_zarr", "to_zarr"]


def from_zarr(
    url: Any,
    component: str | None = None,
    storage_options: Any = None,
    chunks: Any = None,
    name: str | None = None,
    inline_array: bool = False,
    **kwargs: Any,
) -> Array:
    """A lazy array over one that is stored in the Zarr format.

    Parameters
    ----------
    url:
        Where it is: a path, a URL of any protocol that fsspec knows, a store of Zarr, or a Zarr
        array.
    component:
        The path of the array inside of a group.
    storage_options:
        For the file system of a URL.
    chunks:
        How to cut the array; by default as it is stored.
    name:
        The name of the result.
    inline_array:
        See :func:`samite.array.from_array`.
    **kwargs:
        For ``zarr.open_array``.

    Raises
    ------
    FileNotFoundError
        If there is no array.
    """
    zarr = _zarr()
    if isinstance(url, zarr.Array):
        stored = url
    else:
        options = dict(kwargs)
        options.setdefault("mode", "r")
        if storage_options is not None:
            options["storage_options"] = storage_options
        stored = zarr.open_array(store=_location(url), path=component, **options)
    chunks = chunks if chunks is not None else stored.chunks
    if name is None:
        name = f"from-zarr-{tokenize(stored, chunks, inline_array, _identity(stored))}"
    return from_array(stored, chunks, name=name, inline_array=inline_array)


def to_zarr(
    arr: Any,
    url: Any,
    component: str | None = None,
    storage_options: Any = None,
    region: tuple[slice, ...] | None = None,
    compute: bool = True,
    return_stored: bool = False,
    mode: str = "a",
    **zarr_array_kwargs: Any,
) -> Any:
    """Write an array in the Zarr format.

    Chunks are written in parallel. Where those of a lazy array do not fit the chunks or shards of
    the stored one, so that two tasks would write into the same file, the array is rechunked.

    Parameters
    ----------
    arr:
        The lazy array.
    url:
        Where to: a path, a URL of any protocol that fsspec knows, a store of Zarr, or a Zarr
        array, which is then filled.
    component:
        The path of the array inside of a group, which is made if need be.
    storage_options:
        For the file system of a URL.
    region:
        The part to write, as a tuple of slices; only for a Zarr array.
    compute:
        Whether to write now; otherwise an array is returned that writes when it is computed.
    return_stored:
        Whether to return a lazy array over what was written.
    mode:
        ``"w"`` replaces an array that is there; with the others, ``"a"``, ``"r+"`` and ``"w-"``,
        it is an error if there is one.
    **zarr_array_kwargs:
        For ``zarr.create_array``: ``shards``, ``compressors``, ``zarr_format``, ``overwrite`` and
        so on. ``compressor`` is taken too.

    Raises
    ------
    ValueError
        If chunk sizes are unknown, the region or the mode is not possible, or an array is there.
    """
    zarr = _zarr()
    if not isinstance(arr, Array):
        raise TypeError(f"to_zarr writes lazy arrays, not {type(arr).__name__}; see asarray")
    if any(has_unknown(sizes) for sizes in arr.chunks):
        raise ValueError(
            "Saving an array with unknown chunk sizes is not supported. A possible solution: "
            "x.compute_chunk_sizes() finds them by computing the array"
        )
    if isinstance(url, zarr.Array):
        if zarr_array_kwargs or component is not None:
            given = [*zarr_array_kwargs, *(["component"] if component is not None else [])]
            raise ValueError(f"a Zarr array that is there cannot be made with {sorted(given)}")
        if region is None and tuple(url.shape) != arr.shape:
            raise ValueError(
                f"an array of shape {arr.shape} does not fit into a Zarr array of shape "
                f"{tuple(url.shape)}; region= says which part to write"
            )
        target = url
        arr = _aligned(arr, _written_together(target), tuple(target.shape), region)
        regions = None if region is None else [region]
        return store([arr], [target], lock=False, regions=regions, compute=compute,
                     return_stored=return_stored)  # fmt: skip
    if region is not None:
        raise ValueError("Cannot use `region` keyword when url is not a `zarr.Array`.")
    if mode not in ("w", "a", "r+", "w-"):
        raise ValueError(f"Cannot use mode={mode!r} to write: it is one of 'w', 'w-', 'a', 'r+'")
    if not _check_regular_chunks(arr.chunks):
        warnings.warn(
            "The array uses irregular chunk sizes, but Zarr needs equal ones, so it is rechunked. "
            "Rechunk it beforehand to choose the sizes",
            UserWarning,
            stacklevel=2,
        )
        arr = arr.rechunk(arr.chunksize)
    options = dict(zarr_array_kwargs)
    if "compressor" in options:
        compressor = options.pop("compressor")
        options["compressors"] = None if compressor is None else (compressor,)
    options.setdefault("chunks", tuple(max(1, sizes[0]) for sizes in arr.chunks))
    options.setdefault("overwrite", mode == "w")
    if storage_options is not None:
        options["storage_options"] = storage_options
    target = zarr.create_array(
        store=_location(url), name=component, shape=arr.shape, dtype=arr.dtype, **options
    )
    arr = _aligned(arr, _written_together(target), arr.shape, None, warn=False)
    return store([arr], [target], lock=False, compute=compute, return_stored=return_stored)


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise ImportError(
            "reading and writing Zarr needs the package zarr, version 3: pip install zarr"
        ) from error
    return zarr


def _location(url: Any) -> Any:
    return os.fspath(url) if isinstance(url, os.PathLike) else url


def _identity(stored: Any) -> Any:
    """What tells apart arrays in memory, whose places have no names."""
    place = getattr(stored, "store", None)
    return id(place) if type(place).__name__ == "MemoryStore" else None


def _written_together(target: Any) -> tuple[int, ...]:
    """The shape of what is one file, and so must be written by one task."""
    return tuple(getattr(target, "shards", None) or target.chunks)


def _aligned(
    arr: Array,
    unit: Sequence[int],
    shape: Sequence[int],
    region: Any,
    warn: bool = True,
) -> Array:
    """The array cut so that no two chunks are written into one file.

    Warns
    -----
    PerformanceWarning
        If it had to be cut anew, or if files at the border of the region are written in part.
    """
    places = _places(arr, shape, region)
    chunks: list[Any] = list(arr.chunks)
    partial = False
    for axis, ((start, length), size) in enumerate(zip(places, unit)):
        if size <= 1 or not arr.shape[axis]:
            continue
        edges = [start + edge for edge in boundaries(arr.chunks[axis])]
        if any(edge % size for edge in edges[1:-1]):
            whole = max(size, arr.chunksize[axis] // size * size)
            chunks[axis] = _cut_from(start, arr.shape[axis], whole)
            if warn:
                warnings.warn(
                    f"The input Dask array will be rechunked along axis {axis}: its chunks of "
                    f"{max(arr.chunks[axis])} do not fit those of {size} that are written "
                    "together, and tasks would overwrite what others wrote. Chunks that fit, or a "
                    "region that begins at a multiple, spare this",
                    PerformanceWarning,
                    stacklevel=3,
                )
        elif start % size or (edges[-1] % size and edges[-1] != length):
            partial = True
    if partial and warn:
        warnings.warn(
            f"the region {region} covers some of the stored chunks of shape {tuple(unit)} in part: "
            "these are read before they are written",
            PerformanceWarning,
            stacklevel=3,
        )
    wanted = tuple(tuple(sizes) for sizes in chunks)
    return arr if wanted == arr.chunks else arr.rechunk(wanted)


def _places(arr: Array, shape: Sequence[int], region: Any) -> list[tuple[int, int]]:
    """Where the array begins along each axis of the target, and the target's length."""
    if region is None:
        return [(0, length) for length in shape]
    region = region if isinstance(region, tuple) else (region,)
    if len(region) > len(shape) or any(not isinstance(part, slice) for part in region):
        raise ValueError(
            f"a region of a Zarr array of shape {tuple(shape)} is a tuple of slices, not {region}"
        )
    region = (*region, *(slice(None),) * (len(shape) - len(region)))
    places = []
    for part, length in zip(region, shape):
        start, _, step = part.indices(length)
        if step != 1:
            raise ValueError(f"the region {region} of a Zarr array has to be without steps")
        places.append((start, length))
    return places


def _cut_from(start: int, length: int, size: int) -> tuple[int, ...]:
    """Blocks that end at multiples of a size, for an axis that begins at any place."""
    first = min(length, -start % size)
    rest = regular(length - first, size) if length > first else ()
    return ((first,) if first else ()) + rest
