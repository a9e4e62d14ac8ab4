"""Expressions: collections before they become graphs.

An :class:`Expr` describes an operation and its operands and can be rewritten before any task
exists. Graphs that exist already take part as :class:`HLGExpr`.
"""

from samite._expr.graphs import (
    CompositeExpr,
    CompositeFinalizeCompute,
    FinalizeCompute,
    HLGExpr,
    HLGFinalizeCompute,
    LLGExpr,
    PersistedExpr,
    _ExprSequence,
    _HLGExprSequence,
)
from samite._expr.node import Expr, SingletonExpr
from samite._expr.reuse import ProhibitReuse
from samite._expr.rewriting import collect_dependents, optimize, optimize_until

__all__ = [
    "CompositeExpr",
    "CompositeFinalizeCompute",
    "Expr",
    "FinalizeCompute",
    "HLGExpr",
    "HLGFinalizeCompute",
    "LLGExpr",
    "PersistedExpr",
    "ProhibitReuse",
    "SingletonExpr",
    "_ExprSequence",
    "_HLGExprSequence",
    "collect_dependents",
    "optimize",
    "optimize_until",
]
