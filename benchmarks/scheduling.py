#!/usr/bin/env python3
"""What building and running a task costs: Samite beside Dask, concurrent.futures and Frisky.

    make bench                                   everything
    make bench ARGS="--quick wide tree"          small sizes, two topics
    python benchmarks/scheduling.py --json results.json

Every figure of a table comes from the same run. Frisky is used through its public client where it
is installed. Dask takes about a millisecond a task on threads, so its sizes are smaller in some
topics; the comparison is then by the time a task, and the table says so.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from measure import Contender, Facts, Topic, memory, run, timed

ROOT = Path(__file__).resolve().parents[1]
CORES = len(os.sched_getaffinity(0))


def inc(x: int) -> int:
    return x + 1


def add(x: int, y: int) -> int:
    return x + y


# ---- building ----------------------------------------------------------------------------------


def wide_of(package: str, n: int) -> tuple:
    """n independent calls, by `delayed` of samite or dask, and that package."""
    module = __import__(package)
    lazy = module.delayed(inc)
    return module, [lazy(i) for i in range(n)]


def tree_of(package: str, leaves: int) -> tuple:
    """Sums in pairs over `leaves` incs: 2 * leaves - 1 tasks."""
    module, layer = wide_of(package, leaves)
    lazy = module.delayed(add)
    while len(layer) > 1:
        pairs = [lazy(layer[i], layer[i + 1]) for i in range(0, len(layer) - 1, 2)]
        layer = pairs + layer[len(layer) - len(layer) % 2 :]
    return module, layer


def build(package: str) -> Callable[[int], Facts]:
    def work(n: int) -> Facts:
        wide_of(package, 100)
        return timed(lambda: wide_of(package, n))

    return work


# ---- build to result -----------------------------------------------------------------------------


def to_result(package: str, shape: Callable, **options: object) -> Callable[[int], Facts]:
    """Build a shape and compute it on threads; the first small run pays for imports and threads."""

    def work(n: int) -> Facts:
        def once(size: int) -> tuple:
            module, values = shape(package, size)
            return module.compute(*values, scheduler="threads", **options)

        once(64)
        facts: Facts = {}
        before = memory("VmRSS")
        facts.update(timed(lambda: facts.update(results=len(once(n)))))
        facts["bytes_a_task"] = round((memory("VmHWM") - before) / n)
        return facts

    return work


@contextmanager
def frisky_client():
    import frisky

    cluster = frisky.LocalCluster(silence_summary=True)
    client = cluster.get_client()
    try:
        yield client
    finally:
        client.close()
        cluster.close()


def frisky_map(n: int) -> Facts:
    with frisky_client() as client:
        client.gather(client.map(inc, range(64)))
        return timed(lambda: client.gather(client.map(inc, range(n))))


def frisky_graph(shape: Callable) -> Callable[[int], Facts]:
    """Built by dask.delayed, which is what Frisky's users write, and run by its client."""

    def work(n: int) -> Facts:
        import dask

        with frisky_client() as client:
            dask.compute(*shape("dask", 64)[1], scheduler=client.get)
            return timed(lambda: dask.compute(*shape("dask", n)[1], scheduler=client.get))

    return work


def futures_submit(n: int) -> Facts:
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        return timed(lambda: [f.result() for f in [pool.submit(inc, i) for i in range(n)]])


def futures_map(n: int) -> Facts:
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        list(pool.map(inc, range(64)))
        return timed(lambda: list(pool.map(inc, range(n))))


def run_only(package: str) -> Callable[[int], Facts]:
    """Only the run: the calls are recorded before the clock starts."""

    def work(n: int) -> Facts:
        module, values = wide_of(package, n)
        module.compute(*values[:64], scheduler="threads")
        return timed(lambda: module.compute(*values, scheduler="threads"))

    return work


# ---- native, import ------------------------------------------------------------------------------


def native_noop(n: int) -> Facts:
    """The Rust example: plans and runs n native no-op tasks, and prints its figures as JSON."""
    command = ["cargo", "run", "--quiet", "--release", "-p", "samite", "--example", "noop"]
    found = subprocess.run(
        [*command, "--", str(n)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    facts = json.loads(found.stdout.strip().splitlines()[-1])
    return {"seconds": facts["plan_seconds"] + facts["run_seconds"], **facts}


def import_of(package: str) -> Callable[[int], Facts]:
    """In an interpreter that has nothing else loaded, unlike the one that runs this file."""
    code = (
        "import time; began = time.perf_counter()\n"
        f"import {package}\n"
        "seconds = time.perf_counter() - began\n"
        "import json, sys; print(json.dumps({'seconds': seconds, 'modules': len(sys.modules)}))"
    )

    # Without cached bytecode the compiler would be measured.
    env = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]

    def work(n: int) -> Facts:
        subprocess.run(command, capture_output=True, check=True, env=env)
        found = subprocess.run(command, capture_output=True, check=True, env=env)
        return json.loads(found.stdout)

    return work


# ---- Dask's collections on Samite's threads ------------------------------------------------------


def with_dask(scheduler: str, program: Callable[[int], object]) -> Callable[[int], Facts]:
    """A program of Dask's own collections, on Dask's threads or on samite.get.

    `seconds` is the whole of `compute`; `graph_seconds` is what Dask itself takes to optimize the
    program and write out its graph, which no scheduler can shorten.
    """

    def work(n: int) -> Facts:
        import dask
        import dask.threaded

        if scheduler == "samite":
            import samite

            get = samite.get
        else:
            get = dask.threaded.get
        with dask.config.set(scheduler=get):
            dask.compute(program(16))
            lazy = program(n)
            facts = timed(lambda: dask.compute(lazy))
            again = program(n)
            graph = timed(lambda: dict(dask.optimize(again)[0].__dask_graph__()))
        return {**facts, "graph_seconds": graph["seconds"]}

    return work


def square(chunks: int) -> tuple:
    """A square array of about so many chunks of 64 x 64."""
    import dask.array as da

    side = max(1, round(chunks**0.5)) * 64
    return da, da.ones((side, side), chunks=64)


def elementwise(chunks: int) -> object:
    _, x = square(chunks)
    return ((x + 1) * 2).sum()


def transposed(chunks: int) -> object:
    _, x = square(chunks)
    return (x + x.T).mean(axis=0)


def rechunked(chunks: int) -> object:
    _, x = square(chunks)
    return x.rechunk((x.shape[0], 64)).std(axis=0).max()


def climate(chunks: int) -> object:
    """Monthly means of daily fields, as an xarray user writes it."""
    import dask.array as da
    import numpy as np
    import pandas as pd
    import xarray as xr

    days = max(32, chunks * 4)
    field = xr.DataArray(
        da.ones((days, 32, 32), chunks=(4, 32, 32)),
        dims=("time", "y", "x"),
        coords={"time": pd.date_range("2000-01-01", periods=days), "y": np.arange(32)},
    )
    return (field - field.mean("time")).coarsen(time=32, boundary="trim").mean().max().data


def dask_topic(title: str, program: Callable, quick: int = 400, size: int = 10_000) -> Topic:
    return Topic(
        f"{title}, {size:,} chunks",
        size=size,
        quick=quick,
        unit="chunk",
        goal=("dask threads", 3),
        contenders={
            "samite": Contender(with_dask("samite", program), needs=("dask",)),
            "dask threads": Contender(with_dask("dask", program), needs=("dask",), repeat=2),
        },
    )


def growth(size: int) -> Topic:
    """The same wide graph at another size: a cost a task that grows is a bug."""
    return Topic(
        f"Growth: {size:,} independent calls, build to result",
        size=size,
        quick=min(size, 10_000),
        contenders={
            "samite": Contender(to_result("samite", wide_of)),
            "dask": Contender(
                to_result("dask", wide_of), size=min(size, 10_000), needs=("dask",), repeat=1
            ),
        },
    )


TOPICS = {
    "build": Topic(
        "Build 100,000 delayed calls",
        size=100_000,
        quick=20_000,
        unit="call",
        goal=("dask", 20),
        contenders={
            "samite": Contender(build("samite")),
            "dask": Contender(build("dask"), needs=("dask",)),
        },
    ),
    "wide": Topic(
        "50,000 independent calls of inc, build to result on threads",
        size=50_000,
        quick=5_000,
        goal=("dask", 50),
        contenders={
            "samite": Contender(to_result("samite", wide_of)),
            "dask": Contender(to_result("dask", wide_of), needs=("dask",), repeat=1),
            "frisky, client.map": Contender(frisky_map, needs=("frisky",), repeat=3),
            "frisky, dask.delayed": Contender(
                frisky_graph(wide_of), needs=("frisky", "dask"), repeat=1
            ),
            "ThreadPoolExecutor.submit": Contender(futures_submit),
        },
    ),
    "tree": Topic(
        "A tree of 65,535 tasks over 32,768 incs, build to result on threads",
        size=32_768,
        quick=4_096,
        unit="leaf",
        goal=("dask", 50),
        contenders={
            "samite": Contender(to_result("samite", tree_of)),
            "dask": Contender(to_result("dask", tree_of), needs=("dask",), repeat=1),
            "frisky, dask.delayed": Contender(
                frisky_graph(tree_of), needs=("frisky", "dask"), repeat=1
            ),
        },
    ),
    "task": Topic(
        "A trivial Python task in this process: the run alone",
        size=50_000,
        quick=10_000,
        goal=("ThreadPoolExecutor.map", 1),
        contenders={
            "samite": Contender(run_only("samite")),
            "ThreadPoolExecutor.map": Contender(futures_map),
            "dask": Contender(
                run_only("dask"), size=10_000, quick=2_000, needs=("dask",), repeat=2
            ),
        },
    ),
    "noop": Topic(
        "1,000,000 native no-op tasks, planned and run by the Rust API",
        size=1_000_000,
        quick=100_000,
        limits={"seconds": 1.0, "bytes_per_task": 150},
        contenders={"samite": Contender(native_noop)},
    ),
    "import": Topic(
        "Import the package",
        size=1,
        quick=1,
        unit="import",
        limits={"seconds": 0.05},
        contenders={
            "samite": Contender(import_of("samite")),
            "dask": Contender(import_of("dask"), needs=("dask",)),
        },
    ),
    "array-elementwise": dask_topic("dask.array: ((x + 1) * 2).sum()", elementwise),
    "array-transpose": dask_topic("dask.array: (x + x.T).mean(axis=0)", transposed),
    "array-rechunk": dask_topic("dask.array: rechunk, then std", rechunked, size=2_500),
    "xarray": dask_topic("xarray: anomalies and coarse means", climate, quick=200, size=2_500),
    "growth-1e3": growth(1_000),
    "growth-1e4": growth(10_000),
    "growth-1e5": growth(100_000),
}


if __name__ == "__main__":
    sys.exit(run(__file__, TOPICS, __doc__.splitlines()[0]))
