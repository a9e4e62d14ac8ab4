"""Parquet files."""

from samite.dataframe.io.parquet.core import get_engine
from samite.dataframe.io.parquet.metadata_file import create_metadata_file
from samite.dataframe.io.parquet.read import ReadParquet, read_parquet
from samite.dataframe.io.parquet.utils import Engine
from samite.dataframe.io.parquet.write import CommitParquet, WriteParquet, to_parquet

__all__ = [
    "CommitParquet",
    "Engine",
    "ReadParquet",
    "WriteParquet",
    "create_metadata_file",
    "get_engine",
    "read_parquet",
    "to_parquet",
]
