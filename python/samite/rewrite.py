"""Rules that replace patterns in computations of the tuple notation.

A :class:`RewriteRule` says what to look for and what to put there; a :class:`RuleSet`
looks for all of its rules at once: patterns are kept in a tree of the symbols they begin
with, so that a term is read once and not once for each rule.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from samite.core import istask

__all__ = ["END", "VAR", "Node", "RewriteRule", "RuleSet", "Token", "Traverser", "args", "head"]


def head(task: Any) -> Any:
    """The outermost symbol: the function of a task, ``list`` for a list, else the term itself."""
    if istask(task):
        return task[0]
    return list if isinstance(task, list) else task


def args(task: Any) -> Any:
    """The arguments of a task, the items of a list, and nothing for other terms."""
    if istask(task):
        return task[1:]
    return task if isinstance(task, list) else ()


class Token:
    """A symbol that no term contains."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


# Stands for any term in a pattern.
VAR = Token("?")
# Where a walk over a term is over.
END = Token("end")


class Traverser:
    """A walk over the symbols of a term, outside in and left to right.

    Parameters
    ----------
    term:
        Where to begin.
    stack:
        Terms that are still to come, the next one last.
    """

    def __init__(self, term: Any, stack: deque[Any] | None = None) -> None:
        self.term = term
        self._stack: deque[Any] = deque([END]) if stack is None else stack

    def __iter__(self) -> Iterator[Any]:
        while self.current is not END:
            yield self.current
            self.next()

    def copy(self) -> Traverser:
        """A walk that goes on from here on its own."""
        return Traverser(self.term, deque(self._stack))

    @property
    def current(self) -> Any:
        """The symbol that the walk is at, or END."""
        return head(self.term)

    def next(self) -> None:
        """Go on to the next symbol, into the current term if it has parts."""
        self._stack.extend(reversed(args(self.term)))
        self.skip()

    def skip(self) -> None:
        """Go on to the next symbol behind the current term."""
        self.term = self._stack.pop()


class Node(tuple):
    """A point in the tree of patterns: what can follow, and which patterns end here.

    ``edges`` maps a symbol to the next node; ``patterns`` lists indices of rules.
    """

    __slots__ = ()

    def __new__(cls, edges: dict | None = None, patterns: list | None = None) -> Node:
        return tuple.__new__(cls, (edges or {}, patterns or []))

    @property
    def edges(self) -> dict[Any, Node]:
        return self[0]

    @property
    def patterns(self) -> list[int]:
        return self[1]


class RewriteRule:
    """One replacement.

    Parameters
    ----------
    lhs:
        The pattern, a term.
    rhs:
        What to put in its place: a term, or a function that makes one from the dict of what
        the variables stand for.
    vars:
        The symbols of the pattern that stand for any term; one that occurs several times
        stands for the same term everywhere.

    Examples
    --------
    >>> from operator import add
    >>> def double(x): return 2 * x
    >>> rule = RewriteRule((add, "x", "x"), (double, "x"), ("x",))
    >>> RuleSet(rule).rewrite((add, 3, 3)) == (double, 3)
    True
    """

    def __init__(self, lhs: Any, rhs: Any, vars: tuple[Any, ...] = ()) -> None:
        if not isinstance(vars, tuple):
            raise TypeError("vars must be a tuple of variables")
        self.lhs = lhs
        self.rhs = rhs
        self.subs: Callable[[dict[Any, Any]], Any] = rhs if callable(rhs) else self._apply
        self._varlist = [symbol for symbol in Traverser(lhs) if _is_variable(symbol, vars)]
        self.vars = tuple(sorted(set(self._varlist)))

    def _apply(self, values: dict[Any, Any]) -> Any:
        return _fill_in(self.rhs, values)

    def __repr__(self) -> str:
        return f"RewriteRule({self.lhs}, {self.rhs}, {self.vars})"

    __str__ = __repr__


def _is_variable(symbol: Any, vars: tuple[Any, ...]) -> bool:
    return any(type(symbol) is type(var) and symbol == var for var in vars)


def _fill_in(term: Any, values: dict[Any, Any]) -> Any:
    """``term`` with all variables replaced at once."""
    if istask(term):
        return (term[0], *(_fill_in(part, values) for part in term[1:]))
    if isinstance(term, list):
        return [_fill_in(part, values) for part in term]
    try:
        return values.get(term, term)
    except TypeError:
        return term


class RuleSet:
    """Rules that are looked for together.

    Attributes
    ----------
    rules:
        The rules in the order in which they were added.
    """

    def __init__(self, *rules: RewriteRule) -> None:
        self._net = Node()
        self.rules: list[RewriteRule] = []
        for rule in rules:
            self.add(rule)

    def add(self, rule: RewriteRule) -> None:
        """Add a rule."""
        if not isinstance(rule, RewriteRule):
            raise TypeError(f"{rule!r} is not a RewriteRule")
        node = self._net
        for symbol in Traverser(rule.lhs):
            edge = VAR if _is_variable(symbol, rule.vars) else symbol
            node = node.edges.setdefault(edge, Node())
        node.patterns.append(len(self.rules))
        self.rules.append(rule)

    def iter_matches(self, term: Any) -> Iterator[tuple[RewriteRule, dict[Any, Any]]]:
        """The rules that fit a whole term, with what their variables stand for.

        Of two rules that fit, the one that is more specific at the first difference is
        first.
        """
        for index, found in _match(self._net, (term, None), ()):
            rule = self.rules[index]
            values = _bind_variables(rule, found)
            if values is not None:
                yield rule, values

    def _rewrite(self, term: Any) -> Any:
        for rule, values in self.iter_matches(term):
            return rule.subs(values)
        return term

    def rewrite(self, task: Any, strategy: str = "bottom_up") -> Any:
        """Apply to each place the first rule that fits, once.

        Parameters
        ----------
        task:
            The term.
        strategy:
            ``"bottom_up"`` begins with the innermost terms; ``"top_level"`` looks at the
            whole term only.
        """
        return strategies[strategy](self, task)


def _match(
    node: Node, pending: tuple[Any, Any] | None, found: tuple[Any, ...]
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Patterns that fit the pending terms (a linked list), and the terms met by variables."""
    if pending is None:
        for index in node.patterns:
            yield index, found
        return
    term, rest = pending
    try:
        exact = node.edges.get(head(term))
    except TypeError:  # What cannot be hashed can only be met by a variable.
        exact = None
    if exact is not None:
        following = rest
        for part in reversed(args(term)):
            following = (part, following)
        yield from _match(exact, following, found)
    anything = node.edges.get(VAR)
    if anything is not None:
        yield from _match(anything, rest, (*found, term))


def _bind_variables(rule: RewriteRule, terms: tuple[Any, ...]) -> dict[Any, Any] | None:
    values: dict[Any, Any] = {}
    for variable, term in zip(rule._varlist, terms):
        if variable in values and values[variable] != term:
            return None
        values[variable] = term
    return values


def _top_level(rules: RuleSet, term: Any) -> Any:
    return rules._rewrite(term)


def _bottom_up(rules: RuleSet, term: Any) -> Any:
    if istask(term):
        term = (head(term), *(_bottom_up(rules, part) for part in term[1:]))
    elif isinstance(term, list):
        term = [_bottom_up(rules, part) for part in term]
    return rules._rewrite(term)


strategies: dict[str, Callable[[RuleSet, Any], Any]] = {
    "top_level": _top_level,
    "bottom_up": _bottom_up,
}
