"""Bags of the records of files with one JSON value a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from samite.bag import native
from samite.bag.core import Bag
from samite.bag.graphs import step
from samite.bag.text import bag_of_blocks, native_source, text_blocks
from samite.tokenize import tokenize


def read_json_lines(
    urlpath: Any,
    blocksize: Any = "64 MiB",
    compression: str | None = "infer",
    storage_options: dict[str, Any] | None = None,
) -> Bag:
    """A bag of the values of files that have a JSON value on each line, in UTF-8.

    Lines of nothing but white space are passed over.

    Parameters
    ----------
    urlpath:
        A path or URL, possibly with ``*``, or a list of them.
    blocksize:
        Bytes of a partition; None: a file is a partition. Compressed files always are one.
    compression:
        As for :func:`read_text`.
    storage_options:
        For the file system.

    Raises
    ------
    ValueError
        If no file is there. When a line is no JSON, :class:`json.JSONDecodeError`, which names
        the file, the line and the byte.

    Examples
    --------
    >>> events = read_json_lines("events-*.jsonl")  # doctest: +SKIP
    >>> events.pluck("name").frequencies().topk(10, key=1).compute()  # doctest: +SKIP
    """
    from fsspec.core import get_fs_token_paths
    from fsspec.utils import infer_compression

    fs, _, paths = get_fs_token_paths(urlpath, mode="rb", storage_options=storage_options)
    if not paths:
        raise ValueError("No files found", urlpath)
    blocks = []
    for path in paths:
        used = infer_compression(path) if compression == "infer" else compression
        whole = used is not None or blocksize is None or fs.info(path)["size"] == 0
        blocks += text_blocks(
            fs.unstrip_protocol(path),
            None if whole else blocksize,
            compression,
            "utf-8",
            "strict",
            "\n",
            storage_options,
        )
    lines = bag_of_blocks("read-lines", [[block] for block in blocks], False)
    made = lines._over(f"read-json-lines-{tokenize(lines, 'json-lines')}", step(parse_lines))
    source = native_source(blocks)
    made._native = source and source.then("json-lines", native.RECORD)
    return made


def parse_lines(lines: Any) -> Iterator[Any]:
    """The values of lines that are not blank."""
    return map(json.loads, filter(str.strip, lines))
