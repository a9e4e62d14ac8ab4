"""``.list`` and ``.struct``: values of Arrow's nested types."""

from __future__ import annotations

from typing import Any, ClassVar

from samite.dataframe.accessors.base import Accessor
from samite.dataframe.expressions.lists import FlattenedLists


class _Lists(Accessor):
    _accessor_name: ClassVar[str] = "list"


class ListAccessor(_Lists, methods="len __getitem__"):
    """Methods of lists, for series of an Arrow list type.

    >>> df.tags.list.len()  # doctest: +SKIP
    """

    def flatten(self) -> Any:
        """The elements of all lists, under the labels of their rows."""
        from samite.dataframe.collections import new_collection

        return new_collection(FlattenedLists(self._series.expr))


class _Structs(Accessor):
    _accessor_name: ClassVar[str] = "struct"


class StructAccessor(_Structs, methods="field explode"):
    """Methods of structs, for series of an Arrow struct type.

    >>> df.place.struct.field("city")  # doctest: +SKIP
    """

    @property
    def dtypes(self) -> Any:
        """The dtypes of the fields."""
        return self._series._meta.struct.dtypes
