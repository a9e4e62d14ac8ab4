"""Folds by key, arithmetic, integers and variables of functions in the engine, against Python."""

from __future__ import annotations

import json
import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_native_bags import engine, python, same

import samite.bag as db
from samite.bag.forms import fold_of, form_of

NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.integers(-20, 20), st.booleans(), st.none(),
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, -0.0, 0.5, -3.0, "x"]),
)  # fmt: skip
OPERATORS = {
    "+": lambda r: r["a"] + r["b"],
    "-": lambda r: r["a"] - r["b"],
    "*": lambda r: r["a"] * r["b"],
    "/": lambda r: r["a"] / r["b"],
    "//": lambda r: r["a"] // r["b"],
    "%": lambda r: r["a"] % r["b"],
    "constants": lambda r: 7 - r["a"] * 2 + 3 % r["b"] - 1 / (r["a"] - 0.5) + 9 // (r["b"] * 2),
}


@pytest.mark.parametrize("sign", OPERATORS)
@given(pairs=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=4))
@settings(max_examples=60, deadline=None)
def test_arithmetic(tmp_path_factory, sign, pairs):
    path = tmp_path_factory.mktemp("pairs") / "a.jsonl"
    path.write_text("".join(json.dumps({"a": a, "b": b}) + "\n" for a, b in pairs))
    bag = db.read_json_lines(str(path)).map(OPERATORS[sign])
    found = engine(bag)
    assert form_of(OPERATORS[sign]) is not None
    try:
        wanted = python(bag)
    except (TypeError, ZeroDivisionError, OverflowError):
        assert found is None
    else:
        assert found is None or repr(found[0]) == repr(wanted)


def test_arithmetic_is_the_engines():
    numbers = db.range(1000, npartitions=7)
    for function in (
        lambda x: x % 7, lambda x: x // 3 - 400, lambda x: (x - 500) % 7, lambda x: 3 - x * 2,
        lambda x: (x - 500) // 7, lambda x: x / 8, lambda x: (x - 300) % -7, lambda x: x % 0.75,
    ):  # fmt: skip
        same(numbers.map(function))
        same(numbers.map(function).distinct())


def test_arithmetic_of_expressions():
    x = db.field()
    numbers = db.range(100, npartitions=3)
    for expression in (
        x + 1, 1 + x, x - 7, 7 - x, x * x, 3 * x, x / 4, 4 / (x + 1), x // 3, 300 // (x + 1), x % 7,
        1000 % (x + 1), (x % 3) * 2 - 1,
    ):  # fmt: skip
        same(numbers.map(expression))
    assert same(numbers.filter(x % 10 == 3)) == list(range(3, 100, 10))
    texts = db.from_sequence(["a", "b"])
    assert texts.map(x + "!" * 2).compute(scheduler="sync") == ["a!!", "b!!"]


@pytest.mark.parametrize(("n", "npartitions"), [(0, 1), (0, 3), (1, 3), (10, 3), (5, 10)])
def test_integers(n, npartitions):
    bag = db.range(n, npartitions=npartitions)
    assert same(bag) == list(range(n))
    same(bag.count())
    same(bag.filter(lambda x: x > 3).sum())
    same(bag.remove(lambda x: x > 3))
    assert db.range(2**70, npartitions=2)._native is None


def test_variables_of_functions():
    limit, names = 5, ["x"]
    bag = db.range(20, npartitions=3).filter(lambda x: x > limit)
    assert same(bag) == list(range(6, 20))
    limit = 15
    # Functions see their variables as they are when they are called.
    assert engine(bag) is None
    assert bag.compute(scheduler="sync") == [16, 17, 18, 19]
    assert form_of(lambda x: x[names[0]]) is None
    assert form_of(lambda x: x > NOT_THERE) is None  # noqa: F821
    assert form_of(lambda x: x > LEVEL) == ("compare", ">", ("record",), ("constant", 3))


LEVEL = 3
PEOPLE = [{"n": n, "v": v} for n, v in zip("abcabcaab", [3, 1, 2.5, 2, True, -7, 9, 4, 0])]


def plus(total, value):
    return total + value


FOLDS = {
    "sums": (operator.add, 0, operator.add, 0),
    "sums of one function": (operator.add, 0, None, None),
    "sums from the first": (operator.add, None, None, None),
    "sums by lambdas": (lambda t, x: t + x, 0, lambda a, b: a + b, 0),
    "sums by a function": (plus, 0, plus, None),
    "counts": (lambda t, x: t + 1, 0, operator.add, None),
    "sums of something": (lambda t, x: t + x % 3, 0, operator.add, 0),
    "something first": (lambda t, x: x * 2 + t, 0, operator.add, 0),
    "largest": (max, None, None, None),
    "smallest": (min, None, min, None),
}


def folded(bag, key, binop, initial, combine, combine_initial):
    options = {"initial": initial, "combine": combine, "combine_initial": combine_initial}
    given = {name: value for name, value in options.items() if value is not None}
    return bag.foldby(key, binop, **given)


@pytest.mark.parametrize("name", FOLDS)
def test_folds_by_key(name, tmp_path):
    numbers = db.range(1000, npartitions=7)
    same(folded(numbers, lambda x: x % 13, *FOLDS[name]))
    same(folded(numbers, lambda x: (x % 2, x % 3 > 1), *FOLDS[name]).count())
    same(folded(numbers, lambda x: x % 13, *FOLDS[name]).pluck(1).max())
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(x) + "\n" for x in [3, 1.5, 7, 3, -2, 0.25, 1, 3]))
    found = engine(folded(db.read_json_lines(str(path)), lambda x: x > 1, *FOLDS[name]))
    wanted = python(folded(db.read_json_lines(str(path)), lambda x: x > 1, *FOLDS[name]))
    assert found is not None
    assert repr(found[0]) == repr(wanted)


def test_folds_of_items(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(person) + "\n" for person in PEOPLE))
    bag = db.read_json_lines(str(path))
    total = bag.foldby("n", lambda t, r: t + r["v"], 0, operator.add, 0)
    assert same(total) == [("a", 18), ("b", 2), ("c", -4.5)]
    got = bag.foldby(lambda r: r["n"], lambda t, r: t + r.get("none", 1), 0, operator.add)
    assert same(got) == [("a", 4), ("b", 3), ("c", 2)]
    missing = bag.foldby("m", lambda t, r: t + 1, 0, operator.add)
    assert engine(missing) is None
    with pytest.raises(KeyError):
        missing.compute(scheduler="sync")


@pytest.mark.parametrize("arguments", [
    (operator.add, 1, operator.add, 0),  # each partition would add it
    (operator.add, 0, operator.add, 5),
    (operator.add, 0.0, operator.add, 0),
    (lambda t, x: t + 1, 0, None, None),  # which counts parts
    (lambda t, x: t + x % 2, None, operator.add, None),  # the first record is no total
    (operator.add, 0, max, 0),
    (max, 0, max, None),
    (operator.mul, 1, operator.mul, None),
    (lambda t, x: x, None, None, None),
    (lambda t, x: t + t, 0, operator.add, None),
    (lambda t, x: t - x, 0, operator.add, None),
])  # fmt: skip
def test_folds_that_depend_on_the_parts_are_pythons(arguments):
    bag = folded(db.range(100, npartitions=4), lambda x: x % 3, *arguments)
    assert engine(bag) is None
    assert bag.compute(scheduler="sync") == python(bag)


def test_folds_that_are_recognised():
    assert fold_of(operator.add) == fold_of(plus) == ("sum", ("record",))
    assert fold_of(lambda t, r: t + r["v"]) == ("sum", ("item", ("record",), "v"))
    assert fold_of(lambda t, r: t + t + r) is None
    assert fold_of(lambda t: t + 1) is None


def test_values_that_are_not_numbers(tmp_path):
    path = tmp_path / "a.jsonl"
    for values in (["x", "y"], [None], [[1], [2]], [True, 1], [2**63], [1, "x"]):
        path.write_text("".join(json.dumps([0, value]) + "\n" for value in values))
        pairs = db.read_json_lines(str(path))
        for bag in (pairs.pluck(1).fold(operator.add), pairs.pluck(1).foldby(bool, operator.add)):
            found = engine(bag)
            try:
                wanted = python(bag)
            except TypeError:
                assert found is None
            else:
                assert found is None or repr(found[0]) == repr(wanted)
