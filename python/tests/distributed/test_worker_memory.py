"""What workers do as memory gets short, by the settings of ``distributed.worker.memory``."""

import time

import pytest

from samite import config
from samite.distributed import Client, LocalCluster, Worker, wait

MIB = 1 << 20
LIMIT = 600 * MIB


def memory(**settings):
    return config.set({f"distributed.worker.memory.{name}": v for name, v in settings.items()})


def told(client):
    """What its only worker says of itself."""
    (worker,) = client.scheduler_info()["workers"].values()
    return worker


def until(what, look, seconds=20.0):
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, f"no {what}"
        time.sleep(0.05)


@pytest.fixture
def one_process():
    """A function that starts a cluster of one worker process, with settings of memory."""
    opened = []

    def start(threads=1, **settings):
        with memory(**settings):
            cluster = LocalCluster(
                n_workers=1, threads_per_worker=threads, processes=True, memory_limit=LIMIT
            )
        opened.append(cluster)
        client = Client(cluster)
        opened.append(client)
        return client

    yield start
    for one in reversed(opened):
        one.close()


def hoard(size):
    """Take memory that no result accounts for."""
    import builtins

    builtins.hoarded = bytearray(size)
    return len(builtins.hoarded)


def let_go():
    import builtins

    del builtins.hoarded


def now(_=None):
    import time

    return time.monotonic()


def test_a_worker_whose_process_takes_too_much_pauses_and_goes_on(one_process):
    client = one_process(threads=4, pause=0.5, spill=False, terminate=False)
    assert client.submit(hoard, 400 * MIB).result() == 400 * MIB

    def nap(_):
        import time

        begin = time.monotonic()
        time.sleep(0.1)
        return begin, time.monotonic()

    time.sleep(0.5)
    spans = sorted(client.gather(client.map(nap, range(12))))
    # It has four threads, but one task at a time is what it goes on with.
    together = sum(later[0] < former[1] for former, later in zip(spans, spans[1:], strict=False))
    assert together < 6
    client.submit(let_go, pure=False).result()
    until("worker that runs", lambda: told(client)["status"] == "running")
    time.sleep(0.5)
    spans = sorted(client.gather(client.map(nap, range(100, 112))))
    together = sum(later[0] < former[1] for former, later in zip(spans, spans[1:], strict=False))
    assert together >= 6


def test_a_paused_worker_says_so(one_process):
    client = one_process(pause=0.5, spill=False, terminate=False)
    client.submit(hoard, 400 * MIB).result()
    long = client.submit(time.sleep, 3)
    until("paused worker", lambda: told(client)["status"] == "paused")
    assert long.result() is None
    # With nothing to run it would wait for ever.
    assert client.submit(now, 1).result(timeout=20) > 0


def test_results_go_to_disk_where_something_else_takes_the_memory(one_process):
    client = one_process(target=0.9, spill=0.6, pause=False, terminate=False)
    held = client.map(lambda n: bytes([n]) * (20 * MIB), range(10))
    wait(held)
    assert told(client)["metrics"]["spilled_bytes"]["disk"] == 0
    client.submit(hoard, 300 * MIB).result()
    until("results on disk", lambda: told(client)["metrics"]["spilled_bytes"]["disk"] > 100 * MIB)
    for number, future in enumerate(held):
        assert future.result() == bytes([number]) * (20 * MIB)


@pytest.mark.parametrize("most", [False, "45 MiB"])
def test_the_disk_is_used_up_to_a_bound(one_process, most):
    settings = {"max-spill": most}
    client = one_process(target=0.1, spill=False, pause=False, terminate=False, **settings)
    held = client.map(lambda n: bytes([n]) * (20 * MIB), range(10))
    wait(held)
    on_disk = 2 if most else 7
    until(
        "results on disk",
        lambda: told(client)["metrics"]["spilled_bytes"]["disk"] >= on_disk * 20 * MIB,
    )
    time.sleep(0.3)
    if most:
        assert told(client)["metrics"]["spilled_bytes"]["disk"] < 45 * MIB
    assert [value[0] for value in client.gather(held)] == list(range(10))


def test_nothing_is_written_where_the_shares_are_false():
    with memory(target=False, spill=False, pause=False):
        cluster = LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, memory_limit="10 MB"
        )
    with cluster, Client(cluster) as client:
        held = client.map(lambda n: bytes([n]) * 4_000_000, range(6))
        wait(held)
        time.sleep(1.2)
        metrics = told(client)["metrics"]
        assert metrics["spilled_bytes"]["disk"] == 0
        assert metrics["managed_bytes"] >= 24_000_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("target", 1.5),
        ("spill", -0.1),
        ("pause", "much"),
        ("pause", True),
        ("max-spill", "a lot"),
        ("monitor-interval", "soon"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(name, value):
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster,
        memory(**{name: value}),
        pytest.raises(ValueError, match=f"distributed.worker.memory.{name} is {value!r}"),
    ):
        cluster.sync(Worker(cluster.scheduler_address).start)
