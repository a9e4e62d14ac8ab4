"""What a cluster takes as workers are added, and what its scheduler takes for a task.

Scheduler and workers are processes started by the command line, so that the scheduler's processor
time and memory are its own. The topics that use this are in cluster.py.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import Contender, Facts, Topic, memory, timed

HOST = "127.0.0.1"
DEADLINE = 180


def increment(x: int) -> int:
    return x + 1


@dataclass
class Running:
    """A cluster of processes, and what starting it took."""

    client: Any
    scheduler: int
    workers: list[int]
    # Seconds from the start of the workers' command until all of them had joined.
    started: float


def commands(package: str, port: int, token: str, workers: int) -> tuple[list[str], list[str]]:
    """How a scheduler and its workers are started."""
    address, here = f"tcp://{HOST}:{port}", ["--host", HOST, "--port", str(port)]
    many = [address, "--nworkers", str(workers), "--nthreads", "1", "--memory-limit", "0"]
    if package == "samite.distributed":
        run, safe = [sys.executable, "-m", "samite"], ["--token-file", token]
        scheduler = [*run, "scheduler", *here, "--no-dashboard", "--no-journal", *safe]
        return scheduler, [*run, "worker", *many, *safe]
    run = [sys.executable, "-m", "dask"]
    return [*run, "scheduler", *here, "--no-dashboard"], [*run, "worker", *many, "--no-dashboard"]


def wait_for(port: int) -> None:
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port)):
            return
        time.sleep(0.02)
    raise TimeoutError("the scheduler does not listen")


def identity() -> int:
    return os.getpid()


@contextlib.contextmanager
def running(package: str, workers: int) -> Iterator[Running]:
    """A cluster of so many workers of one thread, each of which has answered a call."""
    module = importlib.import_module(package)
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        token = os.path.join(folder, "token")
        log = ends.enter_context(open(os.path.join(folder, "log"), "ab"))
        scheduler, many = commands(package, port, token, workers)
        processes = []

        def stop() -> None:
            for process in reversed(processes):
                process.terminate()
            for process in reversed(processes):
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

        def start(command: list[str]) -> None:
            # Workers import the functions of this file by their names.
            where = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
            started = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=where)
            processes.append(started)

        ends.callback(stop)
        start(scheduler)
        wait_for(port)
        options = {}
        if package == "samite.distributed":
            options["security"] = module.Security(token=Path(token).read_text().strip())
        client = ends.enter_context(module.Client(f"tcp://{HOST}:{port}", **options))
        began = time.perf_counter()
        start(many)
        client.wait_for_workers(workers, timeout=DEADLINE)
        started = time.perf_counter() - began
        pids = list(client.run(identity).values())
        client.gather(client.map(increment, range(-10 * workers, 0)))
        yield Running(client, processes[0].pid, pids, started)


def processor_seconds_of(process: int) -> float:
    """Of all threads that it has now."""
    threads = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) * 1e-9


def resident(process: int) -> int:
    """The bytes of a process that are in memory, each page divided by those who share it."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"process {process} has no Pss")


def watched(cluster: Running, tasks: int, work: Callable[[], Any]) -> Facts:
    """Runs work of so many tasks: its seconds, and what it took of the scheduler's processor and
    memory and of the client's memory while its results were held."""
    before = resident(cluster.scheduler), memory("VmRSS")
    used = processor_seconds_of(cluster.scheduler)
    held: list[Any] = []
    facts = timed(lambda: held.append(work()))
    used = processor_seconds_of(cluster.scheduler) - used
    return {
        **facts,
        "scheduler_us_a_task": round(1e6 * used / tasks, 2),
        "scheduler_bytes_a_task": round((resident(cluster.scheduler) - before[0]) / tasks),
        "client_bytes_a_task": round((memory("VmRSS") - before[1]) / tasks),
    }


def growing(package: str, workers: int) -> Callable[[int], Facts]:
    """Trivial calls, mapped and gathered."""

    def work(size: int) -> Facts:
        with running(package, workers) as cluster:
            client = cluster.client

            def all_calls() -> Any:
                futures = client.map(increment, range(size))
                assert client.gather(futures)[-1] == size
                return futures

            facts = watched(cluster, size, all_calls)
            mean = sum(map(resident, cluster.workers)) / workers
            start = 1000 * cluster.started / workers
            return {**facts, "start_ms_a_worker": round(start), "worker_mb": round(mean / 1e6, 1)}

    return work


def chained(package: str, moving: bool) -> Callable[[int], Facts]:
    """Calls that each need the one before: on two workers in turn, so that each one moves a value,
    or all on one of them."""

    def work(size: int) -> Facts:
        with running(package, 2) as cluster:
            client = cluster.client
            addresses = list(client.scheduler_info()["workers"])
            assert len(addresses) == 2

            def chain() -> Any:
                futures = [client.submit(increment, 0, workers=[addresses[0]])]
                for number in range(1, size):
                    place = addresses[number % 2 if moving else 0]
                    futures.append(client.submit(increment, futures[-1], workers=[place]))
                assert futures[-1].result() == size
                return futures

            return watched(cluster, size, chain)

    return work


def machine(workers: int, shape: str) -> Callable[[int], Facts]:
    """The scheduling machine alone, with workers that answer at once: an example in Rust."""

    def work(size: int) -> Facts:
        command = ["cargo", "run", "--quiet", "--release", "-p", "samite-scheduling"]
        command += ["--example", "growth", "--", str(workers), str(size), shape]
        root = Path(__file__).resolve().parents[1]
        found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
        return json.loads(found.stdout)

    return work


def server(workers: int) -> Callable[[int], Facts]:
    """The whole scheduler, with connections that speak the protocol and answer at once: a test in
    Rust. `seconds` are those that the scheduler's thread takes for a map."""

    def work(size: int) -> Facts:
        name = "scheduler::growth::"
        command = ["cargo", "test", "--quiet", "--release", "-p", "samite-cluster", "--lib", name]
        sizes = {"SAMITE_GROWTH_WORKERS": str(workers), "SAMITE_GROWTH_TASKS": str(size)}
        found = subprocess.run(
            [*command, "--", "--nocapture"],
            cwd=Path(__file__).resolve().parents[1],
            env={**os.environ, **sizes},
            capture_output=True,
            text=True,
            check=True,
        )
        line = next(line for line in found.stdout.splitlines() if line.startswith("{"))
        facts = json.loads(line)
        return {"seconds": facts["map_us_a_task"] * size * 1e-6, **facts}

    return work


MACHINE_SIZES = {
    "map": 1_000_000,
    "tree": 1_000_000,
    "popular": 200_000,
    "resources": 100_000,
    "uneven": 400_000,
    "leaving": 20_000,
    "single": 20_000,
}


def topics() -> dict[str, Topic]:
    first = "samite, 2 workers"
    cluster = {
        f"samite, {workers} workers": Contender(growing("samite.distributed", workers), repeat=2)
        for workers in (2, 4, 8, 16, 32, 64)
    }
    for workers in (2, 16, 64):
        cluster[f"dask, {workers} workers"] = Contender(
            growing("distributed", workers),
            size=5_000,
            quick=500,
            needs=("distributed",),
            repeat=1,
        )
    chains = {}
    for name, package in (("samite", "samite.distributed"), ("dask", "distributed")):
        for where, moving in (("one worker", False), ("two in turn", True)):
            chains[f"{name}, {where}"] = Contender(chained(package, moving), repeat=2)
    found = {
        "growth": Topic(
            "Growth: map and gather of trivial calls, with more and more workers on these cores",
            size=100_000,
            quick=2_000,
            reference=first,
            contenders=cluster,
        ),
        "transfers": Topic(
            "A chain of calls, each of which needs the one before: what a transfer costs",
            size=2_000,
            quick=200,
            reference="samite, one worker",
            contenders=chains,
        ),
    }
    many = (2, 100, 1_000, 10_000)
    found["growth_server"] = Topic(
        "Growth: the scheduler with simulated workers",
        size=20_000,
        quick=2_000,
        reference=first,
        contenders={
            f"samite, {workers:,} workers": Contender(server(workers), repeat=3) for workers in many
        },
    )
    for shape, size in MACHINE_SIZES.items():
        found[f"growth_machine_{shape}"] = Topic(
            f"Growth: the scheduling machine alone, {shape}",
            size=size,
            quick=10_000,
            reference=first,
            contenders={
                f"samite, {workers:,} workers": Contender(machine(workers, shape), repeat=3)
                for workers in many
            },
        )
    return found
