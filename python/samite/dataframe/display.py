"""How frames, series and indexes are shown."""

from __future__ import annotations

from typing import Any

DOTS = "..."


def described_dtype(dtype: Any) -> str:
    """The name of a dtype; of a categorical also whether its categories are known."""
    import pandas as pd

    from samite.dataframe.known_categories import has_known_categories

    if isinstance(dtype, pd.CategoricalDtype):
        return "category[known]" if has_known_categories(dtype) else "category[unknown]"
    return str(dtype)


def structure(collection: Any) -> Any:
    """A small pandas frame, or series, with the dtypes and the divisions of a collection."""
    import pandas as pd

    meta = collection._meta
    divisions = collection.divisions
    if collection.known_divisions:
        index = pd.Index(divisions, dtype=object)
    else:
        index = pd.Index([""] * len(divisions), dtype=object)
    # A frame without partitions shows one row.
    index.name = f"npartitions={collection.npartitions}"
    index = index.map(str).astype(object) if len(index) else pd.Index([""], name=index.name)
    rows = len(index)
    if isinstance(meta, pd.DataFrame):
        columns = [_column(dtype, index, rows) for dtype in meta.dtypes]
        frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=index)
        frame.columns = meta.columns
        return frame
    return _column(meta.dtype, index, rows).rename(getattr(meta, "name", None))


def _column(dtype: Any, index: Any, rows: int) -> Any:
    import pandas as pd

    cells = [described_dtype(dtype)] + [DOTS] * (rows - 1)
    return pd.Series(cells, index=index, dtype=object)


def text(collection: Any) -> str:
    """The representation of a frame, series or index."""
    import pandas as pd

    meta = collection._meta
    kind = type(collection).__name__
    shown = structure(collection)
    expr = collection.expr
    if isinstance(meta, pd.DataFrame):
        body = shown.to_string(max_rows=5)
        if not len(meta.columns):
            divisions = ", ".join(map(str, collection.divisions))
            body = (
                f"Columns: []\nDivisions: {divisions if collection.known_divisions else 'unknown'}"
            )
            kind = f"{kind}"
            return f"Empty Dask {kind} Structure:\n{body}\n{footer(expr)}\nExpr={expr}"
    else:
        body = series_text(shown, 5)
    return f"Dask {kind} Structure:\n{body}\n{footer(expr)}\nExpr={expr}"


def series_text(shown: Any, max_rows: int) -> str:
    """The rows of a series, under the name of its index."""
    named = shown.name is not None
    body = shown.to_string(max_rows=max_rows, header=True, name=False)
    return f"{body}\nName: {shown.name}" if named and False else body


def footer(expr: Any) -> str:
    """The name and the size of an expression."""
    from samite.utils import key_split, maybe_pluralize

    count = len({node._name for node in expr.walk()})
    return f"Dask Name: {key_split(expr._name)}, {maybe_pluralize(count, 'expression')}"


def html(collection: Any, max_rows: int = 5) -> str:
    """A frame's dtypes and divisions as HTML."""
    import pandas as pd

    shown = structure(collection)
    if isinstance(shown, pd.Series):
        shown = shown.to_frame()
    table = shown.to_html(max_rows=max_rows, show_dimensions=False, notebook=False)
    kind = type(collection).__name__
    heading = f"<div><strong>Dask {kind} Structure:</strong></div>"
    return f"{heading}\n{table}\n<div>{footer(collection.expr)}</div>"
