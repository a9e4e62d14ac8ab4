"""How many bytes an object takes, as far as can be told quickly.

:data:`sizeof` never raises and never takes long: of large collections it looks at a few items.
Other packages teach it their types by ``sizeof.register``, or by an entry point of the group
``samite.sizeof`` (or ``dask.sizeof``): a function that is called with :data:`sizeof`.
"""

from __future__ import annotations

import array
import itertools
import sys
import threading

from samite._utils.dispatch import Dispatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from typing import Any

__all__ = ["SimpleSizeof", "sizeof"]

_SAMPLES = 16
_OBJECT_SAMPLES = 128
#: What is assumed of an object whose own account of its size fails.
UNKNOWN_SIZE = 1_000_000
# Types of these packages have implementations below, or need none.
_KNOWN_PACKAGES = frozenset(("builtins", "numpy", "pandas", "pyarrow", "array", "collections"))


class _Running(threading.local):
    """The containers that the running call has looked at, and their sizes."""

    sizes: dict[int, int] | None = None


_RUNNING = _Running()


class _Sizeof(Dispatch):
    """The dispatcher behind :data:`sizeof`, with its guarantees."""

    _plugins_loaded = False

    def __call__(self, arg: Any, *args: Any, **kwargs: Any) -> int:
        """The size of `arg` in bytes."""
        try:
            return int(self.dispatch(type(arg))(arg, *args, **kwargs))
        except RecursionError:
            # Nested deeper than can be walked; the levels above go on with what is known.
            return UNKNOWN_SIZE
        except Exception:  # What foreign objects' properties raise must not stop a computation.
            _log().warning("The size of %s cannot be found out", type(arg), exc_info=True)
            return UNKNOWN_SIZE

    def dispatch(self, cls: type) -> Callable:
        if not self._plugins_loaded and cls not in self._resolved:
            package = str(getattr(cls, "__module__", "")).partition(".")[0]
            if package not in _KNOWN_PACKAGES:
                # Listing entry points takes longer than importing Samite.
                self._plugins_loaded = True
                _register_entry_point_plugins()
        return super().dispatch(cls)


sizeof = _Sizeof(name="sizeof")


def _log() -> Any:
    import logging

    return logging.getLogger(__name__)


def _register_entry_point_plugins() -> None:
    """Call the functions that installed packages offer as entry points."""
    from importlib.metadata import entry_points

    for group in ("dask.sizeof", "samite.sizeof"):
        for entry_point in entry_points(group=group):
            try:
                entry_point.load()(sizeof)
            except Exception:
                _log().exception("The plugin %r for sizeof failed", entry_point.name)


def _spread(count: int, samples: int) -> Iterable[int]:
    """`samples` positions below `count`, spread irregularly but always the same."""
    # Steps by the golden ratio: even, yet in no rhythm that the data could share.
    return [int((number * 0.6180339887498949) % 1.0 * count) for number in range(samples)]


def _items_size(items: Collection) -> int:
    """The size of the items of a collection; of a large one, estimated by some of them."""
    count = len(items)
    if count <= _SAMPLES:
        return sum(map(sizeof, items))
    if isinstance(items, (list, tuple)):
        chosen: Iterable = [items[position] for position in _spread(count, _SAMPLES)]
    else:
        chosen = itertools.islice(items, _SAMPLES)
    return int(count / _SAMPLES * sum(map(sizeof, chosen)))


def _container(measure: Callable[[Any], int]) -> Callable[[Any], int]:
    """Look into each container once in a call: it may contain itself, or one many times."""

    def guarded(o: Any) -> int:
        outermost = _RUNNING.sizes is None
        sizes = _RUNNING.sizes
        if sizes is None:
            sizes = _RUNNING.sizes = {}
        try:
            known = sizes.get(id(o))
            if known is None:
                sizes[id(o)] = 0  # As seen from within itself.
                known = sizes[id(o)] = sys.getsizeof(o) + measure(o)
            return known
        finally:
            if outermost:
                _RUNNING.sizes = None

    return guarded


class SimpleSizeof:
    """Base class of containers that know their own size, by ``__sizeof__``.

    Without it, the items of a ``dict`` or ``list`` subclass are looked at.
    """

    __slots__ = ()


@sizeof.register(SimpleSizeof)
def _simple(o: Any) -> int:
    return sys.getsizeof(o)


@sizeof.register(object)
def _default(o: Any) -> int:
    fields = getattr(type(o), "__dataclass_fields__", None)
    if fields is not None:
        return _dataclass(o)
    nbytes = getattr(o, "nbytes", None)
    size = sys.getsizeof(o)
    return size + int(nbytes) if isinstance(nbytes, int) and nbytes > size else size


@_container
def _dataclass(o: Any) -> int:
    return _items_size([getattr(o, name, None) for name in type(o).__dataclass_fields__])


@sizeof.register((bytes, bytearray))
def _bytes(o: bytes | bytearray) -> int:
    return len(o)


@sizeof.register(memoryview)
def _memoryview(o: memoryview) -> int:
    return o.nbytes


@sizeof.register(array.array)
def _array(o: array.array) -> int:
    return o.itemsize * len(o)


sizeof.register((list, tuple, set, frozenset), _container(_items_size))


@sizeof.register(dict)
@_container
def _dict(o: dict) -> int:
    return _items_size(o.keys()) + _items_size(o.values())


# ---- NumPy and what is like it ---------------------------------------------------------------

# Of an array object, which does not count for large arrays but does where there are several.
_ARRAY_OVERHEAD = 112


def _objects_size(columns: Sequence[Any]) -> int:
    """The size of the objects that NumPy arrays refer to, without the references.

    One object may stand in many places, as the strings of a file that was read do. If a sample
    finds few different ones, these are taken to be all.
    """
    cells = sum(map(len, columns))
    if not cells:
        return 0
    found: dict[int, Any] = {}
    looked_at = 0
    for column in columns:
        positions = range(len(column))
        if len(column) > _OBJECT_SAMPLES:
            positions = _spread(len(column), _OBJECT_SAMPLES)
        for position in positions:
            item = column[position]
            found[id(item)] = item
            looked_at += 1
    total = sum(map(sizeof, found.values()))
    if cells > looked_at and len(found) > looked_at / 2:
        return int(total / len(found) * cells)
    return total


def _ndarray_size(x: Any) -> int:
    if 0 in x.strides:  # Broadcast: the same memory many times.
        x = x[tuple(slice(None) if stride else slice(1) for stride in x.strides)]
    if x.dtype.kind == "O":
        return int(x.nbytes) + _objects_size([x.reshape(-1)])
    return int(x.nbytes)


@sizeof.register_lazy("numpy")
def _register_numpy() -> None:
    import numpy as np

    sizeof.register(np.ndarray, _ndarray_size)
    sizeof.register(np.generic, sys.getsizeof)

    @sizeof.register(np.ma.MaskedArray)
    def _masked(x: Any) -> int:
        return _ndarray_size(x.data) + _ndarray_size(np.ma.getmaskarray(x))


def _register_nbytes(package: str, module: str, names: Sequence[str]) -> None:
    """Arrays on other devices, that tell their size."""

    @sizeof.register_lazy(package)
    def register() -> None:
        import importlib

        found = importlib.import_module(module)
        for name in names:
            kind = getattr(found, name, None)
            if kind is not None:
                sizeof.register(kind, lambda x: int(x.nbytes))


_register_nbytes("cupy", "cupy", ("ndarray",))
_register_nbytes("numba", "numba.cuda.cudadrv.devicearray", ("DeviceNDArray",))
_register_nbytes("rmm", "rmm", ("DeviceBuffer",))


@sizeof.register_lazy("scipy")
def _register_sparse() -> None:
    from scipy import sparse

    kinds = tuple(
        getattr(sparse, name) for name in ("spmatrix", "sparray") if hasattr(sparse, name)
    )

    @sizeof.register(kinds)
    def _sparse(x: Any) -> int:
        if x.format == "dok":
            # Each entry has a tuple of two integers for its key.
            return sys.getsizeof(x) + x.nnz * (120 + x.dtype.itemsize)
        names = ("data", "indices", "indptr", "row", "col", "offsets", "rows")
        parts = [getattr(x, name, None) for name in names]
        arrays = [part for part in parts if hasattr(part, "nbytes")]
        return sys.getsizeof(x) + sum(_ARRAY_OVERHEAD + sizeof(part) for part in arrays)


# ---- pandas ----------------------------------------------------------------------------------

_FRAME_OVERHEAD = 1000
_LABEL = 100


@sizeof.register_lazy("pandas")
def _register_pandas() -> None:
    import numpy as np
    import pandas as pd

    def values_size(columns: list) -> int:
        """The size of the data of columns, that may share memory and objects."""
        size = 0
        memory: set = set()
        blocks: set = set()
        objects = []
        for values in columns:
            if isinstance(values, pd.arrays.NumpyExtensionArray):
                values = values.to_numpy()
            if getattr(getattr(values, "dtype", None), "storage", None) == "python":
                values = np.asarray(values, dtype=object)  # The array within, not a copy.
            if isinstance(values, np.ndarray):
                key = (values.__array_interface__["data"][0], values.shape, values.strides)
                blocks.add(id(values) if values.base is None else id(values.base))
                if key in memory:
                    continue
                memory.add(key)
                size += _ndarray_size(values) if values.dtype.kind != "O" else values.nbytes
                if values.dtype.kind == "O":
                    objects.extend(values if values.ndim == 2 else [values])
            else:
                blocks.add(id(values))
                size += int(values.nbytes)
        return size + len(blocks) * _FRAME_OVERHEAD + _objects_size(objects)

    @sizeof.register(pd.DataFrame)
    def _frame(df: pd.DataFrame) -> int:
        # The labels are shared by all that was made from a frame.
        labels = _FRAME_OVERHEAD + _LABEL * df.shape[1]
        return sizeof(df.index) + labels + values_size(_arrays_of(df))

    def _arrays_of(df: pd.DataFrame) -> list:
        """The arrays of a frame: those of several columns at once, where pandas tells."""
        blocks = getattr(getattr(df, "_mgr", None), "blocks", None)
        if blocks is None:
            return [df.iloc[:, position].array for position in range(df.shape[1])]
        return [block.values for block in blocks]

    @sizeof.register(pd.Series)
    def _series(s: pd.Series) -> int:
        return sizeof(s.index) + values_size([s.array])

    @sizeof.register(pd.Index)
    def _index(i: pd.Index) -> int:
        if isinstance(i.dtype, np.dtype) and i.dtype.kind in "iufb":
            return int(i.values.nbytes) + _FRAME_OVERHEAD
        return values_size([i.array])

    @sizeof.register(pd.RangeIndex)
    def _range_index(i: pd.RangeIndex) -> int:
        return _FRAME_OVERHEAD

    @sizeof.register(pd.MultiIndex)
    def _multi_index(i: pd.MultiIndex) -> int:
        codes = sum(int(np.asarray(each).nbytes) for each in i.codes)
        return codes + sum(map(sizeof, i.levels)) + _FRAME_OVERHEAD

    @sizeof.register(pd.api.extensions.ExtensionArray)
    def _extension(values: Any) -> int:
        return values_size([values])


# ---- Arrow and xarray ------------------------------------------------------------------------


@sizeof.register_lazy("pyarrow")
def _register_pyarrow() -> None:
    import pyarrow as pa

    @sizeof.register((pa.Table, pa.RecordBatch))
    def _table(x: Any) -> int:
        return int(x.nbytes) + sizeof(x.schema.metadata) + 1000 + 100 * x.num_columns

    @sizeof.register((pa.ChunkedArray, pa.Array))
    def _column(x: Any) -> int:
        return int(x.nbytes) + 100

    @sizeof.register(pa.Buffer)
    def _buffer(x: Any) -> int:
        return int(x.size)


@sizeof.register_lazy("xarray")
def _register_xarray() -> None:
    import xarray as xr

    # Data that has not been loaded takes no memory, and must not be loaded to find that out.
    @sizeof.register(xr.Variable)
    def _variable(x: xr.Variable) -> int:
        return sys.getsizeof(x) + (sizeof(x._data) if x._in_memory else 0)

    @sizeof.register(xr.IndexVariable)
    def _index_variable(x: xr.IndexVariable) -> int:
        return sys.getsizeof(x) + int(x.nbytes)

    @sizeof.register(xr.DataArray)
    def _data_array(x: xr.DataArray) -> int:
        variables = [x.variable, *(coordinate.variable for coordinate in x.coords.values())]
        return sys.getsizeof(x) + sum(map(sizeof, variables))

    @sizeof.register(xr.Dataset)
    def _dataset(x: xr.Dataset) -> int:
        return sys.getsizeof(x) + sum(map(sizeof, x.variables.values()))

    from xarray.core.indexes import Indexes

    @sizeof.register(Indexes)
    def _indexes(x: Any) -> int:
        return sys.getsizeof(x) + sum(map(sizeof, x.values()))
