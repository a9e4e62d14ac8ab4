"""Workers that end by themselves after a time."""

import os
import subprocess
import sys
import time

import pytest

from samite import config
from samite.distributed import Client, LocalCluster, Nanny, SpecCluster, Worker
from samite.distributed import Scheduler as OwnScheduler


def until(what, look, seconds=30.0):
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, f"no {what}"
        time.sleep(0.05)


def workers(client):
    return client.scheduler_info()["workers"]


def test_a_worker_gives_its_results_to_others_before_it_ends():
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        short = Worker(cluster.scheduler_address, name="short", nthreads=1, lifetime="1500 ms")
        cluster.sync(short.start)
        held = client.map(os.urandom, [1000] * 20, pure=False)
        first = client.gather(held)
        long = Worker(cluster.scheduler_address, name="long", nthreads=1)
        cluster.sync(long.start)
        until("end", lambda: [w["name"] for w in workers(client).values()] == ["long"])
        assert client.gather(held) == first
        cluster.sync(short.close)
        cluster.sync(long.close)


def test_a_worker_that_is_closed_before_does_nothing_later():
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        short = Worker(cluster.scheduler_address, name="short", nthreads=1, lifetime=0.5)
        cluster.sync(short.start)
        cluster.sync(short.close)
        time.sleep(0.8)
        assert client.submit(sum, (1, 2)).result() == 3


@pytest.mark.parametrize("again", [True, False])
def test_a_nanny_starts_a_worker_again_only_if_it_is_to(again):
    options = {"nthreads": 1, "lifetime": "2s", "lifetime_restart": again}
    cluster = SpecCluster(
        scheduler={"cls": OwnScheduler, "options": {"dashboard": False}},
        workers={0: {"cls": Nanny, "options": options}},
    )
    with cluster, Client(cluster) as client:
        client.wait_for_workers(1)
        first = client.submit(os.getpid, pure=False).result()

        def other():
            known = {worker.get("pid") for worker in workers(client).values()}
            return bool(known) and first not in known

        if again:
            until("other process", other)
            assert client.submit(os.getpid, pure=False).result() != first
        else:
            until("end", lambda: not workers(client))
            time.sleep(1.5)
            assert not workers(client)


def test_settings_say_how_long_workers_live():
    with (
        config.set({"distributed.worker.lifetime.duration": "1 hour"}),
        config.set({"distributed.worker.lifetime.stagger": "10 minutes"}),
        LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster,
    ):
        lives = {Worker(cluster.scheduler_address).lifetime for _ in range(20)}
    assert len(lives) > 1
    assert all(3000 <= life <= 4200 for life in lives)


def test_a_lifetime_that_is_no_time_is_refused():
    with pytest.raises(ValueError, match="lifetime of a worker is a time .* not 'long'"):
        Worker("tcp://127.0.0.1:1", lifetime="long")


@pytest.mark.parametrize("nanny", ["--nanny", "--no-nanny"])
def test_the_command_ends_with_its_worker(nanny):
    with (
        LocalCluster(n_workers=0, processes=True, security=False) as cluster,
        Client(cluster) as client,
    ):
        command = [sys.executable, "-m", "samite.distributed.cli.worker"]
        options = ["--nthreads", "1", nanny, "--lifetime", "2 s", "--open"]
        address = cluster.scheduler_address
        process = subprocess.Popen([*command, address, *options], stderr=subprocess.PIPE)
        try:
            client.wait_for_workers(1, timeout=30)
            assert client.submit(sum, (1, 2)).result(timeout=20) == 3
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
        assert process.returncode == 0, said.decode()
        assert b"End worker" in said
