"""Random samples."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

import samite.bag as db
from samite.bag import random


def test_samples_have_no_record_twice(scheduler):
    bag = db.range(100, npartitions=7)
    found = random.sample(bag, k=20, split_every=2).compute(scheduler=scheduler)
    assert len(found) == len(set(found)) == 20
    assert set(found) <= set(range(100))


def test_choices_may_repeat():
    found = random.choices(db.range(3, npartitions=3), k=50).compute(scheduler="sync")
    assert len(found) == 50
    assert set(found) == {0, 1, 2}


def test_all_records_are_equally_likely():
    bag = db.from_sequence(range(10), partition_size=7)  # partitions of 7 and 3
    for draw in (random.sample, random.choices):
        counts = Counter()
        for _ in range(300):
            counts.update(draw(bag, k=3).compute(scheduler="sync"))
        # 90 are expected of each; the deviation is about 9.
        assert all(45 < counts[x] < 135 for x in range(10)), counts


@pytest.mark.parametrize("draw", [random.sample, random.choices])
def test_wrong_sizes(draw):
    bag = db.range(10, npartitions=3)
    with pytest.raises(ValueError, match="negative"):
        draw(bag, k=-1)
    with pytest.raises(TypeError):
        draw(bag, k=1.5)
    assert draw(bag, k=0).compute(scheduler="sync") == []


def test_more_than_there_are():
    with pytest.raises(ValueError, match="Sample larger than population"):
        random.sample(db.range(3, npartitions=3), k=4).compute(scheduler="sync")
    with pytest.raises(IndexError):
        random.choices(db.from_sequence([]), k=1).compute(scheduler="sync")


def test_random_sample():
    bag = db.range(10_000, npartitions=5)
    sample = bag.random_sample(0.1, 7)
    first = sample.compute(scheduler="sync")
    assert first == sample.compute(scheduler="sync")
    assert first == bag.random_sample(0.1, Random(7)).compute(scheduler="sync")
    assert 800 < len(first) < 1200
    assert bag.random_sample(0).compute(scheduler="sync") == []
    assert len(bag.random_sample(1).compute(scheduler="sync")) == 10_000
