"""What an engine of Parquet files has to offer."""

from __future__ import annotations

from typing import Any


class Engine:
    """Reads and writes partitions. A subclass can be given as ``engine=``.

    Subclasses of :class:`samite.dataframe.io.parquet.arrow.ArrowDatasetEngine` can also change
    single steps of it.
    """

    @classmethod
    def read_partition(cls, pieces: Any, settings: Any) -> Any:
        """The rows of pieces of files as one pandas frame; see
        :class:`~samite.dataframe.io.parquet.arrow.ReadSettings`."""
        raise NotImplementedError(f"{cls.__name__} reads no partitions")

    @classmethod
    def write_partition(cls, frame: Any, path: str, settings: Any) -> Any:
        """Write the rows of a pandas frame to the file ``path``; gives its metadata."""
        raise NotImplementedError(f"{cls.__name__} writes no partitions")
