"""Queries in SQL: their answers are those of pandas, whatever the engine does to be quick."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import samite.dataframe as dd


def test_extremes_of_infinities() -> None:
    frame = pd.DataFrame(
        {
            "k": [1, 1, 2, 2, 3, 4],
            "f": [np.inf, np.inf, -np.inf, -np.inf, np.nan, 0.5],
            "g": np.array([np.inf, np.inf, -np.inf, -np.inf, np.nan, 0.5], dtype="float32"),
        }
    )
    query = """
        select k, min(f) as least, max(f) as most, min(g) as small, max(g + 1) as large,
            count(f) as n
        from t group by k having min(f) is null or min(f) > -1 or max(f) < 0 order by k
    """
    found = dd.sql(query, t=frame).compute()
    assert found.least.tolist()[:2] == [np.inf, -np.inf]
    assert found.most.tolist()[:2] == [np.inf, -np.inf]
    assert found.small.tolist()[:2] == [np.inf, -np.inf]
    assert found.large.tolist()[3] == 1.5
    assert found.isna().to_numpy()[2].tolist() == [False, True, True, True, True, False]
    assert found.n.tolist() == [2, 2, 0, 1]


def test_groups_that_are_read_twice() -> None:
    frame = pd.DataFrame({"k": ["a", "b", "a", "c"], "x": [1.0, 2.0, 3.0, 4.0]})
    query = """
        with totals as (select k, sum(x) as total from t where x > 0.5 group by k)
        select first.k, first.total, other.total as again
        from totals as first join totals as other on first.k = other.k
        where first.total = (select max(total) from totals) order by first.k
    """
    found = dd.sql(query, t=dd.from_pandas(frame, npartitions=2))
    for _ in range(2):
        # Computing it again reads the rows again.
        assert found.compute().to_dict("list") == {
            "k": ["a", "c"],
            "total": [4.0, 4.0],
            "again": [4.0, 4.0],
        }


def test_groups_of_the_same_name_from_other_tables() -> None:
    left = pd.DataFrame({"k": [1, 1, 2], "x": [1, 2, 3]})
    right = pd.DataFrame({"k": [1, 2, 2], "x": [10, 20, 30]})
    query = """
        select one.k, one.n, two.n as other
        from (select k, sum(x) as n from a group by k) as one
        join (select k, sum(x) as n from b group by k) as two on one.k = two.k order by one.k
    """
    found = dd.sql(query, a=left, b=right).compute()
    assert found.to_dict("list") == {"k": [1, 2], "n": [3, 3], "other": [10, 50]}


FIELDS = ["", "a", "b", "twelve bytes", "more than twelve bytes", "é", None]


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-3, 3)),
            st.sampled_from([*range(3), 0.5, None]),
            st.sampled_from(FIELDS),
        ),
        min_size=1,
        max_size=40,
    ),
    words=st.lists(st.sampled_from(FIELDS[:-1]), min_size=1, max_size=3, unique=True),
    bound=st.integers(-3, 3),
    any_word=st.booleans(),
)
def test_conditions(
    tmp_path: Path, rows: list[Any], words: list[str], bound: int, any_word: bool
) -> None:
    frame = pd.DataFrame(rows, columns=["i", "f", "s"])
    frame = frame.astype({"i": "Int64", "f": "float64"}).astype({"s": "str"})
    path = tmp_path / "t.parquet"
    frame.to_parquet(path, index=False, row_group_size=16)
    texts = " or ".join(f"s = '{word}'" for word in words)
    if not any_word:
        texts = "s in ({})".format(", ".join(f"'{word}'" for word in words))
    query = f"""
        select count(*) as n, sum(f) as total from t
        where i >= {bound} and i * 2 < 5 and ({texts}) and f is not null and s not like 'b%'
    """
    there = frame.s.isin(words) & frame.s.notna() & frame.f.notna() & (frame.s != "b")
    there &= (frame.i >= bound).fillna(False) & (frame.i * 2 < 5).fillna(False)
    found = dd.sql(query, t=dd.read_parquet(str(path))).compute()
    kept = frame[there.astype(bool)]
    assert found.n[0] == len(kept)
    assert found.total.fillna(0)[0] == pytest.approx(kept.f.sum())


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    left=st.lists(st.one_of(st.none(), st.integers(0, 8)), min_size=1, max_size=60),
    right=st.lists(st.one_of(st.none(), st.integers(0, 8)), max_size=12),
)
def test_keys_that_a_join_has_seen(tmp_path: Path, left: Any, right: Any) -> None:
    one = pd.DataFrame({"k": pd.array(left, dtype="Int64"), "x": range(len(left))})
    two = pd.DataFrame({"k": pd.array(right, dtype="Int64"), "y": range(len(right))})
    one.to_parquet(tmp_path / "one.parquet", index=False, row_group_size=16)
    two.to_parquet(tmp_path / "two.parquet", index=False)
    tables = {name: dd.read_parquet(str(tmp_path / f"{name}.parquet")) for name in ("one", "two")}

    def ask(query: str) -> int:
        return int(dd.sql(query, **tables).compute().n.fillna(0)[0])

    pairs = one.dropna().merge(two.dropna(), on="k")
    assert ask("select count(*) as n from one join two on one.k = two.k") == len(pairs)
    # The keys also reach the rows that are grouped before they are joined.
    grouped = """
        select sum(total) as n from two join (select k, sum(x) as total from one group by k) as g
        on two.k = g.k where two.y < 3
    """
    assert ask(grouped) == pairs[pairs.y < 3].x.sum()
    exists = "select count(*) as n from one where exists (select 1 from two where two.k = one.k)"
    assert ask(exists) == one.k.dropna().isin(two.k.dropna()).sum()
    outer = "select count(*) as n from one left join two on one.k = two.k"
    alone = len(one) - one.k.dropna().isin(two.k.dropna()).sum()
    assert ask(outer) == len(pairs) + alone
    without = (
        "select count(*) as n from one where not exists (select 1 from two where two.k = one.k)"
    )
    assert ask(without) == alone
