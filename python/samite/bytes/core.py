"""Reading files, local and remote, as lazy blocks of bytes."""

from __future__ import annotations

import os

from samite.utils import is_integer, parse_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["read_block_from_file", "read_bytes"]


def read_bytes(
    urlpath: str | os.PathLike | list | tuple,
    delimiter: bytes | None = None,
    not_zero: bool = False,
    blocksize: int | str | None = "128 MiB",
    sample: int | str | bool = "10 kiB",
    compression: str | None = None,
    include_path: bool = False,
    **kwargs: Any,
) -> tuple:
    """Lazy blocks of bytes of one or more files.

    Parameters
    ----------
    urlpath
        A path or URL, possibly with ``*``, or a list of them. What URLs are understood depends
        on fsspec and its plugins: ``s3://``, ``gs://``, ``https://`` ...
    delimiter
        Cut blocks only behind this, for instance ``b"\\n"``.
    not_zero
        Leave out what is before the first delimiter, such as a header.
    blocksize
        The approximate size of a block; None: each file is one block.
    sample
        How much of the first file's beginning to read at once, continued to a delimiter; False:
        nothing.
    compression
        Such as ``"gzip"`` or ``"xz"``; ``"infer"``: by the file's name. Needs ``blocksize=None``.
    include_path
        Give the paths too.
    **kwargs
        Options for the storage, such as ``anon=True`` for S3.

    Returns
    -------
    sample : bytes
        The beginning of the first file, or False.
    blocks : list of lists of Delayed
        For each file, its blocks. An empty file has none, unless it is read as a whole.
    paths : list of str
        Only with `include_path`.

    Raises
    ------
    OSError
        No file is there.
    ValueError
        Blocks of a compressed file, or of one of unknown size, were asked for.

    Examples
    --------
    >>> sample, blocks = read_bytes("2015-*.csv", delimiter=b"\\n")  # doctest: +SKIP
    """
    if not isinstance(urlpath, (str, list, tuple, os.PathLike)):
        raise TypeError("Path should be a string, os.PathLike, list or tuple")
    blocksize = _block_size(blocksize)

    from fsspec.core import OpenFile, get_fs_token_paths
    from fsspec.utils import infer_compression

    from samite.delayed import delayed
    from samite.tokenize import tokenize

    fs, fs_token, paths = get_fs_token_paths(urlpath, mode="rb", storage_options=kwargs)
    if not paths:
        raise OSError(f"{urlpath} resolved to no files")

    read = delayed(read_block_from_file)
    blocks = []
    for path in paths:
        if blocksize is None:
            pieces: list[tuple[int, int | None]] = [(0, None)]
        else:
            used = infer_compression(path) if compression == "infer" else compression
            if used is not None:
                raise ValueError(
                    "Cannot do chunked reads on compressed files. To read, set blocksize=None"
                )
            size = fs.info(path)["size"]
            if size is None:
                raise ValueError(
                    f"The size of {path} is unknown, so it cannot be read in blocks. "
                    "To read, set blocksize=None"
                )
            pieces = _pieces(size, blocksize, not_zero)
        # The token holds what tells versions of a file apart, such as the time of its last change.
        token = tokenize(fs_token, delimiter, path, fs.ukey(path), compression, pieces)
        file = OpenFile(fs, path, compression=compression)
        blocks.append(
            [
                read(file, offset, length, delimiter, dask_key_name=f"read-block-{offset}-{token}")
                for offset, length in pieces
            ]
        )

    beginning: bytes | bool = False
    if sample:
        wanted = 10 * 1024 if sample is True else parse_bytes(sample)
        with OpenFile(fs, paths[0], compression=compression) as opened:
            beginning = _read_sample(opened, wanted, delimiter)
    return (beginning, blocks, paths) if include_path else (beginning, blocks)


def _block_size(blocksize: Any) -> int | None:
    if blocksize is None:
        return None
    if isinstance(blocksize, str):
        blocksize = parse_bytes(blocksize)
    if not is_integer(blocksize):
        raise TypeError("blocksize must be an integer")
    if blocksize < 1:
        raise ValueError(f"blocksize must be at least 1, not {blocksize}")
    return int(blocksize)


def _pieces(size: int, blocksize: int, not_zero: bool) -> list[tuple[int, int | None]]:
    """Offsets and lengths of a file's blocks: as many as fit, of almost equal size."""
    if size == 0:
        return []
    count = max(1, size // blocksize)
    edges = [size * number // count for number in range(count + 1)]
    if not_zero:
        # Any other offset than 0 makes the reader skip to the first delimiter.
        edges[0] = 1
    return [(start, end - start) for start, end in zip(edges, edges[1:])]


def _read_sample(file: Any, wanted: int, delimiter: bytes | None) -> bytes:
    """The first `wanted` bytes, continued to the end of a delimiter, or of the file."""
    content: bytes = file.read(wanted)
    if delimiter is None or content.endswith(delimiter):
        return content
    # A delimiter may begin in what has been read and end in what follows.
    search_from = max(0, len(content) - len(delimiter) + 1)
    while True:
        more = file.read(wanted)
        if not more:
            return content
        content += more
        found = content.find(delimiter, search_from)
        if found >= 0:
            return content[: found + len(delimiter)]
        search_from = max(0, len(content) - len(delimiter) + 1)


def read_block_from_file(
    lazy_file: Any, off: int, bs: int | None, delimiter: bytes | None
) -> bytes:
    """The task behind a block: open the file and read `bs` bytes from `off`, cut at delimiters."""
    import copy

    from fsspec.utils import read_block

    # Tasks of several threads share the description of the file, not the open file.
    with copy.copy(lazy_file) as file:
        if off == 0 and bs is None:
            return file.read()
        return read_block(file, off, bs, delimiter)
