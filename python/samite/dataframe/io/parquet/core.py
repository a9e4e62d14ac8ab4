"""Which engine reads and writes Parquet files."""

from __future__ import annotations

from typing import Any

from samite.dataframe.io.parquet.utils import Engine

__all__ = ["get_engine"]


def get_engine(engine: Any) -> type[Engine]:
    """The engine of that name ("auto" or "pyarrow"), or the class that was given.

    Raises
    ------
    ValueError
        There is none of that name.
    RuntimeError
        pyarrow is not installed.
    """
    if isinstance(engine, type) and issubclass(engine, Engine):
        return engine
    if engine is None or engine in ("auto", "pyarrow", "arrow", "pyarrow-dataset"):
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise RuntimeError("`pyarrow` not installed; Parquet files need it") from error
        from samite.dataframe.io.parquet.arrow import ArrowDatasetEngine

        return ArrowDatasetEngine
    raise ValueError(
        f'Unsupported engine: "{engine}". Valid choices are "pyarrow", "auto" and subclasses of '
        "samite.dataframe.io.parquet.utils.Engine."
    )
