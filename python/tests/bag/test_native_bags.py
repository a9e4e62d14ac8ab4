"""What the engine does by itself, against the same functions in Python."""

from __future__ import annotations

import json
import operator
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.bag as db
from samite.bag import native
from samite.bag.native import form_of


def engine(*collections):
    """What the engine computes, or None."""
    return native.run(list(collections), {"threads": 2})


def python(collection):
    """What the functions themselves compute."""
    graph = collection.__dask_optimize__(collection.dask, collection.__dask_keys__())
    from samite.local import get_sync

    finish, arguments = collection.__dask_postcompute__()
    return finish(get_sync(graph, collection.__dask_keys__()), *arguments)


def same(collection):
    """The engine's answer, which must be there and be Python's, in types too."""
    found = engine(collection)
    assert found is not None
    assert repr(found[0]) == repr(python(collection))
    return found[0]


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "people.jsonl"
    names = ["Ada", "Grace", "Köln", "ada", "Ἀθῆναι", ""]
    with open(path, "w", encoding="utf-8") as file:
        for i in range(500):
            record = {
                "name": names[i % 6],
                "age": i % 90,
                "score": i / 7,
                "member": i % 3 == 0,
                "tags": [f"t{i % 5}", "x y  z"],
                "home": {"city": ["Rome", "Paris"][i % 2], "at": [i, -i]},
                "none": None,
            }
            file.write(json.dumps(record, ensure_ascii=i % 2 == 0) + "\n")
    return str(path)


FIELD = db.field
PIPELINES = {
    "records": lambda b: b,
    "pluck": lambda b: b.pluck("age"),
    "pluck many": lambda b: b.pluck(["age", "name"]),
    "itemgetter": lambda b: b.map(operator.itemgetter("name", "tags")),
    "nested": lambda b: b.map(lambda r: r["home"]["city"]),
    "position": lambda b: b.map(lambda r: r["home"]["at"][-1]),
    "tuple": lambda b: b.map(lambda r: (r["name"], r["age"], 1)),
    "condition": lambda b: b.filter(lambda r: r["age"] > 30),
    "condition of text": lambda b: b.filter(lambda r: r["name"] == "Ada").count(),
    "field": lambda b: b.filter((FIELD("age") > 30) & ~(FIELD("name") == "Ada")),
    "either": lambda b: b.filter((FIELD("age") < 3) | (FIELD("home", "city") == "Rome")).count(),
    "truth": lambda b: b.filter(operator.itemgetter("member")).count(),
    "lower": lambda b: b.pluck("name").str.lower(),
    "upper": lambda b: b.map(lambda r: r["name"].upper()),
    "split": lambda b: b.pluck("tags").flatten().str.split().flatten().frequencies(),
    "split at": lambda b: b.pluck("tags").flatten().str.split(" "),
    "split once": lambda b: b.pluck("tags").flatten().str.split(None, 1),
    "strip": lambda b: b.pluck("name").str.strip("Aa"),
    "length": lambda b: b.pluck("name").map(len),
    "characters": lambda b: b.pluck("name").flatten().frequencies(sort=True),
    "frequencies": lambda b: b.pluck("name").frequencies(),
    "frequencies topk": lambda b: b.pluck("name").frequencies().topk(3, key=1),
    "frequencies topk lambda": lambda b: b.pluck("age").frequencies().topk(3, lambda p: p[1]),
    "frequencies filter": lambda b: b.pluck("age").frequencies().filter(lambda p: p[1] > 5),
    "pairs": lambda b: b.pluck(["name", "member"]).frequencies(),
    "distinct": lambda b: b.pluck("age").distinct(),
    "distinct count": lambda b: b.pluck("age").distinct().count(),
    "mixed numbers": lambda b: b.pluck(["age", "member", "score"]).flatten().distinct(),
    "topk": lambda b: b.pluck("score").topk(5),
    "topk key": lambda b: b.topk(5, key=operator.itemgetter("age")).pluck("score"),
    "count": lambda b: b.count(),
    "sum": lambda b: b.pluck("age").sum(),
    "sum of truths": lambda b: b.pluck("member").sum(),
    "mean": lambda b: b.pluck("age").mean(),
    "min": lambda b: b.pluck("name").min(),
    "max": lambda b: b.pluck("score").max(),
    "any": lambda b: b.pluck("none").any(),
    "all": lambda b: b.pluck("age").all(),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines(name, people):
    for bag in (
        db.read_json_lines(people, blocksize=3000),
        db.read_text(people).map(json.loads),
        db.read_text(people, blocksize=1000, linedelimiter="\n").map(json.loads),
    ):
        same(PIPELINES[name](bag))


def test_on_every_scheduler(people, scheduler):
    bag = PIPELINES["frequencies topk"](db.read_text(people, blocksize=5000).map(json.loads))
    assert bag.compute(scheduler=scheduler) == python(bag)


def test_several_at_once(people):
    bag = db.read_json_lines(people, blocksize=3000)
    both = [bag.count(), bag.pluck("age").sum(), bag.pluck("name").distinct()]
    assert engine(*both) == [python(one) for one in both]
    # Together with a bag that the engine does not know, everything goes the general way.
    other = bag.map(lambda r: r["age"] ** 2).sum()
    assert db.compute(*both, other, scheduler="sync") == (*engine(*both), python(other))


JSON_TEXTS = [
    '"a\tb"', '"a\x01b"', "01", "1.", ".5", "-", "+1", "1e5", "1E+5", "-0", "-0.0", "1e999",
    "NaN", "Infinity", "-Infinity", "nul", "true", "tru", "[1,]", '{"a":1,}', '{"a":1,"a":2}',
    "{a:1}", "{'a':1}", '"\\ud800"', '"\\ud83d\\ude00"', '"\\u00e9"', '"\\x"', '"\\/"', "1 2",
    "[1", '{"a"}', '{"a":}', "", "  ", "9223372036854775807", "9223372036854775808",
    "18446744073709551616", "-9223372036854775809", "1.7976931348623157e308", "5e-324",
    "123456789012345678901234567890", "3.141592653589793238462643383279", '"\x7f"', '"\u2028"',
    "\ufeff1", "\x0c1", "\xa01", '{"k":{"k":[1,{"z":null}]}}', '"abc', 'abc"', "1e", "1e+", "--1",
    "0x10", "1_000", "\x00", '"\x00"', "[1 2]", '{"a" 1}', "[,1]", "{,}", "true false", "[]", "{}",
    "-01", '"\\u12"', '"\\"', "1.0E400", "4.9406564584124654e-324", "2.2250738585072011e-308",
    "9007199254740993", "9007199254740993.0", '{"a":1}}', "[1]]", "[" * 150 + "]" * 150,
    "[" * 2000 + "]" * 2000,
]  # fmt: skip


@pytest.mark.parametrize("text", JSON_TEXTS, ids=range(len(JSON_TEXTS)))
def test_what_is_json_and_what_is_not(text, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(text.encode() + b"\n")
    bag = db.read_text(str(path), linedelimiter="\n").map(json.loads)
    found = engine(bag)
    try:
        wanted = [json.loads(text + "\n")]
    except (ValueError, RecursionError) as error:
        assert found is None
        with pytest.raises(type(error)):
            bag.compute(scheduler="sync")
    else:
        assert found is None or repr(found[0]) == repr(wanted)
        assert repr(bag.compute(scheduler="sync")) == repr(wanted)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**66), 2**66) | st.text(max_size=6)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner,
                                                                max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.lists(VALUES, max_size=12), st.sampled_from(
    ["records", "frequencies", "distinct", "topk", "sum", "min", "max", "mean", "any", "lower",
     "length", "flatten", "equal", "less"]))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_any_values(tmp_path_factory, values, name):
    path = tmp_path_factory.mktemp("json") / "a.jsonl"
    path.write_text("".join(json.dumps({"v": value}) + "\n" for value in values))
    bag = db.read_json_lines(str(path))
    plucked = bag.pluck("v")
    made = {
        "records": bag,
        "lower": plucked.str.lower(),
        "length": plucked.map(len),
        "flatten": plucked.flatten(),
        "topk": plucked.topk(3),
        "equal": bag.filter(lambda r: r["v"] == 1),
        "less": bag.filter(lambda r: r["v"] < 1),
    }.get(name)
    if made is None:
        made = getattr(plucked, name)()
    found = engine(made)
    try:
        wanted = python(made)
    except Exception as error:
        assert found is None
        with pytest.raises(type(error)):
            made.compute(scheduler="sync")
        return
    if found is not None:
        if name == "mean":
            assert found[0] == pytest.approx(wanted)
        else:
            assert repr(found[0]) == repr(wanted)


@given(st.lists(st.text(max_size=20).filter(lambda t: "\n" not in t and "\r" not in t)),
       st.sampled_from([None, " ", "ab", "é"]), st.integers(-1, 3))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_methods_of_strings(tmp_path_factory, lines, separator, most):
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="")
    bag = db.read_text(str(path), linedelimiter="\n")
    same(bag.str.split(separator, most))
    same(bag.str.strip())
    same(bag.str.rstrip(separator))
    same(bag.str.lstrip())
    for changed in (bag.str.lower(), bag.str.upper()):
        found = engine(changed)
        assert found is None or found[0] == python(changed)


SPACES = [" ", "  ", "\n", "\n\n", "\t", "\x1c", "\x1f", "\x0b", "\x85", "\u2003", "\xa0"]
SHORT = ["a", "A", "Ab", "to\x00", "to", "é", "É", "ß", "Köln"]
LONG = ["self.assertEqual(", "self.assertEqual[", "x" * 15, "X" * 16, "x" * 17, "y" * 200]
WORDS = st.lists(st.sampled_from(SPACES + SHORT + LONG), max_size=200)


@given(WORDS, st.sampled_from([None, "lower", "upper"]), st.integers(1, 60))
@settings(max_examples=300, deadline=None)
def test_words(tmp_path_factory, parts, case, blocksize):
    path = tmp_path_factory.mktemp("words") / "a.txt"
    path.write_text("".join(["one", *parts]), encoding="utf-8", newline="")
    lines = db.read_text(str(path), linedelimiter="\n", blocksize=blocksize)
    if case is not None:
        lines = getattr(lines.str, case)()
    words = lines.str.split().flatten()
    same(words.frequencies())
    same(words.frequencies(sort=True))
    same(words.distinct())
    same(words.frequencies().topk(3, key=1))
    same(words.frequencies().filter(lambda pair: pair[1] > 2).pluck(0))


def test_words_of_many_pieces_in_the_order_of_their_appearance(tmp_path):
    path = tmp_path / "a.txt"
    with open(path, "w") as file:
        for number in range(1_500_000):
            file.write(f"word{number * 7919 % 30_011} and\n")
    for bag in (db.read_text(str(path), blocksize=2_000_000), db.read_text(str(path))):
        same(bag.str.split().flatten().frequencies())


def test_words_of_a_file_that_is_not_utf8(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one two\n" * 1000 + b"three \xff\n")
    counts = db.read_text(str(path)).str.split().flatten().frequencies()
    assert engine(counts) is None
    with pytest.raises(UnicodeDecodeError) as failed:
        counts.compute(scheduler="sync")
    assert "line 1001, byte 8006" in str(failed.value)
    replaced = db.read_text(str(path), errors="replace").str.split().flatten().frequencies()
    assert dict(replaced.compute(scheduler="sync"))["\ufffd"] == 1


def test_white_space_is_pythons(tmp_path):
    path = tmp_path / "a.txt"
    characters = [chr(code) for code in range(0x3100) if not 0xD800 <= code < 0xE000]
    characters = [c for c in characters if c not in "\r\n"]
    path.write_text("\n".join(f"{c}x{c}y{c}" for c in characters), encoding="utf-8", newline="")
    bag = db.read_text(str(path), linedelimiter="\n")
    same(bag.str.split())
    same(bag.str.strip())


def test_case_is_pythons(tmp_path):
    path = tmp_path / "a.txt"
    letters = [
        c
        for c in map(chr, range(1, 0x1FFFF))
        if unicodedata.category(c) != "Cs" and c not in "\r\n"
    ]
    answered = 0
    for pattern, step in (("A{}b {}", 512), ("A{}\u03a3 {}\u03a3{}", 64)):
        for start in range(0, len(letters), step):
            lines = [pattern.replace("{}", c) for c in letters[start : start + step]]
            path.write_text("\n".join(lines), encoding="utf-8", newline="")
            bag = db.read_text(str(path), linedelimiter="\n")
            for changed, method in ((bag.str.lower(), str.lower), (bag.str.upper(), str.upper)):
                found = engine(changed)
                if found is not None:
                    answered += 1
                    assert found[0] == [method(line) for line in open_lines(path)]
    assert answered > 500
    path.write_text("ÄÖÜ ΑΣ Привет 東京", encoding="utf-8")
    assert engine(db.read_text(str(path)).str.lower()) == [["äöü ας привет 東京"]]


def open_lines(path):
    with open(path, encoding="utf-8", newline="\n") as file:
        return list(file)


def test_carriage_returns_go_the_general_way(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\r\nb\rc\n")
    bag = db.read_text(str(path))
    assert engine(bag) is None
    assert bag.compute(scheduler="sync") == ["a\n", "b\n", "c\n"]


NOT_THERE = object()


@pytest.mark.parametrize("function", [
    lambda r: r["a"] ** 2, lambda r: print(r), lambda r: r["a"] > NOT_THERE,
    lambda r: r.get(1), lambda r: r.items(),
    lambda r, s=1: r["a"], lambda *r: r, lambda r: {*r}, lambda r: r["a"] and r["b"],
    lambda r: r["a"] is None, lambda r: not r["a"], lambda r: 1 < r["a"] < 3,
    lambda r: r[1.5], lambda r: {"a": r["a"]}, operator.methodcaller("split", maxsplit=1),
    operator.attrgetter("a"), str, json.dumps,
])  # fmt: skip
def test_functions_that_are_not_recognised(function):
    if function.__class__ is type(lambda: 0) and function.__defaults__:
        assert form_of(function) == ("item", ("record",), "a") or form_of(function) is None
        return
    assert form_of(function) is None


def test_functions_that_are_recognised():
    record = ("record",)
    assert form_of(json.loads) == ("json", record)
    assert form_of(str.lower) == ("lower", record, None)
    assert form_of(lambda r: r["a"]["b"]) == ("item", ("item", record, "a"), "b")
    age = ("item", record, "age")
    assert form_of(lambda r: r["age"] >= 30) == ("compare", ">=", age, ("constant", 30))
    assert form_of(lambda r: 30 < r["age"]) == ("compare", ">", age, ("constant", 30))
    assert form_of(lambda r: r["n"].strip().lower()) == (
        "lower", ("strip", ("item", record, "n"), None), None
    )  # fmt: skip
    assert form_of(db.field("age") > 30) == ("compare", ">", age, ("constant", 30))


def test_a_function_is_looked_at_without_effects():
    seen = []

    def function(record):
        seen.append(record)
        return record["a"]

    assert form_of(function) is None
    assert seen == []


def test_expressions_in_python():
    bag = db.from_sequence([{"n": "Ada L", "a": 3}, {"n": "Grace", "a": None}])
    first = bag.filter(db.field("a") == 3)
    assert first.compute(scheduler="sync") == [{"n": "Ada L", "a": 3}]
    assert bag.map(db.field("n").lower().split()).compute(scheduler="processes") == [
        ["ada", "l"], ["grace"],
    ]  # fmt: skip
    with pytest.raises(TypeError, match="no truth"):
        bool(db.field("a") > 1)
    with pytest.raises(TypeError):
        (db.field("a") > 1) & True
