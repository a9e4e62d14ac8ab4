"""The accessors as attributes of series and indexes."""

from __future__ import annotations

from typing import Any, ClassVar

from samite.dataframe.accessor import CachedAccessor
from samite.dataframe.accessors.categories import CategoricalAccessor
from samite.dataframe.accessors.dates import DatetimeAccessor
from samite.dataframe.accessors.nested import ListAccessor, StructAccessor
from samite.dataframe.accessors.strings import StringAccessor


class SeriesAccessors:
    """The accessors of series."""

    _accessors: ClassVar[set[str]] = {"str", "dt", "cat", "list", "struct"}

    str = CachedAccessor("str", StringAccessor)
    dt = CachedAccessor("dt", DatetimeAccessor)
    cat = CachedAccessor("cat", CategoricalAccessor)
    list = CachedAccessor("list", ListAccessor)
    struct = CachedAccessor("struct", StructAccessor)

    def __dir__(self) -> Any:
        own = {"str", "dt", "cat", "list", "struct"}
        return sorted(
            name for name in object.__dir__(self) if name not in own or hasattr(self, name)
        )


class IndexAccessors:
    """The accessors of indexes, and the attributes of categorical ones."""

    _accessors: ClassVar[set[str]] = {"str", "dt", "cat"}

    dt = CachedAccessor("dt", DatetimeAccessor)

    def _categories_accessor(self, attribute: str) -> Any:
        try:
            return self.cat  # type: ignore[attr-defined]
        except AttributeError:
            raise AttributeError(
                f"'{type(self).__name__}' object has no attribute {attribute!r}: it is not "
                "categorical"
            ) from None

    @property
    def categories(self) -> Any:
        """The categories of a categorical index; see ``.cat``."""
        return self._categories_accessor("categories").categories

    @property
    def ordered(self) -> bool:
        """Whether the categories of a categorical index have an order."""
        return self._categories_accessor("ordered").ordered

    @property
    def codes(self) -> Any:
        """The positions of the labels among the categories of a categorical index."""
        return self._categories_accessor("codes").codes
