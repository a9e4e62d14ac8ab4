"""Data frames of bags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_NO_META = (
    "`samite.bag.Bag.to_dataframe` failed to properly infer metadata, please pass in metadata via "
    "the `meta` keyword"
)


def to_dataframe(bag: Any, meta: Any, columns: Any, optimize_graph: bool) -> Any:
    """See :meth:`Bag.to_dataframe`."""
    import pandas as pd

    import samite.dataframe as dd

    if meta is not None and columns is not None:
        raise ValueError("Can't specify both `meta` and `columns`")
    if meta is None:
        head = bag.take(1, warn=False)
        if not head:
            raise ValueError(_NO_META)
        meta = pd.DataFrame(list(head), columns=None if columns is None else list(columns))
    elif not isinstance(meta, pd.DataFrame):
        meta = _frame_of(meta)
    meta = meta.iloc[:0]
    parts = bag.map_partitions(_Framer(list(meta.columns), meta.dtypes.to_dict()))
    return dd.from_delayed(
        parts.to_delayed(optimize_graph=optimize_graph),
        meta=meta,
        prefix=f"to-dataframe-{bag.name}",
        verify_meta=False,
    )


def _frame_of(meta: Any) -> Any:
    import pandas as pd

    pairs = meta.items() if isinstance(meta, dict) else meta
    return pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in pairs})


class _Framer:
    """Makes a frame of a partition's records."""

    def __init__(self, columns: list[Any], dtypes: dict[Any, Any]) -> None:
        self.columns = columns
        self.dtypes = dtypes
        self.__name__ = "to_dataframe"

    def __call__(self, records: Any) -> Any:
        import pandas as pd

        if isinstance(records, Iterator) or not isinstance(records, list):
            records = list(records)
        frame = pd.DataFrame(records, columns=self.columns)
        return frame.astype(self.dtypes, copy=False)

    def __dask_tokenize__(self) -> Any:
        return "framer", self.columns, {str(name): str(kind) for name, kind in self.dtypes.items()}
