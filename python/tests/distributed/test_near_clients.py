"""Clients of clusters whose scheduler is in this process."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from samite.distributed import Client, LocalCluster, Security, Worker


def double(x: Any) -> Any:
    return 2 * x


def test_clients_of_a_cluster_object_need_no_socket_and_name_the_same_address() -> None:
    with LocalCluster(n_workers=1, processes=False, protocol="tcp") as cluster:
        assert cluster.scheduler_address.startswith("tcp://")
        with Client(cluster) as near, Client(cluster.scheduler_address) as far:
            assert near.scheduler_address == far.scheduler_address == cluster.scheduler_address
            future = near.submit(double, 21)
            assert future.result() == 42
            assert far.submit(double, 21).key == future.key
            assert set(far.who_has()) == set(near.who_has())


def test_values_of_a_near_client_reach_workers_of_other_processes() -> None:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True) as cluster:
        with Client(cluster) as client:
            client.wait_for_workers(2, timeout=60)
            block = np.arange(1000)
            scattered = client.scatter([block, "text", {"a": 1}], broadcast=True)
            assert client.gather([client.submit(double, one) for one in scattered[:2]])[1] == (
                "texttext"
            )
            np.testing.assert_array_equal(client.submit(double, scattered[0]).result(), 2 * block)
            assert client.gather(scattered[2], direct=False) == {"a": 1}


def test_values_reach_near_and_far_workers_alike() -> None:
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False) as near:
        with Client(near) as client:
            assert client.scatter(1).result() == 1

    async def mixed() -> None:
        async with LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", asynchronous=True
        ) as cluster:
            near_address = cluster.scheduler._near_address
            assert near_address.startswith("inproc://")
            async with Worker(near_address, nthreads=1, name="near"):
                async with Client(cluster, asynchronous=True) as client:
                    await client.wait_for_workers(2)
                    found = await client.scatter([1, 2, 3, 4], broadcast=True)
                    assert await client.gather(found) == [1, 2, 3, 4]
                    with pytest.raises(TypeError, match="lock"):
                        await client.scatter([threading.Lock()], broadcast=True)

    asyncio.run(mixed())


def test_another_token_is_refused_in_the_same_process_too() -> None:
    with LocalCluster(n_workers=0, processes=False, protocol="tcp") as cluster:
        with pytest.raises((OSError, TimeoutError, ValueError)):
            Client(cluster, security=Security(token="not the token of this cluster"), timeout=3)


def test_no_time_is_too_little_for_any_connection() -> None:
    with LocalCluster(n_workers=0, processes=False, protocol="tcp") as cluster:
        for address in (cluster, cluster.scheduler_address):
            with pytest.raises(OSError, match="no connection to .* can be made in 0"):
                Client(address, timeout=0)
