"""Sizes of objects: close enough, quick, and never an error."""

from __future__ import annotations

import dataclasses
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samite.sizeof import UNKNOWN_SIZE, SimpleSizeof, sizeof

values = st.recursive(
    st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.binary()),
    lambda below: st.one_of(
        st.lists(below), st.tuples(below, below), st.dictionaries(st.text(), below)
    ),
)


@given(values)
def test_any_value_has_a_size(value):
    assert type(sizeof(value)) is int
    assert sizeof(value) > 0 or value == b""


@given(st.lists(st.binary(min_size=100, max_size=100), min_size=1, max_size=200))
def test_containers_contain(items):
    for container in (items, tuple(items), dict.fromkeys(range(len(items)), items[0])):
        assert 100 * len(items) < sizeof(container) < 400 * len(items) + 1000


def test_cycles_and_sharing():
    cycle: list = [1]
    cycle += [cycle, {"me": cycle}]
    assert sizeof(cycle) < 1000
    shared: list = [b"x" * 100]
    for _ in range(60):
        shared = [shared, shared, shared]
    began = time.perf_counter()
    assert sizeof(shared) > 10**20
    assert time.perf_counter() - began < 1
    assert sizeof([1]) == sizeof([1])


def test_large_collections_are_sampled():
    large = [b"x" * 1000] * 1_000_000
    began = time.perf_counter()
    assert sizeof(large) == pytest.approx(1000 * len(large), rel=0.1)
    assert sizeof(dict.fromkeys(range(100_000), large[0])) > 100_000 * 1000
    assert sizeof(set(range(100_000))) > 100_000 * 28
    assert time.perf_counter() - began < 1


def test_samples_are_in_no_rhythm_with_the_data():
    # Every second, fourth, fifth or tenth item is large.
    for period in (2, 4, 5, 10):
        items = ([b"x" * 10_000] + [b""] * (period - 1)) * 1000
        assert 10_000 * 1000 / 3 < sizeof(items) < 10_000 * 1000 * 3


def test_errors_of_objects_do_not_escape(caplog):
    class Rude:
        @property
        def nbytes(self):
            raise ZeroDivisionError

    class Ruder:
        def __sizeof__(self):
            raise ZeroDivisionError

    assert sizeof([Rude(), Ruder()]) >= 2 * UNKNOWN_SIZE
    assert "Ruder" in caplog.text


def test_objects_that_tell_their_size():
    class Device:
        nbytes = 10**6

    assert sizeof(Device()) > 10**6

    class Slim(SimpleSizeof, dict):
        pass

    slim = Slim(x=b"x" * 10**6)
    assert sizeof(slim) == sys.getsizeof(slim)


def test_dataclasses():
    @dataclasses.dataclass
    class Piece:
        data: bytes
        more: list

    assert sizeof(Piece(b"x" * 1000, [b"y" * 1000])) > 2000


def test_numpy():
    np = pytest.importorskip("numpy")
    assert sizeof(np.zeros(1000)) == 8000
    assert sizeof(np.broadcast_to(np.zeros(10), (1000, 10))) == 80
    assert sizeof(np.zeros((100, 100))[:10]) == 8000
    assert sizeof(np.array(["x" * 1000, "y" * 1000], dtype=object)) > 2000
    same = np.array(["x" * 100_000] * 1000, dtype=object)
    assert sizeof(same) < 200_000
    different = np.array([f"{n:01000}" for n in range(1000)], dtype=object)
    assert sizeof(different) == pytest.approx(1000 * 1050, rel=0.1)
    assert sizeof(np.ma.zeros(1000)) == 9000


def test_pandas():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": range(10_000), "b": 1.5, "c": "text"})
    by_pandas = frame.memory_usage(deep=True).sum()
    assert by_pandas * 0.9 < sizeof(frame) < by_pandas * 1.5
    assert sizeof(frame) > sizeof(frame.a) + sizeof(frame.b)
    assert sizeof(frame.astype({"a": "category"})) > 0
    assert sizeof(pd.array([1, None], dtype="Int64")) >= 18
    assert sizeof(pd.DataFrame()) > 0


def test_arrow():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": range(10_000), "b": ["x" * 10] * 10_000})
    assert table.nbytes < sizeof(table) < table.nbytes + 10_000
    assert sizeof(table.slice(0, 10)) < 3000
    assert sizeof(table["a"]) >= 80_000


@pytest.mark.parametrize("kind", ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"])
def test_sparse(kind):
    sparse = pytest.importorskip("scipy.sparse")
    matrix = sparse.eye(1000).asformat(kind)
    assert 8000 < sizeof(matrix) < 400_000


def test_xarray():
    xr = pytest.importorskip("xarray")
    np = pytest.importorskip("numpy")
    array = xr.DataArray(np.zeros((100, 50)), dims=("x", "y"), coords={"x": np.arange(100.0)})
    assert sizeof(array) >= 40_000 + 800
    assert sizeof(array.to_dataset(name="a")) >= 40_000 + 800
    assert sizeof(array.indexes) >= 800
