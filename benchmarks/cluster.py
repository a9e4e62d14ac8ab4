#!/usr/bin/env python3
"""Clusters side by side: samite.distributed, Dask's, Frisky, Ray, concurrent.futures.

    python benchmarks/cluster.py                   everything
    python benchmarks/cluster.py round_trip        some topics
    python benchmarks/cluster.py --quick           small sizes

Each contender has two workers of one thread: processes of their own, or threads of the client's
process ("inside"). Starting the cluster is not counted: it is a fact of its own, "start". Before
the clock runs, one call has been answered by each worker.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

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
def frisky() -> Iterator[Any]:
    """Frisky, by the names that it shares with Dask."""
    module = importlib.import_module("frisky")
    began = time.perf_counter()
    with module.LocalCluster(n_workers=WORKERS, threads_per_worker=1) as cluster:
        with module.Client(cluster) as client:
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
        "frisky": (frisky, ("frisky",)),
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


def first_of_many(start: Start) -> Callable[[int], Facts]:
    """Until the first result of so many calls is there."""

    def work(size: int) -> Facts:
        with start() as (client, started):

            def first() -> None:
                futures = client.map(increment, range(size))
                futures[0].result()
                kept.append(futures)

            kept: list[Any] = []
            return {**timed(first), "start": started}

    return work


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
}

if __name__ == "__main__":
    sys.exit(run(__file__, TOPICS, str(__doc__).splitlines()[0]))
