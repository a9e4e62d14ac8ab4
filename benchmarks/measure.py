"""Measure contenders side by side: fresh processes, interleaved, with the machine's facts.

A benchmark script declares topics. Each topic has contenders: functions that take a size, do the
work once and return {"seconds": ..., more facts}. `run` starts a process for every repetition of
every contender, in turn, so that a disturbance of the machine hits all of them, and none inherits
another's memory, threads or caches. It prints a table with minimum and median, and writes
everything as JSON.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib.metadata
import importlib.util
import json
import math
import mmap
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

Facts = dict[str, object]


@dataclass
class Contender:
    """One way to do a topic's work; `size` and `quick` replace the topic's where it is slow."""

    work: Callable[[int], Facts]
    size: int | None = None
    quick: int | None = None
    needs: tuple[str, ...] = ()
    repeat: int | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def missing(self) -> list[str]:
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


@dataclass
class Topic:
    """One comparison. Ratios are per task against `reference`, in the same run."""

    title: str
    size: int
    quick: int
    contenders: dict[str, Contender]
    reference: str = "samite"
    unit: str = "task"
    # A goal to compare with: (contender, at least this many times the reference's time a task).
    goal: tuple[str, float] | None = None
    # Facts of the reference that have a highest value, such as bytes a task, at the full size.
    limits: dict[str, float] = field(default_factory=dict)
    # The bytes of memory that the work of a size has to read and to write at the least.
    traffic: Callable[[int], tuple[float, float]] | None = None
    # How far, relatively, the facts named "answer" of contenders of one size may be apart.
    tolerance: float = 1e-9
    rows: list[dict] = field(default_factory=list)


def timed(work: Callable[[], object]) -> Facts:
    """Wall-clock seconds of one call."""
    began = time.perf_counter()
    work()
    return {"seconds": time.perf_counter() - began}


def memory(name: str) -> int:
    """VmRSS (now) or VmHWM (the most so far) of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"/proc/self/status has no {name}")


def start_of_peak() -> None:
    """Lets the kernel's mark of the most memory so far start anew from what is resident now."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")


def timed_with_peak(work: Callable[[], object]) -> Facts:
    """Wall-clock seconds of one call, and how far resident memory rose in it."""
    start_of_peak()
    before = memory("VmRSS")
    facts = timed(work)
    return {**facts, "peak_mb": round((memory("VmHWM") - before) / 1e6)}


# A call that takes longer than this is not made again in its process.
LONG = 2.0


def timed_warm(work: Callable[[], object], calls: int = 5) -> Facts:
    """Seconds of several calls after a first one, by the clock and of processors.

    The first call tells the memory that it takes, and pays for threads, caches and page tables, for
    every contender alike; it counts only where calls are long. `processor_seconds` are those of
    all threads together: other programs of the machine disturb them less than the clock's.
    """
    first = processor_seconds()
    facts = timed_with_peak(work)
    used = [processor_seconds() - first]
    seconds = [float(facts["seconds"])]  # type: ignore[arg-type]
    if seconds[0] < LONG:
        seconds, used = [], []
        for _ in range(calls):
            gc.collect()
            began = processor_seconds()
            seconds.append(float(timed(work)["seconds"]))  # type: ignore[arg-type]
            used.append(processor_seconds() - began)
    return {
        **facts,
        "seconds": min(seconds),
        "samples": seconds,
        "processor_seconds": round(min(used), 4),
    }


def processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def bandwidth(megabytes: int = 256, repeat: int = 12) -> Facts:
    """What the machine's memory gives, in GB/s by the clock to all processors together and in a
    second of one processor: reading (the C library's memcmp of equal bytes) and copying (its
    memcpy; bytes read and written both count). Both are written in assembler, and none of the
    contenders takes part.
    """
    library = ctypes.CDLL(None)
    for function in (library.memcmp, library.memcpy):
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    library.memcpy.restype = ctypes.c_void_p
    cores = len(os.sched_getaffinity(0))
    size = megabytes << 20
    # Anonymous maps begin zeroed; writing once makes the pages real.
    maps = [(mmap.mmap(-1, size), mmap.mmap(-1, size)) for _ in range(cores)]
    for pair in maps:
        for one in pair:
            if hasattr(mmap, "MADV_HUGEPAGE"):
                one.madvise(mmap.MADV_HUGEPAGE)
            one.write(bytes(size))
    places = [[ctypes.addressof(ctypes.c_char.from_buffer(one)) for one in pair] for pair in maps]

    def rates(name: str, moved: int, work: Callable[[list[int]], object]) -> Facts:
        """The most bytes that all processors move in a second, and one in a second of its own."""
        least = used = math.inf

        def one(pair: list[int]) -> float:
            began = time.thread_time()
            work(pair)
            return time.thread_time() - began

        with ThreadPoolExecutor(cores) as pool:
            for _ in range(repeat):
                began = time.perf_counter()
                spent = list(pool.map(one, places))
                least = min(least, time.perf_counter() - began)
                used = min(used, *spent)
        return {
            f"{name}_gb_s": round(cores * moved / least / 1e9, 1),
            f"{name}_gb_processor_s": round(moved / used / 1e9, 1),
        }

    return {
        **rates("read", 2 * size, lambda pair: library.memcmp(pair[1], pair[0], size)),
        **rates("copy", 2 * size, lambda pair: library.memcpy(pair[1], pair[0], size)),
    }


def machine() -> Facts:
    """What somebody needs to know to compare figures with their own."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    versions = {}
    for name in ("samite", "dask", "frisky", "ray", "numpy", "xarray"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(pages / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": versions,
        "commit": commit,
        "load_at_start": round(os.getloadavg()[0], 2),
        "date": time.strftime("%Y-%m-%d"),
    }


def trial(
    script: str,
    topic: str,
    contender: str,
    size: int,
    limit: float,
    environment: dict[str, str] | None = None,
) -> Facts:
    """One repetition in a process of its own."""
    command = [sys.executable, script, "--trial", topic, contender, str(size)]
    try:
        found = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
            env={**os.environ, **(environment or {})},
        )
    except subprocess.TimeoutExpired:
        return {"error": f"more than {limit:.0f} s"}
    if found.returncode:
        return {"error": (found.stderr.strip().splitlines() or ["no message"])[-1][:200]}
    return json.loads(found.stdout.strip().splitlines()[-1])


def compare(script: str, name: str, topic: Topic, args: argparse.Namespace) -> None:
    """All repetitions of a topic, the contenders in turn; fills topic.rows."""
    done: dict[str, list[Facts]] = {}
    sizes = {}
    for label, contender in topic.contenders.items():
        if contender.missing():
            print(f"  {label}: left out, {', '.join(contender.missing())} is not installed")
            continue
        full = contender.size or topic.size
        sizes[label] = (contender.quick or min(full, topic.quick)) if args.quick else full
        done[label] = []
    for repetition in range(args.repeat):
        for label, size in sizes.items():
            most = topic.contenders[label].repeat or args.repeat
            failed = any("error" in facts for facts in done[label])
            if repetition < most and not failed:
                environment = topic.contenders[label].environment
                done[label].append(trial(script, name, label, size, args.limit, environment))
    for label, facts in done.items():
        topic.rows.append(summary(label, sizes[label], facts))
    add_ratios(topic)


def add_ratios(topic: Topic) -> None:
    """Compare each row's time a task with the reference's."""
    reference = next((r for r in topic.rows if r["contender"] == topic.reference), None)
    for row in topic.rows:
        if reference and "per_unit" in row and "per_unit" in reference:
            row["ratio"] = row["per_unit"] / reference["per_unit"]


def summary(label: str, size: int, trials: list[Facts]) -> dict:
    row: dict = {"contender": label, "size": size, "trials": trials}
    errors = [facts["error"] for facts in trials if "error" in facts]
    if errors or not trials:
        return {**row, "error": errors[0] if errors else "not run"}
    seconds = [
        float(sample)
        for facts in trials
        for sample in facts.get("samples", [facts["seconds"]])  # type: ignore[attr-defined]
    ]
    used = [facts["processor_seconds"] for facts in trials if "processor_seconds" in facts]
    if used:
        row["processor"] = min(float(one) for one in used)  # type: ignore[arg-type]
    return {
        **row,
        "min": min(seconds),
        "median": statistics.median(seconds),
        "per_unit": min(seconds) / size,
    }


def differing(topic: Topic) -> list[str]:
    """Contenders whose answer is not that of the first one of their size."""
    found: dict[int, list[float]] = {}
    apart = []
    for row in topic.rows:
        for facts in row["trials"]:
            answer = facts.get("answer")
            if answer is None:
                continue
            first = found.setdefault(row["size"], answer)
            if len(answer) != len(first) or not all(map(partial(close, topic), answer, first)):
                apart.append(f"{row['contender']} ({answer}, not {first})")
                break
    return apart


def close(topic: Topic, value: float, expected: float) -> bool:
    return math.isclose(value, expected, rel_tol=topic.tolerance, abs_tol=topic.tolerance)


def short(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def share(topic: Topic, row: dict, machine: Facts) -> str:
    """The part of the memory's bandwidth that a row comes to, by the clock and by processors."""
    if topic.traffic is None or "read_gb_s" not in machine:
        return ""
    read, written = topic.traffic(row["size"])
    kind = "copy" if written else "read"
    by_clock, by_processors = (
        (read + written) / (float(machine[f"{kind}_{unit}"]) * 1e9)  # type: ignore[arg-type]
        for unit in ("gb_s", "gb_processor_s")
    )
    text = f"{by_clock / row['min']:.0%} of the bandwidth"
    if "processor" in row:
        text += f", {by_processors / row['processor']:.0%} by processors"
    return text


def table(topic: Topic, machine: Facts | None = None) -> str:
    """A Markdown table of a topic that has run."""
    lines = [
        f"### {topic.title}",
        "",
        f"| contender | size | min | median | processors | a {topic.unit} "
        f"| times {topic.reference}'s | notes |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for row in topic.rows:
        head = f"| {row['contender']} | {row['size']:,} |"
        if "error" in row:
            lines.append(f"{head} – | – | – | – | – | {row['error']} |")
            continue
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else "–"
        others = {
            key: value
            for key, value in row["trials"][0].items()
            if key not in ("seconds", "answer", "samples", "processor_seconds")
        }
        parts = [f"{key} {shown(value)}" for key, value in others.items()]
        notes = ", ".join(filter(None, [*parts, share(topic, row, machine or {})]))
        used = short(row["processor"]) if "processor" in row else "–"
        if row["size"] != topic.rows[0]["size"]:
            notes = "; ".join(filter(None, ["smaller size, compared a " + topic.unit, notes]))
        lines.append(
            f"{head} {short(row['min'])} | {short(row['median'])} | {used} "
            f"| {short(row['per_unit'])} | {ratio} | {notes} |"
        )
    if topic.goal:
        against, times = topic.goal
        found = next((row.get("ratio") for row in topic.rows if row["contender"] == against), None)
        met = "not measured" if found is None else "met" if found >= times else "not met"
        figure = "" if found is None else f" ({found:.3g})"
        lines += ["", f"Goal: at least {times:g} times less than {against}: {met}{figure}."]
    for name, most in topic.limits.items():
        lines += ["", f"Goal: {name} at most {most:g}: {kept(topic, name, most)}."]
    if apart := differing(topic):
        lines += ["", f"RESULTS DIFFER: {'; '.join(apart)}."]
    return "\n".join(lines)


def kept(topic: Topic, name: str, most: float) -> str:
    """Whether the reference's best repetition stays below a limit."""
    row = next((row for row in topic.rows if row["contender"] == topic.reference), {})
    if "error" in row or row.get("size") != topic.size:
        return "not measured at this size"
    best = min(float(facts[name]) for facts in row["trials"])
    return f"{'met' if best <= most else 'not met'} ({best:.3g})"


def shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def run(script: str, topics: dict[str, Topic], description: str) -> int:
    """The command line of a benchmark script."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("topics", nargs="*", help=f"of {', '.join(topics)}; all by default")
    parser.add_argument(
        "--quick", "--small", action="store_true", help="small sizes: minutes become seconds"
    )
    parser.add_argument(
        "--repeat", type=int, default=5, help="repetitions (slow contenders: fewer)"
    )
    parser.add_argument("--limit", type=float, default=600, help="seconds for one repetition")
    parser.add_argument("--json", type=Path, help="where to write all figures")
    parser.add_argument("--trial", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.trial:
        topic, contender, size = args.trial
        print(json.dumps(topics[topic].contenders[contender].work(int(size))))
        return 0
    unknown = set(args.topics) - set(topics)
    if unknown:
        parser.error(f"no such topic: {', '.join(sorted(unknown))}")
    facts, chosen = machine(), {name: topics[name] for name in args.topics or topics}
    if any(topic.traffic for topic in chosen.values()):
        facts.update(bandwidth())
    print(" · ".join(f"{key} {value}" for key, value in facts.items()), flush=True)
    for name, topic in chosen.items():
        print(flush=True)
        compare(script, name, topic, args)
        print(table(topic, facts), flush=True)
    if args.json:
        report = {
            "machine": facts,
            "quick": args.quick,
            "topics": {name: {"title": t.title, "rows": t.rows} for name, t in chosen.items()},
        }
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(report, indent=1))
    failed = [row for t in chosen.values() for row in t.rows if "error" in row]
    wrong = any(differing(topic) for topic in chosen.values())
    return 1 if wrong or any(row["contender"] == "samite" for row in failed) else 0
