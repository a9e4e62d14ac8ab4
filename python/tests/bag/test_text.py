"""Lines of files, in and out, and files that something is wrong with."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os

import dask
import dask.bag as dask_bag
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.bag as db

TEXT = "one\ntwo\r\nthree\n\nKöln\u2028\x0cfour\rfive\nlast"
OPEN = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open, "txt": open}


def parts_of(bag):
    return [list(part) for part in samite.compute(*bag.to_delayed(), scheduler="sync")]


@pytest.mark.parametrize("options", [
    {}, {"blocksize": 5}, {"blocksize": 1000}, {"linedelimiter": "\n"},
    {"linedelimiter": "\n", "blocksize": 5}, {"linedelimiter": "\r\n"}, {"include_path": True},
    {"files_per_partition": 2}, {"linedelimiter": "o"}, {"linedelimiter": "o", "blocksize": 4},
])  # fmt: skip
def test_lines_as_dask_reads_them(options, tmp_path):
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_bytes(TEXT.encode())
    paths = str(tmp_path / "*.txt")
    ours = db.read_text(paths, **options)
    theirs = dask_bag.read_text(paths, **options)
    assert parts_of(ours) == [
        list(part) for part in dask.compute(*theirs.to_delayed(), scheduler="sync")
    ]
    # The engine cuts as it likes, and keeps the records in their order.
    assert ours.compute(scheduler="sync") == theirs.compute(scheduler="sync")
    assert ours.count().compute(scheduler="sync") == theirs.count().compute(scheduler="sync")


@given(
    st.lists(st.text("ab\n\r é", max_size=12), min_size=1, max_size=3),
    st.integers(1, 12),
    st.sampled_from([None, "\n"]),
)
@settings(max_examples=60, deadline=None)
def test_no_line_is_lost_at_the_edge_of_a_block(tmp_path_factory, texts, blocksize, delimiter):
    folder = tmp_path_factory.mktemp("text")
    for i, text in enumerate(texts):
        (folder / f"{i}.txt").write_bytes((text + "x").encode())
    bag = db.read_text(str(folder / "*.txt"), blocksize=blocksize, linedelimiter=delimiter)
    whole = []
    for i in range(len(texts)):
        with open(folder / f"{i}.txt", encoding="utf-8", newline=delimiter) as file:
            whole += list(file)
    assert bag.compute(scheduler="sync") == whole
    assert bag.map_partitions(list).compute(scheduler="sync") == whole
    assert bag.count().compute(scheduler="sync") == len(whole)


@pytest.mark.parametrize("extension", OPEN)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_compressions_and_encodings(extension, encoding, tmp_path, scheduler):
    path = tmp_path / f"a.{extension}"
    with OPEN[extension](path, "wb") as file:
        file.write("Käse\nBrot\n".encode(encoding))
    bag = db.read_text(str(path), encoding=encoding)
    assert bag.compute(scheduler=scheduler) == ["Käse\n", "Brot\n"]
    if extension != "txt":
        with pytest.raises(ValueError, match="Cannot do chunked reads"):
            db.read_text(str(path), blocksize=5)


def test_writing_and_reading(tmp_path, scheduler):
    words = ["", "a", "Köln", "c", "e"]
    bag = db.from_sequence(words, npartitions=3)
    for target in ("*.txt", "*.txt.gz", "sub"):
        paths = bag.to_textfiles(str(tmp_path / target), scheduler=scheduler)
        assert len(paths) == bag.npartitions
        lines = db.read_text(paths).compute(scheduler=scheduler)
        assert [line.rstrip("\n") for line in lines] == words
    assert bag.to_textfiles([str(tmp_path / f"{i}") for i in range(3)], last_endline=True)
    assert (tmp_path / "2").read_text().endswith("\n")


def test_other_file_systems():
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/bag/a.txt", b"one\ntwo\n")
    bag = db.read_text("memory://bag/*.txt", blocksize=4)
    assert bag._native is None
    assert bag.compute(scheduler="sync") == ["one\n", "two\n"]


def test_a_glob_without_files(tmp_path):
    for read in (db.read_text, db.read_json_lines):
        with pytest.raises(ValueError, match="No files found"):
            read(str(tmp_path / "*.nothing"))


def test_a_path_that_is_gone(tmp_path, scheduler):
    path = tmp_path / "a.txt"
    path.write_text("one\ntwo\n")
    for options in ({}, {"blocksize": 3}):
        bag = db.read_text(str(path), **options)
        os.rename(path, tmp_path / "elsewhere")
        with pytest.raises(FileNotFoundError, match="a.txt"):
            bag.compute(scheduler=scheduler)
        with pytest.raises(FileNotFoundError, match="a.txt"):
            bag.map(len).map(lambda n: n).compute(scheduler=scheduler)
        os.rename(tmp_path / "elsewhere", path)


@pytest.mark.parametrize("extension", ["gz", "bz2", "xz"])
def test_a_compressed_file_that_is_cut_off(extension, tmp_path):
    path = tmp_path / f"a.{extension}"
    with OPEN[extension](path, "wb") as file:
        file.write(os.urandom(100_000).hex().encode() + b"\n")
    path.write_bytes(path.read_bytes()[:-1000])
    for bag in (db.read_text(str(path)), db.read_text(str(path)).map(len)):
        with pytest.raises(EOFError, match=f"a.{extension}"):
            bag.compute(scheduler="sync")


def test_a_compressed_file_that_is_none(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(b"plain text\n")
    with pytest.raises(gzip.BadGzipFile, match=r"a\.gz"):
        db.read_text(str(path)).compute(scheduler="sync")


@pytest.mark.parametrize("blocksize", [None, 7])
def test_broken_utf8(blocksize, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"Jose\nAlice\nJos\xe9\nBob\n")
    for operation in (lambda b: b, lambda b: b.count(), lambda b: b.map(lambda x: x)):
        with pytest.raises(UnicodeDecodeError) as caught:
            operation(db.read_text(str(path), blocksize=blocksize)).compute(scheduler="sync")
        assert "a.txt, line 3, byte 14" in str(caught.value)
    ignored = db.read_text(str(path), blocksize=blocksize, errors="ignore")
    assert ignored.compute(scheduler="sync") == ["Jose\n", "Alice\n", "Jos\n", "Bob\n"]
    replaced = db.read_text(str(path), blocksize=blocksize, errors="replace")
    assert replaced.compute(scheduler="sync")[2] == "Jos\ufffd\n"


@pytest.mark.parametrize("blocksize", [None, 12])
def test_a_line_that_is_no_json(blocksize, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n{"a": 3\n{"a": 4}\n')
    bags = [
        db.read_json_lines(str(path), blocksize=blocksize),
        db.read_text(str(path), blocksize=blocksize).map(json.loads),
        db.read_json_lines(str(path), blocksize=blocksize).pluck("a").sum(),
        db.read_json_lines(str(path), blocksize=blocksize).map(lambda r: r["a"] + 0),
    ]
    for bag in bags:
        with pytest.raises(json.JSONDecodeError) as caught:
            bag.compute(scheduler="sync")
        notes = " ".join(getattr(caught.value, "__notes__", []))
        assert "a.jsonl, line 3, which begins at byte 18" in notes
    # From another process too, although this exception is pickled without its notes.
    with pytest.raises(json.JSONDecodeError) as caught:
        bags[0].count().compute(scheduler="processes")
    assert "a.jsonl, line 3" in " ".join(getattr(caught.value, "__notes__", []))


def test_records_of_mixed_types(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": "one"}\n{"b": 2}\n')
    bag = db.read_json_lines(str(path))
    with pytest.raises(TypeError):
        bag.filter(lambda r: r["a"] > 0).compute(scheduler="sync")
    with pytest.raises(KeyError) as caught:
        bag.pluck("a").compute(scheduler="sync")
    assert "a.jsonl, line 3" in " ".join(getattr(caught.value, "__notes__", []))
    assert bag.pluck("a", None).compute(scheduler="sync") == [1, "one", None]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"blocksize": 5, "files_per_partition": 2}, ValueError),
        ({"blocksize": 0}, ValueError),
        ({"files_per_partition": 0}, ValueError),
        ({"compression": "zzz"}, ValueError),
        ({"encoding": "no-such"}, LookupError),
        ({"errors": "no-such"}, LookupError),
        ({"linedelimiter": b"\n"}, TypeError),
    ],
)
def test_wrong_options(options, kind, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one\n")
    with pytest.raises(kind):
        db.read_text(str(path), **options)
    with pytest.raises(TypeError):
        db.read_text(5)
