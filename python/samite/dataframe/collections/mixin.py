"""What the classes of methods are told about the collection that they are part of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


class Mixin:
    """Methods of a collection, apart from the class by subject."""

    if TYPE_CHECKING:
        expr: Any
        _expr: Any
        _meta: Any

        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, key: Any) -> Any: ...
