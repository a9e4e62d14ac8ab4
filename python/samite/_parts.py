"""Values in parts: what tasks of a shuffle make, one part for each task that reads one.

On a cluster a worker that needs one part of a value gets that part and no other; elsewhere a value
in parts is a dict.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

from samite import _pickling


class Parts(dict[int, Any]):
    """Values by the number of the part. Parts of which there is nothing to say are left out."""


class Reader:
    """A function of parts: its first argument is a list of values in parts, of each of which it
    gets the part of its number, None where there is none.

    The scheduler of a cluster looks at `part` to learn what a task has to fetch.
    """

    __slots__ = ("function", "part")

    def __init__(self, part: int, function: Callable[..., Any]) -> None:
        self.part = part
        self.function = function

    def __call__(self, values: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        part = self.part
        pieces = [value.get(part) if isinstance(value, Parts) else value for value in values]
        return self.function(pieces, *args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.part, self.function))

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        from samite.tokenize import normalize_token

        return ("samite.part", self.part, normalize_token(self.function))

    @property
    def __name__(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)


def dump(part: Any) -> list[Any]:
    """Pickle a part: the pickle, then its buffers, as `samite._pickling.dump`."""
    if not _holds_plain_columns(part):
        return _pickling.dump(part)
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(part, protocol=5, buffer_callback=buffers.append)
    return [data, *(_pickling._flat(buffer) for buffer in buffers)]


def _holds_plain_columns(part: Any) -> bool:
    """Whether a part is a frame or series of pandas without Python objects, of which plain pickle
    makes the same as cloudpickle, sooner."""
    kind = type(part)
    if kind.__module__ == "samite.dataframe.packing":
        return part.others is None
    if not kind.__module__.startswith("pandas.core."):
        return False
    if kind.__name__ == "DataFrame":
        dtypes = part.dtypes.tolist()
    elif kind.__name__ == "Series":
        dtypes = [part.dtype]
    else:
        return False
    return all(dtype.kind != "O" or dtype == "str" for dtype in [part.index.dtype, *dtypes])
