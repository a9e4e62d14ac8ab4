"""Replacements for Dask's test helpers, for conform.py: original code, public API only.

VALUE_ASSERTS  assert_eq functions that compare computed values and look at no graph, key or meta
               (`--asserts values`); the wheel's own are the default.
cluster_shim   what distributed's tests take from distributed.utils_test to start a cluster,
               made with LocalCluster and Client alone.
start_client   a client as the default scheduler of all tests of a module (`--client`).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import inspect
import io
import logging


def computed(x, scheduler):
    if isinstance(x, (list, tuple)):
        return type(x)(computed(item, scheduler) for item in x)
    return x.compute(scheduler=scheduler) if hasattr(x, "compute") else x


def array_values_eq(
    a,
    b,
    check_shape=True,
    check_dtype=True,
    equal_nan=True,
    scheduler="sync",
    rtol=1e-5,
    atol=1e-8,
    **ignored,
):
    """Equal computed values; a lazy side must also have the dtype and shape it announced."""
    import numpy as np

    done = []
    for x in (a, b):
        value = computed(x, scheduler)
        value = value.todense() if hasattr(value, "todense") else value
        value = value if isinstance(value, np.ma.MaskedArray) else np.asarray(value)
        if hasattr(x, "compute") and hasattr(x, "dtype") and value.size and value.ndim:
            assert value.dtype == x.dtype, (value.dtype, x.dtype)
        if check_shape and hasattr(x, "compute") and hasattr(x, "shape"):
            assert len(x.shape) == value.ndim, (x.shape, value.shape)
            assert all(n != n or n == m for n, m in zip(x.shape, value.shape)), (
                x.shape,
                value.shape,
            )
        done.append(value)
    left, right = done
    assert left.shape == right.shape, (left.shape, right.shape)
    assert not check_dtype or left.dtype == right.dtype, (left.dtype, right.dtype)
    inexact = left.dtype.kind in "fc" or right.dtype.kind in "fc"
    if any(isinstance(x, np.ma.MaskedArray) for x in done):
        assert (np.ma.allclose if inexact else np.ma.allequal)(left, right), (left, right)
    elif inexact:
        np.testing.assert_allclose(left, right, rtol, atol, equal_nan=equal_nan)
    else:
        np.testing.assert_array_equal(left, right)
    return True


def frame_values_eq(
    a,
    b,
    check_names=True,
    check_dtype=True,
    check_divisions=True,
    check_index=True,
    sort_results=True,
    scheduler="sync",
    **kwargs,
):
    """Equal computed frames, series, indexes or scalars, whatever the order of the rows."""
    import numpy as np
    import pandas as pd

    done = []
    for x in (a, b):
        x = computed(x, scheduler)
        if sort_results and isinstance(x, (pd.DataFrame, pd.Series)):
            for sort in ("sort_values", "sort_index"):
                by = {"by": list(x.columns)} if sort == "sort_values" and x.ndim == 2 else {}
                with contextlib.suppress(TypeError, ValueError, KeyError, NotImplementedError):
                    x = getattr(x, sort)(**by)
        if not check_index and hasattr(x, "reset_index"):
            x = x.reset_index(drop=True)
        done.append(x)
    left, right = done
    options = {"check_names": check_names, "check_dtype": check_dtype, **kwargs}
    if isinstance(left, pd.DataFrame):
        pd.testing.assert_frame_equal(left, right, **options)
    elif isinstance(left, pd.Series):
        pd.testing.assert_series_equal(left, right, **options)
    elif isinstance(left, pd.Index):
        pd.testing.assert_index_equal(left, right, exact=check_dtype, check_names=check_names)
    else:
        assert left is right or left == right or np.allclose(left, right, equal_nan=True), done
    return True


VALUE_ASSERTS = {"dask.array.utils": array_values_eq, "dask.dataframe.utils": frame_values_eq}


def spec_cluster(workers, worker_class, scheduler=None, **options):
    """A cluster over TCP, as distributed's tests expect one; `workers` are their options.

    It is open, as distributed's own ones are, since some tests start programs that join it.
    """
    distributed = importlib.import_module("distributed")
    scheduler = {"protocol": "tcp", "host": "127.0.0.1", "dashboard_address": ":0", **scheduler}
    package = importlib.import_module("conform_alias").State.package
    if scheduler.get("security"):
        scheduler["protocol"] = "tls"
    else:
        scheduler["security"] = None if package == "dask" else False
    security = {"security": scheduler["security"]}
    made = {
        name: {"cls": worker_class or distributed.Worker, "options": {**security, **given}}
        for name, given in enumerate(workers)
    }
    options.update(security)
    scheduler = {"cls": distributed.Scheduler, "options": scheduler}
    return distributed.SpecCluster(made, scheduler, **options)


def as_sync_test(fn, given, body, timeout):
    """A plain test function that runs `body(fixtures)`; fn's first parameters are not fixtures."""

    @functools.wraps(fn)
    def test(**fixtures):
        asyncio.run(asyncio.wait_for(body(fixtures), timeout))

    parameters = list(inspect.signature(fn).parameters.values())
    positional = [p for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]
    by_keyword = [p for p in parameters if p.kind == p.KEYWORD_ONLY]
    test.__signature__ = inspect.Signature(positional[given:] + by_keyword)
    return test


CLIENTS = contextlib.ExitStack()


def start_client(distributed):
    """Open a cluster in this process and a client, which is the default scheduler from now on."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False}
    cluster = CLIENTS.enter_context(distributed.LocalCluster(dashboard_address=None, **options))
    CLIENTS.enter_context(distributed.Client(cluster))


def stop_client():
    """Close what `start_client` opened."""
    CLIENTS.close()


def leave_scheduler_open(module):
    """Helpers that compute on the synchronous scheduler use the default one instead."""
    for function in vars(module).values():
        if not inspect.isfunction(function) or function.__module__ != module.__name__:
            continue
        optional = [
            parameter
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind == parameter.POSITIONAL_OR_KEYWORD
            and parameter.default is not parameter.empty
        ]
        function.__defaults__ = tuple(
            None if parameter.name == "scheduler" else parameter.default for parameter in optional
        )


def gen_cluster(
    nthreads=(("127.0.0.1", 1), ("127.0.0.1", 2)),
    client=False,
    Worker=None,
    timeout=30,
    client_kwargs=None,
    scheduler_kwargs=None,
    worker_kwargs=None,
    config=None,
    security=None,
    **_,
):
    """Async tests called with (client,) scheduler, worker, worker...: whatever the cluster has."""
    workers = [
        {"host": host or "127.0.0.1", "nthreads": number, **(worker_kwargs or {}), **dict(*more)}
        for host, number, *more in nthreads
    ]

    def decorate(fn):
        async def body(fixtures):
            async with contextlib.AsyncExitStack() as stack:
                stack.enter_context(importlib.import_module("dask").config.set(config or {}))
                scheduler = {"security": security, **(scheduler_kwargs or {})}
                cluster = await stack.enter_async_context(
                    spec_cluster(workers, Worker, scheduler, asynchronous=True)
                )
                given = [cluster.scheduler, *cluster.workers.values()]
                if client:
                    maker = importlib.import_module("distributed").Client
                    options = {"asynchronous": True, "security": security, **(client_kwargs or {})}
                    client_of_test = maker(cluster.scheduler.address, **options)
                    given.insert(0, await stack.enter_async_context(client_of_test))
                await fn(*given, **fixtures)

        return as_sync_test(fn, int(client) + 1 + len(workers), body, timeout)

    return decorate


def gen_tls_cluster(*args, **options):
    return gen_cluster(*args, security=tls_security(), **options)


@contextlib.contextmanager
def captured_logger(logger, level=logging.INFO, propagate=None):
    """What a logger says, whose name is that of the package below the harness."""
    if isinstance(logger, str):
        package = importlib.import_module("conform_alias").State.package
        if package != "dask":
            first, _, rest = logger.partition(".")
            own = {"dask": package, "distributed": f"{package}.distributed"}.get(first, first)
            logger = f"{own}.{rest}" if rest else own
        logger = logging.getLogger(logger)
    stream = io.StringIO()
    before = logger.level, logger.handlers[:], logger.propagate
    logger.setLevel(level)
    logger.handlers[:] = [logging.StreamHandler(stream)]
    logger.propagate = logger.propagate if propagate is None else propagate
    try:
        yield stream
    finally:
        logger.setLevel(before[0])
        logger.handlers[:], logger.propagate = before[1:]


def gen_test(timeout=30, **_):
    return lambda fn: as_sync_test(fn, 0, lambda fixtures: fn(**fixtures), timeout)


@contextlib.contextmanager
def cluster(
    nworkers=2,
    nanny=False,
    worker_kwargs=None,
    scheduler_kwargs=None,
    config=None,
    security=None,
    **_,
):
    """Workers in processes of their own: the addresses, and the processes for those that kill."""
    import psutil

    distributed = importlib.import_module("distributed")
    workers = [{"host": "127.0.0.1", "nthreads": 1, **(worker_kwargs or {})}] * nworkers
    with (
        importlib.import_module("dask").config.set(config or {}),
        spec_cluster(
            workers, distributed.Nanny, {"security": security, **(scheduler_kwargs or {})}
        ) as made,
    ):
        yield (
            {"address": made.scheduler_address},
            [
                {
                    "address": worker.worker_address,
                    "proc": functools.partial(psutil.Process, worker.pid),
                }
                for worker in made.workers.values()
            ],
        )


def tls_security():
    """Certificates made now: those of distributed's tests are of version 1 of X.509."""
    return importlib.import_module("distributed").Security.temporary()


@functools.cache
def cluster_shim():
    import pytest

    def cluster_fixture():
        with cluster() as made:
            yield made

    def client(cluster_fixture):
        with importlib.import_module("distributed").Client(cluster_fixture[0]["address"]) as c:
            yield c

    def client_secondary(cluster_fixture):
        with importlib.import_module("distributed").Client(cluster_fixture[0]["address"]) as c:
            yield c

    def tls_cluster(security):
        with cluster(security=security) as made:
            yield made

    def tls_client(tls_cluster, security):
        maker = importlib.import_module("distributed").Client
        with maker(tls_cluster[0]["address"], security=security) as c:
            yield c

    fixtures = {
        "cluster_fixture": cluster_fixture,
        "client": client,
        "client_secondary": client_secondary,
        "security": tls_security,
        "tls_cluster": tls_cluster,
        "tls_client": tls_client,
        "c": lambda client: client,
        "client_no_amm": lambda client: client,
        "s": lambda cluster_fixture: cluster_fixture[0],
        "a": lambda cluster_fixture: cluster_fixture[1][0],
        "b": lambda cluster_fixture: cluster_fixture[1][1],
        **{
            name: lambda: None
            for name in ("cleanup", "loop", "loop_in_thread", "requires_default_ports")
        },
    }
    return {
        **{name: pytest.fixture(function) for name, function in fixtures.items()},
        "gen_cluster": gen_cluster,
        "gen_tls_cluster": gen_tls_cluster,
        "captured_logger": captured_logger,
        "gen_test": gen_test,
        "cluster": cluster,
        "tls_security": tls_security,
        "tls_only_security": tls_security,
    }
