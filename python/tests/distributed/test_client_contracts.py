"""What clients and futures tell of themselves, and what they do at the edges of their contract."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
import zipfile
from collections import namedtuple
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cluster_patience import PATIENCE

from samite import config
from samite import delayed as lazy
from samite.distributed import (
    Client,
    Event,
    Future,
    LocalCluster,
    Lock,
    Queue,
    Semaphore,
    TimeoutError,
    Variable,
    as_completed,
    wait,
)
from samite.distributed import print as print_everywhere
from samite.distributed import warn as warn_everywhere
from samite.distributed.exceptions import ClosedClientError, WorkerStartTimeoutError

Point = namedtuple("Point", ["x", "y"])


class Sum(namedtuple("Sum", ["total", "terms"])):
    """A named tuple whose class takes other arguments than its items."""

    def __new__(cls, *terms):
        return super().__new__(cls, terms[0], terms)

    def __getnewargs__(self):
        return self.terms


def increment(x):
    return x + 1


def divide(a, b):
    return a / b


def until(condition, patience=PATIENCE):
    """Wait until a condition holds."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "the time was over"
        time.sleep(0.005)


# ---- futures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1, "text", None, b"x" * 200_000, [1.5]])
def test_a_future_knows_the_type_of_its_value(client, value):
    future = client.submit(lambda x: x, value)
    wait([future])
    assert future.type is type(value)
    assert f"type: {type(value).__name__}" in repr(future)
    assert client.scatter([value])[0].type is type(value)


def test_a_future_without_value_has_no_type(client):
    failed, event = client.submit(divide, 1, 0), Event()
    waiting = client.submit(Event.wait, event)
    wait([failed])
    assert failed.type is None
    assert waiting.type is None
    assert "type" not in repr(waiting)
    event.set()


def test_a_client_tells_what_its_futures_hold(client):
    first, second = client.submit(increment, 1, key="held"), client.submit(increment, 1, key="held")
    assert client.refcount["held"] == 2
    assert client.refcount["unknown"] == 0
    wait([first])
    assert client.futures["held"].status == "finished"
    del second
    assert client.refcount["held"] == 1
    first.release()
    assert "held" not in client.futures


def test_what_depends_on_a_cancelled_task_is_cancelled(client):
    event = Event()
    first = client.submit(Event.wait, event)
    second = client.submit(increment, first)
    third = client.submit(increment, second)
    client.cancel([second])
    until(third.cancelled)
    third.cancel()
    assert third.status == second.status == "cancelled"
    event.set()
    assert first.result(PATIENCE) is True


def test_futures_inside_named_tuples_are_resolved(client):
    future = client.submit(increment, 1)
    assert client.submit(lambda x: x, Point(future, [future])).result(PATIENCE) == Point(2, [2])
    found = client.submit(lambda x: (type(x).__name__, *x), Sum(future, future, 5))
    assert found.result(PATIENCE) == ("Sum", 2, (2, 2, 5))
    graph = {"a": (increment, 1), "b": (tuple, Point("a", 3))}
    assert client.get(graph, "b") in ((2, 3), ("a", 3))


def test_named_tuples_are_scattered_item_by_item(client):
    scattered = client.scatter(Point(1, 2))
    assert type(scattered) is Point
    assert all(isinstance(future, Future) for future in scattered)
    assert client.gather(scattered) == Point(1, 2)


def test_futures_of_other_clients_are_not_gathered(cluster):
    with Client(cluster) as one, Client(cluster) as other:
        mine, foreign = one.submit(increment, 1), other.submit(increment, 2)
        with pytest.raises(ValueError, match="created by another client"):
            one.gather([mine, foreign])
        with pytest.raises(ValueError, match="created by another client"):
            one.gather({"x": foreign}, errors="skip")
        assert other.gather(foreign) == 3


def test_tracebacks_show_the_program_and_the_task(client):
    future = client.submit(divide, 1, 0)
    for fetch in (future.result, lambda: client.gather(future), lambda: client.gather([future])):
        with pytest.raises(ZeroDivisionError) as raised:
            fetch()
        names = [frame.f_code.co_name for frame, _ in traceback.walk_tb(raised.tb)]
        assert names[-1] == "divide"
        inside = [name for name in names if name not in ("divide", "<lambda>")]
        assert len(inside) <= 2, names


def raise_from():
    try:
        raise OSError("inner")
    except OSError as inner:
        raise KeyError("outer") from inner


def test_failures_keep_what_they_were_raised_from(client):
    with pytest.raises(KeyError, match="outer") as raised:
        client.submit(raise_from).result(PATIENCE)
    assert isinstance(raised.value.__cause__, OSError)
    with pytest.raises(KeyError, match="outer") as raised:
        client.run(raise_from)
    assert isinstance(raised.value.__cause__, OSError)


def test_tracebacks_of_awaited_futures_are_short():
    async def run():
        async with (
            LocalCluster(n_workers=1, processes=False, asynchronous=True) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):
            future = client.submit(divide, 1, 0)
            for awaited in (future, future.result(), client.gather([future])):
                with pytest.raises(ZeroDivisionError) as raised:
                    await awaited
                assert len(list(traceback.walk_tb(raised.tb))) <= 3

    asyncio.run(run())


# ---- clients ------------------------------------------------------------------------------------


def test_a_block_has_its_client(cluster):
    with Client(cluster) as outer:
        assert Client.current(allow_global=False) is outer
        with Client(cluster) as inner:
            assert Client.current(allow_global=False) is inner
        assert Client.current(allow_global=False) is outer
        with Client(cluster, set_as_default=False):
            assert Client.current() is outer
    with pytest.raises(ValueError, match="as_current"):
        Client.current(allow_global=False)


def test_a_block_is_left_where_it_was_entered(inside):
    client, raised = Client(inside), []
    threading.Thread(target=client.__enter__).run()
    client.__exit__(None, None, None)
    client = Client(inside)
    entering = threading.Thread(target=client.__enter__)
    entering.start()
    entering.join()

    def leave():
        try:
            client.__exit__(None, None, None)
        except ValueError as error:
            raised.append(error)

    leaving = threading.Thread(target=leave)
    leaving.start()
    leaving.join()
    assert "different Context" in str(raised[0])
    assert client.status == "closed"


def test_a_closed_client_is_nobodys_current_one(inside):
    with Client(inside) as outer:
        inner = Client(inside)
        with inner.as_current():
            inner.close()
            assert Client.current() is outer


def test_clients_as_html(client):
    shown = client._repr_html_()
    ElementTree.fromstring(shown)
    assert client.scheduler.address in shown
    assert "Total threads: </strong> 4" in shown
    client.close()
    assert "No scheduler connected." in client._repr_html_()
    assert client.futures == {}
    assert client.refcount["x"] == 0


def test_a_closed_client_says_so(inside):
    client = Client(inside)
    client.close()
    with pytest.raises(ClosedClientError, match="update-graph"):
        client.submit(increment, 1)
    with pytest.raises(ClosedClientError, match="update-graph"):
        client.compute(lazy(increment)(1))


def test_information_is_there_at_once():
    async def run():
        async with (
            LocalCluster(n_workers=2, processes=False, asynchronous=True) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):
            info = client.scheduler_info()
            assert info["n_workers"] == len(info["workers"]) == 2
            assert (await client.scheduler_info(n_workers=1))["workers"].keys() < {*info["workers"]}
            assert (await client.scheduler.identity())["id"] == info["id"]

    asyncio.run(run())


def test_one_worker_or_future_need_not_be_a_list(client):
    future = client.submit(increment, 1)
    wait([future])
    assert set(client.who_has(future)) == {future.key}
    assert client.who_has(future) == client.who_has([future])


@pytest.mark.parametrize("given", [True, False, None])
def test_how_results_are_fetched_is_a_setting(inside, given):
    with config.set({"distributed.client.direct-to-workers": given}), Client(inside) as client:
        assert client.direct_to_workers is given
        assert client.submit(increment, 1).result(PATIENCE) == 2


def test_the_link_to_the_page_is_a_setting(monkeypatch):
    monkeypatch.setenv("WHO", "me")
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
        config.set({"distributed.dashboard.link": "{scheme}://{WHO}.example:{port}/status"}),
    ):
        assert client.dashboard_link == cluster.dashboard_link
        assert client.dashboard_link.startswith("http://me.example:")


@pytest.mark.parametrize("shared", [False, True])
def test_large_graphs_are_warned_of(client, shared):
    large = bytes(12_000_000)
    with pytest.warns(UserWarning, match="Sending large graph of size"):
        client.submit(len, large)
    with config.set({"distributed.admin.large-graph-warning-threshold": "1 GB"}):
        assert client.submit(len, large).result(PATIENCE) == len(large)
    [future] = client.scatter([large])
    assert client.submit(len, future).result(PATIENCE) == len(large)


def test_no_workers_came():
    with (
        LocalCluster(n_workers=0, processes=False) as cluster,
        Client(cluster) as client,
    ):
        with pytest.raises(TimeoutError, match="worker"):
            client.scatter([1], timeout=0.1)
        with pytest.raises(WorkerStartTimeoutError, match="Only 0/3 workers arrived after 5 ms"):
            client.wait_for_workers(3, timeout="5 ms")


def test_keys_are_made_of_text_and_numbers(client):
    assert client.compute(lazy(increment)(1, dask_key_name=("x", 1))).result(PATIENCE) == 2
    with pytest.raises(TypeError, match="key"):
        client.compute(lazy(increment)(1, dask_key_name=("x", frozenset({1}))))


def test_containers_are_computed_to_lists(client):
    assert client.gather(client.compute((1, lazy(increment)(1)))) == [1, 2]
    assert client.compute((), sync=True) == []
    assert isinstance(client.persist((lazy(increment)(1),)), list)


def test_collections_are_arguments_as_they_are(client):
    from samite import array

    numbers = array.arange(10, chunks=5)
    whole = client.submit(lambda x: (type(x).__name__, int(x.sum().compute())), numbers)
    assert whole.result(PATIENCE) == ("Array", 45)
    persisted = client.persist(numbers)
    kept = client.submit(lambda x: int(x.sum().compute()), persisted)
    assert kept.result(PATIENCE) == 45


# ---- executors, as_completed, names -------------------------------------------------------------


def test_an_executor_takes_options_with_each_call(client):
    def count(log):
        log.put(1)
        return log.qsize()

    with client.get_executor() as executor:
        log = Queue()
        # Equal calls are one while somebody holds a future of it.
        alike = [executor.submit(count, log) for _ in range(3)]
        assert {future.result(PATIENCE) for future in alike} == {1}
        assert executor.submit(count, log, pure=False).result(PATIENCE) == 2


def test_a_cancelled_call_of_an_executor_is_cancelled(client):
    event = Event()
    with client.get_executor(pure=False) as executor:
        futures = [executor.submit(event.wait) for _ in range(10)]
        futures[3].cancel()
        assert futures[3].cancelled()
        event.set()
        assert [future.result(PATIENCE) for future in futures if future is not futures[3]]
    assert sum(future.cancelled() for future in futures) == 1


def test_cancelled_futures_are_completed(client):
    event = Event()
    future, other = client.submit(Event.wait, event), client.submit(increment, 1)
    futures = as_completed([future, other], with_results=True)
    future.cancel()
    found = dict(futures)
    assert found[other] == 2
    assert isinstance(found[future], Exception)
    event.set()


class Account:
    """An actor."""

    def __init__(self):
        self.total = 0

    def add(self, amount):
        self.total += amount
        return self.total

    async def later(self, amount):
        await asyncio.sleep(0)
        return self.add(amount)

    async def ask(self, other, amount):
        return await other.later(amount)


def test_results_of_actors_are_completed(client):
    account = client.submit(Account, actor=True).result(PATIENCE)
    futures = [account.add(1) for _ in range(5)]
    assert sorted(future.result() for future in as_completed(futures)) == [1, 2, 3, 4, 5]
    futures = [account.add(1) for _ in range(2)]
    assert sorted(value for _, value in as_completed(futures, with_results=True)) == [6, 7]
    assert client.sync(account.add, 1) == 8


async def _in_a_loop(client, numbers):
    assert client.asynchronous
    asked = client.submit(len, numbers)
    count = await asked
    # What waits returns something to await, and what asyncio has works.
    futures = client.map(pow, numbers, [2] * count)
    squares, one = await asyncio.gather(client.gather(futures), futures[0].result())
    await asyncio.sleep(0)
    return squares, one


def test_sync_runs_async_functions_in_an_event_loop(client):
    assert client.sync(_in_a_loop, client, [2, 3]) == ([4, 9], 4)
    assert not client.asynchronous and client.submit(abs, -1).result() == 1
    with pytest.raises(TimeoutError, match="0.05 seconds"):
        client.sync(asyncio.sleep, 10, callback_timeout=0.05)

    async def within():
        # As in a notebook: a loop runs on this thread already.
        return client.sync(_in_a_loop, client, [4])

    assert asyncio.run(within()) == ([16], 16)


def test_async_methods_of_actors_await_each_other(client):
    worker = next(iter(client.nthreads()))
    account = client.submit(Account, actor=True, workers=[worker]).result(PATIENCE)
    other = client.submit(Account, actor=True, pure=False, workers=[worker]).result(PATIENCE)
    assert other.ask(account, 5).result(PATIENCE) == 5


def test_objects_of_an_awaited_client_work_in_tasks():
    def both(event, log):
        log.put(1)
        return event.wait()

    async def run():
        async with (
            LocalCluster(n_workers=1, processes=False, asynchronous=True) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):
            event, log = Event(), Queue()
            future = client.submit(both, event, log)
            assert await log.get(timeout=PATIENCE) == 1
            assert future.status == "pending"
            await event.set()
            assert await future

    asyncio.run(run())


def test_shared_futures_are_known_at_once(cluster):
    with Client(cluster) as one, Client(cluster) as other:
        done, failed = one.scatter(5), one.submit(divide, 1, 0)
        wait([failed])
        variable, log = Variable(client=one), Queue(client=one)
        variable.set(done)
        log.put(failed)
        assert Variable(variable.name, client=other).get().status == "finished"
        assert Queue(log.name, client=other).get().status == "error"


def test_a_lock_that_is_not_held_is_not_released(client):
    with pytest.raises(RuntimeError, match="not held"):
        Lock("never taken").release()
    lock = Lock(["a", 1])
    assert lock.name == ["a", 1]
    assert lock.acquire() is True
    lock.release()
    with pytest.raises(TypeError, match="name"):
        Semaphore(name=object())


# ---- what tasks say -----------------------------------------------------------------------------


def test_what_tasks_print_is_shown_here(outside, capsys):
    with Client(outside) as client:
        client.submit(lambda: print_everywhere("from afar", 1, sep=":")).result(PATIENCE)
        seen = []

        def shown():
            seen.append(capsys.readouterr().out)
            return "".join(seen).count("from afar:1\n") == 1

        until(shown)
        with pytest.raises(TypeError, match="file="):
            client.submit(lambda: print_everywhere("x", file="elsewhere")).result(PATIENCE)


def test_what_tasks_warn_of_is_warned_of_here(outside):
    def cautious():
        warn_everywhere("careful", DeprecationWarning)

    with Client(outside) as client, pytest.warns(DeprecationWarning, match="careful"):
        client.submit(cautious).result(PATIENCE)
        client.get_events("warn")


def test_what_running_tasks_do(client):
    begun, go_on = Event(), Event()

    def busy(begun, go_on):
        begun.set()
        go_on.wait()

    future = client.submit(busy, begun, go_on, key="busy-task")
    assert begun.wait(PATIENCE)
    for found in (client.call_stack(future), client.call_stack(keys=["busy-task"])):
        [stacks] = found.values()
        assert any("busy" in frame for frame in stacks["busy-task"])
    assert client.call_stack(keys=["unknown"]) == {}
    go_on.set()
    future.result(PATIENCE)
    until(lambda: client.call_stack() == {})


# ---- modules and plugins ------------------------------------------------------------------------


def test_the_module_that_was_sent_last_is_imported(client, tmp_path):
    name = f"sent_{client.id.replace('-', '_')}".lower()
    file, archive = tmp_path / f"{name}.py", tmp_path / f"{name}.zip"

    def imported():
        return __import__(name).value

    file.write_text("value = 1\n")
    client.upload_file(str(file))
    assert client.submit(imported, pure=False).result(PATIENCE) == 1
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(f"{name}.py", "value = 22\n")
    client.upload_file(str(archive))
    assert client.submit(imported, pure=False).result(PATIENCE) == 22
    file.write_text("value = 333\n")
    client.upload_file(str(file))
    assert client.submit(imported, pure=False).result(PATIENCE) == 333
    file.write_text("value = no module!\n")
    with pytest.raises(SyntaxError):
        client.upload_file(str(file))


def test_plugins_from_modules_beside_the_program(tmp_path, monkeypatch):
    (tmp_path / "beside_the_program.py").write_text(
        "from samite.distributed import WorkerPlugin\n"
        "class Marks(WorkerPlugin):\n"
        "    def setup(self, worker):\n"
        "        import sys\n"
        "        sys.marked = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import beside_the_program

    options = {"n_workers": 1, "threads_per_worker": 1, "processes": True}
    with (
        LocalCluster(plugins=(beside_the_program.Marks(),), **options) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(lambda: sys.marked).result(PATIENCE)
    sys.modules.pop("beside_the_program", None)


def test_a_dump_has_a_path(client, tmp_path):
    client.dump_cluster_state(tmp_path / "state", format="yaml")
    assert Path(tmp_path, "state.yaml").read_text()


@pytest.mark.parametrize("package", ["samite.distributed", "distributed"])
def test_what_scatter_makes_of_containers(package):
    distributed = pytest.importorskip(package)
    made = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
    )
    with made as cluster, distributed.Client(cluster) as client:
        for given, kind, values in (
            (range(3), list, [0, 1, 2]),
            ([4, 5], list, [4, 5]),
            ((6,), tuple, (6,)),
            ({"a": 7}, dict, {"a": 7}),
        ):
            futures = client.scatter(given)
            assert type(futures) is kind and client.gather(futures) == values
        assert client.scatter("text").result() == "text"
        for once in (iter([1]), (number for number in range(2))):
            with pytest.raises(TypeError):
                client.scatter(once)
