"""CSV and JSON files: blocks of any size give the rows that pandas gives, errors name the line, and
a file gets its name when it is complete."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import samite
import samite.dataframe as dd
from samite.dataframe.io import arrow_text

SMALL = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters='\r\n"\x00', exclude_categories=["Cs"])
)
ROWS = st.lists(st.tuples(st.integers(-999, 999), st.floats(-5, 5), TEXT), min_size=1, max_size=30)


def same(left, right):
    pd.testing.assert_frame_equal(left.reset_index(drop=True), right.reset_index(drop=True))


@SMALL
@given(ROWS, st.integers(1, 200))
def test_blocks_of_any_size_hold_every_row_once(tmp_path, rows, blocksize):
    path = tmp_path / "rows.csv"
    # A text that reads like a missing value is one to pandas as well.
    pd.DataFrame(rows, columns=["i", "x", "s"]).to_csv(path, index=False)
    dtype = {"s": "str"}
    expected = pd.read_csv(path, dtype=dtype)
    lazy = dd.read_csv(path, blocksize=blocksize, dtype=dtype, assume_missing=True)
    result = lazy.compute()
    same(result, expected.astype({"i": "float64"}))
    same(lazy[["s"]].compute(), expected[["s"]])
    assert len(lazy) == len(expected)


CELLS = {
    "i": st.integers(-(2**63), 2**63 - 1).map(str),
    "x": st.one_of(st.floats().map(repr), st.sampled_from(["", "NA", "1e3", " 2", "inf", "nan"])),
    "b": st.sampled_from(["True", "False", "TRUE", "true"]),
    "s": st.sampled_from(
        ["", "NA", '"a,b"', '"two\nlines"', "a b", '"say ""no"""', "é", "0x10", "null"]
    ),
    "t": st.sampled_from(["2024-02-29", "1999-12-31", ""]),
}
META = pd.DataFrame({"i": [1], "x": [1.0], "b": [True], "s": ["s"], "t": ["2024-01-01"]}).astype(
    {"t": "M8[us]"}
)


@SMALL
@given(st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=12), st.booleans())
def test_arrow_parses_what_pandas_parses(rows, some):
    text = "\n".join(["i,x,b,s,t", *(",".join(row.values()) for row in rows)]).encode()
    options: dict = {"dtype": {"s": "str"}, "parse_dates": ["t"]}
    meta = META
    if some:
        options = {"dtype": {"s": "str"}, "usecols": ["x", "s"]}
        meta = META[["x", "s"]]
    found = arrow_text.parse("read_csv", text, options, meta, 5)
    expected = pd.read_csv(io.BytesIO(text), **options)
    if found is None:  # What Arrow refuses is left to pandas.
        return
    # Where a column has no fractions or no dates, pandas infers another dtype.
    expected = expected.astype(meta.dtypes.to_dict())
    pd.testing.assert_frame_equal(found, expected, rtol=1e-14)


def test_arrow_parses_plain_rows():
    row = {"i": "1", "x": "0.5", "b": "True", "s": "é", "t": "2024-02-29"}
    text = "\n".join(["i,x,b,s,t", ",".join(row.values())]).encode()
    options = {"dtype": {"s": "str"}, "parse_dates": ["t"]}
    found = arrow_text.parse("read_csv", text, options, META, 5)
    pd.testing.assert_frame_equal(found, pd.read_csv(io.BytesIO(text), **options))


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n3\n", "a,b\n1,2\n \n3,4\n", "a,b\n1,x\n", "b,a\n1,2\n", "a,b\n1,2,3\n"]
)
def test_what_arrow_does_not_parse_is_left_to_pandas(text):
    meta = pd.DataFrame({"a": [1], "b": [1]})
    assert arrow_text.parse("read_csv", text.encode(), {}, meta, 2) is None


def test_a_missing_truth_value_is_an_error_and_no_value(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("b,c\n" + "True,1\n" * 50 + ",1\n")
    with pytest.raises(ValueError, match=r"Mismatched dtypes[\s\S]*dtype=\{'b': 'object'"):
        dd.read_csv(path, blocksize=100).compute()


@pytest.mark.parametrize(
    "options",
    [
        {"skiprows": 2},
        {"skiprows": [0, 1, 3]},
        {"header": None, "skiprows": 3, "names": ["p", "q", "r"]},
        {"header": 0, "skiprows": 2, "names": ["p", "q", "r"]},
        {"header": None, "skiprows": 3},
        {"skiprows": 2, "usecols": ["c", "a"]},
        {"comment": "#", "dtype": {"b": "float32"}},
        {"skiprows": 2, "na_values": ["v7"], "dtype": {"c": "category"}},
        {"skiprows": 2, "parse_dates": ["d"], "usecols": ["a", "d"]},
        {"skiprows": 2, "engine": "python"},
        {"skiprows": 2, "converters": {"c": str.upper}},
    ],
)
def test_keywords_mean_what_they_mean_to_pandas(tmp_path, options):
    path = tmp_path / "rows.csv"
    lines = ["# first", "# second", "a,b,c,d"]
    lines += [f"{i},{i / 4},v{i},2024-01-{i % 28 + 1:02}" for i in range(60)]
    if "names" in options:
        lines = [line.rsplit(",", 1)[0] for line in lines]
    path.write_text("\n".join(lines))
    expected = pd.read_csv(path, **options)
    # The skipped lines, and those that dtypes are inferred from, are in the sample.
    result = dd.read_csv(path, blocksize=200, sample=200, **options)
    assert result.npartitions >= 3
    computed = result.compute()
    pd.testing.assert_frame_equal(
        computed.reset_index(drop=True), expected, check_categorical=False
    )
    found = result.dtypes
    assert found.astype(str).equals(expected.dtypes.astype(str))


def test_files_with_and_without_rows_in_order(tmp_path):
    for number, count in enumerate([3, 0, 5]):
        frame = pd.DataFrame({"n": range(count), "file": number})
        frame.to_csv(tmp_path / f"{number}.csv", index=False)
    result = dd.read_csv(tmp_path / "*.csv", include_path_column="path").compute()
    assert result["n"].tolist() == [0, 1, 2, 0, 1, 2, 3, 4]
    assert [p.rsplit("/", 1)[-1] for p in result["path"]] == ["0.csv"] * 3 + ["2.csv"] * 5
    with pytest.raises(ValueError, match="already contain the column name"):
        dd.read_csv(tmp_path / "*.csv", include_path_column="n")


def test_numbers_in_a_column_of_text_stay_as_they_are_written(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("code\n" + "x1\n" * 50 + "007\n" * 50)
    computed = dd.read_csv(path, blocksize=40).compute()
    assert computed["code"].tolist() == ["x1"] * 50 + ["007"] * 50


def test_values_that_are_not_of_the_dtypes_of_the_sample(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("i,j\n" + "1,2\n" * 100 + "1.5,x\n")
    lazy = dd.read_csv(path, blocksize=100)
    with pytest.raises(ValueError, match=r"Mismatched dtypes[\s\S]*dtype=\{'i': 'float64'"):
        lazy.compute()
    fixed = dd.read_csv(path, blocksize=100, dtype={"i": float, "j": "str"})
    assert fixed["i"].sum().compute() == 101.5


def test_a_malformed_line_is_named_and_can_be_left_out(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "1,2\n" * 500 + "1,2,3\n" + "1,2\n" * 100)
    with pytest.raises(pd.errors.ParserError, match=r"line 502 in .*rows\.csv"):
        dd.read_csv(path, blocksize=300).compute()
    assert len(dd.read_csv(path, blocksize=300, on_bad_lines="skip")) == 600


def test_compressed_files_are_not_cut(tmp_path):
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"a\n" + b"1\n" * 100))
    with pytest.warns(UserWarning, match="blocksize=None"):
        lazy = dd.read_csv(path, blocksize=10)
    assert lazy.npartitions == 1
    assert lazy["a"].sum().compute() == 100


@pytest.mark.parametrize("keyword", ["index_col", "nrows", "chunksize"])
def test_keywords_without_a_meaning_for_partitions_are_refused(tmp_path, keyword):
    (tmp_path / "rows.csv").write_text("a\n1\n")
    with pytest.raises(ValueError, match="not supported"):
        dd.read_csv(tmp_path / "rows.csv", **{keyword: 1})


def test_lines_of_fixed_width_and_of_tabs(tmp_path):
    frame = pd.DataFrame({"name": ["Ann", "Bö", "Cy"] * 10, "n": range(30)})
    (tmp_path / "rows.tsv").write_text(frame.to_csv(sep="\t", index=False))
    same(dd.read_table(tmp_path / "rows.tsv", blocksize=50).compute(), frame)
    (tmp_path / "rows.txt").write_text(frame.to_string(index=False))
    same(dd.read_fwf(tmp_path / "rows.txt").compute(), frame)


FRAME = pd.DataFrame({"i": range(10), "x": np.arange(10) / 4, "s": list("abcdefghij")})


def failing(frame):
    if frame["i"].iloc[0] >= 5:
        raise RuntimeError("lost in the middle")
    return frame


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_csv_that_is_written_is_read_again(tmp_path, single, compression):
    lazy = dd.from_pandas(FRAME, npartitions=3)
    suffix = ".gz" if compression else ""
    target = tmp_path / (f"one.csv{suffix}" if single else f"part-*.csv{suffix}")
    paths = lazy.to_csv(target, index=False, single_file=single, compression=compression)
    assert len(paths) == (1 if single else 3)
    same(dd.read_csv(paths, blocksize=None).compute(), FRAME)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.rsplit("/", 1)[-1] for p in paths)


@pytest.mark.parametrize("single", [False, True])
def test_a_csv_file_that_is_not_complete_has_no_name(tmp_path, single):
    broken = dd.from_pandas(FRAME, npartitions=2).map_partitions(failing, meta=FRAME.iloc[:0])
    with pytest.raises(RuntimeError, match="lost in the middle"):
        broken.to_csv(tmp_path / ("one.csv" if single else "*.csv"), single_file=single)
    assert not list(tmp_path.iterdir())


@SMALL
@given(ROWS, st.sampled_from([None, 1, 17, 90]))
def test_json_lines_in_blocks_of_any_size(tmp_path, rows, blocksize):
    path = tmp_path / "rows.json"
    frame = pd.DataFrame(rows, columns=["i", "x", "s"])
    frame.to_json(path, orient="records", lines=True, double_precision=15)
    options = {"dtype": {"s": "str", "x": "float64"}}
    lazy = dd.read_json(path, blocksize=blocksize, **options)
    expected = pd.read_json(path, orient="records", lines=True, **options)
    same(lazy.compute(), expected)


def test_json_that_is_written_is_read_again_and_damage_names_the_file(tmp_path):
    lazy = dd.from_pandas(FRAME, npartitions=3)
    paths = lazy.to_json(tmp_path / "*.json")
    assert len(paths) == 3
    same(dd.read_json(tmp_path / "*.json").compute(), FRAME)
    (tmp_path / "1.json").write_text('{"i": 1, "x":')
    with pytest.raises(ValueError, match=r"1\.json"):
        dd.read_json(tmp_path / "*.json").compute()
    with pytest.raises(ValueError, match="Line-delimited JSON"):
        dd.read_json(tmp_path / "*.json", orient="split", lines=True)


def test_another_library_for_partitions_has_to_be_registered(tmp_path):
    with samite.config.set({"dataframe.backend": "absent"}):
        with pytest.raises(ValueError, match="No backend dispatch registered for absent"):
            dd.read_csv(tmp_path / "rows.csv")
