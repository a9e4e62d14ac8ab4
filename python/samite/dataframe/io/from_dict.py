"""Frames of dictionaries."""

from __future__ import annotations

from typing import Any

from samite.dataframe.creation import dataframe_creation_dispatch


@dataframe_creation_dispatch.register_inplace("pandas")
def from_dict(
    data: Any,
    npartitions: int,
    orient: str = "columns",
    dtype: Any = None,
    columns: Any = None,
    constructor: Any = None,
) -> Any:
    """A data frame of a dictionary.

    Parameters
    ----------
    data:
        Columns by label, or rows by label with ``orient="index"``; see
        ``pandas.DataFrame.from_dict``.
    npartitions:
        How many partitions to make.
    orient, dtype, columns:
        See pandas.
    constructor:
        The class whose ``from_dict`` is used, by default pandas' data frame.

    Raises
    ------
    NotImplementedError
        A value is a collection.
    """
    import pandas as pd

    from samite.base import is_dask_collection
    from samite.dataframe.io.from_pandas import from_pandas

    kinds = {type(value) for value in data.values() if is_dask_collection(value)}
    if kinds:
        raise NotImplementedError(
            "from_dict doesn't currently support Dask collections as inputs. Objects of type "
            f"{kinds} were given in the input dict; compute them first, or assign them as columns."
        )
    constructor = pd.DataFrame if constructor is None else constructor
    return from_pandas(
        constructor.from_dict(data, orient=orient, dtype=dtype, columns=columns), npartitions
    )
