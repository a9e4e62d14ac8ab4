"""Dask's collections on our schedulers, and lazy values of the two libraries in each other."""

from __future__ import annotations

import operator
import warnings

import dask
import pytest
from dask.delayed import delayed as dask_delayed

import samite
from samite import compute, delayed

np = pytest.importorskip("numpy")
da = pytest.importorskip("dask.array")

pytestmark = pytest.mark.timeout(60)

GETS = {
    "synchronous": samite.local.get_sync,
    "threads": samite.get,
    "processes": samite.multiprocessing.get,
}


def inc(x):
    return x + 1


def add(x, y=0):
    return x + y


def keyword_only(*args, **kwargs):
    return args, kwargs


@pytest.fixture
def on_samite(scheduler):
    """All of Dask runs on one of our schedulers."""
    with dask.config.set(scheduler=GETS[scheduler]):
        yield scheduler


def by_dask(*collections):
    """What Dask itself makes of its collections."""
    return dask.compute(*collections, scheduler="sync")


# ---- arrays --------------------------------------------------------------------------------------


def _arrays():
    x = da.arange(240, chunks=32).reshape(12, 20)
    y = da.from_array(np.linspace(0, 1, 240).reshape(12, 20), chunks=(5, 7))
    return {
        "elementwise": x * 2 + y - x.astype("f4") ** 2,
        "reduction": (x + y).mean(axis=0),
        "number": y.std(),
        "matrix product": x @ y.T,
        "transposed": (x.T + 1)[3:9, ::2],
        "fancy": y[[5, 1, 11], :][:, [0, 19, 3]],
        "masked": y[y > 0.5],
        "rechunked": x.rechunk((4, 20)).cumsum(axis=0),
        "stacked": da.stack([x, y]).sum(axis=(0, 2)),
        "overlap": da.overlap.overlap(y, depth=1, boundary="reflect").sum(),
        "blocks": x.map_blocks(lambda block, block_info=None: block + 1, dtype=x.dtype),
        "sorted": da.topk(y.ravel(), 5),
        "histogram": da.histogram(y, bins=4, range=(0, 1))[0],
        "gufunc": da.apply_along_axis(np.sum, 0, y),
        "svd": da.linalg.svd(y.rechunk((12, 20)))[1],
        "where": da.where(x % 2 == 0, x, -y),
        "random": da.random.default_rng(5).normal(size=(50, 4), chunks=7).sum(axis=0),
        "empty": x[:0],
        "unknown chunks": y[y.sum(axis=1) > 10].sum(),
    }


@pytest.mark.parametrize("name", sorted(_arrays()))
@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_arrays(on_samite, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = _arrays()[name]
        (expected,) = by_dask(array)
        result = array.compute()
    assert type(result) is type(expected)
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_arrays_in_processes():
    arrays = _arrays()
    wanted = [arrays[name] for name in ("elementwise", "masked", "rechunked", "overlap")]
    results = dask.compute(*wanted, scheduler=GETS["processes"])
    for result, expected in zip(results, by_dask(*wanted), strict=True):
        np.testing.assert_allclose(result, expected)


def test_several_arrays_together(on_samite):
    x = da.random.default_rng(1).random((100, 100), chunks=25)
    mean, (low, high) = dask.compute(x.mean(), (x.min(), x.max()))
    assert low < mean < high
    assert mean == by_dask(x.mean())[0]


def test_persist(on_samite):
    x = da.ones((10, 10), chunks=3)
    kept = (x + 1).persist()
    assert all(not callable(value) for value in dict(kept.dask).values())
    assert float(kept.sum().compute()) == 200


@pytest.mark.parametrize("fused", [None, True, False])
def test_fusing_as_configured(fused):
    array = (da.arange(20, chunks=5) + 1) * 2
    with dask.config.set({"optimization.fuse.active": fused}):
        np.testing.assert_array_equal(array.compute(scheduler=samite.get), (np.arange(20) + 1) * 2)


class Source:
    """An array in a file, as a library of files would show it: it counts what is read."""

    def __init__(self, shape=(100, 100)):
        self.data = np.arange(np.prod(shape), dtype="f8").reshape(shape)
        self.shape, self.dtype, self.ndim = self.data.shape, self.data.dtype, self.data.ndim
        self.read = []

    def __getitem__(self, index):
        part = self.data[index]
        if part.size:
            self.read.append(part.shape)
        return part


@pytest.mark.parametrize(
    "program",
    [
        lambda x: x[:7, 12:14],
        lambda x: x[35],
        lambda x: (x[5:15, :3] + 1).sum(),
        lambda x: (x + 1)[40:42],
        lambda x: x.sum(axis=0)[:5],
        lambda x: x[::10, ::25].T,
    ],
    ids=["slice", "row", "sum", "behind arithmetic", "reduction", "steps"],
)
def test_no_more_is_read_than_dask_reads(program):
    theirs, ours = Source(), Source()
    expected = program(da.from_array(theirs, chunks=10)).compute(scheduler="sync")
    result = program(da.from_array(ours, chunks=10)).compute(scheduler=samite.get)
    np.testing.assert_array_equal(result, expected)
    assert sorted(ours.read) == sorted(theirs.read)
    assert sum(map(np.prod, ours.read)) == sum(map(np.prod, theirs.read))


def test_store():
    source = da.random.default_rng(3).random((30, 20), chunks=(7, 6))
    target = np.zeros((30, 20))
    da.store(source, target, scheduler=samite.get)
    np.testing.assert_array_equal(target, by_dask(source)[0])


# ---- frames, bags, lazy values, xarray -----------------------------------------------------------


def _frames():
    dd = pytest.importorskip("dask.dataframe")
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "key": rng.choice(list("abcde"), 200),
            "number": rng.integers(0, 50, 200),
            "value": rng.random(200),
        }
    )
    left = dd.from_pandas(frame, npartitions=5)
    right = dd.from_pandas(frame.groupby("key", as_index=False).value.mean(), npartitions=2)
    return {
        "columns": left[left.number > 10].assign(double=left.value * 2),
        "sum": left.value.sum(),
        "groups": left.groupby("key").agg({"value": ["mean", "max"], "number": "sum"}),
        "shuffled": left.groupby("number").value.apply(len, meta=("value", "i8")),
        "joined": left.merge(right, on="key", suffixes=("", "_mean")),
        "sorted": left.sort_values("value").head(20, compute=False),
        "index": left.set_index("number").loc[10:20],
        "counts": left.key.value_counts(),
        "partitions": left.map_partitions(lambda part: part.tail(1)),
        "length": left.key.nunique(),
    }


FRAMES = [
    "columns", "counts", "groups", "index", "joined", "length", "partitions", "shuffled", "sorted",
    "sum",
]  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_frames(name):
    pd = pytest.importorskip("pandas")
    frame = _frames()[name]
    (expected,) = by_dask(frame)
    with dask.config.set(scheduler=samite.get):
        result = frame.compute()
    if isinstance(expected, (pd.DataFrame, pd.Series)):

        def ordered(part):
            part = part.to_frame() if isinstance(part, pd.Series) else part
            # Rows that were moved about, as by a join, are numbered as they happen to come.
            part = part.reset_index(drop=name == "joined")
            return part.sort_values(list(part.columns)).reset_index(drop=True)

        pd.testing.assert_frame_equal(ordered(result), ordered(expected))
    else:
        assert result == pytest.approx(expected)


def test_frames_in_processes():
    frames = _frames()
    wanted = [frames["sum"], frames["groups"]]
    results = dask.compute(*wanted, scheduler=GETS["processes"])
    expected = by_dask(*wanted)
    assert results[0] == pytest.approx(expected[0])
    assert results[1].sort_index().equals(expected[1].sort_index())


def test_bags(on_samite):
    db = pytest.importorskip("dask.bag")
    bag = db.from_sequence(range(100), npartitions=7)
    programs = [
        bag.map(inc).filter(lambda x: x % 3 == 0),
        bag.map(lambda x: (x % 5, x)).foldby(lambda p: p[0], lambda n, p: n + p[1], 0, add, 0),
        bag.groupby(lambda x: x % 4).map(lambda pair: (pair[0], sum(pair[1]))),
        bag.sum(), bag.mean(), bag.frequencies(), bag.topk(3), bag.take(3, compute=False),
    ]  # fmt: skip
    for program, expected in zip(programs, by_dask(*programs), strict=True):
        result = program.compute()
        if isinstance(result, list):
            assert sorted(result) == sorted(expected)
        else:
            assert result == expected


def test_lazy_values_of_dask(on_samite):
    x = dask_delayed(inc)(1)
    program = dask_delayed(keyword_only)([x, {"k": (x, {1})}], last=x.real + slice_of(x))
    assert program.compute() == by_dask(program)[0]
    with pytest.raises(ZeroDivisionError):
        dask_delayed(operator.truediv)(1, 0).compute()


def slice_of(x):
    return dask_delayed(list)(range(5))[x : x + 1][0]


def test_xarray(on_samite):
    xr = pytest.importorskip("xarray")
    values = np.random.default_rng(0).random((20, 6))
    array = xr.DataArray(
        values, dims=("time", "place"), coords={"time": np.arange(20), "place": list("uvwxyz")}
    )
    chunked = array.chunk(time=6)
    for program in (
        lambda a: a.mean("time"),
        lambda a: a.sel(place="w").cumsum("time"),
        lambda a: a.groupby(a.time % 3).mean(),
        lambda a: (a - a.mean("place")).rolling(time=3).mean(),
        lambda a: a.to_dataset(name="v").v.max(),
    ):
        lazy = program(chunked)
        assert lazy.chunks is not None
        xr.testing.assert_allclose(lazy.compute(), program(array))


def test_config_of_dask_by_name_of_function():
    """`scheduler=` per call, `dask.config.set`, and `dask.base.get_scheduler` agree."""
    x = da.ones(10, chunks=3).sum()
    assert float(x.compute(scheduler=samite.get)) == 10
    with dask.config.set(scheduler=samite.get):
        assert dask.base.get_scheduler() is samite.get
        assert float(x.compute()) == 10


def test_exception_of_a_task_in_dask(on_samite):
    def fail(block):
        if block.size and block.ravel()[0] == 5:
            raise ValueError("this block")
        return block

    array = da.arange(10, chunks=5).map_blocks(fail, dtype="i8", meta=np.array((), dtype="i8"))
    with pytest.raises(ValueError, match="this block"):
        array.compute()


def test_memory_limit_and_workers_through_dask():
    x = da.random.default_rng(0).random((1000, 100), chunks=(100, 100))
    program = (x - x.mean()).std()
    expected = by_dask(program)[0]
    result = program.compute(scheduler=samite.get, num_workers=2, memory_limit="400 kB")
    assert result == pytest.approx(expected)


def test_callbacks_of_samite_see_dasks_tasks():
    from samite.callbacks import Callback

    seen = []

    class Note(Callback):
        def _posttask(self, key, result, dsk, state, worker):
            seen.append(key)

    with Note():
        assert int(da.arange(10, chunks=5).sum().compute(scheduler=samite.get)) == 45
    assert seen


# ---- each library's lazy values in the other -----------------------------------------------------


def test_arrays_as_arguments(scheduler):
    x = da.arange(12, chunks=5)
    lazy = delayed(lambda a, b: (type(a).__name__, int(a.sum()) + int(b)))(x, (x + 1).max())
    assert lazy.compute(scheduler=scheduler) == ("ndarray", 66 + 12)


def test_arrays_in_compute(scheduler):
    x = da.arange(12, chunks=5)
    total, array, other = compute(x.sum(), x, delayed(1) + 1, scheduler=scheduler)
    assert (total, array.tolist(), other) == (66, list(range(12)), 2)
    assert compute({"x": [x.sum()]}, scheduler=scheduler) == ({"x": [66]},)


def test_arrays_in_persist():
    x = da.arange(12, chunks=5) + 1
    (kept,) = samite.persist(x)
    assert kept.sum().compute(scheduler="sync") == 78
    assert samite.compute(kept.sum()) == (78,)


def test_bags_as_arguments(scheduler):
    db = pytest.importorskip("dask.bag")
    bag = db.from_sequence(range(10), npartitions=3)
    assert delayed(sum)(bag.map(inc)).compute(scheduler=scheduler) == 55
    assert compute(bag.sum(), delayed(inc)(1), scheduler=scheduler) == (45, 2)


def test_frames_as_arguments(scheduler):
    frames = _frames()
    expected = by_dask(frames["sum"], frames["length"])
    lazy = delayed(lambda total, n: (float(total), int(n)))(frames["sum"], frames["length"])
    assert lazy.compute(scheduler=scheduler) == pytest.approx(expected)
    assert compute(frames["sum"], scheduler=scheduler)[0] == pytest.approx(expected[0])


def test_lazy_values_of_dask_as_arguments(scheduler):
    theirs = dask_delayed(inc)(1)
    assert delayed(inc)(theirs).compute(scheduler=scheduler) == 3
    assert compute(theirs, delayed(inc)(5), scheduler=scheduler) == (2, 6)


def test_lazy_values_of_samite_in_dask():
    ours = delayed(add)(delayed(inc)(1), 2)
    assert dask.is_dask_collection(ours)
    # FIXME: Dask takes our task objects for data when it optimizes a graph, and so loses what
    # they need. Until the graph is handed out in Dask's notation this is an error, never a wrong
    # result; `samite.compute` takes both libraries' values.
    with pytest.raises(ValueError, match="Missing dependency"):
        dask.compute(ours, dask_delayed(inc)(1), scheduler="threads")
    assert compute(ours, dask_delayed(inc)(1)) == (4, 2)


def test_arrays_from_lazy_values_of_samite():
    block = delayed(np.ones)((2, 3))
    array = da.from_delayed(block, shape=(2, 3), dtype=float)
    # FIXME: as above.
    with pytest.raises(ValueError, match="Missing dependency"):
        da.concatenate([array, array]).sum().compute(scheduler=samite.get)


def test_lazy_blocks_of_arrays():
    blocks = da.ones((4, 6), chunks=(2, 3)).to_delayed().ravel()
    total = delayed(sum)([delayed(np.sum)(block) for block in blocks])
    assert total.compute() == 24
