"""The active memory manager: copies that nobody needs are dropped, by the engine and by
policies."""

from __future__ import annotations

import threading
import time

import pytest
from cluster_patience import PATIENCE

from samite import config
from samite.distributed import Client, Event, LocalCluster
from samite.distributed.active_memory_manager import (
    ActiveMemoryManagerExtension,
    ActiveMemoryManagerPolicy,
    ReduceReplicas,
    RetireWorker,
    Suggestion,
)

SETTINGS = "distributed.scheduler.active-memory-manager"


def until(true, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def make_zeros(count):
    return bytearray(count)


def length(data, event=None):
    if event is not None:
        Event(event).wait()
    return len(data)


@pytest.fixture
def still():
    """Three workers, whose manager runs only when it is told to."""
    with config.set({f"{SETTINGS}.start": False}):
        with LocalCluster(n_workers=3, threads_per_worker=1, processes=False) as cluster:
            with Client(cluster) as client:
                yield client


def spread(client, size=100_000):
    """A result that all workers hold, since a task of each has read it."""
    workers = list(client.nthreads())
    value = client.submit(make_zeros, size, workers=workers[:1], pure=False)
    read = [client.submit(length, value, workers=[one], pure=False) for one in workers]
    assert client.gather(read) == [size] * len(workers)
    until(lambda: len(client.who_has(value)[value.key]) == len(workers))
    return value


def holders(client, future):
    return set(client.who_has(future)[future.key])


# ---- what is there by default -------------------------------------------------------------------


def test_copies_that_nobody_needs_are_dropped_when_it_is_told_to(still):
    value = spread(still)
    assert still.amm.running() is False
    assert still.amm.run_once() is None
    assert len(holders(still, value)) == 1
    assert len(value.result()) == 100_000
    # Who reads it again gets it again.
    again = [still.submit(length, value, workers=[one], pure=False) for one in still.nthreads()]
    assert still.gather(again) == [100_000] * 3


def test_it_runs_by_itself_between_start_and_stop(still):
    with config.set({f"{SETTINGS}.interval": "50ms", f"{SETTINGS}.start": False}):
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=False) as cluster:
            with Client(cluster) as client:
                value = spread(client)
                time.sleep(0.2)
                assert len(holders(client, value)) == 2
                client.amm.start()
                assert client.amm.running() is True
                until(lambda: len(holders(client, value)) == 1)
                client.amm.stop()
                assert client.amm.running() is False


def test_the_setting_starts_it():
    with config.set({f"{SETTINGS}.interval": "50ms"}):
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=False) as cluster:
            with Client(cluster) as client:
                assert client.amm.running() is True
                value = client.submit(make_zeros, 1000, workers=list(client.nthreads())[:1])
                other = client.submit(length, value, workers=list(client.nthreads())[1:])
                assert other.result() == 1000
                until(lambda: len(holders(client, value)) == 1)


def test_without_policies_nothing_is_dropped():
    with config.set({f"{SETTINGS}.policies": [], f"{SETTINGS}.start": False}):
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=False) as cluster:
            with Client(cluster) as client:
                value = spread(client)
                client.amm.run_once()
                assert len(holders(client, value)) == 2


def test_a_copy_stays_for_a_task_that_reads_it_yet(still):
    value = spread(still)
    workers = sorted(holders(still, value))
    waits = still.submit(length, value, "go-on", workers=workers[2:], pure=False)
    until(lambda: still.processing(workers[2:])[workers[2]])
    still.amm.run_once()
    assert workers[2] in holders(still, value)
    Event("go-on", client=still).set()
    assert waits.result(timeout=PATIENCE) == 100_000


def test_copies_that_were_asked_for_stay(still):
    value = still.submit(make_zeros, 1000)
    still.replicate(value, n=2)
    assert len(holders(still, value)) == 2
    data = still.scatter(b"1" * 1000, broadcast=True)
    still.amm.run_once()
    assert len(holders(still, value)) == 2
    # What no task could compute again is left where it was put.
    assert len(holders(still, data)) == 3


class Counter:
    """An actor."""

    def __init__(self):
        self.n = 0

    def add(self):
        self.n += 1
        return self.n


def use(counter):
    return counter.add().result()


def test_an_actor_stays_where_it_lives(still):
    workers = list(still.nthreads())
    future = still.submit(Counter, actor=True, workers=workers[:1])
    counter = future.result()
    assert counter.add().result() == 1
    # Where a task uses it there is a copy of what stands for it, which may be all that is left.
    used = [still.submit(use, future, workers=[one], pure=False) for one in workers[1:]]
    assert sorted(still.gather(used)) == [2, 3]
    still.amm.run_once()
    still.rebalance()
    assert workers[0] in holders(still, future)
    assert counter.add().result() == 4


def test_on_an_asynchronous_client_all_is_awaited(still):
    import asyncio

    async def run():
        async with Client(still.scheduler_address, asynchronous=True) as client:
            await client.amm.start()
            found = [await client.amm.running()]
            await client.amm.stop()
            await client.amm.run_once()
            return [*found, await client.amm.running()]

    assert asyncio.run(run()) == [True, False]


def test_settings_that_mean_nothing_are_named():
    for name, value, said in (
        ("measure", "weight", "measure must be one of managed, managed_total, optimistic"),
        ("interval", "soon", "active-memory-manager.interval is not understood"),
        ("policies", ["ReduceReplicas"], "is a list of mappings"),
    ):
        with config.set({f"{SETTINGS}.{name}": value}):
            with pytest.raises((ValueError, RuntimeError), match=said):
                LocalCluster(n_workers=1, processes=False)


# ---- policies of one's own ----------------------------------------------------------------------


class Copying(ActiveMemoryManagerPolicy):
    """Wants a second copy of what is small, on another worker."""

    ran_on: set = set()

    def __init__(self, limit=1_000_000):
        self.limit = limit

    def run(self):
        self.ran_on.add(threading.current_thread().name)
        for ts in self.manager.scheduler.tasks.values():
            if ts.nbytes < self.limit and len(ts.who_has) == 1:
                chosen = yield "replicate", ts
                assert chosen is None or chosen not in ts.who_has
                if chosen is not None:
                    assert chosen in self.manager.pending[ts][0]


class Failing(ActiveMemoryManagerPolicy):
    def run(self):
        yield from ()
        raise ValueError("on purpose")


def test_policies_of_the_settings_run_beside_the_scheduler(caplog):
    here = __name__
    policies = [
        {"class": f"{here}.Failing"},
        {"class": f"{here}.Copying", "limit": 5000},
    ]
    with config.set({f"{SETTINGS}.policies": policies, f"{SETTINGS}.start": False}):
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=False) as cluster:
            with Client(cluster) as client:
                small = client.submit(make_zeros, 100)
                large = client.submit(make_zeros, 10_000)
                client.gather([client.submit(length, one) for one in (small, large)])
                client.amm.run_once()
                until(lambda: len(holders(client, small)) == 2)
                assert len(holders(client, large)) <= 2
                assert "samite-memory" in Copying.ran_on
    assert "on purpose" in caplog.text


def test_managers_of_ones_own(still):
    from samite.distributed.scheduler import local_scheduler

    scheduler = local_scheduler(still.scheduler_address)
    value = spread(still)
    first, *_ = workers = sorted(holders(still, value))

    class Dropping(ActiveMemoryManagerPolicy):
        chosen: list = []

        def run(self):
            ts = self.manager.scheduler.tasks[value.key]
            worker = self.manager.scheduler.workers[first]
            before = self.manager.workers_memory[worker]
            # Twice the same one: the second time there is none to choose.
            for _ in range(2):
                self.chosen.append((yield Suggestion("drop", ts, {worker})))
            assert self.manager.workers_memory[worker] == max(0, before - ts.nbytes)
            assert ts.waiters == set() and worker.memory.process > 0

    manager = ActiveMemoryManagerExtension(
        scheduler, {Dropping()}, register=False, start=False, measure="managed"
    )
    assert not manager.running
    manager.run_once()
    assert [one and one.address for one in Dropping.chosen] == [first, None]
    assert holders(still, value) == set(workers[1:])

    # The last copy is never dropped.
    manager = ActiveMemoryManagerExtension(
        scheduler, {ReduceReplicas()}, register=False, start=False
    )
    manager.run_once()
    manager.run_once()
    assert len(holders(still, value)) == 1
    with pytest.raises(TypeError, match="Expected ActiveMemoryManagerPolicy"):
        manager.add_policy(len)
    with pytest.raises(ValueError, match="must be one of"):
        ActiveMemoryManagerExtension(scheduler, (), register=False, measure="weight")


def test_a_policy_can_empty_a_worker(still):
    from samite.distributed.scheduler import local_scheduler

    scheduler = local_scheduler(still.scheduler_address)
    address = list(still.nthreads())[0]
    values = [still.submit(make_zeros, 1000 + n, workers=[address]) for n in range(3)]
    until(lambda: all(one.status == "finished" for one in values))
    policy = RetireWorker(address)
    manager = ActiveMemoryManagerExtension(scheduler, {policy}, register=False, start=False)
    manager.run_once()
    until(policy.done)
    until(lambda: all(holders(still, one) - {address} for one in values))
    assert not policy.no_recipients


def test_a_manager_may_run_by_itself(still):
    from samite.distributed.scheduler import local_scheduler

    manager = ActiveMemoryManagerExtension(
        local_scheduler(still.scheduler_address),
        {ReduceReplicas()},
        register=False,
        start=True,
        interval="20ms",
    )
    try:
        value = still.submit(make_zeros, 1000, workers=list(still.nthreads())[:1])
        other = still.submit(length, value, workers=list(still.nthreads())[1:2])
        assert other.result() == 1000
        until(lambda: len(holders(still, value)) == 1)
        assert manager.running
    finally:
        manager.stop()
    assert not manager.running


def test_memory_of_workers_by_all_measures(still):
    from samite.distributed.scheduler import local_scheduler

    value = still.submit(make_zeros, 1_000_000)
    until(lambda: value.status == "finished")
    scheduler = local_scheduler(still.scheduler_address)
    until(lambda: scheduler.memory.managed >= 1_000_000)
    for worker in scheduler.workers.values():
        memory = worker.memory
        assert memory.process == memory.managed + memory.unmanaged > 0
        assert memory.unmanaged == memory.unmanaged_old + memory.unmanaged_recent
        assert memory.optimistic == memory.managed + memory.unmanaged_old
        assert memory.managed_total == memory.managed + memory.spilled
    assert "Process memory (RSS)" in repr(scheduler.memory)


def test_what_cannot_travel_stays_where_it_is():
    """A worker that asked for it in vain holds nothing of it."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            first, second = client.nthreads()
            lock = client.submit(threading.Lock, workers=[first], pure=False)
            for _ in range(2):
                elsewhere = client.submit(bool, lock, workers=[second], pure=False)
                with pytest.raises(TypeError, match="lock"):
                    elsewhere.result(PATIENCE)
                assert client.who_has(lock)[lock.key] == (first,)
            client.amm.run_once()
            assert client.submit(bool, lock, workers=[first], pure=False).result(PATIENCE)
