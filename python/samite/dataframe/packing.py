"""Rows of frames as a few plain arrays, for shuffles: those cut partitions into very many pieces,
and pandas takes longer for a piece than NumPy does for its rows."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe.joining import concat_partitions
from samite.sizeof import sizeof

# Kinds of NumPy's dtypes whose values are plain memory.
_PLAIN = "biufcmM"
# Categoricals with more categories travel as pandas has them.
_MOST_CATEGORIES = 1000
# Pieces of fewer bytes are pickled as one string of bytes.
_SMALL = 1 << 16


class Column:
    """How a column, or the index, is held: ``kind`` is "plain" or "moments" (row ``row`` of the
    matrix ``place``), "codes" (the same, of categories), "text" (text ``place``) or "other"
    (column ``place`` of the frame of others)."""

    __slots__ = ("dtype", "kind", "place", "row")

    def __init__(self, kind: str, dtype: Any, place: int, row: int = 0) -> None:
        self.kind = kind
        self.dtype = dtype
        self.place = place
        self.row = row

    def key(self) -> tuple[Any, ...]:
        """What tells it from others. Categories are here in their order."""
        dtype = self.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            categories = dtype.categories
            dtype = (str(categories.dtype), tuple(categories), dtype.ordered)
        return (self.kind, dtype, self.place, self.row)


class Layout:
    """What all pieces of a frame, or series, have in common. There is one object of equal ones, as
    long as few are used."""

    __slots__ = (
        "_pickled",
        "columns",
        "has_others",
        "index",
        "key",
        "labels",
        "matrices",
        "ndim",
        "texts",
    )

    def __init__(
        self,
        labels: pd.Index,
        ndim: int,
        columns: Sequence[Column],
        index: tuple[Any, Any, Column],
        matrices: Sequence[tuple[np.dtype, int]],
        texts: int,
        has_others: bool,
    ) -> None:
        self.labels = labels
        self.ndim = ndim
        self.columns = tuple(columns)
        # The name, the frequency or None, and how the values are held.
        self.index = index
        # The dtype and the number of rows of each matrix, whose columns are the rows of the frame.
        self.matrices = tuple(matrices)
        self.texts = texts
        self.has_others = has_others
        self._pickled: bytes | None = None
        name, frequency, level = index
        self.key = (
            type(labels),
            str(labels.dtype),
            tuple(labels),
            tuple(labels.names),
            ndim,
            tuple(column.key() for column in self.columns),
            (name, frequency, level.key()),
            self.matrices,
            texts,
            has_others,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        if self._pickled is None:
            level = self.index[2]
            state = (
                self.labels,
                self.ndim,
                [(c.kind, c.dtype, c.place, c.row) for c in self.columns],
                (*self.index[:2], level.kind, level.dtype, level.place, level.row),
                self.matrices,
                self.texts,
                self.has_others,
            )
            self._pickled = pickle.dumps(state, protocol=5)
        return (_unpickled_layout, (self._pickled,))


_known: dict[Any, Layout] = {}
_MOST_KNOWN = 256


def _only(layout: Layout) -> Layout:
    """The one object of layouts that are equal to this."""
    found = _known.get(layout.key)
    if found is None:
        _remember(layout.key, layout)
        found = layout
    return found


def _remember(key: Any, layout: Layout) -> None:
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[key] = layout


def _unpickled_layout(pickled: bytes) -> Layout:
    found = _known.get(pickled)
    if found is None:
        labels, ndim, columns, index, matrices, texts, has_others = pickle.loads(pickled)
        made = Layout(
            labels,
            ndim,
            [Column(*column) for column in columns],
            (*index[:2], Column(*index[2:])),
            matrices,
            texts,
            has_others,
        )
        found = _only(made)
        _remember(pickled, found)
    return found


class Packed:
    """Rows of a frame or series.

    ``matrices`` are NumPy's, each of columns of one dtype; ``texts`` are pairs of the lengths of
    texts in bytes (-1 for what is missing) and the bytes of all; ``others`` is a frame of columns
    that are neither, or None.
    """

    __slots__ = ("layout", "matrices", "others", "rows", "texts")

    def __init__(
        self,
        layout: Layout,
        rows: int,
        matrices: Sequence[np.ndarray],
        texts: Sequence[tuple[np.ndarray, np.ndarray]],
        others: Any,
    ) -> None:
        self.layout = layout
        self.rows = rows
        self.matrices = matrices
        self.texts = texts
        self.others = others

    def __len__(self) -> int:
        return self.rows

    @property
    def nbytes(self) -> int:
        """The bytes of the rows."""
        size = sum(matrix.nbytes for matrix in self.matrices)
        size += sum(lengths.nbytes + data.nbytes for lengths, data in self.texts)
        return size if self.others is None else size + sizeof(self.others)

    def take(self, order: np.ndarray) -> Packed:
        """The rows at these positions."""
        matrices = [matrix.take(order, axis=1) for matrix in self.matrices]
        texts = [_texts_of(_arrow_of(*text).take(order)) for text in self.texts]
        others = None if self.others is None else self.others.take(order)
        return Packed(self.layout, len(order), matrices, texts, others)

    def cut(self, bounds: Sequence[int]) -> list[Packed]:
        """The rows between each two bounds, in memory of all of them."""
        starts = [np.concatenate([[0], np.maximum(t[0], 0).cumsum()])[bounds] for t in self.texts]
        places = [found.tolist() for found in starts]
        pieces = []
        for number in range(len(bounds) - 1):
            begin, end = bounds[number], bounds[number + 1]
            texts = [
                (lengths[begin:end], data[place[number] : place[number + 1]])
                for (lengths, data), place in zip(self.texts, places, strict=True)
            ]
            others = None if self.others is None else self.others.iloc[begin:end]
            matrices = [matrix[:, begin:end] for matrix in self.matrices]
            pieces.append(Packed(self.layout, end - begin, matrices, texts, others))
        return pieces

    def deal(self, numbers: np.ndarray, count: int) -> list[Packed] | None:
        """For each number below ``count`` the rows that have it, in their order and in memory of
        their own; None where some values are no plain memory."""
        if self.texts or self.others is not None or count > 1 << 16 or not self.matrices:
            return None
        dealt = [dealt_out(matrix, numbers, count) for matrix in self.matrices]
        if any(pieces is None for pieces in dealt):
            return None
        return [
            Packed(self.layout, matrices[0].shape[1], matrices, (), None)
            for matrices in zip(*dealt, strict=True)
        ]

    def copy(self) -> Packed:
        """The rows in memory of their own."""
        matrices = [matrix.copy() for matrix in self.matrices]
        texts = [(lengths.copy(), data.copy()) for lengths, data in self.texts]
        others = None if self.others is None else self.others.copy()
        return Packed(self.layout, self.rows, matrices, texts, others)

    def to_bytes(self) -> bytes:
        """The rows without the layout; the form is that of this version alone."""
        others = b"" if self.others is None else pickle.dumps(self.others, protocol=5)
        sizes = [self.rows, len(others), *(len(data) for _, data in self.texts)]
        parts = [struct.pack(f"<{len(sizes)}q", *sizes)]
        parts += [matrix.tobytes() for matrix in self.matrices]
        for lengths, data in self.texts:
            parts += [lengths.tobytes(), data.tobytes()]
        parts.append(others)
        return b"".join(parts)

    @staticmethod
    def of_bytes(layout: Layout, data: bytes) -> Packed:
        """The rows that :meth:`to_bytes` wrote."""
        rows, others_size, *text_sizes = struct.unpack_from(f"<{2 + layout.texts}q", data)
        place = 8 * (2 + layout.texts)
        matrices = []
        for dtype, height in layout.matrices:
            found = np.frombuffer(data, dtype, height * rows, place)
            matrices.append(found.reshape(height, rows))
            place += found.nbytes
        texts = []
        for size in text_sizes:
            lengths = np.frombuffer(data, np.int64, rows, place)
            place += lengths.nbytes
            texts.append((lengths, np.frombuffer(data, np.uint8, size, place)))
            place += size
        others = pickle.loads(data[place : place + others_size]) if layout.has_others else None
        return Packed(layout, rows, matrices, texts, others)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.nbytes < _SMALL:
            return (Packed.of_bytes, (self.layout, self.to_bytes()))
        matrices = [np.ascontiguousarray(matrix) for matrix in self.matrices]
        return (Packed, (self.layout, self.rows, matrices, self.texts, self.others))

    def to_pandas(self) -> Any:
        """The rows as pandas has them."""
        layout = self.layout
        matrices = [m if m.flags.writeable else m.copy() for m in self.matrices]
        name, frequency, level = layout.index
        index = pd.Index(self._array(level, matrices), name=name, copy=False)
        if frequency is not None:
            index = _regular(index, frequency)
        columns = [self._array(column, matrices) for column in layout.columns]
        # Series that are made with a dtype: objects would be looked at, and become text.
        columns = [
            pd.Series(values, index=index, dtype=object, copy=False)
            if column.dtype == object
            else values
            for column, values in zip(layout.columns, columns, strict=True)
        ]
        if layout.ndim == 1:
            return pd.Series(columns[0], index=index, name=layout.labels[0], copy=False)
        frame = pd.DataFrame(dict(enumerate(columns)), index=index, copy=False)
        frame.columns = layout.labels.copy()
        return frame

    def _array(self, column: Column, matrices: Sequence[np.ndarray]) -> Any:
        if column.kind == "other":
            return self.others.iloc[:, column.place].array
        if column.kind == "text":
            import pyarrow as pa

            return column.dtype.__from_arrow__(
                pa.chunked_array([_arrow_of(*self.texts[column.place])])
            )
        values = matrices[column.place][column.row]
        if column.kind == "codes":
            return pd.Categorical.from_codes(values, dtype=column.dtype)
        if column.kind == "moments":
            return pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(column.dtype.tz).array
        return values


def dealt_out(matrix: np.ndarray, numbers: np.ndarray, count: int) -> Any:
    """For each number below ``count`` the columns of a matrix that have it; None where the engine
    does not have the dtype."""
    from samite._engine import _dense

    numbers = numbers.astype(np.uint16, copy=False)
    dtype = matrix.dtype
    plain = matrix.view(np.int64) if dtype.kind in "mM" and dtype.isnative else matrix
    pieces = _dense.deal(plain, numbers, count)
    return pieces if plain is matrix or pieces is None else [p.view(dtype) for p in pieces]


def _regular(index: Any, frequency: Any) -> Any:
    """The index with the frequency, if its values, in their order, have it."""
    try:
        if len(index) > 1 and index[0] + frequency != index[1]:
            return index
        return type(index)(index, freq=frequency)
    except ValueError:
        return index


sizeof.register(Packed, lambda packed: packed.nbytes + 200)


def pack(part: Any) -> Any:
    """A frame or series with an index of one level as :class:`Packed`; others as they are."""
    if (
        type(part) not in (pd.DataFrame, pd.Series)
        or part.attrs
        or not part.flags.allows_duplicate_labels
    ):
        return part
    index = part.index
    by_dtype: dict[np.dtype, list[np.ndarray]] = {}
    held: list[tuple[str, Any, Any, int]] = []
    texts: list[tuple[np.ndarray, np.ndarray]] = []
    others: list[Any] = []

    def hold(values: Any) -> None:
        dtype = values.dtype
        if isinstance(dtype, np.dtype) and dtype.kind in _PLAIN:
            array, kind = values.to_numpy(), "plain"
        elif isinstance(dtype, pd.DatetimeTZDtype):
            array, kind = pd.DatetimeIndex(values).tz_convert(None).to_numpy(), "moments"
        elif isinstance(dtype, pd.CategoricalDtype) and len(dtype.categories) <= _MOST_CATEGORIES:
            array, kind = np.asarray(values.array.codes), "codes"
        elif isinstance(dtype, pd.StringDtype) and dtype.storage == "pyarrow":
            texts.append(_texts_of(values.array.__arrow_array__()))
            held.append(("text", dtype, len(texts) - 1, 0))
            return
        else:
            others.append(values)
            held.append(("other", dtype, len(others) - 1, 0))
            return
        group = by_dtype.setdefault(array.dtype, [])
        group.append(array)
        held.append((kind, dtype, array.dtype, len(group) - 1))

    hold(index)
    if held[0][0] in ("other", "codes") or type(index) not in _INDEXES:
        return part
    if part.ndim == 1:
        hold(part)
        labels = pd.Index([part.name], dtype=object, tupleize_cols=False)
    else:
        for position in range(part.shape[1]):
            hold(part.iloc[:, position])
        labels = part.columns
    order = {dtype: place for place, dtype in enumerate(by_dtype)}
    level, *columns = (
        Column(kind, dtype, place if isinstance(place, int) else order[place], row)
        for kind, dtype, place, row in held
    )
    frame = pd.concat(others, axis=1, keys=range(len(others))) if others else None
    try:
        layout = _only(
            Layout(
                labels,
                part.ndim,
                columns,
                (index.name, getattr(index, "freq", None), level),
                [(dtype, len(group)) for dtype, group in by_dtype.items()],
                len(texts),
                bool(others),
            )
        )
    except TypeError:
        # Labels, a name, or categories that have no hash.
        return part
    matrices = [np.stack(group) for group in by_dtype.values()]
    return Packed(layout, len(part), matrices, texts, frame)


_INDEXES = (pd.Index, pd.RangeIndex, pd.DatetimeIndex, pd.TimedeltaIndex)


def unpacked(part: Any) -> Any:
    """Rows as pandas has them."""
    return part.to_pandas() if isinstance(part, Packed) else part


def join(parts: Sequence[Any], meta: Any = None) -> Any:
    """Pieces in order as one, packed where all of them are so and alike."""
    filled = [part for part in parts if len(part)]
    if filled and isinstance(filled[0], Packed):
        layout = filled[0].layout
        if all(
            isinstance(part, Packed) and (part.layout is layout or part.layout.key == layout.key)
            for part in filled
        ):
            return filled[0] if len(filled) == 1 else _joined(layout, filled)
    return concat_partitions([unpacked(part) for part in filled or parts[:1]], meta)


def _joined(layout: Layout, parts: Sequence[Packed]) -> Packed:
    matrices = [
        np.concatenate([part.matrices[number] for part in parts], axis=1)
        for number in range(len(layout.matrices))
    ]
    texts = [
        (
            np.concatenate([part.texts[number][0] for part in parts]),
            np.concatenate([part.texts[number][1] for part in parts]),
        )
        for number in range(layout.texts)
    ]
    others = concat_partitions([part.others for part in parts]) if layout.has_others else None
    return Packed(layout, sum(part.rows for part in parts), matrices, texts, others)


# -- texts -------------------------------------------------------------------------------


def _texts_of(array: Any) -> tuple[np.ndarray, np.ndarray]:
    """The lengths of texts in bytes, and all bytes, of a text array of Arrow."""
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks)
    if array.type != pa.large_string():
        array = array.cast(pa.large_string())
    missing = np.asarray(array.is_null()) if array.null_count else None
    if missing is not None:
        array = array.fill_null("")
    if not len(array):
        return np.empty(0, np.int64), np.empty(0, np.uint8)
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64, len(array) + 1, 8 * array.offset)
    lengths = np.diff(ends)
    if missing is not None:
        lengths[missing] = -1
    bytes_of_all = np.frombuffer(b"" if data is None else data, np.uint8)
    return lengths, bytes_of_all[ends[0] : ends[-1]]


def _arrow_of(lengths: np.ndarray, data: np.ndarray) -> Any:
    """The text array of Arrow that :func:`_texts_of` was given."""
    import pyarrow as pa

    offsets = np.zeros(len(lengths) + 1, np.int64)
    missing = lengths < 0
    np.cumsum(np.where(missing, 0, lengths), out=offsets[1:])
    valid = None
    if missing.any():
        valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.LargeStringArray.from_buffers(
        len(lengths), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data)), valid
    )
