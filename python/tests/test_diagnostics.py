"""Progress bar, profilers, plots, report, cache and templates."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from operator import add, mul
from timeit import default_timer

import pytest

import samite
from samite.cache import Cache, ResultCache
from samite.callbacks import Callback, split_native
from samite.diagnostics import (
    CacheProfiler,
    Profiler,
    ProgressBar,
    Report,
    ResourceProfiler,
    performance_report,
    report,
)
from samite.diagnostics import _sampler as sampler
from samite.diagnostics import progress as progress_module
from samite.diagnostics.html_report import _duration
from samite.local import get_sync
from samite.threaded import get

GRAPH = {"a": 1, "b": 2, "c": (add, "a", "b"), "d": (mul, "a", "b"), "e": (mul, "c", "d")}


class PerTask(Callback):
    """Its presence makes a scheduler call the hooks of all callbacks for each task."""

    def _pretask(self, key, dsk, state):
        pass


@pytest.fixture(params=["native", "per task"])
def path(request):
    """Both ways in which a scheduler drives a callback."""
    if request.param == "native":
        yield
    else:
        with PerTask():
            yield


@pytest.fixture(autouse=True)
def nothing_left_registered():
    yield
    assert not Callback.active


def sleep_and_return(value, seconds=0.02):
    time.sleep(seconds)
    return value


def sleepers(count: int, seconds: float = 0.02) -> dict:
    graph = {("sleep", i): (sleep_and_return, i, seconds) for i in range(count)}
    graph["total"] = (sum, [("sleep", i) for i in range(count)])
    return graph


def fail():
    raise ZeroDivisionError("on purpose")


class Terminal(io.StringIO):
    def isatty(self):
        return True


# ---- progress bar ----


@pytest.mark.parametrize("scheduler", [get, get_sync])
def test_plain_progress(scheduler, path):
    out = io.StringIO()
    with ProgressBar(width=20, out=out) as bar:
        assert scheduler(GRAPH, "e") == 6
    last = out.getvalue().split("\r")[-1]
    assert re.fullmatch(r"\[#{20}\] \| 100% Completed \| [\d.]+ m?s\n", last.replace("us", "ms"))
    assert out.getvalue().count("100% Completed") == 1
    assert bar.last_duration > 0


def test_plain_progress_grows(path):
    out = io.StringIO()
    with ProgressBar(dt=0.01, out=out):
        get(sleepers(20), "total", num_workers=2)
    shares = [int(share) for share in re.findall(r"(\d+)% Completed", out.getvalue())]
    assert shares == sorted(shares)
    assert len(set(shares)) > 3


def test_nothing_is_shown_before_the_minimum(path):
    out = io.StringIO()
    with ProgressBar(minimum=10, out=out) as bar:
        get(sleepers(3), "total")
    assert out.getvalue() == ""
    assert bar.last_duration > 0.01


def test_failed_computation_stops_the_bar(path):
    out = io.StringIO()
    bar = ProgressBar(dt=0.01, out=out)
    with pytest.raises(ZeroDivisionError), bar:
        get({"a": (fail,)}, "a")
    assert not bar._running
    assert not bar._timer.is_alive()
    assert "100%" not in out.getvalue()


def test_bar_without_a_console(monkeypatch, path):
    monkeypatch.setattr(sys, "stdout", None)
    with ProgressBar(dt=0.01):
        assert get(sleepers(4), "total") == 6


def test_closed_file_does_not_fail_the_computation(path):
    out = io.StringIO()
    out.close()
    with ProgressBar(dt=0.01, out=out):
        assert get(sleepers(4), "total") == 6


@pytest.mark.parametrize("with_rich", [True, False])
def test_terminal(monkeypatch, path, with_rich):
    if with_rich:
        pytest.importorskip("rich")
    else:
        monkeypatch.setitem(sys.modules, "rich", None)
        monkeypatch.setitem(sys.modules, "rich.console", None)
        monkeypatch.setitem(sys.modules, "rich.progress", None)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    out = Terminal()
    with ProgressBar(dt=0.01, out=out):
        get(sleepers(60), "total", num_workers=2)
    shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", out.getvalue())
    assert "\x1b[" in out.getvalue() and "━" in shown
    assert "61/61 tasks" in shown
    assert len(set(re.findall(r"(\d+)/61 tasks", shown))) > 3


def test_dumb_terminal_gets_plain_text(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    out = Terminal()
    with ProgressBar(out=out):
        get(GRAPH, "e")
    assert "\x1b" not in out.getvalue() and "100% Completed" in out.getvalue()


def test_description():
    describe = progress_module.describe
    assert describe((25, 100, 4, 0, 0), 2.0) == "25/100 tasks  4 running  2.0 s  about 6 s left"
    assert describe((1, 4, 0, 0, 0), 40) == "1/4 tasks  40.0 s  about 2:00 left"
    assert describe((1, 1, 0, 0, 0), 3700) == "1/1 tasks  1:01:40"
    assert "1.00 MiB held  2.00 MiB spilled" in describe((1, 2, 0, 1 << 20, 2 << 20), 0.1)


# ---- profilers ----


def test_profiler(path):
    with Profiler() as profiler:
        inside = default_timer()
        assert get(GRAPH, "e") == 6
    assert profiler.start_time < inside < profiler.end_time
    assert sorted(result.key for result in profiler.results) == ["c", "d", "e"]
    for key, task, start, end, worker in profiler.results:
        # The engine's clock is set by Python's at the start of a run, to some microseconds.
        assert profiler.start_time - 1e-3 <= start <= end <= profiler.end_time + 1e-3
        assert task is not None and key in GRAPH and worker is not None
    by_key = {result.key: result for result in profiler.results}
    assert by_key["e"].start_time >= max(by_key["c"].end_time, by_key["d"].end_time) - 1e-6
    profiler.clear()
    assert profiler.results == []


def test_profiler_measures_durations(path):
    with Profiler() as profiler:
        get(sleepers(4, 0.05), "total", num_workers=4)
    spent = [r.end_time - r.start_time for r in profiler.results if r.key != "total"]
    assert len(spent) == 4
    assert all(0.045 < seconds < 0.5 for seconds in spent)


def test_profiler_keeps_what_ran_before_an_error(path):
    graph = {"x": (add, 1, 1), "y": (add, "x", 2), "z": (lambda y: y / 0, "y")}
    with pytest.raises(ZeroDivisionError), Profiler() as profiler:
        get(graph, "z")
    assert {"x", "y"} <= {result.key for result in profiler.results} <= {"x", "y", "z"}


def test_profiler_adds_up_computations_and_starts_anew_in_each_block(path):
    profiler = Profiler()
    with profiler:
        get(GRAPH, "e")
        get(GRAPH, "e")
    assert len(profiler.results) == 6
    with profiler:
        get(GRAPH, "e")
    assert len(profiler.results) == 3


@pytest.mark.parametrize("make", [Profiler, lambda: ResourceProfiler(dt=0.01), CacheProfiler])
def test_registered_profilers(make, path):
    profiler = make()
    profiler.register()
    try:
        get(sleepers(2), "total")
        first = len(profiler.results)
        get(sleepers(2), "total")
    finally:
        profiler.unregister()
    assert 0 < first < len(profiler.results)


def test_which_are_native():
    native, per_task = split_native(
        made._callback for made in (Profiler(), ProgressBar(), ResourceProfiler(), CacheProfiler())
    )
    assert [type(callback) for callback in native] == [Profiler, ProgressBar, ResourceProfiler]
    assert len(per_task) == 1


def test_profiler_of_delayed(path):
    lazy = [samite.delayed(sleep_and_return, pure=False)(i) for i in range(3)]
    with Profiler() as profiler:
        assert samite.compute(*lazy, scheduler="threads") == (0, 1, 2)
    assert {str(result.key).split("-")[0] for result in profiler.results} == {"sleep_and_return"}
    assert len(profiler.results) == 3


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(100_000))
        time.sleep(0.0005)  # The sampling thread needs the interpreter now and then.


@pytest.mark.parametrize("with_psutil", [True, False])
def test_resource_profiler_sees_memory_and_work(monkeypatch, path, with_psutil):
    if with_psutil:
        pytest.importorskip("psutil")
    else:
        monkeypatch.setitem(sys.modules, "psutil", None)
    with ResourceProfiler(dt=0.02) as profiler:
        get({"x": (burn, 0.3)}, "x")
        held = bytearray(b"x" * 60_000_000)
        time.sleep(0.06)
        del held
    memory = [result.mem for result in profiler.results]
    assert max(memory) - min(memory) > 50
    steps = zip(profiler.results, profiler.results[1:])
    burnt = sum((after.time - before.time) * after.cpu / 100 for before, after in steps)
    assert 0.1 < burnt < 2
    assert not profiler._is_running()
    profiler.close()


def test_resource_profiler_counts_child_processes(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    read = sampler.usage_reader()
    before = read()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        time.sleep(0.1)
        now = read()
        assert child.pid in now and child.pid not in before
        assert now[child.pid][1] > 1_000_000
    finally:
        child.communicate(b"\n")


def test_sampler_by_psutil_and_by_proc_agree():
    pytest.importorskip("psutil")
    by_psutil = sampler.usage_reader()()
    by_proc = sampler._usage_from_proc()
    this = os.getpid()
    assert by_proc[this][1] == pytest.approx(by_psutil[this][1], rel=0.2)
    assert by_proc[this][0] == pytest.approx(by_psutil[this][0], abs=0.5)


def test_cache_profiler():
    sizes = iter(range(1, 100))
    with CacheProfiler(metric=lambda value: next(sizes), metric_name="sizes") as profiler:
        get(GRAPH, "e")
    assert sorted(result.metric for result in profiler.results) == [1, 2, 3]
    assert all(result.cache_time <= result.free_time for result in profiler.results)
    assert CacheProfiler(metric=len)._metric_name == "len"
    assert CacheProfiler()._metric_name == "count"


# ---- plots ----


def test_plots_with_bokeh(tmp_path):
    pytest.importorskip("bokeh")
    from samite.diagnostics import visualize

    with Profiler() as tasks, ResourceProfiler(dt=0.01) as resources, CacheProfiler() as cache:
        get(sleepers(4), "total")
    file = tmp_path / "plot.html"
    grid = visualize([tasks, resources, cache], filename=str(file), show=False, title="Mine")
    figures = [row[0] for row in grid.children]
    assert [figure.title.text if figure.title else None for figure in figures] == [
        "Mine",
        None,
        None,
    ]
    assert figures[-1].xaxis[0].axis_label == "Time (s)"
    assert "<html" in file.read_text().lower()


def test_plot_without_bokeh_is_the_report(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bokeh", None)
    monkeypatch.setitem(sys.modules, "bokeh.plotting", None)
    with Profiler() as profiler:
        get(GRAPH, "e")
    path = profiler.visualize(filename=str(tmp_path / "own.html"), show=False)
    assert "Task stream" in (tmp_path / "own.html").read_text()
    assert path == str(tmp_path / "own.html")


# ---- report ----


def data_of(path) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())
    return json.loads(found.group(1))


def test_report_of_a_block(tmp_path, path):
    file = tmp_path / "report.html"
    with Report(file, title="A <b>title", dt=0.01) as made:
        get(sleepers(8), "total", num_workers=2)
    text, data = file.read_text(), data_of(file)
    assert "A &lt;b&gt;title" in text and "A <b>title" not in text
    tasks = data["tasks"]
    assert sorted(tasks["key"]) == sorted(str(key) for key in sleepers(8))
    assert {kind["name"]: kind["count"] for kind in data["kinds"]} == {"sleep": 8, "total": 1}
    span = data["span"] * 1e6
    for start, length in zip(tasks["start"], tasks["length"]):
        assert 0 <= start <= start + length <= span * 1.01
    assert all(size is not None and size > 0 for size in tasks["bytes"])
    assert len(tasks["workers"]) == len(tasks["labels"]) >= 1
    assert set(tasks["row"]) == set(range(len(tasks["workers"])))
    assert len(data["resources"]) == len(made.resources.results) > 1


def test_report_rows_are_sorted_as_its_script_needs_them(tmp_path):
    with Report(tmp_path / "r.html"):
        get(sleepers(12, 0.005), "total", num_workers=3)
    tasks = data_of(tmp_path / "r.html")["tasks"]
    places = list(zip(tasks["row"], tasks["start"]))
    assert places == sorted(places)


def test_report_loads_nothing(tmp_path):
    with performance_report(tmp_path / "r.html"):
        get(GRAPH, "e")
    text = (tmp_path / "r.html").read_text()
    assert not re.search(r"https?://|src=|@import|<link|url\(", text)
    assert "@data@" not in text and "@script@" not in text


def test_report_is_written_when_the_block_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), Report(tmp_path / "r.html"):
        get({"x": (add, 1, 1), "y": (lambda x: fail(), "x")}, "y")
    assert "x" in data_of(tmp_path / "r.html")["tasks"]["key"]


def test_report_of_profilers(tmp_path):
    with Profiler() as tasks, CacheProfiler() as cache:
        get({"</script><b>": (add, 1, 1)}, "</script><b>")
    file = report(tmp_path / "r.html", tasks, cache)
    data = data_of(file)
    assert data["tasks"]["key"] == ["</script><b>"]
    assert [held for _, held in data["cache"]["steps"]] == [1, 0]
    assert "resources" not in data
    assert file.read_text().count("</script>") == 2  # the page's own: of data and of code
    with pytest.raises(TypeError, match="int"):
        report(tmp_path / "r.html", 3)


def test_empty_report(tmp_path):
    with Report(tmp_path / "r.html"):
        pass
    assert data_of(tmp_path / "r.html")["kinds"] == []


def test_large_report_draws_the_longest_tasks(tmp_path, monkeypatch):
    monkeypatch.setattr("samite.diagnostics.html_report.MAX_DRAWN_TASKS", 3)
    with Profiler() as profiler:
        get(
            {**sleepers(3, 0.03), **{("quick", i): (add, i, 1) for i in range(9)}},
            ["total", *[("quick", i) for i in range(9)]],
        )
    data = data_of(report(tmp_path / "r.html", profiler))
    assert data["tasks"]["total"] == 13
    assert {data["kinds"][kind]["name"] for kind in data["tasks"]["kind"]} == {"sleep"}
    assert sum(kind["count"] for kind in data["kinds"]) == 13


@pytest.mark.parametrize(
    "seconds, text",
    [(2e-6, "2 µs"), (0.0123, "12.3 ms"), (1.5, "1.50 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")],
)
def test_durations(seconds, text):
    assert _duration(seconds) == text


# ---- cache ----


def counted(calls, value):
    calls.append(value)
    return value * 10


def test_cache_spares_later_computations():
    calls: list = []
    cache = Cache(1e6)
    with cache:
        assert get({"x": (counted, calls, 1)}, "x") == 10
        graph = {"x": (counted, calls, 1), "y": (counted, calls, 2), "z": (add, "x", "y")}
        assert get(graph, "z") == 30
    assert calls == [1, 2]
    assert not cache.starttimes and not cache.durations


@pytest.mark.parametrize("value", [("x",), "other", (sum, [1, 2]), ["other"], {"other": 1}])
def test_cached_values_that_look_like_tasks_or_keys(value):
    cache = Cache(1e6)
    for _ in range(2):
        with cache:
            graph = {"other": 5, "x": (lambda: value,), "y": (lambda x, other: x, "x", "other")}
            assert get(graph, "y") == value
    assert "x" in cache.cache.data


def test_cache_prefers_small_results_that_took_long():
    cache = Cache(1e6)
    graph = {
        "long": (lambda: sleep_and_return([0], 0.02),),
        "short": (lambda: sleep_and_return([0] * 1000, 0.0),),
        "after": (lambda x: x, "long"),
    }
    with cache:
        get_sync(graph, ["long", "short", "after"])
    costs = cache.cache.costs
    assert costs["long"] > 10 * costs["short"]
    assert (
        costs["after"] > 0.8 * costs["long"]
    )  # without it the long way would have to be gone again


def test_cache_takes_a_cache_object():
    class Mine:
        def __init__(self):
            self.data = {}

        def put(self, key, value, cost, nbytes):
            self.data[key] = value

        def get(self, key):
            return self.data[key]

    mine = Mine()
    with Cache(mine):
        get(GRAPH, "e")
    assert mine.data["e"] == 6
    with pytest.raises(TypeError):
        Cache(mine, 3)


def test_result_cache_stays_within_its_budget():
    store = ResultCache(1000)
    for number in range(50):
        store.put(number, number, cost=number + 1, nbytes=100)
        assert store.total_bytes <= 1000
        assert store.total_bytes == 100 * len(store.data)
    assert set(store.data) <= set(range(35, 50)) and 49 in store.data
    store.put("huge", 0, cost=1e9, nbytes=2000)
    assert "huge" not in store.data
    assert store.get("huge", "none") == "none"
    store.clear()
    assert store.total_bytes == 0 and not store.data


def test_result_cache_keeps_what_is_used():
    store = ResultCache(300)
    store.put("used", 1, cost=1, nbytes=100)
    for number in range(20):
        assert store.get("used") == 1
        store.put(number, number, cost=2, nbytes=100)
    assert "used" in store.data


def test_result_cache_forgets_old_uses():
    store = ResultCache(250, halflife=2)
    store.put("old", 1, cost=8, nbytes=100)
    for number in range(20):
        store.put(number, number, cost=1, nbytes=100)
    assert "old" not in store.data


def test_result_cache_refuses_cheap_values():
    store = ResultCache(1000, limit=5)
    store.put("cheap", 1, cost=4, nbytes=10)
    store.put("dear", 1, cost=6, nbytes=10)
    assert set(store.data) == {"dear"}


# ---- templates ----


def test_templates(tmp_path, monkeypatch):
    jinja2 = pytest.importorskip("jinja2")
    from samite import widgets

    (tmp_path / "hello.j2").write_text("Hello {{ size | format_bytes }} {{ name | html_escape }}")
    monkeypatch.setattr(widgets, "TEMPLATE_PATHS", [*widgets.TEMPLATE_PATHS, str(tmp_path)])
    text = widgets.get_template("hello.j2").render(size=2048, name="<x>")
    assert text == "Hello 2.00 kiB &lt;x&gt;"
    with pytest.raises(jinja2.TemplateNotFound, match=re.escape(str(tmp_path))):
        widgets.get_template("missing.j2")


def test_templates_without_jinja(monkeypatch):
    from samite import widgets

    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match="pip install jinja2"):
        widgets.get_environment()


def test_import_is_light(tmp_path):
    ours = "samite.diagnostics, samite.dot, samite.callbacks, samite.cache, samite.widgets"
    heavy = "rich bokeh psutil jinja2 numpy pandas yaml PIL IPython dask distributed"
    script = f"import sys, {ours}; print(sorted(set({heavy.split()}) & set(sys.modules)))"
    # Settings files of the user's own would have to be parsed, by yaml.
    environment = {**os.environ, "HOME": str(tmp_path), "SAMITE_CONFIG": str(tmp_path)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"
