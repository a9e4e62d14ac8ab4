"""Starting, scaling, restarting and ending clusters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from cluster_patience import PATIENCE

from samite.distributed import Client, LocalCluster, Security, SpecCluster, Status
from samite.distributed.cli.worker import parse_resources
from samite.distributed.deploy.local import nprocesses_nthreads
from samite.distributed.security import token_file
from samite.distributed.worker import parse_memory_limit


def until(true, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


@pytest.mark.parametrize("processes", [False, True])
def test_life_of_a_cluster(processes):
    cluster = LocalCluster(n_workers=1, threads_per_worker=2, processes=processes)
    assert cluster.status is Status.running
    with Client(cluster) as client:
        assert list(client.nthreads().values()) == [2]
        assert client.submit(sum, [1, 2]).result(PATIENCE) == 3
        inside = client.submit(os.getpid).result(PATIENCE) == os.getpid()
        assert inside is not processes
    cluster.close()
    cluster.close()
    assert cluster.status is Status.closed


@pytest.mark.parametrize("processes", [False, True])
def test_scaling(processes):
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=processes) as cluster:
        cluster.scale(3)
        cluster.wait_for_workers(3, timeout=PATIENCE)
        with Client(cluster) as client:
            kept = client.scatter(list(range(6)))
            cluster.scale(1)
            until(lambda: len(client.nthreads()) == 1)
            assert client.gather(kept) == list(range(6))
            assert cluster.plan == cluster.requested


def test_a_worker_that_dies_is_replaced():
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster:
        with Client(cluster) as client:
            [pid] = client.run(os.getpid).values()
            os.kill(pid, signal.SIGKILL)
            until(lambda: _pids(client) not in ([], [pid]))
            assert client.submit(sum, [1, 2]).result(PATIENCE) == 3


def _pids(client):
    return list(client.run(os.getpid, on_error="ignore").values())


def test_restarting():
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True) as cluster:
        with Client(cluster) as client:
            before = set(client.run(os.getpid).values())
            future = client.submit(sum, [1, 2])
            future.result(PATIENCE)
            client.restart(timeout=PATIENCE)
            assert future.status == "cancelled"
            after = set(client.run(os.getpid).values())
            assert len(after) == 2 and not before & after


def test_workers_that_are_retired_leave_their_data():
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False) as cluster:
        with Client(cluster) as client:
            kept = client.scatter(list(range(10)))
            gone = list(client.nthreads())[0]
            assert list(client.retire_workers([gone])) == [gone]
            until(lambda: gone not in client.nthreads())
            assert client.gather(kept) == list(range(10))


def test_adapting():
    with LocalCluster(n_workers=0, threads_per_worker=1, processes=False) as cluster:
        cluster.adapt(minimum=0, maximum=2, interval="50ms", wait_count=2)
        with Client(cluster) as client:
            futures = client.map(lambda x: time.sleep(0.2) or x, range(8))
            assert client.gather(futures) == list(range(8))
            del futures
            until(lambda: not cluster.plan)


def test_no_stranger_may_connect():
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster:
        address = cluster.scheduler_address
        with pytest.raises((OSError, TimeoutError)):
            Client(address, security=Security(token="0" * 64), timeout=5)
        with Client(address) as client:
            assert client.submit(sum, [1]).result(PATIENCE) == 1


def test_a_client_in_another_process_by_a_scheduler_file(tmp_path):
    path = tmp_path / "scheduler.json"
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster:
        with Client(cluster) as client:
            client.write_scheduler_file(str(path))
        assert path.stat().st_mode & 0o077 == 0
        program = (
            "import sys\nfrom samite.distributed import Client\n"
            "with Client(scheduler_file=sys.argv[1]) as client:\n"
            "    print(client.submit(sum, [1, 2, 3]).result(20))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)],
            capture_output=True,
            text=True,
            timeout=3 * PATIENCE,
            check=False,
        )
        assert done.stdout.strip() == "6", done.stderr


def test_a_specification_of_workers():
    from samite.distributed import Scheduler, Worker

    worker = {"cls": Worker, "options": {"nthreads": 1}}
    with SpecCluster(
        workers={"a": worker, "b": {**worker, "options": {"nthreads": 3}}},
        scheduler={"cls": Scheduler, "options": {"protocol": "inproc"}},
        worker=worker,
    ) as cluster:
        with Client(cluster) as client:
            names = {one["name"]: one for one in client.scheduler_info()["workers"].values()}
            assert {name: one["nthreads"] for name, one in names.items()} == {"a": 1, "b": 3}
            cluster.scale(3)
            cluster.wait_for_workers(3, timeout=PATIENCE)


def test_a_worker_class_that_fails_is_reported():
    class Broken:
        def __init__(self, scheduler, name=None):
            pass

        def __await__(self):
            raise OSError("no such queue")
            yield

    from samite.distributed import Scheduler

    with pytest.raises(OSError, match="no such queue"):
        SpecCluster(
            workers={0: {"cls": Broken, "options": {}}},
            scheduler={"cls": Scheduler, "options": {"protocol": "inproc"}},
        )


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="n_workers"):
        LocalCluster(n_workers=-1)
    with pytest.raises(ValueError, match="threads_per_worker"):
        LocalCluster(threads_per_worker=-1)


def test_memory_limits():
    assert parse_memory_limit("2 GB", 1) == 2_000_000_000
    assert parse_memory_limit(0, 1) is None and parse_memory_limit(None, 1) is None
    assert parse_memory_limit("0", 1) is None
    total = parse_memory_limit(1.0, 1)
    assert parse_memory_limit(0.5, 1) == total // 2
    assert 0 < parse_memory_limit("auto", 1) <= total
    assert parse_memory_limit("auto", 2, 8) == total // 4
    with pytest.raises(ValueError, match="memory_limit"):
        parse_memory_limit(-5, 1)


@pytest.mark.parametrize("workers", [1, 7])
def test_workers_share_the_memory_of_the_machine(workers):
    with (
        LocalCluster(n_workers=workers, threads_per_worker=2, processes=False) as cluster,
        Client(cluster) as client,
    ):
        limits = [one["memory_limit"] for one in client.scheduler_info()["workers"].values()]
        total = parse_memory_limit(1.0, 1)
        assert total - workers <= sum(limits) <= total


def test_shapes_of_local_clusters():
    for n in range(1, 70):
        processes, threads = nprocesses_nthreads(n)
        assert processes * threads == n and processes >= threads


def test_resources_on_the_command_line():
    assert parse_resources("GPU=2 MEM=1e9") == {"GPU": 2.0, "MEM": 1e9}
    assert parse_resources("") == {}
    for bad in ("GPU", "GPU=", "=2", "GPU=two"):
        with pytest.raises(ValueError, match="amount"):
            parse_resources(bad)


def test_token_files(tmp_path):
    path = tmp_path / "folder" / "token"
    token = token_file(path, create=True)
    assert len(token) == 64 and token_file(path) == token
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(PermissionError, match="chmod"):
        token_file(path)
    with pytest.raises(FileNotFoundError):
        token_file(tmp_path / "none")


def test_secrets_are_not_shown():
    security = Security(token="s3cret", tls_ca_file="ca.pem")
    assert "s3cret" not in repr(security) and "ca.pem" in repr(security)
    with pytest.raises(TypeError, match="colour"):
        Security(colour="red")


def test_resources_are_respected():
    with LocalCluster(
        n_workers=1, threads_per_worker=4, processes=False, resources={"GPU": 1}
    ) as cluster:
        with Client(cluster) as client:
            running = client.map(_most_at_once, range(6), resources={"GPU": 1})
            assert max(client.gather(running)) == 1


_now = []


def _most_at_once(_):
    _now.append(1)
    most = len(_now)
    time.sleep(0.02)
    _now.pop()
    return most


def test_commands(tmp_path):
    """A scheduler and a worker by the command line, and a client beside them."""
    path = tmp_path / "scheduler.json"
    token = tmp_path / "token"
    run = [sys.executable, "-m", "samite"]
    scheduler = subprocess.Popen(
        [*run, "scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard"]
        + ["--token-file", str(token), "--scheduler-file", str(path)],
        stderr=subprocess.PIPE,
    )
    worker = None
    try:
        until(path.exists)
        worker = subprocess.Popen(
            [*run, "worker", "--scheduler-file", str(path), "--nthreads", "2", "--name", "w"]
            + ["--resources", "GPU=1"],
            stderr=subprocess.PIPE,
        )
        with Client(scheduler_file=str(path)) as client:
            client.wait_for_workers(1, timeout=2 * PATIENCE)
            [info] = client.scheduler_info()["workers"].values()
            assert (info["name"], info["nthreads"]) == ("w", 2)
            assert client.submit(sum, [1, 2], resources={"GPU": 1}).result(PATIENCE) == 3
    finally:
        for process in (worker, scheduler):
            if process is not None:
                process.send_signal(signal.SIGINT)
                assert process.wait(PATIENCE) == 0, process.stderr.read().decode()
    assert not path.exists()


def test_addresses_of_interfaces():
    from samite.distributed._servers import address_of_interface

    assert address_of_interface("lo") == "127.0.0.1"
    with pytest.raises(ValueError, match=r"'nowhere'.*lo"):
        address_of_interface("nowhere")


def test_clusters_start_without_optional_packages():
    program = """
import sys
for name in ("psutil", "numpy", "pandas", "bokeh", "jinja2", "rich"):
    sys.modules[name] = None
from samite.distributed import Client
with Client(processes=False, n_workers=1) as client:
    assert client.submit(sum, [1, 2]).result() == 3
    assert "Client" in repr(client)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE)


def test_adapting_counts_work_that_no_worker_has_yet():
    with LocalCluster(n_workers=0, threads_per_worker=1, processes=False) as cluster:
        cluster.adapt(minimum=0, maximum=3, interval="20ms", target_duration="200ms")
        with Client(cluster) as client:
            futures = client.map(lambda x: time.sleep(0.05) or x, range(100))
            until(lambda: len(client.nthreads()) == 3)
            adaptive = cluster.adapt(maximum=1, interval="20ms", wait_count=1)
            until(adaptive.is_running)
            assert client.gather(futures) == list(range(100))
    until(lambda: adaptive.state == "stopped")
    assert adaptive.periodic_callback is None


@pytest.mark.parametrize("package", ["samite.distributed", "distributed"])
def test_adapting_by_cores_and_memory(package):
    made = pytest.importorskip(package).LocalCluster(
        n_workers=0,
        threads_per_worker=2,
        memory_limit="3 GB",
        processes=False,
        dashboard_address=":0",
    )
    with made as cluster:
        for given, wanted in (
            ({"minimum_cores": 3, "maximum_cores": 9}, (2, 4)),
            ({"minimum_memory": "7GB", "maximum_memory": "20 GB"}, (3, 6)),
            ({"minimum": 1, "maximum": 7, "minimum_cores": 4, "maximum_memory": "1 TB"}, (2, 7)),
        ):
            adaptive = cluster.adapt(**given)
            assert (adaptive.minimum, adaptive.maximum) == wanted
            adaptive.stop()


def test_scaling_by_what_workers_do_not_say():
    from samite.distributed import Scheduler, Worker

    worker = {"cls": Worker, "options": {"nthreads": 1}}
    with SpecCluster(scheduler={"cls": Scheduler}, worker=worker) as cluster:
        cluster.scale(cores=2)
        assert len(cluster.worker_spec) == 2
        with pytest.raises(ValueError, match="memory_limit"):
            cluster.scale(memory="5 GB")
    with SpecCluster(scheduler={"cls": Scheduler}, worker={"cls": Worker}) as cluster:
        with pytest.raises(ValueError, match="nthreads"):
            cluster.scale(cores=2)


def test_an_open_scheduler_is_open_to_its_own_process(tmp_path, monkeypatch):
    from samite import config
    from samite.distributed import Scheduler

    secret = tmp_path / "token"
    assert token_file(secret, create=True)
    scheduler = {"cls": Scheduler, "options": {"security": False, "protocol": "tcp"}}
    with config.set({"distributed.comm.token-file": str(secret)}):
        with SpecCluster(scheduler=scheduler) as cluster, Client(cluster) as client:
            assert cluster.scheduler.workers == {} and client.nthreads() == {}
            address = cluster.scheduler_address
            # Another process takes the user's token for the cluster's, unless it is told not to.
            told = [_connected(address, given, secret) for given in ("None", "False")]
            assert "security=False" in told[0] and told[1] == "connected", told


def _connected(address, security, secret):
    program = (
        "import sys, samite\nfrom samite.distributed import Client, Worker\n"
        "samite.config.set({'distributed.comm.token-file': sys.argv[2]})\n"
        "import asyncio\n"
        "async def run():\n"
        f"    async with Worker(sys.argv[1], security={security}):\n"
        f"        async with Client(sys.argv[1], security={security}, asynchronous=True) as c:\n"
        "            await c.submit(sum, [1])\n"
        "try:\n    asyncio.run(run()); print('connected')\n"
        "except OSError as error: print(error)\n"
    )
    command = [sys.executable, "-c", program, address, str(secret)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout.strip()
