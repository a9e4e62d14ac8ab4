"""Collections on clusters give what they give without."""

from __future__ import annotations

import gc
import os
import time

import numpy as np
import pandas as pd
import pytest
from cluster_patience import PATIENCE

import samite
import samite.array as da
import samite.bag as db
import samite.dataframe as dd
from samite import delayed
from samite.distributed import Client, Future, LocalCluster, futures_of, wait


def increment(x):
    return x + 1


@delayed
def add(a, b):
    return a + b


def test_delayed(client):
    total = add(add(1, 2), add(3, 4))
    assert total.compute() == 10
    assert samite.compute(total, {"x": [total]}) == (10, {"x": [10]})
    assert client.compute(total).result(PATIENCE) == 10
    assert client.compute([total, {"x": total}], sync=True) == [10, {"x": 10}]


def test_arrays(client):
    made = np.arange(400.0).reshape(20, 20)
    lazy = da.from_array(made, chunks=(7, 6))
    np.testing.assert_allclose((lazy + lazy.T).sum(axis=0).compute(), (made + made.T).sum(axis=0))
    future = client.compute((lazy * 2).mean())
    assert isinstance(future, Future)
    assert future.result(PATIENCE) == pytest.approx(made.mean() * 2)


def test_workers_of_this_process_store_into_its_memory(local):
    x = da.arange(24, chunks=5).reshape(4, 6).rechunk(3)
    target = np.zeros((4, 6))
    x.store(target)
    np.testing.assert_array_equal(target, np.arange(24).reshape(4, 6))
    writes = (x + 1).store(target, compute=False)
    future = local.compute(writes)
    del writes
    future.result(PATIENCE)
    np.testing.assert_array_equal(target, np.arange(24).reshape(4, 6) + 1)


def test_workers_elsewhere_refuse_to_store_into_copies(outside):
    target = np.zeros((4, 6))
    refused = pytest.raises(RuntimeError, match="numpy.ndarray in the memory of another process")
    with Client(outside), refused:
        da.ones((4, 6), chunks=3).store(target)


def test_workers_elsewhere_store_into_files(outside, tmp_path):
    target = np.memmap(tmp_path / "a", "f8", "w+", shape=(4, 6))
    with Client(outside):
        da.ones((4, 6), chunks=3).store(target)
    assert (target == 1).all()


def test_files_of_shuffles_stay_until_all_have_read_them(outside):
    rows = pd.DataFrame({"a": range(60), "b": range(60)})
    with Client(outside):
        for _ in range(8):
            lazy = dd.from_pandas(rows, npartitions=6).shuffle("b", shuffle_method="disk")
            slow = lazy.map_partitions(after_a_while, meta=rows.iloc[:0])
            assert slow.a.sum().compute() == sum(range(60))


def after_a_while(part):
    time.sleep(0.01)
    return part


def total(x):
    return x[:].sum()


def test_objects_of_hdf5_files_are_opened_by_workers(client, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("group/x", data=np.arange(12.0))
    with h5py.File(tmp_path / "a.h5", "r") as file:
        x = file["group/x"]
        assert da.from_array(x, chunks=5).sum().compute() == 66
        assert client.submit(total, x).result(PATIENCE) == 66
        assert client.submit(list, file).result(PATIENCE) == ["group"]
        assert client.submit(list, file["group"]).result(PATIENCE) == ["x"]
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("group/x", data=np.arange(12.0))
        with pytest.raises(TypeError, match="open for writing"):
            client.submit(total, file["group/x"])


def test_objects_of_netcdf_files_are_opened_by_workers(client, tmp_path):
    netcdf = pytest.importorskip("netCDF4")
    with netcdf.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("t", 12)
        file.createGroup("g").createVariable("v", "f8", ("t",))[:] = np.arange(12)
    with netcdf.Dataset(tmp_path / "a.nc") as file:
        assert da.from_array(file["g"]["v"], chunks=5).sum().compute() == 66
        assert client.submit(total, file["/g/v"]).result(PATIENCE) == 66
        assert client.submit(lambda g: list(g.variables), file["g"]).result(PATIENCE) == ["v"]
        assert client.submit(lambda f: list(f.groups), file).result(PATIENCE) == ["g"]


def test_persisted_arrays_are_futures(client):
    lazy = da.ones((20, 20), chunks=10)
    kept = lazy.persist()
    assert len(futures_of(kept)) == 4
    wait(kept, timeout=PATIENCE)
    assert (kept + 1).sum().compute() == 800
    kept = client.persist([lazy, lazy + 1])
    assert [one.sum().compute() for one in kept] == [400, 800]


def counted(x, folder):
    with open(os.path.join(folder, "runs"), "a") as file:
        file.write(".")
    return x + 1


def test_what_somebody_holds_is_not_computed_again(client, tmp_path):
    step = delayed(counted, pure=True)
    first = step(1, str(tmp_path))
    last = step(step(first, str(tmp_path)), str(tmp_path))
    kept = client.persist(first)
    assert last.compute() == 4
    # Also where it is not there yet.
    futures = client.compute([last, last, first])
    assert client.gather(futures) == [4, 4, 2]
    assert client.get(last.dask, [last.key, first.key]) == [4, 2]
    assert os.path.getsize(tmp_path / "runs") == 1 + 2 + 2
    normal = client.normalize_collection(last)
    assert normal.key == last.key
    assert [type(one) for one in normal.dask.values()] == [Future]
    del futures, normal, kept
    gc.collect()
    assert client.normalize_collection(last) is last
    assert last.compute() == 4
    assert os.path.getsize(tmp_path / "runs") == 1 + 2 + 2 + 3


def test_what_has_failed_is_computed_again(client, tmp_path):
    def fragile(folder):
        if not os.path.exists(folder):
            raise OSError("not there yet")
        return os.path.basename(folder)

    folder = tmp_path / "a"
    lazy = delayed(fragile)(str(folder))
    future = client.compute(lazy)
    with pytest.raises(OSError, match="not there yet"):
        future.result(PATIENCE)
    folder.mkdir()
    assert delayed(len)(lazy).compute() == 1


def test_bags(client):
    bag = db.from_sequence(range(20), npartitions=4)
    assert bag.map(increment).filter(lambda x: x % 2).sum().compute() == 100
    assert sorted(bag.persist().map(increment).compute()) == list(range(1, 21))


def test_frames(client):
    frame = pd.DataFrame({"a": range(30), "b": list("xyz") * 10, "c": np.linspace(0, 1, 30)})
    lazy = dd.from_pandas(frame, npartitions=4)
    pd.testing.assert_series_equal(
        lazy.groupby("b").a.sum().compute().sort_index(), frame.groupby("b").a.sum()
    )
    kept = lazy.persist()
    assert len(futures_of(kept)) == 4
    assert len(kept) == 30
    pd.testing.assert_frame_equal(kept.compute(), frame)
    pd.testing.assert_frame_equal(kept[kept.a > 10].compute(), frame[frame.a > 10])


def test_dict_graphs(client):
    graph = {"x": 1, "y": (increment, "x"), ("z", 0): (sum, ["x", "y"])}
    assert client.get(graph, ["y", [("z", 0)]]) == [2, [3]]
    assert client.get(graph, "y") == 2
    future = client.get(graph, ("z", 0), sync=False)
    assert future.result(PATIENCE) == 3


def test_futures_inside_of_collections(client):
    future = client.submit(increment, 1)
    assert delayed(increment)(future).compute() == 3
    array = client.submit(np.ones, 5)
    lazy = da.from_delayed(delayed(array), (5,), dtype=float)
    assert lazy.sum().compute() == 5


def test_a_failure_in_a_collection(client):
    with pytest.raises(ZeroDivisionError):
        delayed(lambda: 1 / 0)().compute()


def test_annotations_reach_the_cluster(client):
    from samite.distributed import get_worker

    chosen = list(client.nthreads())[0]
    with samite.annotate(workers=chosen):
        where = [delayed(lambda i: get_worker().address)(i) for i in range(8)]
    assert set(samite.compute(*where, optimize_graph=False)) == {chosen}


def test_the_client_as_the_scheduler_of_one_call(inside):
    with Client(inside, set_as_default=False) as client:
        assert add(1, 2).compute(scheduler=client) == 3
        assert da.ones(10, chunks=5).sum().compute(scheduler=client) == 10


def test_what_was_persisted_elsewhere_does_not_stand_for_what_is_here():
    lazy = dd.from_pandas(pd.DataFrame({"a": range(30)}), npartitions=4)
    held = []
    for _ in range(2):
        with Client(processes=False, n_workers=1, threads_per_worker=1) as client:
            kept = lazy.persist()
            # Held on to, as are the expressions that were made of it.
            held.append((kept, kept.a.sum(), kept.a + 1))
            assert all(future.client is client for future in futures_of(kept))
            assert len(kept) == 30
            assert kept.a.sum().compute() == 435
            assert (kept.a + 1).sum().compute() == 465


def refuse(part, folder):
    if part.x.min() < 6:
        return part
    # Not before there is something to leave.
    deadline = time.monotonic() + PATIENCE
    while not os.listdir(folder) and time.monotonic() < deadline:
        time.sleep(0.01)
    raise OSError("this partition cannot be written")


def below(folder):
    """What is in a folder, also while it is being removed."""
    walked = os.walk(folder)
    return {os.path.join(where, name) for where, *names in walked for name in sum(names, [])}


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_failed_lazy_writes_leave_nothing(client, tmp_path, kind):
    frame = dd.from_pandas(pd.DataFrame({"x": range(8)}), npartitions=4)
    broken = frame.map_partitions(refuse, str(tmp_path), meta=frame._meta)
    folder = tmp_path / "written"
    if kind == "parquet":
        lazy = broken.to_parquet(folder, compute=False)
    else:
        lazy = delayed(list)(
            broken.to_csv(str(folder / "all.csv"), single_file=True, compute=False)
        )
    future = client.compute(lazy)
    with pytest.raises(OSError, match="cannot be written"):
        future.result(PATIENCE)
    assert future.status == "error"
    del future
    deadline = time.monotonic() + PATIENCE
    while below(tmp_path) - {str(folder)} and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert below(tmp_path) - {str(folder)} == set()


def test_lazy_writes_that_succeed_stay(client, tmp_path):
    frame = dd.from_pandas(pd.DataFrame({"x": range(8)}), npartitions=4)
    future = client.compute(frame.to_parquet(tmp_path / "written", compute=False))
    future.result(PATIENCE)
    del future
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == ["written"]
    assert dd.read_parquet(tmp_path / "written").x.sum().compute() == 28


def _scaled(block, by, plus=0):
    return block * by["factor"] + plus


@pytest.mark.parametrize("source", ["memory", "engine"])
def test_futures_are_arguments_of_functions_of_parts(client, source):
    values = np.arange(6.0)
    x = da.from_array(values, chunks=2) if source == "memory" else da.arange(6.0, chunks=2)
    (by,) = client.scatter([{"factor": 2}], hash=False)
    plus = client.submit(abs, -3)
    expected = values * 2 + 3
    np.testing.assert_equal(x.map_blocks(_scaled, by, plus=plus, dtype=float).compute(), expected)
    lazy = da.blockwise(_scaled, "i", x, "i", by, None, plus=plus, dtype=float)
    np.testing.assert_equal(lazy.compute(), expected)
    lazy = x.map_blocks(lambda block, all: block * all[0]["factor"], [by], dtype=float)
    np.testing.assert_equal(lazy.compute(), values * 2)
    frame = dd.from_pandas(pd.DataFrame({"a": values}), npartitions=2)
    mapped = frame.map_partitions(_scaled, by, plus=plus, meta=frame._meta)
    np.testing.assert_equal(mapped.a.compute().to_numpy(), expected)
    bag = db.from_sequence(values.tolist(), npartitions=2)
    assert bag.map(_scaled, by=by, plus=plus).compute() == expected.tolist()
    assert bag.map(_scaled, by, plus=plus).compute() == expected.tolist()


def test_a_short_computation_does_not_wait_for_all_of_a_long_one():
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False) as cluster:
        with Client(cluster) as client:
            calls = [delayed(time.sleep)(0.05, dask_key_name=f"long-{i}") for i in range(20)]
            long = client.compute(calls)
            assert client.compute(delayed(increment)(1), sync=True) == 2
            assert not long[-1].done()
            # Unless it is to come after it.
            after = client.compute(delayed(increment)(2), fifo_timeout=0)
            assert after.result(PATIENCE) == 3
            assert long[-1].done()
