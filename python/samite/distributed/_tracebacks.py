"""Tracebacks that travel: the places where an exception passed, and a traceback made of them.

Frames cannot be pickled. A traceback shows the file, the function and the line of each frame, so
frames that look the same are made where it arrives, by raising something at such a place.
"""

from __future__ import annotations

import sys
from types import CodeType, TracebackType

Place = tuple[str, str, int]

# More frames than this are shown in part: the first and the last ones.
_MOST = 200


def places_of(traceback: TracebackType | None) -> list[Place]:
    """The file, the function and the line of each frame, the outermost first."""
    places = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append((code.co_filename, code.co_name, traceback.tb_lineno))
        traceback = traceback.tb_next
    if len(places) > _MOST:
        places = [*places[: _MOST // 2], *places[-_MOST // 2 :]]
    return places


def rebuilt(places: list[Place]) -> TracebackType | None:
    """A traceback of these places."""
    made: TracebackType | None = None
    for filename, name, line in reversed(places):
        code = compile("raise failure", filename, "exec")
        code = code.replace(co_name=name, co_firstlineno=line, **_without_columns(code))
        try:
            exec(code, {"failure": _Passed(), "__name__": name, "__file__": filename})
        except _Passed as passed:
            inner = passed.__traceback__.tb_next if passed.__traceback__ is not None else None
            if inner is not None:
                made = TracebackType(made, inner.tb_frame, inner.tb_lasti, line)
            del inner
            # The frame knows what it raised.
            passed.__traceback__ = None
    try:
        return made
    finally:
        # The frames of the traceback keep this one, which must not keep the traceback.
        del made


def _without_columns(code: CodeType) -> dict[str, bytes]:
    """A table of lines that says nothing of columns, which would be those of another line."""
    if sys.version_info < (3, 11):
        return {}
    # Entries of kind 13 have a line and no columns; each is for up to eight units of code.
    units, table = len(code.co_code) // 2, bytearray()
    while units > 0:
        table += bytes([0x80 | 13 << 3 | (min(units, 8) - 1), 0])
        units -= 8
    return {"co_linetable": bytes(table)}


class _Passed(Exception):
    """Raised to make a frame."""
