"""Futures inside of arguments, and of objects that are pickled, live as long as their tasks need
them, though nobody else holds them."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pandas as pd
import pytest
from cluster_patience import PATIENCE

import samite
import samite.array as da
import samite.bag as db
import samite.dataframe as dd
from samite.distributed import Future, get_client, wait, worker_client


class Box:
    """Something that is pickled as it is."""

    def __init__(self, content):
        self.content = content


def slowly(x):
    time.sleep(0.1)
    return x


def slow_array(number=1):
    return da.full((40, 40), number, chunks=20).map_blocks(slowly, dtype=float) * 1.0


def total(x):
    with worker_client():
        return float(x.sum().compute())


def totals(found):
    """The sum of all futures and arrays in containers and boxes."""
    if isinstance(found, Box):
        return totals(found.content)
    if isinstance(found, dict):
        return totals(list(found.values()))
    if isinstance(found, (list, tuple)):
        return sum(map(totals, found))
    if isinstance(found, Future):
        return found.result(PATIENCE)
    return total(found) if hasattr(found, "compute") else found


def answer(future):
    """The result, a while after all that nobody holds is gone."""
    gc.collect()
    time.sleep(0.05)
    return future.result(PATIENCE)


def test_collections_that_nobody_holds(client):
    assert answer(client.submit(total, client.persist(slow_array()), pure=False)) == 1600
    assert answer(client.submit(total, x=client.persist(slow_array()), pure=False)) == 1600
    found = client.map(total, [client.persist(slow_array(number)) for number in range(4)])
    gc.collect()
    assert client.gather(found) == [0, 1600, 3200, 4800]


def test_frames_and_bags_that_nobody_holds(client):
    rows = pd.DataFrame({"a": range(100)})
    frame = dd.from_pandas(rows, npartitions=3).map_partitions(slowly, meta=rows.iloc[:0])

    def frame_total(x):
        with worker_client():
            return int(x.a.sum().compute())

    assert answer(client.submit(frame_total, client.persist(frame), pure=False)) == 4950
    bag = db.from_sequence(range(8), npartitions=2).map(slowly)
    assert answer(client.submit(total, client.persist(bag), pure=False)) == 28


@pytest.mark.parametrize(
    "held",
    [
        lambda x: [x],
        lambda x: {"a": {"b": (1, [x])}},
        lambda x: Box(x),
        lambda x: [Box([Box(x)]), x],
    ],
)
def test_containers_and_objects(client, held):
    arrays = client.submit(totals, held(client.persist(slow_array())), pure=False)
    futures = client.submit(totals, held(client.submit(slowly, 5, pure=False)), pure=False)
    times = 2 if isinstance(held(0), list) and len(held(0)) == 2 else 1
    more = 1 if isinstance(held(0), dict) else 0
    assert answer(arrays) == 1600 * times + more
    assert answer(futures) == 5 * times + more


def test_functions_that_hold_futures(client):
    def read(future):
        return lambda: future.result(PATIENCE) + 1

    assert answer(client.submit(read(client.submit(slowly, 5, pure=False)), pure=False)) == 6
    many = client.map(
        lambda x, box: x + box.content.result(PATIENCE),
        range(5),
        [Box(client.submit(slowly, number, pure=False)) for number in range(5)],
    )
    gc.collect()
    assert client.gather(many) == [0, 2, 4, 6, 8]


def test_graphs(client):
    lazy = samite.delayed(totals)(Box(client.persist(slow_array(3))))
    assert answer(client.compute(lazy)) == 4800
    lazy = [samite.delayed(totals)(Box(client.submit(slowly, n, pure=False))) for n in range(3)]
    assert answer(client.compute(samite.delayed(sum)(lazy))) == 3


def test_chains_of_calls_that_nobody_holds(client):
    boxed = client.submit(totals, Box(client.submit(slowly, 5, pure=False)), pure=False)
    last = client.submit(slowly, boxed, pure=False)
    del boxed
    assert answer(last) == 5


def test_results_are_let_go_with_their_tasks(client):
    future = client.submit(totals, Box(client.submit(slowly, 5, pure=False)), pure=False)
    assert answer(future) == 5
    del future
    until = time.monotonic() + PATIENCE
    while calls(client) and time.monotonic() < until:
        time.sleep(0.02)
    assert not calls(client)


def calls(client):
    """The results of the calls above that are anywhere."""
    return [key for key in client.who_has() if key.startswith(("totals-", "slowly-"))]


def test_values_are_kept_where_they_are(outside, client):
    """What a task holds inside of an object is not fetched for it."""
    data = client.map(lambda x: np.full(1_000_000, x), range(4), pure=False)
    wait(data, timeout=PATIENCE)
    before = client.who_has(data)
    workers = [client.submit(lambda box: len(box.content), Box(data), pure=False) for _ in range(4)]
    assert client.gather(workers) == [4] * 4
    assert client.who_has(data) == before


def test_a_task_sees_futures_in_objects_as_futures(client):
    made = client.submit(slowly, 1, pure=False)

    def look(box):
        return type(box.content).__name__, box.content.key, box.content.result(PATIENCE)

    assert client.submit(look, Box(made)).result(PATIENCE) == ("Future", made.key, 1)


def test_futures_that_failed_before_do_not_fail_others(client):
    failed = client.submit(lambda: 1 // 0)
    wait([failed], timeout=PATIENCE)
    gone = client.submit(slowly, 1, pure=False)
    client.cancel(gone)
    told = client.submit(lambda boxes: len(boxes), [Box(failed), Box(gone)], pure=False)
    assert told.result(PATIENCE) == 2


def test_futures_that_tasks_return(client):
    def make():
        return Box(get_client().submit(slowly, 6, pure=False))

    assert answer(client.submit(totals, client.submit(make, pure=False), pure=False)) == 6


def test_pickling_on_threads(client):
    """What one thread pickles is none of what another one submits."""
    found = []

    def work(number):
        for _ in range(5):
            box = Box(client.submit(slowly, number, pure=False))
            found.append(answer(client.submit(totals, box, pure=False)) == number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(6 * PATIENCE)
    assert found == [True] * 15


@pytest.mark.parametrize(
    ("held", "read"),
    [
        (lambda x: Box(x), totals),
        (lambda x: {"a": [Box(x), {"b": x}]}, lambda found: totals(found) // 2),
        (lambda x: Box([Box(x), np.arange(200_000)]), lambda box: totals(box.content[0])),
    ],
)
def test_scattered_objects(client, held, read):
    made = client.submit(slowly, 5, pure=False)
    scattered = client.scatter([held(made)], hash=False)[0]
    del made
    assert answer(client.submit(read, scattered, pure=False)) == 5
    # As often as wanted, on each worker, and when the client that scattered it lets go of it.
    client.replicate([scattered])
    last = [client.submit(read, scattered, pure=False) for _ in range(4)]
    del scattered
    gc.collect()
    assert client.gather(last) == [5] * 4
    del last
    until = time.monotonic() + PATIENCE
    while calls(client) and time.monotonic() < until:
        time.sleep(0.02)
    assert not calls(client)


def test_a_scattered_future_is_a_future(client):
    made = client.submit(slowly, 5, pure=False)
    scattered = client.scatter(made)
    name = made.key
    del made

    def look(found):
        return type(found).__name__, found.key, found.result(PATIENCE)

    assert answer(client.submit(look, scattered, pure=False)) == ("Future", name, 5)


def test_values_of_one_scatter_hold_what_any_of_them_needs(client):
    futures = client.scatter(
        {f"box-{number}": Box(client.submit(slowly, number, pure=False)) for number in range(3)}
    )
    gc.collect()
    del futures["box-0"]
    assert [answer(client.submit(totals, futures[f"box-{n}"])) for n in (1, 2)] == [1, 2]


def test_futures_that_failed_do_not_fail_scattering(client):
    failed = client.submit(lambda: 1 // 0)
    wait([failed], timeout=PATIENCE)
    scattered = client.scatter(Box(failed))
    assert client.submit(lambda box: 3, scattered, pure=False).result(PATIENCE) == 3


def test_futures_among_equal_data(client):
    """A value that is there already holds its futures itself."""
    made = client.submit(slowly, 5, pure=False)
    first = client.scatter({"equal": Box(made)})
    second = client.scatter({"equal": Box(made)})
    del made, first
    assert answer(client.submit(totals, second["equal"], pure=False)) == 5
