"""A column that is not computed yet."""

from __future__ import annotations

from typing import Any

from samite.dataframe.collections.elementwise_methods import ElementwiseMethodsOfSeries
from samite.dataframe.collections.frame_base import FrameBase, new_collection
from samite.dataframe.collections.grouping_methods import GroupingMethodsOfSeries
from samite.dataframe.collections.joining_methods import JoiningMethodsOfSeries
from samite.dataframe.collections.output_methods import OutputMethodsOfSeries
from samite.dataframe.collections.partition_methods import PartitionMethodsOfSeries
from samite.dataframe.collections.reduction_methods import ReductionMethodsOfSeries
from samite.dataframe.expressions.elementwise import ToFrame


class Series(
    ElementwiseMethodsOfSeries,
    ReductionMethodsOfSeries,
    GroupingMethodsOfSeries,
    PartitionMethodsOfSeries,
    JoiningMethodsOfSeries,
    OutputMethodsOfSeries,
    FrameBase,
):
    """One column of a data frame, or what is computed from columns, in partitions by rows."""

    @property
    def name(self) -> Any:
        """The label of the series."""
        return self._meta.name

    @name.setter
    def name(self, name: Any) -> None:
        from samite.dataframe.elementwise import method_call

        self._expr = method_call(self, "rename", name).expr

    @property
    def dtype(self) -> Any:
        """The dtype of the values."""
        return self._meta.dtype

    @property
    def dtypes(self) -> Any:
        return self._meta.dtype

    @property
    def ndim(self) -> int:
        return 1

    @property
    def nbytes(self) -> Any:
        """The bytes of all values, as a scalar."""
        return self.reduction(_nbytes, _total, meta=0, token="nbytes")

    def to_frame(self, name: Any = None) -> Any:
        """A frame of this column alone, under ``name`` if given."""
        return new_collection(ToFrame(self.expr, name))

    def __getitem__(self, key: Any) -> Any:
        from samite.dataframe.expressions.selection import Filter

        if isinstance(key, Series):
            from samite.dataframe.elementwise import aligned

            return new_collection(Filter(*aligned(self.expr, key.expr)))
        raise NotImplementedError(
            f"Series getitem takes a boolean Series with the same rows; got {type(key).__name__}. "
            "Use .loc for labels."
        )

    def __iter__(self) -> Any:
        for part in self.to_delayed():
            yield from part.compute()


def _nbytes(part: Any) -> int:
    return int(part.nbytes)


def _total(parts: Any) -> int:
    return int(sum(parts))
