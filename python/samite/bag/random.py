"""Random samples of bags of a fixed size."""

from __future__ import annotations

import heapq
import itertools
import math
import random as rnd
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

__all__ = ["choices", "sample"]

# A sample of a part: the records that were picked, and of how many.
Picked = tuple[list[Any], int]


def sample(population: Any, k: int, split_every: int | None = None) -> Any:
    """``k`` records without replacement, as a bag of one partition.

    Parameters
    ----------
    population:
        A bag.
    k:
        How many.
    split_every:
        How many partial samples are combined at a time.

    Raises
    ------
    ValueError
        If ``k`` is negative, or, when it is computed, if the bag has fewer records.
    """
    _check(k)
    picked = population.reduction(
        partial(_sample_map_partitions, k=k),
        partial(_combine_samples, k=k),
        out_type=type(population),
        split_every=split_every,
        name="sample",
    )
    return picked.map_partitions(partial(_finish_sample, k=k), token="sample")


def choices(population: Any, k: int = 1, split_every: int | None = None) -> Any:
    """``k`` records with replacement, as a bag of one partition.

    Parameters are as for :func:`sample`.

    Raises
    ------
    ValueError
        If ``k`` is negative.
    IndexError
        When it is computed, if the bag is empty and ``k`` is not 0.
    """
    _check(k)
    picked = population.reduction(
        partial(_sample_with_replacement_map_partitions, k=k),
        partial(_combine_choices, k=k),
        out_type=type(population),
        split_every=split_every,
        name="choices",
    )
    return picked.map_partitions(partial(_finish_choices, k=k), token="choices")


def _check(k: Any) -> None:
    if not hasattr(k, "__index__"):
        raise TypeError(f"the size of a sample must be an integer, got {k!r}")
    if k < 0:
        raise ValueError(f"the size of a sample must not be negative, got {k}")


def _uniform() -> float:
    """A random number above 0 and below 1."""
    while not (value := rnd.random()):
        pass
    return value


def _sample_map_partitions(population: Iterable[Any], k: int) -> Picked:
    """Up to ``k`` records, each set of which is equally likely, and the number of all.

    Algorithm L: Li, "Reservoir-Sampling Algorithms of Time Complexity O(n(1 + log(N/n)))" (1994).
    """
    records = iter(population)
    reservoir = list(itertools.islice(records, k))
    seen = len(reservoir)
    if not k or seen < k:
        return reservoir, seen + sum(1 for _ in records)
    weight = math.exp(math.log(_uniform()) / k)
    while True:
        skip = math.floor(math.log(_uniform()) / math.log1p(-weight))
        passed = _pass_over(records, skip)
        seen += passed
        if passed < skip:
            return reservoir, seen
        for record in records:
            reservoir[rnd.randrange(k)] = record
            seen += 1
            break
        else:
            return reservoir, seen
        weight *= math.exp(math.log(_uniform()) / k)


def _pass_over(records: Iterator[Any], count: int) -> int:
    return sum(1 for _ in itertools.islice(records, count))


def _sample_with_replacement_map_partitions(population: Iterable[Any], k: int) -> Picked:
    """``k`` records, each drawn from all by itself, and the number of all."""
    chosen: list[Any] = []
    seen = 0
    # Each of the k places is taken over by record number n with probability 1/n. The number of
    # the record that takes it next is drawn, so that most records cost nothing.
    due: list[tuple[int, int]] = []
    for seen, record in enumerate(population, 1):
        if seen == 1:
            chosen = [record] * k
            due = [(_next_turn(1), place) for place in range(k)]
            heapq.heapify(due)
            continue
        while due and due[0][0] == seen:
            place = due[0][1]
            chosen[place] = record
            heapq.heapreplace(due, (_next_turn(seen), place))
    return chosen, seen


def _next_turn(seen: int) -> int:
    """The number of the record that takes a place after record ``seen`` has it: it is above ``m``
    with probability seen/m."""
    return math.floor(seen / _uniform()) + 1


def _combine_samples(parts: Iterable[Any], k: int) -> Picked:
    """A sample of the union: from each part as many as its number of records has by chance."""
    parts = list(parts)
    total = sum(count for _, count in parts)
    if total <= k:
        return list(itertools.chain.from_iterable(picked for picked, _ in parts)), total
    numbers = [count for _, count in parts]
    taken = [0] * len(parts)
    left = total
    for _ in range(k):
        at = rnd.randrange(left)
        for place, number in enumerate(numbers):
            if at < number:
                numbers[place] -= 1
                taken[place] += 1
                break
            at -= number
        left -= 1
    picked = [rnd.sample(part, count) for (part, _), count in zip(parts, taken)]
    return list(itertools.chain.from_iterable(picked)), total


def _combine_choices(parts: Iterable[Any], k: int) -> Picked:
    """Draws from the union: each place takes its own from a part, by their numbers of records."""
    parts = [part for part in parts if part[1]]
    total = sum(count for _, count in parts)
    if not total:
        return [], 0
    sources = rnd.choices(range(len(parts)), [count for _, count in parts], k=k)
    return [parts[source][0][place] for place, source in enumerate(sources)], total


def _finish_sample(found: Any, k: int) -> list[Any]:
    picked, total = found
    if total < k:
        raise ValueError(
            f"Sample larger than population: {k} records were asked for, and the bag has {total}"
        )
    rnd.shuffle(picked)
    return picked


def _finish_choices(found: Any, k: int) -> list[Any]:
    picked, total = found
    if k and not total:
        raise IndexError("Cannot choose from an empty bag")
    return picked


def _weighted_sampling_without_replacement(
    population: Iterable[Any], weights: Iterable[float], k: int
) -> list[Any]:
    """``k`` items, likelier the larger their weight (Efraimidis and Spirakis, 2006)."""
    keyed = [(math.log(_uniform()) / weight, item) for item, weight in zip(population, weights)]
    return [item for _, item in heapq.nlargest(k, keyed, key=lambda pair: pair[0])]
