"""Groups by key, through files and from task to task, and the hashes that they depend on."""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import glob
import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

import samite
import samite.bag as db
from samite.bag.hashing import partition_number, stable_hash


def tenth(x):
    return x % 10


def grouped(n, key):
    groups = {}
    for x in range(n):
        groups.setdefault(key(x), []).append(x)
    return groups


@pytest.mark.parametrize("shuffle", ["disk", "tasks"])
@pytest.mark.parametrize("npartitions", [1, 3, 40])
def test_groups(shuffle, npartitions, scheduler):
    if scheduler == "processes" and npartitions == 40:
        npartitions = 5
    bag = db.range(200, npartitions=npartitions).groupby(tenth, shuffle=shuffle)
    assert bag.npartitions == npartitions
    assert dict(bag.compute(scheduler=scheduler)) == grouped(200, tenth)


@pytest.mark.parametrize("branch", [2, 3, 32])
def test_stages(branch):
    bag = db.range(3000, npartitions=37).groupby(
        lambda x: x % 211, shuffle="tasks", max_branch=branch
    )
    parts = samite.compute(*bag.to_delayed(), scheduler="sync")
    keys = [key for part in parts for key, _ in part]
    assert len(keys) == len(set(keys)) == 211
    found = {key: sorted(members) for part in parts for key, members in part}
    assert found == grouped(3000, lambda x: x % 211)


def test_small_blocks_are_put_together():
    bag = db.range(1000, npartitions=3).groupby(tenth, blocksize=7, npartitions=4)
    assert bag.npartitions == 4
    assert dict(bag.compute(scheduler="sync")) == grouped(1000, tenth)


def test_nothing_stays_on_disk(tmp_path):
    with samite.config.set({"temporary-directory": str(tmp_path)}):
        bag = db.range(100, npartitions=4).groupby(tenth)
        for _ in range(2):
            assert len(bag.compute(scheduler="sync")) == 10
            assert glob.glob(str(tmp_path / "*")) == []
        failing = db.range(100, npartitions=4).groupby(tenth).map(lambda pair: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            failing.compute(scheduler="sync")
        del failing
        assert glob.glob(str(tmp_path / "*")) == []


def test_unhashable_keys():
    for shuffle in ("disk", "tasks"):
        bag = db.from_sequence([[1], [1]]).groupby(lambda x: x, shuffle=shuffle)
        with pytest.raises(TypeError, match="unhashable"):
            bag.compute(scheduler="sync")
    for operation in ("distinct", "frequencies"):
        with pytest.raises(TypeError, match="unhashable"):
            getattr(db.from_sequence([[1], [1]]), operation)().compute(scheduler="sync")


def test_keys_that_are_equal_are_one():
    bag = db.from_sequence([1, 1.0, True, decimal.Decimal(1), 2, None, "1"], npartitions=7)
    for shuffle in ("disk", "tasks"):
        found = bag.groupby(lambda x: x, shuffle=shuffle).compute(scheduler="sync")
        assert {key: len(members) for key, members in found} == {1: 4, 2: 1, None: 1, "1": 1}


class Colour(enum.Enum):
    RED = 1


@dataclass(frozen=True)
class Key:
    name: str
    part: object = None


KEYS = [
    "text", "Köln", b"bytes", 5, -5, 2**70, 0.5, True, None, ("a", 1, None), frozenset("abc"),
    fractions.Fraction(1, 3), datetime.date(2026, 1, 2), datetime.timedelta(3), Colour.RED,
    Key("a"), Key("a", ("b", 1)), complex(1, 2),
]  # fmt: skip


def test_hashes_are_the_same_in_every_process():
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_grouping import KEYS\n"
        "from samite.bag.hashing import stable_hash\n"
        "import json; print(json.dumps([stable_hash(key) for key in KEYS]))"
    )
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(samite.__file__))
    found = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root}
        output = subprocess.run(
            [sys.executable, "-c", program, here],
            env=environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        found.append(json.loads(output.stdout))
    assert found[0] == found[1]
    assert len(set(found[0])) == len(KEYS)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans())
def test_equal_numbers_have_equal_hashes(number):
    assert stable_hash(number) == stable_hash(fractions.Fraction(number))


def test_the_same_instant_is_the_same_key():
    utc = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.timezone.utc)
    east = utc.astimezone(datetime.timezone(datetime.timedelta(hours=5)))
    assert utc == east
    assert stable_hash(utc) == stable_hash(east)


def test_partitions_are_filled_evenly():
    for keys in (range(0, 8000, 8), [f"key-{i}" for i in range(1000)]):
        counts = [0] * 8
        for key in keys:
            counts[partition_number(key, 8)] += 1
        assert min(counts) > 80
