"""joblib's calls on a cluster. Skipped where joblib is not installed."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from samite.distributed import Client, LocalCluster, get_worker

joblib = pytest.importorskip("joblib")
np = pytest.importorskip("numpy")


def _where(i: int) -> tuple[int, str]:
    return i, get_worker().address


def _failing(i: int) -> int:
    if i == 3:
        raise ZeroDivisionError("three")
    return i


def test_calls_run_on_workers_and_come_back_in_order(client):
    with joblib.parallel_config(backend="samite"):
        found = joblib.Parallel()(joblib.delayed(_where)(i) for i in range(50))
    assert [i for i, _ in found] == list(range(50))
    assert {address for _, address in found} <= set(client.nthreads())


def test_results_may_come_as_they_are_ready(client):
    with joblib.parallel_config(backend="samite"):
        run = joblib.Parallel(return_as="generator_unordered")
        assert sorted(run(joblib.delayed(pow)(i, 2) for i in range(20))) == [
            i * i for i in range(20)
        ]


def test_what_a_call_raises_is_raised(client):
    with joblib.parallel_config(backend="samite"):
        with pytest.raises(ZeroDivisionError, match="three"):
            joblib.Parallel()(joblib.delayed(_failing)(i) for i in range(10))
        # The backend is as good as before.
        assert joblib.Parallel()(joblib.delayed(_failing)(i) for i in range(3)) == [0, 1, 2]


def test_large_arguments_are_sent_once(client):
    class Counted(np.ndarray):
        pickled = 0

        def __reduce__(self):
            Counted.pickled += 1
            return np.ones, (len(self),)

    values = np.ones(10_000).view(Counted)
    with joblib.parallel_config(backend="samite"):
        found = joblib.Parallel()(joblib.delayed(np.sum)(values) for _ in range(30))
    assert found == [10_000.0] * 30
    assert Counted.pickled <= 1


def test_scattered_values_are_on_each_worker(client):
    values = np.arange(1000.0)
    with joblib.parallel_config(backend="samite", scatter=[values]) as config:
        found = joblib.Parallel()(joblib.delayed(np.sum)(values) for _ in range(4))
        (copy,) = config["backend"]._copies.values()
        assert set(client.who_has([copy])[copy.key]) == set(client.nthreads())
    assert found == [499_500.0] * 4
    with pytest.raises(TypeError, match="scatter="):
        joblib.parallel_config(backend="samite", scatter={1, 2})


def test_calls_within_calls_run_on_the_cluster_too(client):
    def outer(n: int) -> tuple[str, list[int]]:
        inner = joblib.Parallel()
        name = type(joblib.parallel.get_active_backend()[0]).__name__
        return name, inner(joblib.delayed(pow)(i, 2) for i in range(n))

    # More of them than the cluster has threads: each leaves its thread to its own calls.
    with joblib.parallel_config(backend="samite"):
        found = joblib.Parallel()(joblib.delayed(outer)(n) for n in range(8))
    assert found == [("SamiteBackend", [i * i for i in range(n)]) for n in range(8)]


def test_a_cluster_without_workers_is_named():
    with LocalCluster(n_workers=0, processes=False) as cluster, Client(cluster):
        with joblib.parallel_config(backend="samite", wait_for_workers_timeout=0.2):
            with pytest.raises(TimeoutError, match="no worker after 0.2 seconds"):
                joblib.Parallel()(joblib.delayed(pow)(i, 2) for i in range(3))


@pytest.mark.parametrize("first", ["import joblib", "Client(n_workers=1, processes=False)"])
def test_joblib_knows_the_name_whichever_is_first(first):
    code = f"""
    from samite.distributed import Client
    {first}
    import joblib
    client = Client(n_workers=1, processes=False)
    with joblib.parallel_config(backend="samite"):
        print(joblib.Parallel()(joblib.delayed(abs)(-i) for i in range(3)))
    """
    run = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.stdout.strip() == "[0, 1, 2]", done.stderr
