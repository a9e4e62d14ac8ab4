"""Writes that fail while other parts of them still run: nothing is left over, nothing looks
complete, and what was there before is there still."""

from __future__ import annotations

import time

import fsspec
import pandas as pd
import pytest

import samite
import samite.bag as db
import samite.dataframe as dd
from samite.bytes.staging import Output, Staging, append_all

FRAME = pd.DataFrame({"n": range(16), "k": [0, 1] * 8, "s": list("abcdefghijklmnop")})
OLD = FRAME.iloc[:4]
SCHEMA = {"name": "T", "type": "record", "fields": [{"name": "n", "type": "int"}]}


def failing(frame):
    """Fails in the middle, while the other parts take some time yet."""
    if 6 in frame["n"].to_numpy():
        raise RuntimeError("lost in the middle")
    time.sleep(0.002)
    return frame


def failing_record(number):
    if number == 6:
        raise RuntimeError("lost in the middle")
    time.sleep(0.001)
    return {"n": number}


def broken_frame():
    lazy = dd.from_pandas(FRAME, npartitions=8)
    return lazy.map_partitions(failing, meta=FRAME.iloc[:0])


def broken_bag():
    return db.from_sequence(range(16), npartitions=8).map(failing_record)


THREADS = {"scheduler": "threads", "num_workers": 4}
# By name: what prepares a folder, and what fails to write to it.
WRITERS = {
    "parquet, new": (None, lambda p: broken_frame().to_parquet(p / "new", compute_kwargs=THREADS)),
    "parquet, overwriting": (
        lambda p: dd.from_pandas(OLD, npartitions=2).to_parquet(p / "old"),
        lambda p: broken_frame().to_parquet(p / "old", overwrite=True, compute_kwargs=THREADS),
    ),
    "parquet, appending": (
        lambda p: dd.from_pandas(OLD, npartitions=2).to_parquet(p / "old"),
        lambda p: broken_frame().to_parquet(
            p / "old", append=True, ignore_divisions=True, compute_kwargs=THREADS
        ),
    ),
    "parquet, in folders": (
        lambda p: dd.from_pandas(OLD, npartitions=2).to_parquet(p, partition_on="k"),
        lambda p: broken_frame().to_parquet(p, partition_on="k", compute_kwargs=THREADS),
    ),
    "orc": (None, lambda p: broken_frame().to_orc(p, compute_kwargs=THREADS)),
    "csv": (
        lambda p: dd.from_pandas(OLD, npartitions=4).to_csv(p / "*.csv"),
        lambda p: broken_frame().to_csv(p / "*.csv", compute_kwargs=THREADS),
    ),
    "csv, a new folder": (None, lambda p: broken_frame().to_csv(p / "a/b", compute_kwargs=THREADS)),
    "csv, appending": (
        lambda p: dd.from_pandas(OLD, npartitions=4).to_csv(p / "*.csv"),
        lambda p: broken_frame().to_csv(p / "*.csv", mode="a", compute_kwargs=THREADS),
    ),
    "csv, one file": (
        lambda p: OLD.to_csv(p / "one.csv"),
        lambda p: broken_frame().to_csv(p / "one.csv", single_file=True, compute_kwargs=THREADS),
    ),
    "csv, appending to one file": (
        lambda p: OLD.to_csv(p / "one.csv"),
        lambda p: broken_frame().to_csv(
            p / "one.csv", single_file=True, mode="a", compute_kwargs=THREADS
        ),
    ),
    "json": (
        lambda p: dd.from_pandas(OLD, npartitions=4).to_json(p / "*.json"),
        lambda p: broken_frame().to_json(p / "*.json", compute_kwargs=THREADS),
    ),
    "hdf": (
        lambda p: OLD.to_hdf(p / "one.h5", key="/old", format="table"),
        lambda p: broken_frame().to_hdf(p / "one.h5", "/new", dask_kwargs=THREADS),
    ),
    "hdf, many files": (
        lambda p: dd.from_pandas(OLD, npartitions=4).to_hdf(p / "*.h5", "/rows"),
        lambda p: broken_frame().to_hdf(p / "*.h5", "/rows", dask_kwargs=THREADS),
    ),
    "text": (
        lambda p: db.from_sequence(["a", "b"], npartitions=2).to_textfiles(str(p / "*.txt")),
        lambda p: broken_bag().map(str).to_textfiles(str(p / "*.txt"), **THREADS),
    ),
    "avro": (None, lambda p: broken_bag().to_avro(str(p / "*.avro"), SCHEMA, **THREADS)),
}


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("writer", WRITERS)
def test_a_write_that_fails_on_threads_changes_nothing(tmp_path, writer):
    folder = tmp_path / "folder"
    folder.mkdir()
    prepare, write = WRITERS[writer]
    if prepare is not None:
        prepare(folder)
    before = contents(tmp_path)
    assert prepare is None or len(before) > 1
    for _ in range(50):
        with pytest.raises(RuntimeError, match="lost in the middle"):
            write(folder)
        assert contents(tmp_path) == before
    # What other threads still did then is over by now.
    time.sleep(0.05)
    assert contents(tmp_path) == before


LAZY_WRITERS = {
    "parquet": lambda p: broken_frame().to_parquet(p / "new", compute=False),
    "parquet, appending": lambda p: broken_frame().to_parquet(
        p / "old", append=True, ignore_divisions=True, compute=False
    ),
    "parquet, overwriting": lambda p: broken_frame().to_parquet(
        p / "old", overwrite=True, compute=False
    ),
    "orc": lambda p: broken_frame().to_orc(p / "new", compute=False),
    "csv": lambda p: broken_frame().to_csv(p / "*.csv", compute=False)[3],
    "csv, one file": lambda p: broken_frame().to_csv(
        p / "a" / "one.csv", single_file=True, compute=False
    ),
    "hdf": lambda p: broken_frame().to_hdf(p / "one.h5", "/new", compute=False),
    "hdf, many files": lambda p: broken_frame().to_hdf(p / "*.h5", "/rows", compute=False),
}


@pytest.mark.parametrize("scheduler", ["threads", "sync"])
@pytest.mark.parametrize("writer", LAZY_WRITERS)
def test_a_lazy_write_that_fails_leaves_nothing(tmp_path, writer, scheduler):
    folder = tmp_path / "folder"
    folder.mkdir()
    dd.from_pandas(OLD, npartitions=2).to_parquet(folder / "old")
    lazy = LAZY_WRITERS[writer](folder)
    before = contents(tmp_path)
    # Each computation begins anew.
    for _ in range(3):
        with pytest.raises(RuntimeError, match="lost in the middle"):
            samite.compute(lazy, scheduler=scheduler, num_workers=4)
        time.sleep(0.02)
        assert contents(tmp_path) == before


def test_a_lazy_write_that_fails_leaves_nothing_of_other_processes(tmp_path):
    lazy = broken_frame().to_parquet(tmp_path / "new", compute=False)
    with pytest.raises(RuntimeError, match="lost in the middle"):
        lazy.compute(scheduler="processes", num_workers=2)
    assert contents(tmp_path) == {}


def test_a_failure_elsewhere_does_not_end_a_lazy_write(tmp_path):
    lazy = dd.from_pandas(FRAME, npartitions=4).to_parquet(tmp_path / "new", compute=False)
    with pytest.raises(RuntimeError, match="lost in the middle"):
        broken_frame().compute(scheduler="sync")
    other = broken_frame().to_csv(tmp_path / "one.csv", single_file=True, compute=False)
    with pytest.raises(RuntimeError, match="lost in the middle"):
        samite.persist(other, scheduler="sync")
    lazy.compute()
    pd.testing.assert_frame_equal(dd.read_parquet(tmp_path / "new").compute(), FRAME)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("kind", ["parquet", "csv", "one csv", "json"])
def test_a_write_to_a_store_without_folders_that_fails_leaves_nothing(kind):
    memory = fsspec.filesystem("memory")
    place = "memory://samite-failing"
    for _ in range(50):
        with pytest.raises(RuntimeError, match="lost in the middle"):
            if kind == "parquet":
                broken_frame().to_parquet(f"{place}/rows", compute_kwargs=THREADS)
            elif kind == "json":
                broken_frame().to_json(f"{place}/*.json", compute_kwargs=THREADS)
            else:
                single = kind == "one csv"
                path = f"{place}/one.csv" if single else f"{place}/*.csv"
                broken_frame().to_csv(path, single_file=single, compute_kwargs=THREADS)
    time.sleep(0.05)
    assert memory.find("/samite-failing") == []


def test_a_part_that_ends_after_the_write_has_failed_leaves_nothing(tmp_path):
    for fs, folder in [
        (fsspec.filesystem("file", auto_mkdir=True), str(tmp_path)),
        (fsspec.filesystem("memory"), "/samite-late"),
    ]:
        staging = Staging(fs, [folder])
        staging.open()
        late = Output(fs, f"{folder}/late", "wt", {}, staging)

        def write(file, staging=staging):
            file.write("one")
            staging.discard()
            file.write("two")

        with pytest.raises(FileNotFoundError, match="has ended"):
            late.write(write)
        with pytest.raises(FileNotFoundError):
            late.write(lambda file: file.write("later still"))
        assert fs.find(folder) == []
    assert list(tmp_path.iterdir()) == []


def test_two_attempts_at_a_part_do_not_write_to_one_file(tmp_path):
    fs = fsspec.filesystem("file")
    staging = Staging(fs, [str(tmp_path)])
    staging.open()
    output = Output(fs, f"{tmp_path}/rows", "wt", {}, staging)
    first = output.write(lambda file: file.write("first"))
    second = output.write(lambda file: file.write("second"))
    assert staging.publish([second], "w") == [f"{tmp_path}/rows"]
    assert first != second
    assert contents(tmp_path) == {"rows": b"second"}


def test_nothing_is_published_where_a_file_is_in_the_way(tmp_path):
    lazy = dd.from_pandas(FRAME, npartitions=4)
    (tmp_path / "2.csv").write_text("old")
    for mode in ("x", "w"):
        if mode == "w":
            (tmp_path / "2.csv").unlink()
            (tmp_path / "2.csv").mkdir()
        before = contents(tmp_path)
        with pytest.raises(FileExistsError if mode == "x" else IsADirectoryError, match=r"2\.csv"):
            lazy.to_csv(tmp_path / "*.csv", mode=mode)
        assert contents(tmp_path) == before


def test_files_that_are_appended_to_are_cut_off_again_where_that_fails(tmp_path):
    (tmp_path / "old").write_text("before,")
    (tmp_path / "piece").write_text("after")
    fs = fsspec.filesystem("file")
    pieces = [f"{tmp_path}/piece", f"{tmp_path}/absent"]
    with pytest.raises(FileNotFoundError):
        append_all(fs, [(pieces[:1], f"{tmp_path}/new"), (pieces, f"{tmp_path}/old")])
    assert contents(tmp_path) == {"old": b"before,", "piece": b"after"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig", "utf-32", "latin-1"])
def test_text_of_several_partitions_has_one_mark_of_the_byte_order(tmp_path, encoding):
    frame = pd.DataFrame({"n": range(9), "s": list("äöüßéèabc")})
    path = tmp_path / "one.csv"
    lazy = dd.from_pandas(frame, npartitions=3)
    lazy.to_csv(path, single_file=True, index=False, encoding=encoding)
    assert path.read_text(encoding) == frame.to_csv(index=False)
    lazy.to_csv(path, single_file=True, index=False, encoding=encoding, header=False, mode="a")
    expected = frame.to_csv(index=False) + frame.to_csv(index=False, header=False)
    assert path.read_text(encoding) == expected


def test_a_zip_archive_of_several_partitions_is_refused(tmp_path):
    lazy = dd.from_pandas(FRAME, npartitions=2)
    with pytest.raises(ValueError, match="zip archive cannot be added to"):
        lazy.to_csv(tmp_path / "one.zip", single_file=True, compression="zip")
    with pytest.raises(ValueError, match="zip archive cannot be added to"):
        lazy.to_csv(tmp_path / "*.zip", mode="a", compression="zip")
    lazy.to_csv(tmp_path / "*.zip", compression="zip", index=False)
    found = pd.concat([pd.read_csv(tmp_path / f"{i}.zip") for i in range(2)], ignore_index=True)
    pd.testing.assert_frame_equal(found, FRAME)


def test_lazy_writes_make_their_folders_when_they_run(tmp_path):
    lazy = dd.from_pandas(FRAME, npartitions=4)
    results = [
        lazy.to_parquet(tmp_path / "rows", compute=False),
        lazy.to_csv(tmp_path / "one.csv", single_file=True, index=False, compute=False),
        lazy.to_hdf(tmp_path / "one.h5", "/rows", compute=False),
    ]
    files = lazy.to_csv(tmp_path / "many", index=False, compute=False)
    assert list(tmp_path.iterdir()) == []
    for result in results:
        result.compute()
    assert samite.compute(*files) == tuple(str(tmp_path / f"many/{i}.part") for i in range(4))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["many", "one.csv", "one.h5", "rows"]
    pd.testing.assert_frame_equal(dd.read_parquet(tmp_path / "rows").compute(), FRAME)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "one.csv"), FRAME)
    pd.testing.assert_frame_equal(pd.read_hdf(tmp_path / "one.h5", "/rows"), FRAME)
    # And again, when they are computed again.
    for result in results:
        result.compute()
    pd.testing.assert_frame_equal(dd.read_parquet(tmp_path / "rows").compute(), FRAME)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "one.csv"), FRAME)


def test_a_folder_of_parquet_files_is_replaced_at_once(tmp_path):
    place = tmp_path / "rows"
    dd.from_pandas(FRAME, npartitions=8).to_parquet(place)
    place.chmod(0o750)
    dd.from_pandas(OLD, npartitions=2).to_parquet(place, overwrite=True)
    assert sorted(p.name for p in place.iterdir()) == ["part.0.parquet", "part.1.parquet"]
    assert place.stat().st_mode & 0o777 == 0o750
    assert [p.name for p in tmp_path.iterdir()] == ["rows"]
    pd.testing.assert_frame_equal(dd.read_parquet(place).compute(), OLD)
