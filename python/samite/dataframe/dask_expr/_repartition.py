"""Dask's module path for expressions that repartition."""

from samite.dataframe.expressions.repartition import (
    Repartition,
    RepartitionDivisions,
    RepartitionToFewer,
    RepartitionToMore,
)

__all__ = ["Repartition", "RepartitionDivisions", "RepartitionToFewer", "RepartitionToMore"]
