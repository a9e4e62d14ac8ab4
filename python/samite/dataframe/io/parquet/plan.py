"""Which row groups of which files make each partition, and what their statistics say."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

import pandas as pd

from samite.dataframe.io.parquet.dataset import ParquetDataset
from samite.dataframe.io.parquet.filters import arrow_expression


class Piece(NamedTuple):
    """Row groups of one file (None: all), and the values that its folders' names give."""

    path: str
    row_groups: tuple[int, ...] | None
    folder_values: tuple[tuple[str, Any], ...]


class EachRowGroup(Sequence[tuple[Piece, ...]]):
    """The pieces of partitions that are a row group each, made when they are asked for: there may
    be very many.

    ``files`` are paths with the values of their folders, ``starts`` the first partition of each
    file and the one after the last.
    """

    def __init__(
        self, files: Sequence[tuple[str, tuple[tuple[str, Any], ...]]], starts: Sequence[int]
    ) -> None:
        self.files = files
        self.starts = starts

    def __len__(self) -> int:
        return self.starts[-1]

    @overload
    def __getitem__(self, place: int) -> tuple[Piece, ...]: ...
    @overload
    def __getitem__(self, place: slice) -> list[tuple[Piece, ...]]: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(f"there are {len(self)} partitions, and none is number {place}")
        place %= len(self)
        number = bisect.bisect_right(self.starts, place) - 1
        path, values = self.files[number]
        return (Piece(path, (place - self.starts[number],), values),)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, EachRowGroup):
            return self.files == other.files and self.starts == other.starts
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]


class Plan(NamedTuple):
    """The partitions of a dataset.

    ``rows`` are the numbers of rows by partition before row-wise filters, None where no footers
    were read. ``bounds`` are the least and greatest index value by partition, if they are known.
    ``splits_files``: row groups of one file may be in different partitions.
    """

    pieces: Sequence[tuple[Piece, ...]]
    rows: tuple[int, ...] | None
    bounds: tuple[tuple[Any, Any], ...] | None
    splits_files: bool = False

    def divisions(self) -> tuple[Any, ...]:
        """The divisions, known where the partitions are in order of the index."""
        unknown = (None,) * (len(self.pieces) + 1)
        if not self.bounds:
            return unknown
        for (_, last), (first, _) in zip(self.bounds, self.bounds[1:], strict=False):
            if not last < first:
                return unknown
        return tuple(first for first, _ in self.bounds) + (self.bounds[-1][1],)


class _Group(NamedTuple):
    """Row groups of one file that are taken together."""

    fragment: int
    row_groups: tuple[int, ...] | None
    rows: int
    size: int
    bounds: tuple[Any, Any] | None


def plan_partitions(
    dataset: ParquetDataset,
    filters: Any,
    index: str | None,
    calculate_divisions: bool,
    split_row_groups: Any,
    blocksize: int | None,
    aggregate_files: Any,
) -> Plan:
    """The partitions of a dataset.

    Parameters
    ----------
    filters:
        Row groups of which statistics say that no row passes are left out.
    index:
        The column whose bounds are wanted with ``calculate_divisions``.
    split_row_groups:
        True, False, "adaptive", "infer" or a number of row groups.
    blocksize:
        Bytes of a partition at most, uncompressed, where row groups allow it.
    aggregate_files:
        Whether files may be joined: True, False, or the column that the outermost folders that
        have to be equal are named by.
    """
    from samite.tokenize import tokenize

    settings = (filters, index, calculate_divisions, split_row_groups, blocksize, aggregate_files)
    return dataset.plans.get(tokenize(settings), lambda: _Planner(dataset, *settings).plan())


class _Planner:
    def __init__(
        self,
        dataset: ParquetDataset,
        filters: Any,
        index: str | None,
        calculate_divisions: bool,
        split_row_groups: Any,
        blocksize: int | None,
        aggregate_files: Any,
    ) -> None:
        self.dataset = dataset
        self.filter = arrow_expression(filters)
        self.index = index if calculate_divisions else None
        self.drops_empty = calculate_divisions or self.filter is not None
        self.blocksize = blocksize
        self.joins = aggregate_files
        self.split = self._split(split_row_groups)

    def _split(self, split: Any) -> Any:
        if split == "infer":
            if self.blocksize is None or not self.dataset.fragments:
                return False
            first = self.dataset.fragments[0]
            self.dataset.read_footers([first])
            size = sum(group.total_byte_size for group in first.row_groups)
            return "adaptive" if self.joins or size > 2 * self.blocksize else False
        if split == "adaptive" and self.blocksize is None:
            return False
        return split

    @property
    def needs_footers(self) -> bool:
        return self.drops_empty or self.split is not False

    def plan(self) -> Plan:
        fragments = list(enumerate(self.dataset.fragments))
        if self.filter is not None and self.dataset.fields_of_folders:
            # The names of folders may say that no row of a file passes.
            left = {f.path for f in self.dataset.arrow.get_fragments(filter=self.filter)}
            fragments = [(i, f) for i, f in fragments if f.path in left]
        if self.split in (True, 1) and not self.drops_empty:
            sizes = self.dataset.sizes_of_row_groups([fragment for _, fragment in fragments])
            if sizes and all(sizes):
                return self._each_row_group(fragments, sizes)
        if not self.needs_footers:
            groups = [[_Group(i, None, 0, 0, None)] for i, _ in fragments]
        else:
            groups = self._packed(list(self._groups(fragments)))
        if self.drops_empty:
            groups = [g for g in groups if any(group.rows for group in g)]
        pieces = tuple(tuple(self._pieces(g)) for g in groups) or ((),)
        if not self.needs_footers or not groups:
            return Plan(pieces, (0,) if not groups else None, None, self.split is not False)
        rows = tuple(sum(group.rows for group in g) for g in groups)
        bounds = _bounds_of(groups) if self.index else None
        return Plan(pieces, rows, bounds, self.split is not False)

    def _each_row_group(
        self, fragments: list[tuple[int, Any]], sizes: list[list[tuple[int, int]]]
    ) -> Plan:
        """The plan with a partition for each row group."""
        values = self.dataset.values_of_folders
        files = [(fragment.path, tuple(values[number].items())) for number, fragment in fragments]
        starts = [0, *itertools.accumulate(map(len, sizes))]
        rows = tuple(count for groups in sizes for count, _ in groups)
        return Plan(EachRowGroup(files, starts), rows, None, True)

    def _groups(self, fragments: list[tuple[int, Any]]) -> Iterator[_Group]:
        sizes = None
        if not self.drops_empty:
            # No values of statistics are wanted.
            sizes = self.dataset.sizes_of_row_groups([fragment for _, fragment in fragments])
        if sizes is not None:
            for (number, _), groups in zip(fragments, sizes, strict=True):
                if self.split is False:
                    rows, size = (
                        (sum(values) for values in zip(*groups, strict=True)) if groups else (0, 0)
                    )
                    yield _Group(number, None, rows, size, None)
                elif not groups:
                    yield _Group(number, (), 0, 0, None)
                else:
                    for position, (rows, size) in enumerate(groups):
                        yield _Group(number, (position,), rows, size, None)
            return
        self.dataset.read_footers([fragment for _, fragment in fragments])
        schema = self.dataset.schema
        for number, fragment in fragments:
            if self.filter is not None:
                fragment = fragment.subset(filter=self.filter, schema=schema)
            whole = len(fragment.row_groups) == self._count(number)
            found = list(fragment.row_groups)
            if self.drops_empty:
                found = [group for group in found if group.num_rows]
            if not found and self.drops_empty:
                continue
            if self.split is False:
                yield self._group(number, found, None if whole else _ids(found))
                continue
            if not found:
                yield _Group(number, (), 0, 0, None)
            for group in found:
                yield self._group(number, [group], (group.id,))

    def _count(self, number: int) -> int:
        return len(self.dataset.fragments[number].row_groups)

    def _group(self, number: int, found: list[Any], ids: tuple[int, ...] | None) -> _Group:
        return _Group(
            number,
            ids,
            sum(group.num_rows for group in found),
            sum(group.total_byte_size for group in found),
            self._bounds(found) if self.index else None,
        )

    def _bounds(self, found: list[Any]) -> tuple[Any, Any] | None:
        """The least and greatest value of the index column; None if that is not known."""
        low, high = None, None
        for group in found:
            if not group.num_rows:
                continue
            statistics = _statistics(group, self.index)
            if statistics is None:
                return None
            least, greatest = statistics
            low = least if low is None or least < low else low
            high = greatest if high is None or greatest > high else high
        if low is None:
            return None
        kind = self.dataset.schema.field(self.index).type
        return _as_index_value(low, kind), _as_index_value(high, kind)

    def _packed(self, groups: list[_Group]) -> list[list[_Group]]:
        """Row groups, in order, put together to partitions."""
        if self.split is False:
            if not self.joins:
                return [[group] for group in groups]
        elif self.split is True or self.split == 1:
            return [[group] for group in groups]
        packed: list[list[_Group]] = []
        size = 0
        for group in groups:
            fits = bool(packed) and self._together(packed[-1][-1], group)
            if fits and self.split == "adaptive":
                fits = size + group.size <= (self.blocksize or 0)
            elif fits and self.split is not False:
                fits = len(packed[-1]) < int(self.split)
            elif fits:
                fits = False
            if fits:
                packed[-1].append(group)
                size += group.size
            else:
                packed.append([group])
                size = group.size
        return packed

    def _together(self, one: _Group, other: _Group) -> bool:
        if one.fragment == other.fragment or self.joins is True:
            return True
        if not self.joins:
            return False
        values = self.dataset.values_of_folders
        for name in values[one.fragment]:
            if values[one.fragment][name] != values[other.fragment][name]:
                return False
            if name == self.joins:
                return True
        raise ValueError(
            f"aggregate_files={self.joins!r} is no column that folders are named by; there are "
            f"{list(values[one.fragment])}"
        )

    def _pieces(self, groups: list[_Group]) -> Iterator[Piece]:
        position = 0
        while position < len(groups):
            first = groups[position]
            ids: tuple[int, ...] | None = first.row_groups
            position += 1
            while position < len(groups) and groups[position].fragment == first.fragment:
                more = groups[position].row_groups
                ids = None if ids is None or more is None else ids + more
                position += 1
            fragment = self.dataset.fragments[first.fragment]
            values = self.dataset.values_of_folders[first.fragment]
            yield Piece(fragment.path, ids, tuple(values.items()))


def _ids(found: list[Any]) -> tuple[int, ...]:
    return tuple(group.id for group in found)


def _statistics(group: Any, column: str | None) -> tuple[Any, Any] | None:
    """The least and greatest value of a column in a row group; None if there are missing
    values, or no statistics."""
    metadata = group.metadata
    for position in range(metadata.num_columns):
        found = metadata.column(position)
        if found.path_in_schema == column:
            statistics = found.statistics
            if statistics is None or not statistics.has_min_max or statistics.null_count:
                return None
            return statistics.min, statistics.max
    return None


def _bounds_of(groups: list[list[_Group]]) -> tuple[tuple[Any, Any], ...] | None:
    bounds = []
    for together in groups:
        known = [group.bounds for group in together if group.rows]
        if not known or any(b is None for b in known):
            return None
        bounds.append((min(b[0] for b in known if b), max(b[1] for b in known if b)))
    return tuple(bounds)


def _as_index_value(value: Any, kind: Any) -> Any:
    """A value of statistics as the index of pandas has it."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        found = pd.Timestamp(value)
        if kind.tz is not None:
            found = found.tz_localize("UTC") if found.tzinfo is None else found
            return found.tz_convert(kind.tz)
        return found
    if isinstance(value, bytes) and pa.types.is_large_string(kind):
        return value.decode()
    return value
