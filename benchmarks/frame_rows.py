#!/usr/bin/env python3
"""Does a shuffle or a merge of many partitions keep every row, and how long does it take?

    python benchmarks/frame_rows.py                       10^6 rows in 1,000 partitions
    python benchmarks/frame_rows.py --rows 10000000
    python benchmarks/frame_rows.py --library dask        the same with Dask

The keys are skewed (every second row has the same one) and a tenth of them are missing. Rows are
counted, and each has a number of its own, so that a row that is lost and one that is there twice
cannot make up for each other. An error in the count ends the program with status 1.
"""

from __future__ import annotations

import argparse
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=1000)
    parser.add_argument("--library", choices=["samite", "dask"], default="samite")
    given = parser.parse_args()
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
            f"shuffle by tasks ({given.library})",
            frame.shuffle("key", shuffle_method="tasks"),
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
