"""Running tasks of a cluster once more in the client's process; workers of a class of one's own."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback

import pytest
from cluster_patience import PATIENCE

import samite
from samite.distributed import Client, LocalCluster, Nanny, Worker, get_worker, wait


def invert(number):
    return 1 / number


def add(left, right=0):
    return left + right


def test_a_failure_is_raised_here(cluster):
    with Client(cluster) as client:
        good = client.submit(add, 1, right=1)
        bad = client.submit(invert, client.submit(add, 1, right=-1))
        total = client.submit(sum, [good, bad])
        assert not wait([total]).not_done and total.status == "error"
        with pytest.raises(ZeroDivisionError) as raised:
            client.recreate_error_locally(total)
        frames = traceback.extract_tb(raised.tb)
        assert frames[-1].name == "invert" and frames[-1].filename == __file__
        # The frame of the function, with its arguments, is there for a debugger.
        innermost = raised.tb
        while innermost.tb_next is not None:
            innermost = innermost.tb_next
        assert innermost.tb_frame.f_locals["number"] == 0
        with pytest.raises(ValueError, match="No errored futures passed"):
            client.recreate_error_locally(good)
        assert client.recreate_task_locally(good) == 2
        assert client.recreate_task_locally(client.submit(sum, [good, good])) == 4


def test_what_workers_do_not_hold_is_computed_here(outside):
    with Client(outside) as client:
        numbers = client.map(add, range(10))
        first = [client.submit(add, one, right=1) for one in numbers]
        total = client.submit(sum, first)
        assert total.result(PATIENCE) == 55
        del numbers, first
        here = os.getpid()

        def where(value):
            return os.getpid(), value

        place = client.submit(where, total)
        assert place.result(PATIENCE)[0] != here
        assert client.recreate_task_locally(place) == (here, 55)
        [scattered] = client.scatter([5])
        assert client.recreate_task_locally(client.submit(add, scattered, right=2)) == 7


def test_collections_are_replayed(outside):
    @samite.delayed
    def broken(value):
        raise KeyError(value)

    with Client(outside) as client:
        lazy = broken(samite.delayed(add)(1, 2))
        future = client.compute(lazy)
        with pytest.raises(KeyError, match="3"):
            client.recreate_error_locally(future)
        array = pytest.importorskip("samite.array")
        summed = client.compute((array.ones((6, 4), chunks=(3, 2)) + 1).sum())
        assert summed.result(PATIENCE) == 48
        assert client.recreate_task_locally(summed) == 48
        persisted = client.persist(samite.delayed(add)(3, 4))
        wait(persisted)
        assert client.recreate_task_locally(persisted) == 7


def test_an_asynchronous_client_replays():
    import asyncio

    async def run():
        async with (
            LocalCluster(n_workers=1, processes=False, asynchronous=True) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):
            bad = client.submit(invert, 0)
            with pytest.raises(ZeroDivisionError):
                await client.recreate_error_locally(bad)
            return await client.recreate_task_locally(client.submit(add, 1, right=2))

    assert asyncio.run(run()) == 3


# ---- classes of workers -------------------------------------------------------------------------


class Counting(Worker):
    """A worker with something of its own."""

    def __init__(self, *args, first=0, **kwargs):
        super().__init__(*args, **kwargs)
        self.first = first


def counted():
    return get_worker().first, type(get_worker()).__name__


@pytest.mark.parametrize("processes", [False, True])
def test_a_class_of_workers(processes):
    options = {"worker_class": Counting, "first": 7}
    if processes:
        from functools import partial

        options["worker_class"] = partial(Nanny, worker_class=Counting)
    with LocalCluster(n_workers=1, processes=processes, **options) as cluster:
        with Client(cluster) as client:
            assert client.submit(counted).result(PATIENCE) == (7, "Counting")


def test_the_command_takes_a_class_of_workers(tmp_path):
    (tmp_path / "own_workers.py").write_text(
        "from samite.distributed import Worker\n\nclass Own(Worker):\n    mark = 'own'\n"
    )
    file = tmp_path / "scheduler.json"
    scheduler_kwargs = {"scheduler_file": str(file)}
    with LocalCluster(n_workers=0, processes=True, scheduler_kwargs=scheduler_kwargs) as cluster:
        command = [sys.executable, "-m", "samite", "worker", "--scheduler-file", str(file)]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        wrong = subprocess.run(
            [*command, "--worker-class", "own_workers.Absent"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert wrong.returncode and "own_workers.Absent is not there" in wrong.stderr
        started = subprocess.Popen(
            [*command, "--worker-class", "own_workers.Own", "--nworkers", "1"], env=environment
        )
        try:
            with Client(cluster) as client:
                client.wait_for_workers(1, timeout=PATIENCE)
                found = client.run(lambda dask_worker: dask_worker.mark)
                assert list(found.values()) == ["own"]
        finally:
            started.terminate()
            started.wait(PATIENCE)
