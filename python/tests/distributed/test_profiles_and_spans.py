"""Profiles of tasks, pictures of them, measures of machines, and spans."""

from __future__ import annotations

import time

import pytest
from cluster_patience import PATIENCE

import samite
from samite.distributed import Client, LocalCluster, profile, span


def spin(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        turn()
    return seconds


def turn():
    return sum(range(2000))


def names(state):
    yield state["description"]["name"]
    for child in state["children"].values():
        yield from names(child)


def check(state):
    """A call was seen at least as often as all that it called."""
    assert state["count"] >= sum(child["count"] for child in state["children"].values())
    for child in state["children"].values():
        check(child)


def test_a_profile_tells_what_tasks_did(cluster):
    with Client(cluster) as client:
        began = time.time()
        client.gather(client.map(spin, [0.3] * 4, pure=False))
        client.submit(time.sleep, 0.2, key="rest-1").result(PATIENCE)
        state = client.profile(start=began)
        assert {"spin", "turn", "root"} - {"root"} <= set(names(state))
        assert state["count"] >= 4
        check(state)
        assert client.profile("rest", start=began)["count"] > 0
        assert "spin" not in set(names(client.profile("rest", start=began)))
        assert client.profile("absent") == profile.create()
        assert client.profile(start=time.time() + 100) == profile.create()
        assert client.profile(server=True) == profile.create()
        by_worker = client.profile(merge_workers=False, start=began)
        assert set(by_worker) == set(client.nthreads())
        assert profile.merge(*by_worker.values())["count"] >= state["count"]


def test_a_profile_that_is_not_wanted_is_empty():
    with samite.config.set({"distributed.worker.profile.enabled": False}):
        with LocalCluster(n_workers=1, processes=True) as cluster, Client(cluster) as client:
            client.submit(spin, 0.2).result(PATIENCE)
            assert client.profile() == profile.create()


def test_pictures_of_profiles_and_tasks(outside, tmp_path):
    pytest.importorskip("bokeh")
    from bokeh.model import Model

    with Client(outside) as client:
        client.gather(client.map(spin, [0.1] * 4, pure=False))
        page = tmp_path / "profile.html"
        state, figure = client.profile(plot=True, filename=str(page))
        assert isinstance(figure, Model) and "spin" in page.read_text()
        assert set(names(state)) == set(profile.layers(state)["name"]) | {""}
        page = tmp_path / "stream.html"
        tasks, figure = client.get_task_stream(plot="save", filename=str(page))
        assert len(tasks) >= 4 and isinstance(figure, Model) and "spin" in page.read_text()
        with pytest.raises(ValueError, match="one profile"):
            client.profile(plot=True, merge_workers=False)


def test_machines_are_measured(outside):
    with Client(outside) as client:
        found = client.benchmark_hardware()
    assert set(found) == {"memory", "disk", "network"}
    assert all(speed > 0 for speeds in found.values() for speed in speeds.values())
    assert all(found.values())
    with LocalCluster(n_workers=0, processes=False) as cluster, Client(cluster) as client:
        assert client.benchmark_hardware() == {"memory": {}, "disk": {}, "network": {}}


def test_spans():
    distributed = pytest.importorskip("distributed")
    import dask

    for package, make in ((samite, span), (dask, distributed.span)):
        with make("load") as first, make("clean", "deep") as second:
            inside = package.get_annotations()["span"]
        assert inside["name"] == ("load", "clean", "deep")
        assert inside["ids"][0] == first and inside["ids"][-1] == second
        assert len(inside["ids"]) == 3
        with pytest.raises(ValueError, match="at least one"), make():
            pass
    with LocalCluster(n_workers=1, processes=False) as cluster, Client(cluster) as client:
        with span("sum"):
            lazy = samite.delayed(sum)([1, 2])
            assert client.submit(sum, [3, 4]).result(PATIENCE) == 7
        assert client.compute(lazy).result(PATIENCE) == 3
