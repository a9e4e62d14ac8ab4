"""Making the collection of an expression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samite._dispatch import get_collection_type

if TYPE_CHECKING:
    from samite._expr import Expr


def new_collection(expr: Expr) -> Any:
    """The collection of ``expr``, of the class that is registered for its metadata.

    Raises
    ------
    TypeError
        If no class is registered for the type of ``expr._meta``.
    """
    schema = getattr(expr, "_derived_schema", None)
    if schema is not None:
        return get_collection_type(schema.example)(expr)
    return get_collection_type(expr._meta)(expr)
