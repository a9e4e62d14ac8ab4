"""Forms of SciPy's sparse matrices and arrays.

Their pickles also hold flags that SciPy sets when it happens to look, so the data is taken alone.
"""

from __future__ import annotations

from samite.tokenize import _mapping_form, _normalize, _object, _once, _register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PARTS = {
    "bsr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "csr": ("data", "indices", "indptr"),
    "dia": ("data", "offsets"),
    "lil": ("data", "rows"),
}


@_once
def _sparse(x: Any) -> Any:
    head = ("sparse", _normalize(type(x)), _normalize(x.dtype), tuple(map(int, x.shape)))
    if x.format in _PARTS:
        return (*head, *[_normalize(getattr(x, name)) for name in _PARTS[x.format]])
    if x.format == "coo":
        coordinates = x.coords if hasattr(x, "coords") else (x.row, x.col)
        return (*head, _normalize(x.data), *map(_normalize, coordinates))
    if x.format == "dok":
        return (*head, _mapping_form("items", x.items()))
    return _object(x)


def register() -> None:
    """Tell the dispatcher about sparse types, if they are in use."""
    import scipy.sparse

    _register(scipy.sparse.spmatrix)(_sparse)
    if hasattr(scipy.sparse, "sparray"):
        _register(scipy.sparse.sparray)(_sparse)
