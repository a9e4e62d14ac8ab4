"""What plugins and preloads are told, and what they find on workers and schedulers."""

from __future__ import annotations

import logging
import os
import sqlite3
import time

import pytest
from cluster_patience import PATIENCE

from samite import config
from samite.distributed import (
    Client,
    Event,
    LocalCluster,
    Nanny,
    Scheduler,
    SchedulerPlugin,
    Worker,
    WorkerPlugin,
    get_worker,
)


def until(true, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


class Watching(SchedulerPlugin):
    """Notes what it is told; all of its objects share the notes, since plugins may be pickled."""

    seen: list = []

    def add_worker(self, scheduler, worker):
        self.seen.append(("add", worker, worker in scheduler.workers))

    async def remove_worker(self, scheduler, worker, *, stimulus_id, **kwargs):
        self.seen.append(("remove", worker, worker in scheduler.workers))

    def transition(self, key, start, finish, *args, stimulus_id, **kwargs):
        self.seen.append((key, start, finish))

    def restart(self, scheduler):
        self.seen.append("restart")


class Database(WorkerPlugin):
    """Gives each worker a connection to a database of its own."""

    name = "database"

    def setup(self, worker):
        path = os.path.join(worker.local_directory, "numbers.db")
        worker.database = sqlite3.connect(path, check_same_thread=False)
        worker.database.execute("create table numbers (value)")

    def teardown(self, worker):
        worker.database.close()


def store(value):
    worker = get_worker()
    worker.database.execute("insert into numbers values (?)", (value,))
    return value


def fail(value):
    raise ValueError(value)


def test_a_plugin_of_the_scheduler_hears_of_workers_and_tasks():
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False) as cluster:
        with Client(cluster) as client:
            Watching.seen.clear()
            client.register_plugin(Watching())
            cluster.scale(2)
            client.wait_for_workers(2, timeout=PATIENCE)
            there = set(client.nthreads())
            good, bad = client.submit(abs, -1, key="good"), client.submit(fail, 1, key="bad")
            good.result(PATIENCE)
            bad.exception(PATIENCE)
            cluster.scale(1)
            until(lambda: len([one for one in Watching.seen if "remove" in one]) == 1)
            until(lambda: ("bad", "processing", "erred") in Watching.seen)
            assert ("good", "waiting", "processing") in Watching.seen
            assert ("good", "processing", "memory") in Watching.seen
            [(_, added, known)] = [one for one in Watching.seen if one[0] == "add"]
            [(_, removed, still_known)] = [one for one in Watching.seen if one[0] == "remove"]
            assert added in there and removed in there and known and not still_known
            client.restart()
            until(lambda: "restart" in Watching.seen)


def test_a_plugin_that_fails_does_not_hold_up_the_others(caplog):
    class Failing(SchedulerPlugin):
        def add_worker(self, scheduler, worker):
            raise ValueError("what this plugin says")

    with LocalCluster(n_workers=0, processes=False) as cluster, Client(cluster) as client:
        client.register_plugin(Failing(), name="failing")
        Watching.seen.clear()
        client.register_plugin(Watching(), name="watching")
        with caplog.at_level(logging.ERROR, logger="samite.distributed"):
            cluster.scale(1)
            until(lambda: any("add" in one for one in Watching.seen))
        assert "what this plugin says" in caplog.text


def test_methods_of_plugins_that_nobody_calls_are_named():
    class Graphs(SchedulerPlugin):
        def update_graph(self, scheduler, **kwargs):
            pass

    class States(WorkerPlugin):
        def transition(self, key, start, finish, **kwargs):
            pass

    with LocalCluster(n_workers=1, processes=False) as cluster, Client(cluster) as client:
        with pytest.warns(UserWarning, match="Graphs.*never called.*update_graph"):
            client.register_plugin(Graphs())
        with pytest.warns(UserWarning, match="States.*'transition'.*never called"):
            client.register_plugin(States())


@pytest.mark.parametrize("processes", [False, True])
def test_tasks_find_what_a_plugin_gave_their_worker(processes):
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=processes) as cluster:
        with Client(cluster) as client:
            client.register_plugin(Database())
            cluster.scale(3)
            client.wait_for_workers(3, timeout=PATIENCE)
            addresses = list(client.nthreads())
            for address in addresses:
                made = client.submit(store, 1, workers=[address], pure=False)
                assert made.result(PATIENCE) == 1
            folders = client.run(lambda dask_worker: dask_worker.local_directory)
            assert len(set(folders.values())) == 3
            assert all(os.path.isdir(folder) for folder in folders.values())
    until(lambda: not any(os.path.exists(folder) for folder in folders.values()))


def test_a_worker_tells_what_it_does():
    def hold():
        Event("began").set()
        Event("go").wait(PATIENCE)
        return get_worker().state.executing

    def about(dask_worker):
        return (
            dask_worker.active_keys,
            dask_worker.state.executing_count,
            dask_worker.state.nthreads,
            dask_worker.total_resources,
            dask_worker.keys(),
        )

    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, resources={"GPU": 2}
    ) as cluster:
        with Client(cluster) as client:
            [kept] = client.scatter([1])
            held = client.submit(hold, key="held")
            assert Event("began").wait(PATIENCE)
            [told] = client.run(about).values()
            assert told == ({"held"}, 1, 2, {"GPU": 2.0}, [kept.key])
            Event("go").set()
            assert held.result(PATIENCE) == {"held"}
            loops = client.run(lambda dask_worker: dask_worker.loop.is_running())
            assert list(loops.values()) == [True]


def test_workers_that_come_and_go_are_events():
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False) as cluster:
        with Client(cluster) as client:
            [first] = client.nthreads()
            cluster.scale(2)
            client.wait_for_workers(2, timeout=PATIENCE)
            [second] = set(client.nthreads()) - {first}
            cluster.scale(1)
            until(lambda: len(client.get_events("all")) == 3)
            messages = [message for _, message in client.get_events("all")]
            gone = messages[2]["worker"]
            assert messages == [
                {"action": "add-worker", "worker": first},
                {"action": "add-worker", "worker": second},
                {"action": "remove-worker", "worker": gone, "expected": True},
            ]
            assert [message for _, message in client.get_events(gone)] == [
                message for message in messages if message["worker"] == gone
            ]


# ---- preloads -----------------------------------------------------------------------------------

FAILS = """
def dask_setup(server):
    raise ValueError("at the start")

def dask_teardown(server):
    raise ValueError("at the end")
"""
MARKS = """
def dask_setup(server):
    server.mark = "set up"

def dask_teardown(server):
    server.mark = "torn down"
"""


@pytest.mark.parametrize("what", ["scheduler", "worker", "nanny", "client"])
def test_a_preload_that_fails_is_logged_and_holds_nothing_up(what, caplog):
    import asyncio

    async def run():
        async with Scheduler(preload=FAILS if what == "scheduler" else None) as scheduler:
            if what == "worker":
                async with Worker(scheduler.address, preload=[FAILS]):
                    pass
            elif what == "nanny":
                async with Nanny(scheduler.address, preload_nanny=[FAILS]):
                    pass
            elif what == "client":
                with config.set({"distributed.client.preload": [FAILS]}):
                    async with Client(scheduler.address, asynchronous=True):
                        pass

    with caplog.at_level(logging.ERROR, logger="samite.distributed.preloading"):
        asyncio.run(run())
    assert "at the start" in caplog.text and "at the end" in caplog.text


def test_a_preload_of_a_client():
    with LocalCluster(n_workers=0, processes=False) as cluster:
        with config.set({"distributed.client.preload": [MARKS]}):
            with Client(cluster) as client:
                assert client.mark == "set up"
        assert client.mark == "torn down"


def test_tasks_can_import_a_file_that_was_preloaded(tmp_path):
    file = tmp_path / "preloaded_by_workers.py"
    file.write_text("def dask_setup(worker):\n    global address\n    address = worker.address\n")

    def told():
        import preloaded_by_workers

        return preloaded_by_workers.address

    with LocalCluster(n_workers=2, processes=True, preload=[str(file)]) as cluster:
        with Client(cluster) as client:
            assert client.run(told) == {address: address for address in client.nthreads()}


def test_a_preload_may_say_where_the_scheduler_is():
    import asyncio

    async def run():
        async with Scheduler() as scheduler:
            text = f"import samite\nsamite.config.set(scheduler_address={scheduler.address!r})\n"
            try:
                async with Worker(preload=text) as worker:
                    return worker.scheduler.address == scheduler.address
            finally:
                config.config.pop("scheduler-address", None)
                config.config.pop("scheduler_address", None)

    assert asyncio.run(run())


def test_a_worker_that_has_started_has_its_plugins():
    import asyncio

    class Slow(WorkerPlugin):
        def __init__(self, number):
            self.number = number

        def setup(self, worker):
            time.sleep(0.1)
            worker.order = [*getattr(worker, "order", ()), self.number]

    async def run():
        async with Scheduler() as scheduler:
            async with Client(scheduler.address, asynchronous=True) as client:
                for number in range(5):
                    await client.register_plugin(Slow(number), name=str(number))
                async with Worker(scheduler.address) as worker:
                    return worker.order

    assert asyncio.run(run()) == list(range(5))


class Once(WorkerPlugin):
    """Is set up once on a worker, however often it is registered."""

    name = "once"
    idempotent = True

    def setup(self, worker):
        worker.times = getattr(worker, "times", 0) + 1


def times(dask_worker):
    return dask_worker.times


class OnceOnScheduler(SchedulerPlugin):
    name = "once"
    idempotent = True

    def __init__(self, number):
        self.number = number


def test_idempotent_plugins_are_left_out_where_there_is_one():
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False) as cluster:
        with Client(cluster) as client:
            for number in range(2):
                client.register_plugin(Once())
                client.register_plugin(OnceOnScheduler(number))
            assert list(client.run(times).values()) == [1]
            found = client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.plugins["once"])
            assert found.number == 0
