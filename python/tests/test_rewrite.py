"""Rewriting rules: what they match, in which order, and what they leave alone."""

from __future__ import annotations

from operator import add, mul

import pytest

from samite.rewrite import RewriteRule, RuleSet, Traverser, args, head


def double(x):
    return 2 * x


def test_heads_and_arguments():
    assert head((add, 1, 2)) is add and args((add, 1, 2)) == (1, 2)
    assert head([1, 2]) is list and args([1, 2]) == [1, 2]
    assert head("x") == "x" and args("x") == ()


def test_walk():
    walk = Traverser((add, (double, 1), [2, 3]))
    walk.next()
    other = walk.copy()
    walk.skip()
    assert list(walk) == [list, 2, 3]
    assert list(other) == [double, 1, list, 2, 3]


def test_specific_rules_come_first_and_variables_have_one_value():
    general = RewriteRule((add, "a", "b"), (add, "b", "a"), ("a", "b"))
    same = RewriteRule((add, "a", "a"), (double, "a"), ("a",))
    zero = RewriteRule((add, "a", 0), "a", ("a",))
    rules = RuleSet(general, same, zero)
    assert [rule for rule, _ in rules.iter_matches((add, 0, 0))] == [zero, general, same]
    assert [rule for rule, _ in rules.iter_matches((add, 1, 2))] == [general]
    assert list(rules.iter_matches((mul, 1, 2))) == []
    # Variables are replaced at the same time, not one after the other.
    assert RuleSet(general).rewrite((add, "b", "a")) == (add, "a", "b")


def test_values_that_cannot_be_hashed_are_matched_by_variables_only():
    rule = RewriteRule((double, "x"), (add, "x", "x"), ("x",))
    assert RuleSet(rule).rewrite((double, {"k": 1})) == (add, {"k": 1}, {"k": 1})
    assert RuleSet(rule).rewrite({"k": 1}) == {"k": 1}


def test_strategies():
    rules = RuleSet(RewriteRule((double, "x"), lambda found: (mul, 2, found["x"]), ("x",)))
    term = (add, (double, 1), [(double, (double, 2))])
    assert rules.rewrite(term) == (add, (mul, 2, 1), [(mul, 2, (mul, 2, 2))])
    assert rules.rewrite(term, strategy="top_level") == term


def test_wrong_rules():
    with pytest.raises(TypeError, match="tuple"):
        RewriteRule((double, "x"), "x", ["x"])
    with pytest.raises(TypeError, match="not a RewriteRule"):
        RuleSet("x")
