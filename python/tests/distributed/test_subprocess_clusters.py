"""Clusters whose scheduler has a process of its own."""

from __future__ import annotations

import os
import sys

import cloudpickle
import pytest
from cluster_patience import PATIENCE

from samite.distributed import Client, SchedulerPlugin, SubprocessCluster

# The scheduler's process cannot import this module.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def pid_of_scheduler(dask_scheduler):
    dask_scheduler.log_event("asked", dask_scheduler.address)
    return os.getpid()


def fails(dask_scheduler):
    raise ValueError("on purpose")


class Noting(SchedulerPlugin):
    name = "noting"

    def start(self, scheduler):
        scheduler.log_event("noted", "started")


@pytest.fixture(scope="module")
def apart():
    cluster = SubprocessCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None, worker_kwargs={"nanny": False}
    )
    with cluster:
        yield cluster


def test_nothing_of_it_is_in_this_process(apart):
    with Client(apart) as client:
        assert client.submit(os.getpid).result(timeout=PATIENCE) != os.getpid()
        [address] = client.nthreads()
        assert client.nthreads()[address] == 2
        found = client.run_on_scheduler(pid_of_scheduler)
        assert found not in (os.getpid(), client.submit(os.getpid).result())
        assert [event for _, event in client.get_events("asked")] == [client.scheduler_address]
        with pytest.raises(ValueError, match="on purpose"):
            client.run_on_scheduler(fails)


def test_plugins_of_a_scheduler_in_another_process(apart):
    with Client(apart) as client:
        client.register_plugin(Noting())
        assert [event for _, event in client.get_events("noted")] == ["started"]
        client.unregister_scheduler_plugin("noting")
        with pytest.raises(ValueError, match="Could not find plugin 'noting'"):
            client.unregister_scheduler_plugin("noting")


def test_it_grows(apart):
    apart.scale(2)
    apart.wait_for_workers(2, timeout=60)
    with Client(apart) as client:
        assert len(client.nthreads()) == 2


def test_other_workers_are_refused():
    with pytest.raises(ValueError, match="worker_class is"):
        SubprocessCluster(worker_class="mine.Odd")
