"""What ARCHITECTURE.md claims, compared with the manifests, the files and a fresh interpreter."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text()

# A file has one subject and about 800 lines; past this it does not pass any more.
MANY_LINES, TOO_MANY_LINES = 800, 1000
# What `import samite` must leave alone, and how long it may take. The budget is 50 ms on a quiet
# machine. Processor time is measured, which other programs disturb less; a slow machine gets four
# times as much.
HEAVY = {
    *("numpy", "pandas", "pyarrow", "yaml", "rich", "bokeh", "jinja2", "psutil", "xarray"),
    *("dask", "distributed", "asyncio", "multiprocessing.pool"),
}
IMPORT_BUDGET_MS = 4 * 50


def workspace() -> dict[str, set[str]]:
    """Each crate's folder name, with the crates of the workspace that its manifest names."""
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    packages = json.loads(found.stdout)["packages"]
    folders = {p["name"]: Path(p["manifest_path"]).parent.name for p in packages}
    return {
        folders[p["name"]]: {
            folders[d["name"]]
            for d in p["dependencies"]
            if d["name"] in folders and d["kind"] != "dev" and d["name"] != p["name"]
        }
        for p in packages
    }


def arrows() -> dict[str, set[str]]:
    """The arrows that ARCHITECTURE.md lists."""
    (block,) = re.findall(r"```arrows\n(.*?)```", PAGE, re.DOTALL)
    listed = (line.split("->") for line in block.strip().splitlines())
    return {crate.strip(): set(re.findall(r"\w+", targets)) for crate, targets in listed}


def test_arrows_between_crates_are_those_listed():
    assert workspace() == arrows()


def test_no_arrow_points_back():
    remaining = arrows()
    while remaining:
        free = {crate for crate, targets in remaining.items() if not targets & set(remaining)}
        assert free, f"a cycle among {sorted(remaining)}"
        remaining = {crate: targets for crate, targets in remaining.items() if crate not in free}


@pytest.mark.parametrize("crate", sorted(workspace()))
def test_every_crate_has_a_paragraph_and_an_invariant(crate):
    section = re.search(rf"^### {crate}\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert section, f"ARCHITECTURE.md has no section about {crate}"
    assert "\nInvariant: " in section.group(1)


def test_only_the_python_crate_knows_python():
    for crate in workspace():
        manifest = (ROOT / "crates" / crate / "Cargo.toml").read_text()
        assert ("pyo3" in manifest) == (crate == "python"), crate


def test_runtime_and_scheduling_have_no_async():
    for crate in ("graph", "scheduling", "runtime"):
        manifest = (ROOT / "crates" / crate / "Cargo.toml").read_text()
        assert not re.search(r"^(tokio|async-std|futures|smol)\b", manifest, re.MULTILINE), crate


def source_files() -> list[Path]:
    folders = [*(ROOT / "crates").glob("*/src"), ROOT / "python/samite", ROOT / "conformance"]
    folders += [ROOT / "benchmarks", ROOT / "examples"]
    return [
        path for folder in folders for path in folder.rglob("*") if path.suffix in {".py", ".rs"}
    ]


def test_files_are_short():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in source_files()
    }
    assert len(lengths) > 20
    long = {name: lines for name, lines in sorted(lengths.items()) if lines > MANY_LINES}
    if long:
        warnings.warn(f"files of more than {MANY_LINES} lines: {long}", stacklevel=1)
    assert not {name: lines for name, lines in long.items() if lines > TOO_MANY_LINES}


def in_fresh_python(code: str) -> str:
    # Without cached bytecode the compiler would be measured.
    env = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["HOME"] = os.devnull  # a settings file of the user's would be read, and with it YAML
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout


def test_modules_of_tests_have_names_of_their_own():
    # pytest imports them by these names, from several folders into one process.
    names = [path.name for path in (ROOT / "python" / "tests").rglob("*.py")]
    twice = {name for name in names if name.startswith("test_") and names.count(name) > 1}
    assert not twice


def test_import_is_light():
    loaded = json.loads(
        in_fresh_python("import json, sys, samite; print(json.dumps(sorted(sys.modules)))")
    )
    assert not HEAVY & set(loaded)


def test_data_frames_import_readers_and_writers_when_they_are_asked_for():
    code = "import json, sys, samite.dataframe; print(json.dumps(sorted(sys.modules)))"
    found = set(json.loads(in_fresh_python(code)))
    late = ("io.csv", "io.sql", "io.parquet", "io.json", "io.hdf", "_native", "joins", "packing")
    assert "samite.dataframe.collections" in found
    assert not found & {f"samite.dataframe.{name}" for name in late}
    assert not found & {"asyncio", "fsspec", "yaml", "pyarrow.dataset", "pyarrow.parquet"}


def test_import_is_quick():
    code = "import time; t = time.process_time(); import samite; print(time.process_time() - t)"
    best = min(float(in_fresh_python(code)) for _ in range(5)) * 1e3
    assert best <= IMPORT_BUDGET_MS, f"import samite took {best:.0f} ms of processor time"
