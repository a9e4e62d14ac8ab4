#!/usr/bin/env python3
"""Bags side by side: samite.bag, Dask's bags, plain multiprocessing, Polars and DuckDB.

    python benchmarks/bag.py                   everything
    python benchmarks/bag.py json words        some topics
    python benchmarks/bag.py --quick           small sizes

Files are made beforehand, in the folder of --data (the environment's SAMITE_BENCH_DATA, else the
system's temporary folder), and are in the page cache. Each library runs on its default scheduler,
whose start is counted: that is what one call costs in a fresh process.
"""

from __future__ import annotations

import importlib
import json
import operator
import os
import random
import sys
import sysconfig
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure import Contender, Facts, Topic, memory, run, timed

DATA = Path(os.environ.get("SAMITE_BENCH_DATA", tempfile.gettempdir())) / "samite-bench-bag"
CORES = len(os.sched_getaffinity(0))
OLD = 30


# ---- data ----------------------------------------------------------------------------------------


def written(path: Path, make: Any) -> str:
    """The path of a file that is there after this."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        with open(part, "w", encoding="utf-8") as file:
            make(file)
        os.replace(part, path)
    with open(path, "rb") as file:  # into the page cache
        while file.read(1 << 24):
            pass
    return str(path)


def people(lines: int) -> str:
    def make(file: Any) -> None:
        draw = random.Random(1)
        names = [f"{first}{i}" for first in ("ada", "grace", "mary", "hedy") for i in range(500)]
        for i in range(lines):
            record = {
                "id": i,
                "name": draw.choice(names),
                "age": draw.randrange(90),
                "city": draw.choice(["Rome", "Paris", "Köln"]),
                "score": draw.random(),
                "tags": ["a", "b"],
            }
            file.write(json.dumps(record) + "\n")

    return written(DATA / f"people-{lines}.jsonl", make)


def prose(megabytes: int) -> str:
    """What the standard library says, again and again."""

    def make(file: Any) -> None:
        texts = []
        for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
            if "site-packages" not in path.parts and len(texts) < 1500:
                try:
                    texts.append(path.read_text(encoding="utf-8"))
                except UnicodeDecodeError:
                    continue
        size = 0
        while True:
            for text in texts:
                file.write(text.replace("\r", ""))
                size += len(text.encode())
                if size > megabytes * 1_000_000:
                    return

    return written(DATA / f"prose-{megabytes}.txt", make)


def blocks(path: str) -> int:
    """A block size that gives each core some."""
    return max(1 << 20, os.path.getsize(path) // (4 * CORES))


# ---- JSON: parse, filter, pluck, frequencies, the ten most frequent ------------------------------


def best(pairs: Any) -> list[float]:
    """The counts of the most frequent; which of equally frequent ones they are may differ."""
    return [float(count) for _, count in pairs]


def answered(work: Any) -> Facts:
    found: list[Any] = []
    facts = timed(lambda: found.append(work()))
    return {**facts, "answer": found[0]}


def json_expressions(lines: int) -> Facts:
    path = people(lines)
    import samite.bag as db

    def work() -> list[float]:
        bag = db.read_json_lines(path).filter(db.field("age") > OLD)
        return best(bag.pluck("name").frequencies().topk(10, key=1).compute())

    return answered(work)


def json_of(package: str, threshold: list[int] | None = None) -> Any:
    """With lambdas; with a threshold in a list they are none that the engine recognises."""

    def contender(lines: int) -> Facts:
        path = people(lines)
        db = importlib.import_module(f"{package}.bag")
        if threshold is None:
            old = lambda record: record["age"] > 30  # noqa: E731
        else:
            old = lambda record: record["age"] > threshold[0]  # noqa: E731

        def work() -> list[float]:
            bag = db.read_text(path, blocksize=blocks(path)).map(json.loads).filter(old)
            names = bag.map(lambda record: record["name"])
            return best(names.frequencies().topk(10, key=1).compute())

        return answered(work)

    return contender


def spans(path: str) -> list[tuple[str, int, int]]:
    size, step = os.path.getsize(path), blocks(path)
    return [(path, start, min(start + step, size)) for start in range(0, size, step)]


def lines_of(span: tuple[str, int, int]) -> Iterator[bytes]:
    path, start, stop = span
    with open(path, "rb") as file:
        if start:
            file.seek(start - 1)
            file.readline()
        while file.tell() < stop:
            yield file.readline()


def count_names(span: tuple[str, int, int]) -> Counter:
    records = map(json.loads, lines_of(span))
    return Counter(record["name"] for record in records if record["age"] > OLD)


def json_multiprocessing(lines: int) -> Facts:
    path = people(lines)
    from multiprocessing import Pool

    def work() -> list[float]:
        total: Counter = Counter()
        with Pool(CORES) as pool:
            for part in pool.imap_unordered(count_names, spans(path)):
                total.update(part)
        return best(total.most_common(10))

    return answered(work)


def json_polars(lines: int) -> Facts:
    path = people(lines)
    import polars as pl

    def work() -> list[float]:
        found = pl.scan_ndjson(path).filter(pl.col("age") > OLD).group_by("name").len()
        rows = found.sort("len", descending=True).head(10).collect()
        return [float(count) for count in rows["len"]]

    return answered(work)


def json_duckdb(lines: int) -> Facts:
    path = people(lines)
    import duckdb

    query = (
        f"select name, count(*) from read_json('{path}', format = 'newline_delimited') "
        f"where age > {OLD} group by name order by 2 desc limit 10"
    )
    return answered(lambda: best(duckdb.sql(query).fetchall()))


# ---- words ---------------------------------------------------------------------------------------


def words_of(package: str) -> Any:
    def contender(megabytes: int) -> Facts:
        path = prose(megabytes)
        db = importlib.import_module(f"{package}.bag")

        def work() -> list[float]:
            words = db.read_text(path, blocksize=blocks(path)).str.lower().str.split().flatten()
            return best(words.frequencies().topk(20, key=1).compute())

        return answered(work)

    return contender


def count_words(span: tuple[str, int, int]) -> Counter:
    counts: Counter = Counter()
    for line in lines_of(span):
        counts.update(line.decode().lower().split())
    return counts


def words_multiprocessing(megabytes: int) -> Facts:
    path = prose(megabytes)
    from multiprocessing import Pool

    def work() -> list[float]:
        total: Counter = Counter()
        with Pool(CORES) as pool:
            for part in pool.imap_unordered(count_words, spans(path)):
                total.update(part)
        return best(total.most_common(20))

    return answered(work)


# ---- counting lines, at the speed of the page cache ----------------------------------------------


def lines_in(package: str) -> Any:
    def contender(megabytes: int) -> Facts:
        path = prose(megabytes)
        db = importlib.import_module(f"{package}.bag")

        def work() -> list[float]:
            return [float(db.read_text(path, blocksize=blocks(path)).count().compute())]

        facts = answered(work)
        return {**facts, "gb_per_s": os.path.getsize(path) / 1e9 / float(facts["seconds"])}

    return contender


def read_only(megabytes: int) -> Facts:
    path = prose(megabytes)
    buffer = bytearray(1 << 20)

    def work() -> None:
        with open(path, "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    facts = timed(work)
    return {**facts, "gb_per_s": os.path.getsize(path) / 1e9 / float(facts["seconds"])}


# ---- by key --------------------------------------------------------------------------------------


def foldby_of(package: str) -> Any:
    def contender(keys: int) -> Facts:
        db = importlib.import_module(f"{package}.bag")

        def work() -> list[float]:
            bag = db.range(2 * keys, npartitions=4 * CORES)
            found = bag.foldby(lambda x: x % keys, operator.add, 0, operator.add)
            return [float(found.count().compute()), float(found.pluck(1).max().compute())]

        return answered(work)

    return contender


class Peak:
    """The most that this process and its children had resident, beyond what was at first."""

    def __enter__(self) -> Peak:
        self.most = 0
        self.done = threading.Event()
        self.before = memory("VmRSS")
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self) -> None:
        while not self.done.wait(0.05):
            self.most = max(self.most, self.now())

    def now(self) -> int:
        total = 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(folder.name) == os.getpid() or int(fields[1]) == os.getpid():
                    total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
            except (OSError, ValueError):
                continue
        return total

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()


def size_of_group(pair: tuple[Any, list[Any]]) -> int:
    return len(pair[1])


def groupby_of(package: str) -> Any:
    def contender(records: int) -> Facts:
        db = importlib.import_module(f"{package}.bag")
        options = {"memory_limit": 2**30} if package == "samite" else {}

        def work() -> list[float]:
            bag = db.range(records, npartitions=50)
            groups = bag.groupby(lambda x: x % 1000, shuffle="disk")
            sizes = groups.map(size_of_group)
            return [float(sizes.sum().compute(**options))]

        with Peak() as peak:
            facts = answered(work)
        return {**facts, "peak_mb": round((peak.most - peak.before) / 1e6)}

    return contender


MANY = 10_000_000

TOPICS = {
    "json": Topic(
        "JSON lines: parse, filter, pluck, frequencies, topk",
        size=400_000,
        quick=20_000,
        unit="line",
        contenders={
            "samite": Contender(json_expressions),
            "samite, lambdas": Contender(json_of("samite")),
            "samite, any functions": Contender(json_of("samite", [OLD])),
            "dask": Contender(json_of("dask"), repeat=3),
            "multiprocessing": Contender(json_multiprocessing, repeat=3),
            "polars": Contender(json_polars, needs=("polars",)),
            "duckdb": Contender(json_duckdb, needs=("duckdb",)),
        },
        goal=("dask", 20),
    ),
    "words": Topic(
        "Word count, by megabytes of text",
        size=500,
        quick=50,
        unit="megabyte",
        contenders={
            "samite": Contender(words_of("samite"), repeat=3),
            "dask": Contender(words_of("dask"), repeat=1),
            "multiprocessing": Contender(words_multiprocessing, repeat=1),
        },
        goal=("dask", 10),
    ),
    "lines": Topic(
        "Counting the lines of a text, by megabytes",
        size=500,
        quick=10,
        unit="megabyte",
        contenders={
            "samite": Contender(lines_in("samite")),
            "dask": Contender(lines_in("dask"), repeat=2),
            "read alone, one thread": Contender(read_only),
        },
    ),
    "foldby": Topic(
        "foldby, by keys",
        size=1_000_000,
        quick=20_000,
        unit="key",
        contenders={
            "samite": Contender(foldby_of("samite"), repeat=3),
            "dask": Contender(foldby_of("dask"), repeat=2),
        },
    ),
    "groupby": Topic(
        "groupby through files, memory_limit of 1 GiB, by records",
        size=MANY,
        quick=100_000,
        unit="record",
        contenders={
            "samite": Contender(groupby_of("samite"), repeat=2),
            "dask": Contender(groupby_of("dask"), repeat=1),
        },
        limits={"peak_mb": 2**30 * 1.15 / 1e6},
    ),
}

if __name__ == "__main__":
    sys.exit(run(__file__, TOPICS, str(__doc__).splitlines()[0]))
