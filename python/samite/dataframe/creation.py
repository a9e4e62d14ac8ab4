"""The library that sources make partitions with, by the setting ``dataframe.backend``."""

from __future__ import annotations

from typing import Any

from samite.backends import CreationDispatch, DaskBackendEntrypoint

__all__ = ["DataFrameBackendEntrypoint", "dataframe_creation_dispatch"]


class DataFrameBackendEntrypoint(DaskBackendEntrypoint):
    """What a library for partitions offers: the functions that make data frames."""

    @staticmethod
    def from_dict(data: dict, npartitions: int, orient: str = "columns", **kwargs: Any) -> Any:
        """A data frame of a dictionary."""
        raise NotImplementedError

    @staticmethod
    def read_parquet(path: Any, **kwargs: Any) -> Any:
        """A data frame of Parquet files."""
        raise NotImplementedError

    @staticmethod
    def read_json(url_path: Any, **kwargs: Any) -> Any:
        """A data frame of JSON files."""
        raise NotImplementedError

    @staticmethod
    def read_orc(path: Any, **kwargs: Any) -> Any:
        """A data frame of ORC files."""
        raise NotImplementedError

    @staticmethod
    def read_csv(urlpath: Any, **kwargs: Any) -> Any:
        """A data frame of CSV files."""
        raise NotImplementedError

    @staticmethod
    def read_hdf(pattern: Any, key: str, **kwargs: Any) -> Any:
        """A data frame of HDF5 files."""
        raise NotImplementedError


class PandasBackendEntrypoint(DataFrameBackendEntrypoint):
    """Partitions of pandas."""

    @classmethod
    def to_backend_dispatch(cls) -> Any:
        from samite.dataframe.dispatch import to_pandas_dispatch

        return to_pandas_dispatch

    @classmethod
    def to_backend(cls, data: Any, **kwargs: Any) -> Any:
        import pandas as pd

        if isinstance(data._meta, (pd.DataFrame, pd.Series, pd.Index)):
            return data
        return data.map_partitions(cls.to_backend_dispatch(), **kwargs)


dataframe_creation_dispatch = CreationDispatch(
    module_name="dataframe",
    default="pandas",
    entrypoint_class=DataFrameBackendEntrypoint,
    name="dataframe_creation_dispatch",
)
dataframe_creation_dispatch.register_backend("pandas", PandasBackendEntrypoint())
