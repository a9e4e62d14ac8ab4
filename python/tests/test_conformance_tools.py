"""The harness's own logic: what a list keeps, what a sample takes, what may leave a list, what
threads see of it."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "conformance"))

import conform_alias  # noqa: E402
import item_lists  # noqa: E402
import ratchet  # noqa: E402

ITEMS = {
    "dask/tests/test_a.py::test_one": 0.0,
    "dask/tests/test_a.py::TestIt::test_two[x y]": 3.0,
    "dask/bytes/tests/test_b.py::test_three[a::b]": 0.2,
}


def results(path: Path, outcomes: dict[str, str]) -> Path:
    tests = {item: {"outcome": outcome, "reason": "why"} for item, outcome in outcomes.items()}
    path.write_text(json.dumps({"modules": {"all": {"tests": tests}}}))
    return path


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(ratchet, "HERE", tmp_path)
    item_lists.write(tmp_path / "baseline" / "core.txt", ITEMS, "baseline")
    start = "<!-- table: python ratchet.py table -->\n<!-- end of table -->"
    (tmp_path / "README.md").write_text(f"before\n{start}\nafter\n")
    return tmp_path


def update(home, **outcomes_of):
    named = {item: outcomes_of[item.rpartition("test_")[2].partition("[")[0]] for item in ITEMS}
    path = results(home / "results.json", named)
    return ratchet.update(Namespace(suite=["core"], results=path, twice=None))


def test_a_list_reads_as_it_was_written(tmp_path):
    item_lists.write(tmp_path / "list.txt", ITEMS, "some items")
    assert item_lists.read(tmp_path / "list.txt") == {**ITEMS, list(ITEMS)[2]: 0.0}


def test_a_sample_depends_on_the_seed_and_keeps_to_the_time():
    items = {f"dask/tests/test_{i % 7}.py::test_{i}": 1.0 for i in range(200)}
    first, again = ratchet.sample(items, 60, "a"), ratchet.sample(items, 60, "a")
    assert first == again
    assert first != ratchet.sample(items, 60, "b")
    modules = {item.partition("::")[0] for item in first}
    assert 0 < len(first) + ratchet.MODULE * len(modules) <= 60
    assert ratchet.sample(items, 1e9, "a") == items


def test_what_passes_is_added_and_counted(home):
    assert update(home, one="passed", two="xpassed", three="failed") == 0
    assert set(ratchet.listed("core")) == set(list(ITEMS)[:2])
    assert "2 of 3 (66.7%)" in (home / "README.md").read_text()
    assert (home / "README.md").read_text().endswith("after\n")


def test_nothing_leaves_the_list_without_a_reason(home):
    assert update(home, one="passed", two="passed", three="passed") == 0
    assert update(home, one="passed", two="failed", three="passed") == 1
    assert len(ratchet.listed("core")) == 3
    (home / "removed.md").write_text(f"| `{list(ITEMS)[1]}` | it asserts a bug | today |")
    assert update(home, one="passed", two="failed", three="passed") == 0
    assert set(ratchet.listed("core")) == {list(ITEMS)[0], list(ITEMS)[2]}


def test_internals_are_counted_apart(home):
    (home / "internals.md").write_text("| `dask/bytes/tests/test_b.py::*` | private |")
    assert update(home, one="passed", two="failed", three="passed") == 0
    row = next(line for line in (home / "README.md").read_text().splitlines() if "| core" in line)
    assert row.split("|")[3:6] == [" 2 of 3 (66.7%) ", " 1 of 2 (50.0%) ", " 1 of 1 (100.0%) "]


def test_what_cannot_pass_is_counted_apart_until_it_passes(home):
    (home / "apart.md").write_text(f"| `{list(ITEMS)[1]}` | needs an array |")
    assert update(home, one="passed", two="failed", three="failed") == 0
    assert "| 1 of 3 (33.3%) | 1 of 2 (50.0%) | none | 1 |" in (home / "README.md").read_text()
    assert update(home, one="passed", two="passed", three="failed") == 0
    assert "| 2 of 3 (66.7%) | 2 of 3 (66.7%) | none | 0 |" in (home / "README.md").read_text()


def test_the_lists_of_the_project_agree():
    for path in (ROOT / "conformance" / "ratchet").glob("*.txt"):
        base = item_lists.read(ROOT / "conformance" / "baseline" / path.name)
        assert base, f"{path.stem} has a ratchet list and no baseline"
    for suite in ratchet.suites():
        assert item_lists.read(ROOT / "conformance" / "baseline" / f"{suite}.txt")
    patterns = ratchet.named_in("internals.md") + ratchet.named_in("apart.md")
    everything = {
        item
        for suite in ratchet.suites()
        for item in item_lists.read(ROOT / "conformance" / "baseline" / f"{suite}.txt")
    }
    unused = [p for p in patterns if not ratchet.matching(everything, [p])]
    assert not unused, "patterns that match no item"


def test_threads_see_modules_of_the_harness_whole(tmp_path, monkeypatch):
    path = tmp_path / "slow_to_come.py"
    path.write_text("import time\ntime.sleep(0.1)\nlast = 1\n")
    monkeypatch.delitem(sys.modules, "slow_to_come", raising=False)
    with ThreadPoolExecutor(8) as pool:
        loaded = list(pool.map(lambda _: conform_alias.load("slow_to_come", path).last, range(8)))
    assert loaded == [1] * 8
    assert conform_alias.load("slow_to_come", path) is sys.modules.pop("slow_to_come")
