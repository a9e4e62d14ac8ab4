#!/usr/bin/env python3
"""Clusters side by side: samite.distributed, Dask's, Frisky, Ray, concurrent.futures.

    python benchmarks/cluster.py                   everything
    python benchmarks/cluster.py round_trip        some topics
    python benchmarks/cluster.py --quick           small sizes

Each contender has two workers of one thread: processes of their own, or threads of the client's
process ("inside"). Starting the cluster is not counted: it is a fact of its own, "start". Before
the clock runs, one call has been answered by each worker. The topics of growth (cluster_growth.py)
start clusters of more workers by the command line.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cluster_growth
from measure import Contender, Facts, Topic, run, timed

WORKERS = 2


def increment(x: int) -> int:
    return x + 1


# ---- who --------------------------------------------------------------------------------------


@contextmanager
def cluster_of(package: str, processes: bool) -> Iterator[Any]:
    """A client of a new cluster, and the seconds that starting it took."""
    module = importlib.import_module(package)
    began = time.perf_counter()
    options = {"n_workers": WORKERS, "threads_per_worker": 1, "processes": processes}
    with module.LocalCluster(dashboard_address=None, **options) as cluster:
        with module.Client(cluster) as client:
            client.wait_for_workers(WORKERS, timeout=60)
            started = time.perf_counter() - began
            client.gather(client.map(increment, range(-100, 0)))
            yield client, started


@contextmanager
def frisky(processes: bool) -> Iterator[Any]:
    """Frisky, by the names that it shares with Dask."""
    module = importlib.import_module("frisky")
    began = time.perf_counter()
    options = {"n_workers": WORKERS, "threads_per_worker": 1, "processes": processes}
    with module.LocalCluster(silence_summary=True, **options) as cluster:
        with cluster.get_client() as client:
            started = time.perf_counter() - began
            client.gather(client.map(increment, range(-100, 0)))
            yield client, started


Start = Callable[[], Any]


def starts() -> dict[str, tuple[Start, tuple[str, ...]]]:
    """How each contender with Dask's interface is started, and what has to be installed."""
    return {
        "samite": (lambda: cluster_of("samite.distributed", True), ()),
        "samite, inside": (lambda: cluster_of("samite.distributed", False), ()),
        "dask": (lambda: cluster_of("distributed", True), ("distributed",)),
        "dask, inside": (lambda: cluster_of("distributed", False), ("distributed",)),
        "frisky": (lambda: frisky(True), ("frisky",)),
        "frisky, inside": (lambda: frisky(False), ("frisky",)),
    }


# ---- what -------------------------------------------------------------------------------------


def map_and_gather(start: Start) -> Callable[[int], Facts]:
    def work(size: int) -> Facts:
        with start() as (client, started):
            facts = timed(lambda: client.gather(client.map(increment, range(size))))
            return {**facts, "start": started}

    return work


def round_trips(start: Start) -> Callable[[int], Facts]:
    """One call after the other, each of which is waited for."""

    def work(size: int) -> Facts:
        with start() as (client, started):

            def calls() -> None:
                for number in range(size):
                    client.submit(increment, number).result()

            return {**timed(calls), "start": started}

    return work


def moment(x: int) -> float:
    return time.time()


def first_of_many(start: Start) -> Callable[[int], Facts]:
    """Until the first result of so many calls is here, and ("ran") until that call had run."""

    def work(size: int) -> Facts:
        with start() as (client, started):
            began: list[float] = []
            kept: list[Any] = []

            def first() -> None:
                began.append(time.time())
                kept.append(client.map(moment, range(size)))
                kept.append(kept[0][0].result())

            facts = timed(first)
            return {**facts, "start": started, "ran": kept[1] - began[0]}

    return work


PARTITIONS = 32
ROW = 16


def rows(number: int, count: int) -> Any:
    """A partition of two columns, of which one is to be shuffled by."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(number)
    return pd.DataFrame({"key": random.integers(0, 1 << 30, count), "value": random.random(count)})


def lengths(part: Any) -> Any:
    import pandas as pd

    return pd.DataFrame({"rows": [len(part)], "total": [part["value"].sum()]})


def collections_of(package: str) -> str:
    """The package whose collections go with a cluster's."""
    return package.split(".")[0].replace("distributed", "dask")


def shuffles(package: str) -> Callable[[int], Facts]:
    """So many bytes of rows by key, between two processes. What makes the rows is counted."""

    def work(size: int) -> Facts:
        dd = importlib.import_module(f"{collections_of(package)}.dataframe")
        count = size // ROW // PARTITIONS
        with cluster_of(package, True) as (_, started):
            frame = dd.from_map(rows, range(PARTITIONS), count=count, meta=rows(0, 1).iloc[:0])
            moved = frame.shuffle("key", npartitions=PARTITIONS, shuffle_method="p2p")
            sums = moved.map_partitions(lengths, meta=lengths(rows(0, 1)))
            found: list[Any] = []
            facts = timed(lambda: found.append(sums.compute()))
            table = found[-1]
            assert table["rows"].sum() == count * PARTITIONS
            return {**facts, "start": started, "answer": [float(table["total"].sum())]}

    return work


def rechunks(package: str) -> Callable[[int], Facts]:
    """So many bytes of an array, from rows to columns, between two processes."""

    def work(size: int) -> Facts:
        root = collections_of(package)
        da, config = (importlib.import_module(f"{root}.{name}") for name in ("array", "config"))
        side = int((size / 8) ** 0.5) // PARTITIONS * PARTITIONS
        step = side // PARTITIONS
        with cluster_of(package, True) as (_, started), config.set({"array.rechunk.method": "p2p"}):
            made = da.arange(side * side, chunks=step * side, dtype="f8").reshape(side, side)
            moved = made.rechunk((side, step))
            found: list[float] = []
            weights = da.arange(side, chunks=side, dtype="f8")[:, None]
            result = (moved * weights).sum()
            facts = timed(lambda: found.append(float(result.compute())))
            return {**facts, "start": started, "answer": [found[-1]]}

    return work


def through_loopback(size: int) -> Facts:
    """The bytes alone, from one process to another over TCP: what no shuffle can beat if half of
    them stay where they are, as they do with two workers."""
    import os
    import socket

    block = bytes(1 << 20)
    with socket.create_server(("127.0.0.1", 0)) as server:
        child = os.fork()
        if child == 0:
            with socket.create_connection(server.getsockname()) as sender:
                for _ in range(size // 2 >> 20):
                    sender.sendall(block)
            os._exit(0)
        receiver, _ = server.accept()
        buffer = bytearray(1 << 20)

        def receive() -> None:
            while receiver.recv_into(buffer):
                pass

        with receiver:
            facts = timed(receive)
        os.waitpid(child, 0)
        return facts


def through_disk(size: int) -> Facts:
    """The bytes alone, written to a file and read from it."""
    import os
    import tempfile

    block = bytes(1 << 20)
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:

        def there_and_back() -> None:
            for _ in range(size >> 20):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            while file.read(1 << 20):
                pass

        return timed(there_and_back)


def map_pool(size: int) -> Facts:
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(WORKERS) as pool:
        list(pool.map(increment, range(100)))
        return timed(lambda: list(pool.map(increment, range(size), chunksize=1)))


def round_trips_pool(size: int) -> Facts:
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(WORKERS) as pool:
        list(pool.map(increment, range(100)))

        def calls() -> None:
            for number in range(size):
                pool.submit(increment, number).result()

        return timed(calls)


@contextmanager
def ray() -> Iterator[Any]:
    """A function of Ray's, on two workers of this machine."""
    module = importlib.import_module("ray")
    module.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    try:
        remote = module.remote(increment)
        module.get([remote.remote(number) for number in range(100)])
        yield module, remote
    finally:
        module.shutdown()


def map_ray(size: int) -> Facts:
    with ray() as (module, remote):
        return timed(lambda: module.get([remote.remote(number) for number in range(size)]))


def round_trips_ray(size: int) -> Facts:
    with ray() as (module, remote):

        def calls() -> None:
            for number in range(size):
                module.get(remote.remote(number))

        return timed(calls)


def contenders(
    make: Callable[[Start], Callable[[int], Facts]], slow: int, quick: int
) -> dict[str, Contender]:
    """All with Dask's interface; the slower ones do less."""
    made = {}
    for name, (start, needs) in starts().items():
        size = None if name.startswith("samite") else slow
        made[name] = Contender(make(start), size=size, quick=quick, needs=needs, repeat=3)
    return made


TOPICS = {
    "map": Topic(
        "map and gather of trivial calls",
        size=100_000,
        quick=500,
        contenders={
            **contenders(map_and_gather, 5_000, 500),
            "concurrent.futures": Contender(map_pool, size=20_000, repeat=3),
            "ray": Contender(map_ray, size=5_000, needs=("ray",), repeat=3),
        },
        goal=("dask", 20),
    ),
    "round_trip": Topic(
        "submit(...).result(), one after the other",
        size=2_000,
        quick=50,
        contenders={
            **contenders(round_trips, 200, 20),
            "concurrent.futures": Contender(round_trips_pool, repeat=3),
            "ray": Contender(round_trips_ray, size=500, needs=("ray",), repeat=3),
        },
        goal=("dask", 20),
    ),
    "first": Topic(
        "The first result of many calls",
        size=100_000,
        quick=500,
        contenders=contenders(first_of_many, 5_000, 500),
    ),
    "shuffle": Topic(
        "A data frame shuffled by key, in bytes",
        size=1 << 30,
        quick=1 << 24,
        unit="byte",
        contenders={
            "samite": Contender(shuffles("samite.distributed"), repeat=3),
            "dask": Contender(shuffles("distributed"), needs=("distributed",), repeat=3),
            "loopback": Contender(through_loopback, repeat=3),
            "disk": Contender(through_disk, repeat=3),
        },
    ),
    "rechunk": Topic(
        "An array from rows to columns, in bytes",
        size=1 << 30,
        quick=1 << 24,
        unit="byte",
        contenders={
            "samite": Contender(rechunks("samite.distributed"), repeat=3),
            "dask": Contender(rechunks("distributed"), needs=("distributed",), repeat=3),
            "loopback": Contender(through_loopback, repeat=3),
            "disk": Contender(through_disk, repeat=3),
        },
    ),
    **cluster_growth.topics(),
}

if __name__ == "__main__":
    sys.exit(run(__file__, TOPICS, str(__doc__).splitlines()[0]))
