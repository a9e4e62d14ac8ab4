"""Submitting, gathering, waiting: what every program with a cluster does."""

from __future__ import annotations

import operator
import pickle
import threading
import time

import pytest
from cluster_patience import PATIENCE

from samite import config
from samite.distributed import (
    CancelledError,
    Client,
    Future,
    as_completed,
    fire_and_forget,
    futures_of,
    wait,
)
from samite.distributed.exceptions import ClosedClientError


def increment(x):
    return x + 1


def divide(a, b):
    return a / b


def slowly(x, delay=0.1):
    time.sleep(delay)
    return x


def test_a_call_gives_its_value(client):
    future = client.submit(increment, 10)
    assert future.result(PATIENCE) == 11
    assert future.done() and future.status == "finished"
    assert future.exception(PATIENCE) is None


def test_arguments_may_be_futures_at_any_depth(client):
    one = client.submit(increment, 0)
    two = client.submit(increment, one)
    nested = client.submit(lambda parts: parts["a"][0] + parts["b"][1], {"a": [one], "b": (0, two)})
    assert nested.result(PATIENCE) == 3
    assert client.submit(divide, two, b=one).result(PATIENCE) == 2


def test_many_calls(client):
    futures = client.map(increment, range(1000))
    assert client.gather(futures) == list(range(1, 1001))
    assert client.gather(client.map(operator.add, range(5), futures[:5])) == [1, 3, 5, 7, 9]


def test_many_calls_in_batches(client):
    futures = client.map(increment, range(100), batch_size=7)
    assert [future.result(PATIENCE) for future in futures] == list(range(1, 101))


def test_keys_of_many_calls(local):
    named = local.map(increment, range(3), key="mine")
    assert len({future.key for future in named}) == 3
    assert all(future.key.startswith("mine") for future in named)
    listed = local.map(increment, range(3), key=["a", "b", "c"])
    assert [future.key for future in listed] == ["a", "b", "c"]
    with pytest.raises(ValueError, match="keys"):
        local.map(increment, range(3), key=["a", "b"])


def test_equal_pure_calls_are_one_task(local):
    first, second = local.submit(increment, 1), local.submit(increment, 1)
    assert first.key == second.key
    third = local.submit(increment, 1, pure=False)
    assert third.key != first.key


def test_gather_keeps_containers(client):
    x, y = client.map(increment, [1, 2])
    assert client.gather({"a": [x, {"b": y}], "c": 5}) == {"a": [2, {"b": 3}], "c": 5}
    assert client.gather((x, y)) == (2, 3)
    assert client.gather(x) == 2
    assert client.gather([]) == []


def test_a_failure_is_raised_with_its_traceback(client):
    future = client.submit(divide, 1, 0)
    with pytest.raises(ZeroDivisionError):
        future.result(PATIENCE)
    assert future.status == "error"
    assert isinstance(future.exception(PATIENCE), ZeroDivisionError)
    trace, names = future.traceback(PATIENCE), []
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert "divide" in names


def test_what_depends_on_a_failure_fails_and_the_rest_does_not(client):
    bad = client.submit(divide, 1, 0)
    after = client.submit(increment, bad)
    good = client.submit(increment, 5)
    with pytest.raises(ZeroDivisionError):
        after.result(PATIENCE)
    assert good.result(PATIENCE) == 6
    assert client.gather([good, after], errors="skip") == [6]
    with pytest.raises(ZeroDivisionError):
        client.gather([good, after])


def test_retries(client, tmp_path):
    place = tmp_path / "count"

    def third_time(path):
        with open(path, "a") as file:
            file.write("x")
        with open(path) as file:
            if len(file.read()) < 3:
                raise OSError("not yet")
        return "done"

    assert client.submit(third_time, str(place), retries=4).result(PATIENCE) == "done"
    place.unlink()
    future = client.submit(third_time, str(place), pure=False)
    with pytest.raises(OSError, match="not yet"):
        future.result(PATIENCE)
    future.retry()
    with pytest.raises(OSError, match="not yet"):
        future.result(PATIENCE)


def test_waiting(client):
    futures = client.map(slowly, range(4), pure=False)
    done, not_done = wait(futures, timeout=PATIENCE)
    assert done == set(futures) and not not_done
    late = client.submit(slowly, 1, delay=5, pure=False)
    soon = client.submit(slowly, 2, delay=0, pure=False)
    done, not_done = wait([late, soon], timeout=PATIENCE, return_when="FIRST_COMPLETED")
    assert soon in done and late in not_done
    with pytest.raises(TimeoutError):
        wait(late, timeout=0.05)
    with pytest.raises(TimeoutError):
        late.result(timeout=0.05)
    late.cancel()


def test_in_the_order_of_completion(client):
    futures = client.map(increment, range(50))
    assert set(as_completed(futures, timeout=PATIENCE)) == set(futures)
    found = as_completed(futures, with_results=True, timeout=PATIENCE)
    assert sorted(value for _, value in found) == list(range(1, 51))
    batches = list(as_completed(futures, timeout=PATIENCE).batches())
    assert sum(map(len, batches)) == 50
    more = as_completed(futures[:1], timeout=PATIENCE)
    next(more)
    more.add(futures[1])
    assert next(more) is futures[1]
    with pytest.raises(StopIteration):
        next(more)
    with pytest.raises(TypeError, match="futures"):
        as_completed([1])


def test_failures_in_the_order_of_completion(client):
    bad = client.submit(divide, 1, 0)
    with pytest.raises(ZeroDivisionError):
        list(as_completed([bad], with_results=True, timeout=PATIENCE))
    [(future, (kind, error, _))] = as_completed(
        [bad], with_results=True, raise_errors=False, timeout=PATIENCE
    )
    assert future is bad and kind is ZeroDivisionError and isinstance(error, ZeroDivisionError)


def test_cancelled_futures(client):
    future = client.submit(slowly, 1, delay=10, pure=False)
    future.cancel()
    assert future.cancelled() and future.status == "cancelled"
    with pytest.raises(CancelledError):
        future.result(PATIENCE)
    with pytest.raises(CancelledError):
        client.gather([future])


def test_callbacks(client):
    called = threading.Event()
    found = []

    def keep(future):
        found.append(future.result(PATIENCE))
        called.set()

    client.submit(increment, 1).add_done_callback(keep)
    assert called.wait(PATIENCE)
    assert found == [2]


def test_scattered_data(client):
    data = client.scatter([1, 2, 3])
    assert client.gather(data) == [1, 2, 3]
    assert client.submit(sum, data).result(PATIENCE) == 6
    named = client.scatter({"x-data": 10})
    assert client.submit(increment, named["x-data"]).result(PATIENCE) == 11
    single = client.scatter("text")
    assert isinstance(single, Future) and single.result(PATIENCE) == "text"
    everywhere = client.scatter(5, broadcast=True)
    [holders] = client.who_has([everywhere]).values()
    assert len(holders) == 2


def test_a_pickled_future_is_the_same_result(client):
    future = client.submit(increment, 1)
    assert pickle.loads(pickle.dumps(future)).result(PATIENCE) == 2


def test_forgotten_tasks_still_run(client, tmp_path):
    place = tmp_path / "ran"
    fire_and_forget(client.submit(place.write_text, "yes", pure=False))
    deadline = time.monotonic() + PATIENCE
    while not place.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert place.read_text() == "yes"


def test_results_are_let_go_when_nobody_holds_them(client):
    future = client.submit(increment, 1000)
    future.result(PATIENCE)
    key = future.key
    assert client.who_has()[key]
    del future
    deadline = time.monotonic() + PATIENCE
    while client.who_has().get(key) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not client.who_has().get(key)


def test_futures_inside_of_things(client):
    x, y = client.map(increment, [1, 2])
    assert set(futures_of([x, {"y": (y,)}])) == {x, y}
    assert futures_of(5) == []


def test_functions_run_on_all_workers(client):
    answers = client.run(lambda: 5)
    assert set(answers) == set(client.nthreads())
    assert set(answers.values()) == {5}
    names = client.run(lambda dask_worker: dask_worker.address)
    assert all(address == said for address, said in names.items())
    with pytest.raises(ZeroDivisionError):
        client.run(divide, 1, 0)
    errors = client.run(divide, 1, 0, on_error="return")
    assert all(isinstance(error, ZeroDivisionError) for error in errors.values())


def test_restricted_to_a_worker(client):
    from samite.distributed import get_worker

    chosen = list(client.nthreads())[1]
    future = client.submit(lambda: get_worker().address, workers=chosen, pure=False)
    assert future.result(PATIENCE) == chosen


def test_async_functions(client):
    async def later(x):
        import asyncio

        await asyncio.sleep(0.01)
        return x + 1

    assert client.submit(later, 1).result(PATIENCE) == 2


def test_the_client_is_the_default_scheduler_while_it_is_open(inside):
    from samite import delayed

    before = config.get("scheduler", None)
    with Client(inside) as client:
        assert Client.current() is client
        assert delayed(increment)(1).compute() == 2
        assert client.as_current().__enter__() is client
    assert config.get("scheduler", None) == before
    with Client(inside, set_as_default=False):
        assert config.get("scheduler", None) == before


def test_a_closed_client_says_so(inside):
    client = Client(inside)
    future = client.submit(increment, 1)
    client.close()
    client.close()
    assert future.status == "cancelled"
    with pytest.raises(ClosedClientError):
        client.submit(increment, 1)


def test_two_clients_share_a_result(inside):
    with Client(inside) as first, Client(inside) as second:
        future = first.submit(increment, 7, key="shared-between-clients")
        again = second.submit(increment, 7, key="shared-between-clients")
        assert future.result(PATIENCE) == again.result(PATIENCE) == 8
        del future
        assert again.result(PATIENCE) == 8


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"allow_other_workers": "yes", "workers": "a"}, TypeError),
        ({"allow_other_workers": True}, ValueError),
        ({"retries": -1}, TypeError),
        ({"retries": "many"}, TypeError),
        ({"resources": ["GPU"]}, TypeError),
        ({"resources": {"GPU": "two"}}, TypeError),
        ({"priority": "high"}, TypeError),
        ({"workers": {"a": 1}}, TypeError),
    ],
)
def test_wrong_options_are_refused_at_once(local, options, error):
    with pytest.raises(error):
        local.submit(increment, 1, **options)


def test_other_bad_input(local):
    with pytest.raises(TypeError, match="callable"):
        local.submit(1, 2)
    with pytest.raises(TypeError, match="callable"):
        local.map(1, [2])
    with pytest.raises(TypeError, match="once"):
        local.map(increment, iter([1, 2]))
    with pytest.raises(TypeError, match="iterators"):
        local.gather(iter([]))
    with pytest.raises(ValueError, match="errors"):
        local.gather([], errors="shout")
    with pytest.raises(TypeError, match="not wait"):
        wait([local.submit(increment, 1)], timeout=local.submit(increment, 1))


def test_nobody_listens():
    with pytest.raises((OSError, TimeoutError)):
        Client("tcp://127.0.0.1:1", timeout=0.5)
    with pytest.raises(ValueError, match="protocol"):
        Client("gopher://127.0.0.1:1", timeout=0.5)
    with pytest.raises(TypeError, match="Scheduler address"):
        Client(object())


def test_a_client_is_not_pickled(local):
    with pytest.raises(TypeError, match="get_client"):
        pickle.dumps(local)


def test_an_unpicklable_argument_is_named(outside):
    with Client(outside) as client:
        with pytest.raises(TypeError):
            client.submit(increment, threading.Lock())


def test_a_future_that_is_released_is_not_wanted(local):
    kept, gone = local.submit(increment, 2000), local.submit(increment, 2000)
    assert kept.result(PATIENCE) == 2001
    gone.release()
    gone.release()
    del gone
    assert kept.result(PATIENCE) == 2001
    other = local.submit(increment, 3000)
    other.result(PATIENCE)
    key = other.key
    other.release()
    deadline = time.monotonic() + PATIENCE
    while local.who_has().get(key) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not local.who_has().get(key)
