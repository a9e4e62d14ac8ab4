"""Lines of JSON that the engine parses for functions of Python's, against `json.loads`."""

from __future__ import annotations

import json
import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_native_bags import JSON_TEXTS, VALUES, engine, python

import samite.bag as db
from samite.bag import streaming
from samite.bag.json_lines import ParsedLines
from samite.bag.projection import keys_of, keys_of_steps
from samite.bag.text import lines_of

LIMIT = [1]
RECORDS = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "é", "ab", ""]), VALUES, max_size=4), max_size=12
)


def blocks_of(bag):
    """The blocks of text that a bag is read from."""
    (layer,) = bag.dask.layers.values()
    return [block for task in layer.values() for block in task.args[0].args[0]]


def test_what_is_json_and_what_is_not(tmp_path):
    path = tmp_path / "a.jsonl"
    for text in JSON_TEXTS:
        for whole in (text, f'{{"a":1,"v":{text},"b":"x"}}'):
            path.write_bytes(whole.encode() + b"\n")
            bag = db.read_text(str(path), linedelimiter="\n").map(json.loads)
            try:
                wanted = json.loads(whole)
            except (ValueError, RecursionError) as error:
                for used in (bag, bag.filter(lambda r: LIMIT[0]).map(lambda r: r["a"])):
                    with pytest.raises(type(error)):
                        python(used)
                assert engine(bag.pluck("a")) is None
                continue
            assert repr(python(bag)) == repr([wanted])
            if type(wanted) is dict and whole != text:
                only = bag.filter(lambda r: r["a"] == LIMIT[0])
                assert python(only.map(lambda r: r["b"])) == ["x"]
                assert repr(python(only.map(lambda r: [r["v"]]))) == repr([[wanted["v"]]])
                found = engine(bag.pluck(["b", "v"]))
                assert found is None or repr(found[0]) == repr([(wanted["b"], wanted["v"])])
                found = engine(bag.pluck("b"))
                assert found is None or found[0] == ["x"]


@given(RECORDS, st.booleans())
@settings(max_examples=50, deadline=None)
def test_any_records(tmp_path_factory, records, ascii):
    path = tmp_path_factory.mktemp("json") / "a.jsonl"
    lines = [json.dumps(record, ensure_ascii=ascii) for record in records]
    path.write_text("".join(f"{line}\n \n" for line in lines), encoding="utf-8", newline="")
    bag = db.read_json_lines(str(path))
    assert repr(python(bag)) == repr(records)
    assert repr(python(bag.map(lambda r: [r.get("a"), "b" in r, LIMIT[0]]))) == repr(
        [[r.get("a"), "b" in r, 1] for r in records]
    )
    having = [r for r in records if "é" in r]
    kept = bag.filter(lambda r: "é" in r and LIMIT[0])
    assert repr(python(kept)) == repr(having)
    assert repr(python(kept.map(lambda r: (r["é"], r.get("", LIMIT))))) == repr(
        [(r["é"], r.get("", [1])) for r in having]
    )
    assert python(kept.count()) == len(having)
    # The engine's own projection.
    for one in (kept.pluck(""), bag.pluck("ab", 7), bag.map(lambda r: (r.get("a"), r.get("b", 1)))):
        found = engine(one)
        if found is not None:
            assert repr(found[0]) == repr(python(one))
    assert engine(bag.count()) == [len(records)]


@given(st.lists(st.sampled_from([
    '{"a": 1}', '{"a": NaN}', "", "  ", '{"a": "x\\ud800"}', "[1]", "{", '{"a":\r2}', "é",
    '{"a": 1}\r', "3\r4", '{"a": 123456789012345678901234567890}',
]), max_size=8), st.sampled_from([None, "\n"]), st.booleans(), st.integers(5, 40))  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_the_same_records_and_errors_in_the_same_places(
    tmp_path_factory, lines, delimiter, ends, blocksize
):
    path = tmp_path_factory.mktemp("json") / "a.jsonl"
    text = "\n".join(lines) + ("\n" if ends else "")
    path.write_text(text, encoding="utf-8", newline="")
    for size in (None, blocksize):
        if not text:
            continue
        bag = db.read_text(str(path), blocksize=size, linedelimiter=delimiter)
        for block in blocks_of(bag):
            for skips_blank in (False, True):
                assert outcome(ParsedLines([block], None, skips_blank)) == outcome(
                    json.loads(line) for line in lines_of(block) if line.strip() or not skips_blank
                )


def outcome(values):
    """The values up to the error, and which it is."""
    seen = []
    try:
        for value in values:
            seen.append(repr(value))
    except ValueError as error:
        return seen, str(error)
    return seen, None


def test_broken_utf8_behind_good_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a": "\xff"}\n{"a": 4}\n')
    for size in (None, 14):
        bag = db.read_json_lines(str(path), blocksize=size).map(lambda r: (r["a"], LIMIT))
        with pytest.raises(UnicodeDecodeError) as caught:
            python(bag)
        assert "a.jsonl, line 3, byte 25" in str(caught.value)


def test_a_function_that_raises(tmp_path, scheduler):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"a": {i}}}\n\n' for i in range(9000)))
    start = sum(len(f'{{"a": {i}}}\n\n') for i in range(8000))
    bag = db.read_json_lines(str(path)).map(lambda r: 1 / (r["a"] - 8000))
    with pytest.raises(ZeroDivisionError) as caught:
        bag.compute(scheduler=scheduler)
    notes = " ".join(getattr(caught.value, "__notes__", []))
    assert f"a.jsonl, line 16001, which begins at byte {start}" in notes


def test_only_what_is_asked_for_is_parsed(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n{"a": \n')
    bag = db.read_text(str(path), linedelimiter="\n").map(json.loads)
    assert bag.take(2) == ({"a": 1}, {"a": 2})
    assert bag.map(lambda r: r["a"] * LIMIT[0]).take(2) == (1, 2)


def test_several_files_in_a_partition(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text(f'{{"name": "{name}"}}\n' * 2)
    bag = db.read_text(str(tmp_path / "*.jsonl"), files_per_partition=2).map(json.loads)
    assert python(bag) == [{"name": "a"}] * 2 + [{"name": "b"}] * 2
    pairs = db.read_text(str(tmp_path / "*.jsonl"), include_path=True)
    assert [json.loads(line)["name"] for line, _ in python(pairs)] == ["a", "a", "b", "b"]


def defaults(r, s=1):
    return r["a"] + s


def reassigned(r):
    r = r["a"]
    return r["b"]


def inner(r):
    return [r["a"] for _ in range(2)]


def conditional(r, q=None):
    return (q if r["a"] else r)["b"]


def either(r):
    key = r["a"]
    return (key if key else "b") in r


@pytest.mark.parametrize(("function", "keys"), [
    (lambda r: r["a"] ** 2, ["a"]),
    (lambda r: r["a"] + LIMIT[0] if r["b"] else r.get("c", 1), ["a", "b", "c"]),
    (lambda r: [x for x in r["a"] if x], ["a"]),
    (lambda r: "a" in r and "b" not in r, ["a", "b"]),
    (lambda r: f"{r['a']}-{r['b']['c']}", ["a", "b"]),
    (lambda r: print(r["a"]), ["a"]),
    (lambda r: LIMIT, []),
    (defaults, ["a"]),
    (conditional, None),
    (operator.itemgetter("a", "b"), ["a", "b"]),
    (db.field("a") > 1, ["a"]),
    (db.field("a", "b") == db.field("c"), ["a", "c"]),
    (lambda r: r, None),
    (lambda r: print(r), None),
    (lambda r: (r["a"], r), None),
    (lambda r: r[LIMIT[0]], None),
    (lambda r: r.items(), None),
    (lambda r: list(map(r.get, "a")), None),
    (lambda r: len(r) > 1 and r["a"], None),
    (lambda r: {**r}, None),
    (lambda r: locals(), None),
    (lambda r: eval("r"), None),
    (lambda r: (lambda: r)(), None),
    (lambda r: r[0], None),
    (lambda r: r["a":"b"], None),
    (lambda *r: r["a"], None),
    (lambda r: (yield r["a"]), None),
    (reassigned, None),
    (either, None),
    (operator.itemgetter(0), None),
    (operator.methodcaller("get", "a"), ["a"]),
    (db.field(), None),
    (len, None),
])  # fmt: skip
def test_which_keys_a_function_looks_at(function, keys):
    found = keys_of(function)
    assert (None if found is None else sorted(found)) == keys


def test_comprehensions_that_see_the_record():
    # Older versions of Python make a function of each, which sees the record as a whole.
    assert keys_of(inner) in (None, {"a": None})


def test_which_keys_steps_look_at():
    def test_steps(*steps):
        return keys_of_steps([(func, tuple(args), {}) for func, *args in steps])

    keep, change = streaming.filter_records, streaming.map_records
    first = (keep, lambda r: r["a"] > LIMIT[0])
    assert test_steps(first, (change, lambda r: r["b"] or LIMIT, 0), (keep, None)) == ["a", "b"]
    assert test_steps(first, (streaming.pluck_records, ["b", "a"])) == ["a", "b"]
    count = (streaming.apply_unless_empty, streaming.count_records, True)
    assert test_steps(first, count) == ["a"]
    assert test_steps(count) == []
    assert test_steps(first) is None
    assert test_steps((keep, None), count) is None
    assert test_steps(first, (streaming.pluck_records, 0)) is None
    assert test_steps(first, (streaming.flatten_records,)) is None
    assert test_steps((change, operator.itemgetter("a"), 1)) is None
