"""Arrays stored with TileDB."""

from __future__ import annotations

from typing import Any

from samite.array.chunks import has_unknown
from samite.array.conversion import from_array
from samite.array.core import Array
from samite.array.storing import store

__all__ = ["from_tiledb", "to_tiledb"]


def from_tiledb(
    uri: Any,
    attribute: str | None = None,
    chunks: Any = None,
    storage_options: Any = None,
    **kwargs: Any,
) -> Array:
    """A lazy array over a dense one of TileDB.

    Parameters
    ----------
    uri:
        Where it is, or an open ``tiledb.Array``.
    attribute:
        Which attribute to read, where there are several.
    chunks:
        How to cut the array; by default by its tiles.
    storage_options:
        The settings of TileDB's context; ``key`` and ``timestamp`` are for opening the array.

    Raises
    ------
    ImportError
        If the package tiledb is not installed.
    ValueError
        If the array is sparse, or has several attributes and none is named.
    """
    tiledb = _tiledb()
    options = dict(storage_options or {})
    key, timestamp = options.pop("key", None), options.pop("timestamp", None)
    if isinstance(uri, tiledb.Array):
        array = uri
    else:
        array = tiledb.open(
            uri, attr=attribute, key=key, timestamp=timestamp, ctx=tiledb.Ctx(options), **kwargs
        )
    if array.schema.sparse:
        raise ValueError("Sparse TileDB arrays are not supported")
    if attribute is None and array.schema.nattr > 1:
        raise TypeError("an array of several attributes needs the name of one: attribute=")
    if chunks is None:
        chunks = tuple(int(array.schema.domain.dim(i).tile) for i in range(array.schema.ndim))
    return from_array(array, chunks, name=f"tiledb-{uri}")


def to_tiledb(
    darray: Array,
    uri: Any,
    compute: bool = True,
    return_stored: bool = False,
    storage_options: Any = None,
    key: Any = None,
    **kwargs: Any,
) -> Any:
    """Write an array with TileDB.

    Parameters
    ----------
    darray:
        The lazy array, of chunks that are equal but for the last ones.
    uri:
        Where to, or an open ``tiledb.Array`` of one attribute.
    compute, return_stored:
        As for :func:`samite.array.store`.
    storage_options:
        The settings of TileDB's context.
    key:
        To encrypt the array with.
    **kwargs:
        For ``tiledb.empty_like``.

    Raises
    ------
    ImportError
        If the package tiledb is not installed.
    ValueError
        If chunk sizes are unknown or not equal.
    """
    tiledb = _tiledb()
    if any(has_unknown(sizes) for sizes in darray.chunks):
        raise ValueError(
            "an array of unknown chunk sizes cannot be stored. x.compute_chunk_sizes() finds them "
            "by computing the array"
        )
    if isinstance(uri, tiledb.Array):
        if uri.schema.nattr != 1:
            raise ValueError("only TileDB arrays of one attribute can be written to")
        target = uri
    else:
        if any(size != sizes[0] for sizes in darray.chunks for size in sizes[:-1]):
            raise ValueError(
                f"Attempt to save array to TileDB with irregular chunking: {darray.chunks}. "
                "x.rechunk gives other chunks"
            )
        target = tiledb.empty_like(
            uri,
            darray,
            tile=tuple(sizes[0] for sizes in darray.chunks),
            ctx=tiledb.Ctx(storage_options or {}),
            key=key,
            **kwargs,
        )
    return store([darray], [target], lock=False, compute=compute, return_stored=return_stored)


def _tiledb() -> Any:
    try:
        import tiledb
    except ImportError as error:
        raise ImportError("arrays of TileDB need the package tiledb: pip install tiledb") from error
    return tiledb
