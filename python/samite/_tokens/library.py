"""Forms of dates, decimals, paths and buffers of Python's own library.

Apart from the types that are built in, so that a program which has none of them need not import
their modules.
"""

from __future__ import annotations

import datetime
import decimal
import pathlib
import pickle

from samite.hashing import hash_buffer_hex
from samite.tokenize import _normalize, _object, _register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_REPR_SAYS_ALL = frozenset({datetime.date, datetime.timedelta, datetime.timezone, decimal.Decimal})


def _identity(x: Any) -> Any:
    return x if type(x) in _REPR_SAYS_ALL else _object(x)


def _time(x: Any) -> Any:
    if type(x) is not datetime.datetime and type(x) is not datetime.time:
        return _object(x)
    if x.tzinfo is None or type(x.tzinfo) is datetime.timezone:
        return ("time", x, x.fold)
    # The repr of other time zones may be anything.
    return ("time", x.replace(tzinfo=None), x.fold, _normalize(x.tzinfo))


def _path(x: pathlib.PurePath) -> Any:
    return x if type(x).__module__.startswith("pathlib") else _object(x)


def _buffer(x: pickle.PickleBuffer) -> tuple:
    return ("buffer", hash_buffer_hex(x))


def register() -> None:
    """Tell the dispatcher about these types."""
    _register(*_REPR_SAYS_ALL)(_identity)
    _register(datetime.datetime, datetime.time)(_time)
    _register(pathlib.PurePath)(_path)
    _register(pickle.PickleBuffer)(_buffer)
