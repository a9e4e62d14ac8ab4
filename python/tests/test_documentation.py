"""The Python blocks of README.md and docs/ run; what they link to and what they name exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ALL_PAGES = [*PAGES, *(ROOT / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md"))]
ALL_PAGES.append(ROOT / "conformance" / "README.md")

# A block has a namespace of its own, so that every example can be copied as it stands. It runs in a
# process of its own, in which it is the main module, as it would be in a notebook.
RUN = "import sys; exec(compile(open(sys.argv[1]).read(), sys.argv[1], 'exec'), globals())"


def blocks() -> list:
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in re.finditer(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            name = f"{page.relative_to(ROOT)}:{line}"
            found.append(pytest.param(match.group(1), line, id=name))
    return found


@pytest.mark.parametrize("code, line", blocks())
def test_block_runs(code: str, line: int, tmp_path: Path):
    script = tmp_path / "block.py"
    script.write_text("\n" * line + code)
    command = [sys.executable, "-c", RUN, str(script)]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr[-3000:]


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_make_targets_exist(page: Path):
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^ {4}|`)make ([a-z][a-z-]*)", page.read_text(), re.MULTILINE))
    assert named <= targets


def test_the_tour_runs_and_writes_what_it_names(tmp_path: Path):
    tour = ROOT / "examples" / "tour.py"
    command = [sys.executable, str(tour), "--folder", str(tmp_path / "tour"), "--blocks", "6"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110)
    assert found.returncode == 0, found.stderr[-3000:]
    named = re.findall(r"^  (\S+/tour/\S+)  ", found.stdout, re.MULTILINE)
    kinds = ["", ".csv", ".html", ".html", ".jsonl", ".png", ".png", ".png", ".svg"]
    assert sorted(Path(name).suffix for name in named) == kinds
    assert all(Path(name).stat().st_size > 1000 for name in named)
    assert "same answer: True" in found.stdout
    assert re.search(r"after 3 answers, worker process \d+ was killed", found.stdout)
