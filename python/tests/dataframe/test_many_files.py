"""Very many Parquet files and row groups: footers are read once, and partitions are as pyarrow
has them."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import samite
import samite.dataframe as dd
from samite._engine import FramePlan
from samite.dataframe.io.parquet.plan import EachRowGroup, Piece

FILES = 70


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files with one to three row groups; one has a long footer, one statistics of pages."""
    path = tmp_path_factory.mktemp("many")
    random = np.random.default_rng(5)
    for number in range(FILES):
        rows = 3 + number % 3 * 4
        table = pa.table({"n": np.arange(rows) + number * 100, "x": random.random(rows)})
        options = {"write_page_index": True} if number == 7 else {}
        if number == 9:
            table = table.replace_schema_metadata({"note": "long" * 20_000})
        pq.write_table(table, path / f"{number:03}.parquet", row_group_size=5, **options)
    return path


def files_of(folder):
    return sorted(str(path) for path in folder.iterdir())


@pytest.mark.parametrize("count", [1, 10, FILES])
def test_row_groups_are_those_that_pyarrow_finds(folder, count):
    files = files_of(folder)[:count]
    for _ in range(2):
        found = FramePlan.row_groups_of(files)
        for path, groups in zip(files, found, strict=True):
            metadata = pq.read_metadata(path)
            every = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
            assert groups == [(group.num_rows, group.total_byte_size) for group in every]


def test_a_partition_for_each_row_group(folder):
    df = dd.read_parquet(folder, split_row_groups=True)
    counts = [pq.read_metadata(path).num_row_groups for path in files_of(folder)]
    assert df.npartitions == sum(counts) > FILES
    whole = pd.concat([pd.read_parquet(path) for path in files_of(folder)])
    # Labels count from the start of each partition.
    mine, whole = (one.reset_index(drop=True) for one in (df.compute(), whole))
    pd.testing.assert_frame_equal(mine, whole)
    assert len(df) == len(whole)
    queries = [
        lambda df: df[df.x > 0.5].n.sum(),
        lambda df: df.partitions[3:9].n.sum(),
        lambda df: df.partitions[-1].n.max(),
    ]
    for query in queries:
        mine = query(df).compute()
        with samite.config.set({"dataframe.native": False}):
            assert mine == query(df).compute()
    plan = pickle.loads(pickle.dumps(df.expr)).plan
    assert plan.pieces == df.expr.plan.pieces and len(plan.rows) == df.npartitions


def test_pieces_are_made_when_they_are_asked_for():
    pieces = EachRowGroup([("a", ()), ("b", (("k", 1),))], [0, 2, 5])
    assert len(pieces) == 5
    every = [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2)]
    values = {"a": (), "b": (("k", 1),)}
    expected = [(Piece(path, (group,), values[path]),) for path, group in every]
    assert list(pieces) == expected and pieces == expected
    assert pieces[-2] == expected[-2] and pieces[1:4] == expected[1:4]
    with pytest.raises(IndexError, match="there are 5 partitions"):
        pieces[5]


def test_broken_files_are_named(folder, tmp_path):
    for number, path in enumerate(files_of(folder)):
        os.link(path, tmp_path / f"{number:03}.parquet")
    broken = tmp_path / "050.parquet"
    for content in (b"", b"PAR1", b"PAR1" + b"\xff" * 40 + b"PAR1"):
        broken.unlink()
        broken.write_bytes(content)
        with pytest.raises(ValueError, match=r"050\.parquet"):
            FramePlan.row_groups_of(files_of(tmp_path))
        with pytest.raises(ValueError, match="050|Parquet"):
            dd.read_parquet(tmp_path, split_row_groups=True).npartitions
    broken.unlink()
    with pytest.raises(FileNotFoundError):
        FramePlan.row_groups_of([*files_of(tmp_path), str(broken)])


def test_files_that_change_are_read_again(folder, tmp_path):
    for path in files_of(folder):
        os.link(path, tmp_path / os.path.basename(path))
    first = dd.read_parquet(tmp_path, split_row_groups=True)
    count = first.npartitions
    changed = tmp_path / "003.parquet"
    changed.unlink()
    pq.write_table(pa.table({"n": np.arange(40), "x": np.zeros(40)}), changed, row_group_size=2)
    again = dd.read_parquet(tmp_path, split_row_groups=True)
    assert again.npartitions == count - 1 + 20
    assert again.n.count().compute() == len(again.compute())


def test_folders_are_listed_as_fsspec_lists_them(tmp_path):
    from fsspec.implementations.local import LocalFileSystem

    from samite.dataframe.io.parquet.dataset import _local_files

    folder, other = tmp_path / "rows", tmp_path / "other"
    for place in (folder / "a=1" / "b=2", folder / "_kept", other / "inside"):
        place.mkdir(parents=True)
    for path in (folder / "1.parquet", folder / "a=1" / "b=2" / "2.parquet", other / "3.parquet"):
        pq.write_table(pa.table({"x": [1]}), path)
    (folder / "a=1" / ".hidden").write_bytes(b"")
    (folder / "linked").symlink_to(other)
    (folder / "link.parquet").symlink_to(other / "3.parquet")
    assert sorted(_local_files(str(folder))) == sorted(LocalFileSystem().find(str(folder)))
    assert len(dd.read_parquet(folder, parquet_file_extension=".parquet")) == 3
    (folder / "lost.parquet").symlink_to(tmp_path / "nowhere")
    assert sorted(_local_files(str(folder))) == sorted(LocalFileSystem().find(str(folder)))
    with pytest.raises(FileNotFoundError):
        dd.read_parquet(folder).compute()
