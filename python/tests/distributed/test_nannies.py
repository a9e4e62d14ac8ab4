"""Nannies: calls and plugins that reach the processes that watch workers."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from cluster_patience import PATIENCE

from samite import config
from samite.distributed import Client, KilledWorker, LocalCluster, NannyPlugin
from samite.distributed._nanny_memory import memory_of
from samite.distributed.diagnostics.plugin import Environ, InstallPlugin, UploadDirectory


@pytest.fixture
def watched():
    """A client of one worker in a process of its own, whose nanny lives in this process."""
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster:
        with Client(cluster) as client:
            yield client


def nanny_of(client: Client):
    return next(iter(client.cluster.workers.values()))


class Counting(NannyPlugin):
    """Notes on its nanny what happened to it."""

    name = "counting"

    def __init__(self, restart: bool = False) -> None:
        self.restart = restart

    def setup(self, nanny):
        nanny.set_ups = getattr(nanny, "set_ups", 0) + 1
        nanny.pid_of_set_up = os.getpid()

    def teardown(self, nanny):
        nanny.tear_downs = getattr(nanny, "tear_downs", 0) + 1


class Failing(NannyPlugin):
    name = "failing"

    def setup(self, nanny):
        raise ZeroDivisionError("no such thing")


def test_functions_run_in_nannies(watched):
    assert list(watched.run(os.getpid, nanny=True).values()) == [os.getpid()]
    assert list(watched.run(os.getpid).values()) != [os.getpid()]
    found = watched.run(lambda dask_worker: type(dask_worker).__name__, nanny=True)
    assert list(found.values()) == ["Nanny"]


def test_async_functions_run_in_nannies(watched):
    async def answer():
        return 42

    assert list(watched.run(answer, nanny=True).values()) == [42]


def test_what_a_nanny_raises_reaches_the_client(watched):
    def fail():
        raise KeyError("from the nanny")

    with pytest.raises(KeyError, match="from the nanny"):
        watched.run(fail, nanny=True)
    found = watched.run(fail, nanny=True, on_error="return")
    assert [type(one) for one in found.values()] == [KeyError]
    assert watched.submit(sum, [1, 2]).result() == 3


def test_large_arguments_and_answers_of_nannies(watched):
    data = os.urandom(3_000_000)
    assert list(watched.run(bytes.upper, data, nanny=True).values()) == [data.upper()]


def test_a_worker_without_nanny_says_so(local):
    with pytest.raises(RuntimeError, match="has no nanny"):
        local.run(os.getpid, nanny=True)


def test_plugins_without_a_nanny_are_kept_for_those_that_come(inside):
    with Client(inside) as client:
        assert client.register_plugin(Counting()) == {}
        assert client.unregister_worker_plugin("counting", nanny=True) is not None


def test_a_nanny_plugin_is_set_up_and_torn_down(watched):
    client, nanny = watched, nanny_of(watched)
    assert list(client.register_plugin(Counting()).values()) == [{"status": "OK"}]
    assert (nanny.set_ups, nanny.pid_of_set_up) == (1, os.getpid())
    client.restart()
    assert client.submit(sum, [1, 2]).result() == 3
    assert nanny.set_ups == 1  # it was there already
    client.unregister_worker_plugin("counting", nanny=True)
    assert nanny.tear_downs == 1
    with pytest.raises(ValueError, match="nanny plugin counting does not exist"):
        client.unregister_worker_plugin("counting", nanny=True)


def test_a_plugin_of_the_same_name_replaces_one(watched):
    nanny = nanny_of(watched)
    watched.register_plugin(Counting())
    watched.register_plugin(Counting())
    assert (nanny.set_ups, nanny.tear_downs) == (2, 1)


def test_nannies_that_come_later_have_the_plugins(watched):
    watched.register_plugin(Counting())
    watched.cluster.scale(2)
    watched.wait_for_workers(2, timeout=60)
    nannies = list(watched.cluster.workers.values())
    watched.run(os.getpid, nanny=True)  # after what the scheduler asked for before
    for nanny in nannies:
        assert wait_until(lambda nanny=nanny: getattr(nanny, "set_ups", 0) == 1)


def test_a_plugin_that_fails_is_an_error(watched):
    with pytest.raises(ZeroDivisionError, match="no such thing"):
        watched.register_plugin(Failing())
    assert "failing" not in nanny_of(watched).plugins


def test_plugins_are_torn_down_with_their_nanny():
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster:
        nanny = next(iter(cluster.workers.values()))
        with Client(cluster) as client:
            client.register_plugin(Counting())
    assert nanny.tear_downs == 1


def test_environment_variables_are_those_of_restarted_workers(watched):
    (before,) = watched.run(os.getpid).values()
    watched.register_plugin(Environ({"SAMITE_TEST_OF_NANNIES": 5}))
    (after,) = watched.run(os.getpid).values()
    assert before != after
    # The method of this process's variables would bring these along.
    found = watched.run(lambda: os.environ.get("SAMITE_TEST_OF_NANNIES"))
    assert list(found.values()) == ["5"]
    assert "SAMITE_TEST_OF_NANNIES" not in os.environ


def test_installing_may_restart_workers(watched):
    (before,) = watched.run(os.getpid).values()
    watched.register_plugin(InstallPlugin(list, restart_workers=True))
    (after,) = watched.run(os.getpid).values()
    assert before != after


def test_a_folder_is_uploaded_and_removed_with_its_worker(watched, tmp_path: Path):
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "uploaded_for_a_test.py").write_text("answer = 42\n")
    watched.register_plugin(UploadDirectory(str(folder), update_path=True))

    def look():
        import uploaded_for_a_test

        return uploaded_for_a_test.answer, uploaded_for_a_test.__file__

    answer, path = watched.submit(look).result()
    assert answer == 42 and os.path.exists(path)
    watched.cluster.scale(0)
    assert wait_until(lambda: not os.path.exists(path))
    with pytest.raises(NotImplementedError, match="mode='scheduler'"):
        UploadDirectory(str(folder), mode="scheduler")


def wait_until(true) -> bool:
    import time

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.02)
    return False


# ---- memory --------------------------------------------------------------------------------------

LIMIT = 400 << 20


def greedy(path: str) -> str:
    """Takes more memory than its worker may have, unless it has done so before."""
    if os.path.exists(path):
        return "modest"
    with open(path, "w"):
        pass
    taken = []
    for _ in range(80):
        taken.append(b"x" * (16 << 20))
        time.sleep(0.02)
    return "greedy"


@pytest.fixture
def limited():
    """A client of two workers with little memory."""
    options = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": LIMIT}
    with LocalCluster(**options, processes=True) as cluster:
        with Client(cluster) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
            yield client


def test_a_worker_over_its_memory_limit_is_replaced(limited, tmp_path, caplog):
    before = {worker["pid"] for worker in limited.scheduler_info()["workers"].values()}
    future = limited.submit(greedy, str(tmp_path / "marker"))
    assert future.result(timeout=60) == "modest"
    limited.wait_for_workers(2, timeout=PATIENCE)
    after = {worker["pid"] for worker in limited.scheduler_info()["workers"].values()}
    assert len(before & after) == 1
    assert any("near its limit of 400.00 MiB" in message for message in caplog.messages)


def test_a_task_that_always_takes_too_much_memory_is_named(limited, tmp_path):
    future = limited.submit(lambda: greedy(str(tmp_path / os.urandom(8).hex())), key="glutton")
    with pytest.raises(KilledWorker, match="glutton"):
        future.result(timeout=100)
    assert limited.submit(abs, -1).result(timeout=60) == 1


def test_a_nanny_may_be_told_not_to_look_at_memory(tmp_path):
    with config.set({"distributed.worker.memory.terminate": False}):
        options = {"n_workers": 1, "threads_per_worker": 1, "memory_limit": LIMIT}
        with LocalCluster(**options, processes=True) as cluster, Client(cluster) as client:
            marker = str(tmp_path / "marker")
            assert client.submit(greedy, marker).result(timeout=60) == "greedy"


def test_memory_of_processes():
    mine = memory_of(os.getpid())
    kept = b"x" * (64 << 20)
    assert memory_of(os.getpid()) > mine + len(kept) // 2
    assert memory_of(2**22 + 1) is None


def test_workers_that_come_later_do_not_wait_for_plugins_of_nannies():
    class Noting(NannyPlugin):
        def setup(self, nanny):
            nanny.noted = True

    with LocalCluster(n_workers=1, processes=True) as cluster, Client(cluster) as client:
        client.register_plugin(Noting(), name="noting")
        began = time.monotonic()
        cluster.scale(2)
        client.wait_for_workers(2, timeout=PATIENCE)
        # A worker that waited for its nanny, which waits for it, would take half a minute.
        deadline = began + PATIENCE
        while not all(hasattr(nanny, "noted") for nanny in cluster.workers.values()):
            assert time.monotonic() < deadline, "a nanny has not set up its plugin"
            time.sleep(0.02)
        assert len(cluster.workers) == 2
