"""Programs end, whatever they still hold."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
from samite.distributed import Client, LocalCluster

cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=False)
client = Client(cluster)
client.subscribe_topic("topic", print)
future = client.submit(abs, -1)
assert future.result() == 1
late = client.map(lambda number: [number] * 100, range(50))
{end}
"""


@pytest.mark.parametrize("end", ["client.close(); cluster.close()", "cluster.close()", ""])
def test_a_program_ends_that_holds_futures_clusters_and_what_hears_topics(end: str) -> None:
    program = [sys.executable, "-c", _PROGRAM.format(end=end)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
