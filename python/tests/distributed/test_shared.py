"""Locks, queues and their like; data sets, metadata, events, plugins."""

from __future__ import annotations

import pickle
import threading
import time

import pytest
from cluster_patience import PATIENCE

from samite import config
from samite.distributed import (
    Client,
    Event,
    Lock,
    MultiLock,
    Queue,
    Semaphore,
    Variable,
    WorkerPlugin,
    get_worker,
)


def increment(x):
    return x + 1


def test_a_lock_has_one_holder(client, request):
    name = request.node.name
    first, second = Lock(name), Lock(name)
    assert first.acquire(timeout=PATIENCE)
    assert first.locked()
    assert second.acquire(blocking=False) is False
    assert second.acquire(timeout=0.05) is False
    with pytest.raises(RuntimeError, match="not held"):
        second.release()
    with pytest.raises(ValueError, match="non-blocking"):
        second.acquire(blocking=False, timeout=1)
    first.release()
    with second:
        assert second.locked()
    assert not second.locked()


def test_tasks_exclude_each_other_by_a_lock(client, request, tmp_path):
    place = tmp_path / "log"

    def guarded(number, name, path):
        with Lock(name):
            with open(path, "a") as file:
                file.write(f"begin {number}\n")
                file.flush()
                time.sleep(0.02)
                file.write(f"end {number}\n")
        return number

    futures = client.map(guarded, range(8), name=request.node.name, path=str(place))
    assert client.gather(futures) == list(range(8))
    lines = place.read_text().split("\n")[:-1]
    for begin, end in zip(lines[::2], lines[1::2], strict=True):
        assert begin.replace("begin", "end") == end


def test_several_locks_at_once(client):
    both, one = MultiLock(["m-x", "m-y"]), MultiLock(["m-y", "m-z"])
    assert both.acquire(timeout=PATIENCE)
    assert both.locked()
    assert one.acquire(timeout=0.05) is False
    assert one.acquire(timeout=PATIENCE, num_locks=1)
    one.release()
    both.release()
    with pytest.raises(RuntimeError, match="not acquired"):
        both.release()
    with pytest.raises(ValueError, match="num_locks"):
        one.acquire(num_locks=3)


def test_a_semaphore_counts(client, request):
    semaphore = Semaphore(2, request.node.name)
    assert semaphore.acquire(timeout=PATIENCE) and semaphore.acquire(timeout=PATIENCE)
    assert semaphore.acquire(timeout=0.05) is False
    assert semaphore.get_value() == 2
    assert semaphore.release()
    assert semaphore.get_value() == 1
    copy = pickle.loads(pickle.dumps(semaphore))
    assert copy.acquire(timeout=PATIENCE)
    assert copy.release() and semaphore.release()
    with pytest.raises(RuntimeError, match="too often"):
        semaphore.release()
    with pytest.raises(ValueError, match="max leases"):
        Semaphore(3, request.node.name)
    semaphore.close()


def test_an_event_wakes_all(client, request):
    event = Event(request.node.name)
    assert event.wait(timeout=0.05) is False
    waiting = client.map(lambda _, name: Event(name).wait(10), range(3), name=request.node.name)
    time.sleep(0.05)
    event.set()
    assert client.gather(waiting) == [True] * 3
    assert event.is_set()
    event.clear()
    assert not event.is_set()


def test_a_queue_keeps_order_and_futures(client, request):
    queue = Queue(request.node.name, maxsize=3)
    future = client.submit(increment, 41)
    for value in (future, {"a": 1}, "text"):
        queue.put(value, timeout=PATIENCE)
    assert queue.qsize() == 3
    with pytest.raises(TimeoutError):
        queue.put(4, timeout=0.05)
    del future
    assert queue.get(timeout=PATIENCE).result(PATIENCE) == 42
    assert queue.get(timeout=PATIENCE, batch=2) == [{"a": 1}, "text"]
    with pytest.raises(TimeoutError):
        queue.get(timeout=0.05)
    assert queue.get(batch=True) == []
    queue.close()


def test_tasks_share_a_queue(client, request):
    def produce(number, name):
        Queue(name).put(number)

    queue = Queue(request.node.name)
    client.gather(client.map(produce, range(5), name=request.node.name))
    assert sorted(queue.get(timeout=PATIENCE, batch=5)) == list(range(5))


def test_a_variable_has_the_last_value(client, request):
    variable = Variable(request.node.name)
    with pytest.raises(TimeoutError):
        variable.get(timeout=0.05)
    variable.set(1)
    variable.set([2])
    assert variable.get(timeout=PATIENCE) == [2]
    variable.set(client.submit(increment, 1))
    assert variable.get(timeout=PATIENCE).result(PATIENCE) == 2
    variable.delete()
    with pytest.raises(TimeoutError):
        variable.get(timeout=0.05)


def test_a_semaphore_that_is_closed_warns_of_leases(client, request):
    semaphore = Semaphore(1, request.node.name)
    semaphore.acquire(timeout=PATIENCE)
    with pytest.warns(RuntimeWarning, match="unreleased"):
        semaphore.close()


def test_cancelled_futures_are_not_shared(client, request):
    future = client.submit(increment, 1, pure=False)
    future.cancel()
    with pytest.raises(TimeoutError, match="unknown"):
        Queue(request.node.name).put(future)


def test_shared_things_need_a_client():
    with pytest.raises(RuntimeError, match="client"):
        Lock("alone").acquire()


def test_data_sets(client, request):
    name = request.node.name
    future = client.submit(increment, 1)
    client.publish_dataset(future, name=name)
    with pytest.raises(KeyError, match="already"):
        client.publish_dataset(future, name=name)
    client.publish_dataset([future, 5], name=name, override=True)
    del future
    assert name in client.list_datasets()
    kept, number = client.get_dataset(name)
    assert (kept.result(PATIENCE), number) == (2, 5)
    client.unpublish_dataset(name)
    with pytest.raises(KeyError, match="not found"):
        client.get_dataset(name)
    assert client.get_dataset(name, default=None) is None
    client.datasets[(1, 2.5)] = {"any": "key"}
    assert client.datasets[(1, 2.5)] == {"any": "key"}
    assert (1, 2.5) in list(client.datasets)
    del client.datasets[(1, 2.5)]


def test_metadata(client, request):
    name = request.node.name
    with pytest.raises(KeyError):
        client.get_metadata(name)
    assert client.get_metadata(name, default=3) == 3
    client.set_metadata([name, "b"], {"c": {1, 2}})
    assert client.get_metadata([name, "b", "c"]) == {1, 2}
    assert client.get_metadata(name) == {"b": {"c": {1, 2}}}


def test_events_and_their_subscribers(client, request):
    topic, heard, found = request.node.name, threading.Event(), []

    def hear(event):
        found.append(event)
        heard.set()

    client.subscribe_topic(topic, hear)
    client.submit(lambda topic: get_worker().log_event(topic, {"from": "task"}), topic).result(
        PATIENCE
    )
    assert heard.wait(PATIENCE)
    [(when, message)] = found
    assert abs(when - time.time()) < 60 and message == {"from": "task"}
    assert client.get_events(topic)[-1][1] == {"from": "task"}
    client.unsubscribe_topic(topic)
    with pytest.raises(ValueError, match="topic"):
        client.unsubscribe_topic(topic)


class Marks(WorkerPlugin):
    """Sets an attribute of the worker."""

    def __init__(self, value):
        self.value = value

    def setup(self, worker):
        worker.mark = self.value

    def teardown(self, worker):
        worker.mark = None


def test_plugins_of_workers(client):
    client.register_plugin(Marks(7), name="marks")
    assert set(client.run(lambda dask_worker: dask_worker.mark).values()) == {7}
    client.register_plugin(Marks(8), name="marks")
    assert set(client.run(lambda dask_worker: dask_worker.mark).values()) == {8}
    client.unregister_worker_plugin("marks")
    assert set(client.run(lambda dask_worker: dask_worker.mark).values()) == {None}
    with pytest.raises(ValueError, match="marks"):
        client.unregister_worker_plugin("marks")
    with pytest.raises(TypeError, match="not a class"):
        client.register_plugin(Marks)
    with pytest.raises(TypeError, match="WorkerPlugin"):
        client.register_plugin(5)


class Broken(WorkerPlugin):
    """Cannot be set up."""

    def setup(self, worker):
        raise OSError("no licence here")


def test_a_plugin_that_fails_says_so(client):
    with pytest.raises(OSError, match="no licence"):
        client.register_plugin(Broken(), name="broken")
    client.unregister_worker_plugin("broken")


def test_uploaded_modules(client, tmp_path):
    path = tmp_path / "uploaded_module_of_tests.py"
    path.write_text("VALUE = 123\n")
    client.upload_file(str(path))

    def use():
        import uploaded_module_of_tests

        return uploaded_module_of_tests.VALUE

    assert client.submit(use, pure=False).result(PATIENCE) == 123


def test_leases_end_with_their_client():
    with config.set({"distributed.scheduler.locks.lease-validation-interval": "10ms"}):
        with Client(processes=False, n_workers=1, dashboard_address=None):
            held = Semaphore(name="of-two-clusters")
            assert held.acquire()
        with Client(processes=False, n_workers=1, dashboard_address=None):
            other = Semaphore(name="of-two-clusters")
            time.sleep(0.3)
            assert other.get_value() == 0
            assert other.acquire(timeout=PATIENCE)


def test_leases_that_were_given_back_are_not_renewed(local):
    with config.set({"distributed.scheduler.locks.lease-validation-interval": "10ms"}):
        semaphore = Semaphore(name="given-back", client=local)
        ended = time.monotonic() + 1
        while time.monotonic() < ended:
            assert semaphore.acquire(timeout=PATIENCE)
            # Renewals begin after the twentieth part of a second.
            time.sleep(0.0505)
            assert semaphore.release()
        assert semaphore.get_value() == 0
