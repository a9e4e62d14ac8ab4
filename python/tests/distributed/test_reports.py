"""Progress, reports, versions, state."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from cluster_patience import PATIENCE

from samite.distributed import get_task_stream, performance_report, progress, wait
from samite.distributed.cluster_dump import load_cluster_dump
from samite.distributed.diagnostics.progressbar import TextProgressBar
from samite.distributed.versions import check_versions, get_versions


def increment(x):
    return x + 1


def test_importing_is_light():
    program = (
        "import sys, samite.distributed\n"
        "heavy = {'numpy', 'pandas', 'asyncio', 'psutil', 'cloudpickle', 'yaml', 'dask'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "from samite.distributed import Client\n"
        "assert not {'numpy', 'pandas', 'dask', 'yaml'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_all_names_are_there():
    import samite.distributed as distributed

    for name in distributed.__all__:
        assert getattr(distributed, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        distributed.nothing


def test_a_progress_bar(local):
    futures = local.map(increment, range(20), pure=False)
    out = io.StringIO()
    bar = TextProgressBar(futures, file=out)
    assert bar.wait(PATIENCE)
    assert "100% Completed" in out.getvalue()
    with pytest.raises(ValueError, match="no futures"):
        progress(5)
    with pytest.raises(ValueError, match="`group_by` should be 'prefix', 'spans' or a function"):
        progress(5, group_by="keys")


def test_the_tasks_that_ran(client):
    with get_task_stream(client) as stream:
        wait(client.map(increment, range(10), pure=False), timeout=PATIENCE)
    assert len(stream.data) >= 10
    entry = stream.data[-1]
    assert entry["key"].startswith("increment") and entry["worker"] in client.nthreads()


def test_a_report(client, tmp_path):
    path = tmp_path / "report.html"
    with performance_report(filename=str(path)):
        wait(client.map(increment, range(10), pure=False), timeout=PATIENCE)
    page = path.read_text()
    assert page.startswith("<!doctype html>") and "increment" in page
    assert "http://" not in page and "https://" not in page


def test_versions(client):
    found = client.get_versions(check=True)
    assert found["client"]["packages"]["samite"] == found["client"]["packages"]["samite"]
    assert set(found["workers"]) == set(client.nthreads())
    here = get_versions(packages=["no-such-package"])
    assert here["packages"]["no-such-package"] is None
    other = get_versions()
    other["packages"] = {**other["packages"], "samite": "0.0.0"}
    with pytest.raises(ValueError, match="samite"):
        check_versions({"client": here, "scheduler": here, "workers": {"a": other}})


@pytest.mark.parametrize("format", ["msgpack", "yaml", "json"])
def test_state_in_a_file(local, tmp_path, format):
    future = local.submit(increment, 1)
    future.result(PATIENCE)
    local.dump_cluster_state(str(tmp_path / "dump"), format=format)
    [path] = tmp_path.iterdir()
    state = load_cluster_dump(str(path))
    assert future.key in state["tasks"]
    with pytest.raises(ValueError, match="format"):
        local.dump_cluster_state(str(tmp_path / "dump"), format="stone")


def test_where_things_are(client):
    futures = client.map(increment, range(10))
    wait(futures, timeout=PATIENCE)
    holders = client.who_has(futures)
    assert all(holders[future.key] for future in futures)
    held = {key for keys in client.has_what().values() for key in keys}
    assert {future.key for future in futures} <= held
    assert client.nbytes()["increment"] > 0
    assert set(client.processing()) == set(client.nthreads()) == set(client.ncores())


def test_tracebacks_travel():
    import pickle
    import traceback

    from samite.distributed._tracebacks import places_of, rebuilt

    def deep(n):
        return deep(n - 1) if n else 1 / 0

    try:
        deep(3)
    except ZeroDivisionError as raised:
        here = raised.__traceback__
    again = rebuilt(pickle.loads(pickle.dumps(places_of(here))))
    seen = [(one.filename, one.name, one.lineno, one.line) for one in traceback.extract_tb(again)]
    meant = [(one.filename, one.name, one.lineno, one.line) for one in traceback.extract_tb(here)]
    assert seen == meant
    assert "^" not in "".join(traceback.format_tb(again))
    assert rebuilt([]) is None
