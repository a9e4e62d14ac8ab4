"""Clusters for tests: in this process, and with workers in processes of their own."""

from __future__ import annotations

import pytest

# Whatever does not come within this time does not come.
from samite.distributed import Client, LocalCluster


@pytest.fixture(scope="module")
def inside():
    """A cluster in this process."""
    with LocalCluster(n_workers=2, threads_per_worker=2, processes=False) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def outside():
    """A cluster whose workers are processes."""
    with LocalCluster(n_workers=2, threads_per_worker=2, processes=True) as cluster:
        yield cluster


@pytest.fixture(params=["inside", "outside"])
def cluster(request: pytest.FixtureRequest):
    """Each of both."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def client(cluster):
    """A client of each."""
    with Client(cluster) as made:
        yield made


@pytest.fixture
def local(inside):
    """A client of the cluster in this process."""
    with Client(inside) as made:
        yield made
