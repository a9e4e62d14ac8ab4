#!/usr/bin/env python3
"""Clusters of real processes that are killed, stopped and restarted while they compute.

    python benchmarks/chaos.py                              40 runs of each fault
    python benchmarks/chaos.py --fault workers --runs 200   workers die (SIGKILL)
    python benchmarks/chaos.py --fault scheduler --runs 50  the scheduler dies and is started again
    python benchmarks/chaos.py --fault stopped              workers are stopped and continued
    python benchmarks/chaos.py --fault memory               tasks take more than a worker may have
    python benchmarks/chaos.py --fault disk                 the disk for spilled results is full
    python benchmarks/chaos.py --fault links                workers' networks are cut and healed
    python benchmarks/chaos.py --seed 17 --runs 1           a run that failed, again

A run computes one thing (a map, a tree reduction, an array, a frame, a shuffle of rows, a rechunk,
a grouping of records, scattered data) with faults at random times, and compares the answer with
what NumPy, pandas or plain Python say. It has a deadline: what does not answer in time has failed.
The seed of each run is printed when it fails.

Where memory or disk is short, a computation that does not fit may also end with an error that says
so. A full disk and cut links need root (`mount`, `ip netns`); where they are not allowed, that is
said, and nothing has failed.
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
from collections.abc import Callable, Iterator
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

    host = "127.0.0.1"

    def __init__(
        self, workers: int, folder: str, journal: bool = True, options: tuple[str, ...] = ()
    ) -> None:
        with socket.socket() as free:
            free.bind((self.host, 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.options = options or ("--memory-limit", "0")
        self.journal = journal
        self.token = os.path.join(folder, "token")
        self.log = open(os.path.join(folder, "log"), "ab")
        self.scheduler = self._start_scheduler()
        self.address = f"tcp://{self.host}:{self.port}"
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
            *("--host", self.host, "--port", str(self.port), "--no-dashboard"),
            *(kept if self.journal else ["--no-journal"]),
        )

    def _wait_for_port(self) -> None:
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.port)):
                return
            time.sleep(0.02)
        raise TimeoutError("the scheduler does not listen")

    def _start_workers(self, count: int) -> list[subprocess.Popen[bytes]]:
        counts = ("--nworkers", str(count), "--nthreads", "1")
        return [self._start("worker", self.address, *counts, *self.options)]

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
        for process in (*self.workers, self.scheduler):
            process.terminate()
        for process in (*self.workers, self.scheduler):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self.log.close()


class Apart(Cluster):
    """A cluster whose workers have networks of their own, which a cable ties to the scheduler's."""

    host = "10.77.0.1"

    def __init__(self, workers: int, folder: str) -> None:
        ip("link", "add", "bridge", "type", "bridge")
        ip("address", "add", f"{self.host}/24", "dev", "bridge")
        ip("link", "set", "bridge", "up")
        super().__init__(workers, folder)

    def _start_workers(self, count: int) -> list[subprocess.Popen[bytes]]:
        self.spaces = [f"chaos-{os.getpid()}-{number}" for number in range(count)]
        return [self._start_apart(number) for number in range(count)]

    def _start_apart(self, number: int) -> subprocess.Popen[bytes]:
        space, address = self.spaces[number], f"10.77.0.{number + 2}"
        ip("netns", "add", space)
        ip("link", "add", f"cable{number}", "type", "veth", "peer", "name", "eth", "netns", space)
        ip("link", "set", f"cable{number}", "master", "bridge", "up")
        ip("-n", space, "address", "add", f"{address}/24", "dev", "eth")
        ip("-n", space, "link", "set", "lo", "up")
        ip("-n", space, "link", "set", "eth", "up")
        command = [sys.executable, "-m", "samite", "worker", self.address, "--nthreads", "1"]
        command += ["--host", address, "--token-file", self.token, *self.options]
        enter = ["ip", "netns", "exec", space]
        return subprocess.Popen([*enter, *command], stdout=self.log, stderr=self.log)

    def close(self) -> None:
        for number in range(self.count):
            ip("link", "set", f"cable{number}", "up")
        super().close()
        for space in self.spaces:
            ip("netns", "delete", space)


def ip(*arguments: str) -> None:
    """Run the program of that name."""
    subprocess.run(["ip", *arguments], check=True)


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


def a_shuffle(client: Any, chance: random.Random) -> None:
    """Rows of a frame go to the partition of their key, between workers: none twice, none not."""
    import numpy as np
    import pandas as pd

    import samite.dataframe as dd

    rows, count = chance.randint(2000, 60000), chance.randint(2, 14)
    numbers = np.random.default_rng(chance.randrange(2**31))
    frame = pd.DataFrame({"k": numbers.integers(0, 500, rows), "v": np.arange(rows)})
    pause = chance.choice([0.01, 0.1])

    def late(part: Any) -> Any:
        time.sleep(pause)
        return part

    parts = dd.from_pandas(frame, npartitions=chance.randint(3, 14))
    parts = parts.map_partitions(late, meta=frame.iloc[:0])
    with in_parts(client):
        moved = parts.shuffle("k", npartitions=count, shuffle_method="p2p")
        moved = moved.map_partitions(late, meta=frame.iloc[:0])
        found = client.gather(client.compute(list(moved.to_delayed())))
    assert len(found) == count, len(found)
    keys = [set(part.k) for part in found]
    assert sum(map(len, keys)) == len(set().union(*keys)), "a key is in two partitions"
    got = pd.concat(found).sort_values("v").reset_index(drop=True)
    pd.testing.assert_frame_equal(got, frame)


def a_rechunk(client: Any, chance: random.Random) -> None:
    """An array goes from rows to columns, every block of which takes of all rows."""
    import numpy as np

    import samite.array as da

    side = chance.randint(200, 900)
    before, after = chance.randint(side // 14, side // 3), chance.randint(side // 14, side // 3)
    x = np.random.default_rng(chance.randrange(2**31)).random((side, side))
    pause = chance.choice([0.01, 0.1])
    a = da.from_array(x, chunks=(before, side))
    a = a.map_blocks(lambda block: (time.sleep(pause), block * 2)[1], dtype=float)
    with in_parts(client):
        b = a.rechunk((side, after), method="p2p")
        b = b.map_blocks(lambda block: (time.sleep(pause), block + 1)[1], dtype=float)
        got = client.gather(client.compute(b))
    np.testing.assert_array_equal(got, x * 2 + 1)


def a_grouping(client: Any, chance: random.Random) -> None:
    """Records of a bag by a function of each, between workers."""
    import samite.bag as db

    count, modulus = chance.randint(200, 5000), chance.randint(2, 40)
    bag = db.from_sequence(range(count), npartitions=chance.randint(3, 12))
    pause = chance.choice([0.01, 0.1])
    bag = bag.map_partitions(lambda part: (time.sleep(pause), list(part))[1])
    with in_parts(client):
        groups = bag.groupby(lambda number: number % modulus, shuffle="p2p")
        got = dict(client.gather(client.compute(groups)))
    assert {key: sorted(group) for key, group in got.items()} == {
        key: list(range(key, count, modulus)) for key in range(min(modulus, count))
    }


@contextlib.contextmanager
def in_parts(client: Any) -> Iterator[None]:
    """Let graphs that are made here move data in parts, between the workers of this client."""
    from samite import config
    from samite._schedulers import on_cluster

    with config.set(scheduler=client):
        assert on_cluster(), "data would be moved in tasks"
        yield


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


def greedy(x: int, path: str | None) -> int:
    """Takes 600 MB; with a path, the first time alone."""
    if path is None or not os.path.exists(path):
        if path is not None:
            with open(path, "w"):
                pass
        taken = []
        for _ in range(40):
            taken.append(b"x" * (15 << 20))
            time.sleep(0.03)
    return x * x


def gluttons(client: Any, chance: random.Random) -> None:
    """Some tasks take more than a worker may have; one may do so for ever."""
    from samite.distributed import KilledWorker

    with tempfile.TemporaryDirectory() as folder:
        once = chance.sample(range(20), 2)
        greedily = client.map(
            greedy, once, [os.path.join(folder, str(number)) for number in once], pure=False
        )
        others = client.map(slowly, range(20), [0.02] * 20, pure=False)
        poison = client.submit(greedy, 1, None, pure=False) if chance.random() < 0.3 else None
        assert client.gather(greedily) == [number * number for number in once]
        assert client.gather(others) == [x * x for x in range(20)]
        if poison is not None:
            error = poison.exception()
            assert isinstance(error, KilledWorker), error
            assert str(poison.key) in str(error), error


def block_of(number: int, size: int) -> Any:
    import numpy as np

    return np.full(size // 8, number, dtype="f8")


def total_of(block: Any) -> float:
    return float(block.sum())


def share_of(block: Any, total: float) -> float:
    return float(block.sum()) / total


def a_hoard(client: Any, chance: random.Random) -> None:
    """Blocks that are all alive until their total is known: some fit in memory and on the disk."""
    from samite.distributed import KilledWorker

    count, size = chance.randint(20, 90), 8 << 20
    blocks = client.map(block_of, range(1, count + 1), [size] * count, pure=False)
    try:
        sums = client.map(total_of, blocks, pure=False)
        total = client.submit(lambda sums: sum(sums), sums, pure=False)
        shares = client.gather(client.map(share_of, blocks, [total] * count, pure=False))
    except (KilledWorker, MemoryError):
        assert count > 40
        return
    whole = count * (count + 1) / 2
    for number, share in enumerate(shares, 1):
        assert abs(share - number / whole) < 1e-12


WORKS: dict[str, Callable[[Any, random.Random], None]] = {
    "map": a_map,
    "tree": a_tree,
    "array": an_array,
    "frame": a_frame,
    "shuffle": a_shuffle,
    "rechunk": a_rechunk,
    "grouping": a_grouping,
    "scatter": scattered,
}
# What is computed where something is short.
SCARCE: dict[str, dict[str, Callable[[Any, random.Random], None]]] = {
    "memory": {"gluttons": gluttons, "hoard": a_hoard},
    "disk": {"hoard": a_hoard},
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


def nothing(cluster: Cluster, client: Any, chance: random.Random, running: Any) -> None:
    """What is short is the fault."""


def cut_links(cluster: Any, client: Any, chance: random.Random, running: Any) -> None:
    for _ in range(chance.randint(1, 3)):
        time.sleep(chance.random() * 0.4)
        cable = f"cable{chance.randrange(cluster.count)}"
        ip("link", "set", cable, "down")
        time.sleep(chance.choice([0.1, 1.0, 5.0]) * chance.random())
        ip("link", "set", cable, "up")


FAULTS: dict[str, Callable[[Cluster, Any, random.Random, Any], None]] = {
    "workers": kill_workers,
    "scheduler": kill_scheduler,
    "both": kill_both,
    "stopped": stop_a_worker,
    "memory": nothing,
    "disk": nothing,
    "links": cut_links,
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
    works = SCARCE.get(fault, WORKS)
    worked = in_background(works[work], client, random.Random(seed + 1))
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


def cluster_for(fault: str, workers: int, folder: str, scarce: contextlib.ExitStack) -> Cluster:
    """A cluster that a fault can happen to."""
    if fault == "links":
        return Apart(workers, folder)
    if fault not in SCARCE:
        return Cluster(workers, folder)
    options: tuple[str, ...] = ("--memory-limit", "300MB")
    if fault == "disk":
        disk = os.path.join(folder, "disk")
        os.mkdir(disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", disk], check=True)
        scarce.callback(subprocess.run, ["umount", "--lazy", disk], check=True)
        options += ("--local-directory", disk)
    return Cluster(workers, folder, options=options)


def allowed(fault: str) -> bool:
    """Whether this process may do what a fault needs."""
    if fault not in ("disk", "links"):
        return True
    # A mount or a link of the machine's own is neither needed nor wanted.
    probe = ["unshare", "--mount", "--net", "ip", "link", "set", "lo", "up"]
    with contextlib.suppress(OSError):
        return subprocess.run(probe, capture_output=True).returncode == 0
    return False


def in_a_world_of_its_own(fault: str, given: argparse.Namespace) -> list[str]:
    """Series of a fault that changes mounts and networks, in a process that has its own."""
    command = ["unshare", "--mount", "--net", sys.executable, __file__, "--apart"]
    command += ["--fault", fault, "--runs", str(given.runs), "--seed", str(given.seed)]
    command += ["--workers", str(given.workers)]
    for work in given.work or ():
        command += ["--work", work]
    failed = subprocess.run(command).returncode != 0
    return [f"{fault}: see above"] if failed else []


def series(fault: str, runs: int, seed: int, works: list[str], workers: int) -> list[str]:
    """Many runs on one cluster; what failed."""
    failures: list[str] = []
    longest = 0.0
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as scarce:
        cluster = cluster_for(fault, workers, folder, scarce)
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
    works = [*WORKS, *(name for some in SCARCE.values() for name in some)]
    parser.add_argument("--work", choices=list(dict.fromkeys(works)), action="append")
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=3)
    # Whether this process has mounts and networks of its own.
    parser.add_argument("--apart", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.apart:
        ip("link", "set", "lo", "up")
    failures: list[str] = []
    for fault in FAULTS if given.fault == "all" else [given.fault]:
        if not allowed(fault):
            print(f"{fault}: needs root, unshare, ip and mount; left out", flush=True)
        elif fault in ("disk", "links") and not given.apart:
            failures += in_a_world_of_its_own(fault, given)
        else:
            works = given.work or list(SCARCE.get(fault, WORKS))
            failures += series(fault, given.runs, given.seed, works, given.workers)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
