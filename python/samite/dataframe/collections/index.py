"""The index of a data frame, not computed yet."""

from __future__ import annotations

from typing import Any

from samite.dataframe.collections.series import Series


class Index(Series):
    """The labels of the rows of a data frame, in the frame's partitions."""

    @property
    def index(self) -> Any:
        raise AttributeError("'Index' object has no attribute 'index'")

    @property
    def name(self) -> Any:
        """The label of the index."""
        return self._meta.name

    def _repr_header(self) -> str:
        return "Dask Index Structure:"
