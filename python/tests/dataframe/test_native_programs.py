"""Random short programs have one answer, whether the engine runs them or pandas does."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import samite
import samite.dataframe as dd

# Of both infinities the sum is no number, which sums of partitions leave out.
FLOATS = [0.0, -0.0, 1.5, -2.25, 64.0, np.inf, np.nan]
TEXTS = ["", "a", "B", "ab", "Straße", "日本", "a.b", "x" * 20, None]
MOMENTS = ["2020-02-29 23:59:59.5", "1969-12-31", "2000-01-01", "2038-01-19 03:14:08", None]

Kinds = dict[str, str]


@st.composite
def tables(draw: Any) -> pd.DataFrame:
    """Rows with a column of each kind, whose name begins with the kind's letter."""
    size = draw(st.integers(0, 30))

    def column(values: Any) -> list[Any]:
        return draw(st.lists(values, min_size=size, max_size=size))

    moments = pd.Series(pd.to_datetime(column(st.sampled_from(MOMENTS)), format="ISO8601"))
    return pd.DataFrame(
        {
            "i": pd.array(column(st.integers(-2, 3)), dtype="int64"),
            "j": pd.array(column(st.integers(-(2**31), 2**31 - 1)), dtype="int32"),
            "u": pd.array(column(st.integers(0, 255)), dtype="uint8"),
            "f": np.array(column(st.sampled_from(FLOATS)), dtype="float64"),
            "g": np.array(column(st.sampled_from(FLOATS[:5])), dtype="float32"),
            "b": np.array(column(st.booleans()), dtype="bool"),
            "s": pd.Series(column(st.sampled_from(TEXTS)), dtype="str"),
            "t": moments.astype("datetime64[us]"),
            "z": moments.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
            if size
            else pd.Series([], dtype="datetime64[us, Europe/Berlin]"),
            "c": pd.Categorical(
                column(st.sampled_from(["p", "q", None])), categories=["q", "p", "r"]
            ),
        }
    )


KINDS: Kinds = {
    "i": "number",
    "j": "number",
    "u": "number",
    "f": "float",
    "g": "float",
    "b": "truth",
    "s": "text",
    "t": "time",
    "z": "zone",
    "c": "category",
}


def pick(draw: Any, kinds: Kinds, *wanted: str) -> str | None:
    """A column of one of those kinds."""
    names = [name for name, kind in kinds.items() if kind in wanted]
    return draw(st.sampled_from(names)) if names else None


def condition(draw: Any, kinds: Kinds) -> Callable[[Any], Any]:
    """A condition of the rows."""
    name = draw(st.sampled_from(list(kinds)))
    kind = kinds[name]
    if kind in ("number", "float"):
        bound = draw(st.sampled_from([-1, 0, 1, 1.5, 100]))
        other = pick(draw, kinds, "number", "float")
        return draw(
            st.sampled_from(
                [
                    lambda d: d[name] > bound,
                    lambda d: d[name] <= bound,
                    lambda d: d[name] != bound,
                    lambda d: ~(d[name] < bound),
                    lambda d: d[name] >= d[other],
                    lambda d: d[name].isin([0, 1, 2] if kind == "number" else [0.0, 1.5]),
                    lambda d: d[name].isin([-1.0, 0.0, 2.5]),
                    lambda d: d[name].between(-1, bound),
                    lambda d: d[name].isna() | (d[name] == bound),
                ]
            )
        )
    if kind == "truth":
        return draw(st.sampled_from([lambda d: d[name], lambda d: ~d[name]]))
    if kind == "text":
        return draw(
            st.sampled_from(
                [
                    lambda d: d[name] == "a",
                    lambda d: d[name] != "ab",
                    lambda d: d[name] > "a",
                    lambda d: d[name].isin(["a", "日本", ""]),
                    lambda d: d[name].str.contains("a", regex=False),
                    lambda d: d[name].str.contains("a.b"),
                    lambda d: ~d[name].str.startswith("a"),
                    lambda d: d[name].str.endswith("b"),
                    lambda d: d[name].str.len() > 1,
                    lambda d: d[name].notna(),
                ]
            )
        )
    if kind in ("time", "zone"):
        zone = "Europe/Berlin" if kind == "zone" else None
        moment = pd.Timestamp("2000-01-01", tz=zone)
        return draw(
            st.sampled_from(
                [
                    lambda d: d[name] >= moment,
                    lambda d: d[name] < moment,
                    lambda d: d[name] != moment,
                    lambda d: d[name].dt.year > 1999,
                    lambda d: d[name].isna(),
                ]
            )
        )
    return draw(
        st.sampled_from(
            [lambda d: d[name] == "q", lambda d: d[name] != "p", lambda d: d[name].isna()]
        )
    )


def expression(draw: Any, kinds: Kinds) -> tuple[Callable[[Any], Any], str]:
    """A new column, and its kind."""
    number = pick(draw, kinds, "number", "float")
    text, time = pick(draw, kinds, "text"), pick(draw, kinds, "time")
    test = condition(draw, kinds)
    found: list[tuple[Callable[[Any], Any], str]] = [(test, "truth")]
    if number is not None:
        kind = kinds[number]
        found += [
            (lambda d: d[number] + 1, kind),
            (lambda d: d[number] * 2.5 - d[number], "float"),
            (lambda d: d[number] / 4, "float"),
            (lambda d: abs(d[number].astype("float64")), "float"),
            (lambda d: d[number].where(test(d), 3), kind),
            (lambda d: d[number].fillna(7), kind),
            (lambda d: -d[number].astype("float64"), "float"),
        ]
    if text is not None:
        found += [
            (lambda d: d[text].str.upper(), "text"),
            (lambda d: d[text].str.slice(0, 2), "text"),
            (lambda d: d[text].fillna("none"), "text"),
            (lambda d: d[text].str.len(), "float"),
        ]
    if time is not None:
        found += [(lambda d: d[time].dt.year, "float"), (lambda d: d[time].dt.dayofweek, "float")]
    return draw(st.sampled_from(found))


class Program:
    """Steps over a frame, and what is known of the rows after them."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.kinds = dict(KINDS)
        self.steps: list[Callable[[Any, Any], Any]] = []
        # Whether the order of the rows, and their labels, are known.
        self.ordered = True
        self.labelled = True
        self.merged = False
        for _ in range(draw(st.integers(1, 4))):
            getattr(self, draw(st.sampled_from(STEPS)))()

    def run(self, frame: Any, other: Any) -> Any:
        for step in self.steps:
            frame = step(frame, other)
        return frame

    def project(self) -> None:
        names = self.draw(st.lists(st.sampled_from(list(self.kinds)), min_size=1, unique=True))
        self.kinds = {name: self.kinds[name] for name in names}
        self.steps.append(lambda d, _: d[names])

    def filter(self) -> None:
        test = condition(self.draw, self.kinds)
        self.steps.append(lambda d, _: d[test(d)])

    def assign(self) -> None:
        value, kind = expression(self.draw, self.kinds)
        name = self.draw(st.sampled_from(["new", next(iter(self.kinds))]))
        self.kinds[name] = kind
        self.steps.append(lambda d, _: d.assign(**{name: value(d)}))

    def dropna(self) -> None:
        name = self.draw(st.sampled_from(list(self.kinds)))
        self.steps.append(lambda d, _: d.dropna(subset=[name]))

    def merge(self) -> None:
        names = [n for n in ("i", "s", "t", "u") if self.kinds.get(n) == KINDS.get(n)]
        if not names or self.merged:
            return
        self.merged = True
        on = self.draw(st.sampled_from(names))
        how = self.draw(st.sampled_from(["inner", "leftsemi"]))
        theirs = [on, "f", "g"]
        self.ordered = self.labelled = False
        if how == "leftsemi":
            self.steps.append(lambda d, other: d.merge(other[[on]], on=on, how=how))
            return
        taken = {**self.kinds, **{n: KINDS[n] for n in theirs}}
        kinds = {}
        for name, kind in taken.items():
            both = name in self.kinds and name in theirs and name != on
            kinds.update({f"{name}_x": kind, f"{name}_y": kind} if both else {name: kind})
        # What is missing makes floats of whole numbers, and objects of truths.
        if how != "inner":
            kinds = {n: kind for n, kind in kinds.items() if kind != "truth"}
        self.kinds = kinds
        names = list(kinds)
        self.steps.append(lambda d, other: d.merge(other[theirs], on=on, how=how)[names])

    def different(self) -> None:
        names = [n for n, kind in self.kinds.items() if kind not in ("category",)]
        if not names:
            return
        self.kinds = {name: self.kinds[name] for name in names}
        # Which partition equal rows go to decides on the order.
        self.ordered = self.labelled = False
        self.steps.append(lambda d, _: d[names].drop_duplicates(ignore_index=True))

    def against_value(self) -> None:
        name = pick(self.draw, self.kinds, "number", "float")
        if name is None:
            return
        how = self.draw(st.sampled_from(["sum", "mean", "max", "count"]))
        factor = self.draw(st.sampled_from([1, 0.5]))
        self.steps.append(lambda d, _: d[d[name] >= getattr(d[name], how)() * factor])


STEPS = ["project", "filter", "assign", "dropna", "merge", "different", "against_value"]


def extremes(d: Any) -> Any:
    """The least and the greatest float of each group; of groups of nothing but infinities, too."""
    names = [name for name in d.columns if name in ("f", "g")]
    keys = [name for name in d.columns if name in ("i", "s", "t", "b")]
    if not names or not keys:
        return d.count()
    return d.groupby(keys[-1]).agg({names[0]: ["min", "max", "count"]})


def groups(d: Any) -> Any:
    """The sizes of groups by two columns of any kind but categories."""
    keys = [name for name in d.columns if d._meta[name].dtype != "category"][:2]
    return d.groupby(keys, dropna=False).size() if len(keys) == 2 else d.count()


ENDS: list[tuple[str, Callable[[Any], Any]]] = [
    ("extremes", extremes),
    ("groups", groups),
    ("rows", lambda d: d),
    ("length", lambda d: d[d.columns[0]].size),
    ("counts", lambda d: d.count()),
    ("values", lambda d: d[d.columns[-1]].count()),
]


def comparable(found: Any, ordered: bool, labelled: bool) -> Any:
    if not isinstance(found, (pd.DataFrame, pd.Series)):
        return found
    if not labelled:
        found = found.reset_index(drop=True)
    if not ordered and isinstance(found, pd.DataFrame):
        # Zeros are equal, whatever their sign.
        def key(row: Any) -> str:
            return repr([value + 0.0 if isinstance(value, float) else value for value in row])

        keys = [key(row) for row in found.itertuples(index=False)]
        found = found.iloc[sorted(range(len(keys)), key=keys.__getitem__)]
        found = found.reset_index(drop=True)
    return found


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data(), frame=tables(), other=tables(), parts=st.integers(1, 3), files=st.booleans())
def test_programs(data: Any, frame: Any, other: Any, parts: int, files: bool) -> None:
    program = Program(data.draw)
    _, end = data.draw(st.sampled_from(ENDS))
    with (
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        if files:
            size = -(-len(frame) // parts)
            empty = data.draw(st.integers(0, parts))
            for part in range(parts + 1):
                begin = (part - (part > empty)) * size
                rows = frame.iloc[begin : begin + (0 if part == empty else size)]
                rows.to_parquet(f"{folder}/{part}.parquet", index=False, row_group_size=7)
            mine = dd.read_parquet(folder)
        else:
            mine = dd.from_pandas(frame, npartitions=parts, sort=False)
        theirs = dd.from_pandas(other, npartitions=2, sort=False)

        def compute() -> Any:
            return end(program.run(mine, theirs)).compute(scheduler="synchronous")

        with samite.config.set({"dataframe.native": False}):
            expected = compute()
        found = compute()
    known = program.ordered, program.labelled
    expected, found = comparable(expected, *known), comparable(found, *known)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected, rtol=1e-6)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(found, expected, rtol=1e-6)
    else:
        assert found == expected
