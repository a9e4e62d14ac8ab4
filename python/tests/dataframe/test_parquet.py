"""Parquet files: what is written is read again, pruning changes no result, and a write that fails
leaves nothing that looks complete."""

from __future__ import annotations

import datetime
import pickle
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.core import get_fs_token_paths
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import samite
import samite.dataframe as dd
from samite.dataframe.io.filesystems import find_filesystem
from samite.dataframe.io.parquet import ReadParquet
from samite.tokenize import tokenize

FRAME = pd.DataFrame(
    {
        "number": np.arange(20),
        "real": [None if i % 7 == 3 else i / 2 for i in range(20)],
        "text": [None if i % 5 == 4 else f"é{i % 3}" for i in range(20)],
        "time": pd.date_range("2024-01-01", periods=20, tz="Europe/Berlin"),
        "kind": pd.Categorical([["b", "a", None][i % 3] for i in range(20)]),
        "nullable": pd.array([None if i % 4 == 2 else i for i in range(20)], dtype="Int64"),
        "flag": [i % 2 == 0 for i in range(20)],
    }
)

SMALL = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def same(left, right, **kwargs):
    pd.testing.assert_frame_equal(left, right, check_categorical=False, **kwargs)


@pytest.mark.parametrize("npartitions", [1, 3, 20])
@pytest.mark.parametrize("index", [None, "number", "text"])
def test_what_is_written_is_read_again(tmp_path, npartitions, index):
    frame = FRAME if index is None else FRAME.dropna(subset=[index]).set_index(index)
    lazy = dd.from_pandas(frame, npartitions=npartitions, sort=False)
    lazy.to_parquet(tmp_path)
    result = dd.read_parquet(tmp_path)
    assert result.npartitions == lazy.npartitions
    same(result.compute(), frame)
    found = result.dtypes.drop("kind")
    assert found.equals(frame.dtypes.drop("kind"))
    assert result.index.name == frame.index.name


def test_an_empty_partition_and_an_empty_frame(tmp_path):
    lazy = dd.from_pandas(FRAME, npartitions=4)
    lazy[lazy.number > 12].to_parquet(tmp_path / "some")
    same(dd.read_parquet(tmp_path / "some").compute(), FRAME[FRAME.number > 12])
    lazy[lazy.number > 99].to_parquet(tmp_path / "none")
    result = dd.read_parquet(tmp_path / "none")
    assert len(result) == 0
    assert list(result.columns) == list(FRAME.columns)


VALUES = {
    "number": st.integers(-2, 22),
    "real": st.floats(-1, 11),
    "text": st.sampled_from(["é0", "é1", "é9", ""]),
    "flag": st.booleans(),
}
COMPARISONS = {
    "==": lambda c, v: c == v,
    "!=": lambda c, v: c != v,
    "<": lambda c, v: c < v,
    "<=": lambda c, v: c <= v,
    ">": lambda c, v: c > v,
    ">=": lambda c, v: c >= v,
}


@st.composite
def conditions(draw):
    column = draw(st.sampled_from(sorted(VALUES)))
    operators = ["==", "!="] if column == "flag" else sorted(COMPARISONS)
    return column, draw(st.sampled_from(operators)), draw(VALUES[column])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows")
    dd.from_pandas(FRAME, npartitions=4).to_parquet(path, row_group_size=2)
    return path


@pytest.fixture(scope="module")
def plain_file(tmp_path_factory):
    """A file whose index is only noted, with row groups of four rows."""
    path = tmp_path_factory.mktemp("plain") / "rows.parquet"
    FRAME.to_parquet(path, row_group_size=4)
    return path


@SMALL
@given(st.lists(st.lists(conditions(), min_size=1, max_size=3), min_size=1, max_size=3))
def test_filters_choose_the_rows_that_pandas_chooses(folder, filters):
    chosen = pd.Series(False, index=FRAME.index)
    for group in filters:
        holds = pd.Series(True, index=FRAME.index)
        for column, operator, value in group:
            holds &= COMPARISONS[operator](FRAME[column], value).fillna(operator == "!=")
        chosen |= holds
    for options in ({}, {"split_row_groups": True}, {"filesystem": "arrow"}):
        path = str(folder)
        result = dd.read_parquet(path, filters=filters, **options).compute()
        same(result, FRAME[chosen])


@SMALL
@given(st.lists(conditions(), min_size=1, max_size=3), st.booleans(), st.booleans())
def test_predicates_become_filters_without_changing_rows(folder, plain_file, parts, any_of, plain):
    lazy = dd.read_parquet(plain_file if plain else folder)

    def predicate(frame):
        whole = None
        for column, operator, value in parts:
            term = COMPARISONS[operator](frame[column], value)
            whole = term if whole is None else (whole | term if any_of else whole & term)
        return whole

    expected = FRAME[predicate(FRAME)]
    result = lazy[predicate(lazy)]
    same(result.compute(), expected)
    pd.testing.assert_series_equal(result["real"].compute(), expected["real"])
    assert len(result) == len(expected)


def test_a_predicate_is_part_of_the_source_and_prunes(folder):
    lazy = dd.read_parquet(folder)
    query = lazy[(lazy.number > 11) & (lazy.text == "é0")]["real"].optimize(fuse=False)
    (source,) = query.expr.find_operations(ReadParquet)
    assert source.operand("filters") == [[("number", ">", 11), ("text", "==", "é0")]]
    assert source.operand("columns") == ["real"]
    assert source.npartitions == 2
    groups = [ids for pieces in source.partition_pieces() for _, ids, _ in pieces]
    assert all(ids is None or len(ids) <= 3 for ids in groups)


def test_partitions_that_are_counted_are_not_pruned(folder):
    lazy = dd.read_parquet(folder)
    late = lazy[lazy.number >= 15]
    same(late.partitions[3].compute(), FRAME[FRAME.number >= 15])
    assert len(late.partitions[0].compute()) == 0
    paired = late.map_partitions(lambda a, b: a.assign(rows=len(b)), lazy)
    assert paired.compute().rows.tolist() == [5] * 5


def test_what_comes_from_two_filters_stays_aligned(folder):
    lazy = dd.read_parquet(folder)
    late = lazy[lazy.number >= 15]
    total = (late.number + late.real.fillna(0)).compute()
    expected = FRAME[FRAME.number >= 15]
    pd.testing.assert_series_equal(total, expected.number + expected.real.fillna(0))


def test_the_length_is_found_without_reading(folder, monkeypatch):
    from samite.dataframe.io.parquet.arrow import ArrowDatasetEngine

    lazy = dd.read_parquet(folder)
    monkeypatch.setattr(ArrowDatasetEngine, "_read_table", None)
    assert len(lazy) == 20
    assert len(lazy["real"]) == 20


def test_divisions_come_from_statistics(tmp_path):
    lazy = dd.from_pandas(FRAME.set_index("number"), npartitions=4)
    lazy.to_parquet(tmp_path)
    assert dd.read_parquet(tmp_path).divisions == (None,) * 5
    result = dd.read_parquet(tmp_path, calculate_divisions=True)
    assert result.divisions == lazy.divisions
    same(result.loc[3:12].compute(), FRAME.set_index("number").loc[3:12])


def test_overlapping_or_missing_index_values_give_no_divisions(tmp_path):
    for name, index in (("overlap", [1, 3, 2, 4]), ("missing", [1.0, 2.0, None, 4.0])):
        frame = pd.DataFrame({"v": range(4)}, index=pd.Index(index, name="i"))
        dd.from_pandas(frame, npartitions=2, sort=False).to_parquet(tmp_path / name)
        result = dd.read_parquet(tmp_path / name, calculate_divisions=True)
        assert not result.known_divisions
        same(result.compute(), frame)


@pytest.mark.parametrize(
    ("options", "npartitions"),
    [
        ({"split_row_groups": True}, 12),
        ({"split_row_groups": 2}, 8),
        ({"split_row_groups": 5, "aggregate_files": True}, 3),
        ({"split_row_groups": "adaptive", "blocksize": 1}, 12),
        ({"split_row_groups": "adaptive", "blocksize": "1 GiB", "aggregate_files": True}, 1),
        ({"split_row_groups": False}, 4),
        ({"blocksize": None}, 4),
    ],
)
def test_what_makes_a_partition(folder, options, npartitions):
    result = dd.read_parquet(folder, **options)
    assert result.npartitions == npartitions
    assert len(result) == 20
    same(result.compute(), FRAME)


def test_folders_hold_columns(tmp_path):
    frame = FRAME.assign(part=[["x y", "ü/z", None][i % 3] for i in range(20)])
    lazy = dd.from_pandas(frame, npartitions=2)
    lazy.to_parquet(tmp_path, partition_on=["part", "flag"])
    result = dd.read_parquet(tmp_path)
    assert list(result.dtypes["part"].categories) == ["x y", "ü/z"]
    computed = result.compute().sort_index()
    assert computed["part"].astype(object).where(computed["part"].notna(), None).tolist() == list(
        frame["part"].astype(object).where(frame["part"].notna(), None)
    )
    same(computed[list(FRAME.columns[:6])], FRAME.iloc[:, :6])
    chosen = dd.read_parquet(tmp_path, filters=[("part", "==", "ü/z")])
    assert all("part=%C3%BC%2Fz" in piece.path for part in chosen.expr.partition_pieces()
               for piece in part)  # fmt: skip
    assert len(chosen) == (frame["part"] == "ü/z").sum()
    assert len(result[result["part"] == "x y"].compute()) == (frame["part"] == "x y").sum()


def test_dates_and_decimals_stay_what_they_are(tmp_path):
    path = tmp_path / "rows.parquet"
    table = pa.table(
        {"d": [datetime.date(2024, 1, 2), None], "n": [Decimal("1.50"), Decimal("2.25")]}
    )
    pq.write_table(table, path)
    result = dd.read_parquet(path)
    assert result.d.dtype == pd.ArrowDtype(pa.date32())
    assert (result.d <= datetime.date(2024, 1, 5)).sum().compute() == 1
    assert result.n.sum().compute() == Decimal("3.75")
    with samite.config.set({"dataframe.convert-string": False}):
        assert dd.read_parquet(path).d.dtype == object


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow"])
def test_dtype_backends_are_those_of_pandas(plain_file, backend):
    result = dd.read_parquet(plain_file, dtype_backend=backend)
    expected = pd.read_parquet(plain_file, dtype_backend=backend)
    same(result.compute(), expected)
    assert result.dtypes.drop("kind").equals(expected.dtypes.drop("kind"))


def test_appending_and_replacing(tmp_path):
    first = dd.from_pandas(FRAME.iloc[:10], npartitions=2)
    second = dd.from_pandas(FRAME.iloc[10:], npartitions=3)
    first.to_parquet(tmp_path, write_metadata_file=True)
    second.to_parquet(tmp_path, append=True)
    assert (tmp_path / "_metadata").exists()
    same(dd.read_parquet(tmp_path).compute(), FRAME)
    with pytest.raises(ValueError, match="overlap with previously written divisions"):
        second.to_parquet(tmp_path, append=True)
    with pytest.raises(ValueError, match="Appended columns not the same"):
        second[["real"]].to_parquet(tmp_path, append=True, ignore_divisions=True)
    with pytest.raises(ValueError, match="Appended dtypes differ.*\n.*number"):
        second.astype({"number": "float64"}).to_parquet(
            tmp_path, append=True, ignore_divisions=True
        )
    second.to_parquet(tmp_path, overwrite=True)
    assert not (tmp_path / "_metadata").exists()
    same(dd.read_parquet(tmp_path).compute(), FRAME.iloc[10:])


def test_writing_without_a_metadata_file_removes_one_that_would_hide_rows(tmp_path):
    dd.from_pandas(FRAME.iloc[:10], npartitions=1).to_parquet(tmp_path, write_metadata_file=True)
    more = dd.from_pandas(FRAME.iloc[10:], npartitions=1)
    more.to_parquet(tmp_path, append=True, write_metadata_file=False)
    assert len(dd.read_parquet(tmp_path)) == 20


def failing(frame):
    if frame.number.iloc[0] >= 10:
        raise RuntimeError("lost in the middle")
    return frame


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_write_that_fails_leaves_nothing_and_keeps_what_was_there(tmp_path, overwrite):
    lazy = dd.from_pandas(FRAME, npartitions=4)
    if overwrite:
        lazy.to_parquet(tmp_path)
    before = sorted(p.name for p in tmp_path.rglob("*"))
    broken = lazy.map_partitions(failing, meta=FRAME.iloc[:0])
    with pytest.raises(RuntimeError, match="lost in the middle"):
        broken.to_parquet(tmp_path, overwrite=overwrite)
    assert sorted(p.name for p in tmp_path.rglob("*")) == before
    if overwrite:
        same(dd.read_parquet(tmp_path).compute(), FRAME)


def test_a_lazy_write_shows_nothing_before_all_parts_are_there(tmp_path):
    lazy = dd.from_pandas(FRAME, npartitions=4)
    result = lazy.to_parquet(tmp_path / "out", compute=False)
    assert not list(tmp_path.glob("out/*.parquet"))
    result.compute()
    same(dd.read_parquet(tmp_path / "out").compute(), FRAME)


def test_an_unfinished_write_is_not_read(tmp_path):
    lazy = dd.from_pandas(FRAME, npartitions=2)
    lazy.to_parquet(tmp_path)
    hidden = tmp_path / ".0123.incomplete"
    hidden.mkdir()
    (tmp_path / "part.0.parquet").rename(hidden / "part.0.parquet")
    assert len(dd.read_parquet(tmp_path)) == 10


def test_other_filesystems_and_processes(tmp_path):
    memory = fsspec.filesystem("memory")
    lazy = dd.from_pandas(FRAME, npartitions=3)
    lazy.to_parquet("memory://samite-test/rows")
    assert sorted(p.rsplit("/", 1)[-1] for p in memory.find("samite-test/rows")) == [
        f"part.{i}.parquet" for i in range(3)
    ]
    same(dd.read_parquet("memory://samite-test/rows").compute(), FRAME)
    lazy.to_parquet(tmp_path)
    result = pickle.loads(pickle.dumps(dd.read_parquet(tmp_path)))
    same(result.compute(scheduler="processes"), FRAME)


def test_errors_name_what_is_wrong(tmp_path):
    dd.from_pandas(FRAME, npartitions=2).to_parquet(tmp_path)
    with pytest.raises(ValueError, match=r"nmber.*did you mean.*number"):
        dd.read_parquet(tmp_path, columns=["nmber"])
    with pytest.raises(ValueError, match="not in the files"):
        dd.read_parquet(tmp_path, filters=[("absent", "==", 1)])
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        dd.read_parquet(tmp_path / "absent")
    with pytest.raises(TypeError, match="no arguments.*colums"):
        dd.read_parquet(tmp_path, colums="number")
    with pytest.raises(TypeError, match="no arguments.*compresion"):
        dd.read_parquet(tmp_path).to_parquet(tmp_path / "out", compresion="gzip")
    FRAME[["number"]].astype(str).to_parquet(tmp_path / "part.9.parquet")
    with pytest.raises(ValueError, match=r"part\.0\.parquet.*part\.9\.parquet.*'number'"):
        dd.read_parquet(tmp_path, columns=["number"]).compute()
    whole = (tmp_path / "part.0.parquet").read_bytes()
    (tmp_path / "part.0.parquet").write_bytes(whole[:200])
    with pytest.raises((pa.ArrowInvalid, OSError), match=r"part\.0\.parquet"):
        dd.read_parquet(tmp_path).compute()


def test_files_of_this_machine_need_no_fsspec(tmp_path: Path) -> None:
    """Importing it takes longer than many a query."""
    pd.DataFrame({"k": [1, 2, 1], "x": [1.0, 2.0, 4.0]}).to_parquet(tmp_path / "one.parquet")
    program = f"""
import sys
import samite.dataframe as dd

df = dd.read_parquet({str(tmp_path)!r})
assert df.groupby("k").x.sum().compute().tolist() == [5.0, 2.0]
assert "fsspec" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_a_plain_path_is_that_of_fsspec(tmp_path: Path) -> None:
    folder = str(tmp_path)
    paths = [folder, f"{folder}/a b", f"{folder}/x=1/*.parquet", f"{folder}/", f"{folder}/../y"]
    paths += ["relative", "~/home", "file:///tmp/z", f"{folder}//w", f"{folder}/."]
    for path in paths:
        found, (mine,) = find_filesystem(path)
        theirs, _, (expected,) = get_fs_token_paths([path], mode="rb", expand=False)
        assert mine == expected, path
        again, _ = find_filesystem(path, filesystem=theirs)
        assert found == again and tokenize(found) == tokenize(again)
        assert pickle.loads(pickle.dumps(found)) == found
        assert type(found.spec) is type(theirs)
