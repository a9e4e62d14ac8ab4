"""Sizes, durations, keys and tables as text, and back."""

from __future__ import annotations

import functools
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta
    from typing import Any, Literal, TextIO

system_encoding = sys.getdefaultencoding()
if system_encoding == "ascii":
    system_encoding = "utf-8"


# ---- bytes -----------------------------------------------------------------------------------


def _byte_sizes() -> dict[str, int]:
    sizes = {"": 1, "b": 1}
    for power, prefix in enumerate("kmgtpe", start=1):
        sizes[prefix + "b"] = 1000**power
        sizes[prefix + "i"] = sizes[prefix + "ib"] = 1024**power
        if prefix != "e":  # "1e" is more likely to be half a number.
            sizes[prefix] = 1000**power
    return sizes


byte_sizes = _byte_sizes()


def _number_and_unit(text: str) -> tuple[str, str]:
    """Split ``"1.5 kB"`` before its trailing letters; a lone unit gets the number 1."""
    text = text.replace(" ", "")
    if not any(char.isdigit() for char in text):
        text = "1" + text
    end = len(text)
    while end and text[end - 1].isalpha():
        end -= 1
    return text[:end], text[end:]


def parse_bytes(s: float | str) -> int:
    """The number of bytes that a text such as ``"128MiB"`` names. Numbers pass, as integers.

    Raises
    ------
    ValueError
        The number or the unit is not understood.

    >>> parse_bytes("5.4 kB"), parse_bytes("1kiB"), parse_bytes("MB"), parse_bytes(123)
    (5400, 1024, 1000000, 123)
    """
    if isinstance(s, (int, float)):
        return int(s)
    number, unit = _number_and_unit(s)
    try:
        amount = float(number)
    except ValueError as error:
        raise ValueError(f"Could not interpret {number!r} as a number") from error
    try:
        factor = byte_sizes[unit.lower()]
    except KeyError as error:
        raise ValueError(f"Could not interpret {unit!r} as a byte unit") from error
    return int(amount * factor)


def format_bytes(n: int) -> str:
    """A size for people, in binary units.

    >>> format_bytes(1), format_bytes(1234), format_bytes(12345678)
    ('1 B', '1.21 kiB', '11.77 MiB')
    """
    for power, prefix in ((5, "Pi"), (4, "Ti"), (3, "Gi"), (2, "Mi"), (1, "ki")):
        factor = 1024**power
        # The next unit starts a little early, so that a number never needs more than 3 digits.
        if n >= factor * 0.9:
            return f"{n / factor:.2f} {prefix}B"
    return f"{n} B"


def memory_repr(num: float) -> str:
    """A size in the short form ``'1.0 KB'``, with factors of 1024."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if num < 1024:
            return f"{num:3.1f} {unit}"
        num /= 1024
    return f"{num:3.1f} TB"


# ---- durations -------------------------------------------------------------------------------


def _timedelta_sizes() -> dict[str, float]:
    sizes: dict[str, float] = {}
    for seconds, names in (
        (1e-9, "ns nsec nanosecond"),
        (1e-6, "us usec microsecond"),
        (1e-3, "ms msec millisecond"),
        (1, "s sec second"),
        (60, "m min minute"),
        (3600, "h hr hour"),
        (24 * 3600, "d day"),
        (7 * 24 * 3600, "w week"),
    ):
        for name in names.split():
            sizes[name] = seconds
            if len(name) > 2:
                sizes[name + "s"] = seconds
    return sizes


timedelta_sizes = _timedelta_sizes()


def parse_timedelta(
    s: float | str | timedelta | None, default: str | Literal[False] = "seconds"
) -> float | None:
    """The seconds that a text such as ``"3 days"`` or a ``timedelta`` names; None stays None.

    Parameters
    ----------
    default
        The unit of a bare number; False: a bare number is a ``ValueError``.

    Raises
    ------
    ValueError, KeyError
        The number, or the unit, is not understood.

    >>> parse_timedelta("3500 us"), parse_timedelta("2 minutes"), parse_timedelta(300, default="ms")
    (0.0035, 120, 0.3)
    """
    if s is None:
        return None
    if hasattr(s, "total_seconds"):
        seconds = s.total_seconds()
        return int(seconds) if seconds == int(seconds) else seconds
    number, unit = _number_and_unit(str(s))
    if not unit:
        if default is False:
            raise ValueError(f"Missing time unit: {s!r}")
        if not isinstance(default, str):
            raise TypeError(f"The default unit must be a string or False, not {default!r}")
        unit = default
    try:
        factor = timedelta_sizes[unit.lower()]
    except KeyError:
        valid = ", ".join(timedelta_sizes)
        raise KeyError(f"Invalid time unit: {unit}. Valid units are: {valid}") from None
    # Divided by a whole number where the unit is a fraction, which floats cannot express.
    seconds = float(number) / round(1 / factor) if factor < 1 else float(number) * factor
    return int(seconds) if seconds == int(seconds) else seconds


def format_time(n: float) -> str:
    """A duration in seconds, for people.

    >>> format_time(0.000654321), format_time(1.4), format_time(1000.4), format_time(123456.78)
    ('654.32 us', '1.40 s', '16m 40s', '34hr 17m')
    """
    minutes, seconds = divmod(int(n), 60)
    hours, minutes = divmod(minutes, 60)
    if n > 2 * 24 * 3600:
        return f"{hours // 24}d {hours % 24}hr"
    if n > 2 * 3600:
        return f"{hours}hr {minutes}m"
    if n > 10 * 60:
        return f"{hours * 60 + minutes}m {seconds}s"
    if n >= 1:
        return f"{n:.2f} s"
    if n >= 1e-3:
        return f"{n * 1e3:.2f} ms"
    return f"{n * 1e6:.2f} us"


def format_time_ago(n: datetime) -> str:
    """How long ago the local time `n` was, in its largest unit: ``'3 hours ago'``."""
    from datetime import datetime

    seconds = int((datetime.now() - n).total_seconds())
    units = (
        ("year", 365 * 86400),
        ("month", 30 * 86400),
        ("day", 86400),
        ("hour", 3600),
        ("minute", 60),
        ("second", 1),
    )
    for name, length in units:
        if seconds >= length:
            return f"{maybe_pluralize(seconds // length, name)} ago"
    return "Just now"


# ---- words and tables ------------------------------------------------------------------------


def maybe_pluralize(count: int, noun: str, plural_form: str | None = None) -> str:
    """A count with its noun: ``'1 chunk'``, ``'2 chunks'``."""
    if count == 1:
        return f"{count} {noun}"
    return f"{count} {plural_form or noun + 's'}"


def natural_sort_key(s: str) -> list[str | int]:
    """A sort key by which ``'f2'`` comes before ``'f10'``.

    >>> sorted(["f10", "f2", "f1"], key=natural_sort_key)
    ['f1', 'f2', 'f10']
    """
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", s)]


def asciitable(columns: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    """A table drawn with ``+``, ``-`` and ``|``."""
    cells = [tuple(map(str, row)) for row in (columns, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
        for row in cells
    ]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def put_lines(buf: TextIO, lines: Iterable[Any]) -> None:
    """Write `lines` to a text buffer, separated and ended by line breaks."""
    buf.write("\n".join(str(line) for line in lines) + "\n")


def ensure_bytes(s: Any) -> bytes:
    """Text, or any object with a buffer, as ``bytes``.

    Raises
    ------
    TypeError
        `s` is neither.
    """
    if isinstance(s, bytes):
        return s
    if hasattr(s, "encode"):
        return s.encode()
    try:
        return bytes(memoryview(s))
    except TypeError as error:
        raise TypeError(
            f"Object {s!r} is neither a bytes object nor can be encoded to bytes"
        ) from error


def ensure_unicode(s: Any) -> str:
    """Bytes, or any object with a buffer, decoded as UTF-8; text passes.

    Raises
    ------
    TypeError
        `s` is none of these.
    """
    if isinstance(s, str):
        return s
    if hasattr(s, "decode"):
        return s.decode()
    try:
        return bytes(memoryview(s)).decode()
    except TypeError as error:
        raise TypeError(
            f"Object {s!r} is neither a str object nor can be decoded to str"
        ) from error


# ---- keys ------------------------------------------------------------------------------------

_HASH = re.compile(r"[a-f0-9]{32}")
_LETTERS_OF_A_HASH = re.compile(r"[a-f]{8}")


def key_split(s: Any) -> str:
    """The name at the start of a task's key, without hash and index: what tasks are grouped by.

    >>> key_split(("x-2", 1)), key_split("hello-world-1"), key_split("x-abcdefab")
    ('x', 'hello-world', 'x')
    >>> key_split("ae05086432ca935f6eba409a8ecd4896"), key_split(None)
    ('data', 'Other')
    """
    while type(s) is tuple and s:
        s = s[0]
    if type(s) is bytes:
        s = s.decode(errors="replace")
    return _key_split_text(s) if isinstance(s, str) else "Other"


@functools.lru_cache(100_000)
def _key_split_text(s: str) -> str:
    first, *rest = s.split("-")
    if not first:
        return "Other"
    if first[0] == "<":  # An object's representation stands for its class.
        first = first.strip("<>").lstrip().partition(" ")[0].rpartition(".")[2]
    elif not first[0].isalpha():
        first = first.partition(",")[0].strip("_'()\"")
    name = [first]
    for word in rest:
        if not word.isalpha() or _LETTERS_OF_A_HASH.fullmatch(word):
            break
        name.append(word)
    result = "-".join(name)
    if _HASH.fullmatch(result):
        return "data"
    return sys.intern(result) if result else "Other"


def stringify(obj: Any, exclusive: Iterable | None = None) -> Any:
    """Keys turned into text.

    Parameters
    ----------
    exclusive
        Keys to look for: they alone are replaced, anywhere in the tuples, lists, sets and
        dictionaries of `obj`. Without it the whole of `obj` is turned into text.
        Text and bytes are left as they are.
    """
    if isinstance(obj, (str, bytes)):
        return obj
    if exclusive is None:
        return str(obj)
    kind = type(obj)
    if kind is dict:
        return {key: stringify(value, exclusive) for key, value in obj.items()}
    if kind is list or kind is set:
        return kind(stringify(value, exclusive) for value in obj)
    if kind is tuple:
        try:
            if obj in exclusive:
                return str(obj)
        except TypeError:  # Unhashable: a task, not a key.
            pass
        return tuple(stringify(value, exclusive) for value in obj)
    try:
        return str(obj) if obj in exclusive else obj
    except TypeError:
        return obj
