"""Maps of so many calls that they are submitted piece by piece, some in the background."""

from __future__ import annotations

import gc
import pickle
import threading
import time
import weakref

import pytest
from cluster_patience import PATIENCE

from samite import _engine
from samite.distributed import Client, LocalCluster, as_completed, wait
from samite.distributed._backlog import AT_ONCE
from samite.distributed.future import Future

MANY = 12 * sum(AT_ONCE)


def increment(x):
    return x + 1


def add(x, y, z=0):
    return x + y + z


def held(client, prefix):
    return {key: count for key, count in client.refcount.items() if key.startswith(prefix)}


def settles(check):
    """Whether something becomes true soon: releases travel."""
    until = time.monotonic() + PATIENCE
    while not check() and time.monotonic() < until:
        time.sleep(0.01)
    return check()


def test_values_and_keys(client):
    futures = client.map(increment, range(MANY))
    assert type(futures) is list and len(futures) == MANY
    assert all(type(future) is Future for future in futures)
    # The last one is not submitted yet, or is just now.
    assert futures[-1].result(PATIENCE) == MANY
    assert client.gather(futures) == list(range(1, MANY + 1))
    keys = [future.key for future in futures]
    assert len(set(keys)) == MANY and all(type(key) is str for key in keys)
    prefix = keys[0].rpartition("-")[0]
    assert keys == [f"{prefix}-{number}" for number in range(MANY)]
    assert client.map(increment, [3])[0].key == keys[3]
    assert futures[7].client is client and futures[7].executor is client


@pytest.mark.parametrize(
    "numbers", [range(5, 3 * MANY, 3), range(MANY, 0, -1), range(0, -MANY, -1)]
)
def test_ranges(local, numbers):
    futures = local.map(increment, numbers)
    listed = local.map(increment, list(numbers))
    assert [one.key for one in futures] == [one.key for one in listed]
    assert futures[-1].key.endswith(f"-{numbers[-1]}")
    assert local.gather(futures) == [number + 1 for number in numbers]


def test_several_iterables_of_any_kind(local):
    texts = [f"straße-{number}-\0ŷ" for number in range(MANY)]
    futures = local.map(lambda x, y, z: (x, y, z), range(MANY), texts, iter_of(MANY), pure=False)
    expected = list(zip(range(MANY), texts, iter_of(MANY), strict=True))
    assert local.gather(futures) == expected
    # The shortest counts.
    few = local.map(add, range(MANY), [1, 2, 3], z=10)
    assert local.gather(few) == [11, 13, 15]
    assert local.map(add, [], range(MANY)) == []
    with pytest.raises(TypeError, match="at least one sequence"):
        local.map(add)


def iter_of(count):
    """Arguments of all plain kinds."""
    kinds = [None, True, 1.5, b"\xff", 2**70, -(2**63), 2**63, float("inf"), "", 3 + 4j]
    return [kinds[number % len(kinds)] for number in range(count)]


def test_arguments_are_those_of_the_call(local):
    numbers = list(range(MANY))
    futures = local.map(increment, numbers)
    numbers.reverse()
    assert local.gather(futures) == list(range(1, MANY + 1))


def test_keys_of_the_user(local):
    keys = [("mine", number) if number % 2 else f"mine-{number}" for number in range(MANY)]
    futures = local.map(increment, range(MANY), key=keys)
    assert [future.key for future in futures] == keys
    assert local.gather(futures) == list(range(1, MANY + 1))
    prefixed = local.map(increment, range(MANY), key="theirs")
    assert all(future.key.startswith("theirs-") for future in prefixed)
    with pytest.raises(ValueError, match="keys were given"):
        local.map(increment, range(MANY), key=keys[1:])
    with pytest.raises(ValueError, match="twice"):
        local.map(increment, range(2), key=["a", "a"])


def test_batches(local):
    futures = local.map(add, range(1000), range(1000), batch_size=64)
    assert local.gather(futures) == list(range(0, 2000, 2))
    keyed = local.map(add, range(100), range(100), batch_size=7, key=[f"k{i}" for i in range(100)])
    assert [future.key for future in keyed] == [f"k{i}" for i in range(100)]
    large = local.map(increment, range(3 * MANY), batch_size=2 * MANY)
    assert local.gather(large) == list(range(1, 3 * MANY + 1))


def test_equal_calls_are_one(local):
    futures = local.map(increment, [5] * MANY)
    assert len({future.key for future in futures}) == 1
    key = futures[0].key
    assert local.refcount[key] == MANY
    del futures[1:]
    assert futures[0].result(PATIENCE) == 6 and local.refcount[key] == 1


def test_what_comes_after_a_map_comes_after_it(client):
    futures = client.map(increment, range(MANY))
    assert client.submit(add, futures[-1], futures[0]).result(PATIENCE) == MANY + 1
    futures = client.map(increment, range(MANY), pure=False)
    total = client.submit(sum, futures)
    assert total.result(PATIENCE) == MANY * (MANY + 1) // 2
    futures = client.map(increment, range(MANY), pure=False)
    client.cancel(futures[-1])
    assert futures[-1].cancelled() and not futures[0].cancelled()
    assert futures[-2].result(PATIENCE) == MANY - 1


def test_all_ways_to_wait(client):
    futures = client.map(increment, range(MANY), pure=False)
    called = threading.Event()
    futures[-1].add_done_callback(lambda future: called.set())
    first = next(iter(as_completed(futures)))
    assert first in futures
    done, not_done = wait(futures, timeout=PATIENCE)
    assert len(done) == MANY and not not_done
    assert called.wait(PATIENCE)
    failing = client.map(lambda x: 1 // (x - MANY + 1), range(MANY))
    assert isinstance(failing[-1].exception(PATIENCE), ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        client.gather(failing)


def test_each_future_is_released_alone(client):
    futures = client.map(increment, range(MANY), pure=False)
    prefix = futures[0].key.rpartition("-")[0]
    # Some go before they are submitted, some after.
    gone = {futures[number].key for number in (1, MANY - 2)}
    del futures[-2], futures[1]
    wait(futures, timeout=PATIENCE)
    assert settles(lambda: not gone & set(held(client, prefix)))
    assert held(client, prefix) == {future.key: 1 for future in futures}
    more = {futures[number].key for number in (0, -1)}
    del futures[-1], futures[0]
    assert settles(lambda: not more & set(held(client, prefix)))
    kept = weakref.ref(futures[17])
    again = Future(futures[17].key, client)
    assert client.refcount[again.key] == 2
    del again
    assert kept() is futures[17]
    futures[18].release()
    assert futures[18].key not in client.refcount
    del futures
    gc.collect()
    assert kept() is None
    assert settles(lambda: not held(client, prefix))


def test_all_futures_go_before_they_are_submitted(client):
    for _ in range(3):
        client.map(increment, range(MANY), pure=False)
    assert client.submit(increment, 1).result(PATIENCE) == 2
    assert settles(lambda: not client.refcount)
    assert settles(lambda: not client.who_has())


def test_pickles(client):
    futures = client.map(increment, range(MANY), pure=False)
    with client.as_current():
        copy = pickle.loads(pickle.dumps(futures[-1]))
    assert copy.key == futures[-1].key and copy is not futures[-1]
    del futures
    assert copy.result(PATIENCE) == MANY


def test_closing_cancels_what_waits():
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False) as cluster:
        for _ in range(5):
            client = Client(cluster)
            futures = client.map(increment, range(4 * MANY), pure=False)
            client.close()
            assert {future.status for future in futures} == {"cancelled"}
            assert futures[-1].key.endswith(f"-{4 * MANY - 1}")
        with Client(cluster) as other:
            assert other.submit(increment, 1).result(PATIENCE) == 2
            assert settles(lambda: not other.who_has())


def test_a_batch_that_is_given_up_cancels_its_futures(local):
    made = _engine.CallBatch(local._engine, increment, (range(100),), "given-up-", None, {}, True)
    futures = made.make_futures(Future, local)
    assert made.submit(10) > 0 and made.left == 90
    assert futures[9].result(PATIENCE) == 10 and futures[10].status == "pending"
    waiting = threading.Event()
    futures[50].add_done_callback(lambda future: waiting.set())
    made.abandon("for a test")
    assert made.left == 0 and made.submit(5) == 0
    assert {future.status for future in futures[10:]} == {"cancelled"}
    assert waiting.wait(PATIENCE)
    del futures
    assert settles(lambda: not held(local, "given-up-"))
    # Without futures, too.
    made = _engine.CallBatch(local._engine, increment, (range(9),), "given-up-", None, {}, True)
    made.submit(5)
    del made
    assert settles(lambda: not held(local, "given-up-"))


def test_bad_batches(local):
    engine = local._engine
    with pytest.raises(ValueError, match="key for each"):
        _engine.CallBatch(engine, increment, ([1, 2],), ["a"])
    with pytest.raises(ValueError, match="columns"):
        _engine.CallBatch(engine, increment, (), "a")
    with pytest.raises(TypeError):
        _engine.CallBatch(engine, increment, (["x"],), "a")
    made = _engine.CallBatch(engine, increment, ([1],), "a")
    made.make_futures(Future, local)
    with pytest.raises(IndexError):
        _engine.FutureBase(made)


def test_functions_are_as_they_were(local):
    factor = [2]

    def scaled(x):
        return x * factor[0]

    futures = local.map(scaled, range(MANY), pure=False)
    factor[0] = 3
    again = local.map(scaled, range(MANY), pure=False)
    assert local.gather(futures) == [2 * x for x in range(MANY)]
    assert local.gather(again) == [3 * x for x in range(MANY)]


def test_large_arguments_are_warned_of(local):
    texts = [f"{number}" * 20_000 for number in range(1000, 1200)]
    with pytest.warns(UserWarning, match="large graph"):
        futures = local.map(len, texts)
    assert local.gather(futures) == [80_000] * 200


def test_threads_that_map_at_once(client):
    found = {}

    def work(number):
        futures = client.map(add, range(MANY), [number] * MANY)
        found[number] = futures[-1].result(PATIENCE), client.gather(futures[:100])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(6 * PATIENCE)
    assert found == {
        number: (MANY - 1 + number, list(range(number, 100 + number))) for number in range(3)
    }
