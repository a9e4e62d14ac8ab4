"""Graphs on Ray: a real one, started on this machine."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import cloudpickle
import numpy as np
import pytest
from cluster_patience import PATIENCE

import samite
import samite.array as da
from samite import delayed
from samite.base import wait

ray = pytest.importorskip("ray", reason="Ray is not installed")
# Ray's processes do not find this module.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module", autouse=True)
def started(tmp_path_factory):
    """Ray with two processors, a resource of its own, and little memory: the folder to which it
    writes what does not fit."""
    folder = tmp_path_factory.mktemp("spilled")
    ray.init(
        num_cpus=2,
        resources={"X": 1},
        object_store_memory=100 << 20,
        object_spilling_directory=str(folder),
        include_dashboard=False,
        log_to_driver=False,
    )
    yield folder
    ray.shutdown()


def test_tasks_run_in_processes_of_ray():
    calls = [delayed(os.getpid, pure=False)() for _ in range(8)]
    assert os.getpid() not in samite.compute(*calls, scheduler="ray")
    with samite.config.set(scheduler="ray"):
        assert calls[0].compute() != os.getpid()


def test_intermediate_results_are_released(started):
    """Blocks of 8 MB, four times as many as there is memory for: none is written to disk."""

    def block(number):
        return np.full(1 << 20, float(number))

    blocks = [delayed(block, pure=False)(number) for number in range(50)]
    means = [delayed(np.mean)(one) for one in blocks]
    stop, spilled = threading.Event(), []

    def watch():
        while not stop.wait(0.01):
            spilled.extend(file for file in started.rglob("*") if file.is_file())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        assert delayed(sum)(means).compute(scheduler="ray") == sum(range(50))
    finally:
        stop.set()
        watcher.join()
    assert not spilled


def test_persisted_parts_stay_in_ray():
    x = np.random.default_rng(0).random((60, 40))
    kept = (da.from_array(x, chunks=20) + 1).persist(scheduler="ray")
    assert wait(kept) is kept
    np.testing.assert_array_equal((kept * 2).compute(scheduler="ray"), (x + 1) * 2)
    with pytest.raises(ValueError, match="compute it with the future's client"):
        kept.compute(scheduler="threads")


def test_references_of_ray_are_arguments_at_any_depth():
    data, more = ray.put({"x": 41}), ray.put(1)
    add = delayed(lambda known, others: known["x"] + others["one"][0])
    assert add(data, {"one": [more]}).compute(scheduler="ray") == 42


def test_a_task_may_compute_on_ray():
    def inner(number):
        return sum(samite.compute(*[delayed(pow)(number, n) for n in range(4)], scheduler="ray"))

    values = samite.compute(*[delayed(inner)(number) for number in range(5)], scheduler="ray")
    assert values == tuple(sum(number**n for n in range(4)) for number in range(5))


def test_interrupted_computations_submit_nothing_more():
    calls = [delayed(time.sleep, pure=False)(0.2) for _ in range(200)]
    main = threading.main_thread().ident
    threading.Timer(1.0, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        samite.compute(*calls, scheduler="ray")
    began = time.monotonic()
    assert delayed(abs)(-1).compute(scheduler="ray") == 1
    # All of them would take 20 s.
    assert time.monotonic() - began < 10


# ---- annotations ---------------------------------------------------------------------------------


def test_resources_of_ray_are_kept_to():
    def span():
        began = time.monotonic()
        time.sleep(0.05)
        return began, time.monotonic()

    with samite.annotate(resources={"X": 1, "CPU": 0}):
        calls = [delayed(span, pure=False)() for _ in range(5)]
    spans = sorted(samite.compute(*calls, scheduler="ray"))
    assert all(end <= begin for (_, end), (begin, _) in zip(spans, spans[1:], strict=False))


def test_failed_tasks_are_tried_again(tmp_path):
    def fails_twice(path):
        with open(path, "a") as file:
            file.write("x")
        with open(path) as file:
            if len(file.read()) < 3:
                raise RuntimeError("not yet")
        return "done"

    call = delayed(fails_twice, pure=False)
    with pytest.raises(RuntimeError, match="not yet"):
        call(str(tmp_path / "never")).compute(scheduler="ray")
    with samite.annotate(retries=2):
        value = call(str(tmp_path / "twice"))
    assert value.compute(scheduler="ray") == "done"
    assert call(str(tmp_path / "all")).compute(scheduler="ray", retries=2) == "done"


def test_a_task_whose_worker_dies_runs_again(tmp_path):
    def dies_once(path):
        if not os.path.exists(path):
            with open(path, "w"):
                os.kill(os.getpid(), signal.SIGKILL)
        return "alive"

    call = delayed(dies_once, pure=False)(str(tmp_path / "once"))
    assert call.compute(scheduler="ray") == "alive"


def test_workers_have_no_names_in_ray():
    with samite.annotate(workers=["a"]):
        call = delayed(abs)(-1)
    with pytest.raises(ValueError, match=r"task 'abs-.*' is to run on .*Ray's workers have no"):
        call.compute(scheduler="ray")
    with samite.annotate(workers=["a"], allow_other_workers=True):
        assert delayed(abs)(-2).compute(scheduler="ray") == 2


# ---- what goes wrong -----------------------------------------------------------------------------


class Broken(Exception):
    """An exception whose constructor takes other arguments than it hands on."""

    def __init__(self, number: int) -> None:
        super().__init__(f"number {number}")
        self.number = number

    def __reduce__(self):
        return type(self), (self.number,)


def test_exceptions_keep_their_type_and_their_traceback():
    def fails(number):
        raise Broken(number)

    with pytest.raises(Broken) as raised:
        delayed(abs)(delayed(fails)(3)).compute(scheduler="ray")
    assert raised.value.number == 3
    assert raised.traceback[-1].name == "fails"
    with pytest.raises(np.linalg.LinAlgError):
        da.linalg.inv(da.zeros((4, 4), chunks=4)).compute(scheduler="ray")


def test_a_failure_ends_the_computation_soon():
    def fails():
        raise ValueError("at once")

    calls = [delayed(time.sleep, pure=False)(0.1) for _ in range(400)]
    began = time.monotonic()
    with pytest.raises(ValueError, match="at once"):
        samite.compute(delayed(fails)(), *calls, scheduler="ray")
    assert time.monotonic() - began < 0.1 * 400 / 2


def test_what_cannot_be_pickled_is_named():
    with pytest.raises(TypeError) as raised:
        delayed(len)([threading.Lock()]).compute(scheduler="ray")
    assert any("lock" in note for note in raised.value.__notes__)


def test_workers_without_samite_are_told_of():
    """In processes of their own, as Ray starts for another environment."""
    folder = os.path.dirname(os.path.dirname(samite.__file__))

    @ray.remote(num_cpus=0)
    class Bare:
        def run(self, name, *arguments):
            import pkgutil

            sys.path[:] = [path for path in sys.path if os.path.abspath(path) != folder]
            for module in list(sys.modules):
                if module.partition(".")[0] == "samite":
                    del sys.modules[module]
            return pkgutil.resolve_name(name)(*arguments)

    from samite.distributed._remote_tasks import RUN_REPORTING, missing_there

    bare = Bare.remote()
    with pytest.raises(ModuleNotFoundError) as raised:
        ray.get(bare.run.remote(RUN_REPORTING, 0, "", b"", 0), timeout=PATIENCE)
    told = missing_there(raised.value.cause)
    assert isinstance(told, ModuleNotFoundError)
    assert f"install samite=={samite.__version__}" in str(told)
    assert told.name == "samite"
