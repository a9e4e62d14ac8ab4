"""Frames in partitions and files, of which windows by group are made."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import settings
from hypothesis import strategies as st

import samite.dataframe as dd
from samite.dataframe._native import nativized
from samite.dataframe._native.node import NativeRows

SOME = settings(max_examples=20, deadline=None)

FLOATS = [0.0, -0.0, 1.5, -2.25, 0.1, 1e300, -1e300, np.inf, -np.inf, np.nan]
MOMENTS = ["2020-02-29 23:59:59.5", "1969-12-31", "2038-01-19 03:14:08", None]


@st.composite
def frames(draw: Any) -> tuple[pd.DataFrame, list[int]]:
    """A frame, and where its partitions end, some of which are empty."""
    size = draw(st.integers(0, 40))

    def column(values: Any) -> list[Any]:
        return draw(st.lists(values, min_size=size, max_size=size))

    moments = pd.to_datetime(column(st.sampled_from(MOMENTS)), format="ISO8601")
    frame = pd.DataFrame(
        {
            "k": pd.array(column(st.integers(-2, 2)), dtype="int64"),
            "s": pd.Series(column(st.sampled_from(["", "a", "ä日", "x" * 20, None])), dtype="str"),
            "z": np.array(column(st.sampled_from([0.0, -0.0, 1.5, np.nan])), dtype="float64"),
            "c": pd.Categorical(column(st.sampled_from(["b", "a", None])), categories=["b", "a"]),
            "f": np.array(column(st.sampled_from(FLOATS)), dtype="float64"),
            "g": np.array(column(st.sampled_from(FLOATS[:5])), dtype="float32"),
            "i": pd.array(column(st.integers(-(2**63), 2**63 - 1)), dtype="int64"),
            "u": pd.array(column(st.integers(0, 2**64 - 1)), dtype="uint64"),
            "small": pd.array(column(st.integers(-128, 127)), dtype="int8"),
            "b": np.array(column(st.booleans()), dtype="bool"),
            "t": pd.Series(moments).astype("datetime64[us]"),
        }
    )
    ends = draw(st.lists(st.integers(0, size), max_size=4))
    return frame, [*sorted(ends), size]


@contextlib.contextmanager
def in_files(frame: pd.DataFrame, ends: list[int]) -> Any:
    """The frame as files without labels, and as pandas has it then."""
    with tempfile.TemporaryDirectory() as folder:
        parts = [frame.iloc[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
        for number, part in enumerate(parts):
            table = pa.Table.from_pandas(part.drop(columns="c"), preserve_index=False)
            table = table.replace_schema_metadata(None)
            pq.write_table(table, Path(folder) / f"{number}.parquet", row_group_size=3)
        whole = frame.drop(columns="c")
        labels = [label for part in parts for label in range(len(part))]
        whole.index = pd.Index(labels, dtype="int64")
        yield dd.read_parquet(folder), whole


def same(mine: Any, other: Any) -> None:
    """Whether results are equal in all that they are."""
    if isinstance(other, pd.DataFrame):
        pd.testing.assert_frame_equal(mine, other, check_exact=True)
    else:
        pd.testing.assert_series_equal(mine, other, check_exact=True)


def is_native(collection: Any) -> bool:
    return isinstance(nativized(collection.expr, final=True), NativeRows)


KEYS = [["k"], ["s"], ["z"], ["s", "k"], ["z", "s"]]
