"""Avro files, in and out."""

from __future__ import annotations

import sys

import dask.bag as dask_bag
import fastavro
import pytest

import samite
import samite.bag as db

SCHEMA = {
    "name": "Test",
    "type": "record",
    "fields": [
        {"name": "a", "type": "int"},
        {"name": "b", "type": ["null", "string"]},
        {"name": "c", "type": {"type": "array", "items": "double"}},
    ],
}
RECORDS = [{"a": i, "b": None if i % 3 else f"é{i}", "c": [i / 7] * (i % 4)} for i in range(5001)]


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_writing_and_reading(codec, tmp_path, scheduler):
    bag = db.from_sequence(RECORDS, npartitions=3)
    options = {"codec": codec, "sync_interval": 500, "metadata": {"who": "me"}}
    paths = bag.to_avro(str(tmp_path / "*.avro"), SCHEMA, scheduler=scheduler, **options)
    assert [path.rsplit("/", 1)[1] for path in paths] == ["0.avro", "1.avro", "2.avro"]
    with open(paths[0], "rb") as file:
        reader = fastavro.reader(file)
        assert list(reader) == RECORDS[: len(RECORDS) // 3]
        assert reader.metadata["who"] == "me"
    for blocksize in (None, 100, 300, 5000, "10 kB", 10**9):
        cut = db.read_avro(str(tmp_path / "*.avro"), blocksize=blocksize)
        if blocksize == 300:
            assert cut.npartitions > 50
        if blocksize != 100 or scheduler == "synchronous" and codec == "null":
            assert cut.compute(scheduler=scheduler) == RECORDS


def test_the_same_records_as_dasks(tmp_path):
    bag = db.from_sequence(RECORDS, npartitions=2)
    lazy = bag.to_avro(str(tmp_path / "*.avro"), SCHEMA, sync_interval=400, compute=False)
    assert list(tmp_path.iterdir()) == []
    samite.compute(*lazy, scheduler="sync")
    paths = str(tmp_path / "*.avro")
    for blocksize in (None, 2000, 10_000):
        ours = db.read_avro(paths, blocksize=blocksize)
        theirs = dask_bag.read_avro(paths, blocksize=blocksize)
        assert ours.compute(scheduler="sync") == theirs.compute(scheduler="sync") == RECORDS
    assert ours.pluck("a").sum().compute(scheduler="sync") == sum(range(5001))
    assert ours.take(2) == tuple(RECORDS[:2])


def test_what_is_wrong_with_files_and_schemas(tmp_path):
    bag = db.from_sequence(RECORDS, npartitions=1)
    with pytest.raises(AssertionError):
        bag.to_avro(str(tmp_path / "*.avro"), {"name": "T"})
    with pytest.raises(AssertionError):
        bag.to_avro(str(tmp_path / "*.avro"), {**SCHEMA, "type": "map"})
    with pytest.raises(ValueError, match="No files found"):
        db.read_avro(str(tmp_path / "*.avro"))
    (path,) = bag.to_avro([str(tmp_path / "a.avro")], SCHEMA, scheduler="sync")
    with open(path, "rb") as file:
        whole = file.read()
    for content in (whole[:-100], whole[:40], b"no Avro"):
        with open(path, "wb") as file:
            file.write(content)
        for blocksize in (None, 1000):
            with pytest.raises((ValueError, EOFError), match="a.avro"):
                db.read_avro(path, blocksize=blocksize).compute(scheduler="sync")
    with pytest.raises(TypeError):
        db.from_sequence([{"a": "x"}]).to_avro(str(tmp_path / "*"), SCHEMA, scheduler="sync")


def test_without_fastavro(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastavro", None)
    with pytest.raises(RuntimeError, match="fastavro"):
        db.read_avro(str(tmp_path / "*.avro"))
    with pytest.raises(RuntimeError, match="fastavro"):
        db.from_sequence([{"a": 1}]).to_avro(str(tmp_path / "*.avro"), {})
