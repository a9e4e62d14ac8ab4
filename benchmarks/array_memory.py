#!/usr/bin/env python3
"""Arrays of eight times the memory budget: does the peak stay within it, and what does it cost?

    python benchmarks/array_memory.py                    everything
    python benchmarks/array_memory.py --small            64 MiB in place of 1 GiB
    python benchmarks/array_memory.py transpose zarr --source random

Each computation is a process of its own, with `memory_limit` at the budget. Its input is drawn at
random while it runs, or lies in a file that is mapped. Reported are the most memory that was
resident beyond the start, against the budget plus 15 %; how much of it was the process's own, which
leaves out mapped pages of the file that the system can take back at any time; the most bytes that
lay in the spill folder; and the time, also as a multiple of the time by GiB of the same computation
over half a budget, where nothing is spilled. Dask runs beside it without a budget, with a limit of
time, and of memory so that it does not take the machine down. NumPy's linear algebra has one thread
in all of them, as Dask's documentation advises.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from array_workloads import Discard
from arrays import ONE_THREAD, Library
from measure import machine, memory, timed_with_peak

SLACK = 1.15
GIB = 2**30
COLUMNS = 64


class Limited(Library):
    """A library that computes within a budget, where it can."""

    def __init__(self, package: str, budget: int):
        super().__init__(package)
        self.options = {"memory_limit": budget} if package == "samite" else {}

    def compute(self, *lazy: object) -> tuple:
        return self.package.compute(*lazy, scheduler="threads", **self.options)


# ---- computations --------------------------------------------------------------------------------

# Each takes a library, an input that is a square or, for `svd`, tall, and an empty folder.
Computation = Callable[[Library, Any, Path], list[float]]


def transpose(library: Library, x: Any, folder: Path) -> list[float]:
    (found,) = library.compute((x + x.T).mean(axis=0))
    return [float(np.mean(found)), float(np.std(found) < 0.1)]


def rechunk(library: Library, x: Any, folder: Path) -> list[float]:
    """Tiles to whole columns, then to whole rows, whose blocks are all made."""
    width = max(1, x.chunks[0][0] * x.chunks[1][0] // x.shape[0])
    rows = x.rechunk((x.shape[0], width)).rechunk((width, x.shape[1]))
    target = Reading(rows.shape)
    library.compute(library.array.store(rows, target, lock=False, compute=False))
    return target.answer()


class Reading(Discard):
    """Reads all of a block, as a file would: a block can be a view of what was mapped."""

    def __setitem__(self, where: tuple[slice, ...], block: np.ndarray) -> None:
        super().__setitem__(where, block)
        block.max()


def svd(library: Library, x: Any, folder: Path) -> list[float]:
    """The left vectors, as large as the input, wait for the small decomposition in the middle."""
    left, values, right = library.array.linalg.svd(x)
    sizes, found, _ = library.compute((left * left).sum(), values, right)
    # The first value holds the mean of the input, the others about its deviation.
    return [float(sizes), float(found[0]) / len(x) ** 0.5, float(found[-1]) / len(x) ** 0.5]


def to_zarr(library: Library, x: Any, folder: Path) -> list[float]:
    import zarr

    place = str(folder / "out.zarr")
    library.compute(library.array.to_zarr(x + 1, place, compute=False))
    written = zarr.open_array(place, mode="r")
    middle = len(x) // 2
    return [float(np.mean(written[middle : middle + 8])), float(written.shape == x.shape)]


COMPUTATIONS: dict[str, Computation] = {
    "transpose": transpose,
    "rechunk": rechunk,
    "svd": svd,
    "zarr": to_zarr,
}


# ---- inputs --------------------------------------------------------------------------------------


def shape_of(name: str, size: int) -> tuple[int, int]:
    """The shape of an input of about `size` bytes."""
    values = size // 8
    if name == "svd":
        return values // COLUMNS, COLUMNS
    return math.isqrt(values), math.isqrt(values)


def chunks_of(name: str, budget: int) -> tuple[int, int]:
    """Chunks of a thirty-second part of the budget."""
    return shape_of(name, budget // 32)


def write_input(path: Path, size: int) -> None:
    """Random doubles in [0, 1), which is what the other source draws, too."""
    generator = np.random.default_rng(0)
    step = 4 * 2**20
    with path.open("wb") as file:
        for begin in range(0, size // 8, step):
            generator.random(min(step, size // 8 - begin)).tofile(file)


def input_of(library: Library, name: str, source: str, size: int, budget: int) -> Any:
    shape, chunks = shape_of(name, size), chunks_of(name, budget)
    if source == "random":
        return library.array.random.default_rng(0).random(shape, chunks=chunks)
    mapped = np.memmap(source, dtype=float, mode="r", shape=shape)
    return library.array.from_array(mapped, chunks=chunks)


# ---- one run -------------------------------------------------------------------------------------


class Watch(threading.Thread):
    """Sees the most memory of the process's own, and the most bytes below a folder."""

    def __init__(self, folder: Path):
        super().__init__(daemon=True)
        self.folder, self.ended = folder, threading.Event()
        self.own = self.spilled = 0

    def run(self) -> None:
        while not self.ended.wait(0.02):
            self.own = max(self.own, memory("RssAnon"))
            self.spilled = max(self.spilled, bytes_below(self.folder))


def bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # removed since it was listed
            continue
    return total


def trial(package: str, name: str, source: str, size: int, budget: int, most: int) -> dict:
    """One run in this process."""
    library = Limited(package, budget)
    computation = COMPUTATIONS[name]
    with tempfile.TemporaryDirectory(prefix="array-memory-") as place:
        folders = [Path(place) / part for part in ("spill", "out", "warm")]
        for folder in folders:
            folder.mkdir()
        spill, out, warm = folders
        found: list[list[float]] = []
        with library.package.config.set({"temporary-directory": str(spill)}):
            # A first small run pays for imports and threads.
            small = input_of(library, name, "random", 4 * 2**20, 32 * 2**20)
            computation(library, small, warm)
            if most:
                resource.setrlimit(resource.RLIMIT_DATA, (most, resource.RLIM_INFINITY))
            watch = Watch(spill)
            before = memory("RssAnon")
            watch.start()

            def once() -> None:
                # Dask copies a mapped file when it makes the array, which belongs to the cost.
                x = input_of(library, name, source, size, budget)
                found.append(computation(library, x, out))

            facts = timed_with_peak(once)
            watch.ended.set()
            watch.join()
        return {
            **facts,
            "own_mb": round((watch.own - before) / 1e6),
            "spilled_mb": round(watch.spilled / 1e6),
            "left_over_bytes": bytes_below(spill),
            "answer": found[0],
        }


def started(options: list[object], limit: float) -> dict:
    command = [sys.executable, __file__, "--trial", *map(str, options)]
    began = time.perf_counter()
    try:
        found = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
            env={**os.environ, **ONE_THREAD},
        )
    except subprocess.TimeoutExpired:
        return {"error": f"did not end in {limit:.0f} s"}
    if found.returncode:
        lines = found.stderr.strip().splitlines() or [f"ended with {found.returncode}"]
        return {"error": f"{lines[-1][:200]}, after {time.perf_counter() - began:.0f} s"}
    return json.loads(found.stdout.strip().splitlines()[-1])


# ---- side by side --------------------------------------------------------------------------------


def compare(name: str, source: str, size: int, budget: int, args: argparse.Namespace) -> list[dict]:
    """Samite over half a budget, then Samite and Dask over all of the input."""
    half = budget // 2
    rows = [
        {"contender": "samite, in memory", "size": half}
        | started(["samite", name, source, half, budget, 0], args.limit),
        {"contender": "samite", "size": size}
        | started(["samite", name, source, size, budget, 0], args.limit),
    ]
    if not args.no_dask:
        most = round(0.75 * available_memory())
        found = started(["dask", name, source, size, budget, most], args.limit)
        rows.append({"contender": "dask", "size": size} | found)
    return rows


def available_memory() -> int:
    """What the system can give to programs, with the cache of files that it would give up."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def kept(row: dict, budget: int, part: str) -> bool:
    return "error" not in row and row[part] * 1e6 <= SLACK * budget


def verdict(rows: list[dict], budget: int, tolerance: float) -> tuple[bool, str]:
    """Whether all is as it should be, and a sentence that says so."""
    memory_run, ours = rows[:2]
    failed = [f"{row['contender']}: {row['error']}" for row in rows[:2] if "error" in row]
    if failed:
        return False, f"NOT kept ({'; '.join(failed)})"
    most = f"the budget plus 15 % ({SLACK * budget / 1e6:.0f} MB)"
    if kept(ours, budget, "peak_mb"):
        good, text = True, f"kept: {ours['peak_mb']} MB of {most}"
    elif kept(ours, budget, "own_mb"):
        good = True
        text = (
            f"kept apart from mapped pages of the file: {ours['own_mb']} MB of {most}, "
            f"{ours['peak_mb']} MB with them"
        )
    else:
        good, text = False, f"NOT kept: {ours['peak_mb']} MB, not {most}"
    by_gib = [row["seconds"] / row["size"] for row in (ours, memory_run)]
    text += f"; {by_gib[0] / by_gib[1]:.2f} times the time by GiB of the run in memory"
    if ours["left_over_bytes"]:
        good, text = False, text + f"; {ours['left_over_bytes']} bytes left in the spill folder"
    peers = [row for row in rows[2:] if "error" not in row]
    for row in peers:
        if not np.allclose(row["answer"], ours["answer"], rtol=tolerance):
            good = False
            text += f"; RESULTS DIFFER: {ours['answer']}, {row['contender']} {row['answer']}"
    for row in peers:
        text += f"; Dask takes {row['seconds'] / ours['seconds']:.2f} times as long"
    return good, text


def table(rows: list[dict]) -> str:
    lines = [
        "| contender | input | seconds | peak MB | own MB | spilled MB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        head = f"| {row['contender']} | {row['size'] / GIB:.3g} GiB |"
        if "error" in row:
            lines.append(f"{head} {row['error']} | – | – | – |")
        else:
            parts = (f"{row['seconds']:.2f}", row["peak_mb"], row["own_mb"], row["spilled_mb"])
            lines.append(f"{head} {' | '.join(map(str, parts))} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "topics", nargs="*", help=f"of {', '.join(COMPUTATIONS)}; all of them by default"
    )
    parser.add_argument("--budget", type=float, default=1, help="memory_limit in GiB")
    parser.add_argument("--times", type=float, default=8, help="the input, in budgets")
    parser.add_argument("--source", choices=("file", "random"), help="both by default")
    parser.add_argument(
        "--quick", "--small", action="store_true", help="a budget of 64 MiB, for a check"
    )
    parser.add_argument("--limit", type=float, default=900, help="seconds for one run")
    parser.add_argument("--no-dask", action="store_true", help="Samite alone")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--trial", nargs=6, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.trial:
        package, name, source, *numbers = args.trial
        print(json.dumps(trial(package, name, source, *map(int, numbers))))
        return 0
    unknown = set(args.topics) - set(COMPUTATIONS)
    if unknown:
        parser.error(f"no such topic: {', '.join(sorted(unknown))}")
    budget = round((1 / 16 if args.quick else args.budget) * GIB)
    size = round(budget * args.times)
    facts = machine()
    print(" · ".join(f"{key} {value}" for key, value in facts.items()), flush=True)
    all_good, report = True, {}
    with tempfile.TemporaryDirectory(prefix="array-memory-input-") as folder:
        file = Path(folder) / "input.bin"
        for kind in [args.source] if args.source else ["file", "random"]:
            if kind == "file":
                write_input(file, size)
            for name in args.topics or COMPUTATIONS:
                source = str(file) if kind == "file" else kind
                rows = compare(name, source, size, budget, args)
                # The libraries draw other numbers.
                good, text = verdict(rows, budget, 2e-2 if kind == "random" else 1e-7)
                all_good = all_good and good
                report[f"{name}, {kind}"] = {"kept": good, "rows": rows}
                print(f"\n### {name}, input from {kind}\n\n{table(rows)}\n\n{text}.", flush=True)
            file.unlink(missing_ok=True)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(
            json.dumps({"machine": facts, "budget": budget, "topics": report}, indent=1)
        )
    return 0 if all_good else 1


if __name__ == "__main__":
    sys.exit(main())
