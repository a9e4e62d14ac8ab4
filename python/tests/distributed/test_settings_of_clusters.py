"""Settings of clusters that change what members do."""

from __future__ import annotations

import os
import signal
import time

import pytest
from cluster_patience import PATIENCE

from samite import config
from samite.distributed import Client, LocalCluster
from samite.distributed._settings import connections, memory_manager, patiences


def until(true, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def test_tasks_fail_that_no_worker_may_run_for_too_long():
    from samite.distributed.scheduler import NoValidWorkerError

    with config.set({"distributed.scheduler.no-workers-timeout": "300ms"}):
        with LocalCluster(n_workers=1, threads_per_worker=1, processes=False) as cluster:
            with Client(cluster) as client:
                lonely = client.submit(int, key="lonely", resources={"GPU": 1})
                needs = client.submit(str, lonely)
                with pytest.raises(NoValidWorkerError, match="'lonely' within 0.3 s") as caught:
                    lonely.result(timeout=PATIENCE)
                assert caught.value.task == "lonely" and caught.value.timeout == 0.3
                with pytest.raises(NoValidWorkerError):
                    needs.result(timeout=PATIENCE)
                # Others go on, and it is run when there is a worker after all.
                assert client.submit(int, 3).result() == 3


def test_tasks_wait_for_ever_unless_the_setting_says_so():
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False) as cluster:
        with Client(cluster) as client:
            lonely = client.submit(int, resources={"GPU": 1})
            time.sleep(0.5)
            assert lonely.status == "pending"


def test_workers_that_tell_nothing_are_given_up():
    with config.set({"distributed.scheduler.worker-ttl": "2s"}):
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=True) as cluster:
            with Client(cluster) as client:
                pids = client.run(os.getpid)
                stopped, pid = next(iter(pids.items()))
                value = client.submit(int, 7, workers=[stopped], allow_other_workers=True)
                assert value.result() == 7
                os.kill(pid, signal.SIGSTOP)
                try:
                    until(lambda: stopped not in client.nthreads())
                    # What it held alone is computed anew.
                    assert client.submit(str, value).result(timeout=PATIENCE) == "7"
                finally:
                    os.kill(pid, signal.SIGCONT)
                until(lambda: len(client.nthreads()) == 2)


def test_leases_end_after_the_time_that_is_set():
    from samite.distributed import Semaphore

    with config.set(
        {
            "distributed.scheduler.locks.lease-timeout": "400ms",
            "distributed.scheduler.locks.lease-validation-interval": "100s",
        }
    ):
        with LocalCluster(n_workers=1, processes=False) as cluster, Client(cluster) as client:
            one = Semaphore(1, name="leased", client=client)
            assert one.acquire()
            other = Semaphore(1, name="leased", client=client)
            assert other.acquire(timeout=PATIENCE)


@pytest.mark.parametrize("given", [False, "auto", "lz4"])
def test_compression(given):
    data = b"0123456789" * 100_000
    with config.set({"distributed.comm.compression": given}):
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=True) as cluster:
            with Client(cluster) as client:
                first, second = client.nthreads()
                there = client.submit(bytes, data, workers=[first], pure=False)
                again = client.submit(bytes.__add__, there, b"!", workers=[second], pure=False)
                assert again.result() == data + b"!"


def test_what_workers_tell_of_themselves(outside):
    with Client(outside) as client:
        first, second = client.nthreads()
        data = client.submit(bytes, 3_000_000, workers=[first], pure=False)
        assert client.submit(len, data, workers=[second], pure=False).result() == 3_000_000

        def metrics(address):
            return client.scheduler_info()["workers"][address]["metrics"]

        until(lambda: metrics(second).get("transfer", {}).get("incoming_count_total", 0) >= 1)
        until(lambda: metrics(first)["transfer"]["outgoing_bytes_total"] >= 3_000_000)
        assert metrics(second)["transfer"]["incoming_bytes_total"] >= 3_000_000
        told = metrics(first)
        assert told["cpu"] >= 0 and told["memory"] > 3_000_000 and told["managed_bytes"] > 0
        assert told["num_fds"] > 3
        assert abs(told["time"] - time.time()) < 60
        for name in ("host_net_io", "host_disk_io"):
            assert set(told[name]) == {"read_bps", "write_bps"}
        assert told["task_counts"]["memory"] >= 1
        info = client.scheduler_info()["workers"][first]
        assert info["memory"]["process"] == told["memory"]
        assert abs(info["last_seen"] - time.time()) < 60
        del data


def test_settings_are_read_once_and_named_where_they_are_wrong():
    assert connections()["compression"] == "remote" and connections()["idle_time"] == 60
    assert patiences() == {"worker": 300.0, "no_workers": None, "lease": 30.0}
    assert memory_manager()["interval"] == 2.0
    retry = {"count": 3, "delay": {"min": "10ms", "max": "1s"}}
    with config.set({"distributed.comm.retry": retry, "distributed.comm.timeouts.tcp": "5s"}):
        found = connections()
    assert (found["retries"], found["first_pause"], found["longest_pause"]) == (3, 0.01, 1.0)
    assert found["idle_time"] == 5.0
    for name, value in (
        ("distributed.comm.compression", "zip"),
        ("distributed.comm.retry.count", -1),
        ("distributed.comm.timeouts.tcp", "never"),
        ("distributed.scheduler.worker-ttl", "0s"),
    ):
        with config.set({name: value}), pytest.raises(ValueError, match=name):
            connections(), patiences()


_made: dict = {}


def load_security(info):
    """What the setting of a test names."""
    _made["asked"] = info
    return _made["security"]


def test_a_function_makes_the_security_of_clients():
    from samite.distributed import Security

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster:
        _made["security"] = cluster.security
        name = f"{__name__}.load_security"
        with config.set({"distributed.client.security-loader": name}):
            with Client(cluster.scheduler_address) as client:
                assert client.security is cluster.security
                assert client.submit(int, 3).result(timeout=PATIENCE) == 3
            assert _made["asked"] == {"address": cluster.scheduler_address}
            _made["security"] = "none"
            with pytest.raises(TypeError, match="makes a Security or None, not str"):
                Client(cluster.scheduler_address)
            _made["security"] = Security(token="0" * 64)
            with pytest.raises(OSError):
                Client(cluster.scheduler_address, timeout="5 s")
        with config.set({"distributed.client.security-loader": "nowhere.at_all"}):
            with pytest.raises(ImportError, match="names no function: 'nowhere.at_all'"):
                Client(cluster.scheduler_address)


def test_names_of_figures_begin_as_the_setting_says():
    from urllib.request import urlopen

    with config.set({"distributed.dashboard.prometheus.namespace": "mine"}):
        with LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster:
            page = cluster.dashboard_link.replace("/status", "/metrics")
            figures = urlopen(page).read().decode()
    assert "\nmine_scheduler_workers{" in figures and "\nmine_worker_cpu_percent{" in figures
    assert "dask_" not in figures


def test_the_protocol_where_none_is_said():
    from samite.distributed._servers import listen_address

    assert listen_address(None) == "tcp://127.0.0.1:0"
    with config.set({"distributed.comm.default-scheme": "unix"}):
        assert listen_address(None).startswith("unix://")
    with config.set({"distributed.comm.default-scheme": "ws"}):
        with pytest.raises(ValueError, match="unknown protocol 'ws'"):
            listen_address(None)
