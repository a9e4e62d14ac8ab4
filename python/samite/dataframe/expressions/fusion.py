"""The last step of optimization, which joins what runs together."""

from __future__ import annotations

from samite._expr import Expr


def fuse(expr: Expr) -> Expr:
    """The expression as it is.

    A task costs the engine a few microseconds, and its result is dropped as soon as the next one
    has run. To write one task for each chain and partition would cost more than it saves.
    """
    return expr
