"""Pieces of frames that shuffles move: what comes out is what pandas takes and joins."""

from __future__ import annotations

import decimal
import pickle
import string

import numpy as np
import pandas as pd
import pytest

from samite import _parts
from samite.dataframe import packing
from samite.dataframe.packing import Packed, dealt_out, join, pack, unpacked
from samite.dataframe.shuffling import cut, split_further
from samite.sizeof import sizeof

SIZE = 500


def with_missing(values, random):
    series = pd.Series(values)
    return series.mask(random.random(len(series)) < 0.2)


def every_dtype(size, seed=0):
    """A frame with a column for each way in which columns are held."""
    random = np.random.default_rng(seed)
    letters = list(string.ascii_lowercase) + ["", "ö", "日本", "\U0001f600", "a\x00b"]
    texts = ["".join(random.choice(letters, random.integers(0, 9))) for _ in range(size)]
    moments = pd.Series(pd.to_datetime(random.integers(0, 10**15, size), unit="us"))
    return pd.DataFrame(
        {
            "int64": random.integers(-(10**18), 10**18, size),
            "int8": random.integers(-100, 100, size).astype("int8"),
            "uint64": random.integers(0, 2**63, size).astype("uint64"),
            "float64": with_missing(random.normal(size=size), random),
            "float32": random.normal(size=size).astype("float32"),
            "complex": random.normal(size=size) + 1j,
            "bool": random.random(size) < 0.5,
            "moment": with_missing(moments, random),
            "second": moments.astype("datetime64[s]"),
            "length": with_missing(pd.to_timedelta(random.integers(0, 9**9, size)), random),
            "zone": with_missing(moments.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"), random),
            "text": with_missing(pd.Series(texts), random),
            "arrow": pd.Series(texts).mask(random.random(size) < 0.1).astype("string[pyarrow]"),
            "python": with_missing(pd.Series(texts, dtype="string[python]"), random),
            "category": pd.Categorical(random.choice(["x", "y", None], size)),
            "ordered": pd.Categorical(random.integers(0, 3, size), [2, 1, 0], ordered=True),
            "Int64": with_missing(pd.Series(range(size), dtype="Int64"), random),
            "period": pd.Series(pd.period_range("2000", periods=size, freq="D")),
            "object": pd.Series([decimal.Decimal(n) for n in range(size)], dtype=object),
            "mixed": pd.Series([n if n % 2 else str(n) for n in range(size)], dtype=object),
            "arrow int": pd.Series(range(size), dtype="int64[pyarrow]"),
        }
    )


INDEXES = {
    "range": lambda size: pd.RangeIndex(7, 7 + size),
    "integers": lambda size: pd.Index(np.arange(size)[::-1], name="i"),
    "floats": lambda size: pd.Index(np.linspace(0, 1, size)),
    "text": lambda size: pd.Index([f"é{n}" for n in range(size)], name="s"),
    "moments": lambda size: pd.date_range("2000", periods=size, freq="h", name="t"),
    "zone": lambda size: pd.date_range("2000", periods=size, freq="h", tz="UTC", name=("a", 1)),
    "objects": lambda size: pd.Index([n if n % 2 else str(n) for n in range(size)], dtype=object),
    "several": lambda size: pd.MultiIndex.from_arrays([range(size), ["x"] * size]),
    "categories": lambda size: pd.CategoricalIndex(["a", "b"] * (size // 2)),
}


def through(part, seed=0, step=lambda piece: piece):
    """The rows of a part in random order, cut at random places, and joined again."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(part))
    bounds = sorted([0, len(part), *random.integers(0, len(part) + 1, 20).tolist()])
    pieces = [step(piece) for piece in cut(pack(part), order, bounds)]
    expected = part.take(order)
    return unpacked(join(pieces)), expected


def check(found, expected):
    kind = pd.testing.assert_frame_equal if expected.ndim == 2 else pd.testing.assert_series_equal
    kind(found, expected)
    if isinstance(expected.index, pd.RangeIndex):
        return
    assert type(found.index) is type(expected.index)


def test_columns_are_not_held_as_pandas_has_them():
    packed = pack(every_dtype(SIZE))
    assert isinstance(packed, Packed)
    held = {label: c.kind for label, c in zip(packed.layout.labels, packed.layout.columns)}
    assert {label for label, kind in held.items() if kind == "other"} == {
        *("python", "Int64", "period", "object", "mixed", "arrow int")
    }
    assert (held["text"], held["zone"], held["category"]) == ("text", "moments", "codes")


@pytest.mark.parametrize("size", [SIZE, 20_000])
@pytest.mark.parametrize("kind", INDEXES)
def test_rows_come_out_as_they_went_in(size, kind):
    part = every_dtype(size).set_index(INDEXES[kind](size))
    check(*through(part))
    check(*through(part, 1, lambda piece: pickle.loads(pickle.dumps(piece, protocol=5))))


@pytest.mark.parametrize("label", every_dtype(2).columns)
def test_series(label):
    part = every_dtype(SIZE)[label]
    check(*through(part))
    for name in (None, ("a", "b"), 3):
        check(*through(part.rename(name), 1))


@pytest.mark.parametrize("size", [1, SIZE, 20_000])
def test_bytes(size):
    part = every_dtype(size)

    def written(piece):
        return Packed.of_bytes(piece.layout, piece.to_bytes())

    check(*through(part, step=written))
    check(*through(part[["int64", "text", "float64"]], step=written))


def test_parts_of_values_that_travel():
    part = every_dtype(SIZE)[["int64", "text", "zone", "category"]]

    def travelled(piece):
        data, *buffers = _parts.dump(piece)
        return pickle.loads(data, buffers=buffers)

    check(*through(part, step=travelled))
    large = pack(pd.DataFrame({"x": np.arange(100_000.0)}))
    found = unpacked(travelled(large))
    pd.testing.assert_frame_equal(found, pd.DataFrame({"x": np.arange(100_000.0)}))


def test_no_rows_keep_their_dtypes():
    part = every_dtype(SIZE)
    empty = pack(part.iloc[:0])
    pd.testing.assert_frame_equal(unpacked(join([empty, empty])), part.iloc[:0])
    pd.testing.assert_frame_equal(unpacked(join([empty, pack(part)])), part)
    assert unpacked(join([], part.iloc[:0])) is not None


def test_labels_and_names():
    part = pd.DataFrame(np.arange(12.0).reshape(3, 4), columns=["a", "a", ("t", 1), 5])
    part.columns.name = "labels"
    check(*through(part))
    several = pd.DataFrame(
        np.arange(6).reshape(3, 2), columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    )
    check(*through(several))
    found, _ = through(part)
    found.columns.name = "other"
    assert through(part)[0].columns.name == "labels"
    check(*through(pd.DataFrame(index=range(9))))


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("2000", periods=12, freq="D"),
        pd.date_range("2000", periods=12, freq="ME", tz="Europe/Berlin"),
        pd.timedelta_range(0, periods=12, freq="3h"),
    ],
    ids=["days", "months", "spans"],
)
def test_frequencies(index):
    part = pd.DataFrame({"x": np.arange(12)}, index)
    orders = [range(3, 9), [5], [], range(0, 12, 2), range(11, -1, -1), [3, 3], [1, 2, 4]]
    for order, kept in zip(orders, [True, True, True, False, False, False, False], strict=True):
        order = np.array(order, dtype=np.int64)
        pieces = cut(pack(part), order, [0, len(order) // 2, len(order)])
        pieces = pickle.loads(pickle.dumps(pieces))
        found = unpacked(join(pieces))
        pd.testing.assert_frame_equal(found, part.take(order), check_freq=kept)
        assert found.index.freq == (index.freq if kept else None)


def test_pieces_of_different_frames():
    first = pd.DataFrame({"k": [1, 2], "c": pd.Categorical(["a", "b"])})
    second = pd.DataFrame({"k": [3.5], "c": pd.Categorical(["z"])})
    found = unpacked(join([pack(first), pack(second)]))
    assert found.k.tolist() == [1, 2, 3.5] and found.c.tolist() == ["a", "b", "z"]
    assert list(found.c.cat.categories) == ["a", "b", "z"]
    # Equal for pandas, but their codes mean other categories.
    swapped = pd.DataFrame({"k": [3], "c": pd.Categorical(["a"], ["b", "a"])})
    found = unpacked(join([pack(first), pack(swapped)]))
    assert found.c.tolist() == ["a", "b", "a"]


def test_what_is_not_packed():
    class Mine(pd.DataFrame):
        pass

    noted = pd.DataFrame({"x": [1]})
    noted.attrs["unit"] = "m"
    for part in (Mine({"x": [1]}), noted, pd.Index([1]), pd.DataFrame({"x": [1]}, [[1]])):
        assert pack(part) is part


def test_results_can_be_written_to():
    part = pd.DataFrame({"x": np.arange(10), "y": np.arange(10.0)})
    piece = pickle.loads(pickle.dumps(pack(part)))
    found = unpacked(join([piece]))
    found.loc[0, "x"] = 5
    assert found.x[0] == 5 and part.x[0] == 0


def test_large_pieces_have_memory_of_their_own():
    part = pd.DataFrame({"x": np.arange(100_000), "s": "text"})
    pieces = cut(pack(part), np.arange(len(part)), [0, 10, len(part)])
    assert pieces[0].matrices[0].base is None
    assert sizeof(pieces[0]) < 1000 < sizeof(pieces[1])


def test_equal_layouts_are_one():
    first, second = (pack(every_dtype(SIZE, seed)) for seed in (1, 2))
    assert first.layout is second.layout
    assert pickle.loads(pickle.dumps(first)).layout is first.layout
    for number in range(2 * packing._MOST_KNOWN):
        pack(pd.DataFrame({number: [1]}))
    assert len(packing._known) <= packing._MOST_KNOWN
    third = pack(every_dtype(SIZE, 3))
    assert third.layout is not first.layout
    joined = join([first, third])
    assert isinstance(joined, Packed) and joined.rows == 2 * SIZE


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "f4", "i8", "M8[us]", "m8[ns]", "c16"])
@pytest.mark.parametrize("count", [1, 7, 300])
def test_rows_are_dealt_out(dtype, count):
    random = np.random.default_rng(3)
    for size in (0, 1, 2000):
        matrix = random.integers(0, 100, (3, 2 * size)).astype(dtype)[:, ::2]
        numbers = random.integers(0, count, size)
        pieces = dealt_out(matrix, numbers, count)
        assert len(pieces) == count
        for number, piece in enumerate(pieces):
            np.testing.assert_array_equal(piece, matrix[:, numbers == number])
            assert piece.dtype == matrix.dtype and (piece.flags.writeable or not piece.size)


def test_rows_that_are_not_dealt_out():
    numbers = np.array([0, 1, 0])
    assert dealt_out(np.zeros((2, 3), dtype=">f8"), numbers, 2) is None
    with pytest.raises(ValueError, match="not below the count"):
        dealt_out(np.zeros((2, 3)), numbers, 1)
    assert pack(pd.DataFrame({"s": ["a", "b", "c"]})).deal(numbers, 2) is None
    assert pack(pd.DataFrame({"s": [1, "b", None]})).deal(numbers, 2) is None


@pytest.mark.parametrize("columns", [["int64"], ["int64", "float64", "zone", "category"]])
def test_large_parts_are_split_as_small_ones(columns):
    part = every_dtype(30_000)[columns]
    numbers = np.random.default_rng(4).integers(0, 5, len(part))
    pieces = split_further((pack(part), numbers), 0, 3, 2)
    for position, (piece, own) in enumerate(pieces):
        chosen = numbers // 2 == position
        pd.testing.assert_frame_equal(unpacked(piece), part[chosen])
        np.testing.assert_array_equal(own, numbers[chosen])
