"""Dask's module path for random time series."""

from samite.dataframe.datasets import Timeseries, timeseries

__all__ = ["Timeseries", "timeseries"]
