"""``.cat``: the categories of categoricals."""

from __future__ import annotations

from typing import Any, ClassVar

from samite.dataframe.accessors.base import Accessor
from samite.dataframe.errors import AttributeNotImplementedError
from samite.dataframe.known_categories import has_known_categories


class _Categories(Accessor):
    _accessor_name: ClassVar[str] = "cat"


class CategoricalAccessor(
    _Categories,
    methods="""add_categories as_ordered as_unordered remove_categories rename_categories
        reorder_categories set_categories""",
):
    """The categories of a categorical series or index.

    They may be known before computation or not; see :attr:`known`.

    >>> df.kind.cat.as_known()  # doctest: +SKIP
    """

    def _validate(self, meta: Any) -> None:
        import pandas as pd

        if not isinstance(meta, pd.CategoricalIndex):
            meta.cat  # noqa: B018  # raises pandas' error

    @property
    def known(self) -> bool:
        """Whether the categories are known before computation."""
        return has_known_categories(self._series)

    @property
    def ordered(self) -> bool:
        """Whether the categories have an order."""
        return self._series._meta.dtype.ordered

    @property
    def categories(self) -> Any:
        """The categories.

        Raises
        ------
        AttributeNotImplementedError
            They are not known.
        """
        self._refuse_unknown("categories")
        return self._series._meta.dtype.categories

    @property
    def codes(self) -> Any:
        """The position of each value among the categories, -1 for missing values.

        Raises
        ------
        AttributeNotImplementedError
            The categories are not known.
        """
        self._refuse_unknown("codes")
        return self._get("codes")

    def _refuse_unknown(self, attribute: str) -> None:
        if not self.known:
            raise AttributeNotImplementedError(
                f"`df.column.cat.{attribute}` with unknown categories is not supported. Please "
                "use `column.cat.as_known()` or `df.categorize()` beforehand to ensure known "
                "categories"
            )

    def as_known(self, **kwargs: Any) -> Any:
        """The series with known categories, which are computed if need be.

        Parameters
        ----------
        kwargs:
            For ``compute``.
        """
        if self.known:
            return self._series
        categories = self._found(**kwargs)
        return self._call("set_categories", categories)

    def as_unknown(self) -> Any:
        """The series with categories that are not known before computation."""
        from samite.dataframe.collections import new_collection
        from samite.dataframe.expressions.categories import AsUnknown

        if not self.known:
            return self._series
        return new_collection(AsUnknown(self._series.expr))

    def remove_unused_categories(self) -> Any:
        """The series without the categories that no value has, which are found by computing.

        The remaining ones keep their order.
        """
        import pandas as pd

        frame = self._series.to_frame(name=0)
        used = frame.map_partitions(_used, meta=pd.Series([], dtype=object))
        present = set(used.compute())
        if not self.known:
            return self._call("set_categories", pd.Index(sorted(present)))
        categories = self._series._meta.dtype.categories
        return self._call("set_categories", categories[categories.isin(present)])

    def _found(self, **kwargs: Any) -> Any:
        from samite.dataframe.collections import new_collection
        from samite.dataframe.expressions.categories import Categories

        frame = self._series.to_frame(name=0)
        columns, _ = new_collection(Categories(frame.expr, [0])).compute(**kwargs)
        return columns[0]


def _used(part: Any) -> Any:
    import pandas as pd

    return pd.Series(list(part[0].dropna().unique()), dtype=object)
