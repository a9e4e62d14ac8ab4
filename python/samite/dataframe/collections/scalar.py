"""One value that is not computed yet."""

from __future__ import annotations

from typing import Any

from samite.dataframe.collections.frame_base import FrameBase


class Scalar(FrameBase):
    """One value of a data frame's computation, such as a sum.

    Takes part in arithmetic, also with frames and series.
    """

    @property
    def dtype(self) -> Any:
        """The type of the value, as NumPy's or pandas' dtype."""
        import numpy as np

        return getattr(self._meta, "dtype", None) or np.dtype(type(self._meta))

    def __repr__(self) -> str:
        return f"<samite.dataframe.Scalar: expr={self.expr}, dtype={self.dtype}>"

    __str__ = __repr__

    def __dask_postcompute__(self) -> tuple[Any, tuple[Any, ...]]:
        return _only, ()

    def __bool__(self) -> bool:
        raise TypeError(
            f"Trying to convert {self} to a boolean value. Because it is lazily evaluated, it "
            "cannot be converted to a boolean value or used in boolean conditions like if "
            "statements. Compute it first with `.compute()`."
        )

    def to_delayed(self, optimize_graph: bool = True) -> Any:
        """The value as one lazy value."""
        from samite.delayed import Delayed

        expr = self.expr.optimize() if optimize_graph else self.expr.lower_completely()
        (key,) = expr.__dask_keys__()
        return Delayed(key, expr.__dask_graph__())

    def to_series(self, index: Any = 0) -> Any:
        """The value as a series of one row, under the label ``index``."""
        from samite.dataframe.collections.frame_base import new_collection
        from samite.dataframe.expressions.conversions import ScalarAsSeries

        return new_collection(ScalarAsSeries(self.expr, index))


def _only(parts: Any) -> Any:
    while isinstance(parts, (list, tuple)) and len(parts) == 1:
        parts = parts[0]
    return parts
