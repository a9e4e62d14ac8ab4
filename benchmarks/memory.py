#!/usr/bin/env python3
"""A computation of five times its memory budget, in an address space of the budget plus 15 %.

    make bench            after scheduling.py
    python benchmarks/memory.py --budget 400 --times 5

Blocks of random bytes are made, summed up, and then each is needed again together with the
total: all of them are alive at once. A process of its own first computes a small graph of the same
shape, then lowers RLIMIT_AS to what it uses plus 115 % of the budget, and computes the large one
with `memory_limit`. It must end with the right answer. Reported are the most memory that was
resident beyond the start, and the most bytes that lay in the spill folder. Dask runs beside it,
unlimited, to show what the graph takes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

from measure import machine, memory

SLACK = 1.15


def make(number: int, size: int) -> bytes:
    """Bytes that no compression makes smaller, the same for the same number."""
    return random.Random(number).randbytes(size)


def check(block: bytes) -> int:
    return zlib.crc32(block)


def total_of(sums: list[int]) -> int:
    return sum(sums)


def again(block: bytes, total: int) -> int:
    return zlib.crc32(block, total & 0xFFFFFFFF)


def program(package: str, blocks: int, size: int) -> object:
    """Every block lives from its making until after the last one is made."""
    module = __import__(package)
    made = [module.delayed(make)(i, size) for i in range(blocks)]
    total = module.delayed(total_of)([module.delayed(check)(block) for block in made])
    return module.delayed(total_of)([module.delayed(again)(block, total) for block in made])


def expected(blocks: int, size: int) -> int:
    total = sum(check(make(i, size)) for i in range(blocks))
    return sum(again(make(i, size), total) for i in range(blocks))


class Watch(threading.Thread):
    """Sees the most bytes that lie below a folder."""

    def __init__(self, folder: str):
        super().__init__(daemon=True)
        self.folder, self.most, self.ended = folder, 0, threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.02):
            self.most = max(self.most, self.now())

    def now(self) -> int:
        total = 0
        for path in Path(self.folder).rglob("*"):
            try:
                total += path.stat().st_size if path.is_file() else 0
            except OSError:  # removed since it was listed
                continue
        return total


def trial(package: str, budget: int, times: float, size: int) -> dict:
    """One run in this process."""
    blocks = max(2, round(budget * times / size))
    module = __import__(package)
    options = {"scheduler": "threads"}
    with tempfile.TemporaryDirectory(prefix="memory-benchmark-") as folder:
        watch = Watch(folder)
        with module.config.set({"temporary-directory": folder}):
            if package == "samite":
                options["memory_limit"] = budget
            module.compute(program(package, 4, 1000), **options)
            watch.start()
            before = memory("VmRSS")
            if package == "samite":
                most = memory("VmSize") + round(SLACK * budget)
                resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
            began = time.perf_counter()
            (found,) = module.compute(program(package, blocks, size), **options)
            seconds = time.perf_counter() - began
            peak = memory("VmHWM") - before
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        watch.ended.set()
        watch.join()
        return {
            "contender": package,
            "seconds": round(seconds, 2),
            "live_mb": round(blocks * size / 1e6),
            "peak_mb": round(peak / 1e6),
            "spilled_mb": round(watch.most / 1e6),
            "left_over_bytes": watch.now(),
            "right": found == expected(blocks, size),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=float, default=200, help="memory_limit in MB")
    parser.add_argument("--times", type=float, default=5, help="live results, in budgets")
    parser.add_argument("--block", type=float, default=4, help="one result in MB")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--trial", help=argparse.SUPPRESS)
    args = parser.parse_args()
    budget, size = round(args.budget * 1e6), round(args.block * 1e6)
    if args.trial:
        print(json.dumps(trial(args.trial, budget, args.times, size)))
        return 0
    print(" · ".join(f"{key} {value}" for key, value in machine().items()))
    rows = []
    for package in ("samite", "dask"):
        command = [sys.executable, __file__, "--trial", package, "--budget", str(args.budget)]
        command += ["--times", str(args.times), "--block", str(args.block)]
        # One arena: address space that malloc reserves for each thread is not memory in use.
        env = dict(os.environ, MALLOC_ARENA_MAX="1")
        found = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
        if found.returncode:
            error = (found.stderr.strip().splitlines() or [f"ended with {found.returncode}"])[-1]
            rows.append({"contender": package, "error": error})
        else:
            rows.append(json.loads(found.stdout.strip().splitlines()[-1]))
        print(json.dumps(rows[-1]), flush=True)
    ours = rows[0]
    good = (
        bool(ours.get("right"))
        and ours["peak_mb"] * 1e6 <= SLACK * budget
        and ours["spilled_mb"] > 0
        and ours["left_over_bytes"] == 0
    )
    verdict = "kept" if good else "NOT kept"
    print(
        f"budget {args.budget:.0f} MB plus 15 %, live results {args.times:g} times that: {verdict}"
    )
    if args.json:
        args.json.write_text(
            json.dumps({"machine": machine(), "kept": good, "rows": rows}, indent=1)
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
