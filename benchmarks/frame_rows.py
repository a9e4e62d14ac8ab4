#!/usr/bin/env python3
"""Does a shuffle or a merge of many partitions keep every row, and how long does it take?

    python benchmarks/frame_rows.py                       10^6 rows in 1,000 partitions
    python benchmarks/frame_rows.py --rows 10000000
    python benchmarks/frame_rows.py --library dask        the same with Dask
    python benchmarks/frame_rows.py --cluster             on a cluster of two worker processes

The keys are skewed (every second row has the same one) and a tenth of them are missing. Rows are
counted, and each has a number of its own, so that a row that is lost and one that is there twice
cannot make up for each other. An error in the count ends the program with status 1.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from typing import Any

import numpy as np
import pandas as pd


def table(rows: int) -> pd.DataFrame:
    """Rows with skewed and missing keys, numbered."""
    generator = np.random.default_rng(0)
    key = generator.integers(0, max(rows // 100, 1), rows).astype(float)
    key[::2] = 7
    key[::10] = np.nan
    return pd.DataFrame({"key": key, "number": np.arange(rows), "value": generator.random(rows)})


def count(part: pd.DataFrame) -> pd.DataFrame:
    """The number of rows of a partition, the sum of their numbers, and the missing keys."""
    return pd.DataFrame(
        {
            "rows": [len(part)],
            "numbers": [int(part.number.sum())],
            "missing": [int(part.key.isna().sum())],
        }
    )


def check(name: str, frame: Any, expected: pd.DataFrame) -> bool:
    """Compute counts of ``frame``, print them, and tell whether they are those of ``expected``."""
    start = time.perf_counter()
    found = frame.map_partitions(count, meta=count(expected.iloc[:0])).compute().sum()
    seconds = time.perf_counter() - start
    wanted = count(expected).sum()
    good = bool((found == wanted).all())
    verdict = "all rows" if good else f"WRONG: {found.to_dict()} for {wanted.to_dict()}"
    print(f"{name:34} {frame.npartitions:5} partitions {seconds:8.2f} s  {verdict}", flush=True)
    return good


def check_groups(name: str, groups: Any, rows: pd.DataFrame) -> bool:
    """Compute the counts and sums of all keys, and tell whether they are those of pandas."""
    start = time.perf_counter()
    found = groups.compute().sort_index()
    seconds = time.perf_counter() - start
    wanted = rows.groupby("key", dropna=False).number.agg(["count", "sum"]).sort_index()
    good = bool(found.equals(wanted[list(found.columns)]))
    verdict = "all groups" if good else f"WRONG: {len(found)} groups for {len(wanted)}"
    print(f"{name:34} {groups.npartitions:5} partitions {seconds:8.2f} s  {verdict}", flush=True)
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=1000)
    parser.add_argument("--library", choices=["samite", "dask"], default="samite")
    parser.add_argument("--cluster", action="store_true", help="two worker processes")
    given = parser.parse_args()
    if given.cluster:
        module = "samite.distributed" if given.library == "samite" else "distributed"
        distributed = importlib.import_module(module)
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1) as cluster:
            with distributed.Client(cluster):
                return run(given)
    return run(given)


def run(given: argparse.Namespace) -> int:
    """All checks; 1 if one of them has failed."""
    if given.library == "samite":
        import samite.dataframe as dd
    else:
        import dask.dataframe as dd
    rows = table(given.rows)
    frame = dd.from_pandas(rows, npartitions=given.partitions, sort=False)
    small = pd.DataFrame({"key": np.arange(0.0, 50.0), "other": np.arange(50)})
    right = dd.from_pandas(small, npartitions=3)
    numbered = rows.assign(order=rows.number)
    good = [
        check(
            f"shuffle ({given.library})",
            frame.shuffle("key", shuffle_method="p2p" if given.cluster else "tasks"),
            rows,
        ),
        check(
            f"shuffle by files ({given.library})",
            frame.shuffle("key", shuffle_method="disk"),
            rows,
        ),
        check(
            f"left merge, shuffled ({given.library})",
            frame.merge(right, on="key", how="left", broadcast=False, shuffle_method="tasks"),
            rows,
        ),
        check_groups(
            f"groups in 50 partitions ({given.library})",
            frame.groupby("key", dropna=False).number.agg(["count", "sum"], split_out=50),
            rows,
        ),
        check(
            f"set_index ({given.library})",
            dd.from_pandas(numbered, npartitions=given.partitions, sort=False).set_index(
                "order", npartitions=given.partitions
            ),
            rows,
        ),
        check(f"sort_values ({given.library})", frame.sort_values("value"), rows),
    ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
