"""Random pandas frames, and their rows cut into partitions."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pandas as pd
from hypothesis import strategies as st

TEXTS = st.one_of(st.none(), st.text(alphabet="aB1 ß|é-", max_size=5))
INSTANTS = st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2030, 1, 1))


def _whole(values: list, dtype: str) -> pd.Series:
    return pd.Series(values, dtype=dtype)


# By kind: what the values are, and how a series is made of them.
KINDS = {
    "int": (st.integers(-5, 5), lambda v: _whole(v, "int64")),
    "float": (st.one_of(st.just(np.nan), st.integers(-5, 5)), lambda v: _whole(v, "float64")),
    "bool": (st.booleans(), lambda v: _whole(v, "bool")),
    "nullable": (st.one_of(st.none(), st.integers(-5, 5)), lambda v: _whole(v, "Int64")),
    "text": (TEXTS, lambda v: _whole(v, "str")),
    "arrow text": (TEXTS, lambda v: _whole(v, "string")),
    "object": (st.one_of(st.none(), st.integers(0, 3), st.text(max_size=2)),
               lambda v: _whole(v, "object")),
    "category": (st.one_of(st.none(), st.sampled_from("abc")),
                 lambda v: pd.Series(pd.Categorical(v, categories=list("abcd")))),
    "date": (st.one_of(st.none(), INSTANTS), lambda v: _whole(v, "datetime64[us]")),
    "zoned": (INSTANTS, lambda v: _whole(v, "datetime64[us]").dt.tz_localize("UTC")),
    "duration": (st.one_of(st.none(), st.integers(0, 10**6)), lambda v: pd.Series(
        pd.to_timedelta(v, unit="s"), dtype="timedelta64[us]")),
    "decimal": (st.one_of(st.none(), st.integers(0, 99).map(lambda n: decimal.Decimal(n) / 10)),
                lambda v: _decimals(v)),
}  # fmt: skip


def _decimals(values: list) -> pd.Series:
    import pyarrow as pa

    return pd.Series(values, dtype=pd.ArrowDtype(pa.decimal128(10, 2)))


def series(kind: str, max_size: int = 12, min_size: int = 0) -> st.SearchStrategy[pd.Series]:
    """Series of one kind, with missing values where it has them."""
    values, make = KINDS[kind]
    return st.lists(values, min_size=min_size, max_size=max_size).map(lambda v: make(v).rename("s"))


@st.composite
def frames(draw, kinds=tuple(KINDS), max_size: int = 12, min_size: int = 0) -> pd.DataFrame:
    """Frames with a column of each of some kinds, under a sorted index with repeated labels."""
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4, unique=True))
    size = draw(st.integers(min_size, max_size))
    columns = {
        kind: KINDS[kind][1](draw(st.lists(KINDS[kind][0], min_size=size, max_size=size)))
        for kind in chosen
    }
    labels = sorted(draw(st.lists(st.integers(0, 9), min_size=size, max_size=size)))
    result = pd.DataFrame(columns)
    result.index = pd.Index(labels, dtype="int64", name="label")
    return result


@st.composite
def cuts(draw, size: int) -> list[int]:
    """Where to cut rows into partitions, some of which may be empty; with both ends."""
    inner = draw(st.lists(st.integers(0, size), max_size=4))
    return [0, *sorted(inner), size]


def partitioned(rows, at: list[int]):
    """The rows as a collection with unknown divisions, cut at those places."""
    import samite.dataframe as dd
    from samite.delayed import delayed

    parts = [delayed(rows.iloc[a:b]) for a, b in zip(at, at[1:], strict=False)]
    return dd.from_delayed(parts, meta=rows.iloc[:0])
