"""Workloads that the public benchmarks of Dask clusters have, at sizes for one machine.

What they compute follows github.com/coiled/benchmarks; the shapes are smaller in one direction, so
that the inputs take 1 to 2 GB, and the chunks are as there where that leaves enough of them. Where
the original throws a large result away, :class:`Discard` does.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


class Discard:
    """A target of `store` that keeps one number: a mean over positions on a coarse grid.

    The positions are the same however the blocks are cut, so that answers can be compared.
    """

    samples = 100_000

    def __init__(self, shape: tuple[int, ...]):
        share = math.prod(shape) / self.samples
        self.stride = max(1, int(share ** (1 / len(shape))))
        self.shape, self.ndim, self.dtype = shape, len(shape), np.dtype(float)
        self.total, self.taken, self.stored, self.lock = 0.0, 0, 0, threading.Lock()

    def __setitem__(self, where: tuple[slice, ...], block: np.ndarray) -> None:
        firsts = (-(part.start or 0) % self.stride for part in where)
        some = np.abs(block[tuple(slice(first, None, self.stride) for first in firsts)])
        with self.lock:
            self.total += float(some.sum())
            self.taken += some.size
            self.stored += block.size

    def answer(self) -> list[float]:
        if self.stored != math.prod(self.shape):
            raise AssertionError(f"{self.stored} values were stored, of shape {self.shape}")
        return [self.total / self.taken]


def sampled_sum(values: np.ndarray) -> float:
    """A sum over about a million values with weights that see their order."""
    flat = values.reshape(-1)
    some = np.abs(flat[:: max(1, flat.size // 1_000_000)])
    return float(np.dot(some, np.linspace(1, 2, len(some))) / max(1, len(some)))


@dataclass
class Workload:
    """`prepare` takes a library and the number of values of all inputs together."""

    title: str
    size: int
    prepare: Callable[[Any, int], Callable[[], object]]
    quick: int = 1_000_000
    # Random inputs are drawn from other streams, so that answers are compared roughly.
    tolerance: float = 3e-2


def random(library: Any, shape: tuple[int, ...], chunks: object, seed: int = 0) -> Any:
    return library.array.random.default_rng(seed).random(shape, chunks=chunks)


def discarded(library: Any, result: Any) -> list[float]:
    target = Discard(result.shape)
    library.compute(library.array.store(result, target, lock=False, compute=False))
    return target.answer()


def vorticity(library: Any, n: int) -> Callable[[], object]:
    """Fields in one chunk a time step, padded by one row, which goes into the chunk again."""
    da = library.array
    steps = 20
    side = max(8, math.isqrt(n // 2 // steps))

    def padded(field: Any) -> Any:
        return da.pad(field, [(0, 1), (0, 0), (0, 0)], mode="wrap").rechunk({0: side + 1})

    def once() -> object:
        u, v = (random(library, (side, side, steps), (side, side, 1), seed) for seed in (1, 2))
        dx, dy = (random(library, (side + 1, side), (side + 1, side), seed) for seed in (3, 4))
        return discarded(library, dx[..., None] * padded(u) - dy[..., None] * padded(v))

    return once


def double_diff(library: Any, n: int) -> Callable[[], object]:
    """Two squares whose chunks meet one off."""
    side = max(8, math.isqrt(n // 2))
    chunk = min(1619, -(-side // 4))

    def once() -> object:
        a, b = (random(library, (side, side), chunk, seed) for seed in (1, 2))
        return discarded(library, a[1:, 1:] - b[:-1, :-1])

    return once


def dot_product(library: Any, n: int) -> Callable[[], object]:
    side = max(8, math.isqrt(n))
    chunk = min(1500, -(-side // 4))

    def once() -> object:
        a = random(library, (side, side), chunk)
        return library.compute((a @ a.T).sum().round(3))

    return once


def map_overlap_sample(library: Any, n: int) -> Callable[[], object]:
    """A small piece of a large array with overlapping chunks: the rest should cost nothing."""
    side = max(20, math.isqrt(n))
    middle = slice(side // 2, side // 2 + 10)

    def whole() -> Any:
        return random(library, (side, side), min(50, side // 2))

    (expected,) = library.compute(whole()[middle, middle])

    def once() -> object:
        y = library.array.map_overlap(
            unchanged, whole(), depth=1, boundary="none", meta=np.empty((0, 0))
        )
        (piece,) = library.compute(y[middle, middle])
        # A hundred random values have no mean to rely on, but they are drawn again the same.
        return [piece.size, np.abs(piece - expected).max()]

    return once


def unchanged(block: np.ndarray) -> np.ndarray:
    return block


def tiles_to_rows(library: Any, n: int) -> Callable[[], object]:
    side = max(8, math.isqrt(n))

    def once() -> object:
        with library.package.config.set({"array.chunk-size": "8 MiB"}):
            a = random(library, (side, side), "auto")
            return library.compute(a.rechunk((-1, "auto")).sum())

    return once


def anomalies(library: Any, n: int) -> Callable[[], object]:
    """What is left of each day without the mean of its like, by xarray."""
    import xarray as xr

    if library.name == "samite":
        # xarray takes these arrays from then on, also where Dask is installed.
        register_with_xarray()
    times = 200
    width = max(2, n // times)

    def once() -> object:
        data = random(library, (times, width), (1, width))
        days = {"day": ("time", np.arange(times) % 20)}
        field = xr.DataArray(data, dims=["time", "x"], coords=days)
        climate = field.groupby("day").mean(dim="time")
        # The mean of the anomalies themselves is zero, which would hide a wrong answer.
        return library.compute(abs(field.groupby("day") - climate).mean(dim="time").data)

    return once


def register_with_xarray() -> None:
    from samite.array.xarray import register

    register()


def quadratic_mean(library: Any, n: int) -> Callable[[], object]:
    """Means over time of the squares and the product of two fields."""
    height, width = 987, 1920
    times = max(2, n // 2 // (height * width))

    def once() -> object:
        shape, chunks = (times, 1, height, width), (1, 1, height, width)
        u, v = (random(library, shape, chunks, seed) for seed in (1, 2))
        return library.compute(*(field.mean(axis=0) for field in (u**2, v**2, u * v)))

    return once


WORKLOADS = {
    "vorticity": Workload(
        "Vorticity: padded fields of 20 steps of 2000 x 2000, stored", 160_000_000, vorticity
    ),
    "double-diff": Workload(
        "Difference of two arrays of 9000 x 9000 whose chunks meet one off, stored",
        162_000_000,
        double_diff,
    ),
    "dot-product": Workload("(a @ a.T).sum() of 6000 x 6000", 36_000_000, dot_product),
    "map-overlap-sample": Workload(
        "100 values of map_overlap over 40,000 chunks of 50 x 50",
        100_000_000,
        map_overlap_sample,
    ),
    "tiles-to-rows": Workload(
        "Sum of tiles rechunked to whole columns, 12000 x 12000", 144_000_000, tiles_to_rows
    ),
    "anom-mean": Workload(
        "Anomalies by groups of xarray, 200 steps of 650,000", 130_000_000, anomalies
    ),
    "quadratic-mean": Workload(
        "Means of u*u, v*v and u*v, 40 steps of 987 x 1920", 151_600_000, quadratic_mean
    ),
}
