"""Graphs on a Dask cluster: real workers, each in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import distributed
import numpy as np
import pytest
from cluster_patience import PATIENCE

import samite
import samite.array as da
from samite import delayed
from samite.base import wait
from samite.distributed._remote_tasks import RUN_TASK, run_task


@pytest.fixture(scope="module")
def cluster():
    """Two workers of two threads, of which the second has a resource."""
    options = {"nthreads": 2, "memory_limit": "1GiB"}
    workers = {
        0: {"cls": distributed.Nanny, "options": {**options, "name": "plain"}},
        1: {
            "cls": distributed.Nanny,
            "options": {**options, "name": "rich", "resources": {"X": 1}},
        },
    }
    scheduler = {"cls": distributed.Scheduler, "options": {"dashboard_address": ":0", "port": 0}}
    with distributed.SpecCluster(workers, scheduler=scheduler) as made:
        yield made


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster, set_as_default=False) as made:
        made.wait_for_workers(2, timeout=PATIENCE)
        yield made


def name_of_worker():
    return distributed.get_worker().name


def settled(condition):
    """Whether a condition comes true."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


def is_empty(client):
    """Whether a cluster holds nothing and runs nothing."""
    held = any(client.has_what().values())
    return not held and not any(client.processing().values())


# ---- who runs it ---------------------------------------------------------------------------------


def test_tasks_run_on_workers_of_the_cluster(client):
    pids = samite.compute([delayed(os.getpid, pure=False)() for _ in range(8)], scheduler=client)[0]
    assert os.getpid() not in pids
    assert set(pids) <= set(client.run(os.getpid).values())


def test_a_client_may_be_the_setting(client):
    with samite.config.set(scheduler=client):
        assert delayed(os.getpid, pure=False)().compute() != os.getpid()


def test_a_default_client_of_dask_is_not_taken_by_itself(cluster):
    with distributed.Client(cluster) as client:
        assert distributed.default_client() is client
        assert delayed(os.getpid, pure=False)().compute() == os.getpid()


def test_an_asynchronous_client_is_refused(cluster):
    async def refused():
        address = cluster.scheduler_address
        async with distributed.Client(address, asynchronous=True, set_as_default=False) as client:
            with pytest.raises(TypeError, match="asynchronous"):
                delayed(1).compute(scheduler=client)

    import asyncio

    asyncio.run(refused())


# ---- what stays, and what does not -------------------------------------------------------------


def test_nothing_is_left_behind(client):
    x = da.ones((400, 400), chunks=50)
    assert (x + x.T).sum().compute(scheduler=client) == 2 * 400 * 400
    assert settled(lambda: is_empty(client))


def test_intermediate_results_are_released_while_others_are_computed(client):
    """Of blocks of 4 MB each that are summed one after the other, few are there at a time."""

    def block(number, before):
        return np.full(1 << 19, number + before)

    def most(dask_scheduler=None):
        return max(len(state.has_what) for state in dask_scheduler.workers.values())

    last, seen = 0.0, []
    for number in range(60):
        last = delayed(np.mean)(delayed(block, pure=False)(number, last))
    stop = threading.Event()

    def watch():
        while not stop.wait(0.02):
            seen.append(client.run_on_scheduler(most))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        assert last.compute(scheduler=client) == sum(range(60))
    finally:
        stop.set()
        watcher.join()
    assert seen
    assert max(seen) < 10


def test_persisted_parts_stay_on_the_cluster_for_as_long_as_they_are_wanted(client):
    x = np.random.default_rng(0).random((60, 40))
    kept = (da.from_array(x, chunks=20) + 1).persist(scheduler=client)
    wait(kept, timeout=PATIENCE)
    assert sum(map(len, client.has_what().values())) >= 6
    np.testing.assert_array_equal((kept * 2).compute(scheduler=client), (x + 1) * 2)
    with pytest.raises(ValueError, match="compute it with the future's client"):
        kept.compute(scheduler="threads")
    del kept
    assert settled(lambda: is_empty(client))


def test_a_result_of_another_cluster_is_refused(client):
    from samite.distributed import Client, LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False) as other:
        with Client(other, set_as_default=False) as ours:
            future = ours.submit(abs, -1)
            with pytest.raises(ValueError, match="samite.distributed"):
                delayed(abs)(future).compute(scheduler=client)


def test_futures_of_dask_are_arguments_at_any_depth(client):
    data = client.scatter({"x": 41})
    more = client.submit(abs, -1)
    add = delayed(lambda known, others: known["x"] + others["one"][0])
    assert add(data, {"one": [more]}).compute(scheduler=client) == 42


def test_interrupted_computations_are_cancelled(client):
    calls = [delayed(time.sleep, pure=False)(0.3) for _ in range(200)]
    timer = threading.Timer(
        1.0, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)
    )
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        samite.compute(*calls, scheduler=client)
    assert settled(lambda: is_empty(client))


def test_a_task_may_compute_on_its_own_cluster(client):
    def inner(number):
        mine = distributed.get_client()
        return sum(samite.compute(*[delayed(pow)(number, n) for n in range(4)], scheduler=mine))

    # More of them than there are threads.
    calls = [delayed(inner)(number) for number in range(10)]
    values = samite.compute(*calls, scheduler=client)
    assert values == tuple(sum(number**n for n in range(4)) for number in range(10))


# ---- annotations ---------------------------------------------------------------------------------


def test_annotations_say_where_tasks_run(client):
    with samite.annotate(workers=["plain"]):
        first = [delayed(name_of_worker, pure=False)() for _ in range(4)]
    with samite.annotate(resources={"X": 1}):
        second = [delayed(name_of_worker, pure=False)() for _ in range(4)]
    free = [delayed(name_of_worker, pure=False)() for _ in range(2)]
    values = samite.compute(*first, *second, *free, scheduler=client)
    assert values[:8] == ("plain",) * 4 + ("rich",) * 4
    assert set(values[8:]) <= {"plain", "rich"}


def test_tasks_with_annotations_need_each_other(client):
    with samite.annotate(workers=["plain"]):
        value = delayed(lambda: [name_of_worker()], pure=False)()
    with samite.annotate(workers=["rich"]):
        value = delayed(lambda names: [*names, name_of_worker()], pure=False)(value)
    with samite.annotate(workers=["plain"]):
        value = delayed(lambda names: [*names, name_of_worker()], pure=False)(value)
    assert value.compute(scheduler=client) == ["plain", "rich", "plain"]


def test_options_of_the_computation(client):
    calls = [delayed(name_of_worker, pure=False)() for _ in range(4)]
    assert samite.compute(*calls, scheduler=client, workers=["rich"]) == ("rich",) * 4


def test_failed_tasks_are_tried_again(client, tmp_path):
    def fails_twice(path):
        with open(path, "a") as file:
            file.write("x")
        with open(path) as file:
            if len(file.read()) < 3:
                raise RuntimeError("not yet")
        return "done"

    call = delayed(fails_twice, pure=False)
    with pytest.raises(RuntimeError, match="not yet"):
        call(str(tmp_path / "never")).compute(scheduler=client)
    with samite.annotate(retries=2):
        value = call(str(tmp_path / "twice"))
    assert value.compute(scheduler=client) == "done"
    assert call(str(tmp_path / "all")).compute(scheduler=client, retries=2) == "done"


def test_priorities_order_tasks(cluster):
    """On one thread, what has a higher priority runs first."""
    with distributed.Client(cluster, set_as_default=False) as client:
        with samite.annotate(workers=["rich"], resources={"X": 1}):
            calls = []
            for number in range(12):
                with samite.annotate(priority=number):
                    calls.append(delayed(time.monotonic, pure=False)())
        times = samite.compute(*calls, scheduler=client)
    # The first ones may have begun before the others were there.
    assert list(times[:-4]) == sorted(times[:-4], reverse=True)


# ---- what goes wrong -----------------------------------------------------------------------------


class Broken(Exception):
    """An exception whose constructor takes other arguments than it hands on."""

    def __init__(self, number: int) -> None:
        super().__init__(f"number {number}")
        self.number = number

    def __reduce__(self):
        return type(self), (self.number,)


def test_exceptions_keep_their_type(client):
    def fails(number):
        raise Broken(number)

    with pytest.raises(Broken) as raised:
        delayed(abs)(delayed(fails)(3)).compute(scheduler=client)
    assert raised.value.number == 3
    with pytest.raises(np.linalg.LinAlgError):
        da.linalg.inv(da.zeros((4, 4), chunks=4)).compute(scheduler=client)


def test_what_cannot_be_pickled_is_named(client):
    with pytest.raises(TypeError) as raised:
        delayed(len)([threading.Lock()]).compute(scheduler=client)
    assert any("lock" in note for note in raised.value.__notes__)


def hide(folder):
    """Take Samite from a worker."""
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != folder]
    for name in list(sys.modules):
        if name.partition(".")[0] == "samite":
            del sys.modules[name]


def test_workers_without_samite_are_told_of():
    folder = os.path.dirname(os.path.dirname(samite.__file__))
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        with distributed.Client(cluster, set_as_default=False) as client:
            client.run(hide, folder)
            with pytest.raises(ModuleNotFoundError, match=r"install samite==") as raised:
                delayed(abs)(-1).compute(scheduler=client)
            assert raised.value.name == "samite"
            with pytest.raises(ModuleNotFoundError, match=r"install samite=="):
                da.ones(10, chunks=5).sum().compute(scheduler=client)


def test_workers_with_another_version_are_told_of(client):
    submitted = client.submit(run_task, "0.0.0", b"", 0)
    with pytest.raises(RuntimeError, match=r"samite 0\.0\.0 .* install samite==0\.0\.0"):
        submitted.result()
    assert RUN_TASK == "samite.distributed._remote_tasks:run_task"


def test_a_lock_of_the_cluster_guards_its_tasks(client):
    from samite.utils import get_scheduler_lock

    lock = get_scheduler_lock(scheduler=client)
    assert isinstance(lock, distributed.Lock)

    def holding(lock):
        with lock:
            began = time.monotonic()
            time.sleep(0.02)
            return began, time.monotonic()

    spans = samite.compute(
        *[delayed(holding, pure=False)(lock) for _ in range(6)], scheduler=client
    )
    spans = sorted(spans)
    assert all(end <= begin for (_, end), (begin, _) in zip(spans, spans[1:], strict=False))
