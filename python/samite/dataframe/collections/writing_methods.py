"""Writing to files and data bases."""

from __future__ import annotations

from typing import Any


class WritingMethods:
    """Writing. For frames and series alike."""

    def to_csv(self, filename: Any, **kwargs: Any) -> Any:
        """Write to CSV files; see :func:`samite.dataframe.to_csv`."""
        from samite.dataframe.io.csv import to_csv

        return to_csv(self, filename, **kwargs)

    def to_json(self, filename: Any, *args: Any, **kwargs: Any) -> Any:
        """Write to JSON files; see :func:`samite.dataframe.to_json`."""
        from samite.dataframe.io.json import to_json

        return to_json(self, filename, *args, **kwargs)

    def to_hdf(self, path_or_buf: Any, key: str, mode: str = "a", append: bool = False, **kw: Any):
        """Write to HDF5 files; see :func:`samite.dataframe.to_hdf`."""
        from samite.dataframe.io.hdf import to_hdf

        return to_hdf(self, path_or_buf, key, mode, append, **kw)

    def to_sql(self, name: str, uri: str, **kwargs: Any) -> Any:
        """Write to a table of a data base; see :func:`samite.dataframe.to_sql`."""
        from samite.dataframe.io.sql import to_sql

        return to_sql(self, name, uri, **kwargs)

    def to_orc(self, path: Any, *args: Any, **kwargs: Any) -> Any:
        """Write to ORC files; see :func:`samite.dataframe.to_orc`."""
        from samite.dataframe.io.orc import to_orc

        return to_orc(self, path, *args, **kwargs)


class WritingMethodsOfFrame:
    """Writing. For frames."""

    def to_parquet(self, path: Any, **kwargs: Any) -> Any:
        """Write to Parquet files; see :func:`samite.dataframe.to_parquet`."""
        from samite.dataframe.io.parquet import to_parquet

        return to_parquet(self, path, **kwargs)
