"""Grouping, windows and running totals."""

from __future__ import annotations

from typing import Any


class GroupingMethods:
    """Grouping, windows and running totals. For frames and series alike."""


class GroupingMethodsOfFrame:
    """Grouping, windows and running totals. For frames."""

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
