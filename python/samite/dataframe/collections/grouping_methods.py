"""Grouping, windows and running totals."""

from __future__ import annotations

from typing import Any


class GroupingMethods:
    """Grouping, windows and running totals. For frames and series alike."""

    def rolling(self, window: Any, **kwargs: Any) -> Any:
        """Windows over the rows; see :class:`samite.dataframe.windows.Rolling`."""
        from samite.dataframe.windows import Rolling

        return Rolling(self, window, **kwargs)

    def resample(self, rule: Any, closed: Any = None, label: Any = None) -> Any:
        """Group the rows by spans of time; see
        :class:`samite.dataframe.tseries.resample.Resampler`."""
        from samite.dataframe.tseries.resample import Resampler

        return Resampler(self, rule, closed, label)


class GroupingMethodsOfFrame:
    """Grouping, windows and running totals. For frames."""

    def pivot_table(self, index: Any, columns: Any, values: Any, aggfunc: Any = "mean") -> Any:
        """See :func:`samite.dataframe.pivot_table`."""
        from samite.dataframe.reshape import pivot_table

        return pivot_table(self, index, columns, values, aggfunc)

    def melt(
        self,
        id_vars: Any = None,
        value_vars: Any = None,
        var_name: Any = None,
        value_name: Any = "value",
        col_level: Any = None,
    ) -> Any:
        """See :func:`samite.dataframe.melt`."""
        from samite.dataframe.reshape import melt

        return melt(self, id_vars, value_vars, var_name, value_name, col_level)

    def groupby(
        self,
        by: Any,
        group_keys: bool = True,
        sort: bool | None = None,
        observed: bool | None = None,
        dropna: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Group the rows; see :class:`samite.dataframe.groupby.GroupBy` for the parameters.

        Raises
        ------
        TypeError
            A keyword of pandas is given that has no meaning here.
        """
        from samite.dataframe.groupby import DataFrameGroupBy

        _no_more(kwargs)
        return DataFrameGroupBy(self, by, group_keys, sort, observed, dropna)


class GroupingMethodsOfSeries:
    """Grouping, windows and running totals. For series."""

    def groupby(
        self,
        by: Any,
        group_keys: bool = True,
        sort: bool | None = None,
        observed: bool | None = None,
        dropna: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Group the values; see :class:`samite.dataframe.groupby.GroupBy` for the parameters.

        Raises
        ------
        TypeError
            A keyword of pandas is given that has no meaning here.
        """
        from samite.dataframe.groupby import SeriesGroupBy

        _no_more(kwargs)
        return SeriesGroupBy(self, by, group_keys, sort, observed, dropna)


def _no_more(kwargs: dict[str, Any]) -> None:
    for name in kwargs:
        raise TypeError(
            f"groupby() got an unexpected keyword argument {name!r}; of pandas' keywords there are "
            "by, group_keys, sort, observed and dropna"
        )
