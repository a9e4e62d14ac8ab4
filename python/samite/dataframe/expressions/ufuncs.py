"""NumPy's universal functions of rows."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

from samite.dataframe.expressions.node import Elementwise, FrameExpr, frames_among, readable
from samite.dataframe.metadata import make_meta


class UfuncCall(Elementwise):
    """``ufunc(*operands, **dict(keywords))``; the operands after the named ones are meant."""

    _parameters = ["ufunc", "keywords"]
    _hidden: ClassVar[tuple[str, ...]] = ("ufunc", "keywords")

    @functools.cached_property
    def _funcname(self) -> str:
        return self.ufunc.__name__

    @property
    def operation(self) -> Any:  # type: ignore[override]
        if self.keywords:
            return functools.partial(self.ufunc, **dict(self.keywords))
        return self.ufunc

    @functools.cached_property
    def _meta(self) -> Any:
        import numpy as np

        operands = [o._meta if isinstance(o, FrameExpr) else o for o in self.operands[2:]]
        with np.errstate(all="ignore"):
            return make_meta(self.operation(*operands))

    @property
    def _passes_projection(self) -> bool:  # type: ignore[override]
        return self.ndim == 2 and len(frames_among(self.operands)) == 1

    def _readable(self) -> str:
        given = ", ".join(readable(operand) for operand in self.operands[2:])
        return f"{self.ufunc.__name__}({given})"
