"""Writing to tables of data bases."""

from __future__ import annotations

from typing import Any


def to_sql(
    df: Any,
    name: str,
    uri: str,
    schema: str | None = None,
    if_exists: str = "fail",
    index: bool = True,
    index_label: Any = None,
    chunksize: int | None = None,
    dtype: Any = None,
    method: Any = None,
    compute: bool = True,
    parallel: bool = False,
    engine_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Write a data frame or series to a table of a data base, partition after partition.

    Parameters
    ----------
    uri:
        The URI of the data base, as SQLAlchemy takes it.
    if_exists:
        What to do with a table of that name: "fail", "replace" or "append".
    compute:
        Whether to write now, or to give a lazy value that does.
    parallel:
        Whether partitions may be written at the same time; the order of rows is not kept then.
    engine_kwargs:
        For ``sqlalchemy.create_engine``.

    The other parameters are those of ``pandas.DataFrame.to_sql``.

    Raises
    ------
    ValueError
        ``uri`` is no text; or the table is there and ``if_exists`` is "fail".
    """
    from samite.delayed import delayed

    if not isinstance(uri, str):
        raise ValueError(f"Expected URI to be a string, got {type(uri)}.")
    options = {
        "name": name,
        "con": uri,
        "schema": schema,
        "index": index,
        "index_label": index_label,
        "chunksize": chunksize,
        "dtype": dtype,
        "method": method,
    }
    write = delayed(_write, pure=False)
    # The empty table is made first, so that partitions only ever append.
    made = write(df._meta, engine_kwargs, {**options, "if_exists": if_exists}, None)
    later = {**options, "if_exists": "append"}
    results: list[Any] = []
    for part in df.to_delayed():
        previous = made if parallel or not results else results[-1]
        results.append(write(part, engine_kwargs, later, previous))
    result = delayed(list)(results)
    if not compute:
        return result
    result.compute()
    return None


def _write(
    frame: Any, engine_kwargs: dict[str, Any] | None, options: dict[str, Any], previous: Any
) -> Any:
    """Write a partition, after what ``previous`` stands for."""
    import sqlalchemy as sa

    engine = sa.create_engine(options["con"], **(engine_kwargs or {}))
    try:
        return frame.to_sql(**{**options, "con": engine})
    finally:
        engine.dispose()
