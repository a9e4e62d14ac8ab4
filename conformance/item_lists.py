"""Lists of test items: `baseline/<suite>.txt` and `ratchet/<suite>.txt`.

A list names each test file once, and below it, indented, the items of that file. An item that
takes a second or more carries its time after a tab:

    dask/tests/test_threaded.py
      test_get
      test_interrupt	2.1
"""

from __future__ import annotations

import json
from pathlib import Path


def read(path) -> dict[str, float]:
    """Items of a list, or those that passed in a --json file, with their known seconds."""
    path = Path(path)
    if path.suffix == ".json":
        return passed(path)
    items, module = {}, None
    for text in path.read_text().splitlines() if path.exists() else []:
        if not text.strip() or text.startswith("#"):
            continue
        if not text.startswith(" "):
            module = text.strip()
            continue
        name, _, seconds = text[2:].partition("\t")
        items[f"{module}::{name}"] = float(seconds or 0)
    return items


def write(path, items, heading) -> None:
    """Write items, a mapping from item to seconds, sorted, below a one-line heading."""
    lines, module = [f"# {heading}"], None
    for item in sorted(items):
        home, _, name = item.partition("::")
        if home != module:
            module = home
            lines.append(module)
        slow = f"\t{items[item]:.0f}" if items[item] >= 1 else ""
        lines.append(f"  {name}{slow}")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("\n".join(lines) + "\n")


def outcomes(path) -> dict[str, dict]:
    """Every item of a --json file, or of a folder of them, with its outcome, reason and seconds."""
    path = Path(path)
    found = {}
    for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
        for module in json.loads(file.read_text())["modules"].values():
            found.update(module["tests"])
    return found


def passed(path) -> dict[str, float]:
    """The items of a --json file that passed, with their seconds."""
    return {
        item: test.get("seconds", 0.0)
        for item, test in outcomes(path).items()
        if test["outcome"] in ("passed", "xpassed")
    }
