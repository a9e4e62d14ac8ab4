"""What pandas' indexes of dates have as attributes."""

from __future__ import annotations

from typing import Any

ATTRIBUTES = frozenset(
    "nanosecond microsecond millisecond dayofyear minute hour day dayofweek second week weekday "
    "weekofyear month quarter year is_month_start is_month_end is_quarter_start is_quarter_end "
    "is_year_start is_year_end is_leap_year days_in_month daysinmonth day_of_week day_of_year "
    "date time tz days seconds microseconds nanoseconds".split()
)


def attribute_of_index(index: Any, name: str) -> Any:
    """An attribute of each label, as an index.

    Raises
    ------
    AttributeError
        The labels have none of that name.
    """
    from samite.dataframe import methods
    from samite.dataframe.elementwise import rows_function

    value = getattr(index._meta, name)  # raises pandas' error
    if not hasattr(value, "__len__"):
        return value
    return rows_function(methods.index_attribute, index, name)
