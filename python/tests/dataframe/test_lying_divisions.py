"""Divisions that somebody gives and that are not those of the rows: what finds rows by them says
so, and loses none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import samite.dataframe as dd

OTHER = pd.DataFrame({"y": range(40)})


def part(number, step=1):
    begin = number * 10
    return pd.DataFrame({"x": range(10), "z": 1.5}, index=range(begin, begin + 10 * step, step))


def made(order, divisions):
    return dd.from_map(part, order, divisions=divisions, meta=part(0).iloc[:0])


TRUE = (0, 10, 20, 30, 39)
LIES = {
    "a bound": lambda: made(range(4), (0, 12, 20, 30, 39)),
    "the order": lambda: made([0, 2, 1, 3], TRUE),
    "the end": lambda: made(range(4), (0, 10, 20, 30, 35)),
    "an upper bound": lambda: made([0, 1, 2, 3], (0, 10, 20, 29, 39)),
    "texts": lambda: made(range(4), ("a", "b", "c", "d", "e")),
}
USES = {
    "loc": lambda lazy: lazy.loc[lazy.divisions[0] : lazy.divisions[-1]],
    "loc of columns": lambda lazy: lazy.loc[lazy.divisions[0] : lazy.divisions[-1], "x"],
    "loc after steps": lambda lazy: (lazy[lazy.x >= 0] + 1).loc[lazy.divisions[0] :],
}
JOINS = {
    "merge": lambda lazy, other: lazy.merge(other, left_index=True, right_index=True),
    "left": lambda lazy, other: other.join(lazy, how="left"),
    "join": lambda lazy, other: lazy.join(other),
    "operator": lambda lazy, other: lazy.x + other.y,
    "assign": lambda lazy, other: lazy.assign(y=other.y),
    "concat": lambda lazy, other: dd.concat([lazy, other], axis=1),
    "asof": lambda lazy, other: dd.merge_asof(lazy, other, left_index=True, right_index=True),
}


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("lie", LIES)
def test_rows_by_labels(lie, use, scheduler):
    with pytest.raises(RuntimeError, match=r"divisions of partition \d of part are not those"):
        USES[use](LIES[lie]()).compute(scheduler=scheduler)


@pytest.mark.parametrize("join", JOINS)
@pytest.mark.parametrize("lie", [lie for lie in LIES if lie != "texts"])
def test_joins(lie, join):
    other = dd.from_pandas(OTHER, npartitions=3)
    with pytest.raises(RuntimeError, match=r"divisions of partition \d of part are not those"):
        JOINS[join](LIES[lie](), other).compute(scheduler="sync")


@pytest.mark.parametrize("join", JOINS)
def test_divisions_that_are_right(join):
    other = dd.from_pandas(OTHER, npartitions=3)
    assert len(JOINS[join](made(range(4), TRUE), other).compute(scheduler="sync")) == 40
    # Partitions may be empty, and of one value.
    parts = [part(0), part(1).iloc[:0], part(2), part(3)]
    lazy = dd.from_map(parts.__getitem__, range(4), divisions=TRUE, meta=part(0).iloc[:0])
    assert len(JOINS[join](lazy, other).compute(scheduler="sync")) >= 30


def test_other_sources():
    lazy = LIES["the order"]()
    given = {"divisions": TRUE, "meta": lazy._meta}
    delayed = dd.from_delayed(lazy.to_delayed(), **given)
    with pytest.raises(RuntimeError, match="from-delayed"):
        delayed.loc[0:25].compute()
    indexed = lazy.clear_divisions().assign(k=lambda f: f.x.index)
    indexed = indexed.set_index("k", sorted=True, divisions=TRUE)
    with pytest.raises(RuntimeError, match="of setindexblockwise are not"):
        indexed.loc[0:25].compute()
    # Divisions that were left behind do not matter any more.
    again = lazy.assign(k=lambda f: f.x.index).set_index("k")
    assert len(again.loc[0:25].compute()) == 26
    resorted = lazy.clear_divisions().compute_current_divisions
    with pytest.raises(ValueError, match="must be sorted"):
        resorted(set_divisions=True)
    # Who does not look for rows by divisions gets all of them.
    assert len(lazy.compute()) == len(delayed.compute()) == 40


def test_indexes_that_have_no_plain_order():
    missing = pd.DataFrame({"x": [1.0, 2.0]}, index=[np.nan, 1.0])
    lazy = dd.from_map(lambda _: missing, [0], divisions=(0.0, 2.0), meta=missing.iloc[:0])
    assert len(lazy.loc[0.0:2.0].compute()) == len(missing.loc[[1.0]])
    moments = pd.DataFrame({"x": range(4)}, index=pd.date_range("2000", periods=4, tz="UTC"))
    lazy = dd.from_map(
        lambda n: moments.iloc[2 * n : 2 * n + 2],
        range(2),
        divisions=(moments.index[0], moments.index[2], moments.index[3]),
        meta=moments.iloc[:0],
    )
    assert len(lazy.loc["2000-01-02":].compute()) == 3
