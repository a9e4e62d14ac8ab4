"""Schedulers and workers that are started by commands: what they are told, how they end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time

import pytest
import yaml
from click.testing import CliRunner
from cluster_patience import PATIENCE

import samite
from samite.distributed import Client, Scheduler, Worker
from samite.distributed.cli.scheduler import main as scheduler_command
from samite.distributed.cli.spec import main as spec_command
from samite.distributed.cli.worker import main as worker_command
from samite.distributed.deploy.spec import run_spec


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def start(tmp_path):
    """Start a command; what still runs at the end is killed."""
    started = []

    def begin(*arguments):
        command = [sys.executable, "-m", "samite", *map(str, arguments)]
        with open(tmp_path / f"said-{len(started)}", "w") as said:
            started.append(subprocess.Popen(command, stdout=said, stderr=said))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.mark.parametrize("command", [scheduler_command, spec_command, worker_command])
def test_versions(command):
    done = CliRunner().invoke(command, ["--version"])
    assert done.exit_code == 0
    assert samite.__version__ in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "exactly one of --spec and --spec-file"),
        (["--spec", "{}", "--spec-file", "a"], "exactly one of --spec and --spec-file"),
        (["--spec", "{"], "cannot be used"),
        (["--spec", "{}"], "it is empty"),
        (["--spec", "3"], "no mapping with a class as 'cls'"),
        (["--spec", '{"cls": 3}'], "no mapping with a class as 'cls'"),
        (["--spec", '{"cls": "Worker", "opts": []}'], "'opts' of 'spec' is no mapping"),
        (["--spec", '{"cls": "Worker", "options": {}}'], "has 'options'"),
        (["--spec", '{"cls": "samite.distributed.Wrker"}'], "has no attribute 'Wrker'"),
        (["--spec-file", "not-there.yaml"], "No such file"),
    ],
)
def test_specifications_that_cannot_be_used(arguments, said):
    done = CliRunner().invoke(spec_command, arguments)
    assert done.exit_code == 1
    assert said in done.output


def test_what_a_specification_says_is_run(start, port, tmp_path):
    said = '{"cls": "dask.distributed.Scheduler", "opts": {"host": "127.0.0.1", "port": %d}}'
    scheduler = start("spec", "--open", "--spec", said % port)
    one = {"cls": "dask.distributed.Worker", "opts": {"nthreads": 3, "name": "one"}}
    two = {"cls": "samite.distributed.Nanny", "opts": {"nthreads": 2, "name": "two"}}
    (tmp_path / "spec.yaml").write_text(yaml.dump({"a": one, "b": two}))
    address = f"tcp://127.0.0.1:{port}"
    workers = start("spec", "--open", address, "--spec-file", tmp_path / "spec.yaml")
    with Client(address, security=False, timeout=PATIENCE) as client:
        client.wait_for_workers(2, timeout=PATIENCE)
        found = client.scheduler_info()["workers"].values()
        assert {(worker["name"], worker["nthreads"]) for worker in found} == {
            ("one", 3),
            ("two", 2),
        }
        workers.send_signal(signal.SIGTERM)
        assert workers.wait(PATIENCE) == 0
    scheduler.send_signal(signal.SIGINT)
    assert scheduler.wait(PATIENCE) == 0
    assert "Received signal SIGINT" in (tmp_path / "said-0").read_text()


def test_ranges_of_ports():
    import asyncio

    async def run():
        with socket.socket() as used:
            used.bind(("127.0.0.1", 0))
            used.listen()
            first = used.getsockname()[1]
            ports = f"{first}:{first + 20}"
            async with Scheduler(port=ports, dashboard=False) as scheduler:
                port = int(scheduler.address.rpartition(":")[2])
                assert first < port <= first + 20
                async with Worker(scheduler.address, port=ports, nthreads=1) as worker:
                    assert port < int(worker.address.rpartition(":")[2]) <= first + 20
                with pytest.raises(OSError, match=f"Not enough ports in range {first}:{first}"):
                    await Worker(scheduler.address, port=f"{first}:{first}", nthreads=1)

    asyncio.run(run())


@pytest.mark.parametrize("port", ["5:4", "a", "1:2:3", "70000", "-1"])
def test_ports_that_are_none(port):
    with pytest.raises(ValueError, match="no port, and no range"):
        Scheduler(port=port)


def test_run_spec():
    import asyncio

    async def run():
        scheduler = {"cls": "samite.distributed.Scheduler", "opts": {"dashboard": False}}
        made = await run_spec({0: scheduler})
        worker = {"cls": "samite.distributed.Worker", "opts": {"nthreads": 1}}
        workers = await run_spec({"x": worker, "y": worker}, made[0].address)
        assert list(workers) == ["x", "y"]
        assert workers["x"].address != workers["y"].address
        for server in (*workers.values(), *made.values()):
            await server.close()

    asyncio.run(run())


@pytest.mark.parametrize("nanny", ["--nanny", "--no-nanny"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_that_waits_for_its_scheduler_ends_when_it_is_told_to(
    start, port, tmp_path, nanny, number
):
    pid_file = tmp_path / "pid"
    worker = start("worker", f"127.0.0.1:{port}", "--open", nanny, "--pid-file", pid_file)
    began = time.monotonic()
    while not catches(worker.pid, signal.SIGTERM):
        assert time.monotonic() < began + PATIENCE
        time.sleep(0.05)
    assert int(pid_file.read_text()) == worker.pid
    worker.send_signal(number)
    told = time.monotonic()
    assert worker.wait(PATIENCE) == 128 + number
    # It would wait for its scheduler for longer.
    assert time.monotonic() < told + 10
    assert not pid_file.exists()


def catches(pid, number):
    """Whether a process has a handler for a signal, and so waits for its scheduler."""
    with open(f"/proc/{pid}/status") as status:
        [caught] = [line.split()[1] for line in status if line.startswith("SigCgt:")]
    return bool(int(caught, 16) >> (number - 1) & 1)
