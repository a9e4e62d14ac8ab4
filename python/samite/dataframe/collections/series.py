"""A column that is not computed yet."""

from __future__ import annotations

from typing import Any

from samite.dataframe.accessors.attached import SeriesAccessors
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
    SeriesAccessors,
    FrameBase,
):
    """One column of a data frame, or what is computed from columns, in partitions by rows."""

    @property
    def name(self) -> Any:
        """The label of the series."""
        schema = self._expr._derived_schema
        return self._meta.name if schema is None else schema.labels[0]

    @name.setter
    def name(self, name: Any) -> None:
        from samite.dataframe.elementwise import method_call

        self._expr = method_call(self, "rename", name).expr

    @property
    def dtype(self) -> Any:
        """The dtype of the values."""
        schema = self._expr._derived_schema
        return self._meta.dtype if schema is None else schema.dtypes[0]

    @property
    def dtypes(self) -> Any:
        return self._meta.dtype

    def __bool__(self) -> bool:
        raise ValueError(
            f"The truth value of a {type(self).__name__} is ambiguous. Use a.any() or a.all()."
        )

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
        from samite.dataframe.elementwise import filtered

        if isinstance(key, Series) or hasattr(type(key), "numblocks"):
            return filtered(self, key)
        of_column = getattr(self.expr, "of_column", None)
        if of_column is not None and key in self.expr.frame.columns:
            # One of the columns that were reduced.
            return new_collection(of_column(key))
        return self.loc[key]

    def __contains__(self, key: object) -> bool:
        raise NotImplementedError(
            "Using 'in' to test for membership is not supported. Use the values or the index "
            "explicitly: `(series == value).any()`, `series.isin([value])`"
        )

    def __iter__(self) -> Any:
        for part in self.to_delayed():
            yield from part.compute()


def _nbytes(part: Any) -> int:
    return int(part.nbytes)


def _total(parts: Any) -> int:
    return int(sum(parts))
