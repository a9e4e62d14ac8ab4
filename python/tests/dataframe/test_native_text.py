"""Files of text read by the engine: the rows, dtypes and errors are those of pandas."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import samite
import samite.dataframe as dd
from samite import _engine
from samite.dataframe._native import nativized, results

QUICK = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def both(make: Callable[[], Any]) -> tuple[Any, Any]:
    """What the engine gives, and what pandas does; an exception is its type and its text."""

    def outcome(native: bool) -> Any:
        with samite.config.set({"dataframe.native": native}):
            try:
                return make().compute()
            except Exception as raised:
                return type(raised), str(raised)

    return outcome(True), outcome(False)


def check(make: Callable[[], Any]) -> None:
    found, expected = both(make)
    if isinstance(expected, tuple):
        assert found == expected
    elif isinstance(expected, pd.DataFrame):
        # Labels that count the rows begin anew in each partition, of which the engine has one.
        if isinstance(expected.index, pd.RangeIndex) or not expected.index.is_unique:
            found, expected = found.reset_index(drop=True), expected.reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(found, expected)
    else:
        # Sums may be added up in another order.
        assert found == pytest.approx(expected, rel=1e-12, nan_ok=True)


def is_native(collection: Any) -> bool:
    """Whether a plan of the engine reads the text."""
    found = nativized(collection.expr, True)
    return type(found).__name__ == "NativeRows" and "Text" in found.plan.explain(2)[0]


@pytest.fixture
def engine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No row is left to pandas."""

    def refuse(self: Any, memory_limit: Any) -> Any:
        raise AssertionError("pandas was asked to read the rows")

    monkeypatch.setattr(results.Instead, "compute", refuse)


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    text = np.array(["", "plain", 'a "quoted" word', "with, comma", "zwei\nZeilen", "日本語", "NA"])
    frame = pd.DataFrame(
        {
            "key": random.integers(0, 5, rows),
            "number": np.round(random.normal(size=rows) * 1000, 4),
            "flag": random.random(rows) < 0.5,
            "word": text[random.integers(0, len(text), rows)],
            "moment": pd.Timestamp("2020-01-01 10:00:01")
            + pd.to_timedelta(random.integers(0, 10**7, rows), unit="s"),
        }
    )
    frame.loc[random.random(rows) < 0.1, "number"] = np.nan
    return frame


@pytest.mark.parametrize("blocksize", [None, 100_000, 7_001])
def test_rows_are_those_of_pandas(tmp_path: Path, engine_only: None, blocksize: int | None) -> None:
    frame = table(3000)
    # A line end inside of quotes may be where a block is cut.
    if blocksize is not None:
        frame["word"] = frame["word"].str.replace("\n", " ")
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.iloc[:100].to_csv(tmp_path / "b.csv", index=False)

    def read() -> Any:
        return dd.read_csv(str(tmp_path / "*.csv"), blocksize=blocksize, parse_dates=["moment"])

    grouped = read().groupby("word").agg({"number": "sum", "key": "max", "moment": "min"})
    assert is_native(grouped)
    check(lambda: read().groupby("word").agg({"number": "sum", "key": "max", "moment": "min"}))
    check(lambda: read().groupby("flag").number.mean())
    check(lambda: read().sort_values(["moment", "key", "word"]).reset_index(drop=True))
    check(lambda: len_of(read()))
    check(lambda: read()[lambda rows: rows.key > 2].number.sum())
    check(lambda: read().groupby("key").size())


def len_of(frame: Any) -> Any:
    return frame.key.count()


def test_partitions_one_by_one(tmp_path: Path, engine_only: None) -> None:
    frame = table(2000).drop(columns="word")
    frame.to_csv(tmp_path / "a.csv", index=False)

    def make() -> Any:
        rows = dd.read_csv(str(tmp_path / "a.csv"), blocksize=9_000, parse_dates=["moment"])
        return rows.drop_duplicates(subset=["key", "flag"])

    check(lambda: make()[["key", "flag"]].sort_values(["key", "flag"]).reset_index(drop=True))


FIELDS = st.sampled_from(
    [
        "1", "2", "-3", "0", "12", "1.5", "-0.25", "1e3", "", "NA", "nan", "x", "None", "True",
        "false", "2020-01-01", "2020-01-02 03:04:05", " 1", "1 ", "+1", "inf",
        "99999999999999999999",
        '"a,b"', '"a\nb"', '"say ""hi"""', '"open', 'mid"dle', "é", "\t", "0x1", "1_000", "-", ".",
        "0.1", "1.7976931348623157e309", "007", "-0", "n/a", "#N/A",
    ]
)  # fmt: skip


@QUICK
@given(
    head=st.lists(
        st.tuples(
            st.integers(-5, 5).map(str),
            st.sampled_from(["1.5", "2.0", "0.25", ""]),
            st.sampled_from(["x", "y", "1", "é"]),
            st.sampled_from(["2020-01-01", "2021-12-31"]),
        ),
        min_size=2,
        max_size=4,
    ),
    rest=st.lists(st.lists(FIELDS, min_size=1, max_size=5), max_size=6),
    ending=st.sampled_from(["\n", "\r\n", ""]),
    terminator=st.sampled_from(["\n", "\r\n"]),
    na_values=st.sampled_from([None, "x", ["x", "é"]]),
)
def test_any_text(
    tmp_path: Path,
    head: list[tuple[str, ...]],
    rest: list[list[str]],
    ending: str,
    terminator: str,
    na_values: Any,
) -> None:
    lines = ["a,b,c,d", *(",".join(row) for row in head), *(",".join(row) for row in rest)]
    path = tmp_path / "t.csv"
    path.write_bytes((terminator.join(lines) + ending).encode())
    options: dict[str, Any] = {} if na_values is None else {"na_values": na_values}

    def read(**more: Any) -> Any:
        return dd.read_csv(str(path), sample_rows=len(head) - 1, **options, **more)

    try:
        read(parse_dates=["d"])
    except Exception:
        # The sample itself is refused, before anything is computed.
        return
    check(lambda: read(parse_dates=["d"]).groupby("c").agg({"a": "sum", "b": "mean", "d": "max"}))
    check(lambda: read().sort_values(["c", "a", "b"]).reset_index(drop=True))
    check(lambda: read(usecols=["a", "c"]).groupby("a").c.nunique())


@QUICK
@given(
    values=st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=2, max_size=30),
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=30),
)
def test_numbers(tmp_path: Path, values: list[float], numbers: list[int]) -> None:
    count = min(len(values), len(numbers))
    frame = pd.DataFrame({"f": values[:count], "i": numbers[:count]})
    path = tmp_path / "n.csv"
    frame.to_csv(path, index=False)
    given_dtypes = {"f": "float64", "i": "int64"}
    found, expected = both(
        lambda: dd.read_csv(str(path), dtype=given_dtypes).sort_values("i").reset_index(drop=True)
    )
    pd.testing.assert_frame_equal(found, expected, rtol=1e-15)


def test_a_column_of_integers_that_turns_float(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 50 + "1.5,2\n")

    def make() -> Any:
        return dd.read_csv(str(path), sample_rows=5).groupby("b").a.sum()

    found, expected = both(make)
    assert found == expected
    assert found[0] is ValueError
    assert "float64" in found[1]


def test_a_malformed_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 50 + "1,2,3\n" + "1,2\n" * 3)

    def make() -> Any:
        return dd.read_csv(str(path), sample_rows=5).groupby("b").a.sum()

    found, expected = both(make)
    assert found == expected
    assert found[0] is pd.errors.ParserError
    assert "line 52" in found[1]
    assert str(path) in found[1]


def test_blocks_are_cut_at_line_ends(tmp_path: Path, engine_only: None) -> None:
    buffer = io.StringIO()
    pd.DataFrame({"a": range(1000), "b": 1.0}).to_csv(buffer, index=False)
    path = tmp_path / "t.csv"
    path.write_text(buffer.getvalue())
    for blocksize in (8, 63, 64, 65, 4000, 10**6):
        rows = dd.read_csv(str(path), blocksize=blocksize, sample=1000)
        assert rows.a.sum().compute() == 499_500
        assert rows.b.sum().compute() == 1000.0


@pytest.mark.parametrize(
    "options",
    [
        {"skiprows": 1, "names": ["p", "q", "r"]},
        {"comment": "#"},
        {"sep": ";"},
        {"decimal": ","},
        {"dtype": str},
        {"dtype": {"a": "category"}},
        {"index_col": False},
        {"include_path_column": True},
        {"converters": {"a": float}},
        {"encoding": "latin-1"},
    ],
)
def test_other_options_are_those_of_pandas(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n" + "".join(f"{i},{i % 3},{i}.5\n" for i in range(40)))

    def make() -> Any:
        rows = dd.read_csv(str(path), **options)
        return rows.groupby(rows.columns[-1]).size().sort_index()

    check(make)


@pytest.mark.parametrize("row", range(8))
@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_a_quote_keeps_what_follows_together(tmp_path: Path, row: int, threads: int) -> None:
    lines = [f"{number},plain\n" for number in range(8)]
    lines[row] = f'{row},"two\nlines, and ""quotes"""\n'
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(lines))
    columns = [("a", 0, "int64"), ("b", 1, "str")]
    plan = _engine.FramePlan.text(ord(","), 2, b"a,b\n", [], columns, [(path, 0, None)])
    found = pa.table(plan.execute(threads, None, None)).to_pandas()
    assert found.a.tolist() == list(range(8))
    assert found.b[row] == 'two\nlines, and "quotes"'


def test_sql_over_text(tmp_path: Path, engine_only: None) -> None:
    frame = table(500)
    frame.to_csv(tmp_path / "t.csv", index=False)
    rows = dd.read_csv(str(tmp_path / "t.csv"))
    found = dd.sql("select key, count(*) as n from t group by key order by key", t=rows).compute()
    expected = frame.groupby("key").size()
    assert found.n.tolist() == expected.tolist()
