"""What programs for Dask ask of schedulers and workers by the names of its operations."""

from __future__ import annotations

import asyncio
import pickle
import time

import pytest
from cluster_patience import PATIENCE

from samite.distributed import Client, LocalCluster, connect, rpc
from samite.distributed.comm import (
    get_address_host,
    get_address_host_port,
    get_local_address_for,
    parse_address,
    parse_host_port,
    resolve_address,
    unparse_host_port,
)


def until(true, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def double(x, dask_worker=None):
    return 2 * x


def name_of_scheduler(dask_scheduler):
    return dask_scheduler.address


def test_operations_of_a_clients_scheduler(local):
    value = local.submit(double, 4)
    assert value.result() == 8

    async def asked():
        identity = await local.scheduler.identity()
        holders = await local.scheduler.who_has(keys=[value.key])
        idle = await local.scheduler.check_idle()
        return identity, holders, idle

    identity, holders, idle = local.sync(asked)
    assert set(identity["workers"]) == set(local.nthreads())
    assert set(holders[value.key]) <= set(identity["workers"])
    assert idle is None or abs(time.time() - idle) < 600
    assert local.scheduler.identity()["type"] == "Scheduler"
    with pytest.raises(AttributeError, match="no operation 'fly'; there are adaptive_target"):
        local.scheduler.fly


def test_operations_in_an_event_loop(cluster):
    async def asked():
        async with Client(cluster.scheduler_address, asynchronous=True) as client:
            value = client.submit(double, 21, key="twenty-one")
            assert await value == 42
            scheduler = client.scheduler
            await scheduler.set_metadata(keys=["a", "b"], value=1)
            return {
                "metadata": await scheduler.get_metadata(keys=["a", "b"]),
                "status": await scheduler.get_task_status(keys=["twenty-one", "none"]),
                "nbytes": await scheduler.nbytes(keys=["twenty-one"], summary=False),
                "gathered": await scheduler.gather(keys=["twenty-one"]),
                "missing": await scheduler.gather(keys=["none"]),
                "target": await scheduler.adaptive_target(),
                "pong": await scheduler.ping(),
                "keys": await scheduler.broadcast(msg={"op": "ping"}),
                "story": await scheduler.get_story(keys_or_stimuli=["twenty-one"]),
                "amm": await scheduler.amm_handler(method="running"),
            }

    found = asyncio.run(asked())
    assert found["metadata"] == 1
    assert found["status"] == {"twenty-one": "memory", "none": None}
    assert found["nbytes"]["twenty-one"] > 0
    assert found["gathered"] == {"status": "OK", "data": {"twenty-one": 42}}
    assert found["missing"] == {"status": "error", "keys": ["none"]}
    assert found["target"] >= 0 and found["pong"] == "pong" and found["amm"] is True
    assert list(found["keys"].values()) == ["pong", "pong"]
    assert found["story"]


def test_an_rpc_of_a_scheduler(cluster):
    async def asked():
        async with rpc(cluster.scheduler_address) as scheduler:
            identity = await scheduler.identity()
            surplus = await scheduler.workers_to_close(n=1)
            named = await scheduler.workers_to_close(target=1, attribute="name")
            none = await scheduler.workers_to_close(target=5)
            ran = await scheduler.run_function(function=pickle.dumps(name_of_scheduler))
            with pytest.raises(AttributeError, match="there is no operation 'fly'"):
                scheduler.fly
        return identity, surplus, named, none, ran

    identity, surplus, named, none, ran = asyncio.run(asked())
    workers = identity["workers"]
    assert len(surplus) == 1 and surplus[0] in workers
    assert named[0] in {worker["name"] for worker in workers.values()}
    assert none == []
    assert ran == {"status": "OK", "result": cluster.scheduler_address}


def test_an_rpc_of_a_worker_goes_by_way_of_its_scheduler(cluster):
    with Client(cluster) as client:
        value = client.submit(double, 5)
        value.result()
        address = client.who_has(value)[value.key][0]

        async def asked():
            async with rpc(address) as worker:
                ran = await worker.run(function=pickle.dumps(double), args=pickle.dumps((3,)))
                failed = await worker.run(function=double, kwargs={})
                return await worker.identity(), await worker.keys(), ran, failed

        identity, keys, ran, failed = asyncio.run(asked())
    assert identity["address"] == address
    assert value.key in keys
    assert ran == {"status": "OK", "result": 6}
    assert failed["status"] == "error" and isinstance(failed["exception"], TypeError)


def test_workers_are_retired_by_an_rpc():
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False) as cluster:

        async def retired():
            async with rpc(cluster.scheduler_address) as scheduler:
                return await scheduler.retire_workers(n=1, close_workers=True)

        gone = asyncio.run(retired())
        assert len(gone) == 1
        with Client(cluster) as client:
            until(lambda: len(client.nthreads()) == 1)
            assert not set(gone) & set(client.nthreads())


def test_messages_on_a_connection(inside):
    async def asked():
        comm = await connect(inside.scheduler_address)
        await comm.write({"op": "identity", "reply": True})
        await comm.write({"op": "echo", "data": 3})
        answers = [await comm.read(), await comm.read()]
        with pytest.raises(OSError, match="no answer yet"):
            await comm.read()
        with pytest.raises(TypeError, match="'op'"):
            await comm.write("identity")
        await comm.close()
        assert comm.closed
        with pytest.raises(OSError, match="closed"):
            await comm.write({"op": "echo"})
        return answers

    identity, echoed = asyncio.run(asked())
    assert identity["type"] == "Scheduler" and echoed == 3


def test_nobody_is_asked_without_the_token(outside):
    from samite.distributed import Security

    address = outside.scheduler_address
    stranger = Security(token="0" * 64).get_connection_args("client")

    async def asked():
        async with rpc(address, connection_args=stranger, timeout="5 s") as scheduler:
            await scheduler.identity()

    with pytest.raises(OSError):
        asyncio.run(asked())


def test_parts_of_addresses():
    assert parse_address("tls://a:1") == ("tls", "a:1")
    assert parse_address("a:1") == ("tcp", "a:1")
    with pytest.raises(ValueError, match="has no protocol"):
        parse_address("a:1", strict=True)
    assert parse_host_port("[::1]:80") == ("::1", 80)
    assert parse_host_port("a", 5) == ("a", 5)
    assert unparse_host_port("::1", 80) == "[::1]:80"
    for wrong in ("a", "::1", "[::1", "a:b"):
        with pytest.raises(ValueError):
            parse_host_port(wrong)
    assert get_address_host("tcp://10.0.0.1:8786") == "10.0.0.1"
    assert get_address_host("inproc://1/2") == "127.0.0.1"
    assert get_address_host_port("tls://h:7") == ("h", 7)
    assert resolve_address("tcp://127.0.0.1:80") == "tcp://127.0.0.1:80"
    assert get_local_address_for("tcp://127.0.0.1:80") == "tcp://127.0.0.1"


def test_futures_and_actors_are_renamed_as_references_are(local):
    from samite._task_spec import TaskRef

    future = local.submit(double, 1, key="old")
    assert future.substitute({}) is future
    assert future.substitute({"old": "new"}) == TaskRef("new")
    actor = local.submit(list, actor=True).result()
    assert actor.substitute({"other": 1}) is actor
    assert actor.substitute({actor.key: "new"}) == TaskRef("new")


def test_what_shared_things_return(local):
    from samite.distributed import Event, Lock, Queue, Semaphore, Variable

    event = Event(client=local)
    assert (event.set(), event.is_set(), event.clear(), event.is_set()) == (None, True, None, False)
    lock = Lock(client=local)
    assert (lock.acquire(), lock.locked(), lock.release()) == (True, True, None)
    queue = Queue(client=local)
    assert (queue.put(1), queue.get(), queue.qsize(), queue.close()) == (None, 1, 0, None)
    variable = Variable(client=local)
    assert (variable.set(1), variable.get(), variable.delete()) == (None, 1, None)
    semaphore = Semaphore(2, client=local)
    assert (semaphore.acquire(), semaphore.get_value(), semaphore.release()) == (True, 1, True)
    assert semaphore.close() is None
