"""Arrays written into objects that take slices."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from samite._task_spec import DataNode, Task, TaskRef
from samite.array.chunks import has_unknown
from samite.array.core import Array, make_array
from samite.array.locking import held, lock_for
from samite.array.slices import fuse_slice
from samite.array.targets import opened, shareable
from samite.base import tokenize
from samite.blockwise import Blockwise, blockwise_token
from samite.layers import ArraySliceDep
from samite.utils import is_arraylike

__all__ = ["load_chunk", "load_store_chunk", "store", "store_chunk"]


def store(
    sources: Any,
    targets: Any,
    lock: Any = True,
    regions: Any = None,
    compute: bool = True,
    return_stored: bool = False,
    load_stored: bool | None = None,
    **kwargs: Any,
) -> Any:
    """Write arrays into objects that take slices, such as NumPy arrays and datasets of files.

    Chunks are written as they are computed, so an array need not fit into memory.

    Parameters
    ----------
    sources:
        A lazy array, or several.
    targets:
        What each is written to: an object with ``__setitem__``, or a lazy value of one.
    lock:
        A lock that is held while a chunk is written; True for one that fits the scheduler, False
        for none.
    regions:
        Which part of each target is written, as a tuple of slices; None for all of it. One tuple
        counts for all targets.
    compute:
        Whether to write now; otherwise arrays are returned that write when they are computed,
        and then have no elements.
    return_stored:
        Whether to return arrays that have what was written.
    load_stored:
        Whether tasks that write also read back what they have written; by default if
        ``return_stored`` and not ``compute``.
    **kwargs:
        For :func:`samite.compute`.

    Returns
    -------
    None if the arrays are written and not returned; otherwise an array, or a tuple if there are
    several.

    Raises
    ------
    ValueError
        If the numbers of sources, targets and regions differ, a shape does not fit or is not
        known, or a source is no lazy array.
    RuntimeError
        If a target is an array in the memory of this process, and a worker in another one is to
        write to it. Workers in this process can, and all can write to a `numpy.memmap`.

    Any error that a target raises is raised here too. Other chunks may be written by then.
    """
    single = isinstance(sources, Array)
    if single:
        sources, targets = [sources], [targets]
    elif not isinstance(sources, Collection) or isinstance(sources, np.ndarray):
        raise ValueError(f"All sources must be lazy arrays, not {type(sources).__name__}")
    sources, targets = list(sources), list(targets)
    if any(not isinstance(source, Array) for source in sources):
        kinds = sorted({type(source).__name__ for source in sources})
        raise ValueError(f"All sources must be lazy arrays, not {', '.join(kinds)}")
    if len(sources) != len(targets):
        raise ValueError(
            f"Different number of sources [{len(sources)}] and targets [{len(targets)}]"
        )
    if regions is None or isinstance(regions, tuple):
        regions = [regions] * len(sources)
    regions = list(regions)
    if len(sources) != len(regions):
        raise ValueError(
            f"Different number of sources [{len(sources)}] and targets [{len(targets)}] than "
            f"regions [{len(regions)}]"
        )
    for source, target, region in zip(sources, targets, regions):
        _check(source, target, region)
    if lock is True:
        lock = lock_for(sources[0], kwargs.get("scheduler")) if sources else False
    if load_stored is None:
        load_stored = return_stored and not compute
    if not sources:
        return None if compute and not return_stored else ()
    told = compute and _told_of_copies(targets, kwargs.get("scheduler"))

    load_with_store = load_stored and not compute
    written = [
        _writing(
            source,
            # After the warning processes write to copies.
            target if told and _in_memory(target) else shareable(target),
            (type(target).__qualname__, id(target)),
            region,
            lock,
            return_stored,
            load_with_store,
        )
        for source, target, region in zip(sources, targets, regions)
    ]
    if compute and not return_stored:
        _compute_all(written, **kwargs)
        return None
    if compute:
        from samite.base import persist

        done = persist(*written, **kwargs)
        written = [
            _reading(array, source, region, lock)
            for array, source, region in zip(done, sources, regions)
        ]
    return written[0] if len(written) == 1 else tuple(written)


def _check(source: Array, target: Any, region: Any) -> None:
    """Say what does not fit before anything is computed, as far as it is known."""
    if any(has_unknown(sizes) for sizes in source.chunks):
        raise ValueError(
            f"an array of unknown chunk sizes, with the shape {source.shape}, cannot be stored. "
            "A possible solution: x.compute_chunk_sizes() finds them by computing the array"
        )
    shape = _fixed_shape(target)
    if shape is None:
        return
    if region is not None:
        # An array of one element, repeated, takes no memory whatever the shape.
        stand_in = np.broadcast_to(np.zeros((), dtype=bool), shape)
        try:
            shape = stand_in[region].shape
        except IndexError as error:
            raise ValueError(
                f"the region {region} is not in a target of shape {shape}: {error}"
            ) from error
    if shape != source.shape:
        place = "the target" if region is None else f"the region {region} of the target"
        raise ValueError(
            f"an array of shape {source.shape} does not fit into {place}, which has the shape "
            f"{shape}"
        )


def _fixed_shape(target: Any) -> tuple[int, ...] | None:
    """The shape of targets that do not grow when more is written."""
    package = type(target).__module__.partition(".")[0]
    if isinstance(target, np.ndarray) or package in ("zarr", "h5py"):
        shape = getattr(target, "shape", None)
        return tuple(shape) if isinstance(shape, tuple) else None
    return None


def _in_memory(target: Any) -> bool:
    return isinstance(target, np.ndarray) and not isinstance(target, np.memmap)


def _told_of_copies(targets: Sequence[Any], scheduler: Any) -> bool:
    """Warn where other processes would write to copies of arrays, and say whether they would."""
    from samite import config

    if scheduler is None:
        scheduler = config.get("scheduler", None)
    if scheduler not in ("processes", "multiprocessing"):
        return False
    if any(_in_memory(target) for target in targets):
        warnings.warn(
            "the target is a NumPy array in the memory of this process: what other processes "
            "write goes into copies of it and is lost. Use threads, or a file",
            UserWarning,
            stacklevel=3,
        )
    return True


def _compute_all(arrays: Sequence[Array], **kwargs: Any) -> None:
    from samite.base import compute_as_if_collection
    from samite.highlevelgraph import HighLevelGraph

    graph = HighLevelGraph.merge(*(array.dask for array in arrays))
    keys = [array.__dask_keys__() for array in arrays]
    compute_as_if_collection(Array, graph, keys, **kwargs)


def _writing(
    source: Array,
    target: Any,
    identity: Any,
    region: Any,
    lock: Any,
    return_stored: bool,
    load_stored: bool,
) -> Array:
    """The array of tasks that write a source's chunks. Targets change, and can be too large to be
    hashed: ``identity`` says which one it is."""
    from samite.delayed import Delayed

    dependencies: list[Any] = [source]
    if isinstance(target, Delayed):
        reference: Any = TaskRef(target.key)
        dependencies.append(target)
        identity = target.key
    else:
        reference = DataNode(None, target)
    name = f"store-map-{tokenize(source, identity, region, lock, return_stored, load_stored)}"
    indices = tuple(range(source.ndim))
    task = Task(
        name,
        load_store_chunk,
        *(TaskRef(blockwise_token(n)) for n in range(3)),
        region=region if region is None else DataNode(None, region),
        lock=lock if not lock else DataNode(None, lock),
        return_stored=return_stored,
        load_stored=load_stored,
    )
    layer = Blockwise(
        name,
        indices,
        task,
        [(source.name, indices), (reference, None), (ArraySliceDep(source.chunks), indices)],
        {source.name: source.numblocks},
    )
    return make_array(name, layer, source.chunks, source._meta, dependencies)


def _reading(written: Array, source: Array, region: Any, lock: Any) -> Array:
    """The array of what was written, by targets that tasks have returned."""
    name = f"load-stored-{tokenize(written, region)}"
    indices = tuple(range(source.ndim))
    task = Task(
        name,
        load_chunk,
        *(TaskRef(blockwise_token(n)) for n in range(2)),
        lock=lock if not lock else DataNode(None, lock),
        region=region if region is None else DataNode(None, region),
    )
    layer = Blockwise(
        name,
        indices,
        task,
        [(written.name, indices), (ArraySliceDep(source.chunks), indices)],
        {written.name: written.numblocks},
    )
    return make_array(name, layer, source.chunks, source._meta, [written])


def load_store_chunk(
    x: Any,
    out: Any,
    index: Any,
    region: Any,
    lock: Any,
    return_stored: bool,
    load_stored: bool,
) -> Any:
    """Write a chunk into a target, and perhaps read it back.

    Parameters
    ----------
    x:
        The chunk; None to write nothing.
    out:
        The target.
    index:
        Where the chunk is in the array, and so in the region.
    region:
        The part of the target that the array is written to; None for all of it.
    lock:
        Held while the target is used.
    return_stored:
        Whether to return the target.
    load_stored:
        Whether to return what the target has in place of the chunk.

    Raises
    ------
    ValueError
        If the chunk has another shape than its place.
    """
    out = opened(out)
    place = index if region is None else _within(region, index)
    with held(lock):
        if x is not None and np.size(x) != 0:
            _check_chunk(x, index)
            out[place] = x if is_arraylike(x) else np.asanyarray(x)
        if return_stored and load_stored:
            return out[place]
    if return_stored:
        return out
    # Arrays of these chunks are as small as they can be.
    return np.empty((0,) * np.ndim(x), dtype=getattr(x, "dtype", None))


def store_chunk(x: Any, out: Any, index: Any, region: Any, lock: Any, return_stored: bool) -> Any:
    """Write a chunk into a target; see :func:`load_store_chunk`."""
    return load_store_chunk(x, out, index, region, lock, return_stored, False)


def load_chunk(out: Any, index: Any, lock: Any, region: Any) -> Any:
    """Read a chunk from a target; see :func:`load_store_chunk`."""
    return load_store_chunk(None, out, index, region, lock, True, True)


def _check_chunk(x: Any, index: Any) -> None:
    """A chunk of the wrong shape must not be repeated to fill its place."""
    if not isinstance(index, tuple) or not all(
        isinstance(part, slice) and isinstance(part.start, int) and isinstance(part.stop, int)
        for part in index
    ):
        return
    wanted = tuple(part.stop - part.start for part in index)
    if np.shape(x) != wanted:
        raise ValueError(
            f"a chunk of shape {np.shape(x)} is to be stored in place of one of shape {wanted} at "
            f"{index}: the chunk was made with another shape than the array said"
        )


def _within(region: Any, index: Any) -> Any:
    region = region if isinstance(region, tuple) else (region,)
    if any(part is Ellipsis for part in region):
        ndim = len(index) if isinstance(index, tuple) else 1
        at = next(n for n, part in enumerate(region) if part is Ellipsis)
        used = sum(isinstance(part, (slice, list, np.ndarray)) for part in region)
        region = region[:at] + (slice(None),) * (ndim - used) + region[at + 1 :]
    return fuse_slice(region, index)
