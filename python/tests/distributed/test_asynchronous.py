"""Clients and clusters inside of an event loop."""

from __future__ import annotations

import asyncio

import pytest
from cluster_patience import PATIENCE

from samite.distributed import (
    Client,
    Event,
    LocalCluster,
    Lock,
    Queue,
    Scheduler,
    Variable,
    Worker,
    as_completed,
    wait,
)


def increment(x):
    return x + 1


def in_loop(test):
    """Run a test in an event loop, with a limit of time."""

    def run():
        asyncio.run(asyncio.wait_for(test(), 2 * PATIENCE))

    run.__name__ = test.__name__
    return run


@in_loop
async def test_what_waits_is_awaited():
    async with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, asynchronous=True) as made,
        Client(made, asynchronous=True) as client,
    ):
        future = client.submit(increment, 1)
        assert await future == 2
        assert await future.result() == 2
        assert await client.gather(client.map(increment, range(10))) == list(range(1, 11))
        assert await client.gather({"a": [future]}) == {"a": [2]}
        assert await (await client.scatter(5)) == 5
        done = await wait(client.map(increment, range(3)), timeout=PATIENCE)
        assert len(done.done) == 3
        with pytest.raises(TimeoutError):
            await client.submit(__import__("time").sleep, 3).result(timeout=0.05)


@in_loop
async def test_failures_are_raised_where_they_are_awaited():
    async with Client(n_workers=1, processes=False, asynchronous=True) as client:
        future = client.submit(lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await future
        assert isinstance(await future.exception(), ZeroDivisionError)


@in_loop
async def test_iterating():
    async with Client(n_workers=1, processes=False, asynchronous=True) as client:
        futures = client.map(increment, range(20))
        assert {future async for future in as_completed(futures)} == set(futures)
        found = [value async for _, value in as_completed(futures, with_results=True)]
        assert sorted(found) == list(range(1, 21))


@in_loop
async def test_shared_things():
    async with Client(n_workers=1, processes=False, asynchronous=True) as client:
        async with Lock("a lock") as lock:
            assert await lock.locked()
            assert await Lock("a lock").acquire(timeout=0.05) is False
        event = Event("an event")
        assert await event.wait(timeout=0.01) is False
        await event.set()
        assert await event.wait(timeout=PATIENCE)
        queue = await Queue("a queue")
        future = client.submit(increment, 1)
        await queue.put(future)
        assert await (await queue.get(timeout=PATIENCE)) == 2
        variable = Variable("a variable")
        await variable.set("value")
        assert await variable.get(timeout=PATIENCE) == "value"


@in_loop
async def test_servers_by_hand():
    async with Scheduler(protocol="inproc") as scheduler:
        async with Worker(scheduler.address, name="alice", nthreads=2) as worker:
            async with Client(scheduler.address, asynchronous=True) as client:
                assert await client.nthreads() == {worker.address: 2}
                assert await client.submit(increment, 1, workers="alice") == 2


@in_loop
async def test_a_client_that_was_not_started_says_so():
    client = Client("inproc://nowhere", asynchronous=True)
    with pytest.raises(RuntimeError, match="await"):
        client.submit(increment, 1)


@pytest.mark.parametrize("processes", [False, True])
def test_a_client_of_a_cluster_may_be_used_at_once(processes):
    async def run():
        options = {"n_workers": 1, "threads_per_worker": 1, "processes": processes}
        async with LocalCluster(asynchronous=True, dashboard_address=None, **options) as cluster:
            client = cluster.get_client()
            assert await client.submit(sum, [1, 2]) == 3
            assert await client is client
            async with client:
                assert await client.submit(sum, [1, 3]) == 4
            assert client.status == "closed"

    asyncio.run(run())
