"""Memory over time, forwarded output, and what nannies and futures tell of themselves."""

from __future__ import annotations

import asyncio
import os
import sys
import time

import numpy as np
import pandas as pd
import pytest
from cluster_patience import PATIENCE

from samite.distributed import Client, LocalCluster, NannyPlugin
from samite.distributed.diagnostics import MemorySampler
from samite.distributed.diagnostics.plugin import ForwardOutput


def until(true, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def test_memory_over_time(outside):
    sampler = MemorySampler()
    with Client(outside) as client:
        with sampler.sample("before", interval=0.05):
            time.sleep(0.2)
        with sampler.sample("held", measure="managed", interval=0.05):
            kept = client.submit(np.ones, 2_000_000)
            kept.result(PATIENCE)
            until(lambda: sampler.samples["held"][-1][1] >= 16_000_000)
        with pytest.raises(ValueError, match="measure is one of process"):
            sampler.sample("wrong", measure="absent")
    assert set(sampler.samples) == {"before", "held"}
    assert all(size > 1_000_000 for _, size in sampler.samples["before"])
    frame = sampler.to_pandas()
    assert list(frame.columns) == ["before", "held"]
    assert isinstance(frame.index, pd.DatetimeIndex) and frame.index.is_monotonic_increasing
    # One label has no values while the other one was sampled.
    assert frame["held"].first_valid_index() > frame["before"].last_valid_index()
    aligned = sampler.to_pandas(align=True)
    assert aligned.index[0] == pd.Timedelta(0)
    assert aligned["before"].notna().iloc[0] and aligned["held"].notna().iloc[0]


def test_memory_over_time_of_an_asynchronous_client():
    async def run():
        async with (
            LocalCluster(n_workers=1, processes=False, asynchronous=True) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):
            sampler = MemorySampler()
            async with sampler.sample("one", client=client, interval=0.02):
                await asyncio.sleep(0.1)
            with pytest.raises(TypeError, match="async with"), sampler.sample(client=client):
                pass
            return sampler.samples["one"]

    assert len(asyncio.run(run())) >= 2


def test_output_of_workers_is_shown_here(capfd):
    def say(text):
        print(text)
        print(text, file=sys.stderr)
        sys.stdout.flush()

    with LocalCluster(n_workers=1, processes=True) as cluster, Client(cluster) as client:
        capfd.readouterr()
        client.register_plugin(ForwardOutput())
        client.submit(say, "heard").result(PATIENCE)
        texts = {"out": "", "err": ""}

        def heard():
            out, err = capfd.readouterr()
            texts["out"] += out
            texts["err"] += err
            # Once by the worker's process, which has the same terminal, and once by the client.
            return texts["out"].count("heard") == 2 and texts["err"].count("heard") == 2

        until(heard)
        client.unregister_worker_plugin("forward-output")
        client.submit(say, "silent", pure=False).result(PATIENCE)
        time.sleep(0.3)
        heard()
        assert texts["out"].count("silent") == 1


def test_what_nannies_tell_of_themselves():
    class Telling(NannyPlugin):
        def setup(self, nanny):
            nanny.log_event("nannies", {"alive": nanny.is_alive(), "ip": nanny.ip})

    with LocalCluster(n_workers=1, processes=True) as cluster, Client(cluster) as client:
        client.register_plugin(Telling(), name="telling")
        [(_, told)] = client.get_events("nannies")
        assert told == {"alive": True, "ip": "127.0.0.1"}
        [nanny] = cluster.workers.values()
        assert nanny.pid != os.getpid() and nanny.is_alive()


def test_the_type_of_a_result_that_was_fetched_is_shown(outside):
    with Client(outside) as client:
        future = client.submit(pd.DataFrame, {"x": [1, 2]})
        future.result(PATIENCE)
        assert "DataFrame" in repr(future) and future.type is pd.DataFrame


def test_names_that_programs_import():
    from samite.distributed.comm import CommClosedError
    from samite.distributed.comm.core import CommClosedError as again
    from samite.distributed.core import CommClosedError as third
    from samite.distributed.deploy.utils import nprocesses_nthreads
    from samite.distributed.system import MEMORY_LIMIT
    from samite.distributed.utils import Log, Logs, format_dashboard_link

    assert CommClosedError is again is third and issubclass(CommClosedError, OSError)
    assert nprocesses_nthreads(4) == (4, 1) and MEMORY_LIMIT > 0
    assert "&lt;x&gt;" in Logs(a=Log("<x>"))._repr_html_()
    assert format_dashboard_link("host", 5) == "http://host:5/status"


def test_errors_are_logged_and_go_on(caplog):
    from samite.distributed.utils import log_errors

    @log_errors
    def plain(x):
        return 1 / x

    @log_errors(pdb=False)
    async def later(x):
        return 2 / x

    assert plain(2) == 0.5 and asyncio.run(later(2)) == 1.0 and not caplog.records
    for failing in (lambda: plain(0), lambda: asyncio.run(later(0))):
        with pytest.raises(ZeroDivisionError):
            failing()
    with pytest.raises(KeyError), log_errors():
        raise KeyError("block")
    with pytest.raises(asyncio.CancelledError), log_errors():
        raise asyncio.CancelledError
    assert [record.name for record in caplog.records] == [__name__] * 3
    assert [record.exc_info[0] for record in caplog.records] == [
        ZeroDivisionError,
        ZeroDivisionError,
        KeyError,
    ]


def test_a_lost_connection_has_dask_s_exception():
    from samite.distributed import Lock, Scheduler
    from samite.distributed.comm import CommClosedError

    async def run():
        async with Scheduler(protocol="tcp") as scheduler:
            async with Client(scheduler.address, asynchronous=True) as client:
                await Lock("held").acquire()
                waiting = asyncio.ensure_future(_acquired(client))
                await asyncio.sleep(0.1)
                await scheduler.close()
                with pytest.raises(CommClosedError):
                    await waiting

    async def _acquired(client):
        await Lock("held", client=client).acquire()

    asyncio.run(run())
