#!/usr/bin/env python3
"""What arrays cost: samite.array beside dask.array on threads, NumPy and numexpr.

    python benchmarks/arrays.py                      everything
    python benchmarks/arrays.py --small fused std    small sizes, two topics
    python benchmarks/arrays.py --json results.json

Every repetition runs in a process of its own. Inputs are made before the clock starts, and arrays
of NumPy are handed to the libraries then, too: Samite and Dask copy them. Times are from writing
the expression to the result, of several calls after a first one at the same size, for every
contender alike; `processors` is the least time of all processors together. `peak_mb` is how far
resident memory rose in the first call, by the kernel's mark: nothing runs beside the work. `native`
is whether the engine computed all results without NumPy. The results of one size must agree.

The first line tells what the machine's memory gives (`measure.bandwidth`), and the notes which part
of it a row comes to, counting only the bytes that the work has to read and to write at the least.

NumPy's linear algebra starts threads of its own, which get in the way of a library's threads. Where
that matters, both libraries run with one such thread, as Dask's documentation advises, and again
with what NumPy does by itself.

The topics that begin with "coiled-" are workloads of github.com/coiled/benchmarks, scaled down.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from array_workloads import WORKLOADS, sampled_sum
from measure import Contender, Facts, Topic, run, timed, timed_warm

Once = Callable[[], object]


class Library:
    """One of the packages with lazy arrays, and how it is asked for results."""

    def __init__(self, package: str):
        self.name = package
        self.package: ModuleType = importlib.import_module(package)
        self.array: ModuleType = importlib.import_module(f"{package}.array")
        self.native: bool | None = None

    def compute(self, *lazy: object) -> tuple:
        if self.name == "samite":
            self.native = all(getattr(x, "_expr", None) is not None for x in lazy)
        return self.package.compute(*lazy, scheduler="threads")


Prepare = Callable[[Library, int], Once]


def side_of(n: int) -> int:
    """The side of a square of about n elements."""
    return max(4, math.isqrt(n))


def vector(n: int, seed: int = 0) -> np.ndarray:
    """Doubles in [0.5, 1.5): roots and quotients of them are all defined."""
    return np.random.default_rng(seed).random(n) + 0.5


def matrix(n: int, columns: int | None = None) -> np.ndarray:
    columns = columns or side_of(n)
    return vector(max(columns, n // columns) * columns).reshape(-1, columns)


def square_of(library: Library, n: int, blocks: int = 8) -> Any:
    data = matrix(n)
    return library.array.from_array(data, chunks=-(-len(data) // blocks))


def pieces(n: int, length: int, fewest: int = 8) -> int:
    """A length of chunks: `length` at full sizes, shorter where there would be few."""
    return max(1, min(length, -(-n // fewest)))


# ---- rows ----------------------------------------------------------------------------------------


def fused(library: Library, n: int) -> Once:
    da = library.array
    x, y = (da.from_array(vector(n, seed), chunks=pieces(n, 3_000_000)) for seed in (1, 2))
    return lambda: library.compute((da.sqrt(x * x + y * y) * 2 - x / (y + 1)).sum())


def fused_numpy(n: int) -> Once:
    x, y = vector(n, 1), vector(n, 2)
    return lambda: (np.sqrt(x * x + y * y) * 2 - x / (y + 1)).sum()


def fused_numexpr(n: int) -> Once:
    import numexpr

    x, y = vector(n, 1), vector(n, 2)
    text = "sum(sqrt(x * x + y * y) * 2 - x / (y + 1))"
    return lambda: numexpr.evaluate(text, {"x": x, "y": y})


def elementary(library: Library, n: int) -> Once:
    da = library.array
    x = da.from_array(vector(n), chunks=pieces(n, 2_000_000))
    return lambda: library.compute((da.sin(x) * da.exp(-x) + da.log(x)).sum())


def elementary_numpy(n: int) -> Once:
    x = vector(n)
    return lambda: (np.sin(x) * np.exp(-x) + np.log(x)).sum()


def elementary_numexpr(n: int) -> Once:
    import numexpr

    x = vector(n)
    return lambda: numexpr.evaluate("sum(sin(x) * exp(-x) + log(x))", {"x": x})


def moments(library: Library, n: int) -> Once:
    x = library.array.from_array(vector(n), chunks=pieces(n, 3_000_000))
    return lambda: library.compute(x.sum(), x.mean(), x.std())


def moments_numpy(n: int) -> Once:
    x = vector(n)
    return lambda: (x.sum(), x.mean(), x.std())


def transposed(library: Library, n: int) -> Once:
    x = square_of(library, n)
    return lambda: library.compute((x + x.T).mean(axis=0))


def transposed_numpy(n: int) -> Once:
    x = matrix(n)
    return lambda: (x + x.T).mean(axis=0)


def deviation(library: Library, n: int) -> Once:
    x = square_of(library, n)
    return lambda: library.compute(x.std(axis=1))


def deviation_numpy(n: int) -> Once:
    x = matrix(n)
    return lambda: x.std(axis=1)


def normals(library: Library, n: int) -> Once:
    """The generators of the packages draw other numbers, so that the mean is compared roughly."""
    generator = library.array.random.default_rng(7)
    chunks = pieces(n, 5_000_000)
    return lambda: library.compute(generator.normal(10, 1, size=n, chunks=chunks).mean())


def normals_numpy(n: int) -> Once:
    generator = np.random.default_rng(7)
    return lambda: generator.normal(10, 1, size=n).mean()


def columns_in_memory(library: Library, n: int) -> tuple:
    """Blocks of whole columns that lie in memory, and the chunks that are whole rows."""
    data = matrix(n)
    width = pieces(len(data), 100)
    x = library.array.from_array(data, chunks=(len(data), width))
    (x,) = library.package.persist(x + 1, scheduler="threads")
    return x, (width, data.shape[1])


def rechunked(library: Library, n: int) -> Once:
    x, rows = columns_in_memory(library, n)
    return lambda: library.compute(x.rechunk(rows))


def rechunked_sum(library: Library, n: int) -> Once:
    x, rows = columns_in_memory(library, n)
    return lambda: library.compute(x.rechunk(rows).sum())


def rechunked_rows(library: Library, n: int) -> Once:
    """Every new block is handed to a Python function, so that none can be left out."""
    x, rows = columns_in_memory(library, n)
    return lambda: library.compute(x.rechunk(rows).map_blocks(row_maxima, chunks=(rows[0], 1)))


def row_maxima(block: np.ndarray) -> np.ndarray:
    return block.max(axis=1, keepdims=True)


COLUMNS = 20


def tall(n: int) -> np.ndarray:
    return matrix(max(n, 10 * COLUMNS**2), COLUMNS)


def decomposed(library: Library, n: int) -> Once:
    data = tall(n)
    da = library.array
    x = da.from_array(data, chunks=(max(2 * COLUMNS, pieces(len(data), 50_000)), COLUMNS))

    def once() -> object:
        left, values, right = library.compute(*da.linalg.svd(x))
        return values, np.abs(right), np.abs(left[:: len(left) // 100])

    return once


def decomposed_numpy(n: int) -> Once:
    data = tall(n)

    def once() -> object:
        left, values, right = np.linalg.svd(data, full_matrices=False)
        return values, np.abs(right), np.abs(left[:: len(left) // 100])

    return once


def running(library: Library, n: int) -> Once:
    x = library.array.from_array(vector(n), chunks=pieces(n, 2_000_000))
    return lambda: library.compute(x.cumsum(axis=0))


def running_numpy(n: int) -> Once:
    x = vector(n)
    return lambda: x.cumsum()


def five_points(block: np.ndarray) -> np.ndarray:
    """The Laplacian inside a block; its outermost rows and columns stay zero."""
    result = np.zeros_like(block)
    result[1:-1, 1:-1] = inner_five_points(block)
    return result


def inner_five_points(x):
    """The Laplacian by slices, of any kind of array: two rows and columns smaller than x."""
    around = x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:]
    return around - 4 * x[1:-1, 1:-1]


def stencil_overlap(library: Library, n: int) -> Once:
    x = square_of(library, n)

    def once() -> object:
        found = library.array.map_overlap(
            five_points, x, depth=1, boundary="none", meta=np.empty((0, 0))
        )
        return library.compute((found * found).sum())

    return once


def stencil_slices(library: Library, n: int) -> Once:
    x = square_of(library, n)

    def once() -> object:
        found = inner_five_points(x)
        return library.compute((found * found).sum())

    return once


def stencil_numpy(n: int) -> Once:
    x = matrix(n)

    def once() -> object:
        found = inner_five_points(x)
        return (found * found).sum()

    return once


def stencil_numexpr(n: int) -> Once:
    import numexpr

    x = matrix(n)
    names = {"a": x[:-2, 1:-1], "b": x[2:, 1:-1], "c": x[1:-1, :-2], "d": x[1:-1, 2:]}
    names["e"] = x[1:-1, 1:-1]
    return lambda: numexpr.evaluate("sum((a + b + c + d - 4 * e) ** 2)", names)


def product(library: Library, n: int) -> Once:
    x = square_of(library, n, blocks=4)
    return lambda: library.compute(x @ x)


def product_numpy(n: int) -> Once:
    x = matrix(n)
    return lambda: x @ x


def many_chunks(library: Library, n: int) -> Once:
    """`n` elements in chunks of 10 by 10."""
    side = side_of(n)
    return lambda: library.compute((library.array.ones((side, side), chunks=10) + 1).sum())


def building(package: str) -> Callable[[int], Facts]:
    """Only the writing of `x + 1`, over so many chunks; nothing is computed."""

    def work(n: int) -> Facts:
        library = Library(package)
        library.array.ones(10, chunks=1) + 1
        x = library.array.ones(n, chunks=1)
        facts = timed(lambda: x + 1)
        return {**facts, "microseconds": facts["seconds"] * 1e6}

    return work


# ---- topics --------------------------------------------------------------------------------------


ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")


def digest(found: object) -> list[float]:
    """A few numbers that tell arrays apart, and see an order that is not the same."""
    if isinstance(found, (tuple, list)):
        return [number for part in found for number in digest(part)]
    flat = np.asarray(found, dtype=float).reshape(-1)
    return [float(flat.size), float(np.abs(flat).mean()), sampled_sum(np.asarray(found))]


def lazily(package: str, prepare: Prepare, warm: int) -> Callable[[int], Facts]:
    """A first small run pays for imports and threads."""

    def work(n: int) -> Facts:
        library = Library(package)
        prepare(library, min(n, warm))()
        return measured(prepare(library, n), library)

    return work


def eagerly(prepare: Callable[[int], Once], warm: int) -> Callable[[int], Facts]:
    def work(n: int) -> Facts:
        prepare(min(n, warm))()
        return measured(prepare(n), None)

    return work


def measured(once: Once, library: Library | None) -> Facts:
    found: list[object] = []

    def again() -> None:
        found[:] = [once()]

    facts = timed_warm(again)
    if library and library.native is not None:
        facts["native"] = library.native
    return {**facts, "answer": digest(found[0])}


def topic(
    title: str,
    size: int,
    prepare: Prepare,
    against_dask: float | None = None,
    *,
    quick: int = 250_000,
    warm: int = 10_000,
    numpy: Callable[[int], Once] | None = None,
    numexpr: Callable[[int], Once] | None = None,
    tolerance: float = 1e-9,
    dask_repeat: int | None = None,
    algebra: bool = False,
    reads: int = 0,
    writes: int = 0,
) -> Topic:
    """Contenders for one piece of work, which reads and writes so many doubles for each value."""
    contenders = {
        "samite": Contender(lazily("samite", prepare, warm)),
        "dask": Contender(lazily("dask", prepare, warm), needs=("dask",), repeat=dask_repeat),
    }
    if numpy:
        contenders["numpy"] = Contender(eagerly(numpy, warm))
    if numexpr:
        contenders["numexpr"] = Contender(eagerly(numexpr, warm), needs=("numexpr",))
    peer = "dask"
    if algebra:
        peer = "dask, one BLAS thread"
        contenders["samite, one BLAS thread"] = Contender(
            lazily("samite", prepare, warm), environment=ONE_THREAD
        )
        contenders[peer] = Contender(
            lazily("dask", prepare, warm), needs=("dask",), environment=ONE_THREAD
        )
    goal = (peer, against_dask) if against_dask else None
    return Topic(
        title,
        size=size,
        quick=quick,
        unit="value",
        goal=goal,
        contenders=contenders,
        tolerance=tolerance,
        traffic=(lambda size: (8.0 * reads * size, 8.0 * writes * size)) if reads else None,
    )


TOPICS = {
    "fused": topic(
        "Sum of sqrt(x*x + y*y)*2 - x/(y + 1), 6e7 doubles each from NumPy",
        60_000_000,
        fused,
        15,
        numpy=fused_numpy,
        numexpr=fused_numexpr,
        reads=2,
    ),
    "elementary": topic(
        "Sum of sin(x)*exp(-x) + log(x), 4e7 doubles from NumPy",
        40_000_000,
        elementary,
        numpy=elementary_numpy,
        numexpr=elementary_numexpr,
        reads=1,
    ),
    "moments": topic(
        "Sum, mean and standard deviation of 6e7 doubles at once",
        60_000_000,
        moments,
        numpy=moments_numpy,
        reads=1,
    ),
    "transpose": topic(
        "(x + x.T).mean(axis=0), 8000 x 8000",
        8000**2,
        transposed,
        4,
        numpy=transposed_numpy,
        reads=1,
    ),
    "std": topic(
        "x.std(axis=1), 8000 x 8000", 8000**2, deviation, 5, numpy=deviation_numpy, reads=1
    ),
    "normals": topic(
        "Mean of 1e8 normals of default_rng",
        100_000_000,
        normals,
        2,
        numpy=normals_numpy,
        tolerance=1e-2,
    ),
    "rechunk": topic(
        "Blocks in memory of 8000 x 100 rechunked to 100 x 8000, as one array",
        8000**2,
        rechunked,
        3,
        dask_repeat=3,
        reads=1,
        writes=1,
    ),
    "rechunk-sum": topic(
        "Blocks in memory of 8000 x 100 rechunked to 100 x 8000, and summed up",
        8000**2,
        rechunked_sum,
        3,
        dask_repeat=3,
    ),
    "rechunk-blocks": topic(
        "Blocks in memory of 8000 x 100 rechunked to 100 x 8000, each to a Python function",
        8000**2,
        rechunked_rows,
        dask_repeat=3,
    ),
    "svd": topic(
        "SVD of 1,000,000 x 20",
        1_000_000 * COLUMNS,
        decomposed,
        5,
        numpy=decomposed_numpy,
        tolerance=1e-7,
        dask_repeat=1,
        algebra=True,
    ),
    "cumsum": topic(
        "cumsum of 4e7", 40_000_000, running, 3, numpy=running_numpy, reads=1, writes=1
    ),
    "stencil-overlap": topic(
        "Five-point stencil of 8000 x 8000 by map_overlap of a NumPy function, squares summed up",
        8000**2,
        stencil_overlap,
        2,
        numpy=stencil_numpy,
    ),
    "stencil-slices": topic(
        "Five-point stencil of 8000 x 8000 as slices, squares summed up",
        8000**2,
        stencil_slices,
        6,
        numpy=stencil_numpy,
        numexpr=stencil_numexpr,
        reads=1,
    ),
    "matmul": topic(
        "x @ x, 4000 x 4000", 4000**2, product, numpy=product_numpy, dask_repeat=3, algebra=True
    ),
    "many-chunks": topic(
        "(ones((3160, 3160), chunks=10) + 1).sum(), 99,856 chunks",
        3160**2,
        many_chunks,
        50,
        quick=320**2,
        dask_repeat=2,
    ),
    "build": Topic(
        "Write x + 1 over 1,000,000 chunks, without computing it",
        size=1_000_000,
        quick=10_000,
        unit="chunk",
        contenders={
            "samite": Contender(building("samite")),
            "dask": Contender(building("dask"), needs=("dask",)),
        },
    ),
    **{
        f"coiled-{name}": topic(
            workload.title,
            workload.size,
            workload.prepare,
            quick=workload.quick,
            tolerance=workload.tolerance,
            dask_repeat=3,
            algebra=name == "dot-product",
        )
        for name, workload in WORKLOADS.items()
    },
}
# The goal of a product is to be no slower than NumPy's, which uses all processors.
TOPICS["matmul"].goal = ("numpy", 1)


if __name__ == "__main__":
    sys.exit(run(__file__, TOPICS, __doc__.splitlines()[0]))
