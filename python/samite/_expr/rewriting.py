"""Rewriting expressions.

Every walk here is written as a generator that yields the walks it needs, and
:func:`_run` keeps the open ones on a list: the depth of an expression is not limited by
the depth of Python's stack.
"""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samite._expr.node import Expr

Walk = Generator["Walk", Any, Any]

STAGES = (
    "logical",
    "simplified-logical",
    "tuned-logical",
    "physical",
    "simplified-physical",
    "fused",
)


def _run(walk: Walk) -> Any:
    stack = [walk]
    result: Any = None
    while stack:
        try:
            inner = stack[-1].send(result)
        except StopIteration as stop:
            stack.pop()
            result = stop.value
        else:
            stack.append(inner)
            result = None
    return result


def _is_expr(obj: object) -> bool:
    from samite._expr.node import Expr

    return isinstance(obj, Expr)


def _rebuilt(expr: Expr, operands: list[Any]) -> Expr:
    """``expr`` with other operands, or itself if they are the same."""
    same = all(
        new is old or (_is_expr(new) and _is_expr(old) and new._name == old._name)
        for new, old in zip(operands, expr.operands)
    )
    return expr if same else type(expr)(*operands)


# --------------------------------------------------------------------------------------


def rewrite(expr: Expr, kind: str, rewritten: dict[str, Any]) -> Any:
    """See :meth:`Expr.rewrite`."""
    return _run(_rewrite(expr, f"_{kind}_down", f"_{kind}_up", rewritten))


def _rewrite(expr: Expr, down: str, up: str, rewritten: dict[str, Any]) -> Walk:
    if expr._name in rewritten:
        return rewritten[expr._name]
    while True:
        replacement = getattr(expr, down)()
        if replacement is not None:
            if not _is_expr(replacement):
                return replacement
            if replacement._name != expr._name:
                expr = replacement
                continue
        replacement = _first_from_children(expr, lambda child: getattr(child, up)(expr))  # noqa: B023
        if replacement is not None:
            if not _is_expr(replacement):
                return replacement
            expr = replacement
            continue
        operands = []
        for operand in expr.operands:
            if _is_expr(operand):
                new = yield _rewrite(operand, down, up, rewritten)
                rewritten[operand._name] = new
                operand = new
            operands.append(operand)
        new_expr = _rebuilt(expr, operands)
        if new_expr is expr:
            return expr
        expr = new_expr


def _first_from_children(expr: Expr, propose: Any) -> Any:
    """The first replacement that a child proposes which really differs."""
    for child in expr.dependencies():
        replacement = propose(child)
        if replacement is None or replacement is expr:
            continue
        if not _is_expr(replacement) or replacement._name != expr._name:
            return replacement
    return None


# --------------------------------------------------------------------------------------


def collect_dependents(expr: Expr) -> defaultdict[str, list[Any]]:
    """Weak references to the expressions that have each one as an operand, by name."""
    dependents: defaultdict[str, list[Any]] = defaultdict(list)
    for node in expr.walk():
        for child in node.dependencies():
            dependents[child._name].append(weakref.ref(node))
    return dependents


def simplify_once(expr: Expr, dependents: Any, simplified: dict[str, Any]) -> Any:
    """See :meth:`Expr.simplify_once`."""
    return _run(_simplify_once(expr, dependents, simplified))


def _simplify_once(expr: Expr, dependents: Any, simplified: dict[str, Any]) -> Walk:
    if expr._name in simplified:
        return simplified[expr._name]
    replacement = expr._simplify_down()
    if replacement is not None:
        if not _is_expr(replacement):
            return replacement
        expr = replacement
    replacement = _first_from_children(expr, lambda child: child._simplify_up(expr, dependents))
    if replacement is not None:
        if not _is_expr(replacement):
            return replacement
        expr = replacement
    operands = []
    for operand in expr.operands:
        if _is_expr(operand):
            # A new node is a dependent too; the collection was made before it existed.
            dependents[operand._name].append(weakref.ref(expr))
            new = yield _simplify_once(operand, dependents, simplified)
            simplified[operand._name] = new
            operand = new
        operands.append(operand)
    return _rebuilt(expr, operands)


def simplify(expr: Expr) -> Expr:
    """See :meth:`Expr.simplify`."""
    seen = {expr._name}
    while True:
        new = expr.simplify_once(dependents=collect_dependents(expr), simplified={})
        if new._name == expr._name:
            return expr
        if new._name in seen:
            raise RuntimeError(
                f"Simplification does not end: {expr!r} became {new!r}, which it was before"
            )
        seen.add(new._name)
        expr = new


# --------------------------------------------------------------------------------------


def lower_once(expr: Expr, lowered: dict[str, Any]) -> Any:
    """See :meth:`Expr.lower_once`."""
    return _run(_lower_once(expr, lowered))


def _lower_once(expr: Expr, lowered: dict[str, Any]) -> Walk:
    if expr._name in lowered:
        return lowered[expr._name]
    replacement = expr._lower()
    result = expr if replacement is None else replacement
    if not _is_expr(result):
        return result
    operands = []
    for operand in result.operands:
        if _is_expr(operand):
            operand = yield _lower_once(operand, lowered)
        operands.append(operand)
    return lowered.setdefault(expr._name, _rebuilt(result, operands))


def lower_completely(expr: Expr) -> Expr:
    """See :meth:`Expr.lower_completely`."""
    lowered: dict[str, Any] = {}
    while True:
        new = expr.lower_once(lowered)
        if new._name == expr._name:
            return expr
        expr = new


# --------------------------------------------------------------------------------------


def optimize(expr: Expr, fuse: bool = True) -> Expr:
    """All rewriting there is; ``fuse`` adds the joining of operations."""
    return optimize_until(expr, "fused" if fuse else "simplified-physical")


def optimize_until(expr: Expr, stage: str) -> Expr:
    """Rewrite up to and including a stage, one of ``STAGES``."""
    from samite import config

    if stage not in STAGES:
        raise ValueError(f"Stage {stage!r} is not one of {', '.join(STAGES)}")
    steps = {
        "simplified-logical": lambda e: e.simplify(),
        "tuned-logical": lambda e: (
            e.rewrite(kind="tune") if config.get("optimization.tune.active", True) else e
        ),
        "physical": lambda e: e.lower_completely(),
        "simplified-physical": lambda e: e.simplify(),
        "fused": lambda e: e.fuse(),
    }
    for name in STAGES[1 : STAGES.index(stage) + 1]:
        expr = steps[name](expr)
    return expr


# --------------------------------------------------------------------------------------


def substitute(expr: Expr, old: Any, new: Any) -> Expr:
    """See :meth:`Expr.substitute`."""
    return _run(_substitute(expr, old, new, {}))


def _substitute(expr: Expr, old: Any, new: Any, done: dict[str, Any]) -> Walk:
    old_is_expr = _is_expr(old)
    if old_is_expr and expr._name == old._name:
        return new
    if expr._name in done:
        return done[expr._name]
    operands = []
    for operand in expr.operands:
        if _is_expr(operand):
            operand = yield _substitute(operand, old, new, done)
        elif not old_is_expr and type(operand) is type(old) and operand == old:
            operand = new
        operands.append(operand)
    return done.setdefault(expr._name, _rebuilt(expr, operands))


def depth(expr: Expr, cache: dict[str, int]) -> int:
    """See :meth:`Expr._depth`."""
    return _run(_depth(expr, cache))


def _depth(expr: Expr, cache: dict[str, int]) -> Walk:
    if expr._name in cache:
        return cache[expr._name]
    deepest = 0
    for child in expr.dependencies():
        deepest = max(deepest, (yield _depth(child, cache)))
    return cache.setdefault(expr._name, deepest + 1)
