"""Files that are compressed, cut off or gone, and how blocks of them are cut."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os

import lz4.frame
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from test_native_bags import engine, python

import samite
import samite.bag as db
from samite.bag.files import PlainFile, files_at, read_block

COMPRESS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
    "lz4": lz4.frame.compress,
}
NAMES = {"gz": "gzip", "bz2": "bz2", "xz": "xz", "zst": "zstd", "lz4": "lz4"}
TEXT = "".join(f"Zeile {i} von Köln {i * i % 977}\n" for i in range(30_000)).encode()


@pytest.mark.parametrize("kind", COMPRESS)
def test_the_engine_decompresses(kind, tmp_path):
    paths = [str(tmp_path / f"{i}.txt.{kind}") for i in range(3)]
    texts = [TEXT, b"", b"last"]
    for path, text in zip(paths, texts):
        with open(path, "wb") as file:
            file.write(COMPRESS[kind](text))
    bag = db.read_text(paths)
    lines = b"".join(texts).decode().splitlines(keepends=True)
    assert engine(bag) == [lines]
    assert python(bag) == lines
    assert engine(bag.count()) == [len(lines)]
    words = bag.str.split().flatten().frequencies()
    assert engine(words) == [python(words)]
    assert db.read_text(paths, compression=NAMES[kind]).compute(scheduler="sync") == lines


@pytest.mark.parametrize("kind", COMPRESS)
def test_several_streams_in_a_file(kind, tmp_path):
    path = tmp_path / f"a.{kind}"
    for parts in ([b"one\n", b"two\nthr", b"ee\n"], [TEXT, TEXT[:1000]], [b"", b"one\n", b""]):
        path.write_bytes(b"".join(map(COMPRESS[kind], parts)))
        bag = db.read_text(str(path))
        whole = b"".join(parts).decode().splitlines(keepends=True)
        assert python(bag) == whole
        assert engine(bag) == [whole]


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_stream_that_is_cut_off_or_not_the_last(kind, tmp_path):
    path = tmp_path / f"a.{kind}"
    data = COMPRESS[kind](os.urandom(300).hex().encode() + b"\nsecond line\n")
    bag = db.read_text(str(path))
    for stop in range(1, len(data)):
        path.write_bytes(data[:stop])
        assert engine(bag) is None, stop
        with pytest.raises((EOFError, RuntimeError, OSError, lzma.LZMAError)):
            python(bag)
    for more in (b"\0", b"x", b"\x1f\x8b", b"more text"):
        path.write_bytes(data + more)
        found = engine(bag)
        if found is not None:
            assert found == [python(bag)]


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("scheduler", ["sync", "processes"])
def test_errors_of_cut_off_streams_name_the_file(kind, scheduler, tmp_path):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(COMPRESS[kind](os.urandom(50_000).hex().encode() + b"\n")[:-500])
    for bag in (db.read_text(str(path)), db.read_json_lines(str(path)).map(lambda r: r["a"])):
        with pytest.raises((EOFError, RuntimeError), match=f"a.{kind}"):
            bag.compute(scheduler=scheduler)


@pytest.mark.parametrize("kind", COMPRESS)
def test_compressed_lines_of_json(kind, tmp_path):
    path = tmp_path / f"a.jsonl.{kind}"
    records = [{"a": i, "b": [i, "é"]} for i in range(5000)]
    path.write_bytes(COMPRESS[kind]("".join(json.dumps(r) + "\n" for r in records).encode()))
    bag = db.read_json_lines(str(path))
    assert python(bag) == records
    assert engine(bag.pluck("a").sum()) == [sum(range(5000))]
    assert python(bag.map(lambda r: r["a"] * records[1]["a"])) == list(range(5000))
    path.write_bytes(COMPRESS[kind](b'{"a": 1}\n{"a": 2}\n{"a" 3}\n'))
    with pytest.raises(json.JSONDecodeError) as caught:
        db.read_json_lines(str(path)).map(lambda r: r["a"] ** 2).compute(scheduler="sync")
    notes = " ".join(getattr(caught.value, "__notes__", []))
    assert f"a.jsonl.{kind}, line 3, which begins at byte 18" in notes


@given(st.text("ab\n", max_size=30), st.integers(0, 30), st.integers(0, 30),
       st.sampled_from([b"\n", b"a\n", b"ab", b"\n\n"]))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_blocks_are_cut_as_fsspec_cuts_them(text, offset, length, delimiter):
    import io

    from fsspec.utils import read_block as theirs

    data = text.encode()
    ours = read_block(io.BytesIO(data), offset, length, delimiter)
    assert ours == theirs(io.BytesIO(data), offset, length, delimiter)


def test_delimiters_over_the_edge_of_what_is_read_at_a_time(tmp_path):
    import io

    data = b"x" * (2**16 - 1) + b"<>" + b"y" * 10 + b"<>z"
    assert read_block(io.BytesIO(data), 0, 5, b"<>") == b"x" * (2**16 - 1) + b"<>"
    assert read_block(io.BytesIO(data), 5, 2**16, b"<>") == b"y" * 10 + b"<>"


def test_paths_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a.txt", "b.txt", "c.gz"):
        (tmp_path / name).write_bytes(b"x\n")
    whole = str(tmp_path / "a.txt")
    for path in ("a.txt", "./a.txt", "~/a.txt", whole, tmp_path / "a.txt", f"file://{whole}"):
        (file,) = files_at(path, "infer", None)
        assert type(file) is PlainFile
        assert file.path == whole
    assert [file.path for file in files_at("*.txt", "infer", None)] == [
        whole, str(tmp_path / "b.txt"),
    ]  # fmt: skip
    assert [file.path for file in files_at(["b.txt", "a.txt"], None, None)] == [
        str(tmp_path / "b.txt"), whole,
    ]  # fmt: skip
    (file,) = files_at("c.gz", "infer", None)
    assert file.compression == "gzip"
    (file,) = files_at("c.gz", None, None)
    assert type(file) is PlainFile
    assert db.read_text("a.txt", include_path=True).compute(scheduler="sync") == [("x\n", whole)]


def test_the_name_changes_with_the_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one\n")
    first = db.read_text(str(path)).name
    assert db.read_text(str(path)).name == first
    path.write_text("longer\n")
    assert db.read_text(str(path)).name != first


def test_a_folder_in_place_of_a_file(tmp_path):
    with pytest.raises((IsADirectoryError, ValueError), match=tmp_path.name):
        db.read_text(str(tmp_path)).compute(scheduler="sync")


def test_a_path_that_goes_while_others_are_read(tmp_path, scheduler):
    paths = [tmp_path / f"{i}.jsonl" for i in range(4)]
    for path in paths:
        path.write_text('{"a": 1}\n' * 100)
    lines = db.read_text(str(tmp_path / "*.jsonl"), files_per_partition=4)
    gone = str(paths[2])

    def remove(record):
        if os.path.exists(gone):
            os.remove(gone)
        return record["a"]

    with pytest.raises(FileNotFoundError, match=r"2\.jsonl"):
        lines.map(json.loads).map(remove).compute(scheduler=scheduler)
    with pytest.raises(FileNotFoundError, match=r"2\.jsonl"):
        lines.map(json.loads).pluck("a").sum().compute(scheduler=scheduler)


def test_a_partition_that_raises(scheduler):
    def careful(x):
        if x == 7:
            raise ValueError("no sevens")
        return x

    bag = db.from_sequence(range(12), npartitions=4).map(careful)
    for one in (bag, bag.sum(), bag.frequencies(), bag.foldby(lambda x: x % 2, max)):
        with pytest.raises(ValueError, match="no sevens") as caught:
            one.compute(scheduler=scheduler)
        assert "Raised by" in " ".join(getattr(caught.value, "__notes__", []))
    # What other partitions gave is not lost to a bag that does not need the seventh.
    assert samite.compute(*bag.to_delayed()[:2], scheduler=scheduler) == ([0, 1, 2], [3, 4, 5])


def test_records_of_mixed_types():
    bag = db.from_sequence([1, "a", (2, 3), None, 1.0, True], npartitions=2)
    assert bag.distinct().compute(scheduler="sync") == [1, "a", (2, 3), None]
    assert dict(bag.frequencies().compute(scheduler="sync")) == {1: 3, "a": 1, (2, 3): 1, None: 1}
    groups = dict(bag.groupby(lambda x: x).compute(scheduler="sync"))
    assert groups == {1: [1, 1.0, True], "a": ["a"], (2, 3): [(2, 3)], None: [None]}
    for wrong in (bag.sum(), bag.max(), bag.topk(2)):
        with pytest.raises(TypeError):
            wrong.compute(scheduler="sync")
    unhashable = db.from_sequence([[1], {"a": 1}, [1]], npartitions=2)
    for wrong in (unhashable.frequencies(), unhashable.distinct(), unhashable.groupby(list)):
        with pytest.raises(TypeError):
            wrong.compute(scheduler="sync")
