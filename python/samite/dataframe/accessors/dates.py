"""``.dt``: parts of dates, times, durations and periods."""

from __future__ import annotations

from typing import Any, ClassVar

import pandas as pd

from samite.dataframe.accessors.base import Accessor


class _Dates(Accessor):
    _accessor_name: ClassVar[str] = "dt"

    def _validate(self, meta: Any) -> None:
        if not isinstance(meta, pd.Index):
            super()._validate(meta)
        elif not isinstance(meta, (pd.DatetimeIndex, pd.TimedeltaIndex, pd.PeriodIndex)):
            raise AttributeError("Can only use .dt accessor with datetimelike values")

    @property
    def _of_meta(self) -> Any:
        meta = self._series._meta
        return meta if isinstance(meta, pd.Index) else meta.dt


class DatetimeAccessor(
    _Dates,
    methods="""as_unit asfreq ceil day_name floor isocalendar month_name normalize round strftime
        to_period to_pydatetime to_pytimedelta to_timestamp total_seconds tz_convert
        tz_localize""",
    properties="""components date day day_of_week day_of_year dayofweek dayofyear days days_in_month
        daysinmonth end_time hour is_leap_year is_month_end is_month_start is_quarter_end
        is_quarter_start is_year_end is_year_start microsecond microseconds minute month nanosecond
        nanoseconds quarter qyear second seconds start_time time timetz week weekday weekofyear
        year""",
):
    """The parts of dates, times, durations and periods, value by value.

    Of an index they are an index, but for what pandas makes a frame of.

    >>> df.when.dt.year  # doctest: +SKIP
    """

    @property
    def freq(self) -> object:
        """The frequency, as far as the dtype tells it."""
        return self._of_meta.freq

    @property
    def tz(self) -> object:
        """The time zone, or None."""
        return self._of_meta.tz

    @property
    def unit(self) -> str:
        """The unit of the values: ``"s"``, ``"ms"``, ``"us"`` or ``"ns"``."""
        return self._of_meta.unit
