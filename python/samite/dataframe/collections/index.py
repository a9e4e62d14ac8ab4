"""The index of a data frame, not computed yet."""

from __future__ import annotations

from typing import Any

from samite.dataframe.accessors.attached import IndexAccessors
from samite.dataframe.collections.conversion_methods import ConversionMethodsOfIndex
from samite.dataframe.collections.frame_base import new_collection
from samite.dataframe.collections.reduction_methods import ReductionMethodsOfIndex
from samite.dataframe.collections.series import Series
from samite.dataframe.elementwise import rows_function
from samite.dataframe.metadata import no_default


class Index(IndexAccessors, ConversionMethodsOfIndex, ReductionMethodsOfIndex, Series):
    """The labels of the rows of a data frame, in the frame's partitions."""

    @property
    def index(self) -> Any:
        raise AttributeError("'Index' object has no attribute 'index'")

    @property
    def name(self) -> Any:
        """The label of the index."""
        return self._meta.name

    @name.setter
    def name(self, name: Any) -> None:
        self._expr = self.rename(name).expr

    @property
    def names(self) -> Any:
        """The labels of the levels."""
        return self._meta.names

    def __getattr__(self, name: str) -> Any:
        # Only called when the usual way fails: what pandas has for this dtype, such as the parts
        # of dates.
        from samite.dataframe.index_attributes import ATTRIBUTES, attribute_of_index

        if name in type(self)._accessors:
            getattr(self._meta, name)  # raises pandas' error, which tells what the dtype lacks
        if name not in ATTRIBUTES:
            raise AttributeError(f"'Index' object has no attribute {name!r}")
        return attribute_of_index(self, name)

    def __dir__(self) -> list[str]:
        from samite.dataframe.index_attributes import ATTRIBUTES

        own = (name for name in ATTRIBUTES if hasattr(self._meta, name))
        return sorted({*super().__dir__(), *own})

    def to_series(self, index: Any = None, name: Any = no_default) -> Any:
        """The labels as a series, with themselves as its index.

        Raises
        ------
        NotImplementedError
            Another index is asked for.
        """
        from samite.dataframe import methods

        if index is not None:
            raise NotImplementedError("index of to_series must be None")
        name = self.name if name is no_default else name
        return rows_function(methods.index_as_series, self, name)

    def to_frame(self, index: Any = True, name: Any = no_default) -> Any:
        """The labels as a frame of one column; ``index`` tells whether they stay the index too.

        Raises
        ------
        NotImplementedError
            ``index`` is neither True nor False.
        """
        from samite.dataframe.expressions.elementwise import ToFrame

        if index not in (True, False):
            raise NotImplementedError("index of to_frame must be True or False")
        name = None if name is no_default else name
        return new_collection(ToFrame(self.expr, name, bool(index)))

    def map(
        self, arg: Any, na_action: Any = None, meta: Any = no_default, is_monotonic: bool = False
    ) -> Any:
        """A function of each label, or its counterpart in a mapping.

        ``is_monotonic`` promises that the new labels are in ascending order, so that the
        divisions stay known.
        """
        from samite.dataframe.mapping import map_index

        return map_index(self, arg, na_action, meta, is_monotonic)

    def shift(self, periods: int = 1, freq: Any = None, axis: Any = 0) -> Any:
        """The labels moved by a number of steps of ``freq``; only for times and periods."""
        from samite.dataframe.shifted_index import shifted_index

        return shifted_index(self, periods, freq)

    def rename(self, index: Any, sorted_index: bool = False) -> Any:
        """The same labels under another name."""
        from samite.dataframe.elementwise import method_call

        return method_call(self, "rename", index)
