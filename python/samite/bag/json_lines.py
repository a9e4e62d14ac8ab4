"""Bags of the records of files with one JSON value a line."""

from __future__ import annotations

import functools
import io
import itertools
import json
from collections.abc import Iterator
from typing import Any

from samite.bag.core import Bag
from samite.bag.forms import RECORD
from samite.bag.graphs import step
from samite.bag.projection import keys_of_steps
from samite.bag.streaming import map_records
from samite.bag.text import TextBlock, bag_of_blocks, lines_of, native_source, text_blocks
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
    blocks = text_blocks(
        urlpath, blocksize, compression, "utf-8", "strict", "\n", storage_options, may_be_whole=True
    )
    lines = bag_of_blocks("read-lines", [[block] for block in blocks], False)
    made = lines._over(f"read-json-lines-{tokenize(lines, 'json-lines')}", step(parse_lines))
    source = native_source(blocks)
    made._native = source and source.then("json-lines", RECORD)
    return made


def parse_lines(lines: Any) -> Iterator[Any]:
    """The values of lines that are not blank."""
    return map(json.loads, filter(str.strip, lines))


# ---- parsing in the engine, for functions of Python's -----------------------------------------


def parsed(blocks: list[TextBlock], steps: Any) -> tuple[Any, Any] | None:
    """The values of lines of JSON, and the steps that are left, where the first one parses."""
    func, args, kwargs = steps[0]
    skips_blank = func is parse_lines
    if not skips_blank and not (func is map_records and args[0] is json.loads and not kwargs):
        return None
    if func is map_records and args[1:] != (0,):
        return None
    rest = steps[1:]
    return ParsedLines(blocks, keys_of_steps(rest), skips_blank), rest


class ParsedLines(Iterator[Any]):
    """An iterator of the values of lines of JSON that knows where it stands.

    The engine parses some lines at a time. Where ``keys`` are given, dicts have only these.
    """

    def __init__(self, blocks: list[TextBlock], keys: list[str] | None, skips_blank: bool) -> None:
        self._keys = keys
        self._skips_blank = skips_blank
        # The block, what counts its records, and the engine's reader of the batch that they are in.
        self._now: tuple[TextBlock, Any, Any] | None = None
        batches = itertools.chain.from_iterable(map(self._batches, blocks))
        self._values = itertools.chain.from_iterable(batches)

    def __iter__(self) -> Iterator[Any]:
        return self._values

    def __next__(self) -> Any:
        return next(self._values)

    def _batches(self, block: TextBlock) -> Iterator[Any]:
        from samite._engine import JsonLines

        universal = block.delimiter is None
        reader = JsonLines(block.for_engine(), self._keys, self._skips_blank, universal)
        parse = functools.partial(parse_line, self._skips_blank, universal)
        while (found := reader.read(parse)) is not None:
            if found is False:
                # Python says what is wrong with the file, if anything is.
                yield self._left(block, reader.lines_seen())
                return
            records, error = found
            counter = itertools.count(1)
            self._now = block, counter, reader
            # Counting is the selectors' only purpose: it costs no frame for each record.
            yield itertools.compress(records, counter)
            if error is not None:
                # It is of the line behind the last record.
                self._now = block, itertools.count(len(records) + 2), reader
                raise error

    def _left(self, block: TextBlock, seen: int) -> Iterator[Any]:
        """The values of the lines behind the first ones, by Python."""
        counter = itertools.count(seen + 1)
        lines = itertools.islice(lines_of(block), seen, None)
        self._now = block, counter, None
        lines = itertools.compress(lines, counter)
        return parse_lines(lines) if self._skips_blank else map(json.loads, lines)

    def where(self) -> str:
        """The place of the record that was read last."""
        if self._now is None:
            return ""
        block, counter, reader = self._now
        last = next(counter) - 1
        if reader is None:
            return block.where(max(1, last))
        start = reader.start(max(0, last - 1))
        return "" if start is None else block.where_byte(start)


def parse_line(skips_blank: bool, universal: bool, line: str) -> tuple[list[Any], Any]:
    """The values of a line that the engine leaves to Python, and the error behind them or None."""
    values: list[Any] = []
    for part in io.StringIO(line, newline=None) if universal else (line,):
        if skips_blank and not part.strip():
            continue
        try:
            values.append(json.loads(part))
        except Exception as error:
            return values, error
    return values, None
