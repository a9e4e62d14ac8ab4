"""Clusters of real processes that are killed while they compute: a short form of
`benchmarks/chaos.py`, and what it does not look at."""

from __future__ import annotations

import gc
import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from cluster_patience import PATIENCE

from samite.distributed import KilledWorker

_SCRIPT = Path(__file__).parents[3] / "benchmarks" / "chaos.py"


def _load_chaos():
    if "chaos" not in sys.modules:
        spec = importlib.util.spec_from_file_location("chaos", _SCRIPT)
        module = importlib.util.module_from_spec(spec)
        sys.modules["chaos"] = module
        spec.loader.exec_module(module)
        # What runs on workers travels with its code: they do not know this module.
        import cloudpickle

        cloudpickle.register_pickle_by_value(module)
    return sys.modules["chaos"]


chaos = _load_chaos()


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """A scheduler with a journal and three workers, each a process, and a client."""
    cluster = chaos.Cluster(3, str(tmp_path_factory.mktemp("cluster")))
    client = cluster.client()
    client.wait_for_workers(3, timeout=60)
    yield cluster, client
    client.close()
    cluster.close()


@pytest.mark.parametrize("work", ["map", "tree", "scatter", "shuffle", "rechunk", "grouping"])
@pytest.mark.parametrize("fault", ["workers", "scheduler", "stopped"])
def test_what_is_killed_changes_no_answer(processes, work, fault):
    cluster, client = processes
    chaos.run(cluster, client, work, fault, seed=5)
    client.wait_for_workers(3, timeout=60)


def test_a_task_that_kills_its_workers_is_named(processes):
    cluster, client = processes

    def deadly(x):
        os.kill(os.getpid(), signal.SIGKILL)

    future = client.submit(deadly, 1, key="deadly-task")
    with pytest.raises(KilledWorker, match="deadly-task"):
        future.result(timeout=60)
    client.wait_for_workers(3, timeout=60)
    assert client.submit(sum, [1, 2]).result(timeout=PATIENCE) == 3


def test_a_scheduler_that_was_killed_is_the_same_one_again(processes):
    cluster, client = processes
    kept = client.map(chaos.slowly, range(20), [0.0] * 20, pure=False)
    assert client.gather(kept) == [x * x for x in range(20)]
    client.publish_dataset(kept[:2], name="squares")
    client.set_metadata("place", "here")
    before = client.scheduler_info()
    running = client.submit(chaos.slowly, 3, 1.0, pure=False)
    cluster.restart_scheduler(0.2)
    after = client.scheduler_info()
    assert before["id"] == after["id"]
    assert client.gather(kept) == [x * x for x in range(20)]
    assert running.result(timeout=PATIENCE) == 9
    with cluster.client() as other:
        assert other.gather(other.get_dataset("squares")) == [0, 1]
        assert other.get_metadata("place") == "here"


def test_what_pickled_objects_hold_survives_the_scheduler(processes, tmp_path):
    """Futures that stand in arguments, functions, graphs and scattered data alone, and are asked
    for by name once the scheduler was killed: twice, so that it also reads what it wrote anew."""
    import samite

    cluster, client = processes
    client.wait_for_workers(3, timeout=60)

    class Box:
        def __init__(self, content):
            self.content = content

    go = tmp_path / "go"
    began = tmp_path / "began"
    began.mkdir()

    def square(x):
        return x * x

    def read(box, name):
        (began / name).touch()
        until = time.monotonic() + 120
        while not go.exists() and time.monotonic() < until:
            time.sleep(0.05)
        return box.content.result(60)

    def reader(box, name):
        return lambda: read(box, name)

    def boxed(x):
        made = client.submit(square, x, pure=False)
        made.result(timeout=PATIENCE)
        return Box(made)

    boxes = [boxed(x) for x in range(1, 9)]
    scattered = client.scatter(boxes[3], hash=False)
    # Three run while the scheduler is killed, and the others wait for them.
    futures = [
        client.submit(read, boxes[0], "argument", pure=False),
        client.submit(reader(boxes[1], "function"), pure=False),
        client.compute(samite.delayed(read)(boxes[2], "graph")),
        client.submit(read, scattered, "data", pure=False),
        *(client.submit(read, box, f"{n}", pure=False) for n, box in enumerate(boxes[4:])),
        client.submit(read, Box(client.submit(lambda: 1 // 0, pure=False)), "failed", pure=False),
    ]
    del scattered, boxes
    until = time.monotonic() + 60
    while len(list(began.iterdir())) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    assert len(list(began.iterdir())) == 3
    for _ in range(2):
        cluster.restart_scheduler(0.2)
        client.wait_for_workers(3, timeout=60)
    go.touch()
    *good, failed = futures
    assert client.gather(good) == [x * x for x in range(1, 9)]
    with pytest.raises(ZeroDivisionError):
        failed.result(timeout=PATIENCE)
    # None of it stays when nobody wants it any more.
    del futures, good, failed
    gc.collect()
    until = time.monotonic() + PATIENCE
    while _held(client) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _held(client)


def _held(client):
    return [key for key in client.who_has() if key.startswith(("square-", "read-"))]


def test_a_full_spill_disk_fails_nothing_that_fits(tmp_path):
    """Where nothing can be spilled, tasks run one after the other instead of not at all."""
    from samite import config
    from samite.distributed import Client, LocalCluster

    blocker = tmp_path / "no-folder"
    blocker.write_text("a file, in which no folder can be made")
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(blocker)
    try:
        with (
            # The process is larger than that by itself, and would be started again.
            config.set({"distributed.worker.memory.terminate": False}),
            LocalCluster(n_workers=1, threads_per_worker=1, memory_limit="40 MB") as cluster,
            Client(cluster) as client,
        ):

            def block(number):
                import numpy as np

                return np.full(1_000_000, number, dtype="int64")

            blocks = client.map(block, range(8))
            sums = client.gather(client.map(lambda x: int(x.sum()), blocks))
            assert sums == [number * 1_000_000 for number in range(8)]
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before


def test_a_journal_that_cannot_be_used_is_named(tmp_path):
    import subprocess

    folder = tmp_path / "journal"
    folder.write_text("a file, where a folder should be")
    command = [sys.executable, "-m", "samite", "scheduler", "--port", "0", "--open"]
    ended = subprocess.run(
        [*command, "--journal", str(folder)], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode != 0
    assert str(folder) in ended.stderr and "Traceback" not in ended.stderr


def test_a_stopped_worker_comes_back(processes):
    cluster, client = processes
    victim = chaos.pids(client)[0]
    os.kill(victim, signal.SIGSTOP)
    try:
        futures = client.map(chaos.slowly, range(30), [0.01] * 30, pure=False)
        time.sleep(0.5)
    finally:
        os.kill(victim, signal.SIGCONT)
    assert client.gather(futures) == [x * x for x in range(30)]
    assert victim in chaos.pids(client)
