#!/usr/bin/env python3
"""Clusters of real processes that are killed, stopped and restarted while they compute.

    python benchmarks/chaos.py                              40 runs of each fault
    python benchmarks/chaos.py --fault workers --runs 200   workers die (SIGKILL)
    python benchmarks/chaos.py --fault scheduler --runs 50  the scheduler dies and is started again
    python benchmarks/chaos.py --fault stopped              workers are stopped and continued
    python benchmarks/chaos.py --seed 17 --runs 1           a run that failed, again

A run computes one thing (a map, a tree reduction, an array, a frame, scattered data) with faults at
random times, and compares the answer with what NumPy, pandas or plain Python say. It has a
deadline: what does not answer in time has failed. The seed of each run is printed when it fails.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

DEADLINE = 90.0


def slowly(x: int, seconds: float) -> int:
    time.sleep(seconds)
    return x * x


def add(*values: int) -> int:
    time.sleep(0.002)
    return sum(values)


class Cluster:
    """A scheduler with a journal and workers, each a process started by the command line."""

    def __init__(self, workers: int, folder: str, journal: bool = True) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.journal = journal
        self.token = os.path.join(folder, "token")
        self.log = open(os.path.join(folder, "log"), "ab")
        self.scheduler = self._start_scheduler()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self._wait_for_port()
        self.workers = self._start_workers(workers)
        self.count = workers

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "samite", *arguments, "--token-file", self.token]
        return subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def _start_scheduler(self) -> subprocess.Popen[bytes]:
        kept = ["--journal", os.path.join(self.folder, "journal")]
        return self._start(
            "scheduler",
            *("--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"),
            *(kept if self.journal else ["--no-journal"]),
        )

    def _wait_for_port(self) -> None:
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        raise TimeoutError("the scheduler does not listen")

    def _start_workers(self, count: int) -> subprocess.Popen[bytes]:
        return self._start(
            "worker",
            self.address,
            "--nworkers",
            str(count),
            "--nthreads",
            "1",
            "--memory-limit",
            "0",
        )

    def client(self) -> Any:
        from samite.distributed import Client, Security

        with open(self.token) as file:
            security = Security(token=file.read().strip())
        return Client(self.address, security=security, set_as_default=False)

    def restart_scheduler(self, pause: float) -> None:
        self.scheduler.kill()
        self.scheduler.wait()
        time.sleep(pause)
        self.scheduler = self._start_scheduler()

    def close(self) -> None:
        for process in (self.workers, self.scheduler):
            process.terminate()
        for process in (self.workers, self.scheduler):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self.log.close()


def pids(client: Any) -> list[int]:
    return sorted(worker["pid"] for worker in client.scheduler_info()["workers"].values())


# ---- what is computed ----------------------------------------------------------------------------


def a_map(client: Any, chance: random.Random) -> None:
    count, pause = chance.randint(50, 150), chance.choice([0.0, 0.005, 0.02])
    futures = client.map(slowly, range(count), [pause] * count, pure=False)
    got = client.gather(futures)
    assert got == [x * x for x in range(count)], got


def a_tree(client: Any, chance: random.Random) -> None:
    count, width = chance.randint(32, 128), chance.randint(2, 5)
    level = client.map(slowly, range(count), [0.005] * count, pure=False)
    while len(level) > 1:
        level = [
            client.submit(add, *level[first : first + width], pure=False)
            for first in range(0, len(level), width)
        ]
    assert level[0].result() == sum(x * x for x in range(count))


def an_array(client: Any, chance: random.Random) -> None:
    import numpy as np

    import samite.array as da

    side, chunk = chance.randint(200, 600), chance.randint(40, 120)
    x = np.random.default_rng(chance.randrange(2**31)).random((side, side))
    a = da.from_array(x, chunks=chunk)
    a = a.map_blocks(lambda block: (time.sleep(0.002), block * 2)[1], dtype=float)
    total = (a + a.T).rechunk((side, chunk)).sum(axis=0).compute(scheduler=client)
    np.testing.assert_allclose(total, (2 * x + 2 * x.T).sum(axis=0))


def a_frame(client: Any, chance: random.Random) -> None:
    import numpy as np
    import pandas as pd

    import samite.dataframe as dd

    rows = chance.randint(2000, 20000)
    numbers = np.random.default_rng(chance.randrange(2**31))
    frame = pd.DataFrame({"k": numbers.integers(0, 20, rows), "v": numbers.random(rows)})
    parts = dd.from_pandas(frame, npartitions=chance.randint(3, 12))
    parts = parts.map_partitions(lambda part: (time.sleep(0.01), part)[1], meta=frame.iloc[:0])
    got = parts.groupby("k").v.sum().compute(scheduler=client).sort_index()
    pd.testing.assert_series_equal(got, frame.groupby("k").v.sum())
    value = parts.v.mean().compute(scheduler=client)
    assert abs(value - frame.v.mean()) < 1e-9


def scattered(client: Any, chance: random.Random) -> None:
    """Data on two workers survives one of them, and is otherwise lost with an error of its own."""
    from samite.distributed.exceptions import FutureCancelledError

    values = [chance.randrange(1000) for _ in range(10)]
    futures = client.scatter(values, broadcast=2, hash=False)
    sums = client.map(slowly, futures, [0.01] * 10, pure=False)
    for future, value in zip(sums, values, strict=True):
        try:
            assert future.result() == value * value
        except FutureCancelledError as lost:
            assert "data" in str(lost), lost


WORKS: dict[str, Callable[[Any, random.Random], None]] = {
    "map": a_map,
    "tree": a_tree,
    "array": an_array,
    "frame": a_frame,
    "scatter": scattered,
}


# ---- what goes wrong -----------------------------------------------------------------------------


def kill_workers(cluster: Cluster, client: Any, chance: random.Random, running: Any) -> None:
    for _ in range(chance.randint(1, 3)):
        time.sleep(chance.random() * 0.4)
        if running.is_set():
            return
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(chance.choice(pids(client)), signal.SIGKILL)


def kill_scheduler(cluster: Cluster, client: Any, chance: random.Random, running: Any) -> None:
    time.sleep(chance.random() * 0.4)
    cluster.restart_scheduler(chance.choice([0.0, 0.3]))


def kill_both(cluster: Cluster, client: Any, chance: random.Random, running: Any) -> None:
    kill_workers(cluster, client, chance, running)
    kill_scheduler(cluster, client, chance, running)


def stop_a_worker(cluster: Cluster, client: Any, chance: random.Random, running: Any) -> None:
    time.sleep(chance.random() * 0.3)
    with contextlib.suppress(ProcessLookupError, IndexError):
        victim = chance.choice(pids(client))
        os.kill(victim, signal.SIGSTOP)
        time.sleep(chance.random() * 2.0)
        os.kill(victim, signal.SIGCONT)


FAULTS: dict[str, Callable[[Cluster, Any, random.Random, Any], None]] = {
    "workers": kill_workers,
    "scheduler": kill_scheduler,
    "both": kill_both,
    "stopped": stop_a_worker,
}


class Hangs(Exception):
    """A run did not end in time: its threads still wait, and its cluster is of no more use."""


def in_background(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """A call in a thread that does not keep the process alive."""
    outcome: Future[Any] = Future()

    def call() -> None:
        try:
            outcome.set_result(function(*arguments))
        except BaseException as raised:
            outcome.set_exception(raised)

    threading.Thread(target=call, daemon=True).start()
    return outcome


def run(cluster: Cluster, client: Any, work: str, fault: str, seed: int) -> float:
    """One run; the seconds that it took.

    Raises
    ------
    Hangs
        It did not end in time. Anything else says what was wrong with the answer.
    """
    chance = random.Random(seed)
    over = threading.Event()
    began = time.perf_counter()
    worked = in_background(WORKS[work], client, random.Random(seed + 1))
    harmed = in_background(FAULTS[fault], cluster, client, chance, over)
    _, waits = wait([worked], DEADLINE)
    over.set()
    if waits:
        state = None
        with contextlib.suppress(Exception):
            state = client._connected().request("dump_state", {}, 5.0)
        raise Hangs(f"{work}, {fault}, seed {seed}: {state}")
    worked.result()
    seconds = time.perf_counter() - began
    harmed.result(DEADLINE)
    return seconds


def series(fault: str, runs: int, seed: int, works: list[str], workers: int) -> list[str]:
    """Many runs on one cluster; what failed."""
    failures: list[str] = []
    longest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(workers, folder)
        client = cluster.client()
        try:
            client.wait_for_workers(workers, timeout=60)
            for number in range(runs):
                work = works[number % len(works)]
                try:
                    longest = max(longest, run(cluster, client, work, fault, seed + number))
                except Hangs as raised:
                    failures.append(f"{raised!r}")
                    print("HANGS", failures[-1], flush=True)
                    break
                except Exception as raised:
                    failures.append(f"{work}, {fault}, seed {seed + number}: {raised!r}")
                    print("FAILED", failures[-1], flush=True)
                client.wait_for_workers(workers, timeout=DEADLINE)
        finally:
            with contextlib.suppress(Exception):
                client.close()
            cluster.close()
            if failures:
                with open(os.path.join(folder, "log")) as log:
                    print(*log.readlines()[-40:], sep="", flush=True)
    print(
        f"{fault}: {runs - len(failures)} of {runs} runs right, from seed {seed}; the longest took "
        f"{longest:.1f} s",
        flush=True,
    )
    return failures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fault", choices=[*FAULTS, "all"], default="all")
    parser.add_argument("--work", choices=list(WORKS), action="append")
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=3)
    given = parser.parse_args()
    works = given.work or list(WORKS)
    failures: list[str] = []
    for fault in FAULTS if given.fault == "all" else [given.fault]:
        failures += series(fault, given.runs, given.seed, works, given.workers)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
