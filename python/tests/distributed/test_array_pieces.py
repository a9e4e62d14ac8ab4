"""Arrays on clusters: blocks in memory go where they are read, and cut blocks travel in pieces."""

from __future__ import annotations

import os
import pickle
import signal
import time

import numpy as np
import pytest
from cluster_patience import PATIENCE

import samite
import samite.array as da
from samite._parts import Parts
from samite.distributed import Client, LocalCluster

SIDE = 320


def made(chunks, side: int = SIDE):
    """Rows of numbers that tasks make, and the same in memory."""
    expected = np.arange(side * side, dtype="f8").reshape(side, side)
    lazy = da.arange(side * side, chunks=side * side // 8, dtype="f8").reshape(side, side)
    return lazy.rechunk(chunks), expected


def splits(array) -> int:
    """How many tasks of an array's graph cut blocks into pieces."""
    graph = array.__dask_graph__()
    return sum(
        getattr(getattr(task, "func", None), "__name__", "") == "rechunk-split"
        for task in dict(graph).values()
    )


@pytest.mark.parametrize("chunks", [(SIDE, 40), (SIDE, 33), (37, 41), (SIDE // 2, SIDE // 8)])
def test_rechunks(client, chunks):
    lazy, expected = made(chunks)
    np.testing.assert_array_equal(lazy.compute(), expected)
    np.testing.assert_array_equal((lazy * 2).sum(axis=0).compute(), expected.sum(axis=0) * 2)


def test_the_method_follows_scheduler_and_settings(local):
    assert splits(made((SIDE, 40))[0]) == 8
    assert splits(made((160, SIDE))[0]) == 0
    with samite.config.set({"array.rechunk.method": "tasks"}):
        assert splits(made((SIDE, 40))[0]) == 0
    with samite.config.set(scheduler="threads"):
        assert splits(made((SIDE, 40))[0]) == 0


def test_one_rechunk_after_another(client):
    lazy, expected = made((SIDE, 40))
    again = (lazy + 1).rechunk((40, SIDE)) * 3
    np.testing.assert_array_equal(again.compute(), (expected + 1) * 3)


def test_selections_and_orders(client):
    lazy, expected = made((SIDE, 40))
    order = np.random.default_rng(0).permutation(SIDE)
    np.testing.assert_array_equal(lazy[:, order].compute(), expected[:, order])
    np.testing.assert_array_equal(lazy[::-3, 5:200:2].compute(), expected[::-3, 5:200:2])
    np.testing.assert_array_equal(lazy.rechunk((40, SIDE))[order].compute(), expected[order])


@pytest.mark.parametrize("dtype", ["?", "i2", "c16", "f4"])
def test_dtypes_in_pieces(local, dtype):
    lazy, expected = made((SIDE, 40))
    found = lazy.astype(dtype).rechunk((40, SIDE)).rechunk((SIDE, 40)).compute()
    np.testing.assert_array_equal(found, expected.astype(dtype))


def test_killed_workers_change_no_element():
    with LocalCluster(n_workers=3, threads_per_worker=1, processes=True) as cluster:
        with Client(cluster) as client:
            client.wait_for_workers(3, timeout=6 * PATIENCE)
            for round_ in range(3):
                lazy, expected = made((40, SIDE))
                slow = lazy.map_blocks(slowly, dtype="f8") + round_
                future = client.compute(slow.rechunk((SIDE, 20)) * 2)
                time.sleep(0.05 + 0.1 * round_)
                pids = client.run(os.getpid)
                os.kill(next(iter(pids.values())), signal.SIGKILL)
                np.testing.assert_array_equal(future.result(6 * PATIENCE), (expected + round_) * 2)
                client.wait_for_workers(3, timeout=6 * PATIENCE)


def test_killed_workers_and_native_pieces():
    side = 2400
    with LocalCluster(n_workers=3, threads_per_worker=1, processes=True) as cluster:
        with Client(cluster) as client:
            client.wait_for_workers(3, timeout=6 * PATIENCE)
            for round_ in range(3):
                lazy, expected = made((side, 100), side)
                back = (lazy + round_).rechunk((100, side)) * 2
                future = client.compute(back.rechunk((side, 150)) + 1)
                time.sleep(0.05 + 0.1 * round_)
                pids = client.run(os.getpid)
                os.kill(next(iter(pids.values())), signal.SIGKILL)
                found = future.result(6 * PATIENCE)
                np.testing.assert_array_equal(found, (expected + round_) * 2 + 1)
                client.wait_for_workers(3, timeout=6 * PATIENCE)


def test_other_arrays_are_cut_into_parts_too(client):
    values = np.arange(6400).astype("datetime64[s]").reshape(80, 80)
    lazy = da.from_array(values, chunks=(10, 80)).map_blocks(
        lambda block: block, dtype=values.dtype
    )
    moved = lazy.rechunk((80, 7))
    assert sum("rechunk-split" in str(key) for key in dict(moved.__dask_graph__())) == 8
    np.testing.assert_array_equal(moved.compute(), values)
    masked = da.ma.masked_equal(da.from_array(np.arange(6400).reshape(80, 80), chunks=10), 5)
    found = masked.rechunk((80, 3)).compute()
    assert found.mask.sum() == 1 and found.sum() == np.arange(6400).sum() - 5


def slowly(block):
    time.sleep(0.03)
    return block


@pytest.mark.parametrize("contiguous", [True, False])
def test_arrays_in_memory_travel_by_blocks(client, contiguous):
    values = np.random.default_rng(0).random((600, 700))
    values = values if contiguous else values[::2, ::-1]
    lazy = da.from_array(values, chunks=(200, 130))
    np.testing.assert_allclose((lazy + 1).sum(axis=0).compute(), (values + 1).sum(axis=0))
    square = values[:, :300]
    lazy = da.from_array(square, chunks=100)
    if contiguous:
        lazy, square = lazy[:300], square[:300]
    np.testing.assert_allclose((lazy + lazy.T).mean(0).compute(), (square + square.T).mean(0))
    np.testing.assert_array_equal(lazy[5:7, 3:].compute(), square[5:7, 3:])


def test_tasks_are_small_without_their_arrays():
    values = np.random.default_rng(0).random((1000, 1000))
    lazy = da.from_array(values, chunks=250) + 1
    tasks = dict(lazy.__dask_graph__())
    sizes = sorted(len(pickle.dumps(task.func)) for task in tasks.values())
    blocks = [size for size in sizes if size > 250 * 250 * 8]
    assert len(blocks) == 16 and sum(blocks) < 1.01 * values.nbytes
    assert all(size < 2000 for size in sizes[: len(sizes) - 16])
    again = {key: pickle.loads(pickle.dumps(task.func)) for key, task in tasks.items()}
    graph = {
        key: (again[key], *(reference for reference in sorted(task.dependencies)))
        for key, task in tasks.items()
    }
    found = samite.get(graph, [(lazy.name, 3, 2)])[0]
    np.testing.assert_array_equal(found, values[750:, 500:750] + 1)


def test_a_block_that_a_function_changes_is_its_own(client):
    def change(block):
        block += 1
        return block

    values = client.submit(np.zeros, 50_000)
    changed = client.submit(change, values, pure=False, workers=_workers(client)[:1])
    other = client.submit(change, values, pure=False, workers=_workers(client)[-1:])
    assert client.gather(changed).max() >= 1 and client.gather(other).max() >= 1


def _workers(client):
    return sorted(client.nthreads())


def test_a_value_in_pieces_can_be_looked_at(local):
    lazy, expected = made((SIDE, 40))
    graph = dict(lazy.__dask_graph__())
    key = next(
        key
        for key, task in graph.items()
        if getattr(getattr(task, "func", None), "__name__", "") == "rechunk-split"
    )
    pieces = local.get(graph, key)
    assert isinstance(pieces, Parts) and sorted(pieces) == list(range(8))
    assert sum(piece.size for piece in pieces.values()) == expected.size // 8
