"""The Arrow schema that a data frame is written with."""

from __future__ import annotations

from typing import Any

import pandas as pd

from samite.dataframe.io.parquet.arrow import NULL_INDEX
from samite.dataframe.metadata import meta_nonempty


def schema_to_write(frame: Any, schema: Any, write_index: bool) -> tuple[Any, set[str]]:
    """The schema of all files (None: each its own), and the columns whose types are not known
    before there are rows.

    Raises
    ------
    TypeError
        ``schema`` is none, nor a dict of types, None or "infer".
    ValueError
        It has columns that the frame has not.
    """
    import pyarrow as pa

    if schema is None:
        return None, set()
    meta = _named(frame._meta, write_index)
    if isinstance(schema, pa.Schema):
        given: dict[str, Any] = {field.name: field.type for field in schema}
    elif isinstance(schema, dict):
        given = dict(schema)
    elif schema == "infer":
        given = {}
    else:
        raise TypeError(
            "schema must be 'infer', None, a pyarrow.Schema or a dict of pyarrow types, "
            f"got {type(schema).__name__}"
        )
    names = [*meta.columns, *([meta.index.name] if write_index else [])]
    unknown = [name for name in given if name not in names]
    if unknown and not isinstance(schema, pa.Schema):
        raise ValueError(f"to_parquet: the columns {unknown} of `schema` are not in the frame")
    example = meta_nonempty(meta)
    fields, loose = [], set()
    for name in names:
        values = example.index if name not in meta.columns else example[name]
        dtype = (meta.index if name not in meta.columns else meta[name]).dtype
        if name in given:
            fields.append(pa.field(name, given[name]))
            continue
        if isinstance(dtype, pd.CategoricalDtype):
            loose.add(name)
        fields.append(pa.field(name, pa.Array.from_pandas(values).type))
    return pa.schema(fields), loose


def _named(meta: pd.DataFrame, write_index: bool) -> pd.DataFrame:
    if write_index and meta.index.name is None and meta.index.nlevels == 1:
        return meta.rename_axis(index=NULL_INDEX)
    return meta
