"""What tasks do with their cluster: clients, workers, seceding, actors."""

from __future__ import annotations

import asyncio

import pytest
from cluster_patience import PATIENCE

import samite
from samite import delayed
from samite.distributed import (
    Actor,
    Client,
    Reschedule,
    Variable,
    get_client,
    get_worker,
    rejoin,
    secede,
    worker_client,
)


def increment(x):
    return x + 1


def test_tasks_submit_tasks(client):
    def nested(n):
        with worker_client() as inner:
            return sum(inner.gather(inner.map(increment, range(n))))

    assert client.submit(nested, 10).result(PATIENCE) == 55


def test_tasks_that_wait_leave_their_place(client):
    def fibonacci(n):
        if n < 2:
            return n
        inner = get_client()
        parts = inner.map(fibonacci, [n - 1, n - 2])
        secede()
        found = inner.gather(parts)
        rejoin()
        return sum(found)

    assert client.submit(fibonacci, 8).result(2 * PATIENCE) == 21


def test_computing_inside_of_tasks(client):
    def compute():
        return delayed(increment)(delayed(increment)(1)).compute()

    assert client.submit(compute, pure=False).result(PATIENCE) == 3


def test_a_task_knows_its_worker(client):
    address, name = client.submit(
        lambda: (get_worker().address, get_worker().name), pure=False
    ).result(PATIENCE)
    assert client.scheduler_info()["workers"][address]["name"] == str(name)


def test_outside_of_tasks_there_is_no_worker(local):
    with pytest.raises(ValueError, match="No worker"):
        get_worker()
    with pytest.raises(ValueError, match="no task"):
        secede()
    assert get_client() is local


def test_a_task_asks_to_be_run_again(client, request):
    def second_time(name):
        variable = Variable(name)
        if variable.get(timeout=5) == 0:
            variable.set(1)
            raise Reschedule
        return "again"

    Variable(request.node.name).set(0)
    assert client.submit(second_time, request.node.name).result(PATIENCE) == "again"


class Counter:
    """Counts."""

    step = 1

    def __init__(self, start=0):
        self.number = start

    def add(self, amount=1):
        """Add to the number."""
        self.number += amount
        return self.number

    def fail(self):
        raise KeyError("inside")

    async def later(self, x):
        await asyncio.sleep(0.01)
        return x


def test_actors_keep_their_state(client):
    counter = client.submit(Counter, 5, actor=True).result(PATIENCE)
    assert isinstance(counter, Actor)
    assert counter.add().result(PATIENCE) == 6
    futures = [counter.add(10) for _ in range(10)]
    assert max(future.result(PATIENCE) for future in futures) == 106
    assert counter.number == 106
    assert counter.later("x").result(PATIENCE) == "x"
    with pytest.raises(KeyError, match="inside"):
        counter.fail().result(PATIENCE)
    assert counter.add.__doc__ == "Add to the number."
    with pytest.raises(AttributeError):
        counter.nothing


def test_actors_are_arguments(client):
    counter = client.submit(Counter, actor=True)

    def use(actor, amount):
        return actor.add(amount).result()

    results = client.gather([client.submit(use, counter, 1, pure=False) for _ in range(5)])
    assert max(results) == 5


def test_executors(client):
    with client.get_executor(pure=False) as executor:
        assert executor.submit(increment, 1).result(PATIENCE) == 2
        assert list(executor.map(increment, range(5), timeout=PATIENCE)) == [1, 2, 3, 4, 5]
        with pytest.raises(ZeroDivisionError):
            executor.submit(lambda: 1 / 0).result(PATIENCE)
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.submit(increment, 1)
    with pytest.raises(TypeError, match="unsupported"):
        client.get_executor(colour="red")


@pytest.mark.parametrize("processes", [False, True])
def test_computations_inside_of_tasks_never_run_out_of_places(processes):
    # Tasks that wait are many times more than a worker may hold of others.
    @delayed
    def fibonacci(n):
        return n if n < 2 else sum(samite.compute(fibonacci(n - 1), fibonacci(n - 2)))

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with Client(processes=processes, **options) as client:
        for _ in range(3):
            assert client.compute(fibonacci(9)).result(2 * PATIENCE) == 34
