"""Annotations of parts of a computation: each task is treated as its own layer asks."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest
from cluster_patience import PATIENCE

import samite
import samite.array as da
import samite.bag as db
import samite.dataframe as dd
from samite import annotate, delayed
from samite.distributed import (
    Client,
    LocalCluster,
    Scheduler,
    SpecCluster,
    Worker,
    get_worker,
)

# What tasks on workers of this process leave behind: functions of a module travel by their names.
RUNS: list = []
RUNNING: list = []
MOST: list = []
GUARD = threading.Lock()
GATE = threading.Event()


def address():
    return get_worker().address


def addressed(value):
    return value, get_worker().address


def mark_of(block):
    """A block that says on which worker it was made: by the port, or the number in the process."""
    return np.full(block.shape, number_of(get_worker().address))


def number_of(worker):
    return int("".join(character for character in worker if character.isdigit()) or 0) % 2**31


@pytest.fixture
def workers(client):
    """The addresses of both workers."""
    client.wait_for_workers(2, timeout=PATIENCE)
    return sorted(client.nthreads())


def calls(function, count=4):
    return [delayed(function, pure=False)() for _ in range(count)]


def test_delayed_calls_are_annotated_apart(client, workers):
    first, second = workers
    with annotate(workers=[first]):
        ours = calls(address)
    with annotate(workers=second):
        theirs = calls(address)
    free = calls(address)
    values = client.compute(ours + theirs + free, sync=True)
    assert values[:8] == [first] * 4 + [second] * 4
    assert set(values[8:]) <= set(workers)
    assert samite.compute(ours, theirs) == ([first] * 4, [second] * 4)


def test_a_chain_changes_its_worker(client, workers):
    first, second = workers
    value = delayed(address, pure=False)()
    with annotate(workers=[first]):
        value = delayed(addressed, pure=False)(value)
    with annotate(workers=[second]):
        value = delayed(addressed, pure=False)(value)
    assert value.compute()[1] == second
    assert value.compute()[0][1] == first


def test_an_annotation_wins_over_the_options_of_the_computation(client, workers):
    first, second = workers
    with annotate(workers=[first]):
        ours = calls(address, 3)
    free = calls(address, 3)
    assert client.compute(ours + free, sync=True, workers=[second]) == [first] * 3 + [second] * 3
    with annotate(workers=[second]):
        assert client.compute(ours + free, sync=True) == [first] * 3 + [second] * 3
    kept = client.persist(ours + free, workers=[second])
    assert [one.compute() for one in kept] == [first] * 3 + [second] * 3


def test_inner_annotations_win(client, workers):
    first, second = workers
    with annotate(workers=[first], retries=1):
        outer = delayed(address, pure=False)()
        with annotate(workers=[second]):
            inner = delayed(address, pure=False)()
    assert samite.compute(outer, inner) == (first, second)


def test_a_function_of_the_key_chooses(client, workers):
    first, second = workers
    layer = samite.highlevelgraph.MaterializedLayer(
        {("part", place): (address,) for place in range(6)},
        annotations={"workers": lambda key: [workers[key[1] % 2]]},
    )
    graph = samite.highlevelgraph.HighLevelGraph({"part": layer}, {"part": set()})
    from samite._expr import HLGExpr

    keys = [("part", place) for place in range(6)]
    values = client.get(HLGExpr(graph, output_keys=keys), keys)
    assert list(values) == [first, second] * 3


def test_arrays_are_annotated_apart(client, workers):
    first, second = workers
    source = da.from_array(np.zeros(6), chunks=1)
    with annotate(workers=[first]):
        ours = source.map_blocks(mark_of, dtype=np.int64)
    # Of another array: equal calls are one task, which has one annotation.
    with annotate(workers=[second]):
        theirs = (source + 1).map_blocks(mark_of, dtype=np.int64)
    both = da.stack([ours, theirs]).compute()
    assert both.tolist() == [[number_of(first)] * 6, [number_of(second)] * 6]


def test_bags_and_frames(client, workers):
    first, second = workers
    with annotate(workers=[first]):
        ours = db.from_sequence(range(4), npartitions=4).map(addressed)
    with annotate(workers=[second]):
        theirs = db.from_sequence(range(4, 8), npartitions=4).map(addressed)
    values = samite.compute(ours, theirs)
    assert [one[1] for one in values[0]] == [first] * 4
    assert [one[1] for one in values[1]] == [second] * 4
    with annotate(workers=[first]):
        steps = db.from_sequence(range(8, 12), npartitions=4).map(addressed).map(list)
    with annotate(workers=[second]):
        steps = steps.map(addressed).map(list)
    values = steps.map(list).compute()
    assert values == [[[place, first], second] for place in range(8, 12)]
    frame = dd.from_pandas(pd.DataFrame({"a": range(4)}), npartitions=4)
    lazy = frame.map_partitions(
        lambda part: part.assign(a=number_of(get_worker().address)), meta={"a": np.int64}
    )
    with annotate(workers=[second]):
        assert lazy.compute().a.tolist() == [number_of(second)] * 4
    assert client.compute(lazy, workers=[first]).result(PATIENCE).a.tolist() == (
        [number_of(first)] * 4
    )


def fail(name):
    RUNS.append(name)
    raise ValueError(name)


def test_retries_are_counted_by_task(local):
    RUNS.clear()
    with annotate(retries=2):
        patient = delayed(fail, pure=False)("patient")
    hasty = delayed(fail, pure=False)("hasty")
    with annotate(retries=0):
        never = delayed(fail, pure=False)("never")
    futures = [*local.compute([patient, hasty]), local.compute(never, retries=5)]
    for future, name in zip(futures, ("patient", "hasty", "never"), strict=True):
        with pytest.raises(ValueError, match=name):
            future.result(PATIENCE)
    assert sorted(RUNS) == ["hasty", "never", "patient", "patient", "patient"]


def wait_for_the_gate():
    assert GATE.wait(PATIENCE)


def test_priorities_order_the_tasks_of_one_graph():
    RUNS.clear()
    GATE.clear()
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False) as cluster,
        Client(cluster) as client,
    ):
        blocker = client.submit(wait_for_the_gate)
        parts = []
        for priority in (1, 30, -5, 20):
            with annotate(priority=priority):
                parts.append(delayed(note, pure=False)(priority))
        futures = client.compute(parts)
        GATE.set()
        client.gather([blocker, *futures])
    assert RUNS == [30, 20, 1, -5]


def note(priority):
    RUNS.append(priority)


def name_of_worker():
    with GUARD:
        RUNNING.append(None)
        MOST.append(len(RUNNING))
    name = get_worker().name
    with GUARD:
        RUNNING.pop()
    return name


def only_the_name():
    return get_worker().name


def test_resources_are_asked_for_by_task():
    spec = {
        "plain": {"cls": Worker, "options": {"nthreads": 2}},
        "large": {"cls": Worker, "options": {"nthreads": 2, "resources": {"GPU": 1}}},
    }
    MOST.clear()
    with SpecCluster(workers=spec, scheduler={"cls": Scheduler}) as cluster:
        with Client(cluster) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
            with annotate(resources={"GPU": 1}):
                ours = calls(name_of_worker, 6)
            with annotate(workers=["plain"]):
                theirs = calls(only_the_name, 6)
            values = client.compute(ours + theirs, sync=True)
    assert values == ["large"] * 6 + ["plain"] * 6
    assert max(MOST) == 1


def test_other_workers_where_the_chosen_one_is_not_there(client, workers):
    with annotate(workers=["no-such-host"], allow_other_workers=True):
        flexible = delayed(address, pure=False)()
    with annotate(workers=[workers[1]]):
        fixed = delayed(address, pure=False)()
    one, other = client.compute([flexible, fixed], sync=True)
    assert one in workers
    assert other == workers[1]
    with annotate(workers=["no-such-host"]):
        strict = delayed(address, pure=False)()
    waiting = client.compute([strict, fixed])
    assert waiting[1].result(PATIENCE) == workers[1]
    assert waiting[0].status == "pending"
    waiting[0].cancel()


def test_outputs_that_are_data_or_other_names(client, workers):
    first, second = workers
    graph = {
        "data": 5,
        "place": (address,),
        "same": "place",
        "far": (addressed, "data"),
    }
    layers = {
        "near": samite.highlevelgraph.MaterializedLayer(
            {key: graph[key] for key in ("data", "place", "same")}, {"workers": [first]}
        ),
        "far": samite.highlevelgraph.MaterializedLayer(
            {"far": graph["far"]}, {"workers": [second]}
        ),
    }
    from samite._expr import HLGExpr

    layered = samite.highlevelgraph.HighLevelGraph(layers, {"near": set(), "far": {"near"}})
    keys = list(graph)
    values = client.get(HLGExpr(layered, output_keys=keys), keys)
    assert list(values) == [5, first, first, (5, second)]


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({"resources": {"GPU": "many"}}, "resources: the amount of 'GPU' must be a number"),
        ({"retries": 1.5}, "retries= must be a whole number"),
        ({"priority": lambda key: "first"}, "priority= must be a number"),
        ({"workers": lambda key: {"a": 1}}, "workers= is an address or a name"),
    ],
)
def test_wrong_annotations_name_the_task(local, annotations, message):
    with annotate(**annotations):
        wrong = delayed(address)(dask_key_name="the-wrong-one")
    with pytest.raises(TypeError, match="the-wrong-one.*" + message):
        local.compute(wrong)


def test_many_different_annotations(local):
    layer = samite.highlevelgraph.MaterializedLayer(
        {("part", place): (abs, -place) for place in range(2000)},
        annotations={"priority": lambda key: key[1]},
    )
    graph = samite.highlevelgraph.HighLevelGraph({"part": layer}, {"part": set()})
    from samite._expr import HLGExpr

    keys = [("part", place) for place in range(2000)]
    assert list(local.get(HLGExpr(graph, output_keys=keys), keys)) == list(range(2000))
