"""The benchmarks run: every topic once, very small, with the command that `make bench` uses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import measure  # noqa: E402
import scheduling  # noqa: E402

# The native topic compiles an example of the Rust crate, whose tests run it.
TOPICS = sorted(set(scheduling.TOPICS) - {"noop"})


@pytest.mark.parametrize("topic", TOPICS)
def test_topic_runs(topic: str):
    facts = measure.trial(str(BENCHMARKS / "scheduling.py"), topic, "samite", 64, limit=60)
    assert "error" not in facts, facts
    assert float(facts["seconds"]) > 0


def test_every_contender_of_a_table_has_its_ratio():
    topic = measure.Topic("sleeping", size=2, quick=1, contenders={}, reference="a")
    for label, seconds in {"a": 0.5, "b": 1.0}.items():
        topic.rows.append(measure.summary(label, 2, [{"seconds": seconds}, {"seconds": 2.0}]))
    measure.add_ratios(topic)
    text = measure.table(topic)
    assert "| a | 2 | 500 ms | 1.25 s | – | 250 ms | 1.00 |  |" in text
    assert "| b | 2 | 1 s | 1.5 s | – | 500 ms | 2.00 |  |" in text


def test_a_row_tells_its_part_of_the_bandwidth():
    topic = measure.Topic(
        "copying", size=1e9, quick=1, contenders={}, traffic=lambda size: (8 * size, 8 * size)
    )
    facts = {"seconds": 2.0, "samples": [3.0, 2.0, 4.0], "processor_seconds": 4.0}
    row = measure.summary("samite", topic.size, [facts])
    assert (row["min"], row["median"], row["processor"]) == (2.0, 3.0, 4.0)
    machine = {"read_gb_s": 1, "copy_gb_s": 16, "read_gb_processor_s": 1, "copy_gb_processor_s": 8}
    assert measure.share(topic, row, machine) == "50% of the bandwidth, 50% by processors"
    topic.traffic = None
    assert measure.share(topic, row, machine) == ""


def test_memory_stays_in_the_budget():
    command = [sys.executable, str(BENCHMARKS / "memory.py"), "--budget", "60", "--block", "2"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    rows = [line for line in found.stdout.splitlines() if line.startswith("{")]
    assert found.returncode == 0, (rows, found.stderr[-2000:])
    assert json.loads(rows[0])["right"]
