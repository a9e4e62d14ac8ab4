"""What the namespace says of itself and of dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from samite.array.core import Array
from samite.array.elementwise import result_type as _result_type

__all__ = ["__array_namespace_info__", "can_cast", "finfo", "iinfo", "isdtype", "result_type"]

_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_KINDS["integral"] = _KINDS["signed integer"] + _KINDS["unsigned integer"]
_KINDS["numeric"] = _KINDS["integral"] + _KINDS["real floating"] + _KINDS["complex floating"]


class _Information:
    """What libraries can ask of the namespace."""

    def capabilities(self) -> dict[str, Any]:
        """What is optional in the standard and can be done.

        The lengths of what depends on values are not known beforehand, but it can be computed.
        """
        return {
            "boolean indexing": True,
            "data-dependent shapes": True,
            "max dimensions": 64,
        }

    def default_device(self) -> str:
        """The device that arrays are made on."""
        return "cpu"

    def devices(self) -> list[str]:
        """All devices."""
        return ["cpu"]

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype]:
        """The dtypes of arrays that are made without one."""
        check_device(device)
        return {
            "real floating": np.dtype(np.float64),
            "complex floating": np.dtype(np.complex128),
            "integral": np.dtype(np.int_),
            "indexing": np.dtype(np.intp),
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, np.dtype]:
        """The dtypes by name, all or those of a kind or of several."""
        check_device(device)
        kinds = (
            kind if isinstance(kind, tuple) else ("bool", "numeric") if kind is None else (kind,)
        )
        unknown = [each for each in kinds if each not in _KINDS]
        if unknown:
            raise ValueError(f"unsupported kind: {unknown[0]!r}; there are {sorted(_KINDS)}")
        return {name: np.dtype(name) for each in kinds for name in _KINDS[each]}


def __array_namespace_info__() -> _Information:
    """What the namespace can do: its devices, dtypes and capabilities."""
    return _Information()


def check_device(device: Any) -> None:
    """Refuse devices that there are not.

    Raises
    ------
    ValueError
        If it is another than the only one.
    """
    if device not in (None, "cpu"):
        raise ValueError(f"there is no device but 'cpu': {device!r}")


def _dtype_or_same(value: Any) -> Any:
    return value.dtype if isinstance(value, Array) else value


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether an array or dtype can be converted to a dtype without loss."""
    return bool(np.can_cast(_dtype_or_same(from_), to))


def finfo(type: Any, /) -> np.finfo:
    """The limits of a floating dtype, or that of an array."""
    return np.finfo(_dtype_or_same(type))


def iinfo(type: Any, /) -> np.iinfo:
    """The limits of an integer dtype, or that of an array."""
    return np.iinfo(_dtype_or_same(type))


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a dtype is of a kind, or one of several."""
    return bool(np.isdtype(dtype, kind))


def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    """The dtype that arrays, scalars and dtypes have together."""
    return _result_type(*arrays_and_dtypes)
