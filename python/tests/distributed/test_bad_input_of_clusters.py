"""What users are told when they, or their cluster, make a mistake."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import types

import pytest
from cluster_patience import PATIENCE

from samite import config
from samite.distributed import (
    CancelledError,
    Client,
    KilledWorker,
    LocalCluster,
    get_client,
    wait,
)
from samite.distributed.exceptions import ClosedClientError, WorkerStartTimeoutError
from samite.distributed.versions import VersionMismatchWarning

noted = pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have notes from 3.11 on")


class Holder:
    """An object with a part that cannot be pickled."""

    def __init__(self):
        self.inner = {"parts": [1, threading.Lock()]}


def notes(raised) -> str:
    return "\n".join(getattr(raised.value, "__notes__", ()))


# ---- what cannot be pickled ---------------------------------------------------------------------


@noted
def test_the_part_of_a_function_that_cannot_be_pickled_is_named(outside):
    held = Holder()
    with Client(outside) as client, pytest.raises(TypeError, match="lock") as raised:
        client.submit(lambda: held)
    assert "variable held.inner['parts'][1] is a _thread.lock" in notes(raised)
    assert "<lambda>" in notes(raised)


@noted
@pytest.mark.parametrize("way", ["submit", "map", "keyword", "scatter", "run"])
def test_the_part_of_an_argument_that_cannot_be_pickled_is_named(outside, way):
    held = [Holder()]
    with Client(outside) as client, pytest.raises(TypeError, match="lock") as raised:
        if way == "submit":
            client.submit(len, held)
        elif way == "map":
            client.map(len, [held])
        elif way == "keyword":
            client.submit(dict, held=held)
        elif way == "scatter":
            client.scatter({"held": held})
        else:
            client.run(len, held)
    assert ".inner['parts'][1] is a _thread.lock" in notes(raised)


@noted
@pytest.mark.parametrize("way", ["submit", "run"])
def test_the_part_of_a_result_that_cannot_be_pickled_is_named(outside, way):
    def make():
        return {"held": Holder()}

    with Client(outside) as client, pytest.raises(TypeError, match="lock") as raised:
        if way == "submit":
            client.submit(make).result(timeout=PATIENCE)
        else:
            client.run(make)
    assert "['held'].inner['parts'][1] is a _thread.lock" in notes(raised)


def test_a_failure_that_cannot_be_pickled_still_says_what_it_was(outside):
    def fail():
        raise ValueError("what went wrong", threading.Lock())

    with Client(outside) as client, pytest.raises(RuntimeError, match="what went wrong") as raised:
        client.submit(fail).result(timeout=PATIENCE)
    assert "ValueError" in str(raised.value)


# ---- modules that workers have not --------------------------------------------------------------


@pytest.fixture
def local_module(monkeypatch):
    """A module that this process has and workers have not."""
    module = types.ModuleType("module_that_only_the_client_has")
    exec("def double(x):\n    return 2 * x\n\nclass Point:\n    pass\n", module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


@pytest.mark.parametrize("way", ["function", "many", "argument", "data", "inside", "run"])
def test_a_missing_module_is_named_with_the_host_it_is_missing_on(outside, local_module, way):
    name = local_module.__name__

    def inside():
        __import__(name)

    with Client(outside) as client, pytest.raises(ModuleNotFoundError, match=name) as raised:
        if way == "function":
            client.submit(local_module.double, 1).result(timeout=PATIENCE)
        elif way == "many":
            client.gather(client.map(local_module.double, range(3)))
        elif way == "argument":
            client.submit(type, local_module.Point()).result(timeout=PATIENCE)
        elif way == "data":
            client.submit(type, client.scatter(local_module.Point())).result(timeout=PATIENCE)
        elif way == "inside":
            client.submit(inside).result(timeout=PATIENCE)
        else:
            client.run(inside)
    if sys.version_info >= (3, 11):
        assert f"is missing on host {socket.gethostname()!r}" in notes(raised)
        assert str(os.getpid()) not in notes(raised)


# ---- clusters that cannot start or have nobody to work ------------------------------------------


def test_an_address_in_use_is_named(outside):
    port = int(outside.scheduler_address.rpartition(":")[2])
    with pytest.raises(OSError, match=f"{port}.*in use"):
        LocalCluster(n_workers=0, processes=True, scheduler_port=port)


def test_the_command_says_that_an_address_is_in_use(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = ["-m", "samite", "scheduler", "--host", "127.0.0.1", "--port", str(port)]
        ended = subprocess.run(
            [sys.executable, *command, "--token-file", str(tmp_path / "token")],
            capture_output=True,
            text=True,
            timeout=PATIENCE * 3,
            check=False,
        )
    assert ended.returncode != 0
    assert str(port) in ended.stderr
    assert "in use" in ended.stderr


@pytest.mark.parametrize("way", ["result", "gather", "wait"])
def test_who_waits_for_a_cluster_without_workers_is_told(caplog, way):
    with (
        config.set({"distributed.client.no-workers-hint": 0.1}),
        LocalCluster(n_workers=0, processes=False) as cluster,
        Client(cluster) as client,
        caplog.at_level(logging.WARNING, logger="distributed.client"),
    ):
        future = client.submit(sum, [1, 2])
        threading.Timer(2.0, lambda: cluster.scale(1)).start()
        if way == "result":
            assert future.result(timeout=PATIENCE) == 3
        elif way == "gather":
            assert client.gather([future]) == [3]
        else:
            wait([future], timeout=PATIENCE)
        hints = [one.getMessage() for one in caplog.records if "no workers" in one.getMessage()]
        assert len(hints) == 1
        assert cluster.scheduler_address in hints[0]
        assert "scale" in hints[0]


def test_who_awaits_a_cluster_without_workers_is_told(caplog):
    async def main():
        async with (
            LocalCluster(n_workers=0, processes=False, asynchronous=True) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):
            future = client.submit(sum, [1, 2])
            asyncio.get_running_loop().call_later(2.0, cluster.scale, 1)
            return await future

    with (
        config.set({"distributed.client.no-workers-hint": 0.1}),
        caplog.at_level(logging.WARNING, logger="distributed.client"),
    ):
        assert asyncio.run(asyncio.wait_for(main(), PATIENCE)) == 3
    assert sum("no workers" in one.getMessage() for one in caplog.records) == 1


def test_a_slow_task_is_not_taken_for_a_cluster_without_workers(inside, caplog):
    with (
        config.set({"distributed.client.no-workers-hint": 0.05}),
        Client(inside) as client,
        caplog.at_level(logging.WARNING, logger="distributed.client"),
    ):
        assert client.submit(time.sleep, 0.5).result(timeout=PATIENCE) is None
    assert not [one for one in caplog.records if "no workers" in one.getMessage()]


def test_waiting_for_workers_that_do_not_come():
    with LocalCluster(n_workers=0, processes=False) as cluster, Client(cluster) as client:
        with pytest.raises(WorkerStartTimeoutError, match="Only 0/2 workers arrived"):
            client.wait_for_workers(2, timeout=0.1)


# ---- results that there will not be -------------------------------------------------------------


def test_futures_of_a_closed_client_say_so(inside):
    with Client(inside) as client:
        future = client.submit(sum, [1, 2])
        assert future.result(timeout=PATIENCE) == 3
    assert future.status == "cancelled"
    for ask in (future.result, future.exception, future.traceback):
        with pytest.raises(ClosedClientError, match=client.id):
            ask()
    with pytest.raises(ClosedClientError, match="closed"):
        client.submit(sum, [1])


def test_cancelled_futures_name_their_key_and_reason(inside):
    with Client(inside) as client:
        future = client.submit(time.sleep, 2, key="long-sleep")
        client.cancel([future], reason="not-needed", msg="nobody asks")
        with pytest.raises(CancelledError, match="long-sleep"):
            future.result(timeout=PATIENCE)
        after = client.submit(str, future)
        with pytest.raises(CancelledError):
            after.result(timeout=PATIENCE)


def test_a_future_of_another_cluster_is_not_waited_for_for_ever(inside):
    with (
        LocalCluster(n_workers=1, processes=False) as other,
        Client(other, set_as_default=False) as stranger,
        Client(inside) as client,
    ):
        foreign = stranger.submit(sum, [1, 2], key="foreign-sum")
        foreign.result(timeout=PATIENCE)
        with pytest.raises(CancelledError, match="text.*released"):
            client.submit(str, foreign, key="text").result(timeout=PATIENCE)


def test_data_that_was_lost_with_its_worker_is_named():
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster:
        with Client(cluster) as client:
            (data,) = client.scatter(["precious"])
            (pid,) = client.run(os.getpid).values()
            os.kill(pid, 9)
            with pytest.raises(CancelledError, match=str(data.key)):
                client.submit(str.upper, data, key="upper").result(timeout=PATIENCE * 3)


def test_a_task_that_kills_its_workers_is_named():
    with config.set({"distributed.scheduler.allowed-failures": 0}):
        with LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster:
            with Client(cluster) as client:
                future = client.submit(os._exit, 1, key="deadly")
                with pytest.raises(KilledWorker, match="deadly"):
                    future.result(timeout=PATIENCE * 3)


def test_outside_of_tasks_without_a_client_there_is_none_to_get():
    with pytest.raises(ValueError, match="[Cc]lient"):
        get_client(timeout=0.1)


# ---- versions -----------------------------------------------------------------------------------


def as_if_installed(folder, name, version):
    """What the package's version is read from."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.mark.parametrize(("package", "error"), [("cloudpickle", ValueError), ("numpy", None)])
def test_versions_that_differ_are_named_with_all_who_have_them(tmp_path, package, error):
    as_if_installed(tmp_path, package, "0.0.1")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, env={"PYTHONPATH": path}
        ) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(sum, [1, 2]).result(timeout=PATIENCE) == 3
        worker = next(iter(client.scheduler_info()["workers"]))
        told = (
            pytest.raises(error, match="Mismatched versions")
            if error
            else pytest.warns(VersionMismatchWarning, match="Mismatched versions")
        )
        with told as caught:
            client.get_versions(check=True)
        said = str(caught.value) if error else str(caught[0].message)
        assert package in said
        assert "0.0.1" in said
        for who in ("client", "scheduler", worker):
            assert who in said


def test_ways_of_serialization_that_leave_nothing(inside):
    with pytest.raises(
        ValueError, match=r"deserializers=\['dask', 'msgpack'\] leaves 'pickle' out"
    ):
        Client(inside, deserializers=["dask", "msgpack"])
    with pytest.raises(TypeError, match="serializers is a list of names, not 'pickle'"):
        Client(inside, serializers="pickle")
    with Client(inside, serializers=["dask", "pickle"], deserializers=("pickle",)) as client:
        assert client.submit(sum, [1, 2]).result(timeout=PATIENCE) == 3


# ---- exceptions that are hard to send -----------------------------------------------------------


class TakesTwo(Exception):
    """An exception that takes other arguments than it keeps, as many libraries have some."""

    def __init__(self, what, code):
        super().__init__(f"{what}: {code}")
        self.code = code


@noted
@pytest.mark.parametrize("package", ["samite.distributed", "distributed"])
def test_an_exception_that_takes_other_arguments_than_it_keeps_has_its_class(package):
    def fail():
        raise TakesTwo("refused", 403)

    distributed = pytest.importorskip(package)
    made = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    with made as cluster, distributed.Client(cluster) as client:
        with pytest.raises(TakesTwo, match="refused: 403") as raised:
            client.submit(fail).result(timeout=PATIENCE)
    assert raised.value.code == 403


@noted
def test_attributes_of_exceptions_that_cannot_be_pickled_are_named(outside):
    def fail():
        failed = ValueError("what went wrong")
        failed.lock, failed.code = threading.Lock(), 3
        raise failed

    with Client(outside) as client, pytest.raises(ValueError, match="what went") as raised:
        client.submit(fail).result(timeout=PATIENCE)
    assert raised.value.code == 3 and not hasattr(raised.value, "lock")
    assert "left behind: lock (a lock)" in notes(raised)


def test_arguments_that_workers_do_not_take_are_named_before_anything_starts():
    for make in (lambda: LocalCluster(n_workerz=1, processes=True), lambda: Client(n_workerz=1)):
        with pytest.raises(RuntimeError, match="unexpected keyword argument 'n_workerz'") as raised:
            make()
        assert isinstance(raised.value.__cause__, TypeError)
    with pytest.raises(TypeError, match="unexpected keyword argument 'n_workerz'"):
        LocalCluster(n_workerz=1, processes=False)
    with pytest.raises(ValueError, match="memory_limit='much'"):
        LocalCluster(n_workers=1, memory_limit="much")


def test_a_map_without_arguments_is_refused(inside):
    with Client(inside) as client, pytest.raises(TypeError, match="at least one sequence"):
        client.map(len)


@pytest.mark.parametrize("way", [{"workers": "nobody"}, {"resources": {"GPU": 1}}])
def test_tasks_that_no_worker_may_run_are_told_of(outside, caplog, way):
    with config.set({"distributed.client.no-workers-hint": "0.2s"}), Client(outside) as client:
        future = client.submit(len, [1], pure=False, **way)
        with caplog.at_level(logging.WARNING), pytest.raises(TimeoutError):
            future.result(timeout=3)
        assert "1 tasks of the cluster" in caplog.text and "can run on none" in caplog.text


# ---- Ctrl-C -------------------------------------------------------------------------------------

INTERRUPTED = """
import os, signal, sys, threading, time
from samite.distributed import *

def interrupt():
    time.sleep(0.5)
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)

with LocalCluster(n_workers=1, threads_per_worker=1, processes=False) as cluster:
    with Client(cluster) as client:
        futures = client.map(time.sleep, [60, 61])
        ways = {
            "gather": lambda: client.gather(futures),
            "result": futures[0].result,
            "wait": lambda: wait(futures),
            "as_completed": lambda: next(as_completed(futures)),
            "progress": lambda: progress(futures),
            "wait_for_workers": lambda: client.wait_for_workers(5),
            "lock": lambda: [Lock("x").acquire(), Lock("x").acquire()],
            "queue": lambda: Queue("x").get(),
        }
        for name, way in ways.items():
            sent = []
            threading.Thread(target=interrupt, daemon=True).start()
            try:
                way()
            except KeyboardInterrupt:
                print("after", name, round(time.monotonic() - sent[0], 3), flush=True)
        time.sleep(0.5)
        print("end", flush=True)
        os._exit(0)
"""


def test_ctrl_c_ends_every_wait_within_a_second():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    after = {line.split()[1]: float(line.split()[2]) for line in lines if line.startswith("after")}
    assert len(after) == 8 and max(after.values()) < 1, after
    # The bar of the progress that was interrupted is not drawn any more.
    ends = next(number for number, line in enumerate(lines) if line.startswith("after progress"))
    assert "Completed" in lines[ends - 1] and "Completed" not in "".join(lines[ends:])


@pytest.mark.parametrize("library", [True, False], ids=["tblib", "own"])
def test_failures_that_are_over_keep_no_results(outside, library, monkeypatch):
    """Without waiting for Python to look for garbage."""
    import gc

    from samite.distributed._tracebacks import places_of, rebuilt

    def fail(number):
        raise ValueError(number)

    def rebuild(*_):
        try:
            raise ValueError("here")
        except ValueError as raised:
            return rebuilt(places_of(raised.__traceback__))

    if not library:
        monkeypatch.setattr("tblib.pickling_support.unpickle_traceback", rebuild)
    with Client(outside) as client:
        gc.collect()
        gc.disable()
        try:
            for way in (
                lambda: client.submit(fail, 1).result(timeout=PATIENCE),
                lambda: client.gather(client.map(fail, range(3))),
                lambda: client.get({"x": (fail, 2)}, ["x"]),
            ):
                with contextlib.suppress(ValueError):
                    way()
                deadline = time.monotonic() + PATIENCE
                while client.futures:
                    assert time.monotonic() < deadline, "the results are kept"
                    time.sleep(0.01)
        finally:
            gc.enable()
