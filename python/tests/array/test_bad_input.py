"""Bad input of arrays: exceptions of NumPy's types, at once, whose text names what was wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import samite.array as da
from samite import delayed


def array():
    return da.ones((4, 6), chunks=2)


def unknown():
    """An array whose rows are not counted yet."""
    x = array()
    return x[x[:, 0] > 0]


SHAPES = {
    "add": (lambda: array() + da.ones((4, 5)), r"\(4, 6\) \(4, 5\) in add"),
    "where": (lambda: da.where(array() > 0, array(), da.ones(5)), r"\(5,\) in where"),
    "matmul": (lambda: array() @ array(), r"matmul: .*\(4, 6\)"),
    "tensordot": (lambda: da.tensordot(array(), array(), axes=1), "shape-mismatch"),
    "dot": (lambda: array().dot(np.ones(4)), "shape-mismatch"),
    "einsum": (lambda: da.einsum("ij,jk", array(), array()), "Chunks do not add up"),
    "concatenate": (lambda: da.concatenate([array(), da.ones((4, 5))]), r"\(4, 6\), \(4, 5\)"),
    "stack": (lambda: da.stack([array(), da.ones((4, 5))]), r"\(4, 6\).*\(4, 5\)"),
    "map_blocks": (
        lambda: da.map_blocks(np.add, array(), da.ones((4, 4), chunks=2)),
        r"\(2, 2, 2\), \(2, 2\)",
    ),
    "blockwise": (
        lambda: da.blockwise(np.add, "ij", array(), "ij", da.ones((4, 4), chunks=2), "ij"),
        r"\(2, 2, 2\), \(2, 2\)",
    ),
    "broadcast_to": (lambda: da.broadcast_to(array(), (5, 6)), r"\(4, 6\) to shape \(5, 6\)"),
    "reshape": (lambda: array().reshape(5, 5), r"\(4, 6\) to \(5, 5\)"),
    "setitem": (lambda: array().__setitem__(slice(None), np.ones(5)), r"\(5,\)"),
    "store": (lambda: da.store(array(), np.zeros((4, 5))), r"\(4, 6\).*\(4, 5\)"),
    "store in a region": (
        lambda: da.store(array(), np.zeros((9, 9)), regions=(slice(0, 3), slice(0, 6))),
        r"\(4, 6\).*region",
    ),
    "solve": (lambda: da.linalg.solve(array(), np.ones(4)), r"solve .*\(4, 6\)"),
    "cholesky": (lambda: da.linalg.cholesky(array()), r"cholesky .*\(4, 6\)"),
    "from_delayed": (
        lambda: (da.from_delayed(delayed(np.ones)(3), (4,), float) + 1).compute(),
        r"\(3,\).*\(4,\) in from_delayed",
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_that_do_not_fit(name):
    call, message = SHAPES[name]
    with pytest.raises(ValueError, match=message):
        call()


AXES = {
    "sum": lambda x: x.sum(axis=2),
    "sum of a negative one": lambda x: x.sum(axis=-3),
    "argmax": lambda x: x.argmax(axis=5),
    "cumsum": lambda x: x.cumsum(axis=2),
    "concatenate": lambda x: da.concatenate([x], axis=2),
    "stack": lambda x: da.stack([x], axis=4),
    "flip": lambda x: da.flip(x, 2),
    "roll": lambda x: da.roll(x, 1, axis=3),
    "transpose": lambda x: x.transpose(0, 2),
    "swapaxes": lambda x: da.swapaxes(x, 0, 3),
    "moveaxis": lambda x: da.moveaxis(x, 0, 3),
    "expand_dims": lambda x: da.expand_dims(x, 5),
    "squeeze": lambda x: da.squeeze(x, 7),
    "median": lambda x: da.median(x, axis=4),
    "fft": lambda x: da.fft.fft(x.rechunk(-1), axis=3),
    "topk": lambda x: da.topk(x, 1, axis=3),
    "diff": lambda x: da.diff(x, axis=3),
    "take": lambda x: da.take(x, [0], axis=3),
    "repeat": lambda x: da.repeat(x, 2, axis=3),
    "rechunk": lambda x: x.rechunk({3: 1}),
    "sort": lambda x: da.sort(x, axis=2),
}


@pytest.mark.parametrize("general", [False, True])
@pytest.mark.parametrize("name", AXES)
def test_axes_that_are_not_there(name, general):
    x = array().astype(object) if general else array()
    with pytest.raises(np.exceptions.AxisError, match="out of bounds"):
        AXES[name](x)


CHUNKS = {
    "negative": (-2, "blocks of -2"),
    "zero": (0, "blocks of 0"),
    "zero along one axis": ((0, 2), "blocks of 0"),
    "too short": (((3,), (6,)), "do not add up to shape"),
    "a negative block": (((5, -1), (6,)), "cannot be negative"),
    "of more axes": ((2, 2, 2), "same length/dimension|not consistent with the shape"),
    "no size": ("big", "big"),
    "a part of one": (2.5, "only contain integers, not 2.5"),
}
WITH_CHUNKS = {
    "ones": lambda chunks: da.ones((4, 6), chunks=chunks),
    "from_array": lambda chunks: da.from_array(np.ones((4, 6)), chunks=chunks),
    "rechunk": lambda chunks: array().rechunk(chunks),
    "random": lambda chunks: da.random.default_rng(0).random((4, 6), chunks=chunks),
}


@pytest.mark.parametrize("maker", WITH_CHUNKS)
@pytest.mark.parametrize("name", CHUNKS)
def test_chunks_that_make_no_sense(name, maker):
    chunks, message = CHUNKS[name]
    with pytest.raises(ValueError, match=message):
        WITH_CHUNKS[maker](chunks)


UNKNOWN = {
    "rechunk": lambda x: x.rechunk(2),
    "slice": lambda x: x[:2],
    "flip": lambda x: da.flip(x, 0),
    "add": lambda x: x + array(),
    "concatenate": lambda x: da.concatenate([x, array()], axis=1),
    "roll": lambda x: da.roll(x, 1, axis=0),
    "vindex": lambda x: x.vindex[[0], [0]],
    "len": len,
    "argmax": lambda x: x.argmax(),
    "map_overlap": lambda x: x.map_overlap(lambda b: b, depth=1, boundary="none"),
    "store": lambda x: da.store(x, np.zeros((4, 6))),
    "to_zarr": lambda x: x.to_zarr("never-made.zarr"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_chunks_that_have_to_be_known(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="unknown|not known"):
        UNKNOWN[name](unknown())
    assert not list(tmp_path.iterdir())
    UNKNOWN[name](unknown().compute_chunk_sizes())


HUGE = 2**33
TOO_LARGE = {
    "two axes": lambda: da.ones((2**40, 2**40), chunks=2**39).compute(),
    "one axis": lambda: da.ones(2**70, chunks=2**69),
    "bytes": lambda: da.ones(2**62, chunks=2**61).sum().compute(),
    "arange": lambda: da.arange(2**70),
    "broadcast": lambda: da.broadcast_to(da.ones(1), (2**40, 2**40), chunks=2**40),
    "outer": lambda: da.ones(HUGE, chunks=HUGE)[:, None] * da.ones(HUGE, chunks=HUGE),
    "tile": lambda: da.tile(da.ones(HUGE, chunks=HUGE), HUGE),
    "repeat": lambda: da.repeat(da.ones(HUGE, chunks=HUGE), HUGE),
    "resize": lambda: da.resize(da.ones(2, chunks=2), HUGE),
    "blocks": lambda: da.ones(10**10, chunks=1),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_products_of_lengths_that_are_too_large(name):
    with pytest.raises(ValueError, match="too big|too large|[Mm]aximum|more than"):
        TOO_LARGE[name]()


def test_memory_that_is_not_there():
    with pytest.raises(MemoryError, match="bytes"):
        da.ones(2**45, chunks=2**44).compute()


def test_casts_that_lose():
    x = array()
    for lossy, dtype in ((x, "i4"), (x * 1j, "f8"), (x.astype("i8"), "i4")):
        with pytest.raises(TypeError, match=f"Cannot cast .* to .*{np.dtype(dtype).name}.*'safe'"):
            lossy.astype(dtype, casting="safe")
    with pytest.raises(ValueError, match="casting must be one of"):
        x.astype("i4", casting="somehow")
    with pytest.raises(TypeError, match="complex"):
        x[0] = 1j
    target = np.zeros((4, 6), "i4")
    with pytest.raises(TypeError, match="Cannot cast|complex"):
        da.store((x * 1j).map_blocks(np.asarray), Strict(target))


class Strict:
    """Takes what can be converted without a loss."""

    def __init__(self, target):
        self.target, self.shape, self.dtype = target, target.shape, target.dtype

    def __setitem__(self, place, value):
        np.copyto(self.target[place], value, casting="same_kind")


class Source:
    """A file that has something to say in the middle of being read."""

    shape, dtype, ndim = (4, 6), np.dtype("f8"), 2

    def __init__(self, middle):
        self.middle = middle

    def __getitem__(self, index):
        if index[0].start == 2 and index[1].start == 2:
            return self.middle()
        return np.ones([part.stop - part.start for part in index])


def broken():
    raise OSError(5, "the disk has a bad sector")


USES = {
    "as it is": lambda x: x,
    "sum": lambda x: x.sum(),
    "in a chain": lambda x: (x + 1).T.mean(axis=0),
    "to a function": lambda x: x.map_blocks(np.negative),
    "rechunked": lambda x: x.rechunk(3),
}


@pytest.mark.parametrize("use", USES)
def test_a_source_that_raises(use, scheduler):
    x = USES[use](da.from_array(Source(broken), chunks=2))
    with pytest.raises(OSError, match="bad sector"):
        x.compute(scheduler=scheduler)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("found", [(1, 2), (2, 3), (2,), (), (2, 2, 1)], ids=str)
def test_a_source_that_gives_another_shape(use, found):
    x = USES[use](da.from_array(Source(lambda: np.ones(found)), chunks=2))
    with pytest.raises(ValueError, match=r"a Source gave a part of shape .* ask for \(2, 2\)"):
        x.compute()


def test_a_source_that_gives_nothing():
    with pytest.raises(ValueError, match=r"a Source gave a part of shape \(\)"):
        da.from_array(Source(lambda: None), chunks=2).compute()


@pytest.mark.parametrize("compute", [True, False])
def test_a_store_whose_source_raises_is_not_done(compute, tmp_path):
    zarr = pytest.importorskip("zarr")
    x = da.from_array(Source(broken), chunks=2)
    target = np.full((4, 6), -1.0)
    place = str(tmp_path / "x.zarr")
    writes = (
        lambda: da.store(x, target, compute=compute),
        lambda: x.to_zarr(place, compute=compute),
        lambda: da.store(x, target, return_stored=True, compute=compute),
        lambda: da.to_npy_stack(str(tmp_path / "stack"), x) if compute else x.to_delayed()[1, 1],
    )
    for write in writes:
        with pytest.raises(OSError, match="bad sector"):
            done = write()
            assert not compute
            done.compute()
    # The block that could not be read was not written either.
    assert (target[2:, 2:4] == -1).all()
    assert not zarr.open_array(place, mode="r")[2:, 2:4].any()


# -- a disk that is full -------------------------------------------------------------------


WRITERS = {
    "zarr": "x.to_zarr(folder + '/x.zarr')",
    "zarr, uncompressed": "x.to_zarr(folder + '/x.zarr', compressors=None)",
    "zarr, stored": "da.store(x, zarr.create_array(folder + '/y.zarr', shape=x.shape, "
    "dtype=x.dtype, chunks=x.chunksize, compressors=None))",
    "hdf5": "x.to_hdf5(folder + '/x.h5', '/x')",
    "npy": "da.to_npy_stack(folder + '/stack', x)",
    "store": "da.store(x, File(folder + '/raw'))",
}
PROGRAM = """
    import os, resource, signal, sys
    import numpy as np
    import zarr
    import samite.array as da

    class File:
        def __init__(self, path):
            self.file = open(path, "wb", buffering=0)
        def __setitem__(self, place, value):
            self.file.seek(place[0].start * value[0].nbytes)
            left = memoryview(np.ascontiguousarray(value)).cast("B")
            while left:
                left = left[self.file.write(left):]

    folder = sys.argv[1]
    x = da.random.default_rng(0).random((1024, 512), chunks=(512, 512))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    try:
        {write}
    except Exception as error:
        print(type(error).__name__, error, flush=True)
        # HDF5 does not survive what it could not write, once it is let go of.
        os._exit(0)
    print("done", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of files are those of Linux here")
@pytest.mark.parametrize("writer", WRITERS)
def test_a_disk_that_is_full(writer, tmp_path):
    """No file may be larger than a half of one block: as if the disk were full in the middle."""
    for name in ("zarr", "h5py"):
        pytest.importorskip(name)
    program = textwrap.dedent(PROGRAM).replace("{write}", WRITERS[writer])
    found = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ),
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    # The library of HDF5 has an exception of its own.
    assert found.stdout.startswith("RuntimeError" if writer == "hdf5" else "OSError"), found.stdout
    assert "File too large" in found.stdout or "written" in found.stdout
    # What tells that a stack is whole is not there.
    assert not (tmp_path / "stack" / "info").exists()
